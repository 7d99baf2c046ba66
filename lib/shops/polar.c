/*
 * Polar's orders, subscriptions and refunds. Names are those of its API's own schemas
 * (github.com/polarsource/polar, server/polar/{order,subscription,refund}/schemas.py):
 *
 *     order         status draft / pending / paid / partially_refunded / refunded / void; amounts
 * in the currency's smallest unit, those of refunds without and of tax apart subscription  status
 * incomplete / incomplete_expired / trialing / active / past_due / canceled / unpaid / paused
 *     refund        status pending / succeeded / failed / canceled
 *
 * Each payment of a subscription is an order of its own. It is told under the subscription's id,
 * with the time of the payment and not of its last change, so that what becomes of an old payment
 * says nothing about the latest one.
 *
 * Test orders come from another address with another secret (Polar's sandbox), and nothing in them
 * says so: `live` has no meaning here.
 */
#include "shops/polar.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/evidence.h"
#include "shops/json.h"

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool polar_is_event(const char *type, const struct json_object *data)
{
    if (begins_with(type, "order."))
        return shop_json_object(data, "customer") && !shop_json_has(data, "lines");
    if (begins_with(type, "subscription."))
        return shop_json_object(data, "customer") != NULL;
    return begins_with(type, "refund.") && shop_json_has(data, "order_id") &&
           shop_json_has(data, "customer_id");
}

static bool is_true(const struct json_object *holder, const char *key)
{
    struct json_object *member = shop_json_member(holder, key);
    return json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
}

