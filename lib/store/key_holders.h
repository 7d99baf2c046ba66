/*
 * Which keys the running programs hold. A key may seal only once every program that opens has it:
 * each says what it has loaded, when it begins, when it reloads, and every few seconds.
 *
 * Who begins says so first and then looks which keys are needed (keys_load); who promotes a key
 * notes it as needed first and then looks who holds it. So one of the two sees the other.
 */
#ifndef STORE_KEY_HOLDERS_H
#define STORE_KEY_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/owner.h"
#include "db/batch.h"
#include "store/keys.h"

/* The database's time, in microseconds: SQL. */
#define KEYS_NOW "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

/* Says which keys this process holds as `program` ("front", "worker", "resync"), and that its first
 * one seals. A key that sealed before counts as sealing until the next word: what was sealed with
 * it may still be on its way. */
enum db_result key_holder_say(struct db *db, const struct vault *vault, const char *program,
                              bool begins) __attribute__((warn_unused_result));
/* The beginning, and a reload: loads the index key, and says what is held if the keyring fits, and
 * if its first key is one that seals here already or that every other program has. */
enum db_result key_holder_join(struct db *db, struct vault *vault, const char *program,
                               enum keys_fit *fit, struct buf *why)
    __attribute__((warn_unused_result));
/* This process holds no keys any more. */
enum db_result key_holder_leave(struct db *db) __attribute__((warn_unused_result));

/* The same as an operation of the batch executor, with its context's vault. */
struct key_word {
    const char *program;
    bool leaves; /* it holds none any more */
};
extern const struct batch_kind key_word_batch;

/* A program that is alive, one row a key. */
struct key_holder {
    char holder[OWNER_NAME], program[17], kid[33];
    unsigned char mark[VAULT_MARK_LEN];
    bool seals;
    int64_t age; /* since it said so, microseconds */
};
enum db_result key_holders(struct db *db, void (*row)(const struct key_holder *, void *), void *arg)
    __attribute__((warn_unused_result));
/* Whether every other program that is alive holds the key; else `lacking` gets their names. */
enum db_result key_held_by_all(struct db *db, struct vault_key_name key, bool *held,
                               struct buf *lacking) __attribute__((warn_unused_result));

#endif
