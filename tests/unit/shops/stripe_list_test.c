/*
 * Walking through Stripe's lists: which page is asked for, what it tells, where it goes on, and
 * that no order is lost while the shop sells on.
 */
#include "support.h"

#define JSON "application/json"
#define READ " read=2026-11-23T10:00:00Z"
#define NOW " at=2026-11-23T10:00:00Z"
#define LIST(more, elements) "{\"object\":\"list\",\"has_more\":" more ",\"data\":[" elements "]}"
#define OURS "https://sync.example.test/webhooks/shop"

static struct settings_source source;

static const struct shop_walk everything = {.whole = true, .since = TIME_NONE, .began = RECEIVED};
static const struct shop_walk changes = {.since = RECEIVED - TIME_HOUR, .began = RECEIVED};
static const struct shop_walk too_long_ago = {.since = RECEIVED - 30 * TIME_DAY, .began = RECEIVED};

#define SESSIONS                                                                   \
    "/v1/checkout/sessions?limit=100&status=complete&expand%5B%5D=data.line_items" \
    "&expand%5B%5D=data.payment_intent.latest_charge.refunds"
#define SUBSCRIPTIONS                                                    \
    "/v1/subscriptions?limit=100&status=all&expand%5B%5D=data.customer&" \
    "expand%5B%5D=data.latest_invoice.payments"

static void pages_are_asked_for(void **state)
{
    static const struct {
        const struct shop_walk *walk;
        const char *cursor, *target; /* NULL: it is no cursor of such a walk */
    } cases[] = {
        {&everything, "", SESSIONS},
        {&too_long_ago, "", SESSIONS},
        {&everything, "sessions cs_9 001795424400 0", SESSIONS "&starting_after=cs_9"},
        {&everything, "subscriptions", SUBSCRIPTIONS},
        {&everything, "subscriptions sub_9 1 10000", SUBSCRIPTIONS "&starting_after=sub_9"},
        {&everything, "refunds", "/v1/refunds?limit=100"},
        {&everything, "disputes dp_1 1 0", "/v1/disputes?limit=100&starting_after=dp_1"},
        {&everything, "events", NULL},
        {&changes, "sessions", NULL},
        {&everything, "charges", NULL},
        {&everything, "sessions ", NULL},
        {&everything, "sessions cs_9", NULL},
        {&everything, "sessions cs_9 1", NULL},
        {&everything, "sessions cs_9 1 x", NULL},
        {&everything, "sessions cs_9 1 0 ", NULL},
        {&everything, "sessions cs_9&x 1 0", NULL},
        {&everything, "sessions  1 0", NULL},
    };
    (void)state;
    assert_true(shop_can_list(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct shop_fetch fetch = {0};
        assert_int_equal(shop_list_for(&source, cases[i].walk, cases[i].cursor, &fetch),
                         cases[i].target ? 0 : -1);
        if (!cases[i].target)
            continue;
        assert_string_equal(fetch.target, cases[i].target);
        assert_string_equal(fetch.header, "Authorization: Bearer rk_live_1");
        assert_string_equal(fetch.header2, "Stripe-Version: 2025-03-31.basil");
        shop_fetch_free(&fetch);
    }
}

/* The log keeps thirty days, and takes at most twenty types. */
static void changes_are_asked_for_by_type_and_time(void **state)
{
    struct shop_fetch fetch = {0};
    size_t types = 0;
    (void)state;
    assert_int_equal(shop_list_for(&source, &changes, "events evt_9 001795424400 0", &fetch), 0);
    for (const char *at = fetch.target; (at = strstr(at, "&types%5B%5D=")); at++)
        types++;
    assert_int_equal(types, 20);
    assert_non_null(strstr(fetch.target, "/v1/events?limit=100&"));
    assert_non_null(strstr(fetch.target, "&created%5Bgte%5D=1795424400&starting_after=evt_9"));
    shop_fetch_free(&fetch);
}

/* The verdict's word, what was told, where it goes on, what could not be used; or the sentence. */
static char *page_text(const struct shop_walk *walk, const char *cursor, int status,
                       const char *type, const char *body)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_listing listing = {0};
    struct buf detail = {0}, out = {0};
    char *exact = xmemdup(body, strlen(body) + 1);
    struct shop_answer answer = {.status = status,
                                 .content_type = type,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = exact,
                                 .len = strlen(body)};
    enum shop_answer_verdict verdict =
        shop_read_listing(&source, walk, cursor, &answer, &listing, &detail);
    char *text = facts_text(&listing.facts);
    buf_printf(&out, "%s: %s", verdicts[verdict], text);
    if (listing.next)
        buf_printf(&out, " next=%s", listing.next);
    if (listing.unusable)
        buf_printf(&out, " unusable=%zu: %s", listing.unusable, listing.why);
    buf_puts(&out, detail.data ? detail.data : "");
    free(text);
    free(exact);
    buf_free(&detail);
    shop_listing_free(&listing);
    return buf_take(&out);
}

