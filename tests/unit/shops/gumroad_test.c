/*
 * Gumroad: the address's secret, pings that are hints and no more, and the API's answers, which
 * alone are facts.
 */
#include "support.h"

#define SECRET "aVeryLongPathSecret-1"
#define JSON "application/json; charset=utf-8"
/* The shape of a real ping, nested keys and all. */
#define PING(rest)                                                                            \
    "seller_id=S1%3D%3D&product_id=P1%3D%3D&product_permalink=https%3A%2F%2Fx.test%2Fl%2Fpro" \
    "&email=ping%40example.test&price=4900&card%5Bvisual%5D=&sale_id=SALE1%3D%3D"             \
    "&resource_name=sale&refunded=false" rest
#define HINT "[SALE1== need:order(sales/SALE1%3D%3D)!]"

static struct settings_source source;

static enum shop_verdict verify_path(const struct settings_source *shop, const char *secret,
                                     const char *body, struct shop_receipt *receipt)
{
    char *exact = xmemdup(body, strlen(body) + 1);
    struct shop_delivery delivery = {
        .path_secret = secret, .body = exact, .len = strlen(body), .now = RECEIVED};
    enum shop_verdict verdict = shop_verify(shop, &delivery, receipt);
    free(exact);
    return verdict;
}

static void the_address_is_the_secret(void **state)
{
    struct settings_source shop = source_make(PROVIDER_GUMROAD, "first-secret", "second-secret");
    struct settings_source empty = source_make(PROVIDER_GUMROAD, "", NULL);
    struct settings_source none = source_make(PROVIDER_GUMROAD, NULL, NULL);
    struct shop_receipt receipt;
    (void)state;
    assert_int_equal(verify_path(&shop, "first-secret", PING(""), &receipt), SHOP_VALID);
    assert_string_equal(receipt.topic, "sale");
    assert_int_equal(verify_path(&shop, "second-secret", PING(""), &receipt), SHOP_VALID);
    static const char *const wrong[] = {NULL,
                                        "",
                                        "first-secre",
                                        "first-secret1",
                                        "First-secret",
                                        "third-one",
                                        "first-secret second-secret"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(verify_path(&shop, wrong[i], PING(""), &receipt), SHOP_SIGNATURE_INVALID);
    assert_int_equal(verify_path(&empty, "", PING(""), &receipt), SHOP_SIGNATURE_INVALID);
    assert_int_equal(verify_path(&none, "", PING(""), &receipt), SHOP_SIGNATURE_INVALID);
    source_free(&shop);
    source_free(&empty);
    source_free(&none);
}

/* Whether two bodies are one delivery. */
static bool same_key(const char *a, const char *b)
{
    struct shop_receipt first, second;
    assert_int_equal(verify_path(&source, SECRET, a, &first), SHOP_VALID);
    assert_int_equal(verify_path(&source, SECRET, b, &second), SHOP_VALID);
    return memcmp(first.key, second.key, DIGEST_LEN) == 0;
}

/* The body of a retry is another one by its retry_count alone. */
static void a_retry_is_the_same_delivery(void **state)
{
    (void)state;
    assert_true(same_key(PING(""), PING("&retry_count=1")));
    assert_true(same_key(PING("&retry_count=3"), PING("&retry_count=1")));
    assert_true(same_key("retry_count=1&sale_id=1", "sale_id=1"));
    assert_true(same_key("sale_id=1&retry%5Fcount=1", "sale_id=1"));
    assert_true(same_key("{\"sale_id\":\"1\"}", "{\"sale_id\":\"1\",\"retry_count\":2}"));
    assert_false(same_key(PING(""), PING("&disputed=true")));
    assert_false(same_key(PING(""), PING("&my_retry_count=1")));
    assert_false(same_key("{\"sale_id\":\"1\"}", "{\"sale_id\":\"2\",\"retry_count\":2}"));
    assert_false(same_key("{\"sale_id\":\"1\"", "{\"sale_id\":\"1"));
    assert_true(same_key("", "retry_count=1"));
}

static void what_is_sent_bears_no_header(void **state)
{
    struct buf headers = {0};
    (void)state;
    shop_sign(&source, "evt_1", RECEIVED, "sale_id=1", 9, &headers);
    assert_int_equal(headers.len, 0);
    buf_free(&headers);
}

/* Whatever a ping claims, it says where to look and no more. */
static void pings_are_hints(void **state)
{
    static const struct reading_case cases[] = {
        {"a sale", PING(""), HINT},
        {"that claims to be refunded", PING("&refunded=true&disputed=true"), HINT},
        {"of a subscription", PING("&subscription_id=SUB1%3D%3D"), HINT},
        {"a subscription's own",
         "subscription_id=SUB1%3D%3D&user_email=a%40b.test&resource_name=cancellation"
         "&cancelled=true&purchase_ids%5B%5D=SALE1%3D%3D",
         "[SUB1== need:order(subscribers/SUB1%3D%3D)!]"},
        {"as JSON",
         " {\"sale_id\":\"SALE1==\",\"email\":\"a@b.test\",\"test\":false,\"price\":4900}", HINT},
        {"with a reference", PING("&url_params%5Bmiro_reference%5D=abc-1_X"),
         "[SALE1== need:order(sales/SALE1%3D%3D?abc-1_X)!]"},
        {"with a reference, brackets and all", PING("&url_params[miro_reference]=abc-1_X"),
         "[SALE1== need:order(sales/SALE1%3D%3D?abc-1_X)!]"},
        {"with one as JSON",
         "{\"sale_id\":\"SALE1==\",\"url_params\":{\"miro_reference\":\"abc-1_X\"}}",
         "[SALE1== need:order(sales/SALE1%3D%3D?abc-1_X)!]"},
        {"with one that cannot be one", PING("&url_params[miro_reference]=a%26b%20c"),
         "[SALE1== need:order(sales/SALE1%3D%3D?\?)!]"},
        {"a field of the seller's that cannot be read", PING("&note=%zz&nul=%00"), HINT},
        {"an id that would lead elsewhere", "sale_id=..%2F..%2Fuser%3Fa%3D1",
         "[../../user?a=1 need:order(sales/..%2F..%2Fuser%3Fa%3D1)!]"},
        {"no id", "resource_name=sale&email=a%40b.test",
         "malformed: the ping has neither `sale_id` nor `subscription_id`"},
        {"an empty body", "", "malformed: the ping has neither `sale_id` nor `subscription_id`"},
        {"no form", "\xff\xfe=\x01",
         "malformed: the ping has neither `sale_id` nor `subscription_id`"},
        {"an id with a line break", "sale_id=a%0Ab",
         "malformed: `sale_id` holds control characters"},
        {"JSON that is cut short", "{\"sale_id\":\"1\"",
         "malformed: the body cannot be read: it is cut short"},
        {"a sale_id that is no id", "{\"sale_id\":[1]}",
         "malformed: `sale_id` is neither a whole number nor a string"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void a_sellers_own_purchase_is_a_test(void **state)
{
    struct settings_source test = source_make(PROVIDER_GUMROAD, SECRET, NULL);
    static const struct reading_case live_cases[] = {
        {"a test", PING("&test=true"),
         "wrong_mode: it is a seller's purchase of their own product, and this source has "
         "live = true"},
        {"a test as JSON", "{\"sale_id\":\"1\",\"test\":true}",
         "wrong_mode: it is a seller's purchase of their own product, and this source has "
         "live = true"},
        {"a test that is none", PING("&test=false"), HINT},
    };
    static const struct reading_case test_cases[] = {
        {"a test", PING("&test=true"), HINT},
        {"a real one", PING(""),
         "wrong_mode: it is a real purchase, and this source has live = false"},
        {"a subscription's own does not tell", "subscription_id=SUB1",
         "[SUB1 need:order(subscribers/SUB1)!]"},
    };
    (void)state;
    test.live = false;
    check_readings(&source, live_cases, COUNT(live_cases));
    check_readings(&test, test_cases, COUNT(test_cases));
    source_free(&test);
}

/* The call for a need of an order. */
static int call_for(const char *order_id, enum fact_need_kind kind, const char *object,
                    struct shop_fetch *fetch)
{
    struct fact_need need = {.kind = kind, .object = object ? xstrdup(object) : NULL};
    int failed = shop_fetch_for(&source, order_id, &need, fetch);
    free(need.object);
    return failed;
}

static void calls_carry_the_key(void **state)
{
    struct shop_fetch fetch;
    static const struct {
        enum fact_need_kind kind;
        const char *object, *target;
    } cases[] = {
        {NEED_ORDER, NULL, "/v2/sales/a%2Fb%3D%3D"},
        {NEED_ORDER, "sales/SALE1%3D%3D?abc", "/v2/sales/SALE1%3D%3D"},
        {NEED_ORDER, "subscribers/SUB1", "/v2/subscribers/SUB1"},
        {NEED_LINES, "sales/SALE1", "/v2/sales/SALE1"},
        {NEED_ORDER, "sales/", NULL},
        {NEED_ORDER, "sales/..", NULL},
        {NEED_ORDER, "sales/a/b", NULL},
        {NEED_ORDER, "products/1", NULL},
        {NEED_ORDER, "", NULL},
        {NEED_ADDRESS, "sales/1", NULL},
        {NEED_REFUNDS, NULL, NULL},
    };
    (void)state;
    assert_true(shop_has_api(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        int failed = call_for("a/b==", cases[i].kind, cases[i].object, &fetch);
        assert_int_equal(failed, cases[i].target ? 0 : -1);
        if (failed)
            continue;
        assert_string_equal(fetch.target, cases[i].target);
        assert_string_equal(fetch.header, "Authorization: Bearer token-1");
        assert_string_equal(fetch.header2, "Accept: application/json");
        assert_null(fetch.basic_auth);
        shop_fetch_free(&fetch);
    }
}

static void without_a_key_nothing_is_asked(void **state)
{
    struct settings_source shop = source_make(PROVIDER_GUMROAD, SECRET, NULL);
    struct shop_fetch fetch;
    (void)state;
    shop.api_url = xstrdup("https://api.example.test");
    assert_false(shop_has_api(&shop));
    assert_int_equal(shop_fetch_order(&shop, "1", &fetch), -1);
    shop.api_keys.items[shop.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("a\nb: c"), .len = 6};
    assert_false(shop_has_api(&shop));
    source_free(&shop);
}

struct answer_case {
    const char *what;
    const char *object; /* of the need, under the order O1== */
    int status;
    const char *type, *body, *expected;
};

static char *answer_text(enum fact_need_kind kind, const struct answer_case *one)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0}, out = {0};
    assert_int_equal(call_for("O1==", kind, one->object, &fetch), 0);
    char *exact = xmemdup(one->body, strlen(one->body) + 1);
    struct shop_answer answer = {.status = one->status,
                                 .content_type = one->type,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = exact,
                                 .len = strlen(one->body)};
    enum shop_answer_verdict verdict = shop_read_answer(&source, &fetch, &answer, &facts, &detail);
    assert_int_equal(verdict == SHOP_ANSWER_READ, facts.order_count > 0);
    assert_int_equal(verdict == SHOP_ANSWER_READ, detail.len == 0);
    char *text = facts_text(&facts);
    buf_printf(&out, "%s: %s%s", verdicts[verdict], text, detail.data ? detail.data : "");
    free(text);
    free(exact);
    buf_free(&detail);
    facts_free(&facts);
    shop_fetch_free(&fetch);
    return buf_take(&out);
}

static void check_answers(enum fact_need_kind kind, const struct answer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = answer_text(kind, &cases[i]);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define SALE(id, rest)                                                                           \
    "{\"success\":true,\"sale\":{\"id\":\"" id "\",\"email\":\"Zoe@Example.test\","              \
    "\"purchase_email\":\"old@example.test\",\"created_at\":\"2026-11-20T08:00:00Z\","           \
    "\"price\":4900,\"currency\":\"usd\",\"product_id\":\"P1==\",\"product_permalink\":\"pro\"," \
    "\"quantity\":1,\"partially_refunded\":false,\"chargedback\":false,\"disputed\":false,"      \
    "\"dispute_won\":false,\"order_id\":524459935" rest "}}"
#define READ "read: [O1== "
/* Of the sale, not of the reading: what is read again without a change is no news. */
#define AT " at=2026-11-20T08:00:00Z paid=2026-11-20T08:00:00Z read=2026-11-23T10:00:00Z"
#define MONEY " total=49000000 address=zoe@example.test"
#define LINE " lines: 1(P1==|pro/-/-)*1-0"

static void sales_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"a sale", "sales/O1%3D%3D", 200, JSON, SALE("O1==", ""),
         READ "paid" AT MONEY LINE " listed:]"},
        {"a sale that is re-read", NULL, 200, JSON, SALE("O1==", ""),
         READ "paid" AT MONEY LINE " listed:]"},
        {"refunded", NULL, 200, JSON, SALE("O1==", ",\"refunded\":true"),
         READ "refunded" AT MONEY LINE "]"},
        {"refunded in part", NULL, 200, JSON, SALE("O1==", ",\"partially_refunded\":true"),
         READ "paid" AT MONEY LINE "]"},
        {"disputed", NULL, 200, JSON, SALE("O1==", ",\"chargedback\":true,\"disputed\":true"),
         READ "paid" AT MONEY LINE " listed: dispute:open O1== at=2026-11-20T08:00:00Z]"},
        {"a dispute that was won", NULL, 200, JSON,
         SALE("O1==", ",\"disputed\":true,\"dispute_won\":true"),
         READ "paid" AT MONEY LINE " listed: dispute:won O1== at=2026-11-20T08:00:00Z]"},
        {"variants and seats", NULL, 200, JSON,
         SALE("O1==", ",\"variants\":{\"Tier\":\"Pro\",\"Size\":\"L\"},\"quantity\":3"),
         READ "paid" AT MONEY " lines: 1(P1==|pro/Pro, L/-)*3-0 listed:]"},
        {"variants as a text, the permalink as an address", NULL, 200, JSON,
         SALE("O1==", ",\"variants\":\"Pro\",\"product_permalink\":\"https://x.test/l/pro\""),
         READ "paid" AT MONEY " lines: 1(P1==|pro/Pro/-)*1-0 listed:]"},
        {"the giver's part of a gift gives the giver nothing", NULL, 200, JSON,
         SALE("O1==", ",\"is_gift_sender_purchase\":true,\"giftee_email\":\"g@example.test\""),
         READ "paid" AT MONEY " lines: listed:]"},
        {"the receiver's part is the receiver's", NULL, 200, JSON,
         SALE("O1==", ",\"is_gift_receiver_purchase\":true,\"gifter_email\":\"g@example.test\""),
         READ "paid" AT MONEY LINE " listed:]"},
        {"a preorder is not charged yet", NULL, 200, JSON,
         SALE("O1==", ",\"is_preorder_authorization\":true"),
         READ "pending at=2026-11-20T08:00:00Z paid=- read=2026-11-23T10:00:00Z" MONEY LINE
              " listed:]"},
        {"a price is in cents, also of a listing in yen", NULL, 200, JSON,
         SALE("O1==", ",\"currency\":\"jpy\""), READ "paid" AT MONEY LINE " listed:]"},
        {"the reference that the ping carried", "sales/O1%3D%3D?abc-1", 200, JSON, SALE("O1==", ""),
         READ "paid" AT MONEY " reference=abc-1" LINE " listed:]"},
        {"one that the API tells goes before it", "sales/O1%3D%3D?abc-1", 200, JSON,
         SALE("O1==", ",\"url_params\":{\"miro_reference\":\"xyz\"}"),
         READ "paid" AT MONEY " reference=xyz" LINE " listed:]"},
        {"no account's address", NULL, 200, JSON, SALE("O1==", ",\"email\":null"),
         READ "paid" AT " total=49000000 address=old@example.test" LINE " listed:]"},
    };
    (void)state;
    check_answers(NEED_ORDER, cases, COUNT(cases));
}

#define S_READ "read: [S1 paid" AT MONEY LINE " listed:"
#define TERM(state, until) \
    " term:" state " at=1970-01-01T00:00:00Z read=2026-11-23T10:00:00Z until=" until
#define SOLD "2026-11-20T08:00:00Z"
#define SUBSCRIBED(rest) SALE("O1==", ",\"subscription_id\":\"S1\"" rest)

/* Each renewal is a sale; the order is the subscription. */
static void sales_of_a_subscription(void **state)
{
    static const struct answer_case cases[] = {
        {"it runs", NULL, 200, JSON,
         SUBSCRIBED(",\"cancelled\":false,\"ended\":false,\"dead\":false,"
                    "\"free_trial_ended\":false,\"free_trial_ends_on\":null"),
         S_READ TERM("active", "-") " alias:O1==]"},
        {"on trial", NULL, 200, JSON,
         SUBSCRIBED(",\"free_trial_ended\":false,\"free_trial_ends_on\":\"Dec 1, 2026\""),
         S_READ TERM("trial", "-") " alias:O1==]"},
        {"its trial is over", NULL, 200, JSON,
         SUBSCRIBED(",\"free_trial_ended\":true,\"free_trial_ends_on\":\"Nov 1, 2026\""),
         S_READ TERM("active", "-") " alias:O1==]"},
        {"over", NULL, 200, JSON, SUBSCRIBED(",\"cancelled\":true,\"ended\":true"),
         S_READ TERM("cancelled", SOLD) " alias:O1==]"},
        {"dead", NULL, 200, JSON, SUBSCRIBED(",\"cancelled\":true,\"dead\":true"),
         S_READ TERM("cancelled", SOLD) " alias:O1==]"},
        {"will end: the subscriber tells when", NULL, 200, JSON, SUBSCRIBED(",\"cancelled\":true"),
         S_READ " alias:O1== need:order(subscribers/S1)!]"},
        {"a payment of it refunded", NULL, 200, JSON, SUBSCRIBED(",\"refunded\":true"),
         "read: [S1 refunded" AT MONEY LINE TERM("active", "-") " alias:O1==]"},
    };
    (void)state;
    check_answers(NEED_ORDER, cases, COUNT(cases));
}

#define SUBSCRIBER(id, status, rest)                                                       \
    "{\"success\":true,\"subscriber\":{\"id\":\"" id "\",\"status\":\"" status             \
    "\",\"cancelled_at\":\"2026-12-01T00:00:00Z\",\"failed_at\":\"2026-12-02T00:00:00Z\"," \
    "\"ended_at\":\"2026-12-03T00:00:00Z\",\"purchase_ids\":[\"A==\",\"B==\"]" rest "}}"
#define STATE(name, until)                                                                     \
    "read: [O1== term:" name " at=1970-01-01T00:00:00Z read=2026-11-23T10:00:00Z until=" until \
    " need:lines(sales/B%3D%3D)!]"

static void subscribers_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"alive", "subscribers/O1%3D%3D", 200, JSON, SUBSCRIBER("O1==", "alive", ""),
         STATE("active", "-")},
        {"on trial", "subscribers/O1%3D%3D", 200, JSON,
         SUBSCRIBER("O1==", "alive", ",\"free_trial_ends_at\":\"2026-11-30T00:00:00Z\""),
         STATE("trial", "2026-11-30T00:00:00Z")},
        {"will end", "subscribers/O1%3D%3D", 200, JSON,
         SUBSCRIBER("O1==", "pending_cancellation", ""),
         STATE("cancelled", "2026-12-01T00:00:00Z")},
        {"will fail", "subscribers/O1%3D%3D", 200, JSON, SUBSCRIBER("O1==", "pending_failure", ""),
         STATE("cancelled", "2026-12-02T00:00:00Z")},
        {"failed", "subscribers/O1%3D%3D", 200, JSON, SUBSCRIBER("O1==", "failed_payment", ""),
         STATE("cancelled", "2026-12-02T00:00:00Z")},
        {"ran its course", "subscribers/O1%3D%3D", 200, JSON,
         SUBSCRIBER("O1==", "fixed_subscription_period_ended", ""),
         STATE("cancelled", "2026-12-03T00:00:00Z")},
        {"cancelled", "subscribers/O1%3D%3D", 200, JSON, SUBSCRIBER("O1==", "cancelled", ""),
         STATE("cancelled", "2026-12-01T00:00:00Z")},
        {"without a sale", "subscribers/O1%3D%3D", 200, JSON,
         SUBSCRIBER("O1==", "alive", ",\"purchase_ids\":[]"),
         "read: [O1== term:active at=1970-01-01T00:00:00Z read=2026-11-23T10:00:00Z until=-]"},
        {"another word", "subscribers/O1%3D%3D", 200, JSON, SUBSCRIBER("O1==", "asleep", ""),
         "refused: the answer cannot be used: `status` is none that this version knows"},
        {"another subscriber", "subscribers/O1%3D%3D", 200, JSON, SUBSCRIBER("S2", "alive", ""),
         "refused: the shop answered with another subscriber than was asked for"},
        {"a sale in its place", "subscribers/O1%3D%3D", 200, JSON, SALE("O1==", ""),
         "refused: the shop answered with another sale than was asked for"},
        {"no id", "subscribers/O1%3D%3D", 200, JSON, "{\"success\":true,\"subscriber\":{}}",
         "refused: the answer cannot be used: `id` is missing"},
        {"what is no purchase", "subscribers/O1%3D%3D", 200, JSON,
         SUBSCRIBER("O1==", "alive", ",\"purchase_ids\":[7]"),
         "refused: the answer cannot be used: `purchase_ids` holds what is no id"},
    };
    (void)state;
    check_answers(NEED_ORDER, cases, COUNT(cases));
}

