/*
 * Known orders for the tests: built by hand, or from any bytes (a random number generator's or a
 * fuzzer's); shuffled and doubled; and written out, so that two outcomes can be compared whole.
 */
#ifndef TESTS_ENTITLEMENT_KNOWN_H
#define TESTS_ENTITLEMENT_KNOWN_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "entitlement/catalogue.h"
#include "entitlement/order.h"

#define AT(second) ((int64_t)(second)*TIME_SECOND)

/* By hand. What the functions return is good until the next one of its kind is added. */

static inline struct known_snapshot *add_snapshot(struct known_order *order, int64_t time,
                                                  enum order_status status)
{
    order->snapshots =
        xreallocarray(order->snapshots, order->snapshot_count + 1, sizeof *order->snapshots);
    struct known_snapshot *snapshot = &order->snapshots[order->snapshot_count++];
    *snapshot = (struct known_snapshot){.facts = {.time = time,
                                                  .status = status,
                                                  .lines_known = true,
                                                  .paid_at = TIME_NONE,
                                                  .total = -1,
                                                  .refunded_total = -1}};
    return snapshot;
}

static inline void add_line(struct known_snapshot *snapshot, const char *id, const char *product,
                            int64_t quantity, int64_t refunded)
{
    struct fact_line *line = fact_add_line(&snapshot->facts);
    line->id = xstrdup(id);
    line->product = product ? xstrdup(product) : NULL;
    line->quantity = quantity;
    line->refunded_quantity = refunded;
}

static inline struct fact_listed_refund *list_refund(struct known_snapshot *snapshot,
                                                     const char *id, int64_t amount)
{
    snapshot->facts.lists_refunds = true;
    struct fact_listed_refund *refund = fact_add_listed_refund(&snapshot->facts);
    refund->id = xstrdup(id);
    refund->amount = amount;
    return refund;
}

static inline struct fact_refund *tell_refund(struct known_order *order, const char *id,
                                              int64_t time, enum refund_state state)
{
    order->refunds = xreallocarray(order->refunds, order->refund_count + 1, sizeof *order->refunds);
    struct fact_refund *refund = &order->refunds[order->refund_count++];
    *refund = (struct fact_refund){.id = xstrdup(id), .time = time, .state = state};
    return refund;
}

static inline void add_refund_line(struct fact_refund_line **lines, size_t *count, const char *id,
                                   int64_t quantity)
{
    struct fact_refund_line *line = fact_add_refund_line(lines, count);
    line->line_id = xstrdup(id);
    line->quantity = quantity;
}

/* Works on listed and on told refunds alike. */
#define GIVE_BACK(refund, id, quantity)                                                   \
    do {                                                                                  \
        __typeof__(refund) given_back_by = (refund);                                      \
        given_back_by->lines_known = true;                                                \
        add_refund_line(&given_back_by->lines, &given_back_by->line_count, id, quantity); \
    } while (0)

static inline void add_dispute(struct known_order *order, const char *id, int64_t time,
                               enum dispute_state state)
{
    order->disputes =
        xreallocarray(order->disputes, order->dispute_count + 1, sizeof *order->disputes);
    order->disputes[order->dispute_count++] =
        (struct fact_dispute){.id = xstrdup(id), .time = time, .state = state};
}

/* A state of the subscription that the order is; what is paid ends at `until`. */
static inline struct known_subscription *add_state(struct known_order *order, int64_t time,
                                                   enum subscription_state state, int64_t until)
{
    order->subscriptions = xreallocarray(order->subscriptions, order->subscription_count + 1,
                                         sizeof *order->subscriptions);
    struct known_subscription *known = &order->subscriptions[order->subscription_count++];
    *known = (struct known_subscription){
        .facts = {.time = time, .state = state, .paid_until = until, .unpaid_since = TIME_NONE}};
    return known;
}

static inline void set_address(struct known_snapshot *snapshot, unsigned char fill)
{
    snapshot->facts.address_state = ADDRESS_REAL;
    snapshot->has_index = true;
    memset(snapshot->address_index, fill, DIGEST_LEN);
}

