#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/stripe.h"

/* Where both spellings of an invoice's line stand: `parent` names the kind since basil. */
static const struct json_object *line_origin(const struct json_object *line)
{
    const struct json_object *parent = shop_json_object(line, "parent");
    const char *type = shop_json_text(parent, "type");
    return type ? shop_json_object(parent, type) : NULL;
}

/* Whether a line bills a period of the subscription: neither an extra nor the price of a change
 * within a period. */
static bool bills_period(const struct json_object *line)
{
    const char *before = shop_json_text(line, "type");
    const char *since = shop_json_text(shop_json_object(line, "parent"), "type");
    bool extra = (since && strcmp(since, "subscription_item_details") != 0) ||
                 (!since && before && strcmp(before, "subscription") != 0);
    return !extra && !stripe_is_true(line, "proration") &&
           !stripe_is_true(line_origin(line), "proration");
}

/* What an invoice bills. */
struct billing {
    bool period;        /* a period, or not all of it is told; else only changes within one */
    int64_t start, end; /* of that period, or TIME_NONE */
};

static int read_billing(struct facts *facts, const struct json_object *invoice, struct billing *out)
{
    struct json_object *lines = stripe_list(invoice, "lines");
    size_t count = lines ? json_object_array_length(lines) : 0;
    *out = (struct billing){.period = count == 0 || stripe_has_more(invoice, "lines"),
                            .start = TIME_NONE,
                            .end = TIME_NONE};
    for (size_t i = 0; i < count; i++) {
        const struct json_object *line = json_object_array_get_idx(lines, i);
        const struct json_object *period = shop_json_object(line, "period");
        int64_t start, end;
        if (!bills_period(line))
            continue;
        if (stripe_take_seconds(facts, period, "start", &start) ||
            stripe_take_seconds(facts, period, "end", &end))
            return -1;
        out->period = true;
        /* Use is billed for the period before, in one invoice with the next. */
        if (end > out->end || (end == out->end && start < out->start))
            out->start = start;
        if (end > out->end)
            out->end = end;
    }
    return 0;
}

int stripe_take_invoice_subscription(struct facts *facts, const struct json_object *invoice,
                                     char **id)
{
    const struct json_object *details =
        shop_json_object(shop_json_object(invoice, "parent"), "subscription_details");
    return stripe_take_link(facts, details ? details : invoice, "subscription", id);
}

static bool is_paid(const struct json_object *invoice)
{
    const char *status = shop_json_text(invoice, "status");
    return status && strcmp(status, "paid") == 0;
}

/* Everything that paid for an invoice, and the invoice itself, names the same order. */
static int add_invoice_aliases(struct facts *facts, struct fact_order *order,
                               const struct json_object *invoice)
{
    struct json_object *payments = stripe_list(invoice, "payments");
    char *id;
    if (shop_take_id(facts, invoice, "id", LIMIT_ORDER_ID, &id))
        return -1;
    fact_add_alias(order, id);
    free(id);
    if (stripe_add_alias(facts, order, invoice, "charge") ||
        stripe_add_alias(facts, order, invoice, "payment_intent"))
        return -1;
    for (size_t i = 0; payments && i < json_object_array_length(payments); i++) {
        const struct json_object *payment =
            shop_json_object(json_object_array_get_idx(payments, i), "payment");
        if (stripe_add_alias(facts, order, payment, "charge") ||
            stripe_add_alias(facts, order, payment, "payment_intent"))
            return -1;
    }
    return 0;
}

/*
 * A bill's word on the term: that its period was paid, or was not. It tells the whole period, so
 * that it is not taken for what the subscription says of itself: an open invoice may be paid long
 * after that was cancelled, and brings nothing back. Without a period it says nothing.
 */
static void add_bill(struct fact_order *order, const struct billing *billing,
                     enum subscription_state state, const struct stripe_evidence *evidence)
{
    if (billing->start == TIME_NONE || billing->end <= billing->start)
        return;
    struct fact_subscription *term = stripe_add_term(order, evidence);
    term->state = state;
    term->unpaid_since = billing->start < term->time ? billing->start : term->time;
    term->paid_until = billing->end;
}

