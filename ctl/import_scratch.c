#include "import_scratch.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum exit_code import_scratch_make(struct ctl *ctl)
{
    static const char *const tables[] = {
        "CREATE TEMPORARY TABLE import_order (source_id INT UNSIGNED NOT NULL,"
        " order_id VARBINARY(128) NOT NULL, time BIGINT NOT NULL, content BINARY(32) NOT NULL,"
        " line BIGINT NOT NULL, pays BOOLEAN NOT NULL, payer BINARY(32) NULL,"
        " nobody BOOLEAN NOT NULL, PRIMARY KEY (source_id, order_id, time)) ENGINE=InnoDB",
        "CREATE TEMPORARY TABLE import_unmapped (source_id INT UNSIGNED NOT NULL,"
        " order_id VARBINARY(128) NOT NULL, line_id VARBINARY(128) NOT NULL,"
        " product VARBINARY(191) NULL, variant VARBINARY(191) NULL, sku VARBINARY(191) NULL,"
        " PRIMARY KEY (source_id, order_id, line_id)) ENGINE=InnoDB",
        "CREATE TEMPORARY TABLE import_link (address_index BINARY(32) NOT NULL PRIMARY KEY,"
        " user_id VARBINARY(32) NOT NULL) ENGINE=InnoDB",
        "CREATE TEMPORARY TABLE import_grant (grant_id BINARY(8) NOT NULL PRIMARY KEY)"
        " ENGINE=InnoDB",
    };

    for (size_t i = 0; i < COUNT(tables); i++) {
        if (db_execute(ctl->db, tables[i], NULL, 0) != DB_OK)
            return ctl_database_failed(ctl, "making a temporary table (the database's user needs "
                                            "CREATE TEMPORARY TABLES)");
    }
    return EXIT_DONE;
}

/* The line on which the order stands already, if that says something else. */
static enum db_result other_find(struct db *db, const struct scratch_order *order,
                                 uint64_t *other_line)
{
    const struct db_value values[] = {DB_VALUE_INT(order->source_id), db_text(order->order_id),
                                      DB_VALUE_INT(order->time),
                                      DB_VALUE_BYTES(order->content, DIGEST_LEN)};
    struct db_rows *rows;
    enum db_result result = db_query(db,
                                     "SELECT line FROM import_order WHERE source_id = ?"
                                     " AND order_id = ? AND time = ? AND content <> ?",
                                     values, COUNT(values), &rows);

    if (result != DB_OK)
        return result;
    if (db_rows_next(rows))
        *other_line = (uint64_t)db_int(rows, 0);
    db_rows_free(rows);
    return DB_OK;
}

enum db_result import_scratch_order(struct db *db, const struct scratch_order *order,
                                    uint64_t *other_line)
{
    const struct db_value values[] = {DB_VALUE_INT(order->source_id),
                                      db_text(order->order_id),
                                      DB_VALUE_INT(order->time),
                                      DB_VALUE_BYTES(order->content, DIGEST_LEN),
                                      DB_VALUE_INT((int64_t)order->line),
                                      DB_VALUE_INT(order->pays),
                                      order->has_payer ? DB_VALUE_BYTES(order->payer, DIGEST_LEN)
                                                       : DB_VALUE_NULL,
                                      DB_VALUE_INT(order->nobody)};
    enum db_result result =
        db_execute(db,
                   "INSERT INTO import_order (source_id, order_id, time, content, line, pays,"
                   " payer, nobody) VALUES (?,?,?,?,?,?,?,?)"
                   " ON DUPLICATE KEY UPDATE source_id = VALUES(source_id)",
                   values, COUNT(values));

    *other_line = 0;
    return result == DB_OK && db_affected(db) == 0 ? other_find(db, order, other_line) : result;
}

enum db_result import_scratch_unmapped(struct db *db, const struct scratch_order *order,
                                       const struct fact_line *line)
{
    const struct db_value values[] = {
        DB_VALUE_INT(order->source_id), db_text(order->order_id), db_text(line->id),
        db_text(line->product),         db_text(line->variant),   db_text(line->sku)};

    return db_execute(db,
                      "INSERT INTO import_unmapped (source_id, order_id, line_id, product, variant,"
                      " sku) VALUES (?,?,?,?,?,?)"
                      " ON DUPLICATE KEY UPDATE source_id = VALUES(source_id)",
                      values, COUNT(values));
}

enum db_result import_scratch_link(struct db *db, const unsigned char index[DIGEST_LEN],
                                   const char *user, char holder[LIMIT_MIRO_ID + 1])
{
    const struct db_value values[] = {DB_VALUE_BYTES(index, DIGEST_LEN), db_text(user)};
    struct db_rows *rows;
    size_t len;
    enum db_result result =
        db_execute(db,
                   "INSERT INTO import_link (address_index, user_id) VALUES (?,?)"
                   " ON DUPLICATE KEY UPDATE address_index = VALUES(address_index)",
                   values, COUNT(values));

    if (result == DB_OK)
        result = db_query(db, "SELECT user_id FROM import_link WHERE address_index = ?", values, 1,
                          &rows);
    if (result != DB_OK)
        return result;
    if (db_rows_next(rows))
        snprintf(holder, LIMIT_MIRO_ID + 1, "%s", db_bytes(rows, 0, &len));
    db_rows_free(rows);
    return DB_OK;
}

enum db_result import_scratch_grant(struct db *db, const unsigned char id[8], bool *known)
{
    const struct db_value value = DB_VALUE_BYTES(id, 8);
    struct db_rows *rows;
    bool again;
    enum db_result result = db_execute(db,
                                       "INSERT INTO import_grant (grant_id) VALUES (?)"
                                       " ON DUPLICATE KEY UPDATE grant_id = VALUES(grant_id)",
                                       &value, 1);

    again = result == DB_OK && db_affected(db) == 0;
    if (result == DB_OK)
        result = db_query(db, "SELECT 1 FROM manual_grant WHERE grant_id = ?", &value, 1, &rows);
    if (result != DB_OK)
        return result;
    *known = again || db_rows_next(rows);
    db_rows_free(rows);
    return DB_OK;
}
