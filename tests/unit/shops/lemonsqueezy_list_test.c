/*
 * Lemon Squeezy's lists: pages as they are read, and walks while the store goes on selling.
 */
#include "walk_support.h"

#define JSON_API "application/vnd.api+json"
#define UPDATED "\"updated_at\":\"2026-11-23T09:00:00.000000Z\""
#define AT " at=2026-11-23T09:00:00Z"
#define READ " read=2026-11-23T10:00:00Z"
#define BUYER "\"user_email\":\"Zoe@Example.test\",\"currency\":\"USD\","
#define OBJECT(type, id, attributes) \
    "{\"type\":\"" type "\",\"id\":\"" id "\",\"attributes\":{" attributes "}}"
#define ORDER(id, status, rest)                                                               \
    OBJECT("orders", id,                                                                      \
           "\"status\":\"" status "\",\"total\":1200," BUYER                                  \
           "\"created_at\":\"2026-11-23T08:30:00.000000Z\"," UPDATED ",\"first_order_item\":" \
           "{\"id\":5,\"order_id\":1,\"product_id\":10,\"variant_id\":20,\"quantity\":1}" rest)
#define ITEM(id, order, product) \
    OBJECT("order-items", id,    \
           "\"order_id\":" order ",\"product_id\":" product ",\"variant_id\":20,\"quantity\":1")
#define SUBSCRIPTION(id, status, rest)                                     \
    OBJECT("subscriptions", id,                                            \
           "\"status\":\"" status "\",\"order_id\":1,\"order_item_id\":5," \
           "\"product_id\":10,\"variant_id\":20," BUYER UPDATED            \
           ",\"renews_at\":\"2026-12-23T00:00:00.000000Z\",\"ends_at\":null" rest)
#define INVOICE(id, reason, status, rest)                                                 \
    OBJECT("subscription-invoices", id,                                                   \
           "\"subscription_id\":3,\"billing_reason\":\"" reason "\",\"status\":\"" status \
           "\",\"total\":900," BUYER UPDATED rest)
#define MORE "\"links\":{\"next\":\"https://api.lemonsqueezy.com/v1/x?page=9\"}"
#define LAST "\"links\":{\"first\":\"https://api.lemonsqueezy.com/v1/x\"}"
#define PAGE(data, links) "{\"data\":[" data "]," links "}"
#define PAID_1 \
    "[1 paid" AT " paid=2026-11-23T08:30:00Z" READ " total=12000000 address=zoe@example.test"

static struct settings_source source;

