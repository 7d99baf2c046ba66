/*
 * Claims as the worker sees them: which of them are mailed, and what became of the mails.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/claim_seal.h"
#include "store/rows.h"

#define LEASE_MOST 16

/* A row that is due, before it is decided what becomes of it. */
struct due_claim {
    struct claim_mail mail;
    unsigned char index[DIGEST_LEN], peer[DIGEST_LEN];
    bool has_peer, fresh, readable;
};

struct lease_work {
    const struct vault *vault;
    int64_t now;
    bool sending;
    struct claim_mail *out;
    size_t most, count, seen;
};

static void due_take(const struct lease_work *work, const struct db_rows *rows,
                     struct due_claim *due)
{
    struct claim_mail *mail = &due->mail;
    struct span sealed;
    const char *peer;
    size_t len;

    memset(due, 0, sizeof(*due));
    memcpy(mail->id, db_bytes(rows, 0, &len), CLAIM_ID);
    row_copy(rows, 1, mail->user, sizeof(mail->user));
    row_copy(rows, 2, mail->team, sizeof(mail->team));
    memcpy(due->index, db_bytes(rows, 3, &len), DIGEST_LEN);
    peer = db_bytes(rows, 4, &len);
    due->has_peer = peer != NULL;
    if (peer != NULL)
        memcpy(due->peer, peer, DIGEST_LEN);
    sealed.bytes = db_bytes(rows, 5, &sealed.len);
    due->readable = sealed.bytes != NULL && claim_unseal(work->vault, sealed, mail) == 0;
    mail->asked_at = db_int(rows, 6);
    mail->expires_at = db_int(rows, 7);
    mail->attempts = (uint32_t)db_int(rows, 8);
    due->fresh = db_int(rows, 9) == 1;
}

static enum db_result due_read(struct db *db, const struct lease_work *work, struct due_claim *due,
                               size_t *count)
{
    struct db_rows *rows;
    size_t most = work->most < LEASE_MOST ? work->most : LEASE_MOST;
    enum db_result result = db_query(
        db,
        "SELECT claim_id, user_id, team_id, address_index, peer, sealed, asked_at, expires_at,"
        " attempts, CAST(state AS UNSIGNED) FROM claim WHERE due_at <= ?"
        " ORDER BY due_at LIMIT ? FOR UPDATE",
        (struct db_value[]){DB_VALUE_INT(work->now), DB_VALUE_INT((int64_t)most)}, 2, &rows);

    *count = 0;
    if (result != DB_OK)
        return result;
    while (db_rows_next(rows))
        due_take(work, rows, &due[(*count)++]);
    db_rows_free(rows);
    return DB_OK;
}

/* Orders and links know an address; that Miro or a claim told it is not enough. */
static enum db_result is_known(struct db *db, const struct due_claim *due, bool *known)
{
    struct db_value index = DB_VALUE_BYTES(due->index, DIGEST_LEN);
    struct db_rows *rows;
    enum db_result result =
        db_query(db,
                 "SELECT EXISTS (SELECT 1 FROM order_snapshot WHERE address_index = ?)"
                 " OR EXISTS (SELECT 1 FROM link WHERE address_index = ?)",
                 (struct db_value[]){index, index}, 2, &rows);

    if (result != DB_OK)
        return result;
    *known = db_rows_next(rows) && db_int(rows, 0) != 0;
    db_rows_free(rows);
    return DB_OK;
}

/* The first limit that is reached by what was mailed in the window, or NULL. */
static enum db_result limit_reached(struct db *db, const struct due_claim *due, int64_t now,
                                    const char **limit)
{
#define MAILED "SELECT COUNT(*) FROM claim WHERE state IN ('mailing','mailed','used') AND "
    static const int64_t most[] = {LIMIT_CLAIM_MAILS_USER, LIMIT_CLAIM_MAILS_ADDRESS,
                                   LIMIT_CLAIM_MAILS_PEER};
    static const char *const names[] = {"too_many_of_user", "too_many_to_address",
                                        "too_many_of_peer"};
    struct db_value since = DB_VALUE_INT(now - LIMIT_CLAIM_WINDOW_S * TIME_SECOND);
    struct db_value peer = due->has_peer ? DB_VALUE_BYTES(due->peer, DIGEST_LEN) : DB_VALUE_NULL;
    struct db_rows *rows;
    enum db_result result =
        db_query(db,
                 "SELECT (" MAILED "user_id = ? AND asked_at > ?),"
                 " (" MAILED "address_index = ? AND asked_at > ?),"
                 " (" MAILED "peer = ? AND asked_at > ?)",
                 (struct db_value[]){db_text(due->mail.user), since,
                                     DB_VALUE_BYTES(due->index, DIGEST_LEN), since, peer, since},
                 6, &rows);
#undef MAILED

    *limit = NULL;
    if (result != DB_OK)
        return result;
    if (db_rows_next(rows)) {
        for (unsigned i = 0; i < 3 && *limit == NULL; i++) {
            if (db_int(rows, i) >= most[i])
                *limit = names[i];
        }
    }
    db_rows_free(rows);
    return DB_OK;
}

/* Why no mail goes, or NULL. What was decided once is not decided again: a limit reached since does
 * not stop a mail that is only late. */
