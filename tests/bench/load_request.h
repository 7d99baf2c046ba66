/*
 * What the load asks for: every request is another one, another user's token or another order.
 */
#ifndef BENCH_LOAD_REQUEST_H
#define BENCH_LOAD_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct requests; /* a source of requests without end */

/* `arguments` are those after the kind: see load.c. NULL if there is no such kind. */
struct requests *requests_new(const char *kind, int port, char **arguments, int count);
void requests_free(struct requests *requests);
/* Appends the next one. */
void requests_next(struct requests *requests, struct buf *out);

#endif
