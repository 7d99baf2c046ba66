/*
 * What a person reads when an install does not work out: a small page, or for a client that does
 * not ask for HTML the same as application/problem+json. Nothing of the request is repeated in it.
 */
#ifndef WEBHOOK_OAUTH_PAGE_H
#define WEBHOOK_OAUTH_PAGE_H

#include "front.h"

/* Answers with what stands for `outcome`, and counts it; `headers` are whole lines, or NULL. */
void oauth_page(struct front *front, struct http_request *request, enum oauth_outcome outcome,
                const char *headers);
/* The headers of every answer under /oauth. */
void oauth_headers(struct buf *headers);

#endif
