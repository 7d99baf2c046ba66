#include "store/keys.h"

#include "base/clock.h"
#include "store/source.h"

#define INDEX_KEY "blind_index"

/* Reads the envelope and tries the keyring on it. */
enum db_result keys_load(struct db *db, struct vault *vault, enum keys_fit *fit)
{
    struct db_value purpose = db_text(INDEX_KEY);
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT sealed FROM sealed_key WHERE purpose = ?", &purpose, 1, &rows);

    if (result != DB_OK)
        return result;
    if (!db_rows_next(rows)) {
        *fit = KEYS_ABSENT;
    } else {
        struct span sealed;

        sealed.bytes = db_bytes(rows, 0, &sealed.len);
        *fit = vault_index_key_load(vault, sealed) == 0 ? KEYS_LOADED : KEYS_WRONG_KEYRING;
    }
    db_rows_free(rows);
    return DB_OK;
}

/* Makes a key and stores it unless another host was first; what is stored then counts for both. */
enum db_result keys_ensure(struct db *db, struct vault *vault, enum keys_fit *fit)
{
    struct buf sealed = {0};
    enum db_result result = keys_load(db, vault, fit);

    if (result != DB_OK || *fit != KEYS_ABSENT)
        return result;
    vault_index_key_make(vault, &sealed);
    result =
        db_execute(db, "INSERT INTO sealed_key (purpose, sealed, created_at) VALUES (?,?,?)",
                   (struct db_value[]){db_text(INDEX_KEY), DB_VALUE_BYTES(sealed.data, sealed.len),
                                       DB_VALUE_INT(clock_now())},
                   3);
    buf_free(&sealed);
    if (result != DB_OK && result != DB_DUPLICATE)
        return result;
    return keys_load(db, vault, fit);
}
