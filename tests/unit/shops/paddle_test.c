/*
 * Paddle Billing: its signature list, what each event says, what is asked and how answers are read.
 */
#include "support.h"

#define ENVELOPE(type, data)                                               \
    "{\"event_id\":\"evt_1\",\"event_type\":\"" type "\",\"occurred_at\":" \
    "\"2026-11-23T09:00:01Z\",\"notification_id\":\"ntf_1\",\"data\":{" data "}}"
#define UPDATED "\"updated_at\":\"2026-11-23T09:00:00Z\""
#define ITEM(price, product, quantity, cycle)                                                  \
    "{\"price\":{\"id\":\"" price "\",\"product_id\":\"" product "\",\"billing_cycle\":" cycle \
    "},\"quantity\":" quantity "}"
#define MONTH "{\"interval\":\"month\",\"frequency\":1}"
#define LINE(id, price, product, quantity)                                         \
    "{\"id\":\"" id "\",\"price_id\":\"" price "\",\"product\":{\"id\":\"" product \
    "\"},\"quantity\":" quantity "}"
#define TOTALS(name, total) \
    "\"" name "\":{\"total\":\"" total "\",\"grand_total\":\"" total "\",\"currency_code\":\"USD\"}"
#define MONEY TOTALS("totals", "1200") "," TOTALS("adjusted_totals", "1200")
#define TXN "\"id\":\"txn_1\"," UPDATED ",\"customer_id\":\"ctm_1\",\"currency_code\":\"USD\","
#define BOUGHT                                                                                      \
    "\"items\":[" ITEM(                                                                             \
        "pri_1", "pro_1", "2",                                                                      \
        "null") "],"                                                                                \
                "\"payments\":[{\"captured_at\":\"2026-11-23T08:59:58Z\"},{\"captured_at\":null}]," \
                "\"details\":{" MONEY                                                               \
                ",\"line_items\":[" LINE("txnitm_1", "pri_1", "pro_1", "2") "]}"
#define TXN_LINES "lines: txnitm_1(pri_1|pro_1/-/-)*2-0"
#define PAID_AT " at=2026-11-23T09:00:00Z paid=2026-11-23T08:59:58Z total=12000000 "

static struct settings_source source;

