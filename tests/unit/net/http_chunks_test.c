/*
 * Chunked bodies: what is content, each rule that refuses one, and that no way to cut the input
 * into reads changes either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/http_parse.h"

struct read {
    enum http_verdict verdict;
    size_t used;
    const char *rule;
    struct buf body;
};

/* Feeds pieces of at most `step` bytes, each from a copy of exactly its size. */
static struct read read_chunks(const char *bytes, size_t len, size_t step)
{
    struct read got = {.verdict = HTTP_MORE, .rule = ""};
    struct http_chunks chunks = {0};
    while (got.verdict == HTTP_MORE && got.used < len) {
        size_t piece = len - got.used < step ? len - got.used : step;
        char *copy = xmemdup(bytes + got.used, piece);
        const char *data;
        size_t used = 0, data_len;
        got.verdict = http_parse_chunks(&chunks, copy, piece, &used, &data, &data_len, &got.rule);
        if (got.verdict != HTTP_REFUSED) {
            assert_true(used > 0);
            assert_true(data_len == 0 || (data >= copy && data + data_len <= copy + used));
            buf_append(&got.body, data, data_len);
        }
        got.used += used;
        free(copy);
    }
    return got;
}

struct sample {
    const char *rule; /* NULL: accepted */
    const char *body;
    const char *bytes;
    size_t len;
    size_t rest; /* bytes of the next message */
};
#define BODY(body, text, rest)                   \
    {                                            \
        NULL, body, text, sizeof(text) - 1, rest \
    }
#define REFUSED(rule, text)                   \
    {                                         \
        rule, NULL, text, sizeof(text) - 1, 0 \
    }

static const struct sample samples[] = {
    BODY("", "0\r\n\r\n", 0),
    BODY("", "00000000\r\n\r\nGET", 3),
    BODY("hi", "2\r\nhi\r\n0\r\n\r\n", 0),
    BODY("hi there", "2\r\nhi\r\n6\r\n there\r\n0\r\n\r\nPOST ", 5),
    BODY("0123456789abcdef", "00000010\r\n0123456789abcdef\r\n000\r\n\r\n", 0),
    BODY("0123456789a", "B\r\n0123456789a\r\n0\r\n\r\n", 0),
    BODY("\r\n0\r\n\r\n", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", 0),
    BODY("hi", "2;a=b\r\nhi\r\n0\r\n\r\n", 0),
    BODY("hi", "2;a;b=c;d=\"x; \\\" \t\xc3\xa4\"\r\nhi\r\n0;last\r\n\r\n", 0),
    BODY("hi", "2\r\nhi\r\n0\r\nX-Sig: 1\r\nContent-Length: 9\r\n\r\n", 0),
    BODY("", "0\r\nEmpty:\r\n\r\n", 0),
    REFUSED("chunk-size", "\r\n"),
    REFUSED("chunk-size", ";a\r\n"),
    REFUSED("chunk-size", "+2\r\nhi\r\n"),
    REFUSED("chunk-size", "0x2\r\nhi\r\n"),
    REFUSED("chunk-size", "-1\r\n"),
    REFUSED("chunk-size", " 2\r\nhi\r\n"),
    REFUSED("chunk-size", "2 \r\nhi\r\n"),
    REFUSED("chunk-size", "2 ;a\r\nhi\r\n"),
    REFUSED("chunk-size", "G\r\n"),
    REFUSED("chunk-size", "000000001\r\nx\r\n"),
    REFUSED("chunk-size", "1ffffffff\r\n"),
    REFUSED("bare-lf", "2\nhi\r\n0\r\n\r\n"),
    REFUSED("bare-cr", "2\rhi\r\n0\r\n\r\n"),
    REFUSED("chunk-extension", "2;\r\nhi\r\n"),
    REFUSED("chunk-extension", "2; a\r\nhi\r\n"),
    REFUSED("chunk-extension", "2;a =b\r\nhi\r\n"),
    REFUSED("chunk-extension", "2;a=\r\nhi\r\n"),
    REFUSED("chunk-extension", "2;a=b c\r\nhi\r\n"),
    REFUSED("chunk-extension", "2;a=\"b\r\nhi\r\n"),
    REFUSED("chunk-extension", "2;a=\"b\\\r\nhi\r\n"),
    REFUSED("chunk-extension", "2;a=\"b\"c\r\nhi\r\n"),
    REFUSED("chunk-extension", "2;a\0\r\nhi\r\n"),
    REFUSED("bare-lf", "2;a\nhi\r\n"),
    REFUSED("bare-lf", "2;a=b\nhi\r\n"),
    REFUSED("bare-lf", "2;a=\"b\"\nhi\r\n"),
    REFUSED("chunk-end", "2\r\nhi0\r\n\r\n"),
    REFUSED("chunk-end", "2\r\nhi\n0\r\n\r\n"),
    REFUSED("chunk-end", "2\r\nhi\r0\r\n\r\n"),
    REFUSED("chunk-end", "2\r\nhithere\r\n0\r\n\r\n"),
    REFUSED("trailer", "0\r\nX : 1\r\n\r\n"),
    REFUSED("trailer", "0\r\nnocolon\r\n\r\n"),
    REFUSED("trailer", "0\r\nX: 1\r\n folded\r\n\r\n"),
    REFUSED("trailer", "0\r\nX: a\0b\r\n\r\n"),
    REFUSED("trailer", "0\r\n: x\r\n\r\n"),
    REFUSED("trailer", "0\r\nGET / HTTP/1.1\r\n\r\n"),
    REFUSED("bare-lf", "0\r\n\n"),
    REFUSED("bare-lf", "0\r\nX: 1\n\r\n"),
    REFUSED("bare-cr", "0\r\nX: 1\r\r\n\r\n"),
    REFUSED("bare-cr", "0\r\n\rX"),
};

static void every_cut_reads_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct sample *want = &samples[i];
        for (size_t step = 1; step <= want->len; step++) {
            struct read got = read_chunks(want->bytes, want->len, step);
            if (want->rule != NULL) {
                if (got.verdict != HTTP_REFUSED || strcmp(got.rule, want->rule) != 0) {
                    fail_msg("%s: got %d %s, expected %s", want->bytes, got.verdict, got.rule,
                             want->rule);
                }
            } else {
                if (got.verdict != HTTP_DONE) {
                    fail_msg("%s: got %d %s", want->bytes, got.verdict, got.rule);
                }
                assert_int_equal(got.used, want->len - want->rest);
                assert_int_equal(got.body.len, strlen(want->body));
                assert_memory_equal(got.body.len > 0 ? got.body.data : "", want->body,
                                    got.body.len);
            }
            buf_free(&got.body);
        }
    }
}

static void refuses(const struct buf *bytes, const char *rule)
{
    struct read got = read_chunks(bytes->data, bytes->len, bytes->len);
    assert_int_equal(got.verdict, HTTP_REFUSED);
    assert_string_equal(got.rule, rule);
    buf_free(&got.body);
}

static void limits_refuse(void **state)
{
    (void)state;
    struct buf bytes = {0};
    buf_puts(&bytes, "2;");
    while (bytes.len <= LIMIT_HTTP_CHUNK_LINE) {
        buf_putc(&bytes, 'a');
    }
    refuses(&bytes, "chunk-line-too-long");
    buf_reset(&bytes);
    buf_puts(&bytes, "0\r\n");
    while (bytes.len <= LIMIT_HTTP_TRAILERS + 3) {
        buf_puts(&bytes, "X: 12345678\r\n");
    }
    refuses(&bytes, "trailers-too-large");
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_reads_the_same),
        cmocka_unit_test(limits_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
