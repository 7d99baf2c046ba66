/*
 * What the inbox's parts share. Private to this room.
 */
#ifndef STORE_INBOX_WORK_H
#define STORE_INBOX_WORK_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "store/rows.h"
#include "vault/vault.h"

/* A body seen again is processed again, but not more often than this: the same bytes can be news.
 */
#define INBOX_AGAIN_AFTER TIME_MINUTE

#define INBOX_PUT_MOST 128 /* deliveries that share a commit */
/* A commit that takes longer hangs, or goes to other hosts: then the next need not wait for it. */
#define INBOX_PUT_GATHER (20 * TIME_SECOND / 1000)

/* Appends the opened body; -1 if the envelope does not open. */
int inbox_body_open(const struct vault *vault, uint32_t source_id,
                    const unsigned char key[DIGEST_LEN], struct span sealed, struct buf *out)
    __attribute__((warn_unused_result));

/*
 * Of which sources there are deliveries in a state, and when the first of each is due: as many
 * reads as there are sources, however long each one's queue. (Grouping the queues themselves reads
 * them all: the optimizer does not jump from one to the next.)
 */
struct inbox_queue {
    uint32_t source_id;
    int64_t first_due_at;
};
struct inbox_queues {
    struct inbox_queue *items; /* owned */
    size_t count;
};
enum db_result inbox_queues_read(struct db *db, const char *state, struct inbox_queues *out)
    __attribute__((warn_unused_result));

#endif
