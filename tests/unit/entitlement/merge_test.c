#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "known.h"

/* Merges and checks what most tests ask: what is left of line "1", and the status. */
static void check(struct known_order *order, int64_t remaining, enum order_status status)
{
    struct merged_order merged;
    digest_snapshots(order);
    order_merge(order, &merged);
    assert_non_null(merged.winner);
    assert_int_equal(merged.status, status);
    assert_true(merged.line_count > 0);
    assert_string_equal(merged.lines[0].line->id, "1");
    assert_int_equal(merged.lines[0].remaining, remaining);
    merged_order_free(&merged);
}

static void check_and_free(struct known_order *order, int64_t remaining, enum order_status status)
{
    check(order, remaining, status);
    known_order_free(order);
}

static struct merged_order merge(struct known_order *order)
{
    struct merged_order merged;
    digest_snapshots(order);
    order_merge(order, &merged);
    return merged;
}

/* An order of five of line "1" and one of line "2", paid at second 1000. */
static struct known_order paid_order(void)
{
    struct known_order order = {.source = "shop"};
    struct known_snapshot *snapshot = add_snapshot(&order, AT(1000), ORDER_PAID);
    add_line(snapshot, "1", "10", 5, 0);
    add_line(snapshot, "2", "11", 1, 0);
    return order;
}

static void test_nothing_but_refunds(void **state)
{
    (void)state;
    struct known_order order = {.source = "shop"};
    struct fact_refund *refund = tell_refund(&order, "r", AT(1000), REFUND_DONE);
    GIVE_BACK(refund, "1", 1);
    add_dispute(&order, "d", AT(1000), DISPUTE_OPEN);
    struct merged_order merged = merge(&order);
    assert_null(merged.winner);
    assert_true(merged.disputed);
    assert_int_equal(merged.line_count, 0);
    assert_int_equal(merged.subject.kind, SUBJECT_NONE);
    assert_true(merged.paid_at == TIME_NONE);
    assert_false(merged.wants_reread || merged.wants_refund_lines);
    merged_order_free(&merged);
    known_order_free(&order);
}

/* The greatest snapshot says how many there are, whichever came first. */
static void test_latest_snapshot_wins(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    add_line(add_snapshot(&order, AT(1005), ORDER_PAID), "1", "10", 7, 0);
    add_line(add_snapshot(&order, AT(990), ORDER_CANCELLED), "1", "10", 9, 0);
    check_and_free(&order, 7, ORDER_PAID);
}

/* An order that is gone keeps its lines, its refunds and its paid time. */
static void test_gone_order_keeps_its_lines(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    order.snapshots[0].facts.paid_at = AT(900);
    GIVE_BACK(list_refund(&order.snapshots[0], "r", 1), "1", 2);
    add_snapshot(&order, AT(2000), ORDER_CANCELLED)->facts.lines_known = false;
    struct merged_order merged = merge(&order);
    assert_int_equal(merged.status, ORDER_CANCELLED);
    assert_int_equal(merged.line_count, 2);
    assert_int_equal(merged.lines[0].remaining, 3);
    assert_true(merged.paid_at == AT(900));
    assert_true(merged.winner == &order.snapshots[1]);
    merged_order_free(&merged);
    known_order_free(&order);
}

static void test_gone_order_without_lines(void **state)
{
    (void)state;
    struct known_order order = {.source = "shop"};
    add_snapshot(&order, AT(2000), ORDER_CANCELLED)->facts.lines_known = false;
    struct merged_order merged = merge(&order);
    assert_int_equal(merged.line_count, 0);
    assert_non_null(merged.winner);
    merged_order_free(&merged);
    known_order_free(&order);
}

