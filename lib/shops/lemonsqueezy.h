/*
 * Lemon Squeezy in five files, private to this room: lemonsqueezy.c verifies and opens deliveries,
 * lemonsqueezy_order.c reads orders and their items, lemonsqueezy_subscription.c subscriptions and
 * their invoices, lemonsqueezy_api.c asks and reads answers, lemonsqueezy_list.c walks the lists.
 * All objects are JSON:API's {"type", "id", "attributes"}, in deliveries and in answers.
 *
 * Lemon Squeezy counts orders, subscriptions and invoices each from 1, so a bare number is not
 * enough to name one of them. Here they are
 *
 *     12        order 12, which is a purchase made once
 *     sub_3     subscription 3; the order that began it is an alias of it
 *     inv_7     invoice 7, by which a subscription was paid: an alias of the subscription
 *
 * What was given back is told as a sum that grows: a refund with one id for each payment. The first
 * payment of a subscription is both an order and an invoice, so both tell it under one id.
 *
 * `live`: test mode is a switch of the store, and every object says whether it was made in it
 * (`test_mode`). Events of the other mode are set aside; an object that does not say is taken.
 */
#ifndef SHOPS_LEMONSQUEEZY_H
#define SHOPS_LEMONSQUEEZY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "shops/shop.h"

/* Where an object comes from. */
struct lemonsqueezy_evidence {
    const struct json_object *meta; /* of the delivery, or NULL: an answer */
    int64_t received_at;            /* or the answer's Date */
};

/* The refund that the order itself tells of, and so does the invoice that it was paid by. */
#define LEMONSQUEEZY_FIRST_REFUND "first-payment"

/* An object; a fault, or one of the other mode, sets `facts` aside. `included`: what an answer
 * brought along, or NULL. */
void lemonsqueezy_read_order(const struct settings_source *source, const struct json_object *order,
                             struct json_object *included,
                             const struct lemonsqueezy_evidence *evidence, struct facts *facts);
void lemonsqueezy_read_subscription(const struct settings_source *source,
                                    const struct json_object *subscription,
                                    const struct lemonsqueezy_evidence *evidence,
                                    struct facts *facts);
void lemonsqueezy_read_invoice(const struct settings_source *source,
                               const struct json_object *invoice,
                               const struct lemonsqueezy_evidence *evidence, struct facts *facts);

/*
 * The items of an order, in an answer that does not bring the order itself: `object` is that of the
 * need, which says what the order was like when they were asked for. -1: it does not, or none of
 * them is of this order.
 */
int lemonsqueezy_read_items(const char *order_id, const char *object, struct json_object *items,
                            int64_t date, struct facts *facts) __attribute__((warn_unused_result));

/* Sets `facts` aside if the object is of the other mode. */
bool lemonsqueezy_is_wrong_mode(const struct settings_source *source,
                                const struct json_object *object,
                                const struct lemonsqueezy_evidence *evidence, struct facts *facts);
/* A number as an id, with what stands before it here ("sub_"). */
int lemonsqueezy_take_id(struct facts *facts, const struct json_object *holder, const char *key,
                         const char *prefix, char **id) __attribute__((warn_unused_result));
/* When the object was last changed, which each of them says. */
int lemonsqueezy_take_time(struct facts *facts, const struct json_object *attributes, int64_t *time)
    __attribute__((warn_unused_result));
/* A snapshot of the evidence's kind, with the buyer that the object names. */
struct fact_snapshot *lemonsqueezy_add_snapshot(struct fact_order *order,
                                                const struct json_object *attributes, int64_t time,
                                                const struct lemonsqueezy_evidence *evidence);
/* Adds what was given back of a payment, if anything was. */
int lemonsqueezy_add_refund(struct facts *facts, struct fact_order *order,
                            const struct json_object *attributes, const char *id, int64_t time)
    __attribute__((warn_unused_result));
/* Adds a line of which product and variant are told by `holder`; takes over `id`, which may be NULL
 * for an item without one. */
int lemonsqueezy_add_line(struct facts *facts, struct fact_snapshot *snapshot, char *id,
                          const struct json_object *holder, const struct json_object *quantities)
    __attribute__((warn_unused_result));

int lemonsqueezy_fetch(const struct settings_source *source, const char *order_id,
                       const struct fact_need *need, struct shop_fetch *out);
enum shop_answer_verdict lemonsqueezy_read_answer(const struct settings_source *source,
                                                  const struct shop_fetch *call,
                                                  const struct shop_answer *answer,
                                                  struct facts *facts, struct buf *detail);

/* The four of listing. */
int lemonsqueezy_list(const struct settings_source *source, const struct shop_walk *walk,
                      const char *cursor, struct shop_fetch *out);
enum shop_answer_verdict lemonsqueezy_read_listing(const struct settings_source *source,
                                                   const struct shop_walk *walk, const char *cursor,
                                                   const struct shop_answer *answer,
                                                   struct shop_listing *out, struct buf *detail);
int lemonsqueezy_webhook(const struct settings_source *source, struct shop_fetch *out);
enum shop_answer_verdict lemonsqueezy_read_webhook(const struct settings_source *source,
                                                   const char *address,
                                                   const struct shop_answer *answer,
                                                   enum shop_webhook *out, struct buf *detail);

#endif
