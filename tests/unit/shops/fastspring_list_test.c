/*
 * FastSpring's log of events and its lists: pages as they are read, and walks while the store goes
 * on selling.
 */
#include "walk_support.h"

#define JSON "application/json;charset=UTF-8"
#define NINE "1795424400000"
#define AT " at=2026-11-23T09:00:00Z paid=-"
#define READ " read=2026-11-23T10:00:00Z"
#define ZOE " address=zoe@example.test"
#define EVENT_OF(live, type, data)                                                                \
    "{\"id\":\"e1\",\"created\":" NINE ",\"type\":\"" type "\",\"live\":" live ",\"data\":{" data \
    "}}"
#define EVENT(type, data) EVENT_OF("true", type, data)
#define ID(id) "\"order\":\"" id "\",\"id\":\"" id "\",\"changed\":" NINE
#define CUSTOMER ",\"customer\":{\"email\":\"Zoe@Example.test\"}"
#define ITEM(rest) "{\"product\":\"icons\",\"quantity\":1" rest "}"
#define ORDER(id, rest) \
    ID(id)              \
    ",\"completed\":true,\"live\":true,\"total\":10" CUSTOMER ",\"items\":[" ITEM("") "]" rest
#define SUBSCRIPTION(id, state)                                                         \
    "\"subscription\":\"" id "\",\"id\":\"" id "\",\"changed\":" NINE ",\"live\":true," \
    "\"state\":\"" state "\",\"product\":\"pro\",\"next\":1798016400000"
#define LOG(events, rest) \
    "{\"action\":\"events.get\",\"result\":\"success\",\"events\":[" events "]" rest "}"
#define LIST(name, entries, rest) "{\"result\":\"success\",\"" name "\":[" entries "]" rest "}"
/* A day of the log: until 1795428000001, which is just after the run began. */
#define DAY "unprocessed 1795341600000 1795428000001"
#define DAY_DONE "processed 1795341600000 1795428000001"
#define O1 "[O1 paid" AT " total=10000000" ZOE " lines: icons(icons/-/-)*1-0"

static struct settings_source source;
static const struct shop_walk day_walk = {.since = RECEIVED - TIME_DAY, .began = RECEIVED};

static void cursors(void **state)
{
    static const struct shop_walk old = {.since = RECEIVED - 40 * TIME_DAY, .began = RECEIVED};
#define ORDERS "/orders?begin=2005-01-01&end=2026-11-25&scope=live&limit=50&page="
    static const struct {
        const struct shop_walk *walk;
        const char *cursor, *target;
    } cases[] = {
        {&day_walk, "", "/events/unprocessed?begin=1795341600000&end=1795428000001"},
        {&day_walk, "processed 5 9", "/events/processed?begin=5&end=9"},
        {&day_walk, "processed 9 5", "none"},
        {&day_walk, "processed 5", "none"},
        {&day_walk, "orders", "none"},
        {&whole_walk, "", ORDERS "1"},
        {&old, "", ORDERS "1"},
        {&whole_walk, "orders O1 0000000001 0", ORDERS "2"},
        {&whole_walk, "returns", ORDERS "1&returns=true"},
        {&whole_walk, "subscriptions S_1-x 0000000003 0", "/subscriptions?limit=50&page=4"},
        {&whole_walk, "processed 5 9", "none"},
        {&whole_walk, "orders O1 1 0", "none"},
    };
    struct shop_fetch fetch;
    (void)state;
    assert_true(shop_can_list(&source));
    assert_int_equal(shop_webhook_for(&source, &fetch), -1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *target = target_at(&source, cases[i].walk, cases[i].cursor);
        assert_string_equal(target, cases[i].target);
        free(target);
    }
}

