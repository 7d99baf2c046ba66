/*
 * GET /v1/entitlements and /v1/entitlements/{key}: who asks, by idToken; what they may use.
 */
#ifndef WEBHOOK_CHECKS_H
#define WEBHOOK_CHECKS_H

#include "routes.h"

void checks_get(struct front *front, struct http_request *request, const struct route_parts *parts);

#endif
