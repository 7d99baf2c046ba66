#include "miro/miro.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define CALL_MAGIC 0x6d69726fu

/* With less time left there is no sense in trying another secret. */
#define TRY_LEAST TIME_SECOND

enum call_kind { CALL_EXCHANGE, CALL_REFRESH, CALL_PROFILE, CALL_CHECK };

/* One call under way; freed when it has called back. */
struct call {
    unsigned magic;
    enum call_kind kind;
    miro_done *done;
    void *arg;
    /* Of an exchange or a refresh: */
    struct http_client *client;
    const struct settings_miro *app;
    struct buf form; /* all but the secret */
    size_t secret;   /* under trial */
    bool unsaid;     /* one of the secrets was refused without a word about what is wrong */
    int64_t until;   /* of all trials (monotonic) */
};

static void call_free(struct call *call)
{
    buf_wipe(&call->form);
    call->magic = 0;
    free(call);
}

static void put_parameter(struct buf *out, const char *name, const char *value)
{
    if (out->len > 0 && !strchr("?&", out->data[out->len - 1]))
        buf_putc(out, '&');
    buf_printf(out, "%s=", name);
    buf_url_encode(out, value, strlen(value));
}

/* Begins the query of a configured address, which may have one already. */
static void put_address(struct buf *out, const char *address)
{
    buf_puts(out, address);
    buf_putc(out, strchr(address, '?') ? '&' : '?');
}

void miro_authorize_url(const struct settings_miro *app, const char *redirect_uri,
                        const char *state, struct buf *out)
{
    put_address(out, app->authorize_url);
    put_parameter(out, "response_type", "code");
    put_parameter(out, "client_id", app->client_id);
    put_parameter(out, "redirect_uri", redirect_uri);
    put_parameter(out, "state", state);
}

void miro_completed_url(const struct settings_miro *app, const char *team, struct buf *out)
{
    put_address(out, app->completed_url);
    put_parameter(out, "client_id", app->client_id);
    put_parameter(out, "team_id", team);
}

/* An exchange must say whose the tokens are: that is all that an install proves. */
static enum miro_outcome read_token_answer(const struct call *call,
                                           const struct http_answer *answer,
                                           struct miro_tokens *tokens, struct buf *error)
{
    enum miro_outcome outcome =
        miro_read_tokens(answer->status, answer->body, answer->len, clock_now(), tokens, error);
    if (outcome == MIRO_OK && call->kind == CALL_EXCHANGE && (!*tokens->user || !*tokens->team)) {
        buf_puts(error, "Miro's answer to the exchange names no user or no team");
        outcome = MIRO_STRANGE;
    }
    return outcome;
}

static enum miro_outcome outcome_of_failure(enum http_failure failure)
{
    return failure == HTTP_UNREACHABLE || failure == HTTP_TIMED_OUT ? MIRO_LATER : MIRO_STRANGE;
}

static bool post_form(struct call *call);

/* Whether it is worth trying the next secret. A code may be spent by a refusal that names nothing;
 * a refresh token is not. */
static bool may_try_next(struct call *call, const struct http_answer *answer)
{
    enum miro_refusal refusal;
    if (call->form.len == 0 || answer->failure != HTTP_ANSWERED ||
        (answer->status != 400 && answer->status != 401 && answer->status != 403))
        return false;
    refusal = miro_read_refusal(answer->body, answer->len);
    call->unsaid |= refusal == MIRO_REFUSES_UNSAID;
    if (refusal == MIRO_REFUSES_TOKEN ||
        (refusal == MIRO_REFUSES_UNSAID && call->kind == CALL_EXCHANGE))
        return false;
    return call->secret + 1 < call->app->client_secrets.count &&
           call->until - clock_monotonic() > TRY_LEAST;
}

/* What all trials together say: one that named nothing may have been the right secret. */
static enum miro_refusal refusal_of(const struct call *call, const struct http_answer *answer)
{
    enum miro_refusal refusal = miro_read_refusal(answer->body, answer->len);
    return refusal == MIRO_REFUSES_CLIENT && call->unsaid ? MIRO_REFUSES_UNSAID : refusal;
}

/* Reads an answer that there is into `result`, tokens and profile. */
static void read_answer(const struct call *call, const struct http_answer *answer,
                        struct miro_result *result, struct buf *error)
{
    result->status = answer->status;
    result->retry_after_us = answer->retry_after_us;
    switch (call->kind) {
    case CALL_PROFILE:
        result->outcome =
            miro_read_profile(answer->status, answer->body, answer->len, result->profile, error);
        break;
    case CALL_CHECK:
        result->outcome = miro_read_check(answer->status, answer->body, answer->len, error);
        break;
    case CALL_EXCHANGE:
    case CALL_REFRESH:
        result->outcome = read_token_answer(call, answer, result->tokens, error);
        result->refusal = refusal_of(call, answer);
        break;
    }
}

