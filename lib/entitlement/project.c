#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "entitlement/order.h"

/* The last second that RFC 3339 can write, the end of the year 9999: what ends later never ends. */
#define LAST_TIME (INT64_C(253402300799) * TIME_SECOND)

/* How long a renewal's webhook may be late before an active subscription counts as unpaid. */
#define RENEWAL_LATE_DAYS 1

/* What the rules that match one line add to. */
struct draft {
    struct projection *out;
    size_t room;
    struct contribution pattern; /* what every contribution of the line has */
    int64_t runs_from;           /* when durations begin, or TIME_NONE if the order is not paid */
    const struct fact_subscription *subscription; /* decides the term instead, or NULL */
};

/* Never beyond LAST_TIME. */
static int64_t days_after(int64_t time, int64_t days)
{
    int64_t span, end;
    if (__builtin_mul_overflow(days, TIME_DAY, &span) || __builtin_add_overflow(time, span, &end) ||
        end > LAST_TIME)
        return LAST_TIME;
    return end;
}

/* When what a subscription gives ends: at the end of what is paid. TIME_NONE: not while it lasts.
 */
static int64_t subscription_end(const struct fact_subscription *subscription)
{
    int64_t paid = subscription->paid_until;
    switch (subscription->state) {
    case SUBSCRIPTION_TRIAL:
    case SUBSCRIPTION_ACTIVE:
        return paid;
    case SUBSCRIPTION_PAST_DUE:
        if (subscription->unpaid_since != TIME_NONE)
            return subscription->unpaid_since;
        return paid != TIME_NONE ? paid : subscription->time;
    case SUBSCRIPTION_PAUSED:
    case SUBSCRIPTION_CANCELLED:
        return paid != TIME_NONE ? paid : subscription->time;
    case SUBSCRIPTION_EXPIRED:
        break;
    }
    return paid != TIME_NONE && paid < subscription->time ? paid : subscription->time;
}

/* Grace runs from the start of the unpaid period, while a payment is still expected. */
static void set_subscription_term(struct contribution *contribution,
                                  const struct catalogue_rule *rule,
                                  const struct fact_subscription *subscription)
{
    int64_t end = subscription_end(subscription), days = rule->grace_days;
    contribution->ends_at = end < LAST_TIME ? end : TIME_NONE;
    contribution->grace_until = TIME_NONE;
    if (contribution->ends_at == TIME_NONE || subscription->state > SUBSCRIPTION_PAST_DUE)
        return;
    if (subscription->state != SUBSCRIPTION_PAST_DUE && days < RENEWAL_LATE_DAYS)
        days = RENEWAL_LATE_DAYS;
    if (days > 0)
        contribution->grace_until = days_after(end, days);
}

/* Sets when a contribution ends under one rule. */
static void set_term(struct contribution *contribution, const struct catalogue_rule *rule,
                     int64_t runs_from)
{
    contribution->ends_at = TIME_NONE;
    contribution->grace_until = TIME_NONE;
    if (runs_from == TIME_NONE || rule->duration_days <= 0)
        return;
    int64_t end = days_after(runs_from, rule->duration_days);
    if (end == LAST_TIME)
        return;
    contribution->ends_at = end;
    if (rule->grace_days > 0)
        contribution->grace_until = days_after(end, rule->grace_days);
}

/* Adds a contribution for each key of a rule; several rules may yet give the same one. */
static void draft_rule(const struct catalogue_rule *rule, void *arg)
{
    struct draft *draft = arg;
    struct projection *out = draft->out;
    if (rule->ignored)
        return;
    for (size_t i = 0; i < rule->key_count; i++) {
        if (out->count == draft->room) {
            draft->room = draft->room ? draft->room * 2 : 8;
            out->contributions =
                xreallocarray(out->contributions, draft->room, sizeof *out->contributions);
        }
        struct contribution *contribution = &out->contributions[out->count++];
        *contribution = draft->pattern;
        contribution->key = rule->keys[i];
        if (draft->subscription)
            set_subscription_term(contribution, rule, draft->subscription);
        else
            set_term(contribution, rule, draft->runs_from);
    }
}

