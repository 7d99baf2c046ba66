/*
 * Walking through Paddle's lists: which page is asked for, what it tells, where it goes on, and
 * that no order is lost while the shop sells on.
 */
#include "support.h"

#define JSON "application/json"
#define READ " read=2026-11-23T10:00:00Z"
#define OURS "https://sync.example.test/webhooks/shop"
#define META(more, next)                                                               \
    ",\"meta\":{\"request_id\":\"r\",\"pagination\":{\"per_page\":30,\"next\":\"" next \
    "\",\"has_more\":" more "}}"
#define LIST(more, next, elements) "{\"data\":[" elements "]" META(more, next) "}"
#define LAST(elements) LIST("false", "https://api.paddle.com/x?after=y", elements)

static struct settings_source source;

static const struct shop_walk everything = {.whole = true, .since = TIME_NONE, .began = RECEIVED};
static const struct shop_walk changes = {.since = RECEIVED - TIME_HOUR, .began = RECEIVED};

#define TRANSACTIONS                                                                            \
    "/transactions?include=customer,adjustments&status=billed,paid,completed,past_due,canceled" \
    "&order_by=id%5BASC%5D&per_page=30"

static void pages_are_asked_for(void **state)
{
    static const struct {
        const struct shop_walk *walk;
        const char *cursor, *target; /* NULL: it is no cursor */
    } cases[] = {
        {&everything, "", TRANSACTIONS},
        {&changes, "", TRANSACTIONS "&updated_at%5BGTE%5D=2026-11-23T09:00:00Z"},
        {&changes, "transactions txn_9 txn_9 0",
         TRANSACTIONS "&updated_at%5BGTE%5D=2026-11-23T09:00:00Z&after=txn_9"},
        {&everything, "adjustments", "/adjustments?order_by=id%5BDESC%5D&per_page=50"},
        {&changes, "adjustments adj_9 adj_9 0",
         "/adjustments?order_by=id%5BDESC%5D&per_page=50&after=adj_9"},
        {&changes, "subscriptions", "/subscriptions?order_by=id%5BASC%5D&per_page=200"},
        {&changes, "customers", NULL},
        {&changes, "subscriptions sub_9", NULL},
        {&changes, "subscriptions sub_9&x y 0", NULL},
    };
    (void)state;
    assert_true(shop_can_list(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct shop_fetch fetch = {0};
        assert_int_equal(shop_list_for(&source, cases[i].walk, cases[i].cursor, &fetch),
                         cases[i].target ? 0 : -1);
        if (!cases[i].target)
            continue;
        assert_string_equal(fetch.target, cases[i].target);
        assert_string_equal(fetch.header, "Authorization: Bearer pdl_live_1");
        shop_fetch_free(&fetch);
    }
}

static char *page_text(const struct shop_walk *walk, const char *cursor, int status,
                       const char *type, const char *body)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_listing listing = {0};
    struct buf detail = {0}, out = {0};
    char *exact = xmemdup(body, strlen(body) + 1);
    struct shop_answer answer = {.status = status,
                                 .content_type = type,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = exact,
                                 .len = strlen(body)};
    enum shop_answer_verdict verdict =
        shop_read_listing(&source, walk, cursor, &answer, &listing, &detail);
    char *text = facts_text(&listing.facts);
    buf_printf(&out, "%s: %s", verdicts[verdict], text);
    if (listing.next)
        buf_printf(&out, " next=%s", listing.next);
    if (listing.unusable)
        buf_printf(&out, " unusable=%zu: %s", listing.unusable, listing.why);
    buf_puts(&out, detail.data ? detail.data : "");
    free(text);
    free(exact);
    buf_free(&detail);
    shop_listing_free(&listing);
    return buf_take(&out);
}

struct page_case {
    const char *what;
    const struct shop_walk *walk;
    const char *cursor, *body, *expected;
};

