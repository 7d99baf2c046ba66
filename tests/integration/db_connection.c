/* The connection module against a real server: types, sessions, losses, transactions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/connection.h"
#include "test_server.h"

static struct db_target target;
static struct buf logged;

static void capture(const char *line, size_t len)
{
    buf_append(&logged, line, len);
}

static int setup(void **state)
{
    buf_reset(&logged);
    *state = db_new(&target);
    return 0;
}

static int teardown(void **state)
{
    db_free(*state);
    return 0;
}

static void run(struct db *db, const char *sql)
{
    assert_int_equal(db_run_text(db, sql, strlen(sql)), DB_OK);
}

/* The one integer that a query answers. */
static int64_t number(struct db *db, const char *sql)
{
    struct db_rows *rows;
    assert_int_equal(db_query(db, sql, NULL, 0, &rows), DB_OK);
    assert_int_equal(db_rows_count(rows), 1);
    assert_true(db_rows_next(rows));
    int64_t value = db_int(rows, 0);
    db_rows_free(rows);
    return value;
}

static void assert_text(struct db *db, const char *sql, const char *want)
{
    struct db_rows *rows;
    assert_int_equal(db_query(db, sql, NULL, 0, &rows), DB_OK);
    assert_true(db_rows_next(rows));
    assert_string_equal(db_bytes(rows, 0, NULL), want);
    db_rows_free(rows);
}

static void kill_connection(struct db *killer, int64_t id)
{
    struct buf sql = {0};
    buf_printf(&sql, "KILL %lld", (long long)id);
    run(killer, sql.data);
    buf_reset(&sql);
    buf_printf(&sql, "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %lld",
               (long long)id);
    int64_t deadline = clock_monotonic() + 10 * TIME_SECOND;
    while (number(killer, sql.data) > 0) {
        assert_true(clock_monotonic() < deadline);
    }
    buf_free(&sql);
}

static void sessions_are_set_up(void **state)
{
    struct db *db = *state;
    assert_text(db, "SELECT @@session.time_zone", "+00:00");
    assert_text(db, "SELECT @@session.tx_isolation", "READ-COMMITTED");
    assert_text(db, "SELECT @@session.character_set_client", "utf8mb4");
    assert_int_equal(number(db, "SELECT @@session.autocommit"), 1);
    assert_int_equal(number(db, "SELECT @@session.innodb_lock_wait_timeout"), 5);
    assert_int_equal(number(db, "SELECT @@session.sql_mode LIKE '%STRICT_ALL_TABLES%'"), 1);
}

