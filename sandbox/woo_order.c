#include "woo_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"

#define ORDER_LINES 100
#define ORDER_REFUNDS 200
#define CENT_MICROS 10000
#define QUANTITY_MOST 100000

static const char *const statuses[] = {"pending",   "processing", "on-hold", "completed",
                                       "cancelled", "refunded",   "failed"};

/* One of WooCommerce's own; the trash is reached by trashing. */
bool woo_status_known(const char *status)
{
    for (size_t i = 0; status != NULL && i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strcmp(statuses[i], status) == 0)
            return true;
    return false;
}

/* Releases a refund. */
static void refund_free(struct woo_refund *refund)
{
    free(refund->reason);
    free(refund->lines);
    free(refund);
}

/* Releases an order. */
void woo_order_free(struct woo_order *order)
{
    if (order == NULL)
        return;
    for (size_t i = 0; i < order->line_count; i++) {
        free(order->lines[i].name);
        free(order->lines[i].sku);
    }
    for (size_t i = 0; i < order->refund_count; i++)
        refund_free(order->refunds[i]);
    for (size_t i = 0; i < order->meta_count; i++) {
        free(order->meta[i].key);
        free(order->meta[i].value);
    }
    free(order->lines);
    free(order->refunds);
    free(order->meta);
    free(order->status);
    free(order->before_trash);
    free(order->key);
    free(order->address);
    free(order->first_name);
    free(order->last_name);
    free(order->transaction);
    free(order->customer_note);
    free(order);
}

/* Replaces a text of an order. */
static void set(char **field, const char *text)
{
    char *copy = xstrdup(text == NULL ? "" : text);
    free(*field);
    *field = copy;
}

/* What was bought. */
int64_t woo_order_total(const struct woo_order *order)
{
    int64_t cents = 0;
    for (size_t i = 0; i < order->line_count; i++)
        cents += order->lines[i].cents * order->lines[i].quantity;
    return cents;
}

/* What was given back. */
int64_t woo_order_refunded(const struct woo_order *order)
{
    int64_t cents = 0;
    for (size_t i = 0; i < order->refund_count; i++)
        cents += order->refunds[i]->cents;
    return cents;
}

/* Whether anything must be shipped. */
bool woo_order_needs_processing(const struct woo_order *order)
{
    for (size_t i = 0; i < order->line_count; i++)
        if (!order->lines[i].is_virtual)
            return true;
    return false;
}

/* A save: one second is all that WooCommerce remembers of the time. The last step of each change.
 */
static void touch(struct woo_order *order, int64_t now)
{
    order->modified = now - now % TIME_SECOND;
    if (order->shop != NULL)
        woo_shop_moved(order->shop, order);
}

/* Money as text with two decimals, within what the sums can bear. */
static int read_cents(const char *text, int64_t *cents)
{
    int64_t micros;
    if (text == NULL || text_to_micros(text, strlen(text), &micros) != 0 || micros < 0 ||
        micros % CENT_MICROS != 0 || micros / CENT_MICROS > INT32_MAX)
        return -1;
    *cents = micros / CENT_MICROS;
    return 0;
}

/* A member under one of its two names: the knobs' or REST v3's. */
static const char *either(struct json_object *input, const char *one, const char *other)
{
    const char *text = tree_get_text(input, one);
    return text != NULL ? text : tree_get_text(input, other);
}

