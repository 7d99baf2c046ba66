/*
 * What a person granted an app: authorization codes, single use, and token pairs that rotate.
 */
#ifndef SANDBOX_GRANT_H
#define SANDBOX_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grants;

struct grant {
    char *client_id, *user, *team;
    char *access;
    char *refresh;        /* NULL: the access token does not expire */
    int64_t access_ends;  /* TIME_NONE: never */
    int64_t refresh_ends; /* 60 days after the last rotation */
};

struct grants *grants_new(void);
void grants_free(struct grants *grants);

/* A code for the browser to carry; borrowed until the next call. */
const char *grant_code(struct grants *grants, const char *client_id, const char *user,
                       const char *team, const char *redirect_uri, int64_t ends);
/* Spends a code. NULL with Miro's words in *message if it cannot be. */
struct grant *grant_exchange(struct grants *grants, const char *client_id, const char *code,
                             const char *redirect_uri, int64_t now, int64_t lifetime, bool lasting,
                             const char **message);
/* Whose code it is, so that the caller can tell lasting tokens; NULL if unknown. */
const char *grant_code_user(struct grants *grants, const char *code);
/* Rotates: both old tokens are dead afterwards. NULL if the refresh token is. */
struct grant *grant_refresh(struct grants *grants, const char *client_id, const char *refresh,
                            int64_t now, int64_t lifetime);
/* The grant of a living access token, or NULL. */
struct grant *grant_of(struct grants *grants, const char *access, int64_t now);
/* Ends a grant with both tokens; false if there is none. */
bool grant_revoke(struct grants *grants, const char *access);
/* Uninstall: every grant of a user, of one team or (NULL) of all; returns how many. */
size_t grant_revoke_user(struct grants *grants, const char *user, const char *team);
/* Makes a user's access tokens expire now, as if their hour were over; returns how many. */
size_t grant_expire_user(struct grants *grants, const char *user, int64_t now);
size_t grant_count(struct grants *grants, const char *user);

#endif
