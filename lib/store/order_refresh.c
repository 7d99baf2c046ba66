#include "store/order_refresh.h"

#include <string.h>

#include "base/clock.h"
#include "store/rows.h"

/* An alias of an alias of an alias: a charge, its payment, its invoice, the subscription. */
#define CHAIN_MOST 4

/* Follows one link of the chain; *more is false at its end. */
static enum db_result alias_step(struct db *db, uint32_t source_id, char own[LIMIT_ORDER_ID + 1],
                                 bool *more)
{
    const struct db_value key[] = {DB_VALUE_INT(source_id), db_text(own)};
    struct db_rows *rows;
    enum db_result result = db_query(
        db, "SELECT order_id FROM order_alias WHERE source_id = ? AND alias = ?", key, 2, &rows);

    if (result != DB_OK)
        return result;
    *more = db_rows_next(rows);
    if (*more)
        row_copy(rows, 0, own, LIMIT_ORDER_ID + 1);
    db_rows_free(rows);
    return DB_OK;
}

enum db_result orders_resolve(struct db *db, uint32_t source_id, const char *id,
                              char own[LIMIT_ORDER_ID + 1], bool *found)
{
    struct db_rows *rows;
    bool more = true;
    enum db_result result = DB_OK;

    memset(own, 0, LIMIT_ORDER_ID + 1);
    memcpy(own, id, strnlen(id, LIMIT_ORDER_ID));
    for (int step = 0; step < CHAIN_MOST && more && result == DB_OK; step++)
        result = alias_step(db, source_id, own, &more);
    if (result == DB_OK)
        result = db_query(db, "SELECT 1 FROM shop_order WHERE source_id = ? AND order_id = ?",
                          (struct db_value[]){DB_VALUE_INT(source_id), db_text(own)}, 2, &rows);
    if (result != DB_OK)
        return result;
    *found = db_rows_next(rows);
    db_rows_free(rows);
    return DB_OK;
}

enum db_result orders_refresh(struct db *db, uint32_t source_id, const char *order_id, int64_t now)
{
    return db_execute(
        db,
        "UPDATE shop_order SET reread_due_at = ?, reread_attempts = 0"
        " WHERE source_id = ? AND order_id = ?",
        (struct db_value[]){DB_VALUE_INT(now), DB_VALUE_INT(source_id), db_text(order_id)}, 3);
}

enum db_result orders_refresh_look(struct db *db, uint32_t source_id, const char *order_id,
                                   struct order_refresh *out)
{
    const struct db_value source = DB_VALUE_INT(source_id), order = db_text(order_id);
    const struct db_value keys[] = {source, order, source, order, source, order};
    struct db_rows *rows;
    enum db_result result =
        db_query(db,
                 "SELECT reread_due_at, reread_attempts,"
                 " (SELECT MAX(read_at) FROM order_snapshot WHERE source_id = ? AND order_id = ?"
                 " AND from_api = 1),"
                 " (SELECT COUNT(*) FROM audit WHERE source_id = ? AND order_id = ?)"
                 " FROM shop_order WHERE source_id = ? AND order_id = ?",
                 keys, 6, &rows);

    if (result != DB_OK)
        return result;
    *out = (struct order_refresh){.due_at = TIME_NONE, .read_at = TIME_NONE};
    if (db_rows_next(rows)) {
        out->due = !db_is_null(rows, 0);
        out->due_at = db_time_of(rows, 0);
        out->attempts = (uint32_t)db_int(rows, 1);
        out->read_at = db_time_of(rows, 2);
        out->changes = (uint64_t)db_int(rows, 3);
    }
    db_rows_free(rows);
    return DB_OK;
}
