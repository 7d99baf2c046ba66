/*
 * Whose evidence is taken. A source is of one shop and a number is of one order, also when a copy
 * of the shop knows its secret: what the first evidence told of either is kept, and evidence that
 * tells another is refused. Private to this room.
 */
#ifndef STORE_ORDER_PIN_H
#define STORE_ORDER_PIN_H

#include "store/order_names.h"
#include "store/orders.h"

/* News that are taken so far, compact, and where each stood among the caller's. */
struct pinned_news {
    struct order_news *news;
    size_t *places;
    size_t count;
    bool learning; /* a source's shop may be learned from one of them, and others refused for it */
};

/* In the caller's transaction, before any order is locked: leaves out, with their `refusal` set
 * among the caller's, the news of another shop than their source's. */
enum db_result order_pin_sources(struct db *db, const struct orders_context *context,
                                 struct order_news *news, size_t count, struct pinned_news *out)
    __attribute__((warn_unused_result));
/*
 * With the orders locked and read: leaves out news of another order with the same number too, and
 * keeps what is told for the first time. DB_RETRY if another transaction was the first to tell its
 * source's shop: the next run knows it.
 */
enum db_result order_pin_orders(struct db *db, const struct orders_context *context,
                                const struct order_names *names, struct order_news *news,
                                struct pinned_news *pinned) __attribute__((warn_unused_result));
void pinned_news_free(struct pinned_news *pinned);

#endif
