#include "stripe_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define CURRENCY "usd"
#define DIGITS 16

void stripe_id(const char *prefix, int64_t part, char out[STRIPE_ID])
{
    snprintf(out, STRIPE_ID, "%sSandbox%0*lld", prefix, DIGITS, (long long)part);
}

void stripe_session_id(const struct sale *sale, char out[STRIPE_ID])
{
    stripe_id(sale->live ? "cs_live_" : "cs_test_", sale->number * SALE_PARTS, out);
}

int64_t stripe_part(const char *id, const char *prefix)
{
    size_t len = strlen(id);
    int64_t part;
    char same[STRIPE_ID];
    if (len < DIGITS || text_to_int(id + len - DIGITS, DIGITS, &part) != 0)
        return 0;
    stripe_id(prefix, part, same);
    return strcmp(same, id) == 0 ? part : 0;
}

/* An id, as text. */
static void put_id(struct json_object *tree, const char *key, const char *prefix, int64_t part)
{
    char id[STRIPE_ID];
    stripe_id(prefix, part, id);
    tree_text(tree, key, id);
}

/* Members that are null in everything that is sold here. */
static void put_nulls(struct json_object *tree, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tree_put(tree, keys[i], NULL);
}
#define PUT_NULLS(tree, ...)                              \
    put_nulls((tree), (const char *const[]){__VA_ARGS__}, \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

struct json_object *stripe_list_tree(struct json_object *data, bool has_more, const char *url)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "object", "list");
    tree_put(tree, "data", data);
    tree_bool(tree, "has_more", has_more);
    tree_text(tree, "url", url);
    return tree;
}

/* Nobody's street is known. */
static struct json_object *address_tree(void)
{
    struct json_object *tree = tree_object();
    PUT_NULLS(tree, "city", "country", "line1", "line2", "postal_code", "state");
    return tree;
}

/* {"interval", "interval_count"} of what recurs, or null. */
static struct json_object *recurring_tree(const struct stripe_view *view,
                                          const struct sale_item *item)
{
    if (!item->recurring)
        return NULL;
    struct json_object *tree = tree_object();
    tree_text(tree, "interval", "day");
    tree_number(tree, "interval_count", view->sale->term.days);
    tree_text(tree, "usage_type", "licensed");
    PUT_NULLS(tree, "meter", "trial_period_days");
    return tree;
}

/* What is bought, at its price. */
static struct json_object *price_tree(const struct stripe_view *view, const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    char *made = xasprintf("price_%s", item->product);
    tree_text(tree, "id", item->variant != NULL ? item->variant : made);
    tree_text(tree, "object", "price");
    tree_bool(tree, "active", true);
    tree_text(tree, "billing_scheme", "per_unit");
    stand_put_seconds(tree, "created", view->shop->began);
    tree_text(tree, "currency", CURRENCY);
    tree_bool(tree, "livemode", view->sale->live);
    tree_text(tree, "lookup_key", item->sku);
    tree_put(tree, "metadata", tree_object());
    tree_text(tree, "product", item->product);
    tree_put(tree, "recurring", recurring_tree(view, item));
    tree_text(tree, "tax_behavior", "unspecified");
    tree_text(tree, "type", item->recurring ? "recurring" : "one_time");
    tree_number(tree, "unit_amount", item->cents);
    PUT_NULLS(tree, "custom_unit_amount", "nickname", "tiers_mode", "transform_quantity");
    free(made);
    return tree;
}

struct json_object *stripe_line_tree(const struct stripe_view *view, const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    int64_t cents = item->cents * item->quantity;
    put_id(tree, "id", "li_", item->id);
    tree_text(tree, "object", "item");
    tree_number(tree, "amount_discount", 0);
    tree_number(tree, "amount_subtotal", cents);
    tree_number(tree, "amount_tax", 0);
    tree_number(tree, "amount_total", cents);
    tree_text(tree, "currency", CURRENCY);
    tree_text(tree, "description", item->name);
    tree_put(tree, "price", price_tree(view, item));
    tree_number(tree, "quantity", item->quantity);
    return tree;
}

bool stripe_is_charged(const struct sale *sale, size_t payment)
{
    return payment < sale->payment_count && sale->payments[payment].cents > 0;
}

/* Who bought, as he told at the checkout. */
static struct json_object *details_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    tree_put(tree, "address", address_tree());
    tree_text(tree, "email", sale->email[0] == '\0' ? NULL : sale->email);
    tree_text(tree, "name", sale->name);
    tree_text(tree, "tax_exempt", "none");
    PUT_NULLS(tree, "phone", "tax_ids");
    return tree;
}

/* The lines, of which a page holds ten, unless they are asked for by themselves. */
static struct json_object *lines_tree(const struct stripe_view *view, const char *session)
{
    struct json_object *data = tree_array();
    char url[STRIPE_ID * 2];
    snprintf(url, sizeof(url), "/v1/checkout/sessions/%s/line_items", session);
    size_t shown = view->sale->item_count > 10 ? 10 : view->sale->item_count;
    for (size_t i = 0; i < shown; i++)
        tree_add(data, stripe_line_tree(view, &view->sale->items[i]));
    return stripe_list_tree(data, shown < view->sale->item_count, url);
}

