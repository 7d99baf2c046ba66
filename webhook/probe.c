#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "front.h"
#include "store/health.h"

#define AWAY_US (LIMIT_DELIVERY_INBOX_MS * INT64_C(1000))

struct probe {
    struct front *front;
    struct loop_timer *timer;
    struct health asked; /* the executor's while `looking` */
    bool looking;
    int64_t asked_at;   /* monotonic: `looking` began */
    struct health read; /* the last one that came back */
    int64_t read_at;    /* monotonic; TIME_NONE before the first */
    char *away;         /* or NULL */
    bool was_ready;
};

/* Logs the moments at which readiness comes and goes. */
static void probe_note(struct probe *probe)
{
    struct buf why = {0};
    bool ready = probe_ready(probe, &why);
    if (ready && !probe->was_ready)
        log_info("probe", "ready", LOG_I("schema", probe->read.schema_version));
    if (!ready && probe->was_ready)
        log_warn("probe", "not_ready", LOG_S("why", why.data));
    probe->was_ready = ready;
    buf_free(&why);
}

/* Keeps a reading; a read that failed makes the last one stand until it is too old. */
static void probe_looked(void *operation, enum db_result result)
{
    struct probe *probe = OWNER_OF(operation, struct probe, asked);
    probe->looking = false;
    if (result == DB_OK) {
        health_free(&probe->read);
        probe->read = probe->asked;
        probe->read_at = clock_monotonic();
        probe_away(probe, NULL);
    } else {
        health_free(&probe->asked);
        if (result == DB_GONE)
            outage_begin(probe->front->outage, "the database cannot be reached");
        probe_away(probe, result == DB_GONE ? "the database cannot be reached"
                                            : "the database refused to be read: see the log");
    }
    memset(&probe->asked, 0, sizeof(probe->asked));
    probe_note(probe);
}

void probe_look(struct probe *probe)
{
    int64_t now = clock_monotonic();

    loop_timer_set(probe->timer, LIMIT_PROBE_MS * INT64_C(1000), true);
    if (!probe->looking && probe->front->engine) {
        probe->looking = front_submit(probe->front, &health_batch, &probe->asked, probe_looked);
        probe->asked_at = now;
    } else if (probe->looking && now - probe->asked_at > AWAY_US) {
        outage_begin(probe->front->outage, "the database does not answer");
    }
    probe_note(probe);
}

/* The timer's callback. */
static void probe_tick(void *arg)
{
    probe_look(arg);
}

struct probe *probe_new(struct front *front)
{
    struct probe *probe = xcalloc(1, sizeof(*probe));
    probe->front = front;
    probe->read_at = TIME_NONE;
    probe->timer = loop_timer_new(front->loop, probe_tick, probe);
    return probe;
}

void probe_free(struct probe *probe)
{
    if (!probe)
        return;
    loop_timer_free(probe->timer);
    health_free(&probe->asked);
    health_free(&probe->read);
    free(probe->away);
    free(probe);
}

void probe_away(struct probe *probe, const char *why)
{
    xfree(probe->away);
    probe->away = why ? xstrdup(why) : NULL;
}

int64_t probe_looks_since(const struct probe *probe)
{
    return probe->looking ? probe->asked_at : TIME_NONE;
}

/* Whether the database can be served from. */
static bool probe_database(const struct probe *probe, struct buf *why)
{
    int64_t age = probe->read_at == TIME_NONE ? 0 : clock_monotonic() - probe->read_at;
    if (probe->away)
        buf_puts(why, probe->away);
    else if (probe->read_at == TIME_NONE)
        buf_puts(why, "the database was not read yet");
    else if (age > LIMIT_PROBE_AGE_MS * INT64_C(1000))
        buf_printf(why, "the database has not answered for %d seconds", (int)(age / TIME_SECOND));
    else if (!probe->read.ready)
        buf_puts(why, probe->read.why);
    else if (outage_on(probe->front->outage))
        buf_puts(why, "the database does not store in time");
    else
        return true;
    return false;
}

bool probe_ready(const struct probe *probe, struct buf *why)
{
    struct front *front = probe->front;
    if (front->draining) {
        buf_puts(why, "shutting down");
        return false;
    }
    if (probe_database(probe, why))
        return true;
    if (outage_on(front->outage))
        buf_puts(why,
                 spool_state(front->spool).usable
                     ? "; deliveries are spooled"
                     : "; deliveries are refused, because the spool cannot be used: see the log");
    return false;
}
