/* Kept answers: who is told of a touch, which read may be relied on, what is dropped when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "answer_cache.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#define NOW (INT64_C(1780000000) * TIME_SECOND)

struct kit {
    struct metrics *metrics;
    struct subjects *subjects;
    struct answer_cache *cache;
};

static int set_up(void **state)
{
    struct kit *kit = xcalloc(1, sizeof(*kit));
    kit->metrics = metrics_new();
    kit->subjects = subjects_new();
    kit->cache = answer_cache_new(kit->subjects, kit->metrics);
    subjects_follow(kit->subjects, true);
    *state = kit;
    return 0;
}

static int tear_down(void **state)
{
    struct kit *kit = *state;
    answer_cache_free(kit->cache);
    subjects_free(kit->subjects);
    metrics_free(kit->metrics);
    free(kit);
    return 0;
}

typedef unsigned char subject[DIGEST_LEN];

static void name_subject(subject out, const char *name)
{
    digest_sha256(name, strlen(name), out);
}

static struct kept_answer *keep(struct kit *kit, const char *user, const char *one,
                                const char *other, int64_t ends_at)
{
    struct standing standing = {.holding_count = 1};
    subject subjects[2];
    struct kept_answer *kept;

    snprintf(standing.user, sizeof(standing.user), "%s", user);
    snprintf(standing.team, sizeof(standing.team), "1");
    standing.holdings = xcalloc(1, sizeof(*standing.holdings));
    strcpy(standing.holdings[0].key, "icons");
    standing.holdings[0].quantity = 1;
    standing.holdings[0].ends_at = ends_at;
    standing.holdings[0].grace_until = TIME_NONE;
    name_subject(subjects[0], one);
    name_subject(subjects[1], other ? other : one);
    kept = answer_cache_keep(kit->cache, &standing, (const subject *)subjects, other ? 2 : 1);
    free(standing.holdings);
    return kept;
}

static void touch(struct kit *kit, const char *name)
{
    subject touched;
    name_subject(touched, name);
    subjects_touch(kit->subjects, touched);
}

static bool touched_since(struct kit *kit, uint64_t moment, const char *name)
{
    subject asked[1];
    name_subject(asked[0], name);
    return subjects_touched_since(kit->subjects, moment, (const subject *)asked, 1);
}

static bool has(struct kit *kit, const char *user)
{
    return answer_cache_find(kit->cache, user, "1") != NULL;
}

static void test_a_touch_drops_who_stands_there(void **state)
{
    struct kit *kit = *state;
    keep(kit, "1", "u1", "a1", TIME_NONE);
    keep(kit, "2", "u2", "a1", TIME_NONE);
    keep(kit, "3", "u3", NULL, TIME_NONE);
    touch(kit, "nobody");
    assert_int_equal(answer_cache_count(kit->cache), 3);
    touch(kit, "a1");
    assert_false(has(kit, "1"));
    assert_false(has(kit, "2"));
    assert_true(has(kit, "3"));
    touch(kit, "u3");
    assert_int_equal(answer_cache_count(kit->cache), 0);
    assert_int_equal(answer_cache_bytes(kit->cache), 0);
}

static void test_a_user_in_another_team_is_another_answer(void **state)
{
    struct kit *kit = *state;
    keep(kit, "1", "u1", NULL, TIME_NONE);
    assert_null(answer_cache_find(kit->cache, "1", "2"));
    assert_null(answer_cache_find(kit->cache, "11", ""));
}

/* The race of a read against a change. */
static void test_a_read_that_a_change_overtook(void **state)
{
    struct kit *kit = *state;
    uint64_t moment = subjects_moment(kit->subjects);
    assert_false(touched_since(kit, moment, "u1"));
    touch(kit, "u2");
    assert_false(touched_since(kit, moment, "u1"));
    touch(kit, "u1");
    assert_true(touched_since(kit, moment, "u1"));
    assert_false(touched_since(kit, subjects_moment(kit->subjects), "u1"));
}

static void test_more_changes_than_are_remembered(void **state)
{
    struct kit *kit = *state;
    uint64_t moment = subjects_moment(kit->subjects);
    for (int i = 0; i < LIMIT_TOUCHES; i++)
        touch(kit, "other");
    assert_false(touched_since(kit, moment, "u1"));
    touch(kit, "other");
    assert_true(touched_since(kit, moment, "u1"));
    assert_false(touched_since(kit, moment + 1, "u1"));
}

/* Nothing is relied on that began before the feed was followed, or while it was not. */
static void test_reads_around_the_feed_s_absence(void **state)
{
    struct kit *kit = *state;
    uint64_t before = subjects_moment(kit->subjects), during;
    subjects_follow(kit->subjects, false);
    during = subjects_moment(kit->subjects);
    assert_true(touched_since(kit, before, "u1"));
    assert_true(touched_since(kit, during, "u1"));
    subjects_follow(kit->subjects, true);
    assert_true(touched_since(kit, before, "u1"));
    assert_true(touched_since(kit, during, "u1"));
    assert_false(touched_since(kit, subjects_moment(kit->subjects), "u1"));
}

