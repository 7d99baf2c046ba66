/*
 * A subscription is paid again and again, and a shop speaks of each payment for as long as it keeps
 * it. Each trap: what was said about one payment was taken for a word about another. All orders of
 * the facts are tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "known.h"

#define DAY(n) ((1000 + (int64_t)(n)) * TIME_DAY)
#define FIRST DAY(0)
#define RENEWED DAY(30)
#define LATER DAY(40)
#define END DAY(60)

static struct catalogue *catalogue_of_plans(void)
{
    static const char *const plans[] = {"small", "big"};
    struct catalogue *catalogue = catalogue_new(1);
    for (size_t i = 0; i < 2; i++) {
        struct catalogue_rule *rule = catalogue_add_rule(catalogue, "shop");
        rule->product = xstrdup(plans[i]);
        catalogue_rule_add_key(rule, plans[i]);
    }
    catalogue_seal(catalogue);
    return catalogue;
}

/* A running subscription. */
static struct known_order order_start(void)
{
    struct known_order order = {.source = "shop", .id = xstrdup("sub_1")};
    add_state(&order, FIRST, SUBSCRIPTION_ACTIVE, RENEWED);
    add_state(&order, RENEWED + TIME_SECOND, SUBSCRIPTION_ACTIVE, END);
    return order;
}

/* What is said at `time` about the payment that was made at `paid_at`. */
static struct known_snapshot *say(struct known_order *order, int64_t time, const char *payment,
                                  int64_t paid_at, int64_t total)
{
    struct known_snapshot *snapshot = add_snapshot(order, time, ORDER_PAID);
    snapshot->facts.paid_at = paid_at;
    snapshot->facts.total = total;
    snapshot->facts.payment = payment ? xstrdup(payment) : NULL;
    snapshot->facts.lines_known = false;
    return snapshot;
}

/* The news of a payment: nothing was given back of it yet. */
static struct known_snapshot *pay(struct known_order *order, int64_t time, const char *payment)
{
    struct known_snapshot *snapshot = say(order, time, payment, time, 900);
    snapshot->facts.lists_refunds = true;
    return snapshot;
}

static void sell(struct known_snapshot *snapshot, const char *plan)
{
    snapshot->facts.lines_known = true;
    add_line(snapshot, "1", plan, 1, 0);
}

static void give_back(struct known_order *order, int64_t time, const char *payment, int64_t amount)
{
    struct fact_refund *refund = tell_refund(order, payment ? payment : "re", time, REFUND_DONE);
    refund->amount = amount;
    refund->payment = payment ? xstrdup(payment) : NULL;
}

/* Which plan is given, or why not; `order` is done with then. */
static void check(const char *what, struct known_order *order, const char *plan,
                  enum contribution_state state)
{
    struct catalogue *catalogue = catalogue_of_plans();
    struct merged_order merged;
    struct projection projection;
    digest_snapshots(order);
    check_every_order(order, catalogue);
    order_merge(order, &merged);
    order_project(order, &merged, catalogue, &projection);
    assert_int_equal(projection.count, 1);
    const struct contribution *one = &projection.contributions[0];
    if (strcmp(one->key, plan) != 0 || one->state != state)
        fail_msg("%s: %s %s", what, one->key, contribution_state_name(one->state));
    projection_free(&projection);
    merged_order_free(&merged);
    known_order_free(order);
    catalogue_free(catalogue);
}

/* Stripe: a resync reads the checkout session long after the renewal, and it tells what the first
 * payment came to: nothing, where there was a trial. */