static void published_vectors_are_valid(void **state)
{
    static const struct {
        const char *secret, *header, *body;
        int64_t now;
        enum shop_verdict verdict;
    } cases[] = {
        {"VALID_SECRET",
         "ts=1698796800;h1=a300428748dce5c70e4da19bffd60769591ea969c99dea3105d0ec9612cf43f9",
         "{\"data\": [\"1\", \"2\"]}", 1698796800, SHOP_VALID},
        {"VALID_SECRET",
         "ts=1698796800;h1=28981e941fae76e53db32f3d2a83cb69db41476595e84e1970a1b5d98f62b261",
         "{\"data\": \"value\"}", 1698796800, SHOP_VALID},
        {"pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
         "ts=1696195954;h1=dummy;"
         "h1=d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02",
         "hello-world", 1696195954, SHOP_VALID},
        {"INVALID_SECRET",
         "ts=1698796800;h1=28981e941fae76e53db32f3d2a83cb69db41476595e84e1970a1b5d98f62b261",
         "{\"data\": \"value\"}", 1698796800, SHOP_SIGNATURE_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings_source shop = source_make(PROVIDER_PADDLE, cases[i].secret, NULL);
        struct shop_receipt receipt;
        char *lines = xasprintf("paddle-signature: %s\r\n", cases[i].header);
        assert_int_equal(verify_bytes(&shop, lines, cases[i].body, strlen(cases[i].body),
                                      cases[i].now * TIME_SECOND, &receipt),
                         cases[i].verdict);
        free(lines);
        source_free(&shop);
    }
}

static void only_whole_lists_count(void **state)
{
    struct buf made = {0};
    (void)state;
    shop_sign(&source, "", RECEIVED, "{}", 2, &made);
    char *mac = xstrndup(strstr(made.data, "h1=") + 3, 64);
    buf_free(&made);
    const struct {
        const char *what, *format;
        enum shop_verdict verdict;
    } cases[] = {
        {"as it is", "Paddle-Signature: ts=1795428000;h1=%s\r\n", SHOP_VALID},
        {"the other way about", "Paddle-Signature: h1=%s;ts=1795428000\r\n", SHOP_VALID},
        {"an unknown version beside", "Paddle-Signature: ts=1795428000;h2=00;h1=%s\r\n",
         SHOP_VALID},
        {"no time", "Paddle-Signature: h1=%s\r\n", SHOP_SIGNATURE_INVALID},
        {"two times", "Paddle-Signature: ts=1795428000;ts=1795428000;h1=%s\r\n",
         SHOP_SIGNATURE_INVALID},
        {"another time", "Paddle-Signature: ts=1795428001;h1=%s\r\n", SHOP_SIGNATURE_INVALID},
        {"time signed", "Paddle-Signature: ts=+1795428000;h1=%s\r\n", SHOP_SIGNATURE_INVALID},
        {"blank in time", "Paddle-Signature: ts= 1795428000;h1=%s\r\n", SHOP_SIGNATURE_INVALID},
        {"no MAC", "Paddle-Signature: ts=1795428000%.0s\r\n", SHOP_SIGNATURE_INVALID},
        {"cut MAC", "Paddle-Signature: ts=1795428000;h1=%.62s\r\n", SHOP_SIGNATURE_INVALID},
        {"longer MAC", "Paddle-Signature: ts=1795428000;h1=%s00\r\n", SHOP_SIGNATURE_INVALID},
        {"commas", "Paddle-Signature: ts=1795428000,h1=%s\r\n", SHOP_SIGNATURE_INVALID},
        {"another header", "Stripe-Signature: t=1795428000,v1=%s\r\n", SHOP_SIGNATURE_INVALID},
        {"empty", "Paddle-Signature: %.0s\r\n", SHOP_SIGNATURE_INVALID},
        {"twice", "Paddle-Signature: ts=1795428000;h1=%s\r\nPaddle-Signature: ts=1\r\n",
         SHOP_SIGNATURE_INVALID},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof(text), cases[i].format, mac);
#pragma GCC diagnostic pop
        if (verify_text(&source, text, "{}") != cases[i].verdict)
            print_error("case: %s\n", cases[i].what);
        assert_int_equal(verify_text(&source, text, "{}"), cases[i].verdict);
    }
    free(mac);
}

