#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "news.h"
#include "route.h"
#include "woo_auth.h"
#include "woo_json.h"
#include "woo_list.h"
#include "woo_order.h"

/* The order that the path names, or NULL after answering 404. */
static struct woo_order *order_of(struct visit *visit)
{
    int64_t id;
    struct woo_order *order = NULL;
    if (text_to_int(visit->captures[0], strlen(visit->captures[0]), &id) == 0)
        order = woo_shop_find(visit->shop, id);
    if (order == NULL)
        reply_woo_error(visit, 404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.");
    return order;
}

/* GET orders/ID: an order in the trash is still there. */
static void orders_get(struct visit *visit)
{
    const struct woo_order *order = order_of(visit);
    if (order != NULL)
        reply_php(visit, 200, NULL, woo_told_tree(visit, order));
}

/* The body, or NULL after answering 400. */
static struct json_object *body_of(struct visit *visit)
{
    size_t len = 0;
    const char *body = http_body(visit->request, &len);
    struct json_object *input = tree_parse(body, len);
    if (input == NULL)
        reply_woo_error(visit, 400, "rest_invalid_json", "Invalid JSON body passed.");
    return input;
}

/* POST orders. */
static void orders_create(struct visit *visit)
{
    const char *error = NULL;
    struct json_object *input = body_of(visit);
    if (input == NULL)
        return;
    struct woo_order *order = woo_order_read(visit->shop, input, clock_now(), &error);
    bool paid = tree_get_bool(input, "set_paid", false);
    json_object_put(input);
    if (order != NULL && !woo_shop_add(visit->shop, order)) {
        woo_order_free(order);
        error = "The shop is full.";
    }
    if (error != NULL) {
        reply_woo_error(visit, 400, "woocommerce_rest_invalid_order", error);
        return;
    }
    if (paid)
        woo_order_pay(order, clock_now());
    woo_shop_event(visit->sandbox, visit->shop, order, "created");
    woo_shop_event(visit->sandbox, visit->shop, order, "updated");
    reply_php(visit, 201, NULL, woo_order_tree(visit->shop, order));
}

/* PUT orders/ID: status and billing address. */
static void orders_update(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    struct json_object *input = order == NULL ? NULL : body_of(visit);
    if (input == NULL)
        return;
    const char *status = tree_get_text(input, "status");
    struct json_object *billing = NULL;
    const char *address = json_object_object_get_ex(input, "billing", &billing)
                              ? tree_get_text(billing, "email")
                              : NULL;
    if (status != NULL && !woo_status_known(status)) {
        woo_invalid(visit, "status");
    } else {
        if (address != NULL)
            woo_order_set_address(order, address, clock_now());
        if (status != NULL)
            woo_order_set_status(order, status, clock_now());
        woo_shop_event(visit->sandbox, visit->shop, order, "updated");
        reply_php(visit, 200, NULL, woo_order_tree(visit->shop, order));
    }
    json_object_put(input);
}

/* DELETE orders/ID: to the trash, or with force=true for good. */
static void orders_delete(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    struct json_object *tree = woo_order_tree(visit->shop, order);
    bool force = woo_query_says(visit, "force", "true") || woo_query_says(visit, "force", "1");
    woo_order_trash(order, clock_now());
    woo_shop_event(visit->sandbox, visit->shop, order, "deleted");
    if (force)
        woo_shop_remove(visit->shop, order->id);
    reply_php(visit, 200, NULL, tree);
}

/* GET orders/ID/refunds, newest first. */
static void refunds_list(struct visit *visit)
{
    const struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    int64_t page, per_page;
    if (!woo_query_page(visit, &page, &per_page))
        return;
    struct json_object *list = tree_array();
    size_t count = woo_told_refunds(visit, order);
    size_t from = (size_t)((page - 1) * per_page);
    for (size_t i = from; i < count && i < from + (size_t)per_page; i++)
        tree_add(list, woo_told_refund(visit, order, count - 1 - i, false));
    struct buf headers = {0};
    woo_page_headers(visit, page, per_page, count, &headers);
    reply_php(visit, 200, headers.data, list);
    buf_free(&headers);
}

/* GET orders/ID/refunds/ID. */
static void refunds_get(struct visit *visit)
{
    const struct woo_order *order = order_of(visit);
    int64_t id = 0;
    if (order == NULL)
        return;
    if (text_to_int(visit->captures[1], strlen(visit->captures[1]), &id) != 0)
        id = 0;
    for (size_t i = 0; i < order->refund_count; i++) {
        if (order->refunds[i]->id != id)
            continue;
        reply_php(visit, 200, NULL, woo_refund_tree(visit->shop, order, order->refunds[i], false));
        return;
    }
    reply_woo_error(visit, 404, "woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.");
}

/* POST orders/ID/refunds. */
static void refunds_create(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    struct json_object *input = order == NULL ? NULL : body_of(visit);
    const char *error = NULL;
    if (input == NULL)
        return;
    const struct woo_refund *refund =
        woo_order_refund(visit->shop, order, input, clock_now(), &error);
    json_object_put(input);
    if (refund == NULL) {
        reply_woo_error(visit, 400, "woocommerce_rest_invalid_order_refund", error);
        return;
    }
    woo_shop_event(visit->sandbox, visit->shop, order, "updated");
    reply_php(visit, 201, NULL, woo_refund_tree(visit->shop, order, refund, false));
}

/* DELETE orders/ID/refunds/ID. */
static void refunds_delete(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    int64_t id = 0;
    if (order == NULL)
        return;
    if (text_to_int(visit->captures[1], strlen(visit->captures[1]), &id) != 0 ||
        !woo_order_drop_refund(order, id, clock_now())) {
        reply_woo_error(visit, 404, "woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.");
        return;
    }
    woo_shop_event(visit->sandbox, visit->shop, order, "updated");
    reply_php(visit, 200, NULL, tree_object());
}

/* GET refunds: over all orders. */
static void refunds_all(struct visit *visit)
{
    struct json_object *list = tree_array();
    for (size_t i = visit->shop->count; i > 0; i--) {
        const struct woo_order *order = visit->shop->orders[i - 1];
        for (size_t j = woo_told_refunds(visit, order);
             j > 0 && json_object_array_length(list) < PER_PAGE_MOST; j--)
            tree_add(list, woo_told_refund(visit, order, j - 1, true));
    }
    reply_php(visit, 200, NULL, list);
}

/* GET webhooks. */
static void webhooks_list(struct visit *visit)
{
    struct json_object *list = tree_array();
    size_t shown = visit->sandbox->faults.api_mode == API_EMPTY ? 0 : WOO_WEBHOOKS;
    for (size_t i = 0; i < shown; i++)
        tree_add(list, woo_webhook_tree(visit->sandbox, visit->shop, &visit->shop->webhooks[i]));
    struct buf headers = {0};
    woo_page_headers(visit, 1, PER_PAGE, shown, &headers);
    reply_php(visit, 200, headers.data, list);
    buf_free(&headers);
}

/* The webhook that the path names, or NULL after answering 404. */
static struct woo_webhook *webhook_of(struct visit *visit)
{
    int64_t id;
    struct woo_webhook *webhook = NULL;
    if (text_to_int(visit->captures[0], strlen(visit->captures[0]), &id) == 0)
        webhook = woo_webhook_find(visit->shop, id);
    if (webhook == NULL)
        reply_woo_error(visit, 404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.");
    return webhook;
}

/* GET webhooks/ID. */
static void webhooks_get(struct visit *visit)
{
    const struct woo_webhook *webhook = webhook_of(visit);
    if (webhook != NULL)
        reply_php(visit, 200, NULL, woo_webhook_tree(visit->sandbox, visit->shop, webhook));
}

/* PUT webhooks/ID: saving an active one pings. */
static void webhooks_update(struct visit *visit)
{
    static const char *const statuses[] = {"active", "paused", "disabled"};
    struct woo_webhook *webhook = webhook_of(visit);
    struct json_object *input = webhook == NULL ? NULL : body_of(visit);
    if (input == NULL)
        return;
    const char *wanted = tree_get_text(input, "status");
    const char *status = wanted == NULL ? webhook->status : NULL;
    for (size_t i = 0; wanted != NULL && i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strcmp(statuses[i], wanted) == 0)
            status = statuses[i];
    json_object_put(input);
    if (status == NULL) {
        woo_invalid(visit, "status");
        return;
    }
    woo_webhook_save(visit->sandbox, visit->shop, webhook, status);
    reply_php(visit, 200, NULL, woo_webhook_tree(visit->sandbox, visit->shop, webhook));
}

/* GET /wp-json/: what is here; asked without a key. */
static void index_get(struct visit *visit)
{
    struct json_object *tree = tree_object();
    struct json_object *spaces = tree_array();
    tree_text(tree, "name", "Sandbox shop");
    tree_text(tree, "description", "A stand-in WooCommerce shop");
    tree_text(tree, "url", visit->shop->home);
    tree_text(tree, "home", visit->shop->home);
    tree_number(tree, "gmt_offset", WOO_UTC_OFFSET_S / 3600);
    tree_add(spaces, json_object_new_string("wc/v3"));
    tree_put(tree, "namespaces", spaces);
    reply_php(visit, 200, NULL, tree);
}

const struct route woo_routes[] = {
    {"GET", "/wp-json/", ROUTE_OPEN, index_get},
    {"GET", "/wp-json", ROUTE_OPEN, index_get},
    {"GET", "/wp-json/wc/v3/orders", ROUTE_SHOP, woo_orders_list},
    {"POST", "/wp-json/wc/v3/orders", ROUTE_SHOP, orders_create},
    {"GET", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_get},
    {"PUT", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_update},
    {"POST", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_update},
    {"DELETE", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_delete},
    {"GET", "/wp-json/wc/v3/orders/*/refunds", ROUTE_SHOP, refunds_list},
    {"POST", "/wp-json/wc/v3/orders/*/refunds", ROUTE_SHOP, refunds_create},
    {"GET", "/wp-json/wc/v3/orders/*/refunds/*", ROUTE_SHOP, refunds_get},
    {"DELETE", "/wp-json/wc/v3/orders/*/refunds/*", ROUTE_SHOP, refunds_delete},
    {"GET", "/wp-json/wc/v3/refunds", ROUTE_SHOP, refunds_all},
    {"GET", "/wp-json/wc/v3/webhooks", ROUTE_SHOP, webhooks_list},
    {"GET", "/wp-json/wc/v3/webhooks/*", ROUTE_SHOP, webhooks_get},
    {"PUT", "/wp-json/wc/v3/webhooks/*", ROUTE_SHOP, webhooks_update},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
