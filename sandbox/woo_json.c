#include "woo_json.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "woo_order.h"

#define WOO_VERSION "11.0.1"

static const char *const shipping_fields[] = {"first_name", "last_name", "company", "address_1",
                                              "address_2",  "city",      "state",   "postcode",
                                              "country",    "phone"};

/* An amount with two decimals. */
static void put_cents(struct json_object *tree, const char *key, int64_t cents)
{
    char text[32];
    int64_t size = cents < 0 ? -cents : cents;
    snprintf(text, sizeof(text), "%s%lld.%02lld", cents < 0 ? "-" : "", (long long)(size / 100),
             (long long)(size % 100));
    tree_text(tree, key, text);
}

/* "2026-11-23T10:49:44": whole seconds, no zone; null where there is no time. */
static void put_date(struct json_object *tree, const char *key, int64_t time)
{
    char text[TIME_TEXT];
    if (time != TIME_NONE) {
        clock_format(time - time % TIME_SECOND, text);
        text[strcspn(text, "Z")] = '\0';
    }
    tree_text(tree, key, time == TIME_NONE ? NULL : text);
}

/* The same moment by the shop's own clock. */
static int64_t local(int64_t time)
{
    return time == TIME_NONE ? TIME_NONE : time + WOO_UTC_OFFSET_S * TIME_SECOND;
}

/* A date as both clocks show it. */
static void put_dates(struct json_object *tree, const char *key, int64_t time)
{
    char gmt[40];
    snprintf(gmt, sizeof(gmt), "%s_gmt", key);
    put_date(tree, key, local(time));
    put_date(tree, gmt, time);
}

/* {"href": home + path}, in an array of its own. */
static struct json_object *link_to(const struct woo_shop *shop, const char *path, const char *allow)
{
    struct json_object *list = tree_array();
    struct json_object *link = tree_object();
    if (strstr(path, "/actions/") != NULL)
        tree_bool(link, "embeddable", true);
    struct buf href = {0};
    buf_printf(&href, "%s/wp-json/wc/v3/%s", shop->home, path);
    tree_text(link, "href", href.data);
    buf_free(&href);
    if (allow != NULL) {
        struct json_object *hints = tree_object();
        struct json_object *methods = tree_array();
        char words[64];
        snprintf(words, sizeof(words), "%s", allow);
        for (char *rest = words, *word; (word = strsep(&rest, " ")) != NULL;)
            tree_add(methods, json_object_new_string(word));
        tree_put(hints, "allow", methods);
        tree_put(link, "targetHints", hints);
    }
    tree_add(list, link);
    return list;
}

/* Who pays; the address stands verbatim, as the buyer typed it. */
static struct json_object *billing(const struct woo_order *order)
{
    static const char *const empty[] = {"company", "address_1", "address_2",
                                        "city",    "state",     "postcode"};
    struct json_object *tree = tree_object();
    tree_text(tree, "first_name", order->first_name);
    tree_text(tree, "last_name", order->last_name);
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        tree_text(tree, empty[i], "");
    tree_text(tree, "country", "DE");
    tree_text(tree, "email", order->address);
    tree_text(tree, "phone", "");
    return tree;
}

/* Nothing is shipped. */
static struct json_object *shipping(void)
{
    struct json_object *tree = tree_object();
    for (size_t i = 0; i < sizeof(shipping_fields) / sizeof(shipping_fields[0]); i++)
        tree_text(tree, shipping_fields[i], "");
    return tree;
}

/* {"id","key","value"}. */
static struct json_object *meta_tree(int64_t id, const char *key, const char *value)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", id);
    tree_text(tree, "key", key);
    tree_text(tree, "value", value);
    return tree;
}

