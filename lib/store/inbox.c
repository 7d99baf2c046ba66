#include "store/inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/inbox_work.h"
#include "store/rows.h"
#include "store/sealed_context.h"

void inbox_seal(const struct vault *vault, uint32_t source_id, const unsigned char key[DIGEST_LEN],
                const char *body, size_t len, struct buf *sealed)
{
    struct buf context = {0};

    body_context(source_id, key, &context);
    vault_seal(vault, VAULT_BODY, (struct span){context.data, context.len},
               (struct span){body, len}, sealed);
    buf_free(&context);
}

int inbox_body_open(const struct vault *vault, uint32_t source_id,
                    const unsigned char key[DIGEST_LEN], struct span sealed, struct buf *out)
{
    struct buf context = {0};
    int result;

    body_context(source_id, key, &context);
    result = vault_open(vault, VAULT_BODY, (struct span){context.data, context.len}, sealed, out);
    buf_free(&context);
    return result;
}

/*
 * One statement, which commits by itself: row and body are there together or not at all, and the
 * server is asked once. It tells of each row whether it was there already.
 */
static enum db_result put_run(struct db *db, void **operations, size_t count, void *context)
{
    struct inbox_put **puts = (struct inbox_put **)operations;
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    size_t told = 0;
    enum db_result result;

    (void)context;
    for (size_t i = 0; i < count; i++) {
        const struct inbox_put *put = puts[i];

        values_add_int(&values, put->source_id);
        values_add_bytes(&values, put->key, sizeof(put->key));
        values_add_text(&values, put->topic[0] ? put->topic : NULL);
        values_add_int(&values, put->received_at);
        values_add_int(&values, put->received_at);
        values_add_int(&values, put->received_at);
        values_add_int(&values, (int64_t)put->sealed.len);
        values_add_bytes(&values, put->sealed.data, put->sealed.len);
    }
    /* Assignments run from left to right, so `state` is changed last. */
    buf_printf(&sql,
               "INSERT INTO delivery (source_id, delivery_key, topic, received_at,"
               " last_received_at, due_at, sealed_bytes, body) VALUES (?,?,?,?,?,?,?,?)"
               " ON DUPLICATE KEY UPDATE times_received = times_received + 1,"
               " last_received_at = GREATEST(last_received_at, VALUES(received_at)),"
               " due_at = IF(state IN ('done','set_aside'), GREATEST(VALUES(received_at),"
               " processed_at + %lld), due_at),"
               " attempts = IF(state IN ('done','set_aside'), 0, attempts),"
               " state = IF(state IN ('done','set_aside'), 'pending', state)"
               " RETURNING times_received",
               (long long)INBOX_AGAIN_AFTER);
    result = db_query_rows(db, sql.data, values.items, count, &rows);
    for (; result == DB_OK && told < count && db_rows_next(rows); told++)
        puts[told]->duplicate = db_int(rows, 0) > 1;
    if (result == DB_OK)
        db_rows_free(rows);
    if (result == DB_OK && told < count) {
        log_error("inbox", "insert_told_too_little", LOG_I("rows", count), LOG_I("told", told));
        result = DB_FAILED;
    }
    values_free(&values);
    buf_free(&sql);
    return result;
}

const struct batch_kind inbox_put_batch = {.name = "inbox_put",
                                           .most = INBOX_PUT_MOST,
                                           .parallel = 2,
                                           .gather_us = INBOX_PUT_GATHER,
                                           .run = put_run,
                                           .repeatable = true};

#define ROW_COLUMNS                                                                             \
    "id, source_id, state, reason, topic, detail, received_at, last_received_at, processed_at," \
    " due_at, times_received, attempts, sealed_bytes, delivery_key"

static void row_read(const struct db_rows *rows, struct inbox_row *out)
{
    size_t len;
    const char *key;

    memset(out, 0, sizeof(*out));
    out->id = (uint64_t)db_int(rows, 0);
    out->source_id = (uint32_t)db_int(rows, 1);
    row_copy(rows, 2, out->state, sizeof(out->state));
    row_copy(rows, 3, out->reason, sizeof(out->reason));
    row_copy(rows, 4, out->topic, sizeof(out->topic));
    row_copy(rows, 5, out->detail, sizeof(out->detail));
    out->received_at = db_int(rows, 6);
    out->last_received_at = db_int(rows, 7);
    out->processed_at = db_int(rows, 8) == 0 ? TIME_NONE : db_int(rows, 8);
    out->due_at = db_int(rows, 9);
    out->times_received = (uint32_t)db_int(rows, 10);
    out->attempts = (uint32_t)db_int(rows, 11);
    out->sealed_bytes = (size_t)db_int(rows, 12);
    key = db_bytes(rows, 13, &len);
    memcpy(out->key, key, len < sizeof(out->key) ? len : sizeof(out->key));
}

