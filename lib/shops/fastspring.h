/*
 * FastSpring in five files, private to this room: fastspring.c opens deliveries, fastspring_order.c
 * reads orders, returns and chargebacks, fastspring_subscription.c reads subscriptions and their
 * charges, fastspring_api.c asks and reads answers, and fastspring_list.c walks the log of events
 * and the lists. An object has one shape in all.
 *
 * An order may begin several subscriptions, and sell other things beside them. Each subscription is
 * an order of its own here, as is the rest under the order's id; only where all of it is one
 * subscription is the order's id another name for that.
 *
 * Where "webhook expansion" is on, an object stands in the place of its id: an account, an order, a
 * subscription, a product (whose id is its path).
 *
 * Names are those of developer.fastspring.com/reference (ordercompleted, subscriptionupdated,
 * subscriptionchargecompleted, returncreated, order-chargeback).
 */
#ifndef SHOPS_FASTSPRING_H
#define SHOPS_FASTSPRING_H

#include <json-c/json.h>

#include "shops/answer.h"
#include "shops/shop.h"

/* Where an object comes from. */
struct fastspring_origin {
    int64_t received_at; /* or the answer's Date */
    int64_t event_at;    /* for an object without a time of its own */
    bool from_api;
};

/* An order as it stands; all that it sold, told under whatever orders that makes. */
void fastspring_read_order(const struct json_object *data, enum order_status status,
                           const struct fastspring_origin *origin, struct facts *facts);
void fastspring_read_return(const struct json_object *data, const struct fastspring_origin *origin,
                            struct facts *facts);
void fastspring_read_chargeback(const struct json_object *data,
                                const struct fastspring_origin *origin, struct facts *facts);
/* A subscription as it stands, or as much of it as its id. */
void fastspring_read_subscription(const struct json_object *data,
                                  const struct fastspring_origin *origin, struct facts *facts);
void fastspring_read_charge(const struct json_object *data, const struct fastspring_origin *origin,
                            struct facts *facts);
void fastspring_read_failed_charge(const struct json_object *data,
                                   const struct fastspring_origin *origin, struct facts *facts);

/* The id of an object: `key` or `id` of the object itself, or the text that stands for it. */
int fastspring_take_id(struct facts *facts, const struct json_object *holder, const char *key,
                       char **id) __attribute__((warn_unused_result));
/* The id of what `key` links to, an object or a text; *id NULL if there is none. */
int fastspring_take_link(struct facts *facts, const struct json_object *holder, const char *key,
                         char **id) __attribute__((warn_unused_result));
/* Milliseconds since 1970, not beyond receipt; `absent` if it is not told. */
int fastspring_take_time(struct facts *facts, const struct json_object *holder, const char *key,
                         int64_t absent, int64_t *time) __attribute__((warn_unused_result));
/* An amount in the currency's unit, told as a number with a fraction; -1 if it is not told. */
int64_t fastspring_amount(const struct json_object *holder, const char *key);
/* Adds the line of an item or a subscription; a product that stands twice gets two lines. */
int fastspring_add_line(struct facts *facts, struct fact_snapshot *snapshot,
                        const struct json_object *item) __attribute__((warn_unused_result));
/* A snapshot of this time, as the origin says. */
struct fact_snapshot *fastspring_add_snapshot(struct fact_order *order, int64_t time,
                                              const struct fastspring_origin *origin);
/* Adds a subscription's state to its order, if the object tells one. */
int fastspring_add_term(struct facts *facts, struct fact_order *order,
                        const struct json_object *data, const struct fastspring_origin *origin)
    __attribute__((warn_unused_result));

/* Where an object of a need lies in the API, for what its id does not show. */
#define FASTSPRING_ORDERS "orders/"
#define FASTSPRING_SUBSCRIPTIONS "subscriptions/"
#define FASTSPRING_ACCOUNTS "accounts/"
#define FASTSPRING_RETURNS "returns/"
void fastspring_add_need(struct fact_order *order, enum fact_need_kind kind, const char *place,
                         const char *id, bool essential);

bool fastspring_can_ask(const struct settings_source *source);
int fastspring_fetch(const struct settings_source *source, const char *order_id,
                     const struct fact_need *need, struct shop_fetch *out);
enum shop_answer_verdict fastspring_read_answer(const struct settings_source *source,
                                                const struct shop_fetch *fetch,
                                                const struct shop_answer *answer, struct facts *out,
                                                struct buf *detail);

/* How many events of a delivery were what. */
struct fastspring_tally {
    size_t read, other_mode;
};
void fastspring_read_event(const struct settings_source *source, const struct json_object *event,
                           int64_t received_at, struct facts *facts,
                           struct fastspring_tally *tally);

/* An object of an answer; it has to be whole. */
void fastspring_read_order_answer(const struct json_object *order,
                                  const struct fastspring_origin *origin, struct facts *facts);
void fastspring_read_subscription_answer(const struct json_object *subscription,
                                         const struct fastspring_origin *origin,
                                         struct facts *facts);
extern const struct answer_advice fastspring_advice;

/* Of the four of listing those that the API has. */
int fastspring_list(const struct settings_source *source, const struct shop_walk *walk,
                    const char *cursor, struct shop_fetch *out);
enum shop_answer_verdict fastspring_read_listing(const struct settings_source *source,
                                                 const struct shop_walk *walk, const char *cursor,
                                                 const struct shop_answer *answer,
                                                 struct shop_listing *out, struct buf *detail);

/* Whether an object is of the mode that the source takes; one that does not tell is. */
bool fastspring_is_mode(const struct settings_source *source, const struct json_object *holder);

#endif