/* A line of an order, or of a refund with a negative quantity and its own id. */
static struct json_object *line_tree(const struct woo_line *line, int64_t id, int64_t quantity,
                                     int64_t cents, struct json_object *meta)
{
    struct json_object *tree = tree_object();
    struct json_object *image = tree_object();
    tree_number(tree, "id", id);
    tree_text(tree, "name", line->name);
    tree_number(tree, "product_id", line->product);
    tree_number(tree, "variation_id", line->variation);
    tree_number(tree, "quantity", quantity);
    tree_text(tree, "tax_class", "");
    put_cents(tree, "subtotal", cents);
    put_cents(tree, "subtotal_tax", 0);
    put_cents(tree, "total", cents);
    put_cents(tree, "total_tax", 0);
    tree_put(tree, "taxes", tree_array());
    tree_put(tree, "meta_data", meta);
    tree_text(tree, "sku", line->sku);
    tree_text(tree, "global_unique_id", "");
    if (line->cents % 100 == 0)
        tree_number(tree, "price", line->cents / 100);
    else
        tree_put(tree, "price", json_object_new_double((double)line->cents / 100));
    tree_text(image, "id", "");
    tree_text(image, "src", "");
    tree_put(tree, "image", image);
    tree_text(tree, "parent_name", NULL);
    return tree;
}

/* The lines that were bought. */
static struct json_object *lines_tree(const struct woo_order *order)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < order->line_count; i++) {
        const struct woo_line *line = &order->lines[i];
        tree_add(list, line_tree(line, line->id, line->quantity, line->quantity * line->cents,
                                 tree_array()));
    }
    return list;
}

/* Newest first; what was given back is not told here. */
static struct json_object *refunds_tree(const struct woo_order *order)
{
    struct json_object *list = tree_array();
    for (size_t i = order->refund_count; i > 0; i--) {
        const struct woo_refund *refund = order->refunds[i - 1];
        struct json_object *tree = tree_object();
        tree_number(tree, "id", refund->id);
        tree_text(tree, "reason", refund->reason);
        put_cents(tree, "total", -refund->cents);
        put_cents(tree, "total_tax", 0);
        tree_add(list, tree);
    }
    return list;
}

/* The head of an order: who, when, how much. */
static void put_head(struct json_object *tree, const struct woo_order *order)
{
    tree_number(tree, "id", order->id);
    tree_number(tree, "parent_id", 0);
    tree_text(tree, "status", order->status);
    tree_text(tree, "currency", "USD");
    tree_text(tree, "version", WOO_VERSION);
    tree_bool(tree, "prices_include_tax", false);
    put_date(tree, "date_created", local(order->created));
    put_date(tree, "date_modified", local(order->modified));
    static const char *const nothing[] = {"discount_total", "discount_tax", "shipping_total",
                                          "shipping_tax", "cart_tax"};
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
        put_cents(tree, nothing[i], 0);
    put_cents(tree, "total", woo_order_total(order));
    put_cents(tree, "total_tax", 0);
    tree_number(tree, "customer_id", 0);
    tree_text(tree, "order_key", order->key);
    tree_put(tree, "billing", billing(order));
    tree_put(tree, "shipping", shipping());
    tree_text(tree, "payment_method", "bacs");
    tree_text(tree, "payment_method_title", "Direct bank transfer");
    tree_text(tree, "transaction_id", order->transaction);
    tree_text(tree, "customer_ip_address", "");
    tree_text(tree, "customer_user_agent", "");
    tree_text(tree, "created_via", "checkout");
    tree_text(tree, "customer_note", order->customer_note);
    put_date(tree, "date_completed", local(order->completed));
    put_date(tree, "date_paid", local(order->paid));
    tree_text(tree, "cart_hash", "");
}

/* The links of an order. */
static struct json_object *order_links(const struct woo_shop *shop, const struct woo_order *order)
{
    struct json_object *tree = tree_object();
    char path[80];
    snprintf(path, sizeof(path), "orders/%lld", (long long)order->id);
    tree_put(tree, "self", link_to(shop, path, "GET POST PUT PATCH DELETE"));
    tree_put(tree, "collection", link_to(shop, "orders", NULL));
    snprintf(path, sizeof(path), "orders/%lld/actions/email_templates", (long long)order->id);
    tree_put(tree, "email_templates", link_to(shop, path, NULL));
    return tree;
}

