/*
 * docs/http-rules.md has a row for every rule, with its status, and no other rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "net/http_rules.h"

static void documented(void **state)
{
    (void)state;
    struct buf text = {0};
    char piece[4096];
    FILE *file = fopen("../docs/http-rules.md", "r");
    assert_non_null(file);
    for (size_t n; (n = fread(piece, 1, sizeof(piece), file)) > 0;) {
        buf_append(&text, piece, n);
    }
    fclose(file);
    for (size_t i = 0; i < RULE_COUNT; i++) {
        char row[80];
        snprintf(row, sizeof(row), "\n| `%s` | %d |", http_rules[i].name, http_rules[i].status);
        if (strstr(text.data, row) == NULL) {
            fail_msg("docs/http-rules.md has no row%s", row);
        }
        assert_int_equal(http_rule_status(http_rules[i].name), http_rules[i].status);
    }
    size_t rows = 0;
    for (const char *at = text.data; (at = strstr(at, "\n| `")) != NULL; at++) {
        rows++;
    }
    assert_int_equal(rows, RULE_COUNT);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