/* Calls `row` for each, and frees them. */
static void rows_tell(struct db_rows *rows, void (*row)(const struct inbox_row *, void *),
                      void *arg)
{
    struct inbox_row one;

    while (db_rows_next(rows)) {
        row_read(rows, &one);
        row(&one, arg);
    }
    db_rows_free(rows);
}

/* The ends of all sources' queues, the latest first: no row is read that is not one of them. */
static enum db_result list_queues(struct db *db, const char *state,
                                  const struct inbox_queues *queues, size_t most,
                                  struct db_rows **rows)
{
    struct values values = {0};
    struct buf sql = {0};
    enum db_result result;

    for (size_t i = 0; i < db_padded(queues->count); i++) {
        buf_printf(&sql,
                   "%s(SELECT " ROW_COLUMNS " FROM delivery WHERE state = ? AND source_id = ?"
                   " ORDER BY due_at DESC, id DESC LIMIT ?)",
                   i == 0 ? "" : " UNION ALL ");
        values_add_text(&values, state);
        values_add_int(&values, i < queues->count ? queues->items[i].source_id : 0);
        values_add_int(&values, (int64_t)most);
    }
    buf_puts(&sql, " ORDER BY due_at DESC, id DESC LIMIT ?");
    values_add_int(&values, (int64_t)most);
    result = db_query(db, sql.data, values.items, values.count, rows);
    values_free(&values);
    buf_free(&sql);
    return result;
}

static enum db_result list_state(struct db *db, const char *state, size_t most,
                                 void (*row)(const struct inbox_row *, void *), void *arg)
{
    struct inbox_queues queues = {0};
    struct db_rows *rows;
    enum db_result result = inbox_queues_read(db, state, &queues);

    if (result == DB_OK && queues.count > 0) {
        result = list_queues(db, state, &queues, most, &rows);
        if (result == DB_OK)
            rows_tell(rows, row, arg);
    }
    free(queues.items);
    return result;
}

enum db_result inbox_list(struct db *db, const char *state, size_t most,
                          void (*row)(const struct inbox_row *, void *), void *arg)
{
    struct db_rows *rows;
    enum db_result result;

    if (state != NULL)
        return list_state(db, state, most, row, arg);
    result = db_query(db,
                      "SELECT " ROW_COLUMNS " FROM delivery"
                      " ORDER BY received_at DESC, id DESC LIMIT ?",
                      (struct db_value[]){DB_VALUE_INT((int64_t)most)}, 1, &rows);
    if (result == DB_OK)
        rows_tell(rows, row, arg);
    return result;
}

enum db_result inbox_show(struct db *db, const struct vault *vault, uint64_t id,
                          struct inbox_row *row, struct buf *body, bool *found)
{
    struct db_rows *rows;
    enum db_result result = db_query(db, "SELECT " ROW_COLUMNS ", body FROM delivery WHERE id = ?",
                                     (struct db_value[]){DB_VALUE_INT((int64_t)id)}, 1, &rows);

    if (result != DB_OK)
        return result;
    *found = db_rows_next(rows);
    if (*found) {
        size_t len;
        const char *sealed;

        row_read(rows, row);
        sealed = db_bytes(rows, 14, &len);
        if (sealed == NULL ||
            inbox_body_open(vault, row->source_id, row->key, (struct span){sealed, len}, body) != 0)
            log_error("inbox", "body_does_not_open", LOG_I("delivery", id));
    }
    db_rows_free(rows);
    return DB_OK;
}

enum db_result inbox_replay(struct db *db, uint64_t id, int64_t now, bool *found)
{
    enum db_result result = db_execute(
        db,
        "UPDATE delivery SET state = IF(state = 'leased', state, 'pending'),"
        " due_at = IF(state = 'leased', due_at, ?), last_received_at = ?, attempts = 0"
        " WHERE id = ?",
        (struct db_value[]){DB_VALUE_INT(now), DB_VALUE_INT(now), DB_VALUE_INT((int64_t)id)}, 3);

    if (result == DB_OK)
        *found = db_affected(db) > 0;
    return result;
}