static void check_pages(const struct page_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = page_text(cases[i].walk, cases[i].cursor, 200, JSON, cases[i].body);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define TRANSACTION(id, total, rest)                                                            \
    "{\"id\":\"" id "\",\"status\":\"completed\",\"currency_code\":\"USD\",\"customer_id\":"    \
    "\"ctm_1\",\"updated_at\":\"2026-11-23T09:30:00Z\",\"billed_at\":\"2026-11-23T09:00:00Z\"," \
    "\"items\":[{\"quantity\":1,\"price\":{\"id\":\"pri_1\",\"product_id\":\"pro_1\"}}],"       \
    "\"details\":{\"totals\":{\"grand_total\":\"" total "\",\"currency_code\":\"USD\"},"        \
    "\"adjusted_totals\":null,\"line_items\":[{\"id\":\"txnitm_1\",\"price_id\":\"pri_1\","     \
    "\"quantity\":1}]}" rest "}"
#define CUSTOMER ",\"customer\":{\"id\":\"ctm_1\",\"email\":\"Zoe@example.test\"}"
#define ADJUSTMENT(id, action, status, made, changed, rest)                                 \
    "{\"id\":\"" id "\",\"action\":\"" action "\",\"status\":\"" status                     \
    "\",\"transaction_id\":\"txn_1\",\"created_at\":\"" made "\",\"updated_at\":\"" changed \
    "\",\"totals\":{\"total\":\"500\",\"currency_code\":\"USD\"}" rest "}"
#define SOLD(paid, total)                                           \
    " paid at=2026-11-23T09:30:00Z paid=" paid READ " total=" total \
    " address=zoe@example.test lines: txnitm_1(pri_1|pro_1/-/-)*1-0 listed:"
#define NINE "2026-11-23T09:00:00Z"

static void transactions_need_nothing_more(void **state)
{
    static const struct page_case cases[] = {
        {"whole, never adjusted", &everything, "",
         LIST("true", "https://elsewhere.example/transactions?per_page=30&after=txn_1&x=1",
              TRANSACTION("txn_1", "1200", CUSTOMER)),
         "read: [txn_1" SOLD(NINE, "12000000") "] next=transactions txn_1 txn_1 0"},
        {"free", &everything, "", LAST(TRANSACTION("txn_1", "0", CUSTOMER)),
         "read: [txn_1" SOLD(NINE, "0") "] next=adjustments"},
        {"partly refunded, and charged back", &changes, "",
         LAST(TRANSACTION(
             "txn_1", "1200",
             CUSTOMER ",\"adjustments\":[" ADJUSTMENT(
                 "adj_1", "refund", "approved", NINE, NINE,
                 ",\"items\":[{\"item_id\":\"txnitm_1\",\"type\":\"full\"}]") "," ADJUSTMENT("adj_2",
                                                                                             "chargeback",
                                                                                             "approved",
                                                                                             NINE,
                                                                                             NINE,
                                                                                             "") "]")),
         "read: [txn_1" SOLD(NINE, "12000000") " adj_1=5000000{txnitm_1*1000000000}"
                                               " dispute:open chargeback:txn_1 at=" NINE
                                               "] next=adjustments"},
        {"the customer was not told", &everything, "", LAST(TRANSACTION("txn_1", "1200", "")),
         "read: [txn_1 paid at=2026-11-23T09:30:00Z paid=" NINE READ
         " total=12000000 address=absent lines: txnitm_1(pri_1|pro_1/-/-)*1-0 listed:"
         " need:address(ctm_1)!] next=adjustments"},
        {"what cannot be read is counted, and the rest counts", &everything, "",
         LAST("7,{\"id\":\"txn_2\",\"status\":\"lost\"}," TRANSACTION("txn_1", "1200", CUSTOMER)),
         "read: [txn_1" SOLD(
             NINE,
             "12000000") "] next=adjustments unusable=2: an entry has no id that begins with txn_"},
    };
    (void)state;
    check_pages(cases, COUNT(cases));
}

#define SUBSCRIPTION(id, status, updated, rest)                                                \
    "{\"id\":\"" id "\",\"status\":\"" status "\",\"customer_id\":\"ctm_1\",\"created_at\":"   \
    "\"2026-10-01T00:00:00Z\",\"updated_at\":\"" updated "\",\"current_billing_period\":"      \
    "{\"starts_at\":\"2026-11-01T00:00:00Z\",\"ends_at\":\"2026-12-01T00:00:00Z\"},\"items\":" \
    "[{\"quantity\":1,\"price\":{\"id\":\"pri_1\",\"product_id\":\"pro_1\"}}]" rest "}"
#define TERM(state, at)                 \
    "[sub_1 paid at=" at " paid=-" READ \
    " total=-1 address=absent lines: pri_1(pri_1|pro_1/-/-)*1-0 term:" state " at=" at READ
#define OLD "2026-11-20T00:00:00Z"
#define OLDEST "2026-09-01T00:00:00Z"

static void the_other_lists_tell_the_rest(void **state)
{
    static const struct page_case cases[] = {
        {"of everything, adjustments ask for nothing", &everything, "adjustments",
         LAST(ADJUSTMENT("adj_1", "refund", "approved", OLDEST, OLDEST,
                         ",\"subscription_id\":\"sub_1\"")),
         "read: [txn_1 refund:done adj_1=5000000{?} at=" OLDEST "] next=subscriptions"},
        {"one that changed has its transaction read again, once", &changes, "adjustments",
         LIST("true", "?after=adj_1",
              ADJUSTMENT("adj_2", "chargeback_reverse", "approved", NINE, NINE,
                         "") "," ADJUSTMENT("adj_1", "chargeback", "reversed", OLD, NINE, "")),
         "read: [txn_1 dispute:won chargeback:txn_1 at=" NINE " need:order(txn_1)!]"
         "[txn_1 dispute:won chargeback:txn_1 at=" NINE "] next=adjustments adj_1 adj_1 0"},
        {"one that did not tells nothing, one undated a little", &changes, "adjustments",
         LIST("true", "?after=adj_1",
              ADJUSTMENT("adj_2", "refund", "approved", OLD, OLD, "") "," ADJUSTMENT(
                  "adj_1", "refund", "approved", OLD, "0001-01-01T00:00:00Z", "")),
         "read: [txn_1 refund:done adj_1=5000000{?} at=" OLD "] next=adjustments adj_1 adj_1 0"},
        {"far enough back", &changes, "adjustments",
         LIST("true", "?after=adj_1",
              ADJUSTMENT("adj_1", "credit", "approved", OLDEST, OLDEST, "")),
         "read:  next=subscriptions"},
        {"everything goes back to the first", &everything, "adjustments",
         LIST("true", "?after=adj_1",
              ADJUSTMENT("adj_1", "credit", "approved", OLDEST, OLDEST, "")),
         "read:  next=adjustments adj_1 adj_1 0"},
        {"subscriptions", &changes, "subscriptions sub_0 sub_0 0",
         LAST(SUBSCRIPTION("sub_1", "active", NINE, "")),
         "read: " TERM("active", NINE) " until=2026-12-01T00:00:00Z]"},
        {"to be paused", &everything, "subscriptions",
         LAST(SUBSCRIPTION("sub_1", "active", NINE,
                           ",\"scheduled_change\":{\"action\":\"pause\",\"effective_at\":"
                           "\"2026-12-01T00:00:00Z\"}")),
         "read: " TERM("paused", NINE) " until=2026-12-01T00:00:00Z]"},
        {"one that did not change tells nothing", &changes, "subscriptions",
         LAST(SUBSCRIPTION("sub_1", "canceled", OLD, "")), "read: "},
        {"but to the walk through everything", &everything, "subscriptions",
         LAST(SUBSCRIPTION("sub_1", "past_due", OLD, "")),
         "read: " TERM("past_due", OLD) " until=- since=2026-11-01T00:00:00Z]"},
    };
    (void)state;
    check_pages(cases, COUNT(cases));
}

#define AGAIN                                                                                   \
    "refused: Paddle's list does not go on: it does not say what comes next, or the same page " \
    "comes again"

static void an_endless_page_ends_in_an_error(void **state)
{
    static const struct page_case cases[] = {
        {"the same page", &everything, "transactions txn_1 txn_1 0",
         LIST("true", "?after=txn_1", ""), AGAIN},
        {"more, and nothing to show", &everything, "", LIST("true", "", ""), AGAIN},
        {"an id that could be anything", &everything, "", LIST("true", "?after=txn_1%20", ""),
         AGAIN},
        {"no word of more", &everything, "", "{\"data\":[]}", AGAIN},
        {"no further for too long", &everything, "transactions txn_1 txn_5 10000",
         LIST("true", "?after=txn_2", ""), AGAIN},
        {"no list", &everything, "", "{\"data\":{}}",
         "refused: the shop answered with something that is no list"},
        {"without an address the last id", &everything, "",
         LIST("true", "", TRANSACTION("txn_1", "0", CUSTOMER)),
         "read: [txn_1" SOLD(NINE, "0") "] next=transactions txn_1 txn_1 0"},
    };
    (void)state;
    check_pages(cases, COUNT(cases));
}

static void other_answers_wait_or_are_told(void **state)
{
    static const struct {
        int status;
        const char *type, *body, *begins;
    } cases[] = {
        {429, JSON, "{}", "later: the shop answered 429"},
        {503, "text/html", "busy", "later: the shop answered 503"},
        {200, "text/html", "<html></html>", "later: the shop's answer cannot be read"},
        {400, JSON, "{}", "refused: Paddle does not take the call (400)"},
        {404, JSON, "{}", "refused: the shop answered with something that is no list"},
        {403, JSON, "{}", "refused: the shop refused the key (403): check that api_key_file"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = page_text(&everything, "", cases[i].status, cases[i].type, cases[i].body);
        assert_memory_equal(text, cases[i].begins, strlen(cases[i].begins));
        free(text);
    }
}

#define EVENTS(last)                                                                    \
    "[{\"name\":\"transaction.completed\"},{\"name\":\"subscription.created\"},"        \
    "{\"name\":\"subscription.updated\"},{\"name\":\"subscription.past_due\"},"         \
    "{\"name\":\"subscription.paused\"},{\"name\":\"subscription.resumed\"},"           \
    "{\"name\":\"subscription.canceled\"},{\"name\":\"adjustment.created\"},{\"name\":" \
    "\"" last "\"}]"
#define SETTING(url, active, traffic, events)                                              \
    "{\"id\":\"ntfset_1\",\"type\":\"url\",\"destination\":\"" url "\",\"active\":" active \
    ",\"traffic_source\":\"" traffic "\",\"subscribed_events\":" events "}"
#define ALL EVENTS("adjustment.updated")

static void the_webhook_is_looked_after(void **state)
{
    static const struct {
        const char *body;
        enum shop_webhook expected;
        const char *detail;
    } cases[] = {
        {LAST(SETTING(OURS, "true", "all", ALL)), SHOP_WEBHOOK_ENABLED, ""},
        {LAST(SETTING(OURS, "true", "platform", EVENTS("customer.created"))), SHOP_WEBHOOK_DISABLED,
         "Paddle's notification destination is not sent adjustment.updated"},
        {LAST(SETTING(OURS, "false", "all", ALL)), SHOP_WEBHOOK_DISABLED,
         "Paddle's notification destination is not active: activate it"},
        {LAST(SETTING("sales@example.test", "true", "all", ALL) ",7," SETTING(OURS, "true",
                                                                              "simulation", ALL)),
         SHOP_WEBHOOK_MISSING, "no notification destination of Paddle points at us"},
    };
    struct shop_fetch fetch = {0};
    (void)state;
    assert_int_equal(shop_webhook_for(&source, &fetch), 0);
    assert_string_equal(fetch.target, "/notification-settings?per_page=200");
    shop_fetch_free(&fetch);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf detail = {0};
        enum shop_webhook told = SHOP_WEBHOOK_MISSING;
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = RECEIVED,
                                     .received_at = RECEIVED,
                                     .body = cases[i].body,
                                     .len = strlen(cases[i].body)};
        assert_int_equal(shop_read_webhook(&source, OURS, &answer, &told, &detail),
                         SHOP_ANSWER_READ);
        assert_int_equal(told, cases[i].expected);
        assert_string_equal(detail.data ? detail.data : "", cases[i].detail);
        buf_free(&detail);
    }
}

