#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "db/fault.h"

static void numbers_say_what_to_do(void **state)
{
    static const struct {
        unsigned number;
        enum db_result result, while_connecting;
    } table[] = {
        {1213, DB_RETRY, DB_GONE},     {1205, DB_RETRY, DB_GONE},  {1180, DB_RETRY, DB_GONE},
        {1047, DB_RETRY, DB_GONE},     {2006, DB_GONE, DB_GONE},   {2013, DB_GONE, DB_GONE},
        {1927, DB_GONE, DB_GONE},      {2002, DB_GONE, DB_GONE},   {2003, DB_GONE, DB_GONE},
        {1062, DB_DUPLICATE, DB_GONE}, {1146, DB_FAILED, DB_GONE}, {1045, DB_FAILED, DB_FAILED},
        {2008, DB_GONE, DB_GONE},      {2014, DB_GONE, DB_GONE},   {2027, DB_GONE, DB_GONE},
        {1049, DB_FAILED, DB_FAILED},  {1040, DB_FAILED, DB_GONE}, {2026, DB_FAILED, DB_GONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(fault_result(table[i].number), table[i].result);
        assert_int_equal(fault_connect_result(table[i].number), table[i].while_connecting);
    }
}

static void descriptions_hold_no_values(void **state)
{
    struct fault fault;
    char text[640];
    (void)state;

    fault_set(&fault, 1062, "23000", "Duplicate entry 'zoe@example.test' for key 'link_user'");
    fault_describe(&fault, "INSERT INTO link (user_id) VALUES (?)", text, sizeof(text));
    assert_string_equal(text, "1062 (23000) in INSERT INTO link (user_id) VALUES (?)");

    fault_set(&fault, 1366, "22007", "Incorrect string value: 'zoe' for column `t`.`c` at row 1");
    fault_describe(&fault, "UPDATE t", text, sizeof(text));
    assert_null(strstr(text, "zoe"));

    fault_set(&fault, 1146, "42S02", "Table 'shop.nothing' doesn't exist");
    fault_describe(&fault, "SELECT 1 FROM nothing", text, sizeof(text));
    assert_string_equal(text, "1146 (42S02) in SELECT 1 FROM nothing: "
                              "Table 'shop.nothing' doesn't exist");
}

static void only_the_beginning_of_a_statement_is_shown(void **state)
{
    (void)state;
    assert_int_equal(fault_prefix("SELECT 1"), 8);
    assert_int_equal(fault_prefix("SELECT 1\nFROM x"), 8);
    assert_int_equal(
        fault_prefix("SELECT 12345678901234567890123456789012345678901234567890 FROM x"), 60);
    assert_int_equal(fault_prefix(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_say_what_to_do),
        cmocka_unit_test(descriptions_hold_no_values),
        cmocka_unit_test(only_the_beginning_of_a_statement_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
