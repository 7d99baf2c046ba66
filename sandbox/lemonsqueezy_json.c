#include "lemonsqueezy_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define STORE 1
#define FIRST_ITEM 5000 /* what the id of a sale's part begins with for an order item */

/* Always six digits behind the second, and always zeros. */
static void put_time(struct json_object *tree, const char *key, int64_t time)
{
    char text[TIME_TEXT];
    if (time == TIME_NONE) {
        tree_text(tree, key, NULL);
        return;
    }
    clock_format((time / TIME_SECOND) * TIME_SECOND, text);
    char *padded = xasprintf("%.*s.000000Z", (int)strcspn(text, "Z"), text);
    tree_text(tree, key, padded);
    free(padded);
}

/* A number where the catalogue names the product by one, as Lemon Squeezy always does. */
static void put_id(struct json_object *tree, const char *key, const char *id)
{
    int64_t number;
    if (id != NULL && text_to_int(id, strlen(id), &number) == 0)
        tree_number(tree, key, number);
    else
        tree_text(tree, key, id);
}

/* {type, id, attributes}; takes the attributes. */
static struct json_object *object_tree(const char *type, int64_t id, struct json_object *attributes)
{
    struct json_object *tree = tree_object();
    char *text = xasprintf("%lld", (long long)id);
    tree_text(tree, "type", type);
    tree_text(tree, "id", text);
    tree_put(tree, "attributes", attributes);
    free(text);
    return tree;
}

static void put_buyer(struct json_object *tree, const struct sale *sale)
{
    tree_number(tree, "store_id", STORE);
    tree_number(tree, "customer_id", sale->number);
    tree_text(tree, "user_name", sale->name);
    tree_text(tree, "user_email", sale->email);
    tree_bool(tree, "test_mode", !sale->live);
}

/* An order item keeps its id when the plan changes, and what renews is another item. */
static int64_t item_id(const struct sale *sale, const struct sale_item *item)
{
    return sale->number * SALE_PARTS + FIRST_ITEM + (item - sale->items);
}

/* What an item has in common with the first one within its order. */
static struct json_object *item_attributes(const struct sale *sale, const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "order_id", sale->number);
    put_id(tree, "product_id", item->product);
    put_id(tree, "variant_id", item->variant);
    tree_number(tree, "price_id", item->id);
    tree_text(tree, "product_name", item->name);
    tree_text(tree, "variant_name", "Default");
    tree_number(tree, "price", item->cents);
    tree_number(tree, "quantity", item->quantity);
    put_time(tree, "created_at", sale->created);
    put_time(tree, "updated_at", sale->created);
    tree_bool(tree, "test_mode", !sale->live);
    return tree;
}

struct json_object *lemonsqueezy_item_tree(const struct sale *sale, const struct sale_item *item)
{
    return object_tree("order-items", item_id(sale, item), item_attributes(sale, item));
}

/* Money that went back of one payment; `paid` words are what it is called without. */
static void put_money(struct json_object *tree, const struct sale *sale, size_t payment,
                      const char *status)
{
    int64_t back = sale->payment_count > payment ? sale_given_back(sale, payment) : 0;
    int64_t total = sale->payment_count > payment ? sale->payments[payment].cents : 0;
    int64_t when = TIME_NONE;
    for (size_t i = 0; i < sale->refund_count; i++)
        if (sale->refunds[i].payment == payment && sale->refunds[i].state == SALE_REFUND_DONE)
            when = sale->refunds[i].updated;
    bool whole = back > 0 && back >= total;
    tree_text(tree, "status", whole ? "refunded" : back > 0 ? "partial_refund" : status);
    tree_bool(tree, "refunded", whole);
    tree_number(tree, "refunded_amount", back);
    put_time(tree, "refunded_at", whole ? when : TIME_NONE);
    tree_text(tree, "currency", "USD");
    tree_number(tree, "subtotal", total);
    tree_number(tree, "tax", 0);
    tree_number(tree, "total", total);
}

/* When the payment last changed: it was tried, paid, or given back. */
static int64_t payment_changed(const struct sale *sale, size_t payment)
{
    int64_t time = sale->payments[payment].created;
    if (sale->payments[payment].paid != TIME_NONE)
        time = sale->payments[payment].paid;
    for (size_t i = 0; i < sale->refund_count; i++)
        if (sale->refunds[i].payment == payment && sale->refunds[i].updated > time)
            time = sale->refunds[i].updated;
    return time;
}

