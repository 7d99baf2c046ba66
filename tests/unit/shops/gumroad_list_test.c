/*
 * Gumroad's list of sales: pages as they are read, and walks while the seller goes on selling.
 */
#include "walk_support.h"

#define JSON "application/json; charset=utf-8"
#define SALE(id, rest)                                                                           \
    "{\"id\":\"" id "\",\"email\":\"Zoe@Example.test\",\"created_at\":\"2026-11-20T08:00:00Z\"," \
    "\"price\":4900,\"product_id\":\"P1==\",\"product_permalink\":\"pro\",\"quantity\":1,"       \
    "\"refunded\":false,\"partially_refunded\":false,\"chargedback\":false,\"disputed\":false,"  \
    "\"dispute_won\":false" rest "}"
#define PAGE(sales, rest) "{\"success\":true,\"sales\":[" sales "]" rest "}"
#define KEY ",\"next_page_key\":\"20261120080000000001-77\",\"next_page_url\":\"/v2/sales?x\""
#define AT " at=2026-11-20T08:00:00Z paid=2026-11-20T08:00:00Z read=2026-11-23T10:00:00Z"
#define MONEY " total=49000000 address=zoe@example.test"
#define LINE " lines: 1(P1==|pro/-/-)*1-0"
#define CALM " listed:"
#define TERM(state, until) \
    " term:" state " at=1970-01-01T00:00:00Z read=2026-11-23T10:00:00Z until=" until

static struct settings_source source;

