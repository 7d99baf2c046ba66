#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "entitlement/order.h"
#include "entitlement/payment.h"
#include "entitlement/refund.h"
#include "entitlement/sum.h"
#include "entitlement/term.h"

/* A shop's times have whole seconds: a read this much later cannot have met a half-told second. */
#define READ_SETTLES_AFTER (2 * TIME_SECOND)

static bool tells_lines(const struct known_snapshot *snapshot)
{
    return snapshot->facts.lines_known;
}

static bool names_owner(const struct known_snapshot *snapshot)
{
    return snapshot->owner_user != NULL;
}

static bool has_address(const struct known_snapshot *snapshot)
{
    return snapshot->has_index;
}

/* The greatest snapshot of those that fit, or NULL: each thing that sticks comes from its own. */
static const struct known_snapshot *greatest(const struct known_order *order,
                                             bool (*fits)(const struct known_snapshot *))
{
    const struct known_snapshot *best = NULL;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];
        if (fits(one) && (!best || snapshot_wins(one, best)))
            best = one;
    }
    return best;
}

/* When its lines were so: those of a payment are what they were when it was made. */
static int64_t lines_time(const struct payments *payments, const struct known_snapshot *one)
{
    return one->facts.payment ? payments_made(payments, one) : one->facts.time;
}

/*
 * Of one time an object's own lines count before those of a payment, whichever was read later: a
 * subscription names what it goes on with, its first payment also what was sold beside it.
 */
static bool lines_win(const struct payments *payments, const struct known_snapshot *a,
                      const struct known_snapshot *b)
{
    int64_t left = lines_time(payments, a), right = lines_time(payments, b);
    if (left != right)
        return left > right;
    if (!a->facts.payment != !b->facts.payment)
        return !a->facts.payment;
    return snapshot_wins(a, b);
}

/* The latest word on lines. */
static const struct known_snapshot *latest_lines(const struct payments *payments)
{
    const struct known_order *order = payments->order;
    const struct known_snapshot *best = NULL;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];
        if (tells_lines(one) && (!best || lines_win(payments, one, best)))
            best = one;
    }
    return best;
}

/* The latest word on the order, of a subscription on what is paid for now. */
static const struct known_snapshot *latest_word(const struct payments *payments)
{
    const struct known_order *order = payments->order;
    const struct known_snapshot *best = NULL;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];
        if (!payments_is_past(payments, one) && (!best || snapshot_wins(one, best)))
            best = one;
    }
    return best;
}

/* Whether it says when something was, rather than what an object was like when it was asked for. */
static bool is_dated(const struct known_snapshot *snapshot)
{
    return snapshot->facts.time > 0;
}

/*
 * Which of two snapshots tells of a subscription's first payment. Those of payments come before
 * those that were read without a time of their own, of which the first read counts; of one time
 * both win as snapshots do.
 */
static bool is_earlier(const struct known_snapshot *a, const struct known_snapshot *b)
{
    bool a_paid = is_dated(a) && a->facts.status == ORDER_PAID;
    bool b_paid = is_dated(b) && b->facts.status == ORDER_PAID;
    if (a_paid != b_paid)
        return a_paid;
    if (is_dated(a) != is_dated(b))
        return !is_dated(a);
    if (is_dated(a) && a->facts.time != b->facts.time)
        return a->facts.time < b->facts.time;
    if (!is_dated(a) && a->facts.read_at != b->facts.read_at)
        return a->facts.read_at < b->facts.read_at;
    return snapshot_wins(a, b);
}

/* Who an order is for sticks. One that is paid once is for whoever its latest word names, which may
 * be a correction; a subscription is for whoever made its first payment. */
static const struct known_snapshot *owning(const struct payments *payments, bool first_payment,
                                           bool (*fits)(const struct known_snapshot *))
{
    const struct known_order *order = payments->order;
    const struct known_snapshot *first = NULL;
    if (order->subscription_count == 0)
        return greatest(order, fits);
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];
        if (fits(one) && (!first_payment || payments_is_first(payments, one)) &&
            (!first || is_earlier(one, first)))
            first = one;
    }
    return first;
}

/*
 * What an operator assigned decides before all evidence. A valid reference decides before any
 * address; a snapshot without either changes nothing. What the first payment of a subscription
 * tells decides before what later ones do: a reference that only they carry is for nobody, unless
 * nobody else is known.
 */