/* The subscription named the sale: it tells what was bought, and the subscription the rest. */
static void the_last_sale_of_a_subscription(void **state)
{
    static const struct answer_case cases[] = {
        {"its own", "sales/B%3D%3D", 200, JSON, SALE("B==", ",\"subscription_id\":\"O1==\""),
         "read: [O1== paid" AT MONEY LINE " listed: alias:B==]"},
        {"another's", "sales/B%3D%3D", 200, JSON, SALE("B==", ",\"subscription_id\":\"S2\""),
         "refused: the shop answered with a sale of another subscription"},
        {"nobody's", "sales/B%3D%3D", 200, JSON, SALE("B==", ""),
         "refused: the shop answered with a sale of another subscription"},
    };
    (void)state;
    check_answers(NEED_LINES, cases, COUNT(cases));
}

static void other_answers(void **state)
{
    static const struct answer_case cases[] = {
        {"no such sale", "sales/O1%3D%3D", 200, JSON,
         "{\"success\":false,\"message\":\"The sale was not found.\"}",
         "refused: the shop has no sale or subscriber of this id: check that api_key_file holds a "
         "token of the account whose pings these are"},
        {"no such sale, by status", "sales/O1%3D%3D", 404, JSON, "{\"success\":false}",
         "refused: the shop has no sale or subscriber of this id: check that api_key_file holds a "
         "token of the account whose pings these are"},
        {"an order that is no sale may be a subscription", NULL, 200, JSON, "{\"success\":false}",
         "read: [O1== need:order(subscribers/O1%3D%3D)!]"},
        {"another sale", NULL, 200, JSON, SALE("O2==", ""),
         "refused: the shop answered with another sale than was asked for"},
        {"neither", NULL, 200, JSON, "{\"success\":true,\"product\":{}}",
         "refused: the shop answered with neither a sale nor a subscriber"},
        {"a list", NULL, 200, JSON, "[]",
         "refused: the shop answered with neither a sale nor a subscriber"},
        {"not found, and no word why", NULL, 404, JSON, "{}",
         "refused: the shop has no such address: check that api_url is https://api.gumroad.com"},
        {"not found, a page", NULL, 404, "text/html", "<html>",
         "refused: the shop has no such address: check that api_url is https://api.gumroad.com"},
        {"the key", NULL, 401, JSON, "{}",
         "refused: the shop refused the key (401): check that api_key_file holds an access token "
         "with the scope view_sales"},
        {"busy", NULL, 429, JSON, "{}", "later: the shop answered 429"},
        {"a page", NULL, 200, "text/html", "<html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"a test, by its own word", NULL, 200, JSON, SALE("O1==", ",\"test\":true"),
         "refused: the answer cannot be used: it is a seller's purchase of their own product, and "
         "this source has live = true"},
        {"no product", NULL, 200, JSON, SALE("O1==", ",\"product_id\":null"),
         "refused: the answer cannot be used: `product_id` is missing"},
        {"a variant that is no text", NULL, 200, JSON, SALE("O1==", ",\"variants\":{\"a\":[1]}"),
         READ "paid" AT MONEY LINE " listed:]"},
        {"a quantity that is none", NULL, 200, JSON, SALE("O1==", ",\"quantity\":\"two\""),
         "refused: the answer cannot be used: the order is paid, but none of its lines has an id "
         "and a whole quantity"},
        {"a time that is none", NULL, 200, JSON, SALE("O1==", ",\"created_at\":\"today\""),
         "refused: the answer cannot be used: `created_at` is not a time"},
    };
    (void)state;
    check_answers(NEED_ORDER, cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_address_is_the_secret),
        cmocka_unit_test(a_retry_is_the_same_delivery),
        cmocka_unit_test(what_is_sent_bears_no_header),
        cmocka_unit_test(pings_are_hints),
        cmocka_unit_test(a_sellers_own_purchase_is_a_test),
        cmocka_unit_test(calls_carry_the_key),
        cmocka_unit_test(without_a_key_nothing_is_asked),
        cmocka_unit_test(sales_are_read),
        cmocka_unit_test(sales_of_a_subscription),
        cmocka_unit_test(subscribers_are_read),
        cmocka_unit_test(the_last_sale_of_a_subscription),
        cmocka_unit_test(other_answers),
    };
    source = source_make(PROVIDER_GUMROAD, SECRET, NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("token-1"), .len = strlen("token-1")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
