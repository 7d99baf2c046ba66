/*
 * The head of a request: what is read from it, and each rule that refuses one.
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

#define HOST "Host: a.example\r\n"

struct verdict {
    enum http_verdict verdict;
    size_t used;
    const char *rule;
    int status;
};

/* From a copy of exactly that size, so that a sanitizer sees any byte read beyond it. */
static struct verdict parse(const char *bytes, size_t len, struct http_head *head)
{
    struct verdict got = {.rule = ""};
    char *copy = xmemdup(bytes, len);
    got.verdict = http_parse_head(copy, len, head, &got.used, &got.rule, &got.status);
    free(copy);
    return got;
}

struct refused {
    const char *rule;
    int status;
    const char *bytes;
    size_t len;
};
#define REFUSED(rule, status, text)          \
    {                                        \
        rule, status, text, sizeof(text) - 1 \
    }

static const struct refused refused[] = {
    REFUSED("method", 400, " GET / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("method", 400, "G(T / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("method", 400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("method", 400, "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("method", 400, "GET\r\n\r\n"),
    REFUSED("method", 400, "\0GET / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("method", 400, "\x16\x03\x01\x02"), /* TLS on a plain port: told at once */
    REFUSED("target", 400, "GET  / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target", 400, "GET /\x01 HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target", 400, "GET /\0 HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target", 400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target", 400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target-form", 400, "GET http://a.example/ HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target-form", 400, "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target-form", 400, "CONNECT /a HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target-form", 400, "GET * HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("target-form", 400, "GET a HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("version-syntax", 400, "GET /\r\n\r\n"),
    REFUSED("version-syntax", 400, "GET / \r\n\r\n"),
    REFUSED("version-syntax", 400, "GET / HTTP/1.1 \r\n" HOST "\r\n"),
    REFUSED("version-syntax", 400, "GET / HTTP/1.11\r\n" HOST "\r\n"),
    REFUSED("version-syntax", 400, "GET / http/1.1\r\n" HOST "\r\n"),
    REFUSED("version-syntax", 400, "GET / b HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("version-syntax", 400, "GET / HTTP/1,1\r\n" HOST "\r\n"),
    REFUSED("version", 505, "GET / HTTP/1.2\r\n" HOST "\r\n"),
    REFUSED("version", 505, "GET / HTTP/0.9\r\n\r\n"),
    REFUSED("version", 505, "GET / HTTP/2.0\r\n" HOST "\r\n"),
    REFUSED("version", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    REFUSED("bare-lf", 400, "\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("bare-lf", 400, "GET / HTTP/1.1\n" HOST "\r\n"),
    REFUSED("bare-lf", 400, "GET / HTTP/1.1\r\nHost: a.example\n\r\n"),
    REFUSED("bare-lf", 400, "GET / HTTP/1.1\r\n" HOST "\n"),
    REFUSED("bare-cr", 400, "\rGET / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("bare-cr", 400, "GET / HTTP/1.1\rX: 1\r\n" HOST "\r\n"),
    REFUSED("bare-cr", 400, "GET / HTTP/1.1\r\r\n" HOST "\r\n"),
    REFUSED("bare-cr", 400, "GET / HTTP/1.1\r\n" HOST "X: 1\rY: 2\r\n\r\n"),
    REFUSED("bare-cr", 400, "GET / HTTP/1.1\r\n" HOST "\rX: 1\r\n\r\n"),
    REFUSED("blank-lines", 400, "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("blank-lines", 400, "\r\n\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    REFUSED("blank-before-colon", 400, "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n"),
    REFUSED("header-name", 400, "GET / HTTP/1.1\r\n" HOST "nocolon\r\n\r\n"),
    REFUSED("header-name", 400, "GET / HTTP/1.1\r\n" HOST ": empty\r\n\r\n"),
    REFUSED("header-name", 400, "GET / HTTP/1.1\r\n" HOST "X\xe4: 1\r\n\r\n"),
    REFUSED("header-name", 400, "GET / HTTP/1.1\r\n" HOST "X\0: 1\r\n\r\n"),
    REFUSED("header-name", 400, "GET / HTTP/1.1\r\n" HOST "X(y): 1\r\n\r\n"),
    REFUSED("blank-before-colon", 400, "POST / HTTP/1.1\r\n" HOST "Content-Length : 2\r\n\r\nhi"),
    REFUSED("blank-before-colon", 400, "POST / HTTP/1.1\r\n" HOST "X\t: 2\r\n\r\nhi"),
    REFUSED("header-value", 400, "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"),
    REFUSED("header-value", 400, "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n"),
    REFUSED("header-value", 400, "GET / HTTP/1.1\r\n" HOST "X: \x0b\r\n\r\n"),
    REFUSED("folded", 400, "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"),
    REFUSED("folded", 400, "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"),
    REFUSED("folded", 400, "GET / HTTP/1.1\r\n " HOST "\r\n"),
    REFUSED("host-missing", 400, "GET / HTTP/1.1\r\n\r\n"),
    REFUSED("host-missing", 400, "GET / HTTP/1.1\r\nHosts: a\r\n\r\n"),
    REFUSED("host-repeated", 400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"),
    REFUSED("host-repeated", 400, "GET / HTTP/1.0\r\n" HOST "hOST: b\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n"),
    REFUSED("host-syntax", 400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
    REFUSED("length-repeated", 400,
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
    REFUSED("length-repeated", 400,
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\ncontent-length: 7\r\n\r\nhi"),
    REFUSED("length-syntax", 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +2\r\n\r\nhi"),
    REFUSED("length-syntax", 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: -2\r\n\r\nhi"),
    REFUSED("length-syntax", 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x2\r\n\r\nhi"),
    REFUSED("length-syntax", 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2 2\r\n\r\nhi"),
    REFUSED("length-syntax", 400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2, 2\r\n\r\nhi"),
    REFUSED("length-syntax", 400, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nhi"),
    REFUSED("length-syntax", 400,
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 1234567890123456789\r\n\r\nhi"),
    REFUSED("length-with-coding", 400,
            "POST / HTTP/1.1\r\n" HOST
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("length-with-coding", 400,
            "POST / HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    REFUSED("coding-repeated", 400,
            "POST / HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("coding-not-chunked", 400,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"),
    REFUSED("coding-not-chunked", 400,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"),
    REFUSED("coding-not-chunked", 400,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n"),
    REFUSED("coding-not-chunked", 400,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    REFUSED("coding-not-chunked", 400,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: , ,chunked\r\n\r\n"),
    REFUSED("coding-not-chunked", 400,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
    REFUSED("coding-not-chunked", 400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"),
    REFUSED("coding-unsupported", 501,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    REFUSED("coding-in-1.0", 400,
            "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("expectation", 417, "POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n"),
    REFUSED("expectation", 417,
            "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
};

/* Every prefix says HTTP_MORE or already what the whole says, so that no way to cut the input into
 * reads changes what it means. */
static void each_prefix_agrees(const char *bytes, size_t len, const struct verdict *whole)
{
    struct http_head head;
    for (size_t cut = 0; cut < len; cut++) {
        struct verdict part = parse(bytes, cut, &head);
        if (part.verdict == HTTP_MORE) {
            assert_true(whole->verdict != HTTP_DONE || cut < whole->used);
            continue;
        }
        assert_int_equal(part.verdict, whole->verdict);
        if (part.verdict == HTTP_DONE) {
            assert_int_equal(part.used, whole->used);
        } else {
            assert_string_equal(part.rule, whole->rule);
            assert_int_equal(part.status, whole->status);
        }
    }
}

static void each_rule_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct http_head head;
        struct verdict got = parse(refused[i].bytes, refused[i].len, &head);
        if (got.verdict != HTTP_REFUSED || strcmp(got.rule, refused[i].rule) != 0 ||
            got.status != refused[i].status) {
            fail_msg("%s: got verdict %d, rule %s, status %d", refused[i].bytes, got.verdict,
                     got.rule, got.status);
        }
        each_prefix_agrees(refused[i].bytes, refused[i].len, &got);
    }
}

static void limits_refuse(void **state)
{
    (void)state;
    struct http_head head;
    struct buf bytes = {0};
    struct verdict got;

    buf_puts(&bytes, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 1; i < LIMIT_HTTP_HEADERS; i++) {
        buf_puts(&bytes, "X: 1\r\n");
    }
    size_t most = bytes.len;
    buf_puts(&bytes, "\r\n");
    got = parse(bytes.data, bytes.len, &head);
    assert_int_equal(got.verdict, HTTP_DONE);
    assert_int_equal(head.header_count, LIMIT_HTTP_HEADERS);
    bytes.len = most;
    buf_puts(&bytes, "X: 1\r\n\r\n");
    got = parse(bytes.data, bytes.len, &head);
    assert_int_equal(got.verdict, HTTP_REFUSED);
    assert_string_equal(got.rule, "too-many-headers");
    assert_int_equal(got.status, 431);
    each_prefix_agrees(bytes.data, bytes.len, &got);
    buf_free(&bytes);
}

/* A head of exactly the limit is read; one byte more is refused, by its length alone. */
static void head_limit(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct http_head head;
        struct buf bytes = {0};
        buf_puts(&bytes, "GET / HTTP/1.1\r\n" HOST "X: ");
        while (bytes.len < LIMIT_HTTP_HEAD - 4 + extra) {
            buf_putc(&bytes, 'a');
        }
        buf_puts(&bytes, "\r\n\r\n");
        struct verdict got = parse(bytes.data, bytes.len, &head);
        assert_int_equal(got.verdict, extra == 0 ? HTTP_DONE : HTTP_REFUSED);
        if (extra > 0) {
            assert_string_equal(got.rule, "head-too-large");
            assert_int_equal(got.status, 431);
            got = parse(bytes.data, LIMIT_HTTP_HEAD - 1, &head);
            assert_int_equal(got.verdict, HTTP_MORE);
            got = parse(bytes.data, LIMIT_HTTP_HEAD, &head);
            assert_int_equal(got.verdict, HTTP_REFUSED);
        }
        buf_free(&bytes);
    }
}

struct accepted {
    const char *text;
    const char *method, *target;
    int minor;
    size_t headers;
    bool chunked, has_length, keep_alive, expect_continue;
    uint64_t length;
};

static const struct accepted accepted[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", 1, 1, false, false, true, false, 0},
    {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", 1, 1, false, false, true, false, 0},
    {"GET /a?b=c&d=%00{|} HTTP/1.1\r\n" HOST "\r\n", "GET", "/a?b=c&d=%00{|}", 1, 1, false, false,
     true, false, 0},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "*", 1, 1, false, false, true, false, 0},
    {"ABCDEFGHIJKLMNOP / HTTP/1.1\r\n" HOST "\r\n", "ABCDEFGHIJKLMNOP", "/", 1, 1, false, false,
     true, false, 0},
    {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET", "/", 1, 1, false, false, true, false, 0},
    {"GET / HTTP/1.1\r\nHost: a-b_c~d.example:\r\n\r\n", "GET", "/", 1, 1, false, false, true,
     false, 0},
    {"GET / HTTP/1.0\r\n\r\n", "GET", "/", 0, 0, false, false, false, false, 0},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET", "/", 0, 1, false, false, true,
     false, 0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: foo, close\r\n\r\n", "GET", "/", 1, 2, false, false,
     false, false, 0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n", "GET", "/", 1,
     3, false, false, false, false, 0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", "GET", "/", 1, 2, false, false, true,
     false, 0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: close=1\r\n\r\n", "GET", "/", 1, 2, false, false, true,
     false, 0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: ,\tCLOSE\t,\r\n\r\n", "GET", "/", 1, 2, false, false,
     false, false, 0},
    {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 0012\r\n\r\n", "POST", "/x", 1, 2, false, true,
     true, false, 12},
    {"POST /x HTTP/1.1\r\n" HOST "content-LENGTH: \t999999999999999999 \t\r\n\r\n", "POST", "/x", 1,
     2, false, true, true, false, UINT64_C(999999999999999999)},
    {"POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", "POST", "/x", 1, 2, true,
     false, true, false, 0},
    {"POST /x HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", "POST", "/x",
     1, 3, false, true, true, true, 1},
    {"POST /x HTTP/1.0\r\nExpect: whatever\r\nContent-Length: 1\r\n\r\n", "POST", "/x", 0, 2, false,
     true, false, false, 1},
};

static void what_is_legal_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        const struct accepted *want = &accepted[i];
        struct http_head head;
        size_t used = 0, len = strlen(want->text);
        const char *rule = "";
        int status;
        if (http_parse_head(want->text, len, &head, &used, &rule, &status) != HTTP_DONE) {
            fail_msg("%s: refused: %s", want->text, rule);
        }
        assert_int_equal(used, len);
        assert_int_equal(head.method_len, strlen(want->method));
        assert_memory_equal(head.method, want->method, head.method_len);
        assert_int_equal(head.target_len, strlen(want->target));
        assert_memory_equal(head.target, want->target, head.target_len);
        assert_int_equal(head.minor, want->minor);
        assert_int_equal(head.header_count, want->headers);
        assert_int_equal(head.chunked, want->chunked);
        assert_int_equal(head.has_length, want->has_length);
        assert_int_equal(head.keep_alive, want->keep_alive);
        assert_int_equal(head.expect_continue, want->expect_continue);
        assert_true(head.length == want->length);
        struct verdict whole = {.verdict = HTTP_DONE, .used = used};
        each_prefix_agrees(want->text, len, &whole);
    }
}

static void values_are_trimmed_and_opaque(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\n" HOST "X-Sig: \t a \tb\xc3\xa4 \t \r\n"
                               "Empty:\r\nx-sig:second\r\n\r\nrest";
    struct http_head head;
    size_t used, count;
    const char *rule;
    int status;
    assert_int_equal(http_parse_head(text, sizeof(text) - 1, &head, &used, &rule, &status),
                     HTTP_DONE);
    assert_int_equal(used, sizeof(text) - 1 - 4);
    const struct http_header *found = http_find(head.headers, head.header_count, "X-SIG", &count);
    assert_non_null(found);
    assert_int_equal(count, 2);
    assert_int_equal(found->value_len, 6);
    assert_memory_equal(found->value, "a \tb\xc3\xa4", 6);
    found = http_find(head.headers, head.header_count, "empty", &count);
    assert_non_null(found);
    assert_int_equal(found->value_len, 0);
    assert_null(http_find(head.headers, head.header_count, "X-Si", &count));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_refuses),
        cmocka_unit_test(limits_refuse),
        cmocka_unit_test(head_limit),
        cmocka_unit_test(what_is_legal_is_read),
        cmocka_unit_test(values_are_trimmed_and_opaque),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