static void test_a_checkout_read_again_is_no_word_on_the_renewal(void **state)
{
    (void)state;
    static const struct {
        const char *what, *refunded;
        int64_t session_total, refunded_at;
        enum contribution_state state;
    } cases[] = {
        {"the first one back, before the renewal", "pi_1", 900, FIRST + TIME_DAY,
         CONTRIBUTION_ACTIVE},
        {"the first one back, after it", "pi_1", 900, LATER, CONTRIBUTION_ACTIVE},
        {"the running one back", "pi_2", 900, LATER, CONTRIBUTION_REFUNDED},
        {"the running one back, of a session with a trial", "pi_2", 0, LATER,
         CONTRIBUTION_REFUNDED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = order_start();
        struct known_snapshot *session =
            say(&order, DAY(45), NULL, FIRST - TIME_MINUTE, cases[i].session_total);
        session->facts.from_api = true;
        session->facts.read_at = DAY(45);
        pay(&order, FIRST, "pi_1");
        pay(&order, RENEWED, "pi_2");
        sell(add_snapshot(&order, RENEWED, ORDER_PAID), "small");
        give_back(&order, cases[i].refunded_at, cases[i].refunded, 900);
        check(cases[i].what, &order, "small", cases[i].state);
    }
}

/* Paddle: an adjustment touches its transaction, which is told anew, with what is left of it. */
static void test_a_transaction_touched_after_the_renewal_is_of_its_own_time(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t first, second; /* given back of each payment */
        enum contribution_state state;
    } cases[] = {
        {"touched alone", 0, 0, CONTRIBUTION_ACTIVE},
        {"given back, and touched", 900, 0, CONTRIBUTION_ACTIVE},
        {"given back in part, and touched; the running one back", 300, 900, CONTRIBUTION_REFUNDED},
        {"touched; the running one back in part", 0, 300, CONTRIBUTION_ACTIVE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = order_start();
        sell(pay(&order, FIRST, "txn_1"), "small");
        sell(pay(&order, RENEWED, "txn_2"), "small");
        sell(say(&order, LATER, "txn_1", FIRST, 900), "small");
        if (cases[i].first > 0)
            give_back(&order, LATER, "txn_1", cases[i].first);
        if (cases[i].second > 0)
            give_back(&order, LATER + TIME_DAY, "txn_2", cases[i].second);
        check(cases[i].what, &order, "small", cases[i].state);
    }
}

/* Lemon Squeezy: the order that began the subscription is given back, and says `refunded`. */
static void test_the_first_order_refunded_after_the_renewal_ends_nothing(void **state)
{
    (void)state;
    for (int renewed = 0; renewed < 2; renewed++) {
        struct known_order order = order_start();
        sell(say(&order, FIRST, "order", FIRST, 900), "small");
        pay(&order, FIRST + TIME_MINUTE, "order"); /* its invoice */
        struct known_snapshot *refunded = say(&order, LATER, "order", FIRST, 900);
        refunded->facts.status = ORDER_REFUNDED;
        sell(refunded, "small");
        if (renewed)
            pay(&order, RENEWED, "inv_2");
        give_back(&order, LATER, "order", 900);
        check(renewed ? "renewed" : "not renewed", &order, "small",
              renewed ? CONTRIBUTION_ACTIVE : CONTRIBUTION_REFUNDED);
    }
}

/* Lemon Squeezy: the first order keeps the plan that it sold, whatever the plan is now. */
static void test_a_partial_refund_of_the_first_order_brings_no_old_plan_back(void **state)
{
    (void)state;
    struct known_order order = order_start();
    sell(say(&order, FIRST, "order", FIRST, 900), "small");
    sell(add_snapshot(&order, FIRST, ORDER_PAID), "small");
    sell(add_snapshot(&order, DAY(20), ORDER_PAID), "big");
    pay(&order, RENEWED, "inv_2");
    sell(say(&order, LATER, "order", FIRST, 900), "small");
    give_back(&order, LATER, "order", 200);
    check("changed", &order, "big", CONTRIBUTION_ACTIVE);
}

/* Two words on one payment tell two times of it, as an order and its invoice do: the later word on
 * it counts, whichever tells the later time. */
static void test_words_on_one_payment_are_of_one_time(void **state)
{
    (void)state;
    for (int since = 0; since < 2; since++) {
        struct known_order order = order_start();
        sell(pay(&order, RENEWED, "inv_2"), "small");
        struct known_snapshot *touched =
            say(&order, LATER, "inv_2", RENEWED + (since ? TIME_HOUR : -TIME_HOUR), 900);
        touched->facts.refunded_total = 900;
        check("its later word", &order, "small", CONTRIBUTION_REFUNDED);

        order = order_start();
        sell(pay(&order, FIRST, "inv_1"), "small");
        say(&order, LATER, "inv_1", since ? LATER : FIRST, 900)->facts.refunded_total = 900;
        pay(&order, RENEWED, "inv_2");
        check("the later word on an earlier one", &order, "small", CONTRIBUTION_ACTIVE);
    }
}

/* No word on either makes one of them the running one. */
static void test_two_payments_of_one_time(void **state)
{
    (void)state;
    for (int touched = 0; touched < 3; touched++) {
        struct known_order order = order_start();
        sell(pay(&order, RENEWED, "a"), "small");
        pay(&order, RENEWED, "b");
        if (touched > 0)
            say(&order, LATER, touched == 1 ? "a" : "b", RENEWED, 900)->facts.status =
                touched == 1 ? ORDER_REFUNDED : ORDER_PAID;
        give_back(&order, LATER, "a", 900);
        check("one of two", &order, "small", CONTRIBUTION_ACTIVE);
    }
}

/* Lemon Squeezy: the first order and the subscription that it began tell one time and not the same
 * lines. Which of the two was asked for in a later second decides nothing. */
static void test_the_subscription_and_its_first_order_are_of_one_time(void **state)
{
    (void)state;
    for (int order_later = 0; order_later < 2; order_later++) {
        struct known_order order = order_start();
        struct known_snapshot *paid = pay(&order, FIRST, "order");
        sell(paid, "small");
        paid->facts.from_api = true;
        paid->facts.read_at = LATER + (order_later ? TIME_SECOND : 0);
        struct known_snapshot *own = add_snapshot(&order, FIRST, ORDER_PAID);
        sell(own, "big");
        own->facts.from_api = true;
        own->facts.read_at = LATER + (order_later ? 0 : TIME_SECOND);
        check(order_later ? "the order read later" : "the subscription read later", &order, "big",
              CONTRIBUTION_ACTIVE);
    }
}

/* Stripe since basil: the delivery of an invoice does not say which payment paid it, and the answer
 * that does tells the same moment. */
static void test_a_payment_that_one_of_two_words_names(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        struct known_order order = order_start();
        pay(&order, FIRST, "pi_1");
        struct known_snapshot *told = pay(&order, RENEWED, NULL);
        told->facts.time = RENEWED + 3 * TIME_SECOND;
        sell(told, "small");
        if (named) {
            struct known_snapshot *answer = pay(&order, RENEWED, "pi_2");
            answer->facts.from_api = true;
            answer->facts.read_at = LATER;
        }
        give_back(&order, LATER, "pi_1", 900);
        check(named ? "named" : "not named: taken for the same", &order, "small",
              named ? CONTRIBUTION_ACTIVE : CONTRIBUTION_REFUNDED);
    }
}

