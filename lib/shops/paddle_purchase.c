#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/paddle.h"

static const struct {
    const char *name;
    enum order_status status;
} transaction_statuses[] = {
    {"draft", ORDER_PENDING},    {"ready", ORDER_PENDING},  {"billed", ORDER_PENDING},
    {"paid", ORDER_PAID},        {"completed", ORDER_PAID}, {"canceled", ORDER_CANCELLED},
    {"past_due", ORDER_PENDING},
};

/* What a transaction is to the subscription that it names. */
enum role {
    ROLE_PURCHASE, /* an order by itself: no subscription, or a one-off charge billed through one */
    ROLE_PAYMENT,  /* begins or renews the subscription: pays for all of its items */
    ROLE_CHANGE, /* settles a change within a period: what there is to give the subscription says */
};

static enum role role_of(const struct json_object *data, const char *subscription)
{
    const char *origin = shop_json_text(data, "origin");
    if (!subscription || (origin && strcmp(origin, "subscription_charge") == 0))
        return ROLE_PURCHASE;
    return origin && (strcmp(origin, "subscription_update") == 0 ||
                      strcmp(origin, "subscription_payment_method_change") == 0)
               ? ROLE_CHANGE
               : ROLE_PAYMENT;
}

static bool is_renewal(const struct json_object *data)
{
    const char *origin = shop_json_text(data, "origin");
    return origin && strcmp(origin, "subscription_recurring") == 0;
}

static int read_transaction_status(struct facts *facts, const struct json_object *data,
                                   enum order_status *status)
{
    const char *name = shop_json_text(data, "status");
    size_t count = sizeof(transaction_statuses) / sizeof(transaction_statuses[0]);
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(transaction_statuses[i].name, name) == 0) {
            *status = transaction_statuses[i].status;
            return 0;
        }
    facts_set_aside(facts, SET_ASIDE_MALFORMED,
                    "`status` of the transaction is none that this version knows");
    return -1;
}

/* A snapshot of the evidence's kind; its time is the object's own. */
static struct fact_snapshot *add_snapshot(struct fact_order *order, int64_t time,
                                          const struct paddle_evidence *evidence)
{
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    evidence_set_time(snapshot, time, evidence->received_at);
    snapshot->from_api = !evidence->event;
    snapshot->read_at = snapshot->from_api ? evidence->received_at : 0;
    snapshot->paid_at = TIME_NONE;
    snapshot->total = -1;
    snapshot->refunded_total = -1;
    return snapshot;
}

/* The product of a price, as the list of what was ordered tells it. */
static const struct json_object *item_of_price(const struct json_object *data, const char *price)
{
    struct json_object *items = shop_json_array(data, "items");
    for (size_t i = 0; items && i < json_object_array_length(items); i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        const char *id = shop_json_text(shop_json_object(item, "price"), "id");
        if (id && strcmp(id, price) == 0)
            return item;
    }
    return NULL;
}

/* An item names its product itself, or through its price. */
static char *product_of(const struct json_object *item)
{
    const struct json_object *whole = shop_json_object(item, "product");
    if (shop_json_member(whole, "id"))
        return shop_json_id(whole, "id", LIMIT_SELECTOR);
    return shop_json_id(shop_json_object(item, "price"), "product_id", LIMIT_SELECTOR);
}

/* Adds a line. Lines that have their prices' ids are one for each price. */
static int add_line(struct facts *facts, struct fact_snapshot *snapshot, struct fact_line *line)
{
    for (size_t i = 0; i < snapshot->line_count; i++) {
        struct fact_line *same = &snapshot->lines[i];
        if (!line->id || line->quantity < 0 || !line->product ||
            strcmp(line->id, line->product) != 0 || strcmp(same->id, line->id) != 0)
            continue;
        int64_t quantity = same->quantity + line->quantity;
        same->quantity = quantity > LIMIT_QUANTITY ? LIMIT_QUANTITY : quantity;
        evidence_free_line(line);
        return 0;
    }
    return evidence_add_line(facts, snapshot, line);
}

/* Whether a price that was ordered is charged once, and not again in each period. */
static bool is_once(const struct json_object *item)
{
    const struct json_object *price = shop_json_object(item, "price");
    return shop_json_has(price, "billing_cycle") && !shop_json_member(price, "billing_cycle");
}

/* Whether a transaction has both: what is charged once does not end with the subscription. */
static bool is_mixed(const struct json_object *data)
{
    struct json_object *items = shop_json_array(data, "items");
    bool once = false, recurring = false;
    for (size_t i = 0; items && i < json_object_array_length(items); i++) {
        bool this_once = is_once(json_object_array_get_idx(items, i));
        once = once || this_once;
        recurring = recurring || !this_once;
    }
    return once && recurring;
}

