/*
 * Miro users, their tokens, and the addresses linked to them. Links are made by sign-ins, claims
 * and support; no sync ever drops one.
 */
#ifndef STORE_PEOPLE_H
#define STORE_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "db/batch.h"
#include "store/context.h"
#include "store/tokens.h"
#include "vault/vault.h"

/* Stores a token answer: tokens sealed, state valid, the user created, the profile due at once. */
struct people_install {
    char client_id[LIMIT_MIRO_ID + 1], user[LIMIT_MIRO_ID + 1], team[LIMIT_MIRO_ID + 1];
    const char *access, *refresh, *scope; /* refresh, scope: or NULL */
    int64_t expires_at;                   /* or TIME_NONE */
    int64_t now;
};
extern const struct batch_kind people_install_batch;

/* What the profile call said of a user. Mirrors link.origin for the link it may make. */
enum link_origin { LINK_PROFILE, LINK_CLAIM, LINK_SUPPORT, LINK_IMPORT };
enum link_outcome {
    LINK_MADE,      /* the address is the user's now */
    LINK_HELD,      /* it was already */
    LINK_CONTESTED, /* somebody else holds it: recorded for a mailed code or support to decide */
    LINK_NONE,      /* there was no address to link */
};
struct people_profile {
    char user[LIMIT_MIRO_ID + 1];
    const char *address; /* normalised, or NULL */
    char state[33];
    int64_t now;
    int64_t due_at; /* when to read it again; TIME_NONE: in a week, as addresses change */
    enum link_outcome outcome; /* out */
};
extern const struct batch_kind people_profile_batch;
/* The same, straight-line, for the worker. */
enum db_result people_record_profile(struct db *db, const struct vault *vault,
                                     struct people_profile *profile)
    __attribute__((warn_unused_result));

/* Links by hand or by claim; with `take` an address that somebody else holds moves, else it is
 * contested. In its own transaction, with audit and feed rows. */
struct people_link {
    const char *address; /* normalised */
    const char *user;
    enum link_origin origin;
    const char *by, *why;
    bool take;
    int64_t now;
    enum link_outcome outcome; /* out */
};
enum db_result people_link(struct db *db, const struct vault *vault, struct people_link *link)
    __attribute__((warn_unused_result));
/* The same in the caller's transaction. */
enum db_result people_link_within(struct db *db, const struct vault *vault,
                                  struct people_link *link) __attribute__((warn_unused_result));
enum db_result people_unlink(struct db *db, const struct vault *vault, const char *address,
                             const char *by, const char *why, int64_t now, bool *found)
    __attribute__((warn_unused_result));

/*
 * Users whose profile is due, until `due_before`: claimed, with the token to ask with, which is
 * the user's best. One that runs out, or did, is to be refreshed first. `seen` counts also those
 * who cannot be asked for, and are due no more.
 */
struct people_due {
    struct token_key token; /* whose, and which */
    char *access;           /* wiped by people_due_free() */
    bool refreshable;
    bool expired; /* refresh it first */
    uint32_t attempts;
};
struct people_claim {
    const char *owner;
    int64_t now, due_before;
    struct people_due *out;
    size_t most, count, seen; /* count, seen: out */
};
enum db_result people_claim_due(struct db *db, const struct vault *vault,
                                struct people_claim *claim) __attribute__((warn_unused_result));
void people_due_free(struct people_due *due);
/* The profile could not be read: again at `due_at`. */
enum db_result people_put_off(struct db *db, const char *user, int64_t due_at)
    __attribute__((warn_unused_result));
enum db_result people_count_due(struct db *db, int64_t due_before, size_t *count)
    __attribute__((warn_unused_result));

/* The identity's state may have changed with a token: whoever waits for this user is told. In the
 * caller's transaction. */
enum db_result people_feed(struct db *db, const char *user, int64_t now)
    __attribute__((warn_unused_result));

/* Manual grants. grant_id is 16 hex digits. */
enum db_result people_grant(struct db *db, const char *user, const char *key, int64_t ends_at,
                            const char *by, const char *why, int64_t now, char grant_id[17])
    __attribute__((warn_unused_result));
enum db_result people_revoke(struct db *db, const char *grant_id, const char *by, const char *why,
                             int64_t now, bool *found) __attribute__((warn_unused_result));

/* OAuth states are spent once: *fresh is false if this nonce was seen before. */
struct people_state {
    unsigned char nonce[16];
    int64_t expires_at;
    bool fresh; /* out */
};
extern const struct batch_kind people_state_batch;

#endif
