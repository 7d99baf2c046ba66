/*
 * The merge is a function of the set of facts: thousands of random sets, each in several orders and
 * with some of its facts twice, come to the same outcome to the last byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "known.h"

enum { SETS = 6000, ORDERS_OF_EACH = 6, TAPE = 400 };

static void fill(unsigned char tape[TAPE], uint64_t *random)
{
    for (size_t i = 0; i < TAPE; i++)
        tape[i] = (unsigned char)random_next(random);
}

/* Each line and key once, lines and keys sorted, and quantities only where something is live. */
static void check_projection(const struct known_order *order, const struct catalogue *catalogue)
{
    struct merged_order merged;
    struct projection projection;
    order_merge(order, &merged);
    order_project(order, &merged, catalogue, &projection);
    for (size_t i = 0; i < projection.count; i++) {
        const struct contribution *one = &projection.contributions[i];
        bool active = one->state == CONTRIBUTION_ACTIVE;
        assert_true(active ? one->quantity > 0 : one->quantity == 0);
        assert_true(one->grace_until == TIME_NONE || one->grace_until > one->ends_at);
        assert_true(merged.status == ORDER_PAID || one->starts_at == TIME_NONE);
        if (i == 0)
            continue;
        int lines = strcmp(one[-1].line_id, one->line_id);
        assert_true(lines < 0 || (lines == 0 && strcmp(one[-1].key, one->key) < 0));
    }
    for (size_t i = 1; i < merged.line_count; i++)
        assert_true(strcmp(merged.lines[i - 1].line->id, merged.lines[i].line->id) < 0);
    for (size_t i = 0; i < merged.line_count; i++)
        assert_true(merged.lines[i].remaining >= 0);
    projection_free(&projection);
    merged_order_free(&merged);
}

static void test_any_order_and_any_number_of_times(void **state)
{
    (void)state;
    uint64_t random = 20261123;
    for (int set = 0; set < SETS; set++) {
        unsigned char tape[TAPE];
        fill(tape, &random);
        struct bytes bytes = {tape, sizeof tape};
        struct known_order order;
        struct catalogue *catalogue = catalogue_from_bytes(&bytes);
        known_from_bytes(&bytes, &order);
        check_projection(&order, catalogue);
        char *expected = outcome(&order, catalogue);
        for (int turn = 0; turn < ORDERS_OF_EACH; turn++) {
            struct known_order other = known_reordered(&order, &random);
            char *found = outcome(&other, catalogue);
            if (strcmp(expected, found) != 0)
                print_error("set %d, turn %d\n", set, turn);
            assert_string_equal(expected, found);
            free(found);
            reordered_free(&other);
        }
        free(expected);
        known_order_free(&order);
        catalogue_free(catalogue);
    }
}

/* Of any two different snapshots exactly one wins, and winning is transitive. */
static void check_total_order(const struct known_order *order)
{
    const struct known_snapshot *all = order->snapshots;
    for (size_t a = 0; a < order->snapshot_count; a++) {
        assert_false(snapshot_wins(&all[a], &all[a]));
        for (size_t b = 0; b < order->snapshot_count; b++) {
            bool same = memcmp(all[a].digest, all[b].digest, DIGEST_LEN) == 0 &&
                        all[a].facts.read_at == all[b].facts.read_at;
            bool wins = snapshot_wins(&all[a], &all[b]), loses = snapshot_wins(&all[b], &all[a]);
            assert_false(wins && loses);
            assert_true(wins || loses || same);
            for (size_t c = 0; wins && c < order->snapshot_count; c++)
                assert_true(!snapshot_wins(&all[b], &all[c]) || snapshot_wins(&all[a], &all[c]));
        }
    }
}

static void test_winning_is_a_total_order(void **state)
{
    (void)state;
    uint64_t random = 4711;
    for (int set = 0; set < 300; set++) {
        struct known_order order = {0};
        for (int i = 0; i < 24; i++) {
            unsigned char tape[TAPE];
            fill(tape, &random);
            struct bytes bytes = {tape, sizeof tape};
            take_snapshot(&bytes, &order);
        }
        digest_snapshots(&order);
        check_total_order(&order);
        known_order_free(&order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_and_any_number_of_times),
        cmocka_unit_test(test_winning_is_a_total_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
