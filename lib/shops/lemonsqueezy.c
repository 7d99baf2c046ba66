#include "shops/lemonsqueezy.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/signature.h"

/* The most digits that an id has. */
#define ID_DIGITS 20

static bool says(const struct json_object *holder, const char *key, bool value)
{
    struct json_object *member = shop_json_member(holder, key);
    return json_object_is_type(member, json_type_boolean) &&
           (bool)json_object_get_boolean(member) == value;
}

bool lemonsqueezy_is_wrong_mode(const struct settings_source *source,
                                const struct json_object *object,
                                const struct lemonsqueezy_evidence *evidence, struct facts *facts)
{
    const struct json_object *attributes = shop_json_object(object, "attributes");
    bool wrong = says(attributes, "test_mode", source->live) ||
                 says(evidence->meta, "test_mode", source->live);
    if (wrong)
        facts_set_aside(facts, SET_ASIDE_WRONG_MODE,
                        source->live ? "it is of test mode, and this source has live = true"
                                     : "it is of live mode, and this source has live = false");
    return wrong;
}

int lemonsqueezy_take_id(struct facts *facts, const struct json_object *holder, const char *key,
                         const char *prefix, char **id)
{
    char *number;
    if (shop_take_id(facts, holder, key, ID_DIGITS, &number))
        return -1;
    if (strspn(number, "0123456789") != strlen(number)) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`%s` is not a number", key);
        free(number);
        return -1;
    }
    *id = xasprintf("%s%s", prefix, number);
    free(number);
    return 0;
}

int lemonsqueezy_take_time(struct facts *facts, const struct json_object *attributes, int64_t *time)
{
    if (shop_take_time(facts, attributes, "updated_at", time))
        return -1;
    if (*time != TIME_NONE)
        return 0;
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`updated_at` is missing");
    return -1;
}

struct fact_snapshot *lemonsqueezy_add_snapshot(struct fact_order *order,
                                                const struct json_object *attributes, int64_t time,
                                                const struct lemonsqueezy_evidence *evidence)
{
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    evidence_set_time(snapshot, time, evidence->received_at);
    snapshot->from_api = !evidence->meta;
    snapshot->read_at = snapshot->from_api ? evidence->received_at : 0;
    snapshot->status = ORDER_PAID;
    evidence_set_address(snapshot, shop_json_text(attributes, "user_email"));
    evidence_set_reference(
        snapshot,
        shop_json_member(shop_json_object(evidence->meta, "custom_data"), "miro_reference"));
    return snapshot;
}

/* `refunded` alone says that all of it went back. A payment's refund has the payment's name. */
int lemonsqueezy_add_refund(struct facts *facts, struct fact_order *order,
                            const struct json_object *attributes, const char *id, int64_t time)
{
    const char *currency = shop_json_text(attributes, "currency");
    int64_t amount, total;
    if (shop_take_minor(facts, attributes, "refunded_amount", currency, 0, &amount) ||
        shop_take_minor(facts, attributes, "total", currency, 0, &total))
        return -1;
    if (amount == 0 && says(attributes, "refunded", true))
        amount = total;
    if (amount == 0)
        return 0;
    struct fact_refund *refund = fact_add_refund(order);
    refund->id = xstrdup(id);
    refund->time = time;
    refund->state = REFUND_DONE;
    refund->amount = amount;
    refund->payment = xstrdup(id);
    return 0;
}

int lemonsqueezy_add_line(struct facts *facts, struct fact_snapshot *snapshot, char *id,
                          const struct json_object *holder, const struct json_object *quantities)
{
    struct fact_line line = {
        .id = id ? id : xstrdup("first"),
        .product = shop_json_optional_id(holder, "product_id", LIMIT_SELECTOR),
        .variant = shop_json_optional_id(holder, "variant_id", LIMIT_SELECTOR),
        .quantity = shop_json_count(quantities, "quantity", 1),
    };
    return evidence_add_line(facts, snapshot, &line);
}

static void read_object(const struct settings_source *source, const struct json_object *object,
                        const struct lemonsqueezy_evidence *evidence, struct facts *facts)
{
    const char *type = shop_json_text(object, "type");
    if (!type || !shop_json_object(object, "attributes"))
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data` has no type and attributes");
    else if (strcmp(type, "orders") == 0)
        lemonsqueezy_read_order(source, object, NULL, evidence, facts);
    else if (strcmp(type, "subscriptions") == 0)
        lemonsqueezy_read_subscription(source, object, evidence, facts);
    else if (strcmp(type, "subscription-invoices") == 0)
        lemonsqueezy_read_invoice(source, object, evidence, facts);
    else
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER,
                        "`data.type` is none of orders, subscriptions, subscription-invoices");
}

static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    struct json_object *root = shop_json_read_object(body, len, facts);
    if (!root)
        return;
    const struct json_object *data = shop_json_object(root, "data");
    const struct lemonsqueezy_evidence evidence = {.meta = shop_json_object(root, "meta"),
                                                   .received_at = received_at};
    if (!evidence.meta)
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`meta` is not an object");
    else if (!data)
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data` is not an object");
    else
        read_object(source, data, &evidence, facts);
    json_object_put(root);
}

static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    (void)id;
    (void)now;
    signature_sign_body(source, body, len, headers);
}

const struct shop_adapter shop_lemonsqueezy = {
    .provider = PROVIDER_LEMONSQUEEZY,
    .verify = signature_verify_body,
    .read = read_delivery,
    .can_ask = credentials_has_bearer,
    .fetch = lemonsqueezy_fetch,
    .read_answer = lemonsqueezy_read_answer,
    .sign = sign,
    .lists_all = true,
    .list = lemonsqueezy_list,
    .read_listing = lemonsqueezy_read_listing,
    .webhook = lemonsqueezy_webhook,
    .read_webhook = lemonsqueezy_read_webhook,
};
