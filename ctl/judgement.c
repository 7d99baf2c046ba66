#include "judgement.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "changes.h"
#include "entitlement/answer.h"
#include "entitlement/order.h"
#include "queries.h"
#include "store/orders.h"

#define ORDERS_A_STEP 256

static const struct table_column key_columns[] = {
    {"key", "key"}, {"gain", "gain"}, {"lose", "lose"}, {NULL, NULL}};

static const struct table_column buyer_columns[] = {
    {"change", ""}, {"key", "key"}, {"buyer", "buyer"}, {"user", "Miro user"}, {NULL, NULL}};

struct judgement {
    struct changes *changes;
    int64_t entitled; /* buyers who hold something live now */
    uint64_t orders;
};

/* The walk over the contributions that stand, beside the walk over the orders. */
struct before {
    struct db_rows *rows;
    bool more; /* the current row is not used yet */
};

/* Whether the current row is of this order. */
static bool before_is_of(const struct before *before, const struct order_name *name)
{
    size_t len;

    return before->more && (uint32_t)db_int(before->rows, 0) == name->source_id &&
           strcmp(db_bytes(before->rows, 1, &len), name->order_id) == 0;
}

/* Adds a holding; the array is the standing's own. */
static void holding_add(struct standing *standing, const char *key, enum contribution_state state,
                        int64_t quantity, int64_t ends_at, int64_t grace_until)
{
    struct holding *holding;

    standing->holdings =
        xreallocarray(standing->holdings, standing->holding_count + 1, sizeof(*standing->holdings));
    holding = &standing->holdings[standing->holding_count++];
    *holding = (struct holding){
        .state = state, .quantity = quantity, .ends_at = ends_at, .grace_until = grace_until};
    snprintf(holding->key, sizeof(holding->key), "%s", key);
}

/* What stands of one order, and whose it is. */
static void before_take(struct before *before, const struct order_name *name,
                        struct standing *standing, struct subject *subject)
{
    while (before_is_of(before, name)) {
        size_t len;
        const char *id;
        bool active = strcmp(db_bytes(before->rows, 3, &len), "active") == 0;

        holding_add(standing, db_bytes(before->rows, 2, &len),
                    active ? CONTRIBUTION_ACTIVE : CONTRIBUTION_CANCELLED, db_int(before->rows, 4),
                    db_time_of(before->rows, 5), db_time_of(before->rows, 6));
        id = db_bytes(before->rows, 7, &len);
        if (len == DIGEST_LEN) {
            memcpy(subject->id, id, DIGEST_LEN);
            subject->kind = SUBJECT_ADDRESS;
        }
        before->more = db_rows_next(before->rows);
    }
}

/* What one order would give. */
static enum exit_code after_take(struct ctl *ctl, const struct catalogue *catalogue,
                                 const struct order_name *name, struct standing *standing,
                                 struct subject *subject)
{
    struct known_order known;
    struct merged_order merged;
    struct projection projection;
    bool found;

    if (orders_known(ctl->db, ctl->sources, name->source_id, name->order_id, &known, &found) !=
        DB_OK)
        return ctl_database_failed(ctl, "reading an order's facts");
    order_merge(&known, &merged);
    order_project(&known, &merged, catalogue, &projection);
    *subject = merged.subject;
    for (size_t i = 0; i < projection.count; i++) {
        const struct contribution *one = &projection.contributions[i];

        holding_add(standing, one->key, one->state, one->quantity, one->ends_at, one->grace_until);
    }
    projection_free(&projection);
    merged_order_free(&merged);
    known_order_free(&known);
    return EXIT_DONE;
}

/* Whether the live keys hold this one. */
static bool answer_has(const struct answer *answer, const char *key)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (strcmp(answer->entitlements[i].key, key) == 0)
            return true;
    }
    return false;
}

/* Notes each key that the order gives its buyer on one side only. */
static int difference_note(struct judgement *judgement, const struct answer *mine,
                           const struct subject *whose, const struct answer *other, bool same,
                           int weight)
{
    for (size_t i = 0; whose->kind != SUBJECT_NONE && i < mine->count; i++) {
        const char *key = mine->entitlements[i].key;

        if (same && answer_has(other, key))
            continue;
        if (changes_add(judgement->changes, whose->id, key, weight) != 0)
            return -1;
    }
    return 0;
}

/* Compares one order's live keys before and after, as aggregate() sees them. */
static enum exit_code order_judge(struct ctl *ctl, const struct catalogue *catalogue,
                                  struct judgement *judgement, const struct order_name *name,
                                  struct before *rows)
{
    struct standing before = {0}, after = {0};
    struct subject was = {.kind = SUBJECT_NONE}, is = {.kind = SUBJECT_NONE};
    struct answer had, has;
    enum exit_code code;

