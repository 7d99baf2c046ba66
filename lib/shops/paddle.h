/*
 * Paddle Billing in six files, private to this room: paddle.c verifies and opens events,
 * paddle_purchase.c reads transactions and subscriptions, paddle_adjustment.c refunds and
 * chargebacks, paddle_api.c asks and reads answers, paddle_list.c walks lists, paddle_webhook.c
 * looks after the webhook. An object has one shape in all of them.
 *
 * The order is the transaction, or the subscription that it began or renewed: the transaction's id
 * is an alias then. A one-off charge that is billed through a subscription is an order of its own;
 * so is what was charged once in the checkout that began one, under the transaction's id and
 * `:once`, of which a refund is known when the transaction is read with its adjustments.
 * An adjustment knows its transaction, and is told under that id.
 *
 * Paddle keeps a sandbox apart as another account, with its own addresses, keys (pdl_sdbx_ and
 * pdl_live_) and webhook secrets; nothing in an event says which it is of. So `live` is not looked
 * at here: which secret and which api_url stand in the source decides.
 */
#ifndef SHOPS_PADDLE_H
#define SHOPS_PADDLE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/limits.h"
#include "shops/shop.h"

#define PADDLE_ONCE ":once"
#define PADDLE_INCLUDE "customer,adjustments" /* what a transaction is read with */
#define PADDLE_ADDRESS_ADVICE "check that api_url is https://api.paddle.com or that of the sandbox"
#define PADDLE_TRANSACTION_ID (LIMIT_ORDER_ID - 16) /* bytes: others ids are made of it */

/* 2000-01-01: what Paddle dates before it (the year 1) was never dated. */
#define PADDLE_FIRST_TIME (INT64_C(946684800) * TIME_SECOND)

/* Where an object comes from. */
struct paddle_evidence {
    const char *event;   /* the event's type, or NULL: an answer */
    int64_t time;        /* when the event occurred, or the answer's Date */
    int64_t received_at; /* or the answer's Date */
};

/* The object that an event or an answer carries; a fault sets `facts` aside. */
void paddle_read_transaction(const struct json_object *data, const struct paddle_evidence *evidence,
                             struct facts *facts);
void paddle_read_subscription(const struct json_object *data,
                              const struct paddle_evidence *evidence, struct facts *facts);
void paddle_read_adjustment(const struct json_object *data, const struct paddle_evidence *evidence,
                            struct facts *facts);

/* Adds the adjustments that a transaction was read with: its refunds to the snapshot's list, its
 * chargebacks to the order. `by_price`: the snapshot's lines have their prices' ids. */
int paddle_add_adjustments(struct facts *facts, struct fact_order *order,
                           const struct json_object *data, const struct paddle_evidence *evidence,
                           bool by_price) __attribute__((warn_unused_result));

/* When an object was last changed; the evidence's time where it does not say (year 1 says nothing),
 * and never beyond receipt. */
int paddle_take_time(struct facts *facts, const struct json_object *data,
                     const struct paddle_evidence *evidence, int64_t *time)
    __attribute__((warn_unused_result));

int paddle_fetch(const struct settings_source *source, const char *order_id,
                 const struct fact_need *need, struct shop_fetch *out);
enum shop_answer_verdict paddle_read_answer(const struct settings_source *source,
                                            const struct shop_fetch *call,
                                            const struct shop_answer *answer, struct facts *facts,
                                            struct buf *detail);

/* A call of a list, with `target` taken over; -1: the key is no header text. */
int paddle_call(const struct settings_source *source, char *target, struct shop_fetch *out)
    __attribute__((warn_unused_result));
/* The elements of an answer that is a list, with the answer in *root, the caller's to put; NULL:
 * *verdict and `detail` say why not. `may_read`: what the key must be allowed to read. */
struct json_object *paddle_open_list(const struct shop_answer *answer, const char *may_read,
                                     struct json_object **root, enum shop_answer_verdict *verdict,
                                     struct buf *detail) __attribute__((warn_unused_result));
int paddle_list_page(const struct settings_source *source, const struct shop_walk *walk,
                     const char *cursor, struct shop_fetch *out);
enum shop_answer_verdict paddle_read_page(const struct settings_source *source,
                                          const struct shop_walk *walk, const char *cursor,
                                          const struct shop_answer *answer,
                                          struct shop_listing *out, struct buf *detail);
int paddle_webhook(const struct settings_source *source, struct shop_fetch *out);
enum shop_answer_verdict paddle_read_webhook(const struct settings_source *source,
                                             const char *address, const struct shop_answer *answer,
                                             enum shop_webhook *out, struct buf *detail);

#endif
