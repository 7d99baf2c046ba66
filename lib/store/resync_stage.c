/*
 * What a run has read, and what that would change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/facts_bytes.h"
#include "base/mem.h"
#include "store/resync_work.h"
#include "store/sealed_context.h"

#define FORGET_STEP 5000 /* rows deleted by one statement */

/* --- staging ------------------------------------------------------------------------------- */

struct staging {
    const char *owner;
    struct resync_run *run;
    const struct vault *vault;
    const struct fact_order *const *orders;
    struct buf *sealed; /* one an order */
    size_t count;
    uint64_t first; /* seq of the first */
};

static void seal_orders(struct staging *staging)
{
    struct buf plain = {0}, context = {0};

    for (size_t i = 0; i < staging->count; i++) {
        plain.len = context.len = 0;
        fact_order_write(staging->orders[i], &plain);
        staged_context(staging->run->id, staging->orders[i]->id, staging->first + i, &context);
        vault_seal(staging->vault, VAULT_FACTS, (struct span){context.data, context.len},
                   (struct span){plain.data, plain.len}, &staging->sealed[i]);
    }
    buf_wipe(&plain);
    buf_free(&context);
}

static enum db_result stage_body(struct db *db, void *arg)
{
    struct staging *staging = arg;
    struct values values = {0};
    enum db_result result = resync_note_within(db, staging->owner, staging->run);

    if (result != DB_OK || staging->run->lost)
        return result;
    for (size_t i = 0; i < staging->count; i++) {
        values_add_bytes(&values, staging->run->id, RESYNC_ID_LEN);
        values_add_text(&values, staging->orders[i]->id);
        values_add_int(&values, (int64_t)(staging->first + i));
        values_add_bytes(&values, staging->sealed[i].data, staging->sealed[i].len);
    }
    result = rows_write(db, "INSERT INTO resync_staged (run_id, order_id, seq, sealed) VALUES",
                        "(?,?,?,?)", "", &values, 4);
    values_free(&values);
    return result;
}

enum db_result resync_stage(struct db *db, const struct vault *vault, const char *owner,
                            struct resync_run *run, const struct fact_order *const *orders,
                            size_t count)
{
    struct staging staging = {
        .owner = owner,
        .run = run,
        .vault = vault,
        .orders = orders,
        .sealed = xcalloc(count + 1, sizeof(struct buf)),
        .count = count,
        .first = run->orders_read,
    };
    enum db_result result;

    seal_orders(&staging);
    run->orders_read += count;
    result = db_transaction(db, stage_body, &staging);
    for (size_t i = 0; i < count; i++)
        buf_free(&staging.sealed[i]);
    free(staging.sealed);
    return result;
}

/* --- walking ------------------------------------------------------------------------------- */

enum db_result resync_unread(struct db *db, const struct resync_run *run, const char *after,
                             struct order_name *out, size_t most, size_t *count)
{
    struct db_rows *rows;
    struct db_value source = DB_VALUE_INT(run->source_id);
    /* An order that was imported stands in no list of the shop's, and is none of its business. */
    enum db_result result =
        db_query(db,
                 "SELECT o.order_id FROM shop_order o WHERE o.source_id = ? AND o.order_id > ?"
                 " AND NOT EXISTS (SELECT 1 FROM resync_staged s WHERE s.run_id = ?"
                 " AND s.order_id = o.order_id)"
                 " AND NOT EXISTS (SELECT 1 FROM order_alias a WHERE a.source_id = o.source_id"
                 " AND a.alias = o.order_id)"
                 " AND EXISTS (SELECT 1 FROM order_snapshot p WHERE p.source_id = o.source_id"
                 " AND p.order_id = o.order_id AND (p.from_api OR p.delivery_id IS NOT NULL))"
                 " ORDER BY o.order_id LIMIT ?",
                 (struct db_value[]){source, db_text(after), DB_VALUE_BYTES(run->id, RESYNC_ID_LEN),
                                     DB_VALUE_INT((int64_t)most)},
                 4, &rows);

    if (result != DB_OK)
        return result;
    for (*count = 0; *count < most && db_rows_next(rows); ++*count) {
        memset(&out[*count], 0, sizeof(out[*count]));
        out[*count].source_id = run->source_id;
        row_copy(rows, 0, out[*count].order_id, sizeof(out[*count].order_id));
    }
    db_rows_free(rows);
    return DB_OK;
}

