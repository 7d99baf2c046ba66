/*
 * Whose an order is, as an operator says: a fact of its own, which comes before every reference and
 * address, and which no evidence ever drops.
 */
#ifndef STORE_ORDER_ASSIGN_H
#define STORE_ORDER_ASSIGN_H

#include "store/orders.h"

struct order_assign {
    uint32_t source_id;
    const char *order_id; /* the order's own */
    const char *user;     /* NULL: takes the assignment back */
    const char *by, *why;
    size_t changes; /* out: contributions that changed hands */
    bool changed;   /* out: it was not so before */
};
/* In its own transaction, with the order projected anew and records of it. */
enum db_result orders_assign(struct db *db, const struct orders_context *context,
                             struct order_assign *assign) __attribute__((warn_unused_result));
/* The same inside the caller's transaction. */
enum db_result orders_assign_within(struct db *db, const struct orders_context *context,
                                    struct order_assign *assign)
    __attribute__((warn_unused_result));

#endif
