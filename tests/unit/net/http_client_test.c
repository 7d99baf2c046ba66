/*
 * The client against our own server, in one loop; and against a listener that says whatever a
 * broken server might.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "net/http_client.h"
#include "served.h"

#define MS 1000

/* A server, a client to it, and what the last call was told. */
struct calling {
    struct served served;
    struct http_client *client;
    struct buf origin;
    int answers;
    enum http_failure failure;
    int status;
    int64_t date, retry_after_us;
    struct buf error, body, content_type, link;
};

static void serve_target(struct http_request *request, void *arg)
{
    struct served *served = arg;
    const char *path = http_path(request);
    if (strcmp(path, "/redirect") == 0) {
        http_respond(request, 302, "Location: /hidden\r\n", NULL, 0);
    } else if (strcmp(path, "/hidden") == 0) {
        served->gone++;
        http_respond(request, 200, NULL, NULL, 0);
    } else if (strcmp(path, "/slow") == 0) {
        served->waiting[served->waiting_count++] = request;
    } else if (strcmp(path, "/retry") == 0) {
        http_respond(request, 429, "Retry-After: 2.0\r\nX-RateLimit-Reset: 1\r\n", NULL, 0);
    } else if (strcmp(path, "/reset") == 0) {
        struct buf lines = {0};
        buf_printf(&lines,
                   "X-RateLimit-Reset: %lld\r\nLink: <https://a.example/?page=2>; rel=\"next\"\r\n",
                   (long long)(clock_now() / TIME_SECOND + 100));
        http_respond(request, 200, lines.data, NULL, 0);
        buf_free(&lines);
    } else if (strcmp(path, "/head") == 0) {
        struct buf out = {0};
        size_t count;
        const struct http_header *headers = http_headers(request, &count);
        for (size_t i = 0; i < count; i++) {
            buf_append(&out, headers[i].name, headers[i].name_len);
            buf_puts(&out, "=");
            buf_append(&out, headers[i].value, headers[i].value_len);
            buf_puts(&out, "\n");
        }
        http_respond(request, 200, "Content-Type: text/plain\r\n", out.data, out.len);
        buf_free(&out);
    } else {
        on_request(request, arg);
    }
}

static void begin(struct calling *calling)
{
    *calling = (struct calling){0};
    serve(&calling->served, (struct http_server_options){.handler = serve_target});
    calling->client = http_client_new(calling->served.loop, "purchase-sync-test/1");
    buf_printf(&calling->origin, "http://127.0.0.1:%u", http_server_port(calling->served.server));
}

static void end(struct calling *calling)
{
    http_client_free(calling->client);
    serve_end(&calling->served);
    buf_free(&calling->origin);
    buf_free(&calling->error);
    buf_free(&calling->body);
    buf_free(&calling->content_type);
    buf_free(&calling->link);
}

static void keep(struct buf *out, const char *text, size_t len)
{
    buf_reset(out);
    buf_append(out, text, len);
}

static void on_answer(const struct http_answer *answer, void *arg)
{
    struct calling *calling = arg;
    calling->answers++;
    calling->failure = answer->failure;
    calling->status = answer->status;
    calling->date = answer->date;
    calling->retry_after_us = answer->retry_after_us;
    keep(&calling->error, answer->error, strlen(answer->error));
    keep(&calling->body, answer->body, answer->len);
    keep(&calling->content_type, answer->content_type, strlen(answer->content_type));
    keep(&calling->link, answer->link, strlen(answer->link));
}

/* Sends a call, which must not be told anything before the loop turns, and waits for its answer. */
static void call(struct calling *calling, struct http_call wanted)
{
    int before = calling->answers;
    wanted.method = wanted.method != NULL ? wanted.method : "GET";
    wanted.origin = wanted.origin != NULL ? wanted.origin : calling->origin.data;
    wanted.target = wanted.target != NULL ? wanted.target : "/";
    assert_true(http_client_send(calling->client, &wanted, on_answer, calling));
    assert_int_equal(calling->answers, before);
    turn_until(&calling->served, calling->answers == before + 1);
}

