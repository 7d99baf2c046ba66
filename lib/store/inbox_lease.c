/*
 * Leases: which deliveries a worker takes, how it holds them, and what becomes of them.
 *
 * Every statement reads as many rows as it leases, or a few times as many, whatever waits behind
 * them: the queue of each source is a range of an index, read from its beginning. So a shop whose
 * deliveries wait in their thousands is no burden to the others, and each gets its share of a
 * batch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/inbox.h"
#include "store/inbox_work.h"
#include "store/rows.h"

#define OWNER_LEN 8
#define SPREAD 4 /* windows that workers spread over */

/* A worker's name in a lease: of fixed width, so that a lease changes its row in place. */
static void owner_digest(const char *owner, unsigned char out[DIGEST_LEN])
{
    digest_sha256(owner, strlen(owner), out);
}

/* What is due, of one source and in one state, as far as it was read: where to pick from. */
struct candidates {
    uint32_t source_id;
    bool leased; /* by somebody whose lease ran out */
    struct candidate {
        int64_t id;
        size_t bytes;
    } * items;
    size_t count, cap;
    size_t most;  /* of it are taken */
    size_t start; /* random: where this worker's window begins */
    size_t taken;
};

struct lease {
    const struct inbox_want *want;
    const struct vault *vault;
    unsigned char owner[DIGEST_LEN]; /* OWNER_LEN of it */
    struct candidates *queues;
    size_t queue_count;
    struct values suspects; /* ids: tried before without an end */
    struct values ids;      /* picked */
    struct values locked;   /* of these, what nobody else took */
    struct inbox_item *items;
    size_t count;
};

enum db_result inbox_queues_read(struct db *db, const char *state, struct inbox_queues *out)
{
    struct db_value value = db_text(state);
    struct db_rows *rows;
    enum db_result result = db_query(db,
                                     "SELECT id, (SELECT due_at FROM delivery WHERE state = ?"
                                     " AND source_id = source.id ORDER BY due_at LIMIT 1)"
                                     " FROM source",
                                     &value, 1, &rows);

    if (result != DB_OK)
        return result;
    out->items = xcalloc(db_rows_count(rows) + 1, sizeof(*out->items));
    for (out->count = 0; db_rows_next(rows);) {
        if (!db_is_null(rows, 1))
            out->items[out->count++] =
                (struct inbox_queue){(uint32_t)db_int(rows, 0), db_int(rows, 1)};
    }
    db_rows_free(rows);
    return DB_OK;
}

static bool is_listed(uint32_t source_id, const uint32_t *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sources[i] == source_id)
            return true;
    }
    return false;
}

/* The queues of one state that have something due, but for those of the sources not wanted. */
static enum db_result lease_queues(struct db *db, struct lease *lease, bool leased)
{
    const struct inbox_want *want = lease->want;
    struct inbox_queues queues = {0};
    enum db_result result = inbox_queues_read(db, leased ? "leased" : "pending", &queues);

    if (result != DB_OK)
        return result;
    lease->queues =
        xreallocarray(lease->queues, lease->queue_count + queues.count + 1, sizeof(*lease->queues));
    for (size_t i = 0; i < queues.count; i++) {
        uint32_t source_id = queues.items[i].source_id;

        if (queues.items[i].first_due_at > want->now ||
            is_listed(source_id, want->without, want->without_count))
            continue;
        lease->queues[lease->queue_count++] = (struct candidates){
            .source_id = source_id,
            .leased = leased,
            .most = is_listed(source_id, want->few, want->few_count) ? want->few_most : want->most};
    }
    free(queues.items);
    return DB_OK;
}

static struct candidates *queue_of(const struct lease *lease, uint32_t source_id, bool leased)
{
    for (size_t i = 0; i < lease->queue_count; i++) {
        if (lease->queues[i].source_id == source_id && lease->queues[i].leased == leased)
            return &lease->queues[i];
    }
    return NULL;
}

/* Notes a row that is due. One tried before without an end stands apart from the others. */
static void candidate_add(struct lease *lease, const struct db_rows *rows)
{
    struct candidates *queue = queue_of(lease, (uint32_t)db_int(rows, 0), db_int(rows, 1) != 0);

    if (db_int(rows, 3) >= LIMIT_SUSPECT_ATTEMPTS) {
        values_add_int(&lease->suspects, db_int(rows, 2));
        return;
    }
    if (queue == NULL)
        die("inbox: a row of a queue that was not asked for");
    if (queue->count == queue->cap) {
        queue->cap = queue->cap ? 2 * queue->cap : 64;
        queue->items = xreallocarray(queue->items, queue->cap, sizeof(*queue->items));
    }
    queue->items[queue->count++] = (struct candidate){db_int(rows, 2), (size_t)db_int(rows, 4)};
}

