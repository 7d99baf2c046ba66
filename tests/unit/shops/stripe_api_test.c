/*
 * What Stripe's API is asked, and what its answers mean: facts, later, or a person.
 */
#include "support.h"

#define JSON "application/json"
#define READ " read=2026-11-23T10:00:00Z"
#define NOW " at=2026-11-23T10:00:00Z"
#define BEFORE_ALL " pending at=1970-01-01T00:00:00Z paid=-" READ " total=-1"
#define LIST(more, elements) "{\"object\":\"list\",\"has_more\":" more ",\"data\":[" elements "]}"

static struct settings_source source;

static void add_key(struct settings_source *to, const char *text)
{
    to->api_keys.items[to->api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup(text), .len = strlen(text)};
}

struct call_case {
    enum fact_need_kind kind;
    const char *order, *object, *target; /* NULL: there is no such call */
};

static void calls_are_rows_of_a_table(void **state)
{
    static const struct call_case cases[] = {
        {NEED_ORDER, "cs_1", NULL,
         "/v1/checkout/sessions/cs_1?expand%5B%5D=line_items&expand%5B%5D="
         "payment_intent.latest_charge.refunds"},
        {NEED_ORDER, "sub_1", NULL, "/v1/subscriptions/sub_1?expand%5B%5D=latest_invoice.payments"},
        {NEED_ORDER, "cs_1", "ch_1", "/v1/disputes?charge=ch_1&limit=100"},
        {NEED_LINES, "cs_1", "cs_1", "/v1/checkout/sessions/cs_1/line_items?limit=100"},
        {NEED_LINES, "sub_1", "cs_1", "/v1/checkout/sessions/cs_1/line_items?limit=100"},
        {NEED_LINES, "sub_1", "sub_1", "/v1/subscription_items?subscription=sub_1&limit=100"},
        {NEED_ADDRESS, "sub_1", "cus_1", "/v1/customers/cus_1"},
        {NEED_REFUNDS, "pi_1", "ch_1", "/v1/refunds?charge=ch_1&limit=100"},
        {NEED_REFUNDS, "sub_1", "pi_1", "/v1/refunds?payment_intent=pi_1&limit=100"},
        {NEED_OWNER, "pi_1", "pi_1", "/v1/checkout/sessions?payment_intent=pi_1&limit=1"},
        {NEED_OWNER, "pi_1", "invoice_of:pi_1",
         "/v1/invoice_payments?payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=pi_1"
         "&limit=1&expand%5B%5D=data.invoice"},
        {NEED_OWNER, "ch_1", "ch_1", "/v1/charges/ch_1"},
        {NEED_OWNER, "in_1", "in_1", "/v1/invoices/in_1"},
        {NEED_ORDER, "12", NULL, NULL},
        {NEED_ORDER, "cs_1/../../customers", NULL, NULL},
        {NEED_ORDER, "cs_1?x", NULL, NULL},
        {NEED_ORDER, "cs_1 2", NULL, NULL},
        {NEED_LINES, "cs_1", "li_100", NULL},
        {NEED_ADDRESS, "sub_1", NULL, NULL},
        {NEED_OWNER, "pi_1", "invoice_of:cs_1", NULL},
    };
    (void)state;
    assert_true(shop_has_api(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        char object[64];
        struct fact_need need = {.kind = cases[i].kind};
        struct shop_fetch fetch;
        if (cases[i].object) {
            snprintf(object, sizeof(object), "%s", cases[i].object);
            need.object = object;
        }
        assert_int_equal(shop_fetch_for(&source, cases[i].order, &need, &fetch),
                         cases[i].target ? 0 : -1);
        if (!cases[i].target)
            continue;
        assert_string_equal(fetch.target, cases[i].target);
        assert_string_equal(fetch.header, "Authorization: Bearer rk_live_1");
        assert_string_equal(fetch.header2, "Stripe-Version: 2025-03-31.basil");
        assert_null(fetch.basic_auth);
        shop_fetch_free(&fetch);
    }
}

static void keys_are_header_text(void **state)
{
    static const char *const bad[] = {"", "sk_1\r\nX: y", "sk_\x7f"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct settings_source shop = source_make(PROVIDER_STRIPE, "s", NULL);
        struct shop_fetch fetch;
        shop.api_url = xstrdup("https://api.example.test");
        assert_false(shop_has_api(&shop));
        add_key(&shop, bad[i]);
        assert_false(shop_has_api(&shop));
        assert_int_equal(shop_fetch_order(&shop, "cs_1", &fetch), -1);
        source_free(&shop);
    }
}

struct answer_case {
    const char *what;
    enum fact_need_kind kind;
    const char *order, *object;
    int status;
    const char *type, *body, *expected;
};

/* The verdict's word, and either the facts or the sentence. */
static char *answer_text(const struct answer_case *one)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0}, out = {0};
    char object[64];
    snprintf(object, sizeof(object), "%s", one->object ? one->object : "");
    struct fact_need need = {.kind = one->kind, .object = one->object ? object : NULL};
    assert_int_equal(shop_fetch_for(&source, one->order, &need, &fetch), 0);
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