/* One row, opened and read. */
static void staged_row(const struct db_rows *rows, const struct vault *vault,
                       const struct resync_run *run, struct resync_batch *batch)
{
    struct resync_place *place = &batch->places[batch->count];
    struct buf context = {0}, plain = {0};
    size_t len;
    const char *sealed = db_bytes(rows, 2, &len);

    row_copy(rows, 0, place->order_id, sizeof(place->order_id));
    place->seq = (uint64_t)db_int(rows, 1);
    staged_context(run->id, place->order_id, place->seq, &context);
    if (vault_open(vault, VAULT_FACTS, (struct span){context.data, context.len},
                   (struct span){sealed, len}, &plain) == 0 &&
        fact_order_read(plain.data, plain.len, &batch->facts) == 0)
        batch->count++;
    else
        batch->spoilt = true;
    buf_wipe(&plain);
    buf_free(&context);
}

enum db_result resync_staged(struct db *db, const struct vault *vault, const struct resync_run *run,
                             const struct resync_place *after, size_t most,
                             struct resync_batch *out)
{
    struct db_rows *rows;
    struct db_value id = DB_VALUE_BYTES(run->id, RESYNC_ID_LEN);
    struct db_value limit = DB_VALUE_INT((int64_t)most);
    enum db_result result;

    memset(out, 0, sizeof(*out));
    /* Two ranges, because MariaDB makes no range of a row comparison. */
    if (after == NULL)
        result = db_query(db,
                          "SELECT order_id, seq, sealed FROM resync_staged WHERE run_id = ?"
                          " ORDER BY order_id, seq LIMIT ?",
                          (struct db_value[]){id, limit}, 2, &rows);
    else
        result = db_query(
            db,
            "(SELECT order_id, seq, sealed FROM resync_staged WHERE run_id = ? AND order_id = ?"
            " AND seq > ? ORDER BY seq LIMIT ?) UNION ALL"
            " (SELECT order_id, seq, sealed FROM resync_staged WHERE run_id = ? AND order_id > ?"
            " ORDER BY order_id, seq LIMIT ?) ORDER BY 1, 2 LIMIT ?",
            (struct db_value[]){id, db_text(after->order_id), DB_VALUE_INT((int64_t)after->seq),
                                limit, id, db_text(after->order_id), limit, limit},
            8, &rows);
    if (result != DB_OK)
        return result;
    out->places = xcalloc(most, sizeof(*out->places));
    while (out->count < most && db_rows_next(rows))
        staged_row(rows, vault, run, out);
    db_rows_free(rows);
    return DB_OK;
}

void resync_batch_free(struct resync_batch *batch)
{
    facts_free(&batch->facts);
    xfree(batch->places);
    batch->count = 0;
}

enum db_result resync_unstage(struct db *db, const char *owner, struct resync_run *run,
                              const struct resync_batch *batch, uint64_t changes, uint64_t unusable)
{
    struct values keys = {0};
    enum db_result result = resync_hold(db, owner, run);

    if (result != DB_OK || run->lost)
        return result;
    for (size_t i = 0; i < batch->count; i++) {
        values_add_bytes(&keys, run->id, RESYNC_ID_LEN);
        values_add_text(&keys, batch->places[i].order_id);
        values_add_int(&keys, (int64_t)batch->places[i].seq);
    }
    result = rows_delete(db, "DELETE FROM resync_staged WHERE (run_id, order_id, seq) IN",
                         "(?,?,?)", &keys, 3);
    values_free(&keys);
    if (result != DB_OK)
        return result;
    return db_execute(
        db, "UPDATE resync_run SET changes = changes + ?, unusable = unusable + ? WHERE run_id = ?",
        (struct db_value[]){DB_VALUE_INT((int64_t)changes), DB_VALUE_INT((int64_t)unusable),
                            DB_VALUE_BYTES(run->id, RESYNC_ID_LEN)},
        3);
}

/* --- judging ------------------------------------------------------------------------------- */

void resync_change_add(struct resync_changes *changes, const struct order_change *change)
{
    struct resync_change *one;

    if (!change->lost && !change->gained)
        return;
    changes->items = xreallocarray(changes->items, changes->count + 1, sizeof(*changes->items));
    one = &changes->items[changes->count++];
    memset(one, 0, sizeof(*one));
    memcpy(one->subject, change->subject, DIGEST_LEN);
    snprintf(one->order_id, sizeof(one->order_id), "%s", change->order_id);
    snprintf(one->line_id, sizeof(one->line_id), "%s", change->line_id);
    snprintf(one->key, sizeof(one->key), "%s", change->key);
    one->weight = change->lost ? -1 : 1;
}

