/* What grows by itself and is of no use after a while, and what a clock that was wrong left behind.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/claims.h"
#include "store/feed.h"
#include "store/inbox.h"
#include "worker.h"

#define AGAIN TIME_MINUTE

/* Nobody waits until a time that only a clock that was ahead knew. *more says that there may be
 * others. */
static enum db_result set_clock_right(struct worker *worker, bool *more)
{
    enum db_result result = DB_OK;

    for (size_t i = 0; i < worker->settings->source_count && result == DB_OK; i++) {
        const char *name = worker->settings->sources[i].name;
        size_t count = 0;

        result = inbox_set_clock_right(worker->db, source_map_id(worker->sources, name),
                                       clock_now(), &count);
        if (count > 0)
            log_warn("housekeeping", "times_ahead", LOG_S("source", name),
                     LOG_I("deliveries", count));
        *more = *more || count >= LIMIT_CLOCK_JUMP_ROWS;
    }
    return result;
}

enum db_result housekeeping_round(struct worker *worker, struct round *round)
{
    bool more = false;
    size_t purged = 0;
    enum db_result result;

    (void)round;
    if (clock_monotonic() < worker->housekeeping_at)
        return DB_OK;
    result = set_clock_right(worker, &more);
    if (result == DB_OK)
        result = feed_purge(worker->db, &purged);
    if (result == DB_OK)
        result = claims_purge(worker->db, clock_now());
    if (result != DB_OK)
        return result;
    if (purged < LIMIT_FEED_PURGE_ROWS && !more)
        worker->housekeeping_at = clock_monotonic() + AGAIN;
    if (purged > 0)
        log_debug("housekeeping", "feed_purged", LOG_I("rows", purged));
    return DB_OK;
}
