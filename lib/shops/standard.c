/*
 * Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature, or the same three of svix-),
 * carrying this project's own order shape, or Polar's (polar.c):
 *
 *     signed    = id "." timestamp "." body
 *     signature = entry *( SP entry )      entry = "v1," base64(HMAC-SHA256(key, signed)) / other
 *     secret    = [ "whsec_" ] base64(key) / key
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/polar.h"
#include "shops/shop.h"
#include "shops/signature.h"

#define SECRET_PREFIX "whsec_"
/* What the convention allows for a key, by which one without its prefix is told from a plain text.
 */
#define KEY_LEAST 24
#define KEY_MOST 64

/* The three headers, all of one family. */
struct envelope {
    const struct http_header *id, *timestamp, *signature;
};

static const char *const families[2][3] = {
    {"webhook-id", "webhook-timestamp", "webhook-signature"},
    {"svix-id", "svix-timestamp", "svix-signature"},
};

/* An id with a full stop could move the borders of what is signed. */
static bool is_signed_id(const struct http_header *id)
{
    if (id->value_len == 0 || id->value_len > LIMIT_EVENT_ID)
        return false;
    for (size_t i = 0; i < id->value_len; i++)
        if (id->value[i] <= 0x20 || id->value[i] >= 0x7f || id->value[i] == '.')
            return false;
    return true;
}

/* Finds the one whole family. Any header of the other makes it unclear which was meant. */
static int open_envelope(const struct shop_delivery *delivery, struct envelope *out)
{
    int family = signature_has_header(delivery, families[1][0]) ? 1 : 0;
    for (int i = 0; i < 3; i++)
        if (signature_has_header(delivery, families[1 - family][i]))
            return -1;
    out->id = signature_header(delivery, families[family][0]);
    out->timestamp = signature_header(delivery, families[family][1]);
    out->signature = signature_header(delivery, families[family][2]);
    return out->id && out->timestamp && out->signature && is_signed_id(out->id) ? 0 : -1;
}

/* The key that a secret's base64 spells, or nothing. */
static int spelled_key(const struct settings_source *source, const struct secret *secret,
                       struct buf *key)
{
    const char *text = (const char *)secret->bytes;
    size_t prefix = strlen(SECRET_PREFIX), len = secret->len;
    bool prefixed = len > prefix && memcmp(text, SECRET_PREFIX, prefix) == 0;
    if (prefixed) {
        text += prefix;
        len -= prefix;
    }
    if (digest_unbase64(text, len, true, key) || key->len == 0)
        return -1;
    bool likely = prefixed || source->secret_encoding == ENCODING_BASE64 ||
                  (key->len >= KEY_LEAST && key->len <= KEY_MOST);
    return likely ? 0 : -1;
}

static void make_signature(const struct span *key, const char *id, size_t id_len,
                           const char *timestamp, size_t timestamp_len, const char *body,
                           size_t len, unsigned char out[DIGEST_LEN])
{
    const struct span parts[] = {
        {id, id_len}, {".", 1}, {timestamp, timestamp_len}, {".", 1}, {body, len}};
    digest_hmac_sha256(key->bytes, key->len, parts, sizeof(parts) / sizeof(parts[0]), out);
}

/* Every signature that a good delivery may carry: under each secret, read as it may be meant. */
struct expected {
    unsigned char made[2 * LIMIT_KEYRING_KEYS][DIGEST_LEN];
    size_t count;
};

static void expect(const struct span *key, const struct envelope *envelope,
                   const struct shop_delivery *delivery, struct expected *expected)
{
    if (key->len == 0)
        return; /* an empty key signs too, and anybody has it */
    make_signature(key, envelope->id->value, envelope->id->value_len, envelope->timestamp->value,
                   envelope->timestamp->value_len, delivery->body, delivery->len,
                   expected->made[expected->count++]);
}

