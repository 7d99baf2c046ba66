/*
 * Real payloads, where there are some: every file of the folder that PURCHASE_SYNC_FIXTURES names
 * has its verdict here, and one that nothing here reads is a failure.
 */
#include <dirent.h>
#include <ftw.h>

#include "fixture_support.h"
#include "shops/json.h"

#define CAPTURED_SECRET "s3cr&t\"key"

/* One of each provider, with a key; the second of each takes a shop's test orders. */
enum mode { LIVE, TEST, MODE_COUNT };
static struct settings_source sources[MODE_COUNT][PROVIDER_COUNT];

/* The headers captured with a file: the first line, and behind it the rest. "" if none were. */
static char *captured_headers(const char *file)
{
    const char *end = strstr(file, ".body") ? strstr(file, ".body") : strstr(file, ".json");
    if (!strstr(file, "/captured"))
        return xstrdup("");
    char *name = xasprintf("%.*s.headers", (int)(end - file), file);
    struct buf bytes = read_file(name);
    char *text = xstrdup(bytes.data);
    buf_free(&bytes);
    free(name);
    return text;
}

static int is_body(const struct dirent *entry)
{
    return strstr(entry->d_name, ".body") != NULL;
}

static void check_captured(const struct settings_source *source, const char *name)
{
    char *path = xasprintf("woocommerce/captured/%s", name);
    struct buf body = read_file(path);
    char *head = captured_headers(path), *lines = strchr(head, '\n') + 1;
    struct shop_receipt receipt;
    bool ping = strstr(name, ".ping.") != NULL;
    assert_int_equal(verify_bytes(source, lines, body.data, body.len, RECEIVED, &receipt),
                     ping ? SHOP_PING : SHOP_VALID);
    for (size_t i = 0; i < body.len && !ping; i++) {
        body.data[i] = (char)(body.data[i] ^ 1);
        assert_int_equal(verify_bytes(source, lines, body.data, body.len, RECEIVED, &receipt),
                         SHOP_SIGNATURE_INVALID);
        body.data[i] = (char)(body.data[i] ^ 1);
    }
    free(head);
    buf_free(&body);
    free(path);
}

static void captured_deliveries_verify(void **state)
{
    need_folder();
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, CAPTURED_SECRET, NULL);
    struct dirent **entries;
    (void)state;
    char *path = xasprintf("%s/woocommerce/captured", folder);
    int count = scandir(path, &entries, is_body, alphasort);
    assert_int_equal(count, 17);
    for (int i = 0; i < count; i++) {
        check_captured(&source, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    free(path);
    source_free(&source);
}

/* What a file is the answer to: a need of an order, the webhooks, or else a page of the list. */
struct question {
    enum fact_need_kind kind;
    const char *order, *object;
    const char *webhook; /* where it must point */
};

/* A file, what of it counts and what that is put in, and what comes of it. */
struct file_case {
    const char *file;
    const char *contains;            /* of the text that says what came of it */
    const char *member;              /* of the file's object, or the first of that list */
    const char *frame;               /* what it is put in, at %s */
    const struct question *question; /* NULL: it is a delivery */
    enum mode mode;
};

#define READS(name, text) .file = (name), .contains = (text)

/* Signed as the shop would it is taken, and changed after that it is not. Gumroad signs nothing:
 * there it is the path's secret. */
static void check_signed(const struct settings_source *source, const struct buf *body)
{
    struct buf lines = {0};
    struct http_header headers[LIMIT_HTTP_HEADERS];
    struct shop_receipt receipt;
    bool in_path = source->provider == PROVIDER_GUMROAD;
    shop_sign(source, "evt_1", RECEIVED, body->data, body->len, &lines);
    char *bytes = xmemdup(body->data, body->len);
    struct shop_delivery delivery = {
        .headers = headers,
        .header_count = headers_of(lines.len > 0 ? lines.data : "", headers),
        .path_secret = in_path ? (const char *)source->webhook_secrets.items[0].bytes : NULL,
        .body = bytes,
        .len = body->len,
        .now = RECEIVED,
    };
    assert_int_equal(shop_verify(source, &delivery, &receipt), SHOP_VALID);
    if (in_path)
        delivery.path_secret = "another";
    else
        bytes[body->len / 2] = (char)(bytes[body->len / 2] ^ 1);
    assert_int_equal(shop_verify(source, &delivery, &receipt), SHOP_SIGNATURE_INVALID);
    free(bytes);
    buf_free(&lines);
}

/* "read: [order]", or "refused: sentence"; the facts and the detail are done with. */
static char *verdict_text(enum shop_answer_verdict verdict, struct facts *facts, struct buf *detail)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    char *told = facts_text(facts);
    char *text = xasprintf("%s: %s%s", verdicts[verdict], told, detail->len ? detail->data : "");
    free(told);
    facts_free(facts);
    buf_free(detail);
    return text;
}