/* A shop that sells on while it is walked through: each transaction has a version, which its total
 * tells, and the time of its last change. */
#define MOST 400
static struct {
    unsigned seed;
    int64_t now; /* seconds */
    size_t count;
    int version[MOST], known[MOST];
    int64_t updated[MOST];
} shop;

static unsigned draw(unsigned below)
{
    shop.seed = shop.seed * 1103515245u + 12345u;
    return (shop.seed >> 16) % below;
}

static void trade(unsigned most)
{
    for (unsigned left = draw(most + 1); left > 0; left--) {
        shop.now += draw(3);
        size_t which = shop.count;
        if (shop.count > 0 && (draw(2) || shop.count == MOST)) {
            which = draw((unsigned)shop.count);
        } else {
            shop.version[shop.count] = shop.known[shop.count] = 0;
            shop.count++;
        }
        shop.version[which]++;
        shop.updated[which] = shop.now;
    }
}

/* The page of a target, by ids, three at most. */
static char *serve(const char *target)
{
    struct buf out = {0};
    const char *after = strstr(target, "&after=txn_"), *since = strstr(target, "GTE%5D=");
    size_t from = after ? strtoul(after + 11, NULL, 10) + 1 : 0, shown = 0, last = 0;
    int64_t oldest = 0;
    if (since) {
        assert_int_equal(clock_parse(since + 7, strcspn(since + 7, "&"), &oldest), 0);
        oldest /= TIME_SECOND;
    }
    buf_puts(&out, "{\"data\":[");
    bool sales = strncmp(target, "/transactions", 13) == 0, more = false;
    for (size_t i = from; sales && i < shop.count && !more; i++) {
        char updated[TIME_TEXT];
        if (shop.updated[i] < oldest)
            continue;
        if (shown == 3) {
            more = true;
            break;
        }
        clock_format(shop.updated[i] * TIME_SECOND, updated);
        buf_printf(&out,
                   "%s{\"id\":\"txn_%06zu\",\"status\":\"completed\",\"updated_at\":\"%s\","
                   "\"items\":[],\"details\":{\"totals\":{\"total\":\"%d\",\"currency_code\":"
                   "\"USD\"}}}",
                   shown++ ? "," : "", i, updated, shop.version[i]);
        last = i;
    }
    buf_printf(&out,
               "],\"meta\":{\"pagination\":{\"has_more\":%s,\"next\":\"https://api.paddle.com/"
               "transactions?after=txn_%06zu\"}}}",
               more ? "true" : "false", last);
    return buf_take(&out);
}

