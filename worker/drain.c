/*
 * The inbox: lease, read, fetch what is lacking, apply. What cannot be understood is set aside with
 * its reason; what failed comes again later; neither blocks the ones behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch.h"
#include "job.h"
#include "store/inbox.h"
#include "worker.h"

/* While answers are awaited: when to drain the rest at first, how long to pause where there was
 * nothing, and how far waits may stand one within the other. */
#define PATIENCE (TIME_SECOND / 4)
#define LOOK_AGAIN (TIME_SECOND / 5)
#define WAITS_MOST 2

/* Answers may lack something too (a refund's payment, whose order's buyer is asked for): rounds of
 * calls. */
#define FETCH_ROUNDS 4

/* Batches of one round, while they are merged beside each other: the other parts of the work wait
 * for it. */
#define ROUND_BATCHES 16

/* The calls of a batch, and the job each is for. */
struct fetches {
    struct fetch_task *tasks;
    struct job **jobs;
    size_t count;
};

/* The jobs of a batch that wait for one shop. No shop's wait for another's answers. */
struct group {
    struct fetches rounds[FETCH_ROUNDS];
    size_t round; /* under way, if `waits` */
    bool waits;   /* until it is applied */
    size_t left;  /* calls of the round that are not answered yet */
};

/* Leased together; groups[0] asks for nothing, the others stand in the order of the sources. */
struct drain {
    struct worker *worker;
    struct job *jobs;
    size_t job_count;
    struct group *groups;
    size_t group_count;
};

static struct shop_fetch *fetches_add(struct fetches *fetches, struct job *job)
{
    struct fetch_task *task;

    fetches->tasks = xreallocarray(fetches->tasks, fetches->count + 1, sizeof(*fetches->tasks));
    fetches->jobs = xreallocarray(fetches->jobs, fetches->count + 1, sizeof(struct job *));
    task = &fetches->tasks[fetches->count];
    memset(task, 0, sizeof(*task));
    task->source = job->source;
    task->owner = job;
    fetches->jobs[fetches->count++] = job;
    return &task->fetch;
}

static void fetches_drop_last(struct fetches *fetches)
{
    fetch_task_free(&fetches->tasks[--fetches->count]);
}

static void fetches_free(struct fetches *fetches)
{
    while (fetches->count > 0)
        fetches_drop_last(fetches);
    xfree(fetches->tasks);
    xfree(fetches->jobs);
}

/* Whether the very same call was planned for this job before: answers may name what they were asked
 * for, and each other. */
static bool is_planned(const struct group *group, const struct job *job,
                       const struct shop_fetch *fetch)
{
    for (size_t r = 0; r < FETCH_ROUNDS; r++) {
        const struct fetches *round = &group->rounds[r];

        for (size_t i = 0; i < round->count; i++) {
            const struct shop_fetch *other = &round->tasks[i].fetch;

            if (round->jobs[i] == job && other != fetch && other->target != NULL &&
                strcmp(other->target, fetch->target) == 0)
                return true;
        }
    }
    return false;
}

/* Plans the call that answers a need. What is essential and cannot be asked for is left to a
 * person. */
static void want(struct job *job, const struct fact_order *order, const struct fact_need *need,
                 struct group *group, size_t round)
{
    struct fetches *fetches = &group->rounds[round];
    char detail[256];

    if (shop_has_api(job->source)) {
        struct shop_fetch *fetch = fetches_add(fetches, job);

        if (shop_fetch_for(job->source, order->id, need, fetch) == 0) {
            if (is_planned(group, job, fetch))
                fetches_drop_last(fetches);
            return;
        }
        fetches_drop_last(fetches);
    }
    if (!need->essential)
        return;
    if (shop_has_api(job->source))
        snprintf(detail, sizeof(detail),
                 "it does not tell the %s, and this shop has no call for it",
                 fact_need_name(need->kind));
    else
        snprintf(detail, sizeof(detail), "it does not tell the %s: set api_url and api_key_file",
                 fact_need_name(need->kind));
    job_set_aside(job, SET_ASIDE_NEEDS_API_KEY, detail);
}

