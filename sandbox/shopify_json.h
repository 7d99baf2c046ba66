/*
 * A sale as Shopify writes it: in webhooks and REST, and as the types of its GraphQL API. Ids are
 * past what a double can hold, as Shopify's are; times are whole seconds.
 *
 * There are no subscriptions here: Shopify leaves them to apps. A refund that is pending, failed or
 * was reversed stands nowhere.
 */
#ifndef SANDBOX_SHOPIFY_JSON_H
#define SANDBOX_SHOPIFY_JSON_H

#include "shopify_query.h"
#include "stand.h"

#define SHOPIFY_ID INT64_C(820000000000000000) /* what the id of a sale's part is added to */

int64_t shopify_order_id(const struct sale *sale);
/* The sale of an order's id, or NULL. */
struct sale *shopify_find(const struct stand_shop *shop, int64_t id);

struct json_object *shopify_order_tree(const struct stand_shop *shop, const struct sale *sale);
struct json_object *shopify_refund_tree(const struct sale *sale, const struct sale_refund *refund);
struct json_object *shopify_dispute_tree(const struct sale *sale,
                                         const struct sale_dispute *dispute);
/* Those that stand. */
struct json_object *shopify_refunds_tree(const struct sale *sale);

/* The order with all members of the type that shopify_order is. */
struct json_object *shopify_query_order(const struct stand_shop *shop, const struct sale *sale);
extern const struct query_type shopify_order;

/* POST graphql.json. */
void shopify_graphql(struct visit *visit);

#endif