static void test_paid_time(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t told_by_winner, told_before;
        enum order_status winner, before;
        int64_t expected;
    } cases[] = {
        {"told by the winner", AT(700), AT(600), ORDER_PAID, ORDER_PAID, AT(700)},
        {"else the first time it was seen paid", TIME_NONE, TIME_NONE, ORDER_PAID, ORDER_PAID,
         AT(1000)},
        {"also when it is refunded since", TIME_NONE, TIME_NONE, ORDER_REFUNDED, ORDER_PAID,
         AT(1000)},
        {"not from a time when it was pending", TIME_NONE, TIME_NONE, ORDER_PAID, ORDER_PENDING,
         AT(1005)},
        {"what an old snapshot told is old", TIME_NONE, AT(600), ORDER_PAID, ORDER_PAID, AT(1000)},
        {"never paid", TIME_NONE, TIME_NONE, ORDER_CANCELLED, ORDER_PENDING, TIME_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = {.source = "shop"};
        add_snapshot(&order, AT(1000), cases[i].before)->facts.paid_at = cases[i].told_before;
        add_snapshot(&order, AT(1005), cases[i].winner)->facts.paid_at = cases[i].told_by_winner;
        struct merged_order merged = merge(&order);
        if (merged.paid_at != cases[i].expected)
            print_error("%s\n", cases[i].what);
        assert_true(merged.paid_at == cases[i].expected);
        merged_order_free(&merged);
        known_order_free(&order);
    }
}

static void test_address_of_the_greatest_that_has_one(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    set_address(&order.snapshots[0], 'a');
    set_address(add_snapshot(&order, AT(1005), ORDER_PAID), 'b');
    add_snapshot(&order, AT(1010), ORDER_PAID)->facts.address_state = ADDRESS_ERASED;
    add_snapshot(&order, AT(1015), ORDER_PAID)->facts.address_state = ADDRESS_ABSENT;
    struct merged_order merged = merge(&order);
    unsigned char expected[DIGEST_LEN];
    memset(expected, 'b', sizeof expected);
    assert_int_equal(merged.subject.kind, SUBJECT_ADDRESS);
    assert_memory_equal(merged.subject.id, expected, DIGEST_LEN);
    assert_string_equal(merged.subject.team, "");
    merged_order_free(&merged);
    known_order_free(&order);
}

static void test_reference_beats_any_address_and_sticks(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    set_owner(&order.snapshots[0], "41", "t1");
    set_owner(add_snapshot(&order, AT(1005), ORDER_PAID), "42", "t2");
    set_address(add_snapshot(&order, AT(1010), ORDER_PAID), 'a');
    struct merged_order merged = merge(&order);
    unsigned char expected[DIGEST_LEN];
    subject_of_user("42", expected);
    assert_int_equal(merged.subject.kind, SUBJECT_USER);
    assert_memory_equal(merged.subject.id, expected, DIGEST_LEN);
    assert_string_equal(merged.subject.team, "t2");
    merged_order_free(&merged);
    known_order_free(&order);
}

static void test_reference_without_a_team(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    set_owner(&order.snapshots[0], "41", NULL);
    struct merged_order merged = merge(&order);
    assert_int_equal(merged.subject.kind, SUBJECT_USER);
    assert_string_equal(merged.subject.team, "");
    merged_order_free(&merged);
    known_order_free(&order);
}

