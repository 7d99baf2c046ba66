/*
 * The `state` of an OAuth round: signed, expiring, and bound to the browser that began it.
 *
 *   state   = base64url(payload) "." MAC      MAC as vault_sign() writes it
 *   payload = version(1) | nonce(16) | expiry(8, big-endian, microseconds) | SHA-256(cookie)(32)
 *             | app's name
 *
 * The cookie's name carries the first bytes of the nonce, so that rounds in two tabs do not
 * overwrite each other's.
 */
#ifndef WEBHOOK_OAUTH_STATE_H
#define WEBHOOK_OAUTH_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "net/http_server.h"
#include "vault/vault.h"

#define OAUTH_COOKIE_NAME 32

struct oauth_state {
    unsigned char nonce[16];
    int64_t expires_at;
    char app[LIMIT_NAME + 1]; /* "" is the app without a name */
    char cookie[OAUTH_COOKIE_NAME];
};

/* Makes a state for `app`, with the Set-Cookie line that binds it. */
void oauth_state_make(const struct vault *vault, const char *app, bool secure, int64_t now,
                      struct buf *state, struct buf *set_cookie);
/* 0; or -1 with the name of the check that failed in `why`: for the log. */
int oauth_state_verify(const struct vault *vault, const char *state,
                       const struct http_request *request, int64_t now, struct oauth_state *out,
                       const char **why) __attribute__((warn_unused_result));
/* The Set-Cookie line that takes a round's cookie away again. */
void oauth_state_clear(const char *cookie, bool secure, struct buf *headers);

#endif
