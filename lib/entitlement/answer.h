/*
 * answer = aggregate(contributions and grants of a user's subjects, now): what the plugin is told.
 */
#ifndef ENTITLEMENT_ANSWER_H
#define ENTITLEMENT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "entitlement/order.h"

/* A contribution or a manual grant, as it was read. */
struct holding {
    char key[LIMIT_ENTITLEMENT_KEY + 1];
    enum contribution_state state;
    int64_t quantity;
    int64_t ends_at, grace_until; /* or TIME_NONE */
};

enum identity_state {
    IDENTITY_REAUTHORIZE,
    IDENTITY_LINKED,
    IDENTITY_NO_EMAIL,
    IDENTITY_NOT_INSTALLED
};

/* All that is known of a user when a check is answered. */
struct standing {
    char user[LIMIT_MIRO_ID + 1];
    char team[LIMIT_MIRO_ID + 1];
    struct holding *holdings;
    size_t holding_count;
    bool has_address;
    int64_t moved_at; /* when an address of theirs last became another user's, or 0 */
    size_t valid_tokens, refused_tokens;
};

enum entitlement_status { ENTITLEMENT_ACTIVE, ENTITLEMENT_GRACE };
struct entitlement {
    const char *key; /* borrowed from the standing */
    enum entitlement_status status;
    int64_t quantity;
    int64_t expires_at; /* TIME_NONE: never */
};

struct answer {
    struct entitlement *entitlements; /* live ones, sorted by key */
    size_t count;
    enum identity_state identity;
    int64_t
        changes_at; /* the earliest time at which `now` alone changes this answer, or TIME_NONE */
};
void answer_aggregate(const struct standing *standing, int64_t now, struct answer *out);
void answer_free(struct answer *answer); /* the contents */

/* The body of GET /v1/entitlements. `version` gets 32 hex digits: a digest of everything else in it
 * but stale_seconds, which is told only if not negative. */
#define ANSWER_VERSION 33
void answer_write(const struct standing *standing, const struct answer *answer,
                  int64_t stale_seconds, struct buf *out, char version[ANSWER_VERSION]);

/* GET /v1/entitlements/{key}: why, or why not. Among what is not live, the first that any holding
 * shows of: pending, disputed, expired, refunded, cancelled; else never_bought. */
enum reason {
    REASON_ACTIVE,
    REASON_GRACE,
    REASON_PENDING,
    REASON_DISPUTED,
    REASON_EXPIRED,
    REASON_REFUNDED,
    REASON_CANCELLED,
    REASON_SEAT_LIMIT,
    REASON_NEVER_BOUGHT,
    REASON_UNKNOWN_KEY,
};
const char *reason_name(enum reason reason);
enum reason answer_reason(const struct standing *standing, const char *key, bool key_known,
                          int64_t now, int64_t *expires_at);
void answer_write_key(const char *key, enum reason reason, int64_t expires_at, struct buf *out);

#endif
