/*
 * The server over real sockets: what it answers, in which order, when it closes, and what it gives
 * up on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "served.h"

#define HOST "Host: a.example\r\n"
#define CLOSE "Connection: close\r\n"

static void answers_have_their_headers(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    static const char text[] = "GET /a?b=c HTTP/1.1\r\n" HOST CLOSE "\r\n";
    char *heard = exchange(&served, text, sizeof(text) - 1);
    assert_ptr_equal(strstr(heard, "HTTP/1.1 200 OK\r\n"), heard);
    assert_non_null(strstr(heard, "\r\nDate: "));
    assert_non_null(strstr(heard, " GMT\r\n"));
    assert_non_null(strstr(heard, "\r\nX-Request-Id: "));
    assert_non_null(strstr(heard, "\r\nContent-Length: 28\r\n"));
    assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(heard, "\r\n\r\nGET /a?b=c headers=2 body=0:"));
    free(heard);
    turn_until(&served, http_server_connections(served.server) == 0);
    serve_end(&served);
}

static void a_connection_is_kept_and_answers_in_order(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served);
    say(&served, fd, "GET /1 HTTP/1.1\r\n" HOST "\r\n");
    hear(&served, fd, &heard, "GET /1?");
    say(&served, fd,
        "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
        "GET /3 HTTP/1.1\r\n" HOST "\r\n"
        "POST /4 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "2;x=y\r\nhi\r\n1\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n"
        "GET /5 HTTP/1.1\r\n" HOST CLOSE "\r\nGET /6 HTTP/1.1\r\n" HOST "\r\n");
    hear_out(&served, fd, &heard);
    const char *second = strstr(heard.data, "POST /2? headers=2 body=3:abc");
    const char *third = strstr(heard.data, "GET /3? headers=1 body=0:");
    const char *fourth = strstr(heard.data, "POST /4? headers=2 body=3:hi!");
    const char *fifth = strstr(heard.data, "GET /5?");
    assert_true(second != NULL && second < third && third < fourth && fourth < fifth);
    assert_null(strstr(heard.data, "/6"));
    assert_int_equal(occurrences(heard.data, "Connection: close"), 1);
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

/* The second request is not handed over while the first waits, and its answer comes second. */
static void pipelined_requests_wait_their_turn(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served);
    say(&served, fd,
        "GET /later HTTP/1.1\r\n" HOST "\r\nGET /second HTTP/1.1\r\n" HOST
        "\r\nGET /later HTTP/1.1\r\n" HOST "\r\nGET /fou");
    turn_until(&served, served.waiting_count == 1);
    loop_turn(served.loop, 5);
    assert_int_equal(served.handled, 1);
    http_respond(served.waiting[0], 200, NULL, "first", 5);
    assert_int_equal(served.handled, 3);
    assert_int_equal(served.released, 1);
    hear(&served, fd, &heard, "GET /second?");
    assert_true(strstr(heard.data, "first") < strstr(heard.data, "GET /second?"));
    http_respond(served.waiting[1], 200, NULL, "third", 5);
    say(&served, fd, "rth HTTP/1.1\r\n" HOST CLOSE "\r\n");
    hear_out(&served, fd, &heard);
    assert_non_null(strstr(heard.data, "GET /fourth?"));
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

static void bytes_one_at_a_time(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){0});
    static const char text[] = "\r\nPOST /slow?q HTTP/1.1\r\n" HOST "X: 1\r\nContent-Length: 4\r\n"
                               "\r\nabcdPOST /chunks HTTP/1.1\r\n" HOST CLOSE
                               "Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";
    int fd = dial(&served);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        say_bytes(&served, fd, text + i, 1);
        loop_turn(served.loop, i == 0 ? 50 : 1);
    }
    hear_out(&served, fd, &heard);
    assert_non_null(strstr(heard.data, "POST /slow?q headers=3 body=4:abcd"));
    assert_non_null(strstr(heard.data, "POST /chunks? headers=3 body=3:xyz"));
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

