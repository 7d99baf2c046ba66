#include "entitlement/refund.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "entitlement/sum.h"

/* Who says it, the most trusted about what was given back first. */
enum evidence { EVIDENCE_LISTED, EVIDENCE_TOLD, EVIDENCE_DETAIL };

/* One piece of evidence about one refund, in one shape whoever says it. */
struct view {
    const char *id;
    enum evidence evidence;
    int64_t time;
    enum refund_state state;
    bool lines_known;
    int64_t amount;
    struct fact_refund_line *lines; /* sorted, in the ledger's own array */
    size_t line_count;
};

/* What a refund's evidence comes to. */
struct verdict {
    const struct view *listed, *told, *lines; /* the greatest of each, or NULL */
};

/* For qsort: a refund's lines, so that equal lists look equal however they were sent. */
static int compare_lines(const void *left, const void *right)
{
    const struct fact_refund_line *a = left, *b = right;
    int order = strcmp(a->line_id, b->line_id);
    return order ? order : sum_compare(a->quantity, b->quantity);
}

/* Orders two views by the lines they tell, the last of what may tell them apart. */
static int compare_line_lists(const struct view *a, const struct view *b)
{
    size_t common = a->line_count < b->line_count ? a->line_count : b->line_count;
    for (size_t i = 0; i < common; i++) {
        int order = compare_lines(&a->lines[i], &b->lines[i]);
        if (order)
            return order;
    }
    return sum_compare((int64_t)a->line_count, (int64_t)b->line_count);
}

/* For qsort: groups by refund and by who says it, the greatest of a group last. Views that compare
 * equal say the same, so the outcome cannot depend on which of them came first. */
static int compare_views(const void *left, const void *right)
{
    const struct view *a = left, *b = right;
    int order = strcmp(a->id, b->id);
    if (!order)
        order = sum_compare(a->evidence, b->evidence);
    if (!order)
        order = sum_compare(a->time, b->time);
    if (!order)
        order = sum_compare(a->state, b->state);
    if (!order)
        order = sum_compare(a->amount, b->amount);
    return order ? order : compare_line_lists(a, b);
}

/* Copies a refund's lines behind those that the ledger has, and sorts them. */
static void view_set_lines(struct view *view, const struct fact_refund_line *lines, size_t count,
                           struct fact_refund_line **free_lines)
{
    view->lines = *free_lines;
    view->line_count = count;
    if (count == 0)
        return;
    memcpy(view->lines, lines, count * sizeof *lines);
    qsort(view->lines, count, sizeof *lines, compare_lines);
    *free_lines += count;
}

/* Whether a refund is of another payment than this one. Where either is not named, it is taken for
 * the same. */
static bool is_elsewhere(const struct known_order *order, const struct fact_refund *refund,
                         const char *payment)
{
    return order->subscription_count > 0 && refund->payment && payment &&
           strcmp(refund->payment, payment) != 0;
}

static size_t count_lines(const struct known_order *order, const struct fact_snapshot *basis)
{
    size_t count = 0;
    for (size_t i = 0; i < order->refund_count; i++)
        count += order->refunds[i].line_count;
    for (size_t i = 0; basis->lists_refunds && i < basis->refund_count; i++)
        count += basis->refunds[i].line_count;
    return count;
}

/* Brings all evidence into one sorted array; returns its length. */
static size_t views_collect(const struct known_order *order, const struct fact_snapshot *basis,
                            const char *payment, struct view *views, struct fact_refund_line *lines)
{
    size_t count = 0;
    for (size_t i = 0; i < order->refund_count; i++) {
        const struct fact_refund *fact = &order->refunds[i];
        if (is_elsewhere(order, fact, payment))
            continue;
        struct view *view = &views[count++];
        *view = (struct view){.id = fact->id,
                              .evidence = fact->detail_only ? EVIDENCE_DETAIL : EVIDENCE_TOLD,
                              .time = fact->time,
                              .state = fact->state,
                              .lines_known = fact->lines_known,
                              .amount = fact->amount};
        view_set_lines(view, fact->lines, fact->line_count, &lines);
    }
    for (size_t i = 0; basis->lists_refunds && i < basis->refund_count; i++) {
        const struct fact_listed_refund *listed = &basis->refunds[i];
        struct view *view = &views[count++];
        *view = (struct view){.id = listed->id,
                              .evidence = EVIDENCE_LISTED,
                              .lines_known = listed->lines_known,
                              .amount = listed->amount};
        view_set_lines(view, listed->lines, listed->line_count, &lines);
    }
    if (count > 1)
        qsort(views, count, sizeof *views, compare_views);
    return count;
}