static inline void set_owner(struct known_snapshot *snapshot, const char *user, const char *team)
{
    snapshot->owner_user = xstrdup(user);
    snapshot->owner_team = team ? xstrdup(team) : NULL;
}

/* Gives every snapshot its digest, as the store does, once nothing more is added. */
static inline void digest_snapshots(struct known_order *order)
{
    for (size_t i = 0; i < order->snapshot_count; i++) {
        struct known_snapshot *snapshot = &order->snapshots[i];
        struct fact_snapshot facts = snapshot->facts;
        struct buf reference = {0};
        if (snapshot->owner_user)
            buf_printf(&reference, "%s of %s", snapshot->owner_user,
                       snapshot->owner_team ? snapshot->owner_team : "none");
        facts.reference = reference.data;
        fact_snapshot_digest(&facts, snapshot->has_index ? snapshot->address_index : NULL,
                             snapshot->digest);
        buf_free(&reference);
    }
    for (size_t i = 0; i < order->subscription_count; i++)
        fact_subscription_digest(&order->subscriptions[i].facts, order->subscriptions[i].digest);
}

/* From bytes: few ids and few times, so that ties are common. Past their end all is 0. */
struct bytes {
    const unsigned char *data;
    size_t len;
};

static inline unsigned take(struct bytes *bytes, unsigned below)
{
    if (bytes->len == 0)
        return 0;
    bytes->len--;
    return *bytes->data++ % below;
}

/* Now and then what no shop would say, to meet every sum at its ends. */
static inline int64_t take_number(struct bytes *bytes)
{
    static const int64_t extremes[] = {INT64_MAX, INT64_MAX - 1, INT64_MIN, INT64_MIN + 1, -1, 0};
    unsigned pick = take(bytes, 64);
    return pick < 6 ? extremes[pick] : (int64_t)pick % 5;
}

static inline int64_t take_time(struct bytes *bytes)
{
    static const int64_t extremes[] = {INT64_MAX, INT64_MAX - AT(2), INT64_MIN, 0};
    unsigned pick = take(bytes, 128);
    return pick < 4 ? extremes[pick] : AT(1000 + pick % 3);
}

static inline const char *take_name(struct bytes *bytes)
{
    static const char *const names[] = {"1", "2", "10"};
    return names[take(bytes, 3)];
}

static inline char *take_selector(struct bytes *bytes)
{
    unsigned pick = take(bytes, 4);
    return pick == 3 ? NULL : xasprintf("%u", pick);
}

static inline void take_refund_lines(struct bytes *bytes, struct fact_refund_line **lines,
                                     size_t *count, bool *known)
{
    *known = take(bytes, 2);
    for (unsigned more = take(bytes, 3); more > 0; more--) {
        const char *id = take_name(bytes);
        add_refund_line(lines, count, id, take_number(bytes));
    }
}

static inline void take_snapshot(struct bytes *bytes, struct known_order *order)
{
    int64_t time = take_time(bytes);
    struct known_snapshot *snapshot = add_snapshot(order, time, (enum order_status)take(bytes, 4));
    struct fact_snapshot *facts = &snapshot->facts;
    facts->from_api = take(bytes, 2);
    if (facts->from_api)
        facts->read_at = take_time(bytes);
    facts->lines_known = take(bytes, 4) > 0;
    facts->paid_at = take(bytes, 2) ? TIME_NONE : take_time(bytes);
    facts->total = take_number(bytes);
    facts->refunded_total = take(bytes, 2) ? -1 : take_number(bytes);
    facts->lists_refunds = take(bytes, 2);
    if (take(bytes, 2))
        set_address(snapshot, (unsigned char)take(bytes, 2));
    if (take(bytes, 4) == 0)
        set_owner(snapshot, take_name(bytes), NULL);
    for (unsigned more = take(bytes, 4); more > 0; more--) {
        struct fact_line *line = fact_add_line(facts);
        line->id = xstrdup(take_name(bytes));
        line->product = take_selector(bytes);
        line->variant = take_selector(bytes);
        line->sku = take_selector(bytes);
        line->quantity = take_number(bytes);
        line->refunded_quantity = take(bytes, 2) ? 0 : take_number(bytes);
    }
    for (unsigned more = take(bytes, 4); more > 0 && facts->lists_refunds; more--) {
        const char *id = take_name(bytes);
        struct fact_listed_refund *refund = list_refund(snapshot, id, take_number(bytes));
        take_refund_lines(bytes, &refund->lines, &refund->line_count, &refund->lines_known);
    }
}

