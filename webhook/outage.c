#include "outage.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "deliveries.h"
#include "drain.h"
#include "front.h"

struct outage {
    struct front *front;
    bool on;
    unsigned goods; /* in a row */
    int64_t began_at;
};

struct outage *outage_new(struct front *front)
{
    struct outage *outage = xcalloc(1, sizeof(*outage));
    outage->front = front;
    return outage;
}

void outage_free(struct outage *outage)
{
    free(outage);
}

bool outage_on(const struct outage *outage)
{
    return outage->on || !outage->front->engine;
}

void outage_begin(struct outage *outage, const char *why)
{
    struct front *front = outage->front;

    outage->goods = 0;
    if (outage->on)
        return;
    outage->on = true;
    outage->began_at = clock_monotonic();
    log_warn("outage", "begun", LOG_S("why", why));
    deliveries_divert(front->deliveries);
    drain_wake(front->drain);
}

/* What still hangs was asked of a server that may be gone: others must not wait behind it. */
void outage_good(struct outage *outage, int64_t elapsed_us)
{
    struct front *front = outage->front;

    if (!outage->on)
        return;
    outage->goods = elapsed_us < LIMIT_OUTAGE_GOOD_MS * INT64_C(1000) ? outage->goods + 1 : 0;
    if (outage->goods < LIMIT_OUTAGE_GOODS)
        return;
    outage->on = false;
    log_info("outage", "over",
             LOG_I("seconds", (clock_monotonic() - outage->began_at) / TIME_SECOND),
             LOG_I("spooled", spool_state(front->spool).pending));
    if (front->engine)
        engine_hurry(front->engine);
    probe_look(front->probe);
}
