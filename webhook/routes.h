/*
 * Which request goes to which handler.
 */
#ifndef WEBHOOK_ROUTES_H
#define WEBHOOK_ROUTES_H

#include "front.h"

#define ROUTE_PARTS 2

/* The variable parts of a path, decoded, in their order; NULL beyond the last. The router's. */
struct route_parts {
    char *part[ROUTE_PARTS];
};

/* The handlers of the two servers; `arg` is the front. */
void routes_public(struct http_request *request, void *arg);
void routes_internal(struct http_request *request, void *arg);

#endif