/* Plans what the evidence of one job lacks. */
static enum db_result plan_facts(struct worker *worker, struct job *job, const struct facts *facts,
                                 struct group *group, size_t round)
{
    for (size_t o = 0; o < facts->order_count; o++) {
        const struct fact_order *order = &facts->orders[o];

        for (size_t n = 0; n < order->need_count; n++) {
            bool met;
            enum db_result result =
                orders_need_met(worker->db, job->item.source_id, order, &order->needs[n], &met);

            if (result != DB_OK)
                return result;
            if (!met)
                want(job, order, &order->needs[n], group, round);
        }
    }
    return DB_OK;
}

/* What the deliveries themselves make it ask for. */
static enum db_result plan_fetches(const struct drain *drain)
{
    for (size_t i = 0; i < drain->job_count; i++) {
        struct job *job = &drain->jobs[i];
        enum db_result result;
        size_t group, before;

        if (job->outcome.result != INBOX_DONE)
            continue;
        group = 1 + fetch_source_index(drain->worker, job->source);
        before = drain->groups[group].rounds[0].count;
        result = plan_facts(drain->worker, job, &job->facts, &drain->groups[group], 0);
        if (result != DB_OK)
            return result;
        if (drain->groups[group].rounds[0].count > before)
            job->group = group;
    }
    return DB_OK;
}

/* What a failed call means for its delivery: the facts it carries are applied all the same. */
static void note_failures(const struct fetches *fetches)
{
    for (size_t i = 0; i < fetches->count; i++) {
        const struct fetch_task *task = &fetches->tasks[i];

        if (task->verdict == SHOP_ANSWER_LATER && !task->asked)
            job_postpone(fetches->jobs[i], task->detail, task->retry_after_us);
        else if (task->verdict == SHOP_ANSWER_LATER)
            job_retry(fetches->jobs[i], task->detail, task->retry_after_us);
        else if (task->verdict == SHOP_ANSWER_REFUSED)
            job_set_aside(fetches->jobs[i], SET_ASIDE_FETCH_FAILED, task->detail);
    }
}

/* What a batch applies: jobs, and the answers that came for them. */
struct portion {
    struct job **jobs;
    size_t count;
    const struct fetches *answers; /* FETCH_ROUNDS of them, or NULL */
};

static bool portion_has(const struct portion *portion, const struct job *job)
{
    for (size_t i = 0; i < portion->count; i++) {
        if (portion->jobs[i] == job)
            return true;
    }
    return false;
}

static enum db_result apply_portion(struct lane *lane, const struct portion *portion)
{
    struct inbox_outcome *outcomes = xcalloc(portion->count + 1, sizeof(*outcomes));
    struct news_list news = {0};
    enum db_result result;

    for (size_t i = 0; i < portion->count; i++) {
        const struct job *job = portion->jobs[i];

        outcomes[i] = job->outcome;
        news_add(&news, job->item.source_id, &job->facts, job->item.id);
    }
    for (size_t r = 0; portion->answers != NULL && r < FETCH_ROUNDS; r++) {
        const struct fetches *answers = &portion->answers[r];

        for (size_t i = 0; i < answers->count; i++) {
            const struct job *job = answers->jobs[i];

            if (portion_has(portion, job))
                news_add_answer(&news, job->item.source_id, &answers->tasks[i].facts, job->item.id);
        }
    }
    result = apply_news(lane, &news, true, outcomes, portion->count);
    for (size_t i = 0; result == DB_OK && i < portion->count; i++)
        portion->jobs[i]->outcome = outcomes[i];
    news_free(&news);
    free(outcomes);
    return result;
}

/* A job whose facts the store refuses keeps nobody else waiting: without them it is put off. */
static enum db_result apply_alone(struct lane *lane, struct job *job, const struct portion *whole)
{
    struct portion alone = {&job, 1, whole->answers};
    enum db_result result = apply_portion(lane, &alone);