/* The payment that paid an invoice, where it is told and there is but one; else *id is NULL. */
static int take_invoice_payment(struct facts *facts, const struct json_object *invoice, char **id)
{
    struct json_object *payments = stripe_list(invoice, "payments");
    if (!payments)
        return stripe_take_link(facts, invoice, "payment_intent", id);
    *id = NULL;
    if (json_object_array_length(payments) != 1 || stripe_has_more(invoice, "payments"))
        return 0;
    return stripe_take_link(facts,
                            shop_json_object(json_object_array_get_idx(payments, 0), "payment"),
                            "payment_intent", id);
}

/*
 * A period that was paid. It begins without refunds: those of earlier payments are of no account
 * any more. An answer tells of a payment that was made before, so it stands at that time; its term
 * is the subscription's to tell.
 */
static int read_paid(struct facts *facts, struct fact_order *order,
                     const struct json_object *invoice, const struct billing *billing,
                     const struct stripe_evidence *evidence)
{
    int64_t paid_at;
    if (stripe_take_seconds(facts, shop_json_object(invoice, "status_transitions"), "paid_at",
                            &paid_at))
        return -1;
    paid_at = paid_at == TIME_NONE ? evidence->time : paid_at;
    struct stripe_evidence then = *evidence;
    then.time = evidence->event ? evidence->time : paid_at;
    struct fact_snapshot *snapshot = stripe_add_snapshot(order, &then);
    snapshot->status = ORDER_PAID;
    snapshot->paid_at = evidence_time(paid_at, evidence->received_at);
    snapshot->lists_refunds = true;
    evidence_set_address(snapshot, shop_json_text(invoice, "customer_email"));
    if (stripe_take_amount(facts, invoice, "amount_paid", -1, &snapshot->total) ||
        take_invoice_payment(facts, invoice, &snapshot->payment))
        return -1;
    if (!evidence->event)
        return 0;
    fact_add_need(order, NEED_LINES, order->id, false);
    /* What is billed afterwards, by use, is a period that is over: it says nothing of the next. */
    if (billing->end == TIME_NONE || billing->end > evidence->time)
        add_bill(order, billing, SUBSCRIPTION_ACTIVE, evidence);
    return 0;
}

/* A period that was not paid. Of the first one there is nothing to lose yet. */
static void read_unpaid(struct fact_order *order, const struct json_object *invoice,
                        const struct billing *billing, const struct stripe_evidence *evidence)
{
    const char *reason = shop_json_text(invoice, "billing_reason");
    if (!reason || strcmp(reason, "subscription_create") != 0)
        add_bill(order, billing, SUBSCRIPTION_PAST_DUE, evidence);
}

void stripe_add_invoice(struct facts *facts, const char *subscription,
                        const struct json_object *invoice, const struct stripe_evidence *evidence)
{
    struct billing billing;
    struct fact_order *order = facts_add_order(facts, subscription, strlen(subscription));
    bool failed = evidence->event && strcmp(evidence->event, "invoice.payment_failed") == 0;
    if (add_invoice_aliases(facts, order, invoice) || read_billing(facts, invoice, &billing) ||
        !billing.period)
        return;
    if (failed)
        read_unpaid(order, invoice, &billing, evidence);
    else if ((evidence->event || is_paid(invoice)) &&
             read_paid(facts, order, invoice, &billing, evidence))
        return;
}

void stripe_read_invoice(const struct json_object *invoice, const struct stripe_evidence *evidence,
                         struct facts *facts)
{
    char *subscription;
    if (stripe_take_invoice_subscription(facts, invoice, &subscription))
        return;
    if (subscription)
        stripe_add_invoice(facts, subscription, invoice, evidence);
    else
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "the invoice belongs to no subscription");
    free(subscription);
}

/* What basil's invoices no longer tell: which payment paid which invoice. */
void stripe_read_invoice_payment(const struct json_object *payment,
                                 const struct stripe_evidence *evidence, struct facts *facts)
{
    char *id;
    const struct json_object *details = shop_json_object(payment, "payment");
    (void)evidence;
    if (stripe_take_link(facts, payment, "invoice", &id))
        return;
    if (!id) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`invoice` is missing");
        return;
    }
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    if (stripe_add_alias(facts, order, details, "charge") ||
        stripe_add_alias(facts, order, details, "payment_intent"))
        return;
    if (order->alias_count == 0)
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "the invoice was paid outside of Stripe");
}

