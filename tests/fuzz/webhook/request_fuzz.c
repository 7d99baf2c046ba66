/*
 * What the front reads of a request beside its body: a query, If-None-Match, a Cookie, and the
 * `state` of an OAuth round. Input: lines; the first is the query, the state and the tags that are
 * asked for in turn, the others are Cookie headers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../keyring.h"
#include "base/clock.h"
#include "etag.h"
#include "oauth_state.h"
#include "query.h"

#define NOW (INT64_C(1795428000) * TIME_SECOND)

/* The part of a request that is asked for, in the place of the server's. */
struct http_request {
    struct http_header headers[LIMIT_HTTP_HEADERS];
    size_t count;
};

const struct http_header *http_headers(const struct http_request *request, size_t *count)
{
    *count = request->count;
    return request->headers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void check_query(const char *query)
{
    char *value = NULL;

    if (query_once(query, "code", 64, &value) == 0)
        promise(value == NULL || strlen(value) <= 64);
    free(value);
}

/* Our own state opens for the browser that has its cookie, until it expires, and for no other. */
static void check_own_state(const struct vault *vault, struct http_request *request)
{
    struct buf state = {0}, cookie = {0};
    struct oauth_state found;
    const char *why, *value;

    oauth_state_make(vault, "app", true, NOW, &state, &cookie);
    promise(oauth_state_verify(vault, state.data, request, NOW, &found, &why) != 0);
    value = strchr(cookie.data, ' ') + 1;
    if (request->count < LIMIT_HTTP_HEADERS) {
        request->headers[request->count++] =
            (struct http_header){"Cookie", 6, value, strcspn(value, ";")};
        promise(oauth_state_verify(vault, state.data, request, NOW, &found, &why) == 0);
        promise(strcmp(found.app, "app") == 0);
        promise(oauth_state_verify(vault, state.data, request, found.expires_at, &found, &why) !=
                0);
        request->count--;
    }
    buf_free(&state);
    buf_free(&cookie);
}

/* Any payload under our own signature: the parser behind it is as strict. */
static void check_signed_state(const struct vault *vault, const struct http_request *request,
                               const uint8_t *data, size_t size)
{
    struct buf state = {0};
    struct oauth_state found;
    const char *why = NULL;

    digest_base64url(data, size, &state);
    buf_putc(&state, '.');
    vault_sign(vault, VAULT_MAC_STATE, (struct span){data, size}, &state);
    if (oauth_state_verify(vault, state.data, request, NOW, &found, &why) == 0)
        promise(strlen(found.app) <= LIMIT_NAME && found.expires_at > NOW);
    else
        promise(why != NULL);
    buf_free(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vault *vault;
    struct http_request request = {.count = 0};
    char *text = xstrndup((const char *)data, size), *rest = text, *line;
    struct oauth_state found;
    const char *why = NULL;

    if (vault == NULL)
        vault = keyring_new();
    const char *first = strsep(&rest, "\n");
    while ((line = strsep(&rest, "\n")) != NULL && request.count < LIMIT_HTTP_HEADERS)
        request.headers[request.count++] = (struct http_header){"Cookie", 6, line, strlen(line)};
    check_query(first);
    promise(oauth_state_verify(vault, first, &request, NOW, &found, &why) != 0 && why != NULL);
    promise(!etag_matches(first, "42") || strstr(first, "42") != NULL ||
            strchr(first, '*') != NULL);
    check_own_state(vault, &request);
    check_signed_state(vault, &request, data, size);
    free(text);
    return 0;
}
