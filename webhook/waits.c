#include "waits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/mem.h"

#define TICK_US (TIME_SECOND / 20)
#define LOOK_US (LIMIT_WAIT_LOOK_MS * INT64_C(1000))
/* A wait that is pushed out has its client ask again at once: three open boards of one user must
 * not spin. */
#define LEAST_US (LIMIT_WAIT_LEAST_MS * INT64_C(1000))

enum wait_state {
    WAIT_SLEEPING, /* until look_at */
    WAIT_LOOKING,  /* its owner reads */
    WAIT_TOLD,     /* WAIT_OVER was said: nothing more is */
    WAIT_ENDED,    /* left behind for the sweep */
};

struct wait {
    TAILQ_ENTRY(wait) link;
    struct waits *waits;
    enum wait_state state;
    char user[LIMIT_MIRO_ID + 1];
    bool parting; /* pushed out by a newer one of its user, as soon as it is LEAST_US old */
    int64_t began, ends_at, look_at;
    wait_callback *callback;
    void *arg;
};
TAILQ_HEAD(wait_list, wait);

struct waits {
    struct wait_list list; /* in the order in which they began */
    struct loop_timer *timer;
    size_t count; /* without those that ended */
    unsigned walking;
    bool closed, ticking;
};

/* Frees those that ended, unless somebody walks the list. */
static void waits_sweep(struct waits *waits)
{
    struct wait *next;
    if (waits->walking > 0)
        return;
    for (struct wait *wait = TAILQ_FIRST(&waits->list); wait; wait = next) {
        next = TAILQ_NEXT(wait, link);
        if (wait->state == WAIT_ENDED) {
            TAILQ_REMOVE(&waits->list, wait, link);
            free(wait);
        }
    }
}

/* Says once that it is over. */
static void wait_tell_over(struct wait *wait)
{
    if (wait->state == WAIT_TOLD || wait->state == WAIT_ENDED)
        return;
    wait->state = WAIT_TOLD;
    wait->callback(WAIT_OVER, wait->arg);
}

/* One turn of all waits: callbacks may end any of them, which only marks them. */
static void waits_tick(void *arg)
{
    struct waits *waits = arg;
    int64_t now = clock_monotonic();
    struct wait *wait;

    waits->walking++;
    TAILQ_FOREACH(wait, &waits->list, link)
    {
        if (now >= wait->ends_at || waits->closed) {
            wait_tell_over(wait);
        } else if (wait->state == WAIT_SLEEPING && now >= wait->look_at) {
            wait->state = WAIT_LOOKING;
            wait->callback(WAIT_LOOK, wait->arg);
        }
    }
    waits->walking--;
    waits_sweep(waits);
    waits->ticking = !TAILQ_EMPTY(&waits->list);
    if (waits->ticking)
        loop_timer_set(waits->timer, TICK_US, true);
}

struct waits *waits_new(struct loop *loop)
{
    struct waits *waits = xcalloc(1, sizeof(*waits));
    TAILQ_INIT(&waits->list);
    waits->timer = loop_timer_new(loop, waits_tick, waits);
    return waits;
}

void waits_free(struct waits *waits)
{
    if (!waits)
        return;
    waits_sweep(waits);
    if (!TAILQ_EMPTY(&waits->list))
        die("waits: freed while somebody waits");
    loop_timer_free(waits->timer);
    free(waits);
}

size_t waits_count(const struct waits *waits)
{
    return waits->count;
}

void waits_close(struct waits *waits)
{
    waits->closed = true;
    waits_tick(waits);
}

/* Ends a wait that has lasted; a younger one as soon as it has. */
static void wait_part(struct waits *waits, struct wait *wait)
{
    int64_t lasts_until = wait->began + LEAST_US;
    wait->parting = true;
    if (clock_monotonic() < lasts_until) {
        if (wait->ends_at > lasts_until)
            wait->ends_at = lasts_until;
        return;
    }
    waits->walking++;
    wait_tell_over(wait);
    waits->walking--;
}

/* Makes room for one more wait of a user by ending the oldest. */
static void waits_push_out(struct waits *waits, const char *user)
{
    struct wait *wait, *oldest = NULL;
    size_t standing = 0;
    TAILQ_FOREACH(wait, &waits->list, link)
    {
        if (wait->state == WAIT_TOLD || wait->state == WAIT_ENDED || wait->parting ||
            strcmp(wait->user, user) != 0)
            continue;
        if (!oldest)
            oldest = wait;
        standing++;
    }
    if (standing >= LIMIT_WAITS_PER_USER)
        wait_part(waits, oldest);
}

struct wait *wait_begin(struct waits *waits, const char *user, int64_t ends_at,
                        wait_callback *callback, void *arg)
{
    if (waits->closed)
        return NULL;
    waits_push_out(waits, user);
    waits_sweep(waits);
    if (waits->count >= LIMIT_WAITS)
        return NULL;
    struct wait *wait = xcalloc(1, sizeof(*wait));
    wait->waits = waits;
    wait->state = WAIT_LOOKING;
    wait->began = clock_monotonic();
    wait->ends_at = ends_at;
    wait->callback = callback;
    wait->arg = arg;
    strncpy(wait->user, user, sizeof(wait->user) - 1);
    TAILQ_INSERT_TAIL(&waits->list, wait, link);
    waits->count++;
    if (!waits->ticking)
        loop_timer_set(waits->timer, TICK_US, true);
    waits->ticking = true;
    return wait;
}

/* Spread over half to the whole of the interval, so that waits that began together drift apart. */
static int64_t wait_jitter(void)
{
    uint32_t random;
    digest_random(&random, sizeof(random));
    return LOOK_US / 2 + (int64_t)(random % (uint32_t)(LOOK_US / 2));
}

void wait_sleep(struct wait *wait, int64_t at)
{
    int64_t look_at = clock_monotonic() + wait_jitter();
    if (wait->state != WAIT_LOOKING)
        return;
    wait->look_at = at != TIME_NONE && at < look_at ? at : look_at;
    wait->state = WAIT_SLEEPING;
}

void wait_end(struct wait *wait)
{
    wait->state = WAIT_ENDED;
    wait->waits->count--;
    waits_sweep(wait->waits);
}
