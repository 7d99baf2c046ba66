/*
 * Stripe's signatures, and what its events say: every event that is read, in the shape before and
 * after 2025-03-31.basil. The bodies are of the shape of Stripe's own, trimmed.
 */
#include "support.h"

#include "base/log.h"

/* 2026-11-23T09:00:00Z, an hour before all samples were received. */
#define NINE "1795424400"
#define NINE_TEXT "2026-11-23T09:00:00Z"
/* The period from then on, a month. */
#define PERIOD_END "1798016400"
#define PERIOD_END_TEXT "2026-12-23T09:00:00Z"

#define EVENT_OF(version, live, type, object)                                                  \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"api_version\":\"" version "\",\"created\":" NINE \
    ",\"livemode\":" live ",\"type\":\"" type "\",\"data\":{\"object\":" object "}}"
#define EVENT(type, object) EVENT_OF("2025-03-31.basil", "true", type, object)

#define SESSION(mode, status, payment, rest)                                                      \
    "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"mode\":\"" mode "\",\"status\":\"" status \
    "\",\"payment_status\":\"" payment                                                            \
    "\",\"currency\":\"usd\",\"amount_total\":1900,\"customer_email\":\"typed@example."           \
    "test\",\"customer_details\":{\"email\":\"Zoe+a@Example.test\"}" rest "}"
#define ONE_OFF ",\"payment_intent\":\"pi_1\",\"subscription\":null"
#define SUBSCRIBES ",\"payment_intent\":null,\"subscription\":\"sub_1\",\"invoice\":\"in_1\""
#define AT " at=" NINE_TEXT
#define PAID AT " paid=" NINE_TEXT
#define UNPAID AT " paid=-"
#define MONEY " total=19000000 address=zoe+a@example.test lines?"

static struct settings_source source;

