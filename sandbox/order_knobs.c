#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"
#include "delivery.h"
#include "many.h"
#include "news.h"
#include "route.h"
#include "woo_json.h"
#include "woo_order.h"

/*
 * The knobs of the stand-in shops: what buyers and staff do, and the deliveries that follow. The
 * input's `source` names the shop; without it, the first.
 */

/* The shop, or NULL after answering. */
static struct woo_shop *shop_of(struct visit *visit)
{
    struct woo_shop *shop = sandbox_shop(visit->sandbox, tree_get_text(visit->input, "source"));
    if (shop == NULL)
        reply_bad(visit, "source: expected a configured source of the provider woocommerce");
    return shop;
}

/* The order that the path names, or NULL after answering. */
static struct woo_order *order_of(struct visit *visit)
{
    int64_t id;
    struct woo_order *order = NULL;
    struct woo_shop *shop = shop_of(visit);
    if (shop == NULL)
        return NULL;
    visit->shop = shop;
    if (text_to_int(visit->captures[0], strlen(visit->captures[0]), &id) == 0)
        order = woo_shop_find(shop, id);
    if (order == NULL)
        http_respond_problem(visit->request, 404, "not_found", NULL, "The shop has no such order.");
    return order;
}

/* Tells the webhooks, then the caller. */
static void changed(struct visit *visit, const struct woo_order *order, const char *event)
{
    woo_shop_event(visit->sandbox, visit->shop, order, event);
    news_tell(visit->sandbox->news);
    reply_json(visit, woo_order_tree(visit->shop, order));
}

/* POST orders {email, items[, first_name, last_name, reference, status, pay]}. Creation fires both
 * events, as it really does; paying fires one more. */
static void create(struct visit *visit)
{
    const char *error = NULL;
    visit->shop = shop_of(visit);
    if (visit->shop == NULL)
        return;
    struct woo_order *order = woo_order_read(visit->shop, visit->input, clock_now(), &error);
    if (order != NULL && !woo_shop_add(visit->shop, order)) {
        woo_order_free(order);
        error = "the shop is full";
    }
    if (error != NULL) {
        reply_bad(visit, error);
        return;
    }
    woo_shop_event(visit->sandbox, visit->shop, order, "created");
    if (!tree_get_bool(visit->input, "pay", false)) {
        changed(visit, order, "updated");
        return;
    }
    woo_shop_event(visit->sandbox, visit->shop, order, "updated");
    woo_order_pay(order, clock_now());
    changed(visit, order, "updated");
}

/* GET orders: summaries of every shop. */
static void list(struct visit *visit)
{
    struct json_object *tree = tree_object();
    struct json_object *orders = tree_array();
    for (size_t s = 0; s < visit->sandbox->shop_count; s++) {
        const struct woo_shop *shop = visit->sandbox->shops[s];
        for (size_t i = 0; i < shop->count; i++)
            tree_add(orders, woo_order_summary(shop, shop->orders[i]));
    }
    tree_put(tree, "orders", orders);
    reply_json(visit, tree);
}

/* POST orders/ID/pay. */
static void pay(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    woo_order_pay(order, clock_now());
    changed(visit, order, "updated");
}

/* POST orders/ID/refund {all} or {amount} or {lines}. */
static void refund(struct visit *visit)
{
    const char *error = NULL;
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    if (woo_order_refund(visit->shop, order, visit->input, clock_now(), &error) == NULL)
        reply_bad(visit, error);
    else
        changed(visit, order, "updated");
}

/* POST orders/ID/drop-refund {refund}. */
static void drop_refund(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    if (woo_order_drop_refund(order, tree_get_number(visit->input, "refund", 0), clock_now()))
        changed(visit, order, "updated");
    else
        reply_bad(visit, "refund: the order has no such refund");
}

/* POST orders/ID/trash. */
static void trash(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    woo_order_trash(order, clock_now());
    changed(visit, order, "deleted");
}

