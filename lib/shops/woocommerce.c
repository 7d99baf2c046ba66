#include "shops/woocommerce.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/signature.h"

#define PING_PREFIX "webhook_id="

/*
 * The ping that WooCommerce posts when a webhook is saved: unsigned, a form, `webhook_id=` and the
 * id of the webhook and nothing else. It is answered and has no effect.
 */
static bool is_ping(const struct shop_delivery *delivery)
{
    static const char form[] = "application/x-www-form-urlencoded";
    size_t prefix = strlen(PING_PREFIX);
    int64_t webhook_id;
    if (signature_has_header(delivery, "X-WC-Webhook-Signature") || delivery->len <= prefix ||
        memcmp(delivery->body, PING_PREFIX, prefix) != 0 || delivery->body[prefix] == '0' ||
        text_to_int(delivery->body + prefix, delivery->len - prefix, &webhook_id))
        return false;
    const struct http_header *type = signature_header(delivery, "Content-Type");
    if (!type)
        return !signature_has_header(delivery, "Content-Type");
    size_t len = strlen(form);
    return type->value_len >= len && strncasecmp(type->value, form, len) == 0 &&
           (type->value_len == len || type->value[len] == ';' || type->value[len] == ' ');
}

static enum shop_verdict verify(const struct settings_source *source,
                                const struct shop_delivery *delivery, struct shop_receipt *receipt)
{
    return is_ping(delivery) ? SHOP_PING : signature_verify_body(source, delivery, receipt);
}

/* What a status means for access. A shop may add its own: those count as paid once a date says so.
 */
static const struct {
    const char *name;
    enum order_status status;
} statuses[] = {
    {"processing", ORDER_PAID},     {"completed", ORDER_PAID},  {"refunded", ORDER_REFUNDED},
    {"cancelled", ORDER_CANCELLED}, {"trash", ORDER_CANCELLED}, {"pending", ORDER_PENDING},
    {"on-hold", ORDER_PENDING},     {"failed", ORDER_PENDING},  {"checkout-draft", ORDER_PENDING},
    {"auto-draft", ORDER_PENDING},
};

/* Cash on delivery is sent before it is paid: such an order is paid when it is done. */
static bool is_unpaid(const struct settings_source *source, const char *method, const char *status)
{
    if (!method || strcmp(status, "processing") != 0)
        return false;
    for (char **unpaid = source->unpaid_methods; unpaid && *unpaid; unpaid++)
        if (strcmp(*unpaid, method) == 0)
            return true;
    return false;
}

static enum order_status status_of(const char *name, int64_t paid_at)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strcmp(statuses[i].name, name) == 0)
            return statuses[i].status;
    return paid_at == TIME_NONE ? ORDER_PENDING : ORDER_PAID;
}

static int read_line(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *item)
{
    struct fact_line line = {
        .id = shop_json_id(item, "id", LIMIT_ORDER_ID),
        .product = shop_json_optional_id(item, "product_id", LIMIT_SELECTOR),
        .variant = shop_json_optional_id(item, "variation_id", LIMIT_SELECTOR),
        .sku = shop_json_id(item, "sku", LIMIT_SELECTOR),
        .quantity = shop_json_count(item, "quantity", -1),
    };
    return evidence_add_line(facts, snapshot, &line);
}

/* An order lists its refunds by id and (negative) amount; what they gave back stands elsewhere. */
static int read_listed_refund(struct facts *facts, struct fact_snapshot *snapshot,
                              const struct json_object *item)
{
    char *id;
    if (shop_take_id(facts, item, "id", LIMIT_ORDER_ID, &id))
        return -1;
    struct fact_listed_refund *refund = evidence_add_listed_refund(facts, snapshot, id);
    if (!refund)
        return -1;
    refund->amount = shop_json_amount(item, "total", 0);
    return 0;
}

static int read_lists(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *root)
{
    struct json_object *lines = shop_json_array(root, "line_items");
    for (size_t i = 0; i < json_object_array_length(lines); i++)
        if (read_line(facts, snapshot, json_object_array_get_idx(lines, i)))
            return -1;
    if (evidence_check_lines(facts, snapshot, json_object_array_length(lines)))
        return -1;
    snapshot->lines_known = true;
    struct json_object *refunds = shop_json_array(root, "refunds");
    for (size_t i = 0; refunds && i < json_object_array_length(refunds); i++)
        if (read_listed_refund(facts, snapshot, json_object_array_get_idx(refunds, i)))
            return -1;
    snapshot->lists_refunds = refunds != NULL;
    return 0;
}

/* Whether the shop's privacy tool has been at the order. */
static bool is_anonymised(struct json_object *meta)
{
    for (size_t i = 0; meta && i < json_object_array_length(meta); i++) {
        const struct json_object *entry = json_object_array_get_idx(meta, i);
        const char *key = shop_json_text(entry, "key");
        const char *value = shop_json_text(entry, "value");
        if (key && value && strcmp(key, "_anonymized") == 0 && strcmp(value, "yes") == 0)
            return true;
    }
    return false;
}

static void read_buyer(struct fact_snapshot *snapshot, const struct json_object *root)
{
    struct json_object *meta = shop_json_array(root, "meta_data");
    if (is_anonymised(meta))
        snapshot->address_state = ADDRESS_ERASED;
    else
        evidence_set_address(snapshot, shop_json_text(shop_json_object(root, "billing"), "email"));
    evidence_find_reference(snapshot, meta, "key", "value");
}

/*
 * The site's address before its REST API: "https://example.com/shop/wp-json/wc/v3/orders/12" is of
 * example.com/shop, however its permalinks are set; a copy of a shop mostly lies in another folder
 * or at another host.
 */
