/*
 * The signatures that the providers' own libraries publish: each is right, and nothing that differs
 * from it in a bit, in its secret or by a second beyond the window.
 */
#include "fixture_support.h"
#include "shops/json.h"

/* Whose header a vector's signature travels in, and where the signature tells its time. */
static const struct scheme {
    const char *name;
    enum provider provider;
    const char *header, *time;
} schemes[] = {
    {"standardwebhooks", PROVIDER_STANDARD, "webhook-signature", NULL},
    {"shopify", PROVIDER_SHOPIFY, "X-Shopify-Hmac-SHA256", NULL},
    {"woocommerce", PROVIDER_WOOCOMMERCE, "X-WC-Webhook-Signature", NULL},
    {"paddle", PROVIDER_PADDLE, "Paddle-Signature", "ts="},
    {"stripe", PROVIDER_STRIPE, "Stripe-Signature", "t="},
};

struct vector {
    const struct scheme *scheme;
    const char *secret, *expected;
    struct buf lines, body;
    int64_t at; /* TIME_NONE: no time is signed */
};

/* Nothing is left out: a vector of a scheme that nobody here knows is a failure. */
static void read_vector(const struct json_object *tree, struct vector *out)
{
    const char *provider = shop_json_text(tree, "provider"), *body = shop_json_text(tree, "body");
    struct json_object *timestamp = shop_json_member(tree, "timestamp");
    *out = (struct vector){.secret = shop_json_text(tree, "secret"),
                           .expected = shop_json_text(tree, "expected"),
                           .at = TIME_NONE};
    if (body[0] == '@')
        out->body = read_file(body + 1);
    else
        buf_puts(&out->body, body);
    for (size_t i = 0; i < COUNT(schemes); i++)
        if (strcmp(schemes[i].name, provider) == 0)
            out->scheme = &schemes[i];
    if (!out->scheme)
        return;
    const char *time = out->scheme->time;
    if (time)
        out->at = strtoll(strstr(out->expected, time) + strlen(time), NULL, 10) * TIME_SECOND;
    if (timestamp) {
        out->at = json_object_get_int64(timestamp) * TIME_SECOND;
        buf_printf(&out->lines, "webhook-id: %s\r\nwebhook-timestamp: %s\r\n",
                   shop_json_text(tree, "id"), json_object_get_string(timestamp));
    }
    buf_printf(&out->lines, "%s: %s\r\n", out->scheme->header, out->expected);
}

static enum shop_verdict verify_vector(const struct vector *vector, const char *secret, int64_t now)
{
    struct settings_source source = source_make(vector->scheme->provider, secret, NULL);
    struct shop_receipt receipt;
    enum shop_verdict verdict = verify_bytes(&source, vector->lines.data, vector->body.data,
                                             vector->body.len, now, &receipt);
    source_free(&source);
    return verdict;
}

/* The MAC alone, without what a scheme puts before the body. */
static void check_primitive(const struct vector *vector)
{
    struct buf hex = {0}, base64 = {0};
    unsigned char mac[DIGEST_LEN];
    struct span body = {vector->body.data, vector->body.len};
    digest_hmac_sha256(vector->secret, strlen(vector->secret), &body, 1, mac);
    digest_hex(mac, sizeof(mac), &hex);
    digest_base64(mac, sizeof(mac), &base64);
    assert_true(strcmp(vector->expected, hex.data) == 0 ||
                strcmp(vector->expected, base64.data) == 0);
    buf_free(&hex);
    buf_free(&base64);
}

static void check_vector(struct vector *vector)
{
    int64_t now = vector->at == TIME_NONE ? RECEIVED : vector->at, window = 300 * TIME_SECOND;
    if (vector->secret[0] == '\0') { /* anybody has the empty one: it signs, and we refuse it */
        check_primitive(vector);
        assert_int_equal(verify_vector(vector, "", now), SHOP_SIGNATURE_INVALID);
        return;
    }
    assert_int_equal(verify_vector(vector, vector->secret, now), SHOP_VALID);
    assert_int_equal(verify_vector(vector, "whsec_another", now), SHOP_SIGNATURE_INVALID);
    enum shop_verdict late = vector->at == TIME_NONE ? SHOP_VALID : SHOP_TIMESTAMP_OUTSIDE;
    assert_int_equal(verify_vector(vector, vector->secret, now + window), SHOP_VALID);
    assert_int_equal(verify_vector(vector, vector->secret, now + window + TIME_SECOND), late);
    assert_int_equal(verify_vector(vector, vector->secret, now - window - TIME_SECOND), late);
    for (size_t i = 0; i < vector->body.len; i++) {
        vector->body.data[i] = (char)(vector->body.data[i] ^ 1);
        assert_int_equal(verify_vector(vector, vector->secret, now), SHOP_SIGNATURE_INVALID);
        vector->body.data[i] = (char)(vector->body.data[i] ^ 1);
    }
}

static void every_vector_is_valid(void **state)
{
    need_folder();
    struct buf text = read_file("vectors.json");
    const char *why;
    (void)state;
    struct json_object *list = shop_json_read(text.data, text.len, &why);
    assert_true(json_object_is_type(list, json_type_array) && json_object_array_length(list) > 0);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const struct json_object *tree = json_object_array_get_idx(list, i);
        struct vector vector;
        read_vector(tree, &vector);
        print_message("vector: %s\n", shop_json_text(tree, "provider"));
        if (vector.scheme)
            check_vector(&vector);
        else if (strcmp(shop_json_text(tree, "provider"), "stripe-hmac") == 0)
            check_primitive(&vector);
        else
            fail_msg("nothing here knows this scheme");
        buf_free(&vector.lines);
        buf_free(&vector.body);
    }
    json_object_put(list);
    buf_free(&text);
}

/* The vector that Paddle's own libraries carry, over a whole body. */
static void paddles_own_delivery_verifies(void **state)
{
    static const char lines[] =
        "Paddle-Signature: ts=1710498758;"
        "h1=558bf93944dbeb4790c7a8af6cb2ea435c8ca9c8396aafc1a4e37424ac132744\r\n";
    need_folder();
    struct settings_source shop =
        source_make(PROVIDER_PADDLE,
                    "pdl_ntfset_01hs0t3tw21j988db1pam5xg8m_GrOWLNef+vmtjJYq4mSnHNzvc8uWoJ1I", NULL);
    int64_t now = INT64_C(1710498758) * TIME_SECOND;
    struct shop_receipt receipt;
    (void)state;
    struct buf body = read_file("paddle/standard_payload.json");
    assert_int_equal(verify_bytes(&shop, lines, body.data, body.len, now, &receipt),
                     SHOP_SIGNATURE_INVALID); /* with the file's last line break */
    while (body.data[body.len - 1] == '\n')
        body.len--;
    assert_int_equal(verify_bytes(&shop, lines, body.data, body.len, now, &receipt), SHOP_VALID);
    assert_string_equal(receipt.topic, "customer.created");
    buf_free(&body);
    source_free(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_valid),
        cmocka_unit_test(paddles_own_delivery_verifies),
    };
    folder = getenv("PURCHASE_SYNC_FIXTURES");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_files();
    return failed;
}
