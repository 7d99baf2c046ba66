/*
 * Facts: what evidence (a signed delivery, an answer of a shop's API) says about orders, in one
 * shape for all shops. The adapters make them, the merge weighs them, the store keeps them; they
 * are pure data and stand here because those rooms may not know each other.
 *
 * Strings are owned by the facts, NUL-terminated, at most LIMIT_ORDER_ID or LIMIT_SELECTOR bytes;
 * NULL means "not told". Amounts are millionths of the order's currency. Times are clock.h's.
 */
#ifndef BASE_FACTS_H
#define BASE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"

/* Ordered by rank: of two snapshots with one time, the greater wins. Mirrors order_snapshot.status.
 */
enum order_status { ORDER_PENDING, ORDER_PAID, ORDER_CANCELLED, ORDER_REFUNDED };

/* Mirrors order_refund.state. */
enum refund_state { REFUND_PENDING, REFUND_DONE, REFUND_FAILED };

/* Mirrors order_dispute.state; an open or lost chargeback takes access, the others do not. Ordered
 * by what comes later in its life: of two states told with one time, the end wins over the
 * beginning. */
enum dispute_state { DISPUTE_NONE, DISPUTE_INQUIRY, DISPUTE_OPEN, DISPUTE_WON, DISPUTE_LOST };

/* Mirrors order_snapshot.address_state. */
enum address_state {
    ADDRESS_ABSENT, /* none, null, or not an address */
    ADDRESS_ERASED, /* a privacy tool blanked it: deleted@site.invalid */
    ADDRESS_REAL,
};

struct fact_line {
    char *id;
    char *product, *variant, *sku;
    char *product2; /* another id by which a rule's product may name it (Stripe: of the price), or
                       NULL */
    int64_t quantity;
    int64_t refunded_quantity; /* as this snapshot states it; 0 where the shop tells it elsewhere */
};

struct fact_refund_line {
    char *line_id;
    int64_t quantity;
};

struct fact_refund {
    char *id;
    int64_t time; /* of the refund, or of the evidence where it has none */
    enum refund_state state;
    int64_t amount;
    char *payment;    /* which payment it gives back, or NULL: not told */
    bool lines_known; /* `lines` is the whole truth about what was given back (maybe nothing) */
    /*
     * The evidence tells what the refund gave back, not whether it stands: WooCommerce's refunds
     * endpoint. It counts only while the winning snapshot lists the refund.
     */
    bool detail_only;
    struct fact_refund_line *lines;
    size_t line_count;
};

struct fact_dispute {
    char *id;
    int64_t time;
    enum dispute_state state;
};

/* One refund as a snapshot lists it. */
struct fact_listed_refund {
    char *id;
    int64_t amount;
    bool lines_known;
    struct fact_refund_line *lines;
    size_t line_count;
};

struct fact_snapshot {
    int64_t time;      /* the order's own update, else the signed event's, else the answer's Date */
    bool time_flagged; /* it lay more than 5 minutes after receipt, and was cut to that */
    int64_t time_claimed; /* with time_flagged: what the shop said; else not looked at */
    bool from_api;        /* read from the shop's API, not delivered */
    int64_t read_at;      /* from_api: the answer's Date; else 0 */
    enum order_status status;
    bool disputed;    /* a shop that tells disputes as a state of the order, not by themselves */
    bool lines_known; /* false: only the status is news (an order that is gone); lines stay */
    int64_t paid_at;  /* TIME_NONE if not told */
    char *payment;    /* which payment `total` and the refunds are of, or NULL: not told */
    int64_t total;    /* -1 if not told */
    int64_t refunded_total; /* cumulative, where the shop says so; else -1 */
    enum address_state address_state;
    char *address;   /* normalised, with ADDRESS_REAL */
    char *reference; /* the buyer reference it carries, unverified, or NULL */
    struct fact_line *lines;
    size_t line_count;
    bool lists_refunds; /* `refunds` is the whole list that the shop knows */
    struct fact_listed_refund *refunds;
    size_t refund_count;
};

/*
 * What a subscription is at one time. Ordered so that of two states told with one time the later in
 * life wins. Mirrors order_subscription.state.
 */
enum subscription_state {
    SUBSCRIPTION_TRIAL,
    SUBSCRIPTION_ACTIVE,
    SUBSCRIPTION_PAST_DUE,  /* a renewal was not paid: grace runs from unpaid_since */
    SUBSCRIPTION_PAUSED,    /* nothing is paid, nothing is given, once paid_until is over */
    SUBSCRIPTION_CANCELLED, /* will not renew; what is paid stays until paid_until */
    SUBSCRIPTION_EXPIRED,   /* over, at paid_until or, if that is not told or later, at `time` */
};

struct fact_subscription {
    int64_t time;    /* of this state: the object's own update, else the signed event's */
    bool from_api;   /* read from the shop's API, not delivered */
    int64_t read_at; /* from_api: the answer's Date; else 0 */
    enum subscription_state state;
    int64_t paid_until; /* end of the period (or trial) that is paid; TIME_NONE: not told */
    /* SUBSCRIPTION_PAST_DUE: when the unpaid period began; TIME_NONE: not told. With a paid_until
     * after it, of this state or SUBSCRIPTION_ACTIVE, the word of one bill alone: the period
     * between them was not paid, or was (entitlement/term.h). */
    int64_t unpaid_since;
};

