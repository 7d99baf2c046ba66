/*
 * Clients that are slow, that leave, that are too many; a server that is asked to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <sys/resource.h>

#include "base/log.h"
#include "served.h"

#define HOST "Host: a.example\r\n"
#define CLOSE "Connection: close\r\n"
#define MS 1000

/* A byte now and then does not push the deadline on: it counts from the first one. */
static void a_trickled_request_is_408(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "GET /trickle HTTP/1.1\r\n" HOST "X: ",
        "POST /trickle HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n",
        "POST /trickle HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
    };
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct served served;
        struct buf heard = {0};
        serve(&served, (struct http_server_options){.request_us = 150 * MS});
        int fd = dial(&served);
        int64_t begun = clock_monotonic(), next = begun;
        say(&served, fd, starts[i]);
        while (served.refused == 0) {
            if (clock_monotonic() >= next) {
                say(&served, fd, "a");
                next += 5 * MS;
            }
            loop_turn(served.loop, 5);
            assert_true(clock_monotonic() - begun < PATIENCE);
        }
        assert_true(clock_monotonic() - begun >= 150 * MS);
        hear_out(&served, fd, &heard);
        assert_ptr_equal(strstr(heard.data, "HTTP/1.1 408 Request Timeout\r\n"), heard.data);
        assert_string_equal(served.refused_rule, "request-deadline");
        assert_int_equal(served.handled, 0);
        buf_free(&heard);
        close(fd);
        serve_end(&served);
    }
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){.idle_us = 50 * MS});
    int fresh = dial(&served), kept = dial(&served);
    say(&served, kept, "GET /1 HTTP/1.1\r\n" HOST "\r\n");
    hear(&served, kept, &heard, "GET /1?");
    buf_reset(&heard);
    hear_out(&served, kept, &heard);
    hear_out(&served, fresh, &heard);
    assert_int_equal(heard.len, 0);
    assert_int_equal(served.refused, 0);
    buf_free(&heard);
    close(fresh);
    close(kept);
    serve_end(&served);
}

static void an_answer_nobody_takes_is_given_up(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){.write_us = 100 * MS});
    int fd = dial(&served);
    say(&served, fd, "GET /big?30000000 HTTP/1.1\r\n" HOST "\r\n");
    turn_until(&served, served.handled == 1);
    assert_int_equal(http_server_connections(served.server), 1);
    turn_until(&served, http_server_connections(served.server) == 0);
    close(fd);
    serve_end(&served);
}

/* A request that waits has its handler's deadline, none of ours. */
static void a_waiting_request_is_left_in_peace(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){
                       .request_us = 20 * MS, .idle_us = 20 * MS, .write_us = 20 * MS});
    int fd = dial(&served);
    say(&served, fd, "GET /poll HTTP/1.1\r\n" HOST "\r\n");
    turn_until(&served, served.waiting_count == 1);
    int64_t end = clock_monotonic() + 100 * MS;
    while (clock_monotonic() < end) {
        loop_turn(served.loop, 5);
    }
    http_respond(served.waiting[0], 200, NULL, "news", 4);
    hear(&served, fd, &heard, "news");
    assert_int_equal(served.gone, 0);
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(fd);
}

static void a_client_that_leaves_is_noticed(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct served served;
        serve(&served, (struct http_server_options){0});
        int fd = dial(&served);
        say(&served, fd, "GET /poll HTTP/1.1\r\n" HOST "\r\n");
        turn_until(&served, served.waiting_count == 1);
        if (way == 0) {
            close(fd);
        } else if (way == 1) {
            reset(fd);
        } else { /* with a further request behind it, unread */
            say(&served, fd, "GET /next HTTP/1.1\r\n" HOST "\r\n");
            close(fd);
        }
        turn_until(&served, served.gone == 1);
        turn_until(&served, http_server_connections(served.server) == 0);
        assert_int_equal(served.released, 1);
        assert_int_equal(served.handled, 1);
        serve_end(&served);
        assert_int_equal(served.gone, 1);
        assert_int_equal(served.released, 1);
    }
}

