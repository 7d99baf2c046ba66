/*
 * One file of the spool, held by this process alone. Journal: a write-ahead log, with
 * synchronous=FULL. A commit is then one fsync of the log, before it is told; with a rollback
 * journal it would be the journal's unlinking, which FULL does not sync, so that a power cut could
 * bring the journal, and with it the time before the commit, back. What of a log a power cut leaves
 * half written does not match its checksums, and was told nobody.
 *
 * 0, or -1 with spool_file_fault() and a sentence in spool_file_error().
 */
#ifndef SPOOL_SPOOL_FILE_H
#define SPOOL_SPOOL_FILE_H

#include "spool/spool.h"

struct spool_file;

enum spool_fault {
    FILE_SOUND,
    FILE_HELD,    /* by another process, or of a newer release: leave it alone */
    FILE_FULL,    /* the disk */
    FILE_FAILED,  /* not to be read or written: try again later */
    FILE_LOST,    /* it was moved or deleted under us: open another one */
    FILE_DAMAGED, /* not a spool any more: set it aside, for a person */
};

struct spool_totals {
    size_t pending, apart;
    int64_t bytes;
};

/* NULL with the fault, and a sentence in `why`. Blocks on the disk, as all below. */
struct spool_file *spool_file_open(const char *path, bool create, enum spool_fault *fault,
                                   struct buf *why) __attribute__((warn_unused_result));
void spool_file_close(struct spool_file *file);
enum spool_fault spool_file_fault(const struct spool_file *file); /* of the last call that failed */
const char *spool_file_error(const struct spool_file *file);
/* Counts what the transaction under way did. */
const struct spool_totals *spool_file_totals(const struct spool_file *file);
int64_t spool_row_bytes(const struct spool_row *row); /* as they are counted */

int spool_file_begin(struct spool_file *file) __attribute__((warn_unused_result));
int spool_file_commit(struct spool_file *file) __attribute__((warn_unused_result));
void spool_file_rollback(struct spool_file *file);

/* *added is false if it was there already. */
int spool_file_add(struct spool_file *file, const struct spool_row *row, bool *added)
    __attribute__((warn_unused_result));
/* With `apart`, those too. The rows are the caller's, their `sealed` to be freed. */
int spool_file_read(struct spool_file *file, bool apart, struct spool_take *take)
    __attribute__((warn_unused_result));
int spool_file_remove(struct spool_file *file, int64_t id) __attribute__((warn_unused_result));
int spool_file_set_apart(struct spool_file *file, int64_t id, const char *why)
    __attribute__((warn_unused_result));
int spool_file_retry_apart(struct spool_file *file) __attribute__((warn_unused_result));
/* Gives the disk back what an empty file does not need; outside of a transaction. */
void spool_file_shrink(struct spool_file *file);

#endif
