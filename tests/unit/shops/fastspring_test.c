/*
 * FastSpring: several events in one signed body, orders that begin subscriptions, and the API's
 * answers.
 */
#include "support.h"

#define SECRET "fs-secret"
#define JSON "application/json;charset=UTF-8"
/* 2026-11-23T09:00:00Z and half an hour later, in milliseconds. */
#define NINE "1795424400000"
#define HALF "1795426200000"
#define BODY(events) "{\"events\":[" events "]}"
#define EVENT_OF(live, type, data)                                                                 \
    "{\"id\":\"e1\",\"processed\":false,\"created\":" HALF ",\"type\":\"" type "\",\"live\":" live \
    ",\"data\":{" data "}}"
#define EVENT(type, data) BODY(EVENT_OF("true", type, data))
#define ID(id) "\"order\":\"" id "\",\"id\":\"" id "\",\"changed\":" NINE
#define CUSTOMER \
    ",\"account\":\"A1\",\"customer\":{\"first\":\"Zoe\",\"email\":\"Zoe@Example.test\"}"
#define ITEM(product, rest) "{\"product\":\"" product "\",\"quantity\":1,\"sku\":null" rest "}"
#define ORDER(id, items, rest) \
    ID(id)                     \
    ",\"completed\":true,\"live\":true,\"total\":193.05" CUSTOMER ",\"items\":[" items "]" rest
#define AT "at=2026-11-23T09:00:00Z paid=-"
#define ZOE " address=zoe@example.test"

static struct settings_source source;

/* Made with another implementation of HMAC-SHA256, for the body below. */
#define GOOD "X-FS-Signature: ToGTbo1+0MThhjCsKJKHYdaq6u94brKrmGrGbmMzNQE=\r\n"

static void signatures(void **state)
{
    static const char body[] = "{\"events\":[]}";
    struct settings_source rotated = source_make(PROVIDER_FASTSPRING, "new-one", SECRET);
    struct settings_source empty = source_make(PROVIDER_FASTSPRING, "", NULL);
    struct buf headers = {0};
    (void)state;
    shop_sign(&source, "e1", RECEIVED, body, strlen(body), &headers);
    assert_string_equal(headers.data, GOOD);
    assert_int_equal(verify_text(&source, headers.data, body), SHOP_VALID);
    assert_int_equal(verify_text(&rotated, headers.data, body), SHOP_VALID);
    headers.data[0] = 'x';
    headers.data[2] = 'f';
    assert_int_equal(verify_text(&source, headers.data, body), SHOP_VALID);
    assert_int_equal(verify_text(&source, headers.data, "{\"events\":[] }"),
                     SHOP_SIGNATURE_INVALID);
    static const char *const wrong[] = {
        "",
        "X-FS-Signature: \r\n",
        "X-FS-Signature: AAAA\r\n",
        "X-FS-Signature: not base64!\r\n",
        GOOD GOOD,
    };
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(verify_text(&source, wrong[i], body), SHOP_SIGNATURE_INVALID);
    buf_reset(&headers);
    shop_sign(&empty, "e1", RECEIVED, body, strlen(body), &headers);
    assert_int_equal(verify_text(&empty, headers.data, body), SHOP_SIGNATURE_INVALID);
    buf_free(&headers);
    source_free(&rotated);
    source_free(&empty);
}

