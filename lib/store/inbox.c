#include "store/inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/rows.h"

/* A body seen again is processed again, but not more often than this: the same bytes can be news.
 */
#define AGAIN_AFTER TIME_MINUTE

/* The context that ties a body's envelope to its row: known before the row has an id. */
static void body_context(uint32_t source_id, const unsigned char key[DIGEST_LEN], struct buf *out)
{
    buf_printf(out, "delivery.body|%u|", source_id);
    digest_hex(key, DIGEST_LEN, out);
}

void inbox_seal(const struct vault *vault, uint32_t source_id, const unsigned char key[DIGEST_LEN],
                const char *body, size_t len, struct buf *sealed)
{
    struct buf context = {0};

    body_context(source_id, key, &context);
    vault_seal(vault, VAULT_BODY, (struct span){context.data, context.len},
               (struct span){body, len}, sealed);
    buf_free(&context);
}

/* Appends the opened body; -1 if the envelope does not open. */
static int body_open(const struct vault *vault, uint32_t source_id,
                     const unsigned char key[DIGEST_LEN], const char *sealed, size_t len,
                     struct buf *out)
{
    struct buf context = {0};
    int result;

    body_context(source_id, key, &context);
    result = vault_open(vault, VAULT_BODY, (struct span){context.data, context.len},
                        (struct span){sealed, len}, out);
    buf_free(&context);
    return result;
}

#define PUT_COLUMNS 7

/* Inserts `count` deliveries in one statement and learns which were there already, in their order.
 */
static enum db_result put_rows(struct db *db, struct inbox_put *const *puts, size_t count)
{
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    enum db_result result;

    for (size_t i = 0; i < count; i++) {
        const struct inbox_put *put = puts[i];

        values_add_int(&values, put->source_id);
        values_add_bytes(&values, put->key, sizeof(put->key));
        values_add_text(&values, put->topic[0] ? put->topic : NULL);
        values_add_int(&values, put->received_at);
        values_add_int(&values, put->received_at);
        values_add_int(&values, put->received_at);
        values_add_bytes(&values, put->sealed.data, put->sealed.len);
    }
    buf_puts(&sql, "INSERT INTO delivery (source_id, delivery_key, topic, received_at,"
                   " last_received_at, due_at, body) VALUES ");
    db_repeat(&sql, "(?,?,?,?,?,?,?)", count);
    /* Assignments run from left to right, so `state` is changed last. */
    buf_printf(&sql,
               " ON DUPLICATE KEY UPDATE times_received = times_received + 1,"
               " last_received_at = GREATEST(last_received_at, VALUES(received_at)),"
               " due_at = IF(state IN ('done','set_aside'), GREATEST(VALUES(received_at),"
               " COALESCE(processed_at, 0) + %lld), due_at),"
               " attempts = IF(state IN ('done','set_aside'), 0, attempts),"
               " state = IF(state IN ('done','set_aside'), 'pending', state)"
               " RETURNING times_received",
               (long long)AGAIN_AFTER);
    result = db_query(db, sql.data, values.items, count * PUT_COLUMNS, &rows);
    for (size_t i = 0; result == DB_OK && i < count; i++)
        puts[i]->duplicate = db_rows_next(rows) && db_int(rows, 0) > 1;
    if (result == DB_OK)
        db_rows_free(rows);
    values_free(&values);
    buf_free(&sql);
    return result;
}

struct put_batch {
    struct inbox_put **puts;
    size_t count;
};

/* Chunks of powers of two inside one transaction: one commit for all, few statement texts. */
static enum db_result put_chunks(struct db *db, void *arg)
{
    const struct put_batch *batch = arg;

    for (size_t done = 0; done < batch->count;) {
        size_t chunk = ROWS_MOST;
        enum db_result result;

        while (chunk > batch->count - done)
            chunk /= 2;
        result = put_rows(db, batch->puts + done, chunk);
        if (result != DB_OK)
            return result;
        done += chunk;
    }
    return DB_OK;
}

static enum db_result put_run(struct db *db, void **operations, size_t count, void *context)
{
    struct put_batch batch = {(struct inbox_put **)operations, count};

    (void)context;
    /* A power of two is one statement, which commits by itself: no BEGIN, no COMMIT to wait for. */
    if ((count & (count - 1)) == 0 && count <= ROWS_MOST)
        return put_chunks(db, &batch);
    return db_transaction(db, put_chunks, &batch);
}