/* Fills a line from the shop's product and from what the input says otherwise. */
static const char *read_line(struct woo_shop *shop, struct json_object *input,
                             struct woo_line *line)
{
    const char *id = either(input, "product", "product_id");
    const char *variation = either(input, "variation", "variation_id");
    const char *price = tree_get_text(input, "price");
    const char *name = tree_get_text(input, "name");
    const char *sku = tree_get_text(input, "sku");
    line->quantity = tree_get_number(input, "quantity", 1);
    if (id == NULL || text_to_int(id, strlen(id), &line->product) != 0)
        return "product: expected a product's number";
    if (variation != NULL && text_to_int(variation, strlen(variation), &line->variation) != 0)
        return "variation: expected a variation's number";
    if (line->quantity < 1 || line->quantity > QUANTITY_MOST)
        return "quantity: expected 1 to 100000";
    const struct woo_product *product = woo_product_find(line->product);
    if (product == NULL && (name == NULL || price == NULL))
        return "product: the shop has none of that number; give a name and a price with it";
    line->cents = product == NULL ? 0 : product->cents;
    if (price != NULL && read_cents(price, &line->cents) != 0)
        return "price: expected an amount such as \"49.00\"";
    line->is_virtual = tree_get_bool(input, "virtual", product == NULL || product->is_virtual);
    line->name = xstrdup(name != NULL ? name : product->name);
    line->sku = xstrdup(sku != NULL ? sku : product != NULL ? product->sku : "");
    line->id = shop->next_line++;
    return NULL;
}

/* All lines, or the reason why not. */
static const char *read_lines(struct woo_shop *shop, struct json_object *input,
                              struct woo_order *order)
{
    struct json_object *list = tree_get_array(input, "items");
    if (list == NULL)
        list = tree_get_array(input, "line_items");
    size_t count = list == NULL ? 0 : json_object_array_length(list);
    if (count < 1 || count > ORDER_LINES)
        return "items: expected 1 to 100 things to buy";
    order->lines = xcalloc(count, sizeof(*order->lines));
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        if (!json_object_is_type(item, json_type_object))
            return "items: expected objects";
        const char *error = read_line(shop, item, &order->lines[order->line_count]);
        if (error != NULL)
            return error;
        order->line_count++;
    }
    return NULL;
}

/* Metadata as REST v3 sends it, and the knobs' short word for the buyer reference. */
static void read_meta(struct woo_shop *shop, struct json_object *input, struct woo_order *order)
{
    struct json_object *list = tree_get_array(input, "meta_data");
    const char *reference = tree_get_text(input, "reference");
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *key = tree_get_text(item, "key");
        const char *value = tree_get_text(item, "value");
        if (key != NULL && value != NULL)
            woo_order_set_meta(shop, order, key, value);
    }
    if (reference != NULL)
        woo_order_set_meta(shop, order, "miro_reference", reference);
}

/* Who buys. */
static void read_buyer(struct json_object *input, struct woo_order *order)
{
    struct json_object *billing = NULL;
    if (!json_object_object_get_ex(input, "billing", &billing) ||
        !json_object_is_type(billing, json_type_object))
        billing = input;
    const char *address = tree_get_text(billing, "email");
    set(&order->address, address != NULL ? address : tree_get_text(input, "email"));
    set(&order->first_name, tree_get_text(billing, "first_name"));
    set(&order->last_name, tree_get_text(billing, "last_name"));
    set(&order->customer_note, tree_get_text(input, "customer_note"));
}

/* The order key, as unguessable as the real one. */
static char *order_key(void)
{
    unsigned char bytes[9];
    struct buf text = {0};
    digest_random(bytes, sizeof(bytes));
    buf_puts(&text, "wc_order_");
    digest_base64url(bytes, sizeof(bytes), &text);
    return buf_take(&text);
}

/* A new order is pending unless the input says otherwise; ids are taken only if it is good. */
struct woo_order *woo_order_read(struct woo_shop *shop, struct json_object *input, int64_t now,
                                 const char **error)
{
    struct woo_order *order = xcalloc(1, sizeof(*order));
    const char *status = tree_get_text(input, "status");
    order->created = now - now % TIME_SECOND;
    order->modified = order->created;
    order->paid = TIME_NONE;
    order->completed = TIME_NONE;
    order->status = xstrdup("pending");
    order->transaction = xstrdup("");
    order->key = order_key();
    read_buyer(input, order);
    *error = read_lines(shop, input, order);
    if (*error == NULL && status != NULL && !woo_status_known(status))
        *error = "status: expected pending, processing, on-hold, completed, cancelled, refunded or "
                 "failed";
    if (*error != NULL) {
        woo_order_free(order);
        return NULL;
    }
    order->id = shop->next_post++;
    read_meta(shop, input, order);
    if (status != NULL)
        woo_order_set_status(order, status, now);
    return order;
}