static char *listing_text(const struct settings_source *source, const struct shop_answer *answer)
{
    static const struct shop_walk walk = {.whole = true, .since = TIME_NONE, .began = RECEIVED};
    struct shop_listing listing = {0};
    struct facts facts;
    struct buf detail = {0};
    enum shop_answer_verdict verdict =
        shop_read_listing(source, &walk, "", answer, &listing, &detail);
    assert_int_equal(listing.unusable, 0);
    facts = listing.facts;
    listing.facts = (struct facts){0};
    char *told = verdict_text(verdict, &facts, &detail);
    char *text = xasprintf("%s next=%s", told, listing.next ? listing.next : "none");
    free(told);
    shop_listing_free(&listing);
    return text;
}

/* "read: enabled" and so on. */
static char *webhook_text(const struct settings_source *source, const char *address,
                          const struct shop_answer *answer)
{
    static const char *const states[] = {"enabled", "disabled", "missing"};
    enum shop_webhook state = SHOP_WEBHOOK_MISSING;
    struct facts none = {0};
    struct buf detail = {0};
    enum shop_answer_verdict verdict = shop_read_webhook(source, address, answer, &state, &detail);
    if (verdict == SHOP_ANSWER_READ) {
        buf_reset(&detail);
        buf_puts(&detail, states[state]);
    }
    return verdict_text(verdict, &none, &detail);
}

static char *need_text(const struct settings_source *source, const struct question *question,
                       const struct shop_answer *answer)
{
    char object[64];
    struct fact_need need = {.kind = question->kind, .object = question->object ? object : NULL};
    struct shop_fetch call;
    struct facts facts = {0};
    struct buf detail = {0};
    snprintf(object, sizeof(object), "%s", question->object ? question->object : "");
    assert_int_equal(shop_fetch_for(source, question->order, &need, &call), 0);
    enum shop_answer_verdict verdict = shop_read_answer(source, &call, answer, &facts, &detail);
    shop_fetch_free(&call);
    return verdict_text(verdict, &facts, &detail);
}

/* An answer under the headers that it was captured with, or else under usual ones. */
static char *answer_text(const struct settings_source *source, const struct file_case *one,
                         const struct buf *body)
{
    const struct question *question = one->question;
    struct http_header headers[LIMIT_HTTP_HEADERS];
    char *head = captured_headers(one->file), *values[3] = {NULL};
    static const char *const names[] = {"Content-Type", "Link", "Date"};
    size_t count = *head ? headers_of(strchr(head, '\n') + 1, headers) : 0;
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < COUNT(names); n++)
            if (strncmp(headers[i].name, names[n], strlen(names[n])) == 0)
                values[n] = xstrndup(headers[i].value, headers[i].value_len);
    struct shop_answer answer = {.status = *head ? (int)strtol(strchr(head, ' '), NULL, 10) : 200,
                                 .content_type = values[0] ? values[0] : "application/json",
                                 .date = RECEIVED + TIME_HOUR,
                                 .link = values[1],
                                 .body = body->data,
                                 .len = body->len};
    if (values[2])
        assert_int_equal(clock_parse_http(values[2], strlen(values[2]), &answer.date), 0);
    char *text = question->webhook ? webhook_text(source, question->webhook, &answer)
                 : question->order ? need_text(source, question, &answer)
                                   : listing_text(source, &answer);
    for (size_t n = 0; n < COUNT(names); n++)
        free(values[n]);
    free(head);
    return text;
}