const struct batch_kind inbox_put_batch = {
    .name = "inbox_put", .most = ROWS_MOST, .run = put_run, .repeatable = true};

/* One half of the candidates' query: those of one state. */
static void candidates_of(const struct inbox_want *want, const char *state, size_t most,
                          struct buf *sql, struct values *values)
{
    size_t padded = 1;

    buf_printf(sql, "(SELECT id, due_at, attempts FROM delivery WHERE state = '%s' AND due_at <= ?",
               state);
    values_add_int(values, want->now);
    if (want->without_count > 0) {
        while (padded < want->without_count)
            padded *= 2;
        for (size_t i = 0; i < padded; i++)
            values_add_int(values, want->without[i < want->without_count ? i : 0]);
        buf_puts(sql, " AND source_id NOT IN (");
        db_repeat(sql, "?", padded);
        buf_puts(sql, ")");
    }
    buf_puts(sql, " ORDER BY due_at LIMIT ?)");
    values_add_int(values, (int64_t)most);
}

/* Ids that are due, more than wanted, without locks: where to pick from. Those tried before stand
 * apart. */
static enum db_result lease_candidates(struct db *db, const struct inbox_want *want, size_t most,
                                       struct values *ids, struct values *suspects)
{
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    enum db_result result;

    candidates_of(want, "pending", most, &sql, &values);
    buf_puts(&sql, " UNION ALL ");
    candidates_of(want, "leased", most, &sql, &values);
    buf_puts(&sql, " ORDER BY due_at");
    result = db_query(db, sql.data, values.items, values.count, &rows);
    buf_free(&sql);
    values_free(&values);
    if (result != DB_OK)
        return result;
    while (db_rows_next(rows)) {
        if (db_int(rows, 2) < LIMIT_SUSPECT_ATTEMPTS)
            values_add_int(ids, db_int(rows, 0));
        else
            values_add_int(suspects, db_int(rows, 0));
    }
    db_rows_free(rows);
    return DB_OK;
}

/*
 * Which of the candidates to try: a run of `most`, at a random place, so that workers on the nodes
 * of a cluster, which do not see each other's row locks, seldom pick the same ones.
 */
static void lease_window(struct values *ids, size_t most)
{
    uint32_t random;
    size_t start;

    if (ids->count <= most)
        return;
    digest_random(&random, sizeof(random));
    start = random % (ids->count - most + 1);
    memmove(ids->items, ids->items + start, most * sizeof(*ids->items));
    ids->count = most;
}

struct lease {
    const char *owner;
    int64_t now;
    const struct values *ids;
    struct values locked; /* out */
};

static void lease_row(struct db_rows *rows, void *arg)
{
    struct lease *lease = arg;

    if (db_int(rows, 1) > lease->now)
        return;
    for (size_t i = 0; i < lease->locked.count; i++) {
        if (lease->locked.items[i].number == db_int(rows, 0))
            return; /* the padding of the list: a key may stand twice in it */
    }
    values_add_int(&lease->locked, db_int(rows, 0));
}

/* Marks the locked rows as this owner's. */
static enum db_result lease_take(struct db *db, const struct lease *lease)
{
    struct values values = {0};
    struct buf sql = {0};
    enum db_result result;

    values_add_text(&values, lease->owner);
    values_add_int(&values, lease->now);
    values_add_int(&values, lease->now + LIMIT_LEASE_S * TIME_SECOND);
    for (size_t i = 0; i < lease->locked.count; i++)
        values_add(&values, lease->locked.items[i]);
    buf_puts(&sql, "UPDATE delivery SET state = 'leased', lease_owner = ?, leased_at = ?,"
                   " due_at = ?, attempts = attempts + 1 WHERE id IN (");
    db_repeat(&sql, "?", lease->locked.count);
    buf_puts(&sql, ")");
    result = db_execute(db, sql.data, values.items, values.count);
    buf_free(&sql);
    values_free(&values);
    return result;
}

/*
 * Locks what is still due among the picked, and marks it. A row that another worker leased since
 * has a later due_at, which is checked here by comparing with the time of the pick.
 */
static enum db_result lease_mark(struct db *db, void *arg)
{
    struct lease *lease = arg;
    enum db_result result;