static void http_1_0_closes_unless_asked(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    static const char text[] = "GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                               "GET /last HTTP/1.0\r\n\r\nGET /never HTTP/1.0\r\n\r\n";
    char *heard = exchange(&served, text, sizeof(text) - 1);
    assert_non_null(strstr(heard, "GET /kept?"));
    assert_int_equal(occurrences(heard, "Connection: keep-alive"), 1);
    assert_non_null(strstr(heard, "GET /last?"));
    assert_null(strstr(heard, "/never"));
    free(heard);
    serve_end(&served);
}

static void head_and_204_have_no_body(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    static const char text[] = "HEAD /x HTTP/1.1\r\n" HOST "\r\nGET /none HTTP/1.1\r\n" HOST
                               "\r\nGET /end HTTP/1.1\r\n" HOST CLOSE "\r\n";
    char *heard = exchange(&served, text, sizeof(text) - 1);
    assert_null(strstr(heard, "HEAD /x?"));
    assert_non_null(strstr(heard, "Content-Length: 26\r\n"));
    const char *none = strstr(heard, "HTTP/1.1 204 No Content\r\n");
    assert_non_null(none);
    assert_int_equal(occurrences(heard, "Content-Length"), 2);
    assert_non_null(strstr(none, "GET /end?"));
    free(heard);
    serve_end(&served);
}

static void problems_are_json(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    static const char text[] = "GET /problem HTTP/1.1\r\n" HOST CLOSE "\r\n";
    char *heard = exchange(&served, text, sizeof(text) - 1);
    assert_non_null(strstr(heard, "HTTP/1.1 404 Not Found\r\n"));
    assert_non_null(strstr(heard, "Content-Type: application/problem+json\r\n"));
    assert_non_null(strstr(heard, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(heard,
                           "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                           "\"code\":\"not_found\",\"detail\":\"a \\\"quoted\\\" reason\"}"));
    free(heard);
    serve_end(&served);
}

static void continue_is_sent_when_the_body_is_awaited(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){.max_body = 100});
    int fd = dial(&served);
    say(&served, fd,
        "POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    hear(&served, fd, &heard, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(served.handled, 0);
    say(&served, fd, "hi");
    hear(&served, fd, &heard, "body=2:hi");
    buf_reset(&heard);
    /* With the body already there nothing is to be said. */
    say(&served, fd,
        "POST /b HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nyo");
    hear(&served, fd, &heard, "body=2:yo");
    assert_null(strstr(heard.data, "100 Continue"));
    buf_reset(&heard);
    /* A body that will be refused is not asked for. */
    say(&served, fd,
        "POST /c HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 101\r\n\r\n");
    hear_out(&served, fd, &heard);
    assert_non_null(strstr(heard.data, "HTTP/1.1 413 "));
    assert_null(strstr(heard.data, "100 Continue"));
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

/* The client, which sends all it has before it reads, still sees the answer, not a reset. */
static void a_body_over_the_limit_is_413(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){.max_body = 1000});
    struct buf bytes = {0};
    buf_puts(&bytes, "POST / HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
    size_t head = bytes.len;
    while (bytes.len < head + 3000000) {
        buf_puts(&bytes, "0123456789");
    }
    char *heard = exchange(&served, bytes.data, bytes.len);
    assert_ptr_equal(strstr(heard, "HTTP/1.1 413 Content Too Large\r\n"), heard);
    assert_non_null(strstr(heard, "\"code\":\"body_too_large\",\"detail\":\"body-too-large\""));
    free(heard);

    /* Chunked: refused as soon as a size passes the limit, with no more than its line. */
    static const char huge[] =
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3e6\r\n";
    heard = exchange(&served, huge, sizeof(huge) - 1);
    assert_ptr_equal(strstr(heard, "HTTP/1.1 413 "), heard);
    free(heard);

    /* ... or by many small chunks. */
    buf_reset(&bytes);
    buf_puts(&bytes, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 101; i++) {
        buf_puts(&bytes, "a\r\n0123456789\r\n");
    }
    buf_puts(&bytes, "0\r\n\r\n");
    heard = exchange(&served, bytes.data, bytes.len);
    assert_ptr_equal(strstr(heard, "HTTP/1.1 413 "), heard);
    free(heard);
    assert_int_equal(served.handled, 0);
    assert_int_equal(served.refused, 3);

    /* Exactly the limit is fine. */
    buf_reset(&bytes);
    buf_puts(&bytes, "POST / HTTP/1.1\r\n" HOST CLOSE "Content-Length: 1000\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        buf_puts(&bytes, "0123456789");
    }
    heard = exchange(&served, bytes.data, bytes.len);
    assert_non_null(strstr(heard, "body=1000:"));
    free(heard);
    buf_free(&bytes);
    serve_end(&served);
}

