#include "miro/miro.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define CALL_MAGIC 0x6d69726fu

enum call_kind { CALL_EXCHANGE, CALL_REFRESH, CALL_PROFILE };

/* One call under way; freed when it has called back. */
struct call {
    unsigned magic;
    enum call_kind kind;
    miro_done *done;
    void *arg;
};

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

static void answered(const struct http_answer *answer, void *arg)
{
    struct call *call = arg;
    struct miro_tokens tokens = {0};
    struct miro_profile profile = {0};
    struct miro_result result = {.retry_after_us = -1};
    struct buf error = {0};
    if (call->magic != CALL_MAGIC)
        die("miro: a callback without its call");
    if (answer->failure != HTTP_ANSWERED) {
        result.outcome = outcome_of_failure(answer->failure);
        buf_puts(&error, answer->error);
    } else if (call->kind == CALL_PROFILE) {
        result.outcome =
            miro_read_profile(answer->status, answer->body, answer->len, &profile, &error);
        result.retry_after_us = answer->retry_after_us;
        result.profile = result.outcome == MIRO_OK ? &profile : NULL;
    } else {
        result.outcome = read_token_answer(call, answer, &tokens, &error);
        result.retry_after_us = answer->retry_after_us;
        result.tokens = result.outcome == MIRO_OK ? &tokens : NULL;
    }
    result.error = error.data ? error.data : "";
    call->done(&result, call->arg);
    miro_tokens_free(&tokens);
    miro_profile_free(&profile);
    buf_free(&error);
    call->magic = 0;
    free(call);
}

/* Sends, and makes the context that answered() frees; none is left behind when the client is full.
 */
static bool send_call(struct http_client *client, enum call_kind kind, struct http_call *http,
                      miro_done *done, void *arg)
{
    struct call *call = xcalloc(1, sizeof(*call));
    *call = (struct call){.magic = CALL_MAGIC, .kind = kind, .done = done, .arg = arg};
    http->max_answer = LIMIT_MIRO_ANSWER;
    if (http_client_send(client, http, answered, call))
        return true;
    free(call);
    return false;
}

/* By form body, so that no secret stands in an address that somebody logs. */
static bool send_form(struct http_client *client, enum call_kind kind,
                      const struct settings_miro *app, struct buf *form, miro_done *done, void *arg)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    if (app->client_secrets.count == 0)
        die("miro: app %s has no client secret", app->name);
    put_parameter(form, "client_id", app->client_id);
    put_parameter(form, "client_secret", (const char *)app->client_secrets.items[0].bytes);
    struct http_call http = {
        .method = "POST",
        .origin = app->api_url,
        .target = "/v1/oauth/token",
        .headers = headers,
        .body = form->data,
        .body_len = form->len,
    };
    bool sent = send_call(client, kind, &http, done, arg);
    buf_wipe(form);
    return sent;
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
    char *authorization = xasprintf("Authorization: Bearer %s", access_token);
    const char *const headers[] = {authorization, "Accept: application/json", NULL};
    struct http_call http = {
        .method = "GET",
        .origin = origin,
        .target = target,
        .headers = headers,
    };
    bool sent = send_call(client, CALL_PROFILE, &http, done, arg);
    explicit_bzero(authorization, strlen(authorization));
    free(authorization);
    free(target);
    free(origin);
    return sent;
}