/* What of the file counts, in what it is put in. */
static struct buf body_of(const struct file_case *one)
{
    struct buf file = read_file(one->file), body = {0};
    const char *frame = one->frame ? one->frame : "%s", *hole = strstr(frame, "%s"), *why;
    struct json_object *tree = NULL;
    buf_append(&body, frame, (size_t)(hole - frame));
    if (one->member) {
        tree = shop_json_read(file.data, file.len, &why);
        struct json_object *part = shop_json_member(tree, one->member);
        if (json_object_is_type(part, json_type_array))
            part = json_object_array_get_idx(part, 0);
        buf_puts(&body, json_object_to_json_string(part));
    } else {
        buf_append(&body, file.data, file.len);
    }
    buf_puts(&body, hole + strlen("%s"));
    json_object_put(tree);
    buf_free(&file);
    return body;
}

static void check_files(enum provider provider, const struct file_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct settings_source *source = &sources[cases[i].mode][provider];
        struct buf body = body_of(&cases[i]);
        if (!cases[i].question)
            check_signed(source, &body);
        char *text = cases[i].question ? answer_text(source, &cases[i], &body)
                                       : read_bytes(source, body.data, body.len);
        if (!strstr(text, cases[i].contains))
            fail_msg("%s: %s", cases[i].file, text);
        free(text);
        buf_free(&body);
    }
}

#define CAPTURED "woocommerce/captured/"
#define REST "woocommerce/captured-rest/"
#define ZOE \
    "address=zoe.mueller+shop@example.test lines: 1(10/-/LIC-PRO)*1-0 2(11/-/ADD-1)*3-0 listed:"
#define NO_ORDER "not_an_order: the body is no order: it has no id, status and line_items"
#define HOOK "http://requestb.in/1g0sxmo1"

static void woocommerce_captures(void **state)
{
    static const struct question list = {0}, order = {.kind = NEED_ORDER, .order = "12"},
                                 refunds = {.kind = NEED_REFUNDS, .order = "12"};
    static const struct file_case cases[] = {
        /* Received at ten, these are from ten to eleven: the time is claimed, and cut. */
        {READS(CAPTURED "05.order.created.body", "[12 pending at=")},
        {READS(CAPTURED "06.order.updated.body", "[12 pending at=")},
        {READS(CAPTURED "07.order.updated.body", "[12 paid at=")},
        {READS(CAPTURED "08.order.updated.body", "[12 paid at=")},
        {READS(CAPTURED "09.order.updated.body", "listed: 13=20000000{?}]")},
        {READS(CAPTURED "10.order.updated.body", ZOE " 14=5000000{?} 13=20000000{?}]")},
        {READS(CAPTURED "11.order.updated.body", "[12 refunded at=")},
        {READS(CAPTURED "11.order.updated.body",
               "listed: 15=54000000{?} 14=5000000{?} 13=20000000{?}]")},
        {READS(CAPTURED "12.order.deleted.body", "[12 hint]")},
        {READS(CAPTURED "13.order.restored.body", "[12 refunded at=")},
        {READS(CAPTURED "14.order.updated.body", "[12 refunded at=")},
        {READS(CAPTURED "15.order.created.body", "[16 pending at=")},
        {READS(CAPTURED "16.order.updated.body", "[16 pending at=")},
        {READS(CAPTURED "17.order.updated.body", "[16 cancelled at=")},
        {READS(CAPTURED "17.order.updated.body",
               "address=b@example.test lines: 4(10/-/LIC-PRO)*1-0 listed:]")},
        {READS(REST "order12.json",
               "read: [12 refunded at=2026-11-23T10:50:28Z paid=2026-11-23T10:50:18Z "
               "read=2026-11-23T10:51:40Z total=79000000 " ZOE
               " 15=54000000{?} 14=5000000{?} 13=20000000{?}]"),
         .question = &order},
        {READS(REST "refunds12.json",
               "read: [12 refund:done 15=54000000 detail{} at=2026-11-23T10:50:25Z "
               "refund:done 14=5000000 detail{} at=2026-11-23T10:50:23Z "
               "refund:done 13=20000000 detail{2*2} at=2026-11-23T10:50:21Z]"),
         .question = &refunds},
        {READS(REST "refunds.all.json", "detail{2*2} at=2026-11-23T10:50:21Z]"),
         .question = &refunds},
        {READS(REST "badkey404.json", "read: [12 cancelled at=2026-11-23T10:51:42Z paid=- "),
         .question = &order},
        {READS(
             REST "orders.page1.json",
             " address=b@example.test lines: 4(10/-/LIC-PRO)*1-0 listed:] next=any 1795431399 0 t 0 0"),
         .question = &list},
        {READS(
             REST "orders.page2.json",
             "[18 pending at=2026-11-23T10:50:33Z paid=- read=2026-11-23T10:51:39Z total=0 address=c2@example.test lines: listed:] next=trash - 0 t 0 0"),
         .question = &list},
        {READS(REST "orders.future.json", "read:  next=trash - 0 t 0 0"), .question = &list},
    };
    need_folder();
    (void)state;
    check_files(PROVIDER_WOOCOMMERCE, cases, COUNT(cases));
}

