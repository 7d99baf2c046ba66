#include "store/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/rows.h"

/* What two readings that are further apart add to the age of a gap: time in which nobody asked, or
 * in which the server stood still, is none in which its row could have come. */
#define STEP_MOST (2 * TIME_SECOND)

void feed_read_free(struct feed_read *read)
{
    xfree(read->rows);
    read->count = 0;
}

/* --- the statements ------------------------------------------------------------------------ */

/* The first row of every reading says where it was read; `id` 0 is no row's. */
#define WHERE_READ "SELECT 0, " FEED_PLACE ", CONNECTION_ID()"

static void take_row(struct feed_read *read, const struct db_rows *rows)
{
    size_t len;
    const char *bytes = db_bytes(rows, 1, &len);
    uint64_t id = (uint64_t)db_int(rows, 0);
    struct feed_row *row;

    if (id == 0) {
        snprintf(read->place, sizeof(read->place), "%.*s", (int)len, bytes);
        read->connection = db_int(rows, 2);
        return;
    }
    row = &read->rows[read->count++];
    row->id = id;
    memcpy(row->subject, bytes, len < DIGEST_LEN ? len : DIGEST_LEN);
}

/* Runs a statement whose rows are those above; `most` and one more are asked for. */
static enum db_result read_rows(struct db *db, struct feed_read *read, const char *sql,
                                const struct values *values, size_t most)
{
    struct db_rows *rows;
    enum db_result result = db_query(db, sql, values->items, values->count, &rows);

    feed_read_free(read);
    if (result != DB_OK)
        return result;
    read->rows = xcalloc(db_rows_count(rows) + 1, sizeof(*read->rows));
    while (db_rows_next(rows))
        take_row(read, rows);
    read->crowded = read->count > most;
    db_rows_free(rows);
    return DB_OK;
}

/* The latest row of at least this age: every id below it was given out before. 0 if there is none.
 */
static enum db_result read_floor(struct db *db, int seconds, uint64_t *floor)
{
    const struct db_value age = DB_VALUE_INT(seconds * TIME_SECOND);
    struct db_rows *rows;
    enum db_result result = db_query(db,
                                     "SELECT id FROM change_feed WHERE changed_at <"
                                     " CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) - ?"
                                     " ORDER BY changed_at DESC, id DESC LIMIT 1",
                                     &age, 1, &rows);

    if (result != DB_OK)
        return result;
    *floor = db_rows_next(rows) ? (uint64_t)db_int(rows, 0) : 0;
    db_rows_free(rows);
    return DB_OK;
}

/* Where to begin: the floor, and every row from it on. */
static enum db_result read_beginning(struct db *db, struct feed_read *read)
{
    struct values values = {0};
    enum db_result result = read_floor(db, LIMIT_FEED_SETTLED_S, &read->floor);

    if (result != DB_OK)
        return result;
    values_add_int(&values, (int64_t)read->floor);
    values_add_int(&values, LIMIT_FEED_BEGIN_ROWS + 1);
    result = read_rows(db, read,
                       WHERE_READ " UNION ALL (SELECT id, subject, 0 FROM change_feed"
                                  " WHERE id >= ? ORDER BY id LIMIT ?)",
                       &values, LIMIT_FEED_BEGIN_ROWS);
    values_free(&values);
    return result;
}

/* The row at the top, what is above it, and what has come into the gaps: ranges of the primary key.
 * The gaps are padded to a power of two by the last, for few texts to be prepared. */
static enum db_result read_news(struct db *db, struct feed_read *read)
{
    const struct feed_tail *tail = read->tail;
    size_t padded = tail->gap_count > 0 ? db_padded(tail->gap_count) : 0;
    struct values values = {0};
    struct buf sql = {0};
    enum db_result result;

    buf_puts(&sql, WHERE_READ " UNION ALL (SELECT id, subject, 0 FROM change_feed"
                              " FORCE INDEX (PRIMARY) WHERE id >= ?");
    values_add_int(&values, (int64_t)tail->top);
    for (size_t i = 0; i < padded; i++) {
        const struct feed_gap *gap = &tail->gaps[i < tail->gap_count ? i : tail->gap_count - 1];

        buf_puts(&sql, " OR id BETWEEN ? AND ?");
        values_add_int(&values, (int64_t)gap->first);
        values_add_int(&values, (int64_t)gap->last);
    }
    buf_puts(&sql, " ORDER BY id LIMIT ?)");
    values_add_int(&values, LIMIT_FEED_ROWS + 1);
    result = read_rows(db, read, sql.data, &values, LIMIT_FEED_ROWS);
    values_free(&values);
    buf_free(&sql);
    return result;
}

static enum db_result feed_run(struct db *db, void **operations, size_t count, void *context)
{
    enum db_result result = DB_OK;

    (void)context;
    for (size_t i = 0; i < count && result == DB_OK; i++) {
        struct feed_read *read = operations[i];

        read->floor = 0;
        result = read->tail->following ? read_news(db, read) : read_beginning(db, read);
        read->opened = db_opened(db);
    }
    return result;
}

/* Not repeatable: a reading that failed is the end of a connection, which its reader has to know.
 */
const struct batch_kind feed_batch = {
    .name = "feed", .most = 1, .run = feed_run, .repeatable = false};

/* --- the tail ------------------------------------------------------------------------------ */

/* The gaps of a tail while it is moved: those that are left, and new ones. */
struct gaps {
    struct feed_gap items[LIMIT_FEED_GAPS];
    size_t count;
    bool full;
};

