/*
 * The loop: timers, signals, watches, and freeing them under their own callbacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

struct counter {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_watch *watch;
    int count;
    int stop_at;
    int fd;
};

static void on_tick(void *arg)
{
    struct counter *counter = arg;
    if (++counter->count == counter->stop_at) {
        loop_stop(counter->loop);
    }
}

static void repeats_until_cleared(void **state)
{
    (void)state;
    struct counter counter = {.loop = loop_new(), .stop_at = 3};
    struct loop_timer *timer = loop_timer_new(counter.loop, on_tick, &counter);
    loop_timer_set(timer, 1000, false);
    loop_run(counter.loop);
    assert_int_equal(counter.count, 3);
    loop_timer_clear(timer);
    loop_turn(counter.loop, 20);
    assert_int_equal(counter.count, 3);
    loop_timer_set(timer, 0, true);
    loop_timer_set(timer, 1000, true);
    loop_turn(counter.loop, 1000);
    loop_turn(counter.loop, 10);
    assert_int_equal(counter.count, 4);
    loop_timer_free(timer);
    loop_free(counter.loop);
}

static void a_turn_is_bounded(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int64_t before = clock_monotonic();
    loop_turn(loop, 0);
    loop_turn(loop, 30);
    int64_t took = clock_monotonic() - before;
    assert_true(took >= 15000);
    assert_true(took < 5 * TIME_SECOND);
    loop_free(loop);
}

static void on_last_tick(void *arg)
{
    struct counter *counter = arg;
    loop_timer_free(counter->timer);
    counter->timer = NULL;
    counter->count++;
}

static void on_bytes(void *arg)
{
    struct counter *counter = arg;
    char byte;
    assert_int_equal(read(counter->fd, &byte, 1), 1);
    if (++counter->count == 2) {
        loop_watch_free(counter->watch);
        counter->watch = NULL;
    }
}

static void may_be_freed_under_their_callbacks(void **state)
{
    (void)state;
    struct counter counter = {.loop = loop_new()};
    counter.timer = loop_timer_new(counter.loop, on_last_tick, &counter);
    loop_timer_set(counter.timer, 0, false);
    loop_turn(counter.loop, 1000);
    assert_int_equal(counter.count, 1);

    int ends[2];
    assert_int_equal(pipe(ends), 0);
    counter.count = 0;
    counter.fd = ends[0];
    counter.watch = loop_watch_new(counter.loop, ends[0], on_bytes, &counter);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    for (int turns = 0; turns < 5; turns++) {
        loop_turn(counter.loop, 10); /* level-triggered: one byte a turn, until it is freed */
    }
    assert_int_equal(counter.count, 2);
    close(ends[0]);
    close(ends[1]);
    loop_free(counter.loop);
}

static void signals_come_outside_their_context(void **state)
{
    (void)state;
    struct counter counter = {.loop = loop_new(), .stop_at = 1};
    loop_signal(counter.loop, SIGUSR1, on_tick, &counter);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(counter.count, 0);
    loop_run(counter.loop);
    assert_int_equal(counter.count, 1);
    loop_free(counter.loop);
}

static void a_closed_pipe_is_an_error_not_an_end(void **state)
{
    (void)state;
    int ends[2];
    struct loop *loop = loop_new();
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_until_cleared),
        cmocka_unit_test(a_turn_is_bounded),
        cmocka_unit_test(may_be_freed_under_their_callbacks),
        cmocka_unit_test(signals_come_outside_their_context),
        cmocka_unit_test(a_closed_pipe_is_an_error_not_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
