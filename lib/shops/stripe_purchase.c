#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/stripe.h"

static int malformed(struct facts *facts, const char *key)
{
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`%s` is none that this version knows", key);
    return -1;
}

int stripe_add_line(struct facts *facts, struct fact_snapshot *snapshot,
                    const struct json_object *item)
{
    const struct json_object *price = shop_json_object(item, "price");
    /* Before there were prices there were plans; an item without either has no rule that fits. */
    price = price ? price : shop_json_object(item, "plan");
    const struct json_object *product = shop_json_object(price, "product");
    struct fact_line line = {
        .id = shop_json_id(item, "id", LIMIT_ORDER_ID),
        .product = shop_json_optional_id(price, "id", LIMIT_SELECTOR),
        .product2 = product ? shop_json_id(product, "id", LIMIT_SELECTOR)
                            : shop_json_optional_id(price, "product", LIMIT_SELECTOR),
        .sku = shop_json_id(price, "lookup_key", LIMIT_SELECTOR),
        .quantity = shop_json_count(item, "quantity", 1),
    };
    return evidence_add_line(facts, snapshot, &line);
}

/* Takes a whole list; one that was cut short is left alone, for half of it would be another truth.
 */
static int read_lines(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *holder, const char *key)
{
    struct json_object *items = stripe_list(holder, key);
    if (!items || stripe_has_more(holder, key))
        return 0;
    for (size_t i = 0; i < json_object_array_length(items); i++)
        if (stripe_add_line(facts, snapshot, json_object_array_get_idx(items, i)))
            return -1;
    snapshot->lines_known = true;
    return evidence_check_lines(facts, snapshot, json_object_array_length(items));
}

/*
 * What a session comes to. One that is complete and `unpaid` has its money still on its way:
 * async_payment_succeeded or async_payment_failed tells how that ends, and in an answer the charge.
 * A session under way may say that no payment is required, and has bought nothing yet.
 */
static int session_status(struct facts *facts, const struct json_object *session,
                          const struct json_object *charge, const struct stripe_evidence *evidence,
                          enum order_status *out)
{
    const char *payment = shop_json_text(session, "payment_status");
    const char *status = shop_json_text(session, "status");
    const char *charged = shop_json_text(charge, "status");
    bool failed = evidence->event
                      ? strcmp(evidence->event, "checkout.session.async_payment_failed") == 0
                      : charged && strcmp(charged, "failed") == 0;
    bool unpaid = payment && strcmp(payment, "unpaid") == 0;
    if (!payment ||
        (!unpaid && strcmp(payment, "paid") != 0 && strcmp(payment, "no_payment_required") != 0))
        return malformed(facts, "payment_status");
    if (status && strcmp(status, "expired") == 0)
        *out = ORDER_CANCELLED;
    else if (status && strcmp(status, "open") == 0)
        *out = ORDER_PENDING;
    else
        *out = !unpaid ? ORDER_PAID : failed ? ORDER_CANCELLED : ORDER_PENDING;
    return 0;
}

/* When a session was paid: its event tells that moment, an answer tells the charge's. */
static int take_session_paid_at(struct facts *facts, const struct json_object *session,
                                const struct json_object *charge,
                                const struct stripe_evidence *evidence, int64_t *out)
{
    int64_t time = evidence->time;
    if (!evidence->event && stripe_take_seconds(facts, charge ? charge : session, "created", &time))
        return -1;
    *out = evidence_time(time, evidence->received_at);
    return 0;
}

/* What only an answer carries, where the payment was expanded: the charge, and what became of it.
 */
static int read_session_charge(struct facts *facts, struct fact_order *order,
                               const struct json_object *charge,
                               const struct stripe_evidence *evidence)
{
    char *id;
    if (shop_take_id(facts, charge, "id", LIMIT_ORDER_ID, &id))
        return -1;
    fact_add_alias(order, id);
    if (stripe_is_true(charge, "disputed"))
        fact_add_need(order, NEED_ORDER, id, false);
    free(id);
    return stripe_add_charge_refunds(facts, order, charge, evidence);
}

static int read_session_money(struct facts *facts, struct fact_order *order,
                              const struct json_object *session,
                              const struct stripe_evidence *evidence)
{
    struct fact_snapshot *snapshot = stripe_add_snapshot(order, evidence);
    const struct json_object *charge =
        shop_json_object(shop_json_object(session, "payment_intent"), "latest_charge");
    if (session_status(facts, session, charge, evidence, &snapshot->status) ||
        stripe_take_amount(facts, session, "amount_total", -1, &snapshot->total))
        return -1;
    if (snapshot->status == ORDER_PAID &&
        take_session_paid_at(facts, session, charge, evidence, &snapshot->paid_at))
        return -1;
    if (stripe_add_alias(facts, order, session, "payment_intent") ||
        stripe_add_alias(facts, order, session, "invoice"))
        return -1;
    return charge ? read_session_charge(facts, order, charge, evidence) : 0;
}