#define PRICE(id) "\"price\":{\"id\":\"" id "\",\"product\":\"prod_1\",\"lookup_key\":null}"
#define ITEM "{\"id\":\"li_1\",\"object\":\"item\",\"quantity\":2," PRICE("price_1") "}"
#define ITEM_LINE " lines: li_1(price_1|prod_1/-/-)*2-0"
#define SESSION(id, rest)                                                                   \
    "{\"id\":\"" id "\",\"object\":\"checkout.session\",\"livemode\":true,\"mode\":"        \
    "\"payment\",\"status\":\"complete\",\"payment_status\":\"paid\",\"currency\":\"usd\"," \
    "\"amount_total\":1500,\"created\":1795420800,\"customer_details\":{\"email\":"         \
    "\"zoe@example.test\"}" rest "}"
#define MONEY " total=15000000 address=zoe@example.test"
#define ITEMS ",\"line_items\":" LIST("false", ITEM)
#define PAID_BY(charge) ",\"payment_intent\":{\"id\":\"pi_1\",\"latest_charge\":" charge "}"
#define CHARGE(disputed, refunds)                                                         \
    "{\"id\":\"ch_1\",\"object\":\"charge\",\"currency\":\"usd\",\"created\":1795424400," \
    "\"disputed\":" disputed ",\"refunds\":" refunds "}"
#define REFUND(id, status)                                                              \
    "{\"id\":\"" id "\",\"object\":\"refund\",\"charge\":\"ch_1\",\"status\":\"" status \
    "\",\"amount\":500,\"currency\":\"usd\",\"created\":1795426200}"
#define MADE " at=2026-11-23T09:30:00Z"

