/*
 * The project's own order shape, as a shop without an adapter sends it, and Polar's events, which
 * come over the same signature.
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

#define POLAR(type, data) \
    "{\"type\":\"" type "\",\"timestamp\":\"2026-11-23T09:45:00Z\",\"data\":{" data "}}"
#define CUSTOMER                                                           \
    ",\"customer_id\":\"C1\",\"customer\":{\"id\":\"C1\",\"metadata\":{}," \
    "\"email\":\"Zoe@Example.test\"}"
#define MADE(modified) \
    ",\"created_at\":\"2026-11-23T08:00:00.5Z\",\"modified_at\":" modified ",\"currency\":\"usd\""
#define HALF_PAST "\"2026-11-23T09:30:00Z\""
#define BOUGHT(status, modified, refunded, rest)                                    \
    "\"id\":\"O1\"" MADE(                                                           \
        modified) ",\"status\":\"" status "\",\"total_amount\":5800,"               \
                  "\"refunded_amount\":" refunded                                   \
                  ",\"product_id\":\"P1\",\"items\":[{\"id\":\"i1\",\"proration\":" \
                  "false,\"product_price_id\":\"R1\"}],\"metadata\":{}" CUSTOMER rest
#define POLAR_LINE " lines: P1(P1|R1/-/-)*1-0"
#define ZOE " address=zoe@example.test"
#define EIGHT "2026-11-23T08:00:00.500000Z"

static void polars_orders(void **state)
{
    static const struct reading_case cases[] = {
        {"paid", POLAR("order.paid", BOUGHT("paid", HALF_PAST, "0", "")),
         "[O1 paid at=2026-11-23T09:30:00Z paid=" EIGHT " total=58000000" ZOE POLAR_LINE "]"},
        {"new and not paid: as old as it is, however late it comes",
         POLAR("order.created", BOUGHT("pending", "null", "0", "")),
         "[O1 pending at=" EIGHT " paid=- total=58000000" ZOE POLAR_LINE "]"},
        {"refunded", POLAR("order.refunded", BOUGHT("refunded", HALF_PAST, "5000", "")),
         "[O1 refunded at=2026-11-23T09:30:00Z paid=" EIGHT " total=58000000" ZOE POLAR_LINE "]"},
        {"refunded in part",
         POLAR("order.updated", BOUGHT("partially_refunded", HALF_PAST, "500", "")),
         "[O1 paid at=2026-11-23T09:30:00Z paid=" EIGHT " total=58000000" ZOE POLAR_LINE "]"},
        {"void", POLAR("order.updated", BOUGHT("void", HALF_PAST, "0", "")),
         "[O1 cancelled at=2026-11-23T09:30:00Z paid=- total=58000000" ZOE POLAR_LINE "]"},
        {"seats and a reference",
         POLAR("order.paid", BOUGHT("paid", HALF_PAST, "0",
                                    ",\"seats\":5,\"metadata\":{\"miro_reference\":\"abc-1\"}")),
         "[O1 paid at=2026-11-23T09:30:00Z paid=" EIGHT " total=58000000" ZOE
         " reference=abc-1 lines: P1(P1|R1/-/-)*5-0]"},
        {"of no product",
         POLAR("order.paid", BOUGHT("paid", HALF_PAST, "0", ",\"product_id\":null")),
         "[O1 paid at=2026-11-23T09:30:00Z paid=" EIGHT " total=58000000" ZOE " lines:]"},
        {"another word", POLAR("order.updated", BOUGHT("odd", HALF_PAST, "0", "")),
         "malformed: `data.status` is none that this version knows"},
        {"no id", POLAR("order.paid", "\"status\":\"paid\"" CUSTOMER),
         "malformed: `id` is missing"},
        {"lines make it this project's own",
         POLAR("order.paid", "\"id\":\"A-1\",\"status\":\"paid\",\"lines\":[]" CUSTOMER),
         "[A-1 paid at=2026-11-23T09:45:00Z paid=- total=-1 address=absent lines:]"},
        {"a customer that is none of Polar's",
         POLAR("order.paid", "\"id\":\"A-1\",\"status\":\"paid\",\"customer\":\"C1\""),
         "malformed: `data.lines` is not a list"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define RENEWAL(status, refunded, reason) \
    BOUGHT(status, HALF_PAST, refunded,   \
           ",\"subscription_id\":\"S1\",\"billing_reason\":\"" reason "\"")

/* Each payment has its own time, so that an old one that changes says nothing of the latest. */
static void polars_payments_of_a_subscription(void **state)
{
    static const struct reading_case cases[] = {
        {"the first", POLAR("order.paid", RENEWAL("paid", "0", "subscription_create")),
         "[S1 paid at=" EIGHT " paid=" EIGHT " total=58000000" ZOE POLAR_LINE " listed: alias:O1]"},
        {"the first, not paid yet",
         POLAR("order.created", RENEWAL("pending", "0", "subscription_create")),
         "[S1 pending at=" EIGHT " paid=- total=58000000" ZOE POLAR_LINE " alias:O1]"},
        {"a renewal that is not paid yet takes nothing",
         POLAR("order.created", RENEWAL("pending", "0", "subscription_cycle")), "[S1 alias:O1]"},
        {"a renewal", POLAR("order.paid", RENEWAL("paid", "0", "subscription_cycle")),
         "[S1 paid at=" EIGHT " paid=" EIGHT " total=58000000" ZOE POLAR_LINE " listed: alias:O1]"},
        {"refunded in part",
         POLAR("order.refunded", RENEWAL("partially_refunded", "500", "subscription_cycle")),
         "[S1 paid at=" EIGHT " paid=" EIGHT " total=58000000" ZOE POLAR_LINE " alias:O1]"},
        {"refunded", POLAR("order.refunded", RENEWAL("refunded", "5800", "subscription_cycle")),
         "[S1 refunded at=" EIGHT " paid=" EIGHT " total=58000000" ZOE POLAR_LINE " alias:O1]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* What was refunded is told with its tax apart. */
static void polars_refunds_are_summed_with_their_tax(void **state)
{
    static const char body[] = POLAR(
        "order.refunded", BOUGHT("refunded", HALF_PAST, "5000", ",\"refunded_tax_amount\":800"));
    struct facts facts = {0};
    (void)state;
    shop_read(&source, body, strlen(body), RECEIVED, &facts);
    assert_int_equal(facts.order_count, 1);
    assert_int_equal(facts.orders[0].snapshot->refunded_total, 58000000);
    facts_free(&facts);
}

#define TERM(status, rest)                                                                \
    "\"id\":\"S1\"" MADE(                                                                 \
        HALF_PAST) ",\"status\":\"" status "\",\"product_id\":\"P1\",\"prices\":"         \
                   "[{\"id\":\"R1\"}],\"current_period_start\":\"2026-11-20T00:00:00Z\"," \
                   "\"current_period_end\":\"2026-12-20T00:00:00Z\",\"metadata\":{}" CUSTOMER rest
#define S1(status, state, dates)                                                           \
    "[S1 " status " at=2026-11-23T09:30:00Z paid=- total=-1" ZOE POLAR_LINE " term:" state \
    " at=2026-11-23T09:30:00Z until=" dates "]"

static void polars_subscriptions(void **state)
{
    static const struct reading_case cases[] = {
        {"active", POLAR("subscription.active", TERM("active", "")),
         S1("paid", "active", "2026-12-20T00:00:00Z")},
        {"on trial", POLAR("subscription.created", TERM("trialing", "")),
         S1("paid", "trial", "2026-12-20T00:00:00Z")},
        {"will end",
         POLAR(
             "subscription.canceled",
             TERM("active", ",\"cancel_at_period_end\":true,\"ends_at\":\"2026-12-19T00:00:00Z\"")),
         S1("paid", "cancelled", "2026-12-19T00:00:00Z")},
        {"told to be canceled, its end ahead",
         POLAR("subscription.canceled", TERM("canceled", ",\"ends_at\":\"2026-12-19T00:00:00Z\"")),
         S1("paid", "cancelled", "2026-12-19T00:00:00Z")},
        {"has ended",
         POLAR("subscription.revoked",
               TERM("canceled", ",\"ends_at\":\"2026-11-23T09:00:00Z\",\"ended_at\":"
                                "\"2026-11-23T09:00:00Z\"")),
         S1("paid", "expired", "2026-11-23T09:00:00Z")},
        {"will not be paid any more", POLAR("subscription.revoked", TERM("unpaid", "")),
         S1("paid", "expired", "-")},
        {"past due since the period began", POLAR("subscription.past_due", TERM("past_due", "")),
         S1("paid", "past_due", "- since=2026-11-20T00:00:00Z")},
        {"paused",
         POLAR("subscription.paused", TERM("paused", ",\"paused_at\":\"2026-11-23T09:30:00Z\"")),
         S1("paid", "paused", "2026-11-23T09:30:00Z")},
        {"never begun", POLAR("subscription.created", TERM("incomplete", "")),
         "[S1 pending at=2026-11-23T09:30:00Z paid=- total=-1" ZOE POLAR_LINE "]"},
        {"never to begin", POLAR("subscription.updated", TERM("incomplete_expired", "")),
         "[S1 cancelled at=2026-11-23T09:30:00Z paid=- total=-1" ZOE POLAR_LINE "]"},
        {"another word", POLAR("subscription.updated", TERM("odd", "")),
         "malformed: `data.status` is none that this version knows"},
        {"no time at all",
         "{\"type\":\"subscription.active\",\"data\":{\"status\":\"active\"" CUSTOMER "}}",
         "malformed: none of `modified_at`, `created_at` and `timestamp` is told"},
        {"nobody's", POLAR("subscription.active", "\"id\":\"S1\",\"status\":\"active\""),
         "not_an_order: `type` does not begin with order."},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define GIVEN(status, rest)                                      \
    "\"id\":\"F1\"" MADE(                                        \
        HALF_PAST) ",\"status\":\"" status "\",\"amount\":5000," \
                   "\"tax_amount\":800,\"order_id\":\"O1\",\"customer_id\":\"C1\",\"dispute\":null" rest
#define F1(state) " refund:" state " F1=58000000{?} at=2026-11-23T09:30:00Z"

static void polars_refunds(void **state)
{
    static const struct reading_case cases[] = {
        {"done", POLAR("refund.updated", GIVEN("succeeded", ",\"subscription_id\":null")),
         "[O1" F1("done") "]"},
        {"under way", POLAR("refund.created", GIVEN("pending", "")), "[O1" F1("pending") "]"},
        {"failed", POLAR("refund.updated", GIVEN("failed", "")), "[O1" F1("failed") "]"},
        {"canceled", POLAR("refund.updated", GIVEN("canceled", "")), "[O1" F1("failed") "]"},
        {"of a payment of a subscription",
         POLAR("refund.updated", GIVEN("succeeded", ",\"subscription_id\":\"S1\"")),
         "[S1" F1("done") " alias:O1]"},
        {"another word", POLAR("refund.updated", GIVEN("odd", "")),
         "malformed: `data.status` is none that this version knows"},
        {"somebody else's", POLAR("refund.created", "\"id\":\"F1\",\"order_id\":\"O1\""),
         "not_an_order: `type` does not begin with order."},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* A refund counts against the payment that it gives back, not against the latest. */
static void polars_refunds_name_their_payment(void **state)
{
    static const char body[] =
        POLAR("refund.updated", GIVEN("succeeded", ",\"subscription_id\":\"S1\""));
    struct facts facts = {0};
    (void)state;
    shop_read(&source, body, sizeof(body) - 1, RECEIVED, &facts);
    assert_int_equal(facts.order_count, 1);
    assert_string_equal(facts.orders[0].refunds[0].payment, "O1");
    facts_free(&facts);
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
        cmocka_unit_test(polars_orders),
        cmocka_unit_test(polars_payments_of_a_subscription),
        cmocka_unit_test(polars_refunds_are_summed_with_their_tax),
        cmocka_unit_test(polars_subscriptions),
        cmocka_unit_test(polars_refunds),
        cmocka_unit_test(polars_refunds_name_their_payment),
    };
    source = source_make(PROVIDER_STANDARD, "whsec_c2VjcmV0IGtleQ==", NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