/* Which of a transaction's lines an order is of. */
enum part { PART_ALL, PART_RECURRING, PART_ONCE };

static bool is_of_part(enum part part, const struct json_object *item)
{
    return part == PART_ALL || is_once(item) == (part == PART_ONCE);
}

/* A line of `details.line_items`: it names its price, and its product where Paddle knows it. */
static int read_line(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *data, const struct json_object *item, enum part part,
                     bool by_price, size_t *told)
{
    struct fact_line line = {
        .product = shop_json_id(item, "price_id", LIMIT_SELECTOR),
        .product2 = product_of(item),
        .quantity = shop_json_count(item, "quantity", 1),
    };
    const struct json_object *ordered = line.product ? item_of_price(data, line.product) : NULL;
    if (!is_of_part(part, ordered)) {
        evidence_free_line(&line);
        return 0;
    }
    ++*told;
    if (!line.product2 && ordered)
        line.product2 = product_of(ordered);
    line.id = by_price && line.product && strlen(line.product) <= LIMIT_ORDER_ID
                  ? xstrdup(line.product)
                  : shop_json_id(item, "id", LIMIT_ORDER_ID);
    return add_line(facts, snapshot, &line);
}

/* What was ordered, of a price: items have no id of their own. */
static int read_item(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *item)
{
    const struct json_object *price = shop_json_object(item, "price");
    struct fact_line line = {
        .id = shop_json_id(price ? price : item, price ? "id" : "price_id", LIMIT_ORDER_ID),
        .product2 = product_of(item),
        .quantity = shop_json_count(item, "quantity", 1),
    };
    line.product = line.id ? xstrdup(line.id) : NULL;
    return add_line(facts, snapshot, &line);
}