static void a_call_is_answered(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    const char *headers[] = {"Content-Type: application/json", "X-Test: yes", NULL};
    call(&calling, (struct http_call){.method = "POST",
                                      .target = "/a?b=c",
                                      .headers = headers,
                                      .body = "{\"a\":1}",
                                      .body_len = 7});
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    assert_int_equal(calling.status, 200);
    assert_non_null(strstr(calling.body.data, "POST /a?b=c "));
    assert_non_null(strstr(calling.body.data, "body=7:{\"a\":1}"));
    assert_string_equal(calling.content_type.data, "text/plain");
    assert_true(llabs(calling.date - clock_now()) < 60 * TIME_SECOND);
    assert_int_equal(calling.retry_after_us, -1);

    call(&calling,
         (struct http_call){.target = "/head", .basic_auth = "ck:cs", .headers = headers + 1});
    assert_non_null(strstr(calling.body.data, "Authorization=Basic Y2s6Y3M=\n"));
    assert_non_null(strstr(calling.body.data, "X-Test=yes\n"));
    assert_non_null(strstr(calling.body.data, "User-Agent=purchase-sync-test/1\n"));
    assert_null(strstr(calling.body.data, "Expect"));

    /* No body, and a method of no special meaning to curl. */
    call(&calling, (struct http_call){.method = "POST", .target = "/empty"});
    assert_non_null(strstr(calling.body.data, "POST /empty?"));
    assert_non_null(strstr(calling.body.data, "body=0:"));
    call(&calling,
         (struct http_call){.method = "PUT", .target = "/put", .body = "x", .body_len = 1});
    assert_non_null(strstr(calling.body.data, "PUT /put?"));
    call(&calling, (struct http_call){.method = "HEAD", .target = "/head"});
    assert_int_equal(calling.status, 200);
    assert_int_equal(calling.body.len, 0);
    call(&calling, (struct http_call){.target = "/problem"});
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    assert_int_equal(calling.status, 404);
    assert_int_equal(http_client_in_flight(calling.client), 0);
    assert_int_equal(http_server_connections(calling.served.server), 1); /* one kept connection */
    end(&calling);
}

static void the_origin_may_have_a_prefix(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    struct buf origin = {0};
    buf_printf(&origin, "%s/shop/", calling.origin.data);
    call(&calling, (struct http_call){.origin = origin.data, .target = "/a/../b"});
    assert_non_null(strstr(calling.body.data, "GET /shop/a/../b?"));
    buf_free(&origin);
    end(&calling);
}

static void a_redirect_is_an_answer_like_any(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    call(&calling, (struct http_call){.target = "/redirect"});
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    assert_int_equal(calling.status, 302);
    assert_int_equal(calling.served.gone, 0);
    end(&calling);
}

static void retry_hints_are_read(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    call(&calling, (struct http_call){.target = "/retry"});
    assert_int_equal(calling.status, 429);
    assert_int_equal(calling.retry_after_us, 2 * TIME_SECOND);
    call(&calling, (struct http_call){.target = "/reset"});
    assert_true(calling.retry_after_us >= 98 * TIME_SECOND);
    assert_true(calling.retry_after_us <= 101 * TIME_SECOND);
    assert_string_equal(calling.link.data, "<https://a.example/?page=2>; rel=\"next\"");
    end(&calling);
}

static void a_deadline_ends_a_call(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    int64_t begun = clock_monotonic();
    call(&calling, (struct http_call){.target = "/slow", .deadline_us = 100 * MS});
    assert_int_equal(calling.failure, HTTP_TIMED_OUT);
    assert_true(clock_monotonic() - begun >= 80 * MS);
    assert_true(clock_monotonic() - begun < 5 * TIME_SECOND);
    assert_int_equal(http_client_in_flight(calling.client), 0);
    http_respond(calling.served.waiting[0], 200, NULL, NULL, 0);
    end(&calling);
}

