#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void holds(struct buf *buf, const char *text)
{
    assert_string_equal(buf->data, text);
    assert_int_equal(buf->len, strlen(text));
    buf_free(buf);
}

static void test_appends_and_ends_with_nul(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_puts(&buf, "a");
    buf_putc(&buf, '\0');
    buf_append(&buf, NULL, 0);
    buf_append(&buf, "b", 1);
    assert_memory_equal(buf.data, "a\0b", 4);
    assert_int_equal(buf.len, 3);
    buf_reset(&buf);
    assert_string_equal(buf.data, "");
    buf_printf(&buf, "%d-%s", 7, "x");
    holds(&buf, "7-x");
}

static void test_grows(void **state)
{
    (void)state;
    struct buf buf = {0};
    for (int i = 0; i < 100000; i++)
        buf_putc(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.len, 100000);
    assert_int_equal(buf.data[99999], 'a' + 99999 % 26);
    assert_int_equal(buf.data[100000], 0);
    buf_wipe(&buf);
    assert_null(buf.data);
}

static void test_numbers(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_put_int(&buf, 0);
    buf_putc(&buf, ' ');
    buf_put_int(&buf, INT64_MIN);
    buf_putc(&buf, ' ');
    buf_put_int(&buf, INT64_MAX);
    holds(&buf, "0 -9223372036854775808 9223372036854775807");
}

static void test_json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } rows[] = {
        {"", 0, "\"\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\r\t\x01\0", 5, "\"\\n\\r\\t\\u0001\\u0000\""},
        {"Zo\xc3\xab \xf0\x9f\x98\x80", 9, "\"Zo\xc3\xab \xf0\x9f\x98\x80\""},
        {"\xff"
         "a\xc3",
         3,
         "\"\xef\xbf\xbd"
         "a\xef\xbf\xbd\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf buf = {0};
        buf_json_string(&buf, rows[i].text, rows[i].len);
        holds(&buf, rows[i].json);
    }
    struct buf buf = {0};
    buf_json_text(&buf, NULL);
    buf_json_text(&buf, "x");
    holds(&buf, "null\"x\"");
}

static void test_url_encoding(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_url_encode(&buf, "aZ0-._~ /+%&\xc3", 13);
    holds(&buf, "aZ0-._~%20%2F%2B%25%26%C3");
}

static void test_take_gives_a_string_always(void **state)
{
    (void)state;
    struct buf buf = {0};
    char *empty = buf_take(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buf_puts(&buf, "x");
    char *text = buf_take(&buf);
    assert_string_equal(text, "x");
    assert_null(buf.data);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends_and_ends_with_nul),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_url_encoding),
        cmocka_unit_test(test_take_gives_a_string_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
