#include "waits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/mem.h"

#define LOOK_US (LIMIT_WAIT_LOOK_MS * INT64_C(1000))
#define LOOKS_STEP (TIME_SECOND / LIMIT_WAIT_LOOKS_PER_S)
#define WAKE_STEP (TIME_SECOND / LIMIT_WAIT_WAKES_PER_S)
/* A wait that is pushed out has its client ask again at once: three open boards of one user must
 * not spin. */
#define LEAST_US (LIMIT_WAIT_LEAST_MS * INT64_C(1000))
#define BUCKETS 4096

enum wait_state {
    WAIT_SLEEPING, /* until `due`, which is never later than ends_at */
    WAIT_LOOKING,  /* its owner reads; due at ends_at */
    WAIT_TOLD,     /* WAIT_OVER was said: nothing more is */
};

struct wait {
    LIST_ENTRY(wait) beside; /* of its user's bucket */
    struct waits *waits;
    struct stander stander;
    enum wait_state state;
    char user[LIMIT_MIRO_ID + 1];
    bool parting; /* pushed out by a newer one of its user, as soon as it is LEAST_US old */
    size_t place; /* in the heap, unless it was told */
    int64_t began, ends_at, due;
    wait_callback *callback;
    void *arg;
};
LIST_HEAD(wait_list, wait);

struct waits {
    struct subjects *subjects;
    struct loop_timer *timer;
    size_t count;     /* in all */
    size_t due_count; /* in the heap */
    int64_t next_wake;
    int64_t timer_at; /* TIME_NONE: not set */
    bool closed;
    struct wait *heap[LIMIT_WAITS]; /* the one that is due first at the top */
    struct wait_list users[BUCKETS];
};

/* --- when ---------------------------------------------------------------------------------- */

static void heap_put(struct waits *waits, size_t place, struct wait *wait)
{
    waits->heap[place] = wait;
    wait->place = place;
}

