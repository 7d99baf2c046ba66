#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

/* Seconds of 2026-11-23T10:50:18Z. */
#define MOMENT INT64_C(1795431018)

static void test_parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-23T10:50:18Z", MOMENT * TIME_SECOND},
        {"2026-11-23T10:50:18", MOMENT * TIME_SECOND},
        {"2026-11-23 10:50:18z", MOMENT * TIME_SECOND},
        {"2026-11-23t10:50:18+00:00", MOMENT * TIME_SECOND},
        {"2026-11-23T10:50:18-00:00", MOMENT * TIME_SECOND},
        {"2026-11-23T05:50:18-05:00", MOMENT * TIME_SECOND},
        {"2026-11-23T16:20:18+05:30", MOMENT * TIME_SECOND},
        {"2026-11-24T10:49:18+23:59", MOMENT * TIME_SECOND},
        {"2026-11-23T10:50:18.5Z", MOMENT * TIME_SECOND + 500000},
        {"2026-11-23T10:50:18.50000Z", MOMENT * TIME_SECOND + 500000},
        {"2026-11-23T10:50:18.123456Z", MOMENT * TIME_SECOND + 123456},
        {"2026-11-23T10:50:18.1234567Z", MOMENT * TIME_SECOND + 123456},
        {"2026-11-23T10:50:18.12345678Z", MOMENT * TIME_SECOND + 123456},
        {"2026-11-23T10:50:18.123456789Z", MOMENT * TIME_SECOND + 123456},
        {"2026-11-23T10:50:18.000001+00:00", MOMENT * TIME_SECOND + 1},
        {"2026-11-23T10:50:18.999999", MOMENT * TIME_SECOND + 999999},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800) * TIME_SECOND},
        {"0000-02-29T00:00:00Z", INT64_C(-62162121600) * TIME_SECOND},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799) * TIME_SECOND},
        {"1969-12-31T23:59:59.5Z", -500000},
        {"2000-02-29T00:00:00Z", INT64_C(951782400) * TIME_SECOND},
        {"2024-02-29T12:00:00Z", INT64_C(1709208000) * TIME_SECOND},
        {"2024-03-01T00:00:00Z", INT64_C(1709251200) * TIME_SECOND},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800) * TIME_SECOND},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t time = -7;
        assert_int_equal(clock_parse(rows[i].text, strlen(rows[i].text), &time), 0);
        assert_int_equal(time, rows[i].time);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "now",
        "2026-11-23",
        "2026-11-23T",
        "2026-11-23T10:50",
        "2026-11-23T10:50:18 ",
        " 2026-11-23T10:50:18",
        "2026-11-23T10:50:18ZZ",
        "2026-11-23T10:50:18.Z",
        "2026-11-23T10:50:18.1234567890Z",
        "2026-11-23T10:50:18,5Z",
        "2026-11-23T10:50:18+0100",
        "2026-11-23T10:50:18+24:00",
        "2026-11-23T10:50:18+01:60",
        "2026-11-23T10:50:18+01",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-11-23T10:50:60Z",
        "2026-11-23T10:59:61Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "26-11-23T10:50:18Z",
        "+2026-11-23T10:50:18Z",
        "-001-11-23T10:50:18Z",
        "2026-1-23T10:50:18Z",
        "2026/11/23T10:50:18Z",
        "1795431018",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t time = -7;
        assert_int_equal(clock_parse(rows[i], strlen(rows[i]), &time), -1);
        assert_int_equal(time, -7);
    }
    int64_t time;
    assert_int_equal(clock_parse(NULL, 0, &time), -1);
    assert_int_equal(clock_parse("2026-11-23T10:50:18\0", 20, &time), -1);
    assert_int_equal(clock_parse_http(NULL, 0, &time), -1);
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        int64_t time;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {MOMENT * TIME_SECOND, "2026-11-23T10:50:18Z"},
        {MOMENT * TIME_SECOND + 1, "2026-11-23T10:50:18.000001Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {INT64_C(-62135596800) * TIME_SECOND, "0001-01-01T00:00:00Z"},
        {INT64_MAX, "294247-01-10T04:00:54.775807Z"},
        {TIME_NONE, "-290308-12-21T19:59:05.224192Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TIME_TEXT];
        clock_format(rows[i].time, text);
        assert_string_equal(text, rows[i].text);
    }
}

/* Every day of 800 years, there and back: two whole cycles of the calendar. */
static void test_every_day_returns(void **state)
{
    (void)state;
    int64_t day, first = INT64_C(-11676096000) * TIME_SECOND; /* 1600-01-01 */
    for (day = 0; day < INT64_C(146097) * 2; day++) {
        char text[TIME_TEXT];
        int64_t time = -7;
        clock_format(first + day * TIME_DAY, text);
        assert_int_equal(clock_parse(text, strlen(text), &time), 0);
        assert_int_equal(time, first + day * TIME_DAY);
    }
    char text[TIME_TEXT];
    clock_format(first + day * TIME_DAY, text);
    assert_string_equal(text, "2400-01-01T00:00:00Z");
}

static void test_http_dates(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Foo 1994 08:49:37 GMT",
    };
    static const char text[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    char out[TIME_TEXT];
    int64_t time = -7;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(clock_parse_http(refused[i], strlen(refused[i]), &time), -1);
    assert_int_equal(clock_parse_http(text, strlen(text), &time), 0);
    assert_int_equal(time, INT64_C(784111777) * TIME_SECOND);
    clock_format_http(time, out);
    assert_string_equal(out, text);
    clock_format_http(0, out);
    assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
    clock_format_http(-TIME_DAY, out);
    assert_string_equal(out, "Wed, 31 Dec 1969 00:00:00 GMT");
}

static void test_clocks_run(void **state)
{
    (void)state;
    int64_t before = clock_monotonic();
    assert_true(clock_now() > MOMENT / 2 * TIME_SECOND);
    assert_true(clock_monotonic() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parses),     cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_formats),    cmocka_unit_test(test_every_day_returns),
        cmocka_unit_test(test_http_dates), cmocka_unit_test(test_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
