/*
 * Tokens whose end comes near, each claimed by itself before Miro is asked for its successor.
 */
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "people.h"
#include "refresh.h"

/* Refreshes under way at a time; of how many that are due they are picked, so that several workers
 * do not reach for the same ones. */
#define TOKEN_BATCH 16
#define TOKEN_LOOK 64

/* What is under way for one app. */
struct token_batch {
    struct worker *worker;
    struct people_pass *pass;
    size_t left;
    enum db_result result;
};
struct token_job {
    struct token_batch *batch;
    struct token_key key;
};

static void count(struct people_pass *pass, const struct token_key *key,
                  enum refresh_outcome outcome)
{
    switch (outcome) {
    case REFRESH_DONE:
        pass->report.tokens_refreshed++;
        people_tell(pass, key, "token refreshed");
        return;
    case REFRESH_REFUSED:
        pass->report.tokens_refused++;
        people_tell(pass, key, "token refused by Miro");
        return;
    case REFRESH_LATER:
    case REFRESH_SPENT:
        pass->report.tokens_put_off++;
        return;
    case REFRESH_SUPERSEDED: /* whoever wrote the other pair counts it */
        return;
    }
}

static void refreshed(const struct refresh_result *result, void *arg)
{
    struct token_job *job = arg;

    job->batch->left--;
    if (result->result != DB_OK)
        job->batch->result = result->result;
    else
        count(job->batch->pass, &job->key, result->outcome);
}

/* Claims one and begins; false in *begun if somebody else has it. */
static enum db_result begin(struct token_batch *batch, const struct settings_miro *app,
                            const struct token_key *key, struct token_job *job, bool *begun)
{
    struct worker *worker = batch->worker;
    struct token_claim claim = {
        .owner = worker->owner, .now = clock_now(), .due_before = batch->pass->due_before};
    enum db_result result = token_claim(worker->db, worker->vault, key, &claim);

    *begun = result == DB_OK && claim.claimed;
    if (!*begun)
        return result;
    *job = (struct token_job){batch, *key};
    batch->left++;
    refresh_begin(worker, app, &claim.row, refreshed, job);
    return DB_OK;
}

/* A piece of one app's. Before its secret is proven one is tried: if it is wrong, one call tells.
 */
static enum db_result app_pass(struct worker *worker, const struct settings_miro *app,
                               struct people_pass *pass, struct round *round)
{
    struct token_key keys[TOKEN_LOOK];
    struct token_job jobs[TOKEN_BATCH];
    struct token_batch batch = {worker, pass, 0, DB_OK};
    size_t found = 0, begun = 0, most = refresh_proven(worker, app) ? TOKEN_BATCH : 1;
    uint32_t random;
    enum db_result result = tokens_due(worker->db, app->client_id, pass->due_before, keys,
                                       TOKEN_LOOK, &found),
                   waited;

    digest_random(&random, sizeof(random));
    for (size_t i = 0; result == DB_OK && i < found && begun < most; i++) {
        bool mine;

        result = begin(&batch, app, &keys[(random + i) % found], &jobs[begun], &mine);
        begun += mine;
    }
    waited = worker_wait_calls(worker, &batch.left);
    round->done += begun;
    round->more = round->more || found > 0;
    return result != DB_OK ? result : batch.result != DB_OK ? batch.result : waited;
}

enum db_result tokens_pass(struct worker *worker, struct people_pass *pass, struct round *round)
{
    enum db_result result = DB_OK;

    for (size_t i = 0; result == DB_OK && i < worker->settings->miro_count; i++) {
        const struct settings_miro *app = &worker->settings->miro[i];

        if (!worker->stopping && refresh_paused(worker, app) == 0)
            result = app_pass(worker, app, pass, round);
    }
    return result;
}

enum db_result token_round(struct worker *worker, struct round *round)
{
    struct people_pass pass = {.due_before = clock_now()};

    return tokens_pass(worker, &pass, round);
}
