/*
 * Writes the facts that order_facts_add() marked, a statement a table.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/order_work.h"

/* The columns that every table of facts begins with. */
static void add_key(struct values *values, const struct known_order *order)
{
    values_add_int(values, order->source_id);
    values_add_text(values, order->id);
}

static void add_delivery(struct values *values, uint64_t id)
{
    values_add(values, id == 0 ? DB_VALUE_NULL : DB_VALUE_INT((int64_t)id));
}

static void add_amount(struct values *values, int64_t amount)
{
    values_add(values, amount < 0 ? DB_VALUE_NULL : DB_VALUE_INT(amount));
}

/* Enums are written by their number, which MariaDB counts from 1. */
static void add_enum(struct values *values, int value)
{
    values_add_int(values, value + 1);
}

static void add_snapshot(struct values *values, const struct order_work *work, size_t index,
                         int64_t now)
{
    enum { REFERENCE_ABSENT, REFERENCE_VALID, REFERENCE_INVALID };
    const struct known_snapshot *snapshot = &work->known.snapshots[index];
    const struct fact_mark *mark = &work->snapshot_marks[index];
    const struct fact_snapshot *facts = &snapshot->facts;

    add_key(values, &work->known);
    values_add_bytes(values, snapshot->digest, DIGEST_LEN);
    values_add_int(values, facts->time);
    values_add_int(values, facts->time_flagged);
    values_add_int(values, facts->from_api);
    values_add_int(values, facts->read_at);
    add_enum(values, (int)facts->status);
    values_add_int(values, facts->lines_known);
    values_add_int(values, facts->lists_refunds);
    values_add_time(values, facts->paid_at);
    add_amount(values, facts->total);
    add_amount(values, facts->refunded_total);
    add_enum(values, (int)facts->address_state);
    values_add(values, snapshot->has_index ? DB_VALUE_BYTES(snapshot->address_index, DIGEST_LEN)
                                           : DB_VALUE_NULL);
    values_add_text(values, snapshot->owner_user);
    values_add_text(values, snapshot->owner_team);
    add_enum(values, snapshot->owner_user != NULL ? REFERENCE_VALID
                     : mark->reference_invalid    ? REFERENCE_INVALID
                                                  : REFERENCE_ABSENT);
    add_delivery(values, mark->delivery_id);
    values_add_int(values, now);
    values_add_int(values, facts->time_flagged ? facts->time_claimed : 0);
    values_add_int(values, facts->disputed);
    values_add_text(values, facts->payment);
}

/* Calls back for each order's snapshots that are to be written. */
static void each_snapshot(const struct order_batch *batch,
                          void (*add)(struct values *, const struct order_work *, size_t, int64_t),
                          struct values *values)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct order_work *work = &batch->orders[i];

        for (size_t s = 0; s < work->known.snapshot_count; s++) {
            if (work->snapshot_marks[s].dirty)
                add(values, work, s, batch->context->now);
        }
    }
}

static void add_lines(struct values *values, const struct order_work *work, size_t index,
                      int64_t now)
{
    const struct known_snapshot *snapshot = &work->known.snapshots[index];

    (void)now;
    for (size_t i = 0; work->snapshot_marks[index].fresh && i < snapshot->facts.line_count; i++) {
        const struct fact_line *line = &snapshot->facts.lines[i];

        add_key(values, &work->known);
        values_add_bytes(values, snapshot->digest, DIGEST_LEN);
        values_add_text(values, line->id);
        values_add_text(values, line->product);
        values_add_text(values, line->variant);
        values_add_text(values, line->sku);
        values_add_int(values, line->quantity);
        values_add_int(values, line->refunded_quantity);
        values_add_text(values, line->product2);
    }
}

static void add_listed_row(struct values *values, const struct order_work *work,
                           const struct known_snapshot *snapshot,
                           const struct fact_listed_refund *refund, const char *line_id,
                           int64_t quantity)
{
    add_key(values, &work->known);
    values_add_bytes(values, snapshot->digest, DIGEST_LEN);
    values_add_text(values, refund->id);
    values_add_text(values, line_id);
    values_add_int(values, refund->amount);
    values_add_int(values, refund->lines_known);
    values_add_int(values, quantity);
}

static void add_listed_refunds(struct values *values, const struct order_work *work, size_t index,
                               int64_t now)
{
    const struct known_snapshot *snapshot = &work->known.snapshots[index];

    (void)now;
    for (size_t i = 0; work->snapshot_marks[index].fresh && i < snapshot->facts.refund_count; i++) {
        const struct fact_listed_refund *refund = &snapshot->facts.refunds[i];

        add_listed_row(values, work, snapshot, refund, "", 0);
        for (size_t l = 0; l < refund->line_count; l++)
            add_listed_row(values, work, snapshot, refund, refund->lines[l].line_id,
                           refund->lines[l].quantity);
    }
}