/* The order is of the first payment, and what happens to later ones does not touch it. */
static int64_t order_changed(const struct sale *sale)
{
    bool paid = sale->state == SALE_PAID && sale->payment_count > 0;
    return paid ? payment_changed(sale, 0) : sale->updated;
}

/* The order is of the first payment; the others of a subscription are invoices alone. */
struct json_object *lemonsqueezy_order_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    char *identifier = xasprintf("00000000-0000-4000-8000-%012lld", (long long)sale->number);
    put_buyer(tree, sale);
    tree_text(tree, "identifier", identifier);
    tree_number(tree, "order_number", sale->number);
    put_money(tree, sale, 0,
              sale->state == SALE_PAID     ? "paid"
              : sale->state == SALE_UNPAID ? "pending"
                                           : "failed");
    if (!sale_has_term(sale)) {
        tree_number(tree, "subtotal", sale_total(sale));
        tree_number(tree, "total", sale_total(sale));
    }
    if (sale->item_count > 0) {
        struct json_object *item = item_attributes(sale, &sale->items[0]);
        tree_number(item, "id", item_id(sale, &sale->items[0]));
        tree_put(tree, "first_order_item", item);
    }
    put_time(tree, "created_at", sale->created);
    put_time(tree, "updated_at", order_changed(sale));
    free(identifier);
    return object_tree("orders", sale->number, tree);
}

static const char *const term_words[] = {
    [SALE_TRIAL] = "on_trial", [SALE_ACTIVE] = "active",       [SALE_PAST_DUE] = "past_due",
    [SALE_PAUSED] = "paused",  [SALE_CANCELLED] = "cancelled", [SALE_EXPIRED] = "expired",
};

/* The item that renews. */
static const struct sale_item *recurring_item(const struct sale *sale)
{
    for (size_t i = 0; i < sale->item_count; i++)
        if (sale->items[i].recurring)
            return &sale->items[i];
    return &sale->items[0];
}

/* How many are paid for, and the price: of which Lemon Squeezy tells the first item here too. */
static struct json_object *first_item(const struct sale *sale, const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", item->id);
    tree_number(tree, "subscription_id", sale->term.id);
    tree_number(tree, "price_id", item->id);
    tree_number(tree, "quantity", item->quantity);
    put_time(tree, "created_at", sale->created);
    put_time(tree, "updated_at", sale->updated);
    return tree;
}

/* renews_at of one that is past due is the next try to collect. */
static void put_term(struct json_object *tree, const struct sale *sale)
{
    const struct sale_term *term = &sale->term;
    bool ends = term->state == SALE_CANCELLED;
    bool over = term->state == SALE_EXPIRED;
    struct json_object *pause = NULL;
    if (term->state == SALE_PAUSED) {
        pause = tree_object();
        tree_text(pause, "mode", "void");
        tree_text(pause, "resumes_at", NULL);
    }
    tree_text(tree, "status", term_words[term->state]);
    tree_put(tree, "pause", pause);
    tree_bool(tree, "cancelled", ends || over);
    put_time(tree, "trial_ends_at", term->trial_end);
    put_time(tree, "renews_at",
             term->state == SALE_PAST_DUE ? sale->updated + TIME_DAY : term->period_end);
    put_time(tree, "ends_at", over ? term->ended : ends ? term->period_end : TIME_NONE);
}

struct json_object *lemonsqueezy_subscription_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    const struct sale_item *item = recurring_item(sale);
    put_buyer(tree, sale);
    tree_number(tree, "order_id", sale->number);
    tree_number(tree, "order_item_id", item_id(sale, item));
    put_id(tree, "product_id", item->product);
    put_id(tree, "variant_id", item->variant);
    tree_text(tree, "product_name", item->name);
    tree_text(tree, "variant_name", "Default");
    put_term(tree, sale);
    tree_put(tree, "first_subscription_item", first_item(sale, item));
    put_time(tree, "created_at", sale->created);
    put_time(tree, "updated_at", sale->updated);
    return object_tree("subscriptions", sale->term.id, tree);
}

struct json_object *lemonsqueezy_invoice_tree(const struct sale *sale,
                                              const struct sale_payment *payment)
{
    struct json_object *tree = tree_object();
    size_t at = (size_t)(payment - sale->payments);
    put_buyer(tree, sale);
    tree_number(tree, "subscription_id", sale->term.id);
    tree_text(tree, "billing_reason", at == 0 ? "initial" : "renewal");
    put_money(tree, sale, at, payment->paid == TIME_NONE ? "pending" : "paid");
    put_time(tree, "created_at", payment->created);
    put_time(tree, "updated_at", payment_changed(sale, at));
    return object_tree("subscription-invoices", payment->id, tree);
}