static inline void take_state(struct bytes *bytes, struct known_order *order)
{
    int64_t time = take_time(bytes);
    enum subscription_state state = (enum subscription_state)take(bytes, 6);
    struct known_subscription *known =
        add_state(order, time, state, take(bytes, 4) ? take_time(bytes) : TIME_NONE);
    /* Of these two it may be the word of one bill. */
    if ((state == SUBSCRIPTION_PAST_DUE || state == SUBSCRIPTION_ACTIVE) && take(bytes, 2)) {
        int64_t since = take_time(bytes);
        known->facts.unpaid_since = since > 0 && take(bytes, 2) ? since - AT(1) : since;
    }
    known->facts.from_api = take(bytes, 2);
    if (known->facts.from_api)
        known->facts.read_at = take_time(bytes);
}

static inline char *take_payment(struct bytes *bytes)
{
    return take(bytes, 2) ? xstrdup(take_name(bytes)) : NULL;
}

static inline void known_from_bytes(struct bytes *bytes, struct known_order *order)
{
    *order = (struct known_order){.source = "shop", .source_id = 1, .id = xstrdup("7")};
    for (unsigned more = take(bytes, 6); more > 0; more--)
        take_snapshot(bytes, order);
    for (unsigned more = take(bytes, 6); more > 0; more--) {
        const char *id = take_name(bytes);
        int64_t time = take_time(bytes);
        struct fact_refund *refund =
            tell_refund(order, id, time, (enum refund_state)take(bytes, 3));
        refund->amount = take_number(bytes);
        refund->detail_only = take(bytes, 3) == 0;
        take_refund_lines(bytes, &refund->lines, &refund->line_count, &refund->lines_known);
    }
    for (unsigned more = take(bytes, 4); more > 0; more--) {
        const char *id = take_name(bytes);
        int64_t time = take_time(bytes);
        add_dispute(order, id, time, (enum dispute_state)take(bytes, 5));
    }
    for (unsigned more = take(bytes, 4); more > 0; more--)
        take_state(bytes, order);
    for (size_t i = 0; i < order->snapshot_count; i++)
        order->snapshots[i].facts.payment = take_payment(bytes);
    for (size_t i = 0; i < order->refund_count; i++)
        order->refunds[i].payment = take_payment(bytes);
    digest_snapshots(order);
}

static inline struct catalogue *catalogue_from_bytes(struct bytes *bytes)
{
    struct catalogue *catalogue = catalogue_new(1);
    for (unsigned more = take(bytes, 12); more > 0; more--) {
        struct catalogue_rule *rule =
            catalogue_add_rule(catalogue, take(bytes, 8) == 0 ? "other" : "shop");
        rule->product = take_selector(bytes);
        rule->variant = take_selector(bytes);
        rule->sku = take_selector(bytes);
        if (!rule->product && !rule->variant && !rule->sku)
            rule->product = xstrdup("1");
        rule->ignored = take(bytes, 8) == 0;
        rule->duration_days = take_number(bytes);
        rule->grace_days = take_number(bytes);
        for (unsigned keys = take(bytes, 4); keys > 0; keys--)
            catalogue_rule_add_key(rule, take_name(bytes));
    }
    catalogue_seal(catalogue);
    return catalogue;
}

/* Shuffles and doubles. A copy owns its arrays and borrows its texts. */

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void shuffle(void *array, size_t count, size_t size, uint64_t *random)
{
    char *bytes = array, swap[sizeof(struct known_snapshot)];
    for (size_t i = count; i > 1; i--) {
        size_t other = random_next(random) % i;
        memcpy(swap, bytes + (i - 1) * size, size);
        memmove(bytes + (i - 1) * size, bytes + other * size, size);
        memcpy(bytes + other * size, swap, size);
    }
}

