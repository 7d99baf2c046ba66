/* The batch executor against a real server: sharing, failing alone, reviving, draining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/batch.h"
#include "db/connection.h"
#include "test_server.h"

static struct db_target target;

/* What the kinds below share: the context of batch_new(). */
struct shared {
    atomic_size_t runs;
    atomic_size_t retries_wanted;
    atomic_bool hold;                  /* kinds wait while it is set */
    atomic_size_t inside, most_inside; /* run_pair(), of it at a time */
};

struct put {
    int64_t number;
    bool bad; /* no statement can store it */
    enum db_result result;
    bool completed;
};

static enum db_result run_put(struct db *db, void **operations, size_t count, void *context)
{
    struct shared *shared = context;
    struct db_value *values = xcalloc(count, sizeof(*values));
    struct buf sql = {0};
    atomic_fetch_add(&shared->runs, 1);
    while (atomic_load(&shared->hold)) {
        (void)poll(NULL, 0, 1);
    }
    buf_puts(&sql, "INSERT INTO put (n) VALUES ");
    db_repeat(&sql, "(?)", count);
    for (size_t i = 0; i < count; i++) {
        const struct put *put = operations[i];
        values[i] = put->bad ? DB_VALUE_NULL : DB_VALUE_INT(put->number);
    }
    enum db_result result = db_execute(db, sql.data, values, count);
    buf_free(&sql);
    free(values);
    return result;
}

static enum db_result run_pair(struct db *db, void **operations, size_t count, void *context)
{
    struct shared *shared = context;
    size_t now = atomic_fetch_add(&shared->inside, 1) + 1;
    size_t most = atomic_load(&shared->most_inside);
    (void)operations;
    (void)count;
    while (now > most && !atomic_compare_exchange_weak(&shared->most_inside, &most, now)) {
    }
    while (atomic_load(&shared->hold)) {
        (void)poll(NULL, 0, 1);
    }
    enum db_result result = db_execute(db, "DO 1", NULL, 0);
    atomic_fetch_sub(&shared->inside, 1);
    return result;
}

/* Begins a transaction, and leaves ending it to the executor when something fails. */
static enum db_result run_careless(struct db *db, void **operations, size_t count, void *context)
{
    struct shared *shared = context;
    (void)operations;
    (void)count;
    atomic_fetch_add(&shared->runs, 1);
    enum db_result result = db_begin(db);
    if (result == DB_OK) {
        result = db_execute(db, "INSERT INTO put (n) VALUES (-1)", NULL, 0);
    }
    if (result != DB_OK) {
        return result;
    }
    if (atomic_load(&shared->retries_wanted) > 0) {
        atomic_fetch_sub(&shared->retries_wanted, 1);
        return DB_RETRY;
    }
    return db_commit(db);
}

static enum db_result run_kill_self(struct db *db, void **operations, size_t count, void *context)
{
    struct shared *shared = context;
    struct db_rows *rows;
    (void)operations;
    (void)count;
    if (atomic_fetch_add(&shared->runs, 1) > 0) {
        return db_execute(db, "DO 1", NULL, 0);
    }
    return db_query(db, "KILL CONNECTION_ID()", NULL, 0, &rows);
}

static enum db_result run_slow(struct db *db, void **operations, size_t count, void *context)
{
    struct db_rows *rows;
    (void)operations;
    (void)count;
    (void)context;
    enum db_result result = db_query(db, "SELECT SLEEP(9)", NULL, 0, &rows);
    if (result == DB_OK) {
        db_rows_free(rows);
    }
    return result;
}

static const struct batch_kind put_kind = {
    .name = "put", .most = 64, .run = run_put, .repeatable = true};
static const struct batch_kind careless_kind = {.name = "careless", .most = 1, .run = run_careless};
static const struct batch_kind fragile_kind = {
    .name = "fragile", .most = 1, .run = run_kill_self, .repeatable = true};
