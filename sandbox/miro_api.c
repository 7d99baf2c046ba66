#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"
#include "grant.h"
#include "manners.h"
#include "person.h"
#include "route.h"

/*
 * Miro's API: the token endpoint with its own error envelope, revocation, token info, and the
 * profile, which nobody documents any more.
 */

#define SCOPE "boards:read identity:read"

/* Any secret of the app counts: that is how they rotate. */
static bool secret_fits(const struct settings_miro *app, const char *secret)
{
    bool fits = false;
    for (size_t i = 0; secret != NULL && i < app->client_secrets.count; i++)
        fits |= digest_equal(secret, strlen(secret), app->client_secrets.items[i].bytes,
                             app->client_secrets.items[i].len);
    return fits;
}

/* The app that proves itself, or NULL after answering. */
static const struct settings_miro *client_of(struct visit *visit)
{
    char *client = visit_param(visit, "client_id");
    char *secret = visit_param(visit, "client_secret");
    const struct settings_miro *app = NULL;
    if (client != NULL)
        app = settings_miro_by_client(visit->sandbox->settings, client);
    if (client == NULL || secret == NULL)
        reply_miro_error(visit, 400, "oauthError",
                         "Required parameters are client_id and client_secret");
    else if (app == NULL || !secret_fits(app, secret))
        reply_miro_error(visit, 401, "oauthError", "Invalid client credentials");
    if (app != NULL && !secret_fits(app, secret))
        app = NULL;
    free(client);
    free(secret);
    return app;
}

/* Tells when the access token ends, as the sandbox was told to. */
static void put_expiry(struct json_object *tree, const struct sandbox *sandbox,
                       const struct grant *grant)
{
    int64_t told = sandbox->manners.expires_in;
    if (told == EXPIRES_TRUTH && grant->access_ends != TIME_NONE)
        tree_number(tree, "expires_in", sandbox->manners.token_seconds);
    else if (told != EXPIRES_TRUTH && told != EXPIRES_ABSENT)
        tree_number(tree, "expires_in", told);
}

/* An exchange names the user and has the team as text; a refresh names nobody and has a number. */
static void reply_tokens(struct visit *visit, const struct grant *grant, bool exchange)
{
    const struct miro_manners *manners = &visit->sandbox->manners;
    struct json_object *tree = tree_object();
    int64_t team = 0;
    if (exchange)
        tree_text(tree, "user_id", grant->user);
    else
        tree_text(tree, "token_type", "bearer");
    bool number = (!exchange || manners->team_as_number) &&
                  text_to_int(grant->team, strlen(grant->team), &team) == 0;
    if (number)
        tree_number(tree, "team_id", team);
    else
        tree_text(tree, "team_id", grant->team);
    tree_text(tree, "access_token", grant->access);
    if (grant->refresh != NULL && !manners->no_refresh_token)
        tree_text(tree, "refresh_token", grant->refresh);
    tree_text(tree, "scope", SCOPE);
    put_expiry(tree, visit->sandbox, grant);
    if (exchange)
        tree_text(tree, "token_type", "bearer");
    reply_json(visit, tree);
}

/* grant_type=authorization_code. */
static void exchange(struct visit *visit, const struct settings_miro *app)
{
    struct sandbox *sandbox = visit->sandbox;
    const char *message = NULL;
    char *code = visit_param(visit, "code");
    char *redirect = visit_param(visit, "redirect_uri");
    const char *user = grant_code_user(sandbox->grants, code);
    const struct person *person = people_find(sandbox->people, user);
    const struct grant *grant = grant_exchange(
        sandbox->grants, app->client_id, code, redirect, clock_now(),
        sandbox->manners.token_seconds * TIME_SECOND, person != NULL && person->lasting, &message);
    if (grant != NULL)
        reply_tokens(visit, grant, true);
    else
        reply_miro_error(visit, 401, "oauthError", message);
    free(code);
    free(redirect);
}