/* Copies an array, with some of its elements twice if there is a `doubled` count; shuffled. */
static inline void *reordered(const void *array, size_t *count, size_t size, bool doubled,
                              uint64_t *random)
{
    size_t length = *count;
    char *copy = xcalloc(length * 2 + 1, size);
    if (length > 0)
        memcpy(copy, array, length * size);
    for (size_t i = 0; doubled && i < *count; i++)
        if (random_next(random) % 2)
            memcpy(copy + length++ * size, (const char *)array + i * size, size);
    shuffle(copy, length, size, random);
    *count = length;
    return copy;
}

static inline struct known_order known_reordered(const struct known_order *order, uint64_t *random)
{
    struct known_order copy = *order;
    copy.snapshots =
        reordered(order->snapshots, &copy.snapshot_count, sizeof *copy.snapshots, true, random);
    copy.refunds =
        reordered(order->refunds, &copy.refund_count, sizeof *copy.refunds, true, random);
    copy.disputes =
        reordered(order->disputes, &copy.dispute_count, sizeof *copy.disputes, true, random);
    copy.subscriptions = reordered(order->subscriptions, &copy.subscription_count,
                                   sizeof *copy.subscriptions, true, random);
    for (size_t i = 0; i < copy.refund_count; i++) {
        struct fact_refund *refund = &copy.refunds[i];
        refund->lines =
            reordered(refund->lines, &refund->line_count, sizeof *refund->lines, false, random);
    }
    for (size_t i = 0; i < copy.snapshot_count; i++) {
        struct fact_snapshot *facts = &copy.snapshots[i].facts;
        facts->lines =
            reordered(facts->lines, &facts->line_count, sizeof *facts->lines, false, random);
        facts->refunds =
            reordered(facts->refunds, &facts->refund_count, sizeof *facts->refunds, false, random);
        for (size_t r = 0; r < facts->refund_count; r++) {
            struct fact_listed_refund *refund = &facts->refunds[r];
            refund->lines =
                reordered(refund->lines, &refund->line_count, sizeof *refund->lines, false, random);
        }
    }
    return copy;
}

static inline void reordered_free(struct known_order *copy)
{
    for (size_t i = 0; i < copy->refund_count; i++)
        free(copy->refunds[i].lines);
    for (size_t i = 0; i < copy->snapshot_count; i++) {
        for (size_t r = 0; r < copy->snapshots[i].facts.refund_count; r++)
            free(copy->snapshots[i].facts.refunds[r].lines);
        free(copy->snapshots[i].facts.refunds);
        free(copy->snapshots[i].facts.lines);
    }
    free(copy->snapshots);
    free(copy->refunds);
    free(copy->disputes);
    free(copy->subscriptions);
}

/* Writes out. */

static inline const char *or_none(const char *text)
{
    return text ? text : "-";
}

static inline void write_merged(const struct merged_order *merged, struct buf *out)
{
    buf_printf(out, "status %d disputed %d paid %lld reread %d lines %d subject %d team %s ",
               (int)merged->status, merged->disputed, (long long)merged->paid_at,
               merged->wants_reread, merged->wants_refund_lines, (int)merged->subject.kind,
               merged->subject.team);
    digest_hex(merged->subject.id, DIGEST_LEN, out);
    buf_puts(out, " winner ");
    if (merged->winner)
        digest_hex(merged->winner->digest, DIGEST_LEN, out);
    for (size_t i = 0; i < merged->line_count; i++) {
        const struct fact_line *line = merged->lines[i].line;
        buf_printf(out, "\nline %s %s %s %s: %lld", line->id, or_none(line->product),
                   or_none(line->variant), or_none(line->sku),
                   (long long)merged->lines[i].remaining);
    }
}