static void values_come_back_as_they_went(void **state)
{
    static const char insert[] = "INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    struct db *db = *state;
    struct db_rows *rows;
    size_t len;
    size_t big = 3u << 20;
    char *blob = calloc(1, big);
    assert_non_null(blob);
    blob[big - 1] = 'z';
    run(db,
        "CREATE OR REPLACE TABLE kinds (id BIGINT UNSIGNED PRIMARY KEY, small INT, flag BOOLEAN,"
        " state ENUM('pending','done'), raw VARBINARY(16), fixed BINARY(4), body MEDIUMBLOB,"
        " name VARCHAR(32) CHARACTER SET utf8mb4)");
    const struct db_value first[] = {
        DB_VALUE_INT(INT64_MAX),
        DB_VALUE_INT(-7),
        DB_VALUE_INT(1),
        db_text("done"),
        DB_VALUE_BYTES("\xff\0\n", 3),
        DB_VALUE_BYTES("\0\1\2\3", 4),
        DB_VALUE_BYTES("", 0),
        db_text("Zoë ☃"),
    };
    const struct db_value second[] = {
        DB_VALUE_INT(1),
        DB_VALUE_NULL,
        DB_VALUE_NULL,
        DB_VALUE_NULL,
        DB_VALUE_NULL,
        DB_VALUE_NULL,
        DB_VALUE_BYTES(blob, big),
        DB_VALUE_NULL,
    };
    assert_int_equal(db_execute(db, insert, first, 8), DB_OK);
    assert_int_equal(db_affected(db), 1);

    static const char select[] = "SELECT * FROM kinds WHERE id >= ? ORDER BY id DESC LIMIT ?";
    const struct db_value only_first[] = {DB_VALUE_INT(2), DB_VALUE_INT(10)};
    assert_int_equal(db_query(db, select, only_first, 2, &rows), DB_OK);
    assert_int_equal(db_rows_count(rows), 1);
    assert_true(db_rows_next(rows));
    assert_true(db_int(rows, 0) == INT64_MAX);
    assert_int_equal(db_int(rows, 1), -7);
    assert_int_equal(db_int(rows, 2), 1);
    assert_string_equal(db_bytes(rows, 3, NULL), "done");
    assert_memory_equal(db_bytes(rows, 4, &len), "\xff\0\n", 4);
    assert_int_equal(len, 3);
    assert_memory_equal(db_bytes(rows, 5, &len), "\0\1\2\3", 4);
    assert_int_equal(len, 4);
    assert_string_equal(db_bytes(rows, 6, &len), "");
    assert_int_equal(len, 0);
    assert_string_equal(db_bytes(rows, 7, NULL), "Zoë ☃");
    db_rows_free(rows);

    /* The same statement again, now with NULLs and a value a million times as long. */
    assert_int_equal(db_execute(db, insert, second, 8), DB_OK);
    const struct db_value both[] = {DB_VALUE_INT(0), DB_VALUE_INT(10)};
    assert_int_equal(db_query(db, select, both, 2, &rows), DB_OK);
    assert_int_equal(db_rows_count(rows), 2);
    assert_true(db_rows_next(rows));
    assert_true(db_rows_next(rows));
    assert_true(db_time_of(rows, 1) == TIME_NONE);
    for (unsigned column = 1; column < 8; column++) {
        assert_int_equal(db_is_null(rows, column), column != 6);
    }
    assert_int_equal(db_bytes(rows, 6, &len)[big - 1], 'z');
    assert_int_equal(len, big);
    db_rows_free(rows);
    free(blob);
}

static void sums_and_counts_are_integers(void **state)
{
    struct db *db = *state;
    struct db_rows *rows;
    run(db, "CREATE OR REPLACE TABLE sums (n BIGINT)");
    run(db, "INSERT INTO sums VALUES (4611686018427387904), (-4), (NULL)");
    assert_int_equal(db_query(db,
                              "SELECT COUNT(*), SUM(n), MAX(n), SUM(n IS NULL), EXISTS(SELECT 1),"
                              " COALESCE(MIN(n), ?), 1.5 FROM sums",
                              &DB_VALUE_INT(0), 1, &rows),
                     DB_OK);
    assert_true(db_rows_next(rows));
    assert_int_equal(db_int(rows, 0), 3);
    assert_true(db_int(rows, 1) == 4611686018427387900);
    assert_true(db_int(rows, 2) == 4611686018427387904);
    assert_int_equal(db_int(rows, 3), 1);
    assert_int_equal(db_int(rows, 4), 1);
    assert_int_equal(db_int(rows, 5), -4);
    assert_string_equal(db_bytes(rows, 6, NULL), "1.5");
    db_rows_free(rows);
}

static void inserts_return_rows(void **state)
{
    struct db *db = *state;
    struct db_rows *rows;
    const struct db_value values[] = {db_text("a"), db_text("b")};
    run(db, "CREATE OR REPLACE TABLE ret (id INT AUTO_INCREMENT PRIMARY KEY, name VARBINARY(9))");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(db_query(db, "INSERT INTO ret (name) VALUES (?), (?) RETURNING id, name",
                                  values, 2, &rows),
                         DB_OK);
        assert_int_equal(db_affected(db), 2);
        assert_true(db_rows_next(rows));
        assert_int_equal(db_int(rows, 0), round * 2 + 1);
        assert_string_equal(db_bytes(rows, 1, NULL), "a");
        db_rows_free(rows);
    }
    assert_int_equal(db_execute(db, "INSERT INTO ret (name) VALUES (?)", values, 1), DB_OK);
    assert_int_equal(db_insert_id(db), 7);
    assert_int_equal(db_execute(db, "UPDATE ret SET name = ? WHERE id < 4", values, 1), DB_OK);
    assert_int_equal(db_affected(db), 1); /* rows that changed, not rows that matched */
    assert_int_equal(db_query(db, "DELETE FROM ret", NULL, 0, &rows), DB_OK);
    assert_int_equal(db_affected(db), 7);
    assert_false(db_rows_next(rows));
    db_rows_free(rows);
    assert_int_equal(db_execute(db, "SELECT 1", NULL, 0), DB_OK);
    assert_int_equal(number(db, "SELECT 2"), 2);
}

