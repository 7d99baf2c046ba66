#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/lemonsqueezy.h"

/*
 * What a status means, and which date says until when it was paid. `renews_at` of one that is past
 * due is the next try to collect, and says nothing about what is paid. Once all tries failed
 * (unpaid) the shop gives nothing any more, as when it is over.
 */
static const struct {
    const char *name;
    enum subscription_state state;
    const char *until[2];
} statuses[] = {
    {"on_trial", SUBSCRIPTION_TRIAL, {"trial_ends_at", "renews_at"}},
    {"active", SUBSCRIPTION_ACTIVE, {"renews_at", NULL}},
    {"paused", SUBSCRIPTION_PAUSED, {NULL, NULL}},
    {"past_due", SUBSCRIPTION_PAST_DUE, {NULL, NULL}},
    {"unpaid", SUBSCRIPTION_EXPIRED, {NULL, NULL}},
    {"cancelled", SUBSCRIPTION_CANCELLED, {"ends_at", "renews_at"}},
    {"expired", SUBSCRIPTION_EXPIRED, {"ends_at", NULL}},
};

/* A pause may be a gift: nothing is collected, and everything is given until it ends. */
static bool is_free_pause(const struct json_object *attributes)
{
    const char *mode = shop_json_text(shop_json_object(attributes, "pause"), "mode");
    return mode && strcmp(mode, "free") == 0;
}

static int read_status(struct facts *facts, struct fact_subscription *subscription,
                       const struct json_object *attributes)
{
    const char *name = shop_json_text(attributes, "status");
    for (size_t i = 0; name && i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (strcmp(statuses[i].name, name) != 0)
            continue;
        subscription->state = statuses[i].state;
        if (subscription->state == SUBSCRIPTION_PAUSED && is_free_pause(attributes)) {
            subscription->state = SUBSCRIPTION_ACTIVE;
            return shop_take_time(facts, shop_json_object(attributes, "pause"), "resumes_at",
                                  &subscription->paid_until);
        }
        for (size_t j = 0; j < 2 && statuses[i].until[j]; j++)
            if (subscription->paid_until == TIME_NONE &&
                shop_take_time(facts, attributes, statuses[i].until[j], &subscription->paid_until))
                return -1;
        return 0;
    }
    facts_set_aside(facts, SET_ASIDE_MALFORMED,
                    "`status` of the subscription is none that this version knows");
    return -1;
}

static struct fact_subscription *add_state(struct fact_order *order, int64_t time,
                                           const struct lemonsqueezy_evidence *evidence)
{
    struct fact_subscription *subscription = fact_order_subscription(order);
    subscription->time = evidence_time(time, evidence->received_at);
    subscription->from_api = !evidence->meta;
    subscription->read_at = subscription->from_api ? evidence->received_at : 0;
    return subscription;
}

/* The line of the order that began the subscription, as the subscription has it now. */
static int read_line(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *attributes)
{
    char *id = NULL;
    if (shop_json_member(attributes, "order_item_id") &&
        lemonsqueezy_take_id(facts, attributes, "order_item_id", "", &id))
        return -1;
    snapshot->lines_known = true;
    return lemonsqueezy_add_line(facts, snapshot, id, attributes,
                                 shop_json_object(attributes, "first_subscription_item")) ||
                   evidence_check_lines(facts, snapshot, 1)
               ? -1
               : 0;
}

/* Adds an id under which the order is spoken of, where it is told. */
static int add_alias(struct facts *facts, struct fact_order *order,
                     const struct json_object *holder, const char *key, const char *prefix)
{
    char *id;
    if (!shop_json_member(holder, key))
        return 0;
    if (lemonsqueezy_take_id(facts, holder, key, prefix, &id))
        return -1;
    fact_add_alias(order, id);
    free(id);
    return 0;
}