    if (result != DB_FAILED && result != DB_DUPLICATE)
        return result;
    facts_free(&job->facts);
    job_retry(job, "its facts could not be stored: see the worker's log", 0);
    alone.answers = NULL;
    return apply_portion(lane, &alone);
}

/* The whole portion in one transaction; if the store refuses that, one by one. */
static enum db_result apply_jobs(struct lane *lane, const struct portion *portion)
{
    enum db_result result = DB_OK;

    if (portion->count == 0)
        return DB_OK;
    result = apply_portion(lane, portion);
    if (result != DB_FAILED && result != DB_DUPLICATE)
        return result;
    result = DB_OK;
    for (size_t i = 0; i < portion->count && result == DB_OK; i++)
        result = apply_alone(lane, portion->jobs[i], portion);
    return result;
}

/* Applies the jobs of a group, with the answers they waited for. */
static enum db_result apply_group(const struct drain *drain, size_t number)
{
    struct group *group = &drain->groups[number];
    struct portion portion = {xcalloc(drain->job_count, sizeof(struct job *)), 0, group->rounds};
    enum db_result result;

    for (size_t i = 0; i < drain->job_count; i++) {
        if (drain->jobs[i].group == number)
            portion.jobs[portion.count++] = &drain->jobs[i];
    }
    result = apply_jobs(&drain->worker->lanes[0], &portion);
    free(portion.jobs);
    return result;
}

/* A group whose answers are all there: 0 if there is none. */
static size_t group_answered(const struct drain *drain)
{
    for (size_t i = 1; i < drain->group_count; i++) {
        if (drain->groups[i].waits && drain->groups[i].left == 0)
            return i;
    }
    return 0;
}

static bool some_answered(const void *arg)
{
    return group_answered(arg) != 0;
}

/* After the calls of a round, those for what their answers lack; after the last, the group is
 * applied. */
static enum db_result group_step(const struct drain *drain, size_t number)
{
    struct group *group = &drain->groups[number];
    const struct fetches *round = &group->rounds[group->round];
    struct fetches *next =
        group->round + 1 < FETCH_ROUNDS ? &group->rounds[group->round + 1] : NULL;
    enum db_result result = DB_OK;

    note_failures(round);
    for (size_t i = 0; next != NULL && i < round->count && result == DB_OK; i++)
        result = plan_facts(drain->worker, round->jobs[i], &round->tasks[i].facts, group,
                            group->round + 1);
    if (result != DB_OK || next == NULL || next->count == 0) {
        group->waits = false;
        return result == DB_OK ? apply_group(drain, number) : result;
    }
    group->round++;
    fetch_start(drain->worker, next->tasks, next->count, &group->left);
    return DB_OK;
}

/* Asks for what the groups lack, and steps each as its answers come in. */
static enum db_result drain_groups(const struct drain *drain)
{
    enum db_result result = DB_OK;
    size_t waiting = 0;

    for (size_t i = 1; i < drain->group_count; i++) {
        struct group *group = &drain->groups[i];

        if (group->rounds[0].count == 0)
            continue;
        group->waits = true;
        fetch_start(drain->worker, group->rounds[0].tasks, group->rounds[0].count, &group->left);
        waiting++;
    }
    while (waiting > 0 && result == DB_OK) {
        result = worker_wait(drain->worker, some_answered, drain);
        if (result == DB_OK) {
            size_t number = group_answered(drain);

            result = group_step(drain, number);
            waiting -= !drain->groups[number].waits;
        }
    }
    for (size_t i = 1; i < drain->group_count; i++) {
        enum db_result meanwhile = worker_wait_calls(drain->worker, &drain->groups[i].left);

        result = result == DB_OK ? meanwhile : result;
    }
    return result;
}

/* Notes which shops had to be asked about most of their deliveries: of those no more are leased
 * than may be asked for in one go, lest the others be leased and put off again and again. */