/* Replays are looked for on both sides, and only once the MAC is right. */
static void the_window_has_two_sides(void **state)
{
    static const struct {
        int64_t seconds;
        enum shop_verdict verdict;
    } cases[] = {
        {-301, SHOP_TIMESTAMP_OUTSIDE}, {-300, SHOP_VALID}, {0, SHOP_VALID}, {300, SHOP_VALID},
        {301, SHOP_TIMESTAMP_OUTSIDE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf lines = {0};
        shop_sign(&source, "", RECEIVED + cases[i].seconds * TIME_SECOND, "{}", 2, &lines);
        assert_int_equal(verify_text(&source, lines.data, "{}"), cases[i].verdict);
        assert_int_equal(verify_text(&source, lines.data, "{ }"), SHOP_SIGNATURE_INVALID);
        buf_free(&lines);
    }
}

static struct shop_receipt receipt_of(const char *body)
{
    struct shop_receipt receipt;
    struct buf lines = {0};
    shop_sign(&source, "", RECEIVED, body, strlen(body), &lines);
    assert_int_equal(verify_bytes(&source, lines.data, body, strlen(body), RECEIVED, &receipt),
                     SHOP_VALID);
    buf_free(&lines);
    return receipt;
}

/* A replay has another notification_id, and is the same event. */
static void the_event_id_is_the_key(void **state)
{
    struct shop_receipt one = receipt_of(
        "{\"event_id\":\"evt_1\",\"event_type\":\"transaction.paid\",\"notification_id\":\"a\"}");
    struct shop_receipt again = receipt_of("{\"event_id\":\"evt_1\",\"notification_id\":\"b\"}");
    struct shop_receipt other = receipt_of("{\"event_id\":\"evt_2\"}");
    struct shop_receipt none = receipt_of("{\"event_id\":7}");
    struct shop_receipt broken = receipt_of("not json");
    unsigned char digest[DIGEST_LEN];
    (void)state;
    assert_memory_equal(one.key, again.key, DIGEST_LEN);
    assert_memory_not_equal(one.key, other.key, DIGEST_LEN);
    assert_string_equal(one.topic, "transaction.paid");
    assert_string_equal(again.topic, "");
    digest_sha256("{\"event_id\":7}", 14, digest);
    assert_memory_equal(none.key, digest, DIGEST_LEN);
    digest_sha256("not json", 8, digest);
    assert_memory_equal(broken.key, digest, DIGEST_LEN);
}

static void transactions(void **state)
{
    static const struct reading_case cases[] = {
        {"paid", ENVELOPE("transaction.completed", TXN "\"status\":\"completed\"," BOUGHT),
         "[txn_1 paid" PAID_AT "address=absent " TXN_LINES " listed: need:address(ctm_1)!]"},
        {"whose it is stands in it",
         ENVELOPE("transaction.paid", TXN "\"status\":\"paid\",\"custom_data\":"
                                          "{\"miro_reference\":\"abc-1\"}," BOUGHT),
         "[txn_1 paid" PAID_AT "address=absent reference=abc-1 " TXN_LINES
         " listed: need:address(ctm_1)]"},
        {"something went back since",
         ENVELOPE("transaction.updated", TXN
                  "\"status\":\"completed\",\"items\":[],\"billed_at\":\"2026-11-23T08:00:00Z\","
                  "\"details\":{" TOTALS("totals", "1200") "," TOTALS(
                      "adjusted_totals", "200") ",\"line_items\":[" LINE("txnitm_1", "pri_1",
                                                                         "pro_1", "2") "]}"),
         "[txn_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T08:00:00Z total=12000000 "
         "address=absent " TXN_LINES " need:address(ctm_1)!]"},
        {"not yet paid", ENVELOPE("transaction.ready", TXN "\"status\":\"ready\"," BOUGHT),
         "[txn_1 pending at=2026-11-23T09:00:00Z paid=- total=12000000 address=absent " TXN_LINES
         "]"},
        {"an invoice", ENVELOPE("transaction.billed", TXN "\"status\":\"billed\"," BOUGHT),
         "[txn_1 pending at=2026-11-23T09:00:00Z paid=- total=12000000 address=absent " TXN_LINES
         "]"},
        {"canceled", ENVELOPE("transaction.canceled", TXN "\"status\":\"canceled\"," BOUGHT),
         "[txn_1 cancelled at=2026-11-23T09:00:00Z paid=- total=12000000 address=absent " TXN_LINES
         "]"},
        {"a word of tomorrow", ENVELOPE("transaction.paid", TXN "\"status\":\"half\"," BOUGHT),
         "malformed: `status` of the transaction is none that this version knows"},
        {"items alone, of one price twice, free, undated, nobody's",
         ENVELOPE("transaction.completed",
                  "\"id\":\"txn_1\",\"status\":\"completed\",\"customer_id\":null,"
                  "\"updated_at\":\"0001-01-01T00:00:00Z\",\"items\":[" ITEM(
                      "pri_1", "pro_1", "2", "null") "," ITEM("pri_1", "pro_1", "1", "null") "]"),
         "[txn_1 paid at=2026-11-23T09:00:01Z paid=2026-11-23T09:00:01Z total=-1 address=absent "
         "lines: pri_1(pri_1|pro_1/-/-)*3-0 listed:]"},
        {"yen have no hundredths",
         ENVELOPE("transaction.paid", TXN
                  "\"status\":\"paid\",\"items\":[],\"details\":{\"totals\":{\"total\":\"1200\","
                  "\"currency_code\":\"JPY\"}}"),
         "[txn_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T09:00:00Z total=1200000000 "
         "address=absent lines: listed: need:address(ctm_1)!]"},
        {"no items", ENVELOPE("transaction.paid", TXN "\"status\":\"paid\""),
         "malformed: `data.items` is not a list"},
        {"a total that is none",
         ENVELOPE("transaction.paid", TXN "\"status\":\"paid\",\"items\":[],\"details\":{"
                                          "\"totals\":{\"total\":\"12.00\"}}"),
         "malformed: `total` is not an amount in the smallest unit"},
        {"ahead of receipt",
         ENVELOPE("transaction.paid",
                  "\"id\":\"txn_1\",\"updated_at\":\"2027-11-23T09:00:00Z\",\"status\":\"paid\","
                  "\"items\":[]"),
         "[txn_1 paid at=2026-11-23T10:05:00Z claimed=2027-11-23T09:00:00Z "
         "paid=2026-11-23T10:05:00Z total=-1 address=absent lines: listed:]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define SUB TXN "\"subscription_id\":\"sub_1\","
#define SUB_PAID "[sub_1 paid" PAID_AT "address=absent lines: pri_1(pri_1|pro_1/-/-)*2-0 listed: "

/* A subscription is one order, however often it renews. */
static void payments_of_subscriptions(void **state)
{
    static const struct reading_case cases[] = {
        {"the first",
         ENVELOPE("transaction.completed",
                  SUB "\"origin\":\"web\",\"status\":\"completed\"," BOUGHT),
         SUB_PAID "alias:txn_1 need:address(ctm_1)!]"},
        {"a renewal",
         ENVELOPE("transaction.completed", SUB "\"origin\":\"subscription_recurring\","
                                               "\"status\":\"completed\"," BOUGHT),
         SUB_PAID "alias:txn_1 need:address(ctm_1)]"},
        {"a renewal that is not paid takes nothing by itself",
         ENVELOPE("transaction.past_due",
                  SUB "\"origin\":\"subscription_recurring\",\"status\":\"past_due\"," BOUGHT),
         "[sub_1 alias:txn_1]"},
        {"paid for a change of plan",
         ENVELOPE("transaction.completed",
                  SUB "\"origin\":\"subscription_update\",\"status\":\"completed\"," BOUGHT),
         "[sub_1 alias:txn_1]"},
        {"a charge of its own",
         ENVELOPE("transaction.completed", SUB "\"origin\":\"subscription_charge\","
                                               "\"status\":\"completed\"," BOUGHT),
         "[txn_1 paid" PAID_AT "address=absent " TXN_LINES " listed: need:address(ctm_1)!]"},
        {"a checkout of a subscription and something for ever",
         ENVELOPE(
             "transaction.completed",
             SUB "\"origin\":\"web\",\"status\":\"completed\",\"billed_at\":"
                 "\"2026-11-23T08:59:58Z\",\"items\":[" ITEM("pri_1", "pro_1", "2", MONTH) "," ITEM(
                     "pri_2", "pro_2", "1",
                     "null") "],\"details\":{" MONEY
                             ",\"line_items\":[" LINE("txnitm_1", "pri_1", "pro_1", "2") "," LINE(
                                 "txnitm_2", "pri_2", "pro_2", "1") "]}"),
         SUB_PAID "alias:txn_1 need:address(ctm_1)!]"
                  "[txn_1:once paid at=2026-11-23T09:00:00Z paid=2026-11-23T08:59:58Z total=-1 "
                  "address=absent lines: txnitm_2(pri_2|pro_2/-/-)*1-0 listed: "
                  "need:address(ctm_1)!]"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define SUBSCRIPTION(status, rest)                                                       \
    ENVELOPE("subscription.updated", "\"id\":\"sub_1\"," UPDATED ",\"status\":\"" status \
                                     "\",\"customer_id\":\"ctm_1\",\"items\":[" ITEM(    \
                                         "pri_1", "pro_1", "2", MONTH) "]," rest)
#define PERIOD                                                            \
    "\"current_billing_period\":{\"starts_at\":\"2026-11-01T00:00:00Z\"," \
    "\"ends_at\":\"2026-12-01T00:00:00Z\"}"
#define CHANGE(action)                                                          \
    PERIOD ",\"scheduled_change\":{\"action\":\"" action "\",\"effective_at\":" \
           "\"2026-12-01T00:00:00Z\",\"resume_at\":null}"
#define STATE(state, dates)                                                          \
    "[sub_1 paid at=2026-11-23T09:00:00Z paid=- total=-1 address=absent lines: "     \
    "pri_1(pri_1|pro_1/-/-)*2-0 term:" state " at=2026-11-23T09:00:00Z until=" dates \
    " need:address(ctm_1)]"

static void states_of_subscriptions(void **state)
{
    static const struct reading_case cases[] = {
        {"trialing", SUBSCRIPTION("trialing", PERIOD), STATE("trial", "2026-12-01T00:00:00Z")},
        {"active", SUBSCRIPTION("active", PERIOD), STATE("active", "2026-12-01T00:00:00Z")},
        {"active without a period",
         SUBSCRIPTION("active", "\"next_billed_at\":\"2026-12-02T00:00:00Z\""),
         STATE("active", "2026-12-02T00:00:00Z")},
        {"past due", SUBSCRIPTION("past_due", PERIOD),
         STATE("past_due", "- since=2026-11-01T00:00:00Z")},
        {"paused", SUBSCRIPTION("paused", "\"paused_at\":\"2026-11-22T00:00:00Z\""),
         STATE("paused", "2026-11-22T00:00:00Z")},
        {"paused, to be resumed",
         SUBSCRIPTION("paused", "\"paused_at\":\"2026-11-22T00:00:00Z\"," CHANGE("resume")),
         STATE("paused", "2026-11-22T00:00:00Z")},
        {"canceled", SUBSCRIPTION("canceled", "\"canceled_at\":\"2026-11-23T08:59:59Z\""),
         STATE("expired", "2026-11-23T08:59:59Z")},
        {"cancelled at the period's end", SUBSCRIPTION("active", CHANGE("cancel")),
         STATE("cancelled", "2026-12-01T00:00:00Z")},
        {"paused at the period's end", SUBSCRIPTION("active", CHANGE("pause")),
         STATE("paused", "2026-12-01T00:00:00Z")},
        {"past due, and to be cancelled", SUBSCRIPTION("past_due", CHANGE("cancel")),
         STATE("past_due", "- since=2026-11-01T00:00:00Z")},
        {"the first transaction is told",
         ENVELOPE("subscription.created",
                  "\"id\":\"sub_1\"," UPDATED ",\"status\":\"active\",\"transaction_id\":\"txn_1\","
                  "\"custom_data\":{\"miro_reference\":\"abc-1\"},\"items\":[]"),
         "[sub_1 paid at=2026-11-23T09:00:00Z paid=- total=-1 address=absent reference=abc-1 "
         "lines: term:active at=2026-11-23T09:00:00Z until=- alias:txn_1]"},
        {"a word of tomorrow", SUBSCRIPTION("frozen", PERIOD),
         "malformed: `status` of the subscription is none that this version knows"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define ADJUSTMENT_DATA(id, action, status, times, rest)                           \
    "\"id\":\"" id "\",\"action\":\"" action "\",\"status\":\"" status "\"," times \
    ",\"totals\":{\"total\":\"500\",\"currency_code\":\"USD\"},\"transaction_id\":\"txn_1\"" rest
#define ADJUSTMENT(action, status, rest) \
    ENVELOPE("adjustment.updated", ADJUSTMENT_DATA("adj_1", action, status, UPDATED, rest))
#define PARTS                                                                      \
    ",\"items\":[{\"item_id\":\"txnitm_1\",\"type\":\"full\",\"amount\":\"300\"}," \
    "{\"item_id\":\"txnitm_2\",\"type\":\"partial\",\"amount\":\"200\"}]"
#define AT_NINE " at=2026-11-23T09:00:00Z"

/* Every action with every status: what it takes or gives back. */
static void every_action_in_every_status(void **state)
{
    static const char *const statuses[] = {"pending_approval", "approved", "rejected", "reversed"};
    static const struct {
        const char *action, *begins[4];
    } cases[] = {
        {"refund",
         {"[txn_1 refund:pending", "[txn_1 refund:done", "[txn_1 refund:failed",
          "[txn_1 refund:failed"}},
        {"credit", {"not_an_order", "not_an_order", "not_an_order", "not_an_order"}},
        {"credit_reverse", {"not_an_order", "not_an_order", "not_an_order", "not_an_order"}},
        {"chargeback",
         {"[txn_1 dispute:inquiry chargeback", "[txn_1 dispute:open chargeback",
          "[txn_1 dispute:won chargeback", "[txn_1 dispute:won chargeback"}},
        {"chargeback_reverse",
         {"not_an_order", "[txn_1 dispute:won chargeback", "not_an_order", "not_an_order"}},
        {"chargeback_warning",
         {"[txn_1 dispute:inquiry warning", "[txn_1 dispute:inquiry warning",
          "[txn_1 dispute:won warning", "[txn_1 dispute:won warning"}},
        {"chargeback_warning_reverse",
         {"not_an_order", "[txn_1 dispute:won warning", "not_an_order", "not_an_order"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t j = 0; j < COUNT(statuses); j++) {
            char *body = xasprintf(
                "{\"event_type\":\"adjustment.updated\",\"occurred_at\":\"2026-11-23T09:00:00Z\","
                "\"data\":{\"id\":\"adj_1\",\"transaction_id\":\"txn_1\",\"action\":\"%s\","
                "\"status\":\"%s\"}}",
                cases[i].action, statuses[j]);
            char *text = read_bytes(&source, body, strlen(body));
            if (strncmp(text, cases[i].begins[j], strlen(cases[i].begins[j])) != 0)
                print_error("case: %s %s: %s\n", cases[i].action, statuses[j], text);
            assert_memory_equal(text, cases[i].begins[j], strlen(cases[i].begins[j]));
            free(text);
            free(body);
        }
}

/* It is paid for again from the period that runs. */
static void a_resumed_subscription_is_active(void **state)
{
    static const char body[] =
        "{\"event_type\":\"subscription.resumed\",\"occurred_at\":\"2026-11-23T09:00:00Z\","
        "\"data\":{\"id\":\"sub_1\",\"status\":\"active\",\"paused_at\":null,"
        "\"scheduled_change\":null,\"items\":[{\"quantity\":1,\"price\":{\"id\":\"pri_1\"}}],"
        "\"current_billing_period\":{\"starts_at\":\"2026-11-23T09:00:00Z\",\"ends_at\":"
        "\"2026-12-23T09:00:00Z\"}}}";
    char *text = read_bytes(&source, body, strlen(body));
    (void)state;
    assert_non_null(strstr(text, " term:active at=2026-11-23T09:00:00Z until=2026-12-23"));
    free(text);
}

static void adjustments(void **state)
{
    static const struct reading_case cases[] = {
        {"approved, a line whole and a part of another", ADJUSTMENT("refund", "approved", PARTS),
         "[txn_1 refund:done adj_1=5000000{txnitm_1*1000000000}" AT_NINE "]"},
        {"not yet approved", ADJUSTMENT("refund", "pending_approval", PARTS),
         "[txn_1 refund:pending adj_1=5000000{txnitm_1*1000000000}" AT_NINE "]"},
        {"rejected", ADJUSTMENT("refund", "rejected", ""),
         "[txn_1 refund:failed adj_1=5000000{?}" AT_NINE "]"},
        {"reversed", ADJUSTMENT("refund", "reversed", ""),
         "[txn_1 refund:failed adj_1=5000000{?}" AT_NINE "]"},
        {"of a subscription", ADJUSTMENT("refund", "approved", ",\"subscription_id\":\"sub_1\""),
         "[txn_1 refund:done adj_1=5000000{?}" AT_NINE " need:owner(txn_1)]"},
        {"undated since it was made",
         ENVELOPE("adjustment.created", ADJUSTMENT_DATA("adj_1", "refund", "approved",
                                                        "\"created_at\":\"2026-11-23T08:30:00Z\","
                                                        "\"updated_at\":\"0001-01-01T00:00:00Z\"",
                                                        "")),
         "[txn_1 refund:done adj_1=5000000{?} at=2026-11-23T08:30:00Z]"},
        {"chargeback", ADJUSTMENT("chargeback", "approved", PARTS),
         "[txn_1 dispute:open chargeback:txn_1" AT_NINE "]"},
        {"chargeback won", ADJUSTMENT("chargeback_reverse", "approved", PARTS),
         "[txn_1 dispute:won chargeback:txn_1" AT_NINE "]"},
        {"chargeback reversed", ADJUSTMENT("chargeback", "reversed", PARTS),
         "[txn_1 dispute:won chargeback:txn_1" AT_NINE "]"},
        {"only a warning", ADJUSTMENT("chargeback_warning", "approved", PARTS),
         "[txn_1 dispute:inquiry warning:txn_1" AT_NINE "]"},
        {"a warning that came to nothing", ADJUSTMENT("chargeback_warning_reverse", "approved", ""),
         "[txn_1 dispute:won warning:txn_1" AT_NINE "]"},
        {"a credit for a change of plan", ADJUSTMENT("credit", "approved", PARTS),
         "not_an_order: the adjustment neither gives money back nor disputes a payment"},
        {"a word of tomorrow", ADJUSTMENT("gift", "approved", ""),
         "malformed: `action` of the adjustment is none that this version knows"},
        {"a status of tomorrow", ADJUSTMENT("refund", "thought_about", ""),
         "malformed: `status` of the adjustment is none that this version knows"},
        {"of nothing",
         ENVELOPE("adjustment.updated",
                  "\"id\":\"adj_1\",\"action\":\"refund\",\"status\":\"approved\"," UPDATED),
         "malformed: `transaction_id` is missing"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void the_rest(void **state)
{
    static const struct reading_case cases[] = {
        {"a customer", ENVELOPE("customer.updated", "\"id\":\"ctm_1\",\"email\":\"a@b.test\""),
         "not_an_order: `event_type` is of no transaction, subscription or adjustment"},
        {"no type", "{\"data\":{}}", "malformed: `event_type` is missing"},
        {"no data", "{\"event_type\":\"transaction.paid\",\"data\":[]}",
         "malformed: `data` is not an object"},
        {"a time that is none",
         "{\"event_type\":\"transaction.paid\",\"occurred_at\":\"noon\",\"data\":{}}",
         "malformed: `occurred_at` is not a time"},
        {"no id", ENVELOPE("subscription.updated", "\"status\":\"active\""),
         "malformed: `id` is missing"},
        {"not JSON", "event=1", "malformed: the body cannot be read: it is not JSON"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void calls_are_made_of_ids(void **state)
{
    static const struct {
        enum fact_need_kind kind;
        const char *order_id, *object, *target;
    } cases[] = {
        {NEED_ORDER, "txn_1", NULL, "/transactions/txn_1?include=customer,adjustments"},
        {NEED_ORDER, "txn_1:once", NULL, "/transactions/txn_1?include=customer,adjustments"},
        {NEED_ORDER, "sub_1", NULL, "/subscriptions/sub_1"},
        {NEED_OWNER, "txn_1", "txn_1", "/transactions/txn_1?include=customer,adjustments"},
        {NEED_ADDRESS, "sub_1", "ctm_1", "/customers/ctm_1"},
        {NEED_ADDRESS, "sub_1", NULL, NULL},
        {NEED_ADDRESS, "sub_1", "ctm_1/../../x", NULL},
        {NEED_OWNER, "txn_1", NULL, NULL},
        {NEED_ORDER, "txn_", NULL, NULL},
        {NEED_ORDER, "txn_1?x", NULL, NULL},
        {NEED_ORDER, "12", NULL, NULL},
        {NEED_ORDER, ":once", NULL, NULL},
        {NEED_LINES, "txn_1", NULL, NULL},
        {NEED_REFUNDS, "txn_1", NULL, NULL},
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
            assert_string_equal(fetch.header, "Authorization: Bearer pdl_sdbx_apikey_1");
            assert_string_equal(fetch.header2, "Accept: application/json");
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

#define JSON "application/json; charset=utf-8"
#define DATA(data) "{\"data\":{" data "},\"meta\":{\"request_id\":\"1\"}}"
#define READ_AT "read=2026-11-23T10:00:00Z "
#define FOREIGN "refused: the shop answered with another object than was asked for"

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

static void answers_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"a customer", NEED_ADDRESS, "sub_1", "ctm_1", 200, JSON,
         DATA("\"id\":\"ctm_1\",\"email\":\"Zoe@Example.test\""),
         "read: [sub_1 pending at=1970-01-01T00:00:00Z paid=- " READ_AT
         "total=-1 address=zoe@example.test lines?]"},
        {"another customer", NEED_ADDRESS, "sub_1", "ctm_1", 200, JSON,
         DATA("\"id\":\"ctm_2\",\"email\":\"zoe@example.test\""), FOREIGN},
        {"a transaction with its refunds", NEED_ORDER, "txn_1", NULL, 200, JSON,
         DATA(
             TXN
             "\"status\":\"completed\",\"customer\":{\"email\":\"z@example.test\"},"
             "\"adjustments\":[{" ADJUSTMENT_DATA("adj_1", "refund", "approved", UPDATED, PARTS) "},{" ADJUSTMENT_DATA(
                 "adj_2", "refund", "pending_approval", UPDATED,
                 PARTS) "},{" ADJUSTMENT_DATA("adj_3", "chargeback", "approved", UPDATED,
                                              "") "},{" ADJUSTMENT_DATA("adj_4",
                                                                        "chargeback_reverse",
                                                                        "approved",
                                                                        "\"updated_at\":\"2026-11-23T09:30:00Z\"",
                                                                        "") "},{" ADJUSTMENT_DATA("adj_5",
                                                                                                  "credit",
                                                                                                  "approved",
                                                                                                  UPDATED,
                                                                                                  "") "}]," BOUGHT),
         "read: [txn_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T08:59:58Z " READ_AT
         "total=12000000 address=z@example.test " TXN_LINES
         " listed: adj_1=5000000{txnitm_1*1000000000} "
         "dispute:won chargeback:txn_1 at=2026-11-23T09:30:00Z]"},
        {"the subscription that a payment belongs to", NEED_OWNER, "txn_1", "txn_1", 200, JSON,
         DATA(SUB "\"status\":\"completed\",\"adjustments\":[{" ADJUSTMENT_DATA(
             "adj_1", "refund", "approved", UPDATED, PARTS) "}]," BOUGHT),
         "read: [sub_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T08:59:58Z " READ_AT
         "total=12000000 address=absent lines: pri_1(pri_1|pro_1/-/-)*2-0 listed: "
         "adj_1=5000000{pri_1*1000000000} alias:txn_1 need:address(ctm_1)!]"},
        {"another transaction", NEED_ORDER, "txn_2", NULL, 200, JSON,
         DATA(TXN "\"status\":\"completed\"," BOUGHT), FOREIGN},
        {"a subscription", NEED_ORDER, "sub_1", NULL, 200, JSON,
         DATA("\"id\":\"sub_1\"," UPDATED ",\"status\":\"active\",\"items\":[]," PERIOD),
         "read: [sub_1 paid at=2026-11-23T09:00:00Z paid=- " READ_AT
         "total=-1 address=absent lines: term:active at=2026-11-23T09:00:00Z "
         "read=2026-11-23T10:00:00Z until=2026-12-01T00:00:00Z]"},
        {"a subscription without its items", NEED_ORDER, "sub_1", NULL, 200, JSON,
         DATA("\"id\":\"sub_1\"," UPDATED ",\"status\":\"active\""),
         "refused: the answer cannot be used: `data.items` is not a list"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

#define ORDER_CALL NEED_ORDER, "txn_1", NULL

static void other_answers(void **state)
{
    static const struct answer_case cases[] = {
        {"no such thing", ORDER_CALL, 404, JSON, "{\"error\":{\"code\":\"not_found\"}}",
         "refused: the shop does not know it: check that api_url and api_key_file are of the "
         "account that sends the webhooks"},
        {"no such address", ORDER_CALL, 404, "text/html", "<html/>",
         "refused: the shop has no such address: check that api_url is https://api.paddle.com or "
         "that of the sandbox"},
        {"no key", ORDER_CALL, 403, JSON, "{\"error\":{\"code\":\"forbidden\"}}",
         "refused: the shop refused the key (403): check that api_key_file holds a key that may "
         "read transactions, adjustments, subscriptions and customers, of the account that api_url "
         "is of (live or sandbox)"},
        {"busy", ORDER_CALL, 429, JSON, "{}", "later: the shop answered 429"},
        {"a page", ORDER_CALL, 200, "text/html", "<html/>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"no data", ORDER_CALL, 200, JSON, "{\"data\":[]}",
         "refused: the shop answered with something that has no `data`"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_valid),
        cmocka_unit_test(only_whole_lists_count),
        cmocka_unit_test(the_window_has_two_sides),
        cmocka_unit_test(the_event_id_is_the_key),
        cmocka_unit_test(transactions),
        cmocka_unit_test(payments_of_subscriptions),
        cmocka_unit_test(states_of_subscriptions),
        cmocka_unit_test(adjustments),
        cmocka_unit_test(every_action_in_every_status),
        cmocka_unit_test(a_resumed_subscription_is_active),
        cmocka_unit_test(the_rest),
        cmocka_unit_test(calls_are_made_of_ids),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(other_answers),
    };
    source = source_make(PROVIDER_PADDLE, "s3cret", NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] = (struct secret){
        .bytes = (unsigned char *)xstrdup("pdl_sdbx_apikey_1"), .len = strlen("pdl_sdbx_apikey_1")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
