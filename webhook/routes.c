#include "routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "checkout.h"
#include "checks.h"
#include "claims.h"
#include "cors.h"
#include "deliveries.h"
#include "internal.h"
#include "oauth.h"

struct route {
    const char *methods; /* as Allow lists them */
    const char *pattern; /* "{...}" is a variable part: anything but nothing, up to the next '/' */
    void (*handle)(struct front *front, struct http_request *request,
                   const struct route_parts *parts);
    bool proves; /* the handler asks the gate, once it knows what the request proves */
};

static const struct route public_routes[] = {
    {"POST", "/webhooks/{source}", deliveries_post, true},
    {"POST", "/webhooks/{source}/{secret}", deliveries_post, true},
    {"GET, HEAD", "/v1/entitlements", checks_get, true},
    {"GET, HEAD", "/v1/entitlements/{key}", checks_get, true},
    {"POST", "/v1/checkout", checkout_post, true},
    {"POST", "/v1/claims", claims_post, true},
    {"POST", "/v1/claims/confirm", claims_confirm_post, true},
    {"GET", "/oauth/start", oauth_start, false},
    {"GET", "/oauth/callback", oauth_callback, false},
    {0},
};

static const struct route internal_routes[] = {
    {"GET, HEAD", "/healthz", internal_healthz, false},
    {"GET, HEAD", "/readyz", internal_readyz, false},
    {"GET, HEAD", "/metrics", internal_metrics, false},
    {0},
};

static void route_parts_free(struct route_parts *parts)
{
    for (size_t i = 0; i < ROUTE_PARTS; i++)
        xfree(parts->part[i]);
}

/* Percent-decodes a part of a path, in which '+' is itself; NULL on a bad escape. */
static char *route_decode(const char *text, size_t len)
{
    struct buf decoded = {0};
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '+')
            buf_puts(&decoded, "%2B");
        else
            buf_putc(&decoded, text[i]);
    }
    long used = text_url_decode(decoded.data, decoded.len);
    if (used < 0) {
        buf_free(&decoded);
        return NULL;
    }
    decoded.data[used] = '\0';
    return buf_take(&decoded);
}

/* Compares a path with a pattern part by part; fills `parts` only on a match. */
static bool route_matches(const char *pattern, const char *path, struct route_parts *parts)
{
    size_t found = 0;
    while (*pattern == '/' && *path == '/') {
        size_t wanted = strcspn(++pattern, "/");
        size_t len = strcspn(++path, "/");
        if (*pattern == '{') {
            parts->part[found] = len > 0 ? route_decode(path, len) : NULL;
            if (!parts->part[found++])
                break;
        } else if (wanted != len || memcmp(pattern, path, len) != 0) {
            break;
        }
        pattern += wanted;
        path += len;
    }
    if (*pattern == '\0' && *path == '\0')
        return true;
    route_parts_free(parts);
    return false;
}

/* Whether a method stands in a list such as "GET, HEAD". */
static bool route_allows(const char *methods, const char *method)
{
    size_t len = strlen(method);
    for (const char *at = methods; *at != '\0'; at += strspn(at, ", ")) {
        size_t word = strcspn(at, ", ");
        if (word == len && memcmp(at, method, len) == 0)
            return true;
        at += word;
    }
    return false;
}

/* Finds the route, or says what is wrong: no such path, or not with this method. */
static void route_dispatch(const struct route *routes, bool gated, struct front *front,
                           struct http_request *request)
{
    struct route_parts parts = {0};
    struct buf allow = {0};
    const char *path = http_path(request);

    for (const struct route *route = routes; route->pattern; route++) {
        if (!route_matches(route->pattern, path, &parts))
            continue;
        if (route_allows(route->methods, http_method(request))) {
            if (!gated || route->proves || gate_admit(front, request))
                route->handle(front, request, &parts);
            goto out;
        }
        buf_printf(&allow, "%s%s", allow.len > 0 ? ", " : "Allow: ", route->methods);
        route_parts_free(&parts);
    }
    if (gated && !gate_admit(front, request))
        goto out;
    if (allow.len > 0) {
        buf_puts(&allow, cors_applies(path) ? ", OPTIONS\r\n" : "\r\n");
        front_problem(front, request, 405, "method_not_allowed", allow.data,
                      "This path answers only the methods that the Allow header lists.");
    } else {
        front_problem(front, request, 404, "not_found", NULL, "There is nothing at this path.");
    }
out:
    route_parts_free(&parts);
    buf_free(&allow);
}

/* A preflight is answered for every path of the API, so that the page can read the 404 itself. */
static void route_preflight(struct front *front, struct http_request *request)
{
    struct buf headers = {0};
    cors_preflight_headers(front->settings, request, &headers);
    front_answer(front, request, 204, headers.data, NULL, 0);
    buf_free(&headers);
}

void routes_public(struct http_request *request, void *arg)
{
    struct front *front = arg;
    if (strcmp(http_method(request), "OPTIONS") == 0 && cors_applies(http_path(request)))
        route_preflight(front, request);
    else
        route_dispatch(public_routes, true, front, request);
}

void routes_internal(struct http_request *request, void *arg)
{
    route_dispatch(internal_routes, false, arg, request);
}