/* The beginning of one queue, as a part of a UNION; source 0, which is none, pads it. */
static void range_add(const struct lease *lease, const struct candidates *queue, size_t most,
                      struct buf *sql, struct values *values)
{
    buf_printf(sql,
               "%s(SELECT source_id, state = 'leased', id, attempts, sealed_bytes FROM delivery"
               " WHERE state = '%s' AND source_id = ? AND due_at <= ? ORDER BY due_at LIMIT ?)",
               sql->len > 0 ? " UNION ALL " : "",
               queue != NULL && queue->leased ? "leased" : "pending");
    values_add_int(values, queue == NULL ? 0 : queue->source_id);
    values_add_int(values, lease->want->now);
    values_add_int(values, (int64_t)most);
}

/* More than are wanted, without locks: where to pick from. */
static enum db_result lease_candidates(struct db *db, struct lease *lease)
{
    size_t most = SPREAD * lease->want->most / lease->queue_count + 1;
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    enum db_result result;

    for (size_t i = 0; i < db_padded(lease->queue_count); i++)
        range_add(lease, i < lease->queue_count ? &lease->queues[i] : NULL, most, &sql, &values);
    result = db_query(db, sql.data, values.items, values.count, &rows);
    buf_free(&sql);
    values_free(&values);
    if (result != DB_OK)
        return result;
    while (db_rows_next(rows))
        candidate_add(lease, rows);
    db_rows_free(rows);
    return DB_OK;
}

/*
 * Takes from each queue in turn, until there are enough, or their bodies come to enough: then those
 * whose next still fits go on. Whose turn is first is drawn by lot, lest the large bodies of some
 * shops never leave room for another's. Each queue's window begins at a random place, so that
 * workers on the nodes of a cluster, which do not see each other's row locks, seldom pick the same
 * rows.
 */
static void lease_window(struct lease *lease)
{
    size_t share = lease->want->most / lease->queue_count + 1;
    size_t bytes = 0, before, first;
    uint32_t random;

    digest_random(&random, sizeof(random));
    first = random % lease->queue_count;
    for (size_t i = 0; i < lease->queue_count; i++) {
        struct candidates *queue = &lease->queues[i];

        digest_random(&random, sizeof(random));
        queue->start = queue->count > share ? random % (queue->count - share + 1) : 0;
    }
    do {
        before = lease->ids.count;
        for (size_t i = 0; i < lease->queue_count; i++) {
            struct candidates *queue = &lease->queues[(first + i) % lease->queue_count];
            const struct candidate *next;

            if (queue->taken == queue->count || queue->taken >= queue->most ||
                lease->ids.count == lease->want->most)
                continue;
            next = &queue->items[(queue->start + queue->taken) % queue->count];
            if (lease->ids.count > 0 && bytes + next->bytes > LIMIT_LEASE_BYTES) {
                queue->most = queue->taken;
                continue;
            }
            bytes += next->bytes;
            queue->taken++;
            values_add_int(&lease->ids, next->id);
        }
    } while (lease->ids.count > before);
}

/*
 * Mostly a window of the fresh ones. What was tried before without an end may be what ended the
 * worker that tried it, and its neighbours with it: it is leased alone, half of the time while
 * there are fresh ones.
 */
static void lease_pick(struct lease *lease)
{
    const struct values *suspects = &lease->suspects;
    uint32_t random;

    digest_random(&random, sizeof(random));
    if (random % 2 != 0 || suspects->count == 0 || lease->want->fresh_only)
        lease_window(lease);
    if (lease->ids.count == 0 && suspects->count > 0 && !lease->want->fresh_only)
        values_add(&lease->ids, suspects->items[random / 2 % suspects->count]);
}

/* Opens the body of one of the leased. */
static void lease_body(const struct lease *lease, const struct db_rows *rows, unsigned column,
                       struct inbox_item *item)
{
    struct buf body = {0};
    struct span sealed;

    sealed.bytes = db_bytes(rows, column, &sealed.len);
    if (inbox_body_open(lease->vault, item->source_id, item->key, sealed, &body) == 0) {
        item->len = body.len;
        item->body = buf_take(&body);
    } else {
        log_error("inbox", "body_does_not_open", LOG_I("delivery", item->id));
        buf_free(&body);
    }
}

