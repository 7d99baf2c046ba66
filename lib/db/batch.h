/*
 * The batch executor: a few connections, each on its own thread. What queued up while a statement
 * ran goes into the next one, up to a bound, so that requests share a commit. Submitting and
 * completing happen on the loop's thread; `run` on an executor thread.
 *
 * The executor knows nothing of the loop: the loop watches batch_fd() for reading and calls
 * batch_complete().
 */
#ifndef DB_BATCH_H
#define DB_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

struct batch;

/* One kind of operation that can share statements. The table is static; `run` sees the arguments of
 * between 1 and `most` operations, in the order they were submitted, and answers for all of them.
 * It leaves what each one wants to know in the operation itself, and sets it anew each time that it
 * is run: DB_RETRY repeats it whole, and if several together give DB_FAILED or DB_DUPLICATE, each
 * is run by itself, so that one bad operation fails alone. */
struct batch_kind {
    const char *name;
    size_t most;
    /*
     * Batches of this kind that may be under way at a time; 0: as many as there are connections.
     * More of them would share fewer rows each, and wait for more commits.
     */
    size_t parallel;
    /*
     * While one is under way for no longer than this, none other begins, but gathers: so as a rule
     * there is one at a time. Whoever comes when it hangs, at a row's lock perhaps, is not held up
     * by it.
     */
    int64_t gather_us;
    enum db_result (*run)(struct db *db, void **operations, size_t count, void *context);
    /*
     * Running it a second time is harmless even if the first one was committed: reads, and inserts
     * under a unique key. After DB_GONE it is run once more, on a fresh connection.
     */
    bool repeatable;
};

/* On the loop's thread. The operation belongs to the submitter again. */
typedef void batch_done(void *operation, enum db_result result);

struct batch *batch_new(const struct db_target *target, size_t connections,
                        const struct batch_kind *const *kinds, size_t kind_count, void *context);
/* Runs what is queued for at most LIMIT_BATCH_DRAIN_S, completes the rest with DB_GONE, and joins
 * the threads; calls back what batch_complete() would have. Not from within a batch_done. */
void batch_free(struct batch *batch);

/* False at once if the queue of that kind holds LIMIT_BATCH_QUEUE operations: answer 503. */
bool batch_submit(struct batch *batch, const struct batch_kind *kind, void *operation,
                  batch_done *done) __attribute__((warn_unused_result));
int batch_fd(const struct batch *batch);
void batch_complete(struct batch *batch);
/* Cuts the connection of every statement that has been under way for longer, as one whose server
 * went without a word: it gives DB_GONE, and a repeatable kind is run again on a fresh connection.
 */
void batch_hurry(struct batch *batch, int64_t longer_than_us);
/* The database is away, and nobody waits for it any more: batch_free() will not. */
void batch_abandon(struct batch *batch);
/* Operations submitted and not yet completed. */
size_t batch_pending(const struct batch *batch);

#endif