static int unknown_status(struct facts *facts)
{
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data.status` is none that this version knows");
    return -1;
}

/* The object's own last change, not when its event was sent: an event that waited in a queue does
 * not make an old state new. */
static int take_changed(struct facts *facts, const struct json_object *root,
                        const struct json_object *data, int64_t *out)
{
    int64_t modified, created, timestamp;
    if (shop_take_time(facts, data, "modified_at", &modified) ||
        shop_take_time(facts, data, "created_at", &created) ||
        shop_take_time(facts, root, "timestamp", &timestamp))
        return -1;
    *out = modified != TIME_NONE ? modified : created != TIME_NONE ? created : timestamp;
    if (*out != TIME_NONE)
        return 0;
    facts_set_aside(facts, SET_ASIDE_MALFORMED,
                    "none of `modified_at`, `created_at` and `timestamp` is told");
    return -1;
}

/* An amount and the tax on it, which Polar tells apart of what was refunded. */
static int take_with_tax(struct facts *facts, const struct json_object *data, const char *net,
                         const char *tax, int64_t *out)
{
    const char *currency = shop_json_text(data, "currency");
    int64_t amount, on_top;
    if (shop_take_minor(facts, data, net, currency, 0, &amount) ||
        shop_take_minor(facts, data, tax, currency, 0, &on_top))
        return -1;
    *out = amount > LIMIT_AMOUNT - on_top ? LIMIT_AMOUNT : amount + on_top;
    return 0;
}

/* The price of what is bought, by which a rule may name it as well. */
static char *price_of(const struct json_object *data)
{
    struct json_object *items = shop_json_array(data, "items");
    struct json_object *prices = shop_json_array(data, "prices");
    char *price = NULL;
    for (size_t i = 0; items && i < json_object_array_length(items) && !price; i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        if (!is_true(item, "proration"))
            price = shop_json_optional_id(item, "product_price_id", LIMIT_SELECTOR);
    }
    if (!price && prices && json_object_array_length(prices) > 0)
        price = shop_json_optional_id(json_object_array_get_idx(prices, 0), "id", LIMIT_SELECTOR);
    return price;
}

/* Polar sells one product at a time, for as many seats as were bought. An order of none (a fee) has
 * no line. */
static int read_line(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *data)
{
    struct fact_line line = {0};
    snapshot->lines_known = true;
    if (shop_take_optional_id(facts, data, "product_id", LIMIT_ORDER_ID, &line.product))
        return -1;
    if (!line.product)
        return 0;
    line.id = xstrdup(line.product);
    line.product2 = price_of(data);
    line.quantity = shop_json_count(data, "seats", 1);
    return evidence_add_line(facts, snapshot, &line) || evidence_check_lines(facts, snapshot, 1)
               ? -1
               : 0;
}

static void read_buyer(struct fact_snapshot *snapshot, const struct json_object *data)
{
    evidence_set_address(snapshot, shop_json_text(shop_json_object(data, "customer"), "email"));
    evidence_set_reference(snapshot,
                           shop_json_member(shop_json_object(data, "metadata"), "miro_reference"));
}

static const struct {
    const char *name;
    enum order_status status;
    bool was_paid;
} order_statuses[] = {
    {"draft", ORDER_PENDING, false},    {"pending", ORDER_PENDING, false},
    {"paid", ORDER_PAID, true},         {"partially_refunded", ORDER_PAID, true},
    {"refunded", ORDER_REFUNDED, true}, {"void", ORDER_CANCELLED, false},
};

/* Sets what became of the money, and when it was paid: an order is made when it is charged. */
static int read_money(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *data, int64_t created, int64_t received_at)
{
    const char *name = shop_json_text(data, "status");
    size_t known = 0, count = sizeof(order_statuses) / sizeof(order_statuses[0]);
    while (known < count && (!name || strcmp(order_statuses[known].name, name) != 0))
        known++;
    if (known == count)
        return unknown_status(facts);
    snapshot->status = order_statuses[known].status;
    if (order_statuses[known].was_paid && created != TIME_NONE)
        snapshot->paid_at = evidence_time(created, received_at);
    return shop_take_minor(facts, data, "total_amount", shop_json_text(data, "currency"), -1,
                           &snapshot->total) ||
                   take_with_tax(facts, data, "refunded_amount", "refunded_tax_amount",
                                 &snapshot->refunded_total)
               ? -1
               : 0;
}

/* The order that a payment belongs to: the subscription, or itself. *payment: the payment's id, a
 * new string. */
static struct fact_order *add_owner(struct facts *facts, const struct json_object *data,
                                    const char *payment_key, char **payment)
{
    char *payment_id, *subscription_id;
    if (shop_take_id(facts, data, payment_key, LIMIT_ORDER_ID, &payment_id))
        return NULL;
    if (shop_take_optional_id(facts, data, "subscription_id", LIMIT_ORDER_ID, &subscription_id)) {
        free(payment_id);
        return NULL;
    }
    const char *id = subscription_id ? subscription_id : payment_id;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    if (subscription_id)
        fact_add_alias(order, payment_id);
    free(subscription_id);
    *payment = payment_id;
    return order;
}

/* Whether an unpaid order only asks for the next payment of a subscription that runs: what comes of
 * that, the subscription itself tells. */
static bool is_unpaid_renewal(const struct fact_order *order, const struct json_object *data)
{
    const char *reason = shop_json_text(data, "billing_reason");
    return order->alias_count > 0 && order->snapshot->status != ORDER_PAID &&
           order->snapshot->status != ORDER_REFUNDED &&
           !(reason && strcmp(reason, "subscription_create") == 0);
}

static void read_order(const struct json_object *root, const struct json_object *data,
                       int64_t received_at, struct facts *facts)
{
    int64_t changed, created;
    char *payment;
    struct fact_order *order = add_owner(facts, data, "id", &payment);
    if (!order)
        return;
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    snapshot->payment = payment;
    if (take_changed(facts, root, data, &changed) ||
        shop_take_time(facts, data, "created_at", &created))
        return;
    bool renews = order->alias_count > 0 && created != TIME_NONE;
    evidence_set_time(snapshot, renews ? created : changed, received_at);
    if (read_money(facts, snapshot, data, created, received_at) || read_line(facts, snapshot, data))
        return;
    if (is_unpaid_renewal(order, data)) {
        fact_snapshot_free(snapshot);
        order->snapshot = NULL;
        return;
    }
    /* A payment that nothing was given back of ends what was given back of those before it. */
    snapshot->lists_refunds =
        renews && snapshot->status == ORDER_PAID && snapshot->refunded_total == 0;
    read_buyer(snapshot, data);
}

/* What a subscription's status means for the order and for its term. */
static const struct {
    const char *name;
    enum order_status status;
    bool begun; /* else the first payment was never made, and there is no term */
    enum subscription_state state;
} terms[] = {
    {"trialing", ORDER_PAID, true, SUBSCRIPTION_TRIAL},
    {"active", ORDER_PAID, true, SUBSCRIPTION_ACTIVE},
    {"past_due", ORDER_PAID, true, SUBSCRIPTION_PAST_DUE},
    {"paused", ORDER_PAID, true, SUBSCRIPTION_PAUSED},
    {"canceled", ORDER_PAID, true, SUBSCRIPTION_EXPIRED},
    {"unpaid", ORDER_PAID, true, SUBSCRIPTION_EXPIRED},
    {"incomplete", ORDER_PENDING, false, SUBSCRIPTION_ACTIVE},
    {"incomplete_expired", ORDER_CANCELLED, false, SUBSCRIPTION_EXPIRED},
};

/* The dates of a subscription; TIME_NONE where they are not told. */
struct dates {
    int64_t period_start, period_end, ends, ended, paused;
};

static int take_dates(struct facts *facts, const struct json_object *data, struct dates *out)
{
    return shop_take_time(facts, data, "current_period_start", &out->period_start) ||
                   shop_take_time(facts, data, "current_period_end", &out->period_end) ||
                   shop_take_time(facts, data, "ends_at", &out->ends) ||
                   shop_take_time(facts, data, "ended_at", &out->ended) ||
                   shop_take_time(facts, data, "paused_at", &out->paused)
               ? -1
               : 0;
}

/* Sets state and dates, which say each other. A subscription that is told to end stays `active`
 * until then; one that says `canceled` has ended, unless its end still lies ahead. */
static void set_term(struct fact_subscription *out, const struct json_object *data,
                     const struct dates *dates)
{
    int64_t end = dates->ends != TIME_NONE ? dates->ends : dates->period_end;
    bool ahead = dates->ended == TIME_NONE && dates->ends != TIME_NONE && dates->ends > out->time;
    bool runs = out->state == SUBSCRIPTION_ACTIVE || out->state == SUBSCRIPTION_TRIAL;
    if ((runs && is_true(data, "cancel_at_period_end")) ||
        (out->state == SUBSCRIPTION_EXPIRED && ahead))
        out->state = SUBSCRIPTION_CANCELLED;
    if (out->state == SUBSCRIPTION_EXPIRED)
        out->paid_until = dates->ended;
    else if (out->state == SUBSCRIPTION_CANCELLED)
        out->paid_until = end;
    else if (out->state == SUBSCRIPTION_PAUSED)
        out->paid_until = dates->paused;
    else if (out->state == SUBSCRIPTION_PAST_DUE)
        out->unpaid_since = dates->period_start;
    else
        out->paid_until = dates->period_end;
}

static void read_subscription(const struct json_object *root, const struct json_object *data,
                              int64_t received_at, struct facts *facts)
{
    const char *name = shop_json_text(data, "status");
    size_t known = 0, count = sizeof(terms) / sizeof(terms[0]);
    struct dates dates;
    int64_t changed;
    char *id;
    while (known < count && (!name || strcmp(terms[known].name, name) != 0))
        known++;
    if (known == count) {
        unknown_status(facts);
        return;
    }
    if (take_changed(facts, root, data, &changed) || take_dates(facts, data, &dates) ||
        shop_take_id(facts, data, "id", LIMIT_ORDER_ID, &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    if (terms[known].begun) {
        struct fact_subscription *term = fact_order_subscription(order);
        *term = (struct fact_subscription){.time = evidence_time(changed, received_at),
                                           .state = terms[known].state,
                                           .paid_until = TIME_NONE,
                                           .unpaid_since = TIME_NONE};
        set_term(term, data, &dates);
    }
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    evidence_set_time(snapshot, changed, received_at);
    snapshot->status = terms[known].status;
    read_buyer(snapshot, data);
    if (read_line(facts, snapshot, data))
        return;
}

static const struct {
    const char *name;
    enum refund_state state;
} refund_states[] = {
    {"pending", REFUND_PENDING},
    {"succeeded", REFUND_DONE},
    {"failed", REFUND_FAILED},
    {"canceled", REFUND_FAILED},
};

static void read_refund(const struct json_object *root, const struct json_object *data,
                        int64_t received_at, struct facts *facts)
{
    const char *name = shop_json_text(data, "status");
    size_t known = 0, count = sizeof(refund_states) / sizeof(refund_states[0]);
    int64_t changed;
    while (known < count && (!name || strcmp(refund_states[known].name, name) != 0))
        known++;
    if (known == count) {
        unknown_status(facts);
        return;
    }
    char *payment;
    struct fact_order *order = add_owner(facts, data, "order_id", &payment);
    if (!order)
        return;
    struct fact_refund *refund = fact_add_refund(order);
    refund->payment = payment;
    if (take_changed(facts, root, data, &changed) ||
        shop_take_id(facts, data, "id", LIMIT_ORDER_ID, &refund->id) ||
        take_with_tax(facts, data, "amount", "tax_amount", &refund->amount))
        return;
    refund->time = evidence_time(changed, received_at);
    refund->state = refund_states[known].state;
}

void polar_read(const struct json_object *root, const char *type, const struct json_object *data,
                int64_t received_at, struct facts *facts)
{
    if (begins_with(type, "order."))
        read_order(root, data, received_at, facts);
    else if (begins_with(type, "subscription."))
        read_subscription(root, data, received_at, facts);
    else
        read_refund(root, data, received_at, facts);
}