struct page_case {
    const char *what;
    const struct shop_walk *walk;
    const char *cursor, *body, *expected;
};

static void check_pages(const struct page_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = page_text(cases[i].walk, cases[i].cursor, 200, JSON, cases[i].body);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define PRICE "\"price\":{\"id\":\"price_1\",\"product\":\"prod_1\",\"lookup_key\":null}"
#define ITEMS(more) LIST(more, "{\"id\":\"li_1\",\"object\":\"item\",\"quantity\":2," PRICE "}")
#define SESSION(id, live, status, rest)                                                         \
    "{\"id\":\"" id "\",\"object\":\"checkout.session\",\"livemode\":" live                     \
    ",\"mode\":\"payment\",\"status\":\"complete\",\"payment_status\":\"" status                \
    "\",\"currency\":\"usd\",\"amount_total\":1500,\"created\":1795420800,\"customer_details\"" \
    ":{\"email\":\"zoe@example.test\"}" rest "}"
#define PAID_BY(rest)                                                                     \
    ",\"payment_intent\":{\"id\":\"pi_1\",\"latest_charge\":{\"id\":\"ch_1\",\"object\":" \
    "\"charge\",\"currency\":\"usd\",\"created\":1795424400" rest "}}"
#define REFUND(id, status)                                                             \
    "{\"id\":\"" id "\",\"object\":\"refund\",\"charge\":\"ch_1\",\"payment_intent\":" \
    "\"pi_1\",\"status\":\"" status                                                    \
    "\",\"amount\":500,\"currency\":\"usd\",\"created\":1795426200}"
#define MONEY " total=15000000 address=zoe@example.test"
#define LINES " lines: li_1(price_1|prod_1/-/-)*2-0"
#define EIGHT " paid=2026-11-23T08:00:00Z"

static void sessions_need_nothing_more(void **state)
{
    static const struct page_case cases[] = {
        {"whole, disputed: another list tells", &everything, "",
         LIST("true", SESSION("cs_1", "true", "paid",
                              ",\"line_items\":" ITEMS("false")
                                  PAID_BY(",\"disputed\":true,\"refunds\":" LIST(
                                      "false", REFUND("re_1", "succeeded"))))),
         "read: [cs_1 paid" NOW " paid=2026-11-23T09:00:00Z" READ MONEY LINES
         " refund:done re_1=5000000{?} at=2026-11-23T09:30:00Z alias:pi_1 alias:ch_1]"
         " next=sessions cs_1 001795420800 0"},
        {"more lines than are told are followed by need", &everything, "sessions cs_9 1795420801 0",
         LIST("false",
              SESSION("cs_1", "true", "no_payment_required", ",\"line_items\":" ITEMS("true"))),
         "read: [cs_1 paid" NOW EIGHT READ MONEY " lines? need:lines(cs_1)!] next=subscriptions"},
        {"money that did not come", &everything, "",
         LIST("false", SESSION("cs_1", "true", "unpaid",
                               ",\"line_items\":" ITEMS("false") PAID_BY(
                                   ",\"status\":\"failed\",\"refunds\":" LIST("false", "")))),
         "read: [cs_1 cancelled" NOW " paid=-" READ MONEY LINES
         " alias:pi_1 alias:ch_1] next=subscriptions"},
        {"a subscription's tells whose it is", &everything, "",
         LIST("false", "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"livemode\":true,"
                       "\"mode\":\"subscription\",\"status\":\"complete\",\"payment_status\":"
                       "\"paid\",\"subscription\":\"sub_1\",\"client_reference_id\":\"ref_1\"}"),
         "read: [sub_1 paid" NOW " paid=-" READ
         " total=-1 address=absent reference=ref_1 lines? alias:cs_1] next=subscriptions"},
        {"set up only is left out, as is the other mode", &everything, "",
         LIST("false",
              SESSION("cs_2", "false", "paid",
                      "") ",{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"mode\":\"setup\"}"),
         "read:  next=subscriptions"},
        {"what cannot be read is counted, and the rest counts", &everything, "",
         LIST("false", SESSION("cs_3", "true", "owed", "") ",7," SESSION(
                           "cs_1", "true", "paid", ",\"line_items\":" ITEMS("false"))),
         "read: [cs_1 paid" NOW EIGHT READ MONEY LINES
         "] next=subscriptions unusable=2: `payment_status` is none that this version knows"},
    };
    (void)state;
    check_pages(cases, COUNT(cases));
}

#define ITEM                                                                     \
    "{\"id\":\"si_1\",\"object\":\"subscription_item\",\"current_period_start\"" \
    ":1795424400,\"current_period_end\":1798016400,\"quantity\":1," PRICE "}"
#define SUBSCRIPTION(status, rest)                                                            \
    "{\"id\":\"sub_1\",\"object\":\"subscription\",\"livemode\":true,\"created\":1795424400," \
    "\"status\":\"" status "\",\"items\":" LIST("false", ITEM) rest "}"
#define WHOLE_CUSTOMER \
    ",\"customer\":{\"id\":\"cus_1\",\"object\":\"customer\",\"email\":\"Zoe@example.test\"}"
#define INVOICE                                                                        \
    ",\"latest_invoice\":{\"id\":\"in_2\",\"object\":\"invoice\",\"status\":\"paid\"," \
    "\"currency\":\"usd\",\"amount_paid\":500,\"status_transitions\":{\"paid_at\":"    \
    "1795424400},\"payments\":" LIST("false", "{\"payment\":{\"payment_intent\":\"pi_2\"}}") "}"
#define TERM(state, until)           \
    "[sub_1 paid" NOW " paid=-" READ \
    " total=-1 address=absent lines: si_1(price_1|prod_1/-/-)*1-0 term:" state NOW READ until

static void the_other_lists_tell_the_rest(void **state)
{
    static const struct page_case cases[] = {
        {"subscriptions with customer and latest payment", &everything, "subscriptions",
         LIST("false", SUBSCRIPTION("active", WHOLE_CUSTOMER INVOICE)),
         "read: " TERM(
             "active",
             " until=2026-12-23T09:00:00Z") " alias:in_2][sub_1 paid at=2026-11-23T09:00:00Z paid=2026-11-23T09:00:00Z" READ
                                            " total=5000000 address=absent lines? listed: alias:in_2 alias:pi_2]"
                                            "[sub_1 pending at=1970-01-01T00:00:00Z paid=-" READ
                                            " total=-1 address=zoe@example.test lines?] next=refunds"},
        {"a customer that is not told is asked for", &everything, "subscriptions",
         LIST("false", SUBSCRIPTION("canceled", ",\"ended_at\":1795424400,\"customer\":\"cus_1\"")),
         "read: " TERM("expired",
                       " until=2026-11-23T09:00:00Z") " need:address(cus_1)] next=refunds"},
        {"a deleted customer has no address", &everything, "subscriptions",
         LIST("false",
              SUBSCRIPTION("trialing", ",\"customer\":{\"id\":\"cus_1\",\"deleted\":true}")),
         "read: " TERM("trial", " until=2026-12-23T09:00:00Z") "] next=refunds"},
        {"refunds ask whose they are only if they take something", &everything, "refunds",
         LIST("true", REFUND("re_1", "succeeded") "," REFUND("re_2", "failed")),
         "read: [pi_1 refund:done re_1=5000000{?} at=2026-11-23T09:30:00Z alias:ch_1 "
         "need:owner(pi_1)!][pi_1 refund:failed re_2=5000000{?}" NOW " refund:failed ch_1=0{?}" NOW
         " alias:ch_1] next=refunds re_2 001795426200 0"},
        {"disputes", &everything, "disputes dp_9 1795426200 3",
         LIST("false",
              "{\"id\":\"dp_1\",\"object\":\"dispute\",\"status\":\"lost\",\"livemode\":true,"
              "\"charge\":\"ch_1\",\"payment_intent\":\"pi_1\"}"),
         "read: [pi_1 dispute:lost dp_1" NOW " alias:ch_1 need:owner(pi_1)!]"},
        {"an entry of another list", &everything, "disputes",
         LIST("false", REFUND("re_1", "failed")), "read:  unusable=1: an entry is no dispute"},
    };
    (void)state;
    check_pages(cases, COUNT(cases));
}

#define EVENT(id, type, live, object)                                                   \
    "{\"id\":\"" id "\",\"object\":\"event\",\"created\":1795424400,\"livemode\":" live \
    ",\"type\":\"" type "\",\"data\":{\"object\":" object "}}"
#define NINE " at=2026-11-23T09:00:00Z"
#define DISPUTE                                                                       \
    "{\"id\":\"dp_1\",\"object\":\"dispute\",\"status\":\"won\",\"charge\":\"ch_1\"," \
    "\"payment_intent\":\"pi_1\"}"

/* An event's object is as it was: it is read again, once a page for each object. */
static void events_are_hints(void **state)
{
    static const struct page_case cases[] = {
        {"two of one session, the newest first", &changes, "",
         LIST("true", EVENT("evt_2", "checkout.session.async_payment_succeeded", "true",
                            SESSION("cs_1", "true", "paid",
                                    "")) "," EVENT("evt_1", "checkout.session.completed", "true",
                                                   SESSION("cs_1", "true", "unpaid", ""))),
         "read: [cs_1 paid" NINE " paid=2026-11-23T09:00:00Z" MONEY
         " lines? need:order(cs_1)!] next=events evt_1 001795424400 0"},
        {"a subscription and its invoice ask once", &changes, "events evt_9 1795424401 0",
         LIST(
             "false",
             EVENT("evt_2", "invoice.paid", "true", "{\"id\":\"in_2\",\"object\":\"invoice\",\"subscription\":\"sub_1\"}") "," EVENT(
                 "evt_1", "customer.subscription.updated", "true",
                 SUBSCRIPTION("active", ",\"customer\":\"cus_1\""))),
         "read: [sub_1 paid" NINE " paid=2026-11-23T09:00:00Z total=-1 address=absent lines? "
         "listed: alias:in_2 need:order(sub_1)!]"
         "[sub_1 paid" NINE " paid=- total=-1 address=absent lines: "
         "si_1(price_1|prod_1/-/-)*1-0 term:active" NINE " until=2026-12-23T09:00:00Z]"},
        {"money that went back, a dispute, a payment of an invoice", &changes, "",
         LIST(
             "false",
             EVENT("evt_4", "charge.dispute.funds_reinstated", "true", DISPUTE) "," EVENT(
                 "evt_3", "refund.failed", "true",
                 REFUND(
                     "re_1",
                     "failed")) "," EVENT("evt_2", "charge.refunded", "true",
                                          "{\"id\":\"ch_1\",\"object\":\"charge\",\"payment_intent\":\"pi_1\","
                                          "\"currency\":\"usd\",\"amount_refunded\":500,\"refunded\":false}") "," EVENT("evt_1",
                                                                                                                        "invoice_payment.paid",
                                                                                                                        "true",
                                                                                                                        "{\"id\":\"inpay_1\",\"object\":\"invoice_payment\",\"invoice\":\"in_2\","
                                                                                                                        "\"payment\":{\"payment_intent\":\"pi_2\"}}")),
         "read: [pi_1 dispute:won dp_1" NINE " alias:ch_1 need:owner(pi_1) need:order(ch_1)!]"
         "[pi_1 refund:failed re_1=5000000{?}" NINE " refund:failed ch_1=0{?}" NINE
         " alias:ch_1 need:owner(pi_1) need:refunds(ch_1)!]"
         "[pi_1 alias:ch_1 need:owner(pi_1)][in_2 alias:pi_2 need:owner(in_2)!]"},
        {"the other mode, and what is no order", &changes, "",
         LIST(
             "false",
             EVENT("evt_3", "checkout.session.completed", "false", SESSION("cs_1", "false", "paid", "")) "," EVENT(
                 "evt_2", "invoice.paid",
                 "true",
                 "{\"id\":\"in_1\",\"object\":\"invoice\"}") "," EVENT("evt_1",
                                                                       "checkout.session.completed",
                                                                       "true",
                                                                       "{\"id\":\"cs_2\",\"object\":\"checkout.session\"}")),
         "read:  unusable=1: `mode` is none that this version knows"},
    };
    (void)state;
    check_pages(cases, COUNT(cases));
}

#define AGAIN "refused: Stripe's list does not go on: the same page comes again"

static void an_endless_page_ends_in_an_error(void **state)
{
    static const struct page_case cases[] = {
        {"the same page", &everything, "refunds re_1 001795426200 0",
         LIST("true", REFUND("re_1", "failed")), AGAIN},
        {"more, and nothing to show", &everything, "refunds", LIST("true", ""), AGAIN},
        {"an id that could be anything", &everything, "refunds",
         LIST("true", REFUND("re 1", "failed")), AGAIN},
        {"no entry at all", &everything, "disputes", LIST("true", "7"), AGAIN},
        {"too many of one second", &everything, "refunds re_2 001795426200 10000",
         LIST("true", REFUND("re_1", "failed")), AGAIN},
        {"no list", &everything, "", SESSION("cs_1", "true", "paid", ""),
         "refused: Stripe answered with something that is no list"},
        {"a cursor of another walk", &changes, "refunds", LIST("false", ""),
         "refused: the cursor is none of a walk through Stripe's lists"},
    };
    char *cursor = xstrdup("refunds");
    size_t pages = 0;
    (void)state;
    check_pages(cases, COUNT(cases));
    /* Two pages that take turns. */
    for (bool going = true; going; pages++) {
        char *body = xasprintf(LIST("true", "%s"),
                               pages % 2 ? REFUND("re_1", "failed") : REFUND("re_2", "failed"));
        struct shop_listing listing = {0};
        struct buf detail = {0};
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = RECEIVED,
                                     .received_at = RECEIVED,
                                     .body = body,
                                     .len = strlen(body)};
        going = shop_read_listing(&source, &everything, cursor, &answer, &listing, &detail) ==
                SHOP_ANSWER_READ;
        if (going) {
            free(cursor);
            cursor = xstrdup(listing.next);
        }
        shop_listing_free(&listing);
        buf_free(&detail);
        free(body);
        assert_true(pages <= LIMIT_LIST_STUCK + 1);
    }
    free(cursor);
}

