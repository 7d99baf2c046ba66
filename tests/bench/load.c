/*
 * The load: one thread, many kept connections, each with one request under way (closed loop). Every
 * request is another one: another user's token, another order, signed when it is sent.
 *
 *     load get     PORT CONNECTIONS SECONDS PATH
 *     load check   PORT CONNECTIONS SECONDS TOKENS-FILE          a token a line
 *     load deliver PORT CONNECTIONS SECONDS SOURCE SECRET-FILE BODY-FILE FIRST
 *
 * In BODY-FILE each run of ten '@' becomes the request's number, beginning with FIRST. Prints one
 * line of JSON: requests, errors (anything but 2xx, 304), seconds, and the percentiles of the time
 * from the first byte sent to the last received, in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"

#define MARK "@@@@@@@@@@"
#define MARK_LEN 10
#define ANSWER_ROOM (64 << 10)
#define LATENCIES_MOST (16 << 20)

struct connection {
    int fd;
    struct buf out;
    size_t sent;
    char answer[ANSWER_ROOM];
    size_t answered;
    int64_t began;
};

/* What is asked; `make` appends the next request. */
struct load {
    void (*make)(struct load *load, struct buf *out);
    const char *path;
    struct buf text; /* the tokens file, or the body */
    char **tokens;
    size_t token_count;
    struct buf secret;
    struct buf body;
    uint64_t number;
    int port;
    int64_t until;
    uint32_t *latencies;
    size_t requests, errors;
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void read_file(const char *path, struct buf *out)
{
    char bytes[4096];
    FILE *file = fopen(path, "rb");
    size_t len;

    if (file == NULL)
        fail(path);
    while ((len = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_append(out, bytes, len);
    fclose(file);
}

static void make_get(struct load *load, struct buf *out)
{
    buf_printf(out, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", load->path, load->port);
}

static void make_check(struct load *load, struct buf *out)
{
    const char *token = load->tokens[load->number++ % load->token_count];

    buf_printf(out,
               "GET /v1/entitlements HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
               "Origin: https://plugin.example.com\r\nAuthorization: Bearer %s\r\n\r\n",
               load->port, token);
}

/* Another order each time: the marks in the body become its number, and the whole is signed anew.
 */
static void make_deliver(struct load *load, struct buf *out)
{
    unsigned char mac[DIGEST_LEN];
    char number[MARK_LEN + 1];
    struct buf signature = {0};

    buf_reset(&load->body);
    buf_append(&load->body, load->text.data, load->text.len);
    snprintf(number, sizeof(number), "%010llu",
             (unsigned long long)(load->number++ % 10000000000ULL));
    number[0] = '1';
    for (char *at = load->body.data; (at = strstr(at, MARK)) != NULL; at += MARK_LEN)
        memcpy(at, number, MARK_LEN);
    digest_hmac_sha256(load->secret.data, load->secret.len,
                       &(struct span){load->body.data, load->body.len}, 1, mac);
    digest_base64(mac, sizeof(mac), &signature);
    buf_printf(out,
               "POST /webhooks/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
               "Content-Type: application/json\r\nX-WC-Webhook-Topic: order.updated\r\n"
               "X-WC-Webhook-Signature: %s\r\nContent-Length: %zu\r\n\r\n",
               load->path, load->port, signature.data, load->body.len);
    buf_append(out, load->body.data, load->body.len);
    buf_free(&signature);
}

static void connection_open(struct connection *connection, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0)
        fail("fcntl");
}

/* Sends what the socket takes. */
static void connection_write(struct connection *connection)
{
    while (connection->sent < connection->out.len) {
        ssize_t sent = write(connection->fd, connection->out.data + connection->sent,
                             connection->out.len - connection->sent);

        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0)
            fail("write");
        connection->sent += (size_t)sent;
    }
}

static void connection_begin(struct load *load, struct connection *connection)
{
    buf_reset(&connection->out);
    connection->sent = connection->answered = 0;
    load->make(load, &connection->out);
    connection->began = clock_monotonic();
    connection_write(connection);
}

/* The length of the whole answer, or 0 while its head is not there. */
static size_t answer_length(const struct connection *connection, int *status)
{
    const char *end = memmem(connection->answer, connection->answered, "\r\n\r\n", 4);
    const char *length;

    if (end == NULL)
        return 0;
    *status = (connection->answer[9] - '0') * 100 + (connection->answer[10] - '0') * 10 +
              (connection->answer[11] - '0');
    length = strcasestr(connection->answer, "\r\nContent-Length:");
    if (length == NULL || length > end)
        return (size_t)(end - connection->answer) + 4;
    return (size_t)(end - connection->answer) + 4 + strtoul(length + 17, NULL, 10);
}

/* Reads; true when the whole answer is there. */
static bool connection_read(struct load *load, struct connection *connection)
{
    int status = 0;
    size_t whole;
    ssize_t got = read(connection->fd, connection->answer + connection->answered,
                       ANSWER_ROOM - 1 - connection->answered);

    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0)
        fail("the server closed a connection");
    connection->answered += (size_t)got;
    connection->answer[connection->answered] = '\0';
    whole = answer_length(connection, &status);
    if (whole == 0 || connection->answered < whole)
        return false;
    if ((status < 200 || status > 299) && status != 304)
        load->errors++;
    if (load->requests < LATENCIES_MOST)
        load->latencies[load->requests] = (uint32_t)(clock_monotonic() - connection->began);
    load->requests++;
    return true;
}

static void run(struct load *load, struct connection *connections, int count)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), open = count;
    struct epoll_event events[256];

    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};

        connection_open(&connections[i], load->port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) != 0)
            fail("epoll");
        connection_begin(load, &connections[i]);
    }
    while (open > 0) {
        int ready = epoll_wait(epoll, events, 256, 15000);

        if (ready <= 0)
            fail("no answer within 15 s");
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;

            connection_write(connection);
            if (!connection_read(load, connection))
                continue;
            if (clock_monotonic() < load->until) {
                connection_begin(load, connection);
            } else {
                close(connection->fd);
                open--;
            }
        }
    }
    close(epoll);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void report(struct load *load, double seconds)
{
    size_t kept = load->requests < LATENCIES_MOST ? load->requests : LATENCIES_MOST;

    qsort(load->latencies, kept, sizeof(*load->latencies), compare);
    printf("{\"requests\": %zu, \"errors\": %zu, \"seconds\": %.3f, \"p50\": %u, \"p99\": %u,"
           " \"p999\": %u}\n",
           load->requests, load->errors, seconds, kept ? load->latencies[kept / 2] : 0,
           kept ? load->latencies[kept * 99 / 100] : 0,
           kept ? load->latencies[kept * 999 / 1000] : 0);
}

