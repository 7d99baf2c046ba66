/*
 * Users whose token has no address yet: their profile is read again, and what it says is recorded.
 */
#include <string.h>

#include "backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "miro/miro.h"
#include "store/people.h"
#include "worker.h"

#define PROFILE_BATCH 16
/* A profile without an address is a normal state: it is asked again once a day. */
#define PROFILE_AGAIN TIME_DAY

/* One user's call; the database is written when the answer is there, on the same thread. */
struct profile_call {
    struct worker *worker;
    struct people_due *due;
    enum db_result result;
    size_t *left;
};

static enum db_result record(struct profile_call *call, const struct miro_profile *read)
{
    struct people_profile profile = {.now = clock_now()};
    static const char *const outcomes[] = {"linked", "held", "contested", "no_address"};
    bool mine = strcmp(read->user, call->due->user) == 0;
    enum db_result result;

    memcpy(profile.user, call->due->user, sizeof(profile.user));
    memcpy(profile.state, read->state, sizeof(profile.state));
    profile.address = mine ? read->address : NULL;
    profile.due_at = profile.address == NULL ? profile.now + PROFILE_AGAIN : TIME_NONE;
    if (!mine)
        log_warn("people", "profile_of_another", LOG_S("user", call->due->user),
                 LOG_S("profile", read->user));
    result = people_record_profile(call->worker->db, call->worker->vault, &profile);
    if (result == DB_OK)
        log_info("people", "profile_read", LOG_S("user", profile.user),
                 LOG_S("outcome", outcomes[profile.outcome]));
    return result;
}

/* No profile this time: when to ask again depends on what Miro said. */
static enum db_result failed(const struct profile_call *call, const struct miro_result *miro)
{
    int64_t now = clock_now(), due_at = now + backoff(call->due->attempts);
    bool refused = miro->outcome == MIRO_REFUSED;

    if (refused)
        due_at = now; /* by another team's token, if there is one */
    else if (miro->outcome == MIRO_ABSENT || miro->outcome == MIRO_STRANGE)
        due_at = now + PROFILE_AGAIN;
    else if (miro->retry_after_us > 0 && now + miro->retry_after_us > due_at)
        due_at = now + miro->retry_after_us;
    log_warn("people", "profile_failed", LOG_S("user", call->due->user),
             LOG_S("team", call->due->team), LOG_I("refused", refused),
             LOG_S("detail", miro->error == NULL ? "" : miro->error));
    return people_profile_failed(call->worker->db, call->due, refused, now, due_at);
}

static void answered(const struct miro_result *miro, void *arg)
{
    struct profile_call *call = arg;

    --*call->left;
    call->result = miro->outcome == MIRO_OK ? record(call, miro->profile) : failed(call, miro);
}

static enum db_result call_all(struct worker *worker, struct profile_call *calls, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        const struct settings_miro *app =
            settings_miro_by_client(worker->settings, calls[i].due->client_id);

        if (app == NULL) { /* the app left the configuration: its users wait until it is back */
            calls[i].result = people_profile_failed(worker->db, calls[i].due, false, clock_now(),
                                                    clock_now() + PROFILE_AGAIN);
            continue;
        }
        left++;
        calls[i].left = &left;
        while (!miro_profile(worker->client, app, calls[i].due->access, answered, &calls[i]))
            loop_turn(worker->loop, -1);
    }
    return worker_wait_calls(worker, &left);
}

enum db_result profile_round(struct worker *worker, struct round *round)
{
    struct people_due due[PROFILE_BATCH] = {0};
    struct profile_call calls[PROFILE_BATCH];
    size_t count = 0, seen = 0;
    enum db_result result = people_claim_due(worker->db, worker->vault, worker->owner, clock_now(),
                                             due, PROFILE_BATCH, &count, &seen);

    round->more = round->more || seen > 0;
    if (result != DB_OK || count == 0)
        return result;
    for (size_t i = 0; i < count; i++)
        calls[i] = (struct profile_call){worker, &due[i], DB_OK, NULL};
    result = call_all(worker, calls, count);
    for (size_t i = 0; i < count; i++) {
        if (calls[i].result != DB_OK)
            result = calls[i].result;
        people_due_free(&due[i]);
    }
    round->done += count;
    return result;
}
