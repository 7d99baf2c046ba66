#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/facts.h"
#include "base/limits.h"
#include "base/mem.h"

static void add_line(struct fact_snapshot *snapshot, const char *id, const char *product,
                     int64_t quantity)
{
    struct fact_line *line = fact_add_line(snapshot);
    line->id = xstrdup(id);
    line->product = product != NULL ? xstrdup(product) : NULL;
    line->quantity = quantity;
}

static void add_refund(struct fact_snapshot *snapshot, const char *id, const char *first,
                       const char *second)
{
    struct fact_listed_refund *refund = fact_add_listed_refund(snapshot);
    refund->id = xstrdup(id);
    refund->amount = 5;
    refund->lines_known = true;
    fact_add_refund_line(&refund->lines, &refund->line_count)->line_id = xstrdup(first);
    fact_add_refund_line(&refund->lines, &refund->line_count)->line_id = xstrdup(second);
}

/* The same order each time; with `backwards`, everything that has no order is turned around. */
static struct fact_snapshot *make_snapshot(struct facts *facts, bool backwards)
{
    struct fact_snapshot *snapshot = fact_order_snapshot(facts_add_order(facts, "12", 2));
    snapshot->time = 1000;
    snapshot->status = ORDER_PAID;
    snapshot->lines_known = true;
    snapshot->total = 10;
    snapshot->address_state = ADDRESS_REAL;
    snapshot->address = xstrdup("zoe@example.test");
    snapshot->reference = xstrdup("reference");
    for (int i = 0; i < 3; i++) {
        char id[2] = {(char)('1' + (backwards ? 2 - i : i)), '\0'};
        add_line(snapshot, id, "10", 1);
    }
    add_refund(snapshot, backwards ? "r2" : "r1", backwards ? "b" : "a", backwards ? "a" : "b");
    add_refund(snapshot, backwards ? "r1" : "r2", backwards ? "b" : "a", backwards ? "a" : "b");
    snapshot->lists_refunds = true;
    return snapshot;
}

static const unsigned char address_index[DIGEST_LEN] = {1};

static void change_time(struct fact_snapshot *s)
{
    s->time++;
}
static void change_from_api(struct fact_snapshot *s)
{
    s->from_api = true;
}
static void change_flagged(struct fact_snapshot *s)
{
    s->time_flagged = true;
    s->time_claimed = s->time;
}
static void change_status(struct fact_snapshot *s)
{
    s->status = ORDER_REFUNDED;
}
static void change_lines_known(struct fact_snapshot *s)
{
    s->lines_known = false;
}
static void change_paid_at(struct fact_snapshot *s)
{
    s->paid_at = 5;
}
static void change_total(struct fact_snapshot *s)
{
    s->total = -1;
}
static void change_refunded_total(struct fact_snapshot *s)
{
    s->refunded_total = 3;
}
static void change_address_state(struct fact_snapshot *s)
{
    s->address_state = ADDRESS_ERASED;
}
static void change_payment(struct fact_snapshot *s)
{
    s->payment = xstrdup("txn_1");
}
static void change_reference(struct fact_snapshot *s)
{
    s->reference[0] = 'R';
}
static void change_lists_refunds(struct fact_snapshot *s)
{
    s->lists_refunds = false;
}
static void change_line_id(struct fact_snapshot *s)
{
    s->lines[1].id[0] = '9';
}
static void change_product(struct fact_snapshot *s)
{
    xfree(s->lines[0].product);
}
static void change_variant(struct fact_snapshot *s)
{
    s->lines[0].variant = xstrdup("10");
}
static void change_sku(struct fact_snapshot *s)
{
    s->lines[0].sku = xstrdup("");
}
static void change_quantity(struct fact_snapshot *s)
{
    s->lines[0].quantity = 2;
}
static void change_refunded_quantity(struct fact_snapshot *s)
{
    s->lines[0].refunded_quantity = 1;
}
static void change_line_count(struct fact_snapshot *s)
{
    add_line(s, "3", "10", 1);
}
static void change_refund_id(struct fact_snapshot *s)
{
    s->refunds[0].id[0] = 'x';
}
static void change_refund_amount(struct fact_snapshot *s)
{
    s->refunds[1].amount++;
}
static void change_refund_known(struct fact_snapshot *s)
{
    s->refunds[1].lines_known = false;
}
static void change_refund_line(struct fact_snapshot *s)
{
    s->refunds[0].lines[0].quantity++;
}

static void digest_of(struct fact_snapshot *snapshot, unsigned char out[DIGEST_LEN])
{
    fact_snapshot_digest(snapshot, address_index, out);
}

static void test_digest_ignores_order(void **state)
{
    (void)state;
    struct facts facts = {0};
    unsigned char a[DIGEST_LEN], b[DIGEST_LEN];
    digest_of(make_snapshot(&facts, false), a);
    digest_of(make_snapshot(&facts, true), b);
    assert_memory_equal(a, b, DIGEST_LEN);
    facts_free(&facts);
}