static void woocommerce_samples(void **state)
{
    static const struct question list = {0}, hooks = {.webhook = HOOK},
                                 strange = {.webhook = HOOK "x"},
                                 order = {.kind = NEED_ORDER, .order = "727"},
                                 refunds = {.kind = NEED_REFUNDS, .order = "723"};
    static const struct file_case cases[] = {
        {READS("woocommerce/orders.create-an-order.json", "[727 paid at=2017-03-22T19:28:08Z ")},
        {READS("woocommerce/orders.update-an-order.json", "[727 paid at=2017-03-22T19:30:35Z ")},
        {READS("woocommerce/orders.delete-an-order.json",
               "total=29350000 address=john.doe@example.com "
               "lines: 315(93/-/-)*2-0 316(22/23/Bar3)*1-0 listed:]")},
        {READS("woocommerce/orders.retrieve-an-order.json",
               "read: [727 paid at=2017-03-22T19:28:08Z paid=2017-03-22T19:28:08Z "),
         .question = &order},
        {READS("woocommerce/orders.list-all-orders.json",
               "listed:][723 paid at=2017-03-21T19:54:51Z paid=- "),
         .question = &list},
        {READS(
             "woocommerce/orders.list-all-orders.json",
             "lines: 311(87/-/-)*1-0 313(34/-/-)*1-0 listed: 726=10000000{?} 724=9000000{?}] next="),
         .question = &list},
        {READS("woocommerce/orders.list-all-orders.json",
               "malformed: the body is JSON, but not an object")},
        {READS("woocommerce/orders.batch-update-orders.json", NO_ORDER)},
        {READS("woocommerce/orders.batch-update-orders.json", "[728 pending at=2017-03-22T19:33:3"),
         .member = "create"},
        {READS("woocommerce/order-refunds.create-a-refund.json", NO_ORDER)},
        {READS("woocommerce/order-refunds.delete-a-refund.json", NO_ORDER)},
        {READS("woocommerce/order-refunds.retrieve-a-refund.json",
               "read: [723 refund:done 726=10000000 detail{} at=2017-03-21T20:07:11Z]"),
         .frame = "[%s]", .question = &refunds},
        {READS("woocommerce/order-refunds.list-all-refunds.json",
               " refund:done 724=9000000 detail{311*1} at=2017-03-21T19:55:37Z]"),
         .question = &refunds},
        {READS("woocommerce/webhooks.list-all-webhooks.json", "read: enabled"), .question = &hooks},
        {READS("woocommerce/webhooks.list-all-webhooks.json", "read: missing"),
         .question = &strange},
        {READS("woocommerce/webhooks.create-a-webhook.json", "read: enabled"), .frame = "[%s]",
         .question = &hooks},
        {READS("woocommerce/webhooks.retrieve-a-webhook.json", "read: enabled"), .frame = "[%s]",
         .question = &hooks},
        {READS("woocommerce/webhooks.update-a-webhook.json", "read: disabled"), .frame = "[%s]",
         .question = &hooks},
        {READS("woocommerce/webhooks.delete-a-webhook.json", "read: disabled"), .frame = "[%s]",
         .question = &hooks},
        {READS("woocommerce/webhooks.batch-update-webhooks.json",
               "refused: the shop answered with something that is no list of webhooks"),
         .question = &hooks},
        {READS("woocommerce/webhooks.create-a-webhook.json", NO_ORDER)},
    };
    need_folder();
    (void)state;
    check_files(PROVIDER_WOOCOMMERCE, cases, COUNT(cases));
}

