/*
 * Reading: page after page of the shop's list, what the pages lack, and the orders that the list
 * does not hold. The next page is asked for before this one is staged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "resync.h"

/* An answer may lack something, too: so often are the shop's own words followed. */
#define NEED_ROUNDS 4
/* Questions in a row without an answer, until the shop is taken to be away. */
#define SILENCE_MOST 8
/* Pages in a row that tell nothing, until the list is taken to be none. */
#define BARREN_MOST 200
/* Orders that the list does not hold, looked at in one go. */
#define REST_STEP 64

/* --- what the facts lack ------------------------------------------------------------------- */

/* Everything read for one page, or for one step of the rest. */
struct haul {
    struct resync_call **calls; /* answered ones */
    size_t count;
};

static struct resync_call *haul_add(struct haul *haul, struct resync_call *call)
{
    haul->calls = xreallocarray(haul->calls, haul->count + 1, sizeof(struct resync_call *));
    haul->calls[haul->count++] = call;
    return call;
}

static void haul_free(struct haul *haul)
{
    for (size_t i = 0; i < haul->count; i++) {
        resync_call_free(haul->calls[i]);
        free(haul->calls[i]);
    }
    xfree(haul->calls);
    haul->count = 0;
}

/* Whether the very same call was made for this page already. */
static bool haul_has(const struct haul *haul, const struct shop_fetch *fetch)
{
    for (size_t i = 0; i < haul->count; i++) {
        const struct shop_fetch *other = &haul->calls[i]->task.fetch;

        if (strcmp(other->target, fetch->target) == 0 &&
            (fetch->body == NULL || other->body == NULL || strcmp(other->body, fetch->body) == 0))
            return true;
    }
    return false;
}

/* Plans the calls for what one order lacks; of an order that is `known` somebody may have told. */
static int plan_order(struct resync *resync, const struct fact_order *order, bool known,
                      struct haul *haul)
{
    for (size_t n = 0; n < order->need_count; n++) {
        struct resync_call *call;
        bool met = false;

        if (known && resync_check(resync, orders_need_met(resync->worker->db, resync->run.source_id,
                                                          order, &order->needs[n], &met)) != 0)
            return -1;
        if (met)
            continue;
        call = xcalloc(1, sizeof(*call));
        call->optional = true;
        if (shop_fetch_for(resync->source, order->id, &order->needs[n], &call->task.fetch) == 0 &&
            !haul_has(haul, &call->task.fetch)) {
            haul_add(haul, call);
            continue;
        }
        resync_call_free(call);
        free(call);
    }
    return 0;
}

/* Plans the calls for what facts lack and nobody has told yet. */
static int plan_needs(struct resync *resync, const struct facts *facts, struct haul *haul)
{
    const struct fact_order **orders = xcalloc(facts->order_count + 1, sizeof(*orders));
    const char **ids = xcalloc(facts->order_count + 1, sizeof(*ids));
    bool *known = xcalloc(facts->order_count + 1, sizeof(*known));
    size_t count = 0;
    int result = 0;

    for (size_t i = 0; i < facts->order_count; i++) {
        if (facts->orders[i].need_count == 0)
            continue;
        orders[count] = &facts->orders[i];
        ids[count++] = facts->orders[i].id;
    }
    if (count > 0)
        result = resync_check(
            resync, orders_exist(resync->worker->db, resync->run.source_id, ids, count, known));
    for (size_t i = 0; i < count && result == 0; i++)
        result = plan_order(resync, orders[i], known[i], haul);
    free(orders);
    free(ids);
    free(known);
    return result;
}

/* Notes that a question has no answer. One order that a shop chokes on stops nobody else's: the
 * rest counts, and the watermark stays where it is, so that the next run asks again. Where every
 * question fails, the shop is away. */
static int note_unanswered(struct resync *resync, const struct fetch_task *task)
{
    bool closed = task->status == 401 || task->status == 403;

    if (task->verdict == SHOP_ANSWER_READ) {
        resync->silence = 0;
        return 0;
    }
    log_warn("resync", "not_answered", LOG_S("source", resync->source->name),
             LOG_S("order", task->fetch.order_id), LOG_I("status", task->status),
             LOG_S("why", task->detail));
    /* What a shop has no answer to, it will not have one to later either. */
    if (task->verdict == SHOP_ANSWER_REFUSED && !closed)
        return 0;
    resync->run.unanswered++;
    if (task->verdict == SHOP_ANSWER_LATER && ++resync->silence >= SILENCE_MOST)
        return resync_stop(resync, RESYNC_END_LATER, "%s", task->detail);
    return 0;
}

