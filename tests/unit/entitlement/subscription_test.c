/*
 * The life of an order that is a subscription: who it is for, what each state gives, and what money
 * that goes back means. Each life is also told in any order, and any number of times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "known.h"

#define DAY(n) ((int64_t)(n)*TIME_DAY)
#define GRACE_DAYS 7

/* One rule for the product "pro", with grace days. */
static struct catalogue *catalogue_of_pro(void)
{
    struct catalogue *catalogue = catalogue_new(1);
    struct catalogue_rule *rule = catalogue_add_rule(catalogue, "shop");
    rule->product = xstrdup("pro");
    rule->grace_days = GRACE_DAYS;
    catalogue_rule_add_key(rule, "key");
    catalogue_seal(catalogue);
    return catalogue;
}

static struct known_order order_start(void)
{
    return (struct known_order){.source = "shop", .id = xstrdup("sub_1")};
}

/* A payment, as Stripe's invoices and Paddle's transactions tell it. */
static struct known_snapshot *pay(struct known_order *order, int64_t time, const char *payment,
                                  int64_t total)
{
    struct known_snapshot *snapshot = add_snapshot(order, time, ORDER_PAID);
    snapshot->facts.paid_at = time;
    snapshot->facts.total = total;
    snapshot->facts.lists_refunds = true;
    snapshot->facts.payment = payment ? xstrdup(payment) : NULL;
    add_line(snapshot, "1", "pro", 1, 0);
    return snapshot;
}

static struct fact_refund *give_money_back(struct known_order *order, const char *id, int64_t time,
                                           const char *payment, int64_t amount)
{
    struct fact_refund *refund = tell_refund(order, id, time, REFUND_DONE);
    refund->amount = amount;
    refund->payment = payment ? xstrdup(payment) : NULL;
    return refund;
}

/* Checks that the order comes to the same in any order, with any of its facts told twice. */
static void check_any_order(const struct known_order *order, const struct catalogue *catalogue)
{
    uint64_t random = 20261123;
    char *expected = outcome(order, catalogue);
    for (int turn = 0; turn < 50; turn++) {
        struct known_order other = known_reordered(order, &random);
        char *found = outcome(&other, catalogue);
        assert_string_equal(expected, found);
        free(found);
        reordered_free(&other);
    }
    free(expected);
}

/* What the order gives of its one key; `order` is done with then. */
struct given {
    enum contribution_state state;
    int64_t quantity, ends_at, grace_until;
};

static struct given give(struct known_order *order)
{
    struct catalogue *catalogue = catalogue_of_pro();
    struct merged_order merged;
    struct projection projection;
    digest_snapshots(order);
    check_any_order(order, catalogue);
    order_merge(order, &merged);
    order_project(order, &merged, catalogue, &projection);
    assert_int_equal(projection.count, 1);
    struct given given = {projection.contributions[0].state, projection.contributions[0].quantity,
                          projection.contributions[0].ends_at,
                          projection.contributions[0].grace_until};
    projection_free(&projection);
    merged_order_free(&merged);
    known_order_free(order);
    catalogue_free(catalogue);
    return given;
}

/* --- states -------------------------------------------------------------------------------- */

struct told_state {
    enum subscription_state state;
    int day;   /* on which it is told */
    int until; /* the day until which it says it is paid; -1: not told */
    int since; /* unpaid since; -1: not told */
};