static struct subject merge_subject(const struct payments *payments)
{
    struct subject subject = {.kind = SUBJECT_NONE};
    const struct known_snapshot *owner = NULL;
    if (payments->order->assigned_user) {
        subject.kind = SUBJECT_USER;
        subject_of_user(payments->order->assigned_user, subject.id);
        return subject;
    }
    for (int later = 0; later < 2 && !owner; later++) {
        owner = owning(payments, !later, names_owner);
        if (!owner)
            owner = owning(payments, !later, has_address);
    }
    if (owner && names_owner(owner)) {
        subject.kind = SUBJECT_USER;
        subject_of_user(owner->owner_user, subject.id);
        if (owner->owner_team)
            snprintf(subject.team, sizeof subject.team, "%s", owner->owner_team);
    } else if (owner) {
        subject.kind = SUBJECT_ADDRESS;
        memcpy(subject.id, owner->address_index, DIGEST_LEN);
    }
    return subject;
}

/* Whether a later word about the same dispute makes this one old. */
static bool dispute_is_old(const struct known_order *order, const struct fact_dispute *dispute)
{
    for (size_t i = 0; i < order->dispute_count; i++) {
        const struct fact_dispute *other = &order->disputes[i];
        if (strcmp(other->id, dispute->id) != 0)
            continue;
        if (other->time > dispute->time ||
            (other->time == dispute->time && other->state > dispute->state))
            return true;
    }
    return false;
}

/* An open or lost chargeback takes access, whatever the snapshots say and whenever they came. */
static bool merge_disputed(const struct known_order *order)
{
    for (size_t i = 0; i < order->dispute_count; i++) {
        const struct fact_dispute *dispute = &order->disputes[i];
        if ((dispute->state == DISPUTE_OPEN || dispute->state == DISPUTE_LOST) &&
            !dispute_is_old(order, dispute))
            return true;
    }
    return false;
}

/* The first time at which anything of an order was paid, as anybody tells it; TIME_NONE: nobody. */
static int64_t least_paid_at(const struct known_order *order)
{
    int64_t least = TIME_NONE;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        int64_t told = order->snapshots[i].facts.paid_at;
        if (told != TIME_NONE && (least == TIME_NONE || told < least))
            least = told;
    }
    return least;
}

/* What the winner tells, else its lines' snapshot, else the first time anybody saw the order paid,
 * which no later snapshot moves. A subscription was bought when its first payment was made,
 * whichever of its words is the latest. */
static int64_t merge_paid_at(const struct known_order *order, const struct known_snapshot *winner,
                             const struct known_snapshot *basis)
{
    int64_t first = order->subscription_count > 0 ? least_paid_at(order) : TIME_NONE;
    if (first != TIME_NONE)
        return first;
    if (winner->facts.paid_at != TIME_NONE)
        return winner->facts.paid_at;
    if (basis && basis->facts.paid_at != TIME_NONE)
        return basis->facts.paid_at;
    bool any = false;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct fact_snapshot *facts = &order->snapshots[i].facts;
        if (facts->status != ORDER_PAID)
            continue;
        any = true;
        least = facts->time < least ? facts->time : least;
    }
    return any ? least : TIME_NONE;
}

/* NULL, which is not told, comes before any text. */
static int compare_text(const char *a, const char *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

/* Whether two snapshots of one time say the same, whoever read them and when. */
static bool says_the_same(const struct known_snapshot *a, const struct known_snapshot *b)
{
    if (memcmp(a->digest, b->digest, DIGEST_LEN) == 0)
        return true;
    if (compare_text(a->owner_user, b->owner_user) != 0 ||
        compare_text(a->owner_team, b->owner_team) != 0)
        return false;
    unsigned char digests[2][DIGEST_LEN];
    const struct known_snapshot *both[2] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        struct fact_snapshot facts = both[i]->facts;
        facts.from_api = false;
        facts.read_at = 0;
        facts.time_flagged = false;
        facts.payment = NULL; /* an answer may name it where the delivery did not */
        fact_snapshot_digest(&facts, both[i]->has_index ? both[i]->address_index : NULL,
                             digests[i]);
    }
    return memcmp(digests[0], digests[1], DIGEST_LEN) == 0;
}