/* Makes the calls from `first` on, a few side by side: where one is answered, the next begins. */
static int answer_needs(struct resync *resync, const struct haul *haul, size_t first)
{
    size_t begun = first;
    int result = 0;

    for (size_t i = first; i < haul->count; i++) {
        while (result == 0 && begun < haul->count && begun < i + LIMIT_FETCHES_PER_SOURCE)
            resync_call_begin(resync, haul->calls[begun++]);
        if (result != 0) {
            resync_call_abandon(resync, haul->calls[i]);
            continue;
        }
        result = resync_call_end(resync, haul->calls[i]);
        if (result == 0)
            result = note_unanswered(resync, &haul->calls[i]->task);
    }
    return result;
}

/* Follows what the page lacks, and what the answers lack. */
static int follow_needs(struct resync *resync, const struct facts *page, struct haul *haul)
{
    size_t done = haul->count;

    if (page != NULL && plan_needs(resync, page, haul) != 0)
        return -1;
    for (int round = 0; round < NEED_ROUNDS && done < haul->count; round++) {
        size_t first = done;

        if (answer_needs(resync, haul, first) != 0)
            return -1;
        done = haul->count;
        for (size_t i = first; i < done; i++) {
            if (plan_needs(resync, &haul->calls[i]->task.facts, haul) != 0)
                return -1;
        }
    }
    return 0;
}

/* --- staging ------------------------------------------------------------------------------- */

/* The orders that say something, in the order in which they were read. */
struct gathered {
    const struct fact_order **items;
    size_t count;
};

static void gather(struct gathered *gathered, const struct facts *facts)
{
    for (size_t i = 0; i < facts->order_count; i++) {
        if (!news_tell(&facts->orders[i]))
            continue;
        gathered->items =
            xreallocarray(gathered->items, gathered->count + 1, sizeof(const struct fact_order *));
        gathered->items[gathered->count++] = &facts->orders[i];
    }
}

/* What a step read, on its way to the stage: on a lane, while the next step is read. */
struct staging {
    struct resync *resync;
    struct resync_run run; /* as it is once this is on the stage */
    struct facts page;
    struct haul haul;
    struct gathered gathered;
    enum db_result result;
};

static struct lane *staging_lane(const struct resync *resync)
{
    return &resync->worker->lanes[1];
}

static void staging_work(struct lane *lane, void *arg)
{
    struct staging *staging = arg;

    staging->result = resync_stage(lane->db, lane->worker->vault, lane->worker->owner,
                                   &staging->run, staging->gathered.items, staging->gathered.count);
}

/* Waits until the step before is on the stage. */
static int stage_end(struct resync *resync, struct staging *staging)
{
    struct lane *lane = staging_lane(resync);
    int result = 0;

    if (!lane->busy)
        return 0;
    lane_end(lane);
    resync->run.lost |= staging->run.lost;
    if (staging->result != DB_OK)
        result = resync_stop(resync, RESYNC_END_DATABASE, "the database: %s", db_error(lane->db));
    facts_free(&staging->page);
    haul_free(&staging->haul);
    xfree(staging->gathered.items);
    return result == 0 ? resync_check(resync, DB_OK) : result;
}

/* Puts on the stage what a step read, with the cursor of the next; takes page and haul over. */
static int stage(struct resync *resync, struct staging *staging, struct facts *page,
                 struct haul *haul, const char *cursor)
{
    int result = stage_end(resync, staging);

    if (result != 0)
        return result;
    memset(staging, 0, sizeof(*staging));
    snprintf(resync->run.cursor, sizeof(resync->run.cursor), "%s", cursor);
    if (page != NULL) {
        staging->page = *page;
        memset(page, 0, sizeof(*page));
        gather(&staging->gathered, &staging->page);
    }
    staging->haul = *haul;
    memset(haul, 0, sizeof(*haul));
    for (size_t i = 0; i < staging->haul.count; i++)
        gather(&staging->gathered, &staging->haul.calls[i]->task.facts);
    staging->resync = resync;
    staging->run = resync->run;
    resync->run.orders_read += staging->gathered.count;
    resync_progress(resync);
    lane_begin(staging_lane(resync), staging_work, staging);
    return 0;
}

/* --- the list ------------------------------------------------------------------------------ */

