/*
 * Lemon Squeezy: its signature, what each object says, what is asked and how answers are read.
 */
#include "support.h"

#define EVENT(name, meta, data) \
    "{\"meta\":{\"event_name\":\"" name "\"" meta "},\"data\":{" data "}}"
#define OBJECT(type, id, attributes) \
    "\"type\":\"" type "\",\"id\":\"" id "\",\"attributes\":{" attributes "}"
#define UPDATED "\"updated_at\":\"2026-11-23T09:00:00.000000Z\""
#define MADE "\"created_at\":\"2026-11-23T08:30:00.000000Z\","
#define BUYER "\"user_email\":\"Zoe@Example.test\","
#define FIRST                                                                            \
    "\"first_order_item\":{\"id\":5,\"order_id\":1,\"product_id\":10,\"variant_id\":20," \
    "\"quantity\":2}"
#define ORDER_OF(status, rest)    \
    OBJECT("orders", "1",         \
           "\"status\":\"" status \
           "\",\"currency\":\"USD\",\"total\":1200,\"test_mode\":false," BUYER MADE UPDATED rest)
#define ORDER(status, rest) EVENT("order_created", "", ORDER_OF(status, "," FIRST rest))
#define AT " at=2026-11-23T09:00:00Z paid="
#define PAID_AT "2026-11-23T08:30:00Z"
#define WORTH " total=12000000 address=zoe@example.test "
#define LINE "lines: 5(10/20/-)*2-0"
#define ASK " need:lines(1795424400000000.1795422600000000.12000000)"

static struct settings_source source;

static void only_the_whole_header_counts(void **state)
{
    /* HMAC-SHA256 of the body under s3cret, as another implementation makes it. */
#define BODY "{\"meta\":{},\"data\":{}}"
#define GOOD "156983345e66987be8448d09e26871de66f4d4bb77c5f9a8b5627b9a84971006"
    static const struct {
        const char *what, *headers, *body;
        enum shop_verdict verdict;
    } cases[] = {
        {"as it is", "X-Signature: " GOOD "\r\nX-Event-Name: order_created\r\n", BODY, SHOP_VALID},
        {"another body", "X-Signature: " GOOD "\r\n", BODY " ", SHOP_SIGNATURE_INVALID},
        {"none", "X-Event-Name: order_created\r\n", BODY, SHOP_SIGNATURE_INVALID},
        {"empty", "X-Signature: \r\n", BODY, SHOP_SIGNATURE_INVALID},
        {"cut", "X-Signature: 156983345e66987be8448d09e26871de\r\n", BODY, SHOP_SIGNATURE_INVALID},
        {"longer", "X-Signature: " GOOD "00\r\n", BODY, SHOP_SIGNATURE_INVALID},
        {"a word before it", "X-Signature: sha256=" GOOD "\r\n", BODY, SHOP_SIGNATURE_INVALID},
        {"base64", "X-Signature: FWmDNF5mmHvoRI0J4mhx3mb01Lt3xfmotWJ7moSXEAY=\r\n", BODY,
         SHOP_SIGNATURE_INVALID},
        {"twice", "X-Signature: " GOOD "\r\nX-Signature: " GOOD "\r\n", BODY,
         SHOP_SIGNATURE_INVALID},
    };
    struct shop_receipt receipt;
    unsigned char digest[DIGEST_LEN];
    struct buf lines = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (verify_text(&source, cases[i].headers, cases[i].body) != cases[i].verdict)
            print_error("case: %s\n", cases[i].what);
        assert_int_equal(verify_text(&source, cases[i].headers, cases[i].body), cases[i].verdict);
    }
    shop_sign(&source, "", 0, BODY, strlen(BODY), &lines);
    assert_string_equal(lines.data, "X-Signature: " GOOD "\r\n");
    buf_free(&lines);
    assert_int_equal(verify_bytes(&source, cases[0].headers, BODY, strlen(BODY), 0, &receipt),
                     SHOP_VALID);
    digest_sha256(BODY, strlen(BODY), digest);
    assert_memory_equal(receipt.key, digest, DIGEST_LEN);
    assert_string_equal(receipt.topic, "order_created");
}

