/*
 * Checks that wait for news: who waits, until when, and when each looks again. One timer serves
 * all. A wait holds no thread of the database. It sleeps until a subject that its answer stands on
 * is touched; one that cannot rely on that looks now and then.
 */
#ifndef WEBHOOK_WAITS_H
#define WEBHOOK_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"
#include "subjects.h"

struct waits;
struct wait;

enum wait_turn {
    WAIT_LOOK, /* read again; then wait_sleep(), or wait_end() */
    WAIT_OVER, /* its time is up, it was pushed out, or the program stops: answer, and wait_end() */
};
typedef void wait_callback(enum wait_turn turn, void *arg);

struct waits *waits_new(struct loop *loop, struct subjects *subjects);
void waits_free(struct waits *waits); /* when nobody waits any more */
size_t waits_count(const struct waits *waits);
/* Tells everybody that it is over. */
void waits_end(struct waits *waits);
/* The same, and lets nobody begin any more. */
void waits_close(struct waits *waits);
/* Nobody can rely on being told: all look for themselves, one after the other. */
void waits_doubt(struct waits *waits);

/*
 * Begins a wait until `ends_at` (monotonic). A user's third pushes out the oldest. NULL if
 * LIMIT_WAITS wait already or the waits are closed: answer at once.
 */
struct wait *wait_begin(struct waits *waits, const char *user, int64_t ends_at,
                        wait_callback *callback, void *arg);
/* To stand on the subjects of an answer with, before wait_sleep(). It stands on none after a look.
 */
struct stander *wait_stander(struct wait *wait);
/* Asks to look again at `at` (monotonic; or TIME_NONE), when a subject that it stands on is touched
 * or, if it stands on none, within a while. */
void wait_sleep(struct wait *wait, int64_t at);
/* Allowed at any time, also from within the callback. */
void wait_end(struct wait *wait);

#endif
