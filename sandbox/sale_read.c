#include "sale_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define CENT_MICROS 10000
#define QUANTITY_MOST 100000
#define DAYS_MOST 3660
#define PERIOD_DAYS 30

/* What is sold where the input names no price: the same as in the stand-in WooCommerce. */
static const struct {
    const char *product, *sku, *name;
    int64_t cents;
} goods[] = {
    {"10", "ICONS-PRO", "Icon pack Pro", 4900},
    {"11", "ADD-1", "Extra boards", 1000},
    {"12", "FLOW-1", "Flow shapes", 1900},
};

/* Says why not. */
static bool cannot(const char **error, const char *sentence)
{
    *error = sentence;
    return false;
}

/* Money as text with two decimals, within what the sums can bear. */
static bool read_cents(const char *text, int64_t *cents)
{
    int64_t micros;
    if (text_to_micros(text, strlen(text), &micros) != 0 || micros < 0 ||
        micros % CENT_MICROS != 0 || micros / CENT_MICROS > INT32_MAX)
        return false;
    *cents = micros / CENT_MICROS;
    return true;
}

/* NULL stays NULL. */
static char *copy_text(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

/* One item; `recurring` unless it says otherwise. */
static bool read_item(struct sale *sale, struct json_object *input, bool recurring,
                      struct sale_item *item, const char **error)
{
    const char *product = tree_get_text(input, "product");
    const char *price = tree_get_text(input, "price");
    const char *name = tree_get_text(input, "name");
    const char *sku = tree_get_text(input, "sku");
    item->quantity = tree_get_number(input, "quantity", 1);
    item->cents = goods[0].cents;
    if (product == NULL || product[0] == '\0')
        return cannot(error, "product: expected a product's id");
    if (item->quantity < 1 || item->quantity > QUANTITY_MOST)
        return cannot(error, "quantity: expected 1 to 100000");
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        if (strcmp(goods[i].product, product) != 0)
            continue;
        item->cents = goods[i].cents;
        name = name == NULL ? goods[i].name : name;
        sku = sku == NULL ? goods[i].sku : sku;
    }
    if (price != NULL && !read_cents(price, &item->cents))
        return cannot(error, "price: expected an amount such as \"49.00\"");
    item->product = xstrdup(product);
    item->variant = copy_text(tree_get_text(input, "variant"));
    item->sku = copy_text(sku);
    item->name = xstrdup(name == NULL ? product : name);
    item->recurring = tree_get_bool(input, "recurring", recurring);
    item->id = sale_part(sale);
    return true;
}

/* A list of items, owned by the caller whatever the outcome. */
static bool read_items(struct sale *sale, struct json_object *list, bool recurring,
                       struct sale_item **items, size_t *count, const char **error)
{
    size_t len = list == NULL ? 0 : json_object_array_length(list);
    *items = NULL;
    *count = 0;
    if (len < 1 || len > SALE_ITEMS)
        return cannot(error, "items: expected 1 to 100 things to buy");
    *items = xcalloc(len, sizeof(**items));
    for (size_t i = 0; i < len; i++) {
        struct json_object *input = json_object_array_get_idx(list, i);
        if (!json_object_is_type(input, json_type_object))
            return cannot(error, "items: expected objects");
        if (!read_item(sale, input, recurring, &(*items)[i], error))
            return false;
        *count += 1;
    }
    return true;
}

/* The subscription that the sale begins, if any; it runs from the payment on. */
static bool read_term(struct sale *sale, struct json_object *input, const char **error)
{
    struct json_object *term = NULL;
    sale->term = (struct sale_term){.period_start = TIME_NONE,
                                    .period_end = TIME_NONE,
                                    .trial_end = TIME_NONE,
                                    .cancelled = TIME_NONE,
                                    .paused = TIME_NONE,
                                    .ended = TIME_NONE,
                                    .unpaid_since = TIME_NONE};
    if (!json_object_object_get_ex(input, "subscription", &term) || term == NULL)
        return true;
    if (!json_object_is_type(term, json_type_object))
        return cannot(error, "subscription: expected an object, {} at least");
    int64_t trial = tree_get_number(term, "trial_days", 0);
    sale->term.days = tree_get_number(term, "days", PERIOD_DAYS);
    if (sale->term.days < 1 || sale->term.days > DAYS_MOST || trial < 0 || trial > DAYS_MOST)
        return cannot(error, "subscription: expected days from 1 to 3660, trial_days from 0");
    sale->term.id = sale_part(sale);
    if (trial > 0)
        sale->term.trial_end = sale->created + trial * TIME_DAY;
    return true;
}

/* Who buys. */
static void read_buyer(struct sale *sale, struct json_object *input)
{
    const char *email = tree_get_text(input, "email"), *name = tree_get_text(input, "name");
    sale->email = xstrdup(email == NULL ? "" : email);
    sale->name = xstrdup(name == NULL ? "A. Buyer" : name);
    sale->reference = copy_text(tree_get_text(input, "reference"));
    sale->link = copy_text(tree_get_text(input, "link"));
    sale->gift = tree_get_bool(input, "gift", false);
}