/* The order of a session: what is bought once is the session itself. */
static struct fact_order *add_session_order(struct facts *facts, const struct json_object *session,
                                            bool subscribes)
{
    char *id, *subscription = NULL;
    if (shop_take_id(facts, session, "id", LIMIT_ORDER_ID, &id))
        return NULL;
    if (subscribes && stripe_take_link(facts, session, "subscription", &subscription)) {
        free(id);
        return NULL;
    }
    const char *order_id = subscription ? subscription : id;
    struct fact_order *order = facts_add_order(facts, order_id, strlen(order_id));
    fact_add_alias(order, id);
    free(subscription);
    free(id);
    return order;
}

/* A session never carries its lines in a delivery. A subscription's own events tell them too. */
static int read_session_lines(struct facts *facts, struct fact_order *order,
                              const struct json_object *session, bool subscribes)
{
    char *id;
    if (!subscribes && read_lines(facts, order->snapshot, session, "line_items"))
        return -1;
    if (order->snapshot->lines_known || order->snapshot->status != ORDER_PAID)
        return 0;
    if (shop_take_id(facts, session, "id", LIMIT_ORDER_ID, &id))
        return -1;
    fact_add_need(order, NEED_LINES, id, !subscribes);
    free(id);
    return 0;
}

void stripe_read_session(const struct json_object *session, const struct stripe_evidence *evidence,
                         struct facts *facts)
{
    const char *mode = shop_json_text(session, "mode");
    bool subscribes = mode && strcmp(mode, "subscription") == 0;
    if (mode && strcmp(mode, "setup") == 0) {
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "the session sells nothing (mode setup)");
        return;
    }
    if (!subscribes && (!mode || strcmp(mode, "payment") != 0)) {
        malformed(facts, "mode");
        return;
    }
    struct fact_order *order = add_session_order(facts, session, subscribes);
    if (!order || read_session_money(facts, order, session, evidence) ||
        read_session_lines(facts, order, session, subscribes))
        return;
    /* `customer_email` is what the seller filled in beforehand: nobody has confirmed it. */
    evidence_set_address(order->snapshot,
                         shop_json_text(shop_json_object(session, "customer_details"), "email"));
    evidence_set_reference(order->snapshot, shop_json_member(session, "client_reference_id"));
}

/* What a subscription's status means for the order and for its term. */
static const struct {
    const char *name;
    enum order_status status;
    bool begun; /* else the first payment was never made, and there is no term */
    enum subscription_state state;
} statuses[] = {
    {"trialing", ORDER_PAID, true, SUBSCRIPTION_TRIAL},
    {"active", ORDER_PAID, true, SUBSCRIPTION_ACTIVE},
    {"past_due", ORDER_PAID, true, SUBSCRIPTION_PAST_DUE},
    {"unpaid", ORDER_PAID, true, SUBSCRIPTION_PAST_DUE},
    {"paused", ORDER_PAID, true, SUBSCRIPTION_PAUSED},
    {"canceled", ORDER_PAID, true, SUBSCRIPTION_EXPIRED},
    {"incomplete", ORDER_PENDING, false, SUBSCRIPTION_ACTIVE},
    {"incomplete_expired", ORDER_CANCELLED, false, SUBSCRIPTION_EXPIRED},
};

struct period {
    int64_t start, end; /* or TIME_NONE */
};

/* The period under way: the subscription's own before basil, since then the earliest of its items',
 * which may renew at different times. */
static int take_period(struct facts *facts, const struct json_object *subscription,
                       struct period *out)
{
    struct json_object *items = stripe_list(subscription, "items");
    if (stripe_take_seconds(facts, subscription, "current_period_start", &out->start) ||
        stripe_take_seconds(facts, subscription, "current_period_end", &out->end))
        return -1;
    if (out->end != TIME_NONE)
        return 0;
    for (size_t i = 0; items && i < json_object_array_length(items); i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        struct period one;
        if (stripe_take_seconds(facts, item, "current_period_start", &one.start) ||
            stripe_take_seconds(facts, item, "current_period_end", &one.end))
            return -1;
        if (one.end != TIME_NONE && (out->end == TIME_NONE || one.end < out->end))
            *out = one;
    }
    return 0;
}

/* Sets when it ends if it was told to end within the period that runs: then it does not renew. A
 * later end is no news yet. */