/* What is read without a time, and words without a time of payment. */
static void test_words_that_do_not_say_when_it_was_paid(void **state)
{
    (void)state;
    struct known_order order = order_start();
    sell(say(&order, FIRST, "a", TIME_NONE, 900), "small");
    sell(say(&order, RENEWED, "b", TIME_NONE, 900), "small");
    struct known_snapshot *undated = say(&order, 0, "b", TIME_NONE, 900);
    undated->facts.status = ORDER_PENDING;
    undated->facts.from_api = true;
    undated->facts.read_at = LATER;
    struct known_snapshot *touched = say(&order, LATER, "a", TIME_NONE, 900);
    touched->facts.status = ORDER_REFUNDED;
    give_back(&order, LATER, "a", 900);
    check("the first, touched", &order, "small", CONTRIBUTION_ACTIVE);

    order = order_start();
    struct known_snapshot *lines = say(&order, 0, NULL, TIME_NONE, -1);
    lines->facts.status = ORDER_PENDING;
    sell(lines, "small");
    pay(&order, RENEWED, "b");
    give_back(&order, LATER, "b", 900);
    check("lines read apart", &order, "small", CONTRIBUTION_REFUNDED);
}

/* A trial is a payment of nothing: of that nothing can go back. */
static void test_a_trial_and_its_first_payment(void **state)
{
    (void)state;
    for (int paid = 0; paid < 2; paid++) {
        struct known_order order = order_start();
        struct known_snapshot *trial = pay(&order, FIRST, NULL);
        trial->facts.total = 0;
        sell(trial, "small");
        if (paid)
            pay(&order, RENEWED, "pi_1");
        give_back(&order, LATER, "pi_1", 900);
        check(paid ? "paid" : "a trial", &order, "small",
              paid ? CONTRIBUTION_REFUNDED : CONTRIBUTION_ACTIVE);
    }
}