#define TEST_ORDER "wrong_mode: it is a test order, and this source has live = true"
#define NOTHING "not_an_order: the body is no order, refund or dispute of Shopify"
#define DISPUTE "[820982911946154500 dispute:open 285332461850802050 at=2022-01-01T00:00:00Z]"
#define BOB                                                        \
    " total=598940000 address=bob.norman@mail.example.com lines: " \
    "466157049(632910392/39072856/IPOD2008GREEN)*1-1 "             \
    "518995019(632910392/49148385/IPOD2008RED)*1-0 "               \
    "703073504(632910392/457924702/IPOD2008BLACK)*1-1 listed: "    \
    "509562969=209000000{703073504*1,466157049*1}]"

static void shopify_files(void **state)
{
    static const struct question order = {.kind = NEED_ORDER, .order = "450789469"};
    static const struct file_case cases[] = {
        {READS("shopify/webhook.orders.create.json", TEST_ORDER)},
        {READS("shopify/webhook.orders.paid.json", TEST_ORDER)},
        {READS("shopify/webhook.orders.updated.json", TEST_ORDER)},
        {READS("shopify/webhook.orders.create.json",
               "[820982911946154500 cancelled at=2022-01-01T"),
         .mode = TEST},
        {READS("shopify/webhook.orders.paid.json",
               " 789012345678901200(-/-/LENS-PROTECT-2YR)*1-0 "),
         .mode = TEST},
        {READS("shopify/webhook.orders.updated.json", " address=jon@example.com "), .mode = TEST},
        {READS("shopify/webhook.orders.delete.json", "[820982911946154500 hint]")},
        {READS("shopify/webhook.orders.edited.json", "[820982911946154500 hint]")},
        {READS("shopify/webhook.disputes.create.json", DISPUTE)},
        {READS("shopify/webhook.disputes.update.json", DISPUTE)},
        {READS(
            "shopify/webhook.refunds.create.json",
            "[820982911946154500 refund:done 890088186047892400=85000000{487817672276298560*1,"
            "789012345678901200*1,890123456789012400*1,976318377106520300*1,315789986012684400*1} "
            "at=2022-01-01T00:00:00Z]")},
        {READS("shopify/webhook.subscription_contracts.create.json", NOTHING)},
        {READS("shopify/webhook.subscription_contracts.cancel.json", NOTHING)},
        {READS("shopify/rest-order-2026-07.json",
               "[450789469 paid at=2008-01-10T16:00:00Z paid=2008-01-10T16:00:00Z" BOB)},
        {READS("shopify/rest-order-2026-07.json",
               "read: [450789469 paid at=2008-01-10T16:00:00Z paid=2008-01-10T16:00:00Z "
               "read=2026-11-23T11:00:00Z" BOB),
         .frame = "{\"order\":%s}", .question = &order},
        {READS("shopify/rest-refunds-test_1.json", NOTHING)},
        {READS(
             "shopify/rest-refunds-test_1.json",
             "[450789469 refund:done 509562969=209000000{703073504*1,466157049*1} at=2025-04-02T16:38:15Z]"),
         .member = "refunds"},
        {READS("shopify/rest-refund-test_2.json", NOTHING)},
        {READS("shopify/rest-refund-test_2.json",
               "[450789469 refund:done 929361472=41940000{518995019*1} at=2025-04-02T16:38:34Z]"),
         .member = "refund"},
        {READS("shopify/rest-refund-test_3.json",
               "[450789469 refund:done 929361471=5000000{} at=2025-04-02T16:38:32Z]"),
         .member = "refund"},
        {READS("shopify/rest-refund-test_6.json", NOTHING), .member = "refund"}, /* a calculation */
        {READS("shopify/rest-refund-test_7.json", NOTHING), .member = "refund"},
    };
    need_folder();
    (void)state;
    check_files(PROVIDER_SHOPIFY, cases, COUNT(cases));
}

#define EVENT(type)                                                   \
    "{\"object\":\"event\",\"created\":1795424400,\"livemode\":true," \
    "\"type\":\"" type "\",\"data\":{\"object\":%s}}"
#define LISTED "{\"object\":\"list\",\"has_more\":false,\"data\":[%s]}"
#define SESSION "cs_test_a1YS1URlnyQCN5fUUduORoQ7Pw41PJqDWkIVQCpJPqkfIhd6tVY8XB1OLY"
#define CHARGE "[ch_1PgafuB7WZ01zgkWXYmPNZs8"
#define SILENT "not_an_order: the event says nothing about an order: "