static void other_answers_wait_or_are_told(void **state)
{
    static const struct {
        int status;
        const char *type, *body, *expected;
    } cases[] = {
        {429, JSON, "{}", "later: the shop answered 429"},
        {500, JSON, "{}", "later: the shop answered 500"},
        {200, "text/html", "<html></html>",
         "later: the shop's answer cannot be read: it is not JSON"},
        {400, JSON, "{}", "refused: Stripe does not take the call (400)"},
        {404, JSON, "{}", "refused: Stripe has no such list (404)"},
        {403, JSON, "{}",
         "refused: the shop refused the key (403): check that api_key_file holds a secret key, or "
         "a restricted one that may read events, checkout sessions, subscriptions, invoices, "
         "customers, charges and disputes"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = page_text(&everything, "", cases[i].status, cases[i].type, cases[i].body);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define ENDPOINT(url, live, status, events)                                                   \
    "{\"id\":\"we_1\",\"object\":\"webhook_endpoint\",\"url\":\"" url "\",\"livemode\":" live \
    ",\"status\":\"" status "\",\"enabled_events\":[" events "]}"
#define SOME                                                                       \
    "\"checkout.session.completed\",\"checkout.session.async_payment_succeeded\"," \
    "\"checkout.session.async_payment_failed\",\"customer.subscription.created\"," \
    "\"customer.subscription.updated\",\"customer.subscription.deleted\","         \
    "\"invoice.payment_succeeded\",\"refund.created\",\"refund.updated\""
#define REST "\"charge.dispute.created\",\"charge.dispute.closed\""

static void the_webhook_is_looked_after(void **state)
{
    static const struct {
        const char *body;
        enum shop_webhook expected;
        const char *detail;
    } cases[] = {
        {LIST("false", ENDPOINT(OURS, "true", "enabled", "\"*\"")), SHOP_WEBHOOK_ENABLED, ""},
        {LIST("false", ENDPOINT(OURS, "true", "enabled", SOME "," REST)), SHOP_WEBHOOK_ENABLED, ""},
        {LIST("false",
              ENDPOINT(OURS, "true", "enabled", SOME) "," ENDPOINT(OURS, "true", "enabled", REST)),
         SHOP_WEBHOOK_ENABLED, ""},
        {LIST("false", ENDPOINT(OURS, "true", "enabled", SOME)), SHOP_WEBHOOK_DISABLED,
         "Stripe's webhook endpoint is not sent charge.dispute.created, charge.dispute.closed"},
        {LIST("false", ENDPOINT(OURS, "true", "disabled", "\"*\"")), SHOP_WEBHOOK_DISABLED,
         "Stripe's webhook endpoint is disabled: enable it again"},
        {LIST("false", ENDPOINT("https://other.example.test/", "true", "enabled",
                                "\"*\"") ",7," ENDPOINT(OURS, "false", "enabled", "\"*\"")),
         SHOP_WEBHOOK_MISSING, "no webhook endpoint of Stripe, of this mode, points at us"},
        {LIST("false", ""), SHOP_WEBHOOK_MISSING,
         "no webhook endpoint of Stripe, of this mode, points at us"},
    };
    struct shop_fetch fetch = {0};
    (void)state;
    assert_int_equal(shop_webhook_for(&source, &fetch), 0);
    assert_string_equal(fetch.target, "/v1/webhook_endpoints?limit=100");
    shop_fetch_free(&fetch);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf detail = {0};
        enum shop_webhook told = SHOP_WEBHOOK_ENABLED;
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = RECEIVED,
                                     .received_at = RECEIVED,
                                     .body = cases[i].body,
                                     .len = strlen(cases[i].body)};
        assert_int_equal(shop_read_webhook(&source, OURS, &answer, &told, &detail),
                         SHOP_ANSWER_READ);
        assert_int_equal(told, cases[i].expected);
        assert_string_equal(detail.data ? detail.data : "", cases[i].detail);
        buf_free(&detail);
    }
    struct shop_answer busy = {.status = 429,
                               .content_type = JSON,
                               .date = RECEIVED,
                               .received_at = RECEIVED,
                               .body = "{}",
                               .len = 2};
    struct buf detail = {0};
    enum shop_webhook told;
    assert_int_equal(shop_read_webhook(&source, OURS, &busy, &told, &detail), SHOP_ANSWER_LATER);
    buf_free(&detail);
}

/* A shop that sells on while it is walked through: sessions by their numbers, each with a version
 * that its amount tells, and a log of which changed when. */
#define MOST 400
static struct {
    unsigned seed;
    int64_t now; /* seconds */
    size_t sessions, events;
    int version[MOST], known[MOST];
    int64_t made[MOST];
    struct {
        size_t session;
        int64_t at;
        int version;
    } log[MOST * 4];
} shop;

static unsigned draw(unsigned below)
{
    shop.seed = shop.seed * 1103515245u + 12345u;
    return (shop.seed >> 16) % below;
}

static void change(size_t session)
{
    shop.version[session]++;
    shop.log[shop.events].session = session;
    shop.log[shop.events].version = shop.version[session];
    shop.log[shop.events++].at = shop.now;
}

/* Somebody buys, or something of an earlier sale changes. */
static void trade(unsigned most)
{
    for (unsigned left = draw(most + 1); left > 0; left--) {
        shop.now += draw(3);
        if (shop.sessions == 0 || (draw(2) && shop.sessions < MOST)) {
            shop.made[shop.sessions] = shop.now;
            shop.version[shop.sessions] = 0;
            shop.known[shop.sessions] = 0;
            change(shop.sessions++);
        } else {
            change(draw((unsigned)shop.sessions));
        }
    }
}

static void put_session(struct buf *out, size_t session, int version)
{
    buf_printf(out,
               "{\"id\":\"cs_%zu\",\"object\":\"checkout.session\",\"livemode\":true,\"mode\":"
               "\"payment\",\"payment_status\":\"paid\",\"currency\":\"usd\",\"amount_total\":%d,"
               "\"created\":%lld,\"line_items\":" LIST("false", "") "}",
               session, version, (long long)shop.made[session]);
}

static void put_event(struct buf *out, size_t event)
{
    buf_printf(out,
               "{\"id\":\"evt_%zu\",\"object\":\"event\",\"created\":%lld,\"livemode\":true,"
               "\"type\":\"checkout.session.completed\",\"data\":{\"object\":",
               event, (long long)shop.log[event].at);
    put_session(out, shop.log[event].session, shop.log[event].version);
    buf_puts(out, "}}");
}

/* The page of a target, newest first, three at most. */
static char *serve(const char *target)
{
    struct buf out = {0};
    const char *after = strstr(target, "starting_after="), *since = strstr(target, "gte%5D=");
    bool events = strncmp(target, "/v1/events", 10) == 0;
    bool sessions = strncmp(target, "/v1/checkout", 12) == 0;
    int64_t oldest = since ? strtoll(since + 7, NULL, 10) : 0;
    size_t left = events ? shop.events : sessions ? shop.sessions : 0;
    if (after)
        left = strtoul(strchr(strchr(after, '=') + 1, '_') + 1, NULL, 10);
    buf_puts(&out, "{\"object\":\"list\",\"data\":[");
    size_t shown = 0;
    for (; left > 0 && shown < 3; left--, shown++) {
        if (events && shop.log[left - 1].at < oldest)
            break;
        buf_puts(&out, shown ? "," : "");
        if (events)
            put_event(&out, left - 1);
        else
            put_session(&out, left - 1, shop.version[left - 1]);
    }
    bool more = left > 0 && !(events && shop.log[left - 1].at < oldest);
    buf_printf(&out, "],\"has_more\":%s}", more ? "true" : "false");
    return buf_take(&out);
}

/* What is read again is what the shop knows now. */
static void learn(const struct fact_order *order)
{
    size_t session = strtoul(order->id + 3, NULL, 10);
    if (order->snapshot && (int)(order->snapshot->total / 10000) > shop.known[session])
        shop.known[session] = (int)(order->snapshot->total / 10000);
    for (size_t i = 0; i < order->need_count; i++)
        if (order->needs[i].kind == NEED_ORDER)
            shop.known[session] = shop.version[session];
}

static void walk_through(const struct shop_walk *walk, unsigned trades)
{
    char *cursor = xstrdup("");
    while (cursor) {
        struct shop_fetch fetch = {0};
        struct shop_listing listing = {0};
        struct buf detail = {0};
        assert_int_equal(shop_list_for(&source, walk, cursor, &fetch), 0);
        char *body = serve(fetch.target);
        int64_t now = shop.now * TIME_SECOND;
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = now,
                                     .received_at = now,
                                     .body = body,
                                     .len = strlen(body)};
        assert_int_equal(shop_read_listing(&source, walk, cursor, &answer, &listing, &detail),
                         SHOP_ANSWER_READ);
        for (size_t i = 0; i < listing.facts.order_count; i++)
            learn(&listing.facts.orders[i]);
        free(cursor);
        cursor = listing.next ? xstrdup(listing.next) : NULL;
        free(body);
        buf_free(&detail);
        shop_listing_free(&listing);
        shop_fetch_free(&fetch);
        trade(trades);
    }
}