/* What evidence lacks, and the shop's API may tell; the adapter that asks for it knows how. */
enum fact_need_kind {
    NEED_ORDER,   /* the order itself: a hint, or a tie to settle */
    NEED_REFUNDS, /* what its refunds gave back */
    NEED_LINES,   /* what was bought */
    NEED_ADDRESS, /* the buyer's address */
    NEED_OWNER,   /* which order a payment, refund or dispute belongs to */
};
const char *fact_need_name(enum fact_need_kind kind);

struct fact_need {
    enum fact_need_kind kind;
    char
        *object; /* the shop's id of what to ask for ("cus_1", "ch_1"), or NULL: the order itself */
    /* Without it the evidence gives or takes nothing: where the shop cannot be asked, the delivery
     * is set aside as needs_api_key (its facts are applied all the same). */
    bool essential;
};

/*
 * Everything one piece of evidence says about one order. A purchase that is a subscription is one
 * order, under the subscription's id, however often it renews.
 */
struct fact_order {
    char *id;
    /*
     * Which shop it is of, as the evidence itself tells it: a host and path, an account; NULL: not
     * told. A source is of one shop, whoever else holds its secret.
     */
    char *identity;
    /* What no other order of this number has (WooCommerce's order_key); NULL: not told. */
    char *key;
    /* Other ids under which evidence may speak of this order: the payment of a checkout session,
     * the order or transaction that began a subscription or renewed it. What is known under them
     * becomes this order's. */
    char **aliases;
    size_t alias_count;
    struct fact_subscription *subscription; /* or NULL */
    struct fact_need *needs;
    size_t need_count;
    struct fact_snapshot *snapshot; /* or NULL */
    struct fact_refund *refunds;
    size_t refund_count;
    struct fact_dispute *disputes;
    size_t dispute_count;
};

/* Why a delivery cannot be used. Mirrors delivery.reason. */
enum set_aside {
    SET_ASIDE_NONE,
    SET_ASIDE_MALFORMED,
    SET_ASIDE_SOURCE_MISCONFIGURED,
    SET_ASIDE_WRONG_MODE,
    SET_ASIDE_NOT_AN_ORDER,
    SET_ASIDE_NEEDS_API_KEY,
    SET_ASIDE_FETCH_FAILED,
    SET_ASIDE_RETRIES_EXHAUSTED,
};
const char *set_aside_name(enum set_aside reason);

struct facts {
    enum set_aside set_aside;
    char *detail; /* a sentence for the operator when set aside: no personal data; or NULL */
    struct fact_order *orders;
    size_t order_count;
};

void facts_free(struct facts *facts); /* the contents; wipes addresses */
void fact_snapshot_free(struct fact_snapshot *snapshot);

/*
 * Adds a zeroed element and returns it; the arrays are the facts' own, and adding may move them: no
 * pointer to an element outlives the next addition to its array. Times that are not told are to be
 * set to TIME_NONE by the caller, except in a new snapshot, where they and the totals begin as not
 * told.
 */
struct fact_order *facts_add_order(struct facts *facts, const char *id, size_t id_len);
struct fact_snapshot *fact_order_snapshot(
    struct fact_order *order); /* the one it has, or a new one */
struct fact_line *fact_add_line(struct fact_snapshot *snapshot);
struct fact_listed_refund *fact_add_listed_refund(struct fact_snapshot *snapshot);
struct fact_refund *fact_add_refund(struct fact_order *order);
struct fact_dispute *fact_add_dispute(struct fact_order *order);
struct fact_subscription *fact_order_subscription(struct fact_order *order); /* as above */
void fact_add_alias(struct fact_order *order, const char *alias);
/* Sets the identity of all orders that tell none; NULL, or one that is too long, sets nothing. */
void facts_set_identity(struct facts *facts, const char *identity);
/* `object` may be NULL. The same need twice is one. */
void fact_add_need(struct fact_order *order, enum fact_need_kind kind, const char *object,
                   bool essential);
struct fact_refund_line *fact_add_refund_line(struct fact_refund_line **lines, size_t *count);
void facts_set_aside(struct facts *facts, enum set_aside reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The digest that tells two snapshots apart: over everything but read_at, with the address replaced
 * by `address_index` (32 bytes, or NULL if it has none) so that no digest of an address is ever
 * stored in clear, and with the time as the shop claimed it. Lines and refunds count in the order
 * of their ids.
 */
void fact_snapshot_digest(const struct fact_snapshot *snapshot, const unsigned char *address_index,
                          unsigned char out[DIGEST_LEN]);

/* The same for a state of a subscription, over everything but read_at. */
void fact_subscription_digest(const struct fact_subscription *subscription,
                              unsigned char out[DIGEST_LEN]);

#endif