static void orders(void **state)
{
    static const struct reading_case cases[] = {
        {"one product", EVENT("order.completed", ORDER("O1", ITEM("icons", ""), "")),
         "[O1 paid " AT " total=193050000" ZOE " lines: icons(icons/-/-)*1-0]"},
        {"the account goes before who paid, the one recipient before both",
         BODY(EVENT_OF(
             "true", "order.completed",
             ID("O1") ",\"account\":{\"id\":\"A1\",\"contact\":{\"email\":\"a@b.test\"}},"
                      "\"customer\":{\"email\":\"c@d.test\"},\"items\":[]") "," EVENT_OF("true",
                                                                                         "order.completed",
                                                                                         ID("O2") ",\"account\":{\"id\":\"A1\",\"contact\":{\"email\":\"a@b.test\"}},"
                                                                                                  "\"recipients\":[{\"recipient\":{\"email\":\"gift@d.test\"}}],"
                                                                                                  "\"items\":[]")),
         "[O1 paid " AT " total=-1 address=a@b.test lines:]"
         "[O2 paid " AT " total=-1 address=gift@d.test lines:]"},
        {"sku, quantity, expanded product, and a product twice",
         EVENT("order.completed",
               ORDER("O1",
                     "{\"product\":\"icons\",\"quantity\":3,\"sku\":\"IC\"},"
                     "{\"product\":{\"product\":\"icons\",\"sku\":\"I2\"},\"sku\":null}",
                     "")),
         "[O1 paid " AT " total=193050000" ZOE
         " lines: icons(icons/-/IC)*3-0 icons#2(icons/-/I2)*1-0]"},
        {"a reference",
         EVENT("order.completed",
               ORDER("O1", "", ",\"tags\":{\"miro_reference\":\"abc-1\",\"x\":1}")),
         "[O1 paid " AT " total=193050000" ZOE " reference=abc-1 lines:]"},
        {"an account that is only an id",
         EVENT("order.completed", ID("O1") ",\"account\":\"A1\",\"items\":[]"),
         "[O1 paid " AT " total=-1 address=absent lines: need:address(accounts/A1)!]"},
        {"a reference does without an address",
         EVENT("order.completed", ID("O1") ",\"account\":\"A1\",\"items\":[],\"tags\":"
                                           "{\"miro_reference\":\"abc\"}"),
         "[O1 paid " AT " total=-1 address=absent reference=abc lines: need:address(accounts/A1)]"},
        {"no more than an id", EVENT("order.completed", "\"order\":\"O1\""),
         "[O1 need:order(orders/O1)!]"},
        {"payment pending", EVENT("order.payment.pending", ORDER("O1", ITEM("icons", ""), "")),
         "[O1 pending " AT " total=193050000" ZOE " lines: icons(icons/-/-)*1-0]"},
        {"canceled", EVENT("order.canceled", ORDER("O1", ITEM("icons", ""), "")),
         "[O1 cancelled " AT " total=193050000" ZOE " lines: icons(icons/-/-)*1-0]"},
        {"failed", EVENT("order.failed", ORDER("O1", "", "")),
         "[O1 cancelled " AT " total=193050000" ZOE " lines:]"},
        {"without a time of its own",
         EVENT("order.completed", "\"id\":\"O1\",\"items\":[],\"total\":10"),
         "[O1 paid at=2026-11-23T09:30:00Z paid=- total=10000000 address=absent lines:]"},
        {"binary fractions",
         EVENT("order.completed", ID("O1") ",\"items\":[],\"total\":46.120000000000005"),
         "[O1 paid " AT " total=46120000 address=absent lines:]"},
        {"a time ahead",
         EVENT("order.completed", "\"id\":\"O1\",\"items\":[],\"changed\":1826960400000"),
         "[O1 paid at=2026-11-23T10:05:00Z claimed=2027-11-23T09:00:00Z paid=- total=-1 "
         "address=absent lines:]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define OF(id) ",\"subscription\":\"" id "\""
#define EXPANDED                                                                                      \
    ",\"subscription\":{\"id\":\"S1\",\"subscription\":\"S1\",\"state\":\"active\",\"changed\":" NINE \
    ",\"nextChargeDate\":1798016400000}"

static void orders_that_begin_subscriptions(void **state)
{
    static const struct reading_case cases[] = {
        {"one", EVENT("order.completed", ORDER("O1", ITEM("pro", OF("S1")), "")),
         "[S1 paid " AT " total=193050000" ZOE " lines: pro(pro/-/-)*1-0 alias:O1]"},
        {"one, expanded", EVENT("order.completed", ORDER("O1", ITEM("pro", EXPANDED), "")),
         "[S1 paid " AT " total=193050000" ZOE " lines: pro(pro/-/-)*1-0 "
         "term:active at=2026-11-23T09:00:00Z until=2026-12-23T09:00:00Z alias:O1]"},
        {"one with two items",
         EVENT("order.completed",
               ORDER("O1", ITEM("pro", OF("S1")) "," ITEM("seat", OF("S1")), "")),
         "[S1 paid " AT " total=193050000" ZOE
         " lines: pro(pro/-/-)*1-0 seat(seat/-/-)*1-0 alias:O1]"},
        {"two, and something else: no part is the whole",
         EVENT("order.completed",
               ORDER("O1", ITEM("pro", OF("S1")) "," ITEM("icons", "") "," ITEM("max", OF("S2")),
                     "")),
         "[S1 paid " AT " total=-1" ZOE " lines: pro(pro/-/-)*1-0]"
         "[O1 paid " AT " total=-1" ZOE " lines: icons(icons/-/-)*1-0]"
         "[S2 paid " AT " total=-1" ZOE " lines: max(max/-/-)*1-0]"},
        {"one that is not paid says nothing of a subscription that runs",
         EVENT("order.payment.pending", ORDER("O2", ITEM("pro", OF("S1")), "")),
         "[O2 pending " AT " total=193050000" ZOE " lines: pro(pro/-/-)*1-0]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define SUBSCRIPTION(state, rest)                                                            \
    "\"id\":\"S1\",\"subscription\":\"S1\",\"active\":true,\"state\":\"" state               \
    "\",\"changed\":" NINE                                                                   \
    ",\"live\":true,\"product\":\"pro\",\"sku\":\"PRO\",\"quantity\":2,\"account\":{\"id\":" \
    "\"A1\",\"contact\":{\"email\":\"Zoe@Example.test\"}},\"end\":null,\"initialOrderId\":\"O1\"" rest
#define NEXT ",\"next\":1798016400000,\"nextChargeDate\":1798016400000"
#define S_SNAPSHOT "[S1 paid " AT " total=-1" ZOE " lines: pro(pro/-/PRO)*2-0 term:"
#define S_AT " at=2026-11-23T09:00:00Z until="
#define DECEMBER "2026-12-23T09:00:00Z"

static void subscriptions(void **state)
{
    static const struct reading_case cases[] = {
        {"activated", EVENT("subscription.activated", SUBSCRIPTION("active", NEXT)),
         S_SNAPSHOT "active" S_AT DECEMBER "]"},
        {"on trial", EVENT("subscription.activated", SUBSCRIPTION("trial", NEXT)),
         S_SNAPSHOT "trial" S_AT DECEMBER "]"},
        {"canceled: will end",
         EVENT("subscription.canceled",
               SUBSCRIPTION("canceled", NEXT ",\"deactivationDate\":1797930000000")),
         S_SNAPSHOT "cancelled" S_AT "2026-12-22T09:00:00Z]"},
        {"canceled, without its date",
         EVENT("subscription.canceled", SUBSCRIPTION("canceled", NEXT)),
         S_SNAPSHOT "cancelled" S_AT DECEMBER "]"},
        {"uncanceled", EVENT("subscription.uncanceled", SUBSCRIPTION("active", NEXT)),
         S_SNAPSHOT "active" S_AT DECEMBER "]"},
        {"deactivated: has ended",
         EVENT("subscription.deactivated",
               SUBSCRIPTION("deactivated", ",\"deactivationDate\":" NINE)),
         S_SNAPSHOT "expired" S_AT "2026-11-23T09:00:00Z]"},
        {"overdue since the charge that was not made",
         EVENT("subscription.payment.overdue",
               SUBSCRIPTION("overdue", ",\"nextChargeDate\":1795338000000")),
         S_SNAPSHOT "past_due" S_AT "- since=2026-11-22T09:00:00Z]"},
        {"overdue, the next try ahead",
         EVENT("subscription.payment.overdue", SUBSCRIPTION("overdue", NEXT)),
         S_SNAPSHOT "past_due" S_AT "-]"},
        {"paused", EVENT("subscription.paused", SUBSCRIPTION("paused", NEXT)),
         S_SNAPSHOT "paused" S_AT "-]"},
        {"another plan, and an addon",
         EVENT("subscription.updated",
               SUBSCRIPTION("active",
                            ",\"addons\":[{\"product\":\"seat\",\"sku\":null,\"quantity\":5}]")),
         "[S1 paid " AT " total=-1" ZOE
         " lines: pro(pro/-/PRO)*2-0 seat(seat/-/-)*5-0 term:active" S_AT "-]"},
        {"an account that is only an id is asked for, where there is a key",
         EVENT("subscription.activated", "\"id\":\"S1\",\"state\":\"active\",\"changed\":" NINE
                                         ",\"product\":\"pro\",\"account\":\"A1\""),
         "[S1 paid " AT " total=-1 address=absent lines: pro(pro/-/-)*1-0 term:active" S_AT
         "- need:address(accounts/A1)]"},
        {"no more than an id", EVENT("subscription.updated", "\"id\":\"S1\""),
         "[S1 need:order(subscriptions/S1)!]"},
        {"a state that nobody knows", EVENT("subscription.updated", SUBSCRIPTION("asleep", "")),
         "malformed: `state` is none that this version knows"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define CHARGE(rest) \
    "\"currency\":\"USD\",\"total\":20.5,\"status\":\"successful\",\"timestamp\":" NINE rest
#define CHARGED "[S1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T09:00:00Z total=20500000 address="

static void charges(void **state)
{
    static const struct reading_case cases[] = {
        {"a renewal is another payment of the same order",
         EVENT("subscription.charge.completed",
               CHARGE(",\"order\":\"O2\",\"subscription\":\"S1\",\"account\":\"A1\"")),
         CHARGED "absent lines? listed: alias:O2]"},
        {"expanded",
         EVENT("subscription.charge.completed",
               CHARGE(",\"order\":{" ORDER(
                   "O2", ITEM("pro", OF("S1")),
                   "") "},\"subscription\":{" SUBSCRIPTION("active",
                                                           NEXT) "},\"account\":{\"contact\":"
                                                                 "{\"email\":\"a@b.test\"}}")),
         CHARGED "a@b.test lines: pro(pro/-/-)*1-0 listed: term:active" S_AT DECEMBER " alias:O2]"},
        {"lines from the subscription",
         EVENT("subscription.charge.completed",
               CHARGE(",\"order\":\"O2\",\"subscription\":{" SUBSCRIPTION("active", NEXT) "}")),
         CHARGED "absent lines: pro(pro/-/PRO)*2-0 listed: term:active" S_AT DECEMBER " alias:O2]"},
        {"an order of two subscriptions is no other name of one",
         EVENT("subscription.charge.completed",
               CHARGE(",\"order\":{" ORDER("O2", ITEM("pro", OF("S1")) "," ITEM("max", OF("S2")),
                                           "") "},\"subscription\":\"S1\"")),
         CHARGED "absent lines: pro(pro/-/-)*1-0 listed:]"},
        {"without a subscription", EVENT("subscription.charge.completed", CHARGE("")),
         "malformed: `subscription` of a charge is missing"},
        {"not successful",
         EVENT("subscription.charge.completed", "\"status\":\"odd\",\"subscription\":\"S1\""),
         "malformed: `status` of a charge is none that this version knows"},
        {"failed, no more than an id",
         EVENT("subscription.charge.failed",
               "\"reason\":\"EXPIRED_CARD\",\"account\":\"A1\",\"subscription\":\"S1\""),
         "[S1 term:past_due at=2026-11-23T09:30:00Z until=- need:order(subscriptions/S1)]"},
        {"failed, expanded",
         EVENT("subscription.charge.failed",
               "\"reason\":\"EXPIRED_CARD\",\"subscription\":{" SUBSCRIPTION("overdue", "") "}"),
         S_SNAPSHOT "past_due" S_AT "-]"},
        {"failed, of nothing", EVENT("subscription.charge.failed", "\"reason\":\"X\""),
         "malformed: `subscription` of a charge is missing"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define RETURN(items, rest)                                  \
    "\"return\":\"R1\",\"completed\":true,\"changed\":" NINE \
    ",\"totalReturn\":20,\"subtotal\":20,"                   \
    "\"original\":{\"id\":\"O1\",\"order\":\"O1\",\"total\":60},\"items\":[" items "]" rest
#define WHO " need:owner(orders/O1)]"
#define R1 "[O1 refund:done R1=20000000"
#define AT_NINE " at=2026-11-23T09:00:00Z"

static void returns(void **state)
{
    static const struct reading_case cases[] = {
        {"of an item",
         EVENT("return.created",
               RETURN("{\"product\":\"icons\",\"quantity\":2,\"subtotal\":20}", "")),
         R1 "{icons*2}" AT_NINE WHO},
        {"of a part of an item's price: money alone",
         EVENT("return.created",
               RETURN("{\"product\":\"icons\",\"quantity\":2,\"subtotal\":60}", "")),
         R1 "{?}" AT_NINE WHO},
        {"of two lines of one product",
         EVENT("return.created", RETURN("{\"product\":\"icons\"},{\"product\":\"icons\"}", "")),
         R1 "{icons*2}" AT_NINE WHO},
        {"of no item", EVENT("return.created", RETURN("", "")), R1 "{}" AT_NINE WHO},
        {"without a list of items",
         EVENT("return.created", "\"return\":\"R1\",\"original\":\"O1\",\"totalReturn\":20,"
                                 "\"changed\":" NINE),
         R1 "{?}" AT_NINE WHO},
        {"under way", EVENT("return.created", RETURN("", ",\"completed\":false")),
         "[O1 refund:pending R1=20000000{}" AT_NINE WHO},
        {"of what a subscription sold",
         EVENT("return.created", RETURN("{\"product\":\"pro\",\"subscription\":\"S1\"},"
                                        "{\"product\":\"seat\",\"subscription\":{\"id\":\"S1\"}}",
                                        "")),
         "[S1 refund:done R1=20000000{pro*1,seat*1}" AT_NINE "]"},
        {"of what two sold",
         EVENT("return.created", RETURN("{\"product\":\"pro\",\"subscription\":\"S1\"},"
                                        "{\"product\":\"icons\"}",
                                        "")),
         R1 "{pro*1,icons*1}" AT_NINE WHO},
        {"of no order", EVENT("return.created", "\"return\":\"R1\""),
         "malformed: `original` is missing"},
        {"without an id", EVENT("return.created", "\"original\":\"O1\""),
         "malformed: `id` is missing"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define CHARGEBACK(status)                                                                     \
    "\"id\":\"O1\",\"reasonCode\":\"4837\",\"creationDate\":\"Fri May 09 17:00:00 UTC 2025\"," \
    "\"chargebackAmount\":171.68,\"order\":\"O1\",\"processorCaseId\":\"dsp_1\"" status
#define DISPUTE(state) "[O1 dispute:" state " dsp_1 at=2026-11-23T09:30:00Z" WHO

static void chargebacks(void **state)
{
    static const struct reading_case cases[] = {
        {"new", EVENT("chargeback.created", CHARGEBACK(",\"status\":\"NEW\"")), DISPUTE("open")},
        {"no word", EVENT("chargeback.created", CHARGEBACK("")), DISPUTE("open")},
        {"won", EVENT("chargeback.created", CHARGEBACK(",\"status\":\"WON\"")), DISPUTE("won")},
        {"lost", EVENT("chargeback.created", CHARGEBACK(",\"status\":\"LOST\"")), DISPUTE("lost")},
        {"without a case", EVENT("chargeback.created", "\"order\":\"O1\",\"status\":\"NEW\""),
         "[O1 dispute:open O1 at=2026-11-23T09:30:00Z" WHO},
        {"another word", EVENT("chargeback.created", CHARGEBACK(",\"status\":\"ODD\"")),
         "malformed: `status` is none that this version knows"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define O(id) ORDER(id, "", "")
#define O_TEXT(id) "[" id " paid " AT " total=193050000" ZOE " lines:]"

/* One body may hold events of both modes, and of anything. */
static void bodies_of_many_events(void **state)
{
    static const struct reading_case cases[] = {
        {"two orders",
         BODY(EVENT_OF("true", "order.completed", O("O1")) "," EVENT_OF("true", "order.completed",
                                                                        O("O2"))),
         O_TEXT("O1") O_TEXT("O2")},
        {"one of them a test",
         BODY(EVENT_OF("false", "order.completed",
                       ID("O1") ",\"items\":[]") "," EVENT_OF("true", "order.completed", O("O2"))),
         O_TEXT("O2")},
        {"all tests", BODY(EVENT_OF("false", "order.completed", ID("O1"))),
         "wrong_mode: its events are of test orders, and this source has live = true"},
        {"an event that does not tell, of a test order",
         BODY("{\"type\":\"order.completed\",\"data\":{\"live\":false,\"id\":\"O1\"}}"),
         "wrong_mode: its events are of test orders, and this source has live = true"},
        {"beside others",
         BODY(EVENT_OF("true", "account.created",
                       "\"id\":\"A1\"") "," EVENT_OF("true", "order.completed", O("O2"))),
         O_TEXT("O2")},
        {"others alone", BODY(EVENT_OF("true", "account.created", "\"id\":\"A1\"")),
         "not_an_order: none of its events is about an order, a subscription or a return"},
        {"others and tests",
         BODY(EVENT_OF("true", "payoutEntry.created", "") "," EVENT_OF("false", "order.completed",
                                                                       ID("O1"))),
         "wrong_mode: its events are of test orders, and this source has live = true"},
        {"none", BODY(""),
         "not_an_order: none of its events is about an order, a subscription or a return"},
        {"no list", "{\"events\":{}}", "malformed: `events` is not a list"},
        {"no object", "[]", "malformed: the body is JSON, but not an object"},
        {"an event that is none", BODY("7"),
         "not_an_order: none of its events is about an order, a subscription or a return"},
        {"an event without data", BODY("{\"type\":\"order.completed\",\"data\":\"O1\"}"),
         "malformed: `data` of an event is not an object"},
        {"a fault in one takes none of the others for granted",
         BODY(EVENT_OF("true", "order.completed", O("O1")) "," EVENT_OF("true", "order.completed",
                                                                        "\"items\":[]")),
         "malformed: `id` is missing"},
        {"a time that is none",
         EVENT("order.completed", "\"id\":\"O1\",\"items\":[],\"changed\":\"now\""),
         "malformed: `changed` is no time in milliseconds"},
        {"a time before all times",
         EVENT("order.completed", "\"id\":\"O1\",\"items\":[],\"changed\":-1"),
         "malformed: `changed` is no time in milliseconds"},
        {"an amount beyond any", EVENT("order.completed", ID("O1") ",\"items\":[],\"total\":1e300"),
         "[O1 paid at=2026-11-23T09:00:00Z paid=- total=-1 address=absent lines:]"},
        {"an item without a product", EVENT("order.completed", ID("O1") ",\"items\":[{}]"),
         "malformed: the order is paid, but none of its lines has an id and a whole quantity"},
        {"one of two items without a product",
         EVENT("order.completed", ID("O1") ",\"items\":[{},{\"product\":\"a\",\"sku\":[]}]"),
         "[O1 paid at=2026-11-23T09:00:00Z paid=- total=-1 address=absent lines: a(a/-/-)*1-0]"},
        {"a quantity below nothing",
         EVENT("order.completed", ID("O1") ",\"items\":[{\"product\":\"a\",\"quantity\":-1}]"),
         "malformed: the order is paid, but none of its lines has an id and a whole quantity"},
    };
    struct settings_source test = source_make(PROVIDER_FASTSPRING, SECRET, NULL);
    char *text;
    (void)state;
    check_readings(&source, cases, COUNT(cases));
    test.live = false;
    text = read_bytes(&test, cases[0].body, strlen(cases[0].body));
    assert_string_equal(
        text, "wrong_mode: its events are of live orders, and this source has live = false");
    free(text);
    source_free(&test);
}

/* A path as long as an id may be leaves no room for the number of a second line. */
static void long_paths_are_refused(void **state)
{
    (void)state;
    for (size_t len = LIMIT_ORDER_ID - 6; len < LIMIT_ORDER_ID; len++) {
        struct buf body = {0};
        struct facts facts = {0};
        buf_puts(&body, "{\"events\":[{\"type\":\"order.completed\",\"data\":{\"id\":1,\"items\":["
                        "{\"product\":\"");
        for (size_t i = 0; i < len; i++)
            buf_putc(&body, 'p');
        buf_puts(&body, "\"}]}}]}");
        shop_read(&source, body.data, body.len, RECEIVED, &facts);
        assert_int_equal(facts.set_aside,
                         len > LIMIT_ORDER_ID - 6 ? SET_ASIDE_MALFORMED : SET_ASIDE_NONE);
        facts_free(&facts);
        buf_free(&body);
    }
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

static void calls_carry_the_credentials(void **state)
{
    static const struct {
        enum fact_need_kind kind;
        const char *id, *object, *target;
    } cases[] = {
        {NEED_ORDER, "O-1_x", NULL, "/orders/O-1_x"},
        {NEED_ORDER, "S1", "subscriptions/S1", "/subscriptions/S1"},
        {NEED_OWNER, "O1", "orders/O1", "/orders/O1"},
        {NEED_ADDRESS, "O1", "accounts/A1", "/accounts/A1"},
        {NEED_REFUNDS, "O1", NULL, NULL},
        {NEED_LINES, "O1", NULL, NULL},
        {NEED_ORDER, "a/../b", NULL, NULL},
        {NEED_ORDER, "", NULL, NULL},
        {NEED_ORDER, "O1", "orders/a/b", NULL},
        {NEED_ORDER, "O1", "products/a", NULL},
        {NEED_ORDER, "O1", "orders/O1,O2", NULL},
    };
    struct shop_fetch fetch;
    (void)state;
    assert_true(shop_has_api(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        int failed = call_for(cases[i].id, cases[i].kind, cases[i].object, &fetch);
        assert_int_equal(failed, cases[i].target ? 0 : -1);
        if (failed)
            continue;
        assert_string_equal(fetch.target, cases[i].target);
        assert_string_equal(fetch.basic_auth, "user:password");
        assert_string_equal(fetch.header, "Accept: application/json");
        shop_fetch_free(&fetch);
    }
}

struct answer_case {
    const char *what;
    enum fact_need_kind kind;
    const char *object; /* of the need, under the order O1 */
    int status;
    const char *type, *body, *expected;
};

static char *answer_text(const struct answer_case *one)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0}, out = {0};
    assert_int_equal(call_for("O1", one->kind, one->object, &fetch), 0);
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

#define API_AT AT " read=2026-11-23T10:00:00Z"
#define NOTHING                                                                                   \
    "refused: the shop has nothing of this id: check that api_key_file holds the credentials of " \
    "the store whose events these are"

static void answers(void **state)
{
    static const struct answer_case cases[] = {
        {"an order", NEED_ORDER, NULL, 200, JSON, "{" ORDER("O1", ITEM("icons", ""), "") "}",
         "read: [O1 paid " API_AT " total=193050000" ZOE " lines: icons(icons/-/-)*1-0]"},
        {"in a list", NEED_ORDER, "orders/O1", 200, JSON,
         "{\"action\":\"order.get\",\"result\":\"success\",\"orders\":[{" O("O1") "}]}",
         "read: [O1 paid " API_AT " total=193050000" ZOE " lines:]"},
        {"that is a subscription's", NEED_OWNER, "orders/O1", 200, JSON,
         "{" ORDER("O1", ITEM("pro", OF("S1")), "") "}",
         "read: [S1 paid " API_AT " total=193050000" ZOE " lines: pro(pro/-/-)*1-0 alias:O1]"},
        {"not completed", NEED_ORDER, NULL, 200, JSON,
         "{" ID("O1") ",\"completed\":false,\"items\":[]}",
         "read: [O1 pending " API_AT " total=-1 address=absent lines:]"},
        {"a subscription", NEED_ORDER, "subscriptions/S1", 200, JSON,
         "{" SUBSCRIPTION("active", NEXT) "}",
         "read: [S1 paid " API_AT " total=-1" ZOE " lines: pro(pro/-/PRO)*2-0 term:active"
         " at=2026-11-23T09:00:00Z read=2026-11-23T10:00:00Z until=" DECEMBER "]"},
        {"an account's address does not say what became of the order", NEED_ADDRESS, "accounts/A1",
         200, JSON,
         "{\"id\":\"A1\",\"account\":\"A1\",\"contact\":{\"email\":\"Zoe@Example.test\"},"
         "\"orders\":[\"O7\"]}",
         "read: [O1 pending at=1970-01-01T00:00:00Z paid=- read=2026-11-23T10:00:00Z total=-1" ZOE
         " lines?]"},
        {"an account in a list", NEED_ADDRESS, "accounts/A1", 200, JSON,
         "{\"accounts\":[{\"account\":\"A1\",\"result\":\"success\",\"contact\":{}}]}",
         "read: [O1 pending at=1970-01-01T00:00:00Z paid=- read=2026-11-23T10:00:00Z total=-1 "
         "address=absent lines?]"},
        {"no such order may be a subscription", NEED_ORDER, NULL, 404, JSON,
         "{\"result\":\"error\"}", "read: [O1 need:order(subscriptions/O1)!]"},
        {"told as a bad request", NEED_ORDER, NULL, 400, JSON,
         "{\"orders\":[{\"order\":\"O1\",\"result\":\"error\"}]}",
         "read: [O1 need:order(subscriptions/O1)!]"},
        {"told as success", NEED_ORDER, NULL, 200, JSON,
         "{\"orders\":[{\"order\":\"O1\",\"result\":\"error\"}]}",
         "read: [O1 need:order(subscriptions/O1)!]"},
        {"no such subscription either", NEED_ORDER, "subscriptions/O1", 404, JSON, "{}", NOTHING},
        {"another order", NEED_ORDER, NULL, 200, JSON, "{" O("O2") "}",
         "refused: the shop answered with another object than was asked for"},
        {"an order of a test", NEED_ORDER, NULL, 200, JSON,
         "{" ID("O1") ",\"live\":false,\"items\":[]}",
         "refused: the shop answered with an object of the other mode: check `live` of the source"},
        {"half an order", NEED_ORDER, NULL, 200, JSON, "{" ID("O1") "}",
         "refused: the answer cannot be used: `items` is not a list"},
        {"half a subscription", NEED_ORDER, "subscriptions/S1", 200, JSON, "{\"id\":\"S1\"}",
         "refused: the answer cannot be used: `state` is missing"},
        {"nothing", NEED_ORDER, NULL, 200, JSON, "[]",
         "refused: the answer cannot be used: `id` is missing"},
        {"the key", NEED_ORDER, NULL, 401, JSON, "{}",
         "refused: the shop refused the key (401): check that api_key_file holds user:password of "
         "the store's API credentials"},
        {"busy", NEED_ORDER, NULL, 429, JSON, "{}", "later: the shop answered 429"},
        {"a page", NEED_ORDER, NULL, 200, "text/html", "<html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"no such address", NEED_ORDER, NULL, 404, "text/html", "<html>",
         "refused: the shop has no such address: check that api_url is https://api.fastspring.com"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = answer_text(&cases[i]);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),
        cmocka_unit_test(orders),
        cmocka_unit_test(orders_that_begin_subscriptions),
        cmocka_unit_test(subscriptions),
        cmocka_unit_test(charges),
        cmocka_unit_test(returns),
        cmocka_unit_test(chargebacks),
        cmocka_unit_test(bodies_of_many_events),
        cmocka_unit_test(long_paths_are_refused),
        cmocka_unit_test(calls_carry_the_credentials),
        cmocka_unit_test(answers),
    };
    source = source_make(PROVIDER_FASTSPRING, SECRET, NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] = (struct secret){
        .bytes = (unsigned char *)xstrdup("user:password"), .len = strlen("user:password")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
