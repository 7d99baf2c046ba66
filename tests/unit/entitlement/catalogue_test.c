#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "known.h"

enum { MOST_FOUND = 64 };

/* What a look-up reported, as places in the catalogue. */
struct found {
    const struct catalogue *catalogue;
    size_t rules[MOST_FOUND];
    size_t count;
};

static void note(const struct catalogue_rule *rule, void *arg)
{
    struct found *found = arg;
    assert_true(found->count < MOST_FOUND);
    found->rules[found->count++] = (size_t)(rule - found->catalogue->rules);
}

static struct found look_up(const struct catalogue *catalogue, const char *source,
                            const struct fact_line *line)
{
    struct found found = {.catalogue = catalogue};
    size_t count = catalogue_match(catalogue, source, line, note, &found);
    assert_int_equal(count, found.count);
    return found;
}

static struct catalogue_rule *add_rule(struct catalogue *catalogue, const char *source,
                                       const char *product, const char *variant, const char *sku)
{
    struct catalogue_rule *rule = catalogue_add_rule(catalogue, source);
    rule->product = product ? xstrdup(product) : NULL;
    rule->variant = variant ? xstrdup(variant) : NULL;
    rule->sku = sku ? xstrdup(sku) : NULL;
    return rule;
}

/* The catalogue that the table below asks. */
static struct catalogue *small_catalogue(void)
{
    struct catalogue *catalogue = catalogue_new(3);
    add_rule(catalogue, "main", "10", NULL, NULL);  /* 0 */
    add_rule(catalogue, "main", NULL, NULL, "ADD"); /* 1 */
    add_rule(catalogue, "main", "10", "5", NULL);   /* 2 */
    add_rule(catalogue, "other", "10", NULL, NULL); /* 3 */
    add_rule(catalogue, "main", NULL, "5", NULL);   /* 4 */
    add_rule(catalogue, "main", "10", "5", "ADD");  /* 5 */
    add_rule(catalogue, "main", "10", NULL, NULL);  /* 6 */
    add_rule(catalogue, "main", "", NULL, NULL);    /* 7 */
    add_rule(catalogue, "main", "ADD", NULL, NULL); /* 8 */
    catalogue_seal(catalogue);
    return catalogue;
}

static void test_every_named_selector_must_equal(void **state)
{
    (void)state;
    static struct {
        const char *source;
        char product[8], variant[8], sku[8]; /* "-": not told */
        const char *expected;
    } cases[] = {
        {"main", "10", "-", "-", "0 6 "},
        {"main", "10", "5", "-", "0 2 4 6 "},
        {"main", "10", "5", "ADD", "0 1 2 4 5 6 "},
        {"main", "10", "6", "ADD", "0 1 6 "},
        {"main", "11", "5", "ADD", "1 4 "},
        {"main", "-", "-", "ADD", "1 "},
        {"main", "-", "-", "add", ""},
        {"main", "1", "-", "-", ""},
        {"main", "", "-", "-", "7 "},
        {"main", "ADD", "-", "-", "8 "},
        {"main", "-", "ADD", "10", ""},
        {"main", "-", "-", "-", ""},
        {"other", "10", "5", "ADD", "3 "},
        {"third", "10", "5", "ADD", ""},
        {"", "10", "-", "-", ""},
    };
    struct catalogue *catalogue = small_catalogue();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fact_line line = {
            .product = strcmp(cases[i].product, "-") ? cases[i].product : NULL,
            .variant = strcmp(cases[i].variant, "-") ? cases[i].variant : NULL,
            .sku = strcmp(cases[i].sku, "-") ? cases[i].sku : NULL,
        };
        struct found found = look_up(catalogue, cases[i].source, &line);
        struct buf text = {0};
        buf_puts(&text, "");
        for (size_t r = 0; r < found.count; r++)
            buf_printf(&text, "%zu ", found.rules[r]);
        assert_string_equal(text.data, cases[i].expected);
        buf_free(&text);
    }
    catalogue_free(catalogue);
}

/* The same question, asked of every rule. */
static struct found scan(const struct catalogue *catalogue, const char *source,
                         const struct fact_line *line)
{
    struct found found = {.catalogue = catalogue};
    for (size_t i = 0; i < catalogue->rule_count; i++) {
        const struct catalogue_rule *rule = &catalogue->rules[i];
        const char *named[] = {rule->product, rule->variant, rule->sku};
        const char *told[] = {line->product, line->variant, line->sku};
        bool matches = strcmp(rule->source, source) == 0;
        for (size_t s = 0; s < 3; s++)
            if (named[s] && (!told[s] || strcmp(named[s], told[s]) != 0))
                matches = false;
        if (matches)
            note(rule, &found);
    }
    return found;
}