static void no_order_is_lost_while_the_shop_sells_on(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        shop.seed = seed;
        shop.now = 1795000000;
        shop.sessions = shop.events = 0;
        trade(60);
        size_t before = shop.sessions;
        struct shop_walk walk = {
            .whole = true, .since = TIME_NONE, .began = shop.now * TIME_SECOND};
        walk_through(&walk, 2);
        for (size_t i = 0; i < before; i++)
            assert_true(shop.known[i] > 0);
        for (int run = 0; run < 3; run++) {
            int64_t since = walk.began;
            walk = (struct shop_walk){.since = since, .began = shop.now * TIME_SECOND};
            walk_through(&walk, run < 2 ? 2 : 0);
        }
        for (size_t i = 0; i < shop.sessions; i++)
            assert_int_equal(shop.known[i], shop.version[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_asked_for),
        cmocka_unit_test(changes_are_asked_for_by_type_and_time),
        cmocka_unit_test(sessions_need_nothing_more),
        cmocka_unit_test(the_other_lists_tell_the_rest),
        cmocka_unit_test(events_are_hints),
        cmocka_unit_test(an_endless_page_ends_in_an_error),
        cmocka_unit_test(other_answers_wait_or_are_told),
        cmocka_unit_test(the_webhook_is_looked_after),
        cmocka_unit_test(no_order_is_lost_while_the_shop_sells_on),
    };
    source = source_make(PROVIDER_STRIPE, "whsec_1", NULL);
    source.api_url = xstrdup("https://api.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("rk_live_1"), .len = strlen("rk_live_1")};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