static void gaps_add(struct gaps *gaps, uint64_t first, uint64_t last, int64_t age)
{
    if (first > last)
        return;
    if (gaps->count == LIMIT_FEED_GAPS) {
        gaps->full = true;
        return;
    }
    gaps->items[gaps->count++] = (struct feed_gap){first, last, age};
}

/* Adds the gaps between rows that are all new, above `top`; gives the new top. */
static uint64_t gaps_above(struct gaps *gaps, uint64_t top, const struct feed_row *rows,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gaps_add(gaps, top + 1, rows[i].id - 1, 0);
        top = rows[i].id;
    }
    return top;
}

static void tail_put_gaps(struct feed_tail *tail, const struct gaps *gaps)
{
    memcpy(tail->gaps, gaps->items, gaps->count * sizeof(gaps->items[0]));
    tail->gap_count = gaps->count;
}

static void tail_put_top(struct feed_tail *tail, const struct feed_row *row)
{
    tail->top = row->id;
    memcpy(tail->top_subject, row->subject, DIGEST_LEN);
}

enum feed_step feed_tail_begin(struct feed_tail *tail, const struct feed_read *read)
{
    struct gaps gaps = {0};
    size_t skip = read->count > 0 && read->rows[0].id == read->floor ? 1 : 0;

    *tail = (struct feed_tail){.following = false};
    if (read->crowded)
        return FEED_CROWDED;
    (void)gaps_above(&gaps, read->floor, read->rows + skip, read->count - skip);
    if (gaps.full)
        return FEED_GAPS;
    tail_put_gaps(tail, &gaps);
    if (read->count > 0)
        tail_put_top(tail, &read->rows[read->count - 1]);
    tail->opened = read->opened;
    tail->connection = read->connection;
    memcpy(tail->place, read->place, sizeof(tail->place));
    tail->following = true;
    return FEED_MOVED;
}

/* Takes the rows below the top into their gaps, which they narrow or part. Moves those that were
 * not seen before to the front of `rows`, from `*kept` on; gives how many rows lay below. */
static size_t tail_fill_gaps(const struct feed_tail *tail, struct feed_read *read, int64_t elapsed,
                             struct gaps *left, size_t *kept)
{
    size_t at = 0;

    for (size_t i = 0; i < tail->gap_count; i++) {
        const struct feed_gap *gap = &tail->gaps[i];
        int64_t age = gap->age + elapsed;
        uint64_t from = gap->first;
        bool over = age >= LIMIT_FEED_WRITER_S * TIME_SECOND;

        while (at < read->count && read->rows[at].id < gap->first)
            at++;
        for (; at < read->count && read->rows[at].id <= gap->last; at++) {
            if (!over)
                gaps_add(left, from, read->rows[at].id - 1, age);
            from = read->rows[at].id + 1;
            read->rows[(*kept)++] = read->rows[at];
        }
        if (!over)
            gaps_add(left, from, gap->last, age);
    }
    while (at < read->count && read->rows[at].id < tail->top)
        at++;
    return at;
}

/* What a reading says of the place that the tail stands at. */
static enum feed_step tail_check(const struct feed_tail *tail, const struct feed_read *read)
{
    if (read->opened != tail->opened || read->connection != tail->connection ||
        strcmp(read->place, tail->place) != 0)
        return FEED_RESTART;
    if (read->crowded)
        return FEED_CROWDED;
    for (size_t i = 0; i < read->count && tail->top > 0; i++) {
        if (read->rows[i].id == tail->top)
            return memcmp(read->rows[i].subject, tail->top_subject, DIGEST_LEN) == 0 ? FEED_MOVED
                                                                                     : FEED_GONE;
    }
    return tail->top == 0 ? FEED_MOVED : FEED_GONE;
}

enum feed_step feed_tail_take(struct feed_tail *tail, struct feed_read *read, int64_t elapsed)
{
    struct gaps gaps = {0};
    size_t kept = 0, at;
    enum feed_step step = tail_check(tail, read);

    tail->following = step == FEED_MOVED;
    if (step != FEED_MOVED)
        return step;
    elapsed = elapsed < 0 ? 0 : elapsed > STEP_MOST ? STEP_MOST : elapsed;
    at = tail_fill_gaps(tail, read, elapsed, &gaps, &kept);
    if (tail->top > 0)
        at++; /* the row at the top itself */
    (void)gaps_above(&gaps, tail->top, read->rows + at, read->count - at);
    if (gaps.full) {
        tail->following = false;
        return FEED_GAPS;
    }
    if (at < read->count)
        tail_put_top(tail, &read->rows[read->count - 1]);
    tail_put_gaps(tail, &gaps);
    memmove(read->rows + kept, read->rows + at, (read->count - at) * sizeof(*read->rows));
    read->count = kept + read->count - at;
    return FEED_MOVED;
}

/* --- housekeeping -------------------------------------------------------------------------- */

enum db_result feed_purge(struct db *db, size_t *count)
{
    uint64_t floor;
    enum db_result result = read_floor(db, LIMIT_FEED_KEEP_S, &floor);

    if (result == DB_OK)
        result = db_execute(
            db, "DELETE FROM change_feed WHERE id < ? ORDER BY id LIMIT ?",
            (struct db_value[]){DB_VALUE_INT((int64_t)floor), DB_VALUE_INT(LIMIT_FEED_PURGE_ROWS)},
            2);
    if (result == DB_OK)
        *count = (size_t)db_affected(db);
    return result;
}