static enum db_result why_not(struct db *db, const struct lease_work *work,
                              const struct due_claim *due, const char **why)
{
    enum db_result result;
    bool known = true;

    *why = NULL;
    if (due->mail.expires_at <= work->now)
        *why = "expired";
    else if (!due->readable)
        *why = "unreadable";
    else if (!work->sending)
        *why = "no_mail_section";
    if (*why != NULL || !due->fresh)
        return DB_OK;
    result = is_known(db, due, &known);
    if (result == DB_OK)
        result = limit_reached(db, due, work->now, why);
    if (!known)
        *why = "unknown_address";
    return result;
}

/* What the mail says that the code gives away. */
static enum db_result read_worth(struct db *db, const struct due_claim *due,
                                 struct claim_mail *mail)
{
    struct db_value index = DB_VALUE_BYTES(due->index, DIGEST_LEN);
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT 1 FROM link WHERE address_index = ? AND user_id <> ?",
                 (struct db_value[]){index, db_text(mail->user)}, 2, &rows);

    if (result != DB_OK)
        return result;
    mail->held_by_other = db_rows_next(rows);
    db_rows_free(rows);
    result = db_query(db,
                      "SELECT DISTINCT entitlement_key FROM contribution WHERE subject = ?"
                      " AND state = 'active' ORDER BY entitlement_key LIMIT ?",
                      (struct db_value[]){index, DB_VALUE_INT(LIMIT_CLAIM_NAMES)}, 2, &rows);
    if (result != DB_OK)
        return result;
    mail->key_count = 0;
    while (db_rows_next(rows) && mail->key_count < LIMIT_CLAIM_NAMES)
        row_copy(rows, 0, mail->keys[mail->key_count++], sizeof(mail->keys[0]));
    db_rows_free(rows);
    return DB_OK;
}

static enum db_result lease_one(struct db *db, struct lease_work *work, struct due_claim *due)
{
    const char *why;
    enum db_result result = why_not(db, work, due, &why);

    if (result != DB_OK)
        return result;
    if (why != NULL) {
        log_info("claims", "not_mailed", LOG_S("user", due->mail.user), LOG_S("why", why));
        return claims_finish(db, due->mail.id, CLAIM_DROPPED);
    }
    result =
        db_execute(db,
                   "UPDATE claim SET state = 'mailing', due_at = ?, attempts = attempts + 1"
                   " WHERE claim_id = ?",
                   (struct db_value[]){DB_VALUE_INT(work->now + LIMIT_MAIL_LEASE_S * TIME_SECOND),
                                       DB_VALUE_BYTES(due->mail.id, CLAIM_ID)},
                   2);
    if (result == DB_OK)
        result = read_worth(db, due, &due->mail);
    if (result == DB_OK)
        work->out[work->count++] = due->mail;
    return result;
}

static enum db_result lease_body(struct db *db, void *arg)
{
    struct lease_work *work = arg;
    struct due_claim due[LEASE_MOST];
    enum db_result result = due_read(db, work, due, &work->seen);

    work->count = 0;
    for (size_t i = 0; i < work->seen && result == DB_OK; i++)
        result = lease_one(db, work, &due[i]);
    explicit_bzero(due, sizeof(due));
    return result;
}

enum db_result claims_lease(struct db *db, const struct vault *vault, int64_t now, bool sending,
                            struct claim_mail *out, size_t most, size_t *count, size_t *seen)
{
    struct lease_work work = {
        .vault = vault, .now = now, .sending = sending, .out = out, .most = most};
    enum db_result result = db_transaction(db, lease_body, &work);

    if (result == DB_OK) {
        *count = work.count;
        *seen = work.seen;
    }
    return result;
}

void claim_mail_wipe(struct claim_mail *mail)
{
    explicit_bzero(mail, sizeof(*mail));
}

enum db_result claims_finish(struct db *db, const unsigned char id[CLAIM_ID], enum claim_end end)
{
    return db_execute(db,
                      end == CLAIM_MAILED
                          ? "UPDATE claim SET state = 'mailed', sealed = NULL, due_at = NULL"
                            " WHERE claim_id = ? AND state IN ('asked','mailing')"
                          : "UPDATE claim SET state = 'dropped', sealed = NULL, due_at = NULL"
                            " WHERE claim_id = ? AND state IN ('asked','mailing')",
                      (struct db_value[]){DB_VALUE_BYTES(id, CLAIM_ID)}, 1);
}

enum db_result claims_put_off(struct db *db, const unsigned char id[CLAIM_ID], int64_t due_at)
{
    return db_execute(db, "UPDATE claim SET due_at = ? WHERE claim_id = ? AND state = 'mailing'",
                      (struct db_value[]){DB_VALUE_INT(due_at), DB_VALUE_BYTES(id, CLAIM_ID)}, 2);
}

enum db_result claims_purge(struct db *db, int64_t now)
{
    return db_execute(db, "DELETE FROM claim WHERE asked_at < ? LIMIT 500",
                      (struct db_value[]){DB_VALUE_INT(now - LIMIT_CLAIM_KEPT_S * TIME_SECOND)}, 1);
}
