/*
 * Which orders are to be looked at again, and why: an older catalogue, a re-read that a merge asked
 * for, or all of them.
 */
#include <string.h>

#include "base/clock.h"
#include "store/orders.h"
#include "store/rows.h"

/* Copies (source_id, order_id) and, where the query has them, the delivery and the attempts. */
static enum db_result names_read(struct db *db, const char *sql, const struct db_value *values,
                                 size_t value_count, struct order_name *out, size_t most,
                                 size_t *count)
{
    struct db_rows *rows;
    enum db_result result = db_query(db, sql, values, value_count, &rows);
    size_t read = 0;

    if (result != DB_OK)
        return result;
    while (read < most && db_rows_next(rows)) {
        struct order_name *name = &out[read++];
        size_t len;
        const char *id = db_bytes(rows, 1, &len);

        memset(name, 0, sizeof(*name));
        name->source_id = (uint32_t)db_int(rows, 0);
        memcpy(name->order_id, id, len < LIMIT_ORDER_ID ? len : LIMIT_ORDER_ID);
        name->delivery_id = (uint64_t)db_int(rows, 2);
        name->attempts = (uint32_t)db_int(rows, 3);
    }
    db_rows_free(rows);
    *count = read;
    return DB_OK;
}

enum db_result orders_older_than(struct db *db, uint32_t version, struct order_name *out,
                                 size_t most, size_t *count)
{
    return names_read(db,
                      "SELECT source_id, order_id, 0, 0 FROM shop_order"
                      " WHERE catalogue_version < ? ORDER BY catalogue_version LIMIT ?",
                      (struct db_value[]){DB_VALUE_INT(version), DB_VALUE_INT((int64_t)most)}, 2,
                      out, most, count);
}

enum db_result orders_walk(struct db *db, const struct order_name *from, struct order_name *out,
                           size_t most, size_t *count)
{
    if (from == NULL)
        return names_read(db,
                          "SELECT source_id, order_id, 0, 0 FROM shop_order"
                          " ORDER BY source_id, order_id LIMIT ?",
                          (struct db_value[]){DB_VALUE_INT((int64_t)most)}, 1, out, most, count);
    /* Two ranges, because MariaDB makes no range of a row comparison. */
    return names_read(db,
                      "(SELECT source_id, order_id, 0, 0 FROM shop_order"
                      " WHERE source_id = ? AND order_id > ? ORDER BY source_id, order_id LIMIT ?)"
                      " UNION ALL"
                      " (SELECT source_id, order_id, 0, 0 FROM shop_order"
                      " WHERE source_id > ? ORDER BY source_id, order_id LIMIT ?)"
                      " ORDER BY 1, 2 LIMIT ?",
                      (struct db_value[]){DB_VALUE_INT(from->source_id), db_text(from->order_id),
                                          DB_VALUE_INT((int64_t)most),
                                          DB_VALUE_INT(from->source_id),
                                          DB_VALUE_INT((int64_t)most), DB_VALUE_INT((int64_t)most)},
                      6, out, most, count);
}

struct existence {
    const char *const *ids;
    size_t count;
    bool *known;
};

static void existence_row(struct db_rows *rows, void *arg)
{
    const struct existence *existence = arg;
    size_t len;
    const char *id = db_bytes(rows, 0, &len);

    for (size_t i = 0; i < existence->count; i++) {
        if (strcmp(existence->ids[i], id) == 0)
            existence->known[i] = true;
    }
}

enum db_result orders_exist(struct db *db, uint32_t source_id, const char *const *order_ids,
                            size_t count, bool *known)
{
    struct existence existence = {order_ids, count, known};
    struct values keys = {0};
    enum db_result result;

    memset(known, 0, count * sizeof(*known));
    for (size_t i = 0; i < count; i++) {
        values_add_int(&keys, source_id);
        values_add_text(&keys, order_ids[i]);
    }
    result = rows_read(db, "SELECT order_id FROM shop_order WHERE (source_id, order_id) IN",
                       "(?,?)", "", &keys, 2, existence_row, &existence);
    values_free(&keys);
    return result;
}

enum db_result orders_schedule_reread(struct db *db, uint32_t source_id, const char *order_id,
                                      uint64_t delivery_id, int64_t due_at)
{
    return db_execute(
        db,
        "INSERT INTO shop_order (source_id, order_id, first_seen_at, reread_due_at,"
        " reread_delivery) VALUES (?,?,?,?,?)"
        " ON DUPLICATE KEY UPDATE"
        " reread_due_at = LEAST(COALESCE(reread_due_at, VALUES(reread_due_at)),"
        " VALUES(reread_due_at)),"
        " reread_delivery = VALUES(reread_delivery)",
        (struct db_value[]){DB_VALUE_INT(source_id), db_text(order_id), DB_VALUE_INT(due_at),
                            DB_VALUE_INT(due_at),
                            delivery_id ? DB_VALUE_INT((int64_t)delivery_id) : DB_VALUE_NULL},
        5);
}

