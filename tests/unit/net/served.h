/*
 * A server on loopback and raw clients to it, in one loop: a test says bytes, then turns the loop
 * until it hears what it expects, or fails after ten seconds.
 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/http_server.h"
#include "net/loop.h"

#define PATIENCE (10 * TIME_SECOND)
#define WAITING_MAX 64

struct served {
    struct loop *loop;
    struct http_server *server;
    struct http_request *waiting[WAITING_MAX]; /* of /later and /poll, in order */
    size_t waiting_count;
    int handled, gone, released, refused;
    int refused_status;
    const char *refused_rule;
};

static inline void on_gone(void *arg)
{
    struct served *served = arg;
    served->gone++;
}

static inline void on_release(void *arg)
{
    struct served *served = arg;
    served->released++;
}

static inline void on_refused(int status, const char *rule, const struct address *peer, void *arg)
{
    struct served *served = arg;
    char text[ADDRESS_TEXT];
    address_format(peer, text);
    assert_string_equal(text, "127.0.0.1");
    served->refused++;
    served->refused_status = status;
    served->refused_rule = rule;
}

/* Says back what the server made of the request. */
static inline void echo(struct http_request *request)
{
    size_t len, count;
    struct buf out = {0};
    const char *body = http_body(request, &len);
    http_headers(request, &count);
    buf_printf(&out, "%s %s?%s headers=%zu body=%zu:", http_method(request), http_path(request),
               http_query(request), count, len);
    buf_append(&out, body, len);
    http_respond(request, 200, "Content-Type: text/plain\r\n", out.data, out.len);
    buf_free(&out);
}

static inline void on_request(struct http_request *request, void *arg)
{
    struct served *served = arg;
    const char *path = http_path(request);
    served->handled++;
    if (strcmp(path, "/later") == 0 || strcmp(path, "/poll") == 0) {
        assert_true(served->waiting_count < WAITING_MAX);
        served->waiting[served->waiting_count++] = request;
        http_set_state(request, served, on_release);
        if (strcmp(path, "/poll") == 0) {
            http_on_gone(request, on_gone, served);
        }
    } else if (strcmp(path, "/big") == 0) {
        size_t len = (size_t)atol(http_query(request));
        char *bytes = xcalloc(len, 1);
        http_respond(request, 200, NULL, bytes, len);
        free(bytes);
    } else if (strcmp(path, "/none") == 0) {
        http_respond(request, 204, NULL, NULL, 0);
    } else if (strcmp(path, "/problem") == 0) {
        http_respond_problem(request, 404, "not_found", "Cache-Control: no-store\r\n",
                             "a \"quoted\" reason");
    } else {
        echo(request);
    }
}

static inline void serve(struct served *served, struct http_server_options options)
{
    struct buf error = {0};
    *served = (struct served){.loop = loop_new()};
    options.listen = options.listen != NULL ? options.listen : "127.0.0.1:0";
    options.handler = options.handler != NULL ? options.handler : on_request;
    options.refused = on_refused;
    options.arg = served;
    served->server = http_server_new(served->loop, &options, &error);
    if (served->server == NULL) {
        fail_msg("%s", error.data);
    }
    buf_free(&error);
}

static inline void serve_end(struct served *served)
{
    http_server_free(served->server);
    loop_free(served->loop);
}

static inline int dial(struct served *served)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(served->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    const union {
        struct sockaddr_in *in;
        struct sockaddr *any;
    } address = {&to};
    assert_int_equal(connect(fd, address.any, sizeof(to)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Sends all of it, turning the loop whenever the kernel will take no more. */
static inline void say_bytes(struct served *served, int fd, const char *bytes, size_t len)
{
    int64_t end = clock_monotonic() + PATIENCE;
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_true(clock_monotonic() < end);
            loop_turn(served->loop, 1);
            continue;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static inline void say(struct served *served, int fd, const char *text)
{
    say_bytes(served, fd, text, strlen(text));
}

/* Reads what is there; 0 at the end, 1 otherwise; a reset fails the test. */
static inline int hear_some(int fd, struct buf *heard)
{
    char piece[65536];
    ssize_t n = recv(fd, piece, sizeof(piece), 0);
    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        return 1;
    }
    buf_append(heard, piece, (size_t)n);
    return n > 0;
}

static inline void hear(struct served *served, int fd, struct buf *heard, const char *text)
{
    int64_t end = clock_monotonic() + PATIENCE;
    while (heard->len == 0 || strstr(heard->data, text) == NULL) {
        if (clock_monotonic() > end) {
            fail_msg("waited for \"%s\", heard \"%s\"", text, heard->len > 0 ? heard->data : "");
        }
        loop_turn(served->loop, 1);
        if (hear_some(fd, heard) == 0 && (heard->len == 0 || strstr(heard->data, text) == NULL)) {
            fail_msg("closed before \"%s\", heard \"%s\"", text, heard->len > 0 ? heard->data : "");
        }
    }
}

/* Until the server closes: all that it said. */
static inline void hear_out(struct served *served, int fd, struct buf *heard)
{
    int64_t end = clock_monotonic() + PATIENCE;
    while (hear_some(fd, heard) != 0) {
        assert_true(clock_monotonic() < end);
        loop_turn(served->loop, 1);
    }
    buf_append(heard, "", 0);
}

#define turn_until(served, condition)                    \
    do {                                                 \
        int64_t turn_end = clock_monotonic() + PATIENCE; \
        while (!(condition)) {                           \
            assert_true(clock_monotonic() < turn_end);   \
            loop_turn((served)->loop, 1);                \
        }                                                \
    } while (0)

/* Says one thing on a new connection and gives back all that is answered until the server closes.
 */
static inline char *exchange(struct served *served, const char *bytes, size_t len)
{
    struct buf heard = {0};
    int fd = dial(served);
    say_bytes(served, fd, bytes, len);
    hear_out(served, fd, &heard);
    close(fd);
    return buf_take(&heard);
}

static inline size_t occurrences(const char *text, const char *of)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, of)) != NULL; at++) {
        count++;
    }
    return count;
}

#endif