static void expect_all(const struct settings_source *source, const struct envelope *envelope,
                       const struct shop_delivery *delivery, struct expected *expected)
{
    for (size_t i = 0; i < source->webhook_secrets.count; i++) {
        const struct secret *secret = &source->webhook_secrets.items[i];
        struct buf key = {0};
        if (source->secret_encoding != ENCODING_RAW && spelled_key(source, secret, &key) == 0)
            expect(&(struct span){key.data, key.len}, envelope, delivery, expected);
        if (source->secret_encoding != ENCODING_BASE64)
            expect(&(struct span){secret->bytes, secret->len}, envelope, delivery, expected);
        buf_wipe(&key);
    }
}

/* Whether one entry of the list is a signature of ours; other versions are skipped. */
static bool entry_matches(const char *entry, size_t len, const struct expected *expected)
{
    struct buf told = {0};
    bool matches = false;
    if (len > 3 && memcmp(entry, "v1,", 3) == 0 &&
        digest_unbase64(entry + 3, len - 3, false, &told) == 0)
        for (size_t i = 0; i < expected->count; i++)
            matches |= digest_equal(expected->made[i], DIGEST_LEN, told.data, told.len);
    buf_free(&told);
    return matches;
}

/* Any entry may match, and all are tried. */
static bool list_matches(const struct http_header *list, const struct expected *expected)
{
    const char *at = list->value, *end = list->value + list->value_len;
    bool matches = false;
    for (size_t tried = 0; at < end && tried < LIMIT_SIGNATURES; tried++) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank ? blank : end;
        matches |= entry_matches(at, (size_t)(stop - at), expected);
        at = blank ? blank + 1 : end;
    }
    return matches;
}

static enum shop_verdict verify(const struct settings_source *source,
                                const struct shop_delivery *delivery, struct shop_receipt *receipt)
{
    struct envelope envelope;
    struct expected expected = {.count = 0};
    int64_t timestamp;
    if (open_envelope(delivery, &envelope) ||
        text_to_int(envelope.timestamp->value, envelope.timestamp->value_len, &timestamp))
        return SHOP_SIGNATURE_INVALID;
    expect_all(source, &envelope, delivery, &expected);
    if (!list_matches(envelope.signature, &expected))
        return SHOP_SIGNATURE_INVALID;
    int64_t apart = timestamp - delivery->now / TIME_SECOND;
    if (apart > source->replay_window || apart < -source->replay_window)
        return SHOP_TIMESTAMP_OUTSIDE;
    /* A retry has the same bytes; an id that comes with others is news, which nobody may lose. */
    unsigned char body[DIGEST_LEN];
    digest_sha256(delivery->body, delivery->len, body);
    const struct span key[] = {
        {"event", 5}, {envelope.id->value, envelope.id->value_len}, {body, sizeof(body)}};
    digest_sha256_parts(key, sizeof(key) / sizeof(key[0]), receipt->key);
    receipt->topic[0] = '\0';
    return SHOP_VALID;
}

static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    const struct secret *secret = &source->webhook_secrets.items[0];
    struct buf spelled = {0}, timestamp = {0};
    unsigned char made[DIGEST_LEN];
    if (source->webhook_secrets.count == 0)
        die("standard: source %s has no secret to sign with", source->name);
    struct span key = {secret->bytes, secret->len};
    if (source->secret_encoding != ENCODING_RAW && spelled_key(source, secret, &spelled) == 0)
        key = (struct span){spelled.data, spelled.len};
    buf_put_int(&timestamp, now / TIME_SECOND);
    make_signature(&key, id, strlen(id), timestamp.data, timestamp.len, body, len, made);
    buf_printf(headers, "webhook-id: %s\r\nwebhook-timestamp: %s\r\nwebhook-signature: v1,", id,
               timestamp.data);
    digest_base64(made, sizeof(made), headers);
    buf_puts(headers, "\r\n");
    buf_wipe(&spelled);
    buf_free(&timestamp);
}

static const struct {
    const char *name;
    enum order_status status;
    bool was_paid, disputed;
} statuses[] = {
    {"pending", ORDER_PENDING, false, false},     {"paid", ORDER_PAID, true, false},
    {"cancelled", ORDER_CANCELLED, false, false}, {"refunded", ORDER_REFUNDED, true, false},
    {"disputed", ORDER_PAID, true, true},
};

