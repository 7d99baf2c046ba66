/*
 * The load: one thread, many kept connections. Every request is another one: another user's token,
 * another order, signed when it is sent.
 *
 *     load [OPTION...] get     PORT CONNECTIONS SECONDS PATH
 *     load [OPTION...] check   PORT CONNECTIONS SECONDS TOKENS-FILE
 *     load [OPTION...] deliver PORT CONNECTIONS SECONDS SOURCE SECRET-FILE BODY-FILE FIRST
 *     --rate N                 an open loop of so many a second
 *     --requests N             ends after so many
 *
 * Without --rate the loop is closed: each connection asks again when it was answered, and a latency
 * counts from the first byte sent. With it the loop is open: requests are due at fixed times, N a
 * second, whether or not the server keeps up; one that finds no connection free waits for one, and
 * its latency counts from when it was due. TOKENS-FILE has a token a line; in BODY-FILE each run
 * of ten '@' becomes the order's number, beginning with FIRST. Prints one line of JSON: requests,
 * errors (anything but 2xx, 304), seconds, the load's own seconds of processor time, and the
 * percentiles of the latencies in microseconds.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load_connection.h"
#include "load_request.h"

#define LATENCIES_MOST (16 << 20)
#define CONNECTIONS_MOST 20000
#define EVENTS 256
#define PATIENCE_MS 15000

struct load {
    struct requests *requests;
    struct connection *connections, **idle; /* idle: a stack, in the open loop */
    int count, idle_count, open, port, epoll, timer;
    int64_t began, until;
    double rate; /* a second; 0: closed */
    uint64_t begun, most;
    uint32_t *latencies;
    size_t answered, errors;
};

static void load_begin(struct load *load, struct connection *connection, int64_t began)
{
    connection_reset(connection);
    requests_next(load->requests, &connection->out);
    connection->began = began;
    load->begun++;
    connection_send(connection);
}

static void load_close(struct load *load, struct connection *connection)
{
    connection_close(connection);
    load->open--;
}

/* When the next request of the open loop is due. */
static int64_t load_due(const struct load *load)
{
    return load->began + (int64_t)((double)load->begun * 1e6 / load->rate);
}

static bool load_is_over(const struct load *load, int64_t next)
{
    return next >= load->until || load->begun >= load->most;
}

/* The open loop: sends what is due by now as far as there are connections, and sets the clock for
 * what comes next. */
static void load_send_due(struct load *load)
{
    int64_t due;

    while (load->idle_count > 0 && !load_is_over(load, due = load_due(load))) {
        if (due > clock_monotonic()) {
            struct itimerspec next = {
                .it_value = {.tv_sec = due / TIME_SECOND, .tv_nsec = due % TIME_SECOND * 1000}};

            if (timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &next, NULL) != 0)
                die("load: timerfd: %s", strerror(errno));
            return;
        }
        load_begin(load, load->idle[--load->idle_count], due);
    }
    while (load->idle_count > 0 && load_is_over(load, load_due(load)))
        load_close(load, load->idle[--load->idle_count]);
}

static void load_answer(struct load *load, struct connection *connection)
{
    int64_t now = clock_monotonic();

    if ((connection->status < 200 || connection->status > 299) && connection->status != 304)
        load->errors++;
    if (load->answered < LATENCIES_MOST)
        load->latencies[load->answered] = (uint32_t)(now - connection->began);
    load->answered++;
    if (load->rate > 0)
        load->idle[load->idle_count++] = connection;
    else if (load_is_over(load, now))
        load_close(load, connection);
    else
        load_begin(load, connection, now);
}

/* All connections are there before the first request is. */
static void load_open(struct load *load)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->timer, &event) != 0)
        die("load: epoll: %s", strerror(errno));
    for (load->open = 0; load->open < load->count; load->open++) {
        event.data.ptr = &load->connections[load->open];
        connection_open(event.data.ptr, load->port);
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->connections[load->open].fd, &event) != 0)
            die("load: epoll: %s", strerror(errno));
    }
}

static void load_turn(struct load *load)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(load->epoll, events, EVENTS, PATIENCE_MS);
    uint64_t ticks;

    if (ready <= 0)
        die("load: no answer within %d s", PATIENCE_MS / 1000);
    for (int i = 0; i < ready; i++) {
        struct connection *connection = events[i].data.ptr;

        if (connection == NULL) {
            if (read(load->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
                die("load: timerfd: %s", strerror(errno));
            continue;
        }
        connection_send(connection);
        if (connection_receive(connection))
            load_answer(load, connection);
    }
    if (load->rate > 0)
        load_send_due(load);
}

static void load_run(struct load *load, double seconds)
{
    load_open(load);
    load->began = clock_monotonic();
    load->until = load->began + (int64_t)(seconds * 1e6);
    for (int i = 0; i < load->count; i++) {
        if (load->rate > 0)
            load->idle[load->idle_count++] = &load->connections[i];
        else if (load_is_over(load, load->began))
            load_close(load, &load->connections[i]);
        else
            load_begin(load, &load->connections[i], clock_monotonic());
    }
    if (load->rate > 0)
        load_send_due(load);
    while (load->open > 0)
        load_turn(load);
    close(load->timer);
    close(load->epoll);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void load_report(struct load *load)
{
    double seconds = (double)(clock_monotonic() - load->began) / 1e6;
    size_t kept = load->answered < LATENCIES_MOST ? load->answered : LATENCIES_MOST;
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    qsort(load->latencies, kept, sizeof(*load->latencies), compare);
    printf("{\"requests\": %zu, \"errors\": %zu, \"seconds\": %.3f, \"cpu\": %.3f, \"p50\": %u,"
           " \"p99\": %u, \"p999\": %u}\n",
           load->answered, load->errors, seconds,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
           kept ? load->latencies[kept / 2] : 0, kept ? load->latencies[kept * 99 / 100] : 0,
           kept ? load->latencies[kept * 999 / 1000] : 0);
}

static void load_free(struct load *load)
{
    requests_free(load->requests);
    free(load->connections);
    free(load->idle);
    free(load->latencies);
}

/* The options before the kind; what is left of the arguments in *argv and *argc. */
static void load_options(struct load *load, int *argc, char ***argv)
{
    load->most = UINT64_MAX;
    while (*argc > 2 && strncmp((*argv)[1], "--", 2) == 0) {
        if (strcmp((*argv)[1], "--rate") == 0)
            load->rate = atof((*argv)[2]);
        else if (strcmp((*argv)[1], "--requests") == 0)
            load->most = strtoull((*argv)[2], NULL, 10);
        *argv += 2;
        *argc -= 2;
    }
}

int main(int argc, char **argv)
{
    struct load load = {0};
    double seconds;

    load_options(&load, &argc, &argv);
    if (argc > 5) {
        load.port = atoi(argv[2]);
        load.count = atoi(argv[3]);
        load.requests = requests_new(argv[1], load.port, argv + 5, argc - 5);
    }
    seconds = argc > 4 ? atof(argv[4]) : 0;
    if (load.requests == NULL || load.count < 1 || load.count > CONNECTIONS_MOST || seconds <= 0) {
        fprintf(stderr, "usage: load [--rate N] [--requests N] get|check|deliver PORT"
                        " CONNECTIONS SECONDS ...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    load.connections = xcalloc((size_t)load.count, sizeof(*load.connections));
    load.idle = xcalloc((size_t)load.count, sizeof(struct connection *));
    load.latencies = xcalloc(LATENCIES_MOST, sizeof(*load.latencies));
    load_run(&load, seconds);
    load_report(&load);
    load_free(&load);
    return load.errors == 0 ? 0 : 1;
}
