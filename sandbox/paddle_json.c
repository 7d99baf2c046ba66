#include "paddle_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define CURRENCY "USD"
#define TIME_DIGITS 17
#define PART_DIGITS 14

void paddle_id(const char *prefix, int64_t created, int64_t part, char out[PADDLE_ID])
{
    snprintf(out, PADDLE_ID, "%s01%0*lldz%0*lld", prefix, TIME_DIGITS, (long long)created,
             PART_DIGITS, (long long)part);
}

bool paddle_part(const char *id, const char *prefix, int64_t *created, int64_t *part)
{
    size_t len = strlen(id), start = strlen(prefix) + 2;
    char same[PADDLE_ID];
    if (len != start + TIME_DIGITS + 1 + PART_DIGITS ||
        text_to_int(id + start, TIME_DIGITS, created) != 0 ||
        text_to_int(id + len - PART_DIGITS, PART_DIGITS, part) != 0)
        return false;
    paddle_id(prefix, *created, *part, same);
    return strcmp(same, id) == 0;
}

static void put_id(struct json_object *tree, const char *key, const char *prefix, int64_t created,
                   int64_t part)
{
    char id[PADDLE_ID];
    paddle_id(prefix, created, part, id);
    tree_text(tree, key, id);
}

void paddle_put_time(struct json_object *tree, const char *key, int64_t time)
{
    tree_time(tree, key, time);
}

/* Cents as the text that Paddle writes them in. */
static void put_cents(struct json_object *tree, const char *key, int64_t cents)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)cents);
    tree_text(tree, key, text);
}

/* Totals of an amount that bears no tax. */
static struct json_object *totals_tree(int64_t cents, bool grand)
{
    struct json_object *tree = tree_object();
    put_cents(tree, "subtotal", cents);
    put_cents(tree, "discount", 0);
    put_cents(tree, "tax", 0);
    put_cents(tree, "total", cents);
    if (!grand)
        return tree;
    put_cents(tree, "credit", 0);
    put_cents(tree, "balance", 0);
    put_cents(tree, "grand_total", cents);
    tree_put(tree, "fee", NULL);
    tree_put(tree, "earnings", NULL);
    tree_text(tree, "currency_code", CURRENCY);
    return tree;
}

/* {"interval", "frequency"}. */
static struct json_object *cycle_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "interval", "day");
    tree_number(tree, "frequency", sale->term.days);
    return tree;
}

/* The id of an item's price, a new string. */
static char *price_of(const struct sale_item *item)
{
    return item->variant != NULL ? xstrdup(item->variant) : xasprintf("pri_%s", item->product);
}

static struct json_object *price_tree(const struct sale *sale, const struct sale_item *item)
{
    struct json_object *tree = tree_object(), *unit = tree_object(), *limits = tree_object();
    char *id = price_of(item);
    tree_text(tree, "id", id);
    tree_text(tree, "product_id", item->product);
    tree_text(tree, "type", "standard");
    tree_text(tree, "status", "active");
    tree_text(tree, "description", item->name);
    tree_text(tree, "name", item->name);
    tree_text(tree, "tax_mode", "account_setting");
    put_cents(unit, "amount", item->cents);
    tree_text(unit, "currency_code", CURRENCY);
    tree_put(tree, "unit_price", unit);
    tree_put(tree, "unit_price_overrides", tree_array());
    tree_put(tree, "billing_cycle", item->recurring ? cycle_tree(sale) : NULL);
    tree_put(tree, "trial_period", NULL);
    tree_number(limits, "minimum", 1);
    tree_number(limits, "maximum", 100000);
    tree_put(tree, "quantity", limits);
    tree_put(tree, "custom_data", NULL);
    free(id);
    return tree;
}

struct json_object *paddle_product_tree(const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "id", item->product);
    tree_text(tree, "name", item->name);
    tree_text(tree, "type", "standard");
    tree_text(tree, "status", "active");
    tree_text(tree, "tax_category", "standard");
    tree_put(tree, "description", NULL);
    tree_put(tree, "image_url", NULL);
    tree_put(tree, "custom_data", NULL);
    return tree;
}

/* The reference that the seller's checkout handed over, or null. */
static struct json_object *custom_tree(const struct sale *sale)
{
    if (sale->reference == NULL)
        return NULL;
    struct json_object *tree = tree_object();
    tree_text(tree, "miro_reference", sale->reference);
    return tree;
}

size_t paddle_transactions(const struct sale *sale)
{
    return sale->payment_count > 1 ? sale->payment_count : 1;
}

int64_t paddle_transaction_part(const struct sale *sale, size_t at)
{
    return at == 0 ? sale->number * SALE_PARTS : sale->payments[at].id;
}

