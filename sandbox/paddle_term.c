#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "paddle_json.h"

/*
 * Subscriptions, and adjustments: a refund, a chargeback (or the warning of one), and the reversal
 * of a chargeback that was won, which is an adjustment of its own.
 */

static void put_id(struct json_object *tree, const char *key, const char *prefix, int64_t created,
                   int64_t part)
{
    char id[PADDLE_ID];
    paddle_id(prefix, created, part, id);
    tree_text(tree, key, id);
}

static void put_cents(struct json_object *tree, const char *key, int64_t cents)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)cents);
    tree_text(tree, key, text);
}

int64_t paddle_adjustment_created(const struct sale *sale, struct paddle_adjustment adjustment)
{
    switch (adjustment.of) {
    case PADDLE_REFUND:
        return sale->refunds[adjustment.at].created;
    case PADDLE_DISPUTE:
        return sale->disputes[adjustment.at].created;
    case PADDLE_REVERSAL:
        break;
    }
    return sale->disputes[adjustment.at].updated;
}

int64_t paddle_adjustment_part(const struct sale *sale, struct paddle_adjustment adjustment)
{
    return adjustment.of == PADDLE_REFUND ? sale->refunds[adjustment.at].id
                                          : sale->disputes[adjustment.at].id;
}

/* An item of an adjustment, of a line of its transaction. */
static struct json_object *item_tree(const struct sale *sale, size_t payment,
                                     const struct sale_item *item, bool full, int64_t cents)
{
    struct json_object *tree = tree_object(), *totals = tree_object();
    int64_t made = payment == 0 ? sale->created : sale->payments[payment].created;
    put_id(tree, "id", "adjitm_", made, item->id);
    put_id(tree, "item_id", "txnitm_", made, item->id);
    tree_text(tree, "type", full ? "full" : "partial");
    put_cents(tree, "amount", cents);
    tree_put(tree, "proration", NULL);
    put_cents(totals, "subtotal", cents);
    put_cents(totals, "tax", 0);
    put_cents(totals, "total", cents);
    tree_put(tree, "totals", totals);
    return tree;
}

/* What a refund gives back, line by line: money alone comes from the first line. */
static struct json_object *refund_items(const struct sale *sale, const struct sale_refund *refund)
{
    struct json_object *list = tree_array();
    if (refund->quantities == NULL)
        tree_add(list, item_tree(sale, refund->payment, &sale->items[0], false, refund->cents));
    for (size_t i = 0; refund->quantities != NULL && i < refund->count && i < sale->item_count;
         i++) {
        const struct sale_item *item = &sale->items[i];
        int64_t quantity = refund->quantities[i];
        if (quantity > 0)
            tree_add(list, item_tree(sale, refund->payment, item,
                                     refund->whole || quantity == item->quantity,
                                     quantity * item->cents));
    }
    return list;
}

/* A chargeback takes every line. */
static struct json_object *dispute_items(const struct sale *sale,
                                         const struct sale_dispute *dispute)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->item_count; i++)
        if (dispute->payment == 0 || sale->items[i].recurring)
            tree_add(list, item_tree(sale, dispute->payment, &sale->items[i], true,
                                     sale->items[i].cents * sale->items[i].quantity));
    return list;
}

/* Action, status, and when it changed last. */
struct head {
    const char *action, *status;
    int64_t updated, cents;
    size_t payment;
    bool full;
};

static struct head refund_head(const struct sale_refund *refund)
{
    static const char *const statuses[] = {"pending_approval", "approved", "rejected", "reversed"};
    return (struct head){"refund",      statuses[refund->state], refund->updated,
                         refund->cents, refund->payment,         refund->whole};
}

static struct head dispute_head(const struct sale_dispute *dispute, bool reversal)
{
    const char *action = dispute->inquiry
                             ? (reversal ? "chargeback_warning_reverse" : "chargeback_warning")
                             : (reversal ? "chargeback_reverse" : "chargeback");
    return (struct head){
        action,         "approved",       reversal ? dispute->updated : dispute->created,
        dispute->cents, dispute->payment, true};
}

struct json_object *paddle_adjustment_tree(const struct sale *sale,
                                           struct paddle_adjustment adjustment)
{
    bool refund = adjustment.of == PADDLE_REFUND;
    const struct head head =
        refund ? refund_head(&sale->refunds[adjustment.at])
               : dispute_head(&sale->disputes[adjustment.at], adjustment.of == PADDLE_REVERSAL);
    struct json_object *tree = tree_object(), *totals = tree_object();
    int64_t created = paddle_adjustment_created(sale, adjustment);
    put_id(tree, "id", "adj_", created, paddle_adjustment_part(sale, adjustment));
    tree_text(tree, "action", head.action);
    tree_text(tree, "type", head.full ? "full" : "partial");
    put_id(tree, "transaction_id", "txn_", paddle_transaction_created(sale, head.payment),
           paddle_transaction_part(sale, head.payment));
    tree_put(tree, "subscription_id", NULL);
    if (sale_has_term(sale))
        put_id(tree, "subscription_id", "sub_", sale->created, sale->term.id);
    put_id(tree, "customer_id", "ctm_", sale->created, sale->number * SALE_PARTS);
    tree_text(tree, "reason", refund ? sale->refunds[adjustment.at].reason : "fraud");
    tree_text(tree, "currency_code", "USD");
    tree_text(tree, "status", head.status);
    tree_bool(tree, "credit_applied_to_balance", false);
    tree_put(tree, "items",
             refund ? refund_items(sale, &sale->refunds[adjustment.at])
                    : dispute_items(sale, &sale->disputes[adjustment.at]));
    put_cents(totals, "subtotal", head.cents);
    put_cents(totals, "tax", 0);
    put_cents(totals, "total", head.cents);
    tree_text(totals, "currency_code", "USD");
    tree_put(tree, "totals", totals);
    paddle_put_time(tree, "created_at", created);
    paddle_put_time(tree, "updated_at", head.updated);
    return tree;
}