static const struct {
    const char *what;
    struct told_state told[4];
    size_t count;
    int ends, grace; /* days; -1: none */
} lives[] = {
    {"a trial", {{SUBSCRIPTION_TRIAL, 0, 14, -1}}, 1, 14, 14 + GRACE_DAYS},
    {"a trial that is paid",
     {{SUBSCRIPTION_TRIAL, 0, 14, -1}, {SUBSCRIPTION_ACTIVE, 14, 44, -1}},
     2,
     44,
     44 + GRACE_DAYS},
    {"a trial that is not paid",
     {{SUBSCRIPTION_TRIAL, 0, 14, -1}, {SUBSCRIPTION_PAST_DUE, 14, 14, 14}},
     2,
     14,
     14 + GRACE_DAYS},
    {"a trial that nobody goes on with",
     {{SUBSCRIPTION_TRIAL, 0, 14, -1}, {SUBSCRIPTION_CANCELLED, 3, 14, -1}},
     2,
     14,
     -1},
    {"renewed: extends, never adds",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1},
      {SUBSCRIPTION_ACTIVE, 30, 60, -1},
      {SUBSCRIPTION_ACTIVE, 60, 90, -1}},
     3,
     90,
     90 + GRACE_DAYS},
    {"past due: grace runs from the start of the unpaid period",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1}, {SUBSCRIPTION_PAST_DUE, 32, 60, 30}},
     2,
     30,
     30 + GRACE_DAYS},
    {"past due, since when is not told",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1}, {SUBSCRIPTION_PAST_DUE, 32, -1, -1}},
     2,
     32,
     32 + GRACE_DAYS},
    {"past due, then paid",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1},
      {SUBSCRIPTION_PAST_DUE, 30, -1, 30},
      {SUBSCRIPTION_ACTIVE, 33, 60, -1}},
     3,
     60,
     60 + GRACE_DAYS},
    {"past due, then over",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1},
      {SUBSCRIPTION_PAST_DUE, 30, -1, 30},
      {SUBSCRIPTION_EXPIRED, 35, 30, -1}},
     3,
     30,
     -1},
    {"cancelled, but paid until the period's end",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1}, {SUBSCRIPTION_CANCELLED, 10, 30, -1}},
     2,
     30,
     -1},
    {"cancelled, until when is not told",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1}, {SUBSCRIPTION_CANCELLED, 10, -1, -1}},
     2,
     10,
     -1},
    {"cancelled and resumed",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1},
      {SUBSCRIPTION_CANCELLED, 10, 30, -1},
      {SUBSCRIPTION_ACTIVE, 12, 30, -1}},
     3,
     30,
     30 + GRACE_DAYS},
    {"cancelled and over",
     {{SUBSCRIPTION_CANCELLED, 10, 30, -1}, {SUBSCRIPTION_EXPIRED, 30, 30, -1}},
     2,
     30,
     -1},
    {"ended at once, in the middle of what was paid",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1}, {SUBSCRIPTION_EXPIRED, 10, 30, -1}},
     2,
     10,
     -1},
    {"paused at the period's end",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1}, {SUBSCRIPTION_PAUSED, 10, 30, -1}},
     2,
     30,
     -1},
    {"paused now",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1}, {SUBSCRIPTION_PAUSED, 10, -1, -1}},
     2,
     10,
     -1},
    {"paused and resumed",
     {{SUBSCRIPTION_ACTIVE, 0, 30, -1},
      {SUBSCRIPTION_PAUSED, 10, -1, -1},
      {SUBSCRIPTION_ACTIVE, 50, 80, -1}},
     3,
     80,
     80 + GRACE_DAYS},
    {"two states in one second: the later in life",
     {{SUBSCRIPTION_EXPIRED, 10, 10, -1}, {SUBSCRIPTION_ACTIVE, 10, 40, -1}},
     2,
     10,
     -1},
};

static int64_t day_or_none(int day)
{
    return day < 0 ? TIME_NONE : DAY(1000 + day);
}

