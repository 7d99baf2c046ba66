/*
 * Gumroad's pings. They are not signed: the last segment of the address is the secret, and what a
 * ping says is a hint to read the sale again, no more. Neither its product nor its e-mail is
 * believed. The body is a form, or JSON where the seller chose so:
 *
 *     sale_id=...&resource_name=sale&url_params[miro_reference]=...&retry_count=1
 *
 * Sellers' own fields stand beside Gumroad's, so a name proves nothing. The one thing that is
 * carried along is the buyer reference, for the API does not tell it: it is this project's own
 * signed text, and it counts only on the sale that the API then confirms.
 *
 * A retried ping is the same ping with another retry_count, so that is left out of its key.
 *
 * `live`: Gumroad has no test mode of its own, but marks a purchase that a seller makes of their
 * own product with `test`: live = true takes the others, live = false takes those alone. The pings
 * of a subscription do not tell, and are taken by both.
 */
#include "shops/gumroad.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/credentials.h"
#include "shops/json.h"

#define RETRY_COUNT "retry_count"

/* What a ping tells of where to look. */
struct ping {
    char *sale_id, *subscription_id; /* or NULL */
    char *reference;                 /* or NULL */
    bool tells_test, test;
};

static void ping_free(struct ping *ping)
{
    free(ping->sale_id);
    free(ping->subscription_id);
    free(ping->reference);
}

/* Both sides are hashed first, so that how long the comparison takes says nothing, not even of the
 * secret's length. */
static bool is_secret(const struct settings_source *source, const char *told)
{
    unsigned char told_digest[DIGEST_LEN], digest[DIGEST_LEN];
    bool valid = false;
    digest_sha256(told, strlen(told), told_digest);
    for (size_t i = 0; i < source->webhook_secrets.count; i++) {
        const struct secret *secret = &source->webhook_secrets.items[i];
        digest_sha256(secret->bytes, secret->len, digest);
        /* An empty secret is no secret. */
        valid |= digest_equal(digest, DIGEST_LEN, told_digest, DIGEST_LEN) & (secret->len > 0);
    }
    return valid;
}

static bool is_json(const char *body, size_t len)
{
    size_t at = 0;
    while (at < len &&
           (body[at] == ' ' || body[at] == '\t' || body[at] == '\r' || body[at] == '\n'))
        at++;
    return at < len && body[at] == '{';
}

/* Whether a pair of a form, as it was sent, has this name. */
static bool pair_is(const char *pair, size_t len, const char *name)
{
    char *value = text_query_value(pair, len, name);
    bool is = value != NULL;
    free(value);
    return is;
}

/* The form without retry_count; everything else byte for byte and in its order. */
static void put_form_without_count(const char *body, size_t len, struct buf *out)
{
    const char *at = body, *end = body + len;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        stop = stop ? stop : end;
        if (!pair_is(at, (size_t)(stop - at), RETRY_COUNT)) {
            buf_append(out, at, (size_t)(stop - at));
            buf_putc(out, '&');
        }
        at = stop < end ? stop + 1 : end;
    }
}

static void make_key(const char *body, size_t len, unsigned char key[DIGEST_LEN])
{
    struct buf rest = {0};
    const char *why;
    struct json_object *root = is_json(body, len) ? shop_json_read(body, len, &why) : NULL;
    if (root) {
        json_object_object_del(root, RETRY_COUNT);
        buf_puts(&rest, json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
    } else if (len > 0) {
        put_form_without_count(body, len, &rest);
    }
    digest_sha256(rest.len > 0 ? rest.data : "", rest.len, key);
    json_object_put(root);
    buf_wipe(&rest);
}

/* Whether the seller made the purchase of their own product. */
static void take_test(struct json_object *value, struct ping *ping)
{
    ping->tells_test = ping->sale_id != NULL;
    ping->test = json_object_is_type(value, json_type_boolean)
                     ? json_object_get_boolean(value)
                     : json_object_is_type(value, json_type_string) &&
                           strcmp(json_object_get_string(value), "true") == 0;
}

/* The form's members that count, as the JSON that Gumroad would have sent. What cannot be decoded,
 * or is no text, is not there. */
static struct json_object *form_to_json(const char *body, size_t len)
{
    static const struct {
        const char *name, *key;
    } members[] = {{"sale_id", "sale_id"},
                   {"subscription_id", "subscription_id"},
                   {"test", "test"},
                   {"resource_name", "resource_name"},
                   {"url_params[miro_reference]", "miro_reference"}};
    struct json_object *root = json_object_new_object(), *params = json_object_new_object();
    if (!root || !params)
        die("gumroad: no memory for a form");
    json_object_object_add(root, "url_params", params);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char *value = text_query_value(body, len, members[i].name);
        if (value && text_is_utf8(value, strlen(value)))
            json_object_object_add(strchr(members[i].name, '[') ? params : root, members[i].key,
                                   json_object_new_string(value));
        free(value);
    }
    return root;
}

