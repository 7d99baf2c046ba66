/*
 * Miro's tokens, sealed: one pair for each app, user and team. Miro gives a new pair for the old
 * one only once, and the old one is dead from then on. So a row is claimed, and the claim
 * committed, before Miro is asked; and whoever asked may write only while the pair that he used is
 * still the row's (`generation`).
 */
#ifndef STORE_TOKENS_H
#define STORE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "db/db.h"
#include "vault/vault.h"

/* A row, and which of its pairs is meant. */
struct token_key {
    char client_id[LIMIT_MIRO_ID + 1], user[LIMIT_MIRO_ID + 1], team[LIMIT_MIRO_ID + 1];
    uint32_t generation;
};

/* A claimed row, opened. */
struct token_row {
    struct token_key key;
    char *access, *refresh; /* wiped by token_row_free() */
    int64_t expires_at;     /* or TIME_NONE */
    int64_t issued_at;
    uint32_t attempts; /* refreshes that came to nothing since the last that did not */
};
void token_row_free(struct token_row *row);

/* An app's tokens that are due for a refresh until `due_before`, the longest due first. */
enum db_result tokens_due(struct db *db, const char *client_id, int64_t due_before,
                          struct token_key *out, size_t most, size_t *count)
    __attribute__((warn_unused_result));
enum db_result tokens_count_due(struct db *db, const char *client_id, int64_t due_before,
                                size_t *count) __attribute__((warn_unused_result));

/* Leases a row that is due until `due_before` for LIMIT_LEASE_S. *claimed is false if somebody else
 * has it, if it has another pair by now, is not due any more or refused, or does not open. */
#define TOKEN_DUE_OR_NOT INT64_MAX
struct token_claim {
    const char *owner;
    int64_t now, due_before;
    struct token_row row; /* out, if `claimed`: the caller's to free */
    bool claimed;         /* out */
};
enum db_result token_claim(struct db *db, const struct vault *vault, const struct token_key *key,
                           struct token_claim *claim) __attribute__((warn_unused_result));

/* What Miro gave for the row's pair. */
struct token_pair {
    const char *access, *refresh; /* refresh NULL: the old one stays */
    const char *scope;            /* NULL: the old one stays */
    int64_t expires_at;           /* or TIME_NONE */
};
/* Writes both tokens in one statement and ends the claim. *stored is false if the row is gone or
 * has another pair by now. Again after DB_GONE is no fault. */
enum db_result token_store(struct db *db, const struct vault *vault, const struct token_row *row,
                           const struct token_pair *pair, int64_t now, bool *stored)
    __attribute__((warn_unused_result));

/* Miro refuses the pair: the row is marked, and nothing else is lost. *marked is false if it has
 * another by now. */
enum db_result token_refuse(struct db *db, const struct token_key *key, int64_t now, bool *marked)
    __attribute__((warn_unused_result));

/* Ends the owner's claim with the pair as it was: again at `due_at`, `attempts` having failed. */
enum db_result token_put_off(struct db *db, const struct token_key *key, const char *owner,
                             int64_t due_at, uint32_t attempts) __attribute__((warn_unused_result));
/* Miro counts calls by user and app: none of the user's is to be made before `until`. */
enum db_result tokens_limit_user(struct db *db, const struct token_key *key, int64_t until)
    __attribute__((warn_unused_result));

/* When a pair that is issued now is to be refreshed: well before its end, and not all at once.
 * TIME_NONE if it does not end. */
int64_t token_refresh_due(int64_t now, int64_t expires_at);

/* The envelopes of a token's column, for those who write or read the row otherwise. */
void token_seal(const struct vault *vault, const char *column, const struct token_key *key,
                const char *token, struct buf *out);
/* The token, to be wiped; NULL, and a log line, if it does not open. */
char *token_open(const struct vault *vault, const char *column, const struct token_key *key,
                 struct span sealed) __attribute__((warn_unused_result));

#endif
