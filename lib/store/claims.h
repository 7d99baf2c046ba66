/*
 * Claims: a user says that an address is theirs, a code is mailed to it, and who tells the code has
 * it. A row is the claim and its mail's place in the outbox in one. The front writes the same for
 * any address; whether a mail goes, the worker decides.
 */
#ifndef STORE_CLAIMS_H
#define STORE_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/limits.h"
#include "db/batch.h"
#include "vault/vault.h"

#define CLAIM_ID 16
#define CLAIM_CODE 9 /* eight digits */

/* A claim that is to be kept. */
struct claim_ask {
    unsigned char id[CLAIM_ID];
    char user[LIMIT_MIRO_ID + 1], team[LIMIT_MIRO_ID + 1];
    unsigned char index[DIGEST_LEN], peer[DIGEST_LEN];
    bool peer_counts; /* it is a host of its own, not a proxy for everybody */
    struct buf mac, sealed;
    int64_t now;
};
/* Draws a code and seals it with the address, whose normalised form is `normalised`. `peer` is the
 * asking host, or NULL if it is not to be counted. */
void claim_ask_make(const struct vault *vault, const char *user, const char *team,
                    const char *address, const char *normalised, const char *peer, int64_t now,
                    struct claim_ask *out);
void claim_ask_free(struct claim_ask *ask); /* the contents */
/* One statement, whatever is known of the address; a user's LIMIT_CLAIMS_KEPT_USER-th claim and
 * those after it are not kept. */
extern const struct batch_kind claim_ask_batch;

enum claim_verdict {
    CLAIM_CONFIRMED, /* the address is the user's */
    CLAIM_CODE_INVALID,
    CLAIM_EXHAUSTED, /* every code was tried too often */
};
struct claim_confirm {
    char user[LIMIT_MIRO_ID + 1];
    const char *address; /* normalised */
    const char *code;    /* eight digits */
    int64_t now;
    enum claim_verdict verdict; /* out */
    int64_t again_at;           /* out, CLAIM_EXHAUSTED: when the last code is over */
};
extern const struct batch_kind claim_confirm_batch;

/* A mail to be sent; claimed before the server is called. */
struct claim_mail {
    unsigned char id[CLAIM_ID];
    char user[LIMIT_MIRO_ID + 1], team[LIMIT_MIRO_ID + 1];
    char address[LIMIT_ADDRESS + 1]; /* as it was typed */
    char code[CLAIM_CODE];
    bool held_by_other;                                      /* the address is another user's */
    char keys[LIMIT_CLAIM_NAMES][LIMIT_ENTITLEMENT_KEY + 1]; /* what it holds */
    size_t key_count;
    int64_t asked_at, expires_at;
    uint32_t attempts; /* that ended without an answer */
};
/* At most `most` that are due; what is asked by or for somebody unknown, or too often, is dropped.
 * *seen counts those too. Without `sending` all are. */
enum db_result claims_lease(struct db *db, const struct vault *vault, int64_t now, bool sending,
                            struct claim_mail *out, size_t most, size_t *count, size_t *seen)
    __attribute__((warn_unused_result));
void claim_mail_wipe(struct claim_mail *mail);

enum claim_end { CLAIM_MAILED, CLAIM_DROPPED };
enum db_result claims_finish(struct db *db, const unsigned char id[CLAIM_ID], enum claim_end end)
    __attribute__((warn_unused_result));
/* Again at `due_at`. */
enum db_result claims_put_off(struct db *db, const unsigned char id[CLAIM_ID], int64_t due_at)
    __attribute__((warn_unused_result));
/* Deletes those older than LIMIT_CLAIM_KEPT_S. */
enum db_result claims_purge(struct db *db, int64_t now) __attribute__((warn_unused_result));

#endif
