#include "standard_polar.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Ids are UUIDs, of which the last digits are those of the sale's part. */
static void put_id(struct json_object *tree, const char *key, int64_t part)
{
    char *id = xasprintf("00000000-0000-4000-8000-%012lld", (long long)part);
    tree_text(tree, key, id);
    free(id);
}

/* The order of a payment; a sale without any has one under its own number. */
static int64_t order_part(const struct sale *sale, size_t payment)
{
    return payment < sale->payment_count ? sale->payments[payment].id : sale->number;
}

static void put_buyer(struct json_object *tree, const struct sale *sale)
{
    struct json_object *customer = tree_object();
    struct json_object *metadata = tree_object();
    put_id(customer, "id", sale->number);
    tree_text(customer, "email", sale->email);
    tree_text(customer, "name", sale->name);
    put_id(tree, "customer_id", sale->number);
    tree_put(tree, "customer", customer);
    if (sale->reference != NULL)
        tree_text(metadata, "miro_reference", sale->reference);
    tree_put(tree, "metadata", metadata);
}

/* What is sold: the first item, or the first that renews. */
static const struct sale_item *item_of(const struct sale *sale)
{
    for (size_t i = 0; sale_has_term(sale) && i < sale->item_count; i++)
        if (sale->items[i].recurring)
            return &sale->items[i];
    return &sale->items[0];
}

static void put_product(struct json_object *tree, const struct sale *sale)
{
    const struct sale_item *item = item_of(sale);
    struct json_object *product = tree_object();
    tree_text(product, "id", item->product);
    tree_text(product, "name", item->name);
    tree_text(tree, "product_id", item->product);
    tree_put(tree, "product", product);
    if (item->quantity > 1)
        tree_number(tree, "seats", item->quantity);
}

/* When the payment last changed. */
static int64_t order_changed(const struct sale *sale, size_t payment)
{
    int64_t time;
    if (payment < sale->payment_count)
        time = sale->payments[payment].paid != TIME_NONE ? sale->payments[payment].paid
                                                         : sale->payments[payment].created;
    else
        time = sale->updated;
    for (size_t i = 0; i < sale->refund_count; i++)
        if (sale->refunds[i].payment == payment && sale->refunds[i].updated > time)
            time = sale->refunds[i].updated;
    return time;
}

static const char *order_status(const struct sale *sale, int64_t back, int64_t total)
{
    if (sale->state == SALE_UNPAID)
        return "pending";
    if (sale->state == SALE_VOIDED)
        return "void";
    return back == 0 ? "paid" : back >= total ? "refunded" : "partially_refunded";
}

static struct json_object *order_tree(const struct sale *sale, size_t payment)
{
    struct json_object *tree = tree_object();
    bool charged = payment < sale->payment_count;
    int64_t total = charged ? sale->payments[payment].cents : sale_total(sale);
    int64_t back = charged ? sale_given_back(sale, payment) : 0;
    put_id(tree, "id", order_part(sale, payment));
    tree_time(tree, "created_at", charged ? sale->payments[payment].created : sale->created);
    tree_time(tree, "modified_at", order_changed(sale, payment));
    tree_text(tree, "status", order_status(sale, back, total));
    tree_bool(tree, "paid", sale->state == SALE_PAID);
    tree_text(tree, "currency", "usd");
    tree_number(tree, "subtotal_amount", total);
    tree_number(tree, "total_amount", total);
    tree_number(tree, "tax_amount", 0);
    tree_number(tree, "refunded_amount", back);
    tree_number(tree, "refunded_tax_amount", 0);
    tree_text(tree, "billing_reason",
              !sale_has_term(sale) ? "purchase"
              : payment == 0       ? "subscription_create"
                                   : "subscription_cycle");
    if (sale_has_term(sale))
        put_id(tree, "subscription_id", sale->term.id);
    else
        tree_put(tree, "subscription_id", NULL);
    put_product(tree, sale);
    put_buyer(tree, sale);
    tree_put(tree, "items", tree_array());
    return tree;
}

static const char *const term_words[] = {
    [SALE_TRIAL] = "trialing", [SALE_ACTIVE] = "active",    [SALE_PAST_DUE] = "past_due",
    [SALE_PAUSED] = "paused",  [SALE_CANCELLED] = "active", [SALE_EXPIRED] = "canceled",
};

