#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "shops/evidence.h"
#include "shops/fastspring.h"
#include "shops/json.h"

/* What a subscription's state means: `canceled` is one that will end, `deactivated` one that has.
 */
static const struct {
    const char *name;
    enum subscription_state state;
} states[] = {
    {"active", SUBSCRIPTION_ACTIVE},    {"trial", SUBSCRIPTION_TRIAL},
    {"overdue", SUBSCRIPTION_PAST_DUE}, {"canceled", SUBSCRIPTION_CANCELLED},
    {"paused", SUBSCRIPTION_PAUSED},    {"deactivated", SUBSCRIPTION_EXPIRED},
};

static int take_state(struct facts *facts, const struct json_object *data,
                      enum subscription_state *state)
{
    const char *name = shop_json_text(data, "state");
    for (size_t i = 0; name && i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(states[i].name, name) == 0) {
            *state = states[i].state;
            return 0;
        }
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`state` is none that this version knows");
    return -1;
}

/* The dates of a subscription's term; TIME_NONE where they are not told. */
struct term {
    int64_t next_charge, next, end, deactivation;
};

static int take_term(struct facts *facts, const struct json_object *data, struct term *term)
{
    return fastspring_take_time(facts, data, "nextChargeDate", TIME_NONE, &term->next_charge) ||
                   fastspring_take_time(facts, data, "next", TIME_NONE, &term->next) ||
                   fastspring_take_time(facts, data, "end", TIME_NONE, &term->end) ||
                   fastspring_take_time(facts, data, "deactivationDate", TIME_NONE,
                                        &term->deactivation)
               ? -1
               : 0;
}

static int64_t first_told(int64_t a, int64_t b, int64_t c)
{
    return a != TIME_NONE ? a : b != TIME_NONE ? b : c;
}

/* Until when it is paid: a period ends where the next one is charged. Of an overdue subscription
 * that date is the one that was not kept. */
static void set_dates(struct fact_subscription *out, const struct term *term)
{
    int64_t due = first_told(term->next_charge, term->next, term->end);
    out->paid_until = TIME_NONE;
    out->unpaid_since = TIME_NONE;
    if (out->state == SUBSCRIPTION_CANCELLED)
        out->paid_until = first_told(term->deactivation, term->end, due);
    else if (out->state == SUBSCRIPTION_EXPIRED)
        out->paid_until = term->deactivation;
    else if (out->state == SUBSCRIPTION_PAST_DUE)
        out->unpaid_since = due != TIME_NONE && due <= out->time ? due : TIME_NONE;
    else if (out->state != SUBSCRIPTION_PAUSED)
        out->paid_until = due;
}

int fastspring_add_term(struct facts *facts, struct fact_order *order,
                        const struct json_object *data, const struct fastspring_origin *origin)
{
    struct fact_subscription read = {.from_api = origin->from_api,
                                     .read_at = origin->from_api ? origin->received_at : 0};
    struct term term;
    int64_t changed;
    if (!shop_json_member(data, "state"))
        return 0;
    if (take_state(facts, data, &read.state) || take_term(facts, data, &term) ||
        fastspring_take_time(facts, data, "changed", origin->event_at, &changed))
        return -1;
    read.time = evidence_time(changed, origin->received_at);
    set_dates(&read, &term);
    *fact_order_subscription(order) = read;
    return 0;
}

/* What a subscription sells: its product, and what was added to it. */
static int read_lines(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *data)
{
    struct json_object *addons = shop_json_array(data, "addons");
    if (fastspring_add_line(facts, snapshot, data))
        return -1;
    for (size_t i = 0; addons && i < json_object_array_length(addons); i++)
        if (fastspring_add_line(facts, snapshot, json_object_array_get_idx(addons, i)))
            return -1;
    snapshot->lines_known = true;
    return evidence_check_lines(facts, snapshot, 1);
}

/* The address is its account's; an account that is no more than an id is asked for where the
 * subscription begins or is read for itself, for the order that began it tells an address too. */
static void read_buyer(struct fact_snapshot *snapshot, const struct json_object *data)
{
    const struct json_object *account = shop_json_object(data, "account");
    evidence_set_address(snapshot, shop_json_text(shop_json_object(account, "contact"), "email"));
    evidence_set_reference(snapshot,
                           shop_json_member(shop_json_object(data, "tags"), "miro_reference"));
}

static int want_address(struct facts *facts, struct fact_order *order,
                        const struct json_object *data)
{
    char *account;
    if (order->snapshot->address_state != ADDRESS_ABSENT || order->snapshot->reference)
        return 0;
    if (fastspring_take_link(facts, data, "account", &account))
        return -1;
    if (account)
        fastspring_add_need(order, NEED_ADDRESS, FASTSPRING_ACCOUNTS, account, false);
    free(account);
    return 0;
}

