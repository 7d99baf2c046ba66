#include "store/orders.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/catalogue_store.h"
#include "store/order_alias.h"
#include "store/order_contest.h"
#include "store/order_pin.h"
#include "store/order_work.h"

/* Shops count time in whole seconds: a read made this long after a change saw all of that second.
 */
#define SETTLED_AFTER (2 * TIME_SECOND)

/* How two orders stand to each other: by source, then by the bytes of their ids, as the table's key
 * does. */
static int key_compare(uint32_t a_source, const char *a, size_t a_len, uint32_t b_source,
                       const char *b, size_t b_len)
{
    size_t least = a_len < b_len ? a_len : b_len;
    int order;

    if (a_source != b_source)
        return a_source < b_source ? -1 : 1;
    order = memcmp(a, b, least);
    if (order != 0)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

static int work_compare(const void *a, const void *b)
{
    const struct known_order *left = &((const struct order_work *)a)->known;
    const struct known_order *right = &((const struct order_work *)b)->known;

    return key_compare(left->source_id, left->id, strlen(left->id), right->source_id, right->id,
                       strlen(right->id));
}

struct order_work *order_batch_find(const struct order_batch *batch, uint32_t source_id,
                                    const char *order_id, size_t len)
{
    size_t low = 0, high = batch->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct order_work *work = &batch->orders[middle];
        int order = key_compare(source_id, order_id, len, work->known.source_id, work->known.id,
                                strlen(work->known.id));

        if (order == 0)
            return work;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The order that a piece of the batch's news is about. */
static struct order_work *batch_work(const struct order_batch *batch, const struct order_news *news)
{
    struct order_work *work =
        order_batch_find(batch, news->source_id, news->order_id, strlen(news->order_id));

    if (work == NULL)
        die("store: news of an order that is not in its batch");
    return work;
}

struct order_work *order_batch_row(const struct order_batch *batch, const struct db_rows *rows)
{
    size_t len;
    const char *id = db_bytes(rows, 1, &len);
    struct order_work *work = order_batch_find(batch, (uint32_t)db_int(rows, 0), id, len);

    if (work == NULL)
        die("store: a row of an order that was not asked for");
    return work;
}

/* Whether there may be facts of it; an order that nobody locked may have any. */
static bool may_be_known(const struct order_names *names, const struct known_order *order)
{
    const struct order_named *named =
        names == NULL ? NULL : order_names_find(names, order->source_id, order->id);

    return named == NULL || named->known;
}

/* The batch's orders, sorted, each once. What is new has no rows, and none are read. */
static void batch_begin(struct order_batch *batch, const struct orders_context *context,
                        const struct order_names *names, const struct order_news *news,
                        size_t count)
{
    size_t kept = 0;

    memset(batch, 0, sizeof(*batch));
    batch->context = context;
    batch->orders = xcalloc(count + 1, sizeof(*batch->orders));
    for (size_t i = 0; i < count; i++) {
        struct known_order *known = &batch->orders[i].known;

        known->source_id = news[i].source_id;
        known->source = source_map_name(context->sources, news[i].source_id);
        if (known->source == NULL)
            known->source = "";
        known->id = xstrdup(news[i].order_id);
        batch->orders[i].cause = &news[i];
    }
    qsort(batch->orders, count, sizeof(*batch->orders), work_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && work_compare(&batch->orders[kept - 1], &batch->orders[i]) == 0)
            xfree(batch->orders[i].known.id);
        else
            batch->orders[kept++] = batch->orders[i];
    }
    batch->count = kept;
    for (size_t i = 0; i < kept; i++) {
        if (!may_be_known(names, &batch->orders[i].known))
            continue;
        values_add_int(&batch->keys, batch->orders[i].known.source_id);
        values_add_text(&batch->keys, batch->orders[i].known.id);
    }
}

static void work_free(struct order_work *work)
{
    merged_order_free(&work->merged);
    projection_free(&work->projection);
    known_order_free(&work->known);
    xfree(work->snapshot_marks);
    xfree(work->refund_marks);
    xfree(work->dispute_marks);
    xfree(work->subscription_marks);
    xfree(work->standing);
    xfree(work->unmapped);
}

void order_batch_free(struct order_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        work_free(&batch->orders[i]);
    xfree(batch->orders);
    for (size_t i = 0; i < batch->address_count; i++)
        buf_free(&batch->addresses[i].sealed);
    xfree(batch->addresses);
    values_free(&batch->keys);
}

/* Takes the row locks of all orders, in their order, so that two batches that meet do not deadlock.
 */
static enum db_result batch_lock(struct db *db, const struct order_batch *batch)
{
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < batch->count; i++) {
        values_add_int(&values, batch->orders[i].known.source_id);
        values_add_text(&values, batch->orders[i].known.id);
        values_add_int(&values, batch->context->now);
        values_add_int(&values, batch->context->catalogue->version);
        values_add(&values, DB_VALUE_NULL);
    }
    result = order_rows_lock(db, &values);
    values_free(&values);
    return result;
}

