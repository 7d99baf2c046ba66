#include <stdio.h>

#include "base/clock.h"
#include "stripe_json.h"

/*
 * Subscriptions and what is billed for them. The period stands on the items since basil, and on the
 * subscription before; an invoice names its subscription in `parent`, and its payments in a list,
 * where it had a `subscription`, a `charge` and a `payment_intent` of its own.
 */

#define CURRENCY "usd"

static void put_id(struct json_object *tree, const char *key, const char *prefix, int64_t part)
{
    char id[STRIPE_ID];
    stripe_id(prefix, part, id);
    tree_text(tree, key, id);
}

/* Where the period that runs begins and ends. */
static void put_period(struct json_object *tree, const struct sale *sale)
{
    stand_put_seconds(tree, "current_period_start", sale->term.period_start);
    stand_put_seconds(tree, "current_period_end", sale->term.period_end);
}

struct json_object *stripe_subscription_item_tree(const struct stripe_view *view,
                                                  const struct sale_item *item)
{
    struct json_object *line = stripe_line_tree(view, item), *price = NULL;
    struct json_object *tree = tree_object();
    put_id(tree, "id", "si_", item->id);
    tree_text(tree, "object", "subscription_item");
    stand_put_seconds(tree, "created", view->sale->created);
    if (!view->old)
        put_period(tree, view->sale);
    tree_put(tree, "metadata", tree_object());
    json_object_object_get_ex(line, "price", &price);
    tree_put(tree, "price", json_object_get(price));
    tree_number(tree, "quantity", item->quantity);
    put_id(tree, "subscription", "sub_", view->sale->term.id);
    tree_put(tree, "tax_rates", tree_array());
    json_object_put(line);
    return tree;
}

/* The items that recur. */
static struct json_object *items_tree(const struct stripe_view *view)
{
    struct json_object *data = tree_array();
    char url[STRIPE_ID * 2], id[STRIPE_ID];
    stripe_id("sub_", view->sale->term.id, id);
    snprintf(url, sizeof(url), "/v1/subscription_items?subscription=%s", id);
    for (size_t i = 0; i < view->sale->item_count; i++)
        if (view->sale->items[i].recurring)
            tree_add(data, stripe_subscription_item_tree(view, &view->sale->items[i]));
    return stripe_list_tree(data, false, url);
}

/* A seller's pause is no status: collection stops, and the invoices of that time are void. */
static const char *status_of(const struct sale *sale)
{
    switch (sale->term.state) {
    case SALE_TRIAL:
        return "trialing";
    case SALE_PAST_DUE:
        return "past_due";
    case SALE_EXPIRED:
        return "canceled";
    case SALE_ACTIVE:
    case SALE_PAUSED:
    case SALE_CANCELLED:
        break;
    }
    bool trial = sale->term.trial_end != TIME_NONE && sale->term.trial_end > sale->updated;
    return trial && sale->payment_count == 1 ? "trialing" : "active";
}

/* The status of one whose first payment was not made. */
static const char *unpaid_status_of(const struct sale *sale)
{
    if (sale->state == SALE_PAID)
        return status_of(sale);
    return sale->state == SALE_UNPAID ? "incomplete" : "incomplete_expired";
}

/* The last invoice: its id, or itself. */
static void put_latest_invoice(struct json_object *tree, const struct stripe_view *view)
{
    const struct sale_payment *last = sale_last_payment(view->sale);
    if (last == NULL)
        tree_put(tree, "latest_invoice", NULL);
    else if (view->expand & (EXPAND_INVOICE | EXPAND_PAYMENTS))
        tree_put(tree, "latest_invoice", stripe_invoice_tree(view, view->sale->payment_count - 1));
    else
        put_id(tree, "latest_invoice", "in_", last->id);
}