static void note_crowds(const struct drain *drain)
{
    for (size_t i = 1; i < drain->group_count; i++) {
        const struct settings_source *source = &drain->worker->settings->sources[i - 1];
        size_t jobs = 0, asking = 0;

        for (size_t j = 0; j < drain->job_count; j++) {
            jobs += drain->jobs[j].source == source;
            asking += drain->jobs[j].group == i;
        }
        if (jobs > 0)
            drain->worker->api[i - 1].crowded =
                asking >= LIMIT_FETCHES_PER_SOURCE && 2 * asking > jobs;
    }
}

static bool asks_for_something(const struct drain *drain)
{
    for (size_t i = 1; i < drain->group_count; i++) {
        if (drain->groups[i].rounds[0].count > 0)
            return true;
    }
    return false;
}

/* Merges the jobs here, those that have to wait for shops once they are answered. */
static enum db_result drain_here(const struct drain *drain)
{
    enum db_result result = apply_group(drain, 0);

    if (result == DB_OK)
        result = drain_groups(drain);
    for (size_t i = 0; result == DB_OK && i < drain->job_count; i++)
        job_log(drain->worker, &drain->jobs[i]);
    return result;
}

/* --- beside each other --------------------------------------------------------------------- */

/* A batch that needs nothing of any shop, on a lane of its own. */
struct passage {
    struct jobs jobs;
    enum db_result result;
};

/* The batches under way, the longest first: passage i is on lane 1 + i. */
struct convoy {
    struct passage passages[LIMIT_LANES - 1];
    size_t next; /* whose turn it is */
};

static void passage_work(struct lane *lane, void *arg)
{
    struct passage *passage = arg;
    struct portion portion = {xcalloc(passage->jobs.count, sizeof(struct job *)), 0, NULL};

    for (size_t i = 0; i < passage->jobs.count; i++)
        portion.jobs[portion.count++] = &passage->jobs.items[i];
    passage->result = apply_jobs(lane, &portion);
    free(portion.jobs);
}

/* Waits for the batch, if there is one, and tells what became of it. */
static enum db_result passage_end(struct worker *worker, struct convoy *convoy, size_t i)
{
    struct passage *passage = &convoy->passages[i];
    struct lane *lane = &worker->lanes[1 + i];
    enum db_result result;

    if (!lane->busy)
        return DB_OK;
    lane_end(lane);
    result = passage->result;
    if (result != DB_OK)
        log_warn("inbox", "merge_failed", LOG_I("deliveries", passage->jobs.count),
                 LOG_S("error", db_error(lane->db)));
    for (size_t j = 0; result == DB_OK && j < passage->jobs.count; j++)
        job_log(worker, &passage->jobs.items[j]);
    jobs_free(&passage->jobs);
    return result;
}

/* Takes the jobs over, once the lane whose turn it is has done with those before. */
static enum db_result passage_begin(struct worker *worker, struct convoy *convoy, struct jobs *jobs)
{
    size_t i = convoy->next;
    enum db_result result = passage_end(worker, convoy, i);

    if (result != DB_OK)
        return result;
    convoy->next = (i + 1) % (LIMIT_LANES - 1);
    convoy->passages[i].jobs = *jobs;
    memset(jobs, 0, sizeof(*jobs));
    lane_begin(&worker->lanes[1 + i], passage_work, &convoy->passages[i]);
    return DB_OK;
}

static enum db_result convoy_end(struct worker *worker, struct convoy *convoy)
{
    enum db_result result = DB_OK;

    for (size_t i = 0; i < LIMIT_LANES - 1; i++) {
        enum db_result ended = passage_end(worker, convoy, i);

        result = result == DB_OK ? ended : result;
    }
    return result;
}

/* Whether a batch may be merged beside others: one that needs nothing of any shop, and holds
 * nothing that may end this program, which would take the others with it. */
