#include "apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "shops/shop.h"
#include "store/health.h"

bool news_tell(const struct fact_order *order)
{
    return order->snapshot != NULL || order->subscription != NULL || order->refund_count > 0 ||
           order->dispute_count > 0 || order->alias_count > 0;
}

void news_add(struct news_list *list, uint32_t source_id, const struct facts *facts,
              uint64_t delivery_id)
{
    for (size_t i = 0; i < facts->order_count; i++) {
        struct order_news *news;
        const struct fact_order *order = &facts->orders[i];

        if (!news_tell(order))
            continue;
        list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
        news = &list->items[list->count++];
        memset(news, 0, sizeof(*news));
        news->source_id = source_id;
        news->order_id = facts->orders[i].id;
        news->facts = &facts->orders[i];
        news->cause = CAUSE_DELIVERY;
        news->delivery_id = delivery_id;
        snprintf(news->cause_id, sizeof(news->cause_id), "%llu", (unsigned long long)delivery_id);
    }
}

void news_add_answer(struct news_list *list, uint32_t source_id, const struct facts *facts,
                     uint64_t delivery_id)
{
    size_t before = list->count;

    news_add(list, source_id, facts, delivery_id);
    for (size_t i = before; i < list->count; i++)
        list->items[i].answered = true;
}

void news_free(struct news_list *list)
{
    xfree(list->items);
    list->count = 0;
}

struct apply_work {
    struct lane *lane;
    struct news_list *news;
    bool schedule;
    const struct inbox_outcome *planned; /* what the deliveries come to, unless news are refused */
    struct inbox_outcome *outcomes;
    size_t outcome_count;
    int64_t now;
    const struct apply_extra *extra; /* or NULL */
};

/* A delivery that is of another shop, or was answered by one, waits for a person. The first of its
 * news that was refused says why, and so is told last. */
static void settle_outcomes(const struct apply_work *work)
{
    if (work->outcome_count > 0)
        memcpy(work->outcomes, work->planned, work->outcome_count * sizeof(*work->outcomes));
    for (size_t n = work->news->count; n-- > 0;) {
        const struct order_news *news = &work->news->items[n];

        for (size_t i = 0; news->refusal[0] != '\0' && i < work->outcome_count; i++) {
            struct inbox_outcome *outcome = &work->outcomes[i];

            if (news->delivery_id != outcome->id)
                continue;
            outcome->result = INBOX_SET_ASIDE;
            outcome->reason =
                news->answered ? SET_ASIDE_FETCH_FAILED : SET_ASIDE_SOURCE_MISCONFIGURED;
            snprintf(outcome->detail, sizeof(outcome->detail), "%s", news->refusal);
        }
    }
}

/* Asks for a re-read where a merge wants one, or still misses the lines of a refund, and the shop
 * can be asked. */
static enum db_result schedule_rereads(struct db *db, const struct apply_work *work)
{
    for (size_t i = 0; i < work->news->count; i++) {
        const struct order_news *news = &work->news->items[i];
        const char *name = source_map_name(work->lane->worker->sources, news->source_id);
        const struct settings_source *source =
            name == NULL ? NULL : settings_source(work->lane->worker->settings, name, strlen(name));
        int64_t due_at = news->reread_from > work->now ? news->reread_from : work->now;
        enum db_result result;

        if (!(news->wants_reread || news->wants_refund_lines) || source == NULL ||
            !shop_has_api(source))
            continue;
        result =
            orders_schedule_reread(db, news->source_id, news->order_id, news->delivery_id, due_at);
        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

/* What purchase_drained_total counts. */
static enum db_result count_results(struct db *db, const struct apply_work *work)
{
    static const char *const results[] = {"done", "set_aside", "retry", "postponed"};
    int64_t counts[4] = {0};
    enum db_result result = DB_OK;

    for (size_t i = 0; i < work->outcome_count; i++)
        counts[work->outcomes[i].result]++;
    for (size_t i = 0; i < 4 && result == DB_OK; i++) {
        if (counts[i] > 0)
            result = health_count_drained(db, work->lane->worker->owner, results[i], counts[i],
                                          work->now);
    }
    return result;
}

static enum db_result apply_body(struct db *db, void *arg)
{
    struct apply_work *work = arg;
    struct orders_context context = {.vault = work->lane->worker->vault,
                                     .sources = work->lane->worker->sources,
                                     .now = work->now};
    const struct apply_extra *extra = work->extra;
    enum db_result result = lane_catalogue(work->lane);

    if (result != DB_OK)
        return result;
    if (extra != NULL && extra->begin != NULL)
        extra->begin(extra->arg);
    context.catalogue = work->lane->catalogue;
    context.changed = extra == NULL ? NULL : extra->changed;
    context.changed_arg = extra == NULL ? NULL : extra->arg;
    result = orders_apply(db, &context, work->news->items, work->news->count);
    if (result == DB_OK)
        settle_outcomes(work);
    if (result == DB_OK && work->schedule)
        result = schedule_rereads(db, work);
    if (result == DB_OK)
        result = inbox_finish(db, work->lane->worker->owner, work->now, work->outcomes,
                              work->outcome_count);
    if (result == DB_OK)
        result = count_results(db, work);
    if (result == DB_OK && extra != NULL && extra->end != NULL)
        result = extra->end(db, extra->arg);
    return result;
}

enum db_result apply_news(struct lane *lane, struct news_list *news, bool schedule,
                          struct inbox_outcome *outcomes, size_t outcome_count)
{
    struct inbox_outcome *planned = xcalloc(outcome_count + 1, sizeof(*planned));
    struct apply_work work = {lane,     news,          schedule,    planned,
                              outcomes, outcome_count, clock_now(), NULL};
    enum db_result result;

    if (outcome_count > 0)
        memcpy(planned, outcomes, outcome_count * sizeof(*planned));
    result = db_transaction(lane->db, apply_body, &work);
    free(planned);
    return result;
}

enum db_result apply_with(struct lane *lane, struct news_list *news,
                          const struct apply_extra *extra)
{
    struct apply_work work = {lane, news, true, NULL, NULL, 0, clock_now(), extra};

    return db_transaction(lane->db, apply_body, &work);
}
