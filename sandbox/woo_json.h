/*
 * Orders, refunds and webhooks as WooCommerce's REST API v3 writes them, field for field and in its
 * order. Webhooks carry the same order.
 */
#ifndef SANDBOX_WOO_JSON_H
#define SANDBOX_WOO_JSON_H

#include "tree.h"
#include "woo_shop.h"

struct woo_refund;

struct json_object *woo_order_tree(const struct woo_shop *shop, const struct woo_order *order);
/* `parent`: the list over all orders names the order. */
struct json_object *woo_refund_tree(const struct woo_shop *shop, const struct woo_order *order,
                                    const struct woo_refund *refund, bool parent);
struct json_object *woo_webhook_tree(const struct sandbox *sandbox, const struct woo_shop *shop,
                                     const struct woo_webhook *webhook);
/* What the page shows of an order. */
struct json_object *woo_order_summary(const struct woo_shop *shop, const struct woo_order *order);
struct json_object *woo_product_tree(const struct woo_product *product);

#endif