/* The order that evidence about money is told under: its payment, for it knows no other. */
static struct fact_order *add_payment_order(struct facts *facts, const char *payment_intent,
                                            const char *charge, bool essential)
{
    const char *id = payment_intent ? payment_intent : charge;
    if (!id) {
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "it belongs to no payment");
        return NULL;
    }
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    if (charge)
        fact_add_alias(order, charge);
    fact_add_need(order, NEED_OWNER, order->id, essential);
    return order;
}

static struct fact_order *take_payment_order(struct facts *facts, const struct json_object *holder,
                                             const char *charge_key, bool essential)
{
    char *payment_intent, *charge;
    struct fact_order *order = NULL;
    if (stripe_take_link(facts, holder, "payment_intent", &payment_intent))
        return NULL;
    if (stripe_take_link(facts, holder, charge_key, &charge) == 0) {
        order = add_payment_order(facts, payment_intent, charge, essential);
        free(charge);
    }
    free(payment_intent);
    return order;
}

static const struct {
    const char *name;
    enum refund_state state;
} refund_statuses[] = {
    {"pending", REFUND_PENDING}, {"requires_action", REFUND_PENDING}, {"succeeded", REFUND_DONE},
    {"failed", REFUND_FAILED},   {"canceled", REFUND_FAILED},
};

static int take_refund_state(struct facts *facts, const struct json_object *refund,
                             enum refund_state *out)
{
    const char *name = shop_json_text(refund, "status");
    for (size_t i = 0; name && i < sizeof(refund_statuses) / sizeof(refund_statuses[0]); i++)
        if (strcmp(refund_statuses[i].name, name) == 0) {
            *out = refund_statuses[i].state;
            return 0;
        }
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`status` is none that this version knows");
    return -1;
}

static struct fact_refund *find_refund(struct fact_order *order, const char *id)
{
    for (size_t i = 0; i < order->refund_count; i++)
        if (strcmp(order->refunds[i].id, id) == 0)
            return &order->refunds[i];
    return NULL;
}

/*
 * Tells whether all of a charge went back, as a refund under the charge's own id: where the single
 * refunds are not told, that is all there is. One that failed says that not all of it did.
 */
static struct fact_refund *add_whole(struct fact_order *order, const char *charge,
                                     enum refund_state state, int64_t amount, int64_t time)
{
    struct fact_refund *whole = find_refund(order, charge);
    if (whole && state != REFUND_DONE)
        return whole;
    if (!whole) {
        whole = fact_add_refund(order);
        whole->id = xstrdup(charge);
    }
    whole->state = state;
    whole->amount = amount;
    whole->time = time;
    return whole;
}

/* A refund counts from when it was made, whenever it is spoken of; that it failed is news of now.
 */
static int take_refund_time(struct facts *facts, const struct json_object *refund,
                            enum refund_state state, const struct stripe_evidence *evidence,
                            int64_t *out)
{
    int64_t created;
    if (stripe_take_seconds(facts, refund, "created", &created))
        return -1;
    bool now = state == REFUND_FAILED || created == TIME_NONE;
    *out = evidence_time(now ? evidence->time : created, evidence->received_at);
    return 0;
}

int stripe_add_refund(struct facts *facts, struct fact_order *order,
                      const struct json_object *object, const struct stripe_evidence *evidence)
{
    struct fact_refund *refund;
    enum refund_state state;
    int64_t time, amount;
    char *id, *charge;
    if (take_refund_state(facts, object, &state) ||
        take_refund_time(facts, object, state, evidence, &time) ||
        stripe_take_amount(facts, object, "amount", 0, &amount) ||
        shop_take_id(facts, object, "id", LIMIT_ORDER_ID, &id))
        return -1;
    if (find_refund(order, id) || order->refund_count >= LIMIT_ORDER_REFUNDS) {
        free(id);
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "there are too many refunds, or two with one id");
        return -1;
    }
    refund = fact_add_refund(order);
    *refund = (struct fact_refund){.id = id, .time = time, .state = state, .amount = amount};
    if (stripe_take_link(facts, object, "payment_intent", &refund->payment) ||
        stripe_take_link(facts, object, "charge", &charge))
        return -1;
    if (charge && state == REFUND_FAILED)
        add_whole(order, charge, REFUND_FAILED, 0, time);
    free(charge);
    return 0;
}

