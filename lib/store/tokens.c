/*
 * Tokens and what is done with them: stored at an install, used to read a profile, marked when
 * refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "entitlement/order.h"
#include "store/audit.h"
#include "store/people.h"
#include "store/rows.h"

/* The context that ties an envelope to its column and row. */
static void token_context(const char *column, const char *client, const char *user,
                          const char *team, struct buf *out)
{
    buf_printf(out, "token.%s|%s|%s|%s", column, client, user, team);
}

static void token_seal(const struct vault *vault, const char *column,
                       const struct people_install *install, const char *token, struct buf *out)
{
    struct buf context = {0};

    token_context(column, install->client_id, install->user, install->team, &context);
    vault_seal(vault, VAULT_TOKEN, (struct span){context.data, context.len}, SPAN_TEXT(token), out);
    buf_free(&context);
}

/* The identity's state may change with a token: whoever waits for this user is told. */
static enum db_result feed_user(struct db *db, const char *user, int64_t now)
{
    struct feed feed = {0};
    unsigned char subject[DIGEST_LEN];
    enum db_result result;

    subject_of_user(user, subject);
    feed_add(&feed, subject);
    result = feed_write(db, &feed, now);
    feed_free(&feed);
    return result;
}

struct install_work {
    const struct vault *vault;
    const struct people_install *install;
};

static enum db_result token_put(struct db *db, const struct install_work *work)
{
    const struct people_install *install = work->install;
    struct buf access = {0}, refresh = {0};
    enum db_result result;

    token_seal(work->vault, "access", install, install->access, &access);
    if (install->refresh != NULL)
        token_seal(work->vault, "refresh", install, install->refresh, &refresh);
    result = db_execute(
        db,
        "INSERT INTO miro_token (client_id, user_id, team_id, access_token, refresh_token, scope,"
        " state, expires_at, issued_at) VALUES (?,?,?,?,?,?,'valid',?,?)"
        " ON DUPLICATE KEY UPDATE access_token = VALUES(access_token),"
        " refresh_token = VALUES(refresh_token), scope = VALUES(scope), state = 'valid',"
        " expires_at = VALUES(expires_at), issued_at = VALUES(issued_at), refused_at = NULL,"
        " lease_owner = NULL, lease_until = NULL",
        (struct db_value[]){
            db_text(install->client_id), db_text(install->user), db_text(install->team),
            DB_VALUE_BYTES(access.data, access.len),
            install->refresh ? DB_VALUE_BYTES(refresh.data, refresh.len) : DB_VALUE_NULL,
            db_text(install->scope), db_time(install->expires_at), DB_VALUE_INT(install->now)},
        8);
    buf_free(&access);
    buf_free(&refresh);
    return result;
}

static enum db_result install_body(struct db *db, void *arg)
{
    const struct install_work *work = arg;
    const struct people_install *install = work->install;
    enum db_result result =
        db_execute(db,
                   "INSERT INTO miro_user (user_id, created_at, profile_due_at) VALUES (?,?,?)"
                   " ON DUPLICATE KEY UPDATE profile_due_at = VALUES(profile_due_at),"
                   " profile_attempts = 0",
                   (struct db_value[]){db_text(install->user), DB_VALUE_INT(install->now),
                                       DB_VALUE_INT(install->now)},
                   3);

    if (result == DB_OK)
        result = token_put(db, work);
    if (result == DB_OK)
        result = feed_user(db, install->user, install->now);
    return result;
}

static enum db_result install_run(struct db *db, void **operations, size_t count, void *context)
{
    const struct store_context *store = context;