static void pages_of_the_log(void **state)
{
    static const struct page_case cases[] = {
        {"an order: read as delivered, and asked for", "", 200, JSON,
         LOG(EVENT("order.completed", ORDER("O1", "")), ",\"more\":false"),
         "read: " O1 " need:order(orders/O1)] next=" DAY_DONE},
        {"a subscription that ended", DAY_DONE, 200, JSON,
         LOG(EVENT("subscription.deactivated", SUBSCRIPTION("S1", "deactivated")), ""),
         "read: [S1 paid" AT " total=-1 address=absent lines: pro(pro/-/-)*1-0 term:expired "
         "at=2026-11-23T09:00:00Z until=- need:order(subscriptions/S1)]"},
        {"no more than an id", DAY_DONE, 200, JSON,
         LOG(EVENT("order.completed", "\"order\":\"O1\""), ""),
         "read: [O1 need:order(orders/O1)!]"},
        {"money that went back", DAY_DONE, 200, JSON,
         LOG(EVENT("return.created",
                   "\"return\":\"R1\",\"changed\":" NINE ",\"original\":\"O1\",\"totalReturn\":10"),
             ""),
         "read: [O1 refund:done R1=10000000{?} at=2026-11-23T09:00:00Z need:owner(orders/O1)]"},
        {"what is no order, and what is a test", DAY_DONE, 200, JSON,
         LOG(EVENT("account.created", "\"id\":\"A1\"") "," EVENT_OF("false", "order.completed",
                                                                    ORDER("O1", "")),
             ""),
         "read: "},
        {"one that cannot be read leaves the others", DAY_DONE, 200, JSON,
         LOG("{\"type\":\"order.completed\",\"data\":7}," EVENT("order.completed", ORDER("O1", "")),
             ""),
         "read: " O1 " need:order(orders/O1)] unusable=1: `data` of an event is not an object"},
        {"more than one answer holds: the first half", DAY, 200, JSON, LOG("", ",\"more\":true"),
         "read:  next=unprocessed 1795341600000 1795384800000"},
        {"and then what follows, in longer steps", "unprocessed 1795341600000 1795352400000", 200,
         JSON, LOG("", ""), "read:  next=unprocessed 1795352400000 1795374000000"},
        {"to the end", "unprocessed 1795341600000 1795384800000", 200, JSON, LOG("", ""),
         "read:  next=unprocessed 1795384800000 1795428000001"},
        {"a moment of too many", "processed 7 8", 200, JSON, LOG("", ",\"more\":true"),
         "refused: the shop has more events of one moment than it tells"},
        {"too far back", "", 400, JSON,
         "{\"action\":\"events.get\",\"result\":\"error\",\"error\":{\"begin\":\"Begin must be "
         "after\"}}",
         "refused: the shop refused to list that"},
        {"told as success", "", 200, JSON, "{\"result\":\"error\"}",
         "refused: the shop refused to list that"},
        {"no list", "", 200, JSON, "{}",
         "refused: the shop answered with something that is no list of events"},
        {"busy", "", 429, JSON, "{}", "later: the shop answered 429"},
        {"a page", "", 200, "text/html", "<html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"the key", "", 401, JSON, "{}",
         "refused: the shop refused the key (401): check that api_key_file holds user:password of "
         "the store's API credentials"},
    };
    (void)state;
    check_pages(&source, &day_walk, cases, COUNT(cases));
}

#define O1_READ "[O1 paid" AT READ " total=10000000" ZOE " lines: icons(icons/-/-)*1-0"

