#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "known.h"

/* One rule for a product, with one key. */
static struct catalogue_rule *grant(struct catalogue *catalogue, const char *product,
                                    const char *key, int64_t days, int64_t grace)
{
    struct catalogue_rule *rule = catalogue_add_rule(catalogue, "shop");
    rule->product = xstrdup(product);
    rule->duration_days = days;
    rule->grace_days = grace;
    if (key)
        catalogue_rule_add_key(rule, key);
    return rule;
}

/* What an order gives, merged and projected; all of it is freed by done(). */
struct given {
    struct known_order order;
    struct catalogue *catalogue;
    struct merged_order merged;
    struct projection projection;
};

static struct given given_start(enum order_status status)
{
    struct given given = {.order = {.source = "shop"}, .catalogue = catalogue_new(1)};
    add_snapshot(&given.order, AT(1000), status);
    return given;
}

static struct contribution *project(struct given *given)
{
    catalogue_seal(given->catalogue);
    digest_snapshots(&given->order);
    order_merge(&given->order, &given->merged);
    order_project(&given->order, &given->merged, given->catalogue, &given->projection);
    return given->projection.contributions;
}

static void done(struct given *given)
{
    projection_free(&given->projection);
    assert_null(given->projection.contributions);
    merged_order_free(&given->merged);
    known_order_free(&given->order);
    catalogue_free(given->catalogue);
}

static void test_states(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum order_status status;
        bool disputed;
        int64_t quantity, refunded;
        enum contribution_state expected;
        int64_t gives;
    } cases[] = {
        {"paid", ORDER_PAID, false, 3, 0, CONTRIBUTION_ACTIVE, 3},
        {"part given back", ORDER_PAID, false, 3, 1, CONTRIBUTION_ACTIVE, 2},
        {"all given back", ORDER_PAID, false, 3, 3, CONTRIBUTION_REFUNDED, 0},
        {"disputed", ORDER_PAID, true, 3, 0, CONTRIBUTION_DISPUTED, 0},
        {"disputed, given back", ORDER_PAID, true, 3, 3, CONTRIBUTION_DISPUTED, 0},
        {"pending", ORDER_PENDING, false, 3, 0, CONTRIBUTION_PENDING, 0},
        {"pending and disputed", ORDER_PENDING, true, 3, 0, CONTRIBUTION_PENDING, 0},
        {"cancelled", ORDER_CANCELLED, false, 3, 0, CONTRIBUTION_CANCELLED, 0},
        {"cancelled and disputed", ORDER_CANCELLED, true, 3, 0, CONTRIBUTION_CANCELLED, 0},
        {"refunded", ORDER_REFUNDED, false, 3, 0, CONTRIBUTION_REFUNDED, 0},
        {"refunded beats disputed", ORDER_REFUNDED, true, 3, 0, CONTRIBUTION_REFUNDED, 0},
        {"a line of none", ORDER_PAID, false, 0, 0, CONTRIBUTION_CANCELLED, 0},
        {"a line of none, given back", ORDER_PAID, false, 0, 2, CONTRIBUTION_REFUNDED, 0},
        {"a line of less than none", ORDER_PAID, false, -1, 0, CONTRIBUTION_CANCELLED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given given = given_start(cases[i].status);
        grant(given.catalogue, "10", "icons-pro", 0, 0);
        add_line(&given.order.snapshots[0], "1", "10", cases[i].quantity, cases[i].refunded);
        if (cases[i].disputed)
            add_dispute(&given.order, "d", AT(1), DISPUTE_OPEN);
        struct contribution *one = project(&given);
        if (one->state != cases[i].expected || one->quantity != cases[i].gives)
            print_error("%s\n", cases[i].what);
        assert_int_equal(given.projection.count, 1);
        assert_int_equal(one->state, cases[i].expected);
        assert_int_equal(one->quantity, cases[i].gives);
        assert_true(one->starts_at == (cases[i].status == ORDER_PAID ? AT(1000) : TIME_NONE));
        assert_true(one->ends_at == TIME_NONE);
        assert_true(one->grace_until == TIME_NONE);
        done(&given);
    }
}