/* One page on its way: the one that is taken in, the one after it, and the one after that. */
#define PAGES 3
struct page {
    struct resync_call call;
    struct resync *resync;
    struct page *after; /* the next one's place */
    char *cursor;       /* NULL: no page */
    struct shop_listing listing;
    int64_t date; /* of the answer */
};

static int page_plan(struct resync *resync, struct page *page, const char *cursor);

static enum shop_answer_verdict read_page(struct fetch_task *task, const struct shop_answer *answer,
                                          struct buf *detail)
{
    struct page *page = task->arg;
    enum shop_answer_verdict verdict;

    page->date = answer->date;
    shop_listing_free(&page->listing);
    memset(&page->listing, 0, sizeof(page->listing));
    verdict = shop_read_listing(task->source, &page->resync->walk, page->cursor, answer,
                                &page->listing, detail);
    page->call.pause_us = page->listing.pause_us;
    /* The shop works at the page after while this one is taken in, unless it wants a pause, or the
     * run is over and this one is only waited for. */
    if (verdict == SHOP_ANSWER_READ && page->listing.next != NULL && page->listing.pause_us == 0 &&
        page->after->cursor == NULL && !page->resync->worker->stopping &&
        page->resync->end == RESYNC_END_NONE && clock_monotonic() >= page->resync->paused_until &&
        page_plan(page->resync, page->after, page->listing.next) == 0)
        resync_call_send(page->resync, &page->after->call);
    return verdict;
}

static int page_plan(struct resync *resync, struct page *page, const char *cursor)
{
    if (shop_list_for(resync->source, &resync->walk, cursor, &page->call.task.fetch) != 0)
        return -1;
    page->resync = resync;
    page->cursor = xstrdup(cursor);
    page->call.task.read = read_page;
    page->call.task.arg = page;
    page->call.task.deadline_us = LIMIT_RESYNC_CALL_S * TIME_SECOND;
    page->call.task.max_answer = LIMIT_RESYNC_PAGE_BYTES;
    return 0;
}

static int page_begin(struct resync *resync, struct page *page, const char *cursor)
{
    if (page_plan(resync, page, cursor) != 0)
        return resync_stop(resync, RESYNC_END_SPOILT,
                           "the place where the last run stopped is not known to this version");
    resync_call_begin(resync, &page->call);
    return 0;
}

/* Leaves its place to another. */
static void page_end(struct page *page)
{
    struct page *after = page->after;

    shop_listing_free(&page->listing);
    resync_call_free(&page->call);
    xfree(page->cursor);
    memset(page, 0, sizeof(*page));
    page->after = after;
}

/* A refused page: where the run was left may be no place any more (a key of another account). */
static int page_refused(struct resync *resync, const struct page *page)
{
    const struct fetch_task *task = &page->call.task;

    if (resync->resumed && page->cursor[0] != '\0' && task->status != 401 && task->status != 403)
        return resync_stop(resync, RESYNC_END_SPOILT,
                           "it cannot go on from where it was left (%s): the next resync begins "
                           "anew",
                           task->detail);
    return resync_stop(resync, RESYNC_END_CLOSED, "%s", task->detail);
}

/* Whether the walk goes round in circles, or through nothing. A place is kept and compared with all
 * that come after it, each time for twice as long: a circle of any length is found. */
static bool is_endless(struct resync *resync, const struct page *page)
{
    const char *next = page->listing.next;
    struct circle *circle = &resync->circle;

    if (next == NULL)
        return false;
    circle->barren = page->listing.facts.order_count == 0 ? circle->barren + 1 : 0;
    if (strcmp(next, page->cursor) == 0 || strcmp(next, circle->place) == 0 ||
        circle->barren >= BARREN_MOST)
        return true;
    if (++circle->steps >= circle->keep) {
        snprintf(circle->place, sizeof(circle->place), "%s", next);
        circle->keep = circle->keep == 0 ? 1 : 2 * circle->keep;
        circle->steps = 0;
    }
    return false;
}

/* What a page that was read says about the walk itself. */
static int page_check(struct resync *resync, const struct page *page)
{
    if (page->call.task.verdict == SHOP_ANSWER_REFUSED)
        return page_refused(resync, page);
    resync->resumed = false;
    /* Where pages hold no orders at all the place is as good as any; in a circle, or among entries
     * that are none, it is none, and what lies behind it would be missed. */
    if (is_endless(resync, page))
        return resync_stop(resync,
                           page->listing.unusable > 0 || resync->circle.barren < BARREN_MOST
                               ? RESYNC_END_SPOILT
                               : RESYNC_END_CLOSED,
                           "the shop's list has no end: the same pages again and again, or pages "
                           "without an order");
    if (page->listing.unusable > 0) {
        resync->run.unusable += page->listing.unusable;
        log_warn("resync", "entries_left_out", LOG_S("source", resync->source->name),
                 LOG_I("count", page->listing.unusable),
                 LOG_S("first", page->listing.why == NULL ? "" : page->listing.why));
    }
    if (resync->run.shop_time == TIME_NONE)
        resync->run.shop_time = page->date;
    return 0;
}

