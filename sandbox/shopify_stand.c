#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "route.h"
#include "shopify_json.h"

/*
 * The stand-in Shopify: its webhooks, the REST API as far as it is still asked for one order, and
 * GraphQL (shopify_graphql.c) for lists.
 */

#define API_VERSION "2026-07"

/* Headers that tell of a delivery and are not signed. */
static void put_headers(const struct stand_shop *shop, const char *topic, int64_t number,
                        struct buf *out)
{
    char now[TIME_TEXT];
    clock_format(clock_now(), now);
    buf_printf(out,
               "X-Shopify-Topic: %s\r\nX-Shopify-Shop-Domain: %s.myshopify.com\r\n"
               "X-Shopify-API-Version: " API_VERSION "\r\n"
               "X-Shopify-Webhook-Id: 00000000-0000-4000-8000-%012lld\r\n"
               "X-Shopify-Event-Id: 10000000-0000-4000-8000-%012lld\r\n"
               "X-Shopify-Triggered-At: %s\r\n",
               topic, shop->source, (long long)number, (long long)number, now);
}

/* One webhook; takes the tree. */
static void send(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 const char *topic, struct json_object *body)
{
    struct buf headers = {0};
    put_headers(shop, topic, stand_next_event(shop), &headers);
    stand_send_tree(sandbox, shop, sale, topic, NULL, headers.data, body);
    buf_free(&headers);
}

/* The order as it stands, under one or several topics: the bodies are the same to the byte. */
static void send_order(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                       const char *const *topics)
{
    for (; *topics != NULL; topics++)
        send(sandbox, shop, sale, *topics, shopify_order_tree(shop, sale));
}

/* A dispute that was just opened is created, all that follows is an update. */
static void send_dispute(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                         size_t part)
{
    const struct sale_dispute *dispute = &sale->disputes[part];
    send(sandbox, shop, sale,
         dispute->created == dispute->updated ? "disputes/create" : "disputes/update",
         shopify_dispute_tree(sale, dispute));
}

static void tell(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    static const char *const created[] = {"orders/create", NULL};
    static const char *const bought[] = {"orders/create", "orders/paid", "orders/updated", NULL};
    static const char *const paid[] = {"orders/paid", "orders/updated", NULL};
    static const char *const updated[] = {"orders/updated", NULL};
    static const char *const cancelled[] = {"orders/cancelled", "orders/updated", NULL};
    struct json_object *gone;
    switch (event) {
    case SALE_EVENT_CREATED:
        send_order(sandbox, shop, sale, created);
        break;
    case SALE_EVENT_PAID:
        send_order(sandbox, shop, sale, sale->updated == sale->created ? bought : paid);
        break;
    case SALE_EVENT_PAYMENT_FAILED:
        send_order(sandbox, shop, sale, cancelled);
        break;
    case SALE_EVENT_REFUNDED:
        send(sandbox, shop, sale, "refunds/create",
             shopify_refund_tree(sale, &sale->refunds[part]));
        send_order(sandbox, shop, sale, updated);
        break;
    case SALE_EVENT_DISPUTED:
    case SALE_EVENT_DISPUTE_WON:
    case SALE_EVENT_DISPUTE_LOST:
        send_dispute(sandbox, shop, sale, part);
        break;
    case SALE_EVENT_REFUND_FAILED:
    case SALE_EVENT_TERM_CHANGED:
    case SALE_EVENT_ADDRESS_CHANGED:
        send_order(sandbox, shop, sale, updated);
        break;
    case SALE_EVENT_DELETED:
        gone = tree_object();
        tree_number(gone, "id", shopify_order_id(sale));
        send(sandbox, shop, sale, "orders/delete", gone);
        break;
    default: /* Shopify knows no subscriptions, and nothing before it happens */
        break;
    }
}

static void fail(struct visit *visit, int status, const char *headers, const char *message)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "errors", message);
    stand_reply(visit, status, headers, tree);
}

static bool authenticate(struct visit *visit)
{
    if (stand_has_header(visit, "X-Shopify-Access-Token"))
        return true;
    fail(visit, 401, NULL,
         "[API] Invalid API key or access token (unrecognized login or wrong password)");
    return false;
}

/* The order that the path names as the API tells it, or NULL after answering. */
static const struct sale *order_of(struct visit *visit)
{
    const char *text = visit->captures[1];
    size_t len = strcspn(text, ".");
    int64_t id;
    const struct sale *sale =
        text_to_int(text, len, &id) == 0 ? shopify_find(visit->stand, id) : NULL;
    if (sale != NULL)
        sale = stand_told(visit->sandbox, visit->stand, sale);
    if (sale == NULL)
        fail(visit, 404, NULL, "Not Found");
    return sale;
}

/* GET /admin/api/VERSION/orders/ID.json. */
static void get_order(struct visit *visit)
{
    const struct sale *sale = order_of(visit);
    if (sale == NULL)
        return;
    struct json_object *tree = tree_object();
    tree_put(tree, "order", shopify_order_tree(visit->stand, sale));
    stand_reply(visit, 200, "X-Shopify-Shop-Api-Call-Limit: 1/40\r\n", tree);
}

/* GET /admin/api/VERSION/orders/ID/refunds.json. */
static void get_refunds(struct visit *visit)
{
    const struct sale *sale = order_of(visit);
    if (sale == NULL)
        return;
    struct json_object *tree = tree_object();
    tree_put(tree, "refunds", shopify_refunds_tree(sale));
    stand_reply(visit, 200, "X-Shopify-Shop-Api-Call-Limit: 1/40\r\n", tree);
}

static const struct route routes[] = {
    {"POST", "/admin/api/*/graphql.json", ROUTE_OPEN, shopify_graphql},
    {"GET", "/admin/api/*/orders/*/refunds.json", ROUTE_OPEN, get_refunds},
    {"GET", "/admin/api/*/orders/*", ROUTE_OPEN, get_order},
    {NULL, NULL, ROUTE_OPEN, NULL},
};

const struct stand stand_shopify = {
    .provider = PROVIDER_SHOPIFY,
    .routes = routes,
    .authenticate = authenticate,
    .fail = fail,
    .tell = tell,
};
