/*
 * A sale as Lemon Squeezy writes it, in JSON:API's {type, id, attributes}: an order with its items,
 * and where it began one a subscription with its invoices. An order has the sale's number as its
 * id, the others those of the sale's parts. Times are whole seconds.
 *
 * Money goes back by amount alone. Lemon Squeezy settles disputes with the bank by itself and tells
 * the seller of none, so they stand nowhere.
 */
#ifndef SANDBOX_LEMONSQUEEZY_JSON_H
#define SANDBOX_LEMONSQUEEZY_JSON_H

#include "stand.h"

struct json_object *lemonsqueezy_order_tree(const struct sale *sale);
struct json_object *lemonsqueezy_item_tree(const struct sale *sale, const struct sale_item *item);
/* Only of a sale that has one. */
struct json_object *lemonsqueezy_subscription_tree(const struct sale *sale);
struct json_object *lemonsqueezy_invoice_tree(const struct sale *sale,
                                              const struct sale_payment *payment);

#endif
