/*
 * What a run has staged: weighed as a whole before any of it counts, then applied through the same
 * merge as everything else, a batch a transaction.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "resync.h"

/* --- lines for people ---------------------------------------------------------------------- */

/* One line a change: whose it is stands nowhere in it. */
static void change_line(const struct resync *resync, const struct order_change *change,
                        struct buf *out)
{
    buf_printf(out, "%-16s  order %-20s  %-24s  %s -> %s\n", resync->source->name, change->order_id,
               change->key, change->before == NULL ? "none" : change->before,
               change->after == NULL ? "none" : change->after);
}

/* --- news ---------------------------------------------------------------------------------- */

static void news_of_batch(const struct resync *resync, const struct resync_batch *batch,
                          const bool *wanted, struct news_list *news)
{
    char id[2 * RESYNC_ID_LEN + 1];

    resync_id_text(&resync->run, id);
    for (size_t i = 0; i < batch->count; i++) {
        struct order_news *one;

        if (wanted != NULL && !wanted[i])
            continue;
        news->items = xreallocarray(news->items, news->count + 1, sizeof(*news->items));
        one = &news->items[news->count++];
        memset(one, 0, sizeof(*one));
        one->source_id = resync->run.source_id;
        one->order_id = batch->facts.orders[i].id;
        one->facts = &batch->facts.orders[i];
        one->cause = CAUSE_RESYNC;
        one->answered = true;
        snprintf(one->cause_id, sizeof(one->cause_id), "%s", id);
    }
}

static bool has_aliases(const struct resync_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->facts.orders[i].alias_count > 0)
            return true;
    }
    return false;
}

static int next_batch(struct resync *resync, const struct resync_place *after,
                      struct resync_batch *batch)
{
    struct worker *worker = resync->worker;
    struct round round = {0};

    resync_progress(resync);
    loop_turn(worker->loop, 0); /* signals */
    if (worker->stopping)
        return resync_stop(resync, RESYNC_END_STOPPED, "told to stop");
    if (resync_check(resync, keys_round(worker, &round)) != 0 ||
        resync_check(resync, resync_staged(worker->db, worker->vault, &resync->run, after,
                                           LIMIT_RESYNC_BATCH, batch)) != 0)
        return -1;
    if (batch->spoilt)
        return resync_stop(resync, RESYNC_END_SPOILT,
                           "what was staged does not open: is its key missing from the keyring?");
    return 0;
}

/* Orders that are of another shop, or of another one's number, are left out, and told. */
static void note_refusals(struct resync *resync, const struct news_list *news)
{
    for (size_t i = 0; i < news->count; i++) {
        if (news->items[i].refusal[0] == '\0')
            continue;
        resync->run.unusable++;
        log_warn("resync", "order_left_out", LOG_S("source", resync->source->name),
                 LOG_S("order", news->items[i].order_id), LOG_S("why", news->items[i].refusal));
    }
}

/* --- judging ------------------------------------------------------------------------------- */

struct judged {
    const struct resync *resync;
    struct resync_changes changes;
    struct buf lines;
    size_t line_count;
};

static void judged_change(const struct order_change *change, void *arg)
{
    struct judged *judged = arg;

    resync_change_add(&judged->changes, change);
    if (!judged->resync->run.dry)
        return;
    change_line(judged->resync, change, &judged->lines);
    judged->line_count++;
}

/* An order that nobody has told of yet can take nothing from anybody: it is judged only where it
 * may give back what another takes. */
static int choose_known(struct resync *resync, const struct resync_batch *batch, bool all,
                        bool *wanted)
{
    const char **ids = xcalloc(batch->count + 1, sizeof(const char *));
    enum db_result result;

    for (size_t i = 0; i < batch->count; i++)
        ids[i] = batch->facts.orders[i].id;
    result = orders_exist(resync->worker->db, resync->run.source_id, ids, batch->count, wanted);
    for (size_t i = 0; i < batch->count; i++)
        wanted[i] = wanted[i] || batch->facts.orders[i].alias_count > 0 || all;
    free(ids);
    return resync_check(resync, result);
}

