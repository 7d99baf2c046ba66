/*
 * Users whose profile is due: it is read again, and what it says is recorded. A token that has run
 * out is refreshed first; one that Miro refuses is refreshed before it is given up.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "miro/miro.h"
#include "people.h"
#include "refresh.h"
#include "store/people.h"

#define PROFILE_MAGIC 0x70726f66u
#define PROFILE_BATCH 16
/* A profile without an address is a normal state: it is asked again once a day. */
#define PROFILE_AGAIN TIME_DAY

enum profile_state {
    PROFILE_ASKING,     /* leased in miro_user; Miro is asked for the profile */
    PROFILE_REFRESHING, /* leased in miro_token too */
    PROFILE_OVER,       /* recorded, or put off */
};

/* One user's way; the database is written when an answer is there, on the same thread. */
struct profile_job {
    unsigned magic;
    enum profile_state state;
    struct worker *worker;
    struct people_pass *pass;
    struct people_due *due;
    const struct settings_miro *app;
    bool refused;   /* Miro answered 401 */
    bool refreshed; /* the token is Miro's newest */
    enum db_result result;
    size_t *left;
};

static struct profile_job *checked(struct profile_job *job, enum profile_state state)
{
    if (job->magic != PROFILE_MAGIC || job->state != state)
        die("profiles: a stray callback");
    return job;
}

/* --- the ends ------------------------------------------------------------------------------ */

static void finish(struct profile_job *job, enum db_result result)
{
    job->state = PROFILE_OVER;
    job->result = result;
    --*job->left;
}

static void put_off(struct profile_job *job, int64_t due_at, const char *detail)
{
    log_warn("people", "profile_later", LOG_S("user", job->due->token.user),
             LOG_S("team", job->due->token.team), LOG_S("detail", detail));
    job->pass->report.profiles_put_off++;
    finish(job, people_put_off(job->worker->db, job->due->token.user, due_at));
}

/* The user may have another team's token, or this one's successor: at once again. If there is none,
 * the next claim sees it, and the user is out of the queue. */
static void again(struct profile_job *job)
{
    finish(job, people_put_off(job->worker->db, job->due->token.user, job->pass->due_before));
}

/* Marks the token, and loses nothing else. */
static void refuse(struct profile_job *job, const char *detail)
{
    const struct token_key *key = &job->due->token;
    bool marked = false;
    enum db_result result = token_refuse(job->worker->db, key, clock_now(), &marked);

    if (result != DB_OK) {
        finish(job, result);
        return;
    }
    if (marked) {
        log_warn("tokens", "refused", LOG_S("user", key->user), LOG_S("team", key->team),
                 LOG_S("app", key->client_id), LOG_S("detail", detail));
        job->pass->report.tokens_refused++;
        people_tell(job->pass, key, "token refused by Miro");
    }
    again(job);
}

static void record(struct profile_job *job, const struct miro_profile *read)
{
    static const char *const outcomes[] = {"linked", "held", "contested", "no_address"};
    const struct token_key *key = &job->due->token;
    struct people_profile profile = {.now = clock_now(), .due_at = TIME_NONE};
    bool mine = strcmp(read->user, key->user) == 0;
    enum db_result result;

    memcpy(profile.user, key->user, sizeof(profile.user));
    memcpy(profile.state, read->state, sizeof(profile.state));
    profile.address = mine ? read->address : NULL;
    if (profile.address == NULL)
        profile.due_at = profile.now + PROFILE_AGAIN;
    if (!mine)
        log_warn("people", "profile_of_another", LOG_S("user", key->user),
                 LOG_S("profile", read->user));
    result = people_record_profile(job->worker->db, job->worker->vault, &profile);
    if (result == DB_OK) {
        log_info("people", "profile_read", LOG_S("user", profile.user),
                 LOG_S("outcome", outcomes[profile.outcome]));
        job->pass->report.profiles_read++;
    }
    if (result == DB_OK && profile.outcome == LINK_MADE) {
        job->pass->report.addresses_linked++;
        people_tell(job->pass, key, "the profile's address linked");
    } else if (result == DB_OK && profile.outcome == LINK_CONTESTED) {
        job->pass->report.addresses_contested++;
        people_tell(job->pass, key, "the profile's address contested");
    }
    finish(job, result);
}

/* --- the calls ----------------------------------------------------------------------------- */

static void refresh(struct profile_job *job);

/* Miro counts calls by user: the user's tokens wait too. */
static void limited(struct profile_job *job, const struct miro_result *miro)
{
    int64_t due_at = refresh_again_at(job->due->attempts, miro->retry_after_us);
    enum db_result result = tokens_limit_user(job->worker->db, &job->due->token, due_at);

    if (result == DB_OK)
        put_off(job, due_at, miro->error);
    else
        finish(job, result);
}

