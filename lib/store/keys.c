#include "store/keys.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/key_holders.h"
#include "store/rows.h"

#define INDEX_KEY "blind_index"

static void explain(struct buf *why, const char *sentence)
{
    if (why != NULL)
        buf_puts(why, sentence);
}

/* Reads the envelope and tries the keyring on it. */
static enum db_result index_key_load(struct db *db, struct vault *vault, enum keys_fit *fit,
                                     struct buf *why)
{
    struct db_value purpose = db_text(INDEX_KEY);
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT sealed FROM sealed_key WHERE purpose = ?", &purpose, 1, &rows);

    if (result != DB_OK)
        return result;
    if (!db_rows_next(rows)) {
        *fit = KEYS_ABSENT;
        explain(why, "the database holds no index key yet: run `purchasectl migrate`");
    } else {
        struct span sealed;

        sealed.bytes = db_bytes(rows, 0, &sealed.len);
        *fit = vault_index_key_load(vault, sealed) == 0 ? KEYS_LOADED : KEYS_WRONG_KEYRING;
        if (*fit == KEYS_WRONG_KEYRING)
            explain(why, "none of the keyring's keys opens this database's index key: it is the "
                         "keyring of another installation; put back the right one");
    }
    db_rows_free(rows);
    return DB_OK;
}

/* Every key under which a row may be sealed has to be there, or that row would be lost unseen. */
static enum db_result needed_keys_check(struct db *db, const struct vault *vault,
                                        enum keys_fit *fit, struct buf *why)
{
    struct db_rows *rows;
    enum db_result result = db_query(
        db, "SELECT kid, mark, resealed_at IS NULL FROM sealing_key ORDER BY kid", NULL, 0, &rows);

    if (result != DB_OK)
        return result;
    while (*fit == KEYS_LOADED && db_rows_next(rows)) {
        size_t len, mark_len;
        const char *kid = db_bytes(rows, 0, &len), *mark = db_bytes(rows, 1, &mark_len);
        struct vault_key_name key;

        if (vault_find_kid(vault, kid, &key) != 0) {
            if (db_int(rows, 2) == 0)
                continue;
            *fit = KEYS_LACKING;
            if (why != NULL)
                buf_printf(why,
                           "the keyring has no key \"%s\", under which rows are sealed: put it "
                           "back, and let `purchasectl keys rewrap` say when it may go",
                           kid);
        } else if (!digest_equal(key.mark, VAULT_MARK_LEN, mark, mark_len)) {
            *fit = KEYS_LACKING;
            if (why != NULL)
                buf_printf(why,
                           "the keyring's key \"%s\" is not the one of that name under which rows "
                           "were sealed: put that one back",
                           kid);
        }
    }
    db_rows_free(rows);
    return DB_OK;
}

enum db_result keys_load(struct db *db, struct vault *vault, enum keys_fit *fit, struct buf *why)
{
    enum db_result result = index_key_load(db, vault, fit, why);

    return result == DB_OK && *fit == KEYS_LOADED ? needed_keys_check(db, vault, fit, why) : result;
}

/* Makes a key and stores it unless another host was first; what is stored then counts for both. */
enum db_result keys_ensure(struct db *db, struct vault *vault, enum keys_fit *fit, struct buf *why)
{
    struct buf sealed = {0};
    enum db_result result = keys_load(db, vault, fit, NULL);

    if (result == DB_OK && *fit == KEYS_ABSENT)
        result = keys_note_sealing(db, vault);
    if (result == DB_OK && *fit == KEYS_ABSENT) {
        vault_index_key_make(vault, &sealed);
        result = db_execute(
            db, "INSERT INTO sealed_key (purpose, sealed, created_at) VALUES (?,?,?)",
            (struct db_value[]){db_text(INDEX_KEY), DB_VALUE_BYTES(sealed.data, sealed.len),
                                DB_VALUE_INT(clock_now())},
            3);
        buf_free(&sealed);
        if (result == DB_DUPLICATE)
            result = DB_OK;
    }
    return result == DB_OK ? keys_load(db, vault, fit, why) : result;
}

enum db_result keys_note(struct db *db, struct vault_key_name key)
{
    return db_execute(
        db,
        "INSERT INTO sealing_key (kid, mark, began_at, sealed_until)"
        " VALUES (?,?," KEYS_NOW "," KEYS_NOW ")"
        " ON DUPLICATE KEY UPDATE sealed_until = VALUES(sealed_until),"
        " resealed_at = NULL",
        (struct db_value[]){db_text(key.kid), DB_VALUE_BYTES(key.mark, VAULT_MARK_LEN)}, 2);
}

enum db_result keys_note_sealing(struct db *db, const struct vault *vault)
{
    return keys_note(db, vault_key_name(vault, 0));
}

