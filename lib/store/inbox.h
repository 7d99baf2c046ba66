/*
 * The inbox: signed deliveries on their way from the front to the worker.
 */
#ifndef STORE_INBOX_H
#define STORE_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/facts.h"
#include "db/batch.h"
#include "vault/vault.h"

/* One delivery to store; filled by the front, its body already sealed with inbox_seal(). */
struct inbox_put {
    uint32_t source_id;
    unsigned char key[DIGEST_LEN];
    char topic[65];
    int64_t received_at;
    struct buf sealed;
    bool duplicate; /* out: it was there already */
};
/*
 * One INSERT, however many. A duplicate is counted and made due again, at most once a minute; its
 * body is not written again.
 */
extern const struct batch_kind inbox_put_batch;

void inbox_seal(const struct vault *vault, uint32_t source_id, const unsigned char key[DIGEST_LEN],
                const char *body, size_t len, struct buf *sealed);

/* A leased delivery. */
struct inbox_item {
    uint64_t id;
    uint32_t source_id;
    unsigned char key[DIGEST_LEN];
    int64_t received_at;
    uint32_t attempts; /* before this one */
    char *body;        /* opened; NULL if it is missing, or the envelope does not open */
    size_t len;
};
/* What to lease. */
struct inbox_want {
    const char *owner;
    int64_t now;
    size_t most;
    const uint32_t *without; /* sources whose deliveries are left where they are */
    size_t without_count;
    const uint32_t *few; /* sources of which no more than `few_most` are wanted */
    size_t few_count, few_most;
    bool fresh_only; /* nothing that was tried before without an end */
};
/*
 * Leases up to `most` due deliveries for LIMIT_LEASE_S, or fewer whose bodies come to
 * LIMIT_LEASE_BYTES, and commits: only then may anything happen outside. Every source that has
 * something due gets its share. Workers spread their picks. A lease that ran out is taken over.
 * Reads no more rows the more there are.
 */
enum db_result inbox_lease(struct db *db, const struct vault *vault, const struct inbox_want *want,
                           struct inbox_item *out, size_t *count)
    __attribute__((warn_unused_result));
void inbox_item_free(struct inbox_item *item); /* the contents; wipes */

/* What became of a leased delivery. */
struct inbox_outcome {
    uint64_t id;
    /* INBOX_POSTPONE: as INBOX_RETRY, but nothing was tried, so no attempt is counted. */
    enum { INBOX_DONE, INBOX_SET_ASIDE, INBOX_RETRY, INBOX_POSTPONE } result;
    enum set_aside reason; /* INBOX_SET_ASIDE */
    char detail[256];      /* for people; no personal data */
    int64_t due_at;        /* INBOX_RETRY, INBOX_POSTPONE */
};
/* In the caller's transaction; only rows still leased by `owner` change. */
enum db_result inbox_finish(struct db *db, const char *owner, int64_t now,
                            const struct inbox_outcome *outcomes, size_t count)
    __attribute__((warn_unused_result));
/* Gives leases back at shutdown. */
enum db_result inbox_release(struct db *db, const char *owner) __attribute__((warn_unused_result));
/*
 * A clock that was ahead left times behind for which nobody should wait: what a source was sent, or
 * a worker leased, at a time that is yet to come is due now. *count says how many.
 */
enum db_result inbox_set_clock_right(struct db *db, uint32_t source_id, int64_t now, size_t *count)
    __attribute__((warn_unused_result));

/* For purchasectl. State and source filters may be NULL. */
struct inbox_row {
    uint64_t id;
    uint32_t source_id;
    char state[16], reason[24], topic[65], detail[256];
    int64_t received_at, last_received_at, processed_at, due_at;
    uint32_t times_received, attempts;
    size_t sealed_bytes;
    unsigned char key[DIGEST_LEN];
};
enum db_result inbox_list(struct db *db, const char *state, size_t most,
                          void (*row)(const struct inbox_row *, void *), void *arg)
    __attribute__((warn_unused_result));
/* One, with its opened body (wiped by the caller with buf_wipe); *found says whether it exists. */
enum db_result inbox_show(struct db *db, const struct vault *vault, uint64_t id,
                          struct inbox_row *row, struct buf *body, bool *found)
    __attribute__((warn_unused_result));
/* Makes it due now, whatever its state; *found as above. */
enum db_result inbox_replay(struct db *db, uint64_t id, int64_t now, bool *found)
    __attribute__((warn_unused_result));

#endif