/* Paying and completing leave their dates once. */
void woo_order_set_status(struct woo_order *order, const char *status, int64_t now)
{
    bool completed = strcmp(status, "completed") == 0;
    set(&order->status, status);
    touch(order, now);
    if ((completed || strcmp(status, "processing") == 0) && order->paid == TIME_NONE)
        order->paid = order->modified;
    if (completed && order->completed == TIME_NONE)
        order->completed = order->modified;
}

/* payment_complete(). */
void woo_order_pay(struct woo_order *order, int64_t now)
{
    char transaction[40];
    snprintf(transaction, sizeof(transaction), "txn_%lld", (long long)order->id);
    set(&order->transaction, transaction);
    woo_order_set_status(order, woo_order_needs_processing(order) ? "processing" : "completed",
                         now);
}

/* How many of a line were given back so far. */
static int64_t line_refunded(const struct woo_order *order, size_t line)
{
    int64_t quantity = 0;
    for (size_t i = 0; i < order->refund_count; i++)
        for (size_t j = 0; j < order->refunds[i]->line_count; j++)
            if (order->refunds[i]->lines[j].line == line)
                quantity += order->refunds[i]->lines[j].quantity;
    return quantity;
}

/* A line that is given back, in part or whole. */
static const char *read_refund_line(const struct woo_order *order, struct json_object *input,
                                    struct woo_refund_line *out)
{
    const char *id = either(input, "line", "id");
    const char *amount = either(input, "amount", "refund_total");
    size_t at = 0;
    int64_t number;
    if (id == NULL || text_to_int(id, strlen(id), &number) != 0)
        return "lines: expected the number of an order line";
    while (at < order->line_count && order->lines[at].id != number)
        at++;
    if (at == order->line_count)
        return "lines: the order has no such line";
    out->line = at;
    out->quantity = tree_get_number(input, "quantity", 1);
    if (out->quantity < 0 || out->quantity + line_refunded(order, at) > order->lines[at].quantity)
        return "lines: more than was bought and is left";
    out->cents = out->quantity * order->lines[at].cents;
    if (amount != NULL && read_cents(amount, &out->cents) != 0)
        return "lines: expected an amount such as \"10.00\"";
    return NULL;
}

/* The lines of a refund and what they cost. */
static const char *read_refund_lines(const struct woo_order *order, struct json_object *list,
                                     struct woo_refund *refund)
{
    size_t count = list == NULL ? 0 : json_object_array_length(list);
    if (count > ORDER_LINES)
        return "lines: at most 100";
    if (count > 0)
        refund->lines = xcalloc(count, sizeof(*refund->lines));
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        if (!json_object_is_type(item, json_type_object))
            return "lines: expected objects";
        const char *error = read_refund_line(order, item, &refund->lines[i]);
        if (error != NULL)
            return error;
        refund->cents += refund->lines[i].cents;
        refund->line_count++;
    }
    return NULL;
}

/* Reads what is to be given back; the amount is the lines', the input's, or all that is left. */
static const char *read_refund(const struct woo_order *order, struct json_object *input,
                               struct woo_refund *refund)
{
    struct json_object *list = tree_get_array(input, "lines");
    const char *amount = tree_get_text(input, "amount");
    int64_t left = woo_order_total(order) - woo_order_refunded(order);
    const char *error =
        read_refund_lines(order, list != NULL ? list : tree_get_array(input, "line_items"), refund);
    if (error != NULL)
        return error;
    if (tree_get_bool(input, "all", false))
        refund->cents = left;
    else if (amount != NULL && read_cents(amount, &refund->cents) != 0)
        return "amount: expected an amount such as \"5.00\"";
    if (refund->cents > left || (refund->cents == 0 && refund->line_count == 0))
        return "Invalid refund amount.";
    refund->full = refund->cents == left;
    return NULL;
}

