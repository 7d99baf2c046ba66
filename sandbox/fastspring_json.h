/*
 * A sale as FastSpring writes it. Its ids: "O" and the sale's number for the order, "O" and a
 * payment's id for the order that a renewal makes, "U" and the id of the subscription, "A" and the
 * sale's number for the account. Times are milliseconds, amounts numbers with a fraction.
 *
 * Where webhook expansion is on, objects stand in the places of their ids.
 */
#ifndef SANDBOX_FASTSPRING_JSON_H
#define SANDBOX_FASTSPRING_JSON_H

#include "stand.h"

char *fastspring_id(char letter, int64_t number);
/* The number in one of these, or -1. */
int64_t fastspring_number(const char *id, char letter);
void fastspring_put_time(struct json_object *tree, const char *key, int64_t time);

/* The order of a payment, by place; 0 is the one that began it all, paid or not. */
struct json_object *fastspring_order_tree(const struct sale *sale, size_t payment, bool expanded);
struct json_object *fastspring_subscription_tree(const struct sale *sale, bool expanded);
struct json_object *fastspring_account_tree(const struct sale *sale);
/* What the events of a payment of a subscription carry. */
struct json_object *fastspring_charge_tree(const struct sale *sale, size_t payment, bool expanded);
struct json_object *fastspring_return_tree(const struct sale *sale,
                                           const struct sale_refund *refund);
struct json_object *fastspring_chargeback_tree(const struct sale *sale,
                                               const struct sale_dispute *dispute);

#endif
