/*
 * The spool: deliveries on this host's own disk, while the database is away. A file of SQLite's in
 * `state_dir`, written by a thread of its own: what queued up while a commit ran shares the next
 * one. It knows nothing of what is sealed in a row, nor of the loop: the loop watches spool_fd()
 * for reading and calls spool_complete(). All but the thread itself is called on the loop's thread.
 *
 * Every process has a file to itself, the first of spool-00.db, spool-01.db, ... that no other one
 * holds, and finds in it what was left there. What lies in a file that nobody holds is moved into
 * its own by spool_adopt().
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/limits.h"

/* A delivery as it lies in the file; of one source, only one has a key. */
struct spool_row {
    int64_t id; /* the file's own; not set on the way in */
    char source[LIMIT_NAME + 1];
    unsigned char key[DIGEST_LEN];
    char topic[65];
    char apart[96]; /* why it was set apart, or "" */
    int64_t received_at;
    struct buf sealed;
};

enum spool_result {
    SPOOL_OK,        /* it is on the disk, and a power cut leaves it there */
    SPOOL_DUPLICATE, /* it was there already, which is as good */
    SPOOL_FULL,      /* `most` bytes, or the disk */
    SPOOL_FAILED,    /* the folder or the file cannot be used: the log says why */
};

/* Operations belong to the spool from a call that says so until `done`. */
typedef void spool_done(void *operation, enum spool_result result);

struct spool_put {
    struct spool_row row;
};
/* Rows in the order in which they came, from the one after `after`, without those set apart. */
struct spool_take {
    int64_t after;
    size_t most, most_bytes; /* one row comes, however large */
    struct spool_row *rows;  /* out: owned; free with spool_take_free() */
    size_t count;
};
void spool_take_free(struct spool_take *take);
/* What became of rows that were taken. */
struct spool_settle {
    struct spool_verdict {
        int64_t id;
        const char *apart; /* NULL: it is in the inbox, and deleted here; else why it cannot go */
    } * verdicts;          /* the caller's */
    size_t count;
};
/* Moves a few rows from a file that nobody holds. */
struct spool_adopt {
    size_t moved; /* out */
};

struct spool;

struct spool *spool_new(const char *folder, int64_t most);
/* Runs what is queued, calls back, and ends the thread. */
void spool_free(struct spool *spool);
void spool_limit(struct spool *spool, int64_t most);

/* SPOOL_OK, and `done` will be called; or at once SPOOL_FULL or SPOOL_FAILED, and it will not. */
enum spool_result spool_put(struct spool *spool, struct spool_put *put, spool_done *done)
    __attribute__((warn_unused_result));
void spool_take(struct spool *spool, struct spool_take *take, spool_done *done);
void spool_settle(struct spool *spool, struct spool_settle *settle, spool_done *done);
void spool_adopt(struct spool *spool, struct spool_adopt *adopt, spool_done *done);
/* Rows that were set apart are tried once more. */
void spool_retry_apart(struct spool *spool);

int spool_fd(const struct spool *spool);
void spool_complete(struct spool *spool);

struct spool_state {
    bool usable;    /* the file is open, and the last write did not fail */
    size_t pending; /* rows on the disk that are not set apart */
    size_t apart;
    int64_t bytes;     /* of all of them */
    size_t operations; /* that were not called back yet */
};
struct spool_state spool_state(struct spool *spool);

#endif