static void sessions_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"whole, with its charge", NEED_ORDER, "cs_1", NULL, 200, JSON,
         SESSION("cs_1", ITEMS PAID_BY(CHARGE("true", LIST("false", REFUND("re_1", "succeeded"))))),
         "read: [cs_1 paid" NOW " paid=2026-11-23T09:00:00Z" READ MONEY ITEM_LINE
         " refund:done re_1=5000000{?}" MADE " alias:pi_1 alias:ch_1 need:order(ch_1)]"},
        {"nothing was to be paid", NEED_ORDER, "cs_1", NULL, 200, JSON,
         SESSION("cs_1", ITEMS ",\"payment_intent\":null"),
         "read: [cs_1 paid" NOW " paid=2026-11-23T08:00:00Z" READ MONEY ITEM_LINE "]"},
        {"more lines than it holds", NEED_ORDER, "cs_1", NULL, 200, JSON,
         SESSION("cs_1", ",\"line_items\":" LIST("true", ITEM)),
         "read: [cs_1 paid" NOW " paid=2026-11-23T08:00:00Z" READ MONEY
         " lines? need:lines(cs_1)!]"},
        {"a subscription's", NEED_ORDER, "cs_1", NULL, 200, JSON,
         "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"mode\":\"subscription\",\"status\":"
         "\"complete\",\"payment_status\":\"paid\",\"subscription\":\"sub_1\"}",
         "read: [sub_1 paid" NOW " paid=-" READ
         " total=-1 address=absent lines? alias:cs_1 need:lines(cs_1)]"},
        {"another", NEED_ORDER, "cs_1", NULL, 200, JSON, SESSION("cs_2", ""),
         "refused: Stripe answered with another object than was asked for"},
        {"another kind", NEED_ORDER, "cs_1", NULL, 200, JSON,
         "{\"id\":\"cs_1\",\"object\":\"customer\"}",
         "refused: Stripe answered with another object than was asked for"},
        {"of test mode", NEED_ORDER, "cs_1", NULL, 200, JSON,
         "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"livemode\":false}",
         "refused: the key in api_key_file is of another mode than `live` says"},
        {"that cannot be used", NEED_ORDER, "cs_1", NULL, 200, JSON,
         "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"mode\":\"payment\"}",
         "refused: the answer cannot be used: `payment_status` is none that this version knows"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

static void lines_decide_nothing_else(void **state)
{
    static const struct answer_case cases[] = {
        {"of a session", NEED_LINES, "cs_1", "cs_1", 200, JSON, LIST("false", ITEM),
         "read: [cs_1" BEFORE_ALL " address=absent" ITEM_LINE "]"},
        {"of a session that began a subscription", NEED_LINES, "sub_1", "cs_1", 200, JSON,
         LIST("false", ITEM), "read: [sub_1" BEFORE_ALL " address=absent" ITEM_LINE "]"},
        {"none", NEED_LINES, "cs_1", "cs_1", 200, JSON, LIST("false", ""),
         "read: [cs_1" BEFORE_ALL " address=absent lines:]"},
        {"more than a hundred", NEED_LINES, "cs_1", "cs_1", 200, JSON, LIST("true", ITEM),
         "read: [cs_1" BEFORE_ALL " address=absent" ITEM_LINE " need:lines(li_1)!]"},
        {"no list", NEED_LINES, "cs_1", "cs_1", 200, JSON, SESSION("cs_1", ""),
         "refused: Stripe answered with something that is no list"},
        {"twins", NEED_LINES, "cs_1", "cs_1", 200, JSON, LIST("false", ITEM "," ITEM),
         "refused: the answer cannot be used: two lines of the order have one id"},
        {"no line", NEED_LINES, "cs_1", "cs_1", 200, JSON, LIST("false", "7"),
         "refused: the answer cannot be used: none of the lines has an id and a whole quantity"},
        {"an address", NEED_ADDRESS, "sub_1", "cus_1", 200, JSON,
         "{\"id\":\"cus_1\",\"object\":\"customer\",\"email\":\"Zoe@example.test\"}",
         "read: [sub_1" BEFORE_ALL " address=zoe@example.test lines?]"},
        {"a customer that was deleted", NEED_ADDRESS, "sub_1", "cus_1", 200, JSON,
         "{\"id\":\"cus_1\",\"object\":\"customer\",\"deleted\":true}", "read: [sub_1]"},
        {"another customer", NEED_ADDRESS, "sub_1", "cus_1", 200, JSON,
         "{\"id\":\"cus_2\",\"object\":\"customer\",\"email\":\"zoe@example.test\"}",
         "refused: Stripe answered with another object than was asked for"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

#define SUBSCRIPTION(invoice)                                                     \
    "{\"id\":\"sub_1\",\"object\":\"subscription\",\"livemode\":true,\"status\":" \
    "\"active\",\"customer\":\"cus_1\",\"items\":" LIST(                          \
        "false", "{\"id\":\"si_1\",\"current_period_start\":1795424400,"          \
                 "\"current_period_end\":1798016400,\"quantity\":1," PRICE(       \
                     "price_1") "}") ",\"latest_invoice\":" invoice "}"
#define INVOICE(status, belongs)                                                      \
    "{\"id\":\"in_2\",\"object\":\"invoice\",\"status\":\"" status "\",\"currency\":" \
    "\"usd\",\"amount_paid\":500,\"customer_email\":\"zoe@example.test\","            \
    "\"status_transitions\":{\"paid_at\":1795424400}," belongs                        \
    ",\"payments\":" LIST("false", "{\"payment\":{\"payment_intent\":\"pi_2\"}}") "}"
#define BELONGS "\"parent\":{\"subscription_details\":{\"subscription\":\"sub_1\"}}"
#define TERM                                                                            \
    "[sub_1 paid" NOW " paid=-" READ                                                    \
    " total=-1 address=absent lines: si_1(price_1|prod_1/-/-)*1-0 term:active" NOW READ \
    " until=2026-12-23T09:00:00Z"
#define PAYMENT                                                          \
    "[sub_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T09:00:00Z" READ \
    " total=5000000 address=zoe@example.test lines? listed: alias:in_2 alias:pi_2"

static void subscriptions_are_read_with_their_latest_payment(void **state)
{
    static const struct answer_case cases[] = {
        {"paid", NEED_ORDER, "sub_1", NULL, 200, JSON, SUBSCRIPTION(INVOICE("paid", BELONGS)),
         "read: " TERM " alias:in_2 need:address(cus_1) need:refunds(pi_2)]" PAYMENT "]"},
        {"not yet paid", NEED_ORDER, "sub_1", NULL, 200, JSON,
         SUBSCRIPTION(INVOICE("open", BELONGS)),
         "read: " TERM " alias:in_2 need:address(cus_1) need:refunds(pi_2)]"
         "[sub_1 alias:in_2 alias:pi_2]"},
        {"no invoice", NEED_ORDER, "sub_1", NULL, 200, JSON, SUBSCRIPTION("null"),
         "read: " TERM " need:address(cus_1)]"},
        {"items", NEED_LINES, "sub_1", "sub_1", 200, JSON,
         LIST("false", "{\"id\":\"si_1\",\"quantity\":1," PRICE("price_1") "}"),
         "read: [sub_1" BEFORE_ALL " address=absent lines: si_1(price_1|prod_1/-/-)*1-0]"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

/* A refund or dispute knows its payment; from there the way leads to a session or an invoice. */
static void owners_are_found(void **state)
{
    static const struct answer_case cases[] = {
        {"a charge's payment", NEED_OWNER, "ch_1", "ch_1", 200, JSON,
         "{\"id\":\"ch_1\",\"object\":\"charge\",\"payment_intent\":\"pi_1\"}",
         "read: [pi_1 alias:ch_1 need:owner(pi_1)]"},
        {"a charge without one", NEED_OWNER, "ch_1", "ch_1", 200, JSON,
         "{\"id\":\"ch_1\",\"object\":\"charge\",\"payment_intent\":null}", "read: [ch_1]"},
        {"a payment's session", NEED_OWNER, "pi_1", "pi_1", 200, JSON,
         LIST("false", SESSION("cs_1", ",\"payment_intent\":\"pi_1\"")),
         "read: [cs_1 paid" NOW " paid=2026-11-23T08:00:00Z" READ MONEY
         " lines? alias:pi_1 need:lines(cs_1)!]"},
        {"another payment's session", NEED_OWNER, "pi_1", "pi_1", 200, JSON,
         LIST("false", SESSION("cs_1", ",\"payment_intent\":\"pi_2\"")),
         "refused: Stripe answered with another object than was asked for"},
        {"a payment of no session may be an invoice's", NEED_OWNER, "pi_2", "pi_2", 200, JSON,
         LIST("false", ""), "read: [pi_2 need:owner(invoice_of:pi_2)]"},
        {"a payment's invoice", NEED_OWNER, "pi_2", "invoice_of:pi_2", 200, JSON,
         LIST("false", "{\"object\":\"invoice_payment\",\"payment\":{\"payment_intent\":\"pi_2\"},"
                       "\"invoice\":" INVOICE("paid", BELONGS) "}"),
         "read: " PAYMENT " need:order(sub_1)]"},
        {"a payment's invoice of no subscription", NEED_OWNER, "pi_2", "invoice_of:pi_2", 200, JSON,
         LIST("false", "{\"object\":\"invoice_payment\",\"payment\":{\"payment_intent\":\"pi_2\"},"
                       "\"invoice\":" INVOICE("paid", "\"parent\":null") "}"),
         "read: [pi_2]"},
        {"another payment's invoice", NEED_OWNER, "pi_1", "invoice_of:pi_1", 200, JSON,
         LIST("false", "{\"object\":\"invoice_payment\",\"payment\":{\"payment_intent\":\"pi_2\"},"
                       "\"invoice\":" INVOICE("paid", BELONGS) "}"),
         "refused: Stripe answered with another object than was asked for"},
        {"a payment of neither", NEED_OWNER, "pi_2", "invoice_of:pi_2", 200, JSON,
         LIST("false", ""), "read: [pi_2]"},
        {"an invoice's subscription", NEED_OWNER, "in_2", "in_2", 200, JSON,
         INVOICE("open", "\"subscription\":\"sub_1\""),
         "read: [sub_1 alias:in_2 alias:pi_2 need:order(sub_1)]"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

static void refunds_and_disputes_are_listed(void **state)
{
    static const struct answer_case cases[] = {
        {"refunds", NEED_REFUNDS, "pi_1", "ch_1", 200, JSON,
         LIST("false", REFUND("re_1", "succeeded") "," REFUND("re_2", "failed")),
         "read: [pi_1 refund:done re_1=5000000{?}" MADE " refund:failed re_2=5000000{?}" NOW
         " refund:failed ch_1=0{?}" NOW "]"},
        {"no refunds", NEED_REFUNDS, "sub_1", "pi_2", 200, JSON, LIST("false", ""),
         "read: [sub_1]"},
        {"twins", NEED_REFUNDS, "pi_1", "ch_1", 200, JSON,
         LIST("false", REFUND("re_1", "succeeded") "," REFUND("re_1", "succeeded")),
         "refused: the answer cannot be used: there are too many refunds, or two with one id"},
        {"disputes", NEED_ORDER, "cs_1", "ch_1", 200, JSON,
         LIST("false", "{\"id\":\"dp_1\",\"object\":\"dispute\",\"status\":\"lost\"}"),
         "read: [cs_1 dispute:lost dp_1" NOW "]"},
        {"a dispute of tomorrow", NEED_ORDER, "cs_1", "ch_1", 200, JSON,
         LIST("false", "{\"id\":\"dp_1\",\"object\":\"dispute\",\"status\":\"appealed\"}"),
         "refused: the answer cannot be used: `status` is none that this version knows"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

#define KEY_ADVICE                                                                      \
    "): check that api_key_file holds a secret key, or a restricted one that may read " \
    "checkout sessions, subscriptions, invoices, customers, charges and disputes"

static void other_answers_wait_or_are_told(void **state)
{
    static const char missing[] =
        "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"resource_missing\"}}";
    const struct answer_case cases[] = {
        {"400", NEED_ORDER, "cs_1", NULL, 400, JSON, "{}",
         "refused: Stripe does not take the call (400)"},
        {"401", NEED_ORDER, "cs_1", NULL, 401, JSON, "{}",
         "refused: the shop refused the key (401" KEY_ADVICE},
        {"403", NEED_ORDER, "cs_1", NULL, 403, JSON, "{}",
         "refused: the shop refused the key (403" KEY_ADVICE},
        {"what Stripe does not know", NEED_ORDER, "cs_1", NULL, 404, JSON, missing,
         "refused: Stripe does not know it: check that api_key_file holds a key of the account and "
         "mode that the events come from"},
        {"404 as HTML", NEED_ORDER, "cs_1", NULL, 404, "text/html", "<h1>Not found</h1>",
         "refused: the shop has no such address: check that api_url is https://api.stripe.com"},
        {"429", NEED_ORDER, "cs_1", NULL, 429, JSON, "{}", "later: the shop answered 429"},
        {"500", NEED_ORDER, "cs_1", NULL, 500, "text/html", "oops", "later: the shop answered 500"},
        {"200 from a firewall", NEED_ORDER, "cs_1", NULL, 200, "text/html", "<html></html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {"200 cut short", NEED_ORDER, "cs_1", NULL, 200, JSON,
         "{\"id\":", "later: the shop's answer cannot be read: it is cut short"},
    };
    (void)state;
    check_answers(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_rows_of_a_table),
        cmocka_unit_test(keys_are_header_text),
        cmocka_unit_test(sessions_are_read),
        cmocka_unit_test(lines_decide_nothing_else),
        cmocka_unit_test(subscriptions_are_read_with_their_latest_payment),
        cmocka_unit_test(owners_are_found),
        cmocka_unit_test(refunds_and_disputes_are_listed),
        cmocka_unit_test(other_answers_wait_or_are_told),
    };
    source = source_make(PROVIDER_STRIPE, "whsec_test_secret", NULL);
    source.api_url = xstrdup("https://api.example.test");
    add_key(&source, "rk_live_1");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