/* A handler that did not ask keeps its request until it answers, whatever became of its client. */
static void a_request_outlives_its_client_until_answered(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served);
    say(&served, fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    turn_until(&served, served.waiting_count == 1);
    reset(fd);
    for (int i = 0; i < 5; i++) {
        loop_turn(served.loop, 5);
    }
    assert_int_equal(served.released, 0);
    assert_int_equal(http_server_connections(served.server), 1);
    assert_string_equal(http_path(served.waiting[0]), "/later");
    http_respond(served.waiting[0], 200, NULL, "late", 4);
    assert_int_equal(served.released, 1);
    turn_until(&served, http_server_connections(served.server) == 0);
    serve_end(&served);
}

static void asking_after_the_client_left_is_told_from_the_loop(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct served served;
        serve(&served, (struct http_server_options){0});
        int fd = dial(&served);
        say(&served, fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        turn_until(&served, served.waiting_count == 1);
        if (way == 0) {
            close(fd);
        } else {
            reset(fd);
        }
        for (int i = 0; i < 5; i++) {
            loop_turn(served.loop, 5);
        }
        http_on_gone(served.waiting[0], on_gone, &served);
        assert_int_equal(served.gone, 0);
        turn_until(&served, served.gone == 1);
        turn_until(&served, http_server_connections(served.server) == 0);
        assert_int_equal(served.released, 1);
        serve_end(&served);
    }
}

/* printf ... | nc: the answers to all that was sent, then the end. */
static void a_half_closed_client_is_answered(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served);
    say(&served, fd,
        "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /later HTTP/1.1\r\n" HOST "\r\nGET /3 HTTP/1.1\r\n" HOST
        "\r\nGET /cut");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    turn_until(&served, served.waiting_count == 1);
    for (int i = 0; i < 5; i++) {
        loop_turn(served.loop, 5);
    }
    http_respond(served.waiting[0], 200, NULL, "second", 6);
    hear_out(&served, fd, &heard);
    assert_non_null(strstr(heard.data, "GET /1?"));
    assert_non_null(strstr(heard.data, "second"));
    assert_non_null(strstr(heard.data, "GET /3?"));
    assert_int_equal(occurrences(heard.data, "HTTP/1.1 "), 3);
    turn_until(&served, http_server_connections(served.server) == 0);
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

static void a_part_of_a_request_then_the_end_is_no_request(void **state)
{
    (void)state;
    static const char *const parts[] = {"", "GET /",
                                        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabc"};
    struct served served;
    serve(&served, (struct http_server_options){0});
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct buf heard = {0};
        int fd = dial(&served);
        say(&served, fd, parts[i]);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        hear_out(&served, fd, &heard);
        assert_int_equal(heard.len, 0);
        buf_free(&heard);
        close(fd);
    }
    assert_int_equal(served.handled, 0);
    serve_end(&served);
}

/* What a client sends ahead while it waits is held up to a bound, then left in the kernel. */
static void unread_input_is_bounded(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0}, request = {0};
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    buf_puts(&request, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    say_bytes(&served, fd, request.data, request.len);
    turn_until(&served, served.waiting_count == 1);
    buf_reset(&request);
    buf_puts(&request, "GET /n HTTP/1.1\r\n" HOST "\r\n");
    size_t sent = 0, part = 0;
    for (int idle = 0; idle < 20; idle++) { /* until nothing moves any more */
        ssize_t n;
        while ((n = send(fd, request.data + part, request.len - part, MSG_NOSIGNAL)) > 0) {
            part += (size_t)n;
            sent += part == request.len;
            part = part == request.len ? 0 : part;
            idle = 0;
        }
        loop_turn(served.loop, 1);
        assert_true(sent < 1000000);
    }
    assert_int_equal(served.handled, 1);
    http_respond(served.waiting[0], 200, NULL, NULL, 0);
    turn_until(&served, (hear_some(fd, &heard), (size_t)served.handled >= sent));
    buf_free(&heard);
    buf_free(&request);
    close(fd);
    serve_end(&served);
}

static void too_many_connections_are_told(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){.max_connections = 2});
    int first = dial(&served), second = dial(&served);
    turn_until(&served, http_server_connections(served.server) == 2);
    int third = dial(&served);
    hear_out(&served, third, &heard);
    assert_ptr_equal(strstr(heard.data, "HTTP/1.1 503 Service Unavailable\r\n"), heard.data);
    assert_non_null(strstr(heard.data, "\r\nRetry-After: 1\r\n"));
    assert_string_equal(served.refused_rule, "too-many-connections");
    close(first);
    turn_until(&served, http_server_connections(served.server) == 1);
    buf_reset(&heard);
    int fourth = dial(&served);
    say(&served, fourth, "GET /x HTTP/1.1\r\n" HOST "\r\n");
    hear(&served, fourth, &heard, "GET /x?");
    buf_free(&heard);
    close(second);
    close(third);
    close(fourth);
    serve_end(&served);
}