static enum db_result put_rows(struct db *db, const struct db_value *values, size_t rows)
{
    return db_execute_rows(db,
                           "INSERT INTO many (id, name, note) VALUES (?,?,?)"
                           " ON DUPLICATE KEY UPDATE note = VALUES(note)",
                           values, rows);
}

/* Any number of rows is one statement: NULL, empty and long values, one row, and rows again. */
static void many_rows_are_one_statement(void **state)
{
    enum { ROWS = 1000 };
    struct db *db = *state;
    struct db_value *values = xcalloc(3 * ROWS, sizeof(*values));
    static char big[70000];
    memset(big, 'x', sizeof(big));
    run(db, "CREATE OR REPLACE TABLE many (id INT PRIMARY KEY, name VARBINARY(20) NULL,"
            " note MEDIUMBLOB NULL)");
    for (int i = 0; i < ROWS; i++) {
        values[3 * i] = DB_VALUE_INT(i);
        values[3 * i + 1] = i % 3 == 0 ? DB_VALUE_NULL : DB_VALUE_BYTES("\0name", (size_t)i % 6);
        values[3 * i + 2] = DB_VALUE_NULL;
    }
    values[3 * 7 + 2] = DB_VALUE_BYTES(big, sizeof(big));
    assert_int_equal(put_rows(db, values, ROWS), DB_OK);
    assert_int_equal(db_affected(db), ROWS);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM many WHERE name IS NULL AND id % 3 = 0"),
                     (ROWS + 2) / 3);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM many WHERE LENGTH(name) <> id % 6"), 0);
    assert_text(db, "SELECT HEX(name) FROM many WHERE id = 11", "006E616D65");
    assert_int_equal(number(db, "SELECT LENGTH(note) FROM many WHERE id = 7"), sizeof(big));
    values[2] = DB_VALUE_BYTES("again", 5);
    assert_int_equal(put_rows(db, values, 1), DB_OK);
    assert_int_equal(db_execute(db,
                                "INSERT INTO many (id, name, note) VALUES (?,?,?)"
                                " ON DUPLICATE KEY UPDATE note = VALUES(note)",
                                (struct db_value[]){DB_VALUE_INT(1), DB_VALUE_NULL, db_text("by")},
                                3),
                     DB_OK);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM many WHERE note IN ('again', 'by')"), 2);
    assert_int_equal(put_rows(db, values, ROWS), DB_OK);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM many"), ROWS);
    free(values);
}

/* All of the rows or none, and without a transaction one commit. */
static void many_rows_fail_together(void **state)
{
    struct db *db = *state;
    struct db_value values[50];
    for (int i = 0; i < 50; i++)
        values[i] = DB_VALUE_INT(i < 49 ? i : 0);
    run(db, "CREATE OR REPLACE TABLE once (id INT PRIMARY KEY) ENGINE=InnoDB");
    assert_int_equal(db_execute_rows(db, "INSERT INTO once (id) VALUES (?)", values, 50),
                     DB_DUPLICATE);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM once"), 0);
    int64_t commits =
        number(db, "SELECT CAST(variable_value AS SIGNED) FROM information_schema.session_status"
                   " WHERE variable_name = 'Handler_commit'");
    assert_int_equal(db_execute_rows(db, "INSERT INTO once (id) VALUES (?)", values, 49), DB_OK);
    assert_true(
        number(db, "SELECT CAST(variable_value AS SIGNED) FROM information_schema.session_status"
                   " WHERE variable_name = 'Handler_commit'") <= commits + 3);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM once"), 49);
}

