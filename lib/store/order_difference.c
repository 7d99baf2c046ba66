/*
 * From projections to rows: what stands is compared with what should stand, and the difference is
 * written with its cause. The only place that writes contributions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/order_work.h"

static void standing_row(struct db_rows *rows, void *arg)
{
    struct order_work *work = order_batch_row(arg, rows);
    struct standing_row *row;
    size_t len;
    const char *subject;

    work->standing =
        xreallocarray(work->standing, work->standing_count + 1, sizeof(*work->standing));
    row = &work->standing[work->standing_count++];
    memset(row, 0, sizeof(*row));
    row_copy(rows, 2, row->line_id, sizeof(row->line_id));
    row_copy(rows, 3, row->key, sizeof(row->key));
    subject = db_bytes(rows, 4, &len);
    memcpy(row->subject.id, subject, len < DIGEST_LEN ? len : DIGEST_LEN);
    row->subject.kind = (enum subject_kind)(db_int(rows, 5) - 1);
    row_copy(rows, 6, row->subject.team, sizeof(row->subject.team));
    row->state = (enum contribution_state)(db_int(rows, 7) - 1);
    row->quantity = db_int(rows, 8);
    row->starts_at = db_time_of(rows, 9);
    row->ends_at = db_time_of(rows, 10);
    row->grace_until = db_time_of(rows, 11);
}

static void unmapped_row(struct db_rows *rows, void *arg)
{
    struct order_work *work = order_batch_row(arg, rows);

    work->unmapped =
        xreallocarray(work->unmapped, work->unmapped_count + 1, sizeof(*work->unmapped));
    row_copy(rows, 2, work->unmapped[work->unmapped_count++], sizeof(*work->unmapped));
}

static enum db_result read_standing(struct db *db, struct order_batch *batch)
{
    enum db_result result =
        rows_read(db,
                  "SELECT source_id, order_id, line_id, entitlement_key, subject,"
                  " CAST(subject_kind AS UNSIGNED), team_id, CAST(state AS UNSIGNED), quantity,"
                  " starts_at, ends_at, grace_until FROM contribution"
                  " WHERE (source_id, order_id) IN",
                  "(?,?)", "ORDER BY source_id, order_id, line_id, entitlement_key", &batch->keys,
                  2, standing_row, batch);

    if (result != DB_OK)
        return result;
    return rows_read(db,
                     "SELECT source_id, order_id, line_id FROM unmapped_line"
                     " WHERE (source_id, order_id) IN",
                     "(?,?)", "ORDER BY source_id, order_id, line_id", &batch->keys, 2,
                     unmapped_row, batch);
}

/* All that is written for a batch, and what its parameters point at. */
struct difference {
    const struct order_batch *batch;
    struct values put, drop, unmapped_put, unmapped_drop, orders;
    struct audit audit;
    struct feed feed;
};

static void describe(enum contribution_state state, int64_t quantity, int64_t ends_at, char out[96])
{
    char when[TIME_TEXT] = "";

    if (ends_at != TIME_NONE)
        clock_format(ends_at, when);
    snprintf(out, 96, "%s x%lld%s%s", contribution_state_name(state), (long long)quantity,
             when[0] ? " until " : "", when);
}

/* Whether it gives something now: a grace that runs counts. */
static bool is_live(enum contribution_state state, int64_t ends_at, int64_t grace_until,
                    int64_t now)
{
    return state == CONTRIBUTION_ACTIVE && (ends_at == TIME_NONE || ends_at > now ||
                                            (grace_until != TIME_NONE && grace_until > now));
}

