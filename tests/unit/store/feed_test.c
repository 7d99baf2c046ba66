/* Following the change feed: which ids are missing below the top, and for how long they are asked
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/feed.h"

/* A reading with these ids; 0 ends the list. A row's subject begins with its id. */
static struct feed_read reading(const uint64_t *ids)
{
    struct feed_read read = {.opened = 1, .connection = 7, .place = "here"};

    read.rows = xcalloc(LIMIT_FEED_ROWS, sizeof(*read.rows));
    for (; ids[read.count] != 0; read.count++) {
        read.rows[read.count].id = ids[read.count];
        memcpy(read.rows[read.count].subject, &ids[read.count], sizeof(*ids));
    }
    return read;
}
#define IDS(...) ((const uint64_t[]){__VA_ARGS__ __VA_OPT__(, ) 0})

static void begin(struct feed_tail *tail, uint64_t floor, const uint64_t *ids)
{
    struct feed_read read = reading(ids);

    read.floor = floor;
    assert_int_equal(feed_tail_begin(tail, &read), FEED_MOVED);
    feed_read_free(&read);
}

/* Takes a reading and compares which of its rows are news. */
static void take(struct feed_tail *tail, int64_t elapsed, const uint64_t *ids, const uint64_t *news)
{
    struct feed_read read = reading(ids);
    size_t count = 0;

    assert_int_equal(feed_tail_take(tail, &read, elapsed), FEED_MOVED);
    for (; news[count] != 0; count++) {
        assert_true(count < read.count);
        assert_int_equal(read.rows[count].id, news[count]);
        assert_memory_equal(read.rows[count].subject, &news[count], sizeof(*news));
    }
    assert_int_equal(read.count, count);
    feed_read_free(&read);
}

static enum feed_step step_of(struct feed_tail *tail, struct feed_read read)
{
    enum feed_step step = feed_tail_take(tail, &read, 1);

    feed_read_free(&read);
    return step;
}

/* Pairs of first and last id. */
static void check_gaps(const struct feed_tail *tail, const uint64_t *pairs)
{
    size_t count = 0;

    for (; pairs[2 * count] != 0; count++) {
        assert_true(count < tail->gap_count);
        assert_int_equal(tail->gaps[count].first, pairs[2 * count]);
        assert_int_equal(tail->gaps[count].last, pairs[2 * count + 1]);
    }
    assert_int_equal(tail->gap_count, count);
}

static void test_begins(void **state)
{
    struct feed_tail tail;

    (void)state;
    begin(&tail, 0, IDS());
    assert_true(tail.following);
    assert_int_equal(tail.top, 0);
    check_gaps(&tail, IDS());
    take(&tail, 1, IDS(3), IDS(3));
    check_gaps(&tail, IDS(1, 2));
    begin(&tail, 0, IDS(5, 6, 9));
    check_gaps(&tail, IDS(1, 4, 7, 8));
    begin(&tail, 5, IDS(5, 6, 9)); /* nothing below the floor is on its way */
    check_gaps(&tail, IDS(7, 8));
    begin(&tail, 5, IDS(5));
    assert_int_equal(tail.top, 5);
    check_gaps(&tail, IDS());
}

/* What "greater than the last" misses. */
static void test_a_late_row_is_news(void **state)
{
    struct feed_tail tail;

    (void)state;
    begin(&tail, 10, IDS(10));
    take(&tail, 1, IDS(10, 12, 13), IDS(12, 13));
    check_gaps(&tail, IDS(11, 11));
    take(&tail, 1, IDS(13, 20), IDS(20));
    check_gaps(&tail, IDS(11, 11, 14, 19));
    take(&tail, 1, IDS(11, 16, 20, 21), IDS(11, 16, 21));
    check_gaps(&tail, IDS(14, 15, 17, 19));
    take(&tail, 1, IDS(14, 15, 17, 21), IDS(14, 15, 17));
    check_gaps(&tail, IDS(18, 19));
    take(&tail, 1, IDS(18, 19, 21), IDS(18, 19));
    check_gaps(&tail, IDS());
    take(&tail, 1, IDS(21), IDS());
}

/* Rows of a gap's range that were asked for twice, as padding does, are news once. */
static void test_what_was_seen_is_no_news(void **state)
{
    struct feed_tail tail;

    (void)state;
    begin(&tail, 10, IDS(10, 14));
    take(&tail, 1, IDS(12, 14), IDS(12));
    take(&tail, 1, IDS(12, 14), IDS());
    check_gaps(&tail, IDS(11, 11, 13, 13));
}

static void test_a_gap_is_given_up_after_a_writer_s_life(void **state)
{
    struct feed_tail tail;
    int64_t life = LIMIT_FEED_WRITER_S * TIME_SECOND, asked = 0;

    (void)state;
    begin(&tail, 10, IDS(10));
    take(&tail, 1, IDS(10, 12), IDS(12));
    for (; asked + TIME_SECOND < life; asked += TIME_SECOND)
        take(&tail, TIME_SECOND, IDS(12), IDS());
    check_gaps(&tail, IDS(11, 11));
    take(&tail, TIME_SECOND, IDS(11, 12), IDS(11)); /* at the last moment */
    begin(&tail, 10, IDS(10));
    take(&tail, 1, IDS(10, 12), IDS(12));
    for (asked = 0; asked < life; asked += TIME_SECOND)
        take(&tail, TIME_SECOND, IDS(12), IDS());
    check_gaps(&tail, IDS());
}

