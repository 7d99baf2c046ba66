#include "queries.h"

#include <string.h>

#include "base/mem.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A live contribution: what aggregate() would answer with, as SQL. Two parameters: now, twice. */
#define LIVE                                                       \
    "state = 'active' AND quantity > 0 AND subject_kind <> 'none'" \
    " AND (ends_at IS NULL OR ends_at > ? OR grace_until > ?)"

/* A statement under construction: its text and its parameters grow together. */
struct ask {
    struct buf sql;
    struct db_value *values;
    size_t count;
};

static void ask_value(struct ask *ask, struct db_value value)
{
    ask->values = xreallocarray(ask->values, ask->count + 1, sizeof(*ask->values));
    ask->values[ask->count++] = value;
}

/* Appends " IN (?,?,...)", padded so that few different texts are ever prepared. */
static void ask_in(struct ask *ask, const struct subjects *subjects)
{
    size_t padded = db_padded(subjects->count);

    if (subjects->count == 0)
        die("queries: a list of no subjects");
    buf_puts(&ask->sql, " IN (");
    db_repeat(&ask->sql, "?", padded);
    buf_puts(&ask->sql, ")");
    for (size_t i = 0; i < padded; i++) {
        size_t at = i < subjects->count ? i : subjects->count - 1;

        ask_value(ask, DB_VALUE_BYTES(subjects->ids[at], DIGEST_LEN));
    }
}

/* Runs it and lets go of it. */
static enum db_result ask_run(struct ask *ask, struct db *db, struct db_rows **rows)
{
    enum db_result result = db_query(db, ask->sql.data, ask->values, ask->count, rows);

    buf_free(&ask->sql);
    xfree(ask->values);
    return result;
}

static enum db_result query_of_user(struct db *db, const char *sql, const char *user,
                                    struct db_rows **rows)
{
    struct db_value value = db_text(user);

    return db_query(db, sql, &value, 1, rows);
}

static enum db_result query_of_index(struct db *db, const char *sql,
                                     const unsigned char index[DIGEST_LEN], struct db_rows **rows)
{
    struct db_value value = DB_VALUE_BYTES(index, DIGEST_LEN);

    return db_query(db, sql, &value, 1, rows);
}

static enum db_result query_of_order(struct db *db, const char *sql, uint32_t source_id,
                                     const char *order_id, struct db_rows **rows)
{
    const struct db_value values[] = {DB_VALUE_INT(source_id), db_text(order_id)};

    return db_query(db, sql, values, COUNT(values), rows);
}

enum db_result query_link(struct db *db, const unsigned char index[DIGEST_LEN],
                          struct db_rows **rows)
{
    return query_of_index(db, "SELECT user_id, origin, linked_at FROM link WHERE address_index = ?",
                          index, rows);
}

enum db_result query_links(struct db *db, const char *user, struct db_rows **rows)
{
    return query_of_user(
        db,
        "SELECT l.address_index, a.sealed, a.erased_at, l.origin, l.linked_at, l.linked_by, l.why"
        " FROM link l LEFT JOIN address a ON a.address_index = l.address_index"
        " WHERE l.user_id = ? ORDER BY l.linked_at, l.address_index",
        user, rows);
}

enum db_result query_contested(struct db *db, const char *user, struct db_rows **rows)
{
    return query_of_user(
        db,
        "SELECT c.address_index, a.sealed, c.origin, c.seen_at, c.resolved_at, l.user_id"
        " FROM contested_address c"
        " LEFT JOIN address a ON a.address_index = c.address_index"
        " LEFT JOIN link l ON l.address_index = c.address_index"
        " WHERE c.user_id = ? ORDER BY c.seen_at",
        user, rows);
}

enum db_result query_contenders(struct db *db, const unsigned char index[DIGEST_LEN],
                                struct db_rows **rows)
{
    return query_of_index(db,
                          "SELECT user_id, origin, seen_at FROM contested_address"
                          " WHERE address_index = ? AND resolved_at IS NULL ORDER BY seen_at",
                          index, rows);
}

enum db_result query_user(struct db *db, const char *user, struct db_rows **rows)
{
    return query_of_user(db,
                         "SELECT created_at, profile_state, profile_read_at, profile_due_at,"
                         " profile_attempts FROM miro_user WHERE user_id = ?",
                         user, rows);
}