/* A locked row that is still due. The padding of the list may name it twice, but it comes once. */
static void lease_row(struct db_rows *rows, void *arg)
{
    struct lease *lease = arg;
    struct inbox_item *item = &lease->items[lease->count];
    const char *key;
    size_t len;

    if (db_int(rows, 1) > lease->want->now)
        return;
    memset(item, 0, sizeof(*item));
    item->id = (uint64_t)db_int(rows, 0);
    item->source_id = (uint32_t)db_int(rows, 2);
    item->received_at = db_int(rows, 3);
    item->attempts = (uint32_t)db_int(rows, 4);
    key = db_bytes(rows, 5, &len);
    memcpy(item->key, key, len < sizeof(item->key) ? len : sizeof(item->key));
    lease_body(lease, rows, 6, item);
    values_add_int(&lease->locked, (int64_t)item->id);
    lease->count++;
}

/* Runs "HEAD (?,...)" with `values` and then the ids, the last one repeated until their number is
 * a power of two: few texts. */
static enum db_result update_ids(struct db *db, const char *head, struct values *values,
                                 const struct values *ids)
{
    struct buf sql = {0};
    size_t padded = db_padded(ids->count);
    enum db_result result;

    for (size_t i = 0; i < padded; i++)
        values_add(values, ids->items[i < ids->count ? i : ids->count - 1]);
    buf_printf(&sql, "%s (", head);
    db_repeat(&sql, "?", padded);
    buf_puts(&sql, ")");
    result = db_execute(db, sql.data, values->items, values->count);
    buf_free(&sql);
    return result;
}

/* Forgets what was locked, by a try that is repeated or has failed. */
static void lease_forget(struct lease *lease)
{
    for (size_t i = 0; i < lease->count; i++)
        inbox_item_free(&lease->items[i]);
    lease->locked.count = lease->count = 0;
}

/* Marks the locked rows as this owner's. */
static enum db_result lease_take(struct db *db, const struct lease *lease)
{
    struct values values = {0};
    enum db_result result;

    values_add_bytes(&values, lease->owner, OWNER_LEN);
    values_add_int(&values, lease->want->now);
    values_add_int(&values, lease->want->now + LIMIT_LEASE_S * TIME_SECOND);
    result = update_ids(db,
                        "UPDATE delivery SET state = 'leased', lease_owner = ?, leased_at = ?,"
                        " due_at = ?, attempts = attempts + 1 WHERE id IN",
                        &values, &lease->locked);
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

    lease_forget(lease);
    result = rows_read(db,
                       "SELECT id, due_at, source_id, received_at, attempts, delivery_key, body"
                       " FROM delivery WHERE id IN",
                       "?", "AND state IN ('pending','leased') FOR UPDATE SKIP LOCKED", &lease->ids,
                       1, lease_row, lease);
    if (result != DB_OK || lease->count == 0)
        return result;
    return lease_take(db, lease);
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = ((const struct inbox_item *)a)->id, right = ((const struct inbox_item *)b)->id;

    return (left > right) - (left < right);
}

static int compare_times(const void *a, const void *b)
{
    int64_t left = ((const struct inbox_item *)a)->received_at;
    int64_t right = ((const struct inbox_item *)b)->received_at;

    return left != right ? (left > right) - (left < right) : compare_ids(a, b);
}

enum db_result inbox_lease(struct db *db, const struct vault *vault, const struct inbox_want *want,
                           struct inbox_item *out, size_t *count)
{
    struct lease lease = {.want = want, .vault = vault, .items = out};
    enum db_result result;

