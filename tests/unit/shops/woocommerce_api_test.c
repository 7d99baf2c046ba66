/*
 * What WooCommerce's REST API is asked, and what its answers mean: facts, later, or a person.
 */
#include "support.h"

static const struct fact_need refunds_need = {.kind = NEED_REFUNDS};

#define JSON "application/json; charset=UTF-8"
#define GONE "{\"code\":\"woocommerce_rest_shop_order_invalid_id\",\"data\":{\"status\":404}}"
#define ORDER                                                          \
    "{\"id\":12,\"status\":\"processing\",\"total\":\"30.00\","        \
    "\"date_modified_gmt\":\"2026-11-23T09:00:00\",\"line_items\":[]," \
    "\"refunds\":[{\"id\":13,\"total\":\"-20.00\"}]}"
#define REFUND(id, lines)                                                               \
    "{\"id\":" id ",\"date_created_gmt\":\"2026-11-23T09:30:00\",\"amount\":\"20.00\"," \
    "\"line_items\":[" lines "]}"
#define ITEM(quantity, value)                                                            \
    "{\"id\":3,\"quantity\":" quantity ",\"meta_data\":[{\"key\":\"_refunded_item_id\"," \
    "\"value\":" value "}]}"

static struct settings_source source;

static void add_key(struct settings_source *to, const char *text)
{
    to->api_keys.items[to->api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup(text), .len = strlen(text)};
}

static void calls_are_made_of_digits_and_keys(void **state)
{
    struct shop_fetch fetch;
    (void)state;
    assert_true(shop_has_api(&source));
    assert_int_equal(shop_fetch_order(&source, "12", &fetch), 0);
    assert_int_equal(fetch.kind, NEED_ORDER);
    assert_string_equal(fetch.order_id, "12");
    assert_string_equal(fetch.target, "/wp-json/wc/v3/orders/12");
    assert_string_equal(fetch.basic_auth, "ck_1:cs_1");
    assert_string_equal(fetch.header, "Accept: application/json");
    shop_fetch_free(&fetch);
    assert_null(fetch.target);
    assert_int_equal(shop_fetch_for(&source, "12", &refunds_need, &fetch), 0);
    assert_int_equal(fetch.kind, NEED_REFUNDS);
    assert_string_equal(fetch.target, "/wp-json/wc/v3/orders/12/refunds?per_page=100");
    shop_fetch_free(&fetch);
    static const char *const ids[] = {"",     "12/../../users",       "1 2", "-1", "12?x",
                                      "0x12", "123456789012345678901"};
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_int_equal(shop_fetch_order(&source, ids[i], &fetch), -1);
}

static void keys_in_one_line_or_two(void **state)
{
    static const struct {
        const char *first, *second, *expected;
    } cases[] = {
        {"ck_a:cs_a", NULL, "ck_a:cs_a"},
        {"ck_a", "cs_a", "ck_a:cs_a"},
        {"ck_a:cs_a", "ck_b:cs_b", "ck_a:cs_a"},
        {"ck_a", NULL, NULL},
        {":cs_a", NULL, NULL},
        {"ck_a:", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings_source shop = source_make(PROVIDER_WOOCOMMERCE, "s3cret", NULL);
        struct shop_fetch fetch;
        assert_false(shop_has_api(&shop));
        add_key(&shop, cases[i].first);
        if (cases[i].second)
            add_key(&shop, cases[i].second);
        assert_false(shop_has_api(&shop));
        shop.api_url = xstrdup("https://shop.example.test");
        assert_int_equal(shop_has_api(&shop), cases[i].expected != NULL);
        if (cases[i].expected) {
            assert_int_equal(shop_fetch_order(&shop, "1", &fetch), 0);
            assert_string_equal(fetch.basic_auth, cases[i].expected);
            shop_fetch_free(&fetch);
        }
        source_free(&shop);
    }
}

/* The verdict's word and either the facts or the sentence. */
static char *answer_text(enum fact_need_kind kind, int status, const char *type, const char *body)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0}, out = {0};
    assert_int_equal(kind == NEED_ORDER ? shop_fetch_order(&source, "12", &fetch)
                                        : shop_fetch_for(&source, "12", &refunds_need, &fetch),
                     0);
    char *exact = xmemdup(body, strlen(body) + 1);
    struct shop_answer answer = {.status = status,
                                 .content_type = type,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = exact,
                                 .len = strlen(body)};
    enum shop_answer_verdict verdict = shop_read_answer(&source, &fetch, &answer, &facts, &detail);
    assert_int_equal(facts.set_aside, SET_ASIDE_NONE);
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

