/*
 * Cross-origin answers for the plugin's page: the configured origins alone, without credentials
 * other than the Authorization header.
 */
#ifndef WEBHOOK_CORS_H
#define WEBHOOK_CORS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/settings.h"
#include "net/http_server.h"

/* Whether browsers are answered at all under this path. */
bool cors_applies(const char *path);
/* Appends Vary, and for an allowed origin the headers that let its page read the answer. */
void cors_headers(const struct settings *settings, const struct http_request *request,
                  struct buf *headers);
/* Appends what a preflight asks for, if its origin is allowed. */
void cors_preflight_headers(const struct settings *settings, const struct http_request *request,
                            struct buf *headers);

#endif
