#include "store/order_contest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* --- what was decided ---------------------------------------------------------------------- */

static bool has_reference(const struct known_order *order)
{
    for (size_t i = 0; i < order->snapshot_count; i++) {
        if (order->snapshots[i].owner_user != NULL)
            return true;
    }
    return false;
}

static void heed_row(struct db_rows *rows, void *arg)
{
    struct known_order *order = &order_batch_row(arg, rows)->known;
    size_t len;
    const char *user = db_bytes(rows, 2, &len);

    for (size_t i = 0; i < order->snapshot_count; i++) {
        struct known_snapshot *snapshot = &order->snapshots[i];

        if (snapshot->owner_user == NULL || strcmp(snapshot->owner_user, user) != 0)
            continue;
        xfree(snapshot->owner_user);
        xfree(snapshot->owner_team);
    }
}

enum db_result order_contest_heed(struct db *db, struct order_batch *batch)
{
    struct values keys = {0};
    enum db_result result;

    for (size_t i = 0; i < batch->count; i++) {
        const struct known_order *order = &batch->orders[i].known;

        if (!has_reference(order))
            continue;
        values_add_int(&keys, order->source_id);
        values_add_text(&keys, order->id);
    }
    result = rows_read(db,
                       "SELECT source_id, order_id, user_id FROM contested_order"
                       " WHERE decision = 'address' AND (source_id, order_id) IN",
                       "(?,?)", "", &keys, 2, heed_row, batch);
    values_free(&keys);
    return result;
}

/* --- what is contested --------------------------------------------------------------------- */

/* An order that a reference decided, with the address that it was paid with. */
struct contest {
    const struct known_order *order;
    const char *user;             /* the reference's */
    const unsigned char *address; /* the winning snapshot's, else the latest that tells one */
    bool open;
};

struct contests {
    struct contest *items;
    size_t count;
};

static const char *referred_user(const struct order_work *work)
{
    const struct known_order *order = &work->known;
    unsigned char subject[DIGEST_LEN];

    for (size_t i = 0; i < order->snapshot_count; i++) {
        if (order->snapshots[i].owner_user == NULL)
            continue;
        subject_of_user(order->snapshots[i].owner_user, subject);
        if (memcmp(subject, work->merged.subject.id, DIGEST_LEN) == 0)
            return order->snapshots[i].owner_user;
    }
    return NULL;
}

static const unsigned char *paid_address(const struct order_work *work)
{
    const struct known_order *order = &work->known;
    const struct known_snapshot *found = work->merged.winner;

    if (found != NULL && found->has_index)
        return found->address_index;
    found = NULL;
    for (size_t i = 0; i < order->snapshot_count; i++) {
        const struct known_snapshot *one = &order->snapshots[i];

        if (one->has_index && (found == NULL || one->facts.time > found->facts.time))
            found = one;
    }
    return found == NULL ? NULL : found->address_index;
}

static void contests_gather(struct contests *contests, const struct order_batch *batch)
{
    contests->items = xcalloc(batch->count + 1, sizeof(*contests->items));
    for (size_t i = 0; i < batch->count; i++) {
        const struct order_work *work = &batch->orders[i];
        struct contest contest = {.order = &work->known};

        if (work->is_alias || work->merged.subject.kind != SUBJECT_USER)
            continue;
        contest.user = referred_user(work);
        contest.address = paid_address(work);
        if (contest.user != NULL && contest.address != NULL)
            contests->items[contests->count++] = contest;
    }
}

/* A row tells who holds an address. */
static void holder_row(struct db_rows *rows, void *arg)
{
    struct contests *contests = arg;
    size_t len;
    const char *address = db_bytes(rows, 0, &len), *holder = db_bytes(rows, 1, &len);

    for (size_t i = 0; i < contests->count; i++) {
        struct contest *contest = &contests->items[i];

        if (memcmp(contest->address, address, DIGEST_LEN) == 0 &&
            strcmp(contest->user, holder) != 0)
            contest->open = true;
    }
}

static enum db_result contests_compare(struct db *db, struct contests *contests)
{
    struct values keys = {0};
    enum db_result result;

    for (size_t i = 0; i < contests->count; i++)
        values_add_bytes(&keys, contests->items[i].address, DIGEST_LEN);
    result = rows_read(db, "SELECT address_index, user_id FROM link WHERE address_index IN", "?",
                       "", &keys, 1, holder_row, contests);
    values_free(&keys);
    return result;
}

/* The order is flagged, and the address beside those that a user's profile tells in vain. */
static enum db_result contests_write(struct db *db, const struct contests *contests, int64_t now)
{
    struct values orders = {0}, addresses = {0};
    enum db_result result;

