#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "db/rows.h"

static void rows_give_back_what_was_added(void **state)
{
    static const bool numbers[] = {true, false};
    struct db_rows *rows = rows_new(2, numbers, 3);
    size_t len;
    (void)state;

    rows_add_number(rows, INT64_MIN + 1);
    rows_add_bytes(rows, "a\0b", 3);
    rows_add_null(rows);
    rows_add_null(rows);
    rows_add_number(rows, INT64_MAX);
    rows_add_bytes(rows, NULL, 0);

    assert_int_equal(db_rows_count(rows), 3);
    assert_true(db_rows_next(rows));
    assert_true(db_int(rows, 0) == INT64_MIN + 1);
    assert_memory_equal(db_bytes(rows, 1, &len), "a\0b", 4);
    assert_int_equal(len, 3);

    assert_true(db_rows_next(rows));
    assert_true(db_is_null(rows, 0));
    assert_int_equal(db_int(rows, 0), 0);
    assert_true(db_time_of(rows, 0) == TIME_NONE);
    assert_null(db_bytes(rows, 1, &len));
    assert_int_equal(len, 0);

    assert_true(db_rows_next(rows));
    assert_true(db_time_of(rows, 0) == INT64_MAX);
    assert_string_equal(db_bytes(rows, 1, NULL), "");
    assert_false(db_rows_next(rows));
    assert_false(db_rows_next(rows));
    db_rows_free(rows);
}

static void no_rows_are_none(void **state)
{
    struct db_rows *rows = rows_new(0, NULL, 0);
    (void)state;
    assert_int_equal(db_rows_count(rows), 0);
    assert_false(db_rows_next(rows));
    db_rows_free(rows);
    db_rows_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_give_back_what_was_added),
        cmocka_unit_test(no_rows_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