static bool may_travel(const struct drain *drain, const struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->items[i].item.attempts >= LIMIT_SUSPECT_ATTEMPTS)
            return false;
    }
    return jobs->full && !asks_for_something(drain);
}

/* Merges the jobs: on a lane if they `may` and can; `*passed` says so, and that there may be more.
 * Inside a wait there is no convoy. */
static enum db_result drain_jobs(struct worker *worker, struct jobs *jobs, struct convoy *convoy,
                                 bool may, bool *passed)
{
    size_t group_count = worker->settings->source_count + 1;
    struct drain drain = {worker, jobs->items, jobs->count,
                          xcalloc(group_count, sizeof(struct group)), group_count};
    enum db_result result = plan_fetches(&drain);

    note_crowds(&drain);
    *passed = result == DB_OK && may && may_travel(&drain, jobs);
    if (*passed)
        result = passage_begin(worker, convoy, jobs);
    /* What a lane failed to merge does not keep its leases while a shop is waited for. */
    if (result == DB_OK && !*passed && convoy != NULL)
        result = convoy_end(worker, convoy);
    if (result == DB_OK && !*passed)
        result = drain_here(&drain);
    for (size_t i = 0; i < group_count; i++) {
        for (size_t r = 0; r < FETCH_ROUNDS; r++)
            fetches_free(&drain.groups[i].rounds[r]);
    }
    free(drain.groups);
    return result;
}

/* Whether one more batch may be merged beside others in this round. Not inside a wait: that lasts
 * as long as it must, and no lease may. */
static bool may_pass(const struct worker *worker, size_t batches)
{
    return worker->waits == 0 && batches < ROUND_BATCHES && !worker->stopping && !worker->reload;
}

/* When it returns it holds no lease, unless it failed: then inbox_release() gives back what is
 * left. */
enum db_result drain_round(struct worker *worker, struct round *round)
{
    struct convoy convoy = {.next = 0};
    struct jobs jobs;
    bool passed = true;
    enum db_result result = jobs_lease(worker, false, &jobs);
    enum db_result ended;

    for (size_t batches = 1; result == DB_OK && jobs.count > 0; batches++) {
        round->done += jobs.count;
        round->more = true;
        result = drain_jobs(worker, &jobs, worker->waits == 0 ? &convoy : NULL,
                            may_pass(worker, batches), &passed);
        if (result == DB_OK)
            pulse_beat(worker->pulse);
        jobs_free(&jobs);
        if (worker->waits == 0)
            loop_turn(worker->loop, 0);
        if (result == DB_OK && passed && !worker->stopping)
            result = jobs_lease(worker, true, &jobs);
    }
    jobs_free(&jobs);
    ended = worker->waits == 0 ? convoy_end(worker, &convoy) : DB_OK;
    return result == DB_OK ? ended : result;
}

enum db_result worker_wait(struct worker *worker, wait_over *over, const void *arg)
{
    enum db_result result = DB_OK;
    int64_t look_at = clock_monotonic() + PATIENCE;

    while (!over(arg)) {
        bool may_drain = result == DB_OK && !worker->stopping && worker->waits < WAITS_MOST;
        int64_t until = look_at - clock_monotonic();
        struct round round = {0};

        loop_turn(worker->loop, !may_drain ? -1 : until > 0 ? (int)(until / 1000) + 1 : 0);
        if (!may_drain || over(arg) || clock_monotonic() < look_at)
            continue;
        worker->waits++;
        result = keys_round(worker, &round);
        if (result == DB_OK)
            result = drain_round(worker, &round);
        worker->waits--;
        look_at = clock_monotonic() + (round.more ? 0 : LOOK_AGAIN);
    }
    if (result == DB_OK)
        pulse_beat(worker->pulse);
    return result;
}

static bool all_answered(const void *arg)
{
    return *(const size_t *)arg == 0;
}

enum db_result worker_wait_calls(struct worker *worker, const size_t *left)
{
    return worker_wait(worker, all_answered, left);
}
