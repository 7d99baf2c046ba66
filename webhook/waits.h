/*
 * Checks that wait for news: who waits, until when, and when each looks again. One timer serves
 * all. A wait holds no thread of the database: each look is an operation of the batch executor.
 */
#ifndef WEBHOOK_WAITS_H
#define WEBHOOK_WAITS_H

#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct waits;
struct wait;

enum wait_turn {
    WAIT_LOOK, /* read again; then wait_sleep(), or wait_end() */
    WAIT_OVER, /* its time is up, it was pushed out, or the program stops: answer, and wait_end() */
};
typedef void wait_callback(enum wait_turn turn, void *arg);

struct waits *waits_new(struct loop *loop);
void waits_free(struct waits *waits); /* when nobody waits any more */
size_t waits_count(const struct waits *waits);
/* Tells everybody that it is over, and lets nobody begin any more. */
void waits_close(struct waits *waits);

/*
 * Begins a wait until `ends_at` (monotonic). A user's third pushes out the oldest. NULL if
 * LIMIT_WAITS wait already or the waits are closed: answer at once.
 */
struct wait *wait_begin(struct waits *waits, const char *user, int64_t ends_at,
                        wait_callback *callback, void *arg);
/* Asks to look again within LIMIT_WAIT_LOOK_MS, or at `at` (monotonic) if that is sooner. */
void wait_sleep(struct wait *wait, int64_t at);
/* Allowed at any time, also from within the callback. */
void wait_end(struct wait *wait);

#endif
