/*
 * Reading the change feed. Rows become visible in the order of their commits, not of their ids, so
 * "greater than the last" would miss what a slow writer commits under a lower id: a tail remembers
 * which ids below its top it has not seen, and asks for them again with every reading, until they
 * come or until LIMIT_FEED_WRITER_S have passed, beyond which no writer lives (see limits.h).
 *
 * A tail is a value: feed_read() takes it to the database, feed_tail_take() moves it by what came
 * back. Writers use feed_add() and feed_write() of audit.h.
 */
#ifndef STORE_FEED_H
#define STORE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/limits.h"
#include "db/batch.h"

/* As a column: names the server that a statement ran on. What was seen on one of several nodes says
 * nothing of what another has taken over already. */
#define FEED_PLACE "CONCAT_WS(' ', @@hostname, @@port, @@datadir)"

struct feed_row {
    uint64_t id;
    unsigned char subject[DIGEST_LEN];
};

/* Ids from first to last, none of which was seen. */
struct feed_gap {
    uint64_t first, last;
    int64_t age; /* for how long it was asked for, in microseconds */
};

struct feed_tail {
    bool following;
    uint64_t top; /* the greatest id seen; 0: none, and no row is there */
    unsigned char top_subject[DIGEST_LEN];
    uint64_t opened;    /* db_opened() when it was read */
    int64_t connection; /* the server's number of that connection: a proxy may lie between */
    char place[LIMIT_FEED_PLACE];          /* which server that was */
    struct feed_gap gaps[LIMIT_FEED_GAPS]; /* sorted, apart from each other */
    size_t gap_count;
};

/* One reading: the operation of feed_batch. */
struct feed_read {
    const struct feed_tail *tail; /* not touched while it is under way; not following: begin */
    /* out: */
    struct feed_row *rows; /* sorted by id; with the tail's top as its first */
    size_t count;
    bool crowded;   /* there were more than one reading takes */
    uint64_t floor; /* of a reading that begins: nothing up to it is on its way any more */
    uint64_t opened;
    int64_t connection;
    char place[LIMIT_FEED_PLACE];
};
extern const struct batch_kind feed_batch;
void feed_read_free(struct feed_read *read); /* the contents */

enum feed_step {
    FEED_MOVED,   /* read->rows are the new ones alone */
    FEED_RESTART, /* another connection: what the server was before, nobody knows */
    FEED_GONE,    /* the row at the top is not there any more, or is another */
    FEED_CROWDED, /* more rows than one reading takes */
    FEED_GAPS,    /* more than LIMIT_FEED_GAPS */
};

/* Begins to follow from where a reading that begins stands: FEED_MOVED, FEED_CROWDED, FEED_GAPS. */
enum feed_step feed_tail_begin(struct feed_tail *tail, const struct feed_read *read)
    __attribute__((warn_unused_result));
/*
 * Takes a reading, `elapsed` microseconds after the one before it came back. Anything but
 * FEED_MOVED: the tail does not follow any more, and whatever was built on it is in doubt.
 */
enum feed_step feed_tail_take(struct feed_tail *tail, struct feed_read *read, int64_t elapsed)
    __attribute__((warn_unused_result));

/* Deletes rows below the latest one that is older than LIMIT_FEED_KEEP_S: readers find their way by
 * the newest, which therefore stays. At most LIMIT_FEED_PURGE_ROWS; *count of them. */
enum db_result feed_purge(struct db *db, size_t *count) __attribute__((warn_unused_result));

#endif