enum db_result query_tokens(struct db *db, const char *user, struct db_rows **rows)
{
    return query_of_user(db,
                         "SELECT client_id, team_id, state, issued_at, expires_at, refused_at,"
                         " scope FROM miro_token WHERE user_id = ? ORDER BY client_id, team_id",
                         user, rows);
}

enum db_result query_grants(struct db *db, const char *user, const char *key, struct db_rows **rows)
{
    const struct db_value values[] = {db_text(user), db_text(key), db_text(key)};

    return db_query(db,
                    "SELECT grant_id, entitlement_key, quantity, granted_at, ends_at, granted_by,"
                    " why, revoked_at, revoked_by, revoked_why FROM manual_grant"
                    " WHERE user_id = ? AND (? IS NULL OR entitlement_key = ?)"
                    " ORDER BY granted_at, grant_id",
                    values, COUNT(values), rows);
}

enum db_result query_user_audit(struct db *db, const char *user, size_t most, struct db_rows **rows)
{
    const struct db_value values[] = {db_text(user), DB_VALUE_INT((int64_t)most)};

    return db_query(db,
                    "SELECT at, cause, cause_id, action, entitlement_key, before_value,"
                    " after_value FROM audit WHERE user_id = ? ORDER BY at DESC, id DESC LIMIT ?",
                    values, COUNT(values), rows);
}

enum db_result query_address(struct db *db, const unsigned char index[DIGEST_LEN],
                             struct db_rows **rows)
{
    return query_of_index(db, "SELECT sealed, erased_at FROM address WHERE address_index = ?",
                          index, rows);
}

enum db_result query_orders_of(struct db *db, const struct subjects *subjects, size_t most,
                               struct db_rows **rows)
{
    struct ask ask = {0};

    /* By address, which finds orders that grant nothing too, and by whatever stands granted. */
    buf_puts(&ask.sql, "SELECT o.source_id, o.order_id, o.status, o.subject_kind, o.unmapped_lines,"
                       " o.merged_at FROM (SELECT source_id, order_id FROM order_snapshot"
                       " WHERE address_index");
    ask_in(&ask, subjects);
    buf_puts(&ask.sql, " UNION SELECT source_id, order_id FROM contribution WHERE subject");
    ask_in(&ask, subjects);
    buf_puts(&ask.sql, ") own JOIN shop_order o USING (source_id, order_id)"
                       " ORDER BY o.merged_at DESC, o.source_id, o.order_id LIMIT ?");
    ask_value(&ask, DB_VALUE_INT((int64_t)most));
    return ask_run(&ask, db, rows);
}

enum db_result query_contributions_of(struct db *db, const struct subjects *subjects,
                                      const char *key, struct db_rows **rows)
{
    struct ask ask = {0};

    buf_puts(&ask.sql, "SELECT source_id, order_id, line_id, entitlement_key, state, quantity,"
                       " starts_at, ends_at, grace_until, catalogue_version, team_id"
                       " FROM contribution WHERE subject");
    ask_in(&ask, subjects);
    buf_puts(&ask.sql, " AND subject_kind <> 'none' AND (? IS NULL OR entitlement_key = ?)"
                       " ORDER BY entitlement_key, source_id, order_id, line_id");
    ask_value(&ask, db_text(key));
    ask_value(&ask, db_text(key));
    return ask_run(&ask, db, rows);
}

enum db_result query_contributions(struct db *db, uint32_t source_id, const char *order_id,
                                   struct db_rows **rows)
{
    return query_of_order(db,
                          "SELECT line_id, entitlement_key, state, quantity, starts_at, ends_at,"
                          " grace_until, catalogue_version FROM contribution"
                          " WHERE source_id = ? AND order_id = ?"
                          " ORDER BY line_id, entitlement_key",
                          source_id, order_id, rows);
}

enum db_result query_contributions_between(struct db *db, uint32_t first_source,
                                           const char *first_order, uint32_t last_source,
                                           const char *last_order, struct db_rows **rows)
{
    const struct db_value values[] = {DB_VALUE_INT(first_source), DB_VALUE_INT(last_source),
                                      DB_VALUE_INT(first_source), db_text(first_order),
                                      DB_VALUE_INT(last_source),  db_text(last_order)};

    return db_query(db,
                    "SELECT source_id, order_id, entitlement_key, state, quantity, ends_at,"
                    " grace_until, subject FROM contribution"
                    " WHERE source_id BETWEEN ? AND ? AND (source_id > ? OR order_id >= ?)"
                    " AND (source_id < ? OR order_id <= ?) AND subject_kind <> 'none'"
                    " ORDER BY source_id, order_id",
                    values, COUNT(values), rows);
}

