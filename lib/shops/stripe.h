/*
 * Stripe in seven files, private to this room: stripe.c verifies and opens events, stripe_api.c
 * asks and reads answers, stripe_list.c walks lists, stripe_webhook.c looks after the webhook, and
 * between them the objects, which have one shape in all: stripe_purchase.c reads checkout sessions
 * and subscriptions, stripe_payment.c invoices, charges, refunds and disputes, stripe_json.c the
 * members that they have in common.
 *
 * The order is the checkout session, or the subscription that it began. Whatever pays for it (an
 * invoice, a payment intent, a charge) is an alias of it: refunds and disputes know no more than
 * that, and are told under the payment's id.
 *
 * Both shapes of the API are read by what stands in them, before and after 2025-03-31.basil: the
 * period on the subscription or on its items, `subscription` of an invoice or its `parent`,
 * `charge` and `payment_intent` of an invoice or its `payments`.
 */
#ifndef SHOPS_STRIPE_H
#define SHOPS_STRIPE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "shops/shop.h"

/* The identity of events that name no account. */
#define STRIPE_OWN_ACCOUNT "own"

/* Where an object comes from. */
struct stripe_evidence {
    const char *event;   /* the event's type, or NULL: an answer */
    int64_t time;        /* the event's own, or the answer's Date */
    int64_t received_at; /* or the answer's Date */
};

/*
 * A list of lines, or a customer, says nothing about what became of the order, and has no time of
 * its own: it is a snapshot from before all others, so that it decides what it tells and no more.
 */
#define STRIPE_BEFORE_ALL INT64_C(0)

/* An object of the API inside `data.object`, an answer, or a list; a fault sets `facts` aside. */
void stripe_read_session(const struct json_object *session, const struct stripe_evidence *evidence,
                         struct facts *facts);
void stripe_read_subscription(const struct json_object *subscription,
                              const struct stripe_evidence *evidence, struct facts *facts);
void stripe_read_invoice(const struct json_object *invoice, const struct stripe_evidence *evidence,
                         struct facts *facts);
void stripe_read_invoice_payment(const struct json_object *payment,
                                 const struct stripe_evidence *evidence, struct facts *facts);
void stripe_read_charge(const struct json_object *charge, const struct stripe_evidence *evidence,
                        struct facts *facts);
void stripe_read_refund(const struct json_object *refund, const struct stripe_evidence *evidence,
                        struct facts *facts);
void stripe_read_dispute(const struct json_object *dispute, const struct stripe_evidence *evidence,
                         struct facts *facts);

/* The same into an order that is known already. */
int stripe_add_refund(struct facts *facts, struct fact_order *order,
                      const struct json_object *refund, const struct stripe_evidence *evidence)
    __attribute__((warn_unused_result));
int stripe_add_dispute(struct facts *facts, struct fact_order *order,
                       const struct json_object *dispute, const struct stripe_evidence *evidence)
    __attribute__((warn_unused_result));
/* What a charge says of its refunds: each by its id, or that all of it went back. */
int stripe_add_charge_refunds(struct facts *facts, struct fact_order *order,
                              const struct json_object *charge,
                              const struct stripe_evidence *evidence)
    __attribute__((warn_unused_result));
/* Adds the line that a session's or a subscription's item is; both name a price. */
int stripe_add_line(struct facts *facts, struct fact_snapshot *snapshot,
                    const struct json_object *item) __attribute__((warn_unused_result));

/* The subscription that an invoice belongs to, *id NULL if none. */
int stripe_take_invoice_subscription(struct facts *facts, const struct json_object *invoice,
                                     char **id) __attribute__((warn_unused_result));
/* Adds an invoice of a subscription that is known. */
void stripe_add_invoice(struct facts *facts, const char *subscription,
                        const struct json_object *invoice, const struct stripe_evidence *evidence);

/* The id of another object: a text, or that object itself where it was expanded; *id NULL: none. */
int stripe_take_link(struct facts *facts, const struct json_object *holder, const char *key,
                     char **id) __attribute__((warn_unused_result));
/* Adds what `key` links to as an alias. */
int stripe_add_alias(struct facts *facts, struct fact_order *order,
                     const struct json_object *holder, const char *key)
    __attribute__((warn_unused_result));
/* Whole seconds since 1970; TIME_NONE if absent or null. */
int stripe_take_seconds(struct facts *facts, const struct json_object *holder, const char *key,
                        int64_t *time) __attribute__((warn_unused_result));
/* An amount in the smallest unit of the holder's `currency`; `absent` if it is not told. */
int stripe_take_amount(struct facts *facts, const struct json_object *holder, const char *key,
                       int64_t absent, int64_t *amount) __attribute__((warn_unused_result));
bool stripe_is_true(const struct json_object *holder, const char *key);
/* The elements of a list object ({"object":"list","data":[...]}), or NULL. */
struct json_object *stripe_list(const struct json_object *holder, const char *key);
bool stripe_has_more(const struct json_object *holder, const char *key);
/* A snapshot of the evidence's time, and whether it was read from the API. */
struct fact_snapshot *stripe_add_snapshot(struct fact_order *order,
                                          const struct stripe_evidence *evidence);

/* A state of the subscription, in the same way. */
struct fact_subscription *stripe_add_term(struct fact_order *order,
                                          const struct stripe_evidence *evidence);

/* Needs whose object is not the id alone. */
#define STRIPE_INVOICE_OF "invoice_of:" /* NEED_OWNER: the invoice that this payment paid */

/* The event `root`: its mode, its time, and what its object says. */
void stripe_read_event(const struct settings_source *source, const struct json_object *root,
                       int64_t received_at, struct facts *facts);

bool stripe_can_ask(const struct settings_source *source);
/* A call of the API, with `target` taken over; -1: the key is no header text. */
int stripe_call(const struct settings_source *source, char *target, struct shop_fetch *out)
    __attribute__((warn_unused_result));
/* The elements of an answer that is a list, with the answer in *root, the caller's to put; NULL:
 * *verdict and `detail` say why not. `may_read`: what the key must be allowed to read. */
struct json_object *stripe_open_list(const struct shop_answer *answer, const char *may_read,
                                     struct json_object **root, enum shop_answer_verdict *verdict,
                                     struct buf *detail) __attribute__((warn_unused_result));
int stripe_fetch(const struct settings_source *source, const char *order_id,
                 const struct fact_need *need, struct shop_fetch *out);
enum shop_answer_verdict stripe_read_answer(const struct settings_source *source,
                                            const struct shop_fetch *fetch,
                                            const struct shop_answer *answer, struct facts *out,
                                            struct buf *detail);

int stripe_list_page(const struct settings_source *source, const struct shop_walk *walk,
                     const char *cursor, struct shop_fetch *out);
enum shop_answer_verdict stripe_read_page(const struct settings_source *source,
                                          const struct shop_walk *walk, const char *cursor,
                                          const struct shop_answer *answer,
                                          struct shop_listing *out, struct buf *detail);
int stripe_webhook(const struct settings_source *source, struct shop_fetch *out);
enum shop_answer_verdict stripe_read_webhook(const struct settings_source *source,
                                             const char *address, const struct shop_answer *answer,
                                             enum shop_webhook *out, struct buf *detail);

#endif