/* Whether the shop was asked clearly after the winner's second was over. */
static bool second_is_settled(const struct known_snapshot *winner)
{
    const struct fact_snapshot *facts = &winner->facts;
    return facts->from_api && facts->time <= INT64_MAX - READ_SETTLES_AFTER &&
           facts->read_at >= facts->time + READ_SETTLES_AFTER;
}

/* Whether the winner's second tells something else too; what it tells of an earlier payment is none
 * of the winner's business. */
static bool second_is_contested(const struct payments *payments,
                                const struct known_snapshot *winner)
{
    const struct known_order *order = payments->order;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *other = &order->snapshots[i];
        if (other->facts.time == winner->facts.time && !payments_is_past(payments, other) &&
            !says_the_same(other, winner))
            return true;
    }
    return false;
}

/* For qsort: by id, and by all that could tell two lines of one id apart. */
static int compare_merged_lines(const void *left, const void *right)
{
    const struct fact_line *a = ((const struct merged_line *)left)->line;
    const struct fact_line *b = ((const struct merged_line *)right)->line;
    int order = strcmp(a->id, b->id);
    if (!order)
        order = sum_compare(a->quantity, b->quantity);
    if (!order)
        order = sum_compare(a->refunded_quantity, b->refunded_quantity);
    if (!order)
        order = compare_text(a->product, b->product);
    if (!order)
        order = compare_text(a->variant, b->variant);
    return order ? order : compare_text(a->sku, b->sku);
}

/* Takes the lines of `facts`, sorted, each id once (the least line of an id that stands twice). */
static void lines_take(struct merged_order *out, const struct fact_snapshot *facts)
{
    if (facts->line_count == 0)
        return;
    struct merged_line *lines = xcalloc(facts->line_count, sizeof *lines);
    for (size_t i = 0; i < facts->line_count; i++)
        lines[i].line = &facts->lines[i];
    qsort(lines, facts->line_count, sizeof *lines, compare_merged_lines);
    size_t kept = 1;
    for (size_t i = 1; i < facts->line_count; i++)
        if (strcmp(lines[i].line->id, lines[kept - 1].line->id) != 0)
            lines[kept++] = lines[i];
    out->lines = lines;
    out->line_count = kept;
}

/* For bsearch: a line's id against a merged line. */
static int compare_id_to_line(const void *id, const void *line)
{
    return strcmp(id, ((const struct merged_line *)line)->line->id);
}

/* Adds what one refund gave back to the tallies of the lines it names; an amount alone names none,
 * and a line that the order does not have is nobody's. */
static void tally_refund(const struct merged_order *merged, const struct refund_entry *entry,
                         struct refund_tally *tallies)
{
    for (size_t i = 0; i < entry->line_count; i++) {
        const struct merged_line *line =
            merged->line_count == 0
                ? NULL
                : bsearch(entry->lines[i].line_id, merged->lines, merged->line_count,
                          sizeof *merged->lines, compare_id_to_line);
        if (line)
            refund_tally_add(&tallies[line - merged->lines], entry->weight,
                             entry->lines[i].quantity);
    }
}

/* Takes from each line what was given back of it. */
static void lines_reduce(struct merged_order *merged, const struct refund_ledger *ledger)
{
    if (merged->line_count == 0)
        return;
    struct refund_tally *tallies = xcalloc(merged->line_count, sizeof *tallies);
    for (size_t i = 0; i < ledger->count; i++)
        tally_refund(merged, &ledger->entries[i], tallies);
    for (size_t i = 0; i < merged->line_count; i++) {
        const struct fact_line *line = merged->lines[i].line;
        merged->lines[i].remaining = sum_less(
            sum_count(line->quantity), refund_tally_total(&tallies[i], line->refunded_quantity));
    }
    free(tallies);
}

/* What the order was worth at its most: a line that is taken off later makes no refund larger. Of a
 * subscription only the latest payment counts. */
static int64_t greatest_total(const struct known_order *order, const struct fact_snapshot *basis)
{
    int64_t total = basis->total;
    if (order->subscription_count > 0)
        return total;
    for (size_t i = 0; i < order->snapshot_count; i++)
        total = sum_max(total, order->snapshots[i].facts.total);
    return total;
}

