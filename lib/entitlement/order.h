/*
 * All the meaning of an order, as two pure functions: merge weighs what is known, project says what
 * it gives. Merging is commutative, associative and idempotent: the known facts are a set, and the
 * outcome depends on the set alone.
 */
#ifndef ENTITLEMENT_ORDER_H
#define ENTITLEMENT_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/facts.h"
#include "base/limits.h"
#include "entitlement/catalogue.h"

/* A snapshot as the store keeps it: its address is an index, its reference was verified. */
struct known_snapshot {
    struct fact_snapshot facts; /* address and reference are NULL */
    unsigned char digest[DIGEST_LEN];
    bool has_index;
    unsigned char address_index[DIGEST_LEN];
    char *owner_user, *owner_team; /* of a valid reference, or NULL */
};

/* A state of a subscription as the store keeps it. */
struct known_subscription {
    struct fact_subscription facts;
    unsigned char digest[DIGEST_LEN];
};

struct known_order {
    const char *source; /* name, for the catalogue; borrowed */
    uint32_t source_id;
    char *id;
    struct known_snapshot *snapshots;
    size_t snapshot_count;
    struct fact_refund *refunds; /* told by themselves, and details */
    size_t refund_count;
    struct fact_dispute *disputes;
    size_t dispute_count;
    struct known_subscription *subscriptions;
    size_t subscription_count;
    char *assigned_user; /* by an operator, or NULL */
};
void known_order_free(struct known_order *order); /* the contents */

/*
 * Times that lay ahead were cut at receipt; left so, they would count in the order of their
 * arrival. Raises each cut time, as far as needed, so that among themselves they count in the order
 * that the shop claims. A function of the set; to be called once, before order_merge().
 */
void known_order_settle(struct known_order *order);

/* Mirrors shop_order.subject_kind. */
enum subject_kind { SUBJECT_NONE, SUBJECT_ADDRESS, SUBJECT_USER };

struct subject {
    enum subject_kind kind;
    unsigned char id[DIGEST_LEN]; /* the address's index, or subject_of_user() */
    char team[LIMIT_MIRO_ID + 1]; /* SUBJECT_USER: the reference's team */
};
/* SHA-256 of the user's id, without a key: bound purchases outlive a lost keyring. */
void subject_of_user(const char *user_id, unsigned char out[DIGEST_LEN]);

struct merged_line {
    const struct fact_line *line; /* borrowed from the known order */
    int64_t remaining;            /* quantity less what was given back, never below 0 */
};

struct merged_order {
    const struct known_snapshot *winner; /* NULL: nothing but refunds or disputes is known yet */
    enum order_status status;            /* ORDER_REFUNDED too when amounts sum to the whole */
    bool disputed;                       /* an open or lost chargeback */
    const struct fact_subscription
        *subscription; /* its latest state, if the order is one; borrowed */
    int64_t paid_at;   /* or TIME_NONE */
    struct subject subject;
    struct merged_line *lines;
    size_t line_count;
    /* Two different snapshots with one time, or a refund told at that very time which the winner's
     * list does not hold, and no read of the shop's API made after that second: only a re-read
     * settles it. */
    bool wants_reread;
    /* Listed refunds whose lines nobody has told yet. */
    bool wants_refund_lines;
};
void order_merge(const struct known_order *order, struct merged_order *out);
void merged_order_free(struct merged_order *merged); /* the contents */

/* True if `a` wins over `b`: (time, from_api, read_at, rank, more refunded, digest). A total order.
 */
bool snapshot_wins(const struct known_snapshot *a, const struct known_snapshot *b);

/* Why a contribution is live or not, mirrors contribution.state. Expiry is no state: it needs no
 * writer. */
enum contribution_state {
    CONTRIBUTION_ACTIVE,
    CONTRIBUTION_PENDING,
    CONTRIBUTION_REFUNDED,
    CONTRIBUTION_DISPUTED,
    CONTRIBUTION_CANCELLED,
};
const char *contribution_state_name(enum contribution_state state);

struct contribution {
    const char *line_id; /* borrowed */
    const char *key;     /* borrowed */
    enum contribution_state state;
    int64_t quantity;                        /* 0 unless active */
    int64_t starts_at, ends_at, grace_until; /* or TIME_NONE: not told, never, none */
};

struct projection {
    struct contribution *contributions; /* sorted by line, then key: each pair once */
    size_t count;
    const struct fact_line **unmapped; /* lines of the winner that no rule knows */
    size_t unmapped_count;
};
/* Borrows from the order and the catalogue. Where several rules give a line one key, the longest
 * end counts. */
void order_project(const struct known_order *order, const struct merged_order *merged,
                   const struct catalogue *catalogue, struct projection *out);
void projection_free(struct projection *projection);

#endif