/* --- whose it is --------------------------------------------------------------------------- */

enum { NOBODY, BY_ADDRESS, BY_REFERENCE };

static void check_owner(const char *what, struct known_order *order, int kind, const char *user,
                        unsigned char address)
{
    struct catalogue *catalogue = catalogue_of_plans();
    struct merged_order merged;
    unsigned char id[DIGEST_LEN];
    digest_snapshots(order);
    check_every_order(order, catalogue);
    order_merge(order, &merged);
    memset(id, address, sizeof id);
    if (kind == BY_REFERENCE)
        subject_of_user(user, id);
    if ((int)merged.subject.kind != kind ||
        (kind != NOBODY && memcmp(merged.subject.id, id, DIGEST_LEN) != 0))
        fail_msg("%s: %d", what, (int)merged.subject.kind);
    merged_order_free(&merged);
    known_order_free(order);
    catalogue_free(catalogue);
}

/* What is read of a customer has no time. */
static struct known_snapshot *read_customer(struct known_order *order, int64_t read_at)
{
    struct known_snapshot *customer = say(order, 0, NULL, TIME_NONE, -1);
    customer->facts.status = ORDER_PENDING;
    customer->facts.from_api = true;
    customer->facts.read_at = read_at;
    return customer;
}

static void test_a_later_reference_takes_nothing_from_the_first_buyer(void **state)
{
    (void)state;
    struct known_order order = order_start();
    set_address(pay(&order, FIRST, "1"), 1);
    set_owner(pay(&order, RENEWED, "2"), "41", NULL);
    check_owner("an address, then a reference", &order, BY_ADDRESS, NULL, 1);

    order = order_start();
    set_address(pay(&order, FIRST, NULL), 1);
    set_owner(pay(&order, RENEWED, "2"), "41", NULL);
    check_owner("a first payment without a name", &order, BY_ADDRESS, NULL, 1);

    order = order_start();
    pay(&order, FIRST, "1");
    set_owner(pay(&order, RENEWED, "2"), "41", NULL);
    set_address(read_customer(&order, LATER), 1);
    check_owner("a customer read apart, then a reference", &order, BY_ADDRESS, NULL, 1);

    order = order_start();
    set_address(pay(&order, FIRST, "1"), 1);
    pay(&order, RENEWED, "2");
    set_owner(add_snapshot(&order, LATER, ORDER_PAID), "41", NULL);
    check_owner("a reference of the subscription, set after the renewal", &order, BY_ADDRESS, NULL,
                1);
}

static void test_a_later_address_takes_nothing_either(void **state)
{
    (void)state;
    struct known_order order = order_start();
    set_owner(pay(&order, FIRST, "1"), "41", NULL);
    set_address(pay(&order, RENEWED, "2"), 2);
    check_owner("a reference, then an address", &order, BY_REFERENCE, "41", 0);
}

/* Stripe: the session tells the reference, and its invoice, a second before, an address. */
static void test_the_first_payment_is_told_by_several_words(void **state)
{
    (void)state;
    for (int renewed = 0; renewed < 2; renewed++) {
        struct known_order order = order_start();
        set_address(pay(&order, FIRST, "pi_1"), 1);
        struct known_snapshot *session =
            say(&order, FIRST + TIME_SECOND, NULL, FIRST + TIME_SECOND, 900);
        set_owner(session, "41", NULL);
        set_address(session, 1);
        if (renewed)
            set_address(pay(&order, RENEWED, "pi_2"), 2);
        check_owner("told by events", &order, BY_REFERENCE, "41", 0);

        order = order_start();
        set_address(pay(&order, FIRST, "pi_1"), 1);
        session = say(&order, LATER, NULL, FIRST - TIME_MINUTE, 900);
        session->facts.from_api = true;
        session->facts.read_at = LATER;
        set_owner(session, "41", NULL);
        if (renewed)
            set_address(pay(&order, RENEWED, "pi_2"), 2);
        check_owner("read again", &order, BY_REFERENCE, "41", 0);
    }
}