static const struct batch_kind unsafe_kind = {.name = "unsafe", .most = 1, .run = run_kill_self};
static const struct batch_kind slow_kind = {.name = "slow", .most = 1, .run = run_slow};
static const struct batch_kind pair_kind = {
    .name = "pair", .most = 1, .parallel = 2, .run = run_pair};
static const struct batch_kind patient_kind = {
    .name = "patient", .most = 64, .parallel = 2, .gather_us = 3600 * TIME_SECOND, .run = run_pair};
static const struct batch_kind brisk_kind = {
    .name = "brisk", .most = 64, .parallel = 2, .gather_us = 1000, .run = run_pair};
static const struct batch_kind *const kinds[] = {&put_kind,     &careless_kind, &fragile_kind,
                                                 &unsafe_kind,  &slow_kind,     &pair_kind,
                                                 &patient_kind, &brisk_kind};

static void put_done(void *operation, enum db_result result)
{
    struct put *put = operation;
    assert_false(put->completed);
    put->completed = true;
    put->result = result;
}

static struct batch *start(struct shared *shared, size_t connections)
{
    struct db *db = db_new(&target);
    static const char create[] = "CREATE OR REPLACE TABLE put (n BIGINT NOT NULL PRIMARY KEY)";
    assert_int_equal(db_run_text(db, create, sizeof(create) - 1), DB_OK);
    db_free(db);
    return batch_new(&target, connections, kinds, sizeof(kinds) / sizeof(kinds[0]), shared);
}

static int64_t stored(void)
{
    struct db *db = db_new(&target);
    struct db_rows *rows;
    assert_int_equal(db_query(db, "SELECT COUNT(*) FROM put", NULL, 0, &rows), DB_OK);
    assert_true(db_rows_next(rows));
    int64_t count = db_int(rows, 0);
    db_rows_free(rows);
    db_free(db);
    return count;
}

/* What the loop does: waits for the descriptor, then completes. */
static void complete_all(struct batch *batch)
{
    int64_t deadline = clock_monotonic() + 60 * TIME_SECOND;
    while (batch_pending(batch) > 0) {
        struct pollfd fd = {.fd = batch_fd(batch), .events = POLLIN};
        assert_true(clock_monotonic() < deadline);
        if (poll(&fd, 1, 1000) == 1) {
            batch_complete(batch);
        }
    }
}

static void many_operations_share_statements(void **state)
{
    enum { MANY = 4000 };
    struct shared shared = {0};
    struct put *puts = xcalloc(MANY, sizeof(*puts));
    struct batch *batch = start(&shared, 3);
    (void)state;
    for (int i = 0; i < MANY; i++) {
        puts[i].number = i;
        assert_true(batch_submit(batch, &put_kind, &puts[i], put_done));
    }
    assert_int_equal(batch_pending(batch), MANY);
    complete_all(batch);
    for (int i = 0; i < MANY; i++) {
        assert_true(puts[i].completed);
        assert_int_equal(puts[i].result, DB_OK);
    }
    assert_int_equal(stored(), MANY);
    assert_true(atomic_load(&shared.runs) < MANY / 4);
    batch_free(batch);
    free(puts);
}

/* Holds both executors with one operation each, so that what follows is gathered in the queue. */
static void hold_executors(struct batch *batch, struct shared *shared, struct put *holders)
{
    int64_t deadline = clock_monotonic() + 20 * TIME_SECOND;
    atomic_store(&shared->hold, true);
    for (size_t i = 0; i < 2; i++) {
        size_t before = atomic_load(&shared->runs);
        holders[i].number = 1000000 + (int64_t)i;
        assert_true(batch_submit(batch, &put_kind, &holders[i], put_done));
        while (atomic_load(&shared->runs) == before) {
            assert_true(clock_monotonic() < deadline);
        }
    }
}

