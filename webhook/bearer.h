/*
 * Who asks: the idToken of an Authorization header.
 */
#ifndef WEBHOOK_BEARER_H
#define WEBHOOK_BEARER_H

#include "front.h"
#include "miro/id_token.h"

/* 0; or -1, the request being answered with 401 or 429 and counted. */
int bearer_authenticate(struct front *front, struct http_request *request, struct id_token *out)
    __attribute__((warn_unused_result));

#endif