/* For qsort. */
static int compare_keys(const void *left, const void *right)
{
    const struct contribution *a = left, *b = right;
    return strcmp(a->key, b->key);
}

/* The longest end counts, and the longest grace, if it reaches beyond that end. */
static void keep_longest(struct contribution *into, const struct contribution *other)
{
    if (into->ends_at == TIME_NONE || other->ends_at == TIME_NONE)
        into->ends_at = TIME_NONE;
    else if (other->ends_at > into->ends_at)
        into->ends_at = other->ends_at;
    if (other->grace_until != TIME_NONE &&
        (into->grace_until == TIME_NONE || other->grace_until > into->grace_until))
        into->grace_until = other->grace_until;
}

/* Leaves each key once among the contributions from `first` on, which are one line's. */
static void fold_keys(struct projection *out, size_t first)
{
    size_t count = out->count - first, kept = 0;
    if (count == 0)
        return;
    struct contribution *line = &out->contributions[first];
    qsort(line, count, sizeof *line, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(line[i].key, line[kept].key) == 0)
            keep_longest(&line[kept], &line[i]);
        else
            line[++kept] = line[i];
    }
    out->count = first + kept + 1;
    for (size_t i = first; i < out->count; i++) {
        struct contribution *one = &out->contributions[i];
        if (one->ends_at == TIME_NONE || one->grace_until <= one->ends_at)
            one->grace_until = TIME_NONE;
    }
}

/* Why a line is live or not: what holds for the whole order decides before the line does. */
static enum contribution_state line_state(const struct merged_order *merged,
                                          const struct merged_line *line)
{
    switch (merged->status) {
    case ORDER_PENDING:
        if (merged->subscription)
            break; /* its state says what is paid, and a trial is paid for by nobody */
        return CONTRIBUTION_PENDING;
    case ORDER_CANCELLED:
        if (merged->subscription)
            break;
        return CONTRIBUTION_CANCELLED;
    case ORDER_REFUNDED:
        return CONTRIBUTION_REFUNDED;
    case ORDER_PAID:
        break;
    }
    if (merged->disputed)
        return CONTRIBUTION_DISPUTED;
    if (line->remaining > 0)
        return CONTRIBUTION_ACTIVE;
    bool given_back = line->line->quantity > 0 || line->line->refunded_quantity > 0;
    return given_back ? CONTRIBUTION_REFUNDED : CONTRIBUTION_CANCELLED;
}

/* When the order was paid, which is when durations begin; TIME_NONE unless it is paid now. */
static int64_t paid_time(const struct merged_order *merged)
{
    if (merged->status != ORDER_PAID || !merged->winner)
        return TIME_NONE;
    return merged->paid_at != TIME_NONE ? merged->paid_at : merged->winner->facts.time;
}

void order_project(const struct known_order *order, const struct merged_order *merged,
                   const struct catalogue *catalogue, struct projection *out)
{
    *out = (struct projection){0};
    struct draft draft = {
        .out = out, .runs_from = paid_time(merged), .subscription = merged->subscription};
    if (merged->line_count > 0)
        out->unmapped = xcalloc(merged->line_count, sizeof *out->unmapped);
    for (size_t i = 0; i < merged->line_count; i++) {
        const struct merged_line *line = &merged->lines[i];
        enum contribution_state state = line_state(merged, line);
        draft.pattern = (struct contribution){
            .line_id = line->line->id,
            .state = state,
            .quantity = state == CONTRIBUTION_ACTIVE ? line->remaining : 0,
            .starts_at = draft.runs_from,
        };
        size_t first = out->count;
        if (catalogue_match(catalogue, order->source, line->line, draft_rule, &draft) == 0)
            out->unmapped[out->unmapped_count++] = line->line;
        fold_keys(out, first);
    }
}

void projection_free(struct projection *projection)
{
    free(projection->contributions);
    free(projection->unmapped);
    *projection = (struct projection){0};
}
