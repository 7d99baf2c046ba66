/*
 * The blind index key in the database: made once, by `migrate`, and sealed under the keyring.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "base/buf.h"
#include "db/db.h"
#include "vault/vault.h"

enum keys_fit { KEYS_LOADED, KEYS_ABSENT, KEYS_WRONG_KEYRING };

/* Makes the key if there is none; two hosts at once end with one. */
enum db_result keys_ensure(struct db *db, struct vault *vault, enum keys_fit *fit)
    __attribute__((warn_unused_result));
/* Loads it into the vault. KEYS_WRONG_KEYRING must stop the program: it would not find anyone. */
enum db_result keys_load(struct db *db, struct vault *vault, enum keys_fit *fit)
    __attribute__((warn_unused_result));

#endif