static void a_large_body_arrives_whole(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){.max_body = 2 << 20});
    struct buf bytes = {0};
    buf_puts(&bytes, "POST /x HTTP/1.1\r\n" HOST CLOSE "Content-Length: 2000000\r\n\r\n");
    size_t head = bytes.len;
    for (int i = 0; bytes.len < head + 2000000; i++) {
        buf_printf(&bytes, "%09d\n", i);
    }
    char *heard = exchange(&served, bytes.data, bytes.len);
    const char *body = strstr(heard, "body=2000000:");
    assert_non_null(body);
    assert_string_equal(body + strlen("body=2000000:"), bytes.data + head);
    free(heard);
    buf_free(&bytes);
    serve_end(&served);
}

static void a_large_answer_waits_for_a_slow_reader(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served);
    say(&served, fd,
        "GET /big?20000000 HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST CLOSE "\r\n");
    turn_until(&served, served.handled == 1);
    for (int i = 0; i < 20; i++) {
        loop_turn(served.loop, 1);
    }
    assert_int_equal(served.handled, 1); /* what is next waits until the answer is taken */
    hear_out(&served, fd, &heard);
    assert_true(heard.len > 20000000);
    assert_non_null(strstr(heard.data + heard.len - 100, "GET /next?"));
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

static void listen_errors_say_what_to_do(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    struct buf error = {0}, taken = {0};
    buf_printf(&taken, "127.0.0.1:%u", http_server_port(served.server));
    struct http_server_options options = {.listen = taken.data, .handler = on_request};
    assert_null(http_server_new(served.loop, &options, &error));
    assert_non_null(strstr(error.data, "listen = 127.0.0.1:"));
    assert_non_null(strstr(error.data, "another program listens there"));
    static const char *const bad[] = {
        "",      "127.0.0.1",       ":80", "127.0.0.1:",  "[::1:80",   "::1:80",
        "[]:80", "127.0.0.1:65536", "a:b", "127.0.0.1:x", "1.2.3.4:+1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&error);
        options.listen = bad[i];
        assert_null(http_server_new(served.loop, &options, &error));
        assert_non_null(strstr(error.data, "expected host:port"));
    }
    buf_free(&error);
    buf_free(&taken);
    serve_end(&served);
}

static void instances_may_share_a_port(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){.reuse_port = true});
    struct buf error = {0}, same = {0};
    buf_printf(&same, "127.0.0.1:%u", http_server_port(served.server));
    struct http_server_options options = {
        .listen = same.data, .handler = on_request, .reuse_port = true, .arg = &served};
    struct http_server *other = http_server_new(served.loop, &options, &error);
    assert_non_null(other);
    for (int i = 0; i < 8; i++) {
        static const char text[] = "GET / HTTP/1.1\r\n" HOST CLOSE "\r\n";
        char *heard = exchange(&served, text, sizeof(text) - 1);
        assert_non_null(strstr(heard, "200 OK"));
        free(heard);
    }
    http_server_free(other);
    buf_free(&error);
    buf_free(&same);
    serve_end(&served);
}

static void only_its_own_names_reach_an_internal_listener(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){.check_host = true});
    unsigned port = http_server_port(served.server);
    const struct {
        const char *host;
        unsigned port;
        bool ours;
    } rows[] = {
        {"127.0.0.1", port, true},     {"localhost", port, true},  {"LOCALHOST", port, true},
        {"evil.example", port, false}, {"127.0.0.2", port, false}, {"127.0.0.1", port ^ 1, false},
        {"[::1]", port, false},        {"127.0.0.1", 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = {0};
        buf_printf(&text, "GET / HTTP/1.1\r\nHost: %s", rows[i].host);
        if (rows[i].port != 0) {
            buf_printf(&text, ":%u", rows[i].port);
        }
        buf_puts(&text, "\r\n" CLOSE "\r\n");
        char *heard = exchange(&served, text.data, text.len);
        if ((strstr(heard, "HTTP/1.1 200 ") == heard) != rows[i].ours) {
            fail_msg("%s got %s", text.data, heard);
        }
        assert_true(rows[i].ours || strstr(heard, "HTTP/1.1 421 ") == heard);
        free(heard);
        buf_free(&text);
    }
    static const char old[] = "GET / HTTP/1.0\r\n\r\n";
    char *heard = exchange(&served, old, sizeof(old) - 1);
    assert_ptr_equal(strstr(heard, "HTTP/1.1 421 "), heard);
    free(heard);
    serve_end(&served);
}

