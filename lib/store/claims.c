/*
 * Claims as users ask for them and confirm them.
 */
#include "store/claims.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/claim_seal.h"
#include "store/context.h"
#include "store/order_contest.h"
#include "store/people.h"

#define CODES UINT64_C(100000000)
#define CLAIM_MOST 16 /* operations of one batch */

/* A code is good for one user and one address, whatever else is known of it. */
static void code_message(struct buf *out, const char *user, const unsigned char index[DIGEST_LEN],
                         const char *code)
{
    buf_printf(out, "%s|", user);
    digest_hex(index, DIGEST_LEN, out);
    buf_printf(out, "|%s", code);
}

static void draw_code(char out[CLAIM_CODE])
{
    uint64_t random;

    digest_random(&random, sizeof(random));
    snprintf(out, CLAIM_CODE, "%08u", (unsigned)(random % CODES));
}

void claim_ask_make(const struct vault *vault, const char *user, const char *team,
                    const char *address, const char *normalised, const char *peer, int64_t now,
                    struct claim_ask *out)
{
    struct buf message = {0}, host = {0};
    char code[CLAIM_CODE];

    memset(out, 0, sizeof(*out));
    snprintf(out->user, sizeof(out->user), "%s", user);
    snprintf(out->team, sizeof(out->team), "%s", team);
    out->now = now;
    digest_random(out->id, sizeof(out->id));
    vault_index(vault, normalised, out->index);
    buf_printf(&host, "peer %s", peer == NULL ? "" : peer);
    vault_index(vault, host.data, out->peer);
    out->peer_counts = peer != NULL;
    draw_code(code);
    code_message(&message, user, out->index, code);
    vault_sign(vault, VAULT_MAC_CLAIM, (struct span){message.data, message.len}, &out->mac);
    claim_seal(vault, out->id, code, address, &out->sealed);
    explicit_bzero(code, sizeof(code));
    buf_wipe(&message);
    buf_free(&host);
}

void claim_ask_free(struct claim_ask *ask)
{
    buf_free(&ask->mac);
    buf_free(&ask->sealed);
}

/* The count is the asking user's own, and so tells nothing about the address. */
static enum db_result ask_write(struct db *db, const struct claim_ask *ask)
{
    const int64_t window = LIMIT_CLAIM_WINDOW_S * TIME_SECOND;
    struct db_value peer = ask->peer_counts ? DB_VALUE_BYTES(ask->peer, DIGEST_LEN) : DB_VALUE_NULL;

    return db_execute(
        db,
        "INSERT INTO claim (claim_id, user_id, team_id, address_index, peer, code_mac, sealed,"
        " asked_at, expires_at, due_at) SELECT ?,?,?,?,?,?,?,?,?,? FROM DUAL WHERE"
        " (SELECT COUNT(*) FROM claim c WHERE c.user_id = ? AND c.asked_at > ?) < ?",
        (struct db_value[]){DB_VALUE_BYTES(ask->id, CLAIM_ID), db_text(ask->user),
                            db_text(ask->team), DB_VALUE_BYTES(ask->index, DIGEST_LEN), peer,
                            DB_VALUE_BYTES(ask->mac.data, ask->mac.len),
                            DB_VALUE_BYTES(ask->sealed.data, ask->sealed.len),
                            DB_VALUE_INT(ask->now),
                            DB_VALUE_INT(ask->now + LIMIT_CLAIM_LIFE_S * TIME_SECOND),
                            DB_VALUE_INT(ask->now), db_text(ask->user),
                            DB_VALUE_INT(ask->now - window), DB_VALUE_INT(LIMIT_CLAIMS_KEPT_USER)},
        13);
}

/* A claim that is there already was written before the connection broke. */
static enum db_result ask_run(struct db *db, void **operations, size_t count, void *context)
{
    (void)context;
    for (size_t i = 0; i < count; i++) {
        enum db_result result = ask_write(db, operations[i]);

        if (result != DB_OK && result != DB_DUPLICATE)
            return result;
    }
    return DB_OK;
}

const struct batch_kind claim_ask_batch = {
    .name = "claim_ask", .most = CLAIM_MOST, .run = ask_run, .repeatable = true};

/* --- confirming ---------------------------------------------------------------------------- */

struct confirm_work {
    const struct vault *vault;
    const struct source_map *sources;
    struct claim_confirm *confirm;
    unsigned char index[DIGEST_LEN];
    struct buf message;
    /* of the user's codes for the address: */
    size_t known, open;
    bool fits, used;
    int64_t last_expires_at;
};

/* The states that a row of the look-up tells, in the schema's order. */
enum claim_state { STATE_ASKED = 1, STATE_MAILING, STATE_MAILED, STATE_DROPPED, STATE_USED };

/* Every row costs the same, whatever became of its mail. */
static void confirm_row(struct confirm_work *work, const struct db_rows *rows)
{
    size_t len;
    const char *mac = db_bytes(rows, 0, &len);
    enum claim_state state = (enum claim_state)db_int(rows, 1);
    bool open = db_int(rows, 2) < LIMIT_CLAIM_TRIES;
    bool fits = vault_verify(work->vault, VAULT_MAC_CLAIM,
                             (struct span){work->message.data, work->message.len}, mac, len);

    work->known++;
    work->open += open;
    if (db_int(rows, 3) > work->last_expires_at)
        work->last_expires_at = db_int(rows, 3);
    if (fits && open && (state == STATE_MAILING || state == STATE_MAILED))
        work->fits = true;
    if (fits && state == STATE_USED)
        work->used = true;
}