static struct json_object *read_root(const char *body, size_t len, struct facts *facts)
{
    return is_json(body, len) ? shop_json_read_object(body, len, facts) : form_to_json(body, len);
}

/* A reference that cannot be one is carried as one that none can be, so that it is recorded. */
static char *take_reference(struct json_object *value)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    size_t len = strlen(text);
    if (!value)
        return NULL;
    return xstrdup(len > 0 && len <= LIMIT_REFERENCE && strspn(text, safe) == len ? text : "?");
}

static int read_ping(const struct json_object *root, struct ping *ping, struct facts *facts)
{
    if (shop_take_optional_id(facts, root, "sale_id", LIMIT_ORDER_ID, &ping->sale_id) ||
        shop_take_optional_id(facts, root, "subscription_id", LIMIT_ORDER_ID,
                              &ping->subscription_id))
        return -1;
    if (!ping->sale_id && !ping->subscription_id) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "the ping has neither `sale_id` nor `subscription_id`");
        return -1;
    }
    take_test(shop_json_member(root, "test"), ping);
    ping->reference =
        take_reference(shop_json_member(shop_json_object(root, "url_params"), "miro_reference"));
    return 0;
}

bool gumroad_is_wrong_mode(const struct settings_source *source, bool told, bool test,
                           struct facts *facts)
{
    if (!told || test != source->live)
        return false;
    facts_set_aside(facts, SET_ASIDE_WRONG_MODE,
                    test ? "it is a seller's purchase of their own product, and this source has "
                           "live = true"
                         : "it is a real purchase, and this source has live = false");
    return true;
}

void gumroad_add_need(struct fact_order *order, enum fact_need_kind kind, const char *resource,
                      const char *id, const char *reference, bool essential)
{
    struct buf object = {0};
    buf_puts(&object, resource);
    buf_url_encode(&object, id, strlen(id));
    if (reference)
        buf_printf(&object, "?%s", reference);
    fact_add_need(order, kind, object.data, essential);
    buf_free(&object);
}

static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    struct ping ping = {0};
    struct json_object *root = read_root(body, len, facts);
    (void)received_at;
    if (root && read_ping(root, &ping, facts) == 0 &&
        !gumroad_is_wrong_mode(source, ping.tells_test, ping.test, facts)) {
        const char *id = ping.sale_id ? ping.sale_id : ping.subscription_id;
        gumroad_add_need(facts_add_order(facts, id, strlen(id)), NEED_ORDER,
                         ping.sale_id ? GUMROAD_SALES : GUMROAD_SUBSCRIBERS, id, ping.reference,
                         true);
    }
    ping_free(&ping);
    json_object_put(root);
}

/* The kind of ping, for the log. */
static void note_topic(const char *body, size_t len, struct shop_receipt *receipt)
{
    struct facts ignored = {0};
    struct json_object *root = read_root(body, len, &ignored);
    const char *name = shop_json_text(root, "resource_name");
    size_t end = 0;
    for (; name && *name && end < sizeof(receipt->topic) - 1; name++)
        if (*name > 0x20 && *name < 0x7f)
            receipt->topic[end++] = *name;
    receipt->topic[end] = '\0';
    json_object_put(root);
    facts_free(&ignored);
}

static enum shop_verdict verify(const struct settings_source *source,
                                const struct shop_delivery *delivery, struct shop_receipt *receipt)
{
    if (!delivery->path_secret || !is_secret(source, delivery->path_secret))
        return SHOP_SIGNATURE_INVALID;
    make_key(delivery->body, delivery->len, receipt->key);
    note_topic(delivery->body, delivery->len, receipt);
    return SHOP_VALID;
}

/* There is no header to sign with: who sends a sample posts it to the address that ends in the
 * first secret. */
static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    (void)id;
    (void)now;
    (void)body;
    (void)len;
    (void)headers;
    if (source->webhook_secrets.count == 0)
        die("gumroad: source %s has no secret to send with", source->name);
}

const struct shop_adapter shop_gumroad = {
    .provider = PROVIDER_GUMROAD,
    .verify = verify,
    .read = read_delivery,
    .can_ask = credentials_has_bearer,
    .fetch = gumroad_fetch,
    .read_answer = gumroad_read_answer,
    .sign = sign,
    .lists_all = true,
    .list = gumroad_list,
    .read_listing = gumroad_read_listing,
    .webhook = gumroad_webhook,
    .read_webhook = gumroad_read_webhook,
};
