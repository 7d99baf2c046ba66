#include "fetch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* A shop that did not answer is left alone this long: others must not wait for its deadlines. */
#define API_PAUSE (10 * TIME_SECOND)

/* When the source may be asked again. */
static int64_t *pause_of(struct worker *worker, const struct settings_source *source)
{
    return &worker->api_pause[source - worker->settings->sources];
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
    struct shop_answer read = {.status = answer->status,
                               .content_type = answer->content_type,
                               .date = answer->date,
                               .body = answer->body,
                               .len = answer->len};

    task->retry_after_us = answer->retry_after_us;
    task->unanswered = answer->failure == HTTP_UNREACHABLE || answer->failure == HTTP_TIMED_OUT;
    if (answer->failure != HTTP_ANSWERED) {
        task_failed(task,
                    answer->failure == HTTP_REFUSED_CALL ? SHOP_ANSWER_REFUSED : SHOP_ANSWER_LATER,
                    answer->error);
    } else {
        if (read.date == TIME_NONE)
            read.date = clock_now();
        task->verdict = shop_read_answer(task->source, &task->fetch, &read, &task->facts, &detail);
        if (task->verdict != SHOP_ANSWER_READ)
            task_failed(task, task->verdict, detail.data == NULL ? "" : detail.data);
    }
    log_info("fetch", "answered", LOG_S("source", task->source->name),
             LOG_S("order", task->fetch.order_id), LOG_I("status", answer->status),
             LOG_S("outcome", task->verdict == SHOP_ANSWER_READ    ? "read"
                              : task->verdict == SHOP_ANSWER_LATER ? "later"
                                                                   : "refused"));
    buf_free(&detail);
}

/* Sends one call, unless its shop is being left alone. */
static void task_send(struct worker *worker, struct fetch_task *task)
{
    const char *headers[] = {task->fetch.header, task->fetch.header2, NULL};
    struct http_call call = {.method = "GET",
                             .origin = task->source->api_url,
                             .target = task->fetch.target,
                             .headers = headers,
                             .basic_auth = task->fetch.basic_auth};

    task->retry_after_us = -1;
    if (*pause_of(worker, task->source) > clock_monotonic())
        task_failed(task, SHOP_ANSWER_LATER, "the shop did not answer a moment ago");
    else
        send_call(worker, &call, task, task_answered);
}

void fetch_all(struct worker *worker, struct fetch_task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tasks[i].source != NULL)
            task_send(worker, &tasks[i]);
    }
    while (http_client_in_flight(worker->client) > 0)
        loop_turn(worker->loop, -1);
    for (size_t i = 0; i < count; i++) {
        if (tasks[i].unanswered)
            *pause_of(worker, tasks[i].source) = clock_monotonic() + API_PAUSE;
    }
}

void fetch_task_free(struct fetch_task *task)
{
    shop_fetch_free(&task->fetch);
    facts_free(&task->facts);
}
