/* What grows by itself and is of no use after a while. */
#include "base/clock.h"
#include "base/log.h"
#include "store/feed.h"
#include "worker.h"

#define AGAIN TIME_MINUTE

enum db_result housekeeping_round(struct worker *worker, struct round *round)
{
    size_t purged = 0;
    enum db_result result;

    (void)round;
    if (clock_monotonic() < worker->housekeeping_at)
        return DB_OK;
    result = feed_purge(worker->db, &purged);
    if (result != DB_OK)
        return result;
    if (purged < LIMIT_FEED_PURGE_ROWS)
        worker->housekeeping_at = clock_monotonic() + AGAIN;
    if (purged > 0)
        log_debug("housekeeping", "feed_purged", LOG_I("rows", purged));
    return DB_OK;
}