static void orders(void **state)
{
    static const struct reading_case cases[] = {
        {"paid", ORDER("paid", ""), "[1 paid" AT PAID_AT WORTH LINE ASK "]"},
        {"whose it is stands in it",
         EVENT("order_created", ",\"custom_data\":{\"miro_reference\":\"abc-1\"}",
               ORDER_OF("paid", "," FIRST)),
         "[1 paid" AT PAID_AT WORTH "reference=abc-1 " LINE ASK "]"},
        {"a part went back", ORDER("partial_refund", ",\"refunded\":false,\"refunded_amount\":500"),
         "[1 paid" AT PAID_AT WORTH LINE
         " refund:done first-payment=5000000{?} at=2026-11-23T09:00:00Z" ASK "]"},
        {"all went back", ORDER("refunded", ",\"refunded\":true,\"refunded_amount\":1200"),
         "[1 refunded" AT PAID_AT WORTH LINE
         " refund:done first-payment=12000000{?} at=2026-11-23T09:00:00Z]"},
        {"all went back, and no amount is told", ORDER("refunded", ",\"refunded\":true"),
         "[1 refunded" AT PAID_AT WORTH LINE
         " refund:done first-payment=12000000{?} at=2026-11-23T09:00:00Z]"},
        {"nothing went back", ORDER("paid", ",\"refunded\":null,\"refunded_amount\":0"),
         "[1 paid" AT PAID_AT WORTH LINE ASK "]"},
        {"pending", ORDER("pending", ""), "[1 pending" AT "-" WORTH LINE "]"},
        {"failed", ORDER("failed", ""), "[1 pending" AT "-" WORTH LINE "]"},
        {"fraudulent", ORDER("fraudulent", ""), "[1 cancelled" AT "-" WORTH LINE "]"},
        {"a word of tomorrow", ORDER("half", ""),
         "malformed: `status` of the order is none that this version knows"},
        {"no items told", EVENT("order_created", "", ORDER_OF("paid", "")),
         "[1 paid" AT PAID_AT WORTH "lines?" ASK "!]"},
        {"an item without id or quantity",
         EVENT("order_created", "",
               ORDER_OF("paid", ",\"first_order_item\":{\"product_id\":10,\"variant_id\":20}")),
         "[1 paid" AT PAID_AT WORTH "lines: first(10/20/-)*1-0" ASK "]"},
        {"an id that is no number", EVENT("order_created", "", OBJECT("orders", "sub_1", UPDATED)),
         "malformed: `id` is not a number"},
        {"no time", EVENT("order_created", "", OBJECT("orders", "1", "\"status\":\"paid\"")),
         "malformed: `updated_at` is missing"},
    };
    /* Where the shop can be asked, the first item must not take the place of all of them. */
    static const struct reading_case asked[] = {
        {"paid", ORDER("paid", ""), "[1 hint paid" AT PAID_AT WORTH "lines?]"},
        {"a part went back", ORDER("partial_refund", ",\"refunded\":false,\"refunded_amount\":500"),
         "[1 hint paid" AT PAID_AT WORTH
         "lines? refund:done first-payment=5000000{?} at=2026-11-23T09:00:00Z]"},
        {"pending", ORDER("pending", ""), "[1 pending" AT "-" WORTH LINE "]"},
    };
    size_t keys = source.api_keys.count;
    (void)state;
    check_readings(&source, asked, COUNT(asked));
    source.api_keys.count = 0;
    check_readings(&source, cases, COUNT(cases));
    source.api_keys.count = keys;
}

#define SUBSCRIPTION(status, rest)                                                  \
    EVENT("subscription_updated", "",                                               \
          OBJECT("subscriptions", "1",                                              \
                 "\"status\":\"" status "\",\"order_id\":1,\"order_item_id\":5,"    \
                 "\"product_id\":10,\"variant_id\":20,\"first_subscription_item\":" \
                 "{\"id\":9,\"quantity\":3}," BUYER UPDATED ",\"renews_at\":"       \
                 "\"2026-12-01T00:00:00.000000Z\"" rest))