static void take_tokens(struct load *load, const char *path)
{
    read_file(path, &load->text);
    for (char *line = strtok(load->text.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        load->tokens = xreallocarray(load->tokens, load->token_count + 1, sizeof(*load->tokens));
        load->tokens[load->token_count++] = line;
    }
    if (load->token_count == 0)
        fail("no tokens");
    load->make = make_check;
}

static void take_delivery(struct load *load, char **arguments)
{
    load->path = arguments[0];
    read_file(arguments[1], &load->secret);
    while (load->secret.len > 0 && load->secret.data[load->secret.len - 1] == '\n')
        load->secret.data[--load->secret.len] = '\0';
    read_file(arguments[2], &load->text);
    load->number = strtoull(arguments[3], NULL, 10);
    load->make = make_deliver;
}

int main(int argc, char **argv)
{
    struct load load = {0};
    struct connection *connections;
    int count = argc > 3 ? atoi(argv[3]) : 0, seconds = argc > 4 ? atoi(argv[4]) : 0;
    int64_t began;

    if (argc > 5 && strcmp(argv[1], "get") == 0) {
        load.path = argv[5];
        load.make = make_get;
    } else if (argc > 5 && strcmp(argv[1], "check") == 0) {
        take_tokens(&load, argv[5]);
    } else if (argc > 8 && strcmp(argv[1], "deliver") == 0) {
        take_delivery(&load, argv + 5);
    }
    if (load.make == NULL || count < 1 || count > 4096 || seconds < 1) {
        fprintf(stderr, "usage: load get|check|deliver PORT CONNECTIONS SECONDS ...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    load.port = atoi(argv[2]);
    load.latencies = xcalloc(LATENCIES_MOST, sizeof(*load.latencies));
    connections = xcalloc((size_t)count, sizeof(*connections));
    began = clock_monotonic();
    load.until = began + seconds * TIME_SECOND;
    run(&load, connections, count);
    report(&load, (double)(clock_monotonic() - began) / 1e6);
    return load.errors == 0 ? 0 : 1;
}
