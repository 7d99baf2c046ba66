#include "oauth_state.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/digest.h"

#define VERSION 1
#define NONCE_AT 1
#define EXPIRY_AT (NONCE_AT + 16)
#define DIGEST_AT (EXPIRY_AT + 8)
#define APP_AT (DIGEST_AT + DIGEST_LEN)
#define COOKIE_BYTES 32
#define NONCE_SHOWN 6

/* The cookie's name, from the nonce. */
static void state_cookie_name(const unsigned char nonce[16], char out[OAUTH_COOKIE_NAME])
{
    struct buf hex = {0};
    digest_hex(nonce, NONCE_SHOWN, &hex);
    snprintf(out, OAUTH_COOKIE_NAME, "purchase_oauth_%s", hex.data);
    buf_free(&hex);
}

static void state_cookie_attributes(int64_t max_age, bool secure, struct buf *out)
{
    buf_printf(out, "; Path=/oauth; Max-Age=%lld; HttpOnly; SameSite=Lax%s\r\n", (long long)max_age,
               secure ? "; Secure" : "");
}

void oauth_state_make(const struct vault *vault, const char *app, bool secure, int64_t now,
                      struct buf *state, struct buf *set_cookie)
{
    unsigned char payload[APP_AT + LIMIT_NAME], cookie[COOKIE_BYTES];
    uint64_t expires_at = (uint64_t)(now + LIMIT_OAUTH_STATE_S * TIME_SECOND);
    char name[OAUTH_COOKIE_NAME];
    struct buf value = {0};
    size_t app_len = strnlen(app, LIMIT_NAME), len = APP_AT + app_len;

    digest_random(cookie, sizeof(cookie));
    digest_base64url(cookie, sizeof(cookie), &value);
    payload[0] = VERSION;
    digest_random(payload + NONCE_AT, 16);
    for (int i = 0; i < 8; i++)
        payload[EXPIRY_AT + i] = (unsigned char)(expires_at >> (56 - 8 * i));
    digest_sha256(value.data, value.len, payload + DIGEST_AT);
    memcpy(payload + APP_AT, app, app_len);

    digest_base64url(payload, len, state);
    buf_putc(state, '.');
    vault_sign(vault, VAULT_MAC_STATE, (struct span){payload, len}, state);

    state_cookie_name(payload + NONCE_AT, name);
    buf_printf(set_cookie, "Set-Cookie: %s=%s", name, value.data);
    state_cookie_attributes(LIMIT_OAUTH_STATE_S, secure, set_cookie);
    buf_wipe(&value);
}

/* Whether one Cookie line holds `name` with a value of this digest. */
static bool state_cookie_fits(const struct http_header *header, const char *name,
                              const unsigned char *digest)
{
    const char *at = header->value, *end = at + header->value_len;
    size_t name_len = strlen(name);
    while (at < end) {
        const char *stop = memchr(at, ';', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (len > name_len && memcmp(at, name, name_len) == 0 && at[name_len] == '=') {
            unsigned char found[DIGEST_LEN];
            digest_sha256(at + name_len + 1, len - name_len - 1, found);
            if (digest_equal(found, DIGEST_LEN, digest, DIGEST_LEN))
                return true;
        }
        at += len + 1;
        while (at < end && *at == ' ')
            at++;
    }
    return false;
}

/* Whether the browser that asks is the one that the state was made for. */
static bool state_browser_fits(const struct http_request *request, const char *name,
                               const unsigned char *digest)
{
    size_t count;
    const struct http_header *headers = http_headers(request, &count);
    for (size_t i = 0; i < count; i++) {
        if (headers[i].name_len == 6 && strncasecmp(headers[i].name, "Cookie", 6) == 0 &&
            state_cookie_fits(&headers[i], name, digest))
            return true;
    }
    return false;
}

int oauth_state_verify(const struct vault *vault, const char *state,
                       const struct http_request *request, int64_t now, struct oauth_state *out,
                       const char **why)
{
    const char *dot = strchr(state, '.');
    struct oauth_state found = {0};
    struct buf payload = {0};
    uint64_t expires_at = 0;
    const unsigned char *bytes;
    int failed = -1;

    *why = "malformed";
    if (!dot || digest_unbase64url(state, (size_t)(dot - state), &payload) != 0 ||
        payload.len < APP_AT || payload.len - APP_AT > LIMIT_NAME)
        goto out;
    *why = "mac";
    if (!vault_verify(vault, VAULT_MAC_STATE, (struct span){payload.data, payload.len}, dot + 1,
                      strlen(dot + 1)))
        goto out;
    bytes = (const unsigned char *)payload.data;
    *why = "version";
    if (bytes[0] != VERSION)
        goto out;
    for (int i = 0; i < 8; i++)
        expires_at = expires_at << 8 | bytes[EXPIRY_AT + i];
    found.expires_at = (int64_t)expires_at;
    *why = "expired";
    if (now >= found.expires_at)
        goto out;
    memcpy(found.nonce, bytes + NONCE_AT, sizeof(found.nonce));
    memcpy(found.app, bytes + APP_AT, payload.len - APP_AT);
    state_cookie_name(found.nonce, found.cookie);
    *why = "browser";
    if (!state_browser_fits(request, found.cookie, bytes + DIGEST_AT))
        goto out;
    *out = found;
    failed = 0;
out:
    buf_wipe(&payload);
    return failed;
}

void oauth_state_clear(const char *cookie, bool secure, struct buf *headers)
{
    buf_printf(headers, "Set-Cookie: %s=", cookie);
    state_cookie_attributes(0, secure, headers);
}