/* Where the buyer would pay. */
static void put_payment_url(struct json_object *tree, const struct woo_shop *shop,
                            const struct woo_order *order)
{
    struct buf url = {0};
    buf_printf(&url, "%s/checkout/order-pay/%lld/?pay_for_order=true&key=%s", shop->home,
               (long long)order->id, order->key);
    tree_text(tree, "payment_url", url.data);
    buf_free(&url);
}

/* The whole order. */
struct json_object *woo_order_tree(const struct woo_shop *shop, const struct woo_order *order)
{
    struct json_object *tree = tree_object();
    struct json_object *meta = tree_array();
    static const char *const none[] = {"tax_lines", "shipping_lines", "fee_lines", "coupon_lines"};
    char number[32];
    snprintf(number, sizeof(number), "%lld", (long long)order->id);
    put_head(tree, order);
    tree_text(tree, "number", number);
    for (size_t i = 0; i < order->meta_count; i++)
        tree_add(meta, meta_tree(order->meta[i].id, order->meta[i].key, order->meta[i].value));
    tree_put(tree, "meta_data", meta);
    tree_put(tree, "line_items", lines_tree(order));
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        tree_put(tree, none[i], tree_array());
    tree_put(tree, "refunds", refunds_tree(order));
    bool unpaid = strcmp(order->status, "pending") == 0 || strcmp(order->status, "failed") == 0;
    put_payment_url(tree, shop, order);
    tree_bool(tree, "is_editable",
              strcmp(order->status, "pending") == 0 || strcmp(order->status, "on-hold") == 0);
    tree_bool(tree, "needs_payment", unpaid);
    tree_bool(tree, "needs_processing", woo_order_needs_processing(order));
    put_date(tree, "date_created_gmt", order->created);
    put_date(tree, "date_modified_gmt", order->modified);
    put_date(tree, "date_completed_gmt", order->completed);
    put_date(tree, "date_paid_gmt", order->paid);
    tree_text(tree, "currency_symbol", "$");
    tree_put(tree, "_links", order_links(shop, order));
    return tree;
}

/* What a refund gave back: the line's number is in the metadata, quantities are negative. */
static struct json_object *refund_lines(const struct woo_order *order,
                                        const struct woo_refund *refund)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < refund->line_count; i++) {
        const struct woo_refund_line *line = &refund->lines[i];
        const struct woo_line *bought = &order->lines[line->line];
        struct json_object *meta = tree_array();
        char value[32];
        snprintf(value, sizeof(value), "%lld", (long long)bought->id);
        struct json_object *item = meta_tree(line->meta, "_refunded_item_id", value);
        tree_text(item, "display_key", "_refunded_item_id");
        tree_text(item, "display_value", value);
        tree_add(meta, item);
        tree_add(list, line_tree(bought, line->id, -line->quantity, -line->cents, meta));
    }
    return list;
}

/* The links of a refund. */
static struct json_object *refund_links(const struct woo_shop *shop, const struct woo_order *order,
                                        const struct woo_refund *refund)
{
    struct json_object *tree = tree_object();
    char path[96];
    snprintf(path, sizeof(path), "orders/%lld/refunds/%lld", (long long)order->id,
             (long long)refund->id);
    tree_put(tree, "self", link_to(shop, path, "GET DELETE"));
    snprintf(path, sizeof(path), "orders/%lld/refunds", (long long)order->id);
    tree_put(tree, "collection", link_to(shop, path, NULL));
    snprintf(path, sizeof(path), "orders/%lld", (long long)order->id);
    tree_put(tree, "up", link_to(shop, path, NULL));
    return tree;
}

