#include "install.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "miro/miro.h"
#include "oauth_page.h"
#include "store/people.h"

#define INSTALL_MAGIC 0x696e7374
#define PROFILE_AGAIN_US TIME_DAY        /* an address may be told later */
#define STORE_AGAIN_US (TIME_SECOND / 5) /* the first pause, doubled each time */

enum install_state {
    INSTALL_SPENDING,   /* the state's nonce is being recorded in oauth_state */
    INSTALL_EXCHANGING, /* Miro is asked for tokens: from here on the code is spent */
    INSTALL_STORING,    /* tokens on their way to miro_token; again after a pause if they fail */
    INSTALL_PROFILING,  /* Miro is asked for the profile */
    INSTALL_LINKING,    /* the profile on its way to miro_user and link */
};

struct install {
    LIST_ENTRY(install) link; /* in front->installs */
    uint32_t magic;
    enum install_state state;
    struct front *front;
    struct settings *settings; /* of which `app` is a part */
    const struct settings_miro *app;
    struct http_request *request; /* there until it is answered, if only into the void */
    struct address holder;        /* of the browser's address */
    char *code;
    char cookie[OAUTH_COOKIE_NAME]; /* to be taken away; "" if there is none */
    struct people_state spent;
    struct miro_tokens tokens;
    struct people_install put;
    struct loop_timer *again;
    unsigned tries;
    struct people_profile profile;
    char *address;
};

static void install_store(struct install *install);

/* Dies on a callback that found something else. */
static struct install *install_checked(struct install *install, enum install_state state)
{
    if (install->magic != INSTALL_MAGIC || install->state != state)
        die("install: a stray callback");
    return install;
}

static void install_free(struct install *install)
{
    LIST_REMOVE(install, link);
    install->front->install_count--;
    install->magic = 0;
    loop_timer_free(install->again);
    miro_tokens_free(&install->tokens);
    if (install->address)
        explicit_bzero(install->address, strlen(install->address));
    free(install->address);
    explicit_bzero(install->code, strlen(install->code));
    free(install->code);
    settings_unref(install->settings);
    free(install);
}

void install_redirect_uri(const struct settings *settings, struct buf *out)
{
    buf_printf(out, "%s/oauth/callback", settings->server.public_url);
}

/* Takes the round's cookie away, once its state has served. */
static void install_clear_cookie(const struct install *install, struct buf *headers)
{
    bool secure = strncmp(install->settings->server.public_url, "https:", 6) == 0;
    if (install->cookie[0] != '\0')
        oauth_state_clear(install->cookie, secure, headers);
}

/* Ends an install that failed. `why` is a sentence for the log. */
static void install_fail(struct install *install, enum oauth_outcome outcome, const char *why)
{
    struct buf headers = {0};
    log_warn("oauth", oauth_outcome_name(outcome),
             LOG_S("request", http_request_id(install->request)),
             LOG_S("app", install->app->client_id), LOG_S("why", why));
    install_clear_cookie(install, &headers);
    oauth_page(install->front, install->request, outcome, headers.data);
    buf_free(&headers);
    install_free(install);
}

/* The tokens are stored: sends the browser on to Miro, with the ids that the token answer told. */
static void install_succeed(struct install *install, enum profile_outcome profile)
{
    struct front *front = install->front;
    struct buf headers = {0};
    metrics_oauth(front->metrics, OAUTH_INSTALLED);
    metrics_profile(front->metrics, profile);
    log_info("oauth", "installed", LOG_S("request", http_request_id(install->request)),
             LOG_S("app", install->app->client_id), LOG_S("user", install->put.user),
             LOG_S("team", install->put.team), LOG_S("profile", profile_outcome_name(profile)),
             LOG_S("begun_by", install->cookie[0] != '\0' ? "us" : "miro"));
    oauth_headers(&headers);
    install_clear_cookie(install, &headers);
    buf_puts(&headers, "Location: ");
    miro_completed_url(install->app, install->put.team, &headers);
    buf_puts(&headers, "\r\n");
    front_answer(front, install->request, 302, headers.data, NULL, 0);
    buf_free(&headers);
    install_free(install);
}

