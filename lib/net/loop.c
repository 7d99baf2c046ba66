#include "net/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop_base.h"

#define LOOP_MAGIC 0x10090001u
#define TIMER_MAGIC 0x10090002u
#define WATCH_MAGIC 0x10090003u

struct loop_watch {
    unsigned magic;
    struct event *event;
    loop_callback *callback;
    void *arg;
    SLIST_ENTRY(loop_watch) link; /* signals only: those belong to the loop */
};

struct loop {
    unsigned magic;
    struct event_base *base;
    struct event *turn; /* bounds loop_turn() */
    SLIST_HEAD(, loop_watch) signals;
};

struct loop_timer {
    unsigned magic;
    struct event *event;
    loop_callback *callback;
    void *arg;
    int64_t every_us; /* 0: once */
};

static struct timeval as_timeval(int64_t us)
{
    us = us > 0 ? us : 0;
    return (struct timeval){.tv_sec = us / TIME_SECOND, .tv_usec = us % TIME_SECOND};
}

/* Only has to wake the loop. */
static void on_turn_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* Every program that writes to sockets wants to hear of a closed one from write(), so SIGPIPE is
 * ignored with the first loop. */
struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    struct event_config *config = event_config_new();
    if (config == NULL || event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) != 0) {
        die("loop_new: libevent has no memory");
    }
    loop->magic = LOOP_MAGIC;
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL) {
        die("loop_new: libevent found no way to wait for events (out of descriptors?)");
    }
    loop->turn = evtimer_new(loop->base, on_turn_over, NULL);
    if (loop->turn == NULL) {
        die("loop_new: libevent has no memory");
    }
    SLIST_INIT(&loop->signals);
    signal(SIGPIPE, SIG_IGN);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (!SLIST_EMPTY(&loop->signals)) {
        struct loop_watch *watch = SLIST_FIRST(&loop->signals);
        SLIST_REMOVE_HEAD(&loop->signals, link);
        loop_watch_free(watch);
    }
    event_free(loop->turn);
    event_base_free(loop->base);
    loop->magic = 0;
    free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    if (loop->magic != LOOP_MAGIC) {
        die("loop_base: not a loop");
    }
    return loop->base;
}

void loop_run(struct loop *loop)
{
    if (event_base_loop(loop_base(loop), EVLOOP_NO_EXIT_ON_EMPTY) < 0) {
        die("loop_run: libevent could not wait for events");
    }
}

void loop_turn(struct loop *loop, int wait_ms)
{
    struct event_base *base = loop_base(loop);
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    if (wait_ms == 0) {
        flags = EVLOOP_NONBLOCK;
    } else if (wait_ms > 0) {
        struct timeval wait = as_timeval(wait_ms * INT64_C(1000));
        evtimer_add(loop->turn, &wait);
    }
    if (event_base_loop(base, flags) < 0) {
        die("loop_turn: libevent could not wait for events");
    }
    evtimer_del(loop->turn);
}

void loop_stop(struct loop *loop)
{
    event_base_loopexit(loop_base(loop), NULL);
}

/* The timer is not touched after its callback, which may free it. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop_timer *timer = arg;
    if (timer->magic != TIMER_MAGIC) {
        die("on_timer: not a timer");
    }
    if (timer->every_us > 0) {
        struct timeval delay = as_timeval(timer->every_us);
        evtimer_add(timer->event, &delay);
    }
    timer->callback(timer->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_callback *callback, void *arg)
{
    struct loop_timer *timer = xcalloc(1, sizeof(*timer));
    timer->magic = TIMER_MAGIC;
    timer->callback = callback;
    timer->arg = arg;
    timer->event = evtimer_new(loop_base(loop), on_timer, timer);
    if (timer->event == NULL) {
        die("loop_timer_new: libevent has no memory");
    }
    return timer;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_us, bool once)
{
    struct timeval delay = as_timeval(delay_us);
    timer->every_us = once ? 0 : (delay_us > 0 ? delay_us : 1);
    if (evtimer_add(timer->event, &delay) != 0) {
        die("loop_timer_set: libevent has no memory");
    }
}

void loop_timer_clear(struct loop_timer *timer)
{
    timer->every_us = 0;
    evtimer_del(timer->event);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    event_free(timer->event);
    timer->magic = 0;
    free(timer);
}

/* The watch is not touched after its callback, which may free it. */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop_watch *watch = arg;
    if (watch->magic != WATCH_MAGIC) {
        die("on_watch: not a watch");
    }
    watch->callback(watch->arg);
}

static struct loop_watch *watch_new(struct loop *loop, int fd, short what, loop_callback *callback,
                                    void *arg)
{
    struct loop_watch *watch = xcalloc(1, sizeof(*watch));
    watch->magic = WATCH_MAGIC;
    watch->callback = callback;
    watch->arg = arg;
    watch->event = event_new(loop_base(loop), fd, (short)(what | EV_PERSIST), on_watch, watch);
    if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
        die("watch_new: libevent cannot watch %d", fd);
    }
    return watch;
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, loop_callback *callback, void *arg)
{
    return watch_new(loop, fd, EV_READ, callback, arg);
}

void loop_watch_free(struct loop_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    event_free(watch->event);
    watch->magic = 0;
    free(watch);
}

void loop_signal(struct loop *loop, int signal, loop_callback *callback, void *arg)
{
    struct loop_watch *watch = watch_new(loop, signal, EV_SIGNAL, callback, arg);
    SLIST_INSERT_HEAD(&loop->signals, watch, link);
}
