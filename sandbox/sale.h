/*
 * A sale: one purchase at a stand-in shop of any provider but WooCommerce, as that provider's API
 * and its webhooks both tell it. Amounts are cents of US dollars. Times are microseconds, as
 * everywhere; a provider that knows whole seconds cuts them when it writes them.
 *
 * The parts of a sale (its items, payments, refunds, disputes, its subscription) have ids of their
 * own, made of the sale's number: SALE_PARTS * number + 1, 2, 3... So that a part's id, however a
 * provider dresses it up, leads back to its sale.
 */
#ifndef SANDBOX_SALE_H
#define SANDBOX_SALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tree.h"

#define SALE_FIRST 1001  /* the first sale's number */
#define SALE_PARTS 10000 /* ids of parts that one sale may have */
#define SALE_ITEMS 100

enum sale_state {
    SALE_UNPAID,  /* ordered; the money is on its way (bank debit, invoice) */
    SALE_PAID,    /* or free, or in a trial */
    SALE_VOIDED,  /* the money never came, or the order was cancelled before it did */
    SALE_DELETED, /* the shop has forgotten it: its API answers 404 */
};

enum sale_refund_state {
    SALE_REFUND_PENDING, /* asked for, not approved yet */
    SALE_REFUND_DONE,
    SALE_REFUND_FAILED,   /* the bank sent it back, or nobody approved it: it never was */
    SALE_REFUND_REVERSED, /* undone after it was done */
};

enum sale_dispute_state {
    SALE_DISPUTE_INQUIRY,
    SALE_DISPUTE_OPEN,
    SALE_DISPUTE_WON,
    SALE_DISPUTE_LOST,
};

enum sale_term_state {
    SALE_TRIAL,
    SALE_ACTIVE,
    SALE_PAST_DUE, /* the period that runs is not paid for */
    SALE_PAUSED,
    SALE_CANCELLED, /* paid until `period_end`, and will not renew */
    SALE_EXPIRED,   /* ended at `ended` */
};

/* What happened, for a provider to tell. */
enum sale_event {
    SALE_EVENT_CREATED,        /* ordered and unpaid */
    SALE_EVENT_PAID,           /* the first money, or none was needed; begins a subscription */
    SALE_EVENT_PAYMENT_FAILED, /* of an unpaid one: it is voided */
    SALE_EVENT_REFUND_ASKED,   /* the last refund is pending */
    SALE_EVENT_REFUNDED,       /* the last refund is done */
    SALE_EVENT_REFUND_FAILED,  /* the refund at `part` failed or was reversed */
    SALE_EVENT_DISPUTED,       /* the dispute at `part`: an inquiry or a chargeback */
    SALE_EVENT_DISPUTE_WON,
    SALE_EVENT_DISPUTE_LOST,
    SALE_EVENT_RENEWED,   /* the last payment is the new period's */
    SALE_EVENT_PAST_DUE,  /* the last payment failed; its period runs */
    SALE_EVENT_RECOVERED, /* it was made up for */
    SALE_EVENT_TERM_PAUSED,
    SALE_EVENT_TERM_RESUMED,   /* from a pause, or from being cancelled */
    SALE_EVENT_TERM_CANCELLED, /* will end with the period */
    SALE_EVENT_TERM_EXPIRED,   /* has ended */
    SALE_EVENT_TERM_CHANGED,   /* plan or quantity: the items are new */
    SALE_EVENT_ADDRESS_CHANGED,
    SALE_EVENT_DELETED,
    SALE_EVENTS,
};

struct sale_item {
    int64_t id;
    char *product, *variant, *sku, *name; /* `variant` and `sku` may be NULL */
    int64_t quantity, cents;              /* cents: of one */
    int64_t refunded;                     /* how many were given back, by refunds that count */
    bool recurring;                       /* of the subscription; else bought once */
};

/* Money that came or should have. A purchase has one, a subscription one a period. */
struct sale_payment {
    int64_t id, cents;
    int64_t created;                  /* when it was tried first */
    int64_t paid;                     /* TIME_NONE: not yet, or never */
    int64_t period_start, period_end; /* TIME_NONE: bought once */
};

struct sale_refund {
    int64_t id, cents;
    size_t payment; /* of which, by place */
    int64_t created, updated;
    int64_t *quantities; /* of each item, by place; NULL: an amount alone */
    size_t count;        /* of `quantities` */
    bool whole;          /* gave back all that was left of the payment */
    enum sale_refund_state state;
    char *reason;
};

struct sale_dispute {
    int64_t id, cents;
    size_t payment;
    bool inquiry; /* it never became a chargeback */
    int64_t created, updated;
    enum sale_dispute_state state;
};

