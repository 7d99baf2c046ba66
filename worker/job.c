#include "job.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "shops/shop.h"

void job_set_aside(struct job *job, enum set_aside reason, const char *detail)
{
    job->outcome.result = INBOX_SET_ASIDE;
    job->outcome.reason = reason;
    snprintf(job->outcome.detail, sizeof(job->outcome.detail), "%s", detail);
}

void job_retry(struct job *job, const char *detail, int64_t not_before_us)
{
    int64_t delay = backoff(job->item.attempts);

    if (job->item.attempts + 1 >= LIMIT_DELIVERY_ATTEMPTS) {
        job_set_aside(job, SET_ASIDE_RETRIES_EXHAUSTED, detail);
        return;
    }
    if (not_before_us > delay)
        delay = not_before_us < TIME_HOUR ? not_before_us : TIME_HOUR;
    job->outcome.result = INBOX_RETRY;
    job->outcome.due_at = clock_now() + delay;
    snprintf(job->outcome.detail, sizeof(job->outcome.detail), "%s", detail);
}

void job_postpone(struct job *job, const char *detail, int64_t delay)
{
    job->outcome.result = INBOX_POSTPONE;
    job->outcome.due_at = clock_now() + delay;
    snprintf(job->outcome.detail, sizeof(job->outcome.detail), "%s", detail);
}

/* From bytes to facts, or to the reason why not; the bytes are not needed any more. */
static void job_read(const struct worker *worker, struct job *job)
{
    const char *name = source_map_name(worker->sources, job->item.source_id);

    job->outcome.id = job->item.id;
    job->outcome.result = INBOX_DONE;
    job->source = name == NULL ? NULL : settings_source(worker->settings, name, strlen(name));
    if (job->item.attempts >= LIMIT_DELIVERY_ATTEMPTS) {
        job_set_aside(job, SET_ASIDE_RETRIES_EXHAUSTED,
                      "tried again and again without an end: did it end the worker?");
    } else if (job->item.body == NULL) {
        job_retry(job, "the stored body does not open: is its key missing from the keyring?", 0);
    } else if (job->source == NULL) {
        job_set_aside(job, SET_ASIDE_SOURCE_MISCONFIGURED,
                      "its source is not in the configuration any more");
    } else {
        shop_read(job->source, job->item.body, job->item.len, job->item.received_at, &job->facts);
        if (job->facts.set_aside != SET_ASIDE_NONE)
            job_set_aside(job, job->facts.set_aside,
                          job->facts.detail == NULL ? "" : job->facts.detail);
    }
    inbox_item_free(&job->item);
}

void job_log(const struct worker *worker, const struct job *job)
{
    static const char *const results[] = {"done", "set_aside", "retry", "postponed"};
    const char *source = source_map_name(worker->sources, job->item.source_id);

    log_info(
        "inbox", results[job->outcome.result], LOG_I("delivery", job->item.id),
        LOG_S("source", source == NULL ? "" : source), LOG_I("attempt", job->item.attempts + 1),
        LOG_S("reason",
              job->outcome.result == INBOX_SET_ASIDE ? set_aside_name(job->outcome.reason) : ""),
        LOG_S("detail", job->outcome.detail));
}

/* Inside a wait, the shops that are waited for or slow: what they lack would make it wait again. */
static size_t sources_avoided(const struct worker *worker, uint32_t out[LIMIT_SOURCES])
{
    size_t count = 0;

    for (size_t i = 0; worker->waits > 0 && i < worker->settings->source_count; i++) {
        if (worker->api[i].under_way > 0 || worker->api[i].slow)
            out[count++] = source_map_id(worker->sources, worker->settings->sources[i].name);
    }
    return count;
}

/* The shops most of whose deliveries had to be asked for: as many of them as one batch may ask. */
static size_t sources_crowded(const struct worker *worker, uint32_t out[LIMIT_SOURCES])
{
    size_t count = 0;

    for (size_t i = 0; i < worker->settings->source_count; i++) {
        if (worker->api[i].crowded)
            out[count++] = source_map_id(worker->sources, worker->settings->sources[i].name);
    }
    return count;
}

/* Leases and reads; on whichever thread, with a connection that is this one's alone. */
static enum db_result jobs_take(const struct worker *worker, struct db *db,
                                const struct inbox_want *want, struct jobs *out)
{
    struct inbox_item *items = xcalloc(want->most, sizeof(*items));
    size_t count = 0, bytes = 0;
    enum db_result result = inbox_lease(db, worker->vault, want, items, &count);

    if (result == DB_OK) {
        out->items = xcalloc(count + 1, sizeof(*out->items));
        out->count = count;
        for (size_t i = 0; i < count; i++) {
            bytes += items[i].len;
            out->items[i].item = items[i];
            job_read(worker, &out->items[i]);
        }
        out->full = 2 * count >= want->most || 2 * bytes >= LIMIT_LEASE_BYTES;
    }
    free(items);
    return result;
}

enum db_result jobs_lease(struct worker *worker, struct jobs *out)
{
    uint32_t avoided[LIMIT_SOURCES], few[LIMIT_SOURCES];
    struct inbox_want want = {.owner = worker->owner,
                              .now = clock_now(),
                              .most = LIMIT_LEASE_BATCH,
                              .without = avoided,
                              .without_count = sources_avoided(worker, avoided),
                              .few = few,
                              .few_count = sources_crowded(worker, few),
                              .few_most = LIMIT_FETCHES_PER_SOURCE};

    return jobs_take(worker, worker->db, &want, out);
}

void jobs_free(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        facts_free(&jobs->items[i].facts);
        inbox_item_free(&jobs->items[i].item);
    }
    xfree(jobs->items);
    memset(jobs, 0, sizeof(*jobs));
}

static void *ahead_run(void *arg)
{
    struct ahead *ahead = arg;

    ahead->result = jobs_take(ahead->worker, ahead->worker->ahead_db, &ahead->want, &ahead->jobs);
    return NULL;
}

/* Signals are the loop's: the thread is born with all of them blocked. Where no thread is to be had
 * the work goes on without. */
void ahead_begin(struct ahead *ahead, const struct worker *worker)
{
    sigset_t all, before;

    memset(ahead, 0, sizeof(*ahead));
    ahead->worker = worker;
    ahead->want = (struct inbox_want){.owner = worker->owner,
                                      .now = clock_now(),
                                      .most = LIMIT_LEASE_BATCH,
                                      .few = ahead->few,
                                      .few_count = sources_crowded(worker, ahead->few),
                                      .few_most = LIMIT_FETCHES_PER_SOURCE,
                                      .fresh_only = true};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ahead->begun = pthread_create(&ahead->thread, NULL, ahead_run, ahead) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ahead->begun)
        log_warn("inbox", "no_thread_to_lease_ahead");
}

enum db_result ahead_take(struct ahead *ahead, struct jobs *out)
{
    memset(out, 0, sizeof(*out));
    if (!ahead->begun)
        return DB_OK;
    pthread_join(ahead->thread, NULL);
    ahead->begun = false;
    if (ahead->result == DB_OK) {
        *out = ahead->jobs;
        return DB_OK;
    }
    /* Its connection failed, not the work's own: what it may have leased goes back. */
    log_warn("inbox", "lease_ahead_failed", LOG_S("error", db_error(ahead->worker->ahead_db)));
    jobs_free(&ahead->jobs);
    return inbox_release(ahead->worker->db, ahead->worker->owner);
}