/* The session's customer: its id, or itself. */
static void put_customer(struct json_object *tree, const struct stripe_view *view)
{
    if (view->expand & EXPAND_CUSTOMER)
        tree_put(tree, "customer", stripe_customer_tree(view));
    else
        put_id(tree, "customer", "cus_", view->sale->number * SALE_PARTS);
}

/* How far the payment is. */
static const char *payment_status(const struct sale *sale)
{
    if (sale->state == SALE_UNPAID || sale->state == SALE_VOIDED)
        return "unpaid";
    return stripe_is_charged(sale, 0) ? "paid" : "no_payment_required";
}

/* What paid for the session: an intent, or the subscription's first invoice. */
static void put_payment(struct json_object *tree, const struct stripe_view *view)
{
    const struct sale *sale = view->sale;
    bool term = sale_has_term(sale);
    PUT_NULLS(tree, "payment_intent", "subscription", "invoice");
    if (term)
        put_id(tree, "subscription", "sub_", sale->term.id);
    if (term && sale->payment_count > 0)
        put_id(tree, "invoice", "in_", sale->payments[0].id);
    if (term || !stripe_is_charged(sale, 0))
        return;
    if (view->expand & (EXPAND_INTENT | EXPAND_CHARGE | EXPAND_REFUNDS))
        tree_put(tree, "payment_intent", stripe_intent_tree(view, 0));
    else
        put_id(tree, "payment_intent", "pi_", sale->payments[0].id);
}

struct json_object *stripe_session_tree(const struct stripe_view *view)
{
    const struct sale *sale = view->sale;
    struct json_object *tree = tree_object();
    char id[STRIPE_ID];
    bool trial = sale->term.trial_end != TIME_NONE;
    int64_t total = trial ? sale_item_cents(sale, false) : sale_total(sale);
    stripe_session_id(sale, id);
    tree_text(tree, "id", id);
    tree_text(tree, "object", "checkout.session");
    tree_number(tree, "amount_subtotal", total);
    tree_number(tree, "amount_total", total);
    tree_text(tree, "client_reference_id", sale->reference);
    stand_put_seconds(tree, "created", sale->created);
    tree_text(tree, "currency", CURRENCY);
    put_customer(tree, view);
    tree_put(tree, "customer_details", details_tree(sale));
    stand_put_seconds(tree, "expires_at", sale->created + TIME_DAY);
    tree_bool(tree, "livemode", sale->live);
    tree_put(tree, "metadata", tree_object());
    tree_text(tree, "mode", sale_has_term(sale) ? "subscription" : "payment");
    put_payment(tree, view);
    tree_text(tree, "payment_link", sale->link);
    tree_text(tree, "payment_status", payment_status(sale));
    tree_text(tree, "status", "complete");
    PUT_NULLS(tree, "customer_email", "setup_intent", "submit_type", "url");
    if (view->expand & EXPAND_LINE_ITEMS)
        tree_put(tree, "line_items", lines_tree(view, id));
    return tree;
}

struct json_object *stripe_intent_tree(const struct stripe_view *view, size_t payment)
{
    const struct sale_payment *paid = &view->sale->payments[payment];
    struct json_object *tree = tree_object();
    bool done = paid->paid != TIME_NONE;
    put_id(tree, "id", "pi_", paid->id);
    tree_text(tree, "object", "payment_intent");
    tree_number(tree, "amount", paid->cents);
    tree_number(tree, "amount_received", done ? paid->cents : 0);
    stand_put_seconds(tree, "created", paid->created);
    tree_text(tree, "currency", CURRENCY);
    put_id(tree, "customer", "cus_", view->sale->number * SALE_PARTS);
    tree_put(tree, "latest_charge", NULL);
    if (done && (view->expand & (EXPAND_CHARGE | EXPAND_REFUNDS)))
        tree_put(tree, "latest_charge", stripe_charge_tree(view, payment));
    else if (done)
        put_id(tree, "latest_charge", "ch_", paid->id);
    tree_bool(tree, "livemode", view->sale->live);
    tree_put(tree, "metadata", tree_object());
    tree_text(tree, "status", done ? "succeeded" : "requires_payment_method");
    return tree;
}

/* The refunds of a charge, newest first. */
static struct json_object *refunds_tree(const struct stripe_view *view, size_t payment,
                                        const char *charge)
{
    struct json_object *data = tree_array();
    char url[STRIPE_ID * 2];
    snprintf(url, sizeof(url), "/v1/charges/%s/refunds", charge);
    for (size_t i = view->sale->refund_count; i > 0; i--)
        if (view->sale->refunds[i - 1].payment == payment)
            tree_add(data, stripe_refund_tree(view, &view->sale->refunds[i - 1]));
    return stripe_list_tree(data, false, url);
}

/* Whether a payment was ever disputed, if only by an inquiry. */
static bool is_disputed(const struct sale *sale, size_t payment)
{
    for (size_t i = 0; i < sale->dispute_count; i++)
        if (sale->disputes[i].payment == payment)
            return true;
    return false;
}

