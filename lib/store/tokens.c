/*
 * Tokens at their beginning, stored at an install, and at their use: whose profile is due, and with
 * which token it can be read.
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

enum db_result people_feed(struct db *db, const char *user, int64_t now)
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
    struct token_key key = {0};
    struct buf access = {0}, refresh = {0};
    int64_t due_at = token_refresh_due(install->now, install->expires_at);
    enum db_result result;

    memcpy(key.client_id, install->client_id, sizeof(key.client_id));
    memcpy(key.user, install->user, sizeof(key.user));
    memcpy(key.team, install->team, sizeof(key.team));
    token_seal(work->vault, "access", &key, install->access, &access);
    if (install->refresh != NULL)
        token_seal(work->vault, "refresh", &key, install->refresh, &refresh);
    result = db_execute(
        db,
        "INSERT INTO miro_token (client_id, user_id, team_id, access_token, refresh_token, scope,"
        " state, expires_at, issued_at, refresh_due_at) VALUES (?,?,?,?,?,?,'valid',?,?,?)"
        " ON DUPLICATE KEY UPDATE access_token = VALUES(access_token),"
        " refresh_token = VALUES(refresh_token), scope = VALUES(scope), state = 'valid',"
        " expires_at = VALUES(expires_at), issued_at = VALUES(issued_at), refused_at = NULL,"
        " refresh_due_at = VALUES(refresh_due_at), refresh_attempts = 0,"
        " generation = generation + 1, lease_owner = NULL, lease_until = NULL",
        (struct db_value[]){
            db_text(install->client_id), db_text(install->user), db_text(install->team),
            DB_VALUE_BYTES(access.data, access.len),
            install->refresh ? DB_VALUE_BYTES(refresh.data, refresh.len) : DB_VALUE_NULL,
            db_text(install->scope), db_time(install->expires_at), DB_VALUE_INT(install->now),
            db_time(install->refresh != NULL ? due_at : TIME_NONE)},
        9);
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
        result = people_feed(db, install->user, install->now);
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

/* A token that ends sooner may end before its call: it is refreshed first. */
#define EXPIRY_SLACK (30 * TIME_SECOND)

struct due_work {
    const struct vault *vault;
    struct people_claim *claim;
};

/* Reads the token of a due user; false, and a log line, if it does not open. */
static bool due_open(const struct due_work *work, const struct db_rows *rows,
                     struct people_due *due)
{
    int64_t now = work->claim->now, expires_at = db_time_of(rows, 6);
    struct span sealed;

    row_copy(rows, 2, due->token.client_id, sizeof(due->token.client_id));
    row_copy(rows, 3, due->token.team, sizeof(due->token.team));
    due->attempts = (uint32_t)db_int(rows, 1);
    due->refreshable = db_int(rows, 5) != 0;
    due->expired = expires_at != TIME_NONE && due->refreshable && expires_at <= now + EXPIRY_SLACK;
    due->token.generation = (uint32_t)db_int(rows, 7);
    sealed.bytes = db_bytes(rows, 4, &sealed.len);
    due->access = token_open(work->vault, "access", &due->token, sealed);
    return due->access != NULL;
}

/* Moves a due user out of the way: to when a claim is over, to later, or, without a token, to
 * never. */
static enum db_result due_move(struct db *db, const struct due_work *work, const char *user,
                               int64_t due_at)
{
    return db_execute(
        db,
        "UPDATE miro_user SET profile_due_at = ?, lease_owner = ?,"
        " profile_attempts = profile_attempts + 1 WHERE user_id = ?",
        (struct db_value[]){db_time(due_at), db_text(work->claim->owner), db_text(user)}, 3);
}

/*
 * One row: a user with one token that is good or can be made so, or with none. Whoever cannot be
 * asked for now must not stay at the head of the queue; a new token makes the user due again.
 */
static enum db_result due_row(struct db *db, struct due_work *work, const struct db_rows *rows)
{
    struct people_claim *claim = work->claim;
    struct people_due due = {0};

    row_copy(rows, 0, due.token.user, sizeof(due.token.user));
    if (claim->count > 0 && strcmp(claim->out[claim->count - 1].token.user, due.token.user) == 0)
        return DB_OK; /* one of several teams' tokens will do */
    if (db_is_null(rows, 2))
        return due_move(db, work, due.token.user, TIME_NONE);
    if (!due_open(work, rows, &due))
        return due_move(db, work, due.token.user, claim->now + TIME_HOUR);
    claim->out[claim->count++] = due;
    return due_move(db, work, due.token.user, claim->now + LIMIT_LEASE_S * TIME_SECOND);
}

static void due_forget(struct people_claim *claim)
{
    for (size_t i = 0; i < claim->count; i++)
        people_due_free(&claim->out[i]);
    claim->count = 0;
}

static enum db_result due_body(struct db *db, void *arg)
{
    struct due_work *work = arg;
    struct people_claim *claim = work->claim;
    struct db_rows *rows;
    enum db_result result = db_query(
        db,
        "SELECT u.user_id, u.profile_attempts, t.client_id, t.team_id, t.access_token,"
        " t.refresh_token IS NOT NULL, t.expires_at, t.generation"
        " FROM (SELECT user_id, profile_attempts, profile_due_at FROM miro_user"
        " WHERE profile_due_at <= ? ORDER BY profile_due_at LIMIT ? FOR UPDATE SKIP LOCKED) u"
        " LEFT JOIN miro_token t ON t.user_id = u.user_id AND t.state = 'valid'"
        " AND (t.expires_at IS NULL OR t.expires_at > ? OR t.refresh_token IS NOT NULL)"
        " ORDER BY u.profile_due_at, u.user_id,"
        " t.expires_at IS NOT NULL AND t.expires_at <= ?, t.client_id, t.team_id",
        (struct db_value[]){DB_VALUE_INT(claim->due_before), DB_VALUE_INT((int64_t)claim->most),
                            DB_VALUE_INT(claim->now), DB_VALUE_INT(claim->now + EXPIRY_SLACK)},
        4, &rows);

    due_forget(claim);
    if (result != DB_OK)
        return result;
    claim->seen = db_rows_count(rows);
    while (result == DB_OK && db_rows_next(rows))
        result = due_row(db, work, rows);
    db_rows_free(rows);
    return result;
}

enum db_result people_claim_due(struct db *db, const struct vault *vault,
                                struct people_claim *claim)
{
    struct due_work work = {vault, claim};
    enum db_result result;

    claim->count = claim->seen = 0;
    result = db_transaction(db, due_body, &work);
    if (result != DB_OK)
        due_forget(claim);
    return result;
}

void people_due_free(struct people_due *due)
{
    if (due->access != NULL)
        explicit_bzero(due->access, strlen(due->access));
    xfree(due->access);
}

enum db_result people_put_off(struct db *db, const char *user, int64_t due_at)
{
    return db_execute(
        db, "UPDATE miro_user SET profile_due_at = ?, lease_owner = NULL WHERE user_id = ?",
        (struct db_value[]){DB_VALUE_INT(due_at), db_text(user)}, 2);
}

enum db_result people_count_due(struct db *db, int64_t due_before, size_t *count)
{
    struct db_value value = DB_VALUE_INT(due_before);
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT COUNT(*) FROM miro_user WHERE profile_due_at <= ?", &value, 1, &rows);

    if (result != DB_OK)
        return result;
    *count = db_rows_next(rows) ? (size_t)db_int(rows, 0) : 0;
    db_rows_free(rows);
    return DB_OK;
}