static int take_end(struct facts *facts, const struct json_object *subscription,
                    struct fact_subscription *out)
{
    int64_t at;
    if (stripe_take_seconds(facts, subscription, "cancel_at", &at))
        return -1;
    bool ends = stripe_is_true(subscription, "cancel_at_period_end");
    if (at != TIME_NONE && (out->paid_until == TIME_NONE || at <= out->paid_until)) {
        out->paid_until = at;
        ends = true;
    }
    if (ends)
        out->state = SUBSCRIPTION_CANCELLED;
    return 0;
}

/* The seller stopped collecting, and with `void` nothing is owed for that time, nor given. */
static bool is_collection_void(const struct json_object *subscription)
{
    const char *behavior =
        shop_json_text(shop_json_object(subscription, "pause_collection"), "behavior");
    return behavior && strcmp(behavior, "void") == 0;
}

/* Sets until when it is paid, which each state tells by other members. */
static int read_term(struct facts *facts, const struct json_object *subscription,
                     struct fact_subscription *out)
{
    struct period period = {TIME_NONE, TIME_NONE};
    if (take_period(facts, subscription, &period))
        return -1;
    switch (out->state) {
    case SUBSCRIPTION_TRIAL:
    case SUBSCRIPTION_ACTIVE:
        out->paid_until = period.end;
        if (out->state == SUBSCRIPTION_ACTIVE && is_collection_void(subscription)) {
            out->state = SUBSCRIPTION_PAUSED;
            out->paid_until = TIME_NONE;
            return 0;
        }
        return take_end(facts, subscription, out);
    case SUBSCRIPTION_PAST_DUE:
        /* Stripe has moved on to the period that nobody paid. */
        out->unpaid_since = out->paid_until = period.start;
        return 0;
    case SUBSCRIPTION_PAUSED:
        return stripe_take_seconds(facts, subscription, "trial_end", &out->paid_until);
    case SUBSCRIPTION_CANCELLED:
    case SUBSCRIPTION_EXPIRED:
        break;
    }
    return stripe_take_seconds(facts, subscription, "ended_at", &out->paid_until);
}

static int read_subscription_state(struct facts *facts, struct fact_order *order,
                                   const struct json_object *subscription,
                                   const struct stripe_evidence *evidence)
{
    const char *status = shop_json_text(subscription, "status");
    size_t known = 0, count = sizeof(statuses) / sizeof(statuses[0]);
    while (known < count && (!status || strcmp(statuses[known].name, status) != 0))
        known++;
    if (known == count)
        return malformed(facts, "status");
    stripe_add_snapshot(order, evidence)->status = statuses[known].status;
    if (!statuses[known].begun)
        return 0;
    struct fact_subscription *term = stripe_add_term(order, evidence);
    term->state = statuses[known].state;
    if (read_term(facts, subscription, term))
        return -1;
    if (term->unpaid_since > term->time)
        term->unpaid_since = term->time;
    return 0;
}

/* A subscription knows its customer by id alone. */
static int need_address(struct facts *facts, struct fact_order *order,
                        const struct json_object *subscription)
{
    char *customer;
    if (stripe_take_link(facts, subscription, "customer", &customer))
        return -1;
    if (customer)
        fact_add_need(order, NEED_ADDRESS, customer, false);
    free(customer);
    return 0;
}

/* What an answer tells of the latest payment: refunds of it may have come without a delivery. */
static int need_refunds(struct facts *facts, struct fact_order *order,
                        const struct json_object *invoice)
{
    struct json_object *payments = stripe_list(invoice, "payments");
    for (size_t i = 0; payments && i < json_object_array_length(payments); i++) {
        const struct json_object *payment =
            shop_json_object(json_object_array_get_idx(payments, i), "payment");
        char *id;
        if (stripe_take_link(facts, payment, "payment_intent", &id))
            return -1;
        if (id)
            fact_add_need(order, NEED_REFUNDS, id, false);
        free(id);
    }
    return 0;
}

void stripe_read_subscription(const struct json_object *subscription,
                              const struct stripe_evidence *evidence, struct facts *facts)
{
    char *id;
    const struct json_object *invoice = shop_json_object(subscription, "latest_invoice");
    if (shop_take_id(facts, subscription, "id", LIMIT_ORDER_ID, &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    if (read_subscription_state(facts, order, subscription, evidence) == 0 &&
        read_lines(facts, order->snapshot, subscription, "items") == 0 &&
        need_address(facts, order, subscription) == 0 &&
        stripe_add_alias(facts, order, subscription, "latest_invoice") == 0 &&
        need_refunds(facts, order, invoice) == 0) {
        if (!order->snapshot->lines_known)
            fact_add_need(order, NEED_LINES, id, true);
        /* The payment stands beside it, at the time at which it was made. */
        if (invoice && !evidence->event)
            stripe_add_invoice(facts, id, invoice, evidence);
    }
    free(id);
}