/* Tells whoever asked, once a change. */
static void tell_change(const struct difference *difference, const struct audit_row *row,
                        const struct standing_row *was, const struct contribution *is,
                        const char *before, const char *after)
{
    const struct orders_context *context = difference->batch->context;
    bool had = was != NULL && is_live(was->state, was->ends_at, was->grace_until, context->now);
    bool has = is != NULL && is_live(is->state, is->ends_at, is->grace_until, context->now);
    struct order_change change = {.source_id = row->source_id,
                                  .order_id = row->order_id,
                                  .line_id = row->line_id,
                                  .key = row->key,
                                  .subject = row->subject,
                                  .before = before,
                                  .after = after,
                                  .lost = had && !has,
                                  .gained = has && !had};

    if (context->changed != NULL)
        context->changed(&change, context->changed_arg);
}

/* One audit row and the feed of both subjects. One of `was` and `is` may be NULL. */
static void note_change(struct difference *difference, struct order_work *work,
                        const struct standing_row *was, const struct contribution *is)
{
    const struct order_news *cause = work->cause;
    struct audit_row row = {
        .cause = cause->cause,
        .cause_id = cause->cause_id,
        .source_id = work->known.source_id,
        .order_id = work->known.id,
        .action = was == NULL  ? "granted"
                  : is == NULL ? "dropped"
                               : "changed",
    };
    char before[96] = "", after[96] = "";

    if (was != NULL) {
        row.line_id = was->line_id;
        row.key = was->key;
        row.subject = was->subject.id;
        describe(was->state, was->quantity, was->ends_at, before);
        feed_add(&difference->feed, was->subject.id);
    }
    if (is != NULL) {
        row.line_id = is->line_id;
        row.key = is->key;
        row.subject = work->merged.subject.id;
        describe(is->state, is->quantity, is->ends_at, after);
        feed_add(&difference->feed, work->merged.subject.id);
    }
    audit_add(&difference->audit, &row, was ? before : NULL, is ? after : NULL);
    tell_change(difference, &row, was, is, was ? before : NULL, is ? after : NULL);
    work->changes++;
}

static bool subject_equal(const struct subject *a, const struct subject *b)
{
    return a->kind == b->kind && memcmp(a->id, b->id, DIGEST_LEN) == 0 &&
           strcmp(a->team, b->team) == 0;
}

static bool row_equal(const struct standing_row *was, const struct contribution *is,
                      const struct subject *subject)
{
    return was->state == is->state && was->quantity == is->quantity &&
           was->starts_at == is->starts_at && was->ends_at == is->ends_at &&
           was->grace_until == is->grace_until && subject_equal(&was->subject, subject);
}

static void put_contribution(struct difference *difference, const struct order_work *work,
                             const struct contribution *is)
{
    struct values *put = &difference->put;
    const struct subject *subject = &work->merged.subject;

    values_add_int(put, work->known.source_id);
    values_add_text(put, work->known.id);
    values_add_text(put, is->line_id);
    values_add_text(put, is->key);
    values_add_bytes(put, subject->id, DIGEST_LEN);
    values_add_int(put, (int)subject->kind + 1);
    values_add_text(put, subject->team[0] ? subject->team : NULL);
    values_add_int(put, (int)is->state + 1);
    values_add_int(put, is->quantity);
    values_add_time(put, is->starts_at);
    values_add_time(put, is->ends_at);
    values_add_time(put, is->grace_until);
    values_add_int(put, difference->batch->context->catalogue->version);
}

static void drop_contribution(struct difference *difference, const struct order_work *work,
                              const struct standing_row *was)
{
    values_add_int(&difference->drop, work->known.source_id);
    values_add_text(&difference->drop, work->known.id);
    values_add_text(&difference->drop, was->line_id);
    values_add_text(&difference->drop, was->key);
}

static int compare_place(const struct standing_row *was, const struct contribution *is)
{
    int order = strcmp(was->line_id, is->line_id);

    return order != 0 ? order : strcmp(was->key, is->key);
}

/* A row that changes: where it changes hands, one loses it and another is given it. */
static void note_pair(struct difference *difference, struct order_work *work,
                      const struct standing_row *was, const struct contribution *is)
{
    if (subject_equal(&was->subject, &work->merged.subject)) {
        note_change(difference, work, was, is);
        return;
    }
    note_change(difference, work, was, NULL);
    note_change(difference, work, NULL, is);
}