/* Stripe's own examples of its objects: as the objects of events, or as its API answers. */
static void stripe_files(void **state)
{
    static const struct question lines = {.kind = NEED_LINES, .order = "cs_1", .object = "cs_1"},
                                 address = {.kind = NEED_ADDRESS,
                                            .order = "sub_1",
                                            .object = "cus_QXg1o8vcGmoR32"};
    static const struct file_case cases[] = {
        {READS("stripe/openapi-checkout.session.json", "[" SESSION " pending"),
         .frame = EVENT("checkout.session.completed")},
        {READS("stripe/openapi-subscription.json", "[sub_1Pgc6rB7WZ01zgkWNy0Cn5nw "),
         .frame = EVENT("customer.subscription.updated")},
        {READS("stripe/openapi-invoice.json", "[subscription alias:in_1Pgc6tB7WZ01zgkWu9fdqL6I]"),
         .frame = EVENT("invoice.paid")}, /* of the subscription with the id "subscription" */
        {READS("stripe/openapi-charge.json", CHARGE), .frame = EVENT("charge.refunded")},
        {READS("stripe/openapi-refund.json",
               CHARGE " refund:done re_1Pgc72B7WZ01zgkWqPvrRrPE=1000000"),
         .frame = EVENT("refund.created")},
        {READS("stripe/openapi-dispute.json",
               CHARGE " dispute:inquiry dp_1Pgc71B7WZ01zgkWMevJiAUx"),
         .frame = EVENT("charge.dispute.created")},
        {READS("stripe/openapi-payment_intent.json", "not_an_order"),
         .frame = EVENT("payment_intent.succeeded")},
        {READS("stripe/openapi-event.json",
               "wrong_mode: it is a test event, and this source has live = true")},
        {READS("stripe/openapi-event.json", SILENT "plan.created"), .mode = TEST},
        {READS("stripe/openapi-item.json",
               " lines: li_1Pgc73B7WZ01zgkWx8kcmZPK(price_1PgafmB7WZ01zgkW02Hf9z6c|"
               "prod_QXg1hqf4jFNsqG/-/-)*1-0]"),
         .frame = LISTED, .question = &lines},
        {READS("stripe/openapi-line_item.json", SILENT "invoiceitem.created"),
         .frame = EVENT("invoiceitem.created")},
        {READS("stripe/openapi-customer.json", SILENT "customer.updated"),
         .frame = EVENT("customer.updated")},
        {READS("stripe/openapi-customer.json",
               "refused: the key in api_key_file is of another mode"),
         .question = &address},
        {READS("stripe/openapi-customer.json", "read: [sub_1]"), .question = &address,
         .mode = TEST},
    };
    need_folder();
    (void)state;
    check_files(PROVIDER_STRIPE, cases, COUNT(cases));
}

#define ADJUSTMENT " adj_01h8c6tbrkpdd7vx61w7b1r0ap=1000000{} at=2023-08-21T14:"

static void paddle_files(void **state)
{
    static const struct file_case cases[] = {
        {READS("paddle/event.transaction.completed.json",
               "[txn_01h8dzxgkvdwemdhbpcapj2tbj paid at=2023-08-22T07:15:44.")},
        {READS("paddle/event.transaction.completed.json", " total=652150000 ")},
        {READS("paddle/event.transaction.completed.json",
               " txnitm_01h8e18ck0g6b9r0247mdrh34r(pri_01gsz98e27ak2tyhexptwc58yk|"
               "pro_01gsz97mq9pa4fkyy0wqenepkz/-/-)*1-0 listed: "
               "need:address(ctm_01h8e18bxp9hby49dnm8ewf0m0)!]")},
        {READS("paddle/event.transaction.paid.json",
               "[txn_01gxwxqj0rd5m8j1zdhvk05twz paid at=2023-04-13T09:07:05.")},
        {READS("paddle/event.transaction.payment_failed.json",
               "[txn_01h8dzxgkvdwemdhbpcapj2tbj pending ")},
        {READS("paddle/event.adjustment.created.json",
               " refund:pending" ADJUSTMENT "08:43.297512Z]")},
        {READS("paddle/event.adjustment.updated.json", " refund:done" ADJUSTMENT "10:08.425490Z")},
        {READS("paddle/event.subscription.created.json", " alias:txn_01h7hst69d7tar4rm6vyeb0j36")},
        {READS("paddle/event.subscription.activated.json", " term:active ")},
        {READS("paddle/event.subscription.updated.json", " until=2023-10-11T08:07:35.449123Z")},
        {READS("paddle/event.subscription.past_due.json",
               " term:past_due at=2023-10-11T08:08:04.929417Z until=- "
               "since=2023-10-11T08:07:35.449123Z")},
        {READS("paddle/event.subscription.paused.json", " term:paused ")},
        {READS("paddle/event.subscription.canceled.json",
               " term:expired at=2024-01-11T08:34:01.798065Z ")},
        {READS("paddle/event.customer.updated.json", "not_an_order: ")},
        {READS("paddle/standard_payload.json", "not_an_order: ")},
    };
    need_folder();
    (void)state;
    check_files(PROVIDER_PADDLE, cases, COUNT(cases));
}