static void test_quantity_given_back_in_the_snapshot(void **state)
{
    (void)state;
    static const struct {
        int64_t quantity, refunded, remaining;
    } cases[] = {{5, 0, 5},
                 {5, 2, 3},
                 {5, 5, 0},
                 {5, 9, 0},
                 {0, 0, 0},
                 {-1, 0, 0},
                 {5, -3, 5},
                 {INT64_MAX, INT64_MIN, INT64_MAX},
                 {INT64_MIN, INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = {.source = "shop"};
        add_line(add_snapshot(&order, AT(1000), ORDER_PAID), "1", "10", cases[i].quantity,
                 cases[i].refunded);
        check_and_free(&order, cases[i].remaining, ORDER_PAID);
    }
}

static void test_listed_refund_with_lines(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    GIVE_BACK(list_refund(&order.snapshots[0], "r1", 1), "1", 2);
    GIVE_BACK(list_refund(&order.snapshots[0], "r2", 1), "1", 1);
    check_and_free(&order, 2, ORDER_PAID);
}

/* The cumulative figure and the list are the same refunds told twice. */
static void test_stated_and_listed_count_once(void **state)
{
    (void)state;
    for (int64_t stated = 0; stated <= 4; stated++) {
        struct known_order order = paid_order();
        order.snapshots[0].facts.lines[0].refunded_quantity = stated;
        GIVE_BACK(list_refund(&order.snapshots[0], "r1", 1), "1", 2);
        check_and_free(&order, stated > 2 ? 5 - stated : 3, ORDER_PAID);
    }
}

static void test_refund_of_a_line_that_is_not_there(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    GIVE_BACK(list_refund(&order.snapshots[0], "r1", 1), "77", 2);
    check_and_free(&order, 5, ORDER_PAID);
}

static void check_wants_lines(struct known_order *order, bool expected)
{
    struct merged_order merged = merge(order);
    assert_true(merged.wants_refund_lines == expected);
    merged_order_free(&merged);
}

/* A listed refund without lines: a detail or a refund told by itself brings them. */
static void test_lines_of_listed_refunds(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    list_refund(&order.snapshots[0], "r1", 1);
    check_wants_lines(&order, true);
    check(&order, 5, ORDER_PAID);

    struct fact_refund *detail = tell_refund(&order, "r1", AT(3000), REFUND_DONE);
    detail->detail_only = true;
    GIVE_BACK(detail, "1", 2);
    check_wants_lines(&order, false);
    check(&order, 3, ORDER_PAID);

    GIVE_BACK(tell_refund(&order, "r1", AT(900), REFUND_DONE), "1", 1);
    check(&order, 4, ORDER_PAID); /* told by itself: more than a detail */
    GIVE_BACK(&order.snapshots[0].facts.refunds[0], "1", 3);
    check(&order, 2, ORDER_PAID); /* the list itself: more than both */
    known_order_free(&order);
}

/* Lines that are known to be none are known: goodwill gives nothing back. */
static void test_goodwill_wants_nothing(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    list_refund(&order.snapshots[0], "r1", 1);
    struct fact_refund *detail = tell_refund(&order, "r1", AT(1000), REFUND_DONE);
    detail->detail_only = true;
    detail->lines_known = true;
    check_wants_lines(&order, false);
    check_and_free(&order, 5, ORDER_PAID);
}

static void test_detail_makes_no_refund_exist(void **state)
{
    (void)state;
    for (int lists = 0; lists < 2; lists++) {
        struct known_order order = paid_order();
        order.snapshots[0].facts.lists_refunds = lists;
        struct fact_refund *detail = tell_refund(&order, "r1", AT(3000), REFUND_DONE);
        detail->detail_only = true;
        GIVE_BACK(detail, "1", 2);
        check_wants_lines(&order, false);
        check_and_free(&order, 5, ORDER_PAID);
    }
}

/* One refund of two, told by itself, against a snapshot of second 1000. */
static void test_refund_told_by_itself(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool lists, listed;
        int64_t stated, time;
        enum refund_state state;
        int64_t remaining;
    } cases[] = {
        {"newer than a list: adds", true, false, 0, AT(1001), REFUND_DONE, 3},
        {"of the list's second, not in it: out", true, false, 0, AT(1000), REFUND_DONE, 5},
        {"older than a list without it: out", true, false, 0, AT(999), REFUND_DONE, 5},
        {"listed: counts once", true, true, 0, AT(1001), REFUND_DONE, 3},
        {"listed and older: counts once", true, true, 0, AT(999), REFUND_DONE, 3},
        {"listed and failed since: out", true, true, 0, AT(1001), REFUND_FAILED, 5},
        {"listed and failed in its second: out", true, true, 0, AT(1000), REFUND_FAILED, 5},
        {"failed, and listed later: stands", true, true, 0, AT(999), REFUND_FAILED, 3},
        {"listed, stated and failed since: out", true, true, 2, AT(1001), REFUND_FAILED, 5},
        {"others stated with it stay", true, true, 3, AT(1001), REFUND_FAILED, 4},
        {"pending: not yet", true, false, 0, AT(1001), REFUND_PENDING, 5},
        {"failed: not at all", true, false, 0, AT(1001), REFUND_FAILED, 5},
        {"no list, newer: adds", false, false, 0, AT(1001), REFUND_DONE, 3},
        {"no list, newer than what is stated: adds", false, false, 1, AT(1001), REFUND_DONE, 2},
        {"no list, older: counts", false, false, 0, AT(999), REFUND_DONE, 3},
        {"no list, older than what is stated: in it", false, false, 2, AT(999), REFUND_DONE, 3},
        {"no list, older than more: in it", false, false, 4, AT(999), REFUND_DONE, 1},
        {"no list, of the second that states it: in it", false, false, 2, AT(1000), REFUND_DONE, 3},
        {"no list, pending: not yet", false, false, 0, AT(1001), REFUND_PENDING, 5},
        {"no list, failed: not at all", false, false, 0, AT(999), REFUND_FAILED, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = paid_order();
        struct fact_snapshot *facts = &order.snapshots[0].facts;
        facts->lists_refunds = cases[i].lists;
        facts->lines[0].refunded_quantity = cases[i].stated;
        if (cases[i].listed)
            list_refund(&order.snapshots[0], "r1", 1);
        GIVE_BACK(tell_refund(&order, "r1", cases[i].time, cases[i].state), "1", 2);
        struct merged_order merged = merge(&order);
        if (merged.lines[0].remaining != cases[i].remaining)
            print_error("%s\n", cases[i].what);
        assert_int_equal(merged.lines[0].remaining, cases[i].remaining);
        merged_order_free(&merged);
        known_order_free(&order);
    }
}

/* Of several words about one refund the latest decides; in one second the later state. Its lines
 * are the latest that anybody told. */
static void test_latest_word_about_a_refund(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    GIVE_BACK(tell_refund(&order, "r1", AT(1001), REFUND_PENDING), "1", 2);
    check(&order, 5, ORDER_PAID);
    tell_refund(&order, "r1", AT(1002), REFUND_DONE);
    check(&order, 3, ORDER_PAID);
    tell_refund(&order, "r1", AT(1002), REFUND_FAILED);
    check(&order, 5, ORDER_PAID);
    GIVE_BACK(tell_refund(&order, "r1", AT(1003), REFUND_DONE), "1", 4);
    check(&order, 1, ORDER_PAID);
    known_order_free(&order);
}

static void test_failure_and_success_in_one_second(void **state)
{
    (void)state;
    for (int failed_first = 0; failed_first < 2; failed_first++) {
        struct known_order order = paid_order();
        for (int i = 0; i < 2; i++)
            GIVE_BACK(tell_refund(&order, "r1", AT(1001),
                                  i == failed_first ? REFUND_DONE : REFUND_FAILED),
                      "1", 2);
        check_and_free(&order, 5, ORDER_PAID);
    }
}

/* A refund that came before its order waits for it. */
static void test_refund_before_its_order(void **state)
{
    (void)state;
    struct known_order order = {.source = "shop"};
    GIVE_BACK(tell_refund(&order, "r1", AT(1001), REFUND_DONE), "1", 1);
    add_line(add_snapshot(&order, AT(1000), ORDER_PAID), "1", "10", 1, 0);
    check_and_free(&order, 0, ORDER_PAID);
}

static void test_an_amount_alone_takes_nothing_but_the_whole(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t total, refunded_total, listed, told, told_at;
        enum order_status status;
    } cases[] = {
        {"part", 79, -1, 20, 0, 0, ORDER_PAID},
        {"the whole, listed", 79, -1, 79, 0, 0, ORDER_REFUNDED},
        {"more than the whole", 79, -1, 80, 0, 0, ORDER_REFUNDED},
        {"the whole, cumulative", 79, 79, 0, 0, 0, ORDER_REFUNDED},
        {"cumulative, nearly", 79, 78, 0, 0, 0, ORDER_PAID},
        {"listed and a newer one", 79, -1, 20, 59, AT(1001), ORDER_REFUNDED},
        {"cumulative and a newer one", 79, 20, 0, 59, AT(1001), ORDER_REFUNDED},
        {"cumulative and one that is in it", 79, 59, 0, 59, AT(999), ORDER_PAID},
        {"listed and cumulative are one", 79, 40, 40, 0, 0, ORDER_PAID},
        {"nothing to pay", 0, -1, 0, 0, 0, ORDER_PAID},
        {"nothing to pay, nothing given back", 0, 0, 5, 0, 0, ORDER_PAID},
        {"total not told", -1, 79, 79, 0, 0, ORDER_PAID},
        {"absurd", INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, AT(1001), ORDER_REFUNDED},
        {"absurd the other way", 79, INT64_MIN, INT64_MIN, INT64_MIN, AT(1001), ORDER_PAID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = paid_order();
        order.snapshots[0].facts.total = cases[i].total;
        order.snapshots[0].facts.refunded_total = cases[i].refunded_total;
        if (cases[i].listed)
            list_refund(&order.snapshots[0], "r1", cases[i].listed)->lines_known = true;
        if (cases[i].told)
            tell_refund(&order, "r2", cases[i].told_at, REFUND_DONE)->amount = cases[i].told;
        struct merged_order merged = merge(&order);
        if (merged.status != cases[i].status)
            print_error("%s\n", cases[i].what);
        assert_int_equal(merged.status, cases[i].status);
        assert_int_equal(merged.lines[0].remaining, 5);
        merged_order_free(&merged);
        known_order_free(&order);
    }
}

/* A whole refund that failed since is no refund. */
static void test_failed_whole_refund(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    order.snapshots[0].facts.total = 79;
    order.snapshots[0].facts.refunded_total = 79;
    list_refund(&order.snapshots[0], "r1", 79);
    check(&order, 5, ORDER_REFUNDED);
    tell_refund(&order, "r1", AT(1001), REFUND_FAILED);
    check_wants_lines(&order, false);
    check_and_free(&order, 5, ORDER_PAID);
}

/* 49 of 79 went back, then that line was taken off the order, which is worth 30 since. */
static void test_a_line_taken_off_makes_no_refund_whole(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    order.snapshots[0].facts.total = 79;
    struct known_snapshot *later = add_snapshot(&order, AT(2000), ORDER_PAID);
    add_line(later, "1", "10", 5, 0);
    later->facts.total = 30;
    list_refund(later, "r1", 49)->lines_known = true;
    check_and_free(&order, 5, ORDER_PAID);
}

/* A shop whose clock runs ahead: its times were cut at receipt, and the later claim came first. */
static void test_cut_times_count_as_they_were_claimed(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        struct known_order order = {.source = "s", .id = xstrdup("o")};
        struct known_snapshot *refunded =
            add_snapshot(&order, turn ? AT(302) : AT(300), ORDER_REFUNDED);
        refunded->facts.time_flagged = true;
        refunded->facts.time_claimed = AT(420);
        add_line(refunded, "1", "10", 5, 0);
        struct known_snapshot *paid = add_snapshot(&order, turn ? AT(300) : AT(302), ORDER_PAID);
        paid->facts.time_flagged = true;
        paid->facts.time_claimed = AT(360);
        add_line(paid, "1", "10", 5, 0);
        known_order_settle(&order);
        struct merged_order merged = merge(&order);
        assert_int_equal(merged.status, ORDER_REFUNDED);
        merged_order_free(&merged);
        /* What the shop says once its clock is right counts over both. */
        paid = add_snapshot(&order, AT(400), ORDER_PAID);
        add_line(paid, "1", "10", 5, 0);
        merged = merge(&order);
        assert_int_equal(merged.status, ORDER_PAID);
        merged_order_free(&merged);
        known_order_free(&order);
    }
}