static void test_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        struct known_order order = order_start();
        pay(&order, day_or_none(0), NULL, 900);
        for (size_t t = 0; t < lives[i].count; t++) {
            const struct told_state *told = &lives[i].told[t];
            add_state(&order, day_or_none(told->day), told->state, day_or_none(told->until))
                ->facts.unpaid_since = day_or_none(told->since);
        }
        struct given given = give(&order);
        if (given.state != CONTRIBUTION_ACTIVE || given.quantity != 1 ||
            given.ends_at != day_or_none(lives[i].ends) ||
            given.grace_until != day_or_none(lives[i].grace))
            fail_msg("%s: %s x%lld, ends on day %lld, grace until day %lld", lives[i].what,
                     contribution_state_name(given.state), (long long)given.quantity,
                     (long long)(given.ends_at / TIME_DAY - 1000),
                     (long long)(given.grace_until / TIME_DAY - 1000));
    }
}

/* What ends after the last year that can be written never ends. */
static void test_an_end_beyond_all_time(void **state)
{
    (void)state;
    struct known_order order = order_start();
    pay(&order, DAY(1000), NULL, 900);
    add_state(&order, DAY(1000), SUBSCRIPTION_ACTIVE, INT64_MAX);
    struct given given = give(&order);
    assert_int_equal(given.ends_at, TIME_NONE);
    assert_int_equal(given.grace_until, TIME_NONE);
}

/* A trial is paid for by nobody, and a first payment may be on its way. */
static void test_a_trial_needs_no_payment(void **state)
{
    (void)state;
    struct known_order order = order_start();
    add_line(add_snapshot(&order, DAY(1000), ORDER_PENDING), "1", "pro", 1, 0);
    add_state(&order, DAY(1000), SUBSCRIPTION_TRIAL, DAY(1014));
    struct given given = give(&order);
    assert_int_equal(given.state, CONTRIBUTION_ACTIVE);
    assert_int_equal(given.ends_at, DAY(1014));
}

static void test_plan_and_quantity_change(void **state)
{
    (void)state;
    struct known_order order = order_start();
    pay(&order, DAY(1000), "1", 900);
    add_line(add_snapshot(&order, DAY(1005), ORDER_PAID), "1", "pro", 5, 0);
    add_state(&order, DAY(1000), SUBSCRIPTION_ACTIVE, DAY(1030));
    struct given given = give(&order);
    assert_int_equal(given.quantity, 5);
    assert_int_equal(given.ends_at, DAY(1030));

    struct catalogue *catalogue = catalogue_of_pro();
    struct merged_order merged;
    struct projection projection;
    order = order_start();
    pay(&order, DAY(1000), "1", 900);
    add_line(add_snapshot(&order, DAY(1005), ORDER_PAID), "2", "basic", 1, 0);
    add_state(&order, DAY(1000), SUBSCRIPTION_ACTIVE, DAY(1030));
    digest_snapshots(&order);
    check_any_order(&order, catalogue);
    order_merge(&order, &merged);
    order_project(&order, &merged, catalogue, &projection);
    assert_int_equal(projection.count, 0);
    assert_int_equal(projection.unmapped_count, 1);
    projection_free(&projection);
    merged_order_free(&merged);
    known_order_free(&order);
    catalogue_free(catalogue);
}

/* --- whose it is --------------------------------------------------------------------------- */

static struct subject owner_of(struct known_order *order)
{
    struct catalogue *catalogue = catalogue_of_pro();
    struct merged_order merged;
    digest_snapshots(order);
    check_any_order(order, catalogue);
    order_merge(order, &merged);
    struct subject subject = merged.subject;
    merged_order_free(&merged);
    known_order_free(order);
    catalogue_free(catalogue);
    return subject;
}

/* Stripe: the session tells the buyer; each invoice tells the customer's address of its day. */
static void test_renewals_keep_the_first_payment_s_address(void **state)
{
    (void)state;
    struct known_order order = order_start();
    set_address(pay(&order, DAY(1000), "1", 900), 1);
    set_address(pay(&order, DAY(1030), "2", 900), 2);
    set_address(pay(&order, DAY(1060), "3", 900), 3);
    add_state(&order, DAY(1060), SUBSCRIPTION_ACTIVE, DAY(1090));
    struct subject subject = owner_of(&order);
    assert_int_equal(subject.kind, SUBJECT_ADDRESS);
    assert_int_equal(subject.id[0], 1);
}

