#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "known.h"

/* Two snapshots of one order, the first of which wins. */
struct pair {
    struct known_order order;
    struct known_snapshot *better, *worse;
};

static struct pair pair_new(void)
{
    struct pair pair = {0};
    add_snapshot(&pair.order, AT(1000), ORDER_PAID);
    add_snapshot(&pair.order, AT(1000), ORDER_PAID);
    pair.better = &pair.order.snapshots[0];
    pair.worse = &pair.order.snapshots[1];
    return pair;
}

static void pair_check(struct pair *pair)
{
    digest_snapshots(&pair->order);
    assert_true(snapshot_wins(pair->better, pair->worse));
    assert_false(snapshot_wins(pair->worse, pair->better));
    known_order_free(&pair->order);
}

static void test_time_comes_first(void **state)
{
    (void)state;
    struct pair pair = pair_new();
    pair.better->facts.time = AT(1001);
    pair.worse->facts.from_api = true;
    pair.worse->facts.read_at = AT(5000);
    pair.worse->facts.status = ORDER_REFUNDED;
    pair.worse->facts.refunded_total = 100;
    pair_check(&pair);
}

static void test_read_beats_delivered(void **state)
{
    (void)state;
    struct pair pair = pair_new();
    pair.better->facts.from_api = true;
    pair.better->facts.read_at = AT(1000);
    pair.worse->facts.status = ORDER_REFUNDED;
    pair_check(&pair);
}

static void test_later_read_beats_rank(void **state)
{
    (void)state;
    struct pair pair = pair_new();
    pair.better->facts.from_api = pair.worse->facts.from_api = true;
    pair.better->facts.read_at = AT(1002);
    pair.worse->facts.read_at = AT(1001);
    pair.worse->facts.status = ORDER_CANCELLED;
    pair_check(&pair);
}

static void test_rank_beats_refunded(void **state)
{
    (void)state;
    static const enum order_status rising[] = {ORDER_PENDING, ORDER_PAID, ORDER_CANCELLED,
                                               ORDER_REFUNDED};
    for (size_t i = 1; i < 4; i++) {
        struct pair pair = pair_new();
        pair.better->facts.status = rising[i];
        pair.worse->facts.status = rising[i - 1];
        pair.worse->facts.refunded_total = 100;
        pair_check(&pair);
    }
}

static void test_more_refunded_wins(void **state)
{
    (void)state;
    struct pair pair = pair_new();
    list_refund(pair.better, "1", 5);
    list_refund(pair.better, "2", 6);
    pair.worse->facts.refunded_total = 10;
    pair_check(&pair);

    pair = pair_new();
    add_line(pair.better, "1", "10", 3, 2);
    add_line(pair.worse, "1", "10", 3, 1);
    pair_check(&pair);
}

static void test_digest_decides_the_rest(void **state)
{
    (void)state;
    struct pair pair = pair_new();
    add_line(pair.better, "1", "10", 1, 0);
    add_line(pair.worse, "1", "10", 2, 0);
    digest_snapshots(&pair.order);
    bool greater = memcmp(pair.better->digest, pair.worse->digest, DIGEST_LEN) > 0;
    assert_true(snapshot_wins(pair.better, pair.worse) == greater);
    assert_true(snapshot_wins(pair.worse, pair.better) == !greater);
    known_order_free(&pair.order);
}

static void test_equal_snapshots_do_not_win(void **state)
{
    (void)state;
    struct pair pair = pair_new();
    digest_snapshots(&pair.order);
    assert_false(snapshot_wins(pair.better, pair.worse));
    assert_false(snapshot_wins(pair.worse, pair.better));
    known_order_free(&pair.order);
}

static void test_absurd_sums_saturate(void **state)
{
    (void)state;
    struct pair pair = pair_new();
    list_refund(pair.better, "1", INT64_MAX);
    list_refund(pair.better, "2", INT64_MAX);
    list_refund(pair.worse, "1", INT64_MIN);
    list_refund(pair.worse, "2", INT64_MIN);
    pair_check(&pair);
}

/* The digest of the digits alone, which any SHA-256 tool gives. */
static void test_subject_of_user(void **state)
{
    (void)state;
    unsigned char id[DIGEST_LEN];
    struct buf hex = {0};
    subject_of_user("3458764514838398337", id);
    digest_hex(id, sizeof id, &hex);
    assert_string_equal(hex.data,
                        "07fdf4a9d4664801d2623b0bc8ed1ba1a3a0989b6de7108cfa930d9facecbb74");
    buf_free(&hex);
}

static void test_state_names(void **state)
{
    (void)state;
    assert_string_equal(contribution_state_name(CONTRIBUTION_ACTIVE), "active");
    assert_string_equal(contribution_state_name(CONTRIBUTION_PENDING), "pending");
    assert_string_equal(contribution_state_name(CONTRIBUTION_REFUNDED), "refunded");
    assert_string_equal(contribution_state_name(CONTRIBUTION_DISPUTED), "disputed");
    assert_string_equal(contribution_state_name(CONTRIBUTION_CANCELLED), "cancelled");
}

static void test_free_leaves_nothing(void **state)
{
    (void)state;
    struct known_order order = {.id = xstrdup("12")};
    set_owner(add_snapshot(&order, AT(1000), ORDER_PAID), "1", "2");
    add_line(&order.snapshots[0], "1", "10", 1, 0);
    struct fact_listed_refund *listed = list_refund(&order.snapshots[0], "5", 1);
    GIVE_BACK(listed, "1", 1);
    struct fact_refund *told = tell_refund(&order, "5", AT(1000), REFUND_DONE);
    GIVE_BACK(told, "1", 1);
    add_dispute(&order, "9", AT(1000), DISPUTE_OPEN);
    known_order_free(&order);
    assert_null(order.snapshots);
    assert_null(order.id);
    assert_int_equal(order.snapshot_count + order.refund_count + order.dispute_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_comes_first),
        cmocka_unit_test(test_read_beats_delivered),
        cmocka_unit_test(test_later_read_beats_rank),
        cmocka_unit_test(test_rank_beats_refunded),
        cmocka_unit_test(test_more_refunded_wins),
        cmocka_unit_test(test_digest_decides_the_rest),
        cmocka_unit_test(test_equal_snapshots_do_not_win),
        cmocka_unit_test(test_absurd_sums_saturate),
        cmocka_unit_test(test_subject_of_user),
        cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_free_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
