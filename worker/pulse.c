#include "pulse.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/notify.h"

struct pulse {
    struct loop_timer *timer;
    int64_t watchdog_us, beat_at; /* monotonic */
};

/* The loop turns in every wait, also in one for a database that does not come back: so that alone
 * says nothing. */
static void pulse_tick(void *arg)
{
    struct pulse *pulse = arg;

    if (clock_monotonic() - pulse->beat_at < pulse->watchdog_us / 2)
        notify_alive();
}

struct pulse *pulse_new(struct loop *loop)
{
    struct pulse *pulse = xcalloc(1, sizeof(*pulse));

    pulse->watchdog_us = notify_watchdog_us();
    pulse->beat_at = clock_monotonic();
    pulse->timer = loop_timer_new(loop, pulse_tick, pulse);
    if (pulse->watchdog_us > 0)
        loop_timer_set(pulse->timer, pulse->watchdog_us / 4, false);
    return pulse;
}

void pulse_free(struct pulse *pulse)
{
    if (pulse == NULL)
        return;
    loop_timer_free(pulse->timer);
    free(pulse);
}

void pulse_beat(struct pulse *pulse)
{
    if (pulse != NULL)
        pulse->beat_at = clock_monotonic();
}
