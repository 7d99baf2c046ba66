/* Re-reads that merges ask for: claimed, ended, and not lost between the two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "db/migrate.h"
#include "store/orders.h"
#include "test_server.h"

#define SOURCE 1
#define ORDER "A-1"
#define NOW (TIME_DAY * 20000)

static struct db_target target;

/* Each test begins with an order whose re-read is due now, because of delivery 7. */
static int setup(void **state)
{
    struct db *db = db_new(&target);
    struct buf error = {0};
    assert_int_equal(migrate_apply(db, NULL, NULL, &error), DB_OK);
    assert_int_equal(error.len, 0);
    assert_int_equal(db_execute(db, "DELETE FROM shop_order", NULL, 0), DB_OK);
    assert_int_equal(orders_schedule_reread(db, SOURCE, ORDER, 7, NOW), DB_OK);
    *state = db;
    return 0;
}

static int teardown(void **state)
{
    db_free(*state);
    return 0;
}

/* How many are due at that time; claims them. */
static size_t claim(struct db *db, int64_t now, struct order_name *out)
{
    size_t count = 0;
    assert_int_equal(orders_claim_rereads(db, now, out, 1, &count), DB_OK);
    return count;
}

static void one_that_ended_is_not_due_again(void **state)
{
    struct order_name order;
    assert_int_equal(claim(*state, NOW, &order), 1);
    assert_string_equal(order.order_id, ORDER);
    assert_int_equal(order.delivery_id, 7);
    assert_int_equal(orders_finish_reread(*state, &order, TIME_NONE), DB_OK);
    assert_int_equal(claim(*state, NOW + TIME_DAY, &order), 0);
}

static void a_claim_that_is_never_ended_runs_out(void **state)
{
    struct order_name order;
    assert_int_equal(claim(*state, NOW, &order), 1);
    assert_int_equal(claim(*state, NOW + TIME_SECOND, &order), 0);
    assert_int_equal(claim(*state, NOW + TIME_HOUR, &order), 1);
    assert_int_equal(order.attempts, 1);
}

/* The shop was read before that merge: only another re-read settles it. */
static void one_asked_for_during_a_reread_is_not_lost(void **state)
{
    struct order_name order;
    assert_int_equal(claim(*state, NOW, &order), 1);
    assert_int_equal(orders_schedule_reread(*state, SOURCE, ORDER, 8, NOW + TIME_SECOND), DB_OK);
    assert_int_equal(orders_finish_reread(*state, &order, TIME_NONE), DB_OK);
    assert_int_equal(claim(*state, NOW + TIME_SECOND, &order), 1);
    assert_int_equal(order.delivery_id, 8);
    assert_int_equal(orders_finish_reread(*state, &order, TIME_NONE), DB_OK);
    assert_int_equal(claim(*state, NOW + TIME_DAY, &order), 0);
}

/* Nor does a re-read that failed put off the one that was asked for meanwhile. */
static void one_asked_for_during_a_failed_reread_is_not_put_off(void **state)
{
    struct order_name order;
    assert_int_equal(claim(*state, NOW, &order), 1);
    assert_int_equal(orders_schedule_reread(*state, SOURCE, ORDER, 8, NOW + TIME_SECOND), DB_OK);
    assert_int_equal(orders_finish_reread(*state, &order, NOW + TIME_HOUR), DB_OK);
    assert_int_equal(claim(*state, NOW + TIME_SECOND, &order), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_that_ended_is_not_due_again),
        CASE(a_claim_that_is_never_ended_runs_out),
        CASE(one_asked_for_during_a_reread_is_not_lost),
        CASE(one_asked_for_during_a_failed_reread_is_not_put_off),
    };
    target = test_server();
    db_library_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