static void test_whole_amount_refunds_every_line(void **state)
{
    (void)state;
    struct given given = given_start(ORDER_PAID);
    grant(given.catalogue, "10", "icons-pro", 30, 0);
    add_line(&given.order.snapshots[0], "1", "10", 2, 0);
    given.order.snapshots[0].facts.total = 79;
    list_refund(&given.order.snapshots[0], "r", 79);
    struct contribution *one = project(&given);
    assert_int_equal(one->state, CONTRIBUTION_REFUNDED);
    assert_true(one->starts_at == TIME_NONE && one->ends_at == TIME_NONE);
    done(&given);
}

/* Up to two rules give a line one key: `ends` and `grace` as days after payment, -1 for none. */
static void test_terms(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t days[2], grace[2];
        int64_t ends, grace_until;
    } cases[] = {
        {"for ever", {0, 0}, {0, 0}, -1, -1},
        {"a year", {365, 365}, {0, 0}, 365, -1},
        {"a year and a week", {365, 365}, {7, 7}, 365, 372},
        {"grace of what never ends is none", {0, 0}, {7, 7}, -1, -1},
        {"the longer counts", {30, 365}, {0, 0}, 365, -1},
        {"whatever their order", {365, 30}, {0, 0}, 365, -1},
        {"never is the longest", {365, 0}, {7, 0}, -1, -1},
        {"never first", {0, 365}, {0, 7}, -1, -1},
        {"the longer grace counts", {30, 30}, {7, 3}, 30, 37},
        {"grace reaches beyond the other's end", {30, 32}, {7, 0}, 32, 37},
        {"grace that the other's end outlasts", {30, 365}, {7, 0}, 365, -1},
        {"negative days are none", {-5, -5}, {-5, -5}, -1, -1},
        {"beyond the year 9999 is never", {INT64_C(4294967295), 30}, {7, 7}, -1, -1},
        {"beyond all numbers is never", {INT64_MAX, INT64_MAX}, {INT64_MAX, 1}, -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given given = given_start(ORDER_PAID);
        given.order.snapshots[0].facts.paid_at = AT(500);
        add_line(&given.order.snapshots[0], "1", "10", 1, 0);
        for (size_t r = 0; r < 2; r++)
            grant(given.catalogue, "10", "icons-pro", cases[i].days[r], cases[i].grace[r]);
        struct contribution *one = project(&given);
        int64_t ends = cases[i].ends < 0 ? TIME_NONE : AT(500) + cases[i].ends * TIME_DAY;
        int64_t grace =
            cases[i].grace_until < 0 ? TIME_NONE : AT(500) + cases[i].grace_until * TIME_DAY;
        if (one->ends_at != ends || one->grace_until != grace)
            print_error("%s\n", cases[i].what);
        assert_int_equal(given.projection.count, 1);
        assert_true(one->starts_at == AT(500));
        assert_true(one->ends_at == ends);
        assert_true(one->grace_until == grace);
        done(&given);
    }
}