static struct json_object *subscription_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    const struct sale_term *term = &sale->term;
    bool ends = term->state == SALE_CANCELLED;
    put_id(tree, "id", term->id);
    tree_time(tree, "created_at", sale->created);
    tree_time(tree, "modified_at", sale->updated);
    tree_text(tree, "status", term_words[term->state]);
    tree_time(tree, "current_period_start", term->period_start);
    tree_time(tree, "current_period_end", term->period_end);
    tree_bool(tree, "cancel_at_period_end", ends);
    tree_time(tree, "canceled_at", term->cancelled);
    tree_time(tree, "started_at", sale->created);
    tree_time(tree, "ends_at", ends ? term->period_end : TIME_NONE);
    tree_time(tree, "ended_at", term->ended);
    tree_time(tree, "paused_at", term->paused);
    tree_time(tree, "trial_end", term->trial_end);
    tree_text(tree, "currency", "usd");
    tree_number(tree, "amount", sale_item_cents(sale, true));
    put_product(tree, sale);
    put_buyer(tree, sale);
    tree_put(tree, "prices", tree_array());
    return tree;
}

static const char *const refund_words[] = {
    [SALE_REFUND_PENDING] = "pending",
    [SALE_REFUND_DONE] = "succeeded",
    [SALE_REFUND_FAILED] = "failed",
    [SALE_REFUND_REVERSED] = "failed",
};

static struct json_object *refund_tree(const struct sale *sale, const struct sale_refund *refund)
{
    struct json_object *tree = tree_object();
    put_id(tree, "id", refund->id);
    tree_time(tree, "created_at", refund->created);
    tree_time(tree, "modified_at", refund->updated);
    tree_text(tree, "status", refund_words[refund->state]);
    tree_text(tree, "reason", "customer_request");
    tree_number(tree, "amount", refund->cents);
    tree_number(tree, "tax_amount", 0);
    tree_text(tree, "currency", "usd");
    put_id(tree, "order_id", order_part(sale, refund->payment));
    if (sale_has_term(sale))
        put_id(tree, "subscription_id", sale->term.id);
    else
        tree_put(tree, "subscription_id", NULL);
    put_id(tree, "customer_id", sale->number);
    return tree;
}

/* The first payment, and the subscription that begins with it. */
static void tell_paid(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale)
{
    if (sale_has_term(sale)) {
        standard_send(sandbox, shop, sale, "subscription.created", subscription_tree(sale));
        standard_send(sandbox, shop, sale, "subscription.active", subscription_tree(sale));
    }
    if (!sale_has_term(sale) || sale->payments[0].cents > 0)
        standard_send(sandbox, shop, sale, "order.paid", order_tree(sale, 0));
}

/* Every change of a refund is told by it and by its order. */
static void tell_refund(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                        enum sale_event event, size_t part)
{
    const struct sale_refund *refund = &sale->refunds[part];
    bool asked = event == SALE_EVENT_REFUND_ASKED || refund->created == refund->updated;
    standard_send(sandbox, shop, sale, asked ? "refund.created" : "refund.updated",
                  refund_tree(sale, refund));
    if (event == SALE_EVENT_REFUNDED)
        standard_send(sandbox, shop, sale, "order.refunded", order_tree(sale, refund->payment));
    else if (event == SALE_EVENT_REFUND_FAILED)
        standard_send(sandbox, shop, sale, "order.updated", order_tree(sale, refund->payment));
}

/* What a change of the subscription is called. */
static const char *term_event(enum sale_event event)
{
    switch (event) {
    case SALE_EVENT_RENEWED:
    case SALE_EVENT_RECOVERED:
    case SALE_EVENT_TERM_PAUSED:
    case SALE_EVENT_TERM_CHANGED:
    case SALE_EVENT_ADDRESS_CHANGED:
        return "subscription.updated";
    case SALE_EVENT_PAST_DUE:
        return "subscription.past_due";
    case SALE_EVENT_TERM_RESUMED:
        return "subscription.uncanceled";
    case SALE_EVENT_TERM_CANCELLED:
        return "subscription.canceled";
    case SALE_EVENT_TERM_EXPIRED:
        return "subscription.revoked";
    default:
        return NULL;
    }
}

void standard_tell_polar(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                         enum sale_event event, size_t part)
{
    const char *term = sale_has_term(sale) ? term_event(event) : NULL;
    if (event == SALE_EVENT_CREATED)
        standard_send(sandbox, shop, sale, "order.created", order_tree(sale, 0));
    else if (event == SALE_EVENT_PAID)
        tell_paid(sandbox, shop, sale);
    else if (event == SALE_EVENT_PAYMENT_FAILED)
        standard_send(sandbox, shop, sale, "order.updated", order_tree(sale, 0));
    else if (event == SALE_EVENT_REFUND_ASKED || event == SALE_EVENT_REFUNDED ||
             event == SALE_EVENT_REFUND_FAILED)
        tell_refund(sandbox, shop, sale, event, part);
    else if (event == SALE_EVENT_RENEWED || event == SALE_EVENT_RECOVERED)
        standard_send(sandbox, shop, sale, "order.paid", order_tree(sale, sale->payment_count - 1));
    if (term != NULL)
        standard_send(sandbox, shop, sale, term, subscription_tree(sale));
}
