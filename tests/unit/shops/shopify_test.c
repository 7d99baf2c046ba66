/*
 * What a Shopify delivery says: orders, refunds, disputes and hints, told apart by their shape.
 */
#include "support.h"

#define UPDATED "\"updated_at\":\"2026-11-23T04:59:58-05:00\""
#define PROCESSED "\"processed_at\":\"2026-11-23T04:00:00-05:00\""
#define LINE                                                                       \
    "{\"id\":820982911946154508,\"product_id\":632910392,\"variant_id\":39072856," \
    "\"sku\":\"GREEN\",\"quantity\":3,\"current_quantity\":1}"
#define ORDER(status, rest)                                                                   \
    "{\"id\":450789469,\"financial_status\":" status ",\"test\":false," UPDATED "," PROCESSED \
    ",\"line_items\":[]" rest "}"
#define AT " at=2026-11-23T09:59:58Z paid="
#define PAID_AT "2026-11-23T09:00:00Z total=-1 address=absent lines:]"
#define UNPAID "- total=-1 address=absent lines:]"

static struct settings_source source;

static void statuses(void **state)
{
    static const struct reading_case cases[] = {
        {"paid", ORDER("\"paid\"", ""), "[450789469 paid" AT PAID_AT},
        {"partly refunded", ORDER("\"partially_refunded\"", ""), "[450789469 paid" AT PAID_AT},
        {"refunded", ORDER("\"refunded\"", ""), "[450789469 refunded" AT PAID_AT},
        {"voided", ORDER("\"voided\"", ""), "[450789469 cancelled" AT UNPAID},
        {"pending", ORDER("\"pending\"", ""), "[450789469 pending" AT UNPAID},
        {"authorized", ORDER("\"authorized\"", ""), "[450789469 pending" AT UNPAID},
        {"partly paid", ORDER("\"partially_paid\"", ""), "[450789469 pending" AT UNPAID},
        {"expired", ORDER("\"expired\"", ""), "[450789469 pending" AT UNPAID},
        {"null", ORDER("null", ""), "[450789469 pending" AT UNPAID},
        {"not cancelled", ORDER("\"paid\"", ",\"cancelled_at\":null"),
         "[450789469 paid" AT PAID_AT},
        {"cancelled", ORDER("\"paid\"", ",\"cancelled_at\":\"2026-11-23T04:59:58-05:00\""),
         "[450789469 cancelled" AT PAID_AT},
        {"cancelled and refunded",
         ORDER("\"refunded\"", ",\"cancelled_at\":\"2026-11-23T04:59:58-05:00\""),
         "[450789469 refunded" AT PAID_AT},
        {"a word of tomorrow", ORDER("\"half_paid\"", ""),
         "malformed: `financial_status` is none that this version knows"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* Shopify's own sample for orders/paid is voided, cancelled and a test. */
#define SAMPLE(test)                                                                   \
    "{\"id\":820982911946154508,\"financial_status\":\"voided\",\"test\":" test ","    \
    "\"cancelled_at\":\"2021-12-31T19:00:00-05:00\",\"email\":\"jon@example.com\","    \
    "\"updated_at\":\"2021-12-31T19:00:00-05:00\",\"refunds\":[],\"line_items\":["     \
    "{\"id\":487817672276298554,\"product_id\":null,\"variant_id\":null,\"sku\":null," \
    "\"quantity\":1,\"current_quantity\":1}]}"
#define SAMPLE_READ                                                          \
    "[820982911946154508 cancelled at=2022-01-01T00:00:00Z paid=- total=-1 " \
    "address=jon@example.com lines: 487817672276298554(-/-/-)*1-0 listed:]"

static void modes_never_mix(void **state)
{
    static const struct reading_case live[] = {
        {"a test in a live shop", SAMPLE("true"),
         "wrong_mode: it is a test order, and this source has live = true"},
        {"a live order", SAMPLE("false"), SAMPLE_READ},
        {"not told", SAMPLE("null"), SAMPLE_READ},
    };
    static const struct reading_case test[] = {
        {"a test in a test shop", SAMPLE("true"), SAMPLE_READ},
        {"a live order in a test shop", SAMPLE("false"),
         "wrong_mode: it is a live order, and this source has live = false"},
    };
    (void)state;
    check_readings(&source, live, COUNT(live));
    source.live = false;
    check_readings(&source, test, COUNT(test));
    source.live = true;
}

#define REFUND_PARTS                                                                  \
    "\"refund_line_items\":[{\"line_item_id\":7,\"quantity\":1},{\"line_item_id\":8," \
    "\"quantity\":2},{\"line_item_id\":7,\"quantity\":1}],\"transactions\":["         \
    "{\"kind\":\"refund\",\"status\":\"success\",\"amount\":\"75.00\"},"              \
    "{\"kind\":\"refund\",\"status\":\"failure\",\"amount\":\"99.00\"},"              \
    "{\"kind\":\"void\",\"status\":\"success\",\"amount\":\"98.00\"},"                \
    "{\"kind\":\"refund\",\"status\":\"success\",\"amount\":10.5}]"

static void lines_refunds_and_buyers(void **state)
{
    static const struct reading_case cases[] = {
        {"lines and a listed refund",
         "{\"id\":1,\"financial_status\":\"paid\"," UPDATED ",\"total_price\":\"598.94\","
         "\"line_items\":[" LINE ",{\"id\":2,\"quantity\":1}],"
         "\"refunds\":[{\"id\":509562969," REFUND_PARTS "},{\"id\":5}]}",
         "[1 paid at=2026-11-23T09:59:58Z paid=- total=598940000 address=absent lines: "
         "820982911946154508(632910392/39072856/GREEN)*3-2 2(-/-/-)*1-0 listed: "
         "509562969=85500000{7*2,8*2} 5=0{?}]"},
        {"something behind", ORDER("\"paid\"", "") "x",
         "malformed: the body cannot be "
         "read: it is not JSON"},
        {"the order's address",
         ORDER("null", ",\"email\":\"A@B.test\",\"contact_email\":\"c@d.test\""),
         "[450789469 pending" AT "- total=-1 address=a@b.test lines:]"},
        {"the one to contact",
         ORDER("null", ",\"email\":null,\"contact_email\":\"c@d.test\","
                       "\"customer\":{\"email\":\"e@f.test\"}"),
         "[450789469 pending" AT "- total=-1 address=c@d.test lines:]"},
        {"the customer's",
         ORDER("null",
               ",\"email\":\"\",\"contact_email\":null,\"customer\":{\"email\":\"e@f.test\"}"),
         "[450789469 pending" AT "- total=-1 address=e@f.test lines:]"},
        {"nobody", ORDER("null", ",\"email\":null,\"customer\":null"),
         "[450789469 pending" AT UNPAID},
        {"a reference",
         ORDER("null", ",\"note_attributes\":[{\"name\":\"colour\",\"value\":\"green\"},"
                       "{\"name\":\"miro_reference\",\"value\":\"abc-1\"}]"),
         "[450789469 pending" AT "- total=-1 address=absent reference=abc-1 lines:]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void refunds_by_themselves(void **state)
{
    static const struct reading_case cases[] = {
        {"processed and created",
         "{\"id\":890088186047892319,\"order_id\":820982911946154508,"
         "\"created_at\":\"2026-11-23T09:00:00Z\",\"processed_at\":\"2026-11-23T09:00:05Z\"," REFUND_PARTS
         "}",
         "[820982911946154508 refund:done 890088186047892319=85500000{7*2,8*2} "
         "at=2026-11-23T09:00:05Z]"},
        {"processing dated back, as imports do",
         "{\"id\":1,\"order_id\":2,\"created_at\":\"2026-11-23T09:00:00Z\","
         "\"processed_at\":\"2020-01-01T00:00:00Z\",\"refund_line_items\":[]}",
         "[2 refund:done 1=0{} at=2026-11-23T09:00:00Z]"},
        {"no time of its own", "{\"id\":1,\"order_id\":2,\"refund_line_items\":[]}",
         "[2 refund:done 1=0{} at=2026-11-23T10:00:00Z]"},
        {"a year ahead",
         "{\"id\":1,\"order_id\":2,\"created_at\":\"2027-11-23T09:00:00Z\",\"refund_line_items\":[]}",
         "[2 refund:done 1=0{} at=2026-11-23T10:05:00Z]"},
        {"no order", "{\"id\":1,\"order_id\":null,\"refund_line_items\":[]}",
         "malformed: `order_id` is missing"},
        {"a line below 0",
         "{\"id\":1,\"order_id\":2,\"refund_line_items\":[{\"line_item_id\":1,\"quantity\":-1}]}",
         "malformed: a line of the refund has no line_item_id or no whole quantity"},
        {"a line of no line", "{\"id\":1,\"order_id\":2,\"refund_line_items\":[{\"quantity\":1}]}",
         "malformed: a line of the refund has no line_item_id or no whole quantity"},
        {"more of a line than can be",
         "{\"id\":1,\"order_id\":2,\"refund_line_items\":[{\"line_item_id\":1,\"quantity\":"
         "1000000000},{\"line_item_id\":1,\"quantity\":1}]}",
         "malformed: a refund has too many lines, or gives back an impossible quantity"},
        {"an amount in words",
         "{\"id\":1,\"order_id\":2,\"refund_line_items\":[],\"transactions\":[{\"kind\":\"refund\","
         "\"status\":\"success\",\"amount\":\"much\"},{\"kind\":\"refund\",\"status\":\"success\","
         "\"amount\":\"1.23456789\"}]}",
         "[2 refund:done 1=1234567{} at=2026-11-23T10:00:00Z]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define DISPUTE(type, status, times)                                                        \
    "{\"id\":285332461850802050,\"order_id\":12,\"type\":\"" type "\",\"status\":\"" status \
    "\"" times "}"
#define BEGUN ",\"initiated_at\":\"2026-11-20T19:00:00-05:00\""
#define BEGUN_AT " 285332461850802050 at=2026-11-21T00:00:00Z]"

static void disputes(void **state)
{
    static const struct reading_case cases[] = {
        {"asked", DISPUTE("chargeback", "needs_response", BEGUN), "[12 dispute:open" BEGUN_AT},
        {"under review", DISPUTE("chargeback", "under_review", BEGUN ",\"finalized_on\":null"),
         "[12 dispute:open" BEGUN_AT},
        {"won", DISPUTE("chargeback", "won", BEGUN ",\"finalized_on\":\"2026-11-22T12:00:00Z\""),
         "[12 dispute:won 285332461850802050 at=2026-11-22T12:00:00Z]"},
        {"lost, on a day", DISPUTE("chargeback", "lost", BEGUN ",\"finalized_on\":\"2026-11-22\""),
         "[12 dispute:lost 285332461850802050 at=2026-11-22T23:59:59Z]"},
        {"accepted", DISPUTE("chargeback", "accepted", BEGUN), "[12 dispute:lost" BEGUN_AT},
        {"charge refunded", DISPUTE("chargeback", "charge_refunded", BEGUN),
         "[12 dispute:lost" BEGUN_AT},
        {"only a question", DISPUTE("inquiry", "needs_response", BEGUN),
         "[12 dispute:inquiry" BEGUN_AT},
        {"no time", DISPUTE("chargeback", "won", ""),
         "[12 dispute:won 285332461850802050 at=2026-11-23T10:00:00Z]"},
        {"prevented", DISPUTE("chargeback", "prevented", BEGUN),
         "[12 dispute:none 285332461850802050 at=2026-11-21T00:00:00.000001Z]"},
        {"a word of tomorrow", DISPUTE("chargeback", "settled", ""),
         "malformed: `status` is none that this version knows"},
        {"a day that is none", DISPUTE("chargeback", "won", ",\"finalized_on\":\"2026-13-22\""),
         "malformed: `finalized_on` is not a time"},
        {"of no order", "{\"id\":1,\"order_id\":null,\"type\":\"chargeback\",\"status\":\"won\"}",
         "not_an_order: the dispute belongs to no order"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* The same words say the same time, whenever they come. */
static void a_day_is_not_cut_to_the_receipt(void **state)
{
    static const char today[] =
        DISPUTE("chargeback", "won",
                BEGUN ",\"evidence_sent_on\":\"2026-11-23\",\"finalized_on\":\"2026-11-23\"");
    static const struct reading_case cases[] = {
        {"a zero day is none",
         DISPUTE("chargeback", "won", BEGUN ",\"finalized_on\":\"0000-00-00\""),
         "[12 dispute:won" BEGUN_AT},
        {"a moment is cut",
         DISPUTE("chargeback", "won", ",\"finalized_on\":\"2026-11-23T23:59:59Z\""),
         "[12 dispute:won 285332461850802050 at=2026-11-23T10:05:00Z]"},
        {"a day that nobody has yet",
         DISPUTE("chargeback", "won", ",\"finalized_on\":\"2030-01-01\""),
         "[12 dispute:won 285332461850802050 at=2026-11-25T10:05:00Z]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
    for (int day = 0; day < 3; day++) {
        struct facts facts = {0};
        shop_read(&source, today, strlen(today), RECEIVED + day * TIME_DAY, &facts);
        char *text = facts_text(&facts);
        assert_string_equal(text, "[12 dispute:won 285332461850802050 at=2026-11-23T23:59:59Z]");
        free(text);
        facts_free(&facts);
    }
}

#define GIVEN_BACK(amount, currency)                                                          \
    "\"refunds\":[{\"id\":5,\"refund_line_items\":[],\"transactions\":[{\"kind\":\"refund\"," \
    "\"status\":\"success\",\"amount\":\"" amount "\",\"currency\":\"" currency "\"}]}]"
#define SOLD(refunds)                                                                         \
    "{\"id\":1,\"financial_status\":\"partially_refunded\"," UPDATED ",\"currency\":\"USD\"," \
    "\"total_price\":\"60.00\",\"line_items\":[{\"id\":2,\"quantity\":1}]," refunds "}"
#define SOLD_READ(total)                                  \
    "[1 paid at=2026-11-23T09:59:58Z paid=- total=" total \
    " address=absent lines: 2(-/-/-)*1-0 listed: "

/* The shop says that the order is not refunded whole, whatever the amounts come to. */
static void what_is_listed_is_not_the_whole(void **state)
{
    static const struct reading_case cases[] = {
        {"100 yen of 60 dollars", SOLD(GIVEN_BACK("100", "JPY")),
         SOLD_READ("100000001") "5=100000000{}]"},
        {"60 of what an edit made 100", SOLD(GIVEN_BACK("60.00", "USD")),
         SOLD_READ("60000001") "5=60000000{}]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define ODD_LINE(line) \
    "{\"id\":1,\"financial_status\":\"paid\"," UPDATED ",\"line_items\":[" LINE "," line "]}"
#define ODD_READ                                                             \
    "[1 paid at=2026-11-23T09:59:58Z paid=- total=-1 address=absent lines: " \
    "820982911946154508(632910392/39072856/GREEN)*3-2"
#define NO_LINE "malformed: the order is paid, but none of its lines has an id and a whole quantity"

static void one_odd_field_sets_no_paid_order_aside(void **state)
{
    static const struct reading_case cases[] = {
        {"no id", ODD_LINE("{\"quantity\":1}"), ODD_READ "]"},
        {"no quantity", ODD_LINE("{\"id\":2}"), ODD_READ "]"},
        {"half a piece", ODD_LINE("{\"id\":2,\"quantity\":0.5}"), ODD_READ "]"},
        {"half a piece left", ODD_LINE("{\"id\":2,\"quantity\":1,\"current_quantity\":0.5}"),
         ODD_READ "]"},
        {"fewer than none left", ODD_LINE("{\"id\":2,\"quantity\":1,\"current_quantity\":-1}"),
         ODD_READ "]"},
        {"odd selectors",
         ODD_LINE("{\"id\":2,\"quantity\":1,\"sku\":\"a\\nb\",\"product_id\":{},"
                  "\"variant_id\":1.5}"),
         ODD_READ " 2(-/-/-)*1-0]"},
        {"all odd",
         "{\"id\":1,\"financial_status\":\"paid\"," UPDATED ",\"line_items\":[{\"id\":2}]}",
         NO_LINE},
        {"a zero date of payment",
         "{\"id\":1,\"financial_status\":\"paid\",\"processed_at\":\"0000-00-00T00:00:00\"," UPDATED
         ",\"line_items\":[]}",
         "[1 paid at=2026-11-23T09:59:58Z paid=- total=-1 address=absent lines:]"},
        {"a listed refund's odd line",
         "{\"id\":1,\"financial_status\":\"paid\"," UPDATED ",\"line_items\":[" LINE "],"
         "\"refunds\":[{\"id\":3,\"refund_line_items\":[{\"line_item_id\":7,\"quantity\":1},"
         "{\"line_item_id\":null,\"quantity\":1}]}]}",
         ODD_READ " listed: 3=0{?7*1}]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define NO_ORDER "not_an_order: the body is no order, refund or dispute of Shopify"

static void the_rest(void **state)
{
    static const struct reading_case cases[] = {
        {"deleted", "{\"id\":820982911946154508}", "[820982911946154508 hint]"},
        {"edited", "{\"order_edit\":{\"id\":1,\"order_id\":820982911946154508}}",
         "[820982911946154508 hint]"},
        {"edited, of no order", "{\"order_edit\":{\"id\":1}}", "malformed: `order_id` is missing"},
        {"a fulfilment", "{\"id\":1,\"order_id\":2,\"status\":\"success\",\"line_items\":[]}",
         NO_ORDER},
        {"a transaction", "{\"id\":1,\"order_id\":2,\"kind\":\"sale\",\"status\":\"success\"}",
         NO_ORDER},
        {"a subscription contract",
         "{\"id\":1634929605,\"status\":\"active\",\"origin_order_id\":1}", NO_ORDER},
        {"no time", "{\"id\":1,\"financial_status\":\"paid\",\"line_items\":[]}",
         "malformed: `updated_at` is missing"},
        {"id a fraction",
         "{\"id\":820982911946154508.0,\"financial_status\":\"paid\",\"line_items\":[]}",
         "malformed: `id` is neither a whole number nor a string"},
        {"not JSON", "<order/>", "malformed: the body cannot be read: it is not JSON"},
    };
    struct shop_fetch fetch;
    (void)state;
    check_readings(&source, cases, COUNT(cases));
    assert_false(shop_has_api(&source));
    assert_int_equal(shop_fetch_order(&source, "1", &fetch), -1);
    assert_int_equal(
        shop_fetch_for(&source, "1", &(struct fact_need){.kind = NEED_REFUNDS}, &fetch), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(modes_never_mix),
        cmocka_unit_test(lines_refunds_and_buyers),
        cmocka_unit_test(refunds_by_themselves),
        cmocka_unit_test(disputes),
        cmocka_unit_test(a_day_is_not_cut_to_the_receipt),
        cmocka_unit_test(what_is_listed_is_not_the_whole),
        cmocka_unit_test(one_odd_field_sets_no_paid_order_aside),
        cmocka_unit_test(the_rest),
    };
    source = source_make(PROVIDER_SHOPIFY, "s3cret", NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