    for (size_t i = 0; i < count; i++) {
        struct install_work work = {store->vault, operations[i]};
        enum db_result result = db_transaction(db, install_body, &work);

        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

const struct batch_kind people_install_batch = {
    .name = "people_install", .most = 8, .run = install_run, .repeatable = true};

/* Spends a state's nonce: the key says whether it was spent before. Old ones go while we are here.
 */
static enum db_result state_run(struct db *db, void **operations, size_t count, void *context)
{
    (void)context;
    for (size_t i = 0; i < count; i++) {
        struct people_state *state = operations[i];
        enum db_result result =
            db_execute(db, "INSERT INTO oauth_state (nonce, expires_at) VALUES (?,?)",
                       (struct db_value[]){DB_VALUE_BYTES(state->nonce, sizeof(state->nonce)),
                                           DB_VALUE_INT(state->expires_at)},
                       2);

        if (result != DB_OK && result != DB_DUPLICATE)
            return result;
        state->fresh = result == DB_OK;
    }
    return db_execute(db, "DELETE FROM oauth_state WHERE expires_at < ? LIMIT 100",
                      (struct db_value[]){DB_VALUE_INT(clock_now() - TIME_HOUR)}, 1);
}

/* Not repeatable: a nonce spent by a first try whose answer was lost must not look fresh, nor used.
 */
const struct batch_kind people_state_batch = {
    .name = "people_state", .most = 1, .run = state_run, .repeatable = false};

/* --- profiles that are due ----------------------------------------------------------------- */

struct due_work {
    const struct vault *vault;
    const char *owner;
    int64_t now;
    struct people_due *out;
    size_t most, count, seen;
};

static void copy_id(const struct db_rows *rows, unsigned column, char out[LIMIT_MIRO_ID + 1])
{
    size_t len;

    snprintf(out, LIMIT_MIRO_ID + 1, "%s", db_bytes(rows, column, &len));
}

/* Opens the token of a due user; false, and a log line, if it does not open. */
static bool due_open(const struct vault *vault, const struct db_rows *rows, struct people_due *due)
{
    struct buf context = {0}, access = {0};
    struct span sealed;
    bool opens;

    copy_id(rows, 2, due->client_id);
    copy_id(rows, 3, due->team);
    due->attempts = (uint32_t)db_int(rows, 1);
    sealed.bytes = db_bytes(rows, 4, &sealed.len);
    token_context("access", due->client_id, due->user, due->team, &context);
    opens = vault_open(vault, VAULT_TOKEN, (struct span){context.data, context.len}, sealed,
                       &access) == 0;
    if (opens)
        due->access = buf_take(&access);
    else
        log_error("people", "token_does_not_open", LOG_S("user", due->user),
                  LOG_S("team", due->team));
    buf_free(&context);
    buf_free(&access);
    return opens;
}

/* Moves a due user out of the way: to when a claim is over, to later, or, without a token, to
 * never. */
static enum db_result due_move(struct db *db, const struct due_work *work, const char *user,
                               int64_t due_at)
{
    return db_execute(db,
                      "UPDATE miro_user SET profile_due_at = ?, lease_owner = ?,"
                      " profile_attempts = profile_attempts + 1 WHERE user_id = ?",
                      (struct db_value[]){db_time(due_at), db_text(work->owner), db_text(user)}, 3);
}

/*
 * One row: a user with one token that Miro has not refused and that has not run out, or with none.
 * Whoever cannot be asked for now must not stay at the head of the queue; a new or refreshed token
 * makes the user due again.
 */
static enum db_result due_row(struct db *db, struct due_work *work, const struct db_rows *rows)
{
    struct people_due due = {0};

    copy_id(rows, 0, due.user);
    if (work->count > 0 && strcmp(work->out[work->count - 1].user, due.user) == 0)
        return DB_OK; /* one of several teams' tokens will do */
    if (db_is_null(rows, 2))
        return due_move(db, work, due.user, TIME_NONE);
    if (!due_open(work->vault, rows, &due))
        return due_move(db, work, due.user, work->now + TIME_HOUR);
    work->out[work->count++] = due;
    return due_move(db, work, due.user, work->now + LIMIT_LEASE_S * TIME_SECOND);
}

static enum db_result due_body(struct db *db, void *arg)
{
    struct due_work *work = arg;
    struct db_rows *rows;
    enum db_result result = db_query(
        db,
        "SELECT u.user_id, u.profile_attempts, t.client_id, t.team_id, t.access_token"
        " FROM (SELECT user_id, profile_attempts, profile_due_at FROM miro_user"
        " WHERE profile_due_at <= ? ORDER BY profile_due_at LIMIT ? FOR UPDATE SKIP LOCKED) u"
        " LEFT JOIN miro_token t ON t.user_id = u.user_id AND t.state = 'valid'"
        " AND (t.expires_at IS NULL OR t.expires_at > ?)"
        " ORDER BY u.profile_due_at, u.user_id",
        (struct db_value[]){DB_VALUE_INT(work->now), DB_VALUE_INT((int64_t)work->most),
                            DB_VALUE_INT(work->now)},
        3, &rows);

    if (result != DB_OK)
        return result;
    for (size_t i = 0; i < work->count; i++)
        people_due_free(&work->out[i]);
    work->count = 0;
    work->seen = db_rows_count(rows);
    while (result == DB_OK && db_rows_next(rows))
        result = due_row(db, work, rows);
    db_rows_free(rows);
    return result;
}

enum db_result people_claim_due(struct db *db, const struct vault *vault, const char *owner,
                                int64_t now, struct people_due *out, size_t most, size_t *count,
                                size_t *seen)
{
    struct due_work work = {.vault = vault, .owner = owner, .now = now, .out = out, .most = most};
    enum db_result result = db_transaction(db, due_body, &work);

    if (result == DB_OK) {
        *count = work.count;
        *seen = work.seen;
    } else {
        for (size_t i = 0; i < work.count; i++)
            people_due_free(&out[i]);
    }
    return result;
}

void people_due_free(struct people_due *due)
{
    if (due->access != NULL)
        explicit_bzero(due->access, strlen(due->access));
    xfree(due->access);
}

/* A refused token says nothing of the user's others: the user is due at once, and is out of the way
 * at the next claim if there are none. */
struct failed_work {
    const struct people_due *due;
    bool refused;
    int64_t now, due_at;
};

static enum db_result failed_body(struct db *db, void *arg)
{
    const struct failed_work *work = arg;
    enum db_result result = db_execute(
        db, "UPDATE miro_user SET profile_due_at = ?, lease_owner = NULL WHERE user_id = ?",
        (struct db_value[]){db_time(work->due_at), db_text(work->due->user)}, 2);

    if (result != DB_OK || !work->refused)
        return result;
    result = db_execute(db,
                        "UPDATE miro_token SET state = 'refused', refused_at = ?"
                        " WHERE client_id = ? AND user_id = ? AND team_id = ?",
                        (struct db_value[]){DB_VALUE_INT(work->now), db_text(work->due->client_id),
                                            db_text(work->due->user), db_text(work->due->team)},
                        4);
    return result == DB_OK ? feed_user(db, work->due->user, work->now) : result;
}

enum db_result people_profile_failed(struct db *db, const struct people_due *due, bool refused,
                                     int64_t now, int64_t due_at)
{
    struct failed_work work = {due, refused, now, due_at};

    return db_transaction(db, failed_body, &work);
}