/* Completes until `put` is. */
static void complete_one(struct batch *batch, const struct put *put)
{
    int64_t deadline = clock_monotonic() + 20 * TIME_SECOND;
    while (!put->completed) {
        struct pollfd fd = {.fd = batch_fd(batch), .events = POLLIN};
        assert_true(clock_monotonic() < deadline);
        if (poll(&fd, 1, 1000) == 1) {
            batch_complete(batch);
        }
    }
}

/* Two of a kind that is bounded by two, however many connections there are; the others are left to
 * the other kinds; and what waited at the end is run. */
static void a_bounded_kind_leaves_connections_to_others(void **state)
{
    enum { PAIRS = 9 };
    struct shared shared = {0};
    struct put pairs[PAIRS] = {0}, other = {0};
    struct batch *batch = start(&shared, 4);
    int64_t deadline = clock_monotonic() + 20 * TIME_SECOND;
    (void)state;
    atomic_store(&shared.hold, true);
    for (int i = 0; i < PAIRS; i++) {
        assert_true(batch_submit(batch, &pair_kind, &pairs[i], put_done));
    }
    while (atomic_load(&shared.inside) < 2) {
        assert_true(clock_monotonic() < deadline);
    }
    assert_true(batch_submit(batch, &careless_kind, &other, put_done));
    complete_one(batch, &other);
    assert_int_equal(batch_pending(batch), PAIRS);
    atomic_store(&shared.hold, false);
    batch_free(batch);
    assert_int_equal(atomic_load(&shared.most_inside), 2);
    for (int i = 0; i < PAIRS; i++) {
        assert_true(pairs[i].completed);
        assert_int_equal(pairs[i].result, DB_OK);
    }
}

/* What comes while one of its kind is under way waits for it, though a connection is idle. */
static void a_kind_gathers_behind_the_one_under_way(void **state)
{
    struct shared shared = {0};
    struct put puts[8] = {0}, other = {0};
    struct batch *batch = start(&shared, 2);
    int64_t deadline = clock_monotonic() + 20 * TIME_SECOND;
    (void)state;
    atomic_store(&shared.hold, true);
    assert_true(batch_submit(batch, &patient_kind, &puts[0], put_done));
    while (atomic_load(&shared.inside) < 1) {
        assert_true(clock_monotonic() < deadline);
    }
    for (int i = 1; i < 8; i++) {
        assert_true(batch_submit(batch, &patient_kind, &puts[i], put_done));
    }
    assert_true(batch_submit(batch, &careless_kind, &other, put_done));
    complete_one(batch, &other); /* the other executor looked at the queues, before and after it */
    atomic_store(&shared.hold, false);
    complete_all(batch);
    assert_int_equal(atomic_load(&shared.most_inside), 1);
    batch_free(batch);
}

/* Whoever comes later than `gather_us` after one that hangs is run beside it. */
static void one_that_hangs_is_passed(void **state)
{
    enum { MANY = 2000 };
    struct shared shared = {0};
    struct put *puts = xcalloc(MANY, sizeof(*puts));
    struct batch *batch = start(&shared, 3);
    int64_t deadline = clock_monotonic() + 20 * TIME_SECOND;
    (void)state;
    atomic_store(&shared.hold, true);
    for (int i = 0; i < MANY && atomic_load(&shared.inside) < 2; i++) {
        assert_true(batch_submit(batch, &brisk_kind, &puts[i], put_done));
        (void)poll(NULL, 0, 1);
    }
    while (atomic_load(&shared.inside) < 2) {
        assert_true(clock_monotonic() < deadline);
    }
    atomic_store(&shared.hold, false);
    complete_all(batch);
    assert_int_equal(atomic_load(&shared.most_inside), 2);
    batch_free(batch);
    free(puts);
}

