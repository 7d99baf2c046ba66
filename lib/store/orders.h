/*
 * Orders: the one code path from facts to contributions. Whoever has news of an order (a delivery,
 * a resync, a replay, a new catalogue, an operator, rebuild) calls orders_apply(), and nothing else
 * writes these tables.
 *
 * One transaction, a constant number of statements however many orders: lock the orders' rows in
 * the order of their keys, add the new facts, read all facts, merge, project, compare with the
 * contributions that stand, write the difference with an audit row for each change and a feed row
 * for each subject touched.
 */
#ifndef STORE_ORDERS_H
#define STORE_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/facts.h"
#include "db/db.h"
#include "entitlement/catalogue.h"
#include "entitlement/order.h"
#include "store/source.h"
#include "vault/vault.h"

/* Mirrors audit.cause. */
enum cause {
    CAUSE_DELIVERY,
    CAUSE_RESYNC,
    CAUSE_LINK,
    CAUSE_CATALOGUE,
    CAUSE_OPERATOR,
    CAUSE_REBUILD
};

/* News of one order, or, without facts, the wish to project it anew. */
struct order_news {
    uint32_t source_id;
    const char *order_id;
    const struct fact_order *facts; /* or NULL */
    enum cause cause;
    char cause_id[32];    /* the delivery's id, the catalogue's version, ... */
    uint64_t delivery_id; /* 0: none */
    bool answered;        /* the facts were read from the shop's API, not delivered */
    /* out: */
    bool wants_reread, wants_refund_lines;
    int64_t reread_from; /* wants_reread: a read made after this settles it */
    size_t changes;      /* contributions that differ from before */
    /* Not "": the facts were not taken, because they are of another shop than the source's, or of
     * another order with the same number; a sentence for the operator, without personal data. */
    char refusal[256];
};

/* One contribution that differs from before; borrowed during the call. Where it changes hands it is
 * told twice: as lost by one subject, and as gained by the other. */
struct order_change {
    uint32_t source_id;
    const char *order_id, *line_id, *key;
    const unsigned char *subject;
    const char *before, *after; /* "active x1 until ..."; NULL: none */
    bool lost, gained;          /* it was live and is not any more, or the reverse */
};

struct orders_context {
    const struct vault *vault;
    const struct source_map *sources;
    const struct catalogue *catalogue; /* of orders_catalogue(), or NULL: read in the transaction */
    int64_t now;
    bool dry_run; /* compare only: rebuild --check */
    /* Called for each change, within the transaction, which may run more than once; or NULL. */
    void (*changed)(const struct order_change *change, void *arg);
    void *changed_arg;
};

/*
 * Inside the caller's transaction (db_transaction), so that a delivery is marked done by the same
 * commit. Several news of one order are allowed.
 */
enum db_result orders_apply(struct db *db, const struct orders_context *context,
                            struct order_news *news, size_t count)
    __attribute__((warn_unused_result));

/*
 * Whether what a piece of evidence lacks is known already, so that the shop need not be asked: what
 * the listed refunds gave back, what was bought, whose the order is. What a refund gave back never
 * changes.
 */
enum db_result orders_need_met(struct db *db, uint32_t source_id, const struct fact_order *facts,
                               const struct fact_need *need, bool *met)
    __attribute__((warn_unused_result));

/* Which of the orders (or aliases) are known: `known` has an element for each. */
enum db_result orders_exist(struct db *db, uint32_t source_id, const char *const *order_ids,
                            size_t count, bool *known) __attribute__((warn_unused_result));

/* Orders projected with an older catalogue than `version`, at most `most`. */
struct order_name {
    uint32_t source_id;
    char order_id[LIMIT_ORDER_ID + 1];
    uint64_t delivery_id; /* orders_lease_rereads(): the delivery that made it wanted, or 0 */
    uint32_t attempts;
    int64_t claimed_until; /* orders_claim_rereads() */
};
enum db_result orders_older_than(struct db *db, uint32_t version, struct order_name *out,
                                 size_t most, size_t *count) __attribute__((warn_unused_result));
/* All orders after `from` in key order (NULL: from the first): rebuild walks them so. */
enum db_result orders_walk(struct db *db, const struct order_name *from, struct order_name *out,
                           size_t most, size_t *count) __attribute__((warn_unused_result));

/* Re-reads that merges asked for: scheduled in the merge's transaction, claimed before the shop is
 * called. */
enum db_result orders_schedule_reread(struct db *db, uint32_t source_id, const char *order_id,
                                      uint64_t delivery_id, int64_t due_at)
    __attribute__((warn_unused_result));
enum db_result orders_claim_rereads(struct db *db, int64_t now, struct order_name *out, size_t most,
                                    size_t *count) __attribute__((warn_unused_result));
/* Ends a claim, unless another merge has asked for a re-read since. */
enum db_result orders_finish_reread(struct db *db, const struct order_name *order,
                                    int64_t again_at_or_none) __attribute__((warn_unused_result));

/* The facts of one order, as the merge sees them, for `order show` and `explain`. */
enum db_result orders_known(struct db *db, const struct source_map *sources, uint32_t source_id,
                            const char *order_id, struct known_order *out, bool *found)
    __attribute__((warn_unused_result));

#endif