/* grant_type=refresh_token. */
static void refresh(struct visit *visit, const struct settings_miro *app)
{
    struct sandbox *sandbox = visit->sandbox;
    char *token = visit_param(visit, "refresh_token");
    const struct grant *grant =
        token == NULL ? NULL
                      : grant_refresh(sandbox->grants, app->client_id, token, clock_now(),
                                      sandbox->manners.token_seconds * TIME_SECOND);
    if (grant != NULL)
        reply_tokens(visit, grant, false);
    else
        reply_miro_error(visit, 401, "oauthError", "Invalid refresh token");
    free(token);
}

/* POST /v1/oauth/token, with parameters in the body or the query. */
static void token_post(struct visit *visit)
{
    char *type = visit_param(visit, "grant_type");
    const struct settings_miro *app = NULL;
    if (type == NULL)
        reply_miro_error(visit, 400, "oauthError", "Required parameter is grant_type");
    else
        app = client_of(visit);
    if (app != NULL && strcmp(type, "authorization_code") == 0)
        exchange(visit, app);
    else if (app != NULL && strcmp(type, "refresh_token") == 0)
        refresh(visit, app);
    else if (app != NULL)
        reply_miro_error(visit, 400, "oauthError", "Unsupported grant_type");
    free(type);
}

/* POST /v1/oauth/revoke?access_token=. */
static void revoke_v1(struct visit *visit)
{
    char *token = visit_param(visit, "access_token");
    if (token != NULL && grant_revoke(visit->sandbox->grants, token))
        reply_empty(visit, 204);
    else
        reply_miro_error(visit, 400, "invalidParameters", "There is no such access token");
    free(token);
}

/* POST /v2/oauth/revoke {"accessToken","clientId","clientSecret"}. */
static void revoke_v2(struct visit *visit)
{
    size_t len = 0;
    const char *body = http_body(visit->request, &len);
    struct json_object *input = tree_parse(body, len);
    const char *token = input == NULL ? NULL : tree_get_text(input, "accessToken");
    const char *client = input == NULL ? NULL : tree_get_text(input, "clientId");
    const char *secret = input == NULL ? NULL : tree_get_text(input, "clientSecret");
    const struct settings_miro *app =
        client == NULL ? NULL : settings_miro_by_client(visit->sandbox->settings, client);
    if (token == NULL || client == NULL || secret == NULL)
        reply_miro_error(visit, 400, "invalidParameters",
                         "Required are accessToken, clientId and clientSecret");
    else if (app == NULL || !secret_fits(app, secret))
        reply_miro_error(visit, 401, "oauthError", "Invalid client credentials");
    else if (!grant_revoke(visit->sandbox->grants, token))
        reply_miro_error(visit, 404, "notFound", "There is no such access token");
    else
        reply_empty(visit, 204);
    json_object_put(input);
}

/* The grant of the bearer, or NULL after answering 401. */
static struct grant *bearer(struct visit *visit)
{
    char *header = http_header_text(visit->request, "Authorization");
    struct grant *grant = NULL;
    bool told = header != NULL && strncasecmp(header, "Bearer ", 7) == 0;
    if (told)
        grant = grant_of(visit->sandbox->grants, header + 7, clock_now());
    if (!told)
        reply_miro_error(visit, 401, "tokenNotProvided", "No authorization token was provided");
    else if (grant == NULL)
        reply_miro_error(visit, 401, "tokenNotValid", "The access token is invalid or has expired");
    free(header);
    return grant;
}