enum db_result query_order(struct db *db, uint32_t source_id, const char *order_id,
                           struct db_rows **rows)
{
    return query_of_order(db,
                          "SELECT revision, catalogue_version, status, subject_kind,"
                          " unmapped_lines, first_seen_at, merged_at, reread_due_at,"
                          " reread_attempts FROM shop_order WHERE source_id = ? AND order_id = ?",
                          source_id, order_id, rows);
}

enum db_result query_snapshots(struct db *db, uint32_t source_id, const char *order_id,
                               struct db_rows **rows)
{
    return query_of_order(db,
                          "SELECT digest, delivery_id, recorded_at, reference_state"
                          " FROM order_snapshot WHERE source_id = ? AND order_id = ?",
                          source_id, order_id, rows);
}

enum db_result query_order_deliveries(struct db *db, uint32_t source_id, const char *order_id,
                                      struct db_rows **rows)
{
    const struct db_value source = DB_VALUE_INT(source_id), order = db_text(order_id);
    const struct db_value values[] = {source, order, source, order, source, order};

    return db_query(
        db,
        "SELECT d.id, d.state, d.reason, d.topic, d.received_at, d.times_received FROM"
        " (SELECT delivery_id FROM order_snapshot WHERE source_id = ? AND order_id = ?"
        " UNION SELECT delivery_id FROM order_refund WHERE source_id = ? AND order_id = ?"
        " UNION SELECT delivery_id FROM order_dispute WHERE source_id = ? AND order_id = ?) told"
        " JOIN delivery d ON d.id = told.delivery_id ORDER BY d.received_at, d.id",
        values, COUNT(values), rows);
}

enum db_result query_order_audit(struct db *db, uint32_t source_id, const char *order_id,
                                 struct db_rows **rows)
{
    return query_of_order(db,
                          "SELECT at, cause, cause_id, action, line_id, entitlement_key,"
                          " before_value, after_value FROM audit"
                          " WHERE source_id = ? AND order_id = ? ORDER BY at, id",
                          source_id, order_id, rows);
}

enum db_result query_snapshot_known(struct db *db, uint32_t source_id, const char *order_id,
                                    const unsigned char digest[DIGEST_LEN], bool *known)
{
    const struct db_value bytes = DB_VALUE_BYTES(digest, DIGEST_LEN);
    const struct db_value values[] = {DB_VALUE_INT(source_id), db_text(order_id), bytes,
                                      DB_VALUE_INT(source_id), db_text(order_id), bytes};
    struct db_rows *rows;
    /* Two look-ups by key: a list of ids from a subquery would walk all orders of the source. */
    enum db_result result =
        db_query(db,
                 "SELECT 1 FROM order_snapshot WHERE source_id = ? AND order_id = ? AND digest = ?"
                 " UNION ALL SELECT 1 FROM order_alias a JOIN order_snapshot s"
                 " ON s.source_id = a.source_id AND s.order_id = a.order_id"
                 " WHERE a.source_id = ? AND a.alias = ? AND s.digest = ?",
                 values, COUNT(values), &rows);

    if (result != DB_OK)
        return result;
    *known = db_rows_next(rows);
    db_rows_free(rows);
    return DB_OK;
}

enum db_result query_unmapped_products(struct db *db, size_t most, struct db_rows **rows)
{
    const struct db_value limit = DB_VALUE_INT((int64_t)most);

    return db_query(db,
                    "SELECT source_id, product, variant, sku, COUNT(DISTINCT order_id) AS orders"
                    " FROM unmapped_line GROUP BY source_id, product, variant, sku"
                    " ORDER BY orders DESC, source_id, product, variant, sku LIMIT ?",
                    &limit, 1, rows);
}

enum db_result query_set_aside(struct db *db, struct db_rows **rows)
{
    return db_query(db,
                    "SELECT source_id, reason, COUNT(*) FROM delivery WHERE state = 'set_aside'"
                    " GROUP BY source_id, reason ORDER BY source_id, reason",
                    NULL, 0, rows);
}

enum db_result query_last_delivery(struct db *db, uint32_t source_id, struct db_rows **rows)
{
    const struct db_value values[] = {DB_VALUE_INT(source_id), DB_VALUE_INT(source_id)};