struct json_object *stripe_subscription_tree(const struct stripe_view *view)
{
    const struct sale *sale = view->sale;
    const struct sale_term *term = &sale->term;
    struct json_object *tree = tree_object(), *pause = NULL;
    put_id(tree, "id", "sub_", term->id);
    tree_text(tree, "object", "subscription");
    stand_put_seconds(tree, "billing_cycle_anchor", sale->created);
    tree_put(tree, "cancel_at", NULL);
    tree_bool(tree, "cancel_at_period_end", term->cancel_at_period_end);
    stand_put_seconds(tree, "canceled_at", term->cancelled);
    tree_text(tree, "collection_method", "charge_automatically");
    stand_put_seconds(tree, "created", sale->created);
    tree_text(tree, "currency", CURRENCY);
    if (view->old)
        put_period(tree, sale);
    if (view->expand & EXPAND_CUSTOMER)
        tree_put(tree, "customer", stripe_customer_tree(view));
    else
        put_id(tree, "customer", "cus_", sale->number * SALE_PARTS);
    stand_put_seconds(tree, "ended_at", term->ended);
    tree_put(tree, "items", items_tree(view));
    put_latest_invoice(tree, view);
    tree_bool(tree, "livemode", sale->live);
    tree_put(tree, "metadata", tree_object());
    if (term->state == SALE_PAUSED) {
        pause = tree_object();
        tree_text(pause, "behavior", "void");
        tree_put(pause, "resumes_at", NULL);
    }
    tree_put(tree, "pause_collection", pause);
    stand_put_seconds(tree, "start_date", sale->created);
    tree_text(tree, "status", unpaid_status_of(sale));
    stand_put_seconds(tree, "trial_end", term->trial_end);
    stand_put_seconds(tree, "trial_start",
                      term->trial_end == TIME_NONE ? TIME_NONE : sale->created);
    return tree;
}

/* What an invoice bills of an item: the period, or once. */
static struct json_object *invoice_line_tree(const struct stripe_view *view,
                                             const struct sale_payment *payment,
                                             const struct sale_item *item)
{
    struct json_object *tree = tree_object(), *period = tree_object();
    char id[STRIPE_ID];
    stripe_id("si_", item->id, id);
    put_id(tree, "id", "il_", item->id);
    tree_text(tree, "object", "line_item");
    tree_number(tree, "amount", payment->cents == 0 ? 0 : item->cents * item->quantity);
    tree_text(tree, "currency", CURRENCY);
    tree_text(tree, "description", item->name);
    tree_bool(tree, "livemode", view->sale->live);
    tree_put(tree, "metadata", tree_object());
    stand_put_seconds(period, "start", payment->period_start);
    stand_put_seconds(period, "end", payment->period_end);
    tree_put(tree, "period", period);
    tree_number(tree, "quantity", item->quantity);
    if (view->old) {
        tree_text(tree, "type", item->recurring ? "subscription" : "invoiceitem");
        tree_bool(tree, "proration", false);
        put_id(tree, "subscription", "sub_", view->sale->term.id);
        tree_text(tree, "subscription_item", item->recurring ? id : NULL);
        return tree;
    }
    struct json_object *parent = tree_object(), *details = tree_object();
    const char *kind = item->recurring ? "subscription_item_details" : "invoice_item_details";
    put_id(details, "subscription", "sub_", view->sale->term.id);
    tree_text(details, item->recurring ? "subscription_item" : "invoice_item", id);
    tree_bool(details, "proration", false);
    tree_text(parent, "type", kind);
    tree_put(parent, kind, details);
    tree_put(tree, "parent", parent);
    return tree;
}

/* The first invoice bills everything, later ones what recurs. */
static struct json_object *invoice_lines_tree(const struct stripe_view *view, size_t payment)
{
    struct json_object *data = tree_array();
    char url[STRIPE_ID * 2], id[STRIPE_ID];
    const struct sale_payment *paid = &view->sale->payments[payment];
    stripe_id("in_", paid->id, id);
    snprintf(url, sizeof(url), "/v1/invoices/%s/lines", id);
    for (size_t i = 0; i < view->sale->item_count; i++)
        if (payment == 0 || view->sale->items[i].recurring)
            tree_add(data, invoice_line_tree(view, paid, &view->sale->items[i]));
    return stripe_list_tree(data, false, url);
}

