#include "db/migrate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/connection.h"
#include "db/migrate_lease.h"
#include "db/migrate_text.h"

static const char create_record[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " version INT NOT NULL PRIMARY KEY,"
    " name VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,"
    " digest BINARY(32) NOT NULL,"
    " applied_at BIGINT NOT NULL) ENGINE=InnoDB";

/* Which of this program's migrations the database has, and what it has beyond them. */
struct applied {
    bool any;
    int greatest;
    bool *have;                      /* by index in migrations[] */
    const struct migration *changed; /* one whose text differs from the one applied, or NULL */
};

/* Greater than all of ours, or one of ours by number. */
static void note_row(struct applied *applied, int version, const void *digest, size_t len)
{
    unsigned char own[DIGEST_LEN];
    applied->any = true;
    if (version > applied->greatest) {
        applied->greatest = version;
    }
    for (size_t i = 0; i < migration_count; i++) {
        if (migrations[i].version != version) {
            continue;
        }
        applied->have[i] = true;
        digest_sha256(migrations[i].sql, strlen(migrations[i].sql), own);
        if (!digest_equal(own, sizeof(own), digest, len)) {
            applied->changed = &migrations[i];
        }
    }
}

/* Fills *applied, whose `have` the caller frees. No record table is no fault: nothing is applied.
 */
static enum db_result read_applied(struct db *db, struct applied *applied)
{
    struct db_rows *rows;
    *applied = (struct applied){.have = NULL};
    enum db_result result = db_query(db,
                                     "SELECT 1 FROM information_schema.tables WHERE table_schema ="
                                     " DATABASE() AND table_name = 'schema_migration'",
                                     NULL, 0, &rows);
    if (result != DB_OK) {
        return result;
    }
    bool exists = db_rows_count(rows) > 0;
    db_rows_free(rows);
    if (exists) {
        result = db_query(db, "SELECT version, digest FROM schema_migration ORDER BY version", NULL,
                          0, &rows);
        if (result != DB_OK) {
            return result;
        }
    }
    applied->have = xcalloc(migration_count + 1, sizeof(bool));
    while (exists && db_rows_next(rows)) {
        size_t len;
        const char *digest = db_bytes(rows, 1, &len);
        note_row(applied, (int)db_int(rows, 0), digest, len);
    }
    if (exists) {
        db_rows_free(rows);
    }
    return DB_OK;
}

static enum schema_fit judge(const struct applied *applied)
{
    if (!applied->any) {
        return SCHEMA_ABSENT;
    }
    if (applied->changed) {
        return SCHEMA_CHANGED;
    }
    for (size_t i = 0; i < migration_count; i++) {
        if (!applied->have[i]) {
            return SCHEMA_OLDER;
        }
    }
    return applied->greatest > migrations[migration_count - 1].version ? SCHEMA_NEWER : SCHEMA_FITS;
}

enum db_result migrate_fit(struct db *db, enum schema_fit *fit, int *version)
{
    struct applied applied;
    enum db_result result = read_applied(db, &applied);
    if (result != DB_OK) {
        return result;
    }
    *fit = judge(&applied);
    *version = applied.greatest;
    free(applied.have);
    return DB_OK;
}

/* A statement may be met by a deadlock or a busy table; each may run twice, so it is tried again.
 */
static enum db_result run_statement(struct db *db, const struct buf *statement)
{
    enum db_result result = db_run_text(db, statement->data, statement->len);
    for (unsigned attempt = 0; result == DB_RETRY && attempt + 1 < LIMIT_DB_TRIES; attempt++) {
        db_backoff(attempt);
        result = db_run_text(db, statement->data, statement->len);
    }
    return result;
}

/* The record is written last: until then the next run begins this migration anew. */
static enum db_result record(struct db *db, const struct migration *migration)
{
    unsigned char digest[DIGEST_LEN];
    digest_sha256(migration->sql, strlen(migration->sql), digest);
    const struct db_value values[] = {
        DB_VALUE_INT(migration->version),
        db_text(migration->name),
        DB_VALUE_BYTES(digest, sizeof(digest)),
        db_time(clock_now()),
    };
    return db_execute(
        db, "INSERT INTO schema_migration (version, name, digest, applied_at) VALUES (?, ?, ?, ?)",
        values, 4);
}

/* All statements of one migration, each only while the lease is ours. */
static enum db_result apply_one(struct db *db, const struct migrate_lease *lease,
                                const struct migration *migration, struct buf *error)
{
    struct buf statement = {0};
    const char *cursor = migration->sql;
    enum db_result result = DB_OK;
    while (result == DB_OK && migrate_text_next(&cursor, &statement)) {
        result = migrate_lease_held(lease) ? run_statement(db, &statement) : DB_RETRY;
    }
    if (result == DB_OK) {
        result = migrate_lease_held(lease) ? record(db, migration) : DB_RETRY;
    }
    if (result != DB_OK) {
        buf_printf(error,
                   "Migration %s stopped: %s. Remove the cause and run it again: what is done"
                   " already does no harm.",
                   migration->name,
                   migrate_lease_held(lease) ? db_error(db) : "another host took the lease");
    }
    buf_free(&statement);
    return result;
}

static enum db_result apply_missing(struct db *db, const struct migrate_lease *lease,
                                    const struct applied *applied,
                                    void (*report)(const struct migration *migration, void *arg),
                                    void *arg, struct buf *error)
{
    if (applied->changed) {
        buf_printf(error,
                   "Migration %s was applied to this database with another text. Migrations are"
                   " never edited: install the release that matches the database, or restore it.",
                   applied->changed->name);
        return DB_FAILED;
    }
    for (size_t i = 0; i < migration_count; i++) {
        if (applied->have[i]) {
            continue;
        }
        enum db_result result = apply_one(db, lease, &migrations[i], error);
        if (result != DB_OK) {
            return result;
        }
        log_info("db", "migrated", LOG_I("version", migrations[i].version),
                 LOG_S("name", migrations[i].name));
        if (report) {
            report(&migrations[i], arg);
        }
    }
    return DB_OK;
}

/* With the lease: what another host applied while we waited is read only now. */
static enum db_result apply_leased(struct db *db, const struct migrate_lease *lease,
                                   void (*report)(const struct migration *migration, void *arg),
                                   void *arg, struct buf *error)
{
    struct applied applied;
    enum db_result result = db_run_text(db, create_record, sizeof(create_record) - 1);
    if (result == DB_OK) {
        result = read_applied(db, &applied);
    }
    if (result != DB_OK) {
        buf_printf(error, "The record of migrations cannot be used: %s.", db_error(db));
        return result;
    }
    result = apply_missing(db, lease, &applied, report, arg, error);
    free(applied.have);
    return result;
}

enum db_result migrate_apply(struct db *db,
                             void (*report)(const struct migration *migration, void *arg),
                             void *arg, struct buf *error)
{
    struct migrate_lease *lease;
    enum db_result result;
    db_set_patience(db, LIMIT_MIGRATE_STATEMENT_S);
    result = migrate_lease_take(db, &lease);
    if (result == DB_OK) {
        result = apply_leased(db, lease, report, arg, error);
        migrate_lease_release(lease, db);
    } else if (result == DB_RETRY) {
        buf_printf(error, "Another host has been migrating for %d seconds: look there first.",
                   LIMIT_MIGRATE_WAIT_S);
    } else {
        buf_printf(error, "The lease for migrating cannot be taken: %s.", db_error(db));
    }
    db_set_patience(db, LIMIT_DB_IO_S);
    return result;
}
