#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define THREADS 4
#define LINES 200

static pthread_mutex_t captured_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf captured;

static void capture(const char *line, size_t len)
{
    pthread_mutex_lock(&captured_lock);
    buf_append(&captured, line, len);
    pthread_mutex_unlock(&captured_lock);
}

static int set_up(void **state)
{
    (void)state;
    log_set_sink(capture);
    log_set_level(LOG_INFO);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_set_sink(NULL);
    buf_free(&captured);
    return 0;
}

static void test_line(void **state)
{
    (void)state;
    log_warn("inbox", "stored", LOG_S("source", "main-store"), LOG_I("bytes", 12), LOG_I("at", -1));
    char *space = strchr(captured.data, ' ');
    assert_non_null(space);
    int64_t time;
    assert_int_equal(clock_parse(captured.data, (size_t)(space - captured.data), &time), 0);
    assert_string_equal(space, " warn inbox stored source=main-store bytes=12 at=-1\n");
}

static void test_values_cannot_forge_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t len;
        const char *shown;
    } rows[] = {
        {"plain/1:2=3", 11, "k=plain/1:2=3\n"},
        {"", 0, "k=\"\"\n"},
        {"a b", 3, "k=\"a b\"\n"},
        {"a\nerror x y", 11, "k=\"a\\nerror x y\"\n"},
        {"\"\\", 2, "k=\"\\\"\\\\\"\n"},
        {"\0\x1b[31m\x7f", 7, "k=\"\\x00\\x1b[31m\\x7f\"\n"},
        {"Zo\xc3\xab", 4, "k=\"Zo\\xc3\\xab\"\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_reset(&captured);
        log_info("s", "e", LOG_N("k", rows[i].value, rows[i].len));
        assert_non_null(strstr(captured.data, " info s e k="));
        assert_string_equal(strstr(captured.data, "k="), rows[i].shown);
    }
}

static void test_absent_text_and_no_fields(void **state)
{
    (void)state;
    log_error("s", "bare");
    assert_non_null(strstr(captured.data, " error s bare\n"));
    log_info("s", "e", LOG_S("k", NULL));
    assert_non_null(strstr(captured.data, " info s e k=\"\"\n"));
}

static void test_level(void **state)
{
    (void)state;
    log_debug("s", "hidden");
    assert_int_equal(captured.len, 0);
    log_set_level(LOG_DEBUG);
    log_debug("s", "shown");
    assert_non_null(strstr(captured.data, " debug s shown\n"));
}

static void *write_lines(void *argument)
{
    const int *thread = argument;
    for (int i = 0; i < LINES; i++)
        log_info("thread", "line", LOG_I("thread", *thread), LOG_S("end", "here"));
    return NULL;
}

static void test_threads_keep_lines_whole(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    size_t lines = 0;
    for (char *at = captured.data; *at != '\0'; lines++) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        assert_memory_equal(end - strlen("end=here"), "end=here", strlen("end=here"));
        at = end + 1;
    }
    assert_int_equal(lines, THREADS * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_cannot_forge_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_absent_text_and_no_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_keep_lines_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