static void cursors(void **state)
{
    static const struct {
        const char *cursor, *target;
    } cases[] = {
        {"", "/v1/orders?page%5Bsize%5D=100&page%5Bnumber%5D=1&include=order-items"},
        {"orders 7 0000000001", "none"}, /* three words behind the list, or none */
        {"orders 7 0000000001 0",
         "/v1/orders?page%5Bsize%5D=100&page%5Bnumber%5D=2&include=order-items"},
        {"subscriptions", "/v1/subscriptions?page%5Bsize%5D=100&page%5Bnumber%5D=1"},
        {"subscription-invoices 9 0000000041 0",
         "/v1/subscription-invoices?page%5Bsize%5D=100&page%5Bnumber%5D=42"},
        {"orders 7 1 0", "none"},
        {"orders 7 00000000x1 0", "none"},
        {"customers", "none"},
        {"orders 7/8 0000000001 0", "none"},
    };
    (void)state;
    assert_true(shop_can_list(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *target = target_at(&source, &whole_walk, cases[i].cursor);
        assert_string_equal(target, cases[i].target);
        free(target);
    }
}

static void pages_of_orders(void **state)
{
    static const struct page_case cases[] = {
        {"an order of two items, both included", "", 200, JSON_API,
         "{\"data\":[" ORDER("1", "paid", "") "]," MORE ",\"included\":[" ITEM(
             "5", "1", "10") "," ITEM("6", "1", "11") "," ITEM("7", "2", "12") "]}",
         "read: " PAID_1 " lines: 5(10/20/-)*1-0 6(11/20/-)*1-0] next=orders 1 0000000001 0"},
        {"items that were not included are asked for", "", 200, JSON_API,
         PAGE(ORDER("1", "paid", ""), MORE),
         "read: " PAID_1 " lines? need:lines(1795424400000000.1795422600000000.12000000)!] "
         "next=orders 1 0000000001 0"},
        {"the last page", "orders 9 0000000001 0", 200, JSON_API,
         PAGE(ORDER("1", "refunded", ",\"refunded\":true,\"refunded_amount\":1200"), LAST),
         "read: [1 refunded" AT " paid=2026-11-23T08:30:00Z" READ
         " total=12000000 address=zoe@example.test lines? "
         "refund:done first-payment=12000000{?} at=2026-11-23T09:00:00Z] next=subscriptions"},
        {"a store that has sold nothing", "", 200, JSON_API, PAGE("", LAST),
         "read:  next=subscriptions"},
        {"one entry that cannot be read leaves the others", "", 200, JSON_API,
         PAGE("7," ORDER("x", "paid", "") "," ORDER("1", "paid", "") "," ORDER("2", "odd", ""),
              LAST),
         "read: " PAID_1
         " lines? need:lines(1795424400000000.1795422600000000.12000000)!] next=subscriptions "
         "unusable=3: an entry of the list of orders is none of them"},
        {"what was bought in test mode is passed over", "", 200, JSON_API,
         PAGE(ORDER("1", "paid", ",\"test_mode\":true"), LAST), "read:  next=subscriptions"},
        {"the last page, told by its number", "", 200, JSON_API,
         "{\"data\":[],\"meta\":{\"page\":{\"currentPage\":1,\"lastPage\":1}}}",
         "read:  next=subscriptions"},
        {"a page that goes on, told by its number", "", 200, JSON_API,
         PAGE(ORDER("1", "pending", ""), "\"meta\":{\"page\":{\"currentPage\":1,\"lastPage\":2}}"),
         "read: [1 pending" AT " paid=-" READ
         " total=12000000 address=zoe@example.test lines?] next=orders 1 0000000001 0"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

#define SUB_3 "[sub_3 paid" AT " paid=-" READ " total=-1 address=zoe@example.test"
#define TERM(state, until) " term:" state AT READ " until=" until " alias:1]"

static void pages_of_subscriptions(void **state)
{
    static const struct page_case cases[] = {
        {"one that runs", "subscriptions", 200, JSON_API,
         PAGE(SUBSCRIPTION("3", "active", ""), MORE),
         "read: " SUB_3 " lines: 5(10/20/-)*1-0" TERM(
             "active", "2026-12-23T00:00:00Z") " next=subscriptions 3 0000000001 0"},
        {"cancelled keeps what is paid until it ends", "subscriptions", 200, JSON_API,
         PAGE(SUBSCRIPTION("3", "cancelled", ",\"ends_at\":\"2026-12-01T00:00:00Z\""), LAST),
         "read: " SUB_3 " lines: 5(10/20/-)*1-0" TERM(
             "cancelled", "2026-12-01T00:00:00Z") " next=subscription-invoices"},
        {"an order among them", "subscriptions", 200, JSON_API, PAGE(ORDER("1", "paid", ""), LAST),
         "read:  next=subscription-invoices unusable=1: an entry of the list of subscriptions is "
         "none of them"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

static void pages_of_invoices(void **state)
{
    static const struct page_case cases[] = {
        {"a renewal that was given back", "subscription-invoices", 200, JSON_API,
         PAGE(INVOICE("7", "renewal", "refunded", ",\"refunded\":true,\"refunded_amount\":900"),
              LAST),
         "read: [sub_3 refund:done inv_7=9000000{?} at=2026-11-23T09:00:00Z alias:inv_7]"},
        {"one that stands, which ends what was given back before", "subscription-invoices", 200,
         JSON_API, PAGE(INVOICE("8", "renewal", "paid", ",\"refunded\":null"), LAST),
         "read: [sub_3 paid" AT " paid=2026-11-23T09:00:00Z" READ
         " total=9000000 address=zoe@example.test lines? listed: alias:inv_8]"},
        {"the walk ends here", "subscription-invoices 7 0000000003 0", 200, JSON_API,
         PAGE("", LAST), "read: "},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

/* A refund counts against the payment that it gives back: the first has the order's name for it. */
static void payments_and_their_refunds_have_one_name(void **state)
{
    static const struct {
        const char *cursor, *body, *payment;
    } cases[] = {
        {"", PAGE(ORDER("1", "partial_refund", ",\"refunded_amount\":500"), LAST), "first-payment"},
        {"subscription-invoices",
         PAGE(INVOICE("7", "initial", "paid", ",\"refunded_amount\":100"), LAST), "first-payment"},
        {"subscription-invoices",
         PAGE(INVOICE("7", "renewal", "paid", ",\"refunded_amount\":100"), LAST), "inv_7"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct shop_listing listing = {0};
        struct buf detail = {0};
        assert_int_equal(read_page(&source, &whole_walk, cases[i].cursor, 200, JSON_API,
                                   cases[i].body, &listing, &detail),
                         SHOP_ANSWER_READ);
        const struct fact_order *order = &listing.facts.orders[0];
        assert_string_equal(order->snapshot->payment, cases[i].payment);
        assert_string_equal(order->refunds[0].payment, cases[i].payment);
        shop_listing_free(&listing);
    }
}

static void what_is_no_page(void **state)
{
    static const struct page_case cases[] = {
        {"the same page again", "orders 1 0000000001 0", 200, JSON_API,
         PAGE(ORDER("1", "paid", ""), MORE),
         "refused: the shop answers with one page again and again"},
        {"another page than was asked for", "orders 9 0000000004 0", 200, JSON_API,
         PAGE(ORDER("1", "paid", ""), MORE ",\"meta\":{\"page\":{\"currentPage\":1}}"),
         "refused: the shop answered with another page than was asked for"},
        {"busy", "", 429, JSON_API, "{}", "later: the shop answered 429"},
        {"failing", "", 503, "text/html", "<html>", "later: the shop answered 503"},
        {"a page of a firewall", "", 200, "text/html", "<html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"the key", "", 401, JSON_API, "{}",
         "refused: the shop refused the key (401): check that api_key_file holds an API key of the "
         "store, made in the mode that `live` says"},
        {"no list", "", 200, JSON_API, "{\"data\":{}}",
         "refused: the shop answered with something that is no list"},
        {"no such list", "", 404, JSON_API, "{\"errors\":[]}",
         "refused: the shop has no such list: check that api_url is https://api.lemonsqueezy.com"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

#define HOOK(url, events, rest) \
    OBJECT("webhooks", "1", "\"url\":\"" url "\",\"events\":[" events "]" rest)
#define OURS "https://us.test/webhooks/main"
#define BOTH "\"order_created\",\"order_refunded\""
#define NONE "missing: no webhook of the store, in its live mode, points at " OURS

static void webhooks(void **state)
{
    static const struct webhook_case cases[] = {
        {"it is there", 200, PAGE(HOOK(OURS, BOTH, ""), LAST), "enabled"},
        {"beside another", 200,
         PAGE(HOOK("https://a.test/x", BOTH, "") "," HOOK(OURS, BOTH, ",\"test_mode\":false"),
              LAST),
         "enabled"},
        {"none", 200, PAGE("", LAST), NONE},
        {"another's", 200, PAGE(HOOK(OURS "-2", BOTH, ""), LAST), NONE},
        {"of test mode", 200, PAGE(HOOK(OURS, BOTH, ",\"test_mode\":true"), LAST), NONE},
        {"one that is not told of refunds", 200, PAGE(HOOK(OURS, "\"order_created\",7", ""), LAST),
         "disabled: the shop's webhook is not sent order_refunded: choose it in the store's "
         "settings"},
        {"busy", 429, "{}", "later: the shop answered 429"},
        {"no list", 200, "{}", "refused: the shop answered with something that is no list"},
    };
    struct shop_fetch fetch;
    (void)state;
    assert_int_equal(shop_webhook_for(&source, &fetch), 0);
    assert_string_equal(fetch.target, "/v1/webhooks?page%5Bsize%5D=100");
    shop_fetch_free(&fetch);
    check_webhooks(&source, JSON_API, OURS, cases, COUNT(cases));
}

/* A store whose orders are told newest first, a hundred a page. */
#define ROOM 1000
struct store {
    uint64_t random;
    size_t count, began_with;
    bool refunded[ROOM], refunded_at_first[ROOM];
    bool seen[ROOM], seen_refunded[ROOM];
};

static void sell(struct store *store)
{
    for (size_t i = below(&store->random, 60); i > 0 && store->count < ROOM; i--)
        store->count++;
    for (size_t i = below(&store->random, 20); i > 0; i--)
        store->refunded[below(&store->random, store->count)] = true;
}

static void serve(void *model, const char *target, struct buf *body)
{
    struct store *store = model;
    size_t page = (size_t)query_number(target, "number%5D=", 1), from = (page - 1) * 100;
    bool orders = strncmp(target, "/v1/orders?", 11) == 0;
    size_t total = orders ? store->count : 0;
    buf_puts(body, "{\"data\":[");
    for (size_t i = from; i < total && i < from + 100; i++) {
        size_t at = total - 1 - i;
        buf_printf(body,
                   "%s{\"type\":\"orders\",\"id\":\"%zu\",\"attributes\":{\"status\":\"%s\","
                   "\"total\":100,\"refunded\":%s," UPDATED "}}",
                   i > from ? "," : "", at + 1, store->refunded[at] ? "refunded" : "paid",
                   store->refunded[at] ? "true" : "null");
    }
    buf_printf(body, "],\"links\":{%s},\"meta\":{\"page\":{\"currentPage\":%zu}}}",
               from + 100 < total ? "\"next\":\"x\"" : "", page);
    sell(store);
}

static void see(void *model, const struct fact_order *order)
{
    struct store *store = model;
    size_t at = (size_t)strtoul(order->id, NULL, 10) - 1;
    assert_true(at < ROOM);
    store->seen[at] = true;
    store->seen_refunded[at] |= order->snapshot->status == ORDER_REFUNDED;
}

static void a_walk_while_the_store_sells_misses_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct store store = {.random = seed * UINT64_C(0x9e3779b97f4a7c15)};
        store.count = store.began_with = 1 + below(&store.random, 350);
        for (size_t i = 0; i < store.count; i++)
            store.refunded_at_first[i] = store.refunded[i] = below(&store.random, 4) == 0;
        size_t calls = walk_model(&source, &whole_walk, JSON_API, &store, serve, see);
        assert_true(calls >= 3 && calls < 20);
        for (size_t i = 0; i < store.began_with; i++)
            assert_true(store.seen[i] && (store.seen_refunded[i] || !store.refunded_at_first[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors),
        cmocka_unit_test(pages_of_orders),
        cmocka_unit_test(pages_of_subscriptions),
        cmocka_unit_test(pages_of_invoices),
        cmocka_unit_test(payments_and_their_refunds_have_one_name),
        cmocka_unit_test(what_is_no_page),
        cmocka_unit_test(webhooks),
        cmocka_unit_test(a_walk_while_the_store_sells_misses_none),
    };
    source = source_make(PROVIDER_LEMONSQUEEZY, "s3cret", NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("key-1"), .len = strlen("key-1")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