/* POST orders/ID/restore: fires restored, and updated with the same body. */
static void restore(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    if (!woo_order_restore(order, clock_now())) {
        reply_bad(visit, "the order is not in the trash");
        return;
    }
    woo_shop_event(visit->sandbox, visit->shop, order, "restored");
    changed(visit, order, "updated");
}

/* POST orders/ID/delete: for good. */
static void erase(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    int64_t id = order->id;
    changed(visit, order, "deleted");
    woo_shop_remove(visit->shop, id);
}

/* POST orders/ID/status {status}. */
static void status(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    const char *wanted = tree_get_text(visit->input, "status");
    if (order == NULL)
        return;
    if (!woo_status_known(wanted)) {
        reply_bad(visit, "status: expected one of WooCommerce's own");
        return;
    }
    woo_order_set_status(order, wanted, clock_now());
    changed(visit, order, "updated");
}

/* POST orders/ID/email {email}. */
static void address(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    woo_order_set_address(order, tree_get_text(visit->input, "email"), clock_now());
    changed(visit, order, "updated");
}

/* POST orders/ID/anonymise. */
static void anonymise(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    woo_order_anonymise(visit->shop, order, clock_now());
    changed(visit, order, "updated");
}

/* POST orders/ID/meta {key, value}: order.updated with an unchanged date_modified. */
static void meta(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    const char *key = tree_get_text(visit->input, "key");
    const char *value = tree_get_text(visit->input, "value");
    if (order == NULL)
        return;
    if (key == NULL || value == NULL) {
        reply_bad(visit, "expected key and value");
        return;
    }
    woo_order_set_meta(visit->shop, order, key, value);
    changed(visit, order, "updated");
}

/* GET deliveries[?order=ID&source=NAME&held=1]. */
static void deliveries(struct visit *visit)
{
    struct json_object *tree = tree_object();
    struct delivery_filter filter = {.limit = SANDBOX_DELIVERIES};
    char *text = visit_query(visit, "order");
    char *source = visit_query(visit, "source");
    char *held = visit_query(visit, "held");
    if (text != NULL && text_to_int(text, strlen(text), &filter.order) != 0)
        filter.order = -1;
    filter.source = source;
    filter.held = held != NULL && strcmp(held, "1") == 0;
    tree_put(tree, "deliveries", deliveries_tree(visit->sandbox->deliveries, &filter));
    tree_number(tree, "open",
                (int64_t)deliveries_open(visit->sandbox->deliveries) + many_left(visit->sandbox));
    free(text);
    free(source);
    free(held);
    reply_json(visit, tree);
}

/* POST deliveries/release [{source, order}]: what is held is sent; {"discard": true}: is not. */
static void release(struct visit *visit)
{
    struct json_object *tree = tree_object();
    size_t count = delivery_release(visit->sandbox, tree_get_text(visit->input, "source"),
                                    tree_get_number(visit->input, "order", 0),
                                    !tree_get_bool(visit->input, "discard", false));
    tree_number(tree, "released", (int64_t)count);
    reply_json(visit, tree);
}

/* POST deliveries/redeliver {id}: the same bytes; {"dropped":true}: those that a fault dropped. */
static void redeliver(struct visit *visit)
{
    int64_t id = tree_get_number(visit->input, "id", 0);
    struct json_object *tree = tree_object();
    size_t count = 0;
    if (tree_get_bool(visit->input, "dropped", false))
        count = delivery_dropped_again(visit->sandbox);
    else
        count = delivery_again(visit->sandbox, id);
    tree_number(tree, "sent", (int64_t)count);
    reply_json(visit, tree);
}

/* POST deliveries/send {source, body or body_base64[, topic, event_id]}: any body, signed as the
 * source's provider signs. */
