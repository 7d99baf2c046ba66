/*
 * What other servers let through. Each row is sent to the server with a second request hidden
 * behind it: a refused row is answered once, with 400, and its connection is closed; a harmless one
 * says by which rule of the RFC it is, and nothing of it is taken for another request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "served.h"

#define HOST "Host: a.example\r\n"
#define POST "POST /x HTTP/1.1\r\n" HOST
#define HIDDEN "GET /hidden HTTP/1.1\r\n" HOST "\r\n"

struct row {
    const char *what;
    const char *rule; /* NULL: harmless, and `why` says so */
    const char *why;
    const char *bytes;
    size_t len;
};
#define REFUSED(what, rule, text)                \
    {                                            \
        what, rule, NULL, text, sizeof(text) - 1 \
    }
#define HARMLESS(what, why, text)               \
    {                                           \
        what, NULL, why, text, sizeof(text) - 1 \
    }

static const struct row rows[] = {
    REFUSED("Content-Length with Transfer-Encoding", "length-with-coding",
            POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    REFUSED("equal Content-Lengths", "length-repeated",
            POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi" HIDDEN),
    REFUSED("different Content-Lengths", "length-repeated",
            POST "Content-Length: 2\r\nContent-Length: 40\r\n\r\nhi" HIDDEN),
    REFUSED("blank before the colon", "blank-before-colon",
            POST "Content-Length : 2\r\n\r\nhi" HIDDEN),
    REFUSED("signed Content-Length", "length-syntax", POST "Content-Length: +2\r\n\r\nhi" HIDDEN),
    REFUSED("unknown coding", "coding-not-chunked",
            POST "Transfer-Encoding: xchunked\r\n\r\n" HIDDEN),
    REFUSED("coding in HTTP/1.0", "coding-in-1.0",
            "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    REFUSED("signed chunk size", "chunk-size",
            POST "Transfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n" HIDDEN),
    REFUSED("chunk size with 0x", "chunk-size",
            POST "Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n" HIDDEN),
    REFUSED("chunk not followed by CRLF", "chunk-end",
            POST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi0\r\n\r\n" HIDDEN),
    HARMLESS("chunk extension", "RFC 9112 7.1.1: a recipient ignores what it does not know",
             POST
             "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\n\r\n"),
    HARMLESS("trailer", "RFC 9110 6.5.1: may be discarded; it is not merged into the headers",
             POST "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2\r\nhi\r\n0\r\nX-Sig: 1\r\nContent-Length: 99\r\n\r\n"),
    REFUSED("folded header", "folded", POST "X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi" HIDDEN),
    REFUSED("bare LF", "bare-lf", "POST /x HTTP/1.1\nHost: a\nContent-Length: 2\n\nhi" HIDDEN),
    REFUSED("NUL in a value", "header-value", POST "X-Sig: a\0b\r\n\r\n" HIDDEN),
    HARMLESS("header that stands twice",
             "RFC 9110 5.3: a list, or the caller's to judge; http_find() tells how many there are",
             POST "Connection: close\r\nX-Sig: 1\r\nX-Sig: 2\r\nContent-Length: 2\r\n\r\nhi"),
    REFUSED("no Host", "host-missing", "POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi" HIDDEN),
    REFUSED("two Hosts", "host-repeated", POST HOST "Content-Length: 2\r\n\r\nhi" HIDDEN),
    HARMLESS("GET with a body", "RFC 9110 9.3.1: no meaning, but it is read, so nothing follows it",
             "GET /x HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: 2\r\n\r\nhi"),
    HARMLESS("unknown method",
             "RFC 9110 9.1: a token; the handler answers 405 where it has no such",
             "BREW /x HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: 2\r\n\r\nhi"),
    REFUSED("absolute target", "target-form",
            "GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n" HIDDEN),
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct served served;
        serve(&served, (struct http_server_options){0});
        char *heard = exchange(&served, row->bytes, row->len);
        bool refused = row->rule != NULL;
        const char *status = refused ? "HTTP/1.1 400 Bad Request\r\n" : "HTTP/1.1 200 OK\r\n";
        if (strstr(heard, status) != heard || occurrences(heard, "HTTP/1.1 ") != 1 ||
            strstr(heard, "Connection: close\r\n") == NULL) {
            fail_msg("%s: %s", row->what, heard);
        }
        assert_int_equal(served.handled, refused ? 0 : 1);
        assert_int_equal(served.refused, refused ? 1 : 0);
        if (refused) {
            assert_string_equal(served.refused_rule, row->rule);
            assert_int_equal(served.refused_status, 400);
            assert_non_null(strstr(heard, "\"code\":\"bad_request\""));
            assert_non_null(strstr(heard, "\r\nX-Request-Id: "));
            assert_non_null(strstr(heard, "\r\nContent-Type: application/problem+json\r\n"));
        } else {
            assert_non_null(strstr(heard, "body=2:hi"));
            assert_non_null(row->why);
        }
        free(heard);
        serve_end(&served);
    }
}

/* What was answered before the broken request is not lost with it. */
static void earlier_answers_are_kept(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    static const char text[] = "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST
                               "\r\nGET /3 HTTP/3.1\r\n" HOST "\r\n" HIDDEN;
    char *heard = exchange(&served, text, sizeof(text) - 1);
    const char *second = strstr(heard, "GET /2?"), *last = strstr(heard, "HTTP/1.1 505 ");
    assert_true(strstr(heard, "GET /1?") < second && second < last);
    assert_null(strstr(heard, "/hidden"));
    free(heard);
    serve_end(&served);
}

static void a_head_over_the_limit_is_431(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    struct buf bytes = {0};
    buf_puts(&bytes, "GET /");
    while (bytes.len < 300000) {
        buf_puts(&bytes, "0123456789");
    }
    char *heard = exchange(&served, bytes.data, bytes.len);
    assert_ptr_equal(strstr(heard, "HTTP/1.1 431 "), heard);
    assert_string_equal(served.refused_rule, "head-too-large");
    free(heard);
    buf_free(&bytes);
    serve_end(&served);
}

/* Not at the next line's end, which never comes. */
static void what_is_no_http_is_told_at_once(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    char *heard = exchange(&served, hello, sizeof(hello) - 1);
    assert_ptr_equal(strstr(heard, "HTTP/1.1 400 "), heard);
    assert_string_equal(served.refused_rule, "method");
    free(heard);
    serve_end(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),
        cmocka_unit_test(earlier_answers_are_kept),
        cmocka_unit_test(a_head_over_the_limit_is_431),
        cmocka_unit_test(what_is_no_http_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
