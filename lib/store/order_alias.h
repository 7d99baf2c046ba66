/*
 * Which order a piece of evidence is about. Shops speak of one order under several ids: a payment,
 * the session or transaction that began a subscription, each of its renewals. Private to this room.
 */
#ifndef STORE_ORDER_ALIAS_H
#define STORE_ORDER_ALIAS_H

#include "store/order_names.h"
#include "store/orders.h"

/* What order_alias_settle() holds for a batch. */
struct alias_batch {
    struct order_news
        *news; /* the caller's, with their orders' own ids, then one for each alias that is new */
    size_t count;
    bool renamed; /* some of them: their own rows are still to be locked */
    char **ids;   /* owned; what news point at */
    size_t id_count;
};

/*
 * In the caller's transaction, with every id that the news name locked and read (`names`): follows
 * known aliases, records new ones, and moves what was known under them; the order that takes it is
 * known from then on.
 */
enum db_result order_alias_settle(struct db *db, const struct orders_context *context,
                                  const struct order_names *names, const struct order_news *news,
                                  size_t count, struct alias_batch *out)
    __attribute__((warn_unused_result));
/* With the orders' own rows locked: whether none of the first `count` has become an alias since
 * they were settled, by a transaction that was before us at the lock. */
enum db_result order_alias_check(struct db *db, const struct alias_batch *batch, size_t count,
                                 bool *stands) __attribute__((warn_unused_result));
void alias_batch_free(struct alias_batch *batch);

#endif