static enum db_result confirm_look(struct db *db, struct confirm_work *work)
{
    const struct claim_confirm *confirm = work->confirm;
    struct db_rows *rows;
    enum db_result result = db_query(
        db,
        "SELECT code_mac, CAST(state AS UNSIGNED), tries, expires_at FROM claim"
        " WHERE user_id = ? AND asked_at > ? AND address_index = ? AND expires_at > ? FOR UPDATE",
        (struct db_value[]){db_text(confirm->user),
                            DB_VALUE_INT(confirm->now - LIMIT_CLAIM_LIFE_S * TIME_SECOND),
                            DB_VALUE_BYTES(work->index, DIGEST_LEN), DB_VALUE_INT(confirm->now)},
        4, &rows);

    work->known = work->open = 0;
    work->fits = work->used = false;
    work->last_expires_at = confirm->now;
    if (result != DB_OK)
        return result;
    while (db_rows_next(rows))
        confirm_row(work, rows);
    db_rows_free(rows);
    return DB_OK;
}

/* A code that was used already says yes again to who lost the answer, and does nothing more. */
static enum db_result confirm_again(struct db *db, struct confirm_work *work)
{
    struct db_rows *rows;
    enum db_result result = db_query(
        db, "SELECT 1 FROM link WHERE address_index = ? AND user_id = ?",
        (struct db_value[]){DB_VALUE_BYTES(work->index, DIGEST_LEN), db_text(work->confirm->user)},
        2, &rows);

    if (result != DB_OK)
        return result;
    if (db_rows_next(rows))
        work->confirm->verdict = CLAIM_CONFIRMED;
    db_rows_free(rows);
    return DB_OK;
}

/* All of the user's codes for the address are over with the one that was told. */
static enum db_result confirm_take(struct db *db, struct confirm_work *work)
{
    struct claim_confirm *confirm = work->confirm;
    struct people_link link = {.address = confirm->address,
                               .user = confirm->user,
                               .origin = LINK_CLAIM,
                               .why = "a code mailed to the address",
                               .take = true,
                               .now = confirm->now};
    enum db_result result = db_execute(
        db,
        "UPDATE claim SET state = 'used', sealed = NULL, due_at = NULL WHERE user_id = ? AND asked_at > ?"
        " AND address_index = ?",
        (struct db_value[]){db_text(confirm->user),
                            DB_VALUE_INT(confirm->now - LIMIT_CLAIM_LIFE_S * TIME_SECOND),
                            DB_VALUE_BYTES(work->index, DIGEST_LEN)},
        3);

    if (result == DB_OK)
        result = people_link_within(db, work->vault, &link);
    if (result == DB_OK)
        result = order_contest_decide(db,
                                      &(struct orders_context){.vault = work->vault,
                                                               .sources = work->sources,
                                                               .now = confirm->now},
                                      work->index, confirm->user);
    if (result == DB_OK)
        confirm->verdict = CLAIM_CONFIRMED;
    return result;
}

static enum db_result confirm_miss(struct db *db, struct confirm_work *work)
{
    const struct claim_confirm *confirm = work->confirm;

    return db_execute(
        db,
        "UPDATE claim SET tries = tries + 1 WHERE user_id = ? AND asked_at > ?"
        " AND address_index = ?",
        (struct db_value[]){db_text(confirm->user),
                            DB_VALUE_INT(confirm->now - LIMIT_CLAIM_LIFE_S * TIME_SECOND),
                            DB_VALUE_BYTES(work->index, DIGEST_LEN)},
        3);
}

static enum db_result confirm_body(struct db *db, void *arg)
{
    struct confirm_work *work = arg;
    struct claim_confirm *confirm = work->confirm;
    enum db_result result = confirm_look(db, work);

    confirm->verdict = CLAIM_CODE_INVALID;
    if (result != DB_OK)
        return result;
    if (work->fits)
        return confirm_take(db, work);
    if (work->used)
        return confirm_again(db, work);
    if (work->known > 0 && work->open == 0) {
        confirm->verdict = CLAIM_EXHAUSTED;
        confirm->again_at = work->last_expires_at;
        return DB_OK;
    }
    return confirm_miss(db, work);
}

static enum db_result confirm_run(struct db *db, void **operations, size_t count, void *context)
{
    const struct store_context *store = context;
    enum db_result result = DB_OK;

    for (size_t i = 0; i < count && result == DB_OK; i++) {
        struct confirm_work work = {
            .vault = store->vault, .sources = store->sources, .confirm = operations[i]};

        vault_index(work.vault, work.confirm->address, work.index);
        code_message(&work.message, work.confirm->user, work.index, work.confirm->code);
        result = db_transaction(db, confirm_body, &work);
        buf_wipe(&work.message);
    }
    return result;
}

/* One at a time: a miss counts once. Run again after it was committed, it says the same. */
const struct batch_kind claim_confirm_batch = {
    .name = "claim_confirm", .most = 1, .run = confirm_run, .repeatable = true};
