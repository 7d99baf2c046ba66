/*
 * Binding what linked users bought to the users themselves: for the day on which the blind index is
 * lost, and with it every way from an address to its orders. A Miro user's id needs no key.
 */
#ifndef STORE_ORDER_BIND_H
#define STORE_ORDER_BIND_H

#include "store/orders.h"

#define ORDER_BIND_STEP 256

/* The orders after `last` (of key order; begin with zeros) whose address is linked to a user: as if
 * they carried a reference of that user. One transaction; moves `last`, adds to *bound, and *more
 * is false once there are no others. */
enum db_result orders_bind_linked(struct db *db, const struct orders_context *context,
                                  struct order_name *last, uint64_t *bound, bool *more)
    __attribute__((warn_unused_result));

#endif