struct trial {
    struct worker *worker;
    struct news_list *news;
    struct judged *judged;
    bool write; /* new aliases join orders only once they are written */
};

/* What the batch would change: compared only or, where that is not enough, done and undone. */
static enum db_result trial_body(struct db *db, void *arg)
{
    const struct trial *trial = arg;
    struct orders_context context = {.vault = trial->worker->vault,
                                     .sources = trial->worker->sources,
                                     .now = clock_now(),
                                     .dry_run = !trial->write,
                                     .changed = judged_change,
                                     .changed_arg = trial->judged};
    enum db_result result = lane_catalogue(&trial->worker->lanes[0]);

    trial->judged->changes.count = 0;
    trial->judged->lines.len = 0;
    trial->judged->line_count = 0;
    context.catalogue = trial->worker->lanes[0].catalogue;
    return result == DB_OK ? orders_apply(db, &context, trial->news->items, trial->news->count)
                           : result;
}

static enum db_result try_out(struct trial *trial)
{
    struct db *db = trial->worker->db;
    enum db_result result = DB_RETRY;

    for (int tries = 0; result == DB_RETRY && tries < LIMIT_DB_TRIES; tries++) {
        result = db_begin(db);
        if (result == DB_OK)
            result = trial_body(db, trial);
        db_rollback(db);
    }
    return result;
}

static int judge_batch(struct resync *resync, const struct resync_batch *batch, bool all)
{
    struct worker *worker = resync->worker;
    struct judged judged = {.resync = resync};
    struct news_list news = {0};
    struct trial trial = {worker, &news, &judged, has_aliases(batch)};
    bool *wanted = xcalloc(batch->count + 1, sizeof(*wanted));
    int result = choose_known(resync, batch, all, wanted);

    if (result == 0)
        news_of_batch(resync, batch, wanted, &news);
    if (result == 0 && news.count > 0)
        result = resync_check(resync, try_out(&trial));
    if (result == 0)
        result = resync_check(
            resync, resync_judge(worker->db, worker->owner, &resync->run, &judged.changes));
    if (result == 0 && judged.lines.len > 0)
        fputs(judged.lines.data, stdout);
    if (resync->run.dry) {
        resync->run.changes += judged.line_count;
        note_refusals(resync, &news);
    }
    buf_free(&judged.lines);
    xfree(judged.changes.items);
    news_free(&news);
    free(wanted);
    return result;
}

/* More than one buyer, and more than the share that was allowed. */
static bool exceeds(const struct resync *resync)
{
    return resync->losers > 1 && (double)resync->losers * 100e6 >
                                     (double)resync->entitled * (double)resync->options->max_revoke;
}

/* All that is staged, or, unless `all`, of it what may take something. */
static int judge_pass(struct resync *resync, bool all)
{
    struct worker *worker = resync->worker;
    struct resync_place last;
    bool more = true, begun = false;
    int result = resync_check(resync, resync_judge_anew(worker->db, worker->owner, &resync->run));

    while (result == 0 && more) {
        struct resync_batch batch = {0};

        result = next_batch(resync, begun ? &last : NULL, &batch);
        more = result == 0 && batch.count > 0;
        if (more) {
            result = judge_batch(resync, &batch, all);
            last = batch.places[batch.count - 1];
            begun = true;
        }
        resync_batch_free(&batch);
    }
    if (result == 0)
        result = resync_check(resync, resync_verdict(worker->db, &resync->run, clock_now(),
                                                     &resync->losers, &resync->entitled));
    return result;
}

int resync_judge_all(struct resync *resync)
{
    struct worker *worker = resync->worker;
    int result = judge_pass(resync, resync->run.dry);

    if (result == 0 && exceeds(resync) && !resync->run.dry)
        result = judge_pass(resync, true);
    if (result != 0)
        return result;
    if (exceeds(resync))
        return resync_stop(resync, RESYNC_END_REFUSED,
                           "%" PRId64 " of %" PRId64 " entitled buyers would lose a key: if the "
                           "shop is right, run again with a greater --max-revoke PERCENT",
                           resync->losers, resync->entitled);
    if (resync->run.dry)
        return 0;
    resync->run.state = RESYNC_APPLYING;
    return resync_check(resync, resync_note(worker->db, worker->owner, &resync->run));
}