struct claim {
    int64_t now;
    struct order_name *out;
    size_t most;
    size_t *count;
};

/* A claimed re-read is due again when its lease is over: a worker that dies loses it to another. */
static enum db_result claim_body(struct db *db, void *arg)
{
    struct claim *claim = arg;
    struct values keys = {0};
    enum db_result result = names_read(
        db,
        "SELECT source_id, order_id, reread_delivery, reread_attempts FROM shop_order"
        " WHERE reread_due_at <= ? ORDER BY reread_due_at LIMIT ?"
        " FOR UPDATE SKIP LOCKED",
        (struct db_value[]){DB_VALUE_INT(claim->now), DB_VALUE_INT((int64_t)claim->most)}, 2,
        claim->out, claim->most, claim->count);

    if (result != DB_OK)
        return result;
    values_add_int(&keys, claim->now + LIMIT_LEASE_S * TIME_SECOND);
    for (size_t i = 0; i < *claim->count && result == DB_OK; i++) {
        keys.count = 1;
        claim->out[i].claimed_until = keys.items[0].number;
        values_add_int(&keys, claim->out[i].source_id);
        values_add_text(&keys, claim->out[i].order_id);
        result = db_execute(db,
                            "UPDATE shop_order SET reread_due_at = ?,"
                            " reread_attempts = reread_attempts + 1"
                            " WHERE source_id = ? AND order_id = ?",
                            keys.items, keys.count);
    }
    values_free(&keys);
    return result;
}

enum db_result orders_claim_rereads(struct db *db, int64_t now, struct order_name *out, size_t most,
                                    size_t *count)
{
    struct claim claim = {now, out, most, count};

    return db_transaction(db, claim_body, &claim);
}

enum db_result orders_finish_reread(struct db *db, const struct order_name *order,
                                    int64_t again_at_or_none)
{
    return db_execute(db,
                      "UPDATE shop_order SET reread_due_at = ?,"
                      " reread_attempts = IF(? IS NULL, 0, reread_attempts)"
                      " WHERE source_id = ? AND order_id = ? AND reread_due_at = ?",
                      (struct db_value[]){db_time(again_at_or_none), db_time(again_at_or_none),
                                          DB_VALUE_INT(order->source_id), db_text(order->order_id),
                                          DB_VALUE_INT(order->claimed_until)},
                      5);
}

/* Whether every refund that the evidence lists has its lines told. */
static enum db_result refunds_told(struct db *db, uint32_t source_id,
                                   const struct fact_order *facts, bool *told)
{
    struct db_rows *rows;
    size_t found = 0;
    enum db_result result =
        db_query(db,
                 "SELECT refund_id FROM order_refund WHERE source_id = ? AND order_id = ?"
                 " AND detail_only = 1 AND lines_known = 1",
                 (struct db_value[]){DB_VALUE_INT(source_id), db_text(facts->id)}, 2, &rows);

    if (result != DB_OK)
        return result;
    while (facts->snapshot != NULL && db_rows_next(rows)) {
        size_t len;
        const char *id = db_bytes(rows, 0, &len);

        for (size_t i = 0; i < facts->snapshot->refund_count; i++)
            found += strcmp(facts->snapshot->refunds[i].id, id) == 0;
    }
    db_rows_free(rows);
    *told = facts->snapshot == NULL || found >= facts->snapshot->refund_count;
    return DB_OK;
}

enum db_result orders_need_met(struct db *db, uint32_t source_id, const struct fact_order *facts,
                               const struct fact_need *need, bool *met)
{
    static const char *const known[] = {
        [NEED_LINES] = "SELECT 1 FROM order_line WHERE source_id = ? AND order_id IN (?,"
                       " (SELECT order_id FROM order_alias WHERE source_id = ? AND alias = ?))"
                       " LIMIT 1",
        [NEED_ADDRESS] = "SELECT 1 FROM order_snapshot WHERE source_id = ? AND order_id IN (?,"
                         " (SELECT order_id FROM order_alias WHERE source_id = ? AND alias = ?))"
                         " AND (address_index IS NOT NULL OR owner_user IS NOT NULL) LIMIT 1",
        [NEED_OWNER] = "SELECT 1 FROM order_alias WHERE source_id = ? AND alias = ?"
                       " AND source_id = ? AND alias = ? LIMIT 1",
    };
    struct db_rows *rows;
    enum db_result result;

    *met = false;
    /* What refunds of an object there are is the shop's to say, each time. */
    if (need->kind == NEED_REFUNDS && need->object != NULL)
        return DB_OK;
    if (need->kind == NEED_REFUNDS)
        return refunds_told(db, source_id, facts, met);
    if (need->kind == NEED_ORDER)
        return DB_OK;
    result = db_query(db, known[need->kind],
                      (struct db_value[]){DB_VALUE_INT(source_id), db_text(facts->id),
                                          DB_VALUE_INT(source_id), db_text(facts->id)},
                      4, &rows);
    if (result != DB_OK)
        return result;
    *met = db_rows_next(rows);
    db_rows_free(rows);
    return DB_OK;
}
