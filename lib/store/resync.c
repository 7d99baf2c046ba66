/*
 * The run itself: who has it, where it is, how it ends. What it staged and judged: resync_stage.c.
 */
#include "store/resync.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"
#include "store/resync_work.h"

/* A process that is gone is found out at once on its own host, and after this elsewhere. */
#define LEASE (LIMIT_RESYNC_LEASE_S * TIME_SECOND)
/* Rows deleted by one statement. */
#define PURGE_STEP 5000
/* A run that nobody has gone on with for so long: its source is not configured any more. */
#define FORGOTTEN (30 * TIME_DAY)
#define SWEEP_MOST 16
#define TROUBLE_ROOM 256 /* resync_source.trouble and a NUL */

#define RUN_COLUMNS                                                                             \
    "run_id, source_id, CAST(state AS UNSIGNED), whole, dry, moves_watermark, since, began_at," \
    " shop_time, cursor_text, calls, orders_read, unusable, unanswered, changes"

void resync_id_text(const struct resync_run *run, char out[2 * RESYNC_ID_LEN + 1])
{
    for (size_t i = 0; i < RESYNC_ID_LEN; i++)
        snprintf(out + 2 * i, 3, "%02x", run->id[i]);
}

/* --- the lease ----------------------------------------------------------------------------- */

enum db_result resync_hold(struct db *db, const char *owner, struct resync_run *run)
{
    enum db_result result = db_execute(
        db,
        "UPDATE resync_source SET lease_until = ?"
        " WHERE source_id = ? AND run_id = ? AND lease_owner = ?",
        (struct db_value[]){DB_VALUE_INT(clock_now() + LEASE), DB_VALUE_INT(run->source_id),
                            DB_VALUE_BYTES(run->id, RESYNC_ID_LEN), db_text(owner)},
        4);

    if (result == DB_OK && db_affected(db) == 0)
        run->lost = true;
    return result;
}

enum db_result resync_note_within(struct db *db, const char *owner, struct resync_run *run)
{
    enum db_result result = resync_hold(db, owner, run);

    if (result != DB_OK || run->lost)
        return result;
    return db_execute(
        db,
        "UPDATE resync_run SET state = ?, shop_time = ?, cursor_text = ?, calls = ?,"
        " orders_read = ?, unusable = ?, unanswered = ?, changes = ? WHERE run_id = ?",
        (struct db_value[]){
            DB_VALUE_INT((int)run->state + 1), db_time(run->shop_time), db_text(run->cursor),
            DB_VALUE_INT((int64_t)run->calls), DB_VALUE_INT((int64_t)run->orders_read),
            DB_VALUE_INT((int64_t)run->unusable), DB_VALUE_INT((int64_t)run->unanswered),
            DB_VALUE_INT((int64_t)run->changes), DB_VALUE_BYTES(run->id, RESYNC_ID_LEN)},
        9);
}

struct note {
    const char *owner;
    struct resync_run *run;
};

static enum db_result note_body(struct db *db, void *arg)
{
    struct note *note = arg;

    return resync_note_within(db, note->owner, note->run);
}

enum db_result resync_note(struct db *db, const char *owner, struct resync_run *run)
{
    struct note note = {owner, run};

    return db_transaction(db, note_body, &note);
}

/* --- taking it ----------------------------------------------------------------------------- */