static int read_items(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *data, enum part part)
{
    struct json_object *items = shop_json_array(data, "items");
    if (!items) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data.items` is not a list");
        return -1;
    }
    size_t told = 0;
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        if (!is_of_part(part, item))
            continue;
        told++;
        if (read_item(facts, snapshot, item))
            return -1;
    }
    snapshot->lines_known = true;
    return evidence_check_lines(facts, snapshot, told);
}

static int read_transaction_lines(struct facts *facts, struct fact_snapshot *snapshot,
                                  const struct json_object *data, enum part part, bool by_price)
{
    struct json_object *lines = shop_json_array(shop_json_object(data, "details"), "line_items");
    if (!lines || json_object_array_length(lines) == 0)
        return read_items(facts, snapshot, data, part);
    size_t told = 0;
    for (size_t i = 0; i < json_object_array_length(lines); i++)
        if (read_line(facts, snapshot, data, json_object_array_get_idx(lines, i), part, by_price,
                      &told))
            return -1;
    snapshot->lines_known = true;
    return evidence_check_lines(facts, snapshot, told);
}

/* The total that had to be paid, of details.totals or of what adjustments left of it. */
static int take_total(struct facts *facts, const struct json_object *data, const char *which,
                      int64_t *total)
{
    const struct json_object *totals = shop_json_object(shop_json_object(data, "details"), which);
    const char *currency = shop_json_text(totals, "currency_code");
    if (!currency)
        currency = shop_json_text(data, "currency_code");
    return shop_take_minor(facts, totals,
                           shop_json_member(totals, "grand_total") ? "grand_total" : "total",
                           currency, -1, total);
}

/* When the money was captured, else when the transaction was billed (a free one has no payment). */
static int take_paid_at(struct facts *facts, const struct json_object *data, int64_t *paid_at)
{
    struct json_object *payments = shop_json_array(data, "payments");
    int64_t latest = TIME_NONE;
    for (size_t i = 0; payments && i < json_object_array_length(payments); i++) {
        const struct json_object *payment = json_object_array_get_idx(payments, i);
        int64_t captured;
        if (shop_take_time(facts, payment, "captured_at", &captured))
            return -1;
        latest = captured > latest ? captured : latest;
    }
    *paid_at = latest;
    return latest == TIME_NONE ? shop_take_time(facts, data, "billed_at", paid_at) : 0;
}

/* Whether the evidence proves that nothing was given back yet: its totals say so, or an event is
 * the news of the payment itself. An answer has no adjusted totals where there is no adjustment. */
static int tells_untouched(struct facts *facts, const struct json_object *data,
                           const struct paddle_evidence *evidence, int64_t total, bool *untouched)
{
    int64_t left;
    if (take_total(facts, data, "adjusted_totals", &left))
        return -1;
    if (left >= 0)
        *untouched = left == total;
    else if (evidence->event)
        *untouched = strcmp(evidence->event, "transaction.paid") == 0 ||
                     strcmp(evidence->event, "transaction.completed") == 0;
    else
        *untouched = shop_json_has(shop_json_object(data, "details"), "adjusted_totals");
    return 0;
}

/* Sets money and refunds, which say each other. */
static int read_money(struct facts *facts, struct fact_order *order, const struct json_object *data,
                      const struct paddle_evidence *evidence, bool by_price)
{
    struct fact_snapshot *snapshot = order->snapshot;
    if (take_total(facts, data, "totals", &snapshot->total))
        return -1;
    if (snapshot->status == ORDER_PAID) {
        if (take_paid_at(facts, data, &snapshot->paid_at))
            return -1;
        if (snapshot->paid_at == TIME_NONE)
            snapshot->paid_at = snapshot->time;
        snapshot->paid_at = evidence_time(snapshot->paid_at, evidence->received_at);
    }
    if (snapshot->status == ORDER_PAID && (evidence->event || !shop_json_has(data, "adjustments")))
        return tells_untouched(facts, data, evidence, snapshot->total, &snapshot->lists_refunds);
    return paddle_add_adjustments(facts, order, data, evidence, by_price);
}

/*
 * A purchase names its customer by id alone, unless it was read together with the customer. What
 * nobody owns gives nothing, so the address is essential where no reference says whose it is; a
 * renewal belongs to whoever made the first payment.
 */
static int read_buyer(struct facts *facts, struct fact_order *order, const struct json_object *data,
                      bool first)
{
    struct fact_snapshot *snapshot = order->snapshot;
    char *customer;
    evidence_set_reference(
        snapshot, shop_json_member(shop_json_object(data, "custom_data"), "miro_reference"));
    evidence_set_address(snapshot, shop_json_text(shop_json_object(data, "customer"), "email"));
    if (snapshot->address_state != ADDRESS_ABSENT || snapshot->status != ORDER_PAID)
        return 0;
    if (shop_take_optional_id(facts, data, "customer_id", LIMIT_ORDER_ID, &customer))
        return -1;
    if (customer)
        fact_add_need(order, NEED_ADDRESS, customer, first && !snapshot->reference);
    free(customer);
    return 0;
}

static void read_payment(struct facts *facts, struct fact_order *order,
                         const struct json_object *data, const struct paddle_evidence *evidence,
                         enum role role, enum part part)
{
    enum order_status status;
    int64_t time;
    bool by_price = role != ROLE_PURCHASE && part != PART_ONCE;
    if (read_transaction_status(facts, data, &status) ||
        paddle_take_time(facts, data, evidence, &time))
        return;
    /* A bill of a subscription that is not paid, or only for a change, takes nothing from what was
     * paid before: the subscription's own state says what it means. */
    if (role == ROLE_CHANGE || (role == ROLE_PAYMENT && status != ORDER_PAID))
        return;
    struct fact_snapshot *snapshot = add_snapshot(order, time, evidence);
    snapshot->status = status;
    if (read_transaction_lines(facts, snapshot, data, part, by_price) ||
        read_money(facts, order, data, evidence, by_price) ||
        read_buyer(facts, order, data, !is_renewal(data)))
        return;
    /* Amounts are of the whole transaction: of a part, only what gives back its lines counts. */
    if (part == PART_ONCE)
        snapshot->total = -1;
}

/* What was charged once beside a subscription, as an order of its own. */
static void read_once(struct facts *facts, const char *transaction, const struct json_object *data,
                      const struct paddle_evidence *evidence)
{
    char *id = xasprintf("%s" PADDLE_ONCE, transaction);
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    read_payment(facts, order, data, evidence, ROLE_PAYMENT, PART_ONCE);
}

void paddle_read_transaction(const struct json_object *data, const struct paddle_evidence *evidence,
                             struct facts *facts)
{
    char *id = NULL, *subscription = NULL;
    if (shop_take_id(facts, data, "id", PADDLE_TRANSACTION_ID, &id) == 0 &&
        shop_take_optional_id(facts, data, "subscription_id", LIMIT_ORDER_ID, &subscription) == 0) {
        enum role role = role_of(data, subscription);
        bool mixed = role == ROLE_PAYMENT && is_mixed(data);
        const char *owner = role == ROLE_PURCHASE ? id : subscription;
        struct fact_order *order = facts_add_order(facts, owner, strlen(owner));
        fact_add_alias(order, id);
        read_payment(facts, order, data, evidence, role, mixed ? PART_RECURRING : PART_ALL);
        if (role == ROLE_PAYMENT && order->snapshot)
            order->snapshot->payment = xstrdup(id);
        if (mixed && facts->set_aside == SET_ASIDE_NONE && facts->orders[0].snapshot)
            read_once(facts, id, data, evidence);
    }
    free(subscription);
    free(id);
}

static const struct {
    const char *name;
    enum subscription_state state;
} subscription_statuses[] = {
    {"trialing", SUBSCRIPTION_TRIAL},    {"active", SUBSCRIPTION_ACTIVE},
    {"past_due", SUBSCRIPTION_PAST_DUE}, {"paused", SUBSCRIPTION_PAUSED},
    {"canceled", SUBSCRIPTION_EXPIRED},
};

static int read_subscription_status(struct facts *facts, const struct json_object *data,
                                    enum subscription_state *state)
{
    const char *name = shop_json_text(data, "status");
    size_t count = sizeof(subscription_statuses) / sizeof(subscription_statuses[0]);
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(subscription_statuses[i].name, name) == 0) {
            *state = subscription_statuses[i].state;
            return 0;
        }
    facts_set_aside(facts, SET_ASIDE_MALFORMED,
                    "`status` of the subscription is none that this version knows");
    return -1;
}

/* A change that is planned for the end of the period: until then nothing changes but the name. */
static int read_planned_change(struct facts *facts, struct fact_subscription *subscription,
                               const struct json_object *data)
{
    const struct json_object *change = shop_json_object(data, "scheduled_change");
    const char *action = shop_json_text(change, "action");
    int64_t effective;
    if (shop_take_time(facts, change, "effective_at", &effective))
        return -1;
    if (!action || effective == TIME_NONE ||
        (subscription->state != SUBSCRIPTION_TRIAL && subscription->state != SUBSCRIPTION_ACTIVE))
        return 0;
    if (strcmp(action, "cancel") == 0)
        subscription->state = SUBSCRIPTION_CANCELLED;
    else if (strcmp(action, "pause") == 0)
        subscription->state = SUBSCRIPTION_PAUSED;
    else
        return 0;
    subscription->paid_until = effective;
    return 0;
}

/* The dates that count in each state: what is paid for, or since when nothing is. */
static int read_dates(struct facts *facts, struct fact_subscription *subscription,
                      const struct json_object *data)
{
    const struct json_object *period = shop_json_object(data, "current_billing_period");
    switch (subscription->state) {
    case SUBSCRIPTION_PAST_DUE: /* the period that began unpaid */
        if (shop_take_time(facts, period, "starts_at", &subscription->unpaid_since))
            return -1;
        if (subscription->unpaid_since > subscription->time)
            subscription->unpaid_since = subscription->time;
        return 0;
    case SUBSCRIPTION_PAUSED:
        return shop_take_time(facts, data, "paused_at", &subscription->paid_until);
    case SUBSCRIPTION_EXPIRED:
        return shop_take_time(facts, data, "canceled_at", &subscription->paid_until);
    case SUBSCRIPTION_TRIAL:
    case SUBSCRIPTION_ACTIVE:
    case SUBSCRIPTION_CANCELLED:
        break;
    }
    if (shop_take_time(facts, period, "ends_at", &subscription->paid_until))
        return -1;
    return subscription->paid_until == TIME_NONE
               ? shop_take_time(facts, data, "next_billed_at", &subscription->paid_until)
               : 0;
}

static int read_state(struct facts *facts, struct fact_order *order, const struct json_object *data,
                      int64_t time, const struct paddle_evidence *evidence)
{
    struct fact_subscription *subscription = fact_order_subscription(order);
    subscription->time = evidence_time(time, evidence->received_at);
    subscription->from_api = !evidence->event;
    subscription->read_at = subscription->from_api ? evidence->received_at : 0;
    return read_subscription_status(facts, data, &subscription->state) ||
                   read_dates(facts, subscription, data) ||
                   read_planned_change(facts, subscription, data)
               ? -1
               : 0;
}

void paddle_read_subscription(const struct json_object *data,
                              const struct paddle_evidence *evidence, struct facts *facts)
{
    char *id, *transaction;
    int64_t time;
    if (shop_take_id(facts, data, "id", LIMIT_ORDER_ID, &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    /* subscription.created tells which transaction began it. */
    if (shop_take_optional_id(facts, data, "transaction_id", LIMIT_ORDER_ID, &transaction))
        return;
    if (transaction)
        fact_add_alias(order, transaction);
    free(transaction);
    if (paddle_take_time(facts, data, evidence, &time) ||
        read_state(facts, order, data, time, evidence))
        return;
    struct fact_snapshot *snapshot = add_snapshot(order, time, evidence);
    snapshot->status = ORDER_PAID;
    if (read_items(facts, snapshot, data, PART_ALL) || read_buyer(facts, order, data, false))
        return;
}