    /* A source that never sent anything is seen by its key, without a walk over all deliveries. */
    return db_query(db,
                    "SELECT received_at FROM delivery WHERE source_id = ?"
                    " AND EXISTS (SELECT 1 FROM delivery WHERE source_id = ?)"
                    " ORDER BY received_at DESC LIMIT 1",
                    values, COUNT(values), rows);
}

enum db_result query_resync(struct db *db, uint32_t source_id, struct db_rows **rows)
{
    const struct db_value source = DB_VALUE_INT(source_id);

    return db_query(db, "SELECT last_success_at, trouble FROM resync_source WHERE source_id = ?",
                    &source, 1, rows);
}

enum db_result query_envelope(struct db *db, uint64_t delivery_id, struct db_rows **rows)
{
    const struct db_value id = DB_VALUE_INT((int64_t)delivery_id);

    return db_query(db, "SELECT body FROM delivery WHERE id = ?", &id, 1, rows);
}

enum db_result query_pending(struct db *db, struct db_rows **rows)
{
    return db_query(db,
                    "SELECT COUNT(*), MIN(received_at) FROM delivery"
                    " WHERE state IN ('pending', 'leased')",
                    NULL, 0, rows);
}

/* A statement whose one row is one number. */
static enum db_result query_number(struct db *db, const char *sql, const struct db_value *values,
                                   size_t count, int64_t *number)
{
    struct db_rows *rows;
    enum db_result result = db_query(db, sql, values, count, &rows);

    if (result != DB_OK)
        return result;
    *number = db_rows_next(rows) ? db_int(rows, 0) : 0;
    db_rows_free(rows);
    return DB_OK;
}

enum db_result query_entitled(struct db *db, int64_t now, int64_t *buyers)
{
    const struct db_value values[] = {DB_VALUE_INT(now), DB_VALUE_INT(now)};

    return query_number(db, "SELECT COUNT(DISTINCT subject) FROM contribution WHERE " LIVE, values,
                        COUNT(values), buyers);
}

enum db_result query_live_of(struct db *db, const struct subjects *subjects, int64_t now,
                             struct db_rows **rows)
{
    struct ask ask = {0};

    buf_puts(&ask.sql, "SELECT subject, entitlement_key, COUNT(DISTINCT source_id, order_id)"
                       " FROM contribution WHERE subject");
    ask_in(&ask, subjects);
    buf_puts(&ask.sql, " AND " LIVE " GROUP BY subject, entitlement_key");
    ask_value(&ask, DB_VALUE_INT(now));
    ask_value(&ask, DB_VALUE_INT(now));
    return ask_run(&ask, db, rows);
}

enum db_result query_holders(struct db *db, const struct subjects *subjects, struct db_rows **rows)
{
    struct ask ask = {0};

    buf_puts(&ask.sql, "SELECT address_index, user_id FROM link WHERE address_index");
    ask_in(&ask, subjects);
    return ask_run(&ask, db, rows);
}

enum db_result query_order_count(struct db *db, int64_t *orders)
{
    return query_number(db, "SELECT COUNT(*) FROM shop_order", NULL, 0, orders);
}

enum db_result query_token_count(struct db *db, struct db_rows **rows)
{
    return db_query(db,
                    "SELECT COUNT(IF(state = 'valid', 1, NULL)),"
                    " COUNT(IF(state = 'refused', 1, NULL)), COUNT(DISTINCT user_id)"
                    " FROM miro_token",
                    NULL, 0, rows);
}

enum db_result query_server(struct db *db, struct db_rows **rows)
{
    return db_query(db,
                    "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin,"
                    " @@GLOBAL.sync_binlog, @@GLOBAL.max_allowed_packet, @@GLOBAL.version,"
                    " CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)",
                    NULL, 0, rows);
}

enum db_result query_status(struct db *db, const char *like, struct db_rows **rows)
{
    const struct db_value value = db_text(like);

    return db_query(db,
                    "SELECT variable_name, variable_value FROM information_schema.SESSION_STATUS"
                    " WHERE variable_name LIKE ?",
                    &value, 1, rows);
}

enum db_result query_catalogue_versions(struct db *db, struct db_rows **rows)
{
    return db_query(db,
                    "SELECT version, applied_at, applied_by FROM catalogue_version"
                    " ORDER BY version DESC",
                    NULL, 0, rows);
}
