/*
 * A chain of names: a charge is of a payment, that of an invoice, that of a subscription. Each link
 * is news of its own, and so is what is told under each name; in whatever order and in whatever
 * batches they come, all of it becomes the subscription's.
 */
#include "base/clock.h"
#include "store/orders.h"
#include "test_server.h"
#include "test_store.h"

#define NOW (TIME_DAY * 20000)
#define PAID_AT (NOW - 10 * TIME_DAY)
#define WHOLE INT64_C(19000000)

enum { NEWS = 5, ORDERS = 120, SPLITS = 16 };

static struct db_target target;

struct store {
    struct db *db;
    struct vault *vault;
    struct source_map *sources;
    struct catalogue *catalogue;
};

static void store_empty(struct store *store)
{
    static const char *const tables[] = {
        "DELETE FROM shop_order",         "DELETE FROM order_snapshot", "DELETE FROM order_line",
        "DELETE FROM order_refund",       "DELETE FROM order_dispute",  "DELETE FROM contribution",
        "DELETE FROM order_subscription", "DELETE FROM order_alias"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        assert_int_equal(db_execute(store->db, tables[i], NULL, 0), DB_OK);
}

static int setup(void **state)
{
    struct store *store = xcalloc(1, sizeof(*store));
    test_store_open(&target, &store->db, &store->vault, &store->sources);
    store->catalogue = test_catalogue("pro");
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

static struct fact_order *order_named(struct facts *facts, const char *kind, int number)
{
    char *id = xasprintf("%s_%d", kind, number);
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    return order;
}

static void alias_named(struct fact_order *order, const char *kind, int number)
{
    char *id = xasprintf("%s_%d", kind, number);
    fact_add_alias(order, id);
    free(id);
}

/* What the subscription's invoice tells: what was paid, and who pays. */
static void tell_payment(struct facts *facts, int number, int64_t given_back)
{
    struct fact_order *order = order_named(facts, "sub", number);
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    (void)given_back;
    alias_named(order, "in", number);
    snapshot->time = snapshot->paid_at = PAID_AT;
    snapshot->status = ORDER_PAID;
    snapshot->total = WHOLE;
    snapshot->lists_refunds = true;
    snapshot->address_state = ADDRESS_REAL;
    snapshot->address = xstrdup("zoe@example.test");
}

static void tell_subscription(struct facts *facts, int number, int64_t given_back)
{
    struct fact_order *order = order_named(facts, "sub", number);
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    struct fact_subscription *term = fact_order_subscription(order);
    struct fact_line *line;
    (void)given_back;
    snapshot->time = term->time = PAID_AT;
    snapshot->status = ORDER_PAID;
    snapshot->lines_known = true;
    term->state = SUBSCRIPTION_ACTIVE;
    term->paid_until = NOW + 20 * TIME_DAY;
    line = fact_add_line(snapshot);
    line->id = xstrdup("1");
    line->product = xstrdup("10");
    line->quantity = 1;
}

static void tell_invoice(struct facts *facts, int number, int64_t given_back)
{
    (void)given_back;
    alias_named(order_named(facts, "in", number), "pi", number);
}

static void tell_refund(struct facts *facts, int number, int64_t given_back)
{
    struct fact_order *order = order_named(facts, "pi", number);
    struct fact_refund *refund = fact_add_refund(order);
    alias_named(order, "ch", number);
    refund->id = xasprintf("re_%d", number);
    refund->payment = xasprintf("pi_%d", number);
    refund->time = NOW - TIME_DAY;
    refund->state = REFUND_DONE;
    refund->amount = given_back;
}

/* Nothing but the charge is named. */
static void tell_dispute(struct facts *facts, int number, int64_t given_back)
{
    struct fact_dispute *dispute = fact_add_dispute(order_named(facts, "ch", number));
    (void)given_back;
    dispute->id = xasprintf("dp_%d", number);
    dispute->time = NOW - TIME_HOUR;
    dispute->state = DISPUTE_OPEN;
}

static void (*const tellers[NEWS])(struct facts *, int, int64_t) = {
    tell_payment, tell_subscription, tell_invoice, tell_refund, tell_dispute};

/* The news of all orders, in a permutation each, that come in one batch. */
struct batch {
    struct store *store;
    struct facts facts[ORDERS * NEWS];
    struct order_news news[ORDERS * NEWS];
    size_t count;
};

static enum db_result apply_body(struct db *db, void *arg)
{
    struct batch *batch = arg;
    struct orders_context context = {.vault = batch->store->vault,
                                     .sources = batch->store->sources,
                                     .catalogue = batch->store->catalogue,
                                     .now = NOW};
    return orders_apply(db, &context, batch->news, batch->count);
}

static void batch_add(struct batch *batch, int which, int number, int64_t given_back)
{
    struct facts *facts = &batch->facts[batch->count];
    *facts = (struct facts){0};
    tellers[which](facts, number, given_back);
    batch->news[batch->count++] =
        (struct order_news){.source_id = source_map_id(batch->store->sources, "shop"),
                            .order_id = facts->orders[0].id,
                            .facts = &facts->orders[0],
                            .cause = CAUSE_DELIVERY,
                            .cause_id = "1",
                            .delivery_id = 1};
}

static void batch_apply(struct batch *batch)
{
    if (batch->count > 0)
        assert_int_equal(db_transaction(batch->store->db, apply_body, batch), DB_OK);
    for (size_t i = 0; i < batch->count; i++)
        facts_free(&batch->facts[i]);
    batch->count = 0;
}

/* The news that permutation `number` has in this place. */
static int news_at(int number, int place)
{
    int left[NEWS] = {0, 1, 2, 3, 4}, divisor = ORDERS;
    for (int i = 0;; i++) {
        divisor /= NEWS - i;
        int at = number / divisor, which = left[at];
        number %= divisor;
        if (i == place)
            return which;
        memmove(&left[at], &left[at + 1], (size_t)(NEWS - i - 1 - at) * sizeof(left[0]));
    }
}

static int64_t count_of(struct store *store, const char *query)
{
    struct db_rows *rows;
    assert_int_equal(db_query(store->db, query, NULL, 0, &rows), DB_OK);
    assert_true(db_rows_next(rows));
    int64_t count = db_int(rows, 0);
    db_rows_free(rows);
    return count;
}

/* Tells the news of all orders; a bit of `split` ends a batch after that place. */
static void tell_split(struct store *store, unsigned split, int64_t given_back)
{
    static struct batch batch;
    batch = (struct batch){.store = store};
    store_empty(store);
    for (int place = 0; place < NEWS; place++) {
        for (int number = 0; number < ORDERS; number++)
            batch_add(&batch, news_at(number, place), number, given_back);
        if (place == NEWS - 1 || split >> place & 1)
            batch_apply(&batch);
    }
}

static void check_all(struct store *store, const char *contributions)
{
    static const char *const strays[] = {
        "SELECT COUNT(*) FROM order_refund WHERE order_id NOT LIKE 'sub%'",
        "SELECT COUNT(*) FROM order_dispute WHERE order_id NOT LIKE 'sub%'",
        "SELECT COUNT(*) FROM contribution WHERE order_id NOT LIKE 'sub%'",
    };
    for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++)
        assert_int_equal(count_of(store, strays[i]), 0);
    assert_int_equal(count_of(store, contributions), ORDERS);
    assert_int_equal(count_of(store, "SELECT COUNT(*) FROM order_refund"), ORDERS);
    assert_int_equal(count_of(store, "SELECT COUNT(*) FROM order_dispute"), ORDERS);
}

static void a_refund_at_the_end_of_the_chain_ends_the_subscription(void **state)
{
    for (unsigned split = 0; split < SPLITS; split++) {
        tell_split(*state, split, WHOLE);
        check_all(*state, "SELECT COUNT(*) FROM contribution WHERE state = 'refunded'");
    }
}

static void a_dispute_at_the_end_of_the_chain_suspends_it(void **state)
{
    for (unsigned split = 0; split < SPLITS; split++) {
        tell_split(*state, split, WHOLE / 2);
        check_all(*state, "SELECT COUNT(*) FROM contribution WHERE state = 'disputed'");
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_refund_at_the_end_of_the_chain_ends_the_subscription),
        CASE(a_dispute_at_the_end_of_the_chain_suspends_it),
    };
    target = test_server();
    db_library_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
