#include "woo_shop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery.h"
#include "woo_json.h"
#include "woo_order.h"

#define FIRST_POST 101   /* orders and refunds share their ids, as posts do */
#define FAILURES_BORNE 5 /* woocommerce_max_webhook_delivery_failures */
#define CANNOT_VIEW                                                                    \
    "{\"code\":\"woocommerce_rest_cannot_view\",\"message\":\"Sorry, you cannot view " \
    "this resource.\",\"data\":{\"status\":401}}"

const struct woo_product woo_products[] = {
    {10, 4900, "Icon pack Pro", "ICONS-PRO", "1,200 icons that follow your board's colours",
     "icons-pro", true},
    {11, 1000, "Extra boards", "ADD-1", "Ten more boards to drop elements on, for a year",
     "extra-boards", true},
    {12, 1900, "Flow shapes", "FLOW-1", "Swim lanes, gateways and arrows that stay attached",
     "flow-shapes", true},
    {77, 500, "Printed stickers", "STICKERS", "A sheet of paper stickers, by post", NULL, false},
};
const size_t woo_product_count = sizeof(woo_products) / sizeof(woo_products[0]);

static const char *const events[WOO_WEBHOOKS] = {"created", "updated", "deleted", "restored"};
static const char *const names[WOO_WEBHOOKS] = {"Order created", "Order updated", "Order deleted",
                                                "Order restored"};

/* An empty shop whose webhooks were saved before anybody looked. */
struct woo_shop *woo_shop_new(const char *source, const char *home)
{
    struct woo_shop *shop = xcalloc(1, sizeof(*shop));
    shop->source = xstrdup(source);
    shop->home = xstrdup(home);
    shop->began = clock_now();
    shop->next_post = FIRST_POST;
    shop->next_line = 1;
    shop->next_meta = 1;
    for (size_t i = 0; i < WOO_WEBHOOKS; i++)
        shop->webhooks[i] = (struct woo_webhook){.id = (int64_t)i + 1,
                                                 .name = names[i],
                                                 .event = events[i],
                                                 .status = "active",
                                                 .modified = shop->began};
    return shop;
}

/* Releases the shop with its orders. */
void woo_shop_free(struct woo_shop *shop)
{
    if (shop == NULL)
        return;
    for (size_t i = 0; i < shop->count; i++)
        woo_order_free(shop->orders[i]);
    for (size_t i = 0; i < 2; i++) {
        roster_free(&shop->created[i]);
        roster_free(&shop->modified[i]);
    }
    free(shop->orders);
    free(shop->source);
    free(shop->home);
    free(shop);
}

/* By id. */
const struct woo_product *woo_product_find(int64_t id)
{
    for (size_t i = 0; i < woo_product_count; i++)
        if (woo_products[i].id == id)
            return &woo_products[i];
    return NULL;
}