static void batch_project(struct order_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct order_work *work = &batch->orders[i];

        known_order_settle(&work->known);
        order_merge(&work->known, &work->merged);
        order_project(&work->known, &work->merged, batch->context->catalogue, &work->projection);
    }
}

/* The delivery that told the newest of what is new: the winning snapshot if it is, else a refund or
 * dispute. */
static uint64_t newest_delivery(const struct order_work *work)
{
    const struct known_order *known = &work->known;

    if (work->merged.winner != NULL) {
        const struct fact_mark *mark =
            &work->snapshot_marks[work->merged.winner - known->snapshots];

        if (mark->dirty)
            return mark->delivery_id;
    }
    for (size_t i = 0; i < known->refund_count; i++) {
        if (work->refund_marks[i].dirty)
            return work->refund_marks[i].delivery_id;
    }
    for (size_t i = 0; i < known->subscription_count; i++) {
        if (work->subscription_marks[i].dirty)
            return work->subscription_marks[i].delivery_id;
    }
    for (size_t i = 0; i < known->dispute_count; i++) {
        if (work->dispute_marks[i].dirty)
            return work->dispute_marks[i].delivery_id;
    }
    return 0;
}

/* Of several news of one order in a batch, the one that changed what it gives is named in the
 * audit. */
static void batch_choose_causes(struct order_batch *batch, const struct order_news *news,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct order_work *work = batch_work(batch, &news[i]);

        if (news[i].delivery_id != 0 && news[i].delivery_id == newest_delivery(work))
            work->cause = &news[i];
    }
}

/* What the callers want to know of each piece of their news. */
static void batch_report(const struct order_batch *batch, struct order_news *news, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct order_work *work = batch_work(batch, &news[i]);

        news[i].wants_reread = work->merged.wants_reread;
        news[i].wants_refund_lines = work->merged.wants_refund_lines;
        if (work->merged.winner != NULL)
            news[i].reread_from = work->merged.winner->facts.time + SETTLED_AFTER;
        news[i].changes = work->changes;
    }
}

/* The steps in their order; each stops at the first that fails. */
static enum db_result batch_run(struct db *db, struct order_batch *batch,
                                const struct order_news *news, size_t count)
{
    enum db_result result = order_facts_read(db, batch);

    if (result != DB_OK)
        return result;
    for (size_t i = 0; i < count; i++) {
        struct order_work *work = batch_work(batch, &news[i]);

        order_facts_add(batch, work, &news[i]);
    }
    if (!batch->context->dry_run)
        result = order_facts_write(db, batch);
    if (result == DB_OK)
        result = order_contest_heed(db, batch);
    if (result != DB_OK)
        return result;
    batch_project(batch);
    batch_choose_causes(batch, news, count);
    result = order_difference(db, batch);
    if (result == DB_OK && !batch->context->dry_run)
        result = order_contest_note(db, batch);
    if (result == DB_OK && !batch->context->dry_run)
        result = order_addresses_write(db, batch);
    return result;
}

/* Locks the orders that news came for under other ids; DB_RETRY if one of them is no order of its
 * own any more. */
static enum db_result lock_settled(struct db *db, const struct order_batch *batch,
                                   const struct alias_batch *settled, size_t count)
{
    bool stands = true;
    enum db_result result = batch_lock(db, batch);

    if (result == DB_OK)
        result = order_alias_check(db, settled, count, &stands);
    return result == DB_OK && !stands ? DB_RETRY : result;
}