/* Both sides are sorted by line, then key: walked side by side. */
static void compare_contributions(struct difference *difference, struct order_work *work)
{
    /* Nobody to give it to yet: the order waits, without rows. */
    size_t count = work->merged.subject.kind == SUBJECT_NONE ? 0 : work->projection.count;
    size_t w = 0, i = 0;

    for (;;) {
        const struct standing_row *was = w < work->standing_count ? &work->standing[w] : NULL;
        const struct contribution *is = i < count ? &work->projection.contributions[i] : NULL;
        int order;

        if (was == NULL && is == NULL)
            return;
        order = was == NULL ? 1 : is == NULL ? -1 : compare_place(was, is);
        if (order < 0) {
            note_change(difference, work, was, NULL);
            drop_contribution(difference, work, was);
        } else if (order > 0) {
            note_change(difference, work, NULL, is);
            put_contribution(difference, work, is);
        } else if (!row_equal(was, is, &work->merged.subject)) {
            note_pair(difference, work, was, is);
            put_contribution(difference, work, is);
        }
        w += order <= 0;
        i += order >= 0;
    }
}

static bool is_unmapped(const struct order_work *work, const char *line_id)
{
    for (size_t i = 0; i < work->projection.unmapped_count; i++) {
        if (strcmp(work->projection.unmapped[i]->id, line_id) == 0)
            return true;
    }
    return false;
}

static bool stands_unmapped(const struct order_work *work, const char *line_id)
{
    for (size_t i = 0; i < work->unmapped_count; i++) {
        if (strcmp(work->unmapped[i], line_id) == 0)
            return true;
    }
    return false;
}

static void compare_unmapped(struct difference *difference, const struct order_work *work)
{
    for (size_t i = 0; i < work->unmapped_count; i++) {
        if (is_unmapped(work, work->unmapped[i]))
            continue;
        values_add_int(&difference->unmapped_drop, work->known.source_id);
        values_add_text(&difference->unmapped_drop, work->known.id);
        values_add_text(&difference->unmapped_drop, work->unmapped[i]);
    }
    for (size_t i = 0; i < work->projection.unmapped_count; i++) {
        const struct fact_line *line = work->projection.unmapped[i];

        if (stands_unmapped(work, line->id))
            continue;
        values_add_int(&difference->unmapped_put, work->known.source_id);
        values_add_text(&difference->unmapped_put, work->known.id);
        values_add_text(&difference->unmapped_put, line->id);
        values_add_text(&difference->unmapped_put, line->product);
        values_add_text(&difference->unmapped_put, line->variant);
        values_add_text(&difference->unmapped_put, line->sku);
    }
}

/* Paid, and nothing tells by whom. */
static bool is_nobodys(const struct merged_order *merged)
{
    return merged->winner != NULL && merged->status == ORDER_PAID &&
           merged->subject.kind == SUBJECT_NONE;
}

/* The order's own row: what the merge made of it, and with which catalogue. */
static void put_order(struct difference *difference, const struct order_work *work)
{
    struct values *orders = &difference->orders;
    int64_t now = difference->batch->context->now;

    values_add_int(orders, work->known.source_id);
    values_add_text(orders, work->known.id);
    values_add_int(orders, work->is_alias ? VERSION_OF_ALIAS
                                          : difference->batch->context->catalogue->version);
    values_add(orders, work->merged.winner == NULL ? DB_VALUE_NULL
                                                   : DB_VALUE_INT((int)work->merged.status + 1));
    values_add_int(orders, (int)work->merged.subject.kind + 1);
    values_add_int(orders, is_nobodys(&work->merged));
    values_add_int(orders, (int64_t)work->projection.unmapped_count);
    values_add_int(orders, now);
    values_add_int(orders, now);
}

