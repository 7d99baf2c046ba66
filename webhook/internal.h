/*
 * The internal listener: is it alive, can it serve, what has it counted.
 */
#ifndef WEBHOOK_INTERNAL_H
#define WEBHOOK_INTERNAL_H

#include "routes.h"

void internal_healthz(struct front *front, struct http_request *request,
                      const struct route_parts *parts);
void internal_readyz(struct front *front, struct http_request *request,
                     const struct route_parts *parts);
void internal_metrics(struct front *front, struct http_request *request,
                      const struct route_parts *parts);

#endif