/* The batch under its orders' own ids; what is to be known of it goes back to the news. */
static enum db_result apply_settled(struct db *db, const struct orders_context *context,
                                    const struct order_names *names, struct order_news *news,
                                    size_t count)
{
    struct alias_batch settled;
    struct order_batch batch;
    enum db_result result = order_alias_settle(db, context, names, news, count, &settled);

    if (result != DB_OK) {
        alias_batch_free(&settled);
        return result;
    }
    batch_begin(&batch, context, names, settled.news, settled.count);
    for (size_t i = count; i < settled.count; i++)
        batch_work(&batch, &settled.news[i])->is_alias = true;
    if (settled.renamed && !context->dry_run)
        result = lock_settled(db, &batch, &settled, count);
    if (result == DB_OK)
        result = batch_run(db, &batch, settled.news, settled.count);
    if (result == DB_OK)
        batch_report(&batch, settled.news, settled.count);
    for (size_t i = 0; result == DB_OK && i < count; i++) {
        news[i].wants_reread = settled.news[i].wants_reread;
        news[i].reread_from = settled.news[i].reread_from;
        news[i].wants_refund_lines = settled.news[i].wants_refund_lines;
        news[i].changes = settled.news[i].changes;
    }
    order_batch_free(&batch);
    alias_batch_free(&settled);
    return result;
}

/* What the news ask about before anything is known of them. */
static void news_reset(struct order_news *news)
{
    news->wants_reread = news->wants_refund_lines = false;
    news->reread_from = 0;
    news->changes = 0;
    news->refusal[0] = '\0';
}

/* Locks every id that the news name, and reads what stood there. */
static enum db_result lock_named(struct db *db, const struct orders_context *context,
                                 const struct pinned_news *pinned, struct order_names *names)
{
    enum db_result result = DB_OK;

    order_names_gather(names, pinned->news, pinned->count, !pinned->learning);
    if (!context->dry_run)
        result = order_names_lock(db, names, context);
    return result == DB_OK ? order_names_read(db, names, !context->dry_run) : result;
}

/* Those of the right shop and order; what the callers want to know goes back to their news. */
static enum db_result apply_pinned(struct db *db, const struct orders_context *context,
                                   struct order_news *news, size_t count)
{
    struct order_names names = {0};
    struct pinned_news pinned;
    enum db_result result;

    for (size_t i = 0; i < count; i++)
        news_reset(&news[i]);
    result = order_pin_sources(db, context, news, count, &pinned);
    if (result == DB_OK)
        result = lock_named(db, context, &pinned, &names);
    if (result == DB_OK)
        result = order_pin_orders(db, context, &names, news, &pinned);
    if (result == DB_OK && pinned.count > 0)
        result = apply_settled(db, context, &names, pinned.news, pinned.count);
    for (size_t i = 0; result == DB_OK && i < pinned.count; i++)
        news[pinned.places[i]] = pinned.news[i];
    pinned_news_free(&pinned);
    order_names_free(&names);
    return result;
}

enum db_result orders_apply(struct db *db, const struct orders_context *context,
                            struct order_news *news, size_t count)
{
    struct orders_context own = *context;
    struct catalogue *catalogue = NULL;
    uint32_t version;
    enum db_result result = DB_OK;

    if (count == 0)
        return DB_OK;
    if (own.catalogue == NULL) {
        result = catalogue_current_version(db, &version);
        if (result == DB_OK)
            result = catalogue_load(db, version, &catalogue);
        own.catalogue = catalogue;
    }
    if (result == DB_OK)
        result = apply_pinned(db, &own, news, count);
    catalogue_free(catalogue);
    return result;
}

enum db_result orders_known(struct db *db, const struct source_map *sources, uint32_t source_id,
                            const char *order_id, struct known_order *out, bool *found)
{
    struct orders_context context = {.sources = sources};
    struct order_news news = {.source_id = source_id, .order_id = order_id};
    struct order_batch batch;
    enum db_result result;

    batch_begin(&batch, &context, NULL, &news, 1);
    result = order_facts_read(db, &batch);
    if (result == DB_OK)
        result = order_contest_heed(db, &batch);
    if (result == DB_OK) {
        struct known_order *known = &batch.orders[0].known;

        *found = known->snapshot_count + known->refund_count + known->dispute_count +
                     known->subscription_count >
                 0;
        known_order_settle(known);
        *out = *known;
        memset(known, 0, sizeof(*known));
    }
    order_batch_free(&batch);
    return result;
}
