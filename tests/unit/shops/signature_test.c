/*
 * Which deliveries are a shop's own: every published vector, and everything that is almost one.
 */
#include "support.h"

#define WOO "X-WC-Webhook-Signature: "
#define BODY "{\"id\":1}"

/* A header line made by the adapter itself. */
static char *signed_lines(const struct settings_source *source, const char *id, int64_t now,
                          const char *body)
{
    struct buf headers = {0};
    shop_sign(source, id, now, body, strlen(body), &headers);
    return buf_take(&headers);
}

static void published_vectors_are_valid(void **state)
{
    static const struct {
        enum provider provider;
        const char *secret, *headers, *body;
        int64_t now;
    } cases[] = {
        {PROVIDER_SHOPIFY, "test_secret_key",
         "X-Shopify-Hmac-SHA256: B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=\r\n",
         "{\"foo\": \"bar\"}", 0},
        {PROVIDER_SHOPIFY, "test_secret_key",
         "shopify-hmac-sha256: B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=\r\n",
         "{\"foo\": \"bar\"}", 0},
        {PROVIDER_STANDARD, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
         "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1614265330\r\n"
         "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n",
         "{\"test\": 2432232314}", 1614265330},
        {PROVIDER_STANDARD, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
         "svix-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nsvix-timestamp: 1614265330\r\n"
         "svix-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n",
         "{\"test\": 2432232314}", 1614265330},
        {PROVIDER_STANDARD, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
         "webhook-id: msg_27UH4WbU6Z5A5EzD8u03UvzRbpk\r\nwebhook-timestamp: 1649367553\r\n"
         "webhook-signature: v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= "
         "v2,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw= "
         "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=\r\n",
         "{\"email\":\"test@example.com\",\"username\":\"test_user\"}", 1649367553},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings_source source = source_make(cases[i].provider, cases[i].secret, NULL);
        struct shop_receipt receipt;
        assert_int_equal(verify_bytes(&source, cases[i].headers, cases[i].body,
                                      strlen(cases[i].body), cases[i].now * TIME_SECOND, &receipt),
                         SHOP_VALID);
        source_free(&source);
    }
}

/* WooCommerce publishes a vector under the empty secret: the primitive agrees, and we refuse it. */
static void empty_secret_signs_nothing(void **state)
{
    static const char vector[] = "GBDo00G55h6IiV+6CxqivQPLbI//KzaOZm747971tPs=";
    struct buf made = {0};
    unsigned char mac[DIGEST_LEN];
    (void)state;
    digest_hmac_sha256("", 0, &SPAN_TEXT("secret"), 1, mac);
    digest_base64(mac, sizeof(mac), &made);
    assert_string_equal(made.data, vector);
    buf_free(&made);
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "", NULL);
    assert_int_equal(
        verify_text(&source, WOO "GBDo00G55h6IiV+6CxqivQPLbI//KzaOZm747971tPs=\r\n", "secret"),
        SHOP_SIGNATURE_INVALID);
    source_free(&source);
}

static void every_secret_counts(void **state)
{
    static const enum provider providers[] = {PROVIDER_WOOCOMMERCE, PROVIDER_SHOPIFY,
                                              PROVIDER_PADDLE, PROVIDER_LEMONSQUEEZY,
                                              PROVIDER_STANDARD};
    (void)state;
    for (size_t i = 0; i < COUNT(providers); i++) {
        struct settings_source old = source_make(providers[i], "an-older-secret", NULL);
        struct settings_source new = source_make(providers[i], "a-newer-secret", NULL);
        struct settings_source both =
            source_make(providers[i], "a-newer-secret", "an-older-secret");
        char *by_old = signed_lines(&old, "evt", RECEIVED, BODY);
        char *by_new = signed_lines(&new, "evt", RECEIVED, BODY);
        assert_int_equal(verify_text(&both, by_old, BODY), SHOP_VALID);
        assert_int_equal(verify_text(&both, by_new, BODY), SHOP_VALID);
        assert_int_equal(verify_text(&new, by_old, BODY), SHOP_SIGNATURE_INVALID);
        assert_int_equal(verify_text(&both, by_new, BODY " "), SHOP_SIGNATURE_INVALID);
        free(by_old);
        free(by_new);
        source_free(&old);
        source_free(&new);
        source_free(&both);
    }
}