static void sessions_are_orders(void **state)
{
    static const struct reading_case cases[] = {
        {"paid once",
         EVENT("checkout.session.completed", SESSION("payment", "complete", "paid", ONE_OFF)),
         "[cs_1 paid" PAID MONEY " alias:pi_1 need:lines(cs_1)!]"},
        {"nothing to pay",
         EVENT("checkout.session.completed",
               SESSION("payment", "complete", "no_payment_required", "")),
         "[cs_1 paid" PAID MONEY " need:lines(cs_1)!]"},
        {"a session under way may need no payment, and has bought nothing",
         EVENT("checkout.session.completed", SESSION("payment", "open", "no_payment_required", "")),
         "[cs_1 pending" UNPAID MONEY "]"},
        {"money on its way waits",
         EVENT("checkout.session.completed", SESSION("payment", "complete", "unpaid", ONE_OFF)),
         "[cs_1 pending" UNPAID MONEY " alias:pi_1]"},
        {"money came",
         EVENT("checkout.session.async_payment_succeeded",
               SESSION("payment", "complete", "paid", ONE_OFF)),
         "[cs_1 paid" PAID MONEY " alias:pi_1 need:lines(cs_1)!]"},
        {"money did not come",
         EVENT("checkout.session.async_payment_failed",
               SESSION("payment", "complete", "unpaid", ONE_OFF)),
         "[cs_1 cancelled" UNPAID MONEY " alias:pi_1]"},
        {"nobody came back",
         EVENT("checkout.session.expired", SESSION("payment", "expired", "unpaid", "")),
         "[cs_1 cancelled" UNPAID MONEY "]"},
        {"a subscription is the order, the session another name of it",
         EVENT("checkout.session.completed",
               SESSION("subscription", "complete", "paid", SUBSCRIBES)),
         "[sub_1 paid" PAID MONEY " alias:cs_1 alias:in_1 need:lines(cs_1)]"},
        {"links may be whole objects",
         EVENT("checkout.session.completed",
               SESSION("subscription", "complete", "paid",
                       ",\"subscription\":{\"id\":\"sub_1\"},\"invoice\":{\"id\":\"in_1\"}")),
         "[sub_1 paid" PAID MONEY " alias:cs_1 alias:in_1 need:lines(cs_1)]"},
        {"a reference",
         EVENT("checkout.session.completed",
               SESSION("payment", "complete", "paid", ",\"client_reference_id\":\"ref_1\"")),
         "[cs_1 paid" PAID " total=19000000 address=zoe+a@example.test reference=ref_1 lines? "
         "need:lines(cs_1)!]"},
        {"the prefilled address is nobody's word",
         EVENT("checkout.session.completed",
               "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"mode\":\"payment\","
               "\"payment_status\":\"paid\",\"customer_email\":\"typed@example.test\","
               "\"amount_total\":null}"),
         "[cs_1 paid" PAID " total=-1 address=absent lines? need:lines(cs_1)!]"},
        {"set up only",
         EVENT("checkout.session.completed",
               SESSION("setup", "complete", "no_payment_required", "")),
         "not_an_order: the session sells nothing (mode setup)"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define SUBSCRIPTION(status, items, rest)                                          \
    "{\"id\":\"sub_1\",\"object\":\"subscription\",\"status\":\"" status           \
    "\",\"customer\":\"cus_1\",\"items\":{\"object\":\"list\",\"has_more\":false," \
    "\"data\":[" items "]}" rest "}"
#define PRICE "\"price\":{\"id\":\"price_1\",\"product\":\"prod_1\",\"lookup_key\":\"pro\"}"
#define OLD_ITEM "{\"id\":\"si_1\",\"quantity\":2," PRICE "}"
#define ITEM                                                         \
    "{\"id\":\"si_1\",\"quantity\":2,\"current_period_start\":" NINE \
    ",\"current_period_end\":" PERIOD_END "," PRICE "}"
#define OLD_PERIOD ",\"current_period_start\":" NINE ",\"current_period_end\":" PERIOD_END
#define CHANGED(status, rest) \
    EVENT("customer.subscription.updated", SUBSCRIPTION(status, ITEM, rest))
#define LINES UNPAID " total=-1 address=absent lines: si_1(price_1|prod_1/-/pro)*2-0"
#define UNTIL " until=" PERIOD_END_TEXT
#define CUSTOMER " need:address(cus_1)]"

static void subscriptions_walk_through_every_state(void **state)
{
    static const struct reading_case cases[] = {
        {"active", CHANGED("active", ""), "[sub_1 paid" LINES " term:active" AT UNTIL CUSTOMER},
        {"active, before basil",
         EVENT_OF("2024-06-20", "true", "customer.subscription.created",
                  SUBSCRIPTION("active", OLD_ITEM, OLD_PERIOD)),
         "[sub_1 paid" LINES " term:active" AT UNTIL CUSTOMER},
        {"trial", CHANGED("trialing", ",\"trial_end\":" PERIOD_END),
         "[sub_1 paid" LINES " term:trial" AT UNTIL CUSTOMER},
        {"past due, since the period that runs began", CHANGED("past_due", ""),
         "[sub_1 paid" LINES " term:past_due" AT " until=" NINE_TEXT " since=" NINE_TEXT CUSTOMER},
        {"unpaid", CHANGED("unpaid", ""),
         "[sub_1 paid" LINES " term:past_due" AT " until=" NINE_TEXT " since=" NINE_TEXT CUSTOMER},
        {"paused after its trial",
         EVENT("customer.subscription.paused",
               SUBSCRIPTION("paused", ITEM, ",\"trial_end\":" NINE)),
         "[sub_1 paid" LINES " term:paused" AT " until=" NINE_TEXT CUSTOMER},
        {"collection paused for nothing in return",
         CHANGED("active", ",\"pause_collection\":{\"behavior\":\"void\"}"),
         "[sub_1 paid" LINES " term:paused" AT " until=-" CUSTOMER},
        {"collection paused, service goes on",
         CHANGED("active", ",\"pause_collection\":{\"behavior\":\"mark_uncollectible\"}"),
         "[sub_1 paid" LINES " term:active" AT UNTIL CUSTOMER},
        {"resumed", EVENT("customer.subscription.resumed", SUBSCRIPTION("active", ITEM, "")),
         "[sub_1 paid" LINES " term:active" AT UNTIL CUSTOMER},
        {"cancelled, paid until the period's end",
         CHANGED("active", ",\"cancel_at_period_end\":true,\"cancel_at\":" PERIOD_END),
         "[sub_1 paid" LINES " term:cancelled" AT UNTIL CUSTOMER},
        {"cancelled to a day within the period", CHANGED("active", ",\"cancel_at\":1797066000"),
         "[sub_1 paid" LINES " term:cancelled" AT " until=2026-12-12T09:00:00Z" CUSTOMER},
        {"to be cancelled some periods later", CHANGED("active", ",\"cancel_at\":1829552400"),
         "[sub_1 paid" LINES " term:active" AT UNTIL CUSTOMER},
        {"over",
         EVENT("customer.subscription.deleted",
               SUBSCRIPTION("canceled", ITEM, ",\"ended_at\":" NINE)),
         "[sub_1 paid" LINES " term:expired" AT " until=" NINE_TEXT CUSTOMER},
        {"its first payment is not made", CHANGED("incomplete", ",\"latest_invoice\":\"in_1\""),
         "[sub_1 pending" LINES " alias:in_1" CUSTOMER},
        {"nor ever will be", CHANGED("incomplete_expired", ""), "[sub_1 cancelled" LINES CUSTOMER},
        {"a state of tomorrow", CHANGED("dormant", ""),
         "malformed: `status` is none that this version knows"},
        {"more items than are told",
         EVENT("customer.subscription.updated",
               "{\"id\":\"sub_1\",\"object\":\"subscription\",\"status\":\"canceled\",\"items\":"
               "{\"has_more\":true,\"data\":[" ITEM "]}}"),
         "[sub_1 paid" UNPAID " total=-1 address=absent lines? term:expired" AT
         " until=- need:lines(sub_1)!]"},
        {"plans from before there were prices",
         EVENT("customer.subscription.updated",
               SUBSCRIPTION("canceled",
                            "{\"id\":\"si_1\",\"plan\":{\"id\":\"gold\",\"product\":"
                            "{\"id\":\"prod_1\"}}}",
                            "")),
         "[sub_1 paid" UNPAID " total=-1 address=absent lines: si_1(gold|prod_1/-/-)*1-0 "
         "term:expired" AT " until=-" CUSTOMER},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define INVOICE(belongs, lines, rest)                                                   \
    "{\"id\":\"in_2\",\"object\":\"invoice\",\"status\":\"paid\",\"currency\":\"jpy\"," \
    "\"amount_paid\":500,\"customer_email\":\"zoe@example.test\"," belongs              \
    ",\"lines\":{\"object\":\"list\",\"data\":[" lines "]}" rest "}"
#define OLD_BELONGS "\"subscription\":\"sub_1\",\"charge\":\"ch_2\",\"payment_intent\":\"pi_2\""
#define BELONGS                                                               \
    "\"parent\":{\"type\":\"subscription_details\",\"subscription_details\":" \
    "{\"subscription\":\"sub_1\"}}"
#define MONTH "\"period\":{\"start\":" NINE ",\"end\":" PERIOD_END "}"
#define OLD_LINE "{\"id\":\"il_1\",\"type\":\"subscription\",\"proration\":false," MONTH "}"
#define LINE_OF(kind, proration)                                                                \
    "{\"id\":\"il_1\",\"parent\":{\"type\":\"" kind "\",\"" kind "\":{\"proration\":" proration \
    "}}," MONTH "}"
#define LINE LINE_OF("subscription_item_details", "false")
#define CHANGE LINE_OF("subscription_item_details", "true")
#define EXTRA LINE_OF("invoice_item_details", "false")
#define PAYMENT " total=500000000 address=zoe@example.test lines? listed:"

#define USE "{\"id\":\"il_2\",\"parent\":null,\"period\":{\"start\":1792746000,\"end\":" NINE "}}"
#define PERIOD UNTIL " since=" NINE_TEXT
#define BILL " term:active" AT PERIOD

static void invoices_renew_subscriptions(void **state)
{
    static const struct reading_case cases[] = {
        {"paid", EVENT("invoice.paid", INVOICE(BELONGS, LINE, "")),
         "[sub_1 paid" PAID PAYMENT "" BILL " alias:in_2 need:lines(sub_1)]"},
        {"paid, before basil",
         EVENT_OF("2024-06-20", "true", "invoice.payment_succeeded",
                  INVOICE(OLD_BELONGS, OLD_LINE, "")),
         "[sub_1 paid" PAID PAYMENT "" BILL " alias:in_2 alias:ch_2 alias:pi_2 need:lines(sub_1)]"},
        {"paid, with its payments",
         EVENT("invoice.paid",
               INVOICE(BELONGS, EXTRA "," LINE,
                       ",\"payments\":{\"data\":[{\"payment\":{\"type\":\"payment_intent\","
                       "\"payment_intent\":\"pi_2\"}}]},\"status_transitions\":{\"paid_at\":"
                       "1795420800}")),
         "[sub_1 paid" AT " paid=2026-11-23T08:00:00Z" PAYMENT "" BILL
         " alias:in_2 alias:pi_2 need:lines(sub_1)]"},
        {"a period that is over says nothing of the next",
         EVENT("invoice.paid",
               INVOICE(BELONGS,
                       "{\"id\":\"il_1\",\"parent\":null,\"period\":{\"start\":1792746000,"
                       "\"end\":" NINE "}}",
                       "")),
         "[sub_1 paid" PAID PAYMENT " alias:in_2 need:lines(sub_1)]"},
        {"a change within the period is no payment of it",
         EVENT("invoice.paid", INVOICE(BELONGS, CHANGE "," CHANGE, "")), "[sub_1 alias:in_2]"},
        {"an interval that changes is a new period",
         EVENT("invoice.paid", INVOICE(BELONGS, CHANGE "," LINE, "")),
         "[sub_1 paid" PAID PAYMENT "" BILL " alias:in_2 need:lines(sub_1)]"},
        {"changes, and more lines than are told",
         EVENT("invoice.paid", "{\"id\":\"in_2\",\"object\":\"invoice\"," BELONGS
                               ",\"lines\":{\"has_more\":true,\"data\":[" CHANGE "]}}"),
         "[sub_1 paid" PAID " total=-1 address=absent lines? listed: alias:in_2 "
         "need:lines(sub_1)]"},
        {"not paid",
         EVENT("invoice.payment_failed",
               INVOICE(BELONGS, LINE, ",\"billing_reason\":\"subscription_cycle\"")),
         "[sub_1 term:past_due" AT PERIOD " alias:in_2]"},
        {"the first one not paid",
         EVENT("invoice.payment_failed",
               INVOICE(BELONGS, LINE, ",\"billing_reason\":\"subscription_create\"")),
         "[sub_1 alias:in_2]"},
        {"the use of the period before, beside the next period",
         EVENT("invoice.paid", INVOICE(BELONGS, USE "," LINE, "")),
         "[sub_1 paid" PAID PAYMENT BILL " alias:in_2 need:lines(sub_1)]"},
        {"an unpaid period that has not begun",
         EVENT("invoice.payment_failed",
               INVOICE(BELONGS,
                       "{\"id\":\"il_1\",\"period\":{\"start\":1795510800,\"end\":" PERIOD_END "}}",
                       "")),
         "[sub_1 term:past_due" AT PERIOD " alias:in_2]"},
        {"not paid, and for which period is not told",
         EVENT("invoice.payment_failed", INVOICE(BELONGS, "", "")), "[sub_1 alias:in_2]"},
        {"of no subscription", EVENT("invoice.paid", INVOICE("\"parent\":null", LINE, "")),
         "not_an_order: the invoice belongs to no subscription"},
        {"what basil's invoices do not tell",
         EVENT("invoice_payment.paid",
               "{\"id\":\"inpay_1\",\"object\":\"invoice_payment\",\"invoice\":\"in_2\","
               "\"payment\":{\"type\":\"payment_intent\",\"payment_intent\":\"pi_2\"}}"),
         "[in_2 alias:pi_2]"},
        {"paid in cash",
         EVENT("invoice_payment.paid",
               "{\"id\":\"inpay_1\",\"object\":\"invoice_payment\",\"invoice\":\"in_2\","
               "\"payment\":{\"type\":\"payment_record\",\"payment_record\":\"pr_1\"}}"),
         "not_an_order: the invoice was paid outside of Stripe"},
        {"other events of an invoice", EVENT("invoice.upcoming", "{\"object\":\"invoice\"}"),
         "not_an_order: the event says nothing about an order: invoice.upcoming"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define CHARGE(whole, refunded, rest)                                                  \
    "{\"id\":\"ch_1\",\"object\":\"charge\",\"payment_intent\":\"pi_1\",\"currency\":" \
    "\"usd\",\"amount\":1500,\"amount_refunded\":" refunded ",\"refunded\":" whole rest "}"
#define REFUND_OF(id, status, rest)                                 \
    "{\"id\":\"" id "\",\"object\":\"refund\",\"status\":\"" status \
    "\",\"amount\":500,\"currency\":\"usd\",\"created\":1795422600" rest "}"
#define PAYS ",\"payment_intent\":\"pi_1\",\"charge\":\"ch_1\""
#define MADE " at=2026-11-23T08:30:00Z"
#define OF_PI " alias:ch_1 need:owner(pi_1)"

static void refunds_are_of_payments(void **state)
{
    static const struct reading_case cases[] = {
        {"in part: nothing but that there is something to ask for",
         EVENT("charge.refunded", CHARGE("false", "500", "")),
         "[pi_1" OF_PI " need:refunds(ch_1)]"},
        {"all of it", EVENT("charge.refunded", CHARGE("true", "1500", "")),
         "[pi_1 refund:done ch_1=15000000{?}" AT OF_PI "! need:refunds(ch_1)]"},
        {"each by its id, before they were left out",
         EVENT("charge.refunded",
               CHARGE("true", "1000",
                      ",\"refunds\":{\"has_more\":false,\"data\":[" REFUND_OF(
                          "re_1", "succeeded", "") "," REFUND_OF("re_2", "pending", "") "]}")),
         "[pi_1 refund:done re_1=5000000{?}" MADE " refund:pending re_2=5000000{?}" MADE OF_PI
         "!]"},
        {"some of them, and the rest is all",
         EVENT("charge.refunded", CHARGE("true", "1500",
                                         ",\"refunds\":{\"has_more\":true,\"data\":[" REFUND_OF(
                                             "re_1", "failed", PAYS) "]}")),
         "[pi_1 refund:failed re_1=5000000{?}" AT " refund:done ch_1=15000000{?}" AT OF_PI
         "! need:refunds(ch_1)]"},
        {"a charge without a payment intent",
         EVENT(
             "charge.refunded",
             "{\"id\":\"ch_1\",\"object\":\"charge\",\"payment_intent\":null,\"refunded\":false}"),
         "[ch_1 need:owner(ch_1)]"},
        {"a refund", EVENT("refund.created", REFUND_OF("re_1", "succeeded", PAYS)),
         "[pi_1 refund:done re_1=5000000{?}" MADE OF_PI "!]"},
        {"one that waits", EVENT("refund.created", REFUND_OF("re_1", "pending", PAYS)),
         "[pi_1 refund:pending re_1=5000000{?}" MADE OF_PI "]"},
        {"one that the buyer must help with",
         EVENT("refund.updated", REFUND_OF("re_1", "requires_action", PAYS)),
         "[pi_1 refund:pending re_1=5000000{?}" MADE OF_PI "]"},
        {"one that failed, and so the charge is not all refunded",
         EVENT("refund.failed", REFUND_OF("re_1", "failed", PAYS)),
         "[pi_1 refund:failed re_1=5000000{?}" AT " refund:failed ch_1=0{?}" AT OF_PI "]"},
        {"one that was taken back, under its older name",
         EVENT("charge.refund.updated", REFUND_OF("re_1", "canceled", PAYS)),
         "[pi_1 refund:failed re_1=5000000{?}" AT " refund:failed ch_1=0{?}" AT OF_PI "]"},
        {"a refund of a bare charge",
         EVENT("refund.created", REFUND_OF("re_1", "succeeded", ",\"charge\":\"ch_1\"")),
         "[ch_1 refund:done re_1=5000000{?}" MADE " need:owner(ch_1)!]"},
        {"a refund of nothing", EVENT("refund.created", REFUND_OF("re_1", "succeeded", "")),
         "not_an_order: it belongs to no payment"},
        {"a state of tomorrow", EVENT("refund.updated", REFUND_OF("re_1", "lost", PAYS)),
         "malformed: `status` is none that this version knows"},
        {"two with one id",
         EVENT("charge.refunded",
               CHARGE("true", "1000",
                      ",\"refunds\":{\"data\":[" REFUND_OF("re_1", "succeeded", "") "," REFUND_OF(
                          "re_1", "succeeded", "") "]}")),
         "malformed: there are too many refunds, or two with one id"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

#define DISPUTE(type, status)     \
    EVENT("charge.dispute." type, \
          "{\"id\":\"dp_1\",\"object\":\"dispute\",\"status\":\"" status "\"" PAYS "}")

static void disputes_are_of_payments(void **state)
{
    static const struct reading_case cases[] = {
        {"opened", DISPUTE("created", "needs_response"), "[pi_1 dispute:open dp_1" AT OF_PI "!]"},
        {"money taken", DISPUTE("funds_withdrawn", "under_review"),
         "[pi_1 dispute:open dp_1" AT OF_PI "!]"},
        {"an inquiry", DISPUTE("created", "warning_needs_response"),
         "[pi_1 dispute:inquiry dp_1" AT OF_PI "]"},
        {"answered", DISPUTE("updated", "warning_under_review"),
         "[pi_1 dispute:inquiry dp_1" AT OF_PI "]"},
        {"over without a chargeback", DISPUTE("closed", "warning_closed"),
         "[pi_1 dispute:none dp_1" AT OF_PI "]"},
        {"prevented", DISPUTE("closed", "prevented"), "[pi_1 dispute:none dp_1" AT OF_PI "]"},
        {"won", DISPUTE("closed", "won"), "[pi_1 dispute:won dp_1" AT OF_PI "]"},
        {"money back", DISPUTE("funds_reinstated", "won"), "[pi_1 dispute:won dp_1" AT OF_PI "]"},
        {"lost", DISPUTE("closed", "lost"), "[pi_1 dispute:lost dp_1" AT OF_PI "!]"},
        {"a state of tomorrow", DISPUTE("updated", "appealed"),
         "malformed: `status` is none that this version knows"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void other_events_are_no_orders(void **state)
{
    static const struct reading_case cases[] = {
        {"a payment", EVENT("payment_intent.succeeded", "{\"object\":\"payment_intent\"}"),
         "not_an_order: the event says nothing about an order: payment_intent.succeeded"},
        {"a charge", EVENT("charge.succeeded", "{\"object\":\"charge\"}"),
         "not_an_order: the event says nothing about an order: charge.succeeded"},
        {"a customer", EVENT("customer.created", "{\"object\":\"customer\"}"),
         "not_an_order: the event says nothing about an order: customer.created"},
        {"no plain type", EVENT("a b", "{}"),
         "not_an_order: the event says nothing about an order: its type is no plain text"},
        {"an event without its object",
         "{\"id\":\"evt_1\",\"object\":\"v2.core.event\",\"type\":\"v1.billing.meter\"}",
         "not_an_order: the body is no event of Stripe with its object in it"},
        {"an object of another kind", EVENT("charge.refunded", "{\"object\":\"refund\"}"),
         "malformed: `data.object` is no charge"},
        {"no object", "{\"object\":\"event\",\"created\":1,\"livemode\":true,\"type\":\"x\"}",
         "malformed: the event has no `type`, `created` and `data.object`"},
        {"no mode", "{\"object\":\"event\",\"created\":1,\"type\":\"x\",\"data\":{\"object\":{}}}",
         "malformed: `livemode` is missing"},
        {"no JSON", "hello", "malformed: the body cannot be read: it is not JSON"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void hostile_members_are_set_aside(void **state)
{
#define WITH(member, value)                                                        \
    EVENT("checkout.session.completed",                                            \
          "{\"object\":\"checkout.session\",\"id\":\"cs_1\",\"mode\":\"payment\"," \
          "\"payment_status\":\"paid\",\"" member "\":" value "}")
    static const struct reading_case cases[] = {
        {"an id that is a list", WITH("id", "[]"),
         "malformed: `id` is neither a whole number nor a string"},
        {"an id with a line break", WITH("id", "\"cs\\n1\""),
         "malformed: `id` holds control characters"},
        {"an amount below nothing", WITH("amount_total", "-1"),
         "malformed: `amount_total` is out of range"},
        {"an amount beyond all", WITH("amount_total", "99999999999999999999"),
         "malformed: `amount_total` is out of range"},
        {"an amount with decimals", WITH("amount_total", "19.5"),
         "malformed: `amount_total` is not a whole number"},
        {"a mode of tomorrow", WITH("mode", "\"barter\""),
         "malformed: `mode` is none that this version knows"},
        {"a payment status of tomorrow", WITH("payment_status", "\"owed\""),
         "malformed: `payment_status` is none that this version knows"},
        {"a reference that is none", WITH("client_reference_id", "[1]"),
         "[cs_1 paid" PAID " total=-1 address=absent reference=? lines? need:lines(cs_1)!]"},
        {"a link to a list", WITH("payment_intent", "[]"),
         "malformed: `payment_intent` is neither a whole number nor a string"},
    };
    (void)state;
    check_readings(&source, cases, COUNT(cases));
}

static void amounts_are_in_the_smallest_unit(void **state)
{
    static const struct {
        const char *currency;
        long long micros;
    } cases[] = {{"usd", 19000000}, {"EUR", 19000000},   {"jpy", 1900000000}, {"KRW", 1900000000},
                 {"kwd", 1900000},  {"mga", 1900000000}, {"isk", 19000000},   {"ugx", 19000000}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *body = xasprintf(
            "{\"object\":\"event\",\"created\":" NINE ",\"livemode\":true,\"type\":"
            "\"checkout.session.completed\",\"data\":{\"object\":{\"object\":\"checkout.session\","
            "\"id\":\"cs_1\",\"mode\":\"payment\",\"payment_status\":\"unpaid\",\"currency\":\"%s\","
            "\"amount_total\":1900}}}",
            cases[i].currency);
        char *expected = xasprintf("total=%lld ", cases[i].micros);
        char *text = read_bytes(&source, body, strlen(body));
        assert_non_null(strstr(text, expected));
        free(text);
        free(expected);
        free(body);
    }
}

static void test_and_live_never_mix(void **state)
{
    static const char live[] = EVENT_OF("2025-03-31.basil", "true", "refund.created",
                                        REFUND_OF("re_1", "succeeded", PAYS));
    static const char test[] = EVENT_OF("2025-03-31.basil", "false", "refund.created",
                                        REFUND_OF("re_1", "succeeded", PAYS));
    struct settings_source other = source_make(PROVIDER_STRIPE, "s", NULL);
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        other.live = mode;
        char *good = read_bytes(&other, mode ? live : test, strlen(mode ? live : test));
        char *bad = read_bytes(&other, mode ? test : live, strlen(mode ? test : live));
        assert_memory_equal(good, "[pi_1", 5);
        assert_string_equal(bad, mode ? "wrong_mode: it is a test event, and this source has live "
                                        "= true"
                                      : "wrong_mode: it is a live event, and this source has live "
                                        "= false");
        free(good);
        free(bad);
    }
    source_free(&other);
}

/* The account of an endpoint that serves several is told, and is no part of the order's id. */
static void account_is_told(void **state)
{
    static const char body[] =
        "{\"object\":\"event\",\"account\":\"acct_1\",\"created\":" NINE ",\"livemode\":true,"
        "\"type\":\"charge.dispute.closed\",\"data\":{\"object\":{\"object\":\"dispute\",\"id\":"
        "\"dp_1\",\"status\":\"won\"" PAYS "}}}";
    struct facts facts = {0};
    (void)state;
    shop_read(&source, body, strlen(body), RECEIVED, &facts);
    assert_int_equal(facts.set_aside, SET_ASIDE_NONE);
    assert_string_equal(facts.detail, "of the connected account acct_1");
    assert_string_equal(facts.orders[0].id, "pi_1");
    facts_free(&facts);
}

static size_t warnings;

static void count_warnings(const char *line, size_t len)
{
    if (memmem(line, len, "unknown_api_version", strlen("unknown_api_version")))
        warnings++;
}

static void unknown_api_version_warns_once(void **state)
{
    static const char *const known[] = {"2019-05-16", "2024-06-20", "2024-09-30.acacia",
                                        "2025-03-31.basil", "2026-03-25.dahlia"};
    static const char *const unknown[] = {"2031-01-01.eucalyptus", "2031-02-01.eucalyptus", "v3"};
    (void)state;
    log_set_sink(count_warnings);
    for (size_t i = 0; i < COUNT(known) + COUNT(unknown); i++) {
        const char *version = i < COUNT(known) ? known[i] : unknown[i - COUNT(known)];
        char *body = xasprintf("{\"object\":\"event\",\"api_version\":\"%s\",\"created\":1,"
                               "\"livemode\":true,\"type\":\"x\",\"data\":{\"object\":{}}}",
                               version);
        free(read_bytes(&source, body, strlen(body)));
        free(body);
        assert_int_equal(warnings, i < COUNT(known) ? 0 : 1);
    }
    log_set_sink(NULL);
}

/* What is told of the future is cut to receipt and five minutes. */
static void clock_ahead_is_not_believed(void **state)
{
    static const char body[] =
        "{\"object\":\"event\",\"created\":1795431600,\"livemode\":true,\"type\":"
        "\"customer.subscription.updated\",\"data\":{\"object\":" SUBSCRIPTION(
            "past_due",
            "{\"id\":\"si_1\",\"current_period_start\":1795431600,"
            "\"current_period_end\":1798016400}",
            "") "}}";
    (void)state;
    char *text = read_bytes(&source, body, strlen(body));
    assert_string_equal(
        text, "[sub_1 paid at=2026-11-23T10:05:00Z claimed=2026-11-23T11:00:00Z paid=- total=-1 "
              "address=absent lines: si_1(-/-/-)*1-0 term:past_due at=2026-11-23T10:05:00Z "
              "until=2026-11-23T11:00:00Z since=2026-11-23T10:05:00Z need:address(cus_1)]");
    free(text);
}

#define BODY "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}"
#define GOOD "4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150"
#define BAD "0f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150"
#define SIGNED "Stripe-Signature: t=1700000000,v1=" GOOD "\r\n"

/* What Stripe's own library signs under this secret, at this time, of this body. */
static void published_vector_is_valid(void **state)
{
    static const struct {
        const char *what, *headers;
        enum shop_verdict verdict;
    } cases[] = {
        {"as it is", SIGNED, SHOP_VALID},
        {"two, of which one is right", "Stripe-Signature: t=1700000000,v1=" BAD ",v1=" GOOD "\r\n",
         SHOP_VALID},
        {"an older scheme beside it", "stripe-signature: t=1700000000,v0=" BAD ",v1=" GOOD "\r\n",
         SHOP_VALID},
        {"only an older scheme", "Stripe-Signature: t=1700000000,v0=" GOOD "\r\n",
         SHOP_SIGNATURE_INVALID},
        {"wrong", "Stripe-Signature: t=1700000000,v1=" BAD "\r\n", SHOP_SIGNATURE_INVALID},
        {"another time", "Stripe-Signature: t=1700000001,v1=" GOOD "\r\n", SHOP_SIGNATURE_INVALID},
        {"two times", "Stripe-Signature: t=1700000000,t=1700000000,v1=" GOOD "\r\n",
         SHOP_SIGNATURE_INVALID},
        {"no time", "Stripe-Signature: v1=" GOOD "\r\n", SHOP_SIGNATURE_INVALID},
        {"no number", "Stripe-Signature: t=now,v1=" GOOD "\r\n", SHOP_SIGNATURE_INVALID},
        {"twice", SIGNED SIGNED, SHOP_SIGNATURE_INVALID},
        {"empty", "Stripe-Signature:\r\n", SHOP_SIGNATURE_INVALID},
        {"none", "Content-Type: application/json\r\n", SHOP_SIGNATURE_INVALID},
    };
    struct settings_source shop = source_make(PROVIDER_STRIPE, "other", "whsec_test_secret");
    struct shop_receipt receipt;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum shop_verdict verdict = verify_bytes(&shop, cases[i].headers, BODY, strlen(BODY),
                                                 INT64_C(1700000000) * TIME_SECOND, &receipt);
        if (verdict != cases[i].verdict)
            print_error("case: %s\n", cases[i].what);
        assert_int_equal(verdict, cases[i].verdict);
    }
    source_free(&shop);
}

static void window_counts_both_ways(void **state)
{
    static const struct {
        int64_t apart;
        enum shop_verdict verdict;
    } cases[] = {{300, SHOP_VALID},
                 {-300, SHOP_VALID},
                 {301, SHOP_TIMESTAMP_OUTSIDE},
                 {-301, SHOP_TIMESTAMP_OUTSIDE}};
    struct settings_source shop = source_make(PROVIDER_STRIPE, "whsec_test_secret", NULL);
    struct settings_source stranger = source_make(PROVIDER_STRIPE, "test_secret", NULL);
    struct shop_receipt receipt;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t now = (INT64_C(1700000000) + cases[i].apart) * TIME_SECOND;
        assert_int_equal(verify_bytes(&shop, SIGNED, BODY, strlen(BODY), now, &receipt),
                         cases[i].verdict);
        assert_int_equal(verify_bytes(&stranger, SIGNED, BODY, strlen(BODY), now, &receipt),
                         SHOP_SIGNATURE_INVALID);
    }
    source_free(&shop);
    source_free(&stranger);
}

/* One event is one delivery, whenever it was signed; what has no id is known by its bytes. */
static void delivery_is_known_by_its_event(void **state)
{
    static const char *const bodies[] = {"{\"id\":\"evt_1\",\"type\":\"invoice.paid\"}",
                                         "{\"id\":\"evt_1\"}", "{\"id\":7}", "no JSON"};
    struct shop_receipt receipts[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct buf lines = {0};
        shop_sign(&source, NULL, RECEIVED, bodies[i], strlen(bodies[i]), &lines);
        assert_int_equal(
            verify_bytes(&source, lines.data, bodies[i], strlen(bodies[i]), RECEIVED, &receipts[i]),
            SHOP_VALID);
        buf_free(&lines);
    }
    unsigned char body[DIGEST_LEN];
    assert_memory_equal(receipts[0].key, receipts[1].key, DIGEST_LEN);
    assert_string_equal(receipts[0].topic, "invoice.paid");
    for (size_t i = 2; i < 4; i++) {
        digest_sha256(bodies[i], strlen(bodies[i]), body);
        assert_memory_equal(receipts[i].key, body, DIGEST_LEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_orders),
        cmocka_unit_test(subscriptions_walk_through_every_state),
        cmocka_unit_test(invoices_renew_subscriptions),
        cmocka_unit_test(refunds_are_of_payments),
        cmocka_unit_test(disputes_are_of_payments),
        cmocka_unit_test(other_events_are_no_orders),
        cmocka_unit_test(hostile_members_are_set_aside),
        cmocka_unit_test(amounts_are_in_the_smallest_unit),
        cmocka_unit_test(test_and_live_never_mix),
        cmocka_unit_test(account_is_told),
        cmocka_unit_test(unknown_api_version_warns_once),
        cmocka_unit_test(clock_ahead_is_not_believed),
        cmocka_unit_test(published_vector_is_valid),
        cmocka_unit_test(window_counts_both_ways),
        cmocka_unit_test(delivery_is_known_by_its_event),
    };
    source = source_make(PROVIDER_STRIPE, "whsec_test_secret", NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
