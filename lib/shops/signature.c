#include "shops/signature.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "shops/json.h"

/* How a provider that signs the body alone names its headers. Shopify has an older and a newer
 * style of the same names. */
static const struct scheme {
    enum provider provider;
    const char *signature[2];
    const char *topic[2];
    bool hex; /* else base64 */
} schemes[] = {
    {PROVIDER_WOOCOMMERCE, {"X-WC-Webhook-Signature", NULL}, {"X-WC-Webhook-Topic", NULL}, false},
    {PROVIDER_SHOPIFY,
     {"X-Shopify-Hmac-SHA256", "Shopify-Hmac-SHA256"},
     {"X-Shopify-Topic", "Shopify-Topic"},
     false},
    {PROVIDER_FASTSPRING, {"X-FS-Signature", NULL}, {NULL, NULL}, false},
    {PROVIDER_LEMONSQUEEZY, {"X-Signature", NULL}, {"X-Event-Name", NULL}, true},
};

static const struct scheme *scheme_of(enum provider provider)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (schemes[i].provider == provider)
            return &schemes[i];
    die("signature: no scheme for provider %s", provider_name(provider));
}

const struct http_header *signature_header(const struct shop_delivery *delivery, const char *name)
{
    size_t count = 0;
    const struct http_header *header =
        http_find(delivery->headers, delivery->header_count, name, &count);
    return count == 1 ? header : NULL;
}

bool signature_has_header(const struct shop_delivery *delivery, const char *name)
{
    size_t count = 0;
    return http_find(delivery->headers, delivery->header_count, name, &count) != NULL;
}

/* The signature under whichever of its names, if there is exactly one in all: of two, nobody can
 * say which one the shop made. */
static const struct http_header *only_signature(const struct scheme *scheme,
                                                const struct shop_delivery *delivery)
{
    const struct http_header *only = NULL;
    size_t total = 0;
    for (size_t i = 0; i < 2 && scheme->signature[i]; i++) {
        size_t count = 0;
        const struct http_header *header =
            http_find(delivery->headers, delivery->header_count, scheme->signature[i], &count);
        only = header ? header : only;
        total += count;
    }
    return total == 1 ? only : NULL;
}

/* Only printable ASCII goes into the log. */
static void set_topic(struct shop_receipt *receipt, const char *text, size_t len)
{
    size_t out = 0;
    for (size_t i = 0; i < len && out < sizeof(receipt->topic) - 1; i++)
        if (text[i] > 0x20 && text[i] < 0x7f)
            receipt->topic[out++] = text[i];
    receipt->topic[out] = '\0';
}

/* Copies the topic for the log. It is not signed, so nothing may rest on it. */
static void note_topic(const struct scheme *scheme, const struct shop_delivery *delivery,
                       struct shop_receipt *receipt)
{
    const struct http_header *topic = NULL;
    for (size_t i = 0; i < 2 && scheme->topic[i] && !topic; i++)
        topic = signature_header(delivery, scheme->topic[i]);
    set_topic(receipt, topic ? topic->value : "", topic ? topic->value_len : 0);
}

/* A body is read leniently here: it was signed, so it is stored, whatever it holds. */
void signature_receipt_event(const struct shop_delivery *delivery, const char *id_key,
                             const char *type_key, struct shop_receipt *receipt)
{
    const char *why;
    struct json_object *root = shop_json_read(delivery->body, delivery->len, &why);
    const char *id = shop_json_text(root, id_key), *type = shop_json_text(root, type_key);
    if (id && *id && strlen(id) <= LIMIT_EVENT_ID) {
        const struct span parts[] = {{"event", 5}, {id, strlen(id)}};
        digest_sha256_parts(parts, 2, receipt->key);
    } else {
        digest_sha256(delivery->body, delivery->len, receipt->key);
    }
    set_topic(receipt, type ? type : "", type ? strlen(type) : 0);
    json_object_put(root);
}

/* The MAC that a header spells, in the scheme's own alphabet. */
static int spelled_mac(const struct scheme *scheme, const struct http_header *header,
                       struct buf *told)
{
    int bad = scheme->hex ? digest_unhex(header->value, header->value_len, told)
                          : digest_unbase64(header->value, header->value_len, false, told);
    return bad || told->len != DIGEST_LEN ? -1 : 0;
}

enum shop_verdict signature_verify_body(const struct settings_source *source,
                                        const struct shop_delivery *delivery,
                                        struct shop_receipt *receipt)
{
    const struct scheme *scheme = scheme_of(source->provider);
    const struct http_header *header = only_signature(scheme, delivery);
    struct buf told = {0};
    if (!header || spelled_mac(scheme, header, &told)) {
        buf_free(&told);
        return SHOP_SIGNATURE_INVALID;
    }
    const struct span body = {delivery->body, delivery->len};
    bool valid = false;
    for (size_t i = 0; i < source->webhook_secrets.count; i++) {
        const struct secret *secret = &source->webhook_secrets.items[i];
        unsigned char made[DIGEST_LEN];
        digest_hmac_sha256(secret->bytes, secret->len, &body, 1, made);
        /* An empty secret signs too, and anybody has it. */
        valid |= digest_equal(made, DIGEST_LEN, told.data, told.len) & (secret->len > 0);
    }
    buf_free(&told);
    if (!valid)
        return SHOP_SIGNATURE_INVALID;
    digest_sha256(delivery->body, delivery->len, receipt->key);
    note_topic(scheme, delivery, receipt);
    return SHOP_VALID;
}

void signature_sign_body(const struct settings_source *source, const char *body, size_t len,
                         struct buf *headers)
{
    const struct secret *secret = &source->webhook_secrets.items[0];
    unsigned char made[DIGEST_LEN];
    if (source->webhook_secrets.count == 0)
        die("signature: source %s has no secret to sign with", source->name);
    digest_hmac_sha256(secret->bytes, secret->len, &(struct span){body, len}, 1, made);
    const struct scheme *scheme = scheme_of(source->provider);
    buf_printf(headers, "%s: ", scheme->signature[0]);
    if (scheme->hex)
        digest_hex(made, sizeof(made), headers);
    else
        digest_base64(made, sizeof(made), headers);
    buf_puts(headers, "\r\n");
}