/* Calls that wait behind others to the same host keep their deadlines. */
static void a_deadline_counts_in_the_queue_too(void **state)
{
    (void)state;
    enum { CALLS = LIMIT_FETCH_PER_HOST + 4 };
    struct calling calling;
    begin(&calling);
    struct http_call wanted = {.method = "GET",
                               .origin = calling.origin.data,
                               .target = "/slow",
                               .deadline_us = 5 * TIME_SECOND};
    for (int i = 0; i < CALLS; i++) {
        wanted.deadline_us = i < LIMIT_FETCH_PER_HOST ? 20 * TIME_SECOND : 150 * MS;
        assert_true(http_client_send(calling.client, &wanted, on_answer, &calling));
    }
    assert_int_equal(http_client_in_flight(calling.client), CALLS);
    turn_until(&calling.served, calling.answers == CALLS - LIMIT_FETCH_PER_HOST);
    assert_int_equal(calling.failure, HTTP_TIMED_OUT);
    assert_int_equal(calling.served.waiting_count, LIMIT_FETCH_PER_HOST);
    assert_int_equal(http_server_connections(calling.served.server), LIMIT_FETCH_PER_HOST);
    for (size_t i = 0; i < LIMIT_FETCH_PER_HOST; i++) {
        http_respond(calling.served.waiting[i], 200, NULL, NULL, 0);
    }
    turn_until(&calling.served, calling.answers == CALLS);
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    end(&calling);
}

static void too_large_an_answer_is_not_taken(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    call(&calling, (struct http_call){.target = "/big?1001", .max_answer = 1000});
    assert_int_equal(calling.failure, HTTP_TOO_LARGE);
    call(&calling, (struct http_call){.target = "/big?1000", .max_answer = 1000});
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    assert_int_equal(calling.body.len, 1000);
    end(&calling);
}

static void calls_that_break_a_rule_are_never_made(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    static const char *const origins[] = {"",
                                          "shop.example",
                                          "ftp://shop.example",
                                          "file:///etc/passwd",
                                          "http://",
                                          "http:///x",
                                          "http://u:p@127.0.0.1",
                                          "http://127.0.0.1:80@b",
                                          "http://a b",
                                          "http://127.0.0.1?x",
                                          "http://127.0.0.1#x",
                                          "http://127.0.0.1\\@b",
                                          "http://a\r\nX: 1",
                                          "http://127.0.0.1:",
                                          "http://127.0.0.1:123456",
                                          "http://[::1",
                                          "http://[zz]",
                                          "https://a%2eb",
                                          "http://127.0.0.1/a?b"};
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        call(&calling, (struct http_call){.origin = origins[i]});
        if (calling.failure != HTTP_REFUSED_CALL) {
            fail_msg("origin %s: %d", origins[i], calling.failure);
        }
    }
    static const char *const targets[] = {"",     "x",          "@b/",  "http://b/",
                                          "/a b", "/a\r\nX: 1", "/a#b", "/\xc3\xa4"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        call(&calling, (struct http_call){.target = targets[i]});
        if (calling.failure != HTTP_REFUSED_CALL) {
            fail_msg("target %s: %d", targets[i], calling.failure);
        }
    }
    static const char *const headers[] = {"X",
                                          "X: ",
                                          "X:",
                                          ": 1",
                                          "X: 1\r\nY: 2",
                                          "X: \n",
                                          "X : 1",
                                          "X;",
                                          "Host: b",
                                          "content-length: 1",
                                          "Transfer-Encoding: chunked",
                                          "X: a\x01"};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const char *list[] = {"Accept: */*", headers[i], NULL};
        call(&calling, (struct http_call){.headers = list});
        if (calling.failure != HTTP_REFUSED_CALL) {
            fail_msg("header %s: %d", headers[i], calling.failure);
        }
    }
    call(&calling, (struct http_call){.method = "G T"});
    assert_int_equal(calling.failure, HTTP_REFUSED_CALL);
    assert_true(calling.error.len > 0);
    assert_int_equal(calling.served.handled, 0);
    end(&calling);
}

/* Spellings that a resolver takes for 127.0.0.1 are names to us, and what they lead to is private.
 */