/* Moves a wait to where its time belongs. */
static void heap_settle(struct waits *waits, struct wait *wait)
{
    size_t at = wait->place;

    while (at > 0 && waits->heap[(at - 1) / 2]->due > wait->due) {
        heap_put(waits, at, waits->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t least = 2 * at + 1;

        if (least + 1 < waits->due_count && waits->heap[least + 1]->due < waits->heap[least]->due)
            least++;
        if (least >= waits->due_count || waits->heap[least]->due >= wait->due)
            break;
        heap_put(waits, at, waits->heap[least]);
        at = least;
    }
    heap_put(waits, at, wait);
}

static void heap_add(struct waits *waits, struct wait *wait)
{
    wait->place = waits->due_count++;
    heap_settle(waits, wait);
}

static void heap_remove(struct waits *waits, const struct wait *wait)
{
    struct wait *last = waits->heap[--waits->due_count];

    if (last == wait)
        return;
    heap_put(waits, wait->place, last);
    heap_settle(waits, last);
}

/* Sets the timer to the first that is due, unless it comes no later already. */
static void waits_arm(struct waits *waits)
{
    int64_t now, due;

    if (waits->due_count == 0)
        return;
    due = waits->heap[0]->due;
    if (waits->timer_at != TIME_NONE && waits->timer_at <= due)
        return;
    now = clock_monotonic();
    waits->timer_at = due > now ? due : now;
    loop_timer_set(waits->timer, waits->timer_at - now, true);
}

/* Gives a wait another time, and never one beyond its end. */
static void wait_due(struct wait *wait, int64_t due)
{
    wait->due = due < wait->ends_at ? due : wait->ends_at;
    heap_settle(wait->waits, wait);
    waits_arm(wait->waits);
}

/* Says once that it is over. It may be freed when this returns. */
static void wait_tell_over(struct wait *wait)
{
    if (wait->state == WAIT_TOLD)
        return;
    wait->state = WAIT_TOLD;
    heap_remove(wait->waits, wait);
    subjects_leave(wait->waits->subjects, &wait->stander);
    wait->callback(WAIT_OVER, wait->arg);
}

/* Lets a wait look. It may be freed when this returns. */
static void wait_tell_look(struct wait *wait)
{
    wait->state = WAIT_LOOKING;
    wait_due(wait, wait->ends_at);
    subjects_leave(wait->waits->subjects, &wait->stander);
    wait->callback(WAIT_LOOK, wait->arg);
}

/* All that is due. Who is told is due later or not at all, so it comes to an end. */
static void waits_tick(void *arg)
{
    struct waits *waits = arg;
    int64_t now = clock_monotonic();

    waits->timer_at = TIME_NONE;
    while (waits->due_count > 0 && waits->heap[0]->due <= now) {
        struct wait *wait = waits->heap[0];

        if (wait->state == WAIT_LOOKING || now >= wait->ends_at)
            wait_tell_over(wait);
        else
            wait_tell_look(wait);
    }
    waits_arm(waits);
}

/* --- who ----------------------------------------------------------------------------------- */

struct waits *waits_new(struct loop *loop, struct subjects *subjects)
{
    struct waits *waits = xcalloc(1, sizeof(*waits));
    waits->subjects = subjects;
    waits->timer_at = TIME_NONE;
    waits->timer = loop_timer_new(loop, waits_tick, waits);
    return waits;
}

void waits_free(struct waits *waits)
{
    if (!waits)
        return;
    if (waits->count > 0)
        die("waits: freed while somebody waits");
    loop_timer_free(waits->timer);
    free(waits);
}

size_t waits_count(const struct waits *waits)
{
    return waits->count;
}

void waits_end(struct waits *waits)
{
    while (waits->due_count > 0)
        wait_tell_over(waits->heap[0]);
}

void waits_close(struct waits *waits)
{
    waits->closed = true;
    waits_end(waits);
}

/* The users' ids come out of verified tokens: nobody picks them freely. */
static struct wait_list *bucket_of(struct waits *waits, const char *user)
{
    uint32_t hash = 2166136261u;
    for (const char *at = user; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return &waits->users[(hash ^ hash >> 16) % BUCKETS];
}

/* Ends a wait that has lasted; a younger one as soon as it has. */
static void wait_part(struct wait *wait)
{
    int64_t lasts_until = wait->began + LEAST_US;

    wait->parting = true;
    if (clock_monotonic() >= lasts_until) {
        wait_tell_over(wait);
        return;
    }
    if (wait->ends_at > lasts_until)
        wait->ends_at = lasts_until;
    wait_due(wait, wait->due);
}

/* Makes room for one more wait of a user by ending the oldest; false if too many of them part. */
static bool waits_push_out(struct waits *waits, const char *user)
{
    struct wait *wait, *oldest = NULL;
    size_t standing = 0, parting = 0;
    LIST_FOREACH(wait, bucket_of(waits, user), beside)
    {
        if (wait->state == WAIT_TOLD || strcmp(wait->user, user) != 0)
            continue;
        if (wait->parting) {
            if (++parting >= LIMIT_WAITS_PARTING)
                return false;
            continue;
        }
        oldest = wait; /* the youngest stands first */
        standing++;
    }
    if (standing >= LIMIT_WAITS_PER_USER)
        wait_part(oldest);
    return true;
}

/* A subject that its answer stands on was touched: it looks, in its turn where many are woken. */
static void wait_touched(struct stander *stander)
{
    struct wait *wait = (struct wait *)(void *)((char *)stander - offsetof(struct wait, stander));
    struct waits *waits = wait->waits;
    int64_t now = clock_monotonic();

    if (wait->state != WAIT_SLEEPING)
        return;
    if (waits->next_wake < now)
        waits->next_wake = now;
    if (wait->due > waits->next_wake)
        wait_due(wait, waits->next_wake);
    waits->next_wake += WAKE_STEP;
}

struct wait *wait_begin(struct waits *waits, const char *user, int64_t ends_at,
                        wait_callback *callback, void *arg)
{
    if (waits->closed)
        return NULL;
    if (!waits_push_out(waits, user) || waits->count >= LIMIT_WAITS)
        return NULL;
    struct wait *wait = xcalloc(1, sizeof(*wait));
    wait->waits = waits;
    wait->state = WAIT_LOOKING;
    wait->began = clock_monotonic();
    wait->ends_at = wait->due = ends_at;
    wait->stander.touched = wait_touched;
    wait->callback = callback;
    wait->arg = arg;
    strncpy(wait->user, user, sizeof(wait->user) - 1);
    LIST_INSERT_HEAD(bucket_of(waits, user), wait, beside);
    waits->count++;
    heap_add(waits, wait);
    waits_arm(waits);
    return wait;
}

struct stander *wait_stander(struct wait *wait)
{
    return &wait->stander;
}

/* When one that looks for itself does: after half to the whole of an interval, so that waits that
 * began together drift apart. The more there are, the longer it is. */
static int64_t wait_look_at(const struct waits *waits)
{
    int64_t interval = LOOK_US + (int64_t)waits->count * LOOKS_STEP;
    uint32_t random;

    digest_random(&random, sizeof(random));
    return clock_monotonic() + interval / 2 + (int64_t)random % (interval / 2);
}

void wait_sleep(struct wait *wait, int64_t at)
{
    int64_t due = wait->ends_at;

    if (wait->state != WAIT_LOOKING)
        return;
    wait->state = WAIT_SLEEPING;
    if (!wait->stander.stands)
        due = wait_look_at(wait->waits);
    wait_due(wait, at != TIME_NONE && at < due ? at : due);
}

void waits_doubt(struct waits *waits)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct wait *wait;
        LIST_FOREACH(wait, &waits->users[i], beside)
        {
            int64_t look_at;

            if (wait->state != WAIT_SLEEPING || !wait->stander.stands)
                continue;
            subjects_leave(waits->subjects, &wait->stander);
            look_at = wait_look_at(waits);
            if (look_at < wait->due)
                wait_due(wait, look_at);
        }
    }
}

void wait_end(struct wait *wait)
{
    struct waits *waits = wait->waits;

    if (wait->state != WAIT_TOLD)
        heap_remove(waits, wait);
    subjects_leave(waits->subjects, &wait->stander);
    LIST_REMOVE(wait, beside);
    waits->count--;
    free(wait);
}
