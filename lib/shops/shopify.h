/*
 * Shopify in a few files, private to this room: shopify.c verifies and reads deliveries,
 * shopify_api.c asks for one order, shopify_list.c walks through all of them, shopify_webhook.c
 * looks after the webhook; shopify_graphql.c is GraphQL for both, and shopify_graph.c puts an order
 * that it tells into the shape of a delivery. There is one reader of orders, so that a delivery and
 * a list say the same.
 */
#ifndef SHOPS_SHOPIFY_H
#define SHOPS_SHOPIFY_H

#include <json-c/json.h>

#include "shops/shop.h"

#define SHOPIFY_API "/admin/api/2026-07/"

/* Adds an order in the shape of REST and its snapshot; a fault sets `facts` aside. */
void shopify_read_order(const struct settings_source *source, const struct json_object *root,
                        int64_t received_at, struct facts *facts);
/* What a chargeback's status, in small letters, means. -1: none that this version knows. */
int shopify_chargeback_state(const char *status, enum dispute_state *out);

/* "X-Shopify-Access-Token: KEY", the caller's to wipe, or NULL. */
char *shopify_token(const struct settings_source *source);
/* The parts of a call that all have: the token, and that JSON is wanted. -1: there is no token. */
int shopify_call(const struct settings_source *source, struct shop_fetch *out);
bool shopify_can_ask(const struct settings_source *source);
int shopify_fetch(const struct settings_source *source, const char *order_id,
                  const struct fact_need *need, struct shop_fetch *out);
enum shop_answer_verdict shopify_read_answer(const struct settings_source *source,
                                             const struct shop_fetch *fetch,
                                             const struct shop_answer *answer, struct facts *out,
                                             struct buf *detail);
/* An answer's JSON, as answer_open() gives it, with what a person may have to do about it. */
struct json_object *shopify_open(const struct shop_answer *answer,
                                 enum shop_answer_verdict *verdict, struct buf *detail);

/* A call of GraphQL; takes `body`. */
int shopify_post(const struct settings_source *source, struct buf *body, struct shop_fetch *out);
struct json_object *shopify_open_graph(const struct shop_answer *answer,
                                       enum shop_answer_verdict *verdict, struct buf *detail);
/* What the errors in an answer mean. SHOP_ANSWER_READ: there are none, or its data count all the
 * same. `*dear`: the query costs more than a single one may. */
enum shop_answer_verdict shopify_read_errors(const struct json_object *root, bool *dear,
                                             struct buf *detail);

/* What the list asks of each order. */
extern const char shopify_graph_order[];
/* The order in the shape of REST, the caller's to put. `*cut`: it has more lines or refunds than
 * the list has room for. */
struct json_object *shopify_graph_rest(const struct json_object *node, bool *cut);
/* Adds the chargebacks that the list tells. They have no time there: the order's counts. */
void shopify_graph_disputes(const struct json_object *node, struct fact_order *order);

int shopify_list(const struct settings_source *source, const struct shop_walk *walk,
                 const char *cursor, struct shop_fetch *out);
enum shop_answer_verdict shopify_read_listing(const struct settings_source *source,
                                              const struct shop_walk *walk, const char *cursor,
                                              const struct shop_answer *answer,
                                              struct shop_listing *out, struct buf *detail);
int shopify_webhook(const struct settings_source *source, struct shop_fetch *out);
enum shop_answer_verdict shopify_read_webhook(const struct settings_source *source,
                                              const char *address, const struct shop_answer *answer,
                                              enum shop_webhook *out, struct buf *detail);

#endif
