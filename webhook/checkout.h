/*
 * POST /v1/checkout: a signed buyer reference, and the address at which to pay with it.
 */
#ifndef WEBHOOK_CHECKOUT_H
#define WEBHOOK_CHECKOUT_H

#include "routes.h"

void checkout_post(struct front *front, struct http_request *request,
                   const struct route_parts *parts);

#endif
