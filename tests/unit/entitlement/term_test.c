/*
 * Bills beside what a subscription says of itself: what comes of it when any of the words is lost,
 * in every order of the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "known.h"

#define DAY(n) ((1000 + (int64_t)(n)) * TIME_DAY)
#define HOUR TIME_HOUR
#define NONE TIME_NONE

struct word {
    const char *what;
    int64_t time;
    enum subscription_state state;
    int64_t until, since;
};

/* The month from day 30 on: not paid at once, but three days later. */
static const struct word created = {"created", DAY(0), SUBSCRIPTION_ACTIVE, DAY(30), NONE};
static const struct word begun = {"updated (active)", DAY(30), SUBSCRIPTION_ACTIVE, DAY(60), NONE};
static const struct word failed = {"payment_failed", DAY(30) + HOUR, SUBSCRIPTION_PAST_DUE, DAY(60),
                                   DAY(30)};
static const struct word past_due = {"updated (past_due)", DAY(30) + HOUR, SUBSCRIPTION_PAST_DUE,
                                     DAY(30), DAY(30)};
static const struct word paid = {"invoice.paid", DAY(33), SUBSCRIPTION_ACTIVE, DAY(60), DAY(30)};
static const struct word active = {"updated (active again)", DAY(33), SUBSCRIPTION_ACTIVE, DAY(60),
                                   NONE};
static const struct word deleted = {"deleted", DAY(32), SUBSCRIPTION_EXPIRED, DAY(32), NONE};
static const struct word cancelled = {"cancelled", DAY(31), SUBSCRIPTION_CANCELLED, DAY(31), NONE};
static const struct word paused = {"paused", DAY(31), SUBSCRIPTION_PAUSED, NONE, NONE};

enum { WORDS_MOST = 7 };

struct story {
    const char *what;
    const struct word *words[WORDS_MOST];
    enum subscription_state state;
    int64_t until; /* the end of what is paid, or since when it is not */
};

static void check_state(const struct story *story, const struct known_order *order,
                        const char *lost)
{
    struct merged_order merged;
    order_merge(order, &merged);
    const struct fact_subscription *term = merged.subscription;
    assert_non_null(term);
    int64_t until = term->state == SUBSCRIPTION_PAST_DUE ? term->unpaid_since : term->paid_until;
    if (term->state != story->state || until != story->until)
        fail_msg("%s, %s lost: state %d, day %lld", story->what, lost, (int)term->state,
                 (long long)(until / TIME_DAY - 1000));
    merged_order_free(&merged);
}

/* The story without one of its words (NULL: with all), in every order of the others. */
static void tell(const struct story *story, const struct word *lost)
{
    struct known_subscription states[WORDS_MOST];
    struct known_order order = {.source = "shop", .id = xstrdup("sub_1")};
    for (size_t i = 0; i < WORDS_MOST && story->words[i]; i++)
        if (story->words[i] != lost)
            add_state(&order, story->words[i]->time, story->words[i]->state, story->words[i]->until)
                ->facts.unpaid_since = story->words[i]->since;
    digest_snapshots(&order);
    struct known_order other = order;
    other.subscriptions = states;
    struct permuted permuted =
        permuted_start(order.subscriptions, states, order.subscription_count, sizeof *states);
    do
        check_state(story, &other, lost ? lost->what : "nothing");
    while (permuted_step(&permuted));
    known_order_free(&order);
}

/* `any`: also without any one of the words. */
static void tell_all(const struct story *stories, size_t count, bool any)
{
    for (size_t i = 0; i < count; i++) {
        tell(&stories[i], NULL);
        for (size_t w = 0; any && w < WORDS_MOST && stories[i].words[w]; w++)
            tell(&stories[i], stories[i].words[w]);
    }
}

static void test_paid_after_all_whichever_word_is_lost(void **state)
{
    (void)state;
    static const struct story stories[] = {
        {"paid at last",
         {&created, &failed, &past_due, &paid, &active},
         SUBSCRIPTION_ACTIVE,
         DAY(60)},
        {"paid at last, of a period that had begun",
         {&created, &begun, &failed, &past_due, &paid, &active},
         SUBSCRIPTION_ACTIVE,
         DAY(60)},
        {"the bills alone", {&failed, &paid}, SUBSCRIPTION_ACTIVE, DAY(60)},
    };
    tell_all(stories, 2, true);
    tell_all(stories + 2, 1, false);
}

static void test_past_due_whichever_word_is_lost(void **state)
{
    (void)state;
    static const struct story stories[] = {
        {"not paid", {&failed, &past_due}, SUBSCRIPTION_PAST_DUE, DAY(30)},
        {"not paid", {&created, &failed, &past_due}, SUBSCRIPTION_PAST_DUE, DAY(30)},
        {"not paid", {&created, &begun, &failed, &past_due}, SUBSCRIPTION_PAST_DUE, DAY(30)},
    };
    tell_all(stories, 3, true);
}