static void test_digest_covers_everything_else(void **state)
{
    (void)state;
    static void (*const changes[])(struct fact_snapshot *) = {
        change_time,          change_from_api,          change_flagged,       change_status,
        change_lines_known,   change_paid_at,           change_total,         change_refunded_total,
        change_address_state, change_reference,         change_lists_refunds, change_line_id,
        change_product,       change_variant,           change_sku,           change_quantity,
        change_refund_id,     change_refund_amount,     change_refund_known,  change_refund_line,
        change_line_count,    change_refunded_quantity, change_payment,
    };
    enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };
    unsigned char digests[CHANGES + 1][DIGEST_LEN];
    for (size_t i = 0; i <= CHANGES; i++) {
        struct facts facts = {0};
        struct fact_snapshot *snapshot = make_snapshot(&facts, false);
        if (i < CHANGES)
            changes[i](snapshot);
        digest_of(snapshot, digests[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(digests[i], digests[j], DIGEST_LEN);
        facts_free(&facts);
    }
}

static void test_digest_leaves_out_reading_and_address(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct fact_snapshot *snapshot = make_snapshot(&facts, false);
    unsigned char before[DIGEST_LEN], after[DIGEST_LEN];
    digest_of(snapshot, before);
    snapshot->read_at = 77;
    snapshot->address[0] = 'q';
    digest_of(snapshot, after);
    assert_memory_equal(before, after, DIGEST_LEN);
    fact_snapshot_digest(snapshot, NULL, after);
    assert_memory_not_equal(before, after, DIGEST_LEN);
    facts_free(&facts);
}

/* The same evidence received again later is cut to another time, and is still the same evidence. */
static void test_digest_takes_the_claimed_time(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct fact_snapshot *snapshot = make_snapshot(&facts, false);
    unsigned char a[DIGEST_LEN], b[DIGEST_LEN];
    snapshot->time_flagged = true;
    snapshot->time_claimed = 9000;
    digest_of(snapshot, a);
    snapshot->time = 2000;
    digest_of(snapshot, b);
    assert_memory_equal(a, b, DIGEST_LEN);
    snapshot->time_claimed = 9001;
    digest_of(snapshot, b);
    assert_memory_not_equal(a, b, DIGEST_LEN);
    facts_free(&facts);
}

static void test_arrays_grow(void **state)
{
    (void)state;
    struct facts facts = {0};
    for (int i = 0; i < 100; i++)
        fact_add_need(facts_add_order(&facts, "id", 2), NEED_ORDER, i % 2 ? "x" : NULL, false);
    struct fact_order *order = &facts.orders[50];
    assert_string_equal(order->id, "id");
    assert_null(order->needs[0].object);
    assert_string_equal(facts.orders[51].needs[0].object, "x");
    fact_add_need(order, NEED_ORDER, NULL, true);
    assert_int_equal(order->need_count, 1);
    assert_true(order->needs[0].essential);
    fact_add_alias(order, "other");
    fact_add_alias(order, "other");
    fact_add_alias(order, "id");
    assert_int_equal(order->alias_count, 1);
    assert_ptr_equal(fact_order_subscription(order), fact_order_subscription(order));
    assert_null(order->snapshot);
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    assert_ptr_equal(snapshot, fact_order_snapshot(order));
    assert_true(snapshot->time == TIME_NONE && snapshot->paid_at == TIME_NONE);
    assert_int_equal(snapshot->total, -1);
    for (int i = 0; i < 33; i++) {
        fact_add_line(snapshot)->quantity = i;
        fact_add_refund(order)->id = xstrdup("refund");
        fact_add_dispute(order)->id = xstrdup("dispute");
    }
    assert_int_equal(snapshot->lines[32].quantity, 32);
    assert_null(snapshot->lines[32].id);
    facts_free(&facts);
    assert_int_equal(facts.order_count, 0);
}

/* An array that was allocated with exactly its elements may be added to. */
static void test_exact_arrays_may_grow(void **state)
{
    (void)state;
    size_t count = 3;
    struct fact_refund_line *lines = xcalloc(count, sizeof(*lines));
    lines[2].quantity = 7;
    struct fact_refund_line *added = fact_add_refund_line(&lines, &count);
    assert_int_equal(count, 4);
    assert_int_equal(lines[2].quantity, 7);
    assert_int_equal(added->quantity, 0);
    free(lines);
}

static void test_identity(void **state)
{
    (void)state;
    char too_long[LIMIT_IDENTITY + 2];
    struct facts facts = {0};
    facts_add_order(&facts, "1", 1);
    facts_add_order(&facts, "2", 1)->identity = xstrdup("own");
    memset(too_long, 'a', sizeof(too_long));
    too_long[sizeof(too_long) - 1] = '\0';
    facts_set_identity(&facts, NULL);
    facts_set_identity(&facts, "");
    facts_set_identity(&facts, too_long);
    assert_null(facts.orders[0].identity);
    facts_set_identity(&facts, too_long + 1);
    assert_string_equal(facts.orders[0].identity, too_long + 1);
    assert_string_equal(facts.orders[1].identity, "own");
    facts_free(&facts);
}

static void test_set_aside(void **state)
{
    (void)state;
    struct facts facts = {0};
    facts_set_aside(&facts, SET_ASIDE_MALFORMED, "first");
    facts_set_aside(&facts, SET_ASIDE_NOT_AN_ORDER, "a %s of %d", "thing", 3);
    assert_string_equal(facts.detail, "a thing of 3");
    assert_string_equal(set_aside_name(facts.set_aside), "not_an_order");
    assert_string_equal(set_aside_name(SET_ASIDE_RETRIES_EXHAUSTED), "retries_exhausted");
    facts_free(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_ignores_order),
        cmocka_unit_test(test_digest_covers_everything_else),
        cmocka_unit_test(test_digest_leaves_out_reading_and_address),
        cmocka_unit_test(test_digest_takes_the_claimed_time),
        cmocka_unit_test(test_arrays_grow),
        cmocka_unit_test(test_exact_arrays_may_grow),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