static enum db_result write_contributions(struct db *db, const struct difference *difference)
{
    enum db_result result = rows_delete(db,
                                        "DELETE FROM contribution"
                                        " WHERE (source_id, order_id, line_id, entitlement_key) IN",
                                        "(?,?,?,?)", &difference->drop, 4);

    if (result == DB_OK)
        result = rows_write(
            db,
            "INSERT INTO contribution (source_id, order_id, line_id, entitlement_key, subject,"
            " subject_kind, team_id, state, quantity, starts_at, ends_at, grace_until,"
            " catalogue_version) VALUES",
            "(?,?,?,?,?,?,?,?,?,?,?,?,?)",
            "ON DUPLICATE KEY UPDATE subject = VALUES(subject),"
            " subject_kind = VALUES(subject_kind), team_id = VALUES(team_id),"
            " state = VALUES(state), quantity = VALUES(quantity),"
            " starts_at = VALUES(starts_at), ends_at = VALUES(ends_at),"
            " grace_until = VALUES(grace_until), catalogue_version = VALUES(catalogue_version)",
            &difference->put, 13);
    return result;
}

static enum db_result write_unmapped(struct db *db, const struct difference *difference)
{
    enum db_result result =
        rows_delete(db, "DELETE FROM unmapped_line WHERE (source_id, order_id, line_id) IN",
                    "(?,?,?)", &difference->unmapped_drop, 3);

    if (result == DB_OK)
        result = rows_write(db,
                            "INSERT INTO unmapped_line (source_id, order_id, line_id, product,"
                            " variant, sku) VALUES",
                            "(?,?,?,?,?,?)",
                            "ON DUPLICATE KEY UPDATE product = VALUES(product),"
                            " variant = VALUES(variant), sku = VALUES(sku)",
                            &difference->unmapped_put, 6);
    return result;
}

static enum db_result write_orders(struct db *db, const struct difference *difference)
{
    return rows_write(db,
                      "INSERT INTO shop_order (source_id, order_id, catalogue_version, status,"
                      " subject_kind, is_nobodys, unmapped_lines, merged_at, first_seen_at)"
                      " VALUES",
                      "(?,?,?,?,?,?,?,?,?)",
                      "ON DUPLICATE KEY UPDATE catalogue_version = VALUES(catalogue_version),"
                      " status = VALUES(status), subject_kind = VALUES(subject_kind),"
                      " is_nobodys = VALUES(is_nobodys),"
                      " unmapped_lines = VALUES(unmapped_lines), merged_at = VALUES(merged_at)",
                      &difference->orders, 9);
}

static enum db_result difference_write(struct db *db, struct difference *difference)
{
    enum db_result result = write_contributions(db, difference);

    if (result == DB_OK)
        result = write_unmapped(db, difference);
    if (result == DB_OK)
        result = write_orders(db, difference);
    if (result == DB_OK)
        result = audit_write(db, &difference->audit, difference->batch->context->now);
    if (result == DB_OK)
        result = feed_write(db, &difference->feed, difference->batch->context->now);
    return result;
}

enum db_result order_difference(struct db *db, struct order_batch *batch)
{
    struct difference difference = {.batch = batch};
    enum db_result result = read_standing(db, batch);

    for (size_t i = 0; result == DB_OK && i < batch->count; i++) {
        compare_contributions(&difference, &batch->orders[i]);
        compare_unmapped(&difference, &batch->orders[i]);
        put_order(&difference, &batch->orders[i]);
    }
    if (result == DB_OK && !batch->context->dry_run)
        result = difference_write(db, &difference);
    values_free(&difference.put);
    values_free(&difference.drop);
    values_free(&difference.unmapped_put);
    values_free(&difference.unmapped_drop);
    values_free(&difference.orders);
    audit_free(&difference.audit);
    feed_free(&difference.feed);
    return result;
}
