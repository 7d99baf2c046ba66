#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/db.h"

static void padded_is_the_next_power_of_two(void **state)
{
    static const struct {
        size_t count, padded;
    } table[] = {{0, 1}, {1, 1}, {2, 2}, {3, 4}, {4, 4}, {5, 8}, {64, 64}, {65, 128}, {1000, 1024}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(db_padded(table[i].count), table[i].padded);
    }
}

static void repeat_parts_groups_by_commas(void **state)
{
    struct buf sql = {0};
    (void)state;
    buf_puts(&sql, "x IN (");
    db_repeat(&sql, "?", 3);
    buf_puts(&sql, ")");
    assert_string_equal(sql.data, "x IN (?,?,?)");
    buf_reset(&sql);
    db_repeat(&sql, "(?,?)", 1);
    assert_string_equal(sql.data, "(?,?)");
    db_repeat(&sql, "(?,?)", 0);
    assert_string_equal(sql.data, "(?,?)");
    buf_free(&sql);
}

static void values_know_their_kind(void **state)
{
    (void)state;
    assert_int_equal(db_text(NULL).kind, DB_NULL);
    assert_int_equal(db_text("").kind, DB_BYTES);
    assert_int_equal(db_text("").len, 0);
    assert_int_equal(db_text("abc").len, 3);
    assert_int_equal(db_time(TIME_NONE).kind, DB_NULL);
    assert_int_equal(db_time(7).kind, DB_INT);
    assert_int_equal(db_time(7).number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padded_is_the_next_power_of_two),
        cmocka_unit_test(repeat_parts_groups_by_commas),
        cmocka_unit_test(values_know_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
