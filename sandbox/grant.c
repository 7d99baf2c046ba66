#include "grant.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "sandbox.h"

#define REFRESH_LIFE (60 * TIME_DAY)

struct code {
    char *text, *client_id, *user, *team, *redirect_uri;
    int64_t ends;
};

struct grants {
    struct code *codes; /* oldest first */
    size_t code_count;
    struct grant **items; /* oldest first */
    size_t count;
};

/* Miro's tokens name the region, then 27 characters: {"miro.origin":"eu01"} in base64url. */
static char *secret_text(void)
{
    unsigned char bytes[20];
    struct buf text = {0};
    digest_random(bytes, sizeof(bytes));
    buf_puts(&text, "eyJtaXJvLm9yaWdpbiI6ImV1MDEifQ_");
    digest_base64url(bytes, sizeof(bytes), &text);
    return buf_take(&text);
}

/* Releases what a code holds. */
static void code_free(struct code *code)
{
    free(code->text);
    free(code->client_id);
    free(code->user);
    free(code->team);
    free(code->redirect_uri);
}

/* Takes a code out, keeping the order of the others. */
static void code_remove(struct grants *grants, size_t index)
{
    code_free(&grants->codes[index]);
    memmove(&grants->codes[index], &grants->codes[index + 1],
            (grants->code_count - index - 1) * sizeof(*grants->codes));
    grants->code_count--;
}

/* Releases a grant. */
static void grant_free(struct grant *grant)
{
    free(grant->client_id);
    free(grant->user);
    free(grant->team);
    free(grant->access);
    free(grant->refresh);
    free(grant);
}

/* Takes a grant out, keeping the order of the others. */
static void grant_remove(struct grants *grants, size_t index)
{
    grant_free(grants->items[index]);
    memmove(&grants->items[index], &grants->items[index + 1],
            (grants->count - index - 1) * sizeof(*grants->items));
    grants->count--;
}

/* Nobody granted anything yet. */
struct grants *grants_new(void)
{
    struct grants *grants = xcalloc(1, sizeof(*grants));
    grants->codes = xcalloc(SANDBOX_CODES, sizeof(*grants->codes));
    grants->items = xcalloc(SANDBOX_GRANTS, sizeof(struct grant *));
    return grants;
}

/* Releases everything. */
void grants_free(struct grants *grants)
{
    if (grants == NULL)
        return;
    while (grants->code_count > 0)
        code_remove(grants, grants->code_count - 1);
    while (grants->count > 0)
        grant_remove(grants, grants->count - 1);
    free(grants->codes);
    free(grants->items);
    free(grants);
}

/* The oldest code makes room: codes that nobody spends must not pile up. */
const char *grant_code(struct grants *grants, const char *client_id, const char *user,
                       const char *team, const char *redirect_uri, int64_t ends)
{
    if (grants->code_count == SANDBOX_CODES)
        code_remove(grants, 0);
    struct code *code = &grants->codes[grants->code_count++];
    code->text = secret_text();
    code->client_id = xstrdup(client_id);
    code->user = xstrdup(user);
    code->team = xstrdup(team);
    code->redirect_uri = xstrdup(redirect_uri);
    code->ends = ends;
    return code->text;
}

/* The place of a code, or -1. */
static long code_find(const struct grants *grants, const char *text)
{
    for (size_t i = 0; text != NULL && i < grants->code_count; i++)
        if (strcmp(grants->codes[i].text, text) == 0)
            return (long)i;
    return -1;
}

/* Whose code it is. */
const char *grant_code_user(struct grants *grants, const char *code)
{
    long index = code_find(grants, code);
    return index < 0 ? NULL : grants->codes[index].user;
}

/* A new pair of tokens; without `lasting` the access token ends and a refresh token exists. */
static void issue(struct grant *grant, int64_t now, int64_t lifetime, bool lasting)
{
    free(grant->access);
    free(grant->refresh);
    grant->access = secret_text();
    grant->refresh = lasting ? NULL : secret_text();
    grant->access_ends = lasting ? TIME_NONE : now + lifetime;
    grant->refresh_ends = now + REFRESH_LIFE;
}

/* A code is spent by the first try of its own client, whether or not that succeeds. */
struct grant *grant_exchange(struct grants *grants, const char *client_id, const char *code,
                             const char *redirect_uri, int64_t now, int64_t lifetime, bool lasting,
                             const char **message)
{
    struct grant *grant = NULL;
    long index = code_find(grants, code);
    *message = "Invalid authorization code";
    if (index < 0 || strcmp(grants->codes[index].client_id, client_id) != 0)
        return NULL;
    const struct code *spent = &grants->codes[index];
    if (redirect_uri == NULL || strcmp(spent->redirect_uri, redirect_uri) != 0) {
        *message = "Redirect URI mismatch.";
    } else if (now < spent->ends) {
        if (grants->count == SANDBOX_GRANTS)
            grant_remove(grants, 0);
        grant = xcalloc(1, sizeof(*grant));
        grant->client_id = xstrdup(spent->client_id);
        grant->user = xstrdup(spent->user);
        grant->team = xstrdup(spent->team);
        issue(grant, now, lifetime, lasting);
        grants->items[grants->count++] = grant;
    }
    code_remove(grants, (size_t)index);
    return grant;
}

/* The old pair is gone the moment the new one exists. */
struct grant *grant_refresh(struct grants *grants, const char *client_id, const char *refresh,
                            int64_t now, int64_t lifetime)
{
    for (size_t i = 0; i < grants->count; i++) {
        struct grant *grant = grants->items[i];
        if (grant->refresh == NULL || strcmp(grant->refresh, refresh) != 0 ||
            strcmp(grant->client_id, client_id) != 0 || now >= grant->refresh_ends)
            continue;
        issue(grant, now, lifetime, false);
        return grant;
    }
    return NULL;
}

/* By access token, if it lives. */
struct grant *grant_of(struct grants *grants, const char *access, int64_t now)
{
    for (size_t i = 0; i < grants->count; i++) {
        struct grant *grant = grants->items[i];
        if (strcmp(grant->access, access) == 0)
            return grant->access_ends == TIME_NONE || now < grant->access_ends ? grant : NULL;
    }
    return NULL;
}

/* Revoking takes the refresh token along. */
bool grant_revoke(struct grants *grants, const char *access)
{
    for (size_t i = 0; i < grants->count; i++) {
        if (strcmp(grants->items[i]->access, access) != 0)
            continue;
        grant_remove(grants, i);
        return true;
    }
    return false;
}

/* Uninstalling an app tells nobody; its tokens just stop working. */
size_t grant_revoke_user(struct grants *grants, const char *user, const char *team)
{
    size_t revoked = 0;
    for (size_t i = grants->count; i-- > 0;) {
        if (strcmp(grants->items[i]->user, user) != 0 ||
            (team != NULL && strcmp(grants->items[i]->team, team) != 0))
            continue;
        grant_remove(grants, i);
        revoked++;
    }
    return revoked;
}

/* Tokens that do not expire are left alone. */
size_t grant_expire_user(struct grants *grants, const char *user, int64_t now)
{
    size_t expired = 0;
    for (size_t i = 0; i < grants->count; i++) {
        if (strcmp(grants->items[i]->user, user) != 0 || grants->items[i]->access_ends == TIME_NONE)
            continue;
        grants->items[i]->access_ends = now;
        expired++;
    }
    return expired;
}

/* How many living grants a user has. */
size_t grant_count(struct grants *grants, const char *user)
{
    size_t count = 0;
    for (size_t i = 0; i < grants->count; i++)
        count += strcmp(grants->items[i]->user, user) == 0;
    return count;
}
