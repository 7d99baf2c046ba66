/*
 * Jobs: leased deliveries, read into facts, on their way to an outcome.
 */
#ifndef WORKER_JOB_H
#define WORKER_JOB_H

#include <pthread.h>

#include "base/facts.h"
#include "store/inbox.h"
#include "worker.h"

struct job {
    struct inbox_item item;               /* its body is gone once it is read */
    const struct settings_source *source; /* NULL: not configured */
    struct facts facts;
    size_t group; /* which of the batch's it is in; 0: asks for nothing */
    struct inbox_outcome outcome;
};

/* What they come to, unless something else is heard of them. */
void job_set_aside(struct job *job, enum set_aside reason, const char *detail);
/* Later, with growing pauses; in the end it is set aside, where it is seen and can be replayed. */
void job_retry(struct job *job, const char *detail, int64_t not_before_us);
/* Nothing was tried: a little later, and no attempt is counted. */
void job_postpone(struct job *job, const char *detail, int64_t delay);
/* One line a delivery attempt. */
void job_log(const struct worker *worker, const struct job *job);

/* Leased together. */
struct jobs {
    struct job *items; /* owned */
    size_t count;
    bool full; /* there may be as many more */
};
/* Leases, opens and reads what is due, but for what would have to ask a shop that is waited for. */
enum db_result jobs_lease(struct worker *worker, struct jobs *out)
    __attribute__((warn_unused_result));
void jobs_free(struct jobs *jobs); /* their leases stay: inbox_finish(), inbox_release() */

/*
 * The same on a thread and a connection of its own, while the jobs before are merged; only what is
 * fresh, for what may end this program is leased alone. Between the two calls the settings, vault
 * and sources of the worker stay as they are, and it leases nothing else.
 */
struct ahead {
    pthread_t thread;
    bool begun;
    const struct worker *worker;
    struct inbox_want want;
    uint32_t few[LIMIT_SOURCES];
    struct jobs jobs;
    enum db_result result;
};
void ahead_begin(struct ahead *ahead, const struct worker *worker);
/* Waits for them; none if it was not begun. */
enum db_result ahead_take(struct ahead *ahead, struct jobs *out)
    __attribute__((warn_unused_result));

#endif
