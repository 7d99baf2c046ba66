/*
 * POST /webhooks/{source}: verify the raw bytes, seal them, store them, and only then say so.
 */
#ifndef WEBHOOK_DELIVERIES_H
#define WEBHOOK_DELIVERIES_H

#include "routes.h"

void deliveries_post(struct front *front, struct http_request *request,
                     const struct route_parts *parts);

#endif