struct sale *sale_read(struct json_object *input, int64_t number, bool live, int64_t now,
                       const char **error)
{
    const char *at = tree_get_text(input, "at");
    int64_t then = now;
    if (at != NULL && (clock_parse(at, strlen(at), &then) != 0 || then > now)) {
        *error = "at: expected a time of the past such as \"2026-11-23T10:00:00Z\"";
        return NULL;
    }
    struct sale *sale = xcalloc(1, sizeof(*sale));
    sale->number = number;
    sale->live = live;
    sale->created = then;
    sale->updated = then - 1;
    sale->state = SALE_UNPAID;
    read_buyer(sale, input);
    bool good = read_term(sale, input, error) &&
                read_items(sale, tree_get_array(input, "items"), sale->term.id != 0, &sale->items,
                           &sale->item_count, error);
    for (size_t i = 0; good && i < sale->item_count; i++)
        if (tree_get_bool(input, "free", false))
            sale->items[i].cents = 0;
    if (good && !tree_get_bool(input, "unpaid", false))
        good = sale_pay(sale, then, error);
    else
        sale->updated = then;
    if (good)
        return sale;
    sale_free(sale);
    return NULL;
}

bool sale_read_payment(const struct sale *sale, struct json_object *input, size_t *payment,
                       const char **error)
{
    int64_t at = tree_get_number(input, "payment", (int64_t)sale->payment_count - 1);
    if (at < 0 || (size_t)at >= sale->payment_count || sale->payments[at].paid == TIME_NONE)
        return cannot(error, "payment: expected the place of a payment that was made");
    *payment = (size_t)at;
    return true;
}

/* The place of the item that an entry of `items` names: by its id, or by its place. */
static bool read_place(const struct sale *sale, struct json_object *input, size_t *place)
{
    int64_t item = tree_get_number(input, "item", -1);
    for (size_t i = 0; i < sale->item_count; i++) {
        if (sale->items[i].id != item && (int64_t)i != item)
            continue;
        *place = i;
        return true;
    }
    return false;
}

/* How many of each item, and what they cost. */
static bool read_quantities(const struct sale *sale, struct json_object *list,
                            struct sale_refund *refund, const char **error)
{
    refund->count = sale->item_count;
    refund->quantities = xcalloc(sale->item_count, sizeof(*refund->quantities));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *input = json_object_array_get_idx(list, i);
        size_t at;
        if (!json_object_is_type(input, json_type_object) || !read_place(sale, input, &at))
            return cannot(error, "items: expected objects with an item's id or place");
        int64_t left = sale->items[at].quantity - sale->items[at].refunded - refund->quantities[at];
        int64_t quantity = tree_get_number(input, "quantity", left);
        if (quantity < 1 || quantity > left)
            return cannot(error, "items: more than was bought and is left");
        refund->quantities[at] += quantity;
        refund->cents += quantity * sale->items[at].cents;
    }
    return true;
}

/* Everything that is left of what the payment paid for. */
static void take_all(const struct sale *sale, int64_t left, struct sale_refund *refund)
{
    refund->count = sale->item_count;
    refund->quantities = xcalloc(sale->item_count, sizeof(*refund->quantities));
    for (size_t i = 0; i < sale->item_count; i++)
        if (refund->payment == 0 || sale->items[i].recurring)
            refund->quantities[i] = sale->items[i].quantity - sale->items[i].refunded;
    refund->cents = left;
}

bool sale_read_refund(const struct sale *sale, struct json_object *input,
                      struct sale_refund *refund, const char **error)
{
    struct json_object *list = tree_get_array(input, "items");
    const char *amount = tree_get_text(input, "amount");
    if (!sale_read_payment(sale, input, &refund->payment, error))
        return false;
    int64_t left = sale->payments[refund->payment].cents - sale_given_back(sale, refund->payment);
    if (tree_get_bool(input, "all", false))
        take_all(sale, left, refund);
    else if (list != NULL && !read_quantities(sale, list, refund, error))
        return false;
    if (amount != NULL && !read_cents(amount, &refund->cents))
        return cannot(error, "amount: expected an amount such as \"5.00\"");
    if (refund->cents < 1 || refund->cents > left)
        return cannot(error, "expected all, an amount, or items, of no more than is left");
    refund->whole = refund->cents == left;
    return true;
}

/* The recurring items give way to new ones; what was bought once stays. */
static bool replace_items(struct sale *sale, struct json_object *list, const char **error)
{
    struct sale_item *items;
    size_t count, kept = 0;
    if (!read_items(sale, list, true, &items, &count, error)) {
        sale_items_free(items, count);
        return false;
    }
    for (size_t i = 0; i < sale->item_count; i++) {
        struct sale_item *item = &sale->items[i];
        if (!item->recurring) {
            sale->items[kept++] = *item;
            continue;
        }
        sale_items_free(xmemdup(item, sizeof(*item)), 1);
    }
    sale->items = xreallocarray(sale->items, kept + count, sizeof(*sale->items));
    memcpy(&sale->items[kept], items, count * sizeof(*items));
    sale->item_count = kept + count;
    free(items);
    return true;
}

bool sale_read_change(struct sale *sale, struct json_object *input, const char **error)
{
    struct json_object *list = tree_get_array(input, "items");
    int64_t quantity = tree_get_number(input, "quantity", 0);
    if (list != NULL)
        return replace_items(sale, list, error);
    if (quantity < 1 || quantity > QUANTITY_MOST)
        return cannot(error, "expected items, or a quantity from 1 to 100000");
    for (size_t i = 0; i < sale->item_count; i++) {
        if (!sale->items[i].recurring)
            continue;
        sale->items[i].quantity = quantity;
        return true;
    }
    return cannot(error, "the sale has no recurring item");
}
