#include "entitlement/payment.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Payments tell money, subscriptions' events tell lines: each counts by its own latest word. */
static bool tells_money(const struct known_snapshot *snapshot)
{
    return snapshot->facts.total >= 0 || snapshot->facts.refunded_total >= 0 ||
           snapshot->facts.lists_refunds;
}

/* What is read without a time of its own says nothing about when anything was paid. */
static bool tells_when(const struct known_snapshot *snapshot)
{
    return snapshot->facts.paid_at != TIME_NONE || snapshot->facts.time > 0;
}

static int64_t told_time(const struct known_snapshot *snapshot)
{
    const struct fact_snapshot *facts = &snapshot->facts;
    return facts->paid_at != TIME_NONE ? facts->paid_at : facts->time;
}

/* As early as any word on the same payment says: words that come later tell later times, where they
 * tell when they were said and not when it was paid. */
static int64_t find_made(const struct known_order *order, const struct known_snapshot *snapshot)
{
    const char *payment = snapshot->facts.payment;
    bool any = false;
    int64_t made = told_time(snapshot);
    if (order->subscription_count == 0)
        return snapshot->facts.time;
    for (size_t i = 0; payment && i < order->snapshot_count; i++) {
        const struct known_snapshot *other = &order->snapshots[i];
        if (!other->facts.payment || strcmp(other->facts.payment, payment) != 0 ||
            !tells_when(other) || (any && told_time(other) >= made))
            continue;
        made = told_time(other);
        any = true;
    }
    return made;
}

int64_t payments_made(const struct payments *payments, const struct known_snapshot *snapshot)
{
    return payments->made[snapshot - payments->order->snapshots];
}

/* Names the running payment, by any word on money: of two that were made at one time the name
 * decides, so that no later word on either changes which it is. Returns when it was made. */
static int64_t find_running(struct payments *payments)
{
    const struct known_order *order = payments->order;
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const char *name = order->snapshots[i].facts.payment;
        if (!tells_money(&order->snapshots[i]) || payments->made[i] < latest)
            continue;
        if (payments->made[i] > latest)
            payments->running = NULL;
        latest = payments->made[i];
        if (name && (!payments->running || strcmp(name, payments->running) > 0))
            payments->running = name;
    }
    return latest;
}

/* The greatest of the words on the running payment; one that names none is of the payment that was
 * made when it says. */
static void find_money(struct payments *payments)
{
    const struct known_order *order = payments->order;
    bool paid_once = order->subscription_count == 0;
    int64_t latest = paid_once ? INT64_MIN : find_running(payments);
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];
        const char *name = one->facts.payment;
        if (!tells_money(one) ||
            (!paid_once && (payments->made[i] != latest ||
                            (name && payments->running && strcmp(name, payments->running) != 0))))
            continue;
        if (!payments->money || snapshot_wins(one, payments->money))
            payments->money = one;
    }
}

/* When the second payment was made. Only one that is named can be told from the first: a checkout
 * names none, and is of the payment that it began with. */
static void find_second(struct payments *payments)
{
    const struct known_order *order = payments->order;
    int64_t first = INT64_MAX;
    if (order->subscription_count == 0)
        return;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];
        bool pays = one->facts.payment || one->facts.paid_at != TIME_NONE;
        if (pays && tells_when(one) && payments->made[i] < first)
            first = payments->made[i];
    }
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];
        if (!one->facts.payment || !tells_when(one) || payments->made[i] <= first ||
            (payments->has_second && payments->made[i] >= payments->second))
            continue;
        payments->second = payments->made[i];
        payments->has_second = true;
    }
}

void payments_weigh(const struct known_order *order, struct payments *out)
{
    *out = (struct payments){.order = order};
    out->made = xcalloc(order->snapshot_count + 1, sizeof *out->made);
    for (size_t i = 0; i < order->snapshot_count; i++)
        out->made[i] = find_made(order, &order->snapshots[i]);
    find_money(out);
    find_second(out);
}

void payments_free(struct payments *payments)
{
    free(payments->made);
    *payments = (struct payments){0};
}

bool payments_is_past(const struct payments *payments, const struct known_snapshot *snapshot)
{
    const char *name = snapshot->facts.payment;
    return payments->running && name && strcmp(name, payments->running) != 0 &&
           payments_made(payments, snapshot) <= payments_made(payments, payments->money);
}

bool payments_is_first(const struct payments *payments, const struct known_snapshot *snapshot)
{
    return !payments->has_second || payments_made(payments, snapshot) < payments->second;
}