static inline void write_projection(const struct projection *projection, struct buf *out)
{
    for (size_t i = 0; i < projection->count; i++) {
        const struct contribution *one = &projection->contributions[i];
        buf_printf(out, "\ngives %s %s %s %lld from %lld to %lld grace %lld", one->line_id,
                   one->key, contribution_state_name(one->state), (long long)one->quantity,
                   (long long)one->starts_at, (long long)one->ends_at, (long long)one->grace_until);
    }
    for (size_t i = 0; i < projection->unmapped_count; i++)
        buf_printf(out, "\nunmapped %s", projection->unmapped[i]->id);
}

/* All that comes of an order, as text. */
static inline char *outcome(const struct known_order *order, const struct catalogue *catalogue)
{
    struct buf out = {0};
    struct merged_order merged;
    struct projection projection;
    order_merge(order, &merged);
    order_project(order, &merged, catalogue, &projection);
    write_merged(&merged, &out);
    write_projection(&projection, &out);
    projection_free(&projection);
    merged_order_free(&merged);
    return buf_take(&out);
}

/* Every order in which the facts may stand. */

/* The next permutation of 0..count-1; false after the last. */
static inline bool next_permutation(size_t *indices, size_t count)
{
    size_t i = count, k = count, swap;
    while (i > 1 && indices[i - 2] > indices[i - 1])
        i--;
    if (i <= 1)
        return false;
    while (indices[k - 1] < indices[i - 2])
        k--;
    swap = indices[i - 2];
    indices[i - 2] = indices[k - 1];
    indices[k - 1] = swap;
    for (size_t a = i - 1, b = count - 1; a < b; a++, b--) {
        swap = indices[a];
        indices[a] = indices[b];
        indices[b] = swap;
    }
    return true;
}

enum { PERMUTED_MOST = 8 };

struct permuted {
    size_t indices[PERMUTED_MOST];
    const void *from;
    void *to;
    size_t count, size;
};

static inline void permuted_write(const struct permuted *permuted)
{
    for (size_t i = 0; i < permuted->count; i++)
        memcpy((char *)permuted->to + i * permuted->size,
               (const char *)permuted->from + permuted->indices[i] * permuted->size,
               permuted->size);
}

static inline struct permuted permuted_start(const void *from, void *to, size_t count, size_t size)
{
    struct permuted permuted = {.from = from, .to = to, .count = count, .size = size};
    if (count > PERMUTED_MOST)
        die("%zu facts have too many orders", count);
    for (size_t i = 0; i < count; i++)
        permuted.indices[i] = i;
    permuted_write(&permuted);
    return permuted;
}

/* Goes on to the next; false after the last, with the first in place again. */
static inline bool permuted_step(struct permuted *permuted)
{
    bool more = next_permutation(permuted->indices, permuted->count);
    for (size_t i = 0; !more && i < permuted->count; i++)
        permuted->indices[i] = i;
    permuted_write(permuted);
    return more;
}

/* Dies unless all orders of the facts (the product of those of each kind) come to the same. */
static inline void check_every_order(const struct known_order *order,
                                     const struct catalogue *catalogue)
{
    struct known_snapshot snapshots[PERMUTED_MOST];
    struct fact_refund refunds[PERMUTED_MOST];
    struct known_subscription states[PERMUTED_MOST];
    struct known_order other = *order;
    char *expected = outcome(order, catalogue);
    struct permuted all[] = {
        permuted_start(order->snapshots, snapshots, order->snapshot_count, sizeof *snapshots),
        permuted_start(order->refunds, refunds, order->refund_count, sizeof *refunds),
        permuted_start(order->subscriptions, states, order->subscription_count, sizeof *states),
    };
    other.snapshots = snapshots;
    other.refunds = refunds;
    other.subscriptions = states;
    do {
        char *found = outcome(&other, catalogue);
        if (strcmp(expected, found) != 0)
            die("the order of the facts matters:\n%s\n\nbut\n%s", expected, found);
        free(found);
    } while (permuted_step(&all[0]) || permuted_step(&all[1]) || permuted_step(&all[2]));
    free(expected);
}

#endif