/* Takes the evidence of one refund together; the greatest of each kind comes last in it. */
static struct verdict verdict_of(const struct view *views, size_t count)
{
    struct verdict verdict = {0};
    for (size_t i = 0; i < count; i++) {
        const struct view *view = &views[i];
        if (view->evidence == EVIDENCE_LISTED)
            verdict.listed = view;
        if (view->evidence == EVIDENCE_TOLD)
            verdict.told = view;
        if (view->lines_known && (!verdict.lines || verdict.lines->evidence == view->evidence))
            verdict.lines = view;
    }
    return verdict;
}

/* Whether the refund counts, and how. A list is the whole truth up to its second; within that
 * second a failure is the later news, for a refund that failed never comes back. */
static bool verdict_weigh(const struct verdict *verdict, const struct fact_snapshot *basis,
                          enum refund_weight *weight)
{
    const struct view *told = verdict->told;
    if (verdict->listed) {
        bool failed = told && told->state == REFUND_FAILED && told->time >= basis->time;
        *weight = failed ? REFUND_WITHDRAWN : REFUND_WITHIN;
        return true;
    }
    if (!told || told->state != REFUND_DONE)
        return false;
    *weight = told->time > basis->time ? REFUND_AFTER : REFUND_WITHIN;
    return *weight == REFUND_AFTER || !basis->lists_refunds;
}

/* Enters one refund, if it counts. */
static void ledger_enter(struct refund_ledger *ledger, const struct verdict *verdict,
                         const struct fact_snapshot *basis)
{
    enum refund_weight weight;
    const struct view *told = verdict->told;
    if (!verdict_weigh(verdict, basis, &weight)) {
        if (told && told->state == REFUND_DONE && told->time == basis->time)
            ledger->torn = true;
        return;
    }
    const struct view *head = verdict->listed ? verdict->listed : told;
    struct refund_entry *entry = &ledger->entries[ledger->count++];
    *entry = (struct refund_entry){.id = head->id, .weight = weight, .amount = head->amount};
    if (verdict->lines) {
        entry->lines = verdict->lines->lines;
        entry->line_count = verdict->lines->line_count;
    } else if (verdict->listed && weight == REFUND_WITHIN) {
        ledger->wants_lines = true;
    }
}

void refund_ledger_settle(const struct known_order *order, const struct fact_snapshot *basis,
                          const char *payment, struct refund_ledger *out)
{
    *out = (struct refund_ledger){0};
    size_t most = order->refund_count + (basis->lists_refunds ? basis->refund_count : 0);
    if (most == 0)
        return;
    out->lines = xcalloc(count_lines(order, basis) + 1, sizeof *out->lines);
    out->entries = xcalloc(most, sizeof *out->entries);
    struct view *views = xcalloc(most, sizeof *views);
    size_t count = views_collect(order, basis, payment, views, out->lines);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && strcmp(views[to].id, views[from].id) == 0;)
            to++;
        struct verdict verdict = verdict_of(views + from, to - from);
        ledger_enter(out, &verdict, basis);
    }
    free(views);
}

void refund_ledger_free(struct refund_ledger *ledger)
{
    free(ledger->entries);
    free(ledger->lines);
    *ledger = (struct refund_ledger){0};
}

void refund_tally_add(struct refund_tally *tally, enum refund_weight weight, int64_t count)
{
    int64_t *sum = weight == REFUND_WITHIN  ? &tally->within
                   : weight == REFUND_AFTER ? &tally->after
                                            : &tally->withdrawn;
    *sum = sum_add(*sum, sum_count(count));
}

/* The cumulative figure and the refunds it is made of say the same thing twice, so the greater
 * counts; what failed since is still in the figure. */
int64_t refund_tally_total(const struct refund_tally *tally, int64_t stated)
{
    int64_t figure = sum_less(sum_count(stated), tally->withdrawn);
    return sum_add(sum_max(figure, tally->within), tally->after);
}
