#include "refresh.h"

#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "miro/miro.h"

#define REFRESH_MAGIC 0x72656672u
/* When no token of an app can be refreshed, none is for a while, longer each time. */
#define PAUSE_LEAST (10 * TIME_SECOND)
#define PAUSE_MOST (5 * TIME_MINUTE)
/* A pair that Miro gave is kept for the database to come back: the pauses double to the most. */
#define STORE_AGAIN (TIME_SECOND / 5)
#define STORE_AGAIN_MOST (5 * TIME_SECOND)
/* Miro's refresh tokens live as long: an older one is dead, whatever the words. */
#define REFRESH_LIFE (60 * TIME_DAY)
#define AGAIN_MOST TIME_DAY

#define REMEDY_SECRET                                                        \
    "put the app's client secret, as Miro's app settings show it, into its " \
    "client_secret_file, and reload"
#define REMEDY_ADDRESS "see that the app's api_url is Miro's API"

enum refresh_state {
    REFRESH_ASKING,   /* leased in miro_token; Miro has the refresh token */
    REFRESH_CHECKING, /* refused without a word why: is the access token dead, too? */
    REFRESH_STORING,  /* the new pair is in this process only, and on its way to miro_token */
};

struct refresh {
    unsigned magic;
    enum refresh_state state;
    struct worker *worker;
    const struct settings_miro *app;
    struct token_row row;
    struct miro_tokens fresh;
    int64_t issued_at; /* of the new pair; the same at each try to store it */
    unsigned tries;
    struct loop_timer *again;
    struct miro_result refusal; /* while checking: what is to be judged */
    refresh_done *done;
    void *arg;
};

static struct refresh *checked(struct refresh *refresh, enum refresh_state state)
{
    if (refresh->magic != REFRESH_MAGIC || refresh->state != state)
        die("refresh: a stray callback");
    return refresh;
}

/* --- the app ------------------------------------------------------------------------------- */

static size_t app_index(const struct worker *worker, const struct settings_miro *app)
{
    return (size_t)(app - worker->settings->miro);
}

int64_t refresh_paused(const struct worker *worker, const struct settings_miro *app)
{
    int64_t left = worker->miro[app_index(worker, app)].until - clock_monotonic();

    return left > 0 ? left : 0;
}

bool refresh_proven(const struct worker *worker, const struct settings_miro *app)
{
    return worker->miro[app_index(worker, app)].proven;
}

int64_t refresh_again_at(uint32_t attempts, int64_t retry_after_us)
{
    int64_t delay = backoff(attempts);

    if (retry_after_us > delay)
        delay = retry_after_us;
    return clock_now() + (delay < AGAIN_MOST ? delay : AGAIN_MOST);
}

static void app_works(const struct refresh *refresh)
{
    size_t index = app_index(refresh->worker, refresh->app);

    refresh->worker->miro[index].proven = true;
    refresh->worker->miro[index].failures = 0;
    refresh->worker->miro[index].until = 0;
}

/* Calls that were under way together count once. `remedy` (or NULL): what an operator can do. */
static void app_fails(const struct refresh *refresh, const struct miro_result *miro,
                      const char *remedy)
{
    struct worker *worker = refresh->worker;
    size_t index = app_index(worker, refresh->app);
    int64_t pause = PAUSE_LEAST;

    worker->miro[index].proven = false;
    if (refresh_paused(worker, refresh->app) > 0)
        return;
    for (unsigned i = 0; i < worker->miro[index].failures && pause < PAUSE_MOST; i++)
        pause *= 2;
    pause = pause < PAUSE_MOST ? pause : PAUSE_MOST;
    worker->miro[index].failures++;
    worker->miro[index].until = clock_monotonic() + pause;
    if (remedy != NULL)
        log_error("tokens", "app_misconfigured", LOG_S("app", refresh->app->client_id),
                  LOG_S("detail", miro->error), LOG_I("pause_seconds", pause / TIME_SECOND),
                  LOG_S("remedy", remedy));
    else
        log_warn("tokens", "miro_away", LOG_S("app", refresh->app->client_id),
                 LOG_S("detail", miro->error), LOG_I("pause_seconds", pause / TIME_SECOND));
}

/* --- the ends ------------------------------------------------------------------------------ */

/* Tells, and frees. */
static void finish(struct refresh *refresh, enum refresh_outcome outcome, int64_t due_at,
                   enum db_result result)
{
    struct refresh_result told = {.outcome = outcome,
                                  .access = outcome == REFRESH_DONE ? refresh->fresh.access : NULL,
                                  .due_at = due_at,
                                  .result = result};

