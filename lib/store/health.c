#include "store/health.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/facts.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/migrate.h"
#include "store/rows.h"

/* A walk of figures that is over sooner is no burden; a longer one rests so many times as long. */
#define WALK_QUICK (10 * TIME_SECOND / 1000)
#define WALK_REST 100

/* A clock that is further off than this makes expiries and leases wrong. */
#define SKEW_MOST (30 * TIME_SECOND)

static void refuse(struct health *health, const char *why)
{
    health->ready = false;
    snprintf(health->why, sizeof(health->why), "%s", why);
}

/*
 * The settings without which a commit is no promise. With a binary log a transaction is only
 * prepared in the flushed redo log when its client is told: a server that comes back after a power
 * cut commits it if the binary log has it, and else rolls it back.
 */
static enum db_result read_server(struct db *db, struct health *out)
{
    struct db_rows *rows;
    bool binlog_lags = false;
    int64_t before = clock_now();
    enum db_result result = db_query(db,
                                     "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit,"
                                     " CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED),"
                                     " @@GLOBAL.log_bin AND @@GLOBAL.sync_binlog <> 1",
                                     NULL, 0, &rows);

    if (result != DB_OK)
        return result;
    if (db_rows_next(rows)) {
        out->flush_log = (int)db_int(rows, 0);
        out->clock_skew_us = db_int(rows, 1) - (before + clock_now()) / 2;
        binlog_lags = db_int(rows, 2) != 0;
    }
    db_rows_free(rows);
    if (out->flush_log != 1)
        refuse(out, "the database is not durable: set innodb_flush_log_at_trx_commit = 1");
    else if (binlog_lags)
        refuse(out, "the database is not durable: its binary log is on, set sync_binlog = 1");
    else if (out->clock_skew_us > SKEW_MOST || out->clock_skew_us < -SKEW_MOST)
        refuse(out, "the clocks of this host and of the database are over 30 s apart: run NTP");
    return DB_OK;
}

static enum db_result read_schema(struct db *db, struct health *out)
{
    enum schema_fit fit;
    enum db_result result = migrate_fit(db, &fit, &out->schema_version);

    if (result != DB_OK)
        return result;
    if (fit == SCHEMA_ABSENT || fit == SCHEMA_OLDER)
        refuse(out, "the schema is older than this program: run purchasectl migrate");
    else if (fit == SCHEMA_CHANGED)
        refuse(out, "a migration that was applied differs from this program's: do not mix builds");
    return DB_OK;
}

/* --- figures ------------------------------------------------------------------------------- */

static void metric_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/*
 * A metric read with one statement. Columns: a source's id (where `by_source`), the label's value
 * (where there is a label), the value.
 */
struct figure {
    const char *name, *type, *help;
    const char *label; /* or NULL */
    bool by_source;
    bool walks;    /* counts what grows with the shop: seldom, and not for long */
    int64_t scale; /* the value is divided by it */
    const char *sql;
};

/* A count that takes too long is given up: well before the connection would be. */
#define WALK_FOR "SET STATEMENT max_statement_time = 5 FOR "
/* An ENUM is found by its key in a list of its values alone: of `> ''` the server makes a walk. */
#define REASONS                                                       \
    "'malformed','source_misconfigured','wrong_mode','not_an_order'," \
    "'needs_api_key','fetch_failed','retries_exhausted'"
_Static_assert(SET_ASIDE_RETRIES_EXHAUSTED == 7, "REASONS names every reason");