static enum db_result write_snapshots(struct db *db, const struct order_batch *batch)
{
    struct values rows = {0}, lines = {0}, refunds = {0};
    enum db_result result;

    each_snapshot(batch, add_snapshot, &rows);
    each_snapshot(batch, add_lines, &lines);
    each_snapshot(batch, add_listed_refunds, &refunds);
    result = rows_write(db,
                        "INSERT INTO order_snapshot (source_id, order_id, digest, time,"
                        " time_flagged, from_api, read_at, status, lines_known, lists_refunds,"
                        " paid_at, total, refunded_total, address_state, address_index,"
                        " owner_user, owner_team, reference_state, delivery_id, recorded_at,"
                        " time_claimed, disputed, payment)"
                        " VALUES",
                        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                        "ON DUPLICATE KEY UPDATE time = VALUES(time), read_at = VALUES(read_at)",
                        &rows, 23);
    if (result == DB_OK)
        result = rows_write(db,
                            "INSERT INTO order_line (source_id, order_id, digest, line_id,"
                            " product, variant, sku, quantity, refunded_quantity,"
                            " product2) VALUES",
                            "(?,?,?,?,?,?,?,?,?,?)",
                            "ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &lines, 10);
    if (result == DB_OK)
        result = rows_write(db,
                            "INSERT INTO snapshot_refund (source_id, order_id, digest, refund_id,"
                            " line_id, amount, lines_known, quantity) VALUES",
                            "(?,?,?,?,?,?,?,?)",
                            "ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &refunds, 8);
    values_free(&rows);
    values_free(&lines);
    values_free(&refunds);
    return result;
}

/* The parameters of the refunds to be written: their keys, their rows, their lines. */
static void add_refunds(const struct order_work *work, int64_t now, struct values *keys,
                        struct values *rows, struct values *lines)
{
    for (size_t i = 0; i < work->known.refund_count; i++) {
        const struct fact_refund *refund = &work->known.refunds[i];

        if (!work->refund_marks[i].dirty)
            continue;
        add_key(keys, &work->known);
        values_add_text(keys, refund->id);
        values_add_int(keys, refund->detail_only);
        add_key(rows, &work->known);
        values_add_text(rows, refund->id);
        values_add_int(rows, refund->detail_only);
        values_add_int(rows, refund->time);
        add_enum(rows, (int)refund->state);
        values_add_int(rows, refund->amount);
        values_add_int(rows, refund->lines_known);
        add_delivery(rows, work->refund_marks[i].delivery_id);
        values_add_int(rows, now);
        values_add_text(rows, refund->payment);
        for (size_t l = 0; l < refund->line_count; l++) {
            add_key(lines, &work->known);
            values_add_text(lines, refund->id);
            values_add_int(lines, refund->detail_only);
            values_add_text(lines, refund->lines[l].line_id);
            values_add_int(lines, refund->lines[l].quantity);
        }
    }
}

/* A refund that is told anew replaces what was known of it, lines and all. */
static enum db_result write_refunds(struct db *db, const struct order_batch *batch)
{
    struct values keys = {0}, rows = {0}, lines = {0};
    enum db_result result;

    for (size_t i = 0; i < batch->count; i++)
        add_refunds(&batch->orders[i], batch->context->now, &keys, &rows, &lines);
    result = rows_delete(db,
                         "DELETE FROM order_refund_line"
                         " WHERE (source_id, order_id, refund_id, detail_only) IN",
                         "(?,?,?,?)", &keys, 4);
    if (result == DB_OK)
        result = rows_write(db,
                            "REPLACE INTO order_refund (source_id, order_id, refund_id,"
                            " detail_only, time, state, amount, lines_known, delivery_id,"
                            " recorded_at, payment) VALUES",
                            "(?,?,?,?,?,?,?,?,?,?,?)", "", &rows, 11);
    if (result == DB_OK)
        result = rows_write(db,
                            "INSERT INTO order_refund_line (source_id, order_id, refund_id,"
                            " detail_only, line_id, quantity) VALUES",
                            "(?,?,?,?,?,?)", "", &lines, 6);
    values_free(&keys);
    values_free(&rows);
    values_free(&lines);
    return result;
}

static enum db_result write_disputes(struct db *db, const struct order_batch *batch)
{
    struct values rows = {0};
    enum db_result result;

    for (size_t i = 0; i < batch->count; i++) {
        const struct order_work *work = &batch->orders[i];

        for (size_t d = 0; d < work->known.dispute_count; d++) {
            if (!work->dispute_marks[d].dirty)
                continue;
            add_key(&rows, &work->known);
            values_add_text(&rows, work->known.disputes[d].id);
            values_add_int(&rows, work->known.disputes[d].time);
            add_enum(&rows, (int)work->known.disputes[d].state);
            add_delivery(&rows, work->dispute_marks[d].delivery_id);
            values_add_int(&rows, batch->context->now);
        }
    }
    result = rows_write(db,
                        "REPLACE INTO order_dispute (source_id, order_id, dispute_id, time,"
                        " state, delivery_id, recorded_at) VALUES",
                        "(?,?,?,?,?,?,?)", "", &rows, 7);
    values_free(&rows);
    return result;
}

static enum db_result write_states(struct db *db, const struct order_batch *batch)
{
    struct values rows = {0};
    enum db_result result;

    for (size_t i = 0; i < batch->count; i++) {
        const struct order_work *work = &batch->orders[i];

        for (size_t s = 0; s < work->known.subscription_count; s++) {
            const struct known_subscription *known = &work->known.subscriptions[s];

            if (!work->subscription_marks[s].dirty)
                continue;
            add_key(&rows, &work->known);
            values_add_bytes(&rows, known->digest, DIGEST_LEN);
            values_add_int(&rows, known->facts.time);
            values_add_int(&rows, known->facts.from_api);
            values_add_int(&rows, known->facts.read_at);
            add_enum(&rows, (int)known->facts.state);
            values_add_time(&rows, known->facts.paid_until);
            values_add_time(&rows, known->facts.unpaid_since);
            add_delivery(&rows, work->subscription_marks[s].delivery_id);
            values_add_int(&rows, batch->context->now);
        }
    }
    result = rows_write(db,
                        "INSERT INTO order_subscription (source_id, order_id, digest, time,"
                        " from_api, read_at, state, paid_until, unpaid_since, delivery_id,"
                        " recorded_at) VALUES",
                        "(?,?,?,?,?,?,?,?,?,?,?)",
                        "ON DUPLICATE KEY UPDATE read_at = VALUES(read_at)", &rows, 11);
    values_free(&rows);
    return result;
}

static int address_order(const void *a, const void *b)
{
    return memcmp(((const struct address_row *)a)->index, ((const struct address_row *)b)->index,
                  DIGEST_LEN);
}

/*
 * Addresses are shared between orders: in the order of their keys, so that two batches do not
 * deadlock. A copy that a privacy tool took comes back only with an order made after that.
 */
static enum db_result write_addresses(struct db *db, struct order_batch *batch)
{
    struct values rows = {0};
    enum db_result result;

    if (batch->address_count > 1)
        qsort(batch->addresses, batch->address_count, sizeof(*batch->addresses), address_order);
    for (size_t i = 0; i < batch->address_count; i++) {
        const struct address_row *address = &batch->addresses[i];

        values_add_bytes(&rows, address->index, DIGEST_LEN);
        values_add_bytes(&rows, address->sealed.data, address->sealed.len);
        values_add_int(&rows, address->time);
    }
    result = rows_write(db, "INSERT INTO address (address_index, sealed, first_seen_at) VALUES",
                        "(?,?,?)",
                        "ON DUPLICATE KEY UPDATE"
                        " sealed = IF(sealed IS NULL AND VALUES(first_seen_at) > erased_at,"
                        " VALUES(sealed), sealed),"
                        " erased_at = IF(sealed IS NULL, erased_at, NULL),"
                        " first_seen_at = LEAST(first_seen_at, VALUES(first_seen_at))",
                        &rows, 3);
    values_free(&rows);
    return result;
}

/* A privacy tool blanked the address in the order that now counts: our sealed copy goes too, and
 * the index, which binds the purchase, stays. */
static enum db_result erase_addresses(struct db *db, const struct order_batch *batch)
{
    struct values keys = {0};
    enum db_result result;

    for (size_t i = 0; i < batch->count; i++) {
        const struct merged_order *merged = &batch->orders[i].merged;

        if (merged->winner != NULL && merged->winner->facts.address_state == ADDRESS_ERASED &&
            merged->subject.kind == SUBJECT_ADDRESS)
            values_add_bytes(&keys, merged->subject.id, DIGEST_LEN);
    }
    result = rows_delete(db,
                         "UPDATE address SET sealed = NULL, erased_at = COALESCE(erased_at,"
                         " CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED))"
                         " WHERE address_index IN",
                         "?", &keys, 1);
    values_free(&keys);
    return result;
}

enum db_result order_addresses_write(struct db *db, struct order_batch *batch)
{
    enum db_result result = write_addresses(db, batch);

    return result == DB_OK ? erase_addresses(db, batch) : result;
}

enum db_result order_facts_write(struct db *db, struct order_batch *batch)
{
    enum db_result result = write_snapshots(db, batch);

    if (result == DB_OK)
        result = write_refunds(db, batch);
    if (result == DB_OK)
        result = write_disputes(db, batch);
    if (result == DB_OK)
        result = write_states(db, batch);
    return result;
}
