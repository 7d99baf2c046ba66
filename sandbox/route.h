/*
 * The routes of the sandbox, as tables of their rooms, and the guards before them: a Host that is
 * this listener (a web page cannot rebind its name to us), and for whatever changes something an
 * Origin that is ours or none.
 */
#ifndef SANDBOX_ROUTE_H
#define SANDBOX_ROUTE_H

#include "reply.h"

enum route_kind {
    ROUTE_OPEN, /* pages and reads */
    ROUTE_MIRO, /* Miro's API: faults apply */
    ROUTE_SHOP, /* a shop's REST API: faults apply, and a key is needed */
    ROUTE_KNOB, /* POST with a JSON body: visit->input */
};

struct route {
    const char *method;  /* NULL ends a table */
    const char *pattern; /* a segment that is a star matches any one, and is captured */
    enum route_kind kind;
    void (*handle)(struct visit *visit);
};

extern const struct route miro_page_routes[];
extern const struct route miro_api_routes[];
extern const struct route woo_routes[];
extern const struct route knob_routes[];
extern const struct route order_knob_routes[];
extern const struct route page_routes[];
extern const struct route sale_knob_routes[];
extern const struct route many_routes[];

/* The route of a table, or NULL; *other tells that the path is known under another method. What the
 * stars matched stands in visit->captures. */
const struct route *route_find(struct visit *visit, const struct route *table, const char *path,
                               bool *other);
/* The server's handler; `arg` is the sandbox. */
void route_request(struct http_request *request, void *arg);

#endif