static size_t two_of_loopback(const struct address *peer, void *arg)
{
    char text[ADDRESS_TEXT];
    (void)arg;
    address_format(peer, text);
    return strcmp(text, "127.0.0.1") == 0 ? 2 : 3;
}

/* One address has its share: a few more of it are told so, and those beyond are just closed. */
static void too_many_of_an_address(void **state)
{
    (void)state;
    enum { MOST = 2, MANY = MOST + LIMIT_HTTP_ADDRESS_OVERFLOW + 5 };
    struct served served;
    struct buf heard = {0};
    int fds[MANY];
    serve(&served, (struct http_server_options){.most_of = two_of_loopback});
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(&served);
    }
    turn_until(&served, served.refused == MANY - MOST);
    assert_string_equal(served.refused_rule, "too-many-of-address");
    assert_int_equal(http_server_connections(served.server), MOST);
    hear(&served, fds[MOST], &heard, "HTTP/1.1 503 Service Unavailable\r\n");
    buf_reset(&heard);
    hear_out(&served, fds[MANY - 1], &heard);
    assert_int_equal(heard.len, 0);
    for (int i = 0; i < MOST; i++) {
        buf_reset(&heard);
        say(&served, fds[i], "GET /x HTTP/1.1\r\n" HOST "\r\n");
        hear(&served, fds[i], &heard, "GET /x?");
    }
    for (int i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    turn_until(&served, http_server_connections(served.server) == 0);
    buf_reset(&heard);
    int again = dial(&served);
    say(&served, again, "GET /x HTTP/1.1\r\n" HOST "\r\n");
    hear(&served, again, &heard, "GET /x?");
    buf_free(&heard);
    close(again);
    serve_end(&served);
}

/* Far beyond the limit clients wait in the backlog, and come in when others go. */
static void far_too_many_connections_wait(void **state)
{
    (void)state;
    enum { MANY = LIMIT_HTTP_OVERFLOW + 40 };
    static int fds[MANY];
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){.max_connections = 1});
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(&served);
    }
    turn_until(&served, served.refused == LIMIT_HTTP_OVERFLOW);
    for (int i = 0; i < 10; i++) {
        loop_turn(served.loop, 1);
    }
    assert_int_equal(served.refused, LIMIT_HTTP_OVERFLOW);
    for (int i = 0; i < MANY - 1; i++) {
        close(fds[i]);
    }
    say(&served, fds[MANY - 1], "GET /x HTTP/1.1\r\n" HOST CLOSE "\r\n");
    hear_out(&served, fds[MANY - 1], &heard);
    assert_non_null(strstr(heard.data, "HTTP/1.1 "));
    buf_free(&heard);
    close(fds[MANY - 1]);
    serve_end(&served);
}

static void no_log(const char *line, size_t len)
{
    (void)line;
    (void)len;
}