static int read_line(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *item)
{
    struct fact_line line = {
        .id = shop_json_id(item, "id", LIMIT_ORDER_ID),
        .product = shop_json_id(item, "product", LIMIT_SELECTOR),
        .variant = shop_json_id(item, "variant", LIMIT_SELECTOR),
        .sku = shop_json_id(item, "sku", LIMIT_SELECTOR),
        .quantity = shop_json_count(item, "quantity", -1),
        .refunded_quantity = shop_json_count(item, "refunded_quantity", 0),
    };
    return evidence_add_line(facts, snapshot, &line);
}

static int read_lines(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *data)
{
    struct json_object *lines = shop_json_array(data, "lines");
    if (!lines) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data.lines` is not a list");
        return -1;
    }
    for (size_t i = 0; i < json_object_array_length(lines); i++)
        if (read_line(facts, snapshot, json_object_array_get_idx(lines, i)))
            return -1;
    snapshot->lines_known = true;
    return evidence_check_lines(facts, snapshot, json_object_array_length(lines));
}

/* Sets status and times, which say each other: only what was paid has a time of payment. Where that
 * is not told it stays so: the first event that tells the order paid says it, not each later one.
 */
static int read_standing(struct facts *facts, struct fact_order *order,
                         const struct json_object *root, const struct json_object *data,
                         int64_t received_at)
{
    struct fact_snapshot *snapshot = order->snapshot;
    const char *name = shop_json_text(data, "status");
    size_t known = 0, count = sizeof(statuses) / sizeof(statuses[0]);
    while (known < count && (!name || strcmp(statuses[known].name, name) != 0))
        known++;
    if (known == count) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "`data.status` is none of pending, paid, cancelled, refunded, disputed");
        return -1;
    }
    int64_t timestamp, updated, paid;
    if (shop_take_time(facts, root, "timestamp", &timestamp) ||
        shop_take_time(facts, data, "updated_at", &updated) ||
        shop_take_time(facts, data, "paid_at", &paid))
        return -1;
    updated = updated == TIME_NONE ? timestamp : updated;
    if (updated == TIME_NONE) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "neither `data.updated_at` nor `timestamp` is told");
        return -1;
    }
    snapshot->status = statuses[known].status;
    evidence_set_time(snapshot, updated, received_at);
    snapshot->paid_at = statuses[known].was_paid ? evidence_time(paid, received_at) : TIME_NONE;
    snapshot->disputed = statuses[known].disputed;
    return 0;
}

static void read_order(const struct json_object *root, const struct json_object *data,
                       int64_t received_at, struct facts *facts)
{
    char *id;
    if (shop_take_id(facts, data, "id", LIMIT_ORDER_ID, &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    snapshot->total = -1;
    snapshot->refunded_total = -1;
    if (read_standing(facts, order, root, data, received_at) || read_lines(facts, snapshot, data))
        return;
    evidence_set_address(snapshot, shop_json_text(data, "email"));
    evidence_set_reference(snapshot,
                           shop_json_member(shop_json_object(data, "metadata"), "miro_reference"));
}

static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    (void)source;
    struct json_object *root = shop_json_read_object(body, len, facts);
    if (!root)
        return;
    const char *type = shop_json_text(root, "type");
    const struct json_object *data = shop_json_object(root, "data");
    if (!type)
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`type` is missing");
    else if (polar_is_event(type, data))
        polar_read(root, type, data, received_at, facts);
    else if (strncmp(type, "order.", strlen("order.")) != 0)
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "`type` does not begin with order.");
    else if (!data)
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data` is not an object");
    else
        read_order(root, data, received_at, facts);
    json_object_put(root);
}

const struct shop_adapter shop_standard = {
    .provider = PROVIDER_STANDARD,
    .verify = verify,
    .read = read_delivery,
    .sign = sign,
};
