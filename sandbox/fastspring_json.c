#include "fastspring_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define MILLISECOND (TIME_SECOND / 1000)

char *fastspring_id(char letter, int64_t number)
{
    return xasprintf("%c%lld", letter, (long long)number);
}

int64_t fastspring_number(const char *id, char letter)
{
    int64_t number;
    bool good = id[0] == letter && text_to_int(id + 1, strlen(id + 1), &number) == 0;
    return good ? number : -1;
}

void fastspring_put_time(struct json_object *tree, const char *key, int64_t time)
{
    if (time == TIME_NONE)
        tree_put(tree, key, NULL);
    else
        tree_number(tree, key, time / MILLISECOND);
}

static void put_id(struct json_object *tree, const char *key, char letter, int64_t number)
{
    char *id = fastspring_id(letter, number);
    tree_text(tree, key, id);
    free(id);
}

static void put_amount(struct json_object *tree, const char *key, int64_t cents)
{
    tree_put(tree, key, json_object_new_double((double)cents / 100));
}

/* The id of the order that a payment made. */
static void put_order_id(struct json_object *tree, const char *key, const struct sale *sale,
                         size_t payment)
{
    put_id(tree, key, 'O', payment == 0 ? sale->number : sale->payments[payment].id);
}

struct json_object *fastspring_account_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    struct json_object *contact = tree_object();
    put_id(tree, "id", 'A', sale->number);
    put_id(tree, "account", 'A', sale->number);
    tree_text(contact, "first", sale->name);
    tree_text(contact, "email", sale->email);
    tree_put(tree, "contact", contact);
    tree_text(tree, "country", "US");
    return tree;
}

static void put_account(struct json_object *tree, const struct sale *sale, bool expanded)
{
    if (expanded)
        tree_put(tree, "account", fastspring_account_tree(sale));
    else
        put_id(tree, "account", 'A', sale->number);
}

/* The buyer, and whom it is for: the same person. */
static void put_buyer(struct json_object *tree, const struct sale *sale)
{
    struct json_object *customer = tree_object();
    struct json_object *recipients = tree_array();
    struct json_object *holder = tree_object();
    struct json_object *recipient = tree_object();
    tree_text(customer, "first", sale->name);
    tree_text(customer, "email", sale->email);
    tree_put(tree, "customer", customer);
    tree_text(recipient, "first", sale->name);
    tree_text(recipient, "email", sale->email);
    put_id(recipient, "account", 'A', sale->number);
    tree_put(holder, "recipient", recipient);
    tree_add(recipients, holder);
    tree_put(tree, "recipients", recipients);
}

static void put_tags(struct json_object *tree, const struct sale *sale)
{
    struct json_object *tags = tree_object();
    if (sale->reference != NULL)
        tree_text(tags, "miro_reference", sale->reference);
    tree_put(tree, "tags", tags);
}

static bool renews(const struct sale *sale, const struct sale_item *item)
{
    return sale_has_term(sale) && item->recurring;
}

static struct json_object *item_tree(const struct sale *sale, const struct sale_item *item,
                                     bool expanded)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "product", item->product);
    tree_number(tree, "quantity", item->quantity);
    tree_text(tree, "display", item->name);
    tree_text(tree, "sku", item->sku);
    put_amount(tree, "subtotal", item->cents * item->quantity);
    if (renews(sale, item) && expanded)
        tree_put(tree, "subscription", fastspring_subscription_tree(sale, false));
    else if (renews(sale, item))
        put_id(tree, "subscription", 'U', sale->term.id);
    return tree;
}

/* What a payment was for: all of it at first, then what renews. */
static struct json_object *items_tree(const struct sale *sale, size_t payment, bool expanded)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->item_count; i++)
        if (payment == 0 || renews(sale, &sale->items[i]))
            tree_add(list, item_tree(sale, &sale->items[i], expanded));
    return list;
}

/* When the order of a payment last changed: it is not touched again once it is completed. */
static int64_t order_changed(const struct sale *sale, size_t payment)
{
    if (payment < sale->payment_count && sale->payments[payment].paid != TIME_NONE)
        return sale->payments[payment].paid;
    return sale->state == SALE_PAID ? sale->created : sale->updated;
}

static int64_t order_total(const struct sale *sale, size_t payment)
{
    return payment < sale->payment_count ? sale->payments[payment].cents : sale_total(sale);
}