static void a_bad_operation_fails_alone(void **state)
{
    struct shared shared = {0};
    struct put holders[2] = {0};
    struct put puts[20] = {0};
    struct batch *batch = start(&shared, 2);
    (void)state;
    hold_executors(batch, &shared, holders);
    for (int i = 0; i < 20; i++) {
        puts[i].number = i == 13 ? 4 : i; /* 13 says what 4 said */
        puts[i].bad = i == 7;
        assert_true(batch_submit(batch, &put_kind, &puts[i], put_done));
    }
    atomic_store(&shared.hold, false);
    complete_all(batch);
    for (int i = 0; i < 20; i++) {
        enum db_result want = i == 7 ? DB_FAILED : i == 13 ? DB_DUPLICATE : DB_OK;
        assert_int_equal(puts[i].result, want);
    }
    assert_int_equal(stored(), 2 + 18);
    batch_free(batch);
}

static void a_full_queue_refuses_at_once(void **state)
{
    struct shared shared = {0};
    struct put holders[2] = {0};
    struct put *puts = xcalloc(LIMIT_BATCH_QUEUE + 1, sizeof(*puts));
    struct batch *batch = start(&shared, 2);
    (void)state;
    hold_executors(batch, &shared, holders);
    for (int i = 0; i < LIMIT_BATCH_QUEUE; i++) {
        puts[i].number = i;
        assert_true(batch_submit(batch, &put_kind, &puts[i], put_done));
    }
    assert_false(batch_submit(batch, &put_kind, &puts[LIMIT_BATCH_QUEUE], put_done));
    assert_int_equal(batch_pending(batch), LIMIT_BATCH_QUEUE + 2);
    atomic_store(&shared.hold, false);
    complete_all(batch);
    assert_true(batch_submit(batch, &careless_kind, &puts[LIMIT_BATCH_QUEUE], put_done));
    complete_all(batch);
    assert_int_equal(stored(), LIMIT_BATCH_QUEUE + 3);
    batch_free(batch);
    free(puts);
}

/* The executor rolls back what `run` left open, so a repetition begins anew. */
static void retries_are_run_whole(void **state)
{
    struct shared shared = {.retries_wanted = 1000};
    struct put hopeless = {0}, put = {0};
    struct batch *batch = start(&shared, 1);
    (void)state;
    assert_true(batch_submit(batch, &careless_kind, &hopeless, put_done));
    complete_all(batch);
    assert_int_equal(hopeless.result, DB_RETRY);
    assert_int_equal(atomic_load(&shared.runs), LIMIT_DB_TRIES);
    assert_int_equal(stored(), 0);

    atomic_store(&shared.retries_wanted, 3);
    assert_true(batch_submit(batch, &careless_kind, &put, put_done));
    complete_all(batch);
    assert_int_equal(put.result, DB_OK);
    assert_int_equal(atomic_load(&shared.runs), LIMIT_DB_TRIES + 4);
    assert_int_equal(stored(), 1);
    batch_free(batch);
}

static enum db_result run_alone(const struct batch_kind *kind, size_t *runs)
{
    struct shared shared = {0};
    struct put put = {0};
    struct batch *batch = start(&shared, 1);
    assert_true(batch_submit(batch, kind, &put, put_done));
    complete_all(batch);
    batch_free(batch);
    *runs = atomic_load(&shared.runs);
    return put.result;
}

static void lost_connections_are_revived_if_harmless(void **state)
{
    size_t runs;
    (void)state;
    assert_int_equal(run_alone(&fragile_kind, &runs), DB_OK);
    assert_int_equal(runs, 2);
    assert_int_equal(run_alone(&unsafe_kind, &runs), DB_GONE);
    assert_int_equal(runs, 1);
}

static void an_absent_server_is_gone_quickly(void **state)
{
    struct shared shared = {0};
    struct put put = {0};
    struct db_target nowhere = target;
    (void)state;
    nowhere.socket = "/nonexistent/socket";
    struct batch *batch = batch_new(&nowhere, 2, kinds, sizeof(kinds) / sizeof(kinds[0]), &shared);
    assert_true(batch_submit(batch, &put_kind, &put, put_done));
    complete_all(batch);
    assert_int_equal(put.result, DB_GONE);
    batch_free(batch);
}

