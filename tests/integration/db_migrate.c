/* Migrations against a real server: fresh, twice, two hosts at once, after a crash, edited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/connection.h"
#include "db/migrate.h"
#include "test_server.h"

static struct db_target target;

static void run(struct db *db, const char *sql)
{
    assert_int_equal(db_run_text(db, sql, strlen(sql)), DB_OK);
}

static int64_t number(struct db *db, const char *sql)
{
    struct db_rows *rows;
    assert_int_equal(db_query(db, sql, NULL, 0, &rows), DB_OK);
    assert_true(db_rows_next(rows));
    int64_t value = db_int(rows, 0);
    db_rows_free(rows);
    return value;
}

static int64_t tables(struct db *db)
{
    return number(db, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema ="
                      " DATABASE()");
}

/* Each test begins with an empty database. */
static int setup(void **state)
{
    struct db *db = db_new(&target);
    struct buf sql = {0};
    buf_printf(&sql, "DROP DATABASE IF EXISTS %s", target.name);
    run(db, sql.data);
    buf_reset(&sql);
    buf_printf(&sql, "CREATE DATABASE %s", target.name);
    run(db, sql.data);
    buf_reset(&sql);
    buf_printf(&sql, "USE %s", target.name);
    run(db, sql.data);
    buf_free(&sql);
    *state = db;
    return 0;
}

static int teardown(void **state)
{
    db_free(*state);
    return 0;
}

static void count(const struct migration *migration, void *arg)
{
    (void)migration;
    ++*(size_t *)arg;
}

static enum schema_fit fit_of(struct db *db)
{
    enum schema_fit fit;
    int version;
    assert_int_equal(migrate_fit(db, &fit, &version), DB_OK);
    return fit;
}

/* Migrates and returns how many migrations that took. */
static size_t migrate(struct db *db)
{
    struct buf error = {0};
    size_t applied = 0;
    assert_int_equal(migrate_apply(db, count, &applied, &error), DB_OK);
    assert_int_equal(error.len, 0);
    buf_free(&error);
    return applied;
}

static void an_empty_database_is_migrated_once(void **state)
{
    struct db *db = *state;
    enum schema_fit fit;
    int version = -1;
    assert_int_equal(migrate_fit(db, &fit, &version), DB_OK);
    assert_int_equal(fit, SCHEMA_ABSENT);
    assert_int_equal(version, 0);
    assert_int_equal(migrate(db), migration_count);
    assert_int_equal(migrate_fit(db, &fit, &version), DB_OK);
    assert_int_equal(fit, SCHEMA_FITS);
    assert_int_equal(version, migrations[migration_count - 1].version);
    int64_t before = tables(db);
    assert_int_equal(migrate(db), 0);
    assert_int_equal(tables(db), before);
    assert_int_equal(number(db, "SELECT held_until FROM schema_lease"), 0);
}

/* Galera needs a primary key everywhere. */
static void every_table_has_a_primary_key(void **state)
{
    struct db *db = *state;
    (void)migrate(db);
    assert_int_equal(
        number(db, "SELECT COUNT(*) FROM information_schema.tables t WHERE table_schema ="
                   " DATABASE() AND NOT EXISTS (SELECT 1 FROM information_schema.statistics"
                   " s WHERE s.table_schema = t.table_schema AND s.table_name ="
                   " t.table_name AND s.index_name = 'PRIMARY')"),
        0);
}

struct host {
    pthread_t thread;
    enum db_result result;
    size_t applied;
};

static void *migrate_as_host(void *arg)
{
    struct host *host = arg;
    struct db *db = db_new(&target);
    struct buf error = {0};
    host->result = migrate_apply(db, count, &host->applied, &error);
    buf_free(&error);
    db_free(db);
    return NULL;
}

static void hosts_at_once_take_turns(void **state)
{
    struct host hosts[4] = {0};
    size_t applied = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&hosts[i].thread, NULL, migrate_as_host, &hosts[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(hosts[i].thread, NULL), 0);
        assert_int_equal(hosts[i].result, DB_OK);
        applied += hosts[i].applied;
    }
    assert_int_equal(applied, migration_count);
    assert_int_equal(fit_of(*state), SCHEMA_FITS);
}

/* A process that is killed as soon as it made some tables; its lease would last a while longer. */
static void a_crash_halfway_is_finished_by_the_next_run(void **state)
{
    struct db *db = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct host host = {0};
        (void)migrate_as_host(&host);
        _exit(0);
    }
    int64_t deadline = clock_monotonic() + 20 * TIME_SECOND;
    while (tables(db) < 6) {
        assert_true(clock_monotonic() < deadline);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    run(db, "UPDATE schema_lease SET held_until = LEAST(held_until, UNIX_TIMESTAMP() + 1)");
    assert_true(migrate(db) <= migration_count);
    assert_int_equal(fit_of(db), SCHEMA_FITS);
}

static void an_edited_migration_is_refused(void **state)
{
    struct db *db = *state;
    struct buf error = {0};
    (void)migrate(db);
    run(db, "UPDATE schema_migration SET digest = REPEAT('x', 32) WHERE version = 1");
    assert_int_equal(fit_of(db), SCHEMA_CHANGED);
    assert_int_equal(migrate_apply(db, NULL, NULL, &error), DB_FAILED);
    assert_non_null(strstr(error.data, migrations[0].name));
    buf_free(&error);
}

static void newer_and_older_schemas_are_told_apart(void **state)
{
    struct db *db = *state;
    enum schema_fit fit;
    int version;
    (void)migrate(db);
    run(db, "INSERT INTO schema_migration VALUES (9999, '9999_later', REPEAT('x', 32), 0)");
    assert_int_equal(migrate_fit(db, &fit, &version), DB_OK);
    assert_int_equal(fit, SCHEMA_NEWER);
    assert_int_equal(version, 9999);
    assert_int_equal(migrate(db), 0);
    run(db, "DELETE FROM schema_migration WHERE version = 1");
    assert_int_equal(fit_of(db), SCHEMA_OLDER);
    assert_int_equal(migrate(db), 1);
    assert_int_equal(fit_of(db), SCHEMA_NEWER);
}

/* Without the right to create tables the error says what the server said. */
static void a_refusal_says_why(void **state)
{
    struct db *db = *state;
    struct db_target weak = target;
    struct buf error = {0};
    run(db, "CREATE OR REPLACE USER weak@localhost");
    run(db, "GRANT SELECT ON *.* TO weak@localhost");
    weak.user = "weak";
    struct db *other = db_new(&weak);
    assert_int_equal(migrate_apply(other, NULL, NULL, &error), DB_FAILED);
    assert_non_null(strstr(error.data, "CREATE command denied"));
    db_free(other);
    buf_free(&error);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_empty_database_is_migrated_once),
        CASE(every_table_has_a_primary_key),
        CASE(hosts_at_once_take_turns),
        CASE(a_crash_halfway_is_finished_by_the_next_run),
        CASE(an_edited_migration_is_refused),
        CASE(newer_and_older_schemas_are_told_apart),
        CASE(a_refusal_says_why),
    };
    target = test_server();
    db_library_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
