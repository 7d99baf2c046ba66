#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/signature.h"

/* How a provider writes the list, and what stands between time and body in what it signs. */
static const struct list_scheme {
    enum provider provider;
    const char *header, *time, *mac;
    char separator, joint;
} schemes[] = {
    {PROVIDER_STRIPE, "Stripe-Signature", "t", "v1", ',', '.'},
    {PROVIDER_PADDLE, "Paddle-Signature", "ts", "h1", ';', ':'},
};

/* What a list tells: its time as the text that was signed, and every MAC that could be one. */
struct told {
    const char *time;
    size_t time_len;
    unsigned char macs[LIMIT_SIGNATURES][DIGEST_LEN];
    size_t mac_count;
};

static const struct list_scheme *scheme_of(enum provider provider)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (schemes[i].provider == provider)
            return &schemes[i];
    die("signature: no list for provider %s", provider_name(provider));
}

/* The value of a field of this name, or NULL. */
static const char *field_value(const char *field, size_t len, const char *name, size_t *value_len)
{
    size_t name_len = strlen(name);
    if (len <= name_len || memcmp(field, name, name_len) != 0 || field[name_len] != '=')
        return NULL;
    *value_len = len - name_len - 1;
    return field + name_len + 1;
}

/* Takes one field. Other names are of other versions, and are skipped; a second time is not: nobody
 * could say which one was meant. */
static int take_field(const struct list_scheme *scheme, const char *field, size_t len,
                      struct told *told)
{
    size_t value_len;
    const char *value = field_value(field, len, scheme->time, &value_len);
    if (value) {
        if (told->time)
            return -1;
        told->time = value;
        told->time_len = value_len;
        return 0;
    }
    value = field_value(field, len, scheme->mac, &value_len);
    struct buf mac = {0};
    if (value && told->mac_count < LIMIT_SIGNATURES && digest_unhex(value, value_len, &mac) == 0 &&
        mac.len == DIGEST_LEN)
        memcpy(told->macs[told->mac_count++], mac.data, DIGEST_LEN);
    buf_free(&mac);
    return 0;
}

static int take_list(const struct list_scheme *scheme, const struct http_header *header,
                     struct told *told)
{
    const char *at = header->value, *end = header->value + header->value_len;
    while (at < end) {
        const char *stop = memchr(at, scheme->separator, (size_t)(end - at));
        stop = stop ? stop : end;
        if (take_field(scheme, at, (size_t)(stop - at), told))
            return -1;
        at = stop < end ? stop + 1 : end;
    }
    return told->time && told->mac_count > 0 ? 0 : -1;
}

static void make_mac(const struct list_scheme *scheme, const struct secret *secret,
                     const char *time, size_t time_len, const char *body, size_t len,
                     unsigned char out[DIGEST_LEN])
{
    const struct span parts[] = {{time, time_len}, {&scheme->joint, 1}, {body, len}};
    digest_hmac_sha256(secret->bytes, secret->len, parts, 3, out);
}

/* Whether any MAC is right under any secret; all are tried. */
static bool is_signed(const struct list_scheme *scheme, const struct settings_source *source,
                      const struct shop_delivery *delivery, const struct told *told)
{
    bool valid = false;
    for (size_t i = 0; i < source->webhook_secrets.count; i++) {
        const struct secret *secret = &source->webhook_secrets.items[i];
        unsigned char made[DIGEST_LEN];
        make_mac(scheme, secret, told->time, told->time_len, delivery->body, delivery->len, made);
        /* An empty secret signs too, and anybody has it. */
        for (size_t j = 0; j < told->mac_count; j++)
            valid |= digest_equal(made, DIGEST_LEN, told->macs[j], DIGEST_LEN) & (secret->len > 0);
    }
    return valid;
}

enum shop_verdict signature_verify_timed(const struct settings_source *source,
                                         const struct shop_delivery *delivery)
{
    const struct list_scheme *scheme = scheme_of(source->provider);
    const struct http_header *header = signature_header(delivery, scheme->header);
    struct told told = {0};
    int64_t time;
    if (!header || take_list(scheme, header, &told) ||
        text_to_int(told.time, told.time_len, &time) || !is_signed(scheme, source, delivery, &told))
        return SHOP_SIGNATURE_INVALID;
    int64_t apart = time - delivery->now / TIME_SECOND;
    return apart > source->replay_window || apart < -source->replay_window ? SHOP_TIMESTAMP_OUTSIDE
                                                                           : SHOP_VALID;
}

void signature_sign_timed(const struct settings_source *source, int64_t now, const char *body,
                          size_t len, struct buf *headers)
{
    const struct list_scheme *scheme = scheme_of(source->provider);
    struct buf time = {0};
    unsigned char made[DIGEST_LEN];
    if (source->webhook_secrets.count == 0)
        die("signature: source %s has no secret to sign with", source->name);
    buf_put_int(&time, now / TIME_SECOND);
    make_mac(scheme, &source->webhook_secrets.items[0], time.data, time.len, body, len, made);
    buf_printf(headers, "%s: %s=%s%c%s=", scheme->header, scheme->time, time.data,
               scheme->separator, scheme->mac);
    digest_hex(made, sizeof(made), headers);
    buf_puts(headers, "\r\n");
    buf_free(&time);
}
