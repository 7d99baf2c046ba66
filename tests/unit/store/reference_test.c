#include "store/reference.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define USER "3458764514838398337"
#define TEAM "3458764514838398336"
#define EXPIRES (INT64_C(1790000000) * TIME_SECOND)
static char ten[] = "10", one[] = "1", eleven[] = "11", hundred[] = "100", price[] = "price_1";

#define LONGEST_ID "12345678901234567890123456789012"

static struct vault *make_vault(const char *kid)
{
    struct secret_list lines = {.count = 1};
    struct buf error = {0};
    char *line = xasprintf("%s:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", kid);
    struct vault *vault;

    lines.items[0] = (struct secret){(unsigned char *)line, strlen(line)};
    vault = vault_new(&lines, &error);
    assert_non_null(vault);
    secret_list_free(&lines);
    return vault;
}

static void write_and_read(const struct vault *vault, struct reference *out)
{
    struct buf text = {0};

    assert_int_equal(reference_write(vault, USER, TEAM, "shop", "10", EXPIRES, &text), 0);
    assert_true(reference_read(vault, text.data, out));
    buf_free(&text);
}

static void test_round_trip(void **state)
{
    struct vault *vault = make_vault("2026-11"), *other = make_vault("2026-12");
    struct reference reference;
    struct buf text = {0};

    (void)state;
    write_and_read(vault, &reference);
    assert_string_equal(reference.user, USER);
    assert_string_equal(reference.team, TEAM);
    assert_true(reference.expires_at == EXPIRES);
    assert_int_equal(reference_write(other, USER, TEAM, "shop", "10", EXPIRES, &text), 0);
    assert_false(reference_read(vault, text.data, &reference));
    buf_free(&text);
    vault_free(vault);
    vault_free(other);
}

/* Every keyring's ids that Miro's real ids leave room for, and a refusal beyond. */
static void test_two_hundred_characters(void **state)
{
    struct vault *vault = make_vault(LONGEST_ID);
    struct buf text = {0};

    (void)state;
    assert_int_equal(reference_write(vault, USER, TEAM, "shop", "10", EXPIRES, &text), 0);
    assert_in_range(text.len, 1, LIMIT_REFERENCE);
    assert_int_equal(strspn(text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789_-"),
                     text.len);
    buf_reset(&text);
    assert_int_equal(reference_write(vault, LONGEST_ID, LONGEST_ID, "shop", "10", EXPIRES, &text),
                     -1);
    assert_int_equal(text.len, 0);
    buf_free(&text);
    vault_free(vault);
}

/* What is asked is when the order was placed, whenever it comes to be read. */
static void test_age_is_the_order_s(void **state)
{
    static const struct {
        int64_t paid_at, time;
        bool fits;
    } cases[] = {
        {EXPIRES, EXPIRES + TIME_DAY, true},
        {EXPIRES + 1, EXPIRES + 1, false},
        {EXPIRES - TIME_DAY, EXPIRES + 400 * TIME_DAY, true},
        {TIME_NONE, EXPIRES, true},
        {TIME_NONE, EXPIRES + 1, false},
    };
    struct vault *vault = make_vault("1");
    struct fact_line line = {.product = ten};
    struct reference reference;

    (void)state;
    write_and_read(vault, &reference);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fact_snapshot order = {.paid_at = cases[i].paid_at,
                                      .time = cases[i].time,
                                      .lines_known = true,
                                      .lines = &line,
                                      .line_count = 1};
        assert_int_equal(reference_fits(&reference, "shop", &order), cases[i].fits);
    }
    vault_free(vault);
}

static void test_source_and_product(void **state)
{
    static const struct {
        const char *source;
        struct fact_line line;
        bool fits;
    } cases[] = {
        {"shop", {.product = ten}, true},
        {"shop", {.product = price, .product2 = ten}, true},
        {"shop", {.product = one, .variant = ten}, true},
        {"shop", {.product = one, .sku = ten}, true},
        {"shop", {.product = eleven, .sku = hundred}, false},
        {"shop", {0}, false},
        {"Shop", {.product = ten}, false},
    };
    struct vault *vault = make_vault("1");
    struct reference reference;

    (void)state;
    write_and_read(vault, &reference);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fact_line lines[2] = {{.product = hundred}, cases[i].line};
        struct fact_snapshot order = {
            .paid_at = EXPIRES, .lines_known = true, .lines = lines, .line_count = 2};
        assert_int_equal(reference_fits(&reference, cases[i].source, &order), cases[i].fits);
    }
    vault_free(vault);
}

/* Stripe's session and Lemon Squeezy's order tell the reference, and the lines come by another
 * call. */
static void test_without_lines(void **state)
{
    struct vault *vault = make_vault("1");
    struct fact_snapshot order = {.paid_at = EXPIRES};
    struct reference reference;

    (void)state;
    write_and_read(vault, &reference);
    assert_true(reference_fits(&reference, "shop", &order));
    assert_false(reference_fits(&reference, "other", &order));
    order.paid_at++;
    assert_false(reference_fits(&reference, "shop", &order));
    vault_free(vault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_two_hundred_characters),
        cmocka_unit_test(test_age_is_the_order_s), cmocka_unit_test(test_source_and_product),
        cmocka_unit_test(test_without_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