static void without_descriptors_clients_wait(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    struct rlimit before, none;
    serve(&served, (struct http_server_options){0});
    int fd = dial(&served);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    log_set_sink(no_log);
    int64_t begun = clock_monotonic();
    for (int i = 0; i < 3; i++) { /* each turn would spin if the listener were still watched */
        loop_turn(served.loop, 20);
    }
    assert_true(clock_monotonic() - begun >= 30 * MS);
    assert_int_equal(http_server_connections(served.server), 0);
    log_set_sink(NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    say(&served, fd, "GET /x HTTP/1.1\r\n" HOST "\r\n");
    hear(&served, fd, &heard, "GET /x?");
    buf_free(&heard);
    close(fd);
    serve_end(&served);
}

static void draining_finishes_what_is_under_way(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){0});
    int idle = dial(&served), partial = dial(&served), waiting = dial(&served);
    int kept = dial(&served); /* has been answered, and sends its next request too late */
    say(&served, partial, "POST /partial HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n");
    say(&served, waiting, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    turn_until(&served, served.waiting_count == 1);
    say(&served, kept, "GET /first HTTP/1.1\r\n" HOST "\r\n");
    hear(&served, kept, &heard, "GET /first?");
    assert_null(strstr(heard.data, CLOSE));
    buf_reset(&heard);
    turn_until(&served, http_server_connections(served.server) == 4);
    int queued = dial(&served); /* not yet accepted, and has sent its request */
    say(&served, queued, "GET /queued HTTP/1.1\r\n" HOST "\r\n");

    http_server_drain(served.server);
    http_server_drain(served.server);
    say(&served, kept, "GET /second HTTP/1.1\r\n" HOST "\r\n");
    hear_out(&served, kept, &heard);
    assert_non_null(strstr(heard.data, "GET /second?"));
    assert_non_null(strstr(heard.data, CLOSE));
    buf_reset(&heard);
    hear_out(&served, idle, &heard);
    assert_int_equal(heard.len, 0);
    hear_out(&served, queued, &heard);
    assert_non_null(strstr(heard.data, "GET /queued?"));
    assert_non_null(strstr(heard.data, CLOSE));
    buf_reset(&heard);
    say(&served, partial, "hi");
    hear_out(&served, partial, &heard);
    assert_non_null(strstr(heard.data, "body=2:hi"));
    assert_non_null(strstr(heard.data, CLOSE));
    assert_int_equal(http_server_connections(served.server), 1);
    buf_reset(&heard);
    http_respond(served.waiting[0], 200, NULL, "late", 4);
    hear_out(&served, waiting, &heard);
    assert_non_null(strstr(heard.data, "late"));
    assert_non_null(strstr(heard.data, CLOSE));
    turn_until(&served, http_server_connections(served.server) == 0);

    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(served.server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const union {
        struct sockaddr_in *in;
        struct sockaddr *any;
    } address = {&to};
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late, address.any, sizeof(to)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    buf_free(&heard);
    close(idle);
    close(kept);
    close(partial);
    close(waiting);
    close(queued);
    close(late);
    serve_end(&served);
}

static void drain_on_request(struct http_request *request, void *arg)
{
    struct served *served = arg;
    served->handled++;
    if (strcmp(http_path(request), "/drain") == 0) {
        http_server_drain(served->server);
    }
    echo(request);
}

/* A handler that drains must not have its own input pulled from under it. */
static void draining_from_within_a_handler(void **state)
{
    (void)state;
    struct served served;
    struct buf heard = {0};
    serve(&served, (struct http_server_options){.handler = drain_on_request});
    int idle = dial(&served), active = dial(&served);
    turn_until(&served, http_server_connections(served.server) == 2);
    say(&served, idle, "GET /late HTTP/1.1\r\n" HOST "\r\n");
    say(&served, active,
        "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /drain HTTP/1.1\r\n" HOST "\r\nGET /3 HTTP/1.1\r\n" HOST
        "\r\n");
    hear_out(&served, active, &heard);
    assert_non_null(strstr(heard.data, "GET /1?"));
    assert_non_null(strstr(heard.data, "GET /drain?"));
    buf_reset(&heard);
    hear_out(&served, idle, &heard);
    assert_non_null(strstr(heard.data, "GET /late?"));
    turn_until(&served, http_server_connections(served.server) == 0);
    buf_free(&heard);
    close(idle);
    close(active);
    serve_end(&served);
}

/* Ends with requests in every state: each is told once, and nothing leaks. */
static void freeing_cuts_what_is_left(void **state)
{
    (void)state;
    struct served served;
    serve(&served, (struct http_server_options){0});
    int fds[5];
    static const char *const texts[] = {"GET /poll HTTP/1.1\r\n" HOST
                                        "\r\nGET /behind HTTP/1.1\r\n",
                                        "GET /later HTTP/1.1\r\n" HOST "\r\n",
                                        "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
                                        "GET /big?9000000 HTTP/1.1\r\n" HOST "\r\n", "BAD"};
    for (size_t i = 0; i < 5; i++) {
        fds[i] = dial(&served);
        say(&served, fds[i], texts[i]);
    }
    turn_until(&served, served.handled == 3 && http_server_connections(served.server) == 5);
    serve_end(&served);
    assert_int_equal(served.gone, 1);
    assert_int_equal(served.released, 2);
    for (size_t i = 0; i < 5; i++) {
        close(fds[i]);
    }
}

/* After a body of 200 kB and an answer as long, a kept connection costs little. */
static void an_idle_connection_is_cheap(void **state)
{
    (void)state;
    enum { MANY = 100 };
    static int fds[MANY];
    struct served served;
    struct buf request = {0}, heard = {0};
    serve(&served, (struct http_server_options){0});
    buf_puts(&request, "POST /x HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n");
    for (int i = 0; i < 20000; i++) {
        buf_puts(&request, "0123456789");
    }
    buf_reserve(&heard, 300000);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < MANY; i++) {
        buf_reset(&heard);
        fds[i] = dial(&served);
        say_bytes(&served, fds[i], request.data, request.len);
        turn_until(&served, (hear_some(fds[i], &heard), heard.len > 200000));
    }
    size_t each = (mallinfo2().uordblks - before) / MANY;
    if (each > 2048) {
        fail_msg("an idle connection holds %zu bytes", each);
    }
    for (int i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    buf_free(&request);
    buf_free(&heard);
    serve_end(&served);
}

/* Descriptors that are not there are not promised: one client more than there is room for is told
 * so at once, and does not wait unanswered. */
static void few_descriptors_mean_few_clients(void **state)
{
    (void)state;
    enum { DESCRIPTORS = 64, ROOM = DESCRIPTORS / 2 };
    static const size_t asked[] = {0, 1000};
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct served served;
        struct buf heard = {0};
        struct rlimit before, few;
        int fds[ROOM + 1];
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        few = before;
        few.rlim_cur = DESCRIPTORS;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        log_set_sink(no_log);
        serve(&served, (struct http_server_options){.max_connections = asked[i]});
        log_set_sink(NULL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        for (int at = 0; at < ROOM; at++) {
            fds[at] = dial(&served);
        }
        turn_until(&served, http_server_connections(served.server) == ROOM);
        fds[ROOM] = dial(&served);
        hear(&served, fds[ROOM], &heard, "HTTP/1.1 503 ");
        for (int at = 0; at <= ROOM; at++) {
            close(fds[at]);
        }
        buf_free(&heard);
        serve_end(&served);
    }
}

/* Resident memory as the kernel counts it. */
static size_t resident(void)
{
    unsigned long size, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Many bodies at once, and something above them that stays: what they took goes back to the system.
 * A sanitizer's allocator keeps what was freed on purpose. */
static void a_burst_leaves_no_memory_behind(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    skip();
#endif
#endif
    enum { MANY = 300, BODY = 60000 };
    static int fds[MANY];
    struct served served;
    struct buf request = {0};
    serve(&served, (struct http_server_options){0});
    buf_printf(&request, "POST /x HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", BODY);
    size_t head = request.len;
    while (request.len < head + BODY) {
        buf_putc(&request, 'x');
    }
    malloc_trim(0); /* what the tests before left */
    size_t before = resident();
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(&served);
        say_bytes(&served, fds[i], request.data, request.len - 1);
    }
    turn_until(&served, resident() > before + (size_t)MANY * BODY);
    char *stays = xmalloc(100);
    for (int i = 0; i < MANY; i++) {
        say_bytes(&served, fds[i], "x", 1);
        close(fds[i]);
    }
    turn_until(&served, resident() < before + (size_t)MANY * BODY / 10);
    free(stays);
    buf_free(&request);
    serve_end(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trickled_request_is_408),
        cmocka_unit_test(an_idle_connection_is_closed_without_a_word),
        cmocka_unit_test(an_answer_nobody_takes_is_given_up),
        cmocka_unit_test(a_waiting_request_is_left_in_peace),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(a_request_outlives_its_client_until_answered),
        cmocka_unit_test(asking_after_the_client_left_is_told_from_the_loop),
        cmocka_unit_test(a_half_closed_client_is_answered),
        cmocka_unit_test(a_part_of_a_request_then_the_end_is_no_request),
        cmocka_unit_test(unread_input_is_bounded),
        cmocka_unit_test(too_many_connections_are_told),
        cmocka_unit_test(too_many_of_an_address),
        cmocka_unit_test(far_too_many_connections_wait),
        cmocka_unit_test(without_descriptors_clients_wait),
        cmocka_unit_test(draining_finishes_what_is_under_way),
        cmocka_unit_test(draining_from_within_a_handler),
        cmocka_unit_test(freeing_cuts_what_is_left),
        cmocka_unit_test(an_idle_connection_is_cheap),
        cmocka_unit_test(few_descriptors_mean_few_clients),
        cmocka_unit_test(a_burst_leaves_no_memory_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
