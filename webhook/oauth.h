/*
 * GET /oauth/start and GET /oauth/callback: how Miro tells us who its users are.
 */
#ifndef WEBHOOK_OAUTH_H
#define WEBHOOK_OAUTH_H

#include "routes.h"

void oauth_start(struct front *front, struct http_request *request,
                 const struct route_parts *parts);
void oauth_callback(struct front *front, struct http_request *request,
                    const struct route_parts *parts);

#endif
