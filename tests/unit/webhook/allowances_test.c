#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allowances.h"
#include "base/clock.h"

#define NOW (1000 * TIME_SECOND)
#define FULL 64 /* slots of the tables here */

static void rates(void **state)
{
    (void)state;
    struct allowance_rate rate = allowance_rate_of(20, TIME_SECOND, 200);
    assert_int_equal(rate.each_us, 50000);
    assert_int_equal(rate.most_us, 10 * TIME_SECOND);
    rate = allowance_rate_of(3 * TIME_SECOND, TIME_SECOND, 5); /* more than the clock tells apart */
    assert_int_equal(rate.each_us, 1);
}

/* A burst at once, then one for each step of time, and never more than the burst again. */
static void burst_and_rate(void **state)
{
    (void)state;
    const struct allowance_rate rate = allowance_rate_of(10, TIME_SECOND, 5);
    int64_t paid_at = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal(allowance_take(&paid_at, &rate, NOW), 0);
    assert_int_equal(allowance_take(&paid_at, &rate, NOW), TIME_SECOND / 10);
    assert_int_equal(allowance_take(&paid_at, &rate, NOW + 40000), 60000);
    assert_int_equal(allowance_take(&paid_at, &rate, NOW + 100000), 0);
    assert_true(allowance_take(&paid_at, &rate, NOW + 100000) > 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(allowance_take(&paid_at, &rate, NOW + TIME_HOUR), 0);
    assert_true(allowance_take(&paid_at, &rate, NOW + TIME_HOUR) > 0);
}

/* What is refused costs nothing: who keeps asking is granted as much as who waits. */
static void refusals_are_free(void **state)
{
    (void)state;
    const struct allowance_rate rate = allowance_rate_of(10, TIME_SECOND, 1);
    int64_t paid_at = 0;
    int granted = 0;
    for (int64_t at = 0; at < 10 * TIME_SECOND; at += 1000)
        granted += allowance_take(&paid_at, &rate, NOW + at) == 0;
    assert_int_equal(granted, 100);
}

static int64_t take(struct allowances *allowances, int name, int64_t now)
{
    const struct allowance_rate rate = allowance_rate_of(1, TIME_SECOND, 10);
    return allowances_take(allowances, &name, sizeof(name), &rate, now);
}

static void names_are_apart(void **state)
{
    (void)state;
    struct allowances *allowances = allowances_new(FULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(allowances, 1, NOW), 0);
    assert_true(take(allowances, 1, NOW) > 0);
    assert_int_equal(take(allowances, 2, NOW), 0);
    allowances_free(allowances);
}

/* Whoever comes is admitted, and does not free those who did the most. */
static void full(void **state)
{
    (void)state;
    struct allowances *allowances = allowances_new(8); /* one set */
    for (int name = 0; name < 8; name++) {
        for (int i = 0; i < (name == 0 ? 1 : 10); i++)
            assert_int_equal(take(allowances, name, NOW), 0);
    }
    for (int name = 1; name < 8; name++)
        assert_true(take(allowances, name, NOW) > 0);
    for (int stranger = 100; stranger < 10000; stranger++)
        assert_int_equal(take(allowances, stranger, NOW), 0);
    for (int name = 1; name < 8; name++)
        assert_true(take(allowances, name, NOW) > 0);
    allowances_free(allowances);
}

/* A debt that is paid off leaves its place to others before one that is not. */
static void places_are_freed(void **state)
{
    (void)state;
    struct allowances *allowances = allowances_new(FULL);
    for (int name = 0; name < 100000; name++)
        assert_int_equal(take(allowances, name, NOW + name), 0);
    const int64_t later = NOW + TIME_HOUR;
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(allowances, -1, later), 0);
    for (int name = 0; name < 100000; name++)
        assert_int_equal(take(allowances, name, later), 0);
    assert_true(take(allowances, -1, later) > 0);
    allowances_free(allowances);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(burst_and_rate),
        cmocka_unit_test(refusals_are_free),
        cmocka_unit_test(names_are_apart),
        cmocka_unit_test(full),
        cmocka_unit_test(places_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