static void pages_of_the_lists(void **state)
{
    static const struct page_case cases[] = {
        {"orders as objects", "", 200, JSON,
         LIST("orders", "{" ORDER("O1", "") "}", ",\"page\":1,\"nextPage\":2"),
         "read: " O1_READ "] next=orders O1 0000000001 0"},
        {"orders as ids", "orders O9 0000000001 0", 200, JSON,
         LIST("orders", "\"O1\",\"O_2-x\"", ",\"nextPage\":null"),
         "read: [O1 need:order(orders/O1)!][O_2-x need:order(orders/O_2-x)!] next=returns"},
        {"what an order had back is asked for", "returns", 200, JSON,
         LIST("orders",
              "{" ORDER("O1",
                        ",\"returns\":[\"R1\",{\"return\":\"R2\"},{\"id\":\"R3\"},\"../x\",7]") "}",
              ""),
         "read: " O1_READ " need:order(returns/R1) need:order(returns/R2) need:order(returns/R3)] "
         "next=subscriptions"},
        {"subscriptions as ids, as is documented", "subscriptions", 200, JSON,
         LIST("subscriptions", "\"S1\"", ",\"nextPage\":2"),
         "read: [S1 need:order(subscriptions/S1)!] next=subscriptions S1 0000000001 0"},
        {"the last of them, as an object", "subscriptions S1 0000000001 0", 200, JSON,
         LIST("subscriptions", "{" SUBSCRIPTION("S2", "trial") "}", ""),
         "read: [S2 paid" AT READ " total=-1 address=absent lines: pro(pro/-/-)*1-0 term:trial "
         "at=2026-11-23T09:00:00Z" READ " until=2026-12-23T09:00:00Z]"},
        {"entries that are none leave the others", "subscriptions", 200, JSON,
         LIST("subscriptions", "7,\"a/b\",{\"id\":\"S3\"},\"S1\"", ""),
         "read: [S1 need:order(subscriptions/S1)!] unusable=3: an entry of the list of "
         "subscriptions has no id"},
        {"an order of a test", "returns", 200, JSON,
         LIST("orders", "{" ID("O1") ",\"live\":false,\"items\":[]}", ""),
         "read:  next=subscriptions"},
        {"an order that was never paid", "returns", 200, JSON,
         LIST("orders", "{" ID("O1") ",\"completed\":false,\"items\":[]}", ""),
         "read: [O1 pending" AT READ " total=-1 address=absent lines:] next=subscriptions"},
        {"the same page again", "orders O1 0000000001 0", 200, JSON,
         LIST("orders", "\"O1\"", ",\"nextPage\":3"),
         "refused: the shop answers with one page again and again"},
        {"another page", "orders O9 0000000001 0", 200, JSON,
         LIST("orders", "\"O1\"", ",\"page\":1,\"nextPage\":2"),
         "refused: the shop answered with another page than was asked for"},
        {"no such list", "subscriptions", 200, JSON, LIST("orders", "\"O1\"", ""),
         "refused: the shop answered with something that is no such list"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

/* A return, read for itself, is the refund that an event tells. */
static void returns_are_read_by_their_ids(void **state)
{
    static char object[] = "returns/R1";
    static const char body[] =
        "{\"return\":\"R1\",\"id\":\"R1\",\"live\":true,\"completed\":true,\"changed\":" NINE
        ",\"original\":{\"id\":\"O1\",\"order\":\"O1\"},\"totalReturn\":10,\"items\":["
        "{\"product\":\"icons\",\"quantity\":1}]}";
    const struct fact_need need = {.kind = NEED_ORDER, .object = object};
    const struct shop_answer answer = {.status = 200,
                                       .content_type = JSON,
                                       .date = RECEIVED,
                                       .received_at = RECEIVED,
                                       .body = body,
                                       .len = strlen(body)};
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0};
    (void)state;
    assert_int_equal(shop_fetch_for(&source, "O1", &need, &fetch), 0);
    assert_string_equal(fetch.target, "/returns/R1");
    assert_int_equal(shop_read_answer(&source, &fetch, &answer, &facts, &detail), SHOP_ANSWER_READ);
    assert_string_equal(facts.orders[0].refunds[0].payment, "O1");
    char *text = facts_text(&facts);
    assert_string_equal(text, "[O1 refund:done R1=10000000{icons*1} at=2026-11-23T09:00:00Z "
                              "need:owner(orders/O1)]");
    free(text);
    facts_free(&facts);
    shop_fetch_free(&fetch);
}

/* A store's log: 25 events an answer, in no order, acknowledged while it is walked. */
#define ROOM 300
#define SINCE (INT64_C(1795341600000))
#define BEGAN (INT64_C(1795428000000))
struct log {
    uint64_t random;
    size_t count;
    int64_t created[ROOM];
    bool processed[ROOM], seen[ROOM];
};

static void serve_log(void *model, const char *target, struct buf *body)
{
    struct log *log = model;
    bool processed = strncmp(target, "/events/processed", 17) == 0;
    long long begin = query_number(target, "begin=", 0), end = query_number(target, "end=", 0);
    size_t found = 0, first = below(&log->random, log->count);
    buf_puts(body, "{\"events\":[");
    for (size_t i = 0; i < log->count; i++) {
        size_t at = (first + i) % log->count;
        if (log->processed[at] != processed || log->created[at] < begin || log->created[at] > end)
            continue;
        if (found++ < 25)
            buf_printf(body,
                       "%s{\"id\":\"e%zu\",\"type\":\"order.completed\",\"live\":true,"
                       "\"created\":%lld,\"data\":{\"order\":\"%zu\"}}",
                       found > 1 ? "," : "", at, (long long)log->created[at], at);
    }
    buf_printf(body, "]%s}", found > 25 ? ",\"more\":true" : "");
    for (size_t i = below(&log->random, 8); i > 0; i--)
        log->processed[below(&log->random, log->count)] = true;
}

static void see_log(void *model, const struct fact_order *order)
{
    struct log *log = model;
    size_t at = (size_t)strtoul(order->id, NULL, 10);
    assert_true(at < log->count);
    log->seen[at] = true;
}

static void a_walk_through_a_log_that_is_acknowledged_misses_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct log log = {.random = seed * UINT64_C(0x9e3779b97f4a7c15)};
        log.count = 1 + below(&log.random, ROOM - 1);
        for (size_t i = 0; i < log.count; i++) {
            /* Some in bursts of a batch, up to 24 of one moment. */
            log.created[i] = i % 24 && below(&log.random, 3)
                                 ? log.created[i - 1]
                                 : SINCE + (int64_t)below(&log.random, (size_t)(BEGAN - SINCE) + 1);
            log.processed[i] = below(&log.random, 2);
        }
        walk_model(&source, &day_walk, JSON, &log, serve_log, see_log);
        for (size_t i = 0; i < log.count; i++)
            assert_true(log.seen[i]);
    }
}