static void test_disputes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum dispute_state first, second;
        int64_t second_at;
        bool disputed;
    } cases[] = {
        {"open", DISPUTE_OPEN, DISPUTE_NONE, AT(1), true},
        {"lost stays", DISPUTE_LOST, DISPUTE_NONE, AT(1), true},
        {"inquiry", DISPUTE_INQUIRY, DISPUTE_NONE, AT(1), false},
        {"won restores", DISPUTE_OPEN, DISPUTE_WON, AT(3), false},
        {"lost", DISPUTE_OPEN, DISPUTE_LOST, AT(3), true},
        {"an inquiry that becomes a chargeback", DISPUTE_INQUIRY, DISPUTE_OPEN, AT(3), true},
        {"won, told late", DISPUTE_WON, DISPUTE_OPEN, AT(1), false},
        {"opened and won in one second", DISPUTE_WON, DISPUTE_OPEN, AT(2), false},
        {"withdrawn", DISPUTE_OPEN, DISPUTE_NONE, AT(3), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = paid_order();
        add_dispute(&order, "d", AT(2), cases[i].first);
        add_dispute(&order, "d", cases[i].second_at, cases[i].second);
        add_dispute(&order, "other", AT(9), DISPUTE_WON);
        struct merged_order merged = merge(&order);
        if (merged.disputed != cases[i].disputed)
            print_error("%s\n", cases[i].what);
        assert_true(merged.disputed == cases[i].disputed);
        assert_int_equal(merged.status, ORDER_PAID);
        merged_order_free(&merged);
        known_order_free(&order);
    }
}

