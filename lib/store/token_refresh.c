/*
 * Tokens between their beginning and their end: claimed, replaced by their successors, put off,
 * marked when refused.
 */
#include "store/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/people.h"
#include "store/rows.h"
#include "store/sealed_context.h"

/* An hour's token is refreshed 10 to 15 minutes before its end, a shorter one in its last third. */
#define MARGIN_MOST (10 * TIME_MINUTE)
#define MARGIN_SHARE 4
/* A token whose key is missing from the keyring: somebody has to bring that back first. */
#define UNOPENED_AGAIN TIME_HOUR

int64_t token_refresh_due(int64_t now, int64_t expires_at)
{
    int64_t margin;
    uint32_t random;

    if (expires_at == TIME_NONE || expires_at <= now)
        return expires_at;
    margin = (expires_at - now) / MARGIN_SHARE;
    if (margin > MARGIN_MOST)
        margin = MARGIN_MOST;
    digest_random(&random, sizeof(random));
    return expires_at - margin - (int64_t)((uint64_t)random % (uint64_t)(margin / 2 + 1));
}

void token_seal(const struct vault *vault, const char *column, const struct token_key *key,
                const char *token, struct buf *out)
{
    struct buf context = {0};

    token_context(column, key->client_id, key->user, key->team, &context);
    vault_seal(vault, VAULT_TOKEN, (struct span){context.data, context.len}, SPAN_TEXT(token), out);
    buf_free(&context);
}

char *token_open(const struct vault *vault, const char *column, const struct token_key *key,
                 struct span sealed)
{
    struct buf context = {0}, plain = {0};
    char *token = NULL;

    token_context(column, key->client_id, key->user, key->team, &context);
    if (vault_open(vault, VAULT_TOKEN, (struct span){context.data, context.len}, sealed, &plain) ==
        0)
        token = buf_take(&plain);
    else
        log_error("tokens", "token_does_not_open", LOG_S("user", key->user),
                  LOG_S("team", key->team), LOG_S("column", column));
    buf_free(&context);
    buf_wipe(&plain);
    return token;
}

static void free_wiped(char **token)
{
    if (*token != NULL)
        explicit_bzero(*token, strlen(*token));
    xfree(*token);
}

void token_row_free(struct token_row *row)
{
    free_wiped(&row->access);
    free_wiped(&row->refresh);
}

/* --- which are due ------------------------------------------------------------------------- */

/* An app's, until a time, twice: what cannot be claimed is not due, or rounds would never end. */
#define IS_DUE                                                                                \
    "client_id = ? AND refresh_due_at <= ? AND state = 'valid' AND refresh_token IS NOT NULL" \
    " AND (lease_until IS NULL OR lease_until <= ?)"

enum db_result tokens_due(struct db *db, const char *client_id, int64_t due_before,
                          struct token_key *out, size_t most, size_t *count)
{
    struct db_rows *rows;
    enum db_result result =
        db_query(db,
                 "SELECT user_id, team_id, generation FROM miro_token WHERE " IS_DUE
                 " ORDER BY refresh_due_at LIMIT ?",
                 (struct db_value[]){db_text(client_id), DB_VALUE_INT(due_before),
                                     DB_VALUE_INT(due_before), DB_VALUE_INT((int64_t)most)},
                 4, &rows);

    if (result != DB_OK)
        return result;
    for (*count = 0; db_rows_next(rows); ++*count) {
        struct token_key *key = &out[*count];

        snprintf(key->client_id, sizeof(key->client_id), "%s", client_id);
        row_copy(rows, 0, key->user, sizeof(key->user));
        row_copy(rows, 1, key->team, sizeof(key->team));
        key->generation = (uint32_t)db_int(rows, 2);
    }
    db_rows_free(rows);
    return DB_OK;
}

enum db_result tokens_count_due(struct db *db, const char *client_id, int64_t due_before,
                                size_t *count)
{
    struct db_rows *rows;
    enum db_result result = db_query(
        db, "SELECT COUNT(*) FROM miro_token WHERE " IS_DUE,
        (struct db_value[]){db_text(client_id), DB_VALUE_INT(due_before), DB_VALUE_INT(due_before)},
        3, &rows);

    if (result != DB_OK)
        return result;
    *count = db_rows_next(rows) ? (size_t)db_int(rows, 0) : 0;
    db_rows_free(rows);
    return DB_OK;
}

/* --- a claim ------------------------------------------------------------------------------- */

struct claim_work {
    const struct vault *vault;
    const struct token_key *key;
    struct token_claim *claim;
};

