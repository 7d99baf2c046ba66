/*
 * Which order an operator means: a source and any id that the shop knows the order by.
 */
#ifndef CTL_ORDER_ARGUMENT_H
#define CTL_ORDER_ARGUMENT_H

#include "base/limits.h"
#include "ctl.h"

struct order_argument {
    uint32_t source_id;
    const char *source;
    const char *given;            /* the id as it was asked for */
    char own[LIMIT_ORDER_ID + 1]; /* the id under which the order stands */
};

/* Reads the first two arguments. Says on stderr what is wrong, also that nothing is known of it. */
enum exit_code order_argument_find(struct ctl *ctl, struct order_argument *out)
    __attribute__((warn_unused_result));
/* Whether it was asked for under another id than its own. */
bool order_argument_is_alias(const struct order_argument *order);

#endif
