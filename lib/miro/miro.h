/*
 * Miro's OAuth and profile, as facts known of it go: the token call by form body, ids as strings or
 * numbers (kept as text, they exceed 2^53), errors in Miro's own envelope or RFC 6749's, an e-mail
 * that may be absent.
 */
#ifndef MIRO_MIRO_H
#define MIRO_MIRO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/settings.h"
#include "net/http_client.h"

struct miro_tokens {
    char user[LIMIT_MIRO_ID + 1]; /* "" on a refresh: Miro does not repeat it */
    char team[LIMIT_MIRO_ID + 1];
    char *access;
    char *refresh;      /* NULL: a token that does not expire */
    char *scope;        /* or NULL */
    int64_t expires_at; /* TIME_NONE: never (absent, 0 or negative expires_in) */
};

struct miro_profile {
    char user[LIMIT_MIRO_ID + 1];
    char *address;  /* normalised; NULL: none told */
    char state[33]; /* "registered", ...; "" if not told */
};

enum miro_outcome {
    MIRO_OK,
    MIRO_LATER,   /* unreachable, 429, 5xx: again, not before retry_after_us */
    MIRO_REFUSED, /* the code, the token or the client is not accepted (400, 401, 403) */
    MIRO_ABSENT,  /* of a profile: 400, 403, 404: it is not to be had with this token, which is good
                     otherwise */
    MIRO_STRANGE, /* an answer that cannot be read: `error` says why */
};

/* What a refusal at the token endpoint is about: whoever refuses a token for a wrong client secret
 * has said nothing of the token. */
enum miro_refusal {
    MIRO_REFUSES_TOKEN,  /* the code or the refresh token */
    MIRO_REFUSES_CLIENT, /* our client id or secret, every one of them, or how we ask */
    MIRO_REFUSES_UNSAID, /* the words name neither, or are not Miro's */
};

struct miro_result {
    enum miro_outcome outcome;
    enum miro_refusal refusal; /* MIRO_REFUSED of exchange and refresh */
    int status;                /* 0: there was no answer */
    const char *error;         /* a sentence for the log: no token, no address */
    int64_t retry_after_us;    /* -1: not told */
    struct miro_tokens
        *tokens; /* MIRO_OK of exchange and refresh; the callback may take the strings */
    struct miro_profile *profile; /* MIRO_OK of profile */
};
typedef void miro_done(const struct miro_result *result, void *arg);

void miro_tokens_free(struct miro_tokens *tokens);    /* the contents; wipes */
void miro_profile_free(struct miro_profile *profile); /* the contents; wipes */

/* response_type, client_id, redirect_uri, state. No scope: Miro has it in the app's settings. */
void miro_authorize_url(const struct settings_miro *app, const char *redirect_uri,
                        const char *state, struct buf *out);
/* completed_url?client_id=..&team_id=.., without which Miro's board does not learn of the install.
 */
void miro_completed_url(const struct settings_miro *app, const char *team, struct buf *out);

/*
 * Each calls back exactly once, or returns false at once if the client is full. `app` outlives the
 * call. Exchange and refresh try the app's secrets one after the other while it is the client that
 * is refused, all of them within LIMIT_FETCH_TOTAL_MS.
 */
bool miro_exchange(struct http_client *client, const struct settings_miro *app, const char *code,
                   const char *redirect_uri, miro_done *done, void *arg)
    __attribute__((warn_unused_result));
bool miro_refresh(struct http_client *client, const struct settings_miro *app,
                  const char *refresh_token, miro_done *done, void *arg)
    __attribute__((warn_unused_result));
bool miro_profile(struct http_client *client, const struct settings_miro *app,
                  const char *access_token, miro_done *done, void *arg)
    __attribute__((warn_unused_result));
/* Whether an access token is alive: MIRO_OK, or MIRO_REFUSED if Miro itself says that it is not. It
 * asks for the token's own record, for which no scope and no client secret is needed. */
bool miro_check(struct http_client *client, const struct settings_miro *app,
                const char *access_token, miro_done *done, void *arg)
    __attribute__((warn_unused_result));

/* The pure halves, for tests and fuzzing: an answer's bytes to a result. */
enum miro_outcome miro_read_tokens(int status, const char *body, size_t len, int64_t now,
                                   struct miro_tokens *out, struct buf *error);
enum miro_outcome miro_read_profile(int status, const char *body, size_t len,
                                    struct miro_profile *out, struct buf *error);
enum miro_outcome miro_read_check(int status, const char *body, size_t len, struct buf *error);
/* What a 400, 401 or 403 of the token endpoint is about. */
enum miro_refusal miro_read_refusal(const char *body, size_t len);

#endif