/* Opens what was claimed. What does not open is out of the way for a while. */
static enum db_result claim_open(struct db *db, const struct claim_work *work,
                                 const struct db_rows *rows)
{
    const struct token_key *key = work->key;
    struct token_row row = {.key = *key};
    struct span access, refresh;

    access.bytes = db_bytes(rows, 0, &access.len);
    refresh.bytes = db_bytes(rows, 1, &refresh.len);
    row.expires_at = db_time_of(rows, 2);
    row.issued_at = db_int(rows, 3);
    row.attempts = (uint32_t)db_int(rows, 4);
    row.access = token_open(work->vault, "access", key, access);
    row.refresh = token_open(work->vault, "refresh", key, refresh);
    if (row.access != NULL && row.refresh != NULL) {
        work->claim->row = row;
        work->claim->claimed = true;
        return DB_OK;
    }
    token_row_free(&row);
    return token_put_off(db, key, work->claim->owner, work->claim->now + UNOPENED_AGAIN,
                         row.attempts);
}

/* The lease is the row's own: while it runs, the row is due for nobody. An attempt counts from
 * here, so that one that ends its worker counts. */
static enum db_result claim_body(struct db *db, void *arg)
{
    struct claim_work *work = arg;
    const struct token_key *key = work->key;
    struct token_claim *claim = work->claim;
    int64_t until = claim->now + LIMIT_LEASE_S * TIME_SECOND;
    struct db_value row[] = {db_text(key->client_id), db_text(key->user), db_text(key->team)};
    struct db_rows *rows;
    enum db_result result = db_execute(
        db,
        "UPDATE miro_token SET lease_owner = ?, lease_until = ?, refresh_due_at = ?,"
        " refresh_attempts = refresh_attempts + 1"
        " WHERE client_id = ? AND user_id = ? AND team_id = ? AND generation = ?"
        " AND state = 'valid' AND refresh_token IS NOT NULL AND COALESCE(refresh_due_at, 0) <= ?"
        " AND (lease_until IS NULL OR lease_until <= ?)",
        (struct db_value[]){db_text(claim->owner), DB_VALUE_INT(until), DB_VALUE_INT(until), row[0],
                            row[1], row[2], DB_VALUE_INT(key->generation),
                            DB_VALUE_INT(claim->due_before), DB_VALUE_INT(claim->now)},
        9);

    if (claim->claimed)
        token_row_free(&claim->row);
    claim->claimed = false;
    if (result != DB_OK || db_affected(db) == 0)
        return result;
    result = db_query(db,
                      "SELECT access_token, refresh_token, expires_at, issued_at,"
                      " refresh_attempts - 1 FROM miro_token"
                      " WHERE client_id = ? AND user_id = ? AND team_id = ?",
                      row, 3, &rows);
    if (result != DB_OK)
        return result;
    if (db_rows_next(rows))
        result = claim_open(db, work, rows);
    db_rows_free(rows);
    return result;
}

enum db_result token_claim(struct db *db, const struct vault *vault, const struct token_key *key,
                           struct token_claim *claim)
{
    struct claim_work work = {vault, key, claim};
    enum db_result result;

    claim->claimed = false;
    result = db_transaction(db, claim_body, &work);
    if (result != DB_OK && claim->claimed) {
        token_row_free(&claim->row);
        claim->claimed = false;
    }
    return result;
}

/* --- its ends ------------------------------------------------------------------------------ */

/* The row as it is now, locked. */
struct standing_row {
    bool found, valid;
    uint32_t generation;
    int64_t issued_at;
};

static enum db_result row_lock(struct db *db, const struct token_key *key,
                               struct standing_row *standing)
{
    struct db_rows *rows;
    enum db_result result = db_query(
        db,
        "SELECT generation, issued_at, state = 'valid' FROM miro_token"
        " WHERE client_id = ? AND user_id = ? AND team_id = ? FOR UPDATE",
        (struct db_value[]){db_text(key->client_id), db_text(key->user), db_text(key->team)}, 3,
        &rows);

    if (result != DB_OK)
        return result;
    standing->found = db_rows_next(rows);
    if (standing->found) {
        standing->generation = (uint32_t)db_int(rows, 0);
        standing->issued_at = db_int(rows, 1);
        standing->valid = db_int(rows, 2) != 0;
    }
    db_rows_free(rows);
    return DB_OK;
}

struct store_work {
    const struct vault *vault;
    const struct token_row *row;
    const struct token_pair *pair;
    int64_t now;
    bool stored; /* out */
};

/* Both tokens, or none. Without a new refresh token the old one is Miro's word still. */
static enum db_result pair_write(struct db *db, const struct store_work *work)
{
    const struct token_key *key = &work->row->key;
    const struct token_pair *pair = work->pair;
    struct buf access = {0}, refresh = {0};
    enum db_result result;

    token_seal(work->vault, "access", key, pair->access, &access);
    if (pair->refresh != NULL)
        token_seal(work->vault, "refresh", key, pair->refresh, &refresh);
    result = db_execute(
        db,
        "UPDATE miro_token SET access_token = ?, refresh_token = COALESCE(?, refresh_token),"
        " scope = COALESCE(?, scope), state = 'valid', refused_at = NULL, expires_at = ?,"
        " issued_at = ?, refresh_due_at = ?, refresh_attempts = 0, generation = generation + 1,"
        " lease_owner = NULL, lease_until = NULL"
        " WHERE client_id = ? AND user_id = ? AND team_id = ? AND generation = ?",
        (struct db_value[]){
            DB_VALUE_BYTES(access.data, access.len),
            pair->refresh ? DB_VALUE_BYTES(refresh.data, refresh.len) : DB_VALUE_NULL,
            db_text(pair->scope), db_time(pair->expires_at), DB_VALUE_INT(work->now),
            db_time(token_refresh_due(work->now, pair->expires_at)), db_text(key->client_id),
            db_text(key->user), db_text(key->team), DB_VALUE_INT(key->generation)},
        10);
    buf_free(&access);
    buf_free(&refresh);
    return result;
}