/* A store's orders as ids, fifty a page, newest or oldest first. */
struct store {
    uint64_t random;
    size_t count, began_with;
    bool newest_first, seen[3 * ROOM];
};

static void serve_orders(void *model, const char *target, struct buf *body)
{
    struct store *store = model;
    bool all = strncmp(target, "/orders", 7) == 0 && !strstr(target, "returns");
    size_t page = (size_t)query_number(target, "&page=", 1), from = (page - 1) * 50;
    size_t count = all ? store->count : 0;
    buf_printf(body, "{\"page\":%zu,\"%s\":[", page,
               strncmp(target, "/orders", 7) == 0 ? "orders" : "subscriptions");
    for (size_t i = from; i < count && i < from + 50; i++)
        buf_printf(body, "%s\"%zu\"", i > from ? "," : "", store->newest_first ? count - 1 - i : i);
    buf_puts(body, "],\"nextPage\":");
    if (from + 50 < count)
        buf_printf(body, "%zu}", page + 1);
    else
        buf_puts(body, "null}");
    for (size_t i = below(&store->random, 30); i > 0 && store->count < COUNT(store->seen); i--)
        store->count++;
}

static void see_order(void *model, const struct fact_order *order)
{
    struct store *store = model;
    size_t at = (size_t)strtoul(order->id, NULL, 10);
    assert_true(at < store->count && !order->snapshot);
    store->seen[at] = true;
}

static void a_walk_while_the_store_sells_misses_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct store store = {.random = seed * UINT64_C(0x9e3779b97f4a7c15)};
        store.newest_first = seed % 2;
        store.count = store.began_with = 1 + below(&store.random, 200);
        walk_model(&source, &whole_walk, JSON, &store, serve_orders, see_order);
        for (size_t i = 0; i < store.began_with; i++)
            assert_true(store.seen[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors),
        cmocka_unit_test(pages_of_the_log),
        cmocka_unit_test(pages_of_the_lists),
        cmocka_unit_test(returns_are_read_by_their_ids),
        cmocka_unit_test(a_walk_through_a_log_that_is_acknowledged_misses_none),
        cmocka_unit_test(a_walk_while_the_store_sells_misses_none),
    };
    source = source_make(PROVIDER_FASTSPRING, "fs-secret", NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("user:pass"), .len = strlen("user:pass")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