    for (size_t i = 0; i < contests->count; i++) {
        const struct contest *contest = &contests->items[i];

        if (!contest->open)
            continue;
        values_add_int(&orders, contest->order->source_id);
        values_add_text(&orders, contest->order->id);
        values_add_bytes(&orders, contest->address, DIGEST_LEN);
        values_add_text(&orders, contest->user);
        values_add_int(&orders, now);
        values_add_bytes(&addresses, contest->address, DIGEST_LEN);
        values_add_text(&addresses, contest->user);
        values_add_int(&addresses, now);
    }
    result = rows_write(db,
                        "INSERT INTO contested_order (source_id, order_id, address_index, user_id,"
                        " seen_at) VALUES",
                        "(?,?,?,?,?)", "ON DUPLICATE KEY UPDATE user_id = contested_order.user_id",
                        &orders, 5);
    if (result == DB_OK)
        result = rows_write(db,
                            "INSERT INTO contested_address (address_index, user_id, seen_at,"
                            " origin) VALUES",
                            "(?,?,?,'order')", "ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)",
                            &addresses, 3);
    values_free(&orders);
    values_free(&addresses);
    return result;
}

enum db_result order_contest_note(struct db *db, const struct order_batch *batch)
{
    struct contests contests = {0};
    enum db_result result;

    contests_gather(&contests, batch);
    result = contests_compare(db, &contests);
    if (result == DB_OK)
        result = contests_write(db, &contests, batch->context->now);
    free(contests.items);
    return result;
}

/* --- deciding ------------------------------------------------------------------------------ */

#define DECIDE_BATCH 64

struct decision {
    uint32_t source_id[DECIDE_BATCH];
    char order_id[DECIDE_BATCH][LIMIT_ORDER_ID + 1];
    bool moves[DECIDE_BATCH]; /* the reference names somebody else */
    size_t count;
};

static enum db_result decision_read(struct db *db, const unsigned char index[DIGEST_LEN],
                                    const char *user, struct decision *out)
{
    struct db_rows *rows;
    enum db_result result =
        db_query(db,
                 "SELECT source_id, order_id, user_id <> ? FROM contested_order"
                 " WHERE address_index = ? AND decision = 'open' LIMIT ? FOR UPDATE",
                 (struct db_value[]){db_text(user), DB_VALUE_BYTES(index, DIGEST_LEN),
                                     DB_VALUE_INT(DECIDE_BATCH)},
                 3, &rows);

    out->count = 0;
    if (result != DB_OK)
        return result;
    for (; db_rows_next(rows); out->count++) {
        out->source_id[out->count] = (uint32_t)db_int(rows, 0);
        row_copy(rows, 1, out->order_id[out->count], sizeof(out->order_id[0]));
        out->moves[out->count] = db_int(rows, 2) != 0;
    }
    db_rows_free(rows);
    return DB_OK;
}

static enum db_result decision_write(struct db *db, const struct decision *decision, int64_t now)
{
    enum db_result result = DB_OK;

    for (size_t i = 0; i < decision->count && result == DB_OK; i++)
        result =
            db_execute(db,
                       "UPDATE contested_order SET decision = ?, decided_at = ?"
                       " WHERE source_id = ? AND order_id = ?",
                       (struct db_value[]){db_text(decision->moves[i] ? "address" : "reference"),
                                           DB_VALUE_INT(now), DB_VALUE_INT(decision->source_id[i]),
                                           db_text(decision->order_id[i])},
                       4);
    return result;
}

static enum db_result decision_apply(struct db *db, const struct orders_context *context,
                                     const struct decision *decision, const char *user)
{
    struct order_news news[DECIDE_BATCH];
    size_t count = 0;

    memset(news, 0, sizeof(news));
    for (size_t i = 0; i < decision->count; i++) {
        if (!decision->moves[i])
            continue;
        news[count].source_id = decision->source_id[i];
        news[count].order_id = decision->order_id[i];
        news[count].cause = CAUSE_LINK;
        snprintf(news[count].cause_id, sizeof(news[count].cause_id), "%.31s", user);
        count++;
    }
    return orders_apply(db, context, news, count);
}

enum db_result order_contest_decide(struct db *db, const struct orders_context *context,
                                    const unsigned char index[DIGEST_LEN], const char *user)
{
    struct decision decision;
    enum db_result result;

    do {
        result = decision_read(db, index, user, &decision);
        if (result == DB_OK)
            result = decision_write(db, &decision, context->now);
        if (result == DB_OK)
            result = decision_apply(db, context, &decision, user);
    } while (result == DB_OK && decision.count == DECIDE_BATCH);
    return result;
}