struct judging {
    const char *owner;
    struct resync_run *run;
    const struct resync_changes *changes;
    bool more; /* of what is to be forgotten */
};

static enum db_result judge_body(struct db *db, void *arg)
{
    const struct judging *judging = arg;
    struct values values = {0};
    enum db_result result = resync_hold(db, judging->owner, judging->run);

    if (result != DB_OK || judging->run->lost)
        return result;
    for (size_t i = 0; i < judging->changes->count; i++) {
        const struct resync_change *change = &judging->changes->items[i];

        values_add_bytes(&values, judging->run->id, RESYNC_ID_LEN);
        values_add_bytes(&values, change->subject, DIGEST_LEN);
        values_add_text(&values, change->key);
        values_add_text(&values, change->order_id);
        values_add_text(&values, change->line_id);
        values_add_int(&values, change->weight);
    }
    result =
        rows_write(db,
                   "INSERT INTO resync_judged (run_id, subject, entitlement_key, order_id,"
                   " line_id, weight) VALUES",
                   "(?,?,?,?,?,?)", "ON DUPLICATE KEY UPDATE weight = VALUES(weight)", &values, 6);
    values_free(&values);
    return result;
}

enum db_result resync_judge(struct db *db, const char *owner, struct resync_run *run,
                            const struct resync_changes *changes)
{
    struct judging judging = {.owner = owner, .run = run, .changes = changes};

    return db_transaction(db, judge_body, &judging);
}

/* A step of forgetting, by whoever has the run: a process that slept through its lease must not
 * wipe what its successor judged. */
static enum db_result anew_body(struct db *db, void *arg)
{
    struct judging *judging = arg;
    enum db_result result = resync_hold(db, judging->owner, judging->run);

    judging->more = false;
    if (result != DB_OK || judging->run->lost)
        return result;
    result = db_execute(db, "DELETE FROM resync_judged WHERE run_id = ? LIMIT ?",
                        (struct db_value[]){DB_VALUE_BYTES(judging->run->id, RESYNC_ID_LEN),
                                            DB_VALUE_INT(FORGET_STEP)},
                        2);
    judging->more = result == DB_OK && db_affected(db) == FORGET_STEP;
    return result;
}

enum db_result resync_judge_anew(struct db *db, const char *owner, struct resync_run *run)
{
    struct judging judging = {.owner = owner, .run = run, .more = true};
    enum db_result result = DB_OK;

    while (result == DB_OK && judging.more)
        result = db_transaction(db, anew_body, &judging);
    return result;
}

enum db_result resync_verdict(struct db *db, const struct resync_run *run, int64_t now,
                              int64_t *losers, int64_t *entitled)
{
    struct db_rows *rows;
    struct db_value time = DB_VALUE_INT(now);
    enum db_result result =
        db_query(db,
                 "SELECT (SELECT COUNT(DISTINCT j.subject) FROM (SELECT subject, entitlement_key,"
                 " SUM(weight) AS net FROM resync_judged WHERE run_id = ?"
                 " GROUP BY subject, entitlement_key HAVING net < 0) j"
                 " WHERE (SELECT COUNT(*) FROM contribution c WHERE c.subject = j.subject"
                 " AND c.entitlement_key = j.entitlement_key AND c.state = 'active'"
                 " AND (c.ends_at IS NULL OR c.ends_at > ? OR c.grace_until > ?)) + j.net <= 0),"
                 " (SELECT COUNT(DISTINCT subject) FROM contribution WHERE source_id = ?"
                 " AND state = 'active' AND (ends_at IS NULL OR ends_at > ? OR grace_until > ?))",
                 (struct db_value[]){DB_VALUE_BYTES(run->id, RESYNC_ID_LEN), time, time,
                                     DB_VALUE_INT(run->source_id), time, time},
                 6, &rows);

    if (result != DB_OK)
        return result;
    *losers = *entitled = 0;
    if (db_rows_next(rows)) {
        *losers = db_int(rows, 0);
        *entitled = db_int(rows, 1);
    }
    db_rows_free(rows);
    return DB_OK;
}