static void statements_are_bounded(void **state)
{
    struct db *db = *state;
    struct buf sql = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < LIMIT_DB_STATEMENTS + 40; i++) {
            buf_reset(&sql);
            buf_printf(&sql, "SELECT %d", i);
            assert_int_equal(number(db, sql.data), i);
        }
    }
    struct db *other = db_new(&target);
    assert_text(other,
                "SELECT IF(variable_value <= 300, 'few', variable_value) FROM"
                " information_schema.global_status WHERE variable_name = 'Prepared_stmt_count'",
                "few");
    db_free(other);
    buf_free(&sql);
}

/* Parameters are bytes; a text column's index must serve them all the same. */
static void byte_parameters_use_text_indexes(void **state)
{
    struct db *db = *state;
    struct db_rows *rows;
    const struct db_value name = db_text("n500");
    run(db, "CREATE OR REPLACE TABLE idx (id INT PRIMARY KEY, a VARCHAR(64) CHARACTER SET ascii"
            " COLLATE ascii_bin NOT NULL, b VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            " NOT NULL, KEY idx_a (a), KEY idx_b (b))");
    run(db, "INSERT INTO idx SELECT seq, CONCAT('n', seq), CONCAT('n', seq) FROM seq_1_to_1000");
    run(db, "ANALYZE TABLE idx");
    static const char *const queries[] = {"EXPLAIN SELECT id FROM idx WHERE a = ?",
                                          "EXPLAIN SELECT id FROM idx WHERE b = ?"};
    static const char *const keys[] = {"idx_a", "idx_b"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(db_query(db, queries[i], &name, 1, &rows), DB_OK);
        assert_true(db_rows_next(rows));
        assert_string_equal(db_bytes(rows, 5, NULL), keys[i]);
        db_rows_free(rows);
    }
    assert_int_equal(db_query(db, "SELECT id FROM idx WHERE a = ?", &name, 1, &rows), DB_OK);
    assert_true(db_rows_next(rows));
    assert_int_equal(db_int(rows, 0), 500);
    db_rows_free(rows);
}

static void faults_tell_no_values(void **state)
{
    struct db *db = *state;
    struct db_rows *rows;
    const struct db_value secret = db_text("zoe@example.test");
    run(db, "CREATE OR REPLACE TABLE uniq (name VARCHAR(32) PRIMARY KEY, n INT)");
    static const char insert[] = "INSERT INTO uniq (name) VALUES (?)";
    assert_int_equal(db_execute(db, insert, &secret, 1), DB_OK);
    assert_int_equal(db_execute(db, insert, &secret, 1), DB_DUPLICATE);
    assert_int_equal(db_errno(db), 1062);
    assert_null(strstr(db_error(db), "zoe"));
    assert_int_equal(db_execute(db, "UPDATE uniq SET n = ?", &secret, 1), DB_FAILED);
    assert_null(strstr(db_error(db), "zoe"));
    assert_int_equal(db_query(db, "SELECT * FROM nowhere", NULL, 0, &rows), DB_FAILED);
    assert_non_null(strstr(db_error(db), "nowhere"));
    assert_non_null(strstr(logged.data, "1146"));
    assert_null(strstr(logged.data, "zoe"));
    assert_int_equal(number(db, "SELECT 1"), 1);
}

static void too_large_numbers_are_refused(void **state)
{
    struct db *db = *state;
    struct db_rows *rows;
    assert_int_equal(db_query(db, "SELECT CAST(18446744073709551615 AS UNSIGNED)", NULL, 0, &rows),
                     DB_FAILED);
    assert_int_equal(number(db, "SELECT 3"), 3);
}