static void walk_through(const struct shop_walk *walk, unsigned trades)
{
    char *cursor = xstrdup("");
    while (cursor) {
        struct shop_fetch fetch = {0};
        struct shop_listing listing = {0};
        struct buf detail = {0};
        assert_int_equal(shop_list_for(&source, walk, cursor, &fetch), 0);
        char *body = serve(fetch.target);
        int64_t now = shop.now * TIME_SECOND;
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = now,
                                     .received_at = now,
                                     .body = body,
                                     .len = strlen(body)};
        assert_int_equal(shop_read_listing(&source, walk, cursor, &answer, &listing, &detail),
                         SHOP_ANSWER_READ);
        for (size_t i = 0; i < listing.facts.order_count; i++)
            shop.known[strtoul(listing.facts.orders[i].id + 4, NULL, 10)] =
                (int)(listing.facts.orders[i].snapshot->total / 10000);
        free(cursor);
        cursor = listing.next ? xstrdup(listing.next) : NULL;
        free(body);
        buf_free(&detail);
        shop_listing_free(&listing);
        shop_fetch_free(&fetch);
        trade(trades);
    }
}

static void no_order_is_lost_while_the_shop_sells_on(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        shop.seed = seed;
        shop.now = 1795000000;
        shop.count = 0;
        trade(60);
        size_t before = shop.count;
        struct shop_walk walk = {
            .whole = true, .since = TIME_NONE, .began = shop.now * TIME_SECOND};
        walk_through(&walk, 2);
        for (size_t i = 0; i < before; i++)
            assert_true(shop.known[i] > 0);
        for (int run = 0; run < 3; run++) {
            int64_t since = walk.began;
            walk = (struct shop_walk){.since = since, .began = shop.now * TIME_SECOND};
            walk_through(&walk, run < 2 ? 2 : 0);
        }
        for (size_t i = 0; i < shop.count; i++)
            assert_int_equal(shop.known[i], shop.version[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_asked_for),
        cmocka_unit_test(transactions_need_nothing_more),
        cmocka_unit_test(the_other_lists_tell_the_rest),
        cmocka_unit_test(an_endless_page_ends_in_an_error),
        cmocka_unit_test(other_answers_wait_or_are_told),
        cmocka_unit_test(the_webhook_is_looked_after),
        cmocka_unit_test(no_order_is_lost_while_the_shop_sells_on),
    };
    source = source_make(PROVIDER_PADDLE, "pdl_ntfset_1", NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] = (struct secret){
        .bytes = (unsigned char *)xstrdup("pdl_live_1"), .len = strlen("pdl_live_1")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
