/*
 * One claimed token's way to its successor: Miro is asked, and what it gives is stored, again and
 * again if the database is away, because Miro gives it only once. What it refuses is marked, but
 * only for a fault of the token's: neither a wrong client secret of ours nor a stranger's page
 * marks any.
 */
#ifndef WORKER_REFRESH_H
#define WORKER_REFRESH_H

#include "store/tokens.h"
#include "worker.h"

enum refresh_outcome {
    REFRESH_DONE,
    REFRESH_REFUSED,    /* by Miro, and marked */
    REFRESH_LATER,      /* the pair is as it was */
    REFRESH_SPENT,      /* the answer cannot be used: the pair is likely dead, but not marked */
    REFRESH_SUPERSEDED, /* the row has another pair by now */
};
struct refresh_result {
    enum refresh_outcome outcome;
    const char *access;    /* REFRESH_DONE: the new access token, of the next generation */
    int64_t due_at;        /* REFRESH_LATER, REFRESH_SPENT: when it is due again */
    enum db_result result; /* not DB_OK: the outcome could not be written */
};
typedef void refresh_done(const struct refresh_result *result, void *arg);

/* Takes the row. Calls back exactly once, on the loop; or at once, if no call can be made now. */
void refresh_begin(struct worker *worker, const struct settings_miro *app, struct token_row *row,
                   refresh_done *done, void *arg);

/* How long (microseconds) no token of an app is to be refreshed, because none would be; 0: now. */
int64_t refresh_paused(const struct worker *worker, const struct settings_miro *app);
/* Whether Miro has accepted the app's secret: until then one token at a time is tried. */
bool refresh_proven(const struct worker *worker, const struct settings_miro *app);
/* When to try again what failed `attempts` times: not before Miro's own word (-1: none), nor later
 * than in a day. */
int64_t refresh_again_at(uint32_t attempts, int64_t retry_after_us);

#endif
