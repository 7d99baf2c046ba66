/*
 * A new catalogue changes what orders give: those that were projected with an older one are
 * projected again, by the same path as a delivery, with nothing new to say.
 */
#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker.h"

#define REDO_BATCH 128

struct redo_work {
    struct worker *worker;
    const struct order_name *orders;
    size_t count;
};

static enum db_result redo_body(struct db *db, void *arg)
{
    const struct redo_work *work = arg;
    struct order_news news[REDO_BATCH] = {0};
    struct orders_context context = {
        .vault = work->worker->vault, .sources = work->worker->sources, .now = clock_now()};
    enum db_result result = lane_catalogue(&work->worker->lanes[0]);

    if (result != DB_OK)
        return result;
    context.catalogue = work->worker->lanes[0].catalogue;
    for (size_t i = 0; i < work->count; i++) {
        news[i].source_id = work->orders[i].source_id;
        news[i].order_id = work->orders[i].order_id;
        news[i].cause = CAUSE_CATALOGUE;
        snprintf(news[i].cause_id, sizeof(news[i].cause_id), "%u", context.catalogue->version);
    }
    return orders_apply(db, &context, news, work->count);
}

enum db_result redo_round(struct worker *worker, struct round *round)
{
    struct order_name orders[REDO_BATCH];
    struct redo_work work = {worker, orders, 0};
    enum db_result result = lane_catalogue(&worker->lanes[0]);

    if (result == DB_OK)
        result = orders_older_than(worker->db, worker->lanes[0].catalogue->version, orders,
                                   REDO_BATCH, &work.count);
    if (result != DB_OK || work.count == 0)
        return result;
    result = db_transaction(worker->db, redo_body, &work);
    if (result == DB_OK)
        log_info("catalogue", "projected_again", LOG_I("orders", work.count),
                 LOG_I("version", worker->lanes[0].catalogue->version));
    round->done += work.count;
    round->more = true;
    return result;
}