#define STATE(state, until)                                                                \
    "[sub_1 paid at=2026-11-23T09:00:00Z paid=- total=-1 address=zoe@example.test lines: " \
    "5(10/20/-)*3-0 term:" state " at=2026-11-23T09:00:00Z until=" until " alias:1]"
#define ENDS(key) ",\"" key "\":\"2026-11-30T00:00:00.000000Z\""

static void states_of_subscriptions(void **state)
{
    static const struct reading_case cases[] = {
        {"on trial", SUBSCRIPTION("on_trial", ENDS("trial_ends_at")),
         STATE("trial", "2026-11-30T00:00:00Z")},
        {"on trial, until it renews", SUBSCRIPTION("on_trial", ",\"trial_ends_at\":null"),
         STATE("trial", "2026-12-01T00:00:00Z")},
        {"active", SUBSCRIPTION("active", ",\"ends_at\":null"),
         STATE("active", "2026-12-01T00:00:00Z")},
        {"paused", SUBSCRIPTION("paused", ",\"pause\":{\"mode\":\"void\",\"resumes_at\":null}"),
         STATE("paused", "-")},
        {"paused, and given for free",
         SUBSCRIPTION("paused",
                      ",\"pause\":{\"mode\":\"free\",\"resumes_at\":\"2027-01-01T00:00:00Z\"}"),
         STATE("active", "2027-01-01T00:00:00Z")},
        {"past due", SUBSCRIPTION("past_due", ""), STATE("past_due", "-")},
        {"unpaid", SUBSCRIPTION("unpaid", ""), STATE("expired", "-")},
        {"cancelled keeps what is paid", SUBSCRIPTION("cancelled", ENDS("ends_at")),
         STATE("cancelled", "2026-11-30T00:00:00Z")},
        {"expired", SUBSCRIPTION("expired", ENDS("ends_at")),
         STATE("expired", "2026-11-30T00:00:00Z")},
        {"a word of tomorrow", SUBSCRIPTION("frozen", ""),
         "malformed: `status` of the subscription is none that this version knows"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define INVOICE(event, reason, status, rest)                                                    \
    EVENT(event, "",                                                                            \
          OBJECT("subscription-invoices", "7",                                                  \
                 "\"subscription_id\":1,\"billing_reason\":\"" reason "\",\"status\":\"" status \
                 "\",\"currency\":\"USD\",\"total\":999," BUYER MADE UPDATED rest))
#define PAYMENT                                                                    \
    "[sub_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T09:00:00Z total=9990000 " \
    "address=zoe@example.test lines? listed: alias:inv_7]"

static void invoices(void **state)
{
    static const struct reading_case cases[] = {
        {"the first", INVOICE("subscription_payment_success", "initial", "paid", ""), PAYMENT},
        {"a renewal", INVOICE("subscription_payment_success", "renewal", "paid", ""), PAYMENT},
        {"recovered", INVOICE("subscription_payment_recovered", "renewal", "paid", ""), PAYMENT},
        {"paid for a change", INVOICE("subscription_payment_success", "updated", "paid", ""),
         "[sub_1 alias:inv_7]"},
        {"failed", INVOICE("subscription_payment_failed", "renewal", "pending", ""),
         "[sub_1 term:past_due at=2026-11-23T09:00:00Z until=- since=2026-11-23T08:30:00Z "
         "alias:inv_7]"},
        {"void", INVOICE("subscription_payment_failed_then_void", "renewal", "void", ""),
         "[sub_1 alias:inv_7]"},
        {"a renewal went back",
         INVOICE("subscription_payment_refunded", "renewal", "refunded",
                 ",\"refunded\":true,\"refunded_amount\":999"),
         "[sub_1 paid at=2026-11-23T08:30:00Z paid=2026-11-23T08:30:00Z total=9990000 "
         "address=zoe@example.test lines? refund:done inv_7=9990000{?} "
         "at=2026-11-23T09:00:00Z alias:inv_7]"},
        {"a part of it",
         INVOICE("subscription_payment_refunded", "renewal", "partial_refund",
                 ",\"refunded\":false,\"refunded_amount\":99"),
         "[sub_1 paid at=2026-11-23T08:30:00Z paid=2026-11-23T08:30:00Z total=9990000 "
         "address=zoe@example.test lines? refund:done inv_7=990000{?} "
         "at=2026-11-23T09:00:00Z alias:inv_7]"},
        {"the first went back, as its order says too",
         INVOICE("subscription_payment_refunded", "initial", "refunded", ",\"refunded\":true"),
         "[sub_1 paid at=2026-11-23T08:30:00Z paid=2026-11-23T08:30:00Z total=9990000 "
         "address=zoe@example.test lines? refund:done first-payment=9990000{?} "
         "at=2026-11-23T09:00:00Z alias:inv_7]"},
        {"paid, and a part of it back",
         INVOICE("subscription_payment_success", "renewal", "paid", ",\"refunded_amount\":99"),
         "[sub_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T09:00:00Z total=9990000 "
         "address=zoe@example.test lines? refund:done inv_7=990000{?} at=2026-11-23T09:00:00Z "
         "alias:inv_7]"},
        {"of nothing",
         EVENT("subscription_payment_success", "",
               OBJECT("subscription-invoices", "7", "\"status\":\"paid\"," UPDATED)),
         "malformed: `subscription_id` is missing"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define MODE(meta, object)       \
    EVENT("order_created", meta, \
          OBJECT("orders", "1", "\"status\":\"pending\",\"total\":1," UPDATED object))
#define PENDING "[1 pending" AT "- total=10000 address=absent lines?]"
#define TEST_IN_LIVE "wrong_mode: it is of test mode, and this source has live = true"
#define LIVE_IN_TEST "wrong_mode: it is of live mode, and this source has live = false"

static void modes_never_mix(void **state)
{
    static const struct reading_case live[] = {
        {"live", MODE(",\"test_mode\":false", ",\"test_mode\":false"), PENDING},
        {"not told", MODE("", ""), PENDING},
        {"test by its meta", MODE(",\"test_mode\":true", ""), TEST_IN_LIVE},
        {"test by its object", MODE("", ",\"test_mode\":true"), TEST_IN_LIVE},
        {"a subscription of test mode",
         EVENT("subscription_created", "",
               OBJECT("subscriptions", "1", "\"test_mode\":true," UPDATED)),
         TEST_IN_LIVE},
        {"an invoice of test mode",
         EVENT("subscription_payment_success", ",\"test_mode\":true",
               OBJECT("subscription-invoices", "1", UPDATED)),
         TEST_IN_LIVE},
    };
    static const struct reading_case test[] = {
        {"test", MODE(",\"test_mode\":true", ",\"test_mode\":true"), PENDING},
        {"live", MODE("", ",\"test_mode\":false"), LIVE_IN_TEST},
    };
    (void)state;
    check_readings(&source, live, COUNT(live));
    source.live = false;
    check_readings(&source, test, COUNT(test));
    source.live = true;
}

static void the_rest(void **state)
{
    static const struct reading_case cases[] = {
        {"a licence key", EVENT("license_key_created", "", OBJECT("license-keys", "1", UPDATED)),
         "not_an_order: `data.type` is none of orders, subscriptions, subscription-invoices"},
        {"no type", EVENT("order_created", "", "\"id\":\"1\",\"attributes\":{}"),
         "malformed: `data` has no type and attributes"},
        {"no attributes", EVENT("order_created", "", "\"id\":\"1\",\"type\":\"orders\""),
         "malformed: `data` has no type and attributes"},
        {"no data", "{\"meta\":{}}", "malformed: `data` is not an object"},
        {"no meta", "{\"data\":{}}", "malformed: `meta` is not an object"},
        {"not JSON", "data=1", "malformed: the body cannot be read: it is not JSON"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void calls_are_made_of_numbers(void **state)
{
    static const struct {
        enum fact_need_kind kind;
        const char *order_id, *object, *target;
    } cases[] = {
        {NEED_ORDER, "1", NULL, "/v1/orders/1?include=order-items"},
        {NEED_ORDER, "sub_1", NULL, "/v1/subscriptions/1"},
        {NEED_LINES, "1", "3.2.1", "/v1/orders/1/order-items?include=order&page%5Bsize%5D=100"},
        {NEED_LINES, "1", NULL, NULL},
        {NEED_LINES, "sub_1", "3.2.1", NULL},
        {NEED_ORDER, "inv_1", NULL, NULL},
        {NEED_ORDER, "1/../users", NULL, NULL},
        {NEED_ORDER, "", NULL, NULL},
        {NEED_ORDER, "123456789012345678901", NULL, NULL},
        {NEED_ADDRESS, "1", "1", NULL},
    };
    (void)state;
    assert_true(shop_has_api(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fact_need need = {.kind = cases[i].kind};
        struct shop_fetch fetch;
        need.object = cases[i].object ? xstrdup(cases[i].object) : NULL;
        assert_int_equal(shop_fetch_for(&source, cases[i].order_id, &need, &fetch),
                         cases[i].target ? 0 : -1);
        if (cases[i].target) {
            assert_string_equal(fetch.target, cases[i].target);
            assert_string_equal(fetch.header, "Authorization: Bearer key-1");
            assert_string_equal(fetch.header2, "Accept: application/vnd.api+json");
            shop_fetch_free(&fetch);
        }
        free(need.object);
    }
}

struct answer_case {
    const char *what;
    enum fact_need_kind kind;
    const char *order_id, *object;
    int status;
    const char *type, *body, *expected;
};

static char *answer_text(const struct answer_case *c)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_fetch call = {.kind = c->kind,
                              .order_id = xstrdup(c->order_id),
                              .object = c->object ? xstrdup(c->object) : NULL};
    struct facts facts = {0};
    struct buf detail = {0}, out = {0};
    char *exact = xmemdup(c->body, strlen(c->body) + 1);
    struct shop_answer answer = {.status = c->status,
                                 .content_type = c->type,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = exact,
                                 .len = strlen(c->body)};
    enum shop_answer_verdict verdict = shop_read_answer(&source, &call, &answer, &facts, &detail);
    assert_int_equal(verdict == SHOP_ANSWER_READ, facts.order_count > 0);
    assert_int_equal(verdict == SHOP_ANSWER_READ, detail.len == 0);
    char *text = facts_text(&facts);
    buf_printf(&out, "%s: %s%s", verdicts[verdict], text, detail.data ? detail.data : "");
    free(text);
    free(exact);
    buf_free(&detail);
    facts_free(&facts);
    shop_fetch_free(&call);
    return buf_take(&out);
}

static void check_answers(const struct answer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = answer_text(&cases[i]);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define JSON_API "application/vnd.api+json"
#define ITEM(id, order, product)                                \
    "{" OBJECT("order-items", id,                               \
               "\"order_id\":" order ",\"product_id\":" product \
               ",\"variant_id\":20,\"quantity\":2") "}"
#define ITEMS ITEM("5", "1", "10") "," ITEM("6", "1", "11")
#define BOTH "lines: 5(10/20/-)*2-0 6(11/20/-)*2-0"
#define READ_AT " read=2026-11-23T10:00:00Z"
#define LINES_CALL NEED_LINES, "1", "1795424400000000.1795422600000000.12000000"

/* Only the first item stands in an order; however the others come, all are lines of it. */
static void items_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"the items, and their order", LINES_CALL, 200, JSON_API,
         "{\"data\":[" ITEMS "],\"included\":[{" ORDER_OF("paid", "," FIRST) "}]}",
         "read: [1 paid" AT PAID_AT READ_AT WORTH BOTH "]"},
        {"the items alone", LINES_CALL, 200, JSON_API, "{\"data\":[" ITEMS "]}",
         "read: [1 paid" AT PAID_AT READ_AT " total=12000000 address=absent " BOTH "]"},
        {"the order, and its items", NEED_ORDER, "1", NULL, 200, JSON_API,
         "{\"data\":{" ORDER_OF("paid", "," FIRST) "},\"included\":[" ITEMS "]}",
         "read: [1 paid" AT PAID_AT READ_AT WORTH BOTH "]"},
        {"the order alone does not take the place of its items", NEED_ORDER, "1", NULL, 200,
         "application/json", "{\"data\":{" ORDER_OF("paid", "," FIRST) "}}",
         "read: [1 paid" AT PAID_AT READ_AT WORTH "lines?" ASK "!]"},
        {"items of another order", LINES_CALL, 200, JSON_API,
         "{\"data\":[" ITEM("5", "2", "10") "]}",
         "refused: the shop answered with items of another order"},
        {"no items", LINES_CALL, 200, JSON_API, "{\"data\":[]}",
         "refused: the shop answered with something that is no list of items"},
        {"more than a page", LINES_CALL, 200, JSON_API,
         "{\"data\":[" ITEMS "],\"links\":{\"next\":\"https://x.test/2\"}}",
         "refused: the order has more items than one page holds"},
        {"two items with one id", LINES_CALL, 200, JSON_API,
         "{\"data\":[" ITEM("5", "1", "10") "," ITEM("5", "1", "11") "]}",
         "refused: the answer cannot be used: two lines of the order have one id"},
        {"a need of another version", NEED_LINES, "1", "1.2", 200, JSON_API,
         "{\"data\":[" ITEMS "]}", "refused: the shop answered with items of another order"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

#define ORDER_CALL NEED_ORDER, "1", NULL

static void other_answers(void **state)
{
    static const struct answer_case cases[] = {
        {"a subscription", NEED_ORDER, "sub_1", NULL, 200, JSON_API,
         "{\"data\":{" OBJECT("subscriptions", "1",
                              "\"status\":\"expired\",\"order_id\":1,\"order_item_id\":5,"
                              "\"product_id\":10," BUYER UPDATED) "}}",
         "read: [sub_1 paid at=2026-11-23T09:00:00Z paid=-" READ_AT
         " total=-1 address=zoe@example.test lines: 5(10/-/-)*1-0 term:expired "
         "at=2026-11-23T09:00:00Z" READ_AT " until=- alias:1]"},
        {"another order", NEED_ORDER, "2", NULL, 200, JSON_API,
         "{\"data\":{" ORDER_OF("paid", "") "}}",
         "refused: the shop answered with another object than was asked for"},
        {"an order in place of a subscription", NEED_ORDER, "sub_1", NULL, 200, JSON_API,
         "{\"data\":{" ORDER_OF("paid", "") "}}",
         "refused: the shop answered with another object than was asked for"},
        {"a list in place of an order", ORDER_CALL, 200, JSON_API, "{\"data\":[]}",
         "refused: the shop answered with another object than was asked for"},
        {"of test mode", ORDER_CALL, 200, JSON_API,
         "{\"data\":{" OBJECT("orders", "1", "\"test_mode\":true," UPDATED) "}}",
         "refused: the answer cannot be used: it is of test mode, and this source has live = true"},
        {"no such order", ORDER_CALL, 404, JSON_API, "{\"errors\":[{\"status\":\"404\"}]}",
         "refused: the shop does not know it: check that api_key_file is of the store that sends "
         "the webhooks, and of its mode"},
        {"no key", ORDER_CALL, 401, JSON_API, "{}",
         "refused: the shop refused the key (401): check that api_key_file holds an API key of the "
         "store, made in the mode that `live` says"},
        {"busy", ORDER_CALL, 429, JSON_API, "{}", "later: the shop answered 429"},
        {"a page", ORDER_CALL, 200, "text/html", "<html/>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"a page of a type that only looks like it", ORDER_CALL, 200, "application/jsonp", "{}",
         "later: the shop's answer cannot be read: it is not JSON"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_whole_header_counts),
        cmocka_unit_test(orders),
        cmocka_unit_test(states_of_subscriptions),
        cmocka_unit_test(invoices),
        cmocka_unit_test(modes_never_mix),
        cmocka_unit_test(the_rest),
        cmocka_unit_test(calls_are_made_of_numbers),
        cmocka_unit_test(items_are_read),
        cmocka_unit_test(other_answers),
    };
    source = source_make(PROVIDER_LEMONSQUEEZY, "s3cret", NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("key-1"), .len = strlen("key-1")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
