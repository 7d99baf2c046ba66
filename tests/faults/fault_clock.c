/*
 * A wall clock that jumps: whoever asks for the time of day is told one that is off by as many
 * microseconds as the test says. Time that only passes goes on as ever. A wait until a time of day
 * ends when that clock says so, as the kernel's does after somebody set it.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>

#include "fault.h"

#define MICROS 1000000
#define SLICE_NS 20000000 /* of such a wait, between two looks at the clock */

static void shift(struct timespec *time, int64_t micros)
{
    int64_t nanos = time->tv_nsec + micros % MICROS * 1000;

    time->tv_sec += micros / MICROS;
    time->tv_sec += nanos < 0 ? -1 : nanos / (1000 * MICROS);
    time->tv_nsec = (nanos + 1000 * MICROS) % (1000 * MICROS);
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int (*next)(clockid_t, struct timespec *) = fault_next("clock_gettime");
    int result = next(id, out);

    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        atomic_fetch_add(&fault_control()->calls, 1);
        shift(out, atomic_load(&fault_control()->value));
    }
    return result;
}

/* The C library declares that `out` is there. */
int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return (time_t)-1;
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