struct answer_case {
    const char *what;
    enum fact_need_kind kind;
    int status;
    const char *type, *body, *expected;
};

static void check_answers(const struct answer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = answer_text(cases[i].kind, cases[i].status, cases[i].type, cases[i].body);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

static void orders_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"an order", NEED_ORDER, 200, JSON, ORDER,
         "read: [12 paid at=2026-11-23T09:00:00Z paid=- read=2026-11-23T10:00:00Z total=30000000 "
         "address=absent lines: listed: 13=20000000{?}]"},
        {"a gone order", NEED_ORDER, 404, JSON, GONE,
         "read: [12 cancelled at=2026-11-23T10:00:00Z paid=- read=2026-11-23T10:00:00Z total=-1 "
         "address=absent lines?]"},
        {"a time after the answer's own", NEED_ORDER, 200, "application/json",
         "{\"id\":\"12\",\"status\":\"pending\",\"line_items\":[],"
         "\"date_modified_gmt\":\"2026-11-23T11:00:00\"}",
         "read: [12 pending at=2026-11-23T10:05:00Z claimed=2026-11-23T11:00:00Z paid=- "
         "read=2026-11-23T10:00:00Z total=-1 address=absent lines:]"},
        {"another order", NEED_ORDER, 200, JSON,
         "{\"id\":13,\"status\":\"pending\",\"line_items\":[],"
         "\"date_modified_gmt\":\"2026-11-23T09:00:00\"}",
         "refused: the shop answered with another order than was asked for"},
        {"no order", NEED_ORDER, 200, JSON, "{\"id\":12}",
         "refused: the shop answered with something that is no order: it has no id, status and "
         "line_items"},
        {"an order without a time", NEED_ORDER, 200, JSON,
         "{\"id\":12,\"status\":\"pending\",\"line_items\":[]}",
         "refused: the answer cannot be used: `date_modified_gmt` is missing"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

#define DETAIL " detail{"
#define AT "} at=2026-11-23T09:30:00Z]"

static void refunds_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"none", NEED_REFUNDS, 200, JSON, "[]", "read: [12]"},
        {"by amount", NEED_REFUNDS, 200, JSON, "[" REFUND("14", "") "]",
         "read: [12 refund:done 14=20000000" DETAIL AT},
        {"two pieces of a line", NEED_REFUNDS, 200, JSON, "[" REFUND("13", ITEM("-2", "\"2\"")) "]",
         "read: [12 refund:done 13=20000000" DETAIL "2*2" AT},
        {"a number, a positive quantity, twice the same line", NEED_REFUNDS, 200, JSON,
         "[" REFUND("13", ITEM("2", "2") "," ITEM("-1", "\"2\"") "," ITEM("-1", "5")) "]",
         "read: [12 refund:done 13=20000000" DETAIL "2*3,5*1" AT},
        {"only money of a line", NEED_REFUNDS, 200, JSON, "[" REFUND("13", ITEM("0", "\"2\"")) "]",
         "read: [12 refund:done 13=20000000" DETAIL AT},
        {"a line that names none", NEED_REFUNDS, 200, JSON,
         "[" REFUND("13", "{\"id\":3,\"quantity\":-2,\"meta_data\":[]}") "]",
         "read: [12 refund:done 13=20000000" DETAIL "?" AT},
        {"an order that is gone", NEED_REFUNDS, 404, JSON,
         "{\"code\":\"woocommerce_rest_invalid_order_id\"}",
         "read: [12 cancelled at=2026-11-23T10:00:00Z paid=- read=2026-11-23T10:00:00Z total=-1 "
         "address=absent lines?]"},
        {"no list", NEED_REFUNDS, 200, JSON, ORDER,
         "refused: the shop answered with something that is no list of refunds"},
        {"twins", NEED_REFUNDS, 200, JSON, "[" REFUND("1", "") "," REFUND("\"1\"", "") "]",
         "refused: the answer cannot be used: two refunds of the order have one id"},
        {"no id", NEED_REFUNDS, 200, JSON, "[" REFUND("1", "") ",7]",
         "refused: the answer cannot be used: `id` is missing"},
        {"an impossible line", NEED_REFUNDS, 200, JSON,
         "[" REFUND("13", ITEM("-2000000000", "2")) "]",
         "refused: the answer cannot be used: `quantity` is beyond any quantity"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

static void byte_order_mark_is_skipped(void **state)
{
    static const struct answer_case cases[] = {
        {"before an order", NEED_ORDER, 200, JSON, "\xef\xbb\xbf" ORDER,
         "read: [12 paid at=2026-11-23T09:00:00Z paid=- read=2026-11-23T10:00:00Z total=30000000 "
         "address=absent lines: listed: 13=20000000{?}]"},
        {"before no refunds", NEED_REFUNDS, 200, JSON, "\xef\xbb\xbf[]", "read: [12]"},
        {"before nothing", NEED_ORDER, 200, JSON, "\xef\xbb\xbf",
         "later: the shop's answer cannot be read: it is empty"},
        {"twice", NEED_ORDER, 200, JSON, "\xef\xbb\xbf\xef\xbb\xbf" ORDER,
         "later: the shop's answer cannot be read: it is not JSON"},
        {"half of one", NEED_ORDER, 200, JSON, "\xef\xbb",
         "later: the shop's answer cannot be read: it is not UTF-8"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

/* One answer of a shop whose clock is `ahead` of ours. */
static char *skewed_text(enum fact_need_kind kind, int status, const char *body, int64_t ahead,
                         int64_t received_at)
{
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0};
    assert_int_equal(kind == NEED_ORDER ? shop_fetch_order(&source, "12", &fetch)
                                        : shop_fetch_for(&source, "12", &refunds_need, &fetch),
                     0);
    struct shop_answer answer = {.status = status,
                                 .content_type = JSON,
                                 .date = RECEIVED + ahead,
                                 .received_at = received_at,
                                 .body = body,
                                 .len = strlen(body)};
    assert_int_equal(shop_read_answer(&source, &fetch, &answer, &facts, &detail), SHOP_ANSWER_READ);
    char *text = facts_text(&facts);
    buf_free(&detail);
    facts_free(&facts);
    shop_fetch_free(&fetch);
    return text;
}

#define AHEAD                                                 \
    "{\"id\":12,\"status\":\"processing\",\"line_items\":[]," \
    "\"date_paid_gmt\":\"2026-11-23T11:00:00\","              \
    "\"date_modified_gmt\":\"2026-11-23T11:00:00\"}"

/* Otherwise what it said an hour ahead would rule for an hour. */
static void shop_clock_ahead_is_cut_to_our_receipt(void **state)
{
    static const struct {
        const char *what;
        enum fact_need_kind kind;
        int status;
        const char *body;
        int64_t ahead, received_at;
        const char *expected;
    } cases[] = {
        {"an order", NEED_ORDER, 200, AHEAD, TIME_HOUR, RECEIVED,
         "[12 paid at=2026-11-23T10:05:00Z claimed=2026-11-23T11:00:00Z paid=2026-11-23T10:05:00Z "
         "read=2026-11-23T10:05:00Z total=-1 address=absent lines:]"},
        {"gone", NEED_ORDER, 404, GONE, TIME_HOUR, RECEIVED,
         "[12 cancelled at=2026-11-23T10:05:00Z claimed=2026-11-23T11:00:00Z paid=- "
         "read=2026-11-23T10:05:00Z total=-1 address=absent lines?]"},
        {"a little ahead", NEED_ORDER, 404, GONE, TIME_MINUTE, RECEIVED,
         "[12 cancelled at=2026-11-23T10:01:00Z paid=- read=2026-11-23T10:01:00Z total=-1 "
         "address=absent lines?]"},
        {"behind", NEED_ORDER, 404, GONE, -TIME_HOUR, RECEIVED,
         "[12 cancelled at=2026-11-23T09:00:00Z paid=- read=2026-11-23T09:00:00Z total=-1 "
         "address=absent lines?]"},
        {"our own clock not told", NEED_ORDER, 404, GONE, TIME_HOUR, 0,
         "[12 cancelled at=2026-11-23T11:00:00Z paid=- read=2026-11-23T11:00:00Z total=-1 "
         "address=absent lines?]"},
        {"a refund", NEED_REFUNDS, 200,
         "[{\"id\":1,\"date_created_gmt\":\"2026-11-23T11:00:00\"},{\"id\":2,\"amount\":\"x\"}]",
         TIME_HOUR, RECEIVED,
         "[12 refund:done 1=0 detail{?} at=2026-11-23T10:05:00Z refund:done 2=0 detail{?} "
         "at=2026-11-23T10:05:00Z]"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = skewed_text(cases[i].kind, cases[i].status, cases[i].body, cases[i].ahead,
                                 cases[i].received_at);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define REFUSED_KEY                                                                      \
    "): check that api_key_file holds ck_...:cs_... of a user who may read orders, and " \
    "that api_url begins with https://"

static void other_answers_wait_or_are_told(void **state)
{
    static const struct answer_case cases[] = {
        {"401", NEED_ORDER, 401, JSON, "{\"code\":\"woocommerce_rest_cannot_view\"}",
         "refused: the shop refused the key (401" REFUSED_KEY},
        {"403 as HTML", NEED_ORDER, 403, "text/html", "<h1>Forbidden</h1>",
         "refused: the shop refused the key (403" REFUSED_KEY},
        {"404 as HTML", NEED_ORDER, 404, "text/html", "<h1>Not found</h1>",
         "refused: the shop has no such address: check that api_url is the shop's own and that its "
         "permalinks are on"},
        {"no such route", NEED_ORDER, 404, JSON, "{\"code\":\"rest_no_route\"}",
         "refused: the shop has no such address: check that api_url is the shop's own and that "
         "WooCommerce's REST API is on"},
        {"429", NEED_ORDER, 429, JSON, "{}", "later: the shop answered 429"},
        {"500", NEED_REFUNDS, 500, "text/html", "oops", "later: the shop answered 500"},
        {"503", NEED_ORDER, 503, "", "", "later: the shop answered 503"},
        {"a redirect", NEED_ORDER, 302, "text/html", "", "later: the shop answered 302"},
        {"200 from a firewall", NEED_ORDER, 200, "text/html", "<html>Checking</html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"200, another type", NEED_ORDER, 200, "application/jsonp", ORDER,
         "later: the shop's answer cannot be read: it is not JSON"},
        {"200 cut short", NEED_ORDER, 200, JSON, "{\"id\":12,",
         "later: the shop's answer cannot be read: it is cut short"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

/* What was read is added to what is there; what could not be is not. */
static void answers_add_to_what_is_known(void **state)
{
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0};
    (void)state;
    shop_read(&source, ORDER, strlen(ORDER), RECEIVED, &facts);
    assert_int_equal(facts.orders[0].need_count, 1);
    assert_int_equal(facts.orders[0].needs[0].kind, NEED_REFUNDS);
    assert_int_equal(shop_fetch_for(&source, "12", &refunds_need, &fetch), 0);
    static const char broken[] = "[" REFUND("13", "") "," REFUND("null", "") "]";
    static const char whole[] = "[" REFUND("13", "") "]";
    struct shop_answer answer = {.status = 200,
                                 .content_type = JSON,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = broken,
                                 .len = strlen(broken)};
    assert_int_equal(shop_read_answer(&source, &fetch, &answer, &facts, &detail),
                     SHOP_ANSWER_REFUSED);
    assert_int_equal(facts.order_count, 1);
    answer.body = whole;
    answer.len = strlen(whole);
    assert_int_equal(shop_read_answer(&source, &fetch, &answer, &facts, &detail), SHOP_ANSWER_READ);
    assert_int_equal(facts.order_count, 2);
    assert_non_null(facts.orders[0].snapshot);
    assert_int_equal(facts.orders[1].refund_count, 1);
    assert_int_equal(facts.orders[1].need_count, 0);
    buf_free(&detail);
    facts_free(&facts);
    shop_fetch_free(&fetch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_made_of_digits_and_keys),
        cmocka_unit_test(keys_in_one_line_or_two),
        cmocka_unit_test(orders_are_read),
        cmocka_unit_test(refunds_are_read),
        cmocka_unit_test(byte_order_mark_is_skipped),
        cmocka_unit_test(shop_clock_ahead_is_cut_to_our_receipt),
        cmocka_unit_test(other_answers_wait_or_are_told),
        cmocka_unit_test(answers_add_to_what_is_known),
    };
    source = source_make(PROVIDER_WOOCOMMERCE, "s3cret", NULL);
    source.api_url = xstrdup("https://shop.example.test");
    add_key(&source, "ck_1:cs_1");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
