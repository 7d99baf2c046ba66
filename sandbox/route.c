#include "route.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "disturb.h"
#include "stand.h"
#include "woo_auth.h"
#include "woo_shop.h"

static const struct route *const tables[] = {miro_page_routes, miro_api_routes,   woo_routes,
                                             many_routes,      order_knob_routes, sale_knob_routes,
                                             knob_routes,      page_routes};

/* Whether an authority names this listener: its own text, or localhost with its port. */
static bool is_ours(const struct sandbox *sandbox, const char *authority)
{
    const char *port = strrchr(sandbox->host, ':');
    if (strcmp(authority, sandbox->host) == 0)
        return true;
    return strncmp(authority, "localhost", 9) == 0 && strcmp(authority + 9, port) == 0;
}

/* Another site's page may send its visitors' browser here, but not with our name or for a change.
 */
static bool guarded(struct visit *visit)
{
    char *host = http_header_text(visit->request, "Host");
    char *origin = http_header_text(visit->request, "Origin");
    const char *method = http_method(visit->request);
    bool changes = strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
    bool host_good = host != NULL && is_ours(visit->sandbox, host);
    bool origin_good = origin == NULL ||
                       (strncmp(origin, "http://", 7) == 0 && is_ours(visit->sandbox, origin + 7));
    if (!host_good)
        http_respond_problem(visit->request, 421, "wrong_host", NULL,
                             "The sandbox answers only to its own loopback address.");
    else if (changes && !origin_good)
        http_respond_problem(visit->request, 403, "wrong_origin", NULL,
                             "Pages of other sites may change nothing here.");
    free(host);
    free(origin);
    return host_good && (!changes || origin_good);
}

/* The shop of a REST path, and the path without /shops/NAME; a new string. */
static char *shop_path(struct visit *visit)
{
    const char *path = http_path(visit->request);
    visit->shop = sandbox_shop(visit->sandbox, NULL);
    if (strncmp(path, "/shops/", 7) != 0)
        return xstrdup(path);
    const char *rest = strchr(path + 7, '/');
    if (rest == NULL)
        return xstrdup(path);
    char *name = xstrndup(path + 7, (size_t)(rest - path - 7));
    visit->shop = sandbox_shop(visit->sandbox, name);
    visit->stand = sandbox_stand(visit->sandbox, name);
    free(name);
    return xstrdup(rest);
}

/* Forgets what the stars matched. */
static void release_captures(struct visit *visit)
{
    for (size_t i = 0; i < VISIT_CAPTURES; i++)
        xfree(visit->captures[i]);
}

/* Matches segment by segment. */
static bool matches(struct visit *visit, const char *pattern, const char *path)
{
    size_t captured = 0;
    while (*pattern != '\0' && *path != '\0') {
        if (*pattern != '*') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t len = strcspn(path, "/");
        if (len == 0 || captured == VISIT_CAPTURES)
            return false;
        char *capture = xstrndup(path, len);
        long decoded = text_url_decode(capture, len);
        visit->captures[captured++] = capture;
        if (decoded < 0)
            return false;
        capture[decoded] = '\0';
        pattern++;
        path += len;
    }
    return *pattern == '\0' && *path == '\0';
}

const struct route *route_find(struct visit *visit, const struct route *table, const char *path,
                               bool *other)
{
    const char *method = http_method(visit->request);
    for (const struct route *route = table; route->method != NULL; route++) {
        if (matches(visit, route->pattern, path)) {
            if (strcmp(route->method, method) == 0)
                return route;
            *other = true;
        }
        release_captures(visit);
    }
    return NULL;
}

/* The same of every table. */
static const struct route *find(struct visit *visit, const char *path, bool *other)
{
    const struct route *route = NULL;
    *other = false;
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]) && route == NULL; t++)
        route = route_find(visit, tables[t], path, other);
    return route;
}

/* A knob is turned with JSON: a form that another site posts is not. */
static bool knob_input(struct visit *visit)
{
    size_t len = 0;
    const char *body = http_body(visit->request, &len);
    char *type = http_header_text(visit->request, "Content-Type");
    bool json = type != NULL && strncasecmp(type, "application/json", 16) == 0;
    free(type);
    if (json)
        visit->input = tree_parse(body, len);
    if (visit->input != NULL)
        return true;
    if (json)
        reply_bad(visit, "expected a JSON object");
    else
        http_respond_problem(visit->request, 415, "not_json", NULL,
                             "Send Content-Type: application/json.");
    return false;
}

/* Miro's answer to too many calls, which is also how it looks when it is down. */
static void miro_fault(struct visit *visit)
{
    int status = (int)visit->sandbox->faults.miro_status;
    struct buf headers = {0};
    struct json_object *error = tree_object();
    tree_number(error, "status", status);
    tree_text(error, "code", status == 429 ? "tooManyRequests" : "internalError");
    tree_text(error, "message",
              status == 429 ? "Request rate limit exceed" : "Internal server error");
    tree_text(error, "context", NULL);
    tree_text(error, "type", "error");
    struct buf body = {0};
    tree_write(error, &body);
    buf_puts(&headers, "Content-Type: application/json\r\n");
    if (status == 429)
        buf_printf(
            &headers,
            "X-RateLimit-Limit: %lld\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: %lld\r\n",
            (long long)visit->sandbox->manners.rate_limit,
            (long long)(clock_now() / TIME_SECOND + 1));
    http_respond(visit->request, status, headers.data, body.data, body.len);
    json_object_put(error);
    buf_free(&headers);
    buf_free(&body);
}

/* Lets a visit through to its handler, unless a fault or a missing key is in the way. */
static void serve(struct visit *visit, const struct route *route)
{
    struct faults *faults = &visit->sandbox->faults;
    switch (route->kind) {
    case ROUTE_OPEN:
        break;
    case ROUTE_MIRO:
        if (fault_take(&faults->miro_calls)) {
            miro_fault(visit);
            return;
        }
        break;
    case ROUTE_SHOP:
        if (disturb_call(visit) || !woo_authenticate(visit))
            return;
        break;
    case ROUTE_KNOB:
        if (!knob_input(visit))
            return;
        break;
    }
    route->handle(visit);
    json_object_put(visit->input);
}

/* Everything that comes in. */
void route_request(struct http_request *request, void *arg)
{
    struct visit visit = {.sandbox = arg, .request = request};
    if (!guarded(&visit))
        return;
    bool other = false;
    char *path = shop_path(&visit);
    if (visit.stand != NULL) {
        stand_visit(&visit, path);
        release_captures(&visit);
        free(path);
        return;
    }
    bool rest = strncmp(path, "/wp-json", 8) == 0;
    const struct route *route = find(&visit, path, &other);
    if (rest && (route == NULL || visit.shop == NULL))
        reply_woo_error(&visit, 404, "rest_no_route",
                        "No route was found matching the URL and request method.");
    else if (route != NULL)
        serve(&visit, route);
    else
        http_respond_problem(request, other ? 405 : 404, other ? "method_unknown" : "not_found",
                             NULL, other ? "Not with this method." : "There is nothing here.");
    release_captures(&visit);
    free(path);
}
