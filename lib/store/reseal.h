/*
 * Everything that is sealed at rest, walked in small steps: to count what still needs which key,
 * and to seal it anew under the first one. A walk holds no lock between two steps; what it meets
 * that is sealed as it should be it leaves alone, so that a walk which was cut off is just begun
 * again.
 */
#ifndef STORE_RESEAL_H
#define STORE_RESEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "vault/vault.h"

enum sealed_kind {
    SEALED_INDEX_KEY,
    SEALED_ADDRESSES,
    SEALED_ACCESS_TOKENS,
    SEALED_REFRESH_TOKENS,
    SEALED_STAGED, /* what a resync read and has not applied yet */
    SEALED_BODIES,
    SEALED_KINDS
};
const char *sealed_kind_name(enum sealed_kind kind); /* "addresses" */

/* One sealed value that a walk met. */
struct sealed_value {
    enum sealed_kind kind;
    const char *kid; /* of its envelope; "" if it is none */
    bool *current;   /* to be set by who walks in order to change: it is to be left alone */
};

struct sealed_walk;

struct sealed_walk *sealed_walk_new(enum sealed_kind kind);
void sealed_walk_free(struct sealed_walk *walk);
/* Looks at the next values in the order of their keys, LIMIT_KEYS_WALK at most, and calls `value`
 * for each. *more is false once there are no others. */
enum db_result sealed_walk_step(struct db *db, struct sealed_walk *walk,
                                void (*value)(const struct sealed_value *, void *), void *arg,
                                bool *more) __attribute__((warn_unused_result));

/* What one step of resealing did. */
struct resealed {
    uint64_t seen, sealed, unopened; /* unopened: no key of the ring opens it */
};
/* The same, sealing anew what is not under the vault's first key: a few in one transaction, each
 * with its row locked and read again, so that a newer value is never overwritten. Adds to *out. */
enum db_result sealed_walk_reseal(struct db *db, const struct vault *vault,
                                  struct sealed_walk *walk, struct resealed *out, bool *more)
    __attribute__((warn_unused_result));

/* For keys that are lost for good: forgets what no key of the ring opens. */
enum db_result sealed_walk_drop(struct db *db, const struct vault *vault, struct sealed_walk *walk,
                                struct resealed *out, bool *more)
    __attribute__((warn_unused_result));

#endif