static void test_whoever_is_known_where_the_first_payment_names_nobody(void **state)
{
    (void)state;
    struct known_order order = order_start();
    pay(&order, FIRST, "1");
    set_address(pay(&order, RENEWED, "2"), 2);
    struct known_snapshot *third = pay(&order, LATER, "3");
    set_owner(third, "41", NULL);
    set_address(third, 3);
    check_owner("by a later reference", &order, BY_REFERENCE, "41", 0);

    order = order_start();
    pay(&order, FIRST, "1");
    set_address(pay(&order, RENEWED, "2"), 2);
    set_address(pay(&order, LATER, "3"), 3);
    check_owner("by the first address", &order, BY_ADDRESS, NULL, 2);

    order = order_start();
    pay(&order, FIRST, "1");
    check_owner("nobody", &order, NOBODY, NULL, 0);
}

/* --- as a law ------------------------------------------------------------------------------ */

/* A subscription of three payments, the last of which runs, with lines and refunds at random. */
static struct known_order random_life(uint64_t *random)
{
    static const char *const names[] = {"1", "2", "3"};
    struct known_order order = order_start();
    for (int i = 0; i < 3; i++) {
        struct known_snapshot *told = pay(&order, DAY(10 * i), names[i]);
        if (i == 0)
            set_address(told, 1);
        if (random_next(random) % 2)
            sell(told, random_next(random) % 2 ? "small" : "big");
        if (random_next(random) % 2)
            give_back(&order, DAY(10 * i + 5), names[i], random_next(random) % 2 ? 900 : 300);
    }
    sell(add_snapshot(&order, DAY(25), ORDER_PAID), "small");
    return order;
}

/* Anything at all that may be said of a payment which is not the running one. */
static void say_anything(struct known_order *order, uint64_t *random)
{
    int which = (int)(random_next(random) % 2);
    struct known_snapshot *word =
        say(order, DAY(20 + (int64_t)(random_next(random) % 40)), which ? "2" : "1",
            DAY(10 * which) + (int64_t)(random_next(random) % 2) * TIME_HOUR,
            (int64_t)(random_next(random) % 3) * 450);
    struct fact_snapshot *facts = &word->facts;
    facts->status = (enum order_status)(random_next(random) % 4);
    facts->disputed = random_next(random) % 4 == 0;
    facts->lists_refunds = random_next(random) % 2;
    facts->refunded_total = random_next(random) % 2 ? 900 : -1;
    facts->from_api = random_next(random) % 2;
    facts->read_at = facts->from_api ? DAY(70) : 0;
    if (random_next(random) % 2)
        sell(word, "big");
    if (which && random_next(random) % 2)
        set_owner(word, "41", NULL);
    if (which && random_next(random) % 2)
        set_address(word, 9);
}

static void test_no_later_word_on_an_earlier_payment_changes_anything(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_of_plans();
    uint64_t random = 20261123;
    for (int turn = 0; turn < 4000; turn++) {
        struct known_order order = random_life(&random);
        digest_snapshots(&order);
        char *before = outcome(&order, catalogue);
        for (int words = 1 + turn % 3; words > 0; words--)
            say_anything(&order, &random);
        digest_snapshots(&order);
        char *after = outcome(&order, catalogue);
        assert_string_equal(before, after);
        free(before);
        free(after);
        known_order_free(&order);
    }
    catalogue_free(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_checkout_read_again_is_no_word_on_the_renewal),
        cmocka_unit_test(test_a_transaction_touched_after_the_renewal_is_of_its_own_time),
        cmocka_unit_test(test_the_first_order_refunded_after_the_renewal_ends_nothing),
        cmocka_unit_test(test_a_partial_refund_of_the_first_order_brings_no_old_plan_back),
        cmocka_unit_test(test_words_on_one_payment_are_of_one_time),
        cmocka_unit_test(test_two_payments_of_one_time),
        cmocka_unit_test(test_the_subscription_and_its_first_order_are_of_one_time),
        cmocka_unit_test(test_a_payment_that_one_of_two_words_names),
        cmocka_unit_test(test_words_that_do_not_say_when_it_was_paid),
        cmocka_unit_test(test_a_trial_and_its_first_payment),
        cmocka_unit_test(test_a_later_reference_takes_nothing_from_the_first_buyer),
        cmocka_unit_test(test_a_later_address_takes_nothing_either),
        cmocka_unit_test(test_the_first_payment_is_told_by_several_words),
        cmocka_unit_test(test_whoever_is_known_where_the_first_payment_names_nobody),
        cmocka_unit_test(test_no_later_word_on_an_earlier_payment_changes_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