    refresh->done(&told, refresh->arg);
    refresh->magic = 0;
    loop_timer_free(refresh->again);
    token_row_free(&refresh->row);
    miro_tokens_free(&refresh->fresh);
    free(refresh);
}

static void log_end(const struct refresh *refresh, enum log_level level, const char *event,
                    const char *detail)
{
    log_write(level, "tokens", event, LOG_S("user", refresh->row.key.user),
              LOG_S("team", refresh->row.key.team), LOG_S("app", refresh->row.key.client_id),
              LOG_S("detail", detail));
}

static void put_off(struct refresh *refresh, enum refresh_outcome outcome, int64_t due_at,
                    uint32_t attempts)
{
    enum db_result result = token_put_off(refresh->worker->db, &refresh->row.key,
                                          refresh->worker->owner, due_at, attempts);

    finish(refresh, outcome, due_at, result);
}

/* The token's own fault, or an answer that is nobody's: it alone waits. */
static void later(struct refresh *refresh, const struct miro_result *miro,
                  enum refresh_outcome outcome)
{
    log_end(refresh, LOG_WARN, "refresh_later", miro->error);
    put_off(refresh, outcome, refresh_again_at(refresh->row.attempts, miro->retry_after_us),
            refresh->row.attempts + 1);
}

/* Nobody's token could be refreshed: this one has not failed, and waits as long as the others. */
static void later_all(struct refresh *refresh, const struct miro_result *miro, const char *remedy)
{
    int64_t now = clock_now();

    app_fails(refresh, miro, remedy);
    put_off(refresh, REFRESH_LATER, now + refresh_paused(refresh->worker, refresh->app),
            refresh->row.attempts);
}

/* 429: the limit is the user's, whichever of the tokens is used. */
static void later_user(struct refresh *refresh, const struct miro_result *miro)
{
    int64_t due_at = refresh_again_at(refresh->row.attempts, miro->retry_after_us);
    enum db_result result =
        token_put_off(refresh->worker->db, &refresh->row.key, refresh->worker->owner, due_at,
                      refresh->row.attempts + 1);

    log_end(refresh, LOG_WARN, "refresh_limited", miro->error);
    if (result == DB_OK)
        result = tokens_limit_user(refresh->worker->db, &refresh->row.key, due_at);
    finish(refresh, REFRESH_LATER, due_at, result);
}

static void refuse(struct refresh *refresh, const char *detail)
{
    bool marked = false;
    enum db_result result =
        token_refuse(refresh->worker->db, &refresh->row.key, clock_now(), &marked);

    log_end(refresh, LOG_WARN, marked ? "refused" : "refused_superseded", detail);
    finish(refresh, marked ? REFRESH_REFUSED : REFRESH_SUPERSEDED, TIME_NONE, result);
}

/* --- the new pair -------------------------------------------------------------------------- */

/* The old pair is dead at Miro: this one is stored, or the user has to sign in again. */
static void store(struct refresh *refresh)
{
    const struct token_pair pair = {.access = refresh->fresh.access,
                                    .refresh = refresh->fresh.refresh,
                                    .scope = refresh->fresh.scope,
                                    .expires_at = refresh->fresh.expires_at};
    bool stored = false;
    enum db_result result = token_store(refresh->worker->db, refresh->worker->vault, &refresh->row,
                                        &pair, refresh->issued_at, &stored);
    int64_t pause = STORE_AGAIN << (refresh->tries < 10 ? refresh->tries : 10);

    if (result != DB_OK && ++refresh->tries < LIMIT_TOKEN_STORE_TRIES) {
        log_end(refresh, LOG_WARN, "store_again", db_error(refresh->worker->db));
        loop_timer_set(refresh->again, pause < STORE_AGAIN_MOST ? pause : STORE_AGAIN_MOST, true);
        return;
    }
    if (result != DB_OK)
        log_end(refresh, LOG_ERROR, "lost",
                "the database was away too long: the user has to sign in again");
    else
        log_end(refresh, stored ? LOG_INFO : LOG_WARN, stored ? "refreshed" : "superseded", "");
    finish(refresh, stored ? REFRESH_DONE : REFRESH_SUPERSEDED, TIME_NONE, result);
}

static void store_again(void *arg)
{
    store(checked(arg, REFRESH_STORING));
}