/* Takes in one page, once the next has been asked for. */
static int page_take(struct resync *resync, struct page *page, struct staging *staging, bool *more)
{
    struct haul haul = {0};
    const char *cursor = page->listing.next;
    int result = 0;

    *more = cursor != NULL;
    if (cursor != NULL && page->listing.pause_us > 0)
        result = resync_pause(resync, page->listing.pause_us);
    if (cursor != NULL && result == 0 && page->after->cursor == NULL)
        result = page_begin(resync, page->after, cursor);
    if (result == 0)
        result = follow_needs(resync, &page->listing.facts, &haul);
    if (cursor == NULL)
        resync->run.state = resync->run.whole ? RESYNC_CHECKING : RESYNC_JUDGING;
    if (result == 0)
        result = stage(resync, staging, &page->listing.facts, &haul, cursor == NULL ? "" : cursor);
    haul_free(&haul);
    return result;
}

int resync_read(struct resync *resync)
{
    struct page pages[PAGES] = {{.cursor = NULL}};
    struct page *page = &pages[0];
    struct staging staging = {0};
    bool more = true;
    int result, staged;

    for (size_t i = 0; i < PAGES; i++)
        pages[i].after = &pages[(i + 1) % PAGES];
    result = page_begin(resync, page, resync->run.cursor);
    while (result == 0 && more) {
        result = resync_call_end(resync, &page->call);
        if (result == 0)
            result = page_check(resync, page);
        if (result == 0)
            result = page_take(resync, page, &staging, &more);
        resync_call_abandon(resync, &page->call);
        page_end(page);
        page = page->after;
        if (result == 0 && resync->worker->stopping)
            result = resync_stop(resync, RESYNC_END_STOPPED, "told to stop");
    }
    staged = stage_end(resync, &staging);
    for (size_t i = 0; i < PAGES; i++)
        pages[i].after = &pages[i]; /* which is taken: no page begins another any more */
    for (size_t i = 0; i < PAGES; i++) {
        resync_call_abandon(resync, &pages[i].call);
        page_end(&pages[i]);
    }
    return result == 0 ? staged : result;
}

/* --- the rest ------------------------------------------------------------------------------ */

/* Asks for orders by their ids, and stages what is said of them. */
static int read_orders(struct resync *resync, const struct order_name *orders, size_t count)
{
    struct haul haul = {0};
    struct staging staging = {0};
    int result, staged;

    for (size_t i = 0; i < count; i++) {
        struct resync_call *call = xcalloc(1, sizeof(*call));

        call->optional = true;
        if (shop_fetch_order(resync->source, orders[i].order_id, &call->task.fetch) == 0)
            haul_add(&haul, call);
        else
            free(call);
    }
    result = answer_needs(resync, &haul, 0);
    for (size_t i = 0, first = haul.count; result == 0 && i < first; i++)
        result = follow_needs(resync, &haul.calls[i]->task.facts, &haul);
    if (result == 0)
        result = stage(resync, &staging, NULL, &haul, orders[count - 1].order_id);
    staged = stage_end(resync, &staging);
    haul_free(&haul);
    return result == 0 ? staged : result;
}

int resync_read_rest(struct resync *resync)
{
    struct order_name *orders = xcalloc(REST_STEP, sizeof(*orders));
    struct worker *worker = resync->worker;
    size_t count = REST_STEP;
    int result = 0;

    while (result == 0 && count > 0) {
        result = resync_check(resync, resync_unread(worker->db, &resync->run, resync->run.cursor,
                                                    orders, REST_STEP, &count));
        if (result == 0 && count > 0)
            result = read_orders(resync, orders, count);
        if (result == 0 && worker->stopping)
            result = resync_stop(resync, RESYNC_END_STOPPED, "told to stop");
    }
    free(orders);
    if (result != 0)
        return result;
    resync->run.state = RESYNC_JUDGING;
    resync->run.cursor[0] = '\0';
    return resync_check(resync, resync_note(worker->db, worker->owner, &resync->run));
}