    before_take(rows, name, &before, &was);
    code = after_take(ctl, catalogue, name, &after, &is);
    answer_aggregate(&before, ctl->now, &had);
    answer_aggregate(&after, ctl->now, &has);
    if (code == EXIT_DONE) {
        bool same = memcmp(was.id, is.id, DIGEST_LEN) == 0;

        if (difference_note(judgement, &had, &was, &has, same, -1) != 0 ||
            difference_note(judgement, &has, &is, &had, same, 1) != 0)
            code =
                ctl_fail(EXIT_FAILED, "more than %d changes: apply the catalogue in smaller steps",
                         CHANGES_MOST);
    }
    answer_free(&had);
    answer_free(&has);
    free(before.holdings);
    free(after.holdings);
    return code;
}

/* A step of the walk: some orders, and the contributions between the first and the last of them. */
static enum exit_code orders_judge(struct ctl *ctl, const struct catalogue *catalogue,
                                   struct judgement *judgement, const struct order_name *names,
                                   size_t count)
{
    struct before before;
    enum exit_code code = EXIT_DONE;

    if (query_contributions_between(ctl->db, names[0].source_id, names[0].order_id,
                                    names[count - 1].source_id, names[count - 1].order_id,
                                    &before.rows) != DB_OK)
        return ctl_database_failed(ctl, "reading what the orders give");
    before.more = db_rows_next(before.rows);
    for (size_t i = 0; code == EXIT_DONE && i < count; i++)
        code = order_judge(ctl, catalogue, judgement, &names[i], &before);
    db_rows_free(before.rows);
    return code;
}

/* All orders, in the order of their keys. */
static enum exit_code orders_walk_judge(struct ctl *ctl, const struct catalogue *catalogue,
                                        struct judgement *judgement)
{
    struct order_name *names = xcalloc(ORDERS_A_STEP, sizeof(*names));
    struct order_name last;
    struct progress progress = {.what = "orders compared"};
    size_t count = ORDERS_A_STEP;
    enum exit_code code = EXIT_DONE;

    while (code == EXIT_DONE && count == ORDERS_A_STEP) {
        if (orders_walk(ctl->db, judgement->orders == 0 ? NULL : &last, names, ORDERS_A_STEP,
                        &count) != DB_OK)
            code = ctl_database_failed(ctl, "walking the orders");
        if (code != EXIT_DONE || count == 0)
            break;
        code = orders_judge(ctl, catalogue, judgement, names, count);
        last = names[count - 1];
        judgement->orders += count;
        progress_tick(&progress, judgement->orders);
    }
    progress_end(&progress);
    free(names);
    return code;
}

enum exit_code judgement_make(struct ctl *ctl, const struct catalogue *catalogue,
                              struct judgement **out)
{
    struct judgement *judgement = xcalloc(1, sizeof(*judgement));
    enum exit_code code;

    judgement->changes = changes_new();
    if (query_entitled(ctl->db, ctl->now, &judgement->entitled) != DB_OK)
        code = ctl_database_failed(ctl, "counting the entitled buyers");
    else
        code = orders_walk_judge(ctl, catalogue, judgement);
    if (code == EXIT_DONE)
        code = changes_settle(ctl, judgement->changes);
    if (code == EXIT_DONE)
        *out = judgement;
    else
        judgement_free(judgement);
    return code;
}

void judgement_free(struct judgement *judgement)
{
    if (judgement == NULL)
        return;
    changes_free(judgement->changes);
    free(judgement);
}

bool judgement_exceeds(const struct judgement *judgement, int64_t micro_percent)
{
    int64_t losers = (int64_t)changes_losers(judgement->changes);

    /* losers / entitled > percent / 100, in whole numbers. */
    return losers > 1 &&
           (double)losers * 100e6 > (double)judgement->entitled * (double)micro_percent;
}

void judgement_show(const struct judgement *judgement, size_t most, struct page *page)
{
    struct table *keys, *buyers;

    page_int(page, "orders", "orders compared", (int64_t)judgement->orders);
    page_int(page, "entitled_buyers", "entitled buyers now", judgement->entitled);
    page_int(page, "losing_buyers", "buyers who lose a key",
             (int64_t)changes_losers(judgement->changes));
    page_int(page, "changes", "changes", (int64_t)changes_count(judgement->changes));
    keys = page_table(page, "keys", "By key", "nobody gains or loses anything", key_columns);
    buyers = page_table(page, "buyers",
                        changes_count(judgement->changes) > most ? "By buyer, the first of them"
                                                                 : "By buyer",
                        "nobody", buyer_columns);
    changes_show(judgement->changes, most, keys, buyers);
}