/* The body is no string: nothing ends it. */
static bool tells(const struct kept_answer *kept, const char *key)
{
    return memmem(kept->body, kept->len, key, strlen(key)) != NULL;
}

static void test_time_alone_changes_an_answer(void **state)
{
    struct kit *kit = *state;
    struct kept_answer *kept = keep(kit, "1", "u1", NULL, NOW + 5);
    char version[ANSWER_VERSION];
    kept_answer_render(kit->cache, kept, NOW);
    assert_true(tells(kept, "icons"));
    assert_int_equal(kept->changes_at, NOW + 5);
    memcpy(version, kept->version, sizeof(version));
    kept_answer_render(kit->cache, kept, NOW + 4);
    assert_string_equal(kept->version, version);
    kept_answer_render(kit->cache, kept, NOW + 5);
    assert_false(tells(kept, "icons"));
    assert_string_not_equal(kept->version, version);
    kept_answer_render(kit->cache, kept, NOW + 1); /* the clock was set back */
    assert_string_equal(kept->version, version);
}

static void test_doubt_is_kept_and_dated(void **state)
{
    struct kit *kit = *state;
    keep(kit, "1", "u1", NULL, TIME_NONE);
    answer_cache_doubt(kit->cache, 70);
    keep(kit, "2", "u2", NULL, TIME_NONE);
    answer_cache_doubt(kit->cache, 90);
    assert_true(answer_cache_find(kit->cache, "1", "1")->in_doubt);
    assert_int_equal(answer_cache_find(kit->cache, "1", "1")->true_at, 70);
    assert_int_equal(answer_cache_find(kit->cache, "2", "1")->true_at, 90);
    keep(kit, "1", "u1", NULL, TIME_NONE);
    assert_false(answer_cache_find(kit->cache, "1", "1")->in_doubt);
    touch(kit, "u2"); /* known to be old is worse than in doubt */
    assert_false(has(kit, "2"));
}

static void test_the_least_recently_used_goes_first(void **state)
{
    struct kit *kit = *state;
    char name[16];
    for (int i = 0; i < LIMIT_ANSWERS; i++) {
        snprintf(name, sizeof(name), "%d", i);
        keep(kit, name, name, NULL, TIME_NONE);
    }
    assert_int_equal(answer_cache_count(kit->cache), LIMIT_ANSWERS);
    assert_true(has(kit, "0"));
    keep(kit, "one more", "one more", NULL, TIME_NONE);
    assert_int_equal(answer_cache_count(kit->cache), LIMIT_ANSWERS);
    assert_true(has(kit, "0"));
    assert_false(has(kit, "1"));
    assert_true(answer_cache_bytes(kit->cache) <= LIMIT_ANSWERS_BYTES);
}

/* An answer with so many holdings, standing on as many subjects. */
static struct kept_answer *keep_large(struct kit *kit, const char *user, size_t holdings)
{
    struct standing standing = {.holding_count = holdings};
    subject own[1];
    struct kept_answer *kept;

    snprintf(standing.user, sizeof(standing.user), "%s", user);
    snprintf(standing.team, sizeof(standing.team), "1");
    standing.holdings = xcalloc(holdings, sizeof(*standing.holdings));
    name_subject(own[0], user);
    kept = answer_cache_keep(kit->cache, &standing, (const subject *)own, 1);
    assert_int_equal(standing.holding_count, kept ? 0 : holdings);
    free(standing.holdings);
    return kept;
}

static void test_bytes_are_bounded(void **state)
{
    struct kit *kit = *state;
    size_t most = (LIMIT_ANSWER_BYTES - 2048) / sizeof(struct holding);
    char name[16];
    assert_non_null(keep_large(kit, "1", most));
    assert_null(keep_large(kit, "1", most + 100));
    assert_false(has(kit, "1")); /* what it had is not true any more */
    for (int i = 0; i < 2 * LIMIT_ANSWERS_BYTES / LIMIT_ANSWER_BYTES; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_non_null(keep_large(kit, name, most));
        assert_true(answer_cache_bytes(kit->cache) <= LIMIT_ANSWERS_BYTES);
    }
    assert_true(answer_cache_count(kit->cache) > LIMIT_ANSWERS_BYTES / LIMIT_ANSWER_BYTES - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_touch_drops_who_stands_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_user_in_another_team_is_another_answer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_read_that_a_change_overtook, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_changes_than_are_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reads_around_the_feed_s_absence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_alone_changes_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_doubt_is_kept_and_dated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_least_recently_used_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_are_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
