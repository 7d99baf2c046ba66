#include "job.h"

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

enum db_result jobs_lease(struct worker *worker, bool fresh_only, struct jobs *out)
{
    uint32_t avoided[LIMIT_SOURCES], few[LIMIT_SOURCES];
    struct inbox_want want = {.owner = worker->owner,
                              .now = clock_now(),
                              .most = LIMIT_LEASE_BATCH,
                              .without = avoided,
                              .without_count = sources_avoided(worker, avoided),
                              .few = few,
                              .few_count = sources_crowded(worker, few),
                              .few_most = LIMIT_FETCHES_PER_SOURCE,
                              .fresh_only = fresh_only};
    struct inbox_item *items = xcalloc(want.most, sizeof(*items));
    size_t count = 0, bytes = 0;
    enum db_result result = inbox_lease(worker->db, worker->vault, &want, items, &count);

    memset(out, 0, sizeof(*out));
    if (result == DB_OK) {
        out->items = xcalloc(count + 1, sizeof(*out->items));
        out->count = count;
        for (size_t i = 0; i < count; i++) {
            bytes += items[i].len;
            out->items[i].item = items[i];
            job_read(worker, &out->items[i]);
        }
        out->full = 2 * count >= want.most || 2 * bytes >= LIMIT_LEASE_BYTES;
    }
    free(items);
    return result;
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