static void check_reread(struct known_order *order, bool expected)
{
    struct merged_order merged = merge(order);
    assert_true(merged.wants_reread == expected);
    merged_order_free(&merged);
}

static void test_contested_second_wants_a_read(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    check_reread(&order, false);
    add_line(add_snapshot(&order, AT(1000), ORDER_PAID), "1", "10", 4, 0);
    check_reread(&order, true);
    struct known_snapshot *read = add_snapshot(&order, AT(1000), ORDER_PAID);
    read->facts.from_api = true;
    read->facts.read_at = AT(1001);
    add_line(read, "1", "10", 3, 0);
    check_reread(&order, true); /* perhaps still within what that second brought */
    order.snapshots[2].facts.read_at = AT(1002);
    check_reread(&order, false);
    check(&order, 3, ORDER_PAID);
    add_snapshot(&order, AT(1003), ORDER_CANCELLED);
    check_reread(&order, false); /* an old contest is no longer of interest */
    known_order_free(&order);
}

/* The same said by the API and by a delivery is no contest; nor is it one about another time. */
static void test_the_same_said_twice_is_no_contest(void **state)
{
    (void)state;
    struct known_order order = {.source = "shop"};
    for (int i = 0; i < 3; i++) {
        struct known_snapshot *snapshot = add_snapshot(&order, AT(1000), ORDER_PAID);
        set_address(snapshot, 'a');
        set_owner(snapshot, "41", "t");
        add_line(snapshot, "1", "10", 5, 0);
        add_line(snapshot, "2", "10", 5, 0);
        list_refund(snapshot, "r1", 4);
        snapshot->facts.from_api = i > 0;
        snapshot->facts.read_at = i > 0 ? AT(1000) : 0;
        snapshot->facts.time_flagged = i > 1;
    }
    check_reread(&order, false);
    order.snapshots[0].facts.refunds[0].amount = 5;
    check_reread(&order, true);
    order.snapshots[0].facts.refunds[0].amount = 4;
    memset(order.snapshots[0].address_index, 'b', DIGEST_LEN);
    check_reread(&order, true);
    memset(order.snapshots[0].address_index, 'a', DIGEST_LEN);
    order.snapshots[0].owner_user[0] = '5';
    check_reread(&order, true);
    known_order_free(&order);
}