struct json_object *stripe_charge_tree(const struct stripe_view *view, size_t payment)
{
    const struct sale *sale = view->sale;
    const struct sale_payment *paid = &sale->payments[payment];
    struct json_object *tree = tree_object(), *billing = details_tree(sale);
    char id[STRIPE_ID];
    int64_t back = sale_given_back(sale, payment);
    stripe_id("ch_", paid->id, id);
    tree_text(tree, "id", id);
    tree_text(tree, "object", "charge");
    tree_number(tree, "amount", paid->cents);
    tree_number(tree, "amount_captured", paid->cents);
    tree_number(tree, "amount_refunded", back);
    tree_put(tree, "billing_details", billing);
    tree_bool(tree, "captured", true);
    stand_put_seconds(tree, "created", paid->paid == TIME_NONE ? paid->created : paid->paid);
    tree_text(tree, "currency", CURRENCY);
    put_id(tree, "customer", "cus_", sale->number * SALE_PARTS);
    tree_bool(tree, "disputed", is_disputed(sale, payment));
    if (view->old && sale_has_term(sale))
        put_id(tree, "invoice", "in_", paid->id);
    tree_bool(tree, "livemode", sale->live);
    tree_put(tree, "metadata", tree_object());
    tree_bool(tree, "paid", paid->paid != TIME_NONE);
    put_id(tree, "payment_intent", "pi_", paid->id);
    tree_bool(tree, "refunded", back > 0 && back == paid->cents);
    tree_text(tree, "status", paid->paid != TIME_NONE ? "succeeded" : "failed");
    PUT_NULLS(tree, "description", "receipt_email", "failure_code", "failure_message");
    if (view->expand & EXPAND_REFUNDS)
        tree_put(tree, "refunds", refunds_tree(view, payment, id));
    return tree;
}

struct json_object *stripe_refund_tree(const struct stripe_view *view,
                                       const struct sale_refund *refund)
{
    /* Stripe has no word for a refund that was undone: it failed, after all. */
    static const char *const statuses[] = {"pending", "succeeded", "failed", "failed"};
    const struct sale_payment *paid = &view->sale->payments[refund->payment];
    struct json_object *tree = tree_object();
    put_id(tree, "id", "re_", refund->id);
    tree_text(tree, "object", "refund");
    tree_number(tree, "amount", refund->cents);
    put_id(tree, "charge", "ch_", paid->id);
    stand_put_seconds(tree, "created", refund->created);
    tree_text(tree, "currency", CURRENCY);
    tree_put(tree, "metadata", tree_object());
    put_id(tree, "payment_intent", "pi_", paid->id);
    tree_text(tree, "reason", "requested_by_customer");
    tree_text(tree, "status", statuses[refund->state]);
    PUT_NULLS(tree, "balance_transaction", "receipt_number", "source_transfer_reversal",
              "transfer_reversal");
    return tree;
}

/* An inquiry that became a chargeback says so; one that was closed never was one. */
static const char *dispute_status(const struct sale_dispute *dispute)
{
    static const char *const statuses[] = {"warning_needs_response", "needs_response", "won",
                                           "lost"};
    if (dispute->inquiry && dispute->state > SALE_DISPUTE_OPEN)
        return "warning_closed";
    return statuses[dispute->state];
}

struct json_object *stripe_dispute_tree(const struct stripe_view *view,
                                        const struct sale_dispute *dispute)
{
    const struct sale_payment *paid = &view->sale->payments[dispute->payment];
    struct json_object *tree = tree_object();
    put_id(tree, "id", "dp_", dispute->id);
    tree_text(tree, "object", "dispute");
    tree_number(tree, "amount", dispute->cents);
    tree_put(tree, "balance_transactions", tree_array());
    put_id(tree, "charge", "ch_", paid->id);
    stand_put_seconds(tree, "created", dispute->created);
    tree_text(tree, "currency", CURRENCY);
    tree_bool(tree, "is_charge_refundable", dispute->state == SALE_DISPUTE_INQUIRY);
    tree_bool(tree, "livemode", view->sale->live);
    tree_put(tree, "metadata", tree_object());
    put_id(tree, "payment_intent", "pi_", paid->id);
    tree_text(tree, "reason", "general");
    tree_text(tree, "status", dispute_status(dispute));
    return tree;
}

struct json_object *stripe_customer_tree(const struct stripe_view *view)
{
    const struct sale *sale = view->sale;
    struct json_object *tree = tree_object();
    put_id(tree, "id", "cus_", sale->number * SALE_PARTS);
    tree_text(tree, "object", "customer");
    tree_number(tree, "balance", 0);
    stand_put_seconds(tree, "created", sale->created);
    tree_bool(tree, "delinquent", false);
    tree_text(tree, "email", sale->email[0] == '\0' ? NULL : sale->email);
    tree_bool(tree, "livemode", sale->live);
    tree_put(tree, "metadata", tree_object());
    tree_text(tree, "name", sale->name);
    PUT_NULLS(tree, "address", "currency", "default_source", "description", "phone", "shipping");
    return tree;
}