/* The whole refund. */
struct json_object *woo_refund_tree(const struct woo_shop *shop, const struct woo_order *order,
                                    const struct woo_refund *refund, bool parent)
{
    struct json_object *tree = tree_object();
    struct json_object *meta = tree_array();
    tree_number(tree, "id", refund->id);
    if (parent)
        tree_number(tree, "parent_id", order->id);
    put_dates(tree, "date_created", refund->created);
    put_cents(tree, "amount", refund->cents);
    tree_text(tree, "reason", refund->reason);
    tree_number(tree, "refunded_by", 1);
    tree_bool(tree, "refunded_payment", false);
    tree_add(meta, meta_tree(refund->meta, "_refund_type", refund->full ? "full" : "partial"));
    tree_put(tree, "meta_data", meta);
    tree_put(tree, "line_items", refund_lines(order, refund));
    tree_put(tree, "shipping_lines", tree_array());
    tree_put(tree, "tax_lines", tree_array());
    tree_put(tree, "fee_lines", tree_array());
    tree_put(tree, "_links", refund_links(shop, order, refund));
    return tree;
}

/* A webhook; its secret is never told. */
struct json_object *woo_webhook_tree(const struct sandbox *sandbox, const struct woo_shop *shop,
                                     const struct woo_webhook *webhook)
{
    struct json_object *tree = tree_object();
    struct json_object *links = tree_object();
    char topic[32], path[48];
    struct buf url = {0};
    snprintf(topic, sizeof(topic), "order.%s", webhook->event);
    snprintf(path, sizeof(path), "webhooks/%lld", (long long)webhook->id);
    buf_printf(&url, "%s/webhooks/%s", sandbox->settings->server.public_url, shop->source);
    tree_number(tree, "id", webhook->id);
    tree_text(tree, "name", webhook->name);
    tree_text(tree, "status", webhook->status);
    tree_text(tree, "topic", topic);
    tree_text(tree, "resource", "order");
    tree_text(tree, "event", webhook->event);
    tree_put(tree, "hooks", tree_array());
    tree_text(tree, "delivery_url", url.data);
    put_dates(tree, "date_created", shop->began);
    put_dates(tree, "date_modified", webhook->modified);
    tree_put(links, "self", link_to(shop, path, NULL));
    tree_put(links, "collection", link_to(shop, "webhooks", NULL));
    tree_put(tree, "_links", links);
    buf_free(&url);
    return tree;
}

/* The lines of an order as the page lists them. */
static struct json_object *summary_lines(const struct woo_order *order)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < order->line_count; i++) {
        const struct woo_line *line = &order->lines[i];
        const struct woo_product *product = woo_product_find(line->product);
        struct json_object *tree = tree_object();
        tree_number(tree, "line", line->id);
        tree_number(tree, "product", line->product);
        tree_text(tree, "name", line->name);
        tree_number(tree, "quantity", line->quantity);
        tree_text(tree, "unlocks", product == NULL ? NULL : product->unlocks);
        tree_add(list, tree);
    }
    return list;
}

/* Short, for people. */
struct json_object *woo_order_summary(const struct woo_shop *shop, const struct woo_order *order)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", order->id);
    tree_text(tree, "source", shop->source);
    tree_text(tree, "status", order->status);
    tree_text(tree, "email", order->address);
    put_cents(tree, "total", woo_order_total(order));
    put_cents(tree, "refunded", woo_order_refunded(order));
    tree_time(tree, "modified", order->modified);
    tree_put(tree, "lines", summary_lines(order));
    return tree;
}

/* What stands on a product's card. */
struct json_object *woo_product_tree(const struct woo_product *product)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", product->id);
    tree_text(tree, "name", product->name);
    tree_text(tree, "sku", product->sku);
    tree_text(tree, "about", product->about);
    put_cents(tree, "price", product->cents);
    tree_text(tree, "unlocks", product->unlocks);
    tree_bool(tree, "virtual", product->is_virtual);
    return tree;
}