static char *site_of(const char *href)
{
    static const char front[] = "/index.php";
    const char *path;
    char *site, *host = evidence_host(href, &path);
    if (!host)
        return NULL;
    size_t len = strcspn(path, "?#");
    const char *api = strstr(path, "/wc/v");
    if (api && api < path + len) {
        len = (size_t)(api - path);
        while (len > 0 && path[--len] != '/')
            ;
    }
    while (len > 0 && path[len - 1] == '/')
        len--;
    if (len >= strlen(front) && strncmp(path + len - strlen(front), front, strlen(front)) == 0)
        len -= strlen(front);
    for (size_t i = 0; i < len; i++)
        len = path[i] > ' ' && path[i] < 0x7f ? len : 0;
    /* One site answers to both, and plugins and caches mix them. */
    const char *plain = strncmp(host, "www.", 4) == 0 ? host + 4 : host;
    size_t plain_len = strlen(plain);
    plain_len -= plain_len > 0 && plain[plain_len - 1] == '.';
    site = xasprintf("%.*s%.*s", (int)plain_len, plain, (int)len, path);
    free(host);
    return site;
}

void woocommerce_set_identity(struct fact_order *order, const struct json_object *root)
{
    struct json_object *self = shop_json_array(shop_json_object(root, "_links"), "self");
    const struct json_object *first = self ? json_object_array_get_idx(self, 0) : NULL;
    char *site = first ? site_of(shop_json_text(first, "href")) : NULL;
    if (site && strlen(site) <= LIMIT_IDENTITY && !order->identity) {
        order->identity = site;
        site = NULL;
    }
    free(site);
}

bool woocommerce_is_order(const struct json_object *root, const char **why)
{
    const char *type = shop_json_text(root, "type");
    *why = NULL;
    if (type && strcmp(type, "shop_order") != 0)
        *why = "it is another kind of record that looks like an order";
    else if (shop_json_has(root, "billing_period"))
        *why = "it is a subscription, not an order";
    else if (!shop_json_has(root, "id") || !shop_json_text(root, "status") ||
             !shop_json_array(root, "line_items"))
        *why = "it has no id, status and line_items";
    return *why == NULL;
}

void woocommerce_read_order(const struct json_object *root, struct woocommerce_origin origin,
                            struct facts *facts)
{
    char *id;
    int64_t modified;
    if (shop_take_id(facts, root, "id", LIMIT_ORDER_ID, &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    free(id);
    if (shop_take_time(facts, root, "date_modified_gmt", &modified) ||
        shop_take_time(facts, root, "date_paid_gmt", &snapshot->paid_at))
        return;
    woocommerce_set_identity(order, root);
    order->key = shop_json_id(root, "order_key", LIMIT_ORDER_ID);
    snapshot->status = status_of(shop_json_text(root, "status"), snapshot->paid_at);
    if (is_unpaid(origin.source, shop_json_text(root, "payment_method"),
                  shop_json_text(root, "status")))
        snapshot->status = ORDER_PENDING;
    if (read_lists(facts, snapshot, root))
        return;
    if (modified == TIME_NONE) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`date_modified_gmt` is missing");
        return;
    }
    evidence_set_time(snapshot, modified, origin.received_at);
    snapshot->paid_at = evidence_time(snapshot->paid_at, origin.received_at);
    snapshot->from_api = origin.from_api;
    snapshot->read_at = origin.read_at;
    snapshot->total = shop_json_amount(root, "total", -1);
    snapshot->refunded_total = -1;
    read_buyer(snapshot, root);
    /* The order lists its refunds by amount alone. */
    if (snapshot->refund_count > 0)
        fact_add_need(order, NEED_REFUNDS, NULL, false);
}

/* WooCommerce signs its own errors too: when the webhook's owner may not see the order, this is
 * what arrives in its place. */
static bool is_error(const struct json_object *root)
{
    return shop_json_text(root, "code") && !shop_json_has(root, "id");
}

static void set_aside_error(const struct json_object *root, struct facts *facts)
{
    const char *code = shop_json_text(root, "code");
    bool plain =
        strlen(code) <= 64 && strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(code);
    facts_set_aside(facts, SET_ASIDE_SOURCE_MISCONFIGURED,
                    "the shop signed an error (%s) in place of the order: give the webhook an "
                    "owner who may read orders, then resync",
                    plain ? code : "without a plain code");
}

static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    struct json_object *root = shop_json_read_object(body, len, facts);
    const char *why;
    char *id;
    if (!root)
        return;
    if (is_error(root)) {
        set_aside_error(root, facts);
    } else if (shop_json_is_only_id(root)) {
        /* Trash and deletion tell no more than this. */
        if (shop_take_id(facts, root, "id", LIMIT_ORDER_ID, &id) == 0) {
            fact_add_need(facts_add_order(facts, id, strlen(id)), NEED_ORDER, NULL, true);
            free(id);
        }
    } else if (!woocommerce_is_order(root, &why)) {
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "the body is no order: %s", why);
    } else {
        woocommerce_read_order(root,
                               (struct woocommerce_origin){
                                   .source = source, .received_at = received_at, .from_api = false},
                               facts);
    }
    json_object_put(root);
}

static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    (void)id;
    (void)now;
    signature_sign_body(source, body, len, headers);
}

const struct shop_adapter shop_woocommerce = {
    .provider = PROVIDER_WOOCOMMERCE,
    .verify = verify,
    .read = read_delivery,
    .can_ask = woocommerce_can_ask,
    .fetch = woocommerce_fetch,
    .read_answer = woocommerce_read_answer,
    .sign = sign,
    .list = woocommerce_list,
    .read_listing = woocommerce_read_listing,
    .webhook = woocommerce_webhook,
    .read_webhook = woocommerce_read_webhook,
};
