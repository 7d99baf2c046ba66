/*
 * Walking through Shopify's orders by GraphQL, and reading one by REST: what is asked, what an
 * answer means, that a list says the same as a delivery, and that no order is missed.
 */
#include "support.h"

#define JSON "application/json; charset=utf-8"
#define BEGAN RECEIVED

static struct settings_source source;
static const struct shop_walk changed = {.since = RECEIVED - TIME_HOUR, .began = BEGAN};
static const struct shop_walk whole = {.whole = true, .since = TIME_NONE, .began = BEGAN};

#define ASKED "\"variables\":{\"first\":"

static void calls_ask_for_what_changed(void **state)
{
    static const struct {
        const struct shop_walk *walk;
        const char *cursor, *end;
    } cases[] = {
        {&changed, "",
         ASKED "5,\"after\":null,\"query\":\"updated_at:>='2026-11-23T09:00:00Z'\"}}"},
        {&whole, "", ASKED "5,\"after\":null,\"query\":null}}"},
        {&whole, "40 1795424400 0 eyJsYXN0IjoxfQ==",
         ASKED "40,\"after\":\"eyJsYXN0IjoxfQ==\",\"query\":null}}"},
        {&whole, "2 0 0 ", ASKED "2,\"after\":null,\"query\":null}}"},
        {&whole, "2 0 0 a\"b", ASKED "2,\"after\":\"a\\\"b\",\"query\":null}}"},
    };
    (void)state;
    assert_true(shop_can_list(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct shop_fetch fetch;
        assert_int_equal(shop_list_for(&source, cases[i].walk, cases[i].cursor, &fetch), 0);
        assert_string_equal(fetch.target, "/admin/api/2026-07/graphql.json");
        assert_string_equal(fetch.header, "X-Shopify-Access-Token: shpat_1");
        assert_null(fetch.basic_auth);
        size_t len = strlen(fetch.body), tail = strlen(cases[i].end);
        assert_true(len > tail && strstr(fetch.body, "sortKey:UPDATED_AT"));
        assert_string_equal(fetch.body + len - tail, cases[i].end);
        shop_fetch_free(&fetch);
    }
}

static void foreign_cursors_are_refused(void **state)
{
    static const char *const cursors[] = {"5",
                                          "5 0 0",
                                          "0 0 0 a",
                                          "101 0 0 a",
                                          "05 0 0 a",
                                          "5 0 0 a b",
                                          "5 -1 0 a",
                                          "5 0 10001 a",
                                          "any 1 0 t 0 0",
                                          "5 0 0 a\x01",
                                          "5 99999999999999999999 0 a"};
    struct shop_fetch fetch;
    char *long_one = xasprintf("5 0 0 %0801d", 7);
    (void)state;
    for (size_t i = 0; i < COUNT(cursors); i++)
        assert_int_equal(shop_list_for(&source, &whole, cursors[i], &fetch), -1);
    assert_int_equal(shop_list_for(&source, &whole, long_one, &fetch), -1);
    assert_int_equal(shop_list_for(&source, &whole, long_one + 1, &fetch), -1);
    free(long_one);
}

static void an_order_is_asked_for_by_rest(void **state)
{
    static const char *const ids[] = {"", "1/../2", "gid://shopify/Order/1", "1.json"};
    const struct fact_need refunds = {.kind = NEED_REFUNDS};
    struct settings_source keyless = source_make(PROVIDER_SHOPIFY, "s3cret", NULL);
    struct shop_fetch fetch;
    (void)state;
    assert_int_equal(shop_fetch_order(&source, "820982911946154508", &fetch), 0);
    assert_string_equal(fetch.target, "/admin/api/2026-07/orders/820982911946154508.json");
    assert_string_equal(fetch.header, "X-Shopify-Access-Token: shpat_1");
    assert_null(fetch.body);
    shop_fetch_free(&fetch);
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_int_equal(shop_fetch_order(&source, ids[i], &fetch), -1);
    assert_int_equal(shop_fetch_for(&source, "1", &refunds, &fetch), -1);
    keyless.api_url = xstrdup("https://shop.example.test");
    assert_false(shop_can_list(&keyless));
    source_free(&keyless);
}

/* One order, as REST and webhooks tell it, and as GraphQL does. */
#define REST                                                                                        \
    "{\"id\":450789469,\"test\":false,\"email\":\"Bob@Example.test\",\"contact_email\":null,"       \
    "\"customer\":{\"email\":\"robert@example.test\"},\"financial_status\":\"partially_refunded\"," \
    "\"cancelled_at\":null,\"updated_at\":\"2026-11-23T04:00:00-05:00\","                           \
    "\"processed_at\":\"2026-11-20T04:00:00-05:00\",\"total_price\":\"598.94\","                    \
    "\"note_attributes\":[{\"name\":\"miro_reference\",\"value\":\"r-1\"}],"                        \
    "\"line_items\":[{\"id\":466157049,\"product_id\":632910392,\"variant_id\":39072856,"           \
    "\"sku\":\"GREEN\",\"quantity\":3,\"current_quantity\":1},{\"id\":518995019,"                   \
    "\"product_id\":null,\"variant_id\":null,\"sku\":null,\"quantity\":1,"                          \
    "\"current_quantity\":1}],\"refunds\":[{\"id\":509562969,\"refund_line_items\":["               \
    "{\"line_item_id\":466157049,\"quantity\":2}],\"transactions\":[{\"kind\":\"refund\","          \
    "\"status\":\"success\",\"amount\":\"209.00\",\"total_unsettled_set\":{\"shop_money\":"         \
    "{\"currency\":\"USD\"},\"presentment_money\":{\"currency\":\"USD\"}}},{\"kind\":"              \
    "\"refund\",\"status\":\"failure\",\"amount\":\"1.00\"},{\"kind\":\"refund\",\"status\":"       \
    "\"success\",\"amount\":\"7.00\",\"total_unsettled_set\":{\"shop_money\":{\"currency\":"        \
    "\"USD\"},\"presentment_money\":{\"currency\":\"JPY\"}}}]},{\"id\":509562970,"                  \
    "\"refund_line_items\":[],\"transactions\":[]}]}"
#define MONEY(amount, currency)                                                          \
    "\"amountSet\":{\"shopMoney\":{\"amount\":\"" amount "\",\"currencyCode\":\"USD\"}," \
    "\"presentmentMoney\":{\"currencyCode\":\"" currency "\"}}"
#define NODES(more, nodes) "{\"pageInfo\":{\"hasNextPage\":" more "},\"nodes\":[" nodes "]}"
#define NODE(more, rest)                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               \
    "{\"legacyResourceId\":\"450789469\",\"test\":false,\"email\":\"Bob@Example.test\","                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               \
    "\"updatedAt\":\"2026-11-23T09:00:00Z\",\"processedAt\":\"2026-11-20T09:00:00Z\","                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 \
    "\"cancelledAt\":null,\"displayFinancialStatus\":\"PARTIALLY_REFUNDED\","                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          \
    "\"totalPriceSet\":{\"shopMoney\":{\"amount\":\"598.94\"}},\"customer\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          \
    "{\"defaultEmailAddress\":{\"emailAddress\":\"robert@example.test\"}},"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
    "\"customAttributes\":[{\"key\":\"miro_reference\",\"value\":\"r-1\"}],\"lineItems\":" NODES(more, "{\"id\":\"gid://shopify/LineItem/466157049\",\"sku\":\"GREEN\",\"quantity\":3,"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                \
                                                                                                       "\"currentQuantity\":1,\"product\":{\"legacyResourceId\":\"632910392\"},\"variant\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
                                                                                                       "{\"legacyResourceId\":\"39072856\"}},{\"id\":\"gid://shopify/LineItem/518995019\","                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                                                                                       "\"sku\":null,\"quantity\":1,\"currentQuantity\":1,\"product\":null,\"variant\":null}") ",\"refunds\":[{\"legacyResourceId\":\"509562969\",\"refundLineItems\":" NODES("false", "{\"quantity\":2,\"lineItem\":{\"id\":\"gid://shopify/LineItem/466157049\"}}") ",\"transactions\":" NODES("false", "{\"kind\":\"REFUND\",\"status\":\"SUCCESS\"," MONEY("209.0",                                                                                                                                                                                                                                                \
                                                                                                                                                                                                                                                                                                                                                                                                                                                               "USD") "},{\"kind\":\"REFUND\",\"status\":\"FAILURE\"," MONEY("1.0",                                                                                                                                                                                    \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             "USD") "},{\"kind\":\"REFUND\",\"status\":\"SUCCESS\"," MONEY("7.0",                                                                                                                      \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "JPY") "}") "},{\"legacyResourceId\":\"509562970\",\"refundLineItems\":" NODES("false",                                     \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "") ",\"transactions\":" NODES("false",      \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         "") "}]" rest \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             "}"
#define PAGE(more, cursor, nodes)                                                         \
    "{\"data\":{\"orders\":{\"pageInfo\":{\"hasNextPage\":" more ",\"endCursor\":" cursor \
    "},\"nodes\":[" nodes "]}}}"
#define ONE_PAGE(nodes) PAGE("false", "null", nodes)

static enum shop_answer_verdict read_page(const struct shop_walk *walk, const char *cursor,
                                          int status, const char *type, const char *body,
                                          struct shop_listing *out, struct buf *detail)
{
    char *exact = xmemdup(body, strlen(body) + 1);
    struct shop_answer answer = {.status = status,
                                 .content_type = type,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = exact,
                                 .len = strlen(exact)};
    enum shop_answer_verdict verdict =
        shop_read_listing(&source, walk, cursor, &answer, out, detail);
    free(exact);
    return verdict;
}

/* The digest of a snapshot as if it had been delivered, which is how the merge compares two. */
static void digest_of(const struct fact_snapshot *snapshot, unsigned char out[DIGEST_LEN])
{
    struct fact_snapshot same = *snapshot;
    unsigned char index[DIGEST_LEN] = {1};
    same.from_api = false;
    same.read_at = 0;
    fact_snapshot_digest(&same, same.address ? index : NULL, out);
}

static void a_list_says_the_same_as_a_delivery(void **state)
{
    struct facts delivered = {0}, read = {0};
    struct shop_listing listing = {0};
    struct buf detail = {0};
    struct shop_fetch fetch;
    unsigned char digests[3][DIGEST_LEN];
    (void)state;
    shop_read(&source, REST, strlen(REST), RECEIVED, &delivered);
    char *text = facts_text(&delivered);
    assert_string_equal(text, "[450789469 paid at=2026-11-23T09:00:00Z paid=2026-11-20T09:00:00Z "
                              "total=598940000 address=bob@example.test reference=r-1 lines: "
                              "466157049(632910392/39072856/GREEN)*3-2 518995019(-/-/-)*1-0 "
                              "listed: 509562969=209000000{466157049*2} 509562970=0{}]");
    assert_int_equal(
        read_page(&changed, "", 200, JSON, ONE_PAGE(NODE("false", "")), &listing, &detail),
        SHOP_ANSWER_READ);
    assert_null(listing.next);
    assert_int_equal(shop_fetch_order(&source, "450789469", &fetch), 0);
    const char whole_answer[] = "{\"order\":" REST "}";
    struct shop_answer answer = {.status = 200,
                                 .content_type = JSON,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = whole_answer,
                                 .len = strlen(whole_answer)};
    assert_int_equal(shop_read_answer(&source, &fetch, &answer, &read, &detail), SHOP_ANSWER_READ);
    const struct fact_snapshot *snapshots[] = {
        delivered.orders[0].snapshot, listing.facts.orders[0].snapshot, read.orders[0].snapshot};
    for (size_t i = 0; i < 3; i++) {
        digest_of(snapshots[i], digests[i]);
        assert_int_equal(snapshots[i]->from_api, i > 0);
        assert_int_equal(snapshots[i]->read_at, i > 0 ? RECEIVED : 0);
        assert_string_equal(snapshots[i]->address, "bob@example.test");
    }
    assert_memory_equal(digests[0], digests[1], DIGEST_LEN);
    assert_memory_equal(digests[0], digests[2], DIGEST_LEN);
    free(text);
    shop_fetch_free(&fetch);
    facts_free(&delivered);
    facts_free(&read);
    shop_listing_free(&listing);
}

/* A small order: what the tables below vary. */
#define SMALL(id, updated, rest)                                                             \
    "{\"legacyResourceId\":\"" id "\",\"updatedAt\":" updated ",\"displayFinancialStatus\":" \
    "\"PAID\",\"lineItems\":" NODES("false", "") rest "}"
#define NINE "\"2026-11-23T09:00:00Z\""
#define SMALL_READ(id)                                                                \
    "[" id " paid at=2026-11-23T09:00:00Z paid=- read=2026-11-23T10:00:00Z total=-1 " \
    "address=absent lines:"

static char *page_text(const struct shop_walk *walk, const char *cursor, int status,
                       const char *type, const char *body)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_listing listing = {0};
    struct buf detail = {0}, out = {0};
    enum shop_answer_verdict verdict =
        read_page(walk, cursor, status, type, body, &listing, &detail);
    assert_int_equal(verdict == SHOP_ANSWER_READ, detail.len == 0);
    char *text = facts_text(&listing.facts);
    buf_printf(&out, "%s: %s%s", verdicts[verdict], text, detail.len ? detail.data : "");
    if (listing.unusable)
        buf_printf(&out, " left out %zu: %s", listing.unusable, listing.why);
    if (listing.next)
        buf_printf(&out, " next=%s", listing.next);
    if (listing.pause_us)
        buf_printf(&out, " pause=%lld", (long long)listing.pause_us);
    free(text);
    shop_listing_free(&listing);
    buf_free(&detail);
    return buf_take(&out);
}

struct page_case {
    const char *what, *cursor;
    int status;
    const char *type, *body, *expected;
};

static void check_pages(const struct shop_walk *walk, const struct page_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text =
            page_text(walk, cases[i].cursor, cases[i].status, cases[i].type, cases[i].body);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define CUT_OFF "read: [450789469 hint]"
#define REFUND(more_lines, more_transactions)                 \
    "{\"legacyResourceId\":\"5\",\"refundLineItems\":" NODES( \
        more_lines, "") ",\"transactions\":" NODES(more_transactions, "") "}"
#define DISPUTE(kind, status)                                                                \
    ",\"disputes\":[{\"id\":\"gid://shopify/OrderDisputeSummary/7\",\"initiatedAs\":\"" kind \
    "\",\"status\":\"" status "\"}]"

static void pages_are_read(void **state)
{
    static const struct page_case cases[] = {
        {"nothing", "", 200, JSON, ONE_PAGE(""), "read: "},
        {"an order, and more", "", 200, JSON, PAGE("true", "\"c1\"", SMALL("1", NINE, "")),
         "read: " SMALL_READ("1") "] next=5 1795424400 0 c1"},
        {"an order with more lines than have room", "", 200, JSON, ONE_PAGE(NODE("true", "")),
         CUT_OFF},
        {"with more refunds", "", 200, JSON,
         ONE_PAGE(SMALL("450789469", NINE, ",\"refunds\":[{},{},{},{}]")),
         "read:  left out 1: `id` is missing"},
        {"with as many refunds as have room", "", 200, JSON,
         ONE_PAGE(SMALL("450789469", NINE,
                        ",\"refunds\":[{\"legacyResourceId\":\"1\"},{\"legacyResourceId\":\"2\"},"
                        "{\"legacyResourceId\":\"3\"},{\"legacyResourceId\":\"4\"}]")),
         CUT_OFF},
        {"with a refund of many lines", "", 200, JSON,
         ONE_PAGE(SMALL("450789469", NINE, ",\"refunds\":[" REFUND("true", "false") "]")), CUT_OFF},
        {"with a refund of many transactions", "", 200, JSON,
         ONE_PAGE(SMALL("450789469", NINE, ",\"refunds\":[" REFUND("false", "true") "]")), CUT_OFF},
        {"what cannot be used is left out, the rest counts", "", 200, JSON,
         ONE_PAGE("7,{}," SMALL("2", "null", "") "," SMALL("1", NINE, "")),
         "read: " SMALL_READ("1") "] left out 3: an entry of the list is no order"},
        {"a test order in a live shop is left out without a word", "", 200, JSON,
         ONE_PAGE(SMALL("1", NINE, ",\"test\":true")), "read: "},
        {"the customer's address where the order has none", "", 200, JSON,
         ONE_PAGE(SMALL("1", NINE,
                        ",\"email\":null,\"customer\":{\"defaultEmailAddress\":"
                        "{\"emailAddress\":\"E@F.test\"}}")),
         "read: [1 paid at=2026-11-23T09:00:00Z paid=- read=2026-11-23T10:00:00Z total=-1 "
         "address=e@f.test lines:]"},
        {"a chargeback", "", 200, JSON,
         ONE_PAGE(SMALL("1", NINE, DISPUTE("CHARGEBACK", "UNDER_REVIEW"))),
         "read: " SMALL_READ("1") " dispute:open 7 at=2026-11-23T09:00:00Z]"},
        {"a chargeback won", "", 200, JSON,
         ONE_PAGE(SMALL("1", NINE, DISPUTE("CHARGEBACK", "WON"))),
         "read: " SMALL_READ("1") " dispute:won 7 at=2026-11-23T09:00:00Z]"},
        {"what began as an inquiry", "", 200, JSON,
         ONE_PAGE(SMALL("1", NINE, DISPUTE("INQUIRY", "NEEDS_RESPONSE"))),
         "read: " SMALL_READ("1") "]"},
        {"a dispute of tomorrow", "", 200, JSON,
         ONE_PAGE(SMALL("1", NINE, DISPUTE("CHARGEBACK", "SETTLED"))),
         "read: " SMALL_READ("1") "]"},
    };
    (void)state;
    check_pages(&changed, cases, COUNT(cases));
}

#define COST(asked, left)                                                                   \
    ",\"extensions\":{\"cost\":{\"requestedQueryCost\":" asked ",\"actualQueryCost\":null," \
    "\"throttleStatus\":{\"maximumAvailable\":2000.0,\"currentlyAvailable\":" left          \
    ",\"restoreRate\":100.0}}}}"
#define ERROR(code, path) \
    "{\"errors\":[{\"message\":\"m\",\"path\":[" path "],\"extensions\":{\"code\":\"" code "\"}}]"
#define DENIED(path)                                               \
    ERROR("ACCESS_DENIED", path)                                   \
    ",\"data\":{\"orders\":{\"pageInfo\":{\"hasNextPage\":false}," \
    "\"nodes\":[" SMALL("1", NINE, "") "]}}}"

static void errors_say_whether_to_wait(void **state)
{
    static const struct page_case cases[] = {
        {"throttled", "", 200, JSON, ERROR("THROTTLED", "") COST("752", "152"),
         "later: Shopify answered THROTTLED pause=6000001"},
        {"throttled, but there is enough by now", "", 200, JSON,
         ERROR("THROTTLED", "") COST("752", "900.5"),
         "later: Shopify answered THROTTLED pause=1000000"},
        {"throttled, and the cost is not told", "", 200, JSON, ERROR("THROTTLED", "") "}",
         "later: Shopify answered THROTTLED pause=1000000"},
        {"for ever", "", 200, JSON,
         ERROR("THROTTLED",
               "") ",\"extensions\":{\"cost\":{\"requestedQueryCost\":999,"
                   "\"throttleStatus\":{\"currentlyAvailable\":0,\"restoreRate\":1}}}}",
         "later: Shopify answered THROTTLED pause=120000000"},
        {"a fault of Shopify's", "", 200, JSON, ERROR("INTERNAL_SERVER_ERROR", "") "}",
         "later: Shopify answered INTERNAL_SERVER_ERROR pause=1000000"},
        {"too dear: half of it", "40 1795424400 0 c1", 200, JSON,
         ERROR("MAX_COST_EXCEEDED", "") "}", "read:  next=20 1795424400 0 c1"},
        {"too dear at the beginning", "", 200, JSON, ERROR("MAX_COST_EXCEEDED", "") "}",
         "read:  next=2 0 0 "},
        {"one is too dear", "1 0 0 ", 200, JSON, ERROR("MAX_COST_EXCEEDED", "") "}",
         "refused: Shopify does not answer the query: MAX_COST_EXCEEDED"},
        {"no addresses", "", 200, JSON, DENIED("\"orders\",\"nodes\",0,\"email\""),
         "read: " SMALL_READ("1") "]"},
        {"no customers", "", 200, JSON, DENIED("\"orders\",\"nodes\",0,\"customer\""),
         "read: " SMALL_READ("1") "]"},
        {"no products", "", 200, JSON,
         DENIED("\"orders\",\"nodes\",0,\"lineItems\",\"nodes\",0,\"product\""),
         "refused: Shopify denies the app access to `product`: give it the scope read_products, "
         "without which no rule finds its product"},
        {"no orders", "", 200, JSON, ERROR("ACCESS_DENIED", "\"orders\"") ",\"data\":null}",
         "refused: Shopify denies the app access to `orders`: give it the scope read_orders, and "
         "access to protected customer data"},
        {"a field with a strange name", "", 200, JSON,
         ERROR("ACCESS_DENIED", "\"a\\nb\"") ",\"data\":null}",
         "refused: Shopify denies the app access to `orders`: give it the scope that this takes"},
        {"no such field", "", 200, JSON, ERROR("undefinedField", "") "}",
         "refused: Shopify does not answer the query: undefinedField"},
        {"an error without a code", "", 200, JSON, "{\"errors\":[{\"message\":\"m\"}]}",
         "refused: Shopify does not answer the query: an error without a code"},
        {"errors as a text", "", 200, JSON, "{\"errors\":\"Not Found\"}",
         "refused: Shopify does not answer the query: check that api_url is "
         "https://NAME.myshopify.com"},
        {"no data", "", 200, JSON, "{}",
         "refused: the shop answered with something that is no list of orders"},
        {"a list", "", 200, JSON, "[]",
         "refused: the shop answered with something that is no list of orders"},
        {"too many requests", "", 429, "text/html", "<html>", "later: the shop answered 429"},
        {"busy", "", 503, "text/html", "<html>", "later: the shop answered 503"},
        {"a page", "", 200, "text/html", "<html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"a key refused", "", 401, JSON, "{\"errors\":\"[API] Invalid API key\"}",
         "refused: the shop refused the key (401): check that api_key_file holds the Admin API "
         "access token (shpat_...) of an app that has the scope read_orders"},
        {"no such address", "", 404, JSON, "{\"errors\":\"Not Found\"}",
         "refused: the shop has no such address: check that api_url is https://NAME.myshopify.com"},
        {"a cursor of another shop", "any 1 0 t 0 0", 200, JSON, ONE_PAGE(""),
         "refused: the place in the list is none of Shopify's"},
    };
    (void)state;
    check_pages(&changed, cases, COUNT(cases));
}

#define PAGE_COSTS(asked, left)                                                        \
    "{\"data\":{\"orders\":{\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":\"c2\"}," \
    "\"nodes\":[" SMALL("1", NINE, "") "]}}" COST(asked, left)
#define GONE_ON "read: " SMALL_READ("1") "] next="

static void pages_are_as_long_as_their_points_allow(void **state)
{
    static const struct page_case cases[] = {
        {"cheap: twice as many", "", 200, JSON, PAGE_COSTS("100", "1900"),
         GONE_ON "10 1795424400 0 c2"},
        {"at most a hundred", "80 0 0 c1", 200, JSON, PAGE_COSTS("100", "1900"),
         GONE_ON "100 1795424400 0 c2"},
        {"as dear as may be", "10 0 0 c1", 200, JSON, PAGE_COSTS("1000", "1900"),
         GONE_ON "9 1795424400 0 c2"},
        {"the bucket has to fill first", "10 0 0 c1", 200, JSON, PAGE_COSTS("900", "400"),
         GONE_ON "10 1795424400 0 c2 pause=5010001"},
    };
    (void)state;
    check_pages(&changed, cases, COUNT(cases));
}

static void cursors_make_progress(void **state)
{
    static const struct page_case cases[] = {
        {"the same cursor again", "5 0 0 c1", 200, JSON,
         PAGE("true", "\"c1\"", SMALL("1", NINE, "")),
         "refused: Shopify's list comes no further: its pages do not end, and tell nothing new"},
        {"no cursor", "5 0 0 c1", 200, JSON, PAGE("true", "null", SMALL("1", NINE, "")),
         "refused: Shopify's list comes no further: its pages do not end, and tell nothing new"},
        {"a cursor that is none", "5 0 0 c1", 200, JSON,
         PAGE("true", "\"a b\"", SMALL("1", NINE, "")),
         "refused: Shopify's list comes no further: its pages do not end, and tell nothing new"},
        {"another page of the same second", "5 1795424400 7 c1", 200, JSON,
         PAGE("true", "\"c2\"", SMALL("1", NINE, "")), GONE_ON "5 1795424400 8 c2"},
        {"pages that do not end", "5 1795424400 10000 c1", 200, JSON,
         PAGE("true", "\"c2\"", SMALL("1", NINE, "")),
         "refused: Shopify's list comes no further: its pages do not end, and tell nothing new"},
        {"all is news", "5 1795424400 0 c1", 200, JSON,
         PAGE("true", "\"c2\"", SMALL("1", "\"2026-11-23T10:00:10Z\"", "")),
         "read: [1 paid at=2026-11-23T10:00:10Z paid=- read=2026-11-23T10:00:00Z total=-1 "
         "address=absent lines:] next=5 1795424400 1 c2"},
        {"and all is news again: the end", "5 1795424400 2 c1", 200, JSON,
         PAGE("true", "\"c2\"", SMALL("1", "\"2026-11-23T10:00:10Z\"", "")),
         "read: [1 paid at=2026-11-23T10:00:10Z paid=- read=2026-11-23T10:00:00Z total=-1 "
         "address=absent lines:]"},
        {"a page of nothing, and more", "5 1795424400 0 c1", 200, JSON, PAGE("true", "\"c2\"", ""),
         "read:  next=5 1795424400 1 c2"},
    };
    (void)state;
    check_pages(&changed, cases, COUNT(cases));
}

static void one_order_is_read(void **state)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    static const struct {
        const char *what;
        int status;
        const char *body, *expected;
    } cases[] = {
        {"another order", 200, "{\"order\":{\"id\":2,\"updated_at\":" NINE ",\"line_items\":[]}}",
         "refused: the shop answered with another order than was asked for"},
        {"of the other mode", 200, "{\"order\":{\"id\":1,\"test\":true,\"line_items\":[]}}",
         "refused: the answer cannot be used: it is a test order, and this source has live = true"},
        {"no order", 200, "{\"order\":null}",
         "refused: the shop answered with something that is no order"},
        {"not given", 404, "{\"errors\":\"Not Found\"}",
         "refused: Shopify does not give this order: it was deleted, or it is older than 60 days "
         "and the app lacks the scope read_all_orders"},
        {"busy", 429, "{}", "later: the shop answered 429"},
        {"read", 200, "{\"order\":{\"id\":1,\"updated_at\":" NINE ",\"line_items\":[]}}",
         "read: [1 pending at=2026-11-23T09:00:00Z paid=- read=2026-11-23T10:00:00Z total=-1 "
         "address=absent lines:]"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct shop_fetch fetch;
        struct facts facts = {0};
        struct buf detail = {0}, out = {0};
        assert_int_equal(shop_fetch_order(&source, "1", &fetch), 0);
        struct shop_answer answer = {.status = cases[i].status,
                                     .content_type = JSON,
                                     .date = RECEIVED,
                                     .received_at = RECEIVED,
                                     .body = cases[i].body,
                                     .len = strlen(cases[i].body)};
        enum shop_answer_verdict verdict =
            shop_read_answer(&source, &fetch, &answer, &facts, &detail);
        char *text = facts_text(&facts);
        buf_printf(&out, "%s: %s%s", verdicts[verdict], text, detail.len ? detail.data : "");
        assert_string_equal(out.data, cases[i].expected);
        free(text);
        buf_free(&out);
        buf_free(&detail);
        facts_free(&facts);
        shop_fetch_free(&fetch);
    }
}

/* A model of a shop: orders sorted by (second of the last change, id), with keys for cursors. */
#define MODEL_MOST 3000
static struct model {
    unsigned random;
    size_t count;
    int64_t updated[MODEL_MOST], began_with[MODEL_MOST], seen[MODEL_MOST];
    int64_t now;
    unsigned writes;
} model;

static unsigned pick(unsigned below)
{
    model.random = model.random * 1664525u + 1013904223u;
    return (model.random >> 8) % below;
}

static int compare_orders(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    if (model.updated[left] != model.updated[right])
        return model.updated[left] < model.updated[right] ? -1 : 1;
    return left < right ? -1 : 1;
}

static void write_some(void)
{
    for (unsigned i = model.writes ? pick(model.writes + 1) : 0; i > 0; i--) {
        bool fresh = pick(10) == 0 && model.count < MODEL_MOST;
        size_t at = fresh ? model.count++ : pick((unsigned)model.count);
        model.updated[at] = model.now;
        if (fresh)
            model.began_with[at] = model.seen[at] = -1;
    }
}

/* What comes after "name": in the call's variables. */
static const char *variable(const char *body, const char *name)
{
    char key[32];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(strstr(body, "\"variables\""), key);
    assert_non_null(at);
    return at + strlen(key);
}

static void render(const char *body, struct buf *out)
{
    static size_t fits[MODEL_MOST];
    const char *after = variable(body, "after"), *query = variable(body, "query");
    long long key_time = -1, key_id = -1, cost;
    int64_t since = INT64_MIN;
    size_t first = (size_t)strtoll(variable(body, "first"), NULL, 10), count = 0, at = 0;
    if (*after == '"')
        assert_int_equal(sscanf(after, "\"%lld.%lld\"", &key_time, &key_id), 2);
    if (*query == '"') {
        query += strlen("\"updated_at:>='");
        assert_int_equal(clock_parse(query, strcspn(query, "'"), &since), 0);
        since /= TIME_SECOND;
    }
    for (size_t i = 0; i < model.count; i++)
        if (model.updated[i] >= since && (model.updated[i] > key_time ||
                                          (model.updated[i] == key_time && (long long)i > key_id)))
            fits[count++] = i;
    qsort(fits, count, sizeof(fits[0]), compare_orders);
    buf_puts(out, "{\"data\":{\"orders\":{\"nodes\":[");
    for (; at < count && at < first; at++) {
        char time[TIME_TEXT];
        clock_format(model.updated[fits[at]] * TIME_SECOND, time);
        buf_printf(out,
                   "%s{\"legacyResourceId\":\"%zu\",\"updatedAt\":\"%s\",\"lineItems\":"
                   "{\"nodes\":[]},\"displayFinancialStatus\":\"PAID\"}",
                   at ? "," : "", fits[at] + 1, time);
    }
    buf_printf(out,
               "],\"pageInfo\":{\"hasNextPage\":%s,\"endCursor\":", at < count ? "true" : "false");
    if (at > 0)
        buf_printf(out, "\"%lld.%zu\"", (long long)model.updated[fits[at - 1]], fits[at - 1]);
    else
        buf_puts(out, "null");
    cost = 2 + (long long)first * 15;
    buf_printf(out,
               "}}},\"extensions\":{\"cost\":{\"requestedQueryCost\":%lld,\"throttleStatus\":"
               "{\"maximumAvailable\":2000.0,\"currentlyAvailable\":%u,\"restoreRate\":100.0}}}}",
               cost, pick(2000));
    assert_true(cost <= 1000);
}

static size_t walk_model(const struct shop_walk *walk)
{
    char *cursor = xstrdup("");
    size_t calls = 0;
    while (cursor) {
        struct shop_fetch fetch;
        struct buf body = {0}, detail = {0};
        struct shop_listing listing = {0};
        assert_int_equal(shop_list_for(&source, walk, cursor, &fetch), 0);
        model.now += 1 + pick(2);
        write_some();
        render(fetch.body, &body);
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = model.now * TIME_SECOND,
                                     .received_at = model.now * TIME_SECOND,
                                     .body = body.data,
                                     .len = body.len};
        assert_int_equal(shop_read_listing(&source, walk, cursor, &answer, &listing, &detail),
                         SHOP_ANSWER_READ);
        assert_int_equal(listing.unusable, 0);
        assert_true(listing.pause_us >= 0 && listing.pause_us < 20 * TIME_SECOND);
        for (size_t i = 0; i < listing.facts.order_count; i++) {
            const struct fact_order *order = &listing.facts.orders[i];
            model.seen[strtoll(order->id, NULL, 10) - 1] = order->snapshot->time / TIME_SECOND;
        }
        free(cursor);
        cursor = listing.next;
        listing.next = NULL;
        shop_listing_free(&listing);
        shop_fetch_free(&fetch);
        buf_free(&body);
        assert_true(++calls < 1000);
    }
    return calls;
}

static void no_order_is_missed_while_the_shop_is_written_to(void **state)
{
    size_t most = 0;
    (void)state;
    for (unsigned seed = 0; seed < 500; seed++) {
        memset(&model, 0, sizeof(model));
        model.random = seed * 2654435761u + 1;
        model.now = RECEIVED / TIME_SECOND;
        model.count = pick(400) + 1;
        model.writes = seed % 50 == 0 ? 300 : pick(40);
        for (size_t i = 0; i < model.count; i++) {
            model.updated[i] = model.now - 1000 - (pick(2) ? 0 : pick(500));
            model.began_with[i] = model.updated[i];
            model.seen[i] = -1;
        }
        size_t calls = walk_model(&whole);
        most = calls > most ? calls : most;
        for (size_t i = 0; i < model.count; i++)
            assert_true(model.updated[i] != model.began_with[i] ||
                        model.seen[i] == model.updated[i]);
        model.writes = 0;
        struct shop_walk next = {.since = BEGAN - 600 * TIME_SECOND,
                                 .began = model.now * TIME_SECOND};
        walk_model(&next);
        for (size_t i = 0; i < model.count; i++)
            assert_int_equal(model.seen[i], model.updated[i]);
    }
    print_message("the longest walk took %zu calls\n", most);
}

#define HERE "https://buy.example.test/webhooks/shop"
#define SUBSCRIBED(topic, uri) "{\"topic\":\"" topic "\",\"uri\":\"" uri "\"}"
#define SUBSCRIPTIONS(nodes) "{\"data\":{\"webhookSubscriptions\":{\"nodes\":[" nodes "]}}}"

static void webhooks_are_looked_after(void **state)
{
    static const struct {
        const char *what;
        int status;
        const char *body;
        enum shop_answer_verdict verdict;
        enum shop_webhook expected;
    } cases[] = {
        {"subscribed", 200,
         SUBSCRIPTIONS(SUBSCRIBED("ORDERS_PAID", HERE) "," SUBSCRIBED("ORDERS_UPDATED", HERE)),
         SHOP_ANSWER_READ, SHOP_WEBHOOK_ENABLED},
        {"elsewhere", 200, SUBSCRIPTIONS(SUBSCRIBED("ORDERS_UPDATED", "https://other.test/")),
         SHOP_ANSWER_READ, SHOP_WEBHOOK_MISSING},
        {"to another topic", 200, SUBSCRIPTIONS("7," SUBSCRIBED("ORDERS_PAID", HERE)),
         SHOP_ANSWER_READ, SHOP_WEBHOOK_MISSING},
        {"deleted", 200, SUBSCRIPTIONS(""), SHOP_ANSWER_READ, SHOP_WEBHOOK_MISSING},
        {"throttled", 200, ERROR("THROTTLED", "") "}", SHOP_ANSWER_LATER, SHOP_WEBHOOK_MISSING},
        {"denied", 200, ERROR("ACCESS_DENIED", "\"webhookSubscriptions\"") "}", SHOP_ANSWER_REFUSED,
         SHOP_WEBHOOK_MISSING},
        {"nothing", 200, "{}", SHOP_ANSWER_REFUSED, SHOP_WEBHOOK_MISSING},
        {"busy", 503, "{}", SHOP_ANSWER_LATER, SHOP_WEBHOOK_MISSING},
        {"no such address", 404, "{}", SHOP_ANSWER_REFUSED, SHOP_WEBHOOK_MISSING},
    };
    struct shop_fetch fetch;
    (void)state;
    assert_int_equal(shop_webhook_for(&source, &fetch), 0);
    assert_string_equal(fetch.target, "/admin/api/2026-07/graphql.json");
    assert_string_equal(fetch.body,
                        "{\"query\":\"{webhookSubscriptions(first:100){nodes{topic uri}}}\"}");
    shop_fetch_free(&fetch);
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum shop_webhook told = SHOP_WEBHOOK_DISABLED;
        struct buf detail = {0};
        struct shop_answer answer = {.status = cases[i].status,
                                     .content_type = JSON,
                                     .date = RECEIVED,
                                     .body = cases[i].body,
                                     .len = strlen(cases[i].body)};
        enum shop_answer_verdict verdict =
            shop_read_webhook(&source, HERE, &answer, &told, &detail);
        if (verdict != cases[i].verdict)
            print_error("case: %s\n", cases[i].what);
        assert_int_equal(verdict, cases[i].verdict);
        if (verdict == SHOP_ANSWER_READ)
            assert_int_equal(told, cases[i].expected);
        assert_int_equal(detail.len == 0,
                         verdict == SHOP_ANSWER_READ && told == SHOP_WEBHOOK_ENABLED);
        buf_free(&detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_ask_for_what_changed),
        cmocka_unit_test(foreign_cursors_are_refused),
        cmocka_unit_test(an_order_is_asked_for_by_rest),
        cmocka_unit_test(a_list_says_the_same_as_a_delivery),
        cmocka_unit_test(pages_are_read),
        cmocka_unit_test(errors_say_whether_to_wait),
        cmocka_unit_test(pages_are_as_long_as_their_points_allow),
        cmocka_unit_test(cursors_make_progress),
        cmocka_unit_test(one_order_is_read),
        cmocka_unit_test(no_order_is_missed_while_the_shop_is_written_to),
        cmocka_unit_test(webhooks_are_looked_after),
    };
    source = source_make(PROVIDER_SHOPIFY, "s3cret", NULL);
    source.api_url = xstrdup("https://shop.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("shpat_1"), .len = 7};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