/* The profile is recorded, or the worker will read it again: the install holds either way. */
static void install_linked(void *operation, enum db_result result)
{
    struct install *install =
        install_checked(OWNER_OF(operation, struct install, profile), INSTALL_LINKING);
    static const enum profile_outcome outcomes[] = {
        [LINK_MADE] = PROFILE_LINKED,
        [LINK_HELD] = PROFILE_LINKED,
        [LINK_CONTESTED] = PROFILE_CONTESTED,
        [LINK_NONE] = PROFILE_NO_ADDRESS,
    };
    install_succeed(install, result == DB_OK ? outcomes[install->profile.outcome] : PROFILE_LATER);
}

/* A profile counts only for the user that the token belongs to. */
static void install_profiled(const struct miro_result *result, void *arg)
{
    struct install *install = install_checked(arg, INSTALL_PROFILING);
    struct people_profile *profile = &install->profile;
    struct miro_profile *read = result->profile;

    if (result->outcome != MIRO_OK) {
        log_warn("oauth", "profile_later", LOG_S("request", http_request_id(install->request)),
                 LOG_S("user", install->put.user), LOG_S("why", result->error));
        install_succeed(install, PROFILE_LATER);
        return;
    }
    if (strcmp(read->user, install->put.user) != 0) {
        log_warn("oauth", "profile_mismatch", LOG_S("request", http_request_id(install->request)),
                 LOG_S("user", install->put.user), LOG_S("profile", read->user));
        install_succeed(install, PROFILE_MISMATCH);
        return;
    }
    install->address = read->address;
    read->address = NULL;
    memcpy(profile->user, install->put.user, sizeof(profile->user));
    memcpy(profile->state, read->state, sizeof(profile->state));
    profile->address = install->address;
    profile->now = clock_now();
    profile->due_at = profile->address ? TIME_NONE : profile->now + PROFILE_AGAIN_US;
    install->state = INSTALL_LINKING;
    if (!front_submit(install->front, &people_profile_batch, profile, install_linked))
        install_succeed(install, PROFILE_LATER);
}

/* The tokens are durable, or are tried again: the code that bought them is spent. */
static void install_stored(void *operation, enum db_result result)
{
    struct install *install =
        install_checked(OWNER_OF(operation, struct install, put), INSTALL_STORING);
    if (result != DB_OK) {
        if (++install->tries >= LIMIT_OAUTH_STORE_TRIES || !install->front->engine)
            install_fail(install, OAUTH_UNAVAILABLE, "the tokens could not be stored");
        else
            loop_timer_set(install->again, STORE_AGAIN_US << install->tries, true);
        return;
    }
    install->state = INSTALL_PROFILING;
    if (!miro_profile(install->front->client, install->app, install->tokens.access,
                      install_profiled, install))
        install_succeed(install, PROFILE_LATER);
}

/* Stores the tokens; a full queue counts like a failed try. */
static void install_store(struct install *install)
{
    if (!front_submit(install->front, &people_install_batch, &install->put, install_stored))
        install_stored(&install->put, DB_GONE);
}

/* The pause before another try is over. */
static void install_again(void *arg)
{
    install_store(install_checked(arg, INSTALL_STORING));
}

/* Takes the tokens, and what they prove: whose they are, and of which team. */
static void install_take(struct install *install, struct miro_tokens *tokens)
{
    struct people_install *put = &install->put;
    install->tokens = *tokens;
    memset(tokens, 0, sizeof(*tokens));
    snprintf(put->client_id, sizeof(put->client_id), "%s", install->app->client_id);
    memcpy(put->user, install->tokens.user, sizeof(put->user));
    memcpy(put->team, install->tokens.team, sizeof(put->team));
    put->access = install->tokens.access;
    put->refresh = install->tokens.refresh;
    put->scope = install->tokens.scope;
    put->expires_at = install->tokens.expires_at;
    put->now = clock_now();
}