static void lemonsqueezy_and_gumroad_files(void **state)
{
    static const struct file_case lemons[] = {
        {READS("lemonsqueezy/pay-order_created.json",
               "[1 hint paid at=2023-01-17T12:26:23Z paid=2023-01-17T12:26:23Z total=58990000 "
               "address=dan@lemonsqueezy.com lines?]")},
        {READS(
            "lemonsqueezy/pay-subscription_created.json",
            "[sub_1 paid at=2023-01-17T12:43:51Z paid=- total=-1 address=dan@lemonsqueezy.com lines: "
            "2(2/2/-)*5-0 term:trial at=2023-01-17T12:43:51Z until=2023-01-24T12:43:48Z alias:2]")},
    };
    static const struct file_case ping = {
        READS("gumroad/ping.sale.form", "[SALE1== need:order(sales/SALE1%3D%3D)!]")};
    need_folder();
    (void)state;
    check_files(PROVIDER_LEMONSQUEEZY, lemons, COUNT(lemons));
    check_files(PROVIDER_GUMROAD, &ping, 1);
}

static size_t unread; /* files of the folder */

/* The vectors are vectors_test.c's; SOURCES.md says where all is from. */
static int look_at(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    const char *name = path + strlen(folder) + 1;
    (void)about;
    (void)place;
    if (kind != FTW_F || strcmp(name, "SOURCES.md") == 0 || strcmp(name, "vectors.json") == 0 ||
        is_opened(name))
        return 0;
    print_error("no case here names %s\n", name);
    unread++;
    return 0;
}

/* The last one: the others have read what they name. */
static void every_file_has_its_verdict(void **state)
{
    need_folder();
    (void)state;
    assert_int_equal(nftw(folder, look_at, 8, FTW_PHYS), 0);
    assert_int_equal(unread, 0);
}

static void open_sources(void)
{
    for (int mode = LIVE; mode < MODE_COUNT; mode++)
        for (int i = 0; i < PROVIDER_COUNT; i++) {
            struct settings_source *source = &sources[mode][i];
            const char *key = i == PROVIDER_WOOCOMMERCE ? "ck_1:cs_1" : "key_1";
            *source = source_make((enum provider)i, "s3cret", NULL);
            source->live = mode == LIVE;
            source->api_url = xstrdup("https://api.example.test");
            source->api_keys.items[source->api_keys.count++] =
                (struct secret){.bytes = (unsigned char *)xstrdup(key), .len = strlen(key)};
        }
}

static void close_sources(void)
{
    for (int mode = LIVE; mode < MODE_COUNT; mode++)
        for (int i = 0; i < PROVIDER_COUNT; i++)
            source_free(&sources[mode][i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_deliveries_verify),
        cmocka_unit_test(woocommerce_captures),
        cmocka_unit_test(woocommerce_samples),
        cmocka_unit_test(shopify_files),
        cmocka_unit_test(stripe_files),
        cmocka_unit_test(paddle_files),
        cmocka_unit_test(lemonsqueezy_and_gumroad_files),
        cmocka_unit_test(every_file_has_its_verdict),
    };
    folder = getenv("PURCHASE_SYNC_FIXTURES");
    open_sources();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_sources();
    forget_files();
    return failed;
}