/* --- applying ------------------------------------------------------------------------------ */

/* A batch on its way through a lane. */
struct passage {
    struct resync *resync;
    struct resync_run run; /* of its own: what the batch adds to the counts is added at its end */
    struct resync_batch batch;
    struct news_list news;
    struct buf lines;
    uint64_t changes;
    enum db_result result;
};

static void applied_begin(void *arg)
{
    struct passage *passage = arg;

    passage->lines.len = 0;
    passage->changes = 0;
}

static void applied_change(const struct order_change *change, void *arg)
{
    struct passage *passage = arg;

    change_line(passage->resync, change, &passage->lines);
    passage->changes++;
}

static size_t refused(const struct news_list *news)
{
    size_t count = 0;

    for (size_t i = 0; i < news->count; i++)
        count += news->items[i].refusal[0] != '\0';
    return count;
}

/* The batch leaves the stage with the commit that makes it count. */
static enum db_result applied_end(struct db *db, void *arg)
{
    struct passage *passage = arg;
    enum db_result result =
        resync_unstage(db, passage->resync->worker->owner, &passage->run, &passage->batch,
                       passage->changes, refused(&passage->news));

    /* Lost to another process: nothing of this batch may stay. */
    return result == DB_OK && passage->run.lost ? DB_DUPLICATE : result;
}

static void passage_work(struct lane *lane, void *arg)
{
    struct passage *passage = arg;
    struct apply_extra extra = {applied_begin, applied_end, applied_change, passage};

    passage->result = apply_with(lane, &passage->news, &extra);
}

/* Waits for the batch on a lane, if there is one, and tells what became of it. */
static int passage_end(struct resync *resync, struct passage *passage, struct lane *lane)
{
    int result = 0;

    if (!lane->busy)
        return 0;
    lane_end(lane);
    resync->run.lost |= passage->run.lost;
    if (passage->result != DB_OK && !passage->run.lost)
        result = resync_stop(resync, RESYNC_END_DATABASE, "the database: %s", db_error(lane->db));
    else if (resync_check(resync, DB_OK) != 0)
        result = -1;
    if (result == 0) {
        resync->run.changes += passage->changes;
        note_refusals(resync, &passage->news);
        if (passage->lines.len > 0)
            fputs(passage->lines.data, stdout);
    }
    news_free(&passage->news);
    resync_batch_free(&passage->batch);
    buf_free(&passage->lines);
    return result;
}

static void passage_begin(struct resync *resync, struct passage *passage, struct lane *lane,
                          struct resync_batch *batch)
{
    memset(passage, 0, sizeof(*passage));
    passage->resync = resync;
    passage->run = resync->run;
    passage->batch = *batch;
    memset(batch, 0, sizeof(*batch));
    news_of_batch(resync, &passage->batch, NULL, &passage->news);
    lane_begin(lane, passage_work, passage);
}

/* Batches after one another from the stage, each on the lane whose turn it is: one is merged while
 * another is, and the next is read. Whichever commits leaves the stage; the others are there for
 * the next run. */
int resync_apply(struct resync *resync)
{
    struct passage passages[LIMIT_LANES] = {0};
    struct lane *lanes = resync->worker->lanes;
    struct resync_place last;
    bool more = true, begun = false;
    size_t turn = 1;
    int result = 0;

    while (result == 0 && more) {
        struct resync_batch batch = {0};

        result = next_batch(resync, begun ? &last : NULL, &batch);
        more = result == 0 && batch.count > 0;
        if (more) {
            last = batch.places[batch.count - 1];
            begun = true;
            result = passage_end(resync, &passages[turn], &lanes[turn]);
        }
        if (more && result == 0) {
            passage_begin(resync, &passages[turn], &lanes[turn], &batch);
            turn = 1 + turn % (LIMIT_LANES - 1);
        }
        resync_batch_free(&batch);
    }
    for (size_t i = 1; i < LIMIT_LANES; i++) {
        int ended = passage_end(resync, &passages[i], &lanes[i]);

        result = result == 0 ? ended : result;
    }
    return result;
}