struct json_object *stripe_invoice_payment_tree(const struct stripe_view *view, size_t payment)
{
    const struct sale_payment *paid = &view->sale->payments[payment];
    struct json_object *tree = tree_object(), *details = tree_object(), *times = tree_object();
    bool done = paid->paid != TIME_NONE;
    put_id(tree, "id", "inpay_", paid->id);
    tree_text(tree, "object", "invoice_payment");
    tree_number(tree, "amount_paid", done ? paid->cents : 0);
    tree_number(tree, "amount_requested", paid->cents);
    stand_put_seconds(tree, "created", paid->created);
    tree_text(tree, "currency", CURRENCY);
    if (view->expand & EXPAND_INVOICE) {
        struct stripe_view plain = *view;
        plain.expand = 0;
        tree_put(tree, "invoice", stripe_invoice_tree(&plain, payment));
    } else {
        put_id(tree, "invoice", "in_", paid->id);
    }
    tree_bool(tree, "is_default", true);
    tree_bool(tree, "livemode", view->sale->live);
    tree_text(details, "type", "payment_intent");
    put_id(details, "payment_intent", "pi_", paid->id);
    tree_put(tree, "payment", details);
    tree_text(tree, "status", done ? "paid" : "open");
    stand_put_seconds(times, "paid_at", paid->paid);
    tree_put(times, "canceled_at", NULL);
    tree_put(tree, "status_transitions", times);
    return tree;
}

/* What the invoice belongs to, and what paid for it. */
static void put_links(struct json_object *tree, const struct stripe_view *view, size_t payment)
{
    const struct sale_payment *paid = &view->sale->payments[payment];
    bool charged = stripe_is_charged(view->sale, payment);
    if (view->old) {
        put_id(tree, "subscription", "sub_", view->sale->term.id);
        tree_put(tree, "charge", NULL);
        tree_put(tree, "payment_intent", NULL);
        tree_bool(tree, "paid", paid->paid != TIME_NONE);
        if (charged)
            put_id(tree, "payment_intent", "pi_", paid->id);
        if (charged && paid->paid != TIME_NONE)
            put_id(tree, "charge", "ch_", paid->id);
        return;
    }
    struct json_object *parent = tree_object(), *details = tree_object();
    tree_put(details, "metadata", tree_object());
    put_id(details, "subscription", "sub_", view->sale->term.id);
    tree_text(parent, "type", "subscription_details");
    tree_put(parent, "quote_details", NULL);
    tree_put(parent, "subscription_details", details);
    tree_put(tree, "parent", parent);
    if (!(view->expand & EXPAND_PAYMENTS))
        return;
    struct json_object *data = tree_array();
    struct stripe_view plain = *view;
    plain.expand = 0;
    if (charged)
        tree_add(data, stripe_invoice_payment_tree(&plain, payment));
    tree_put(tree, "payments", stripe_list_tree(data, false, "/v1/invoice_payments"));
}

struct json_object *stripe_invoice_tree(const struct stripe_view *view, size_t payment)
{
    const struct sale *sale = view->sale;
    const struct sale_payment *paid = &sale->payments[payment];
    struct json_object *tree = tree_object(), *times = tree_object();
    bool done = paid->paid != TIME_NONE;
    put_id(tree, "id", "in_", paid->id);
    tree_text(tree, "object", "invoice");
    tree_number(tree, "amount_due", paid->cents);
    tree_number(tree, "amount_paid", done ? paid->cents : 0);
    tree_number(tree, "amount_remaining", done ? 0 : paid->cents);
    tree_number(tree, "attempt_count", 1);
    tree_bool(tree, "attempted", true);
    tree_text(tree, "billing_reason", payment == 0 ? "subscription_create" : "subscription_cycle");
    tree_text(tree, "collection_method", "charge_automatically");
    stand_put_seconds(tree, "created", paid->created);
    tree_text(tree, "currency", CURRENCY);
    put_id(tree, "customer", "cus_", sale->number * SALE_PARTS);
    tree_text(tree, "customer_email", sale->email[0] == '\0' ? NULL : sale->email);
    tree_text(tree, "customer_name", sale->name);
    tree_put(tree, "lines", invoice_lines_tree(view, payment));
    tree_bool(tree, "livemode", sale->live);
    tree_put(tree, "metadata", tree_object());
    stand_put_seconds(tree, "period_start", paid->period_start);
    stand_put_seconds(tree, "period_end", paid->period_end);
    put_links(tree, view, payment);
    tree_text(tree, "status", done ? "paid" : "open");
    stand_put_seconds(times, "finalized_at", paid->created);
    tree_put(times, "marked_uncollectible_at", NULL);
    stand_put_seconds(times, "paid_at", paid->paid);
    tree_put(times, "voided_at", NULL);
    tree_put(tree, "status_transitions", times);
    tree_number(tree, "subtotal", paid->cents);
    tree_number(tree, "total", paid->cents);
    return tree;
}
