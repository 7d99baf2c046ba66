/*
 * POST /v1/claims: a code is mailed to an address that was bought with. POST /v1/claims/confirm:
 * whoever tells the code has the address.
 */
#ifndef WEBHOOK_CLAIMS_H
#define WEBHOOK_CLAIMS_H

#include "routes.h"

void claims_post(struct front *front, struct http_request *request,
                 const struct route_parts *parts);
void claims_confirm_post(struct front *front, struct http_request *request,
                         const struct route_parts *parts);

#endif