static void test_index_agrees_with_a_scan(void **state)
{
    (void)state;
    uint64_t random = 99;
    for (int turn = 0; turn < 3000; turn++) {
        unsigned char tape[300];
        for (size_t i = 0; i < sizeof tape; i++)
            tape[i] = (unsigned char)random_next(&random);
        struct bytes bytes = {tape, sizeof tape};
        struct catalogue *catalogue = catalogue_from_bytes(&bytes);
        for (int lines = 0; lines < 8; lines++) {
            struct fact_line line = {.product = take_selector(&bytes),
                                     .variant = take_selector(&bytes),
                                     .sku = take_selector(&bytes)};
            const char *source = take(&bytes, 8) == 0 ? "other" : "shop";
            struct found expected = scan(catalogue, source, &line);
            struct found found = look_up(catalogue, source, &line);
            assert_int_equal(found.count, expected.count);
            assert_memory_equal(found.rules, expected.rules, sizeof found.rules);
            free(line.product);
            free(line.variant);
            free(line.sku);
        }
        catalogue_free(catalogue);
    }
}

/* Ten thousand rules, half of them for variants of one product, asked a hundred thousand times: a
 * scan would look at a thousand million rules, and not come back within the test's time. */
static void test_many_rules(void **state)
{
    (void)state;
    enum { RULES = 10000, LOOKS = 100000 };
    struct catalogue *catalogue = catalogue_new(1);
    char text[16], variant[16], one[] = "one";
    for (int i = 0; i < RULES; i++) {
        snprintf(text, sizeof text, "%d", i);
        if (i % 2)
            add_rule(catalogue, "main", "one", text, NULL);
        else
            add_rule(catalogue, "main", text, NULL, NULL);
    }
    catalogue_seal(catalogue);
    for (int i = 0; i < LOOKS; i++) {
        snprintf(variant, sizeof variant, "%d", i % RULES);
        struct fact_line line = {.product = i % 2 ? one : variant, .variant = variant};
        struct found found = look_up(catalogue, "main", &line);
        assert_int_equal(found.count, 1);
        assert_int_equal(found.rules[0], i % RULES);
    }
    catalogue_free(catalogue);
}

static void test_keys(void **state)
{
    (void)state;
    static const char *const names[] = {"zoo", "icons-pro", "a", "extra-boards", "icons"};
    struct catalogue *catalogue = catalogue_new(1);
    for (size_t i = 0; i < 5; i++)
        catalogue_add_entitlement(catalogue, names[i], i % 2 ? names[i] : NULL);
    catalogue_seal(catalogue);
    for (size_t i = 0; i < 5; i++)
        assert_true(catalogue_has_key(catalogue, names[i]));
    assert_false(catalogue_has_key(catalogue, "icons-"));
    assert_false(catalogue_has_key(catalogue, ""));
    assert_false(catalogue_has_key(catalogue, "zooo"));
    for (size_t i = 1; i < 5; i++)
        assert_true(strcmp(catalogue->entitlements[i - 1].key, catalogue->entitlements[i].key) < 0);
    catalogue_free(catalogue);
}

static void test_empty_catalogue(void **state)
{
    (void)state;
    char product[] = "10";
    struct fact_line line = {.product = product};
    struct catalogue *catalogue = catalogue_new(0);
    catalogue_seal(catalogue);
    assert_false(catalogue_has_key(catalogue, "icons-pro"));
    assert_int_equal(look_up(catalogue, "main", &line).count, 0);
    catalogue_free(catalogue);
    catalogue_free(NULL);
}

static void test_free_without_seal(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new(0);
    catalogue_rule_add_key(add_rule(catalogue, "main", "10", "1", "S"), "icons-pro");
    catalogue->rules[0].checkout_url = xstrdup("https://shop.example.test/buy");
    catalogue_add_entitlement(catalogue, "icons-pro", "Icons");
    catalogue_free(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_named_selector_must_equal),
        cmocka_unit_test(test_index_agrees_with_a_scan),
        cmocka_unit_test(test_many_rules),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_empty_catalogue),
        cmocka_unit_test(test_free_without_seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