static void answered(const struct miro_result *miro, void *arg)
{
    struct profile_job *job = checked(arg, PROFILE_ASKING);

    switch (miro->outcome) {
    case MIRO_OK:
        record(job, miro->profile);
        return;
    case MIRO_REFUSED:
        job->refused = true;
        if (job->due->refreshable && !job->refreshed)
            refresh(job);
        else
            refuse(job, miro->error);
        return;
    case MIRO_ABSENT:
    case MIRO_STRANGE:
        put_off(job, clock_now() + PROFILE_AGAIN, miro->error);
        return;
    case MIRO_LATER:
        if (miro->status == 429)
            limited(job, miro);
        else
            put_off(job, refresh_again_at(job->due->attempts, miro->retry_after_us), miro->error);
        return;
    }
}

static void ask(struct profile_job *job)
{
    job->state = PROFILE_ASKING;
    if (!miro_profile(job->worker->client, job->app, job->due->access, answered, job))
        put_off(job, refresh_again_at(job->due->attempts, -1), "too many calls are under way");
}

/* The new token, if there is one. Without one a 401 stands. */
static void refresh_ended(const struct refresh_result *result, void *arg)
{
    struct profile_job *job = checked(arg, PROFILE_REFRESHING);
    struct people_report *report = &job->pass->report;

    if (result->result != DB_OK) {
        finish(job, result->result);
        return;
    }
    switch (result->outcome) {
    case REFRESH_DONE:
        report->tokens_refreshed++;
        people_tell(job->pass, &job->due->token, "token refreshed");
        people_due_free(job->due);
        job->due->access = xstrdup(result->access);
        job->due->token.generation++;
        job->refreshed = true;
        ask(job);
        return;
    case REFRESH_REFUSED:
        report->tokens_refused++;
        people_tell(job->pass, &job->due->token, "token refused by Miro");
        again(job);
        return;
    case REFRESH_SUPERSEDED:
        again(job);
        return;
    case REFRESH_SPENT:
        report->tokens_put_off++;
        if (job->refused)
            refuse(job, "refused, and its refresh gave nothing that is of use");
        else
            put_off(job, result->due_at, "its token could not be refreshed");
        return;
    case REFRESH_LATER:
        report->tokens_put_off++;
        put_off(job, result->due_at, "its token could not be refreshed yet");
        return;
    }
}

/* Whoever else has the token's lease will have refreshed it in a moment. */
static void refresh(struct profile_job *job)
{
    struct worker *worker = job->worker;
    int64_t pause = refresh_paused(worker, job->app);
    struct token_claim claim = {
        .owner = worker->owner, .now = clock_now(), .due_before = TOKEN_DUE_OR_NOT};
    enum db_result result = DB_OK;

    job->state = PROFILE_REFRESHING;
    if (pause == 0)
        result = token_claim(worker->db, worker->vault, &job->due->token, &claim);
    if (result != DB_OK)
        finish(job, result);
    else if (pause > 0)
        put_off(job, clock_now() + pause, "no token of its app can be refreshed now");
    else if (!claim.claimed)
        put_off(job, refresh_again_at(job->due->attempts, -1), "its token is being refreshed");
    else
        refresh_begin(worker, job->app, &claim.row, refresh_ended, job);
}

/* An app that left the configuration may come back: its users wait. */
static void begin(struct profile_job *job)
{
    job->app = settings_miro_by_client(job->worker->settings, job->due->token.client_id);
    if (job->app == NULL)
        put_off(job, clock_now() + PROFILE_AGAIN, "its app is not in the configuration");
    else if (job->due->expired)
        refresh(job);
    else
        ask(job);
}

enum db_result profiles_pass(struct worker *worker, struct people_pass *pass, struct round *round)
{
    struct people_due due[PROFILE_BATCH] = {0};
    struct profile_job jobs[PROFILE_BATCH];
    struct people_claim claim = {.owner = worker->owner,
                                 .now = clock_now(),
                                 .due_before = pass->due_before,
                                 .out = due,
                                 .most = PROFILE_BATCH};
    enum db_result result = people_claim_due(worker->db, worker->vault, &claim);
    size_t left = claim.count;

    round->more = round->more || claim.seen > 0;
    if (result != DB_OK || claim.count == 0)
        return result;
    for (size_t i = 0; i < claim.count; i++) {
        jobs[i] = (struct profile_job){
            .magic = PROFILE_MAGIC, .worker = worker, .pass = pass, .due = &due[i], .left = &left};
        begin(&jobs[i]);
    }
    result = worker_wait_calls(worker, &left);
    for (size_t i = 0; i < claim.count; i++) {
        if (jobs[i].result != DB_OK)
            result = jobs[i].result;
        people_due_free(&due[i]);
    }
    round->done += claim.count;
    return result;
}

enum db_result profile_round(struct worker *worker, struct round *round)
{
    struct people_pass pass = {.due_before = clock_now()};

    return profiles_pass(worker, &pass, round);
}