/* Whether amounts alone come to the whole order, which no line has to say then. */
static bool amounts_cover(const struct known_order *order, const struct fact_snapshot *basis,
                          const struct refund_ledger *ledger)
{
    struct refund_tally tally = {0};
    for (size_t i = 0; i < ledger->count; i++)
        refund_tally_add(&tally, ledger->entries[i].weight, ledger->entries[i].amount);
    return basis->total > 0 &&
           refund_tally_total(&tally, basis->refunded_total) >= greatest_total(order, basis);
}

/* Lines from the snapshot that tells them, and what refunds, held against the one that tells money,
 * leave. */
static void merge_lines(const struct payments *payments, const struct known_snapshot *lines,
                        struct merged_order *out, bool *torn)
{
    const struct known_order *order = payments->order;
    const struct fact_snapshot *basis = payments->money ? &payments->money->facts : &lines->facts;
    struct refund_ledger ledger;
    refund_ledger_settle(order, basis, payments->money ? payments->running : basis->payment,
                         &ledger);
    lines_take(out, &lines->facts);
    lines_reduce(out, &ledger);
    if (amounts_cover(order, basis, &ledger))
        out->status = ORDER_REFUNDED;
    out->wants_refund_lines = ledger.wants_lines;
    *torn = ledger.torn;
    refund_ledger_free(&ledger);
}

/* For qsort: by what the shop claims, then by what it was cut to. */
static int compare_claimed(const void *left, const void *right)
{
    const struct fact_snapshot *a = &(*(struct known_snapshot *const *)left)->facts;
    const struct fact_snapshot *b = &(*(struct known_snapshot *const *)right)->facts;
    int order = sum_compare(a->time_claimed, b->time_claimed);
    return order ? order : sum_compare(a->time, b->time);
}

/* Equal claims get the greatest cut among them; a later claim at least a microsecond more. */
static void raise_cut_times(struct known_snapshot **flagged, size_t count)
{
    for (size_t i = 0, next; i < count; i = next) {
        int64_t claimed = flagged[i]->facts.time_claimed;
        int64_t time = i > 0 ? flagged[i - 1]->facts.time + 1 : INT64_MIN;
        for (next = i; next < count && flagged[next]->facts.time_claimed == claimed; next++)
            time = sum_max(time, flagged[next]->facts.time);
        for (size_t k = i; k < next; k++)
            flagged[k]->facts.time = time;
    }
}

void known_order_settle(struct known_order *order)
{
    struct known_snapshot **flagged = xcalloc(order->snapshot_count + 1, sizeof(*flagged));
    size_t count = 0;
    for (size_t i = 0; i < order->snapshot_count; i++)
        if (order->snapshots[i].facts.time_flagged)
            flagged[count++] = &order->snapshots[i];
    if (count > 1) {
        qsort(flagged, count, sizeof(*flagged), compare_claimed);
        raise_cut_times(flagged, count);
    }
    free(flagged);
}

/* All that the snapshots say, beside who it is for. */
static void merge_snapshots(const struct payments *payments, struct merged_order *out)
{
    const struct known_snapshot *winner = latest_word(payments);
    const struct known_snapshot *basis = latest_lines(payments);
    bool torn = false;
    if (!winner)
        return;
    out->winner = winner;
    out->disputed |= winner->facts.disputed;
    out->status = winner->facts.status;
    out->paid_at = merge_paid_at(payments->order, winner, basis);
    if (basis)
        merge_lines(payments, basis, out, &torn);
    out->wants_reread = !second_is_settled(winner) &&
                        ((torn && basis == winner) || second_is_contested(payments, winner));
}

void order_merge(const struct known_order *order, struct merged_order *out)
{
    struct payments payments;
    payments_weigh(order, &payments);
    *out = (struct merged_order){.status = ORDER_PENDING, .paid_at = TIME_NONE};
    out->disputed = merge_disputed(order);
    out->subject = merge_subject(&payments);
    out->subscription = term_latest(order);
    merge_snapshots(&payments, out);
    payments_free(&payments);
}

void merged_order_free(struct merged_order *merged)
{
    free(merged->lines);
    *merged = (struct merged_order){.paid_at = TIME_NONE};
}
