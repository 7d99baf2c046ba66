/*
 * What a WooCommerce delivery says, by table; and what happens to bytes that say nothing.
 */
#include "support.h"

#define MODIFIED "\"date_modified_gmt\":\"2026-11-23T09:59:58\""
#define PAID "\"date_paid_gmt\":\"2026-11-23T09:59:57\""
#define LINE "{\"id\":1,\"product_id\":10,\"variation_id\":0,\"sku\":\"PRO\",\"quantity\":1}"
#define BUYER "\"billing\":{\"email\":\" Zoe+Shop@Example.Test\"}"
/* An order in a given status, with the usual rest. */
#define ORDER(status, rest)                                                            \
    "{\"id\":12,\"status\":\"" status "\",\"total\":\"79.00\"," BUYER "," MODIFIED "," \
    "\"line_items\":[" LINE "],\"refunds\":[]" rest "}"
#define TIMES(paid) " at=2026-11-23T09:59:58Z paid=" paid " total=79000000"
#define REST " address=zoe+shop@example.test lines: 1(10/-/PRO)*1-0 listed:]"

static struct settings_source source;

static void statuses(void **state)
{
    static const struct reading_case cases[] = {
        {"processing", ORDER("processing", "," PAID),
         "[12 paid" TIMES("2026-11-23T09:59:57Z") REST},
        {"completed, never marked paid", ORDER("completed", ",\"date_paid_gmt\":null"),
         "[12 paid" TIMES("-") REST},
        {"refunded", ORDER("refunded", ""), "[12 refunded" TIMES("-") REST},
        {"cancelled", ORDER("cancelled", ""), "[12 cancelled" TIMES("-") REST},
        {"trash", ORDER("trash", ""), "[12 cancelled" TIMES("-") REST},
        {"pending", ORDER("pending", ""), "[12 pending" TIMES("-") REST},
        {"on-hold", ORDER("on-hold", ""), "[12 pending" TIMES("-") REST},
        {"failed", ORDER("failed", ""), "[12 pending" TIMES("-") REST},
        {"checkout-draft", ORDER("checkout-draft", ""), "[12 pending" TIMES("-") REST},
        {"auto-draft", ORDER("auto-draft", ""), "[12 pending" TIMES("-") REST},
        {"custom, paid", ORDER("packing", "," PAID), "[12 paid" TIMES("2026-11-23T09:59:57Z") REST},
        {"custom, not paid", ORDER("quote", ""), "[12 pending" TIMES("-") REST},
        {"failed after it was paid", ORDER("failed", "," PAID),
         "[12 pending" TIMES("2026-11-23T09:59:57Z") REST},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* An order with other lines, refunds and buyer. */
#define SHAPED(head, lines, tail) \
    "{" head "\"status\":\"processing\"," MODIFIED ",\"line_items\":[" lines "]" tail "}"
#define READ " paid at=2026-11-23T09:59:58Z paid=- total=-1 address="

static void lines_and_refunds(void **state)
{
    static const struct reading_case cases[] = {
        {"ids as strings, and beyond 2^53",
         SHAPED("\"id\":\"9007199254740993\",",
                "{\"id\":18446744073709551614,\"product_id\":\"9223372036854775808\","
                "\"variation_id\":7,\"sku\":\"\",\"quantity\":\"3\"}",
                ""),
         "[9007199254740993" READ "absent lines: "
         "18446744073709551614(9223372036854775808/7/-)*3-0]"},
        {"refunds by amount only",
         SHAPED("\"id\":12,", LINE,
                ",\"refunds\":[{\"id\":14,\"total\":\"-5.00\"},{\"id\":13,\"total\":\"-20.5\"}]"),
         "[12" READ "absent lines: 1(10/-/PRO)*1-0 listed: 14=5000000{?} 13=20500000{?}]"},
        {"no line at all", SHAPED("\"id\":12,", "", ""), "[12" READ "absent lines:]"},
        {"a key given twice: the last counts", SHAPED("\"id\":11,\"id\":12,", "", ""),
         "[12" READ "absent lines:]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define BUYER_CASE(what, buyer, expected)                              \
    {                                                                  \
        what, SHAPED("\"id\":12,", "", "," buyer), "[12" READ expected \
    }

static void buyers(void **state)
{
    static const struct reading_case cases[] = {
        BUYER_CASE("null address", "\"billing\":{\"email\":null}", "absent lines:]"),
        BUYER_CASE("no billing", "\"billing\":null", "absent lines:]"),
        BUYER_CASE("empty address", "\"billing\":{\"email\":\"\"}", "absent lines:]"),
        BUYER_CASE("not an address", "\"billing\":{\"email\":\"zoe at shop\"}", "absent lines:]"),
        BUYER_CASE("a number", "\"billing\":{\"email\":7}", "absent lines:]"),
        BUYER_CASE("a NUL inside", "\"billing\":{\"email\":\"a@b.test\\u0000c\"}",
                   "absent lines:]"),
        BUYER_CASE("blanked by the privacy tool",
                   "\"billing\":{\"email\":\"deleted@site.invalid\"}", "erased lines:]"),
        BUYER_CASE("any reserved domain", "\"billing\":{\"email\":\"x@shop.example.INVALID\"}",
                   "erased lines:]"),
        BUYER_CASE("a domain that only looks reserved",
                   "\"billing\":{\"email\":\"x@notinvalid.test\"}", "x@notinvalid.test lines:]"),
        BUYER_CASE("marked as anonymised",
                   "\"billing\":{\"email\":\"a@b.test\"},"
                   "\"meta_data\":[{\"id\":1,\"key\":\"_anonymized\",\"value\":\"yes\"}]",
                   "erased lines:]"),
        BUYER_CASE("a reference",
                   "\"meta_data\":[{\"key\":\"other\",\"value\":{\"a\":1}},7,null,"
                   "{\"key\":\"miro_reference\",\"value\":\"abc_DEF-1\"},"
                   "{\"key\":\"miro_reference\",\"value\":\"second\"}]",
                   "absent reference=abc_DEF-1 lines:]"),
        BUYER_CASE("a reference of the wrong type",
                   "\"meta_data\":[{\"key\":\"miro_reference\",\"value\":[1]}]",
                   "absent reference=? lines:]"),
        BUYER_CASE("a reference cut by a NUL",
                   "\"meta_data\":[{\"key\":\"miro_reference\",\"value\":\"good\\u0000bad\"}]",
                   "absent reference=? lines:]"),
        BUYER_CASE("a reference that is null",
                   "\"meta_data\":[{\"key\":\"miro_reference\",\"value\":null}]", "absent lines:]"),
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void a_year_ahead_is_cut(void **state)
{
    static const struct reading_case cases[] = {
        {"modified a year ahead",
         "{\"id\":12,\"status\":\"processing\",\"line_items\":[],"
         "\"date_modified_gmt\":\"2027-11-23T10:00:00\",\"date_paid_gmt\":\"2027-11-23T10:00:00\"}",
         "[12 paid at=2026-11-23T10:05:00Z claimed=2027-11-23T10:00:00Z "
         "paid=2026-11-23T10:05:00Z total=-1 address=absent lines:]"},
        {"modified just inside",
         "{\"id\":12,\"status\":\"pending\",\"line_items\":[],"
         "\"date_modified_gmt\":\"2026-11-23T10:05:00\"}",
         "[12 pending at=2026-11-23T10:05:00Z paid=- total=-1 address=absent lines:]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void what_is_no_order(void **state)
{
    static const struct reading_case cases[] = {
        {"trash", "{\"id\":12}", "[12 hint]"},
        {"trash, id as text", "{\"id\":\"12\"}", "[12 hint]"},
        {"the shop's own error",
         "{\"code\":\"woocommerce_rest_cannot_view\",\"message\":\"Sorry\",\"data\":{\"status\":401}}",
         "source_misconfigured: the shop signed an error (woocommerce_rest_cannot_view) in place "
         "of the order: give the webhook an owner who may read orders, then resync"},
        {"an error that tries to be a sentence", "{\"code\":\"a\\nb <script>\"}",
         "source_misconfigured: the shop signed an error (without a plain code) in place of the "
         "order: give the webhook an owner who may read orders, then resync"},
        {"a product", "{\"id\":7,\"name\":\"Icons\",\"status\":\"publish\",\"sku\":\"X\"}",
         "not_an_order: the body is no order: it has no id, status and line_items"},
        {"a customer", "{\"id\":7,\"email\":\"a@b.test\",\"role\":\"customer\"}",
         "not_an_order: the body is no order: it has no id, status and line_items"},
        {"a subscription",
         "{\"id\":7,\"status\":\"active\",\"line_items\":[],\"billing_period\":\"month\"}",
         "not_an_order: the body is no order: it is a subscription, not an order"},
        {"a refund",
         "{\"id\":7,\"type\":\"shop_order_refund\",\"status\":\"completed\",\"line_items\":[]}",
         "not_an_order: the body is no order: it is another kind of record that looks like an "
         "order"},
        {"an action's payload", "{\"action\":\"woocommerce_add_to_cart\",\"arg\":\"x\"}",
         "not_an_order: the body is no order: it has no id, status and line_items"},
        {"nothing", "{}",
         "not_an_order: the body is no order: it has no id, status and line_items"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define MALFORMED(what, body, sentence)    \
    {                                      \
        what, body, "malformed: " sentence \
    }

#define NO_LINE "the order is paid, but none of its lines has an id and a whole quantity"

static void malformed(void **state)
{
    static const struct reading_case cases[] = {
        MALFORMED("empty", "", "the body cannot be read: it is empty"),
        MALFORMED("not JSON", "hello", "the body cannot be read: it is not JSON"),
        MALFORMED("cut short", "{\"id\":12", "the body cannot be read: it is cut short"),
        MALFORMED("two values", "{\"id\":12}{\"id\":13}",
                  "the body cannot be read: it is not JSON"),
        MALFORMED("no object", "[1]", "the body is JSON, but not an object"),
        MALFORMED("invalid UTF-8", "{\"id\":\"\xc3(\"}",
                  "the body cannot be read: it is not UTF-8"),
        MALFORMED("an overlong encoding", "{\"id\":\"\xc0\xaf\"}",
                  "the body cannot be read: it is not UTF-8"),
        MALFORMED("id a fraction", SHAPED("\"id\":12.5,", "", ""),
                  "`id` is neither a whole number nor a string"),
        MALFORMED("id in powers", SHAPED("\"id\":1e3,", "", ""),
                  "`id` is neither a whole number nor a string"),
        MALFORMED("id below 0", SHAPED("\"id\":-1,", "", ""), "`id` is a number beyond any id"),
        MALFORMED("id over 64 bits", SHAPED("\"id\":18446744073709551616,", "", ""),
                  "`id` is a number beyond any id"),
        MALFORMED("id a NUL", SHAPED("\"id\":\"1\\u00002\",", "", ""),
                  "`id` holds control characters"),
        MALFORMED("id empty", SHAPED("\"id\":\"\",", "", ""), "`id` is empty"),
        MALFORMED("id null", "{\"id\":null}", "`id` is missing"),
        MALFORMED("id a list", "{\"id\":[]}", "`id` is neither a whole number nor a string"),
        MALFORMED("a line without id", SHAPED("\"id\":1,", "{\"quantity\":1}", ""), NO_LINE),
        MALFORMED("a line that is none", SHAPED("\"id\":1,", "7", ""), NO_LINE),
        MALFORMED("two lines, one id", SHAPED("\"id\":1,", LINE "," LINE, ""),
                  "two lines of the order have one id"),
        MALFORMED("half a piece", SHAPED("\"id\":1,", "{\"id\":1,\"quantity\":0.5}", ""), NO_LINE),
        MALFORMED("less than none", SHAPED("\"id\":1,", "{\"id\":1,\"quantity\":-1}", ""), NO_LINE),
        MALFORMED("too many", SHAPED("\"id\":1,", "{\"id\":1,\"quantity\":1000000001}", ""),
                  NO_LINE),
        MALFORMED("two refunds, one id",
                  SHAPED("\"id\":1,", "", ",\"refunds\":[{\"id\":1},{\"id\":\"1\"}]"),
                  "two refunds of the order have one id"),
        MALFORMED("no time", "{\"id\":1,\"status\":\"processing\",\"line_items\":[]}",
                  "`date_modified_gmt` is missing"),
        MALFORMED("a time that is none",
                  "{\"id\":1,\"status\":\"x\",\"line_items\":[],\"date_modified_gmt\":\"soon\"}",
                  "`date_modified_gmt` is not a time"),
        MALFORMED("a zero date",
                  "{\"id\":1,\"status\":\"x\",\"line_items\":[],"
                  "\"date_modified_gmt\":\"0000-00-00T00:00:00\"}",
                  "`date_modified_gmt` is missing"),
        MALFORMED("a time in seconds",
                  "{\"id\":1,\"status\":\"x\",\"line_items\":[],\"date_modified_gmt\":1795428000}",
                  "`date_modified_gmt` is not a time"),
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
    char *text = read_bytes(&source, "{\"id\":12}\0", 10);
    assert_string_equal(text, "malformed: the body cannot be read: it holds a NUL byte");
    free(text);
}

#define ODD(rest) SHAPED("\"id\":12,", LINE, rest)
#define ODD_READ(total) \
    "[12 paid at=2026-11-23T09:59:58Z paid=- total=" total " address=absent lines: 1(10/-/PRO)*1-0"
#define ODD_LINE(line) SHAPED("\"id\":12,", LINE "," line, "")
#define LEFT_OUT ODD_READ("-1") "]"

static void one_odd_field_sets_no_paid_order_aside(void **state)
{
    static const struct reading_case cases[] = {
        {"eight decimals", ODD(",\"total\":\"0.00150000\""), ODD_READ("1500") "]"},
        {"an empty total", ODD(",\"total\":\"\""), ODD_READ("-1") "]"},
        {"a total in words", ODD(",\"total\":\"a lot\""), ODD_READ("-1") "]"},
        {"a total that is a list", ODD(",\"total\":[1]"), ODD_READ("-1") "]"},
        {"an endless total", ODD(",\"total\":\"9000000001\""), ODD_READ("-1") "]"},
        {"a total that no number holds", ODD(",\"total\":1e300"), ODD_READ("-1") "]"},
        {"a refund's empty total", ODD(",\"refunds\":[{\"id\":3,\"total\":\"\"}]"),
         ODD_READ("-1") " listed: 3=0{?}]"},
        {"a zero date of payment", ODD(",\"date_paid_gmt\":\"0000-00-00T00:00:00\""), LEFT_OUT},
        {"the same as PHP writes it", ODD(",\"date_paid_gmt\":\"-0001-11-30T00:00:00\""), LEFT_OUT},
        {"an empty date of payment", ODD(",\"date_paid_gmt\":\"\""), LEFT_OUT},
        {"half a piece", ODD_LINE("{\"id\":2,\"quantity\":1.5}"), LEFT_OUT},
        {"pieces in words", ODD_LINE("{\"id\":2,\"quantity\":\"some\"}"), LEFT_OUT},
        {"fewer than none", ODD_LINE("{\"id\":2,\"quantity\":-1}"), LEFT_OUT},
        {"more than any", ODD_LINE("{\"id\":2,\"quantity\":1000000001}"), LEFT_OUT},
        {"no quantity", ODD_LINE("{\"id\":2}"), LEFT_OUT},
        {"no id", ODD_LINE("{\"quantity\":2}"), LEFT_OUT},
        {"an id that is an object", ODD_LINE("{\"id\":{},\"quantity\":2}"), LEFT_OUT},
        {"no line", ODD_LINE("null"), LEFT_OUT},
        {"whole pieces as a decimal", ODD_LINE("{\"id\":2,\"quantity\":2.0}"),
         ODD_READ("-1") " 2(-/-/-)*2-0]"},
        {"the same as text", ODD_LINE("{\"id\":2,\"quantity\":\"2.00\"}"),
         ODD_READ("-1") " 2(-/-/-)*2-0]"},
        {"no digit behind the point", ODD_LINE("{\"id\":2,\"quantity\":\"2.\"}"), LEFT_OUT},
        {"a sku with a tab", ODD_LINE("{\"id\":2,\"sku\":\"MUG\\t1\",\"quantity\":2}"),
         ODD_READ("-1") " 2(-/-/-)*2-0]"},
        {"selectors of other types",
         ODD_LINE("{\"id\":2,\"product_id\":[7],\"variation_id\":true,\"sku\":1.5,\"quantity\":2}"),
         ODD_READ("-1") " 2(-/-/-)*2-0]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

/* What is unpaid gives nothing, so nobody has to look at it. */
static void unpaid_order_may_lose_all_its_lines(void **state)
{
    static const struct reading_case cases[] = {
        {"pending", "{\"id\":12,\"status\":\"pending\"," MODIFIED ",\"line_items\":[{\"id\":1}]}",
         "[12 pending at=2026-11-23T09:59:58Z paid=- total=-1 address=absent lines:]"},
        {"a status of the shop's own, paid",
         "{\"id\":12,\"status\":\"packing\"," MODIFIED "," PAID ",\"line_items\":[{\"id\":1}]}",
         "malformed: " NO_LINE},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void deep_nesting_is_refused(void **state)
{
    static const struct {
        int depth;
        const char *expected;
    } cases[] = {
        {30, "not_an_order"},
        {100, "malformed: the body cannot be read: it is nested too deeply"},
        {100000, "malformed: the body cannot be read: it is nested too deeply"},
    };
    struct buf body = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&body);
        buf_puts(&body, "{\"a\":");
        for (int depth = 0; depth < cases[i].depth; depth++)
            buf_putc(&body, '[');
        for (int depth = 0; depth < cases[i].depth; depth++)
            buf_putc(&body, ']');
        buf_putc(&body, '}');
        char *text = read_bytes(&source, body.data, body.len);
        assert_memory_equal(text, cases[i].expected, strlen(cases[i].expected));
        free(text);
    }
    buf_free(&body);
}

static void long_ids_are_refused(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct buf body = {0};
        buf_puts(&body, "{\"id\":\"");
        for (int i = 0; i < LIMIT_ORDER_ID + extra; i++)
            buf_putc(&body, '7');
        buf_puts(&body, "\"}");
        char *text = read_bytes(&source, body.data, body.len);
        assert_string_equal(text + (extra ? 0 : LIMIT_ORDER_ID + 1),
                            extra ? "malformed: `id` is too long for an id" : " hint]");
        free(text);
        buf_free(&body);
    }
}

/* A body that is refused half way has said nothing about its order. */
static void too_many_lines_leave_no_order(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct buf body = {0};
        struct facts facts = {0};
        buf_puts(&body, "{\"id\":1,\"status\":\"pending\"," MODIFIED ",\"line_items\":[");
        for (int i = 0; i < LIMIT_ORDER_LINES + extra; i++)
            buf_printf(&body, "%s{\"id\":%d,\"quantity\":1}", i ? "," : "", i + 1);
        buf_puts(&body, "]}");
        shop_read(&source, body.data, body.len, RECEIVED, &facts);
        assert_int_equal(facts.set_aside, extra ? SET_ASIDE_MALFORMED : SET_ASIDE_NONE);
        assert_int_equal(facts.order_count, extra ? 0 : 1);
        facts_free(&facts);
        buf_free(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(lines_and_refunds),
        cmocka_unit_test(buyers),
        cmocka_unit_test(a_year_ahead_is_cut),
        cmocka_unit_test(what_is_no_order),
        cmocka_unit_test(malformed),
        cmocka_unit_test(one_odd_field_sets_no_paid_order_aside),
        cmocka_unit_test(unpaid_order_may_lose_all_its_lines),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(long_ids_are_refused),
        cmocka_unit_test(too_many_lines_leave_no_order),
    };
    source = source_make(PROVIDER_WOOCOMMERCE, "s3cret", NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
