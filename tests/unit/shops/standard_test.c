/*
 * The project's own order shape, as a shop without an adapter sends it.
 */
#include "support.h"

#define EVENT(data) \
    "{\"type\":\"order.updated\",\"timestamp\":\"2026-11-23T09:00:00Z\",\"data\":{" data "}}"
#define STATUS(status, rest) EVENT("\"id\":\"A-1\",\"status\":\"" status "\",\"lines\":[]" rest)
#define CALM "]"
#define AT(paid) " at=2026-11-23T09:00:00Z paid=" paid " total=-1 address="
#define LINES(lines) EVENT("\"id\":1,\"status\":\"paid\",\"lines\":[" lines "]")
#define NO_LINE "the order is paid, but none of its lines has an id and a whole quantity"

static struct settings_source source;

static void statuses(void **state)
{
    static const struct reading_case cases[] = {
        {"pending", STATUS("pending", ""), "[A-1 pending" AT("-") "absent lines:" CALM},
        {"paid", STATUS("paid", ""), "[A-1 paid" AT("-") "absent lines:" CALM},
        {"cancelled", STATUS("cancelled", ""), "[A-1 cancelled" AT("-") "absent lines:" CALM},
        {"refunded", STATUS("refunded", ""), "[A-1 refunded" AT("-") "absent lines:" CALM},
        {"disputed", STATUS("disputed", ""), "[A-1 paid" AT("-") "absent lines: disputed]"},
        {"a pending order has no time of payment",
         STATUS("pending", ",\"paid_at\":\"2026-11-22T09:00:00Z\""),
         "[A-1 pending" AT("-") "absent lines:" CALM},
        {"another word", STATUS("shipped", ""),
         "malformed: `data.status` is none of pending, paid, cancelled, refunded, disputed"},
        {"no status", EVENT("\"id\":1,\"lines\":[]"),
         "malformed: `data.status` is none of pending, paid, cancelled, refunded, disputed"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void whole_orders(void **state)
{
    static const struct reading_case cases[] = {
        {"everything told",
         EVENT(
             "\"id\":\"A-1\",\"status\":\"paid\",\"email\":\"Zoe@Example.test\","
             "\"updated_at\":\"2026-11-23T09:30:00.25Z\",\"paid_at\":\"2026-11-23T09:10:00Z\","
             "\"lines\":[{\"id\":\"1\",\"product\":\"10\",\"variant\":null,\"sku\":\"ICONS\","
             "\"quantity\":2,\"refunded_quantity\":1},{\"id\":2,\"product\":10,\"variant\":\"L\",\"quantity\":1}],"
             "\"metadata\":{\"miro_reference\":\"abc-1\"}"),
         "[A-1 paid at=2026-11-23T09:30:00.250000Z paid=2026-11-23T09:10:00Z total=-1 "
         "address=zoe@example.test reference=abc-1 lines: 1(10/-/ICONS)*2-1 2(10/L/-)*1-0]"},
        {"a year ahead", STATUS("paid", ",\"updated_at\":\"2027-11-23T09:00:00Z\""),
         "[A-1 paid at=2026-11-23T10:05:00Z claimed=2027-11-23T09:00:00Z paid=- "
         "total=-1 address=absent lines:]"},
        {"no address, empty metadata", STATUS("paid", ",\"email\":null,\"metadata\":{}"),
         "[A-1 paid" AT("-") "absent lines:" CALM},
        {"any order event",
         "{\"type\":\"order.\",\"data\":{\"id\":7,\"status\":\"pending\",\"lines\":[],"
         "\"updated_at\":\"2026-11-23T09:00:00Z\"}}",
         "[7 pending" AT("-") "absent lines:" CALM},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void what_is_set_aside(void **state)
{
    static const struct reading_case cases[] = {
        {"another event", "{\"type\":\"customer.updated\",\"data\":{}}",
         "not_an_order: `type` does not begin with order."},
        {"almost an order", "{\"type\":\"orders.updated\",\"data\":{}}",
         "not_an_order: `type` does not begin with order."},
        {"no type", "{\"data\":{}}", "malformed: `type` is missing"},
        {"no data", "{\"type\":\"order.paid\"}", "malformed: `data` is not an object"},
        {"data a list", "{\"type\":\"order.paid\",\"data\":[]}",
         "malformed: `data` is not an object"},
        {"no id", EVENT("\"status\":\"paid\",\"lines\":[]"), "malformed: `id` is missing"},
        {"no lines", EVENT("\"id\":1,\"status\":\"paid\""),
         "malformed: `data.lines` is not a list"},
        {"lines an object", EVENT("\"id\":1,\"status\":\"paid\",\"lines\":{}"),
         "malformed: `data.lines` is not a list"},
        {"no time at all",
         "{\"type\":\"order.paid\",\"data\":{\"id\":1,\"status\":\"paid\",\"lines\":[]}}",
         "malformed: neither `data.updated_at` nor `timestamp` is told"},
        {"a time that is none", STATUS("paid", ",\"updated_at\":\"yesterday\""),
         "malformed: `updated_at` is not a time"},
        {"more given back than can be", LINES("{\"id\":1,\"quantity\":1,\"refunded_quantity\":-1}"),
         "malformed: " NO_LINE},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define ODD_LINE(line) LINES("{\"id\":7,\"product\":\"10\",\"quantity\":1}," line)
#define ODD_READ "[1 paid" AT("-") "absent lines: 7(10/-/-)*1-0"

static void one_odd_field_sets_no_paid_order_aside(void **state)
{
    static const struct reading_case cases[] = {
        {"no id", ODD_LINE("{\"product\":\"50\",\"quantity\":1}"), ODD_READ CALM},
        {"no quantity", ODD_LINE("{\"id\":8}"), ODD_READ CALM},
        {"a discount", ODD_LINE("{\"id\":8,\"quantity\":-1}"), ODD_READ CALM},
        {"half a piece back", ODD_LINE("{\"id\":8,\"quantity\":1,\"refunded_quantity\":0.5}"),
         ODD_READ CALM},
        {"odd selectors",
         ODD_LINE("{\"id\":8,\"product\":\"a\\u0000b\",\"variant\":[],\"sku\":\"a\\nb\","
                  "\"quantity\":1}"),
         ODD_READ " 8(-/-/-)*1-0" CALM},
        {"none left", LINES("{\"quantity\":1},{\"id\":8,\"quantity\":0.5}"), "malformed: " NO_LINE},
        {"a zero date of payment", STATUS("paid", ",\"paid_at\":\"0000-00-00T00:00:00\""),
         "[A-1 paid" AT("-") "absent lines:" CALM},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* A term begins once: an event that does not say when the order was paid must not say "now". */
static void untold_payment_is_not_the_event(void **state)
{
    static const struct reading_case cases[] = {
        {"not told", STATUS("paid", ",\"updated_at\":\"2026-11-23T09:30:00Z\""),
         "[A-1 paid at=2026-11-23T09:30:00Z paid=- total=-1 address=absent lines:]"},
        {"told", STATUS("paid", ",\"paid_at\":\"2026-11-22T09:00:00Z\""),
         "[A-1 paid" AT("2026-11-22T09:00:00Z") "absent lines:" CALM},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* A selector is at most as long as its column: a longer one is as good as none. */
static void long_selectors_are_not_told(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct buf body = {0};
        struct facts facts = {0};
        buf_puts(&body,
                 "{\"type\":\"order.paid\",\"timestamp\":\"2026-11-23T09:00:00Z\",\"data\":"
                 "{\"id\":1,\"status\":\"paid\",\"lines\":[{\"id\":1,\"quantity\":1,\"sku\":\"");
        for (int i = 0; i < LIMIT_SELECTOR + extra; i++)
            buf_putc(&body, 's');
        buf_puts(&body, "\"}]}}");
        shop_read(&source, body.data, body.len, RECEIVED, &facts);
        assert_int_equal(facts.set_aside, SET_ASIDE_NONE);
        assert_int_equal(facts.orders[0].snapshot->lines[0].sku == NULL, extra);
        facts_free(&facts);
        buf_free(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(whole_orders),
        cmocka_unit_test(what_is_set_aside),
        cmocka_unit_test(one_odd_field_sets_no_paid_order_aside),
        cmocka_unit_test(untold_payment_is_not_the_event),
        cmocka_unit_test(long_selectors_are_not_told),
    };
    source = source_make(PROVIDER_STANDARD, "whsec_c2VjcmV0IGtleQ==", NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