/* A refund of the list's own second that the list lacks: the list may be from just before it. */
static void test_refund_of_the_very_second_wants_a_read(void **state)
{
    (void)state;
    struct known_order order = paid_order();
    order.snapshots[0].facts.lists_refunds = true;
    tell_refund(&order, "r1", AT(1000), REFUND_DONE);
    check_reread(&order, true);
    order.refunds[0].time = AT(999);
    check_reread(&order, false); /* a list from after it, which lacks it, is news */
    order.refunds[0].time = AT(1000);
    order.snapshots[0].facts.from_api = true;
    order.snapshots[0].facts.read_at = AT(1002);
    check_reread(&order, false);
    order.snapshots[0].facts.from_api = false;
    order.snapshots[0].facts.read_at = 0;
    order.refunds[0].state = REFUND_PENDING;
    check_reread(&order, false);
    order.refunds[0].state = REFUND_DONE;
    check_reread(&order, true);
    add_snapshot(&order, AT(1005), ORDER_CANCELLED)->facts.lines_known = false;
    check_reread(&order, false); /* what is gone has no list to read */
    order.snapshot_count--;
    list_refund(&order.snapshots[0], "r1", 1);
    check_reread(&order, false);
    known_order_free(&order);
}

/* A line's id that stands twice in a snapshot is one line. */
static void test_each_line_once(void **state)
{
    (void)state;
    struct known_order order = {.source = "shop"};
    struct known_snapshot *snapshot = add_snapshot(&order, AT(1000), ORDER_PAID);
    add_line(snapshot, "2", "10", 1, 0);
    add_line(snapshot, "1", "10", 5, 0);
    add_line(snapshot, "1", "10", 3, 0);
    struct merged_order merged = merge(&order);
    assert_int_equal(merged.line_count, 2);
    assert_string_equal(merged.lines[0].line->id, "1");
    assert_int_equal(merged.lines[0].remaining, 3);
    assert_string_equal(merged.lines[1].line->id, "2");
    merged_order_free(&merged);
    known_order_free(&order);
}