/* Whether the answer is about this row: a refresh may leave ids out, but not change them. */
static bool same_ids(const struct refresh *refresh, const struct miro_tokens *fresh)
{
    const struct token_key *key = &refresh->row.key;

    return (fresh->user[0] == '\0' || strcmp(fresh->user, key->user) == 0) &&
           (fresh->team[0] == '\0' || strcmp(fresh->team, key->team) == 0);
}

static void take(struct refresh *refresh, const struct miro_result *miro)
{
    app_works(refresh);
    if (!same_ids(refresh, miro->tokens)) {
        struct miro_result odd = *miro;

        odd.error = "Miro's answer to the refresh is about another user or team";
        later(refresh, &odd, REFRESH_SPENT);
        return;
    }
    refresh->fresh = *miro->tokens;
    memset(miro->tokens, 0, sizeof(*miro->tokens));
    refresh->issued_at = clock_now();
    refresh->state = REFRESH_STORING;
    store(refresh);
}

/* --- refusals ------------------------------------------------------------------------------ */

static void answered_check(const struct miro_result *miro, void *arg)
{
    struct refresh *refresh = checked(arg, REFRESH_CHECKING);

    if (miro->outcome == MIRO_REFUSED)
        refuse(refresh, miro->error);
    else if (miro->outcome == MIRO_OK) /* so it is us whom Miro refuses */
        later_all(refresh, &refresh->refusal, REMEDY_SECRET);
    else
        later(refresh, miro, REFRESH_LATER);
}

/*
 * Refused, but it is not said what. A wrong secret of ours must not cost anybody a token: the token
 * is dead only if its time is over, or if Miro refuses the access token, for which no secret is
 * needed, while that should live.
 */
static void judge(struct refresh *refresh, const struct miro_result *miro)
{
    int64_t now = clock_now();
    bool lives = refresh->row.expires_at == TIME_NONE || refresh->row.expires_at > now;

    if (now - refresh->row.issued_at > REFRESH_LIFE) {
        refuse(refresh, miro->error);
        return;
    }
    refresh->state = REFRESH_CHECKING;
    refresh->refusal = (struct miro_result){
        .error = "Miro refuses to refresh a token that is alive, and does not say why",
        .retry_after_us = -1};
    if (!lives || !miro_check(refresh->worker->client, refresh->app, refresh->row.access,
                              answered_check, refresh))
        later(refresh, miro, REFRESH_LATER);
}

static void refused(struct refresh *refresh, const struct miro_result *miro)
{
    switch (miro->refusal) {
    case MIRO_REFUSES_TOKEN:
        app_works(refresh);
        refuse(refresh, miro->error);
        return;
    case MIRO_REFUSES_CLIENT:
        later_all(refresh, miro, REMEDY_SECRET);
        return;
    case MIRO_REFUSES_UNSAID:
        judge(refresh, miro);
        return;
    }
}

static void answered(const struct miro_result *miro, void *arg)
{
    struct refresh *refresh = checked(arg, REFRESH_ASKING);

    switch (miro->outcome) {
    case MIRO_OK:
        take(refresh, miro);
        return;
    case MIRO_REFUSED:
        refused(refresh, miro);
        return;
    case MIRO_LATER:
        if (miro->status == 429)
            later_user(refresh, miro);
        else
            later_all(refresh, miro, NULL);
        return;
    case MIRO_ABSENT:
    case MIRO_STRANGE:
        if (miro->status == 200)
            later(refresh, miro, REFRESH_SPENT);
        else
            later_all(refresh, miro, REMEDY_ADDRESS);
        return;
    }
}

void refresh_begin(struct worker *worker, const struct settings_miro *app, struct token_row *row,
                   refresh_done *done, void *arg)
{
    struct refresh *refresh = xcalloc(1, sizeof(*refresh));

    *refresh = (struct refresh){.magic = REFRESH_MAGIC,
                                .state = REFRESH_ASKING,
                                .worker = worker,
                                .app = app,
                                .row = *row,
                                .done = done,
                                .arg = arg};
    memset(row, 0, sizeof(*row));
    refresh->again = loop_timer_new(worker->loop, store_again, refresh);
    if (!miro_refresh(worker->client, app, refresh->row.refresh, answered, refresh))
        later(refresh,
              &(struct miro_result){.error = "too many calls are under way", .retry_after_us = -1},
              REFRESH_LATER);
}
