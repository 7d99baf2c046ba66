/*
 * Verifying the idToken that miro.board.getIdToken() gives the plugin: HS256 under the app's client
 * secret (its raw bytes). libjwt 1.10.2 checks the MAC and nothing else, and not even that with an
 * empty key, so every guard is here: length, algorithm exactly HS256, no `crit`, `iss`, `sub` of a
 * configured app, `exp` present and not past, `iat` and `nbf` not ahead, user and team as strings
 * or numbers, to the last digit.
 */
#ifndef MIRO_ID_TOKEN_H
#define MIRO_ID_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/settings.h"

struct id_token {
    const struct settings_miro *app;
    char user[LIMIT_MIRO_ID + 1];
    char team[LIMIT_MIRO_ID + 1];
    int64_t expires_at; /* exp with the leeway */
};

enum id_token_verdict { ID_TOKEN_VALID, ID_TOKEN_INVALID, ID_TOKEN_EXPIRED };

/* `why` gets the name of the guard that refused ("alg", "signature", "exp_missing", ...): for the
 * log. */
enum id_token_verdict id_token_verify(const struct settings *settings, const char *token,
                                      size_t len, int64_t now, struct id_token *out,
                                      const char **why) __attribute__((warn_unused_result));
/* Mints one, for the sandbox and the tests. Appends to `out`. */
void id_token_mint(const struct settings_miro *app, const char *user, const char *team,
                   int64_t issued_at, int64_t expires_at, struct buf *out);

#endif