/* As many lines and refunds as an order may have. */
static void test_the_greatest_order(void **state)
{
    (void)state;
    struct known_order order = {.source = "shop"};
    struct known_snapshot *snapshot = add_snapshot(&order, AT(1000), ORDER_PAID);
    char id[16];
    for (int i = 0; i < LIMIT_ORDER_LINES; i++) {
        snprintf(id, sizeof id, "%04d", i);
        add_line(snapshot, id, "10", LIMIT_ORDER_REFUNDS, 0);
    }
    for (int i = 0; i < LIMIT_ORDER_REFUNDS; i++) {
        snprintf(id, sizeof id, "%04d", i);
        struct fact_refund *refund = tell_refund(&order, id, AT(1001), REFUND_DONE);
        for (int line = 0; line <= i; line++) {
            snprintf(id, sizeof id, "%04d", line);
            GIVE_BACK(refund, id, 1);
        }
    }
    struct merged_order merged = merge(&order);
    assert_int_equal(merged.line_count, LIMIT_ORDER_LINES);
    for (int i = 0; i < LIMIT_ORDER_LINES; i++)
        assert_int_equal(merged.lines[i].remaining,
                         i < LIMIT_ORDER_REFUNDS ? i : LIMIT_ORDER_REFUNDS);
    merged_order_free(&merged);
    known_order_free(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_but_refunds),
        cmocka_unit_test(test_latest_snapshot_wins),
        cmocka_unit_test(test_gone_order_keeps_its_lines),
        cmocka_unit_test(test_gone_order_without_lines),
        cmocka_unit_test(test_paid_time),
        cmocka_unit_test(test_address_of_the_greatest_that_has_one),
        cmocka_unit_test(test_reference_beats_any_address_and_sticks),
        cmocka_unit_test(test_reference_without_a_team),
        cmocka_unit_test(test_quantity_given_back_in_the_snapshot),
        cmocka_unit_test(test_listed_refund_with_lines),
        cmocka_unit_test(test_stated_and_listed_count_once),
        cmocka_unit_test(test_refund_of_a_line_that_is_not_there),
        cmocka_unit_test(test_lines_of_listed_refunds),
        cmocka_unit_test(test_goodwill_wants_nothing),
        cmocka_unit_test(test_detail_makes_no_refund_exist),
        cmocka_unit_test(test_refund_told_by_itself),
        cmocka_unit_test(test_latest_word_about_a_refund),
        cmocka_unit_test(test_failure_and_success_in_one_second),
        cmocka_unit_test(test_refund_before_its_order),
        cmocka_unit_test(test_an_amount_alone_takes_nothing_but_the_whole),
        cmocka_unit_test(test_failed_whole_refund),
        cmocka_unit_test(test_a_line_taken_off_makes_no_refund_whole),
        cmocka_unit_test(test_cut_times_count_as_they_were_claimed),
        cmocka_unit_test(test_disputes),
        cmocka_unit_test(test_contested_second_wants_a_read),
        cmocka_unit_test(test_the_same_said_twice_is_no_contest),
        cmocka_unit_test(test_refund_of_the_very_second_wants_a_read),
        cmocka_unit_test(test_each_line_once),
        cmocka_unit_test(test_the_greatest_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