    lease->locked.count = 0;
    result = rows_read(db, "SELECT id, due_at FROM delivery WHERE id IN", "?",
                       "AND state IN ('pending','leased') FOR UPDATE SKIP LOCKED", lease->ids, 1,
                       lease_row, lease);
    if (result != DB_OK || lease->locked.count == 0)
        return result;
    return lease_take(db, lease);
}

struct lease_open {
    const struct vault *vault;
    struct inbox_item *items;
    size_t count;
};

/* A leased row, its body opened. */
static void lease_open_row(struct db_rows *rows, void *arg)
{
    struct lease_open *open = arg;
    struct inbox_item *item = &open->items[open->count++];
    struct buf body = {0};
    size_t len;
    const char *bytes;

    memset(item, 0, sizeof(*item));
    item->id = (uint64_t)db_int(rows, 0);
    item->source_id = (uint32_t)db_int(rows, 1);
    bytes = db_bytes(rows, 2, &len);
    memcpy(item->key, bytes, len < sizeof(item->key) ? len : sizeof(item->key));
    item->received_at = db_int(rows, 3);
    item->attempts = (uint32_t)db_int(rows, 4) - 1;
    bytes = db_bytes(rows, 5, &len);
    if (body_open(open->vault, item->source_id, item->key, bytes, len, &body) == 0) {
        item->len = body.len;
        item->body = buf_take(&body);
    } else {
        log_error("inbox", "body_does_not_open", LOG_I("delivery", item->id));
        buf_free(&body);
    }
}

/*
 * Mostly a window of the fresh ones. What was tried before without an end may be what ended the
 * worker that tried it, and its neighbours with it: it is leased alone, half of the time while
 * there are fresh ones.
 */
static void lease_pick(struct values *ids, struct values *suspects, size_t most)
{
    uint32_t random;

    digest_random(&random, sizeof(random));
    if (suspects->count > 0 && (ids->count == 0 || random % 2 == 0)) {
        struct db_value one = suspects->items[random / 2 % suspects->count];

        ids->count = 0;
        values_add(ids, one);
    } else {
        lease_window(ids, most);
    }
}

enum db_result inbox_lease(struct db *db, const struct vault *vault, const struct inbox_want *want,
                           struct inbox_item *out, size_t *count)
{
    struct values ids = {0}, suspects = {0};
    struct lease lease = {.owner = want->owner, .now = want->now, .ids = &ids};
    struct lease_open open = {.vault = vault, .items = out};
    enum db_result result = lease_candidates(db, want, want->most * 4, &ids, &suspects);

    lease_pick(&ids, &suspects, want->most);
    if (result == DB_OK && ids.count > 0)
        result = db_transaction(db, lease_mark, &lease);
    if (result == DB_OK && lease.locked.count > 0)
        result =
            rows_read(db,
                      "SELECT id, source_id, delivery_key, received_at, attempts, body"
                      " FROM delivery WHERE id IN",
                      "?", "ORDER BY received_at, id", &lease.locked, 1, lease_open_row, &open);
    if (result == DB_OK) {
        *count = open.count;
    } else {
        for (size_t i = 0; i < open.count; i++)
            inbox_item_free(&out[i]);
    }
    values_free(&ids);
    values_free(&suspects);
    values_free(&lease.locked);
    return result;
}

void inbox_item_free(struct inbox_item *item)
{
    if (item->body != NULL)
        explicit_bzero(item->body, item->len);
    xfree(item->body);
}

/* Whether two outcomes can share one UPDATE. */
static bool outcome_alike(const struct inbox_outcome *a, const struct inbox_outcome *b)
{
    return a->result == b->result && a->reason == b->reason && a->due_at == b->due_at &&
           strcmp(a->detail, b->detail) == 0;
}

/*
 * One UPDATE for outcomes that are alike. A body that came again while it was being worked on may
 * be news (a hint whose order was read before the change): it is due once more.
 */
