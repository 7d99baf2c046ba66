/* What is told of one refund in several words: what it gave back is not forgotten again. */
#include "base/clock.h"
#include "store/orders.h"
#include "test_server.h"
#include "test_store.h"

#define ORDER "A-1"
#define NOW (TIME_DAY * 20000)

static struct db_target target;

/* An empty store of one shop, whose product 10 grants `icons`. */
struct store {
    struct db *db;
    struct vault *vault;
    struct source_map *sources;
    struct catalogue *catalogue;
};

static int setup(void **state)
{
    static const char *const tables[] = {
        "DELETE FROM shop_order",   "DELETE FROM order_snapshot",    "DELETE FROM order_line",
        "DELETE FROM order_refund", "DELETE FROM order_refund_line", "DELETE FROM contribution"};
    struct store *store = xcalloc(1, sizeof(*store));
    test_store_open(&target, &store->db, &store->vault, &store->sources);
    store->catalogue = test_catalogue("icons");
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        assert_int_equal(db_execute(store->db, tables[i], NULL, 0), DB_OK);
    *state = store;
    return 0;
}

static int teardown(void **state)
{
    struct store *store = *state;
    catalogue_free(store->catalogue);
    source_map_free(store->sources);
    vault_free(store->vault);
    db_free(store->db);
    free(store);
    return 0;
}

struct told {
    struct store *store;
    struct facts *facts;
};

static enum db_result apply_body(struct db *db, void *arg)
{
    const struct told *told = arg;
    struct orders_context context = {.vault = told->store->vault,
                                     .sources = told->store->sources,
                                     .catalogue = told->store->catalogue,
                                     .now = NOW};
    struct order_news news = {.source_id = source_map_id(told->store->sources, "shop"),
                              .order_id = ORDER,
                              .facts = &told->facts->orders[0],
                              .cause = CAUSE_DELIVERY,
                              .cause_id = "1",
                              .delivery_id = 1};
    return orders_apply(db, &context, &news, 1);
}

static void apply(struct store *store, struct facts *facts)
{
    struct told told = {store, facts};
    assert_int_equal(db_transaction(store->db, apply_body, &told), DB_OK);
    facts_free(facts);
}

/* A paid order of three icons. */
static void order_told(struct store *store)
{
    struct facts facts = {0};
    struct fact_snapshot *snapshot =
        fact_order_snapshot(facts_add_order(&facts, ORDER, strlen(ORDER)));
    struct fact_line *line;
    snapshot->time = NOW - TIME_HOUR;
    snapshot->status = ORDER_PAID;
    snapshot->lines_known = true;
    snapshot->address_state = ADDRESS_REAL;
    snapshot->address = xstrdup("zoe@example.test");
    line = fact_add_line(snapshot);
    line->id = xstrdup("1");
    line->product = xstrdup("10");
    line->quantity = 3;
    apply(store, &facts);
}

/* Refund R-1; with its lines, it gave back two of the three. */
static void refund_told(struct store *store, int64_t time, bool lines)
{
    struct facts facts = {0};
    struct fact_refund *refund = fact_add_refund(facts_add_order(&facts, ORDER, strlen(ORDER)));
    refund->id = xstrdup("R-1");
    refund->time = time;
    refund->state = REFUND_DONE;
    refund->amount = 20000000;
    refund->lines_known = lines;
    if (lines) {
        struct fact_refund_line *line = fact_add_refund_line(&refund->lines, &refund->line_count);
        line->line_id = xstrdup("1");
        line->quantity = 2;
    }
    apply(store, &facts);
}

static int64_t icons(struct store *store)
{
    struct db_rows *rows;
    int64_t quantity;
    assert_int_equal(db_query(store->db, "SELECT quantity FROM contribution", NULL, 0, &rows),
                     DB_OK);
    assert_true(db_rows_next(rows));
    quantity = db_int(rows, 0);
    db_rows_free(rows);
    return quantity;
}

static void lines_that_were_told_outlive_later_words_without_lines(void **state)
{
    order_told(*state);
    assert_int_equal(icons(*state), 3);
    refund_told(*state, NOW - 60 * TIME_SECOND, true);
    assert_int_equal(icons(*state), 1);
    refund_told(*state, NOW - 30 * TIME_SECOND, false);
    assert_int_equal(icons(*state), 1);
}

/* In any order: the lines are taken from the older words, too. */
static void lines_that_are_told_late_count(void **state)
{
    order_told(*state);
    refund_told(*state, NOW - 30 * TIME_SECOND, false);
    refund_told(*state, NOW - 60 * TIME_SECOND, true);
    assert_int_equal(icons(*state), 1);
    refund_told(*state, NOW - 30 * TIME_SECOND, false);
    assert_int_equal(icons(*state), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lines_that_were_told_outlive_later_words_without_lines),
        CASE(lines_that_are_told_late_count),
    };
    target = test_server();
    db_library_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
