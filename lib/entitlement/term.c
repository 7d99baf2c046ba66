#include "entitlement/term.h"

#include <string.h>

#include "base/clock.h"

static bool wins(const struct known_subscription *a, const struct known_subscription *b)
{
    if (a->facts.time != b->facts.time)
        return a->facts.time > b->facts.time;
    if (a->facts.from_api != b->facts.from_api)
        return a->facts.from_api;
    if (a->facts.read_at != b->facts.read_at)
        return a->facts.read_at > b->facts.read_at;
    if (a->facts.state != b->facts.state)
        return a->facts.state > b->facts.state;
    return memcmp(a->digest, b->digest, DIGEST_LEN) > 0;
}

static bool is_bill(const struct known_subscription *known)
{
    const struct fact_subscription *facts = &known->facts;
    return (facts->state == SUBSCRIPTION_ACTIVE || facts->state == SUBSCRIPTION_PAST_DUE) &&
           facts->unpaid_since != TIME_NONE && facts->paid_until > facts->unpaid_since;
}

/* What the subscription says of itself. */
static const struct known_subscription *latest_state(const struct known_order *order)
{
    const struct known_subscription *latest = NULL;
    for (size_t i = 0; i < order->subscription_count; i++) {
        const struct known_subscription *one = &order->subscriptions[i];
        if (!is_bill(one) && (!latest || wins(one, latest)))
            latest = one;
    }
    return latest;
}

/* The bill of the latest period that was paid, or was not; those of one end win as states do. */
static const struct known_subscription *latest_bill(const struct known_order *order,
                                                    enum subscription_state state)
{
    const struct known_subscription *latest = NULL;
    for (size_t i = 0; i < order->subscription_count; i++) {
        const struct known_subscription *one = &order->subscriptions[i];
        if (!is_bill(one) || one->facts.state != state)
            continue;
        if (!latest || one->facts.paid_until > latest->facts.paid_until ||
            (one->facts.paid_until == latest->facts.paid_until && wins(one, latest)))
            latest = one;
    }
    return latest;
}

/* Whether a bill that was paid is of a period that a running subscription does not know yet: one
 * that began later than it was told, or than what it says is paid. */
static bool extends(const struct fact_subscription *state, const struct fact_subscription *bill)
{
    return bill->paid_until > state->paid_until &&
           (bill->unpaid_since > state->time || bill->unpaid_since >= state->paid_until);
}

/* Whether a bill is news for a subscription of this state, which was told before it. */
static bool is_news(const struct fact_subscription *state, const struct fact_subscription *bill)
{
    if (bill->time < state->time)
        return false;
    switch (state->state) {
    case SUBSCRIPTION_TRIAL:
    case SUBSCRIPTION_ACTIVE:
        /* A shop begins the next period before that is paid: its bill may still fail. */
        return bill->state == SUBSCRIPTION_PAST_DUE ? bill->paid_until >= state->paid_until
                                                    : extends(state, bill);
    case SUBSCRIPTION_PAST_DUE:
        return bill->state == SUBSCRIPTION_ACTIVE && bill->paid_until > state->unpaid_since;
    case SUBSCRIPTION_PAUSED:
    case SUBSCRIPTION_CANCELLED:
    case SUBSCRIPTION_EXPIRED:
        break;
    }
    return false;
}

const struct fact_subscription *term_latest(const struct known_order *order)
{
    const struct known_subscription *state = latest_state(order);
    const struct known_subscription *paid = latest_bill(order, SUBSCRIPTION_ACTIVE);
    const struct known_subscription *unpaid = latest_bill(order, SUBSCRIPTION_PAST_DUE);
    /* A bill that was paid cannot fail any more, whichever word came last. */
    if (paid && unpaid && paid->facts.paid_until >= unpaid->facts.paid_until)
        unpaid = NULL;
    if (unpaid && (!state || is_news(&state->facts, &unpaid->facts)))
        return &unpaid->facts;
    if (paid && (!state || is_news(&state->facts, &paid->facts)))
        return &paid->facts;
    return state ? &state->facts : NULL;
}
