#include "entitlement/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "entitlement/sum.h"

static void refund_lines_free(struct fact_refund_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(lines[i].line_id);
    free(lines);
}

/* Frees what a snapshot holds; the snapshot itself lies in the order's array. */
static void snapshot_release(struct known_snapshot *snapshot)
{
    struct fact_snapshot *facts = &snapshot->facts;
    for (size_t i = 0; i < facts->line_count; i++) {
        free(facts->lines[i].id);
        free(facts->lines[i].product);
        free(facts->lines[i].product2);
        free(facts->lines[i].variant);
        free(facts->lines[i].sku);
    }
    free(facts->lines);
    for (size_t i = 0; i < facts->refund_count; i++) {
        free(facts->refunds[i].id);
        refund_lines_free(facts->refunds[i].lines, facts->refunds[i].line_count);
    }
    free(facts->refunds);
    free(facts->address);
    free(facts->reference);
    free(facts->payment);
    free(snapshot->owner_user);
    free(snapshot->owner_team);
}

void known_order_free(struct known_order *order)
{
    for (size_t i = 0; i < order->snapshot_count; i++)
        snapshot_release(&order->snapshots[i]);
    free(order->snapshots);
    for (size_t i = 0; i < order->refund_count; i++) {
        free(order->refunds[i].id);
        free(order->refunds[i].payment);
        refund_lines_free(order->refunds[i].lines, order->refunds[i].line_count);
    }
    free(order->refunds);
    for (size_t i = 0; i < order->dispute_count; i++)
        free(order->disputes[i].id);
    free(order->disputes);
    free(order->subscriptions);
    free(order->assigned_user);
    free(order->id);
    *order = (struct known_order){0};
}

void subject_of_user(const char *user_id, unsigned char out[DIGEST_LEN])
{
    digest_sha256(user_id, strlen(user_id), out);
}

/* How much a snapshot says was given back: it only has to put two snapshots of one second in an
 * order, the one that takes more being the later. */
struct given_back {
    int64_t money, pieces;
    size_t refunds; /* one of neither is still a later word than none */
};

static struct given_back snapshot_given_back(const struct fact_snapshot *facts)
{
    struct given_back sum = {.refunds = facts->refund_count};
    int64_t amounts = 0;
    for (size_t i = 0; i < facts->refund_count; i++)
        amounts = sum_add(amounts, sum_count(facts->refunds[i].amount));
    for (size_t i = 0; i < facts->line_count; i++)
        sum.pieces = sum_add(sum.pieces, sum_count(facts->lines[i].refunded_quantity));
    sum.money = sum_max(sum_count(facts->refunded_total), amounts);
    return sum;
}

/* Money and pieces are told apart: a free item that goes back moves no money. */
static int compare_given_back(const struct fact_snapshot *left, const struct fact_snapshot *right)
{
    struct given_back a = snapshot_given_back(left), b = snapshot_given_back(right);
    if (a.money != b.money)
        return sum_compare(a.money, b.money);
    if (a.pieces != b.pieces)
        return sum_compare(a.pieces, b.pieces);
    return (a.refunds > b.refunds) - (a.refunds < b.refunds);
}

bool snapshot_wins(const struct known_snapshot *a, const struct known_snapshot *b)
{
    const struct fact_snapshot *left = &a->facts, *right = &b->facts;
    if (left->time != right->time)
        return left->time > right->time;
    if (left->from_api != right->from_api)
        return left->from_api;
    if (left->from_api && left->read_at != right->read_at)
        return left->read_at > right->read_at;
    if (left->status != right->status)
        return left->status > right->status;
    if (left->disputed != right->disputed)
        return left->disputed;
    int refunded = compare_given_back(left, right);
    if (refunded != 0)
        return refunded > 0;
    return memcmp(a->digest, b->digest, DIGEST_LEN) > 0;
}

const char *contribution_state_name(enum contribution_state state)
{
    static const char *const names[] = {
        [CONTRIBUTION_ACTIVE] = "active",       [CONTRIBUTION_PENDING] = "pending",
        [CONTRIBUTION_REFUNDED] = "refunded",   [CONTRIBUTION_DISPUTED] = "disputed",
        [CONTRIBUTION_CANCELLED] = "cancelled",
    };
    if ((size_t)state >= sizeof names / sizeof *names)
        die("contribution state %d is none", (int)state);
    return names[state];
}