void lemonsqueezy_read_subscription(const struct settings_source *source,
                                    const struct json_object *object,
                                    const struct lemonsqueezy_evidence *evidence,
                                    struct facts *facts)
{
    const struct json_object *attributes = shop_json_object(object, "attributes");
    char *id;
    int64_t time;
    if (lemonsqueezy_is_wrong_mode(source, object, evidence, facts) ||
        lemonsqueezy_take_id(facts, object, "id", "sub_", &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    if (add_alias(facts, order, attributes, "order_id", "") ||
        lemonsqueezy_take_time(facts, attributes, &time) ||
        read_status(facts, add_state(order, time, evidence), attributes) ||
        read_line(facts, lemonsqueezy_add_snapshot(order, attributes, time, evidence), attributes))
        return;
}

static bool has_text(const struct json_object *holder, const char *key, const char *text)
{
    const char *told = shop_json_text(holder, key);
    return told && strcmp(told, text) == 0;
}

/* A payment: what was paid. What is paid for a change within a period says nothing about the
 * period's payment. */
static int read_payment(struct facts *facts, struct fact_order *order,
                        const struct json_object *attributes, const char *payment, int64_t time,
                        const struct lemonsqueezy_evidence *evidence)
{
    if (has_text(attributes, "billing_reason", "updated"))
        return 0;
    struct fact_snapshot *snapshot = lemonsqueezy_add_snapshot(order, attributes, time, evidence);
    snapshot->paid_at = snapshot->time;
    snapshot->payment = xstrdup(payment);
    return shop_take_minor(facts, attributes, "total", shop_json_text(attributes, "currency"), -1,
                           &snapshot->total);
}

static bool was_given_back(const struct json_object *attributes)
{
    return has_text(attributes, "status", "refunded") ||
           has_text(attributes, "status", "partial_refund");
}

/* What was given back had been paid first, when the invoice was made: without that nobody could say
 * which payment the refund takes away, for its own webhook may have been lost. */
static int read_returned_payment(struct facts *facts, struct fact_order *order,
                                 const struct json_object *attributes, const char *payment,
                                 const struct lemonsqueezy_evidence *evidence)
{
    int64_t created;
    if (shop_take_time(facts, attributes, "created_at", &created))
        return -1;
    return created == TIME_NONE
               ? 0
               : read_payment(facts, order, attributes, payment, created, evidence);
}

/* An invoice that could not be collected dates the unpaid period, which the subscription does not.
 */
static int read_failure(struct facts *facts, struct fact_order *order,
                        const struct json_object *attributes, int64_t time,
                        const struct lemonsqueezy_evidence *evidence)
{
    struct fact_subscription *subscription = add_state(order, time, evidence);
    subscription->state = SUBSCRIPTION_PAST_DUE;
    if (shop_take_time(facts, attributes, "created_at", &subscription->unpaid_since))
        return -1;
    if (subscription->unpaid_since > subscription->time)
        subscription->unpaid_since = subscription->time;
    return 0;
}

/* What an invoice says by its status, and what of it went back. */
static void read_invoice(struct facts *facts, struct fact_order *order, const char *id,
                         const struct json_object *attributes,
                         const struct lemonsqueezy_evidence *evidence)
{
    bool first = has_text(attributes, "billing_reason", "initial");
    const char *payment = first ? LEMONSQUEEZY_FIRST_REFUND : id;
    int64_t time;
    if (lemonsqueezy_take_time(facts, attributes, &time))
        return;
    int bad = 0;
    if (has_text(attributes, "status", "paid"))
        bad = read_payment(facts, order, attributes, payment, time, evidence);
    else if (was_given_back(attributes))
        bad = read_returned_payment(facts, order, attributes, payment, evidence);
    else if (has_text(evidence->meta, "event_name", "subscription_payment_failed"))
        bad = read_failure(facts, order, attributes, time, evidence);
    if (bad || lemonsqueezy_add_refund(facts, order, attributes, payment,
                                       evidence_time(time, evidence->received_at)))
        return;
    if (order->snapshot)
        order->snapshot->lists_refunds = order->refund_count == 0;
}

void lemonsqueezy_read_invoice(const struct settings_source *source,
                               const struct json_object *object,
                               const struct lemonsqueezy_evidence *evidence, struct facts *facts)
{
    const struct json_object *attributes = shop_json_object(object, "attributes");
    char *subscription = NULL, *invoice = NULL;
    if (lemonsqueezy_is_wrong_mode(source, object, evidence, facts))
        return;
    if (lemonsqueezy_take_id(facts, attributes, "subscription_id", "sub_", &subscription) == 0 &&
        lemonsqueezy_take_id(facts, object, "id", "inv_", &invoice) == 0) {
        struct fact_order *order = facts_add_order(facts, subscription, strlen(subscription));
        fact_add_alias(order, invoice);
        read_invoice(facts, order, invoice, attributes, evidence);
    }
    free(invoice);
    free(subscription);
}