/*
 * The lease may have run out meanwhile, and another may be asking with the old pair, or have marked
 * it refused because this answer had killed it: as long as the row has that pair, these are its
 * successors.
 */
static enum db_result store_body(struct db *db, void *arg)
{
    struct store_work *work = arg;
    const struct token_key *key = &work->row->key;
    struct standing_row standing;
    enum db_result result = row_lock(db, key, &standing);

    work->stored = false;
    if (result != DB_OK || !standing.found)
        return result;
    if (standing.generation != key->generation) {
        /* A commit whose answer was lost? */
        work->stored =
            standing.generation == key->generation + 1 && standing.issued_at == work->now;
        return DB_OK;
    }
    work->stored = true;
    result = pair_write(db, work);
    if (result != DB_OK || standing.valid)
        return result;
    result = db_execute(db,
                        "UPDATE miro_user SET profile_due_at = ?"
                        " WHERE user_id = ? AND profile_due_at IS NULL",
                        (struct db_value[]){DB_VALUE_INT(work->now), db_text(key->user)}, 2);
    return result == DB_OK ? people_feed(db, key->user, work->now) : result;
}

enum db_result token_store(struct db *db, const struct vault *vault, const struct token_row *row,
                           const struct token_pair *pair, int64_t now, bool *stored)
{
    struct store_work work = {vault, row, pair, now, false};
    enum db_result result = db_transaction(db, store_body, &work);

    if (result == DB_OK)
        *stored = work.stored;
    return result;
}

struct refuse_work {
    const struct token_key *key;
    int64_t now;
    bool marked; /* out */
};

static enum db_result refuse_body(struct db *db, void *arg)
{
    struct refuse_work *work = arg;
    const struct token_key *key = work->key;
    enum db_result result = db_execute(
        db,
        "UPDATE miro_token SET state = 'refused', refused_at = ?, refresh_due_at = NULL,"
        " lease_owner = NULL, lease_until = NULL"
        " WHERE client_id = ? AND user_id = ? AND team_id = ? AND generation = ?"
        " AND state = 'valid'",
        (struct db_value[]){DB_VALUE_INT(work->now), db_text(key->client_id), db_text(key->user),
                            db_text(key->team), DB_VALUE_INT(key->generation)},
        5);

    work->marked = result == DB_OK && db_affected(db) > 0;
    return work->marked ? people_feed(db, key->user, work->now) : result;
}

enum db_result token_refuse(struct db *db, const struct token_key *key, int64_t now, bool *marked)
{
    struct refuse_work work = {key, now, false};
    enum db_result result = db_transaction(db, refuse_body, &work);

    if (result == DB_OK)
        *marked = work.marked;
    return result;
}

enum db_result token_put_off(struct db *db, const struct token_key *key, const char *owner,
                             int64_t due_at, uint32_t attempts)
{
    return db_execute(db,
                      "UPDATE miro_token SET lease_owner = NULL, lease_until = NULL,"
                      " refresh_due_at = ?, refresh_attempts = ?"
                      " WHERE client_id = ? AND user_id = ? AND team_id = ? AND generation = ?"
                      " AND lease_owner = ?",
                      (struct db_value[]){DB_VALUE_INT(due_at), DB_VALUE_INT(attempts),
                                          db_text(key->client_id), db_text(key->user),
                                          db_text(key->team), DB_VALUE_INT(key->generation),
                                          db_text(owner)},
                      7);
}

struct limit_work {
    const struct token_key *key;
    int64_t until;
};

/* Whoever is asking at this moment is left alone: the answer will say the same. */
static enum db_result limit_body(struct db *db, void *arg)
{
    const struct limit_work *work = arg;
    struct db_value until = DB_VALUE_INT(work->until);
    enum db_result result =
        db_execute(db,
                   "UPDATE miro_user SET profile_due_at = ?"
                   " WHERE user_id = ? AND profile_due_at < ?",
                   (struct db_value[]){until, db_text(work->key->user), until}, 3);

    if (result != DB_OK)
        return result;
    return db_execute(
        db,
        "UPDATE miro_token SET refresh_due_at = ? WHERE client_id = ? AND user_id = ?"
        " AND refresh_due_at < ? AND lease_owner IS NULL",
        (struct db_value[]){until, db_text(work->key->client_id), db_text(work->key->user), until},
        4);
}

enum db_result tokens_limit_user(struct db *db, const struct token_key *key, int64_t until)
{
    struct limit_work work = {key, until};

    return db_transaction(db, limit_body, &work);
}
