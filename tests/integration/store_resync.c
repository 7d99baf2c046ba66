/* Two processes and one run: who slept through its lease writes nothing, and takes nothing away. */
#include "base/clock.h"
#include "store/resync.h"
#include "test_server.h"
#include "test_store.h"

#define SLEEPER "host-a:11:00000001"
#define SUCCESSOR "host-b:12:00000002"

static struct db_target target;

/* A run of one shop that the sleeper began and the successor took over, and each one's idea of it.
 */
struct store {
    struct db *db;
    struct vault *vault;
    struct source_map *sources;
    struct resync_run slept, taken;
};

static enum resync_claim claim(struct store *store, const char *owner, struct resync_run *run)
{
    struct resync_want want = {.source_id = source_map_id(store->sources, "shop"),
                               .owner = owner,
                               .now = clock_now(),
                               .full = true,
                               .since = TIME_NONE};
    struct resync_holder holder;
    enum resync_claim claim;
    assert_int_equal(resync_claim(store->db, &want, run, &claim, &holder), DB_OK);
    return claim;
}

static void stage(struct store *store, const char *owner, struct resync_run *run, const char *id)
{
    struct facts facts = {0};
    const struct fact_order *order = facts_add_order(&facts, id, strlen(id));
    assert_int_equal(resync_stage(store->db, store->vault, owner, run, &order, 1), DB_OK);
    facts_free(&facts);
}

static void judge(struct store *store, const char *owner, struct resync_run *run)
{
    struct resync_changes changes = {0};
    const struct order_change change = {
        .subject = (const unsigned char[DIGEST_LEN]){7},
        .order_id = "A-1",
        .line_id = "1",
        .key = "icons",
        .lost = true,
    };
    resync_change_add(&changes, &change);
    assert_int_equal(changes.count, 1);
    assert_int_equal(resync_judge(store->db, owner, run, &changes), DB_OK);
    xfree(changes.items);
}

static int setup(void **state)
{
    static const char *const tables[] = {"DELETE FROM resync_source", "DELETE FROM resync_run",
                                         "DELETE FROM resync_staged", "DELETE FROM resync_judged"};
    struct store *store = xcalloc(1, sizeof(*store));
    test_store_open(&target, &store->db, &store->vault, &store->sources);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        assert_int_equal(db_execute(store->db, tables[i], NULL, 0), DB_OK);
    assert_int_equal(claim(store, SLEEPER, &store->slept), RESYNC_BEGUN);
    assert_int_equal(claim(store, SUCCESSOR, &store->taken), RESYNC_HELD);
    assert_int_equal(db_execute(store->db, "UPDATE resync_source SET lease_until = 1", NULL, 0),
                     DB_OK);
    assert_int_equal(claim(store, SUCCESSOR, &store->taken), RESYNC_RESUMED);
    assert_memory_equal(store->taken.id, store->slept.id, RESYNC_ID_LEN);
    stage(store, SUCCESSOR, &store->taken, "A-1");
    judge(store, SUCCESSOR, &store->taken);
    assert_false(store->taken.lost);
    *state = store;
    return 0;
}

static int teardown(void **state)
{
    struct store *store = *state;
    source_map_free(store->sources);
    vault_free(store->vault);
    db_free(store->db);
    free(store);
    return 0;
}

static int64_t number(struct store *store, const char *sql)
{
    struct db_rows *rows;
    int64_t value;
    assert_int_equal(db_query(store->db, sql, NULL, 0, &rows), DB_OK);
    assert_true(db_rows_next(rows));
    value = db_int(rows, 0);
    db_rows_free(rows);
    return value;
}

/* What the successor staged and judged is there, nothing more, and the run and its lease are his.
 */
