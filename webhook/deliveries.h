/*
 * POST /webhooks/{source}: verify the raw bytes, seal them, make them durable, and only then say
 * so. A delivery goes to the inbox; what the database does not store within
 * LIMIT_DELIVERY_INBOX_MS, and all that comes while it is away, goes to the spool, and what the
 * disk does not take either is answered 503: each before a sender has lost its patience. It is
 * answered when the first of the two is durable. That the other one stores it as well is harmless:
 * they have the same key.
 */
#ifndef WEBHOOK_DELIVERIES_H
#define WEBHOOK_DELIVERIES_H

#include "net/loop.h"
#include "routes.h"

struct deliveries; /* those under way */

struct deliveries *deliveries_new(struct loop *loop);
void deliveries_free(struct deliveries *deliveries); /* when none is */

void deliveries_post(struct front *front, struct http_request *request,
                     const struct route_parts *parts);
/* The database is away: what waits for it goes to the spool. */
void deliveries_divert(struct deliveries *deliveries);

#endif