static void bad_body_signatures_are_refused(void **state)
{
    /* The right one under "s3cret-0" over BODY, as OpenSSL's own tool makes it. */
#define GOOD "zISTWdmhX51lEb2grIaCKfgeCO1lrhU0WuTaHS/AD+g="
    static const struct {
        const char *what, *headers;
        enum shop_verdict verdict;
    } cases[] = {
        {"as it is", WOO GOOD "\r\n", SHOP_VALID},
        {"other case of the name", "x-wc-webhook-signature: " GOOD "\r\n", SHOP_VALID},
        {"none", "Content-Type: application/json\r\n", SHOP_SIGNATURE_INVALID},
        {"empty", WOO "\r\n", SHOP_SIGNATURE_INVALID},
        {"twice the same", WOO GOOD "\r\n" WOO GOOD "\r\n", SHOP_SIGNATURE_INVALID},
        {"twice, one wrong", WOO "AAAA\r\n" WOO GOOD "\r\n", SHOP_SIGNATURE_INVALID},
        {"truncated", WOO "zISTWdmhX51lEb2grIaCKfgeCO1lrhU0WuTaHS/ADw==\r\n",
         SHOP_SIGNATURE_INVALID},
        {"no padding", WOO "zISTWdmhX51lEb2grIaCKfgeCO1lrhU0WuTaHS/AD+g\r\n",
         SHOP_SIGNATURE_INVALID},
        {"not canonical", WOO "zISTWdmhX51lEb2grIaCKfgeCO1lrhU0WuTaHS/AD+h=\r\n",
         SHOP_SIGNATURE_INVALID},
        {"url alphabet", WOO "zISTWdmhX51lEb2grIaCKfgeCO1lrhU0WuTaHS_AD-g=\r\n",
         SHOP_SIGNATURE_INVALID},
        {"hex", WOO "cc849359d9a15f9d6511bda0ac868229f81e08ed65ae15345ae4da1d2fc00fe8\r\n",
         SHOP_SIGNATURE_INVALID},
        {"with more behind", WOO GOOD " x\r\n", SHOP_SIGNATURE_INVALID},
        {"another provider's name", "X-Shopify-Hmac-SHA256: " GOOD "\r\n", SHOP_SIGNATURE_INVALID},
    };
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s3cret-0", NULL);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (verify_text(&source, cases[i].headers, BODY) != cases[i].verdict)
            print_error("case: %s\n", cases[i].what);
        assert_int_equal(verify_text(&source, cases[i].headers, BODY), cases[i].verdict);
    }
    source.provider = PROVIDER_SHOPIFY;
    assert_int_equal(verify_text(&source,
                                 "X-Shopify-Hmac-SHA256: " GOOD "\r\n"
                                 "Shopify-Hmac-SHA256: " GOOD "\r\n",
                                 BODY),
                     SHOP_SIGNATURE_INVALID);
    source_free(&source);
}

static void ping_is_a_ping_and_nothing_else(void **state)
{
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s3cret", NULL);
    (void)state;
    assert_int_equal(verify_text(&source, form, "webhook_id=1"), SHOP_PING);
    assert_int_equal(verify_text(&source, "Accept: */*\r\n", "webhook_id=4711"), SHOP_PING);
    assert_int_equal(
        verify_text(&source, "Content-Type: Application/X-WWW-Form-Urlencoded; charset=UTF-8\r\n",
                    "webhook_id=1"),
        SHOP_PING);
    static const char *const bodies[] = {"",
                                         "webhook_id=",
                                         "webhook_id=x",
                                         "webhook_id=0",
                                         "webhook_id=000000000000000000000000000007",
                                         "webhook_id=9223372036854775808",
                                         "webhook_id=-1",
                                         "webhook_id=1&a=b",
                                         "webhook_id=1\n",
                                         "xwebhook_id=1",
                                         "{\"id\":12}"};
    for (size_t i = 0; i < COUNT(bodies); i++)
        assert_int_equal(verify_text(&source, form, bodies[i]), SHOP_SIGNATURE_INVALID);
    assert_int_equal(verify_text(&source, "Content-Type: application/json\r\n", "webhook_id=1"),
                     SHOP_SIGNATURE_INVALID);
    assert_int_equal(verify_text(&source, WOO "\r\n", "webhook_id=1"), SHOP_SIGNATURE_INVALID);
    source.provider = PROVIDER_SHOPIFY;
    assert_int_equal(verify_text(&source, form, "webhook_id=1"), SHOP_SIGNATURE_INVALID);
    source_free(&source);
}

static void standard_wants_one_whole_family(void **state)
{
    struct settings_source source = source_make(PROVIDER_STANDARD, "whsec_c2VjcmV0IGtleQ==", NULL);
    char *lines = signed_lines(&source, "msg_1", RECEIVED, BODY);
    struct buf more = {0};
    static const char *const extra[] = {
        "webhook-id: msg_1\r\n", "webhook-timestamp: 1795428000\r\n", "webhook-signature: v1,\r\n",
        "svix-id: msg_1\r\n",    "svix-timestamp: 1795428000\r\n",    "svix-signature: v1,x\r\n"};
    (void)state;
    assert_int_equal(verify_text(&source, lines, BODY), SHOP_VALID);
    for (size_t i = 0; i < COUNT(extra); i++) {
        buf_reset(&more);
        buf_printf(&more, "%s%s", lines, extra[i]);
        assert_int_equal(verify_text(&source, more.data, BODY), SHOP_SIGNATURE_INVALID);
    }
    buf_free(&more);
    free(lines);
    source_free(&source);
}