void stripe_read_refund(const struct json_object *refund, const struct stripe_evidence *evidence,
                        struct facts *facts)
{
    enum refund_state state;
    if (take_refund_state(facts, refund, &state))
        return;
    struct fact_order *order = take_payment_order(facts, refund, "charge", state == REFUND_DONE);
    if (order && stripe_add_refund(facts, order, refund, evidence))
        return;
}

int stripe_add_charge_refunds(struct facts *facts, struct fact_order *order,
                              const struct json_object *charge,
                              const struct stripe_evidence *evidence)
{
    struct json_object *refunds = stripe_list(charge, "refunds");
    int64_t amount;
    char *id;
    for (size_t i = 0; refunds && i < json_object_array_length(refunds); i++)
        if (stripe_add_refund(facts, order, json_object_array_get_idx(refunds, i), evidence))
            return -1;
    if (refunds && !stripe_has_more(charge, "refunds"))
        return 0;
    if (stripe_take_amount(facts, charge, "amount_refunded", 0, &amount) ||
        shop_take_id(facts, charge, "id", LIMIT_ORDER_ID, &id))
        return -1;
    if (amount > 0)
        fact_add_need(order, NEED_REFUNDS, id, false);
    int bad = 0;
    if (stripe_is_true(charge, "refunded")) {
        struct fact_refund *whole = add_whole(order, id, REFUND_DONE, amount,
                                              evidence_time(evidence->time, evidence->received_at));
        if (!whole->payment)
            bad = stripe_take_link(facts, charge, "payment_intent", &whole->payment);
    }
    free(id);
    return bad;
}

void stripe_read_charge(const struct json_object *charge, const struct stripe_evidence *evidence,
                        struct facts *facts)
{
    struct fact_order *order =
        take_payment_order(facts, charge, "id", stripe_is_true(charge, "refunded"));
    if (order && stripe_add_charge_refunds(facts, order, charge, evidence))
        return;
}

static const struct {
    const char *name;
    enum dispute_state state;
} dispute_statuses[] = {
    {"warning_needs_response", DISPUTE_INQUIRY},
    {"warning_under_review", DISPUTE_INQUIRY},
    {"warning_closed", DISPUTE_NONE},
    {"prevented", DISPUTE_NONE},
    {"needs_response", DISPUTE_OPEN},
    {"under_review", DISPUTE_OPEN},
    {"won", DISPUTE_WON},
    {"lost", DISPUTE_LOST},
    {"charge_refunded", DISPUTE_LOST},
};

static int take_dispute_state(struct facts *facts, const struct json_object *dispute,
                              enum dispute_state *out)
{
    const char *name = shop_json_text(dispute, "status");
    for (size_t i = 0; name && i < sizeof(dispute_statuses) / sizeof(dispute_statuses[0]); i++)
        if (strcmp(dispute_statuses[i].name, name) == 0) {
            *out = dispute_statuses[i].state;
            return 0;
        }
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`status` is none that this version knows");
    return -1;
}

int stripe_add_dispute(struct facts *facts, struct fact_order *order,
                       const struct json_object *object, const struct stripe_evidence *evidence)
{
    enum dispute_state state;
    char *id;
    if (take_dispute_state(facts, object, &state) ||
        shop_take_id(facts, object, "id", LIMIT_ORDER_ID, &id))
        return -1;
    struct fact_dispute *dispute = fact_add_dispute(order);
    dispute->id = id;
    dispute->state = state;
    dispute->time = evidence_time(evidence->time, evidence->received_at);
    return 0;
}

void stripe_read_dispute(const struct json_object *dispute, const struct stripe_evidence *evidence,
                         struct facts *facts)
{
    enum dispute_state state;
    if (take_dispute_state(facts, dispute, &state))
        return;
    struct fact_order *order = take_payment_order(facts, dispute, "charge",
                                                  state == DISPUTE_OPEN || state == DISPUTE_LOST);
    if (order && stripe_add_dispute(facts, order, dispute, evidence))
        return;
}
