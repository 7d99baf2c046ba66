/*
 * One kept connection with at most one request under way. A connection that fails ends the program:
 * the servers under load have no reason to close one.
 */
#ifndef BENCH_LOAD_CONNECTION_H
#define BENCH_LOAD_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct connection {
    int fd;
    struct buf out; /* the request; whoever fills it calls connection_send() */
    size_t sent;
    struct buf answer;
    int status;    /* once the answer is whole */
    int64_t began; /* what its latency counts from; the caller's */
};

void connection_open(struct connection *connection, int port);
void connection_close(struct connection *connection);
/* Forgets the last request and answer. */
void connection_reset(struct connection *connection);
/* Sends what the socket takes. */
void connection_send(struct connection *connection);
/* Reads what is there; true when the answer is whole. */
bool connection_receive(struct connection *connection);

#endif
