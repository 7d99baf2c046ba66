/*
 * Real payloads, where there are some: the folder that PURCHASE_SYNC_FIXTURES names. Without it
 * these tests skip, and say so.
 */
#include <dirent.h>

#include "support.h"

static const char *folder;

/* A whole file of the folder; NULL if there is none. */
static struct buf read_file(const char *name)
{
    struct buf bytes = {0};
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    char chunk[4096];
    size_t got;
    if (!file)
        print_error("cannot open %s\n", path);
    assert_non_null(file);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(&bytes, chunk, got);
    fclose(file);
    free(path);
    return bytes;
}

static void need_folder(void)
{
    if (folder)
        return;
    print_message("skipped: PURCHASE_SYNC_FIXTURES names no folder\n");
    skip();
}

static int is_body(const struct dirent *entry)
{
    return strstr(entry->d_name, ".body") != NULL;
}

/* The header lines of a captured request, without its request line. */
static char *captured_headers(const char *body_name)
{
    char *name = xasprintf("woocommerce/captured/%.*s.headers",
                           (int)(strstr(body_name, ".body") - body_name), body_name);
    struct buf bytes = read_file(name);
    char *lines = xstrdup(strchr(bytes.data, '\n') + 1);
    buf_free(&bytes);
    free(name);
    return lines;
}

static void check_captured(const struct settings_source *source, const char *name)
{
    char *path = xasprintf("woocommerce/captured/%s", name);
    struct buf body = read_file(path);
    char *lines = captured_headers(name);
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
    free(lines);
    buf_free(&body);
    free(path);
}

static void captured_deliveries_verify(void **state)
{
    need_folder(); /* first: it leaves by a jump */
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s3cr&t\"key", NULL);
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

struct file_case {
    const char *file;
    const char *expected;
};

static void check_files(const struct settings_source *source, const struct file_case *cases,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf body = read_file(cases[i].file);
        char *text = read_bytes(source, body.data, body.len);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("file: %s\n", cases[i].file);
        assert_string_equal(text, cases[i].expected);
        free(text);
        buf_free(&body);
    }
}

#define LINES " lines: 1(10/-/LIC-PRO)*1-0 2(11/-/ADD-1)*3-0 listed:"
#define ZOE "address=zoe.mueller+shop@example.test"

static void captured_orders_are_read(void **state)
{
    need_folder(); /* first: it leaves by a jump */
    /* Received at ten, these are from ten to eleven: the time is claimed, and cut. */
    static const struct {
        const char *file, *contains;
    } cases[] = {
        {"05.order.created", "[12 pending at="},
        {"07.order.updated", "[12 paid at="},
        {"09.order.updated", "listed: 13=20000000{?}]"},
        {"11.order.updated", "[12 refunded at="},
        {"11.order.updated", "listed: 15=54000000{?} 14=5000000{?} 13=20000000{?}]"},
        {"12.order.deleted", "[12 hint]"},
        {"17.order.updated", "[16 cancelled at="},
        {"17.order.updated", "address=b@example.test lines: 4(10/-/LIC-PRO)*1-0 listed:]"},
        {"10.order.updated", ZOE LINES},
    };
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s3cr&t\"key", NULL);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *name = xasprintf("woocommerce/captured/%s.body", cases[i].file);
        struct buf body = read_file(name);
        char *text = read_bytes(&source, body.data, body.len);
        if (!strstr(text, cases[i].contains))
            print_error("%s: %s\n", cases[i].file, text);
        assert_non_null(strstr(text, cases[i].contains));
        free(text);
        buf_free(&body);
        free(name);
    }
    source_free(&source);
}

static void captured_answers_are_read(void **state)
{
    need_folder(); /* first: it leaves by a jump */
    static const struct {
        const char *file;
        int status;
        bool refunds;
        const char *expected;
    } cases[] = {
        {"order12", 200, false,
         "[12 refunded at=2026-11-23T10:50:28Z paid=2026-11-23T10:50:18Z "
         "read=2026-11-23T11:00:00Z total=79000000 " ZOE LINES
         " 15=54000000{?} 14=5000000{?} 13=20000000{?}]"},
        {"refunds12", 200, true,
         "[12 refund:done 15=54000000 detail{} at=2026-11-23T10:50:25Z refund:done 14=5000000 "
         "detail{} at=2026-11-23T10:50:23Z refund:done 13=20000000 detail{2*2} "
         "at=2026-11-23T10:50:21Z]"},
        {"badkey404", 404, false,
         "[12 cancelled at=2026-11-23T11:00:00Z paid=- read=2026-11-23T11:00:00Z total=-1 "
         "address=absent lines?]"},
    };
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s3cr&t\"key", NULL);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *name = xasprintf("woocommerce/captured-rest/%s.json", cases[i].file);
        struct buf body = read_file(name), detail = {0};
        struct shop_fetch call = {.kind = cases[i].refunds ? NEED_REFUNDS : NEED_ORDER,
                                  .order_id = xstrdup("12")};
        struct shop_answer answer = {.status = cases[i].status,
                                     .content_type = "application/json; charset=UTF-8",
                                     .date = RECEIVED + TIME_HOUR,
                                     .received_at = 0,
                                     .body = body.data,
                                     .len = body.len};
        struct facts facts = {0};
        assert_int_equal(shop_read_answer(&source, &call, &answer, &facts, &detail),
                         SHOP_ANSWER_READ);
        char *text = facts_text(&facts);
        assert_string_equal(text, cases[i].expected);
        free(text);
        facts_free(&facts);
        shop_fetch_free(&call);
        buf_free(&body);
        free(name);
    }
    source_free(&source);
}

static void shopify_samples_are_read(void **state)
{
    need_folder(); /* first: it leaves by a jump */
    static const struct file_case cases[] = {
        {"shopify/webhook.orders.paid.json",
         "wrong_mode: it is a test order, and this source has live = true"},
        {"shopify/webhook.orders.delete.json", "[820982911946154500 hint]"},
        {"shopify/webhook.orders.edited.json", "[820982911946154500 hint]"},
        {"shopify/webhook.disputes.create.json",
         "[820982911946154500 dispute:open 285332461850802050 at=2022-01-01T00:00:00Z]"},
        {"shopify/webhook.refunds.create.json",
         "[820982911946154500 refund:done 890088186047892400=85000000{487817672276298560*1,"
         "789012345678901200*1,890123456789012400*1,976318377106520300*1,315789986012684400*1} "
         "at=2022-01-01T00:00:00Z]"},
        {"shopify/webhook.subscription_contracts.create.json",
         "not_an_order: the body is no order, refund or dispute of Shopify"},
        {"shopify/rest-order-2026-07.json",
         "[450789469 paid at=2008-01-10T16:00:00Z paid=2008-01-10T16:00:00Z total=598940000 "
         "address=bob.norman@mail.example.com lines: "
         "466157049(632910392/39072856/IPOD2008GREEN)*1-1 "
         "518995019(632910392/49148385/IPOD2008RED)*1-0 "
         "703073504(632910392/457924702/IPOD2008BLACK)*1-1 listed: "
         "509562969=209000000{703073504*1,466157049*1}]"},
    };
    struct settings_source source = source_make(PROVIDER_SHOPIFY, "s3cret", NULL);
    (void)state;
    check_files(&source, cases, COUNT(cases));
    source_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_deliveries_verify),
        cmocka_unit_test(captured_orders_are_read),
        cmocka_unit_test(captured_answers_are_read),
        cmocka_unit_test(shopify_samples_are_read),
    };
    folder = getenv("PURCHASE_SYNC_FIXTURES");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