/* The place of the first order whose id is not below this one; they are in the order of ids. */
static size_t place_of(const struct woo_shop *shop, int64_t id)
{
    size_t from = 0, to = shop->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (shop->orders[middle]->id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* By id. */
struct woo_order *woo_shop_find(struct woo_shop *shop, int64_t id)
{
    size_t at = place_of(shop, id);
    return at < shop->count && shop->orders[at]->id == id ? shop->orders[at] : NULL;
}

/* Takes an order off the lists by time. */
static void unlist(struct woo_shop *shop, const struct woo_order *order)
{
    roster_remove(&shop->modified[order->listed_in_trash], order->listed, order->id);
    roster_remove(&shop->created[order->listed_in_trash], order->created, order->id);
}

/* Puts it on them as it is now. */
static void list(struct woo_shop *shop, struct woo_order *order)
{
    order->listed = order->modified;
    order->listed_in_trash = strcmp(order->status, "trash") == 0;
    roster_add(&shop->modified[order->listed_in_trash], order->modified, order->id, order);
    roster_add(&shop->created[order->listed_in_trash], order->created, order->id, order);
}

/* Nothing moves that need not: creation is no change. */
void woo_shop_moved(struct woo_shop *shop, struct woo_order *order)
{
    bool in_trash = strcmp(order->status, "trash") == 0;
    if (in_trash == order->listed_in_trash) {
        roster_remove(&shop->modified[in_trash], order->listed, order->id);
        order->listed = order->modified;
        roster_add(&shop->modified[in_trash], order->modified, order->id, order);
        return;
    }
    unlist(shop, order);
    list(shop, order);
}

/* Takes the order. */
bool woo_shop_add(struct woo_shop *shop, struct woo_order *order)
{
    if (shop->count >= SANDBOX_ORDERS)
        return false;
    if (shop->count == shop->room) {
        shop->room = shop->room == 0 ? 64 : shop->room * 2;
        shop->orders = xreallocarray(shop->orders, shop->room, sizeof(*shop->orders));
    }
    shop->orders[shop->count++] = order;
    order->shop = shop;
    list(shop, order);
    return true;
}

/* Gone for good. */
void woo_shop_remove(struct woo_shop *shop, int64_t id)
{
    size_t at = place_of(shop, id);
    if (at == shop->count || shop->orders[at]->id != id)
        return;
    unlist(shop, shop->orders[at]);
    woo_order_free(shop->orders[at]);
    memmove(&shop->orders[at], &shop->orders[at + 1],
            (shop->count - at - 1) * sizeof(struct woo_order *));
    shop->count--;
}

/* By id. */
struct woo_webhook *woo_webhook_find(struct woo_shop *shop, int64_t id)
{
    for (size_t i = 0; i < WOO_WEBHOOKS; i++)
        if (shop->webhooks[i].id == id)
            return &shop->webhooks[i];
    return NULL;
}

/* What a webhook says: an order that is gone is told by its id alone. */
static void payload(struct sandbox *sandbox, const struct woo_shop *shop,
                    const struct woo_order *order, const char *event, struct buf *out)
{
    if (strcmp(event, "deleted") == 0) {
        buf_printf(out, "{\"id\":%lld}", (long long)order->id);
    } else if (fault_take(&sandbox->faults.cannot_view)) {
        buf_puts(out, CANNOT_VIEW);
    } else {
        struct json_object *tree = woo_order_tree(shop, order);
        tree_write_php(tree, out);
        json_object_put(tree);
    }
}

/* A webhook that is not active hears nothing, and nobody is told. */
void woo_shop_event(struct sandbox *sandbox, struct woo_shop *shop, const struct woo_order *order,
                    const char *event)
{
    for (size_t i = 0; i < WOO_WEBHOOKS && !sandbox->silent; i++) {
        const struct woo_webhook *webhook = &shop->webhooks[i];
        if (strcmp(webhook->event, event) != 0 || strcmp(webhook->status, "active") != 0)
            continue;
        struct buf body = {0};
        char topic[32];
        snprintf(topic, sizeof(topic), "order.%s", event);
        payload(sandbox, shop, order, event, &body);
        struct parcel parcel = {.source = shop->source,
                                .topic = topic,
                                .webhook = webhook->id,
                                .order = order->id,
                                .body = body.data,
                                .len = body.len};
        if (!delivery_send(sandbox, &parcel))
            log_warn("sandbox", "source_gone", LOG_S("source", shop->source));
        buf_wipe(&body);
    }
}

/* WC_Webhook::failed_delivery(): five are borne, the sixth is counted, the seventh disables. */
void woo_webhook_result(struct sandbox *sandbox, const char *source, int64_t webhook, bool success)
{
    struct woo_shop *shop = sandbox_shop(sandbox, source);
    struct woo_webhook *hook = shop == NULL ? NULL : woo_webhook_find(shop, webhook);
    if (hook == NULL)
        return;
    if (success) {
        hook->failures = 0;
    } else if (hook->failures > FAILURES_BORNE) {
        hook->status = "disabled";
        log_warn("sandbox", "webhook_disabled", LOG_S("source", source), LOG_I("webhook", webhook));
    } else {
        hook->failures++;
    }
}

/* The ping is a form and carries no signature. */
void woo_webhook_save(struct sandbox *sandbox, struct woo_shop *shop, struct woo_webhook *webhook,
                      const char *status)
{
    webhook->status = status;
    webhook->modified = clock_now();
    if (strcmp(status, "active") != 0)
        return;
    webhook->failures = 0;
    struct buf body = {0};
    buf_printf(&body, "webhook_id=%lld", (long long)webhook->id);
    struct parcel parcel = {.source = shop->source,
                            .topic = "ping",
                            .webhook = webhook->id,
                            .body = body.data,
                            .len = body.len,
                            .ping = true};
    if (!delivery_send(sandbox, &parcel))
        log_warn("sandbox", "source_gone", LOG_S("source", shop->source));
    buf_free(&body);
}