/* What was given back of the payment: the ids alone. */
static void put_returns(struct json_object *tree, const struct sale *sale, size_t payment)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->refund_count; i++) {
        const struct sale_refund *refund = &sale->refunds[i];
        if (refund->payment != payment || refund->state != SALE_REFUND_DONE)
            continue;
        struct json_object *entry = tree_object();
        put_id(entry, "return", 'R', refund->id);
        tree_add(list, entry);
    }
    if (json_object_array_length(list) > 0)
        tree_put(tree, "returns", list);
    else
        json_object_put(list);
}

struct json_object *fastspring_order_tree(const struct sale *sale, size_t payment, bool expanded)
{
    struct json_object *tree = tree_object();
    char *reference = xasprintf("SAN%lld-%zu", (long long)sale->number, payment);
    put_order_id(tree, "order", sale, payment);
    put_order_id(tree, "id", sale, payment);
    tree_text(tree, "reference", reference);
    tree_bool(tree, "live", sale->live);
    tree_text(tree, "currency", "USD");
    tree_bool(tree, "completed", sale->state == SALE_PAID);
    fastspring_put_time(tree, "changed", order_changed(sale, payment));
    put_amount(tree, "total", order_total(sale, payment));
    put_amount(tree, "tax", 0);
    put_amount(tree, "subtotal", order_total(sale, payment));
    put_account(tree, sale, expanded);
    put_buyer(tree, sale);
    put_tags(tree, sale);
    tree_put(tree, "items", items_tree(sale, payment, expanded));
    put_returns(tree, sale, payment);
    free(reference);
    return tree;
}

static const char *const state_words[] = {
    [SALE_TRIAL] = "trial",   [SALE_ACTIVE] = "active",      [SALE_PAST_DUE] = "overdue",
    [SALE_PAUSED] = "paused", [SALE_CANCELLED] = "canceled", [SALE_EXPIRED] = "deactivated",
};

/* When the next payment is due, and when all ends. Of one that is overdue that is the date that was
 * not kept. */
static void put_dates(struct json_object *tree, const struct sale_term *term)
{
    bool goes_on = term->state == SALE_TRIAL || term->state == SALE_ACTIVE;
    int64_t due = goes_on                        ? term->period_end
                  : term->state == SALE_PAST_DUE ? term->unpaid_since
                                                 : TIME_NONE;
    bool ends = term->state == SALE_CANCELLED || term->state == SALE_EXPIRED;
    fastspring_put_time(tree, "begin", term->period_start);
    fastspring_put_time(tree, "next", due);
    fastspring_put_time(tree, "nextChargeDate", due);
    fastspring_put_time(tree, "end", term->state == SALE_CANCELLED ? term->period_end : TIME_NONE);
    fastspring_put_time(tree, "canceledDate", ends ? term->cancelled : TIME_NONE);
    fastspring_put_time(tree, "deactivationDate",
                        term->state == SALE_EXPIRED     ? term->ended
                        : term->state == SALE_CANCELLED ? term->period_end
                                                        : TIME_NONE);
}

/* The item that renews first; the others that do were added to it. */
static void put_product(struct json_object *tree, const struct sale *sale)
{
    struct json_object *addons = tree_array();
    bool first = true;
    for (size_t i = 0; i < sale->item_count; i++) {
        const struct sale_item *item = &sale->items[i];
        if (!item->recurring)
            continue;
        if (first) {
            tree_text(tree, "product", item->product);
            tree_text(tree, "sku", item->sku);
            tree_text(tree, "display", item->name);
            tree_number(tree, "quantity", item->quantity);
            put_amount(tree, "price", item->cents);
        } else {
            struct json_object *addon = tree_object();
            tree_text(addon, "product", item->product);
            tree_text(addon, "sku", item->sku);
            tree_number(addon, "quantity", item->quantity);
            tree_add(addons, addon);
        }
        first = false;
    }
    tree_put(tree, "addons", addons);
}

struct json_object *fastspring_subscription_tree(const struct sale *sale, bool expanded)
{
    struct json_object *tree = tree_object();
    put_id(tree, "id", 'U', sale->term.id);
    put_id(tree, "subscription", 'U', sale->term.id);
    tree_bool(tree, "active", sale->term.state != SALE_EXPIRED);
    tree_text(tree, "state", state_words[sale->term.state]);
    fastspring_put_time(tree, "changed", sale->updated);
    tree_bool(tree, "live", sale->live);
    tree_text(tree, "currency", "USD");
    put_account(tree, sale, expanded);
    put_product(tree, sale);
    put_dates(tree, &sale->term);
    put_tags(tree, sale);
    tree_bool(tree, "autoRenew", sale->term.state != SALE_CANCELLED);
    return tree;
}