static void the_end_drains_what_is_queued(void **state)
{
    struct shared shared = {0};
    struct put *puts = xcalloc(500, sizeof(*puts));
    struct batch *batch = start(&shared, 2);
    (void)state;
    for (int i = 0; i < 500; i++) {
        puts[i].number = i;
        assert_true(batch_submit(batch, &put_kind, &puts[i], put_done));
    }
    batch_free(batch);
    for (int i = 0; i < 500; i++) {
        assert_true(puts[i].completed);
        assert_int_equal(puts[i].result, DB_OK);
    }
    assert_int_equal(stored(), 500);
    free(puts);
    batch_free(NULL);
}

static void the_end_does_not_wait_for_ever(void **state)
{
    struct shared shared = {0};
    struct put puts[6] = {0};
    struct batch *batch = start(&shared, 1);
    (void)state;
    int64_t begun = clock_monotonic();
    for (int i = 0; i < 6; i++) {
        assert_true(batch_submit(batch, &slow_kind, &puts[i], put_done));
    }
    batch_free(batch);
    assert_true(clock_monotonic() - begun < (LIMIT_BATCH_DRAIN_S + 5) * TIME_SECOND);
    for (int i = 0; i < 6; i++) {
        assert_true(puts[i].completed);
        assert_int_equal(puts[i].result, i == 0 ? DB_OK : DB_GONE);
    }
}

/* A statement that slept to its end would be DB_OK. */
static void what_hangs_is_cut_off_and_the_next_runs(void **state)
{
    struct shared shared = {0};
    struct put hung = {0}, put = {0};
    struct batch *batch = start(&shared, 1);
    (void)state;
    batch_hurry(batch, 0); /* nothing is under way */
    assert_true(batch_submit(batch, &slow_kind, &hung, put_done));
    while (batch_pending(batch) > 0) {
        struct pollfd fd = {.fd = batch_fd(batch), .events = POLLIN};
        batch_hurry(batch, TIME_SECOND / 10);
        if (poll(&fd, 1, 50) == 1) {
            batch_complete(batch);
        }
    }
    assert_int_equal(hung.result, DB_GONE);
    assert_true(batch_submit(batch, &put_kind, &put, put_done));
    complete_all(batch);
    assert_int_equal(put.result, DB_OK);
    batch_free(batch);
}

static void an_abandoned_end_waits_for_nothing(void **state)
{
    struct shared shared = {0};
    struct put puts[3] = {0};
    struct batch *batch = start(&shared, 1);
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(batch_submit(batch, &slow_kind, &puts[i], put_done));
    }
    batch_abandon(batch);
    batch_free(batch);
    for (int i = 0; i < 3; i++) {
        assert_true(puts[i].completed);
        assert_int_equal(puts[i].result, DB_GONE);
    }
}

static void ignore_line(const char *line, size_t len)
{
    (void)line;
    (void)len;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_operations_share_statements),
        cmocka_unit_test(a_bounded_kind_leaves_connections_to_others),
        cmocka_unit_test(a_kind_gathers_behind_the_one_under_way),
        cmocka_unit_test(one_that_hangs_is_passed),
        cmocka_unit_test(a_bad_operation_fails_alone),
        cmocka_unit_test(a_full_queue_refuses_at_once),
        cmocka_unit_test(retries_are_run_whole),
        cmocka_unit_test(lost_connections_are_revived_if_harmless),
        cmocka_unit_test(an_absent_server_is_gone_quickly),
        cmocka_unit_test(the_end_drains_what_is_queued),
        cmocka_unit_test(the_end_does_not_wait_for_ever),
        cmocka_unit_test(what_hangs_is_cut_off_and_the_next_runs),
        cmocka_unit_test(an_abandoned_end_waits_for_nothing),
    };
    target = test_server();
    db_library_begin();
    log_set_sink(ignore_line);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
