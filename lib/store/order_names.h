/*
 * The ids that a batch of news names: the orders' own ones and their aliases. Their rows are the
 * locks of the merge, and what stood there before says what is to be read at all. Private to this
 * room.
 */
#ifndef STORE_ORDER_NAMES_H
#define STORE_ORDER_NAMES_H

#include "base/digest.h"
#include "store/orders.h"
#include "store/rows.h"

/* An id, and what its row said. */
struct order_named {
    uint32_t source_id;
    const char *id;                /* the news' */
    const struct order_news *told; /* the first news that tell the order's key; or NULL */
    bool known; /* the row was there before this transaction: there may be facts */
    bool keyed;
    unsigned char key[DIGEST_LEN]; /* keyed: the digest of the first key that the order had */
};

/* Sorted by source and id, each once: the order in which rows are locked. */
struct order_names {
    struct order_named *items;
    size_t count;
};

/* Every id that the news name. With `keys`, a row that is new begins with the key that is told. */
void order_names_gather(struct order_names *names, const struct order_news *news, size_t count,
                        bool keys);
void order_names_free(struct order_names *names);
/* NULL if it is none of them. */
struct order_named *order_names_find(const struct order_names *names, uint32_t source_id,
                                     const char *id);

/*
 * In the caller's transaction: takes the row locks of every id. Whoever speaks of an alias takes
 * its lock first, so that no evidence is written under an id that another transaction is turning
 * into an alias.
 */
enum db_result order_names_lock(struct db *db, const struct order_names *names,
                                const struct orders_context *context)
    __attribute__((warn_unused_result));
/* Whether each was known, and its key. After the lock, or, for a dry run, without it. */
enum db_result order_names_read(struct db *db, struct order_names *names, bool locked)
    __attribute__((warn_unused_result));
/* The digest of the key that a piece of news tells; false if it tells none. */
bool order_key_of(const struct order_news *news, unsigned char out[DIGEST_LEN]);

/*
 * The lock itself: (source_id, order_id, first_seen_at, catalogue_version, order_key) a row,
 * sorted. The row changes each time: on a cluster that is what makes the second of two merges on
 * two nodes fail and run again. A row that was there before has a revision above 1 from then on.
 */
enum db_result order_rows_lock(struct db *db, const struct values *rows)
    __attribute__((warn_unused_result));

#endif