static const struct figure figures[] = {
    {"purchase_inbox_pending", "gauge", "Deliveries stored and not yet processed.", NULL, false,
     false, 1,
     "SELECT (SELECT COUNT(*) FROM delivery WHERE state = 'pending')"
     " + (SELECT COUNT(*) FROM delivery WHERE state = 'leased')"},
    {"purchase_inbox_oldest_seconds", "gauge", "Age of the oldest delivery that waits.", NULL,
     false, false, TIME_SECOND,
     /* The least id among those that wait, read from the index alone: rows hold bodies. */
     "SELECT COALESCE((SELECT GREATEST(0, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
     " - received_at) FROM delivery WHERE id = (SELECT MIN(id) FROM delivery"
     " FORCE INDEX (delivery_due) WHERE state IN ('pending','leased'))), 0)"},
    {"purchase_set_aside", "gauge", "Deliveries that cannot be used, by reason.", "reason", true,
     false, 1,
     "SELECT source_id, reason, COUNT(*) FROM delivery FORCE INDEX (delivery_reason)"
     " WHERE reason IN (" REASONS ") GROUP BY reason, source_id"},
    {"purchase_drained_total", "counter", "Deliveries that workers finished, by result.", "result",
     false, false, 1,
     "SELECT result, CAST(SUM(value) AS SIGNED) FROM worker_counter GROUP BY result"},
    {"purchase_tokens", "gauge", "Miro tokens stored, by state.", "state", false, true, 1,
     WALK_FOR "SELECT state, COUNT(*) FROM miro_token GROUP BY state"},
    {"purchase_resync_last_success_timestamp_seconds", "gauge",
     "When a resync of the source last succeeded.", NULL, true, false, TIME_SECOND,
     "SELECT source_id, last_success_at FROM resync_source WHERE last_success_at IS NOT NULL"},
    {"purchase_source_healthy", "gauge",
     "0: the last resync found the shop's webhook disabled or its API closed to us, or the shop"
     " signed an error instead of an order within the last day.",
     NULL, true, false, 1,
     "SELECT s.id, IF(EXISTS(SELECT 1 FROM resync_source r WHERE r.source_id = s.id"
     " AND r.trouble IS NOT NULL)"
     " OR EXISTS(SELECT 1 FROM delivery d FORCE INDEX (delivery_reason)"
     " WHERE d.reason = 'source_misconfigured' AND d.source_id = s.id AND d.last_received_at >"
     " CAST((UNIX_TIMESTAMP(NOW(6)) - 86400) * 1000000 AS SIGNED)), 0, 1)"
     " FROM source s WHERE s.retired_at IS NULL"},
    {"purchase_orders_without_address", "gauge",
     "Paid orders that carry neither an address nor a reference.", NULL, true, true, 1,
     WALK_FOR "SELECT s.id, (SELECT COUNT(*) FROM shop_order o WHERE o.source_id = s.id"
              " AND o.is_nobodys = 1) FROM source s"
              " WHERE s.retired_at IS NULL"},
    {"purchase_entitlements_active", "gauge", "Contributions that are active.", NULL, false, true,
     1, WALK_FOR "SELECT COUNT(*) FROM contribution WHERE state = 'active'"},
};

/* One sample line. Names of sources and enums need no escaping: their alphabets are fixed. */
static void figure_line(const struct figure *figure, const struct source_map *sources,
                        const struct db_rows *rows, struct buf *out)
{
    unsigned column = 0;
    const char *separator = "";
    size_t len;

    buf_puts(out, figure->name);
    if (figure->by_source || figure->label != NULL)
        buf_putc(out, '{');
    if (figure->by_source) {
        const char *name = source_map_name(sources, (uint32_t)db_int(rows, column++));

        buf_printf(out, "source=\"%s\"", name == NULL ? "unknown" : name);
        separator = ",";
    }
    if (figure->label != NULL) {
        const char *value = db_bytes(rows, column++, &len);

        buf_printf(out, "%s%s=\"%s\"", separator, figure->label, value == NULL ? "" : value);
    }
    if (figure->by_source || figure->label != NULL)
        buf_putc(out, '}');
    if (figure->scale == 1)
        buf_printf(out, " %lld\n", (long long)db_int(rows, column));
    else
        buf_printf(out, " %.3f\n", (double)db_int(rows, column) / (double)figure->scale);
}

static enum db_result figure_read(struct db *db, const struct figure *figure,
                                  const struct source_map *sources, struct buf *out)
{
    struct db_rows *rows;
    enum db_result result = db_query(db, figure->sql, NULL, 0, &rows);

    if (result != DB_OK)
        return result;
    metric_head(out, figure->name, figure->type, figure->help);
    while (db_rows_next(rows))
        figure_line(figure, sources, rows, out);
    db_rows_free(rows);
    return DB_OK;
}

