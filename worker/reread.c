/*
 * Orders that a merge could not settle: two different snapshots with one time. The shop's own word,
 * read after that second, does.
 */
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch.h"
#include "worker.h"

#define REREAD_BATCH 32
#define REREAD_ATTEMPTS 8

struct reread {
    struct order_name *orders;
    struct fetch_task *tasks, *more;
    size_t count;
};

/* The calls for the orders themselves; one whose source cannot be asked any more asks for nothing.
 */
static void plan_orders(struct worker *worker, struct reread *reread)
{
    for (size_t i = 0; i < reread->count; i++) {
        const char *name = source_map_name(worker->sources, reread->orders[i].source_id);
        const struct settings_source *source =
            name == NULL ? NULL : settings_source(worker->settings, name, strlen(name));

        if (source != NULL && shop_has_api(source) &&
            shop_fetch_order(source, reread->orders[i].order_id, &reread->tasks[i].fetch) == 0)
            reread->tasks[i].source = source;
    }
}

/* What the first answers lack: one more call for each order will do for what a re-read is made for.
 */
static void plan_more(struct reread *reread)
{
    for (size_t i = 0; i < reread->count; i++) {
        const struct fetch_task *task = &reread->tasks[i];
        const struct fact_order *order;

        if (task->source == NULL || task->verdict != SHOP_ANSWER_READ ||
            task->facts.order_count == 0)
            continue;
        order = &task->facts.orders[0];
        if (order->need_count == 0)
            continue;
        if (shop_fetch_for(task->source, order->id, &order->needs[0], &reread->more[i].fetch) == 0)
            reread->more[i].source = task->source;
    }
}

static bool put_off(const struct fetch_task *task)
{
    return task->source != NULL && task->verdict == SHOP_ANSWER_LATER;
}

/* Whether to ask again, and when. */
static int64_t reread_again(const struct reread *reread, size_t i, bool unsettled)
{
    const struct fetch_task *task =
        put_off(&reread->tasks[i]) ? &reread->tasks[i] : &reread->more[i];

    if (!unsettled && !put_off(task))
        return TIME_NONE;
    if (reread->orders[i].attempts + 1 >= REREAD_ATTEMPTS) {
        log_warn("orders", "reread_given_up", LOG_I("source", reread->orders[i].source_id),
                 LOG_S("order", reread->orders[i].order_id), LOG_S("detail", task->detail));
        return TIME_NONE;
    }
    return clock_now() + backoff(reread->orders[i].attempts);
}

/* One order's answer, applied and settled. */
static enum db_result reread_apply(struct worker *worker, const struct reread *reread, size_t i)
{
    struct news_list news = {0};
    enum db_result result = DB_OK;
    bool unsettled = false;

    news_add_answer(&news, reread->orders[i].source_id, &reread->tasks[i].facts,
                    reread->orders[i].delivery_id);
    news_add_answer(&news, reread->orders[i].source_id, &reread->more[i].facts,
                    reread->orders[i].delivery_id);
    if (news.count > 0) {
        result = apply_news(&worker->lanes[0], &news, false, NULL, 0);
        unsettled =
            result == DB_OK && (news.items[0].wants_reread || news.items[0].wants_refund_lines);
    }
    news_free(&news);
    if (result != DB_OK)
        return result;
    return orders_finish_reread(worker->db, &reread->orders[i], reread_again(reread, i, unsettled));
}

static enum db_result reread_orders(struct worker *worker, struct reread *reread)
{
    enum db_result result;

    plan_orders(worker, reread);
    result = fetch_all(worker, reread->tasks, reread->count);
    if (result == DB_OK) {
        plan_more(reread);
        result = fetch_all(worker, reread->more, reread->count);
    }
    for (size_t i = 0; i < reread->count && result == DB_OK; i++)
        result = reread_apply(worker, reread, i);
    for (size_t i = 0; i < reread->count; i++) {
        fetch_task_free(&reread->tasks[i]);
        fetch_task_free(&reread->more[i]);
    }
    return result;
}

enum db_result reread_round(struct worker *worker, struct round *round)
{
    struct order_name orders[REREAD_BATCH];
    struct fetch_task tasks[REREAD_BATCH] = {0}, more[REREAD_BATCH] = {0};
    struct reread reread = {orders, tasks, more, 0};
    enum db_result result =
        orders_claim_rereads(worker->db, clock_now(), orders, REREAD_BATCH, &reread.count);

    if (result != DB_OK || reread.count == 0)
        return result;
    result = reread_orders(worker, &reread);
    round->done += reread.count;
    round->more = true;
    return result;
}
