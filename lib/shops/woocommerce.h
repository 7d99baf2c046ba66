/*
 * WooCommerce in a few files, private to this room: woocommerce.c verifies and reads deliveries,
 * woocommerce_api.c asks REST v3 about an order and reads its answers, woocommerce_list.c walks
 * through all orders (woocommerce_place.h says how) and looks after the webhook. An order has one
 * shape in all of them.
 */
#ifndef SHOPS_WOOCOMMERCE_H
#define SHOPS_WOOCOMMERCE_H

#include <json-c/json.h>

#include "shops/shop.h"

/* Where a snapshot comes from: what its time is held against, and whether it is a read. */
struct woocommerce_origin {
    const struct settings_source *source; /* for what it counts as unpaid */
    int64_t received_at;                  /* by our clock */
    bool from_api;
    int64_t read_at; /* with from_api: the answer's Date, never beyond its receipt; else 0 */
};

/* Whether the object is an order at all; if not, *why is a sentence. */
bool woocommerce_is_order(const struct json_object *root, const char **why);
/* Sets which shop an order, or a refund of it, is of, as its own links tell. */
void woocommerce_set_identity(struct fact_order *order, const struct json_object *root);
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

/* woocommerce_list.c: the four of listing. */
int woocommerce_list(const struct settings_source *source, const struct shop_walk *walk,
                     const char *cursor, struct shop_fetch *out);
enum shop_answer_verdict woocommerce_read_listing(const struct settings_source *source,
                                                  const struct shop_walk *walk, const char *cursor,
                                                  const struct shop_answer *answer,
                                                  struct shop_listing *out, struct buf *detail);
int woocommerce_webhook(const struct settings_source *source, struct shop_fetch *out);
enum shop_answer_verdict woocommerce_read_webhook(const struct settings_source *source,
                                                  const char *address,
                                                  const struct shop_answer *answer,
                                                  enum shop_webhook *out, struct buf *detail);

#endif