static void cursors(void **state)
{
    static const struct {
        const char *cursor, *target;
    } cases[] = {
        {"", "/v2/sales"},
        {"20261120080000000001-77", "/v2/sales?page_key=20261120080000000001-77"},
        {"a&b=c", "none"},
        {"a b", "none"},
        {"../user", "none"},
    };
    (void)state;
    assert_true(shop_can_list(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *target = target_at(&source, &whole_walk, cases[i].cursor);
        assert_string_equal(target, cases[i].target);
        free(target);
    }
}

static void pages(void **state)
{
    static const struct page_case cases[] = {
        {"a sale", "", 200, JSON, PAGE(SALE("S1==", ""), KEY),
         "read: [S1== paid" AT MONEY LINE CALM "] next=20261120080000000001-77"},
        {"the last page", "20261120080000000001-77", 200, JSON, PAGE(SALE("S1==", ""), ""),
         "read: [S1== paid" AT MONEY LINE CALM "]"},
        {"no sales at all", "", 200, JSON, PAGE("", ""), "read: "},
        {"an old sale that was refunded since", "", 200, JSON,
         PAGE(SALE("S1==", ",\"refunded\":true"), ""), "read: [S1== refunded" AT MONEY LINE "]"},
        {"one that is only partly", "", 200, JSON,
         PAGE(SALE("S1==", ",\"partially_refunded\":true"), ""),
         "read: [S1== paid" AT MONEY LINE "]"},
        {"one that was charged back, and won", "", 200, JSON,
         PAGE(SALE("S1==", ",\"chargedback\":true,\"disputed\":true") "," SALE(
                  "S2==", ",\"disputed\":true,\"dispute_won\":true"),
              ""),
         "read: [S1== paid" AT MONEY LINE CALM " dispute:open S1== at=2026-11-20T08:00:00Z]"
         "[S2== paid" AT MONEY LINE CALM " dispute:won S2== at=2026-11-20T08:00:00Z]"},
        {"one that cannot be read leaves the others", "", 200, JSON,
         PAGE("7," SALE("S1==", "") "," SALE("S2==", ",\"price\":[]"), ""),
         "read: [S1== paid" AT MONEY LINE CALM "] unusable=2: `id` is missing"},
        {"a seller's own is passed over", "", 200, JSON,
         PAGE(SALE("S1==", ",\"test\":true") "," SALE("S2==", ""), ""),
         "read: [S2== paid" AT MONEY LINE CALM "]"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

/* All that is listed was charged: no test purchase is ever in it. */
static void a_source_of_tests_takes_none_of_the_list(void **state)
{
    static const struct page_case cases[] = {
        {"a sale", "", 200, JSON, PAGE(SALE("S1==", ""), ""), "read: "},
    };
    (void)state;
    source.live = false;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
    source.live = true;
}

/* Of the two sales of a gift the list holds the giver's: it gives the giver nothing. The receiver's
 * is pinged, and read by its id. */
static void the_givers_sale_of_a_gift_gives_the_giver_nothing(void **state)
{
    static const struct page_case cases[] = {
        {"the giver's", "", 200, JSON,
         PAGE(SALE("S1==", ",\"is_gift_sender_purchase\":true,\"giftee_email\":\"g@example.test\","
                           "\"gifter_email\":\"zoe@example.test\""),
              ""),
         "read: [S1== paid" AT MONEY " lines:" CALM "]"},
        {"the receiver's, were it there", "", 200, JSON,
         PAGE(SALE("S2==", ",\"is_gift_receiver_purchase\":true,\"gifter_email\":\"o@x.test\""),
              ""),
         "read: [S2== paid" AT MONEY LINE CALM "]"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

static void a_sellers_field_named_email_is_not_the_buyers(void **state)
{
    static const struct page_case cases[] = {
        {"of the API", "", 200, JSON,
         PAGE(SALE("S1==", ",\"custom_fields\":{\"email\":\"evil@example.test\","
                           "\"refunded\":true,\"purchase_email\":\"evil@example.test\"}"),
              ""),
         "read: [S1== paid" AT MONEY LINE CALM "]"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
    /* A ping merges it into its own members; whose it is is not taken from there. */
    static const char ping[] = "sale_id=S1&email=a%40b.test&email=evil%40b.test";
    char *text = read_bytes(&source, ping, sizeof(ping) - 1);
    assert_string_equal(text, "[S1 need:order(sales/S1)!]");
    free(text);
}

#define PAID(id, rest) SALE(id, ",\"subscription_id\":\"SUB\"" rest)
#define SUB_READ "[SUB paid" AT MONEY LINE CALM

static void the_sale_that_began_a_subscription_tells_its_standing(void **state)
{
    static const struct page_case cases[] = {
        {"it runs, and was renewed", "", 200, JSON,
         PAGE(PAID("S2==", ",\"recurring_charge\":true") "," PAID("S1==",
                                                                  ",\"recurring_charge\":false"),
              ""),
         "read: " SUB_READ " alias:S2==]" SUB_READ TERM("active", "-") " alias:S1==]"},
        {"it will end: the subscriber is asked when, once", "", 200, JSON,
         PAGE(PAID("S2==", ",\"recurring_charge\":true,\"cancelled\":true") "," PAID(
                  "S1==", ",\"recurring_charge\":false,\"cancelled\":true"),
              ""),
         "read: " SUB_READ " alias:S2==]" SUB_READ " alias:S1== need:order(subscribers/SUB)!]"},
        {"it is over", "", 200, JSON, PAGE(PAID("S1==", ",\"cancelled\":true,\"dead\":true"), ""),
         "read: " SUB_READ TERM("cancelled", "2026-11-20T08:00:00Z") " alias:S1==]"},
        {"a trial", "", 200, JSON,
         PAGE(PAID("S1==", ",\"free_trial_ends_on\":\"Dec 1, 2026\",\"free_trial_ended\":false"),
              ""),
         "read: " SUB_READ TERM("trial", "-") " alias:S1==]"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

static void what_is_no_page(void **state)
{
    static const struct page_case cases[] = {
        {"the same page again", "20261120080000000001-77", 200, JSON, PAGE(SALE("S1==", ""), KEY),
         "refused: the shop answers with one page again and again"},
        {"an empty page that goes on", "", 200, JSON, PAGE("", KEY),
         "refused: the shop answers with one page again and again"},
        {"a key that cannot be asked for", "", 200, JSON,
         PAGE(SALE("S1==", ""), ",\"next_page_key\":\"a&b\""),
         "refused: the shop's `next_page_key` is none that it could be asked for"},
        {"a search that was given up", "", 400, JSON,
         "{\"status\":400,\"error\":\"Query timed out. Try narrowing your date range.\"}",
         "later: the shop's own search for its sales took too long"},
        {"a key of another shop's", "abc", 400, JSON,
         "{\"status\":400,\"error\":\"Invalid page_key.\"}",
         "refused: the shop refused to list its sales"},
        {"no", "", 200, JSON, "{\"success\":false,\"message\":\"no\"}",
         "refused: the shop refused to list its sales"},
        {"no list", "", 200, JSON, "{\"success\":true}",
         "refused: the shop answered with something that is no list of sales"},
        {"busy", "", 429, JSON, "{}", "later: the shop answered 429"},
        {"a page of a firewall", "", 200, "text/html", "<html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"the key", "", 403, JSON, "{}",
         "refused: the shop refused the key (403): check that api_key_file holds an access token "
         "with the scope view_sales"},
    };
    (void)state;
    check_pages(&source, &whole_walk, cases, COUNT(cases));
}

#define HOOKS(list) "{\"success\":true,\"resource_subscriptions\":[" list "]}"
#define HOOK(url) "{\"id\":\"1\",\"resource_name\":\"refund\",\"post_url\":\"" url "\"}"
#define OURS "https://us.test/webhooks/main"
#define NONE "missing: no resource subscription of the account tells refunds to " OURS

static void webhooks(void **state)
{
    static const struct webhook_case cases[] = {
        {"with its secret", 200, HOOKS(HOOK("https://a.test/") "," HOOK(OURS "/s3cret-1")),
         "enabled"},
        {"none", 200, HOOKS(""), NONE},
        {"without the secret", 200, HOOKS(HOOK(OURS) "," HOOK(OURS "/")), NONE},
        {"another's", 200, HOOKS(HOOK(OURS "-2/s3cret") ",7"), NONE},
        {"busy", 500, "{}", "later: the shop answered 500"},
        {"no list", 200, "{\"success\":false}",
         "refused: the shop answered with something that is no list of resource subscriptions"},
    };
    struct shop_fetch fetch;
    (void)state;
    assert_int_equal(shop_webhook_for(&source, &fetch), 0);
    assert_string_equal(fetch.target, "/v2/resource_subscriptions?resource_name=refund");
    shop_fetch_free(&fetch);
    check_webhooks(&source, JSON, OURS, cases, COUNT(cases));
}

/* A seller whose sales are told newest first, ten a page, each page beginning behind a sale. */
#define ROOM 400
struct seller {
    uint64_t random;
    size_t count, began_with, served[ROOM];
    bool refunded[ROOM], refunded_at_first[ROOM], seen_refunded[ROOM];
};

static void sell(struct seller *seller)
{
    for (size_t i = below(&seller->random, 15); i > 0 && seller->count < ROOM; i--)
        seller->count++;
    seller->refunded[below(&seller->random, seller->count)] = true;
}

static void serve(void *model, const char *target, struct buf *body)
{
    struct seller *seller = model;
    size_t from = (size_t)query_number(target, "page_key=", (long long)seller->count + 1) - 1;
    size_t end = from > 10 ? from - 10 : 0;
    buf_puts(body, "{\"success\":true,\"sales\":[");
    for (size_t at = from; at > end; at--)
        buf_printf(body,
                   "%s{\"id\":\"%zu\",\"product_id\":\"P\",\"price\":1,\"refunded\":%s,"
                   "\"created_at\":\"2026-11-20T08:00:00Z\"}",
                   at < from ? "," : "", at, seller->refunded[at - 1] ? "true" : "false");
    buf_puts(body, "]");
    if (end > 0)
        buf_printf(body, ",\"next_page_key\":\"%zu-1\"", end + 1);
    buf_puts(body, "}");
    sell(seller);
}

static void see(void *model, const struct fact_order *order)
{
    struct seller *seller = model;
    size_t at = (size_t)strtoul(order->id, NULL, 10) - 1;
    assert_true(at < ROOM);
    seller->served[at]++;
    seller->seen_refunded[at] |= order->snapshot->status == ORDER_REFUNDED;
}

static void a_walk_while_the_seller_sells_misses_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct seller seller = {.random = seed * UINT64_C(0x9e3779b97f4a7c15)};
        seller.count = seller.began_with = 1 + below(&seller.random, 120);
        for (size_t i = 0; i < seller.count; i++)
            seller.refunded_at_first[i] = seller.refunded[i] = below(&seller.random, 4) == 0;
        walk_model(&source, &whole_walk, JSON, &seller, serve, see);
        for (size_t i = 0; i < seller.began_with; i++) {
            assert_int_equal(seller.served[i], 1);
            assert_true(seller.seen_refunded[i] || !seller.refunded_at_first[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors),
        cmocka_unit_test(pages),
        cmocka_unit_test(a_source_of_tests_takes_none_of_the_list),
        cmocka_unit_test(the_givers_sale_of_a_gift_gives_the_giver_nothing),
        cmocka_unit_test(a_sellers_field_named_email_is_not_the_buyers),
        cmocka_unit_test(the_sale_that_began_a_subscription_tells_its_standing),
        cmocka_unit_test(what_is_no_page),
        cmocka_unit_test(webhooks),
        cmocka_unit_test(a_walk_while_the_seller_sells_misses_none),
    };
    source = source_make(PROVIDER_GUMROAD, "s3cret-1", NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("token-1"), .len = strlen("token-1")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