static void send_by_hand(struct visit *visit)
{
    const char *source = tree_get_text(visit->input, "source");
    const char *text = tree_get_text(visit->input, "body");
    const char *coded = tree_get_text(visit->input, "body_base64");
    const char *topic = tree_get_text(visit->input, "topic");
    struct buf body = {0};
    bool good = source != NULL && (text != NULL || coded != NULL);
    if (good && coded != NULL)
        good = digest_unbase64(coded, strlen(coded), false, &body) == 0;
    else if (good)
        buf_puts(&body, text);
    struct parcel parcel = {.source = source,
                            .topic = topic == NULL ? "order.updated" : topic,
                            .event_id = tree_get_text(visit->input, "event_id"),
                            .body = body.data == NULL ? "" : body.data,
                            .len = body.len};
    if (good && strpbrk(parcel.topic, "\r\n") == NULL && delivery_send(visit->sandbox, &parcel))
        reply_json(visit, tree_object());
    else
        reply_bad(visit, "expected a configured source, and body or body_base64");
    buf_wipe(&body);
}

/* POST webhooks/save [{id, status}]: all four become active again, and ping. */
static void webhooks_save(struct visit *visit)
{
    struct woo_shop *shop = shop_of(visit);
    int64_t id = tree_get_number(visit->input, "id", 0);
    const char *wanted = tree_get_text(visit->input, "status");
    if (shop == NULL)
        return;
    struct json_object *tree = tree_object();
    struct json_object *hooks = tree_array();
    for (size_t i = 0; i < WOO_WEBHOOKS; i++) {
        struct woo_webhook *hook = &shop->webhooks[i];
        if (id == 0 || id == hook->id)
            woo_webhook_save(visit->sandbox, shop, hook,
                             wanted != NULL && strcmp(wanted, "paused") == 0 ? "paused" : "active");
        tree_add(hooks, woo_webhook_tree(visit->sandbox, shop, hook));
    }
    tree_put(tree, "webhooks", hooks);
    reply_json(visit, tree);
}

/* GET webhooks: those of every shop, with the failures that REST v3 does not tell. */
static void webhooks(struct visit *visit)
{
    struct json_object *tree = tree_object();
    struct json_object *hooks = tree_array();
    for (size_t s = 0; s < visit->sandbox->shop_count; s++) {
        const struct woo_shop *shop = visit->sandbox->shops[s];
        for (size_t i = 0; i < WOO_WEBHOOKS; i++) {
            struct json_object *hook = woo_webhook_tree(visit->sandbox, shop, &shop->webhooks[i]);
            tree_text(hook, "source", shop->source);
            tree_number(hook, "failures", shop->webhooks[i].failures);
            tree_add(hooks, hook);
        }
    }
    tree_put(tree, "webhooks", hooks);
    reply_json(visit, tree);
}

const struct route order_knob_routes[] = {
    {"GET", "/sandbox/api/orders", ROUTE_OPEN, list},
    {"POST", "/sandbox/api/orders", ROUTE_KNOB, create},
    {"POST", "/sandbox/api/orders/*/pay", ROUTE_KNOB, pay},
    {"POST", "/sandbox/api/orders/*/refund", ROUTE_KNOB, refund},
    {"POST", "/sandbox/api/orders/*/drop-refund", ROUTE_KNOB, drop_refund},
    {"POST", "/sandbox/api/orders/*/trash", ROUTE_KNOB, trash},
    {"POST", "/sandbox/api/orders/*/restore", ROUTE_KNOB, restore},
    {"POST", "/sandbox/api/orders/*/delete", ROUTE_KNOB, erase},
    {"POST", "/sandbox/api/orders/*/status", ROUTE_KNOB, status},
    {"POST", "/sandbox/api/orders/*/email", ROUTE_KNOB, address},
    {"POST", "/sandbox/api/orders/*/anonymise", ROUTE_KNOB, anonymise},
    {"POST", "/sandbox/api/orders/*/meta", ROUTE_KNOB, meta},
    {"GET", "/sandbox/api/deliveries", ROUTE_OPEN, deliveries},
    {"POST", "/sandbox/api/deliveries/redeliver", ROUTE_KNOB, redeliver},
    {"POST", "/sandbox/api/deliveries/release", ROUTE_KNOB, release},
    {"POST", "/sandbox/api/deliveries/send", ROUTE_KNOB, send_by_hand},
    {"GET", "/sandbox/api/webhooks", ROUTE_OPEN, webhooks},
    {"POST", "/sandbox/api/webhooks/save", ROUTE_KNOB, webhooks_save},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
