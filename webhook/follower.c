#include "follower.h"

#include <stdlib.h>
#include <string.h>

#include "answer_cache.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "checks.h"
#include "front.h"
#include "store/feed.h"
#include "subjects.h"

#define MILLISECOND (TIME_SECOND / 1000)

struct follower {
    struct front *front;
    struct loop_timer *timer;
    struct feed_tail tail; /* not touched while `reading`: the executor reads it */
    struct feed_read read; /* the executor's while `reading` */
    bool reading;
    bool following;   /* as the tail, but the loop's own */
    bool adopted;     /* what is under way was asked of an engine that is retired */
    bool was_refused; /* so is the last beginning: logged once */
    int64_t began_at; /* of the reading under way, or the last one */
    int64_t came_at;  /* the last one that moved the tail came back */
    int64_t true_at;  /* it began; TIME_NONE: none did yet */
    int64_t needed_until;
    bool failed; /* the last one did */
    bool asleep; /* the next reading is far off, or there is none */
};

/* Whether somebody asks or waits. */
static bool follower_needed(const struct follower *follower, int64_t now)
{
    return now < follower->needed_until || waits_count(follower->front->waits) > 0;
}

/* The tail is not one to build on any more. */
static void follower_lose(struct follower *follower, enum feed_lost why)
{
    if (!follower->following && follower->was_refused)
        return;
    follower->following = false;
    follower->was_refused = true;
    metrics_feed_lost(follower->front->metrics, why);
    log_warn("feed", "lost", LOG_S("why", feed_lost_name(why)),
             LOG_I("kept", answer_cache_count(follower->front->answers)));
    subjects_follow(follower->front->subjects, false);
    answer_cache_doubt(follower->front->answers, follower->true_at);
    waits_doubt(follower->front->waits);
}

static enum feed_lost lost_by(enum feed_step step)
{
    static const enum feed_lost reasons[] = {
        [FEED_RESTART] = FEED_LOST_RESTART,
        [FEED_GONE] = FEED_LOST_ROW,
        [FEED_CROWDED] = FEED_LOST_CROWDED,
        [FEED_GAPS] = FEED_LOST_GAPS,
    };
    return reasons[step];
}

/* A reading that begins came back: reads of the database that are submitted from now on see all
 * that it saw, and can be kept. */
static void follower_begin(struct follower *follower)
{
    enum feed_step step = feed_tail_begin(&follower->tail, &follower->read);

    if (step != FEED_MOVED) {
        follower_lose(follower, lost_by(step));
        return;
    }
    follower->following = true;
    follower->was_refused = false;
    subjects_follow(follower->front->subjects, true);
    log_info("feed", "followed", LOG_I("top", follower->tail.top),
             LOG_I("gaps", follower->tail.gap_count));
}

/* A reading of what is new came back: whoever stands on it is told. */
static void follower_move(struct follower *follower)
{
    enum feed_step step =
        feed_tail_take(&follower->tail, &follower->read, follower->began_at - follower->came_at);
    if (step != FEED_MOVED) {
        follower_lose(follower, lost_by(step));
        return;
    }
    for (size_t i = 0; i < follower->read.count; i++)
        subjects_touch(follower->front->subjects, follower->read.rows[i].subject);
}

static void follower_tick(void *arg);

/* Sets the time of the next reading: at once if a check waits for it, soon while somebody asks,
 * else now and then, to keep up. A feed that cannot be followed is not asked for by nobody. */
static void follower_pause(struct follower *follower)
{
    int64_t pause = LIMIT_FEED_IDLE_MS * MILLISECOND;

    if (readings_hungry(follower->front->readings)) {
        follower_tick(follower);
        return;
    }
    follower->asleep = !follower_needed(follower, clock_monotonic());
    if (!follower->asleep)
        pause = follower->following ? LIMIT_FEED_PAUSE_MS * MILLISECOND : pause / 4;
    else if (!follower->following)
        return;
    loop_timer_set(follower->timer, pause, true);
}

static void follower_done(void *operation, enum db_result result)
{
    struct follower *follower = OWNER_OF(operation, struct follower, read);

    follower->reading = false;
    follower->failed = result != DB_OK;
    if (follower->adopted || result != DB_OK) {
        follower->tail.following = false;
        follower_lose(follower, follower->adopted ? FEED_LOST_RELOADED : FEED_LOST_DATABASE);
    } else {
        if (follower->tail.following)
            follower_move(follower);
        else
            follower_begin(follower);
        if (follower->following) {
            follower->true_at = follower->began_at;
            follower->came_at = clock_monotonic();
        }
    }
    follower->adopted = false;
    feed_read_free(&follower->read);
    /* What is not followed has nobody wait for it: they read the database. */
    readings_fed(follower->front->readings,
                 follower->following ? follower->true_at : clock_monotonic());
    follower_pause(follower);
}

/* The timer's callback: the next reading, unless the last is still under way; then whoever waits
 * may have to look for themselves. */
static void follower_tick(void *arg)
{
    struct follower *follower = arg;
    struct front *front = follower->front;

    if (front->draining)
        return;
    if (follower->reading) {
        if (clock_monotonic() - follower->began_at > LIMIT_FEED_SILENCE_MS * MILLISECOND)
            waits_doubt(front->waits);
    } else {
        follower->read.tail = &follower->tail;
        follower->began_at = clock_monotonic();
        follower->reading = front->engine && batch_submit(front->engine->feed, &feed_batch,
                                                          &follower->read, follower_done);
    }
    loop_timer_set(follower->timer, LIMIT_FEED_SILENCE_MS * MILLISECOND / 4, true);
}

struct follower *follower_new(struct front *front)
{
    struct follower *follower = xcalloc(1, sizeof(*follower));
    follower->front = front;
    follower->timer = loop_timer_new(front->loop, follower_tick, follower);
    follower->true_at = follower->came_at = TIME_NONE;
    follower->asleep = true;
    return follower;
}

void follower_free(struct follower *follower)
{
    if (!follower)
        return;
    loop_timer_free(follower->timer);
    feed_read_free(&follower->read);
    free(follower);
}

void follower_need(struct follower *follower, int64_t monotonic)
{
    follower->needed_until = monotonic + LIMIT_FEED_LINGER_MS * MILLISECOND;
    if (!follower->asleep)
        return;
    follower->asleep = false;
    if (!follower->reading)
        loop_timer_set(follower->timer, 0, true);
}

void follower_read_now(struct follower *follower)
{
    if (!follower->reading)
        follower_tick(follower);
}

bool follower_fresh(const struct follower *follower, int64_t monotonic)
{
    return follower->following &&
           monotonic - follower->true_at <= LIMIT_FEED_FRESH_MS * MILLISECOND;
}

bool follower_follows(const struct follower *follower, const char *place)
{
    return follower->following && strcmp(follower->tail.place, place) == 0;
}

bool follower_following(const struct follower *follower)
{
    return follower->following;
}

bool follower_silent(const struct follower *follower, int64_t monotonic)
{
    return follower->reading && (follower->failed || monotonic - follower->began_at >
                                                         LIMIT_CHECK_PATIENCE_MS * MILLISECOND);
}

int64_t follower_true_at(const struct follower *follower)
{
    return follower->true_at;
}

size_t follower_gaps(const struct follower *follower)
{
    return follower->following ? follower->tail.gap_count : 0;
}

/* What is under way was asked of the engine before: its answer is not taken. */
void follower_adopt(struct follower *follower)
{
    if (follower->following)
        follower_lose(follower, FEED_LOST_RELOADED);
    follower->adopted = follower->reading;
    if (!follower->reading)
        follower->tail.following = false;
}
