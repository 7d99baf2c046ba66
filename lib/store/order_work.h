/*
 * One order on its way through orders_apply(). Private to this room: orders.c leads, order_facts.c
 * reads and adds facts, order_difference.c writes what changed.
 */
#ifndef STORE_ORDER_WORK_H
#define STORE_ORDER_WORK_H

#include "entitlement/order.h"
#include "store/orders.h"
#include "store/rows.h"

/* A row of `contribution` as it stands. */
struct standing_row {
    char line_id[LIMIT_ORDER_ID + 1];
    char key[LIMIT_ENTITLEMENT_KEY + 1];
    struct subject subject;
    enum contribution_state state;
    int64_t quantity, starts_at, ends_at, grace_until;
};

/* What is to be written of a fact, beside the fact: one mark for each element of an array of
 * `known`. */
struct fact_mark {
    bool dirty; /* to be written */
    bool fresh; /* of a snapshot: it was not there, so its lines are to be written too */
    uint64_t delivery_id;
    bool reference_invalid; /* of a snapshot */
};

struct order_work {
    struct known_order known;
    const struct order_news *cause; /* the first news of this order: what the audit names */
    struct fact_mark *snapshot_marks, *refund_marks, *dispute_marks, *subscription_marks;

    struct merged_order merged;
    struct projection projection;

    struct standing_row *standing;
    size_t standing_count;
    char (*unmapped)[LIMIT_ORDER_ID + 1]; /* line ids that stand as unmapped */
    size_t unmapped_count;
    size_t changes;
    bool
        is_alias; /* since now: its row stays as a lock, and there is nothing to project any more */
};

/* The catalogue's version in the row of an alias: no catalogue is newer. */
#define VERSION_OF_ALIAS UINT32_MAX

/* An address that a new snapshot told, to be kept sealed. */
struct address_row {
    unsigned char index[DIGEST_LEN];
    struct buf sealed;
    int64_t time;
};

/* Orders sorted by (source, id), each once: the order in which rows are locked. */
struct order_batch {
    const struct orders_context *context;
    struct order_work *orders;
    size_t count;
    struct values keys; /* (source_id, order_id) of each that may have rows */
    struct address_row *addresses;
    size_t address_count;
};

struct order_work *order_batch_find(const struct order_batch *batch, uint32_t source_id,
                                    const char *order_id, size_t len);

/* The order that a row's first two columns name; there is no other in an answer. */
struct order_work *order_batch_row(const struct order_batch *batch, const struct db_rows *rows);

/* Reads every fact of every order: a statement a table. */
enum db_result order_facts_read(struct db *db, struct order_batch *batch)
    __attribute__((warn_unused_result));
/* Adds the facts of one piece of news to the known ones, unless they are there already. */
void order_facts_add(struct order_batch *batch, struct order_work *work,
                     const struct order_news *news);
/* Writes the ones that were added. */
enum db_result order_facts_write(struct db *db, struct order_batch *batch)
    __attribute__((warn_unused_result));
/* The sealed addresses that they told, and those that the merges say were erased. Buyers share them
 * between orders, so that their rows are locked last: until the commit, and no longer. */
enum db_result order_addresses_write(struct db *db, struct order_batch *batch)
    __attribute__((warn_unused_result));
void order_batch_free(struct order_batch *batch);

/* Reads what stands, compares it with the projections, and, unless it is a dry run, writes the
 * difference, an audit row for each change, and a feed row for each subject. */
enum db_result order_difference(struct db *db, struct order_batch *batch)
    __attribute__((warn_unused_result));

#endif