static void standard_signs_id_and_time(void **state)
{
    struct settings_source source = source_make(PROVIDER_STANDARD, "whsec_c2VjcmV0IGtleQ==", NULL);
    (void)state;
    char *lines = signed_lines(&source, "msg_1", RECEIVED, BODY);
    char *other = strstr(lines, "msg_1") + 4;
    *other = '2';
    assert_int_equal(verify_text(&source, lines, BODY), SHOP_SIGNATURE_INVALID);
    *other = '1';
    assert_int_equal(verify_text(&source, lines, BODY), SHOP_VALID);
    char *digit = strstr(lines, "1795428000") + 9;
    *digit = '1';
    assert_int_equal(verify_text(&source, lines, BODY), SHOP_SIGNATURE_INVALID);
    *digit = 'x';
    assert_int_equal(verify_text(&source, lines, BODY), SHOP_SIGNATURE_INVALID);
    free(lines);
    /* An id with a full stop could move the border between id and time. */
    lines = signed_lines(&source, "msg.1", RECEIVED, BODY);
    assert_int_equal(verify_text(&source, lines, BODY), SHOP_SIGNATURE_INVALID);
    free(lines);
    source_free(&source);
}

static void window_counts_both_ways_and_only_when_signed(void **state)
{
    static const struct {
        int64_t seconds;
        enum shop_verdict verdict;
    } cases[] = {{0, SHOP_VALID},
                 {300, SHOP_VALID},
                 {-300, SHOP_VALID},
                 {301, SHOP_TIMESTAMP_OUTSIDE},
                 {-301, SHOP_TIMESTAMP_OUTSIDE},
                 {-86400, SHOP_TIMESTAMP_OUTSIDE}};
    struct settings_source source = source_make(PROVIDER_STANDARD, "whsec_c2VjcmV0IGtleQ==", NULL);
    struct settings_source stranger = source_make(PROVIDER_STANDARD, "whsec_b3RoZXIga2V5", NULL);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *lines = signed_lines(&source, "m", RECEIVED + cases[i].seconds * TIME_SECOND, BODY);
        assert_int_equal(verify_text(&source, lines, BODY), cases[i].verdict);
        assert_int_equal(verify_text(&stranger, lines, BODY), SHOP_SIGNATURE_INVALID);
        free(lines);
    }
    static const char huge[] = "webhook-id: m\r\nwebhook-timestamp: 99999999999999999999\r\n"
                               "webhook-signature: v1,AAAA\r\n";
    assert_int_equal(verify_text(&source, huge, BODY), SHOP_SIGNATURE_INVALID);
    source_free(&source);
    source_free(&stranger);
}

/* One secret text, read as base64 and as it stands. */
static void secret_encoding_says_what_the_key_is(void **state)
{
    static const char secret[] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    static const struct {
        enum secret_encoding by, read_as;
        enum shop_verdict verdict;
    } cases[] = {
        {ENCODING_BASE64, ENCODING_BASE64, SHOP_VALID},
        {ENCODING_RAW, ENCODING_RAW, SHOP_VALID},
        {ENCODING_BASE64, ENCODING_RAW, SHOP_SIGNATURE_INVALID},
        {ENCODING_RAW, ENCODING_BASE64, SHOP_SIGNATURE_INVALID},
        {ENCODING_BASE64, ENCODING_AUTO, SHOP_VALID},
        {ENCODING_RAW, ENCODING_AUTO, SHOP_VALID},
    };
    struct settings_source signer = source_make(PROVIDER_STANDARD, secret, NULL);
    struct settings_source reader = source_make(PROVIDER_STANDARD, secret, NULL);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        signer.secret_encoding = cases[i].by;
        reader.secret_encoding = cases[i].read_as;
        char *lines = signed_lines(&signer, "m", RECEIVED, BODY);
        assert_int_equal(verify_text(&reader, lines, BODY), cases[i].verdict);
        free(lines);
    }
    source_free(&signer);
    source_free(&reader);
    /* The padding of a secret may be missing: Python's library accepts that. */
    signer = source_make(PROVIDER_STANDARD, "whsec_c2VjcmV0IGtleQ==", NULL);
    reader = source_make(PROVIDER_STANDARD, "whsec_c2VjcmV0IGtleQ", NULL);
    char *lines = signed_lines(&signer, "m", RECEIVED, BODY);
    assert_int_equal(verify_text(&reader, lines, BODY), SHOP_VALID);
    /* What should be base64 and is none is no key at all, not the empty one. */
    reader.webhook_secrets.items[0].bytes[7] = '*';
    reader.secret_encoding = ENCODING_BASE64;
    assert_int_equal(verify_text(&reader, lines, BODY), SHOP_SIGNATURE_INVALID);
    free(lines);
    source_free(&signer);
    source_free(&reader);
}