int64_t paddle_transaction_created(const struct sale *sale, size_t at)
{
    /* payments has payment_count. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    return at == 0 ? sale->created : sale->payments[at].created;
}

int64_t paddle_transaction_updated(const struct sale *sale, size_t at)
{
    int64_t time = paddle_transaction_created(sale, at);
    bool last = at + 1 == paddle_transactions(sale);
    if (at < sale->payment_count && sale->payments[at].paid > time)
        time = sale->payments[at].paid;
    for (size_t i = 0; i < sale->refund_count; i++)
        if (sale->refunds[i].payment == at && sale->refunds[i].updated > time)
            time = sale->refunds[i].updated;
    for (size_t i = 0; i < sale->dispute_count; i++)
        if (sale->disputes[i].payment == at && sale->disputes[i].updated > time)
            time = sale->disputes[i].updated;
    /* Whatever else changes a sale that is no subscription changes its one transaction. */
    if (last && (sale->payment_count == 0 || !sale_has_term(sale)) && sale->updated > time)
        time = sale->updated;
    return time;
}

const char *paddle_transaction_status(const struct sale *sale, size_t at)
{
    if (sale->state == SALE_VOIDED)
        return "canceled";
    if (sale->state == SALE_UNPAID)
        return "billed";
    /* payments has payment_count. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    if (at < sale->payment_count && sale->payments[at].paid == TIME_NONE)
        return "past_due";
    return "completed";
}

/* Whether an item is of a transaction: of the first one all are. */
static bool is_of(const struct sale_item *item, size_t at)
{
    return at == 0 || item->recurring;
}

/* What an item costs in a transaction: in a trial what recurs costs nothing yet. */
static int64_t cents_of(const struct sale *sale, const struct sale_item *item, size_t at)
{
    bool trial = at == 0 && sale->term.trial_end != TIME_NONE && item->recurring;
    return trial ? 0 : item->cents * item->quantity;
}

static int64_t total_of(const struct sale *sale, size_t at)
{
    int64_t cents = 0;
    if (at < sale->payment_count) /* so payments is there.
                                     NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        return sale->payments[at].cents;
    for (size_t i = 0; i < sale->item_count; i++)
        cents += cents_of(sale, &sale->items[i], at);
    return cents;
}

static struct json_object *items_tree(const struct sale *sale, size_t at)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->item_count; i++) {
        if (!is_of(&sale->items[i], at))
            continue;
        struct json_object *tree = tree_object();
        tree_put(tree, "price", price_tree(sale, &sale->items[i]));
        tree_number(tree, "quantity", sale->items[i].quantity);
        tree_put(tree, "proration", NULL);
        tree_add(list, tree);
    }
    return list;
}

/* The same as they were billed. */
static struct json_object *line_items_tree(const struct sale *sale, size_t at)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->item_count; i++) {
        const struct sale_item *item = &sale->items[i];
        if (!is_of(item, at))
            continue;
        struct json_object *tree = tree_object();
        char *price = price_of(item);
        put_id(tree, "id", "txnitm_", paddle_transaction_created(sale, at), item->id);
        tree_text(tree, "price_id", price);
        tree_number(tree, "quantity", item->quantity);
        tree_put(tree, "totals", totals_tree(cents_of(sale, item, at), false));
        tree_put(tree, "unit_totals", totals_tree(item->cents, false));
        tree_put(tree, "product", paddle_product_tree(item));
        tree_text(tree, "tax_rate", "0");
        tree_add(list, tree);
        free(price);
    }
    return list;
}

static struct json_object *payments_tree(const struct sale *sale, size_t at)
{
    struct json_object *list = tree_array();
    if (at >= sale->payment_count || sale->payments[at].cents == 0)
        return list;
    const struct sale_payment *payment = &sale->payments[at];
    struct json_object *tree = tree_object(), *method = tree_object();
    bool done = payment->paid != TIME_NONE;
    tree_text(method, "type", "card");
    tree_put(method, "card", NULL);
    tree_put(tree, "method_details", method);
    put_cents(tree, "amount", payment->cents);
    tree_text(tree, "status", done ? "captured" : "error");
    tree_text(tree, "error_code", done ? NULL : "declined");
    paddle_put_time(tree, "created_at", payment->created);
    paddle_put_time(tree, "captured_at", payment->paid);
    tree_add(list, tree);
    return list;
}