static void answered(const struct http_answer *answer, void *arg)
{
    struct call *call = arg;
    struct miro_tokens tokens = {0};
    struct miro_profile profile = {0};
    struct miro_result result = {.retry_after_us = -1, .tokens = &tokens, .profile = &profile};
    struct buf error = {0};
    if (call->magic != CALL_MAGIC)
        die("miro: a callback without its call");
    if (answer->failure != HTTP_ANSWERED) {
        result.outcome = outcome_of_failure(answer->failure);
        buf_puts(&error, answer->error);
    } else if (may_try_next(call, answer)) {
        call->secret++;
        if (post_form(call))
            return;
        result.outcome = MIRO_LATER;
        buf_puts(&error, "too many calls are under way to try the next client secret");
    } else {
        read_answer(call, answer, &result, &error);
    }
    if (result.outcome != MIRO_OK || call->kind == CALL_PROFILE || call->kind == CALL_CHECK)
        result.tokens = NULL;
    if (result.outcome != MIRO_OK || call->kind != CALL_PROFILE)
        result.profile = NULL;
    result.error = error.data ? error.data : "";
    call->done(&result, call->arg);
    miro_tokens_free(&tokens);
    miro_profile_free(&profile);
    buf_free(&error);
    call_free(call);
}

/* Makes the context that answered() frees. */
static struct call *call_new(enum call_kind kind, miro_done *done, void *arg)
{
    struct call *call = xcalloc(1, sizeof(*call));
    *call = (struct call){.magic = CALL_MAGIC, .kind = kind, .done = done, .arg = arg};
    return call;
}

/* By form body, so that no secret stands in an address that somebody logs. False if the client is
 * full. */
static bool post_form(struct call *call)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    struct buf form = {0};
    buf_append(&form, call->form.data, call->form.len);
    put_parameter(&form, "client_id", call->app->client_id);
    put_parameter(&form, "client_secret",
                  (const char *)call->app->client_secrets.items[call->secret].bytes);
    struct http_call http = {
        .method = "POST",
        .origin = call->app->api_url,
        .target = "/v1/oauth/token",
        .headers = headers,
        .body = form.data,
        .body_len = form.len,
        .max_answer = LIMIT_MIRO_ANSWER,
        .deadline_us = call->until - clock_monotonic(),
    };
    bool sent = http_client_send(call->client, &http, answered, call);
    buf_wipe(&form);
    return sent;
}

/* Takes the form. */
static bool send_form(struct http_client *client, enum call_kind kind,
                      const struct settings_miro *app, struct buf *form, miro_done *done, void *arg)
{
    struct call *call = call_new(kind, done, arg);
    if (app->client_secrets.count == 0)
        die("miro: app %s has no client secret", app->name);
    call->client = client;
    call->app = app;
    call->form = *form;
    call->until = clock_monotonic() + LIMIT_FETCH_TOTAL_MS * INT64_C(1000);
    if (post_form(call))
        return true;
    call_free(call);
    return false;
}

bool miro_exchange(struct http_client *client, const struct settings_miro *app, const char *code,
                   const char *redirect_uri, miro_done *done, void *arg)
{
    struct buf form = {0};
    put_parameter(&form, "grant_type", "authorization_code");
    put_parameter(&form, "code", code);
    put_parameter(&form, "redirect_uri", redirect_uri);
    return send_form(client, CALL_EXCHANGE, app, &form, done, arg);
}

bool miro_refresh(struct http_client *client, const struct settings_miro *app,
                  const char *refresh_token, miro_done *done, void *arg)
{
    struct buf form = {0};
    put_parameter(&form, "grant_type", "refresh_token");
    put_parameter(&form, "refresh_token", refresh_token);
    return send_form(client, CALL_REFRESH, app, &form, done, arg);
}

/* Asks with a bearer token; none is left behind when the client is full. */
static bool send_bearer(struct http_client *client, enum call_kind kind, const char *origin,
                        const char *target, const char *access_token, miro_done *done, void *arg)
{
    struct call *call = call_new(kind, done, arg);
    char *authorization = xasprintf("Authorization: Bearer %s", access_token);
    const char *const headers[] = {authorization, "Accept: application/json", NULL};
    struct http_call http = {
        .method = "GET",
        .origin = origin,
        .target = target,
        .headers = headers,
        .max_answer = LIMIT_MIRO_ANSWER,
    };
    bool sent = http_client_send(client, &http, answered, call);
    if (!sent)
        call_free(call);
    explicit_bzero(authorization, strlen(authorization));
    free(authorization);
    return sent;
}

/* Where a URL's path begins: the origin before it is the pin of the call. */
static size_t origin_len(const char *url)
{
    const char *scheme = strstr(url, "://");
    return scheme ? (size_t)(scheme + 3 - url) + strcspn(scheme + 3, "/?") : strlen(url);
}

bool miro_profile(struct http_client *client, const struct settings_miro *app,
                  const char *access_token, miro_done *done, void *arg)
{
    size_t len = origin_len(app->profile_url);
    char *origin = xstrndup(app->profile_url, len);
    const char *path = app->profile_url + len;
    char *target = xasprintf("%s%s", *path == '/' ? "" : "/", path);
    bool sent = send_bearer(client, CALL_PROFILE, origin, target, access_token, done, arg);
    free(target);
    free(origin);
    return sent;
}

bool miro_check(struct http_client *client, const struct settings_miro *app,
                const char *access_token, miro_done *done, void *arg)
{
    return send_bearer(client, CALL_CHECK, app->api_url, "/v1/oauth-token", access_token, done,
                       arg);
}