static void only_its_own_pages_reach_an_internal_listener(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){.check_host = true});
    unsigned port = http_server_port(served.server);
    static const struct {
        const char *origin; /* with the port behind it if it ends in ':' */
        bool ours;
    } rows[] = {
        {"http://127.0.0.1:", true},
        {"http://localhost:", true},
        {"http://127.0.0.1", false},
        {"http://127.0.0.1:1", false},
        {"https://127.0.0.1:", false},
        {"http://evil.example:", false},
        {"http://evil.example", false},
        {"http://127.0.0.1.evil.example:", false},
        {"http://127.0.0.1@evil.example:", false},
        {"http://[::1]:", false},
        {"http://[::", false},
        {"http://", false},
        {"http:///", false},
        {"null", false},
        {"", false},
        {"file://", false},
        {"http://127.0.0.1:1\r\nOrigin: http://127.0.0.1:", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = {0};
        const char *origin = rows[i].origin;
        buf_printf(&text, "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nOrigin: %s", port, origin);
        if (origin[0] != '\0' && origin[strlen(origin) - 1] == ':') {
            buf_printf(&text, "%u", port);
        }
        buf_puts(&text, "\r\n" CLOSE "\r\n");
        char *heard = exchange(&served, text.data, text.len);
        if (strstr(heard, rows[i].ours ? "HTTP/1.1 200 " : "HTTP/1.1 403 ") != heard) {
            fail_msg("%s got %s", text.data, heard);
        }
        assert_true(rows[i].ours || strstr(heard, "origin_elsewhere") != NULL);
        free(heard);
        buf_free(&text);
    }
    serve_end(&served);
}

static void header_text_is_single(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served);
    say(&served, fd,
        "GET /later HTTP/1.1\r\n" HOST "X-Sig: abc \r\nX-Twice: 1\r\nx-twice: 1\r\n\r\n");
    turn_until(&served, served.waiting_count == 1);
    char *value = http_header_text(served.waiting[0], "x-sig");
    assert_string_equal(value, "abc");
    free(value);
    assert_null(http_header_text(served.waiting[0], "X-Twice"));
    assert_null(http_header_text(served.waiting[0], "X-None"));
    char peer[ADDRESS_TEXT];
    address_format(http_peer(served.waiting[0]), peer);
    assert_string_equal(peer, "127.0.0.1");
    assert_int_equal(strlen(http_request_id(served.waiting[0])), 16);
    assert_true(clock_monotonic() - http_arrived(served.waiting[0]) < PATIENCE);
    assert_ptr_equal(http_state(served.waiting[0]), &served);
    http_respond(served.waiting[0], 200, NULL, NULL, 0);
    hear(&served, fd, &heard, "Content-Length: 0\r\n");
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_have_their_headers),
        cmocka_unit_test(a_connection_is_kept_and_answers_in_order),
        cmocka_unit_test(pipelined_requests_wait_their_turn),
        cmocka_unit_test(bytes_one_at_a_time),
        cmocka_unit_test(http_1_0_closes_unless_asked),
        cmocka_unit_test(head_and_204_have_no_body),
        cmocka_unit_test(problems_are_json),
        cmocka_unit_test(continue_is_sent_when_the_body_is_awaited),
        cmocka_unit_test(a_body_over_the_limit_is_413),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(a_large_answer_waits_for_a_slow_reader),
        cmocka_unit_test(listen_errors_say_what_to_do),
        cmocka_unit_test(instances_may_share_a_port),
        cmocka_unit_test(only_its_own_names_reach_an_internal_listener),
        cmocka_unit_test(only_its_own_pages_reach_an_internal_listener),
        cmocka_unit_test(header_text_is_single),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
