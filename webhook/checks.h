/*
 * GET /v1/entitlements and /v1/entitlements/{key}: who asks, by idToken; what they may use.
 */
#ifndef WEBHOOK_CHECKS_H
#define WEBHOOK_CHECKS_H

#include "routes.h"

/* Checks that read the database: the front keeps one list of them. */
struct readings *readings_new(struct loop *loop);
void readings_free(struct readings *readings);
/* The feed is known as it was at `true_at` (monotonic): those who came before that are answered. */
void readings_fed(struct readings *readings, int64_t true_at);
/* Whether somebody waits for the feed. */
bool readings_hungry(const struct readings *readings);

void checks_get(struct front *front, struct http_request *request, const struct route_parts *parts);

#endif