static struct json_object *details_tree(const struct sale *sale, size_t at)
{
    struct json_object *tree = tree_object(), *rates = tree_array(), *rate = tree_object();
    int64_t total = total_of(sale, at);
    tree_put(tree, "totals", totals_tree(total, true));
    tree_put(tree, "adjusted_totals", totals_tree(total - sale_given_back(sale, at), true));
    tree_put(tree, "line_items", line_items_tree(sale, at));
    tree_text(rate, "tax_rate", "0");
    tree_put(rate, "totals", totals_tree(total, false));
    tree_add(rates, rate);
    tree_put(tree, "tax_rates_used", rates);
    tree_put(tree, "payout_totals", NULL);
    tree_put(tree, "adjusted_payout_totals", NULL);
    return tree;
}

/* {"starts_at", "ends_at"}, or null. */
static struct json_object *period_tree(int64_t start, int64_t end)
{
    if (start == TIME_NONE || end == TIME_NONE)
        return NULL;
    struct json_object *tree = tree_object();
    paddle_put_time(tree, "starts_at", start);
    paddle_put_time(tree, "ends_at", end);
    return tree;
}

/* The adjustments of one transaction. */
static struct json_object *adjustments_tree(const struct sale *sale, size_t at)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < paddle_adjustments(sale); i++) {
        struct paddle_adjustment adjustment = paddle_adjustment_at(sale, i);
        size_t payment = adjustment.of == PADDLE_REFUND ? sale->refunds[adjustment.at].payment
                                                        : sale->disputes[adjustment.at].payment;
        bool is_none = adjustment.of == PADDLE_REVERSAL &&
                       sale->disputes[adjustment.at].state != SALE_DISPUTE_WON;
        if (payment == at && !is_none)
            tree_add(list, paddle_adjustment_tree(sale, adjustment));
    }
    return list;
}

struct json_object *paddle_transaction_tree(const struct paddle_view *view, size_t at)
{
    const struct sale *sale = view->sale;
    const struct sale_payment *payment = at < sale->payment_count ? &sale->payments[at] : NULL;
    struct json_object *tree = tree_object();
    bool paid = payment != NULL && payment->paid != TIME_NONE;
    put_id(tree, "id", "txn_", paddle_transaction_created(sale, at),
           paddle_transaction_part(sale, at));
    tree_text(tree, "status", paddle_transaction_status(sale, at));
    put_id(tree, "customer_id", "ctm_", sale->created, sale->number * SALE_PARTS);
    tree_put(tree, "address_id", NULL);
    tree_put(tree, "business_id", NULL);
    tree_put(tree, "custom_data", custom_tree(sale));
    tree_text(tree, "currency_code", CURRENCY);
    tree_text(tree, "origin", at == 0 ? "web" : "subscription_recurring");
    tree_put(tree, "subscription_id", NULL);
    if (sale_has_term(sale) && sale->state == SALE_PAID)
        put_id(tree, "subscription_id", "sub_", sale->created, sale->term.id);
    tree_text(tree, "collection_mode", "automatic");
    tree_put(tree, "discount_id", NULL);
    tree_put(tree, "invoice_id", NULL);
    tree_put(tree, "invoice_number", NULL);
    tree_put(tree, "billing_details", NULL);
    tree_put(tree, "billing_period",
             payment == NULL ? NULL : period_tree(payment->period_start, payment->period_end));
    tree_put(tree, "items", items_tree(sale, at));
    tree_put(tree, "details", details_tree(sale, at));
    tree_put(tree, "payments", payments_tree(sale, at));
    paddle_put_time(tree, "created_at", paddle_transaction_created(sale, at));
    paddle_put_time(tree, "updated_at", paddle_transaction_updated(sale, at));
    paddle_put_time(tree, "billed_at", paid ? payment->paid : paddle_transaction_created(sale, at));
    if (view->customer)
        tree_put(tree, "customer", paddle_customer_tree(sale));
    if (view->adjustments)
        tree_put(tree, "adjustments", adjustments_tree(sale, at));
    return tree;
}

struct json_object *paddle_customer_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    put_id(tree, "id", "ctm_", sale->created, sale->number * SALE_PARTS);
    tree_text(tree, "status", "active");
    tree_put(tree, "custom_data", NULL);
    tree_text(tree, "name", sale->name);
    tree_text(tree, "email", sale->email);
    tree_bool(tree, "marketing_consent", false);
    tree_text(tree, "locale", "en");
    paddle_put_time(tree, "created_at", sale->created);
    paddle_put_time(tree, "updated_at", sale->created);
    return tree;
}

size_t paddle_adjustments(const struct sale *sale)
{
    return sale->refund_count + 2 * sale->dispute_count;
}

struct paddle_adjustment paddle_adjustment_at(const struct sale *sale, size_t at)
{
    if (at < sale->refund_count)
        return (struct paddle_adjustment){PADDLE_REFUND, at};
    at -= sale->refund_count;
    return (struct paddle_adjustment){at % 2 == 0 ? PADDLE_DISPUTE : PADDLE_REVERSAL, at / 2};
}