/* Whatever was paid or was not, before or after. */
static void test_no_bill_brings_back_what_ended(void **state)
{
    (void)state;
    static const struct word late = {"invoice.paid", DAY(35), SUBSCRIPTION_ACTIVE, DAY(65),
                                     DAY(35)};
    static const struct word never = {"payment_failed", DAY(35), SUBSCRIPTION_PAST_DUE, DAY(65),
                                      DAY(35)};
    static const struct word *const ends[] = {&deleted, &cancelled, &paused};
    for (size_t i = 0; i < 3; i++) {
        struct story story = {ends[i]->what,
                              {&created, &past_due, ends[i], &failed, &paid, &late, &never},
                              ends[i]->state,
                              ends[i]->until};
        tell(&story, NULL);
        for (size_t w = 0; w < WORDS_MOST; w++)
            if (story.words[w] != ends[i])
                tell(&story, story.words[w]);
    }
}

static void test_deleted_while_past_due(void **state)
{
    (void)state;
    static const struct word resumed = {"resumed", DAY(34), SUBSCRIPTION_ACTIVE, DAY(60), NONE};
    static const struct story stories[] = {
        {"deleted, and the open invoice is paid",
         {&created, &failed, &past_due, &deleted, &paid},
         SUBSCRIPTION_EXPIRED,
         DAY(32)},
        {"resumed by itself",
         {&created, &cancelled, &resumed, &failed, &paid},
         SUBSCRIPTION_ACTIVE,
         DAY(60)},
    };
    tell_all(stories, 2, false);
}

static void test_bills_of_other_periods(void **state)
{
    (void)state;
    static const struct word next_due = {"updated (past_due again)", DAY(61), SUBSCRIPTION_PAST_DUE,
                                         DAY(60), DAY(60)};
    static const struct word old_paid = {"the old invoice paid", DAY(65), SUBSCRIPTION_ACTIVE,
                                         DAY(60), DAY(30)};
    static const struct word old_failed = {"the old invoice failed again", DAY(65),
                                           SUBSCRIPTION_PAST_DUE, DAY(60), DAY(30)};
    static const struct word runs = {"updated (active)", DAY(61), SUBSCRIPTION_ACTIVE, DAY(90),
                                     NONE};
    static const struct word year = {"a year of another item", DAY(33), SUBSCRIPTION_ACTIVE,
                                     DAY(395), DAY(30)};
    static const struct word trial = {"a trial", DAY(0), SUBSCRIPTION_TRIAL, DAY(30), NONE};
    static const struct word nothing = {"its bill", DAY(0), SUBSCRIPTION_ACTIVE, DAY(30), DAY(0)};
    static const struct word anew = {"a new period, sooner", DAY(20), SUBSCRIPTION_ACTIVE, DAY(50),
                                     DAY(20)};
    static const struct word later = {"past due, told later", DAY(34), SUBSCRIPTION_PAST_DUE,
                                      DAY(30), DAY(30)};
    static const struct story stories[] = {
        {"two are open, the older one is paid",
         {&created, &past_due, &next_due, &old_paid},
         SUBSCRIPTION_PAST_DUE,
         DAY(60)},
        {"an old one fails again", {&created, &runs, &old_failed}, SUBSCRIPTION_ACTIVE, DAY(90)},
        {"a longer period of another item",
         {&created, &begun, &year},
         SUBSCRIPTION_ACTIVE,
         DAY(60)},
        {"a trial is not paid", {&trial, &nothing}, SUBSCRIPTION_TRIAL, DAY(30)},
        {"a trial that is paid", {&trial, &nothing, &paid}, SUBSCRIPTION_ACTIVE, DAY(60)},
        {"a trial that fails", {&trial, &nothing, &failed}, SUBSCRIPTION_PAST_DUE, DAY(30)},
        {"renewed sooner", {&created, &anew}, SUBSCRIPTION_ACTIVE, DAY(50)},
        {"what it says after the bill stands",
         {&created, &paid, &later},
         SUBSCRIPTION_PAST_DUE,
         DAY(30)},
    };
    tell_all(stories, sizeof stories / sizeof *stories, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paid_after_all_whichever_word_is_lost),
        cmocka_unit_test(test_past_due_whichever_word_is_lost),
        cmocka_unit_test(test_no_bill_brings_back_what_ended),
        cmocka_unit_test(test_deleted_while_past_due),
        cmocka_unit_test(test_bills_of_other_periods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