struct json_object *fastspring_charge_tree(const struct sale *sale, size_t payment, bool expanded)
{
    struct json_object *tree = tree_object();
    const struct sale_payment *charge = &sale->payments[payment];
    bool paid = charge->paid != TIME_NONE;
    tree_text(tree, "currency", "USD");
    put_amount(tree, "total", charge->cents);
    tree_text(tree, "status", paid ? "successful" : "failed");
    fastspring_put_time(tree, "timestamp", paid ? charge->paid : charge->created);
    put_account(tree, sale, expanded);
    if (!paid)
        tree_text(tree, "reason", "INSUFFICIENT_FUNDS");
    else if (expanded)
        tree_put(tree, "order", fastspring_order_tree(sale, payment, false));
    else
        put_order_id(tree, "order", sale, payment);
    if (expanded)
        tree_put(tree, "subscription", fastspring_subscription_tree(sale, false));
    else
        put_id(tree, "subscription", 'U', sale->term.id);
    return tree;
}

/* An item that went back, with what all of it cost. */
static struct json_object *returned_item(const struct sale *sale, const struct sale_item *item,
                                         int64_t quantity)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "product", item->product);
    tree_number(tree, "quantity", quantity);
    tree_text(tree, "display", item->name);
    tree_text(tree, "sku", item->sku);
    put_amount(tree, "subtotal", item->cents * quantity);
    if (renews(sale, item))
        put_id(tree, "subscription", 'U', sale->term.id);
    return tree;
}

/* What a return names: what went back, or all that was paid for where it was money alone. */
static struct json_object *returned_items(const struct sale *sale, const struct sale_refund *refund)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->item_count; i++) {
        const struct sale_item *item = &sale->items[i];
        bool known = refund->quantities != NULL && i < refund->count;
        int64_t quantity = known                        ? refund->quantities[i]
                           : refund->quantities != NULL ? 0
                           : refund->payment == 0       ? item->quantity
                           : renews(sale, item)         ? item->quantity
                                                        : 0;
        if (quantity > 0)
            tree_add(list, returned_item(sale, item, quantity));
    }
    return list;
}

struct json_object *fastspring_return_tree(const struct sale *sale,
                                           const struct sale_refund *refund)
{
    struct json_object *tree = tree_object();
    struct json_object *original = tree_object();
    put_id(tree, "return", 'R', refund->id);
    put_id(tree, "id", 'R', refund->id);
    tree_bool(tree, "completed", refund->state == SALE_REFUND_DONE);
    fastspring_put_time(tree, "changed", refund->updated);
    tree_bool(tree, "live", sale->live);
    tree_text(tree, "currency", "USD");
    put_id(tree, "account", 'A', sale->number);
    put_amount(tree, "totalReturn", refund->cents);
    put_amount(tree, "subtotal", refund->cents);
    put_order_id(original, "order", sale, refund->payment);
    put_order_id(original, "id", sale, refund->payment);
    put_id(original, "account", 'A', sale->number);
    put_amount(original, "total", order_total(sale, refund->payment));
    tree_put(tree, "original", original);
    tree_put(tree, "items", returned_items(sale, refund));
    tree_text(tree, "reason", refund->reason);
    return tree;
}

/* FastSpring documents the first of these words alone. */
static const char *const chargeback_words[] = {
    [SALE_DISPUTE_INQUIRY] = "NEW",
    [SALE_DISPUTE_OPEN] = "NEW",
    [SALE_DISPUTE_WON] = "WON",
    [SALE_DISPUTE_LOST] = "LOST",
};

struct json_object *fastspring_chargeback_tree(const struct sale *sale,
                                               const struct sale_dispute *dispute)
{
    struct json_object *tree = tree_object();
    put_order_id(tree, "order", sale, dispute->payment);
    put_id(tree, "processorCaseId", 'D', dispute->id);
    tree_text(tree, "status", chargeback_words[dispute->state]);
    put_amount(tree, "amount", dispute->cents);
    tree_text(tree, "currency", "USD");
    tree_bool(tree, "live", sale->live);
    return tree;
}