/* A server that stood still for an hour did not give its writers an hour. */
static void test_time_without_readings_does_not_count(void **state)
{
    struct feed_tail tail;

    (void)state;
    begin(&tail, 10, IDS(10));
    take(&tail, 1, IDS(10, 12), IDS(12));
    take(&tail, TIME_HOUR, IDS(12), IDS());
    check_gaps(&tail, IDS(11, 11));
    take(&tail, TIME_HOUR, IDS(11, 12), IDS(11));
}

static void test_what_cannot_be_followed(void **state)
{
    struct feed_tail tail;
    struct feed_read read;

    (void)state;
    begin(&tail, 10, IDS(10));
    read = reading(IDS(10));
    read.connection++;
    assert_int_equal(step_of(&tail, read), FEED_RESTART);
    assert_false(tail.following);
    begin(&tail, 10, IDS(10));
    read = reading(IDS(10));
    read.opened++; /* a server that begins anew gives the same numbers again */
    assert_int_equal(step_of(&tail, read), FEED_RESTART);
    begin(&tail, 10, IDS(10));
    read = reading(IDS(10));
    strcpy(read.place, "there");
    assert_int_equal(step_of(&tail, read), FEED_RESTART);
    begin(&tail, 10, IDS(10));
    assert_int_equal(step_of(&tail, reading(IDS())), FEED_GONE); /* emptied */
    begin(&tail, 10, IDS(10));
    assert_int_equal(step_of(&tail, reading(IDS(11, 12))), FEED_GONE);
    begin(&tail, 10, IDS(10));
    read = reading(IDS(10));
    read.rows[0].subject[31] ^= 1; /* restored, and grown beyond where we were */
    assert_int_equal(step_of(&tail, read), FEED_GONE);
    begin(&tail, 10, IDS(10));
    read = reading(IDS(10));
    read.crowded = true;
    assert_int_equal(step_of(&tail, read), FEED_CROWDED);
    read = reading(IDS(10));
    read.crowded = true;
    assert_int_equal(feed_tail_begin(&tail, &read), FEED_CROWDED);
    assert_false(tail.following);
    feed_read_free(&read);
}

/* Ids in steps of two, as many gaps as are remembered, and one more. */
static void test_too_many_gaps(void **state)
{
    struct feed_tail tail;
    uint64_t ids[LIMIT_FEED_GAPS + 2] = {0};

    (void)state;
    for (size_t i = 0; i < LIMIT_FEED_GAPS; i++)
        ids[i] = 12 + 2 * i;
    begin(&tail, 10, ids);
    assert_int_equal(tail.gap_count, LIMIT_FEED_GAPS);
    take(&tail, 1, IDS(tail.top), IDS());
    assert_int_equal(step_of(&tail, reading(IDS(tail.top, tail.top + 2))), FEED_GAPS);
    assert_false(tail.following);
    ids[LIMIT_FEED_GAPS] = 12 + 2 * LIMIT_FEED_GAPS;
    {
        struct feed_read read = reading(ids);

        read.floor = 10;
        assert_int_equal(feed_tail_begin(&tail, &read), FEED_GAPS);
        assert_false(tail.following);
        feed_read_free(&read);
    }
}

/* Commits in any order: whatever a reader sees when, every row is news exactly once. */
static void test_random_orders(void **state)
{
    enum { ROWS = 300 };
    uint64_t order[ROWS];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct feed_tail tail;
        unsigned told[ROWS + 1] = {0};
        bool seen[ROWS + 1] = {false};
        size_t committed = 0;

        for (size_t i = 0; i < ROWS; i++)
            order[i] = i + 1;
        for (size_t i = 0; i + 1 < ROWS; i++) { /* swaps nearby: writers overlap */
            size_t with = i + (size_t)rand_r(&seed) % 20;
            uint64_t swap = order[i];

            with = with < ROWS ? with : ROWS - 1;
            order[i] = order[with];
            order[with] = swap;
        }
        begin(&tail, 0, IDS());
        while (committed < ROWS) {
            struct feed_read read = reading(IDS());

            for (size_t more = (size_t)rand_r(&seed) % 30; more > 0 && committed < ROWS; more--)
                seen[order[committed++]] = true;
            for (uint64_t id = 1; id <= ROWS; id++) {
                bool asked = id >= tail.top;

                for (size_t i = 0; i < tail.gap_count; i++)
                    asked |= id >= tail.gaps[i].first && id <= tail.gaps[i].last;
                if (!asked || !seen[id])
                    continue;
                read.rows[read.count].id = id;
                memcpy(read.rows[read.count++].subject, &id, sizeof(id));
            }
            assert_int_equal(feed_tail_take(&tail, &read, 1), FEED_MOVED);
            for (size_t i = 0; i < read.count; i++)
                told[read.rows[i].id]++;
            feed_read_free(&read);
        }
        for (size_t id = 1; id <= ROWS; id++)
            assert_int_equal(told[id], seen[id] ? 1 : 0);
        assert_int_equal(tail.gap_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins),
        cmocka_unit_test(test_a_late_row_is_news),
        cmocka_unit_test(test_what_was_seen_is_no_news),
        cmocka_unit_test(test_a_gap_is_given_up_after_a_writer_s_life),
        cmocka_unit_test(test_time_without_readings_does_not_count),
        cmocka_unit_test(test_what_cannot_be_followed),
        cmocka_unit_test(test_too_many_gaps),
        cmocka_unit_test(test_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