/* Whether an owner "host:pid:random" was a process of this host that is gone. */
static bool owner_is_gone(const char *owner, const char *ours)
{
    const char *colon = strchr(owner, ':');
    const char *our_colon = strchr(ours, ':');
    char *end;
    long pid;

    if (colon == NULL || our_colon == NULL || colon - owner != our_colon - ours ||
        memcmp(owner, ours, (size_t)(colon - owner)) != 0)
        return false;
    pid = strtol(colon + 1, &end, 10);
    return *end == ':' && pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void run_row(const struct db_rows *rows, struct resync_run *run)
{
    size_t len;
    const char *id = db_bytes(rows, 0, &len);

    memset(run, 0, sizeof(*run));
    memcpy(run->id, id, len < RESYNC_ID_LEN ? len : RESYNC_ID_LEN);
    run->source_id = (uint32_t)db_int(rows, 1);
    run->state = (enum resync_state)(db_int(rows, 2) - 1);
    run->whole = db_int(rows, 3) != 0;
    run->dry = db_int(rows, 4) != 0;
    run->moves_watermark = db_int(rows, 5) != 0;
    run->since = db_time_of(rows, 6);
    run->began_at = db_time_of(rows, 7);
    run->shop_time = db_time_of(rows, 8);
    row_copy(rows, 9, run->cursor, sizeof(run->cursor));
    run->calls = (uint64_t)db_int(rows, 10);
    run->orders_read = (uint64_t)db_int(rows, 11);
    run->unusable = (uint64_t)db_int(rows, 12);
    run->unanswered = (uint64_t)db_int(rows, 13);
    run->changes = (uint64_t)db_int(rows, 14);
}

struct claim {
    const struct resync_want *want;
    struct resync_run *run;
    enum resync_claim *claim;
    struct resync_holder *holder;
    int64_t watermark;
    bool has_run; /* one that did not end: `old` */
    struct resync_run old;
};

/* Whether the run that did not end reads at least what is wanted now. */
static bool serves(const struct claim *claim)
{
    const struct resync_run *old = &claim->old;
    const struct resync_want *want = claim->want;

    if (!claim->has_run || old->state >= RESYNC_DONE || old->dry || want->dry)
        return false;
    if (old->whole)
        return true;
    if (want->full || claim->watermark == TIME_NONE)
        return want->since != TIME_NONE && old->since <= want->since;
    return old->since <= (want->since != TIME_NONE ? want->since : claim->watermark);
}

/* Reads the source's row under its lock, and who has it. */
static enum db_result claim_look(struct db *db, struct claim *claim, bool *held)
{
    struct db_rows *rows;
    struct db_value source = DB_VALUE_INT(claim->want->source_id);
    enum db_result result =
        db_execute(db, "INSERT IGNORE INTO resync_source (source_id) VALUES (?)", &source, 1);

    *held = false;
    claim->has_run = false;
    if (result == DB_OK)
        result = db_query(db,
                          "SELECT lease_owner, lease_until, watermark FROM resync_source"
                          " WHERE source_id = ? FOR UPDATE",
                          &source, 1, &rows);
    if (result != DB_OK)
        return result;
    if (db_rows_next(rows)) {
        row_copy(rows, 0, claim->holder->owner, sizeof(claim->holder->owner));
        claim->holder->until = db_time_of(rows, 1);
        claim->watermark = db_time_of(rows, 2);
        /* A lease that ends later than any could was taken by a clock that was wrong. */
        *held = claim->holder->owner[0] != '\0' && claim->holder->until > claim->want->now &&
                claim->holder->until < claim->want->now + 2 * LEASE &&
                !owner_is_gone(claim->holder->owner, claim->want->owner);
    }
    db_rows_free(rows);
    if (*held)
        return DB_OK;
    result = db_query(db,
                      "SELECT " RUN_COLUMNS " FROM resync_run WHERE run_id ="
                      " (SELECT run_id FROM resync_source WHERE source_id = ?)",
                      &source, 1, &rows);
    if (result != DB_OK)
        return result;
    if (db_rows_next(rows)) {
        claim->has_run = true;
        run_row(rows, &claim->old);
    }
    db_rows_free(rows);
    return DB_OK;
}

static enum db_result run_insert(struct db *db, const struct claim *claim, struct resync_run *run)
{
    const struct resync_want *want = claim->want;

    memset(run, 0, sizeof(*run));
    digest_random(run->id, RESYNC_ID_LEN);
    run->source_id = want->source_id;
    run->dry = want->dry;
    run->whole = want->full || (want->since == TIME_NONE && claim->watermark == TIME_NONE);
    run->since = run->whole ? TIME_NONE
                 : want->since != TIME_NONE
                     ? want->since
                     : claim->watermark - LIMIT_RESYNC_OVERLAP_S * TIME_SECOND;
    /* A run that leaves a gap behind it proves nothing about what lies in the gap. */
    run->moves_watermark =
        run->whole || (claim->watermark != TIME_NONE && run->since <= claim->watermark);
    run->began_at = want->now;
    run->shop_time = TIME_NONE;
    return db_execute(db,
                      "INSERT INTO resync_run (run_id, source_id, state, whole, dry,"
                      " moves_watermark, since, began_at) VALUES (?,?,'reading',?,?,?,?,?)",
                      (struct db_value[]){DB_VALUE_BYTES(run->id, RESYNC_ID_LEN),
                                          DB_VALUE_INT(run->source_id), DB_VALUE_INT(run->whole),
                                          DB_VALUE_INT(run->dry),
                                          DB_VALUE_INT(run->moves_watermark), db_time(run->since),
                                          DB_VALUE_INT(run->began_at)},
                      7);
}

static enum db_result claim_body(struct db *db, void *arg)
{
    struct claim *claim = arg;
    bool held;
    enum db_result result = claim_look(db, claim, &held);

    if (result != DB_OK)
        return result;
    if (held) {
        *claim->claim = RESYNC_HELD;
        return DB_OK;
    }
    if (serves(claim)) {
        *claim->claim = RESYNC_RESUMED;
        *claim->run = claim->old;
        claim->has_run = false; /* nothing is abandoned */
    } else {
        *claim->claim = RESYNC_BEGUN;
        result = run_insert(db, claim, claim->run);
        if (claim->has_run && claim->old.state < RESYNC_DONE && claim->want->dry &&
            !claim->old.dry) {
            claim->run->beside = true;
            memcpy(claim->run->other, claim->old.id, RESYNC_ID_LEN);
        } else if (result == DB_OK && claim->has_run)
            result = db_execute(db,
                                "UPDATE resync_run SET state = 'abandoned', finished_at = ?"
                                " WHERE run_id = ? AND finished_at IS NULL",
                                (struct db_value[]){DB_VALUE_INT(claim->want->now),
                                                    DB_VALUE_BYTES(claim->old.id, RESYNC_ID_LEN)},
                                2);
    }
    if (result == DB_OK)
        result = db_execute(db,
                            "UPDATE resync_source SET run_id = ?, lease_owner = ?, lease_until = ?"
                            " WHERE source_id = ?",
                            (struct db_value[]){DB_VALUE_BYTES(claim->run->id, RESYNC_ID_LEN),
                                                db_text(claim->want->owner),
                                                DB_VALUE_INT(clock_now() + LEASE),
                                                DB_VALUE_INT(claim->want->source_id)},
                            4);
    return result;
}

/* What a run left on the stage goes, a bounded piece at a time. */
static enum db_result purge(struct db *db, const unsigned char id[RESYNC_ID_LEN])
{
    static const char *const statements[] = {
        "DELETE FROM resync_staged WHERE run_id = ? LIMIT ?",
        "DELETE FROM resync_judged WHERE run_id = ? LIMIT ?",
    };

    for (size_t i = 0; i < 2; i++) {
        do {
            enum db_result result = db_execute(
                db, statements[i],
                (struct db_value[]){DB_VALUE_BYTES(id, RESYNC_ID_LEN), DB_VALUE_INT(PURGE_STEP)},
                2);

            if (result != DB_OK)
                return result;
        } while (db_affected(db) == PURGE_STEP);
    }
    return DB_OK;
}

enum db_result resync_claim(struct db *db, const struct resync_want *want, struct resync_run *run,
                            enum resync_claim *claim, struct resync_holder *holder)
{
    struct claim work = {.want = want, .run = run, .claim = claim, .holder = holder};

    memset(holder, 0, sizeof(*holder));
    return db_transaction(db, claim_body, &work);
}

/* The first run after this one that has something in the table; false after the last. A step a run:
 * of one statement about all of them the server makes a walk through all that they staged. */
static enum db_result stage_next(struct db *db, const char *sql, unsigned char id[RESYNC_ID_LEN],
                                 size_t *len, bool *found)
{
    struct db_value after = DB_VALUE_BYTES(id, *len);
    struct db_rows *rows;
    enum db_result result = db_query(db, sql, &after, 1, &rows);

    if (result != DB_OK)
        return result;
    *found = db_rows_next(rows);
    if (*found) {
        const char *next = db_bytes(rows, 0, len);

        *len = *len < RESYNC_ID_LEN ? *len : RESYNC_ID_LEN;
        memcpy(id, next, *len);
    }
    db_rows_free(rows);
    return DB_OK;
}

/* Whether a run ended, or nobody goes on with it. */
static enum db_result run_is_over(struct db *db, const unsigned char id[RESYNC_ID_LEN], bool *over)
{
    struct db_rows *rows;
    enum db_result result = db_query(
        db,
        "SELECT 1 FROM resync_run r WHERE r.run_id = ?"
        " AND (r.finished_at IS NOT NULL OR r.began_at < ?)"
        " AND NOT EXISTS (SELECT 1 FROM resync_source s WHERE s.run_id = r.run_id"
        " AND s.lease_until > ?)",
        (struct db_value[]){DB_VALUE_BYTES(id, RESYNC_ID_LEN),
                            DB_VALUE_INT(clock_now() - FORGOTTEN), DB_VALUE_INT(clock_now())},
        3, &rows);

    if (result != DB_OK)
        return result;
    *over = db_rows_next(rows);
    db_rows_free(rows);
    return DB_OK;
}

/* Runs that are over and left something on the stage; one may be told twice. */
static enum db_result sweep_find(struct db *db, unsigned char ids[SWEEP_MOST][RESYNC_ID_LEN],
                                 size_t *count)
{
    static const char *const next[] = {
        "SELECT run_id FROM resync_staged WHERE run_id > ? ORDER BY run_id LIMIT 1",
        "SELECT run_id FROM resync_judged WHERE run_id > ? ORDER BY run_id LIMIT 1"};
    enum db_result result = DB_OK;

    *count = 0;
    for (size_t i = 0; i < 2 && result == DB_OK; i++) {
        unsigned char id[RESYNC_ID_LEN] = {0};
        bool found = true, over = false;
        size_t len = 0;

        while (result == DB_OK && found && *count < SWEEP_MOST) {
            result = stage_next(db, next[i], id, &len, &found);
            if (result == DB_OK && found)
                result = run_is_over(db, id, &over);
            if (result == DB_OK && found && over)
                memcpy(ids[(*count)++], id, RESYNC_ID_LEN);
        }
    }
    return result;
}

/* A run that nobody went on with is over before its stage is cleared. */
static enum db_result forget(struct db *db, const unsigned char id[RESYNC_ID_LEN])
{
    struct db_value run = DB_VALUE_BYTES(id, RESYNC_ID_LEN);
    enum db_result result = db_execute(db,
                                       "UPDATE resync_run SET state = 'abandoned', finished_at = ?"
                                       " WHERE run_id = ? AND finished_at IS NULL",
                                       (struct db_value[]){DB_VALUE_INT(clock_now()), run}, 2);

    return result == DB_OK ? purge(db, id) : result;
}

enum db_result resync_sweep(struct db *db)
{
    unsigned char ids[SWEEP_MOST][RESYNC_ID_LEN];
    size_t count = 0;
    enum db_result result = sweep_find(db, ids, &count);

    for (size_t i = 0; i < count && result == DB_OK; i++)
        result = forget(db, ids[i]);
    return result;
}

/* What a row keeps of a sentence: cut where a character ends. */
static const char *trouble_cut(const char *trouble, char out[TROUBLE_ROOM])
{
    size_t len = 0, step;

    if (trouble == NULL)
        return NULL;
    while (trouble[len] != '\0' &&
           (step = text_utf8_length(trouble + len, strlen(trouble + len))) > 0 &&
           len + step < TROUBLE_ROOM)
        len += step;
    memcpy(out, trouble, len);
    out[len] = '\0';
    return out;
}

/* --- ending it ----------------------------------------------------------------------------- */

struct finish {
    const char *owner;
    struct resync_run *run;
    enum resync_state state;
    int64_t watermark;
    bool complete;
    const char *trouble;
};

static enum db_result finish_body(struct db *db, void *arg)
{
    struct finish *finish = arg;
    struct resync_run *run = finish->run;
    int64_t now = clock_now();
    bool done = finish->state == RESYNC_DONE && !run->dry;
    /* A dry run was only a guest: an interrupted run that it found is there again. */
    struct db_value back = run->beside ? DB_VALUE_BYTES(run->other, RESYNC_ID_LEN) : DB_VALUE_NULL;
    char trouble[TROUBLE_ROOM];
    enum db_result result;

    run->state = finish->state;
    result = resync_note_within(db, finish->owner, run);
    if (result != DB_OK || run->lost)
        return result;
    result = db_execute(
        db, "UPDATE resync_run SET finished_at = ? WHERE run_id = ?",
        (struct db_value[]){DB_VALUE_INT(now), DB_VALUE_BYTES(run->id, RESYNC_ID_LEN)}, 2);
    if (result != DB_OK)
        return result;
    return db_execute(
        db,
        "UPDATE resync_source SET run_id = ?, lease_owner = NULL, lease_until = NULL,"
        " trouble = ?, checked_at = ?,"
        " watermark = COALESCE(GREATEST(COALESCE(watermark, 0), ?), watermark),"
        " last_success_at = COALESCE(?, last_success_at) WHERE source_id = ?",
        (struct db_value[]){back, db_text(trouble_cut(finish->trouble, trouble)), DB_VALUE_INT(now),
                            done ? db_time(finish->watermark) : DB_VALUE_NULL,
                            done && finish->complete ? DB_VALUE_INT(now) : DB_VALUE_NULL,
                            DB_VALUE_INT(run->source_id)},
        6);
}

enum db_result resync_finish(struct db *db, const char *owner, struct resync_run *run,
                             enum resync_state state, int64_t watermark, bool complete,
                             const char *trouble)
{
    struct finish finish = {owner, run, state, watermark, complete, trouble};

    return db_transaction(db, finish_body, &finish);
}

enum db_result resync_leave(struct db *db, const char *owner, const struct resync_run *run,
                            const char *trouble)
{
    char cut[TROUBLE_ROOM];

    return db_execute(db,
                      "UPDATE resync_source SET lease_owner = NULL, lease_until = NULL,"
                      " trouble = COALESCE(?, trouble), checked_at = ?"
                      " WHERE source_id = ? AND run_id = ? AND lease_owner = ?",
                      (struct db_value[]){db_text(trouble_cut(trouble, cut)),
                                          DB_VALUE_INT(clock_now()), DB_VALUE_INT(run->source_id),
                                          DB_VALUE_BYTES(run->id, RESYNC_ID_LEN), db_text(owner)},
                      5);
}

enum db_result resync_without_address(struct db *db, uint32_t source_id, int64_t *count)
{
    struct db_rows *rows;
    enum db_result result = db_query(db,
                                     "SELECT COUNT(*) FROM shop_order WHERE source_id = ?"
                                     " AND is_nobodys = 1",
                                     (struct db_value[]){DB_VALUE_INT(source_id)}, 1, &rows);

    if (result != DB_OK)
        return result;
    *count = db_rows_next(rows) ? db_int(rows, 0) : 0;
    db_rows_free(rows);
    return DB_OK;
}
