#include "pulse.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/notify.h"
#include "front.h"

#define PULSE_MOST_US (5 * TIME_SECOND)

struct pulse {
    struct front *front;
    struct loop_timer *timer;
    int64_t watchdog_us; /* 0: nobody waits for a sign of life */
};

/* The probe's reading goes through the executor like all else, every LIMIT_PROBE_MS. */
static bool pulse_moves(const struct pulse *pulse)
{
    int64_t since = probe_looks_since(pulse->front->probe);
    return since == TIME_NONE || clock_monotonic() - since < pulse->watchdog_us / 2;
}

/* One sentence for a person. */
static void pulse_describe(const struct front *front)
{
    size_t connections = http_server_connections(front->public_server);
    const char *refused = front->reload_refused ? "; the last reload was refused: see the log" : "";
    struct buf why = {0};

    if (front->draining)
        notify_status("drains: %zu connections left, %zu installs", connections,
                      front->install_count);
    else if (probe_ready(front->probe, &why))
        notify_status("serving %zu connections%s", connections, refused);
    else
        notify_status("not ready, %zu connections: %s%s", connections, why.data, refused);
    buf_free(&why);
}

static void pulse_tick(void *arg)
{
    struct pulse *pulse = arg;

    pulse_describe(pulse->front);
    if (pulse->watchdog_us > 0 && pulse_moves(pulse))
        notify_alive();
}

struct pulse *pulse_new(struct front *front)
{
    struct pulse *pulse = xcalloc(1, sizeof(*pulse));
    int64_t every;

    pulse->front = front;
    pulse->watchdog_us = notify_watchdog_us();
    pulse->timer = loop_timer_new(front->loop, pulse_tick, pulse);
    every = pulse->watchdog_us > 0 ? pulse->watchdog_us / 4 : PULSE_MOST_US;
    loop_timer_set(pulse->timer, every < PULSE_MOST_US ? every : PULSE_MOST_US, false);
    return pulse;
}

void pulse_free(struct pulse *pulse)
{
    if (!pulse)
        return;
    loop_timer_free(pulse->timer);
    free(pulse);
}
