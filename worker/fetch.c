#include "fetch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* A shop that does not answer is left alone, longer each time: others must not wait for its
 * deadlines. */
#define PAUSE_LEAST (10 * TIME_SECOND)
#define PAUSE_MOST (5 * TIME_MINUTE)
/* How long one call may take: a batch waits for it. */
#define CALL_DEADLINE (10 * TIME_SECOND)

/* A shop whose call took longer is slow, until one does not: others are asked before it. */
#define SLOW TIME_SECOND

size_t fetch_source_index(const struct worker *worker, const struct settings_source *source)
{
    return (size_t)(source - worker->settings->sources);
}

/* Notes how a call ended, for the ones after it. */
static void note_answer(const struct fetch_task *task, bool answered)
{
    struct worker *worker = task->worker;
    size_t index = fetch_source_index(worker, task->source);
    unsigned failures = worker->api[index].failures;
    int64_t pause = PAUSE_LEAST;

    --*task->left;
    worker->api[index].under_way--;
    worker->api[index].slow = clock_monotonic() - task->began > SLOW;
    if (answered) {
        worker->api[index].failures = 0;
        return;
    }
    for (unsigned i = 0; i < failures && pause < PAUSE_MOST; i++)
        pause *= 2;
    if (worker->api[index].until < clock_monotonic()) {
        worker->api[index].until = clock_monotonic() + (pause < PAUSE_MOST ? pause : PAUSE_MOST);
        worker->api[index].failures++;
    }
}

/* Turns the loop until the client can take a call, and then gives it one. */
static void send_call(struct worker *worker, const struct http_call *call, struct fetch_task *task,
                      http_answered *answered)
{
    while (!http_client_send(worker->client, call, answered, task))
        loop_turn(worker->loop, -1);
}

static void task_failed(struct fetch_task *task, enum shop_answer_verdict verdict,
                        const char *detail)
{
    task->verdict = verdict;
    snprintf(task->detail, sizeof(task->detail), "%s", detail);
}

static void task_answered(const struct http_answer *answer, void *arg)
{
    struct fetch_task *task = arg;
    struct buf detail = {0};
    struct shop_answer read = {.received_at = clock_now(),
                               .status = answer->status,
                               .content_type = answer->content_type,
                               .date = answer->date,
                               .link = answer->link,
                               .body = answer->body,
                               .len = answer->len};

    task->retry_after_us = answer->retry_after_us;
    task->status = answer->failure == HTTP_ANSWERED ? answer->status : 0;
    note_answer(task, answer->failure != HTTP_UNREACHABLE && answer->failure != HTTP_TIMED_OUT);
    if (answer->failure != HTTP_ANSWERED) {
        task_failed(task,
                    answer->failure == HTTP_REFUSED_CALL ? SHOP_ANSWER_REFUSED : SHOP_ANSWER_LATER,
                    answer->error);
    } else {
        if (read.date == TIME_NONE)
            read.date = clock_now();
        task->verdict = task->read != NULL ? task->read(task, &read, &detail)
                                           : shop_read_answer(task->source, &task->fetch, &read,
                                                              &task->facts, &detail);
        if (task->verdict != SHOP_ANSWER_READ)
            task_failed(task, task->verdict, detail.data == NULL ? "" : detail.data);
    }
    log_info("fetch", "answered", LOG_S("source", task->source->name),
             LOG_S("order", task->fetch.order_id == NULL ? "" : task->fetch.order_id),
             LOG_I("status", answer->status),
             LOG_S("outcome", task->verdict == SHOP_ANSWER_READ    ? "read"
                              : task->verdict == SHOP_ANSWER_LATER ? "later"
                                                                   : "refused"));
    buf_free(&detail);
}

/* Makes one call. */
static void task_send(struct worker *worker, struct fetch_task *task, size_t *left)
{
    /* An answer from a cache would be old news with a new Date. */
    const char *headers[] = {"Cache-Control: no-cache", task->fetch.header, task->fetch.header2,
                             NULL, NULL};
    const char *body = task->fetch.body;
    struct http_call call = {.method = body == NULL ? "GET" : "POST",
                             .origin = task->source->api_url,
                             .target = task->fetch.target,
                             .headers = headers,
                             .basic_auth = task->fetch.basic_auth,
                             .body = body,
                             .body_len = body == NULL ? 0 : strlen(body),
                             .max_answer = task->max_answer,
                             .deadline_us =
                                 task->deadline_us != 0 ? task->deadline_us : CALL_DEADLINE};

    if (body != NULL)
        headers[1 + (task->fetch.header != NULL) + (task->fetch.header2 != NULL)] =
            "Content-Type: application/json";
    task->worker = worker;
    task->left = left;
    task->began = clock_monotonic();
    task->asked = true;
    ++*left;
    worker->api[fetch_source_index(worker, task->source)].under_way++;
    send_call(worker, &call, task, task_answered);
}

/* What each source was asked in one go. One owner's calls go together, however many: put off, it
 * would need as many the next time. */
struct share {
    unsigned asked[LIMIT_SOURCES];
    const void *first[LIMIT_SOURCES];
};

/* Whether to ask now; if not, the task is put off without an attempt. */
static bool may_ask(struct worker *worker, struct fetch_task *task, struct share *share)
{
    size_t index = fetch_source_index(worker, task->source);
    int64_t left = worker->api[index].until - clock_monotonic();

    task->retry_after_us = -1;
    if (left > 0) {
        task_failed(task, SHOP_ANSWER_LATER, "the shop did not answer a moment ago");
        task->retry_after_us = left;
        return false;
    }
    if (share->asked[index]++ == 0)
        share->first[index] = task->owner;
    if (share->asked[index] > LIMIT_FETCHES_PER_SOURCE &&
        (task->owner == NULL || share->first[index] != task->owner)) {
        task_failed(task, SHOP_ANSWER_LATER, "others of this shop are asked for first");
        task->retry_after_us = 0;
        return false;
    }
    return true;
}

void fetch_start(struct worker *worker, struct fetch_task *tasks, size_t count, size_t *left)
{
    struct share share = {.asked = {0}};

    for (size_t i = 0; i < count; i++) {
        if (tasks[i].source != NULL && may_ask(worker, &tasks[i], &share))
            task_send(worker, &tasks[i], left);
    }
}

enum db_result fetch_all(struct worker *worker, struct fetch_task *tasks, size_t count)
{
    size_t left = 0;

    fetch_start(worker, tasks, count, &left);
    return worker_wait_calls(worker, &left);
}

void fetch_task_free(struct fetch_task *task)
{
    shop_fetch_free(&task->fetch);
    facts_free(&task->facts);
}
