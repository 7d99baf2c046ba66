#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "db/migrate.h"
#include "db/migrate_text.h"

static void texts_are_split(void **state)
{
    static const struct {
        const char *text;
        const char *statements[4]; /* NULL-terminated */
    } table[] = {
        {"", {NULL}},
        {"\n \n\t\n", {NULL}},
        {"-- only a comment;\n", {NULL}},
        {"--\n", {NULL}},
        {"A;\n", {"A", NULL}},
        {"A", {"A", NULL}},
        {"A;", {"A", NULL}},
        {"A; \t\r\nB;\r\n", {"A", "B", NULL}},
        {"A;\n\n-- between\nB\n  -- inside;\n  C;\nD", {"A", "B\n  C", "D", NULL}},
        {"A ';' B;\nC;\n", {"A ';' B", "C", NULL}},
        {"A; B;\n", {"A; B", NULL}},
    };
    struct buf statement = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *cursor = table[i].text;
        for (const char *const *want = table[i].statements; *want; want++) {
            assert_true(migrate_text_next(&cursor, &statement));
            assert_string_equal(statement.data, *want);
        }
        assert_false(migrate_text_next(&cursor, &statement));
        assert_false(migrate_text_next(&cursor, &statement));
    }
    buf_free(&statement);
}

/* What the build embeds: numbered upwards, and every statement may run twice. */
static void built_in_migrations_are_sound(void **state)
{
    struct buf statement = {0};
    (void)state;
    assert_true(migration_count > 0);
    for (size_t i = 0; i < migration_count; i++) {
        const char *cursor = migrations[i].sql;
        size_t count = 0;
        assert_true(i == 0 || migrations[i].version > migrations[i - 1].version);
        assert_int_equal(strtol(migrations[i].name, NULL, 10), migrations[i].version);
        while (migrate_text_next(&cursor, &statement)) {
            bool creates = strncmp(statement.data, "CREATE TABLE", 12) == 0;
            assert_true(!creates || strstr(statement.data, "IF NOT EXISTS"));
            count++;
        }
        assert_true(count > 0);
    }
    buf_free(&statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_split),
        cmocka_unit_test(built_in_migrations_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
