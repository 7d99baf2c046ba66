#include "cors.h"

#include <stdlib.h>
#include <string.h>

#define MAX_AGE_S 7200 /* Chromium's own limit for a remembered preflight */

bool cors_applies(const char *path)
{
    return strncmp(path, "/v1/", 4) == 0;
}

/* The request's origin, as configured, or NULL: never what the client wrote. */
static const char *cors_allowed(const struct settings *settings, const struct http_request *request)
{
    char *origin = http_header_text(request, "Origin");
    const char *allowed = NULL;
    char **known = settings->server.allowed_origins;
    for (size_t i = 0; origin && known && known[i] && !allowed; i++) {
        if (strcmp(known[i], origin) == 0)
            allowed = known[i];
    }
    free(origin);
    return allowed;
}

void cors_headers(const struct settings *settings, const struct http_request *request,
                  struct buf *headers)
{
    const char *origin = cors_allowed(settings, request);
    buf_puts(headers, "Vary: Origin\r\n");
    if (origin) {
        buf_printf(headers,
                   "Access-Control-Allow-Origin: %s\r\n"
                   "Access-Control-Expose-Headers: ETag, Retry-After, X-Request-Id\r\n",
                   origin);
    }
}

void cors_preflight_headers(const struct settings *settings, const struct http_request *request,
                            struct buf *headers)
{
    if (!cors_allowed(settings, request))
        return;
    buf_printf(headers,
               "Access-Control-Allow-Methods: GET, HEAD, POST\r\n"
               "Access-Control-Allow-Headers: Authorization, If-None-Match, Content-Type\r\n"
               "Access-Control-Max-Age: %d\r\n",
               MAX_AGE_S);
}
