/*
 * WooCommerce in two files, private to this room: woocommerce.c verifies and reads deliveries,
 * woocommerce_api.c asks REST v3 and reads its answers. An order has one shape in both.
 */
#ifndef SHOPS_WOOCOMMERCE_H
#define SHOPS_WOOCOMMERCE_H

#include <json-c/json.h>

#include "shops/shop.h"

/* Where a snapshot comes from: what its time is held against, and whether it is a read. */
struct woocommerce_origin {
    int64_t received_at; /* by our clock */
    bool from_api;
    int64_t read_at; /* with from_api: the answer's Date, never beyond its receipt; else 0 */
};

/* Whether the object is an order at all; if not, *why is a sentence. */
bool woocommerce_is_order(const struct json_object *root, const char **why);
/* Adds an order and its snapshot; a fault sets `facts` aside as malformed. */
void woocommerce_read_order(const struct json_object *root, struct woocommerce_origin origin,
                            struct facts *facts);

bool woocommerce_can_ask(const struct settings_source *source);
int woocommerce_fetch(const struct settings_source *source, const char *order_id,
                      const struct fact_need *need, struct shop_fetch *out);
enum shop_answer_verdict woocommerce_read_answer(const struct settings_source *source,
                                                 const struct shop_fetch *fetch,
                                                 const struct shop_answer *answer,
                                                 struct facts *out, struct buf *detail);

#endif