static void a_name_must_not_lead_to_a_private_address(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    static const char *const hosts[] = {"2130706433", "0x7f.1", "127.1", "0177.0.0.1"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct buf origin = {0};
        buf_printf(&origin, "http://%s:%u", hosts[i], http_server_port(calling.served.server));
        call(&calling, (struct http_call){.origin = origin.data});
        /* curl rewrites these before it resolves them, and its own view is what is judged. */
        if (calling.failure != HTTP_REFUSED_CALL) {
            fail_msg("%s: %d %s", origin.data, calling.failure, calling.error.data);
        }
        buf_free(&origin);
    }
    assert_int_equal(http_server_connections(calling.served.server), 0);
    struct buf origin = {0};
    buf_printf(&origin, "http://localhost:%u", http_server_port(calling.served.server));
    call(&calling, (struct http_call){.origin = origin.data});
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    buf_free(&origin);
    end(&calling);
}

static void nobody_there_is_unreachable(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    http_server_drain(calling.served.server);
    call(&calling, (struct http_call){0});
    assert_int_equal(calling.failure, HTTP_UNREACHABLE);
    assert_true(calling.error.len > 0);
    end(&calling);
}

/* A proxy of the environment is not ours. */
static void the_environment_names_no_proxy(void **state)
{
    (void)state;
    struct calling calling;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    begin(&calling);
    call(&calling, (struct http_call){0});
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    end(&calling);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

static void calls_at_a_time_are_bounded(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    struct http_call wanted = {.method = "GET", .origin = calling.origin.data, .target = "/slow"};
    for (int i = 0; i < LIMIT_FETCH_IN_FLIGHT; i++) {
        assert_true(http_client_send(calling.client, &wanted, on_answer, &calling));
    }
    assert_false(http_client_send(calling.client, &wanted, on_answer, &calling));
    turn_until(&calling.served, calling.served.waiting_count == LIMIT_FETCH_PER_HOST);
    http_client_free(calling.client);
    assert_int_equal(calling.answers, LIMIT_FETCH_IN_FLIGHT);
    assert_int_equal(calling.failure, HTTP_UNREACHABLE);
    calling.client = http_client_new(calling.served.loop, "x");
    end(&calling);
}

/* What was given up is told, and the client goes on. */
static void calls_may_be_given_up(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    struct http_call wanted = {.method = "GET", .origin = calling.origin.data, .target = "/slow"};
    struct http_call broken = {.method = "GET", .origin = "nowhere", .target = "/"};
    assert_true(http_client_send(calling.client, &wanted, on_answer, &calling));
    turn_until(&calling.served, calling.served.waiting_count == 1);
    assert_true(http_client_send(calling.client, &broken, on_answer, &calling));
    http_client_abort(calling.client);
    assert_int_equal(calling.answers, 2);
    assert_int_equal(calling.failure, HTTP_UNREACHABLE);
    assert_int_equal(http_client_in_flight(calling.client), 0);
    http_respond(calling.served.waiting[0], 200, NULL, NULL, 0);
    call(&calling, (struct http_call){0});
    assert_int_equal(calling.failure, HTTP_ANSWERED);
    end(&calling);
}

/* An answer may lead to the next call at once. */
struct chain {
    struct calling *calling;
    int left;
};

static void on_chain(const struct http_answer *answer, void *arg)
{
    struct chain *chain = arg;
    assert_int_equal(answer->failure, HTTP_ANSWERED);
    if (--chain->left > 0) {
        struct http_call wanted = {
            .method = "GET", .origin = chain->calling->origin.data, .target = "/next"};
        assert_true(http_client_send(chain->calling->client, &wanted, on_chain, chain));
    }
}

static void an_answer_may_lead_to_a_call(void **state)
{
    (void)state;
    struct calling calling;
    begin(&calling);
    struct chain chain = {&calling, 20};
    struct http_call wanted = {.method = "GET", .origin = calling.origin.data, .target = "/first"};
    assert_true(http_client_send(calling.client, &wanted, on_chain, &chain));
    turn_until(&calling.served, chain.left == 0);
    assert_int_equal(calling.served.handled, 20);
    end(&calling);
}

/* Accepts one connection, waits for its request, says what the row says and ends. */
struct rude {
    struct loop *loop;
    int listener, client;
    const char *says;
    struct loop_watch *connection, *request;
};

static void on_rude_request(void *arg)
{
    struct rude *rude = arg;
    char request[4096];
    ssize_t n = recv(rude->client, request, sizeof(request), 0);
    if (n > 0) {
        assert_true(send(rude->client, rude->says, strlen(rude->says), MSG_NOSIGNAL) >= 0);
    }
    shutdown(rude->client, SHUT_WR);
    loop_watch_free(rude->request);
    rude->request = NULL;
}

static void on_rude_connection(void *arg)
{
    struct rude *rude = arg;
    rude->client = accept(rude->listener, NULL, NULL);
    assert_true(rude->client >= 0);
    rude->request = loop_watch_new(rude->loop, rude->client, on_rude_request, rude);
    loop_watch_free(rude->connection);
    rude->connection = NULL;
}

static void broken_servers_break_nothing(void **state)
{
    (void)state;
    struct buf endless = {0};
    buf_puts(&endless, "HTTP/1.1 200 OK\r\n");
    while (endless.len < LIMIT_FETCH_HEADERS + 1000) {
        buf_puts(&endless, "X-More: 0123456789012345678901234567890123456789\r\n");
    }
    const struct {
        const char *says;
        enum http_failure failure;
        int status;
        const char *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", HTTP_ANSWERED, 200, "hi"},
        {"HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
         HTTP_ANSWERED, 201, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi", HTTP_UNREACHABLE, 0, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", HTTP_UNREACHABLE, 0,
         ""},
        {"hello\r\n", HTTP_UNREACHABLE, 0, ""},
        {"", HTTP_UNREACHABLE, 0, ""},
        {endless.data, HTTP_TOO_LARGE, 0, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct calling calling;
        begin(&calling);
        struct rude rude = {.loop = calling.served.loop, .says = rows[i].says};
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(at);
        const union {
            struct sockaddr_in *in;
            struct sockaddr *any;
        } address = {&at};
        rude.listener = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(rude.listener, address.any, sizeof(at)), 0);
        assert_int_equal(listen(rude.listener, 1), 0);
        assert_int_equal(getsockname(rude.listener, address.any, &len), 0);
        rude.connection =
            loop_watch_new(calling.served.loop, rude.listener, on_rude_connection, &rude);
        struct buf origin = {0};
        buf_printf(&origin, "http://127.0.0.1:%u", ntohs(at.sin_port));
        call(&calling, (struct http_call){.origin = origin.data});
        if (calling.failure != rows[i].failure || calling.status != rows[i].status) {
            fail_msg("row %zu: %d %d %s", i, calling.failure, calling.status, calling.error.data);
        }
        assert_string_equal(calling.body.len > 0 ? calling.body.data : "", rows[i].body);
        assert_int_equal(calling.retry_after_us, -1);
        loop_watch_free(rude.connection);
        loop_watch_free(rude.request);
        close(rude.client);
        close(rude.listener);
        buf_free(&origin);
        end(&calling);
    }
    buf_free(&endless);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(the_origin_may_have_a_prefix),
        cmocka_unit_test(a_redirect_is_an_answer_like_any),
        cmocka_unit_test(retry_hints_are_read),
        cmocka_unit_test(a_deadline_ends_a_call),
        cmocka_unit_test(a_deadline_counts_in_the_queue_too),
        cmocka_unit_test(too_large_an_answer_is_not_taken),
        cmocka_unit_test(calls_that_break_a_rule_are_never_made),
        cmocka_unit_test(a_name_must_not_lead_to_a_private_address),
        cmocka_unit_test(nobody_there_is_unreachable),
        cmocka_unit_test(the_environment_names_no_proxy),
        cmocka_unit_test(calls_at_a_time_are_bounded),
        cmocka_unit_test(calls_may_be_given_up),
        cmocka_unit_test(an_answer_may_lead_to_a_call),
        cmocka_unit_test(broken_servers_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