/* What recurs, with its product. */
static struct json_object *items_tree(const struct sale *sale)
{
    struct paddle_view view = {.sale = sale};
    struct json_object *transaction = paddle_transaction_tree(&view, 0), *bought = NULL;
    struct json_object *list = tree_array();
    json_object_object_get_ex(transaction, "items", &bought);
    for (size_t i = 0; i < sale->item_count; i++) {
        const struct sale_item *item = &sale->items[i];
        if (!item->recurring)
            continue;
        struct json_object *tree = tree_object(), *price = NULL;
        json_object_object_get_ex(json_object_array_get_idx(bought, i), "price", &price);
        tree_text(tree, "status", sale->term.state == SALE_TRIAL ? "trialing" : "active");
        tree_number(tree, "quantity", item->quantity);
        tree_bool(tree, "recurring", true);
        paddle_put_time(tree, "created_at", sale->created);
        paddle_put_time(tree, "updated_at", sale->updated);
        paddle_put_time(tree, "next_billed_at", sale->term.period_end);
        tree_put(tree, "price", json_object_get(price));
        tree_put(tree, "product", paddle_product_tree(item));
        tree_add(list, tree);
    }
    json_object_put(transaction);
    return list;
}

/* One that will end with its period is active until then, with a change that is planned. */
static const char *status_of(const struct sale *sale)
{
    switch (sale->term.state) {
    case SALE_TRIAL:
        return "trialing";
    case SALE_PAST_DUE:
        return "past_due";
    case SALE_PAUSED:
        return "paused";
    case SALE_EXPIRED:
        return "canceled";
    case SALE_ACTIVE:
    case SALE_CANCELLED:
        break;
    }
    bool trial = sale->term.trial_end != TIME_NONE && sale->payment_count == 1;
    return trial ? "trialing" : "active";
}

/* {"action":"cancel","effective_at","resume_at"}, or null. */
static struct json_object *change_tree(const struct sale_term *term)
{
    if (term->state != SALE_CANCELLED)
        return NULL;
    struct json_object *tree = tree_object();
    tree_text(tree, "action", "cancel");
    paddle_put_time(tree, "effective_at", term->period_end);
    tree_put(tree, "resume_at", NULL);
    return tree;
}

/* The period that runs; what is paused or ended has none. */
static struct json_object *period_tree(const struct sale_term *term)
{
    if (term->state == SALE_PAUSED || term->state == SALE_EXPIRED)
        return NULL;
    struct json_object *tree = tree_object();
    paddle_put_time(tree, "starts_at", term->period_start);
    paddle_put_time(tree, "ends_at", term->period_end);
    return tree;
}

struct json_object *paddle_subscription_tree(const struct sale *sale, bool created)
{
    const struct sale_term *term = &sale->term;
    struct json_object *tree = tree_object(), *cycle = tree_object(), *custom = NULL;
    bool over = term->state == SALE_PAUSED || term->state == SALE_EXPIRED;
    put_id(tree, "id", "sub_", sale->created, term->id);
    tree_text(tree, "status", status_of(sale));
    put_id(tree, "customer_id", "ctm_", sale->created, sale->number * SALE_PARTS);
    if (created)
        put_id(tree, "transaction_id", "txn_", sale->created, sale->number * SALE_PARTS);
    tree_put(tree, "address_id", NULL);
    tree_put(tree, "business_id", NULL);
    tree_text(tree, "currency_code", "USD");
    tree_text(tree, "collection_mode", "automatic");
    tree_put(tree, "billing_details", NULL);
    tree_put(tree, "discount", NULL);
    if (sale->reference != NULL) {
        custom = tree_object();
        tree_text(custom, "miro_reference", sale->reference);
    }
    tree_put(tree, "custom_data", custom);
    tree_text(cycle, "interval", "day");
    tree_number(cycle, "frequency", term->days);
    tree_put(tree, "billing_cycle", cycle);
    tree_put(tree, "current_billing_period", period_tree(term));
    tree_put(tree, "scheduled_change", change_tree(term));
    tree_put(tree, "items", items_tree(sale));
    paddle_put_time(tree, "created_at", sale->created);
    paddle_put_time(tree, "updated_at", sale->updated);
    paddle_put_time(tree, "started_at", sale->created);
    paddle_put_time(tree, "first_billed_at", sale->created);
    paddle_put_time(tree, "next_billed_at", over ? TIME_NONE : term->period_end);
    paddle_put_time(tree, "paused_at", term->state == SALE_PAUSED ? term->paused : TIME_NONE);
    paddle_put_time(tree, "canceled_at", term->ended);
    return tree;
}