/* What Miro made of the code. */
static void install_exchanged(const struct miro_result *result, void *arg)
{
    struct install *install = install_checked(arg, INSTALL_EXCHANGING);
    switch (result->outcome) {
    case MIRO_OK:
        break;
    case MIRO_LATER:
        install_fail(install, OAUTH_MIRO_UNREACHABLE, result->error);
        return;
    case MIRO_REFUSED:
        install_fail(install, OAUTH_CODE_REFUSED, result->error);
        return;
    case MIRO_ABSENT:
    case MIRO_STRANGE:
        install_fail(install, OAUTH_MIRO_STRANGE, result->error);
        return;
    }
    if (result->tokens->user[0] == '\0' || result->tokens->team[0] == '\0') {
        install_fail(install, OAUTH_MIRO_STRANGE, "the token answer names no user or no team");
        return;
    }
    install_take(install, result->tokens);
    install->state = INSTALL_STORING;
    install_store(install);
}

/* Asks Miro for the tokens. */
static void install_exchange(struct install *install)
{
    struct buf redirect_uri = {0};
    install_redirect_uri(install->settings, &redirect_uri);
    install->state = INSTALL_EXCHANGING;
    if (!miro_exchange(install->front->client, install->app, install->code, redirect_uri.data,
                       install_exchanged, install))
        install_fail(install, OAUTH_UNAVAILABLE, "too many calls to Miro are under way");
    buf_free(&redirect_uri);
}

/* The state's nonce is recorded: only a first use goes on. */
static void install_spent(void *operation, enum db_result result)
{
    struct install *install =
        install_checked(OWNER_OF(operation, struct install, spent), INSTALL_SPENDING);
    if (result != DB_OK)
        install_fail(install, OAUTH_UNAVAILABLE, "the state could not be recorded");
    else if (!install->spent.fresh)
        install_fail(install, OAUTH_STATE_INVALID, "the state was used before");
    else
        install_exchange(install);
}

static struct address install_holder(const struct front *front, const struct http_request *request)
{
    struct address client = gate_client(front->gate, request);
    return address_holder(&client);
}

/* While Miro hangs, one address must not hold the places of all. */
bool installs_admit(struct front *front, struct http_request *request)
{
    struct address holder = install_holder(front, request);
    const struct install *install;
    size_t own = 0;
    LIST_FOREACH(install, &front->installs, link)
    own += memcmp(&install->holder, &holder, sizeof(holder)) == 0;
    if (own >= LIMIT_OAUTH_PER_ADDRESS && !gate_is_unlimited(front->gate, &holder)) {
        metrics_limited(front->metrics, LIMITED_INSTALLS_OF_ADDRESS);
        return false;
    }
    return gate_admit_install(front, request);
}

void install_begin(struct front *front, struct http_request *request,
                   const struct settings_miro *app, char *code, const struct oauth_state *state)
{
    struct install *install = xcalloc(1, sizeof(*install));
    install->magic = INSTALL_MAGIC;
    install->front = front;
    install->settings = settings_ref(front->settings);
    install->app = app;
    install->request = request;
    install->holder = install_holder(front, request);
    install->code = code;
    install->again = loop_timer_new(front->loop, install_again, install);
    LIST_INSERT_HEAD(&front->installs, install, link);
    front->install_count++;
    if (!state) {
        install_exchange(install);
        return;
    }
    memcpy(install->cookie, state->cookie, sizeof(install->cookie));
    memcpy(install->spent.nonce, state->nonce, sizeof(install->spent.nonce));
    install->spent.expires_at = state->expires_at;
    install->state = INSTALL_SPENDING;
    if (!front_submit(front, &people_state_batch, &install->spent, install_spent))
        install_fail(install, OAUTH_UNAVAILABLE, "the state could not be recorded");
}

/* Those that pause before another try are all that can be left when nothing is under way. */
void installs_stop(struct front *front)
{
    struct install *install;
    while ((install = LIST_FIRST(&front->installs)))
        install_fail(install_checked(install, INSTALL_STORING), OAUTH_UNAVAILABLE,
                     "the program stops");
}