/* Counts a call against its user's minute; false after answering 429. `headers` gets the limits. */
static bool within_rate(struct visit *visit, struct person *person, struct buf *headers)
{
    int64_t limit = visit->sandbox->manners.rate_limit;
    int64_t minute = clock_now() / TIME_MINUTE;
    if (person->rate_window != minute) {
        person->rate_window = minute;
        person->rate_used = 0;
    }
    person->rate_used += RATE_COST;
    bool within = person->rate_used <= limit;
    buf_printf(headers,
               "Content-Type: application/json\r\nX-RateLimit-Limit: %lld\r\n"
               "X-RateLimit-Remaining: %lld\r\nX-RateLimit-Reset: %lld\r\n",
               (long long)limit, (long long)(within ? limit - person->rate_used : 0),
               (long long)((minute + 1) * 60));
    if (!within) {
        static const char body[] =
            "{\"status\":429,\"code\":\"tooManyRequests\",\"message\":\"Request rate limit "
            "exceed\",\"context\":null,\"type\":\"error\"}";
        http_respond(visit->request, 429, headers->data, body, sizeof(body) - 1);
    }
    return within;
}

/* Answers a tree with the headers that the rate limit wants. */
static void reply_limited(struct visit *visit, const struct buf *headers, struct json_object *tree)
{
    struct buf body = {0};
    tree_write(tree, &body);
    http_respond(visit->request, 200, headers->data, body.data, body.len);
    buf_wipe(&body);
    json_object_put(tree);
}

/* GET /v1/users/me. */
static void profile_get(struct visit *visit)
{
    struct sandbox *sandbox = visit->sandbox;
    const struct grant *grant = bearer(visit);
    struct person *person = grant == NULL ? NULL : people_find(sandbox->people, grant->user);
    const struct person *told = person;
    struct buf headers = {0};
    if (sandbox->manners.profile_as != NULL)
        told = people_find(sandbox->people, sandbox->manners.profile_as);
    if (grant != NULL && (person == NULL || told == NULL))
        reply_miro_error(visit, 404, "notFound", "User not found");
    else if (grant != NULL && within_rate(visit, person, &headers))
        reply_limited(visit, &headers, person_profile(told));
    buf_free(&headers);
}

/* {"type","name","id"}. */
static void put_mini(struct json_object *tree, const char *key, const char *type, const char *name,
                     const char *id)
{
    struct json_object *mini = tree_object();
    tree_text(mini, "type", type);
    tree_text(mini, "name", name);
    tree_text(mini, "id", id);
    tree_put(tree, key, mini);
}

/* GET /v1/oauth-token: whose token it is, without an address. */
static void token_info_get(struct visit *visit)
{
    const struct grant *grant = bearer(visit);
    struct person *person = grant == NULL ? NULL : people_find(visit->sandbox->people, grant->user);
    struct buf headers = {0};
    if (grant == NULL || person == NULL || !within_rate(visit, person, &headers)) {
        buf_free(&headers);
        if (grant != NULL && person == NULL)
            reply_miro_error(visit, 404, "notFound", "User not found");
        return;
    }
    struct json_object *tree = tree_object();
    struct json_object *scopes = tree_array();
    tree_text(tree, "type", "oAuthToken");
    put_mini(tree, "application", "application", "Purchase Sync demo", grant->client_id);
    put_mini(tree, "createdBy", "user", person->name, person->id);
    put_mini(tree, "team", "team", team_name(grant->team), grant->team);
    tree_add(scopes, json_object_new_string("boards:read"));
    tree_add(scopes, json_object_new_string("identity:read"));
    tree_put(tree, "scopes", scopes);
    put_mini(tree, "organization", "organization", "Example Ltd", "3458764514838390000");
    put_mini(tree, "user", "user", person->name, person->id);
    reply_limited(visit, &headers, tree);
    buf_free(&headers);
}

const struct route miro_api_routes[] = {
    {"POST", "/v1/oauth/token", ROUTE_MIRO, token_post},
    {"POST", "/v1/oauth/revoke", ROUTE_MIRO, revoke_v1},
    {"POST", "/v2/oauth/revoke", ROUTE_MIRO, revoke_v2},
    {"GET", "/v1/oauth-token", ROUTE_MIRO, token_info_get},
    {"GET", "/v1/users/me", ROUTE_MIRO, profile_get},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