/* The subscription that a sale began. */
struct sale_term {
    int64_t id; /* 0: there is none */
    enum sale_term_state state;
    int64_t period_start, period_end; /* that runs, paid or not; a pause or an end keeps them */
    int64_t trial_end;                /* TIME_NONE: no trial */
    int64_t days;                     /* of a period */
    bool cancel_at_period_end;
    int64_t cancelled, paused, ended; /* when; TIME_NONE: not */
    int64_t unpaid_since;             /* past due since; TIME_NONE: not */
};

struct sale {
    int64_t number;
    int64_t created, updated; /* `updated` grows with every change */
    char *email;              /* "" where the shop tells none */
    char *name;
    char *reference; /* the buyer reference, or NULL */
    char *link;      /* of a Payment Link, or NULL: checkout */
    bool live;       /* else of the provider's test mode; as the source's `live` */
    bool gift;
    enum sale_state state;
    struct sale_item *items;
    size_t item_count;
    struct sale_payment *payments; /* oldest first; empty: unpaid, or nothing had to be paid */
    size_t payment_count;
    struct sale_refund *refunds; /* oldest first */
    size_t refund_count;
    struct sale_dispute *disputes; /* oldest first */
    size_t dispute_count;
    struct sale_term term;
    int64_t parts; /* ids given out */
    /* What the shop's lists have of it (stand.h). */
    size_t listed_payments, listed_refunds, listed_disputes;
};

/*
 * Reads what the knobs are given: email, name, reference, link, gift, unpaid, free, items
 * [{product, variant, sku, name, quantity, price "49.00", recurring}], subscription {days,
 * trial_days}, at (RFC 3339: as if it were then). Unless it says `unpaid`, it is paid. NULL with a
 * sentence in *error.
 */
struct sale *sale_read(struct json_object *input, int64_t number, bool live, int64_t now,
                       const char **error);
void sale_free(struct sale *sale);
struct sale *sale_copy(const struct sale *sale);

int64_t sale_total(const struct sale *sale);                      /* cents of all items */
int64_t sale_item_cents(const struct sale *sale, bool recurring); /* of those alone */
int64_t sale_paid(const struct sale *sale, size_t payment);       /* cents that came */
int64_t sale_given_back(const struct sale *sale, size_t payment); /* cents, by refunds that count */
int64_t sale_refunded(const struct sale *sale);                   /* of all payments */
bool sale_has_term(const struct sale *sale);
const struct sale_payment *sale_last_payment(const struct sale *sale); /* or NULL */

/* What can happen to a sale. False (or -1) with a sentence in *error: it cannot now. `now` becomes
 * `updated`. */
bool sale_pay(struct sale *sale, int64_t now, const char **error);
bool sale_void(struct sale *sale, int64_t now, const char **error);
/* {"all": true}, {"amount": "5.00"}, {"items": [{"item": ID or place, "quantity"}]}; payment
 * (place; the last), pending, reason. The refund's place, or -1. */
long sale_give_back(struct sale *sale, struct json_object *input, int64_t now, const char **error);
/* A pending refund is done now. */
bool sale_refund_approve(struct sale *sale, size_t refund, int64_t now, const char **error);
/* A done one is reversed, a pending one fails. */
bool sale_refund_fail(struct sale *sale, size_t refund, int64_t now, const char **error);
/* {"inquiry": true, "payment": place}. The dispute's place, or -1. */
long sale_dispute_open(struct sale *sale, struct json_object *input, int64_t now,
                       const char **error);
bool sale_dispute_close(struct sale *sale, size_t dispute, bool won, int64_t now,
                        const char **error);
/* An inquiry becomes a chargeback. */
bool sale_dispute_escalate(struct sale *sale, size_t dispute, int64_t now, const char **error);
/* The next period, paid for; or the one that runs, if it was past due. */
bool sale_renew(struct sale *sale, int64_t now, const char **error);
bool sale_fall_due(struct sale *sale, int64_t now, const char **error); /* the payment failed */
bool sale_pause(struct sale *sale, int64_t now, const char **error);
bool sale_resume(struct sale *sale, int64_t now, const char **error);
bool sale_cancel(struct sale *sale, int64_t now, const char **error); /* at the period's end */
bool sale_expire(struct sale *sale, int64_t now, const char **error); /* now */
/* {"items": [...]} replaces the recurring items, {"quantity": N} the quantity of the first. */
bool sale_change(struct sale *sale, struct json_object *input, int64_t now, const char **error);
void sale_set_email(struct sale *sale, const char *email, int64_t now);
void sale_delete(struct sale *sale, int64_t now);

/* For people and tests: every id that is needed to turn a knob. */
struct json_object *sale_summary(const char *source, const struct sale *sale);

#endif