static void expect_untouched(struct store *store)
{
    assert_true(store->slept.lost);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_judged"), 1);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_staged"), 1);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_staged WHERE order_id = 'A-1'"), 1);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_run WHERE state = 'reading'"
                                   " AND orders_read = 1 AND calls = 0 AND cursor_text = ''"
                                   " AND finished_at IS NULL"),
                     1);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_source WHERE lease_owner ="
                                   " '" SUCCESSOR "' AND lease_until > 1 AND run_id IS NOT NULL"
                                   " AND watermark IS NULL AND last_success_at IS NULL"
                                   " AND trouble IS NULL"),
                     1);
    assert_int_equal(resync_hold(store->db, SUCCESSOR, &store->taken), DB_OK);
    assert_false(store->taken.lost);
}

static void the_sleeper_forgets_nothing_that_was_judged(void **state)
{
    struct store *store = *state;
    assert_int_equal(resync_judge_anew(store->db, SLEEPER, &store->slept), DB_OK);
    expect_untouched(store);
}

static void the_sleeper_judges_nothing(void **state)
{
    struct store *store = *state;
    struct resync_changes changes = {0};
    const struct order_change change = {.subject = (const unsigned char[DIGEST_LEN]){8},
                                        .order_id = "A-2",
                                        .line_id = "1",
                                        .key = "icons",
                                        .gained = true};
    resync_change_add(&changes, &change);
    assert_int_equal(resync_judge(store->db, SLEEPER, &store->slept, &changes), DB_OK);
    xfree(changes.items);
    expect_untouched(store);
}

static void the_sleeper_stages_nothing(void **state)
{
    struct store *store = *state;
    stage(store, SLEEPER, &store->slept, "A-2");
    expect_untouched(store);
}

static void the_sleeper_notes_nothing(void **state)
{
    struct store *store = *state;
    store->slept.state = RESYNC_APPLYING;
    store->slept.calls = 99;
    snprintf(store->slept.cursor, sizeof(store->slept.cursor), "any 1 0 t 0 0");
    assert_int_equal(resync_note(store->db, SLEEPER, &store->slept), DB_OK);
    expect_untouched(store);
}

static void the_sleeper_takes_nothing_off_the_stage(void **state)
{
    struct store *store = *state;
    struct resync_batch batch;
    assert_int_equal(resync_staged(store->db, store->vault, &store->slept, NULL, 10, &batch),
                     DB_OK);
    assert_false(batch.spoilt);
    assert_int_equal(batch.count, 1);
    assert_int_equal(resync_unstage(store->db, SLEEPER, &store->slept, &batch, 0, 0), DB_OK);
    resync_batch_free(&batch);
    expect_untouched(store);
}

static void the_sleeper_ends_nothing(void **state)
{
    struct store *store = *state;
    assert_int_equal(resync_leave(store->db, SLEEPER, &store->slept, "a trouble of its own"),
                     DB_OK);
    assert_int_equal(resync_finish(store->db, SLEEPER, &store->slept, RESYNC_DONE, clock_now(),
                                   true, "a trouble of its own"),
                     DB_OK);
    expect_untouched(store);
}

/* What is over is swept; what somebody is at is not, however long ago it began. */
static void the_sweep_spares_who_is_at_work(void **state)
{
    struct store *store = *state;
    assert_int_equal(db_execute(store->db, "UPDATE resync_run SET began_at = 1", NULL, 0), DB_OK);
    assert_int_equal(resync_sweep(store->db), DB_OK);
    store->slept.lost = true;
    expect_untouched(store);
    assert_int_equal(
        resync_finish(store->db, SUCCESSOR, &store->taken, RESYNC_REFUSED, TIME_NONE, false, NULL),
        DB_OK);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_judged"), 1);
    assert_int_equal(resync_sweep(store->db), DB_OK);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_judged"), 0);
    assert_int_equal(number(store, "SELECT COUNT(*) FROM resync_staged"), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_sleeper_forgets_nothing_that_was_judged),
        CASE(the_sleeper_judges_nothing),
        CASE(the_sleeper_stages_nothing),
        CASE(the_sleeper_notes_nothing),
        CASE(the_sleeper_takes_nothing_off_the_stage),
        CASE(the_sleeper_ends_nothing),
        CASE(the_sweep_spares_who_is_at_work),
    };
    target = test_server();
    db_library_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