/* Paddle: payments tell no address; the customer is read beside them, without a time. */
static void test_the_first_read_of_a_customer_counts(void **state)
{
    (void)state;
    struct known_order order = order_start();
    pay(&order, DAY(1000), "1", 900);
    pay(&order, DAY(1030), "2", 900);
    for (int read = 1; read <= 3; read++) {
        struct known_snapshot *customer = add_snapshot(&order, 0, ORDER_PENDING);
        customer->facts.lines_known = false;
        customer->facts.from_api = true;
        customer->facts.read_at = DAY(1000 + 30 * read);
        set_address(customer, (unsigned char)read);
    }
    add_state(&order, DAY(1030), SUBSCRIPTION_ACTIVE, DAY(1060));
    assert_int_equal(owner_of(&order).id[0], 1);
}

/* What a payment itself tells counts before what its customer is like today. */
static void test_a_payment_s_own_address_beats_a_read_customer(void **state)
{
    (void)state;
    struct known_order order = order_start();
    set_address(pay(&order, DAY(1000), "1", 900), 1);
    struct known_snapshot *customer = add_snapshot(&order, 0, ORDER_PENDING);
    customer->facts.from_api = true;
    customer->facts.read_at = DAY(900);
    set_address(customer, 2);
    add_state(&order, DAY(1000), SUBSCRIPTION_ACTIVE, DAY(1030));
    assert_int_equal(owner_of(&order).id[0], 1);
}

static void test_renewals_keep_the_first_payment_s_reference(void **state)
{
    (void)state;
    unsigned char first[DIGEST_LEN];
    struct known_order order = order_start();
    set_owner(pay(&order, DAY(1000), "1", 900), "41", "7");
    struct known_snapshot *renewal = pay(&order, DAY(1030), "2", 900);
    set_owner(renewal, "42", "8");
    set_address(renewal, 2);
    add_state(&order, DAY(1030), SUBSCRIPTION_ACTIVE, DAY(1060));
    struct subject subject = owner_of(&order);
    subject_of_user("41", first);
    assert_int_equal(subject.kind, SUBJECT_USER);
    assert_memory_equal(subject.id, first, DIGEST_LEN);
    assert_string_equal(subject.team, "7");
}

/* A privacy tool that blanks later payments unbinds nothing. */
static void test_an_erased_address_unbinds_nothing(void **state)
{
    (void)state;
    struct known_order order = order_start();
    set_address(pay(&order, DAY(1000), "1", 900), 1);
    pay(&order, DAY(1030), "2", 900)->facts.address_state = ADDRESS_ERASED;
    add_state(&order, DAY(1030), SUBSCRIPTION_ACTIVE, DAY(1060));
    assert_int_equal(owner_of(&order).id[0], 1);
}

/* --- money back ---------------------------------------------------------------------------- */

/* Two payments, the second of which pays for what runs. */
static struct known_order order_renewed(void)
{
    struct known_order order = order_start();
    pay(&order, DAY(1000), "first", 900);
    pay(&order, DAY(1030), "second", 900);
    add_state(&order, DAY(1030), SUBSCRIPTION_ACTIVE, DAY(1060));
    return order;
}

