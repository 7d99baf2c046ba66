/*
 * If-None-Match (RFC 9110 13.1.2): lists, weak tags, and "*".
 */
#ifndef WEBHOOK_ETAG_H
#define WEBHOOK_ETAG_H

#include <stdbool.h>

#include "net/http_server.h"

/* The tags of all If-None-Match lines, joined; NULL if there is none. A new string. */
char *etag_asked(const struct http_request *request);
/* Whether "*" or the tag of `version` is among them, by weak comparison. */
bool etag_matches(const char *asked, const char *version);

#endif