static void rows_outlive_their_connection(void **state)
{
    struct db *db = db_new(&target);
    struct db_rows *rows, *again;
    (void)state;
    assert_int_equal(db_query(db, "SELECT 'first'", NULL, 0, &rows), DB_OK);
    assert_int_equal(db_query(db, "SELECT 'first'", NULL, 0, &again), DB_OK);
    db_free(db);
    assert_true(db_rows_next(rows));
    assert_string_equal(db_bytes(rows, 0, NULL), "first");
    db_rows_free(rows);
    db_rows_free(again);
}

static void lost_idle_connections_are_replaced(void **state)
{
    struct db *db = *state, *killer = db_new(&target);
    int64_t id = number(db, "SELECT CONNECTION_ID()");
    kill_connection(killer, id);
    assert_true(number(db, "SELECT CONNECTION_ID()") != id);
    db_free(killer);
}

static void losses_end_transactions(void **state)
{
    struct db *db = *state, *killer = db_new(&target);
    run(db, "CREATE OR REPLACE TABLE lost (n INT PRIMARY KEY)");
    int64_t id = number(db, "SELECT CONNECTION_ID()");
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_execute(db, "INSERT INTO lost VALUES (1)", NULL, 0), DB_OK);
    kill_connection(killer, id);
    assert_int_equal(db_execute(db, "INSERT INTO lost VALUES (2)", NULL, 0), DB_GONE);
    assert_int_equal(db_execute(db, "INSERT INTO lost VALUES (3)", NULL, 0), DB_GONE);
    assert_int_equal(db_commit(db), DB_GONE);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM lost"), 0);

    assert_int_equal(db_begin(db), DB_OK);
    kill_connection(killer, number(db, "SELECT CONNECTION_ID()"));
    assert_int_equal(db_commit(db), DB_GONE);
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_execute(db, "INSERT INTO lost VALUES (4)", NULL, 0), DB_OK);
    assert_int_equal(db_commit(db), DB_OK);
    assert_int_equal(number(db, "SELECT SUM(n) FROM lost"), 4);
    db_free(killer);
}

static void commits_and_rollbacks_do_what_they_say(void **state)
{
    struct db *db = *state, *other = db_new(&target);
    run(db, "CREATE OR REPLACE TABLE tx (n INT PRIMARY KEY)");
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_execute(db, "INSERT INTO tx VALUES (1)", NULL, 0), DB_OK);
    assert_int_equal(number(other, "SELECT COUNT(*) FROM tx"), 0);
    assert_int_equal(db_commit(db), DB_OK);
    assert_int_equal(number(other, "SELECT COUNT(*) FROM tx"), 1);
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_execute(db, "INSERT INTO tx VALUES (2)", NULL, 0), DB_OK);
    db_rollback(db);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM tx"), 1);
    db_free(other);
}

/* After a lock wait the server keeps the transaction; our side does not go on with half of it. */
static void timed_out_locks_end_transactions(void **state)
{
    struct db *db = *state, *holder = db_new(&target);
    run(db, "CREATE OR REPLACE TABLE locks (n INT PRIMARY KEY, v INT)");
    run(db, "INSERT INTO locks VALUES (1, 0)");
    run(db, "SET SESSION innodb_lock_wait_timeout = 1");
    assert_int_equal(db_begin(holder), DB_OK);
    assert_int_equal(db_execute(holder, "UPDATE locks SET v = 1", NULL, 0), DB_OK);
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_execute(db, "INSERT INTO locks VALUES (2, 0)", NULL, 0), DB_OK);
    assert_int_equal(db_execute(db, "SELECT v FROM locks WHERE n = 1 FOR UPDATE", NULL, 0),
                     DB_RETRY);
    assert_int_equal(db_execute(db, "INSERT INTO locks VALUES (3, 0)", NULL, 0), DB_RETRY);
    assert_int_equal(db_commit(db), DB_RETRY);
    assert_int_equal(db_commit(holder), DB_OK);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM locks"), 1);
    db_free(holder);
}

/* Two threads that lock two rows in opposite order, met so that one of them must deadlock. */
struct crossing {
    pthread_barrier_t met;
    int tries;
    int first, second;
    enum db_result result;
    struct crossing *other;
};