static void test_refunds_by_payment(void **state)
{
    (void)state;
    static const struct {
        const char *what, *payment;
        int64_t amount;
        int day;
        enum contribution_state state;
    } cases[] = {
        {"the payment of the running period, whole", "second", 900, 1040, CONTRIBUTION_REFUNDED},
        {"a part of it", "second", 899, 1040, CONTRIBUTION_ACTIVE},
        {"an earlier period's payment", "first", 900, 1040, CONTRIBUTION_ACTIVE},
        {"an earlier one, before the renewal", "first", 900, 1010, CONTRIBUTION_ACTIVE},
        {"a payment that is not told yet", "third", 900, 1061, CONTRIBUTION_ACTIVE},
        {"of which payment is not told", NULL, 900, 1040, CONTRIBUTION_REFUNDED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_order order = order_renewed();
        give_money_back(&order, "re", DAY(cases[i].day), cases[i].payment, cases[i].amount);
        struct given given = give(&order);
        if (given.state != cases[i].state)
            fail_msg("%s: %s", cases[i].what, contribution_state_name(given.state));
    }
}

/* Amounts of several payments are never summed. */
static void test_parts_of_two_payments(void **state)
{
    (void)state;
    struct known_order order = order_renewed();
    give_money_back(&order, "a", DAY(1040), "first", 500);
    give_money_back(&order, "b", DAY(1041), "second", 500);
    assert_int_equal(give(&order).state, CONTRIBUTION_ACTIVE);
}

/* Lines that an earlier payment's refund gives back are not those that are paid for now. */
static void test_lines_of_an_earlier_payment(void **state)
{
    (void)state;
    struct known_order order = order_renewed();
    struct fact_refund *refund = give_money_back(&order, "a", DAY(1040), "first", 900);
    GIVE_BACK(refund, "1", 1);
    struct given given = give(&order);
    assert_int_equal(given.state, CONTRIBUTION_ACTIVE);
    assert_int_equal(given.quantity, 1);

    order = order_renewed();
    refund = give_money_back(&order, "a", DAY(1040), "second", 100);
    GIVE_BACK(refund, "1", 1);
    assert_int_equal(give(&order).state, CONTRIBUTION_REFUNDED);
}

/* What was paid next pays again. */
static void test_paid_again_after_a_refund(void **state)
{
    (void)state;
    struct known_order order = order_renewed();
    give_money_back(&order, "a", DAY(1040), "second", 900);
    pay(&order, DAY(1050), "third", 900);
    add_state(&order, DAY(1050), SUBSCRIPTION_ACTIVE, DAY(1080));
    struct given given = give(&order);
    assert_int_equal(given.state, CONTRIBUTION_ACTIVE);
    assert_int_equal(given.ends_at, DAY(1080));
}

static void test_a_refund_that_failed_gives_back(void **state)
{
    (void)state;
    struct known_order order = order_renewed();
    struct fact_refund *refund = give_money_back(&order, "a", DAY(1040), "second", 900);
    refund->state = REFUND_FAILED;
    assert_int_equal(give(&order).state, CONTRIBUTION_ACTIVE);
}

/* An order that is paid once has one payment, whatever its payments are called. */
static void test_an_order_that_is_no_subscription(void **state)
{
    (void)state;
    struct known_order order = order_start();
    pay(&order, DAY(1000), "pi_1", 900);
    give_money_back(&order, "a", DAY(1040), "ch_1", 900);
    assert_int_equal(give(&order).state, CONTRIBUTION_REFUNDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state),
        cmocka_unit_test(test_an_end_beyond_all_time),
        cmocka_unit_test(test_a_trial_needs_no_payment),
        cmocka_unit_test(test_plan_and_quantity_change),
        cmocka_unit_test(test_renewals_keep_the_first_payment_s_address),
        cmocka_unit_test(test_the_first_read_of_a_customer_counts),
        cmocka_unit_test(test_a_payment_s_own_address_beats_a_read_customer),
        cmocka_unit_test(test_renewals_keep_the_first_payment_s_reference),
        cmocka_unit_test(test_an_erased_address_unbinds_nothing),
        cmocka_unit_test(test_refunds_by_payment),
        cmocka_unit_test(test_parts_of_two_payments),
        cmocka_unit_test(test_lines_of_an_earlier_payment),
        cmocka_unit_test(test_paid_again_after_a_refund),
        cmocka_unit_test(test_a_refund_that_failed_gives_back),
        cmocka_unit_test(test_an_order_that_is_no_subscription),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