    owner_digest(want->owner, lease.owner);
    result = lease_queues(db, &lease, false);
    if (result == DB_OK)
        result = lease_queues(db, &lease, true);
    if (result == DB_OK && lease.queue_count > 0)
        result = lease_candidates(db, &lease);
    if (result == DB_OK && lease.queue_count > 0)
        lease_pick(&lease);
    if (result == DB_OK && lease.ids.count > 0)
        result = db_transaction(db, lease_mark, &lease);
    if (result == DB_OK) {
        qsort(out, lease.count, sizeof(*out), compare_times);
        *count = lease.count;
    } else {
        lease_forget(&lease);
    }
    for (size_t i = 0; i < lease.queue_count; i++)
        xfree(lease.queues[i].items);
    xfree(lease.queues);
    values_free(&lease.suspects);
    values_free(&lease.ids);
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
static enum db_result finish_alike(struct db *db, const unsigned char *owner, int64_t now,
                                   const struct inbox_outcome *first, const struct values *ids)
{
    static const char *const states[] = {"done", "set_aside", "pending", "pending"};
    struct values values = {0};
    bool retry = first->result == INBOX_RETRY || first->result == INBOX_POSTPONE;
    enum db_result result;

    values_add_text(&values, states[first->result]);
    values_add_text(&values, first->result == INBOX_SET_ASIDE ? set_aside_name(first->reason) : "");
    values_add_text(&values, first->detail[0] ? first->detail : NULL);
    values_add_int(&values, now);
    values_add_int(&values, retry ? first->due_at : now + INBOX_AGAIN_AFTER);
    values_add_int(&values, first->result == INBOX_POSTPONE);
    values_add_bytes(&values, owner, OWNER_LEN);
    result = update_ids(db,
                        "UPDATE delivery SET"
                        " state = IF(last_received_at > leased_at, 'pending', ?),"
                        " reason = ?, detail = ?, processed_at = ?, due_at = ?,"
                        " attempts = IF(? AND attempts > 0, attempts - 1, attempts),"
                        " lease_owner = '', leased_at = 0"
                        " WHERE lease_owner = ? AND state = 'leased' AND id IN",
                        &values, ids);
    values_free(&values);
    return result;
}

enum db_result inbox_finish(struct db *db, const char *owner, int64_t now,
                            const struct inbox_outcome *outcomes, size_t count)
{
    bool *written = xcalloc(count + 1, sizeof(*written));
    unsigned char digest[DIGEST_LEN];
    enum db_result result = DB_OK;

    owner_digest(owner, digest);
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
        result = finish_alike(db, digest, now, &outcomes[i], &ids);
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
                      " lease_owner = '', leased_at = 0,"
                      " attempts = IF(attempts > 0, attempts - 1, 0)"
                      " WHERE state = 'leased' AND lease_owner = ?",
                      (struct db_value[]){DB_VALUE_BYTES(arg, OWNER_LEN)}, 1);
}

/* It looks through what all workers have leased, and so can deadlock with those still at work. */
enum db_result inbox_release(struct db *db, const char *owner)
{
    unsigned char digest[DIGEST_LEN];

    owner_digest(owner, digest);
    return db_transaction(db, release_body, digest);
}

struct set_right {
    uint32_t source_id;
    int64_t now;
    size_t count; /* out */
};

/* Of the queue's far end, so many at a time: what was dated ahead stands behind all that comes
 * again later. */
static enum db_result set_right_body(struct db *db, void *arg)
{
    static const char *const statements[] = {
        "UPDATE delivery JOIN (SELECT id FROM delivery WHERE state = 'pending' AND source_id = ?"
        " AND due_at > ? ORDER BY due_at DESC LIMIT ?) far USING (id)"
        " SET due_at = ?, last_received_at = LEAST(last_received_at, ?)"
        " WHERE last_received_at > ?",
        "UPDATE delivery JOIN (SELECT id FROM delivery WHERE state = 'leased' AND source_id = ?"
        " AND due_at > ? ORDER BY due_at DESC LIMIT ?) far USING (id)"
        " SET due_at = ?, leased_at = LEAST(leased_at, ?)"
        " WHERE leased_at > ?",
    };
    struct set_right *right = arg;
    int64_t ahead = right->now + LIMIT_CLOCK_JUMP_S * TIME_SECOND;
    const struct db_value values[] = {DB_VALUE_INT(right->source_id),
                                      DB_VALUE_INT(ahead),
                                      DB_VALUE_INT(LIMIT_CLOCK_JUMP_ROWS),
                                      DB_VALUE_INT(right->now),
                                      DB_VALUE_INT(right->now),
                                      DB_VALUE_INT(ahead)};
    enum db_result result = DB_OK;

    right->count = 0;
    for (size_t i = 0; i < 2 && result == DB_OK; i++) {
        result = db_execute(db, statements[i], values, sizeof(values) / sizeof(values[0]));
        if (result == DB_OK)
            right->count += (size_t)db_affected(db);
    }
    return result;
}

enum db_result inbox_set_clock_right(struct db *db, uint32_t source_id, int64_t now, size_t *count)
{
    struct set_right right = {.source_id = source_id, .now = now};
    enum db_result result = db_transaction(db, set_right_body, &right);

    if (result == DB_OK)
        *count = right.count;
    return result;
}