enum db_result keys_find(struct db *db, struct vault_key_name key, enum kid_state *state)
{
    struct db_value kid = db_text(key.kid);
    struct db_rows *rows;
    enum db_result result =
        db_query(db,
                 "SELECT mark, resealed_at IS NULL FROM sealing_key WHERE kid = ? UNION"
                 " SELECT mark, 0 FROM key_holder WHERE kid = ?",
                 (struct db_value[]){kid, kid}, 2, &rows);

    if (result != DB_OK)
        return result;
    for (*state = KID_FREE; *state != KID_ANOTHER && db_rows_next(rows);) {
        size_t len;
        const char *mark = db_bytes(rows, 0, &len);

        if (!digest_equal(key.mark, VAULT_MARK_LEN, mark, len))
            *state = KID_ANOTHER;
        else if (db_int(rows, 1) != 0)
            *state = KID_SEALS;
    }
    db_rows_free(rows);
    return DB_OK;
}

enum db_result keys_take_back(struct db *db, struct vault_key_name key)
{
    return db_execute(
        db,
        "DELETE FROM sealing_key WHERE kid = ? AND NOT EXISTS (SELECT 1 FROM key_holder h"
        " WHERE h.kid = sealing_key.kid AND h.seals)",
        (struct db_value[]){db_text(key.kid)}, 1);
}

/* One statement, so that a program that begins to seal meanwhile is seen by it, or finds the key
 * noted so and notes it anew. */
enum db_result keys_note_resealed(struct db *db, const char *kid, int64_t since, bool *done)
{
    enum db_result result = db_execute(
        db,
        "UPDATE sealing_key SET resealed_at = " KEYS_NOW " WHERE kid = ? AND resealed_at IS NULL"
        " AND sealed_until < ? AND NOT EXISTS (SELECT 1 FROM key_holder h"
        " WHERE h.kid = sealing_key.kid AND h.seals AND h.seen_at > " KEYS_NOW " - ?)",
        (struct db_value[]){db_text(kid), DB_VALUE_INT(since),
                            DB_VALUE_INT(LIMIT_KEYS_ALIVE_S * TIME_SECOND)},
        3);

    if (result == DB_OK)
        *done = db_affected(db) > 0;
    return result;
}

enum db_result keys_forget_lost(struct db *db, const struct vault *vault)
{
    struct values known = {0};
    struct buf sql = {0};
    enum db_result result;

    buf_puts(&sql, "DELETE FROM sealing_key WHERE (kid, mark) NOT IN (");
    for (size_t i = 0; i < vault_key_count(vault); i++) {
        values_add_text(&known, vault_key_name(vault, i).kid);
        values_add_bytes(&known, vault_key_name(vault, i).mark, VAULT_MARK_LEN);
    }
    db_repeat(&sql, "(?,?)", vault_key_count(vault));
    buf_putc(&sql, ')');
    result = db_execute(db, sql.data, known.items, known.count);
    values_free(&known);
    buf_free(&sql);
    return result;
}

enum db_result keys_replace_index_key(struct db *db, struct vault *vault)
{
    struct buf sealed = {0};
    enum db_result result = keys_note_sealing(db, vault);

    if (result == DB_OK) {
        vault_index_key_make(vault, &sealed);
        result = db_execute(
            db, "REPLACE INTO sealed_key (purpose, sealed, created_at) VALUES (?,?,?)",
            (struct db_value[]){db_text(INDEX_KEY), DB_VALUE_BYTES(sealed.data, sealed.len),
                                DB_VALUE_INT(clock_now())},
            3);
    }
    buf_free(&sealed);
    return result;
}

enum db_result keys_noted(struct db *db, void (*row)(const struct noted_key *, void *), void *arg)
{
    struct noted_key key;
    struct db_rows *rows;
    enum db_result result = db_query(
        db, "SELECT kid, sealed_until, resealed_at FROM sealing_key ORDER BY kid", NULL, 0, &rows);

    if (result != DB_OK)
        return result;
    while (db_rows_next(rows)) {
        row_copy(rows, 0, key.kid, sizeof(key.kid));
        key.sealed_until = db_int(rows, 1);
        key.resealed_at = db_time_of(rows, 2);
        row(&key, arg);
    }
    db_rows_free(rows);
    return DB_OK;
}

enum db_result keys_time(struct db *db, int64_t *now)
{
    struct db_rows *rows;
    enum db_result result = db_query(db, "SELECT " KEYS_NOW, NULL, 0, &rows);

    if (result != DB_OK)
        return result;
    if (db_rows_next(rows))
        *now = db_int(rows, 0);
    db_rows_free(rows);
    return DB_OK;
}
