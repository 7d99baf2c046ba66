/*
 * Any headers and body: nothing is valid that was not signed, and what was signed stays valid.
 * Input: one byte for the provider, header lines, an empty line, the body.
 */
#include "invariants.h"

static const enum provider providers[] = {PROVIDER_WOOCOMMERCE, PROVIDER_SHOPIFY,
                                          PROVIDER_STANDARD};

/* Splits "Name: value\n" lines without changing them; returns where the body begins. */
static size_t split_headers(const char *text, size_t len,
                            struct http_header headers[LIMIT_HTTP_HEADERS], size_t *count)
{
    size_t at = 0;
    *count = 0;
    while (at < len && text[at] != '\n' && *count < LIMIT_HTTP_HEADERS) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', len - at);
        size_t line_len = end ? (size_t)(end - line) : len - at;
        const char *colon = memchr(line, ':', line_len);
        if (colon)
            headers[(*count)++] = (struct http_header){line, (size_t)(colon - line), colon + 1,
                                                       line_len - (size_t)(colon + 1 - line)};
        at += line_len + (end != NULL);
    }
    return at < len ? at + 1 : len;
}

/* What the adapter signs itself must be valid, whatever the body. */
static void check_own(const struct settings_source *source, const char *body, size_t len)
{
    struct buf lines = {0};
    struct http_header headers[LIMIT_HTTP_HEADERS];
    struct shop_receipt receipt;
    size_t count;
    shop_sign(source, "msg_1", RECEIVED, body, len, &lines);
    split_headers(lines.data, lines.len, headers, &count);
    for (size_t i = 0; i < count; i++) {
        headers[i].value++; /* the blank behind the colon, and the CR before the LF */
        headers[i].value_len -= 2;
    }
    struct shop_delivery delivery = {headers, count, NULL, body, len, RECEIVED};
    must(shop_verify(source, &delivery, &receipt) == SHOP_VALID, "our own signature is valid");
    buf_free(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "shop";
    static unsigned char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", other[] = "s3cret";
    struct settings_source source = {
        .name = name,
        .webhook_secrets = {.items = {{secret, sizeof(secret) - 1}, {other, sizeof(other) - 1}},
                            .count = 2},
        .replay_window = 300,
    };
    struct http_header headers[LIMIT_HTTP_HEADERS];
    struct shop_receipt receipt;
    size_t count;
    if (size == 0)
        return 0;
    source.provider = providers[data[0] % 3];
    source.secret_encoding = (enum secret_encoding)(data[0] / 3 % 3);
    if (source.secret_encoding == ENCODING_BASE64)
        source.webhook_secrets.count = 1;
    const char *text = (const char *)data + 1;
    size_t body = split_headers(text, size - 1, headers, &count);
    struct shop_delivery delivery = {headers, count, NULL, text + body, size - 1 - body, RECEIVED};
    enum shop_verdict verdict = shop_verify(&source, &delivery, &receipt);
    if (verdict == SHOP_PING)
        must(source.provider == PROVIDER_WOOCOMMERCE && delivery.len > 11 && delivery.len < 31,
             "a ping is a short form of WooCommerce");
    if (verdict == SHOP_VALID)
        must(strlen(receipt.topic) < sizeof(receipt.topic), "a topic ends");
    check_own(&source, delivery.body, delivery.len);
    return 0;
}