static enum db_result finish_alike(struct db *db, const char *owner, int64_t now,
                                   const struct inbox_outcome *first, const struct values *ids)
{
    static const char *const states[] = {"done", "set_aside", "pending", "pending"};
    struct values values = {0};
    struct buf sql = {0};
    bool retry = first->result == INBOX_RETRY || first->result == INBOX_POSTPONE;
    enum db_result result;

    values_add_text(&values, states[first->result]);
    values_add_text(&values, first->result == INBOX_SET_ASIDE ? set_aside_name(first->reason) : "");
    values_add_text(&values, first->detail[0] ? first->detail : NULL);
    values_add_int(&values, now);
    values_add_int(&values, retry ? first->due_at : now + AGAIN_AFTER);
    values_add_int(&values, first->result == INBOX_POSTPONE);
    values_add_text(&values, owner);
    for (size_t i = 0; i < ids->count; i++)
        values_add(&values, ids->items[i]);
    buf_puts(&sql, "UPDATE delivery SET"
                   " state = IF(last_received_at > leased_at, 'pending', ?),"
                   " reason = ?, detail = ?, processed_at = ?, due_at = ?,"
                   " attempts = IF(? AND attempts > 0, attempts - 1, attempts),"
                   " lease_owner = NULL, leased_at = NULL"
                   " WHERE lease_owner = ? AND state = 'leased' AND id IN (");
    db_repeat(&sql, "?", ids->count);
    buf_puts(&sql, ")");
    result = db_execute(db, sql.data, values.items, values.count);
    buf_free(&sql);
    values_free(&values);
    return result;
}

enum db_result inbox_finish(struct db *db, const char *owner, int64_t now,
                            const struct inbox_outcome *outcomes, size_t count)
{
    bool *written = xcalloc(count + 1, sizeof(*written));
    enum db_result result = DB_OK;

    for (size_t i = 0; i < count && result == DB_OK; i++) {
        struct values ids = {0};

        if (written[i])
            continue;
        for (size_t j = i; j < count; j++) {
            if (!written[j] && outcome_alike(&outcomes[i], &outcomes[j])) {
                values_add_int(&ids, (int64_t)outcomes[j].id);
                written[j] = true;
            }
        }
        result = finish_alike(db, owner, now, &outcomes[i], &ids);
        values_free(&ids);
    }
    free(written);
    return result;
}

/* Gives back what the owner still holds, as if it had never been leased. */
static enum db_result release_body(struct db *db, void *arg)
{
    return db_execute(db,
                      "UPDATE delivery SET state = 'pending', due_at = leased_at,"
                      " lease_owner = NULL, attempts = IF(attempts > 0, attempts - 1, 0)"
                      " WHERE state = 'leased' AND lease_owner = ?",
                      (struct db_value[]){db_text(arg)}, 1);
}

/* It looks through what all workers have leased, and so can deadlock with those still at work. */
enum db_result inbox_release(struct db *db, const char *owner)
{
    char name[64];

    snprintf(name, sizeof(name), "%s", owner);
    return db_transaction(db, release_body, name);
}

#define ROW_COLUMNS                                                                             \
    "id, source_id, state, reason, topic, detail, received_at, last_received_at, processed_at," \
    " due_at, times_received, attempts, LENGTH(body), delivery_key"

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
    out->processed_at = db_time_of(rows, 8);
    out->due_at = db_int(rows, 9);
    out->times_received = (uint32_t)db_int(rows, 10);
    out->attempts = (uint32_t)db_int(rows, 11);
    out->sealed_bytes = (size_t)db_int(rows, 12);
    key = db_bytes(rows, 13, &len);
    memcpy(out->key, key, len < sizeof(out->key) ? len : sizeof(out->key));
}

enum db_result inbox_list(struct db *db, const char *state, size_t most,
                          void (*row)(const struct inbox_row *, void *), void *arg)
{
    struct db_rows *rows;
    struct inbox_row one;
    enum db_result result;

    if (state != NULL)
        result =
            db_query(db,
                     "SELECT " ROW_COLUMNS " FROM delivery WHERE state = ?"
                     " ORDER BY due_at DESC, id DESC LIMIT ?",
                     (struct db_value[]){db_text(state), DB_VALUE_INT((int64_t)most)}, 2, &rows);
    else
        result = db_query(db,
                          "SELECT " ROW_COLUMNS " FROM delivery"
                          " ORDER BY received_at DESC, id DESC LIMIT ?",
                          (struct db_value[]){DB_VALUE_INT((int64_t)most)}, 1, &rows);
    if (result != DB_OK)
        return result;
    while (db_rows_next(rows)) {
        row_read(rows, &one);
        row(&one, arg);
    }
    db_rows_free(rows);
    return DB_OK;
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
        if (body_open(vault, row->source_id, row->key, sealed, len, body) != 0)
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
