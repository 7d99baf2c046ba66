#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backoff.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/notify.h"
#include "resync.h"

/* A third of the lease: one extension may fail to come in time. */
#define HOLD_EVERY (LIMIT_RESYNC_LEASE_S * TIME_SECOND / 3)
#define BACKOFF_BASE (TIME_SECOND / 4)
#define BACKOFF_MOST (8 * TIME_SECOND)
#define TELL_EVERY (5 * TIME_SECOND)
#define LOOK_EVERY_MS 500

int resync_stop(struct resync *resync, enum resync_end end, const char *format, ...)
{
    va_list args;
    char text[512];

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (resync->end == RESYNC_END_NONE) {
        resync->end = end;
        buf_puts(&resync->problem, text);
    }
    return -1;
}

int resync_check(struct resync *resync, enum db_result result)
{
    if (result != DB_OK)
        return resync_stop(resync, RESYNC_END_DATABASE, "the database: %s",
                           db_error(resync->worker->db));
    if (resync->run.lost)
        return resync_stop(resync, RESYNC_END_LOST, "another process has taken this run over");
    return 0;
}

void resync_progress(struct resync *resync)
{
    static const char *const states[] = {"reading", "checking", "judging", "applying"};
    const struct resync_run *run = &resync->run;

    if (clock_monotonic() < resync->told_at + TELL_EVERY || run->state > RESYNC_APPLYING)
        return;
    resync->told_at = clock_monotonic();
    notify_status("%s: %s, %" PRIu64 " facts read in %" PRIu64 " calls, %" PRIu64 " changes",
                  resync->source->name, states[run->state], run->orders_read, run->calls,
                  run->changes);
    log_info("resync", states[run->state], LOG_S("source", resync->source->name),
             LOG_I("calls", run->calls), LOG_I("orders", run->orders_read),
             LOG_I("changes", run->changes));
}

/* Turns the loop once; keeps the lease, and looks whether to stop. */
static int turn(struct resync *resync, int wait_ms)
{
    struct worker *worker = resync->worker;

    loop_turn(worker->loop, wait_ms < LOOK_EVERY_MS ? wait_ms : LOOK_EVERY_MS);
    resync_progress(resync);
    if (worker->stopping)
        return resync_stop(resync, RESYNC_END_STOPPED, "told to stop");
    if (clock_monotonic() < resync->held_until)
        return 0;
    resync->held_until = clock_monotonic() + HOLD_EVERY;
    return resync_check(resync, resync_hold(worker->db, worker->owner, &resync->run));
}

int resync_pause(struct resync *resync, int64_t pause_us)
{
    int64_t until = clock_monotonic() + pause_us;

    resync->paused_until = until;
    while (clock_monotonic() < until) {
        if (turn(resync, (int)((until - clock_monotonic()) / 1000) + 1) != 0)
            return -1;
    }
    return 0;
}

/* --- calls --------------------------------------------------------------------------------- */

void resync_call_send(struct resync *resync, struct resync_call *call)
{
    struct worker *worker = resync->worker;

    /* How long to leave the shop alone is decided here, by a run that has nothing else to do. */
    worker->api[fetch_source_index(worker, resync->source)].until = 0;
    call->task.source = resync->source;
    call->pause_us = 0;
    fetch_start(worker, &call->task, 1, &call->left);
    resync->run.calls++;
}

void resync_call_begin(struct resync *resync, struct resync_call *call)
{
    resync_call_send(resync, call);
    loop_turn(resync->worker->loop, 0); /* on its way while we do something else */
}

void resync_call_abandon(struct resync *resync, struct resync_call *call)
{
    if (resync->worker->stopping && call->left > 0)
        http_client_abort(resync->worker->client);
    while (call->left > 0)
        loop_turn(resync->worker->loop, -1);
}

/* How long to wait before the next try: what the shop asks for, but at least a backoff. */
static int64_t pause_before(const struct resync_call *call, uint32_t tries)
{
    uint32_t random;
    int64_t pause, wish;

    digest_random(&random, sizeof(random));
    pause = backoff_delay(BACKOFF_BASE, BACKOFF_MOST, tries, random);
    wish = call->task.retry_after_us > call->pause_us ? call->task.retry_after_us : call->pause_us;
    return wish > pause ? wish : pause;
}

int resync_call_end(struct resync *resync, struct resync_call *call)
{
    for (uint32_t tries = 0;; tries++) {
        int64_t pause;

        while (call->left > 0) {
            if (turn(resync, LOOK_EVERY_MS) != 0) {
                resync_call_abandon(resync, call);
                return -1;
            }
        }
        if (call->task.verdict != SHOP_ANSWER_LATER)
            return 0;
        pause = pause_before(call, tries);
        if (tries + 1 >= LIMIT_RESYNC_TRIES || pause > LIMIT_RESYNC_PAUSE_S * TIME_SECOND) {
            if (call->optional)
                return 0;
            return resync_stop(resync, RESYNC_END_LATER, "%s", call->task.detail);
        }
        if (resync_pause(resync, pause) != 0)
            return -1;
        facts_free(&call->task.facts);
        resync_call_begin(resync, call);
    }
}

void resync_call_free(struct resync_call *call)
{
    fetch_task_free(&call->task);
}

/* --- the shop's webhook -------------------------------------------------------------------- */

struct webhook_question {
    const char *address;
    enum shop_webhook state;
};

/* The sentence is wanted where the answer was read, too: a task keeps it only if it was not. */
static enum shop_answer_verdict read_webhook(struct fetch_task *task,
                                             const struct shop_answer *answer, struct buf *detail)
{
    struct webhook_question *question = task->arg;
    enum shop_answer_verdict verdict =
        shop_read_webhook(task->source, question->address, answer, &question->state, detail);

    snprintf(task->detail, sizeof(task->detail), "%s", detail->data == NULL ? "" : detail->data);
    return verdict;
}

/* What the shop says of our webhook. What it does not tell is no trouble. */
static void note_webhook(struct resync *resync, const struct resync_call *call,
                         const struct webhook_question *question)
{
    const char *name = resync->source->name, *detail = call->task.detail;

    if (call->task.verdict != SHOP_ANSWER_READ) {
        log_info("resync", "webhook_not_known", LOG_S("source", name), LOG_S("why", detail));
        return;
    }
    if (question->state == SHOP_WEBHOOK_ENABLED)
        return;
    buf_printf(&resync->trouble, "%s: %s",
               question->state == SHOP_WEBHOOK_DISABLED ? "its webhook is disabled"
                                                        : "no webhook of the shop points here",
               detail);
    log_error("resync",
              question->state == SHOP_WEBHOOK_DISABLED ? "webhook_disabled" : "webhook_missing",
              LOG_S("source", name), LOG_S("detail", detail));
}

int resync_webhook(struct resync *resync)
{
    struct resync_call call = {0};
    char address[LIMIT_CONFIG_URL + LIMIT_NAME + 16];
    struct webhook_question question = {.address = address};
    int result;

    call.optional = true; /* a shop that does not say this may say all the rest */
    if (shop_webhook_for(resync->source, &call.task.fetch) != 0)
        return 0;
    snprintf(address, sizeof(address), "%s/webhooks/%s",
             resync->worker->settings->server.public_url, resync->source->name);
    call.task.read = read_webhook;
    call.task.arg = &question;
    resync_call_begin(resync, &call);
    result = resync_call_end(resync, &call);
    if (result == 0)
        note_webhook(resync, &call, &question);
    resync_call_free(&call);
    return result;
}