static enum db_result cross(struct db *db, void *arg)
{
    struct crossing *crossing = arg;
    const struct db_value first = DB_VALUE_INT(crossing->first);
    const struct db_value second = DB_VALUE_INT(crossing->second);
    static const char update[] = "UPDATE crossing SET v = v + 1 WHERE n = ?";
    enum db_result result = db_execute(db, update, &first, 1);
    if (result == DB_OK && crossing->tries++ == 0) {
        (void)pthread_barrier_wait(crossing->other ? &crossing->other->met : &crossing->met);
    }
    return result == DB_OK ? db_execute(db, update, &second, 1) : result;
}

static void *cross_in_thread(void *arg)
{
    struct crossing *crossing = arg;
    struct db *db = db_new(&target);
    crossing->result = db_transaction(db, cross, crossing);
    db_free(db);
    return NULL;
}

static void deadlocks_are_run_again(void **state)
{
    struct db *db = *state;
    struct crossing one = {.first = 1, .second = 2};
    struct crossing two = {.first = 2, .second = 1, .other = &one};
    pthread_t thread;
    run(db, "CREATE OR REPLACE TABLE crossing (n INT PRIMARY KEY, v INT)");
    run(db, "INSERT INTO crossing VALUES (1, 0), (2, 0)");
    assert_int_equal(pthread_barrier_init(&one.met, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, cross_in_thread, &two), 0);
    one.result = db_transaction(db, cross, &one);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(one.result, DB_OK);
    assert_int_equal(two.result, DB_OK);
    assert_int_equal(one.tries + two.tries, 3);
    assert_int_equal(number(db, "SELECT SUM(v) FROM crossing"), 4);
    (void)pthread_barrier_destroy(&one.met);
}

static enum db_result never(struct db *db, void *arg)
{
    (void)db;
    ++*(int *)arg;
    return DB_RETRY;
}

static void retries_are_bounded(void **state)
{
    int tries = 0;
    assert_int_equal(db_transaction(*state, never, &tries), DB_RETRY);
    assert_int_equal(tries, LIMIT_DB_TRIES);
}

static void *sleep_in_thread(void *arg)
{
    struct db_rows *rows = NULL;
    enum db_result *result = xmalloc(sizeof(*result));
    *result = db_query(arg, "SELECT SLEEP(9)", NULL, 0, &rows);
    return result;
}

static void hung_statements_can_be_interrupted(void **state)
{
    struct db *db = *state, *watcher = db_new(&target);
    pthread_t thread;
    void *result;
    assert_int_equal(db_connect(db), DB_OK);
    int64_t begun = clock_monotonic();
    assert_int_equal(pthread_create(&thread, NULL, sleep_in_thread, db), 0);
    while (number(watcher, "SELECT COUNT(*) FROM information_schema.processlist WHERE state ="
                           " 'User sleep'") == 0) {
        assert_true(clock_monotonic() - begun < 5 * TIME_SECOND);
    }
    db_interrupt(db);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal(*(enum db_result *)result, DB_GONE);
    assert_true(clock_monotonic() - begun < 8 * TIME_SECOND);
    free(result);
    assert_int_equal(number(db, "SELECT 5"), 5);
    db_interrupt(db);
    assert_int_equal(number(db, "SELECT 6"), 6);
    db_free(watcher);
}

static void silent_servers_are_given_up(void **state)
{
    struct db *db = *state;
    struct db_rows *rows;
    db_set_patience(db, 1);
    int64_t begun = clock_monotonic();
    assert_int_equal(db_query(db, "SELECT SLEEP(8)", NULL, 0, &rows), DB_GONE);
    assert_true(clock_monotonic() - begun < 6 * TIME_SECOND);
    assert_int_equal(number(db, "SELECT 7"), 7);
}