static void read_whole(struct facts *facts, struct fact_order *order,
                       const struct json_object *data, const struct fastspring_origin *origin)
{
    int64_t changed;
    if (fastspring_take_time(facts, data, "changed", origin->event_at, &changed))
        return;
    struct fact_snapshot *snapshot = fastspring_add_snapshot(order, changed, origin);
    snapshot->status = ORDER_PAID;
    read_buyer(snapshot, data);
    if (read_lines(facts, snapshot, data) || want_address(facts, order, data))
        return;
}

void fastspring_read_subscription(const struct json_object *data,
                                  const struct fastspring_origin *origin, struct facts *facts)
{
    char *id;
    if (fastspring_take_id(facts, data, "subscription", &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    if (!shop_json_member(data, "state"))
        fastspring_add_need(order, NEED_ORDER, FASTSPRING_SUBSCRIPTIONS, id, true);
    else if (fastspring_add_term(facts, order, data, origin) == 0 &&
             shop_json_member(data, "product"))
        read_whole(facts, order, data, origin);
    free(id);
}

/* Whether an item of a charge's order is of this subscription; one that names none is. */
static int item_is_of(struct facts *facts, const struct json_object *item, const char *id, bool *is)
{
    char *owner;
    if (fastspring_take_link(facts, item, "subscription", &owner))
        return -1;
    *is = !owner || strcmp(owner, id) == 0;
    free(owner);
    return 0;
}

/* What a charge paid for: of the order that it made, else what the subscription is of, else what
 * was known before. *whole is whether the order holds nothing else. */
static int read_charge_lines(struct facts *facts, struct fact_order *order,
                             const struct json_object *data, bool *whole)
{
    struct json_object *items = shop_json_array(shop_json_object(data, "order"), "items");
    const struct json_object *subscription = shop_json_object(data, "subscription");
    size_t count = items ? json_object_array_length(items) : 0;
    *whole = true;
    for (size_t i = 0; i < count; i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        bool is;
        if (item_is_of(facts, item, order->id, &is) ||
            (is && fastspring_add_line(facts, order->snapshot, item)))
            return -1;
        *whole = *whole && is;
    }
    order->snapshot->lines_known = order->snapshot->line_count > 0;
    return !order->snapshot->lines_known && shop_json_member(subscription, "product")
               ? read_lines(facts, order->snapshot, subscription)
               : 0;
}

/* A payment of a subscription: a new one, of which nothing was given back yet. */
static void read_payment(struct facts *facts, struct fact_order *order,
                         const struct json_object *data, const struct fastspring_origin *origin)
{
    char *payment_id;
    int64_t time;
    bool whole;
    if (fastspring_take_time(facts, data, "timestamp", origin->event_at, &time))
        return;
    struct fact_snapshot *snapshot = fastspring_add_snapshot(order, time, origin);
    snapshot->status = ORDER_PAID;
    snapshot->paid_at = snapshot->time;
    snapshot->lists_refunds = true;
    read_buyer(snapshot, data);
    if (read_charge_lines(facts, order, data, &whole) ||
        fastspring_take_link(facts, data, "order", &payment_id))
        return;
    snapshot->total = fastspring_amount(data, "total");
    if (payment_id && whole)
        fact_add_alias(order, payment_id);
    snapshot->payment = payment_id;
}

void fastspring_read_charge(const struct json_object *data, const struct fastspring_origin *origin,
                            struct facts *facts)
{
    const char *status = shop_json_text(data, "status");
    char *id;
    if (status && strcmp(status, "successful") != 0 && strcmp(status, "completed") != 0) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "`status` of a charge is none that this version knows");
        return;
    }
    if (fastspring_take_link(facts, data, "subscription", &id))
        return;
    if (!id) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`subscription` of a charge is missing");
        return;
    }
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    const struct json_object *expanded = shop_json_object(data, "subscription");
    if (!expanded || fastspring_add_term(facts, order, expanded, origin) == 0)
        read_payment(facts, order, data, origin);
    free(id);
}

/* A renewal that was not paid. Without the subscription itself this says no more than that, and
 * the subscription is asked for. */
void fastspring_read_failed_charge(const struct json_object *data,
                                   const struct fastspring_origin *origin, struct facts *facts)
{
    const struct json_object *expanded = shop_json_object(data, "subscription");
    char *id;
    if (shop_json_member(expanded, "state")) {
        fastspring_read_subscription(expanded, origin, facts);
        return;
    }
    if (fastspring_take_link(facts, data, "subscription", &id))
        return;
    if (!id) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`subscription` of a charge is missing");
        return;
    }
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    *fact_order_subscription(order) = (struct fact_subscription){
        .time = origin->event_at,
        .state = SUBSCRIPTION_PAST_DUE,
        .paid_until = TIME_NONE,
        .unpaid_since = TIME_NONE,
    };
    fastspring_add_need(order, NEED_ORDER, FASTSPRING_SUBSCRIPTIONS, id, false);
    free(id);
}