static void key_is_the_body(void **state)
{
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s3cret", NULL);
    struct shop_receipt one;
    unsigned char body[DIGEST_LEN];
    struct buf lines = {0};
    (void)state;
    shop_sign(&source, NULL, RECEIVED, BODY, strlen(BODY), &lines);
    buf_puts(&lines, "X-WC-Webhook-Topic: order.\x01updated\xff\r\n");
    assert_int_equal(verify_bytes(&source, lines.data, BODY, strlen(BODY), RECEIVED, &one),
                     SHOP_VALID);
    digest_sha256(BODY, strlen(BODY), body);
    assert_memory_equal(one.key, body, DIGEST_LEN);
    assert_string_equal(one.topic, "order.updated");
    buf_free(&lines);
    source_free(&source);
}

/* A retry is signed anew with the same bytes. Any other delivery must be stored, whatever its id.
 */
static void reused_event_id_is_no_duplicate(void **state)
{
    static const struct {
        const char *id, *body;
        bool same;
    } cases[] = {
        {"msg_1", BODY, true},
        {"msg_1", "{}", false},
        {"msg_2", BODY, false},
        {"msg_1", "", false},
    };
    struct settings_source source = source_make(PROVIDER_STANDARD, "s3cret", NULL);
    struct shop_receipt first, other;
    (void)state;
    char *lines = signed_lines(&source, "msg_1", RECEIVED, BODY);
    assert_int_equal(verify_bytes(&source, lines, BODY, strlen(BODY), RECEIVED, &first),
                     SHOP_VALID);
    free(lines);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *body = cases[i].body;
        lines = signed_lines(&source, cases[i].id, RECEIVED + TIME_MINUTE, body);
        assert_int_equal(verify_bytes(&source, lines, body, strlen(body), RECEIVED, &other),
                         SHOP_VALID);
        assert_int_equal(memcmp(first.key, other.key, DIGEST_LEN) == 0, cases[i].same);
        free(lines);
    }
    source_free(&source);
}

static void every_provider_has_its_adapter(void **state)
{
    (void)state;
    for (int i = 0; i < PROVIDER_COUNT; i++) {
        const struct shop_adapter *adapter = shop_adapter_of((enum provider)i);
        assert_non_null(adapter);
        assert_int_equal(adapter->provider, i);
        assert_true(adapter->verify && adapter->read && adapter->sign);
        assert_int_equal(adapter->fetch != NULL, adapter->read_answer != NULL);
    }
    assert_null(shop_adapter_of(PROVIDER_COUNT));
}

/* No byte of a signed body may change. */
static void every_bit_is_signed(void **state)
{
    static const enum provider providers[] = {PROVIDER_WOOCOMMERCE, PROVIDER_SHOPIFY,
                                              PROVIDER_PADDLE, PROVIDER_LEMONSQUEEZY,
                                              PROVIDER_STANDARD};
    char body[] = "{\"id\":12,\"status\":\"processing\",\"line_items\":[]}";
    struct shop_receipt receipt;
    (void)state;
    for (size_t i = 0; i < COUNT(providers); i++) {
        struct settings_source source = source_make(providers[i], "s3cret", NULL);
        char *lines = signed_lines(&source, "m", RECEIVED, body);
        for (size_t bit = 0; bit < 8 * strlen(body); bit++) {
            char *changed = xstrdup(body);
            changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << bit % 8));
            assert_int_equal(
                verify_bytes(&source, lines, changed, strlen(body), RECEIVED, &receipt),
                SHOP_SIGNATURE_INVALID);
            free(changed);
        }
        free(lines);
        source_free(&source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_valid),
        cmocka_unit_test(empty_secret_signs_nothing),
        cmocka_unit_test(every_secret_counts),
        cmocka_unit_test(bad_body_signatures_are_refused),
        cmocka_unit_test(ping_is_a_ping_and_nothing_else),
        cmocka_unit_test(standard_wants_one_whole_family),
        cmocka_unit_test(standard_signs_id_and_time),
        cmocka_unit_test(window_counts_both_ways_and_only_when_signed),
        cmocka_unit_test(secret_encoding_says_what_the_key_is),
        cmocka_unit_test(key_is_the_body),
        cmocka_unit_test(reused_event_id_is_no_duplicate),
        cmocka_unit_test(every_provider_has_its_adapter),
        cmocka_unit_test(every_bit_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
