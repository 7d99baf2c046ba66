/*
 * What is known of a user when the plugin asks: one read for many users at a time. Links are joined
 * here, at reading time, so a link made while an order is being merged cannot be missed.
 */
#ifndef STORE_STANDING_H
#define STORE_STANDING_H

#include <stddef.h>

#include "db/batch.h"
#include "entitlement/answer.h"

/* The operation of a check: `standing.user` and `.team` are set; the rest comes back. */
struct standing_read {
    struct standing standing;
};
void standing_free(struct standing *standing); /* the contents */
extern const struct batch_kind standing_batch;
/* The same for one user, straight-line, for purchasectl. */
enum db_result standing_load(struct db *db, struct standing *standing)
    __attribute__((warn_unused_result));

#endif