/* A grace that no date can hold ends with the dates. */
static void test_endless_grace(void **state)
{
    (void)state;
    struct given given = given_start(ORDER_PAID);
    add_line(&given.order.snapshots[0], "1", "10", 1, 0);
    grant(given.catalogue, "10", "icons-pro", 30, INT64_MAX);
    struct contribution *one = project(&given);
    char text[TIME_TEXT];
    clock_format(one->grace_until, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    done(&given);
}

/* Lines sorted by id, their keys sorted and each once, whichever rules gave them. */
static void test_each_line_and_key_once(void **state)
{
    (void)state;
    struct given given = given_start(ORDER_PAID);
    struct catalogue_rule *rule = grant(given.catalogue, "10", "zoo", 0, 0);
    catalogue_rule_add_key(rule, "icons-pro");
    catalogue_rule_add_key(rule, "zoo");
    grant(given.catalogue, "10", "icons-pro", 0, 0);
    grant(given.catalogue, "11", "icons-pro", 0, 0);
    grant(given.catalogue, "12", "never-asked-for", 0, 0);
    add_line(&given.order.snapshots[0], "9", "11", 4, 0);
    add_line(&given.order.snapshots[0], "3", "10", 1, 0);
    add_line(&given.order.snapshots[0], "4", "10", 2, 0);
    struct contribution *all = project(&given);
    static const struct {
        const char *line, *key;
        int64_t quantity;
    } expected[] = {{"3", "icons-pro", 1},
                    {"3", "zoo", 1},
                    {"4", "icons-pro", 2},
                    {"4", "zoo", 2},
                    {"9", "icons-pro", 4}};
    assert_int_equal(given.projection.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(all[i].line_id, expected[i].line);
        assert_string_equal(all[i].key, expected[i].key);
        assert_int_equal(all[i].quantity, expected[i].quantity);
    }
    assert_int_equal(given.projection.unmapped_count, 0);
    done(&given);
}

static void test_unmapped_lines(void **state)
{
    (void)state;
    struct given given = given_start(ORDER_PAID);
    grant(given.catalogue, "10", NULL, 0, 0)->ignored = true;
    grant(given.catalogue, "11", "icons-pro", 0, 0);
    struct catalogue_rule *other = catalogue_add_rule(given.catalogue, "other-shop");
    other->product = xstrdup("12");
    catalogue_rule_add_key(other, "icons-pro");
    add_line(&given.order.snapshots[0], "4", "13", 1, 0);
    add_line(&given.order.snapshots[0], "3", "12", 1, 0);
    add_line(&given.order.snapshots[0], "2", "11", 1, 0);
    add_line(&given.order.snapshots[0], "1", "10", 1, 0);
    add_line(&given.order.snapshots[0], "5", NULL, 1, 0);
    project(&given);
    assert_int_equal(given.projection.count, 1);
    assert_int_equal(given.projection.unmapped_count, 3);
    assert_string_equal(given.projection.unmapped[0]->id, "3");
    assert_string_equal(given.projection.unmapped[1]->id, "4");
    assert_string_equal(given.projection.unmapped[2]->id, "5");
    done(&given);
}

/* An `ignore` rule beside a grant takes nothing from it. */
static void test_ignored_rule_beside_a_grant(void **state)
{
    (void)state;
    struct given given = given_start(ORDER_PAID);
    grant(given.catalogue, "10", "icons-pro", 0, 0);
    grant(given.catalogue, "10", "zoo", 0, 0)->ignored = true;
    add_line(&given.order.snapshots[0], "1", "10", 1, 0);
    struct contribution *all = project(&given);
    assert_int_equal(given.projection.count, 1);
    assert_string_equal(all[0].key, "icons-pro");
    done(&given);
}

static void test_nothing_but_a_refund_gives_nothing(void **state)
{
    (void)state;
    struct given given = {.order = {.source = "shop"}, .catalogue = catalogue_new(1)};
    grant(given.catalogue, "10", "icons-pro", 0, 0);
    GIVE_BACK(tell_refund(&given.order, "r", AT(1), REFUND_DONE), "1", 1);
    assert_null(project(&given));
    assert_int_equal(given.projection.count + given.projection.unmapped_count, 0);
    done(&given);
}

/* A caller's own merge may not know the paid time: the order's time stands in. */
static void test_paid_at_an_unknown_time(void **state)
{
    (void)state;
    struct given given = given_start(ORDER_PAID);
    grant(given.catalogue, "10", "icons-pro", 1, 0);
    add_line(&given.order.snapshots[0], "1", "10", 1, 0);
    project(&given);
    projection_free(&given.projection);
    given.merged.paid_at = TIME_NONE;
    order_project(&given.order, &given.merged, given.catalogue, &given.projection);
    assert_true(given.projection.contributions[0].starts_at == AT(1000));
    assert_true(given.projection.contributions[0].ends_at == AT(1000) + TIME_DAY);
    done(&given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_whole_amount_refunds_every_line),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_endless_grace),
        cmocka_unit_test(test_each_line_and_key_once),
        cmocka_unit_test(test_unmapped_lines),
        cmocka_unit_test(test_ignored_rule_beside_a_grant),
        cmocka_unit_test(test_nothing_but_a_refund_gives_nothing),
        cmocka_unit_test(test_paid_at_an_unknown_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
