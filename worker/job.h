/*
 * Jobs: leased deliveries, read into facts, on their way to an outcome.
 */
#ifndef WORKER_JOB_H
#define WORKER_JOB_H

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
/*
 * Leases, opens and reads what is due, but for what would have to ask a shop that is waited for.
 * `fresh_only`: nothing that was tried before, for what may end this program is leased alone.
 */
enum db_result jobs_lease(struct worker *worker, bool fresh_only, struct jobs *out)
    __attribute__((warn_unused_result));
void jobs_free(struct jobs *jobs); /* their leases stay: inbox_finish(), inbox_release() */

#endif