/* A refund of all that is left makes the order refunded; others leave its status alone. */
const struct woo_refund *woo_order_refund(struct woo_shop *shop, struct woo_order *order,
                                          struct json_object *input, int64_t now,
                                          const char **error)
{
    struct woo_refund *refund = xcalloc(1, sizeof(*refund));
    *error = order->refund_count >= ORDER_REFUNDS ? "the order has too many refunds" : NULL;
    if (*error == NULL)
        *error = read_refund(order, input, refund);
    if (*error != NULL) {
        refund_free(refund);
        return NULL;
    }
    const char *reason = tree_get_text(input, "reason");
    refund->reason = xstrdup(reason == NULL ? "" : reason);
    refund->id = shop->next_post++;
    refund->meta = shop->next_meta++;
    for (size_t i = 0; i < refund->line_count; i++) {
        refund->lines[i].id = shop->next_line++;
        refund->lines[i].meta = shop->next_meta++;
    }
    order->refunds =
        xreallocarray(order->refunds, order->refund_count + 1, sizeof(*order->refunds));
    order->refunds[order->refund_count++] = refund;
    if (refund->full)
        set(&order->status, "refunded");
    touch(order, now);
    refund->created = order->modified;
    return refund;
}

/* Deleting a refund leaves the order's status as it is. */
bool woo_order_drop_refund(struct woo_order *order, int64_t refund, int64_t now)
{
    for (size_t i = 0; i < order->refund_count; i++) {
        if (order->refunds[i]->id != refund)
            continue;
        refund_free(order->refunds[i]);
        memmove(&order->refunds[i], &order->refunds[i + 1],
                (order->refund_count - i - 1) * sizeof(struct woo_refund *));
        order->refund_count--;
        touch(order, now);
        return true;
    }
    return false;
}

/* The trash remembers where the order came from. */
void woo_order_trash(struct woo_order *order, int64_t now)
{
    if (order->before_trash == NULL)
        order->before_trash = xstrdup(order->status);
    set(&order->status, "trash");
    touch(order, now);
}

/* False if it is not in the trash. */
bool woo_order_restore(struct woo_order *order, int64_t now)
{
    if (order->before_trash == NULL)
        return false;
    set(&order->status, order->before_trash);
    xfree(order->before_trash);
    touch(order, now);
    return true;
}

/* WordPress's personal data eraser, as it treats orders. */
void woo_order_anonymise(struct woo_shop *shop, struct woo_order *order, int64_t now)
{
    set(&order->address, "deleted@site.invalid");
    set(&order->first_name, "[deleted]");
    set(&order->last_name, "[deleted]");
    set(&order->transaction, "");
    woo_order_set_meta(shop, order, "_anonymized", "yes");
    touch(order, now);
}

/* A correction by the shop's staff. */
void woo_order_set_address(struct woo_order *order, const char *address, int64_t now)
{
    set(&order->address, address);
    touch(order, now);
}

/* One value a key. */
void woo_order_set_meta(struct woo_shop *shop, struct woo_order *order, const char *key,
                        const char *value)
{
    for (size_t i = 0; i < order->meta_count; i++) {
        if (strcmp(order->meta[i].key, key) != 0)
            continue;
        set(&order->meta[i].value, value);
        return;
    }
    order->meta = xreallocarray(order->meta, order->meta_count + 1, sizeof(*order->meta));
    order->meta[order->meta_count++] =
        (struct woo_meta){shop->next_meta++, xstrdup(key), xstrdup(value)};
}
