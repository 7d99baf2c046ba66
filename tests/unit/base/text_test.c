#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } rows[] = {
        {"0", 0, 0},    {"007", 0, 7},  {"9223372036854775807", 0, INT64_MAX},
        {"", -1, 0},    {"-1", -1, 0},  {"9223372036854775808", -1, 0},
        {"+1", -1, 0},  {" 1", -1, 0},  {"99999999999999999999999", -1, 0},
        {"1 ", -1, 0},  {"1.0", -1, 0}, {"0x10", -1, 0},
        {"1e3", -1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = -7;
        assert_int_equal(text_to_int(rows[i].text, strlen(rows[i].text), &value), rows[i].result);
        assert_int_equal(value, rows[i].result == 0 ? rows[i].value : -7);
    }
}

static void test_amounts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"-20.00", 0, -20000000},
        {"12.345678", 0, 12345678},
        {"0.000001", 0, 1},
        {"-0.5", 0, -500000},
        {"9223372036854.775807", 0, INT64_MAX},
        {"9223372036854.775808", -1, 0},
        {"9223372036855", -1, 0},
        {"1.2345678", 0, 1234567},
        {"0.00150000", 0, 1500},
        {"-1.99999999999999999999999", 0, -1999999},
        {"1.2345678x", -1, 0},
        {"1.234567.8", -1, 0},
        {"1.2345678-", -1, 0},
        {"1.", -1, 0},
        {".5", -1, 0},
        {"", -1, 0},
        {"-", -1, 0},
        {"--1", -1, 0},
        {"1.-5", -1, 0},
        {"1.5.5", -1, 0},
        {"1,5", -1, 0},
        {"1e3", -1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = -7;
        assert_int_equal(text_to_micros(rows[i].text, strlen(rows[i].text), &value),
                         rows[i].result);
        assert_int_equal(value, rows[i].result == 0 ? rows[i].value : -7);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        bool valid;
    } rows[] = {
        {"", 0, true},
        {"a\0b", 3, true},
        {"\xc2\x80", 2, true},
        {"\xe0\xa0\x80", 3, true},
        {"\xed\x9f\xbf", 3, true},
        {"\xf0\x90\x80\x80", 4, true},
        {"\xf4\x8f\xbf\xbf", 4, true},
        {"\x80", 1, false},
        {"\xc0\xaf", 2, false},
        {"\xc1\xbf", 2, false},
        {"\xe0\x9f\xbf", 3, false},
        {"\xed\xa0\x80", 3, false},
        {"\xf0\x8f\xbf\xbf", 4, false},
        {"\xf4\x90\x80\x80", 4, false},
        {"\xf5\x80\x80\x80", 4, false},
        {"\xc3", 1, false},
        {"\xe2\x82", 2, false},
        {"\xe2\x82\x41", 3, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(text_is_utf8(rows[i].text, rows[i].len), rows[i].valid);
}

static void test_equal_nocase(void **state)
{
    (void)state;
    assert_true(text_equal_nocase("Content-TYPE", "content-type"));
    assert_false(text_equal_nocase("a", "ab"));
    assert_false(text_equal_nocase("ab", "a"));
    assert_false(text_equal_nocase("[", "{"));
    assert_true(text_equal_nocase("", ""));
}

static void test_url_decoding(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long len;
        const char *decoded;
    } rows[] = {
        {"a+b%20c%2Bd", 7, "a b c+d"},
        {"%41%7a", 2, "Az"},
        {"", 0, ""},
        {"%00", -1, NULL},
        {"%4", -1, NULL},
        {"%", -1, NULL},
        {"%g0", -1, NULL},
        {"%-1", -1, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = xstrdup(rows[i].text);
        long len = text_url_decode(text, strlen(text));
        assert_int_equal(len, rows[i].len);
        if (len >= 0)
            assert_memory_equal(text, rows[i].decoded, (size_t)len);
        free(text);
    }
}

static void test_query_values(void **state)
{
    (void)state;
    static const struct {
        const char *query, *name, *value;
    } rows[] = {
        {"a=1&b=2", "b", "2"}, {"a=1&a=2", "a", "1"},   {"a=%zz&a=2", "a", NULL}, {"a", "a", ""},
        {"a=", "a", ""},       {"ab=1", "a", NULL},     {"%61=x+y", "a", "x y"},  {"", "a", NULL},
        {"&&a==&", "a", "="},  {"x=%00&a=1", "a", "1"}, {"a=%00", "a", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *value = text_query_value(rows[i].query, strlen(rows[i].query), rows[i].name);
        if (rows[i].value == NULL)
            assert_null(value);
        else
            assert_string_equal(value, rows[i].value);
        free(value);
    }
    assert_null(text_query_value(NULL, 0, "a"));
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normalised;
    } rows[] = {
        {"Zoe@Example.TEST", "zoe@example.test"},
        {" \t\r\nzoe+tag@example.test \n", "zoe+tag@example.test"},
        {"Zo\xc3\x8b@example.test", "zo\xc3\x8b@example.test"},
        {"deleted@site.invalid", "deleted@site.invalid"},
        {"", NULL},
        {"   ", NULL},
        {"zoe", NULL},
        {"@example.test", NULL},
        {"zoe@", NULL},
        {"@", NULL},
        {"a@b@c", NULL},
        {"zoe @example.test", NULL},
        {"zoe@exam\tple.test", NULL},
        {"Zoe <zoe@example.test>", NULL},
        {"<zoe@example.test>", NULL},
        {"zoe@example.test\x7f", NULL},
        {"zo\xff@example.test", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *address = NULL;
        int result = text_normalise_address(rows[i].text, strlen(rows[i].text), &address);
        assert_int_equal(result, rows[i].normalised != NULL ? 0 : -1);
        if (rows[i].normalised != NULL)
            assert_string_equal(address, rows[i].normalised);
        free(address);
    }
    char *address = NULL;
    assert_int_equal(text_normalise_address("a@b\0c", 5, &address), -1);
}

static void test_address_length(void **state)
{
    (void)state;
    char text[LIMIT_ADDRESS + 2];
    char *address = NULL;
    memset(text, 'a', sizeof(text));
    text[1] = '@';
    assert_int_equal(text_normalise_address(text, LIMIT_ADDRESS + 1, &address), -1);
    assert_int_equal(text_normalise_address(text, LIMIT_ADDRESS, &address), 0);
    assert_int_equal(strlen(address), LIMIT_ADDRESS);
    free(address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_utf8),         cmocka_unit_test(test_equal_nocase),
        cmocka_unit_test(test_url_decoding), cmocka_unit_test(test_query_values),
        cmocka_unit_test(test_addresses),    cmocka_unit_test(test_address_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
