/*
 * The event loop: the only place, with its neighbours in this room, that knows libevent. Timers,
 * signals and watched descriptors call back on the thread that runs the loop.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_watch;

typedef void loop_callback(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop() */
/* One turn: waits for at most `wait_ms` (-1: until something happens), runs what is due. */
void loop_turn(struct loop *loop, int wait_ms);
void loop_stop(struct loop *loop); /* after the current turn */

/* A timer that is not set. Setting it again replaces what was set; once = false repeats. It is
 * exact to a tick of the kernel's coarse clock (up to 10 ms, either way). */
struct loop_timer *loop_timer_new(struct loop *loop, loop_callback *callback, void *arg);
void loop_timer_set(struct loop_timer *timer, int64_t delay_us, bool once);
void loop_timer_clear(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Calls back, level-triggered, while `fd` is readable. */
struct loop_watch *loop_watch_new(struct loop *loop, int fd, loop_callback *callback, void *arg);
void loop_watch_free(struct loop_watch *watch);
/* Calls back, outside signal context, after each `signal`. Watches are freed with the loop. */
void loop_signal(struct loop *loop, int signal, loop_callback *callback, void *arg);

#endif