#define FIGURES (sizeof(figures) / sizeof(figures[0]))

/*
 * What a walk told last, for all readers of this process. A walk that took long stands a hundred
 * times as long: however large the shop, scrapes cost it a hundredth of one connection.
 */
static struct {
    pthread_mutex_t lock;
    struct {
        struct buf text;
        int64_t due; /* monotonic */
    } figures[FIGURES];
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* True if it is time to walk again, which is then the caller's to do; else what is kept is copied.
 */
static bool walk_is_due(size_t figure, struct buf *out)
{
    int64_t now = clock_monotonic();
    bool due;

    pthread_mutex_lock(&kept.lock);
    due = now >= kept.figures[figure].due;
    if (due)
        kept.figures[figure].due = now + LIMIT_DB_IO_S * TIME_SECOND;
    else
        buf_append(out, kept.figures[figure].text.data, kept.figures[figure].text.len);
    pthread_mutex_unlock(&kept.lock);
    return due;
}

/* What a walk came to; a database that is away says nothing, and the old text stands. */
static void walk_keep(size_t figure, enum db_result result, const struct buf *text, int64_t took)
{
    pthread_mutex_lock(&kept.lock);
    kept.figures[figure].due = 0;
    if (result == DB_OK || result == DB_FAILED) {
        buf_reset(&kept.figures[figure].text);
        buf_append(&kept.figures[figure].text, text->data, text->len);
        if (took >= WALK_QUICK)
            kept.figures[figure].due = clock_monotonic() + took * WALK_REST;
    }
    pthread_mutex_unlock(&kept.lock);
}

/* A figure that walks; one that the server gave up is left out until it is due again. */
static enum db_result walk_read(struct db *db, size_t figure, const struct source_map *sources,
                                struct buf *out)
{
    int64_t began = clock_monotonic();
    struct buf text = {0};
    enum db_result result;

    if (!walk_is_due(figure, out))
        return DB_OK;
    result = figure_read(db, &figures[figure], sources, &text);
    walk_keep(figure, result, &text, clock_monotonic() - began);
    if (result == DB_FAILED) {
        log_warn("health", "figure_left_out", LOG_S("figure", figures[figure].name),
                 LOG_S("why", db_error(db)));
        result = DB_OK;
    }
    buf_append(out, text.data, text.len);
    buf_free(&text);
    return result;
}

static enum db_result read_figures(struct db *db, const struct source_map *sources, struct buf *out)
{
    for (size_t i = 0; i < FIGURES; i++) {
        enum db_result result = figures[i].walks ? walk_read(db, i, sources, out)
                                                 : figure_read(db, &figures[i], sources, out);

        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

enum db_result health_read(struct db *db, const struct source_map *sources, struct health *out)
{
    enum db_result result;

    out->ready = true;
    out->why[0] = '\0';
    buf_reset(&out->metrics);
    result = read_server(db, out);
    if (result == DB_OK)
        result = read_schema(db, out);
    if (result == DB_OK && out->with_metrics && out->schema_version > 0)
        result = read_figures(db, sources, &out->metrics);
    return result;
}

void health_free(struct health *health)
{
    buf_free(&health->metrics);
}

static enum db_result health_run(struct db *db, void **operations, size_t count, void *context)
{
    const struct store_context *store = context;

    for (size_t i = 0; i < count; i++) {
        enum db_result result = health_read(db, store->sources, operations[i]);

        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

const struct batch_kind health_batch = {
    .name = "health", .most = 1, .run = health_run, .repeatable = false};

enum db_result health_count_drained(struct db *db, const char *worker, const char *result,
                                    int64_t more, int64_t now)
{
    return db_execute(db,
                      "INSERT INTO worker_counter (worker, result, value, updated_at)"
                      " VALUES (?,?,?,?) ON DUPLICATE KEY UPDATE value = value + VALUES(value),"
                      " updated_at = VALUES(updated_at)",
                      (struct db_value[]){db_text(worker), db_text(result), DB_VALUE_INT(more),
                                          DB_VALUE_INT(now)},
                      4);
}
