/*
 * What the database knows of the keyring: the blind index key, made once by `migrate` and sealed
 * under it, and the names of the keys without which some row would not open.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "base/buf.h"
#include "db/db.h"
#include "vault/vault.h"

enum keys_fit {
    KEYS_LOADED,
    KEYS_ABSENT,        /* the index key was not made yet */
    KEYS_WRONG_KEYRING, /* no key of the ring opens the index key */
    KEYS_LACKING,       /* a key under which rows are sealed is missing, or is another one */
    KEYS_UNSHARED,      /* key_holder_join(): the first key is new, and not every program has it */
};

/* Loads the index key into the vault. Anything but KEYS_LOADED must stop the program, which would
 * not find or not open what is stored: `why` (or NULL) gets a sentence that says what to do. */
enum db_result keys_load(struct db *db, struct vault *vault, enum keys_fit *fit, struct buf *why)
    __attribute__((warn_unused_result));
/* Makes the index key first if there is none; two hosts at once end with one. */
enum db_result keys_ensure(struct db *db, struct vault *vault, enum keys_fit *fit, struct buf *why)
    __attribute__((warn_unused_result));
/* Notes that the vault's first key seals: before anything is sealed with it. */
enum db_result keys_note_sealing(struct db *db, const struct vault *vault)
    __attribute__((warn_unused_result));

/* Whether a key is the one of its kid that this database knows. */
enum kid_state {
    KID_FREE,    /* nothing is sealed with it */
    KID_SEALS,   /* rows may be */
    KID_ANOTHER, /* that kid is another key's */
};
enum db_result keys_find(struct db *db, struct vault_key_name key, enum kid_state *state)
    __attribute__((warn_unused_result));
/* Notes a key that is about to become the first of some host's ring, and takes that back. */
enum db_result keys_note(struct db *db, struct vault_key_name key)
    __attribute__((warn_unused_result));
enum db_result keys_take_back(struct db *db, struct vault_key_name key)
    __attribute__((warn_unused_result));
/* Notes that nothing is sealed with the key any more, unless somebody has been sealing with it
 * since, or is now: *done tells. */
enum db_result keys_note_resealed(struct db *db, const char *kid, int64_t since, bool *done)
    __attribute__((warn_unused_result));
/* Forgets the keys that the ring does not have: they are lost for good. */
enum db_result keys_forget_lost(struct db *db, const struct vault *vault)
    __attribute__((warn_unused_result));
/* A new index key in place of the stored one, which no key of the ring opens. */
enum db_result keys_replace_index_key(struct db *db, struct vault *vault)
    __attribute__((warn_unused_result));

struct noted_key {
    char kid[33];
    int64_t sealed_until; /* a running program sealed with it then */
    int64_t resealed_at;  /* TIME_NONE: rows may be sealed with it */
};
enum db_result keys_noted(struct db *db, void (*row)(const struct noted_key *, void *), void *arg)
    __attribute__((warn_unused_result));
/* The database's clock, which orders what several hosts say of their keys. */
enum db_result keys_time(struct db *db, int64_t *now) __attribute__((warn_unused_result));

#endif