/* The server ends what its client has given up on, and whoever falls silent in a transaction. */
static void writers_do_not_live_for_ever(void **state)
{
    struct db *db = *state;
    assert_int_equal(number(db, "SELECT CAST(@@max_statement_time AS SIGNED)"),
                     LIMIT_DB_IO_S + LIMIT_DB_STATEMENT_SLACK_S);
    assert_int_equal(number(db, "SELECT @@idle_write_transaction_timeout"), LIMIT_DB_IDLE_WRITE_S);
    db_set_patience(db, 100);
    assert_int_equal(number(db, "SELECT CAST(@@max_statement_time AS SIGNED)"),
                     100 + LIMIT_DB_STATEMENT_SLACK_S);
}

static void late_commits_are_rolled_back(void **state)
{
    struct db *db = *state;
    assert_int_equal(db_execute(db, "CREATE TABLE late (n INT PRIMARY KEY) ENGINE=InnoDB", NULL, 0),
                     DB_OK);
    db_commit_within(db, -1); /* outside a transaction it means nothing */
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_execute(db, "INSERT INTO late VALUES (1)", NULL, 0), DB_OK);
    db_commit_within(db, 60);
    db_commit_within(db, -1); /* the first counts */
    assert_int_equal(db_commit(db), DB_OK);
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_execute(db, "INSERT INTO late VALUES (2)", NULL, 0), DB_OK);
    db_commit_within(db, -1);
    assert_int_equal(db_commit(db), DB_RETRY);
    assert_int_equal(number(db, "SELECT MAX(n) FROM late"), 1);
    assert_int_equal(db_begin(db), DB_OK); /* and the next is not late */
    assert_int_equal(db_execute(db, "INSERT INTO late VALUES (3)", NULL, 0), DB_OK);
    assert_int_equal(db_commit(db), DB_OK);
    assert_int_equal(number(db, "SELECT MAX(n) FROM late"), 3);
    assert_int_equal(db_execute(db, "DROP TABLE late", NULL, 0), DB_OK);
}

static enum db_result connect_to(struct db_target wrong)
{
    struct db *db = db_new(&wrong);
    enum db_result result = db_connect(db);
    assert_true(result == DB_OK || strlen(db_error(db)) > 0);
    db_free(db);
    return result;
}

static void unreachable_and_refusing_servers_differ(void **state)
{
    char no_hosts[][16] = {"127.0.0.1"};
    char *hosts[] = {no_hosts[0], NULL};
    struct db_target wrong = target;
    (void)state;
    assert_int_equal(connect_to(wrong), DB_OK);
    wrong.socket = "/nonexistent/socket";
    assert_int_equal(connect_to(wrong), DB_GONE);
    wrong = target;
    wrong.password = "wrong";
    assert_int_equal(connect_to(wrong), DB_FAILED);
    wrong = target;
    wrong.name = "no_such_database";
    assert_int_equal(connect_to(wrong), DB_FAILED);
    wrong = target;
    wrong.socket = NULL;
    wrong.hosts = hosts;
    wrong.port = 1; /* nobody listens there */
    assert_int_equal(connect_to(wrong), DB_GONE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sessions_are_set_up),
        CASE(values_come_back_as_they_went),
        CASE(sums_and_counts_are_integers),
        CASE(inserts_return_rows),
        CASE(many_rows_are_one_statement),
        CASE(many_rows_fail_together),
        CASE(statements_are_bounded),
        CASE(byte_parameters_use_text_indexes),
        CASE(faults_tell_no_values),
        CASE(too_large_numbers_are_refused),
        CASE(rows_outlive_their_connection),
        CASE(lost_idle_connections_are_replaced),
        CASE(losses_end_transactions),
        CASE(commits_and_rollbacks_do_what_they_say),
        CASE(timed_out_locks_end_transactions),
        CASE(deadlocks_are_run_again),
        CASE(retries_are_bounded),
        CASE(hung_statements_can_be_interrupted),
        CASE(silent_servers_are_given_up),
        CASE(writers_do_not_live_for_ever),
        CASE(late_commits_are_rolled_back),
        CASE(unreachable_and_refusing_servers_differ),
    };
    target = test_server();
    db_library_begin();
    log_set_sink(capture);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&logged);
    db_library_end();
    return failed;
}
