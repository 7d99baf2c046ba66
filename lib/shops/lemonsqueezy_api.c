#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/json.h"
#include "shops/lemonsqueezy.h"

/* The number in an id that begins with `prefix`, or NULL: it becomes part of a path. */
static const char *number_of(const char *id, const char *prefix)
{
    size_t len = strlen(prefix);
    if (strncmp(id, prefix, len) != 0)
        return NULL;
    size_t digits = strspn(id + len, "0123456789");
    return digits > 0 && digits <= 20 && id[len + digits] == '\0' ? id + len : NULL;
}

/* The call for a need, or NULL. What can be included comes with it, so that one call will do. */
static char *target_of(const char *order_id, const struct fact_need *need)
{
    const char *order = number_of(order_id, ""), *subscription = number_of(order_id, "sub_");
    if (need->kind == NEED_LINES && order && need->object)
        return xasprintf("/v1/orders/%s/order-items?include=order&page%%5Bsize%%5D=100", order);
    if (need->kind != NEED_ORDER)
        return NULL;
    if (order)
        return xasprintf("/v1/orders/%s?include=order-items", order);
    return subscription ? xasprintf("/v1/subscriptions/%s", subscription) : NULL;
}

int lemonsqueezy_fetch(const struct settings_source *source, const char *order_id,
                       const struct fact_need *need, struct shop_fetch *out)
{
    char *target = target_of(order_id, need);
    char *header = target ? credentials_bearer(source) : NULL;
    if (!header) {
        free(target);
        return -1;
    }
    *out = (struct shop_fetch){
        .target = target,
        .header = header,
        .header2 = xstrdup("Accept: application/vnd.api+json"),
    };
    return 0;
}

static bool is_object(const struct json_object *object, const char *type, const char *number)
{
    const char *told = shop_json_text(object, "type");
    struct json_object *id = shop_json_member(object, "id");
    return told && strcmp(told, type) == 0 && id &&
           strcmp(json_object_get_string(id), number) == 0 &&
           shop_json_object(object, "attributes");
}

static const struct json_object *included_order(const struct json_object *root, const char *number)
{
    struct json_object *included = shop_json_array(root, "included");
    for (size_t i = 0; included && i < json_object_array_length(included); i++) {
        const struct json_object *object = json_object_array_get_idx(included, i);
        if (is_object(object, "orders", number))
            return object;
    }
    return NULL;
}

/* Whether the list goes on: then it is not the order's items. */
static bool has_more(const struct json_object *root)
{
    return shop_json_text(shop_json_object(root, "links"), "next") != NULL;
}

static enum shop_answer_verdict read_items(const struct settings_source *source,
                                           const struct json_object *root,
                                           const struct shop_fetch *call,
                                           const struct lemonsqueezy_evidence *evidence,
                                           struct facts *facts, struct buf *detail)
{
    struct json_object *items = shop_json_array(root, "data");
    if (!items || json_object_array_length(items) == 0)
        return answer_refuse(detail, "the shop answered with something that is no list of items");
    if (has_more(root))
        return answer_refuse(detail, "the order has more items than one page holds");
    const struct json_object *order = included_order(root, call->order_id);
    if (order)
        lemonsqueezy_read_order(source, order, items, evidence, facts);
    else if (lemonsqueezy_read_items(call->order_id, call->object, items, evidence->received_at,
                                     facts))
        return answer_refuse(detail, "the shop answered with items of another order");
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_document(const struct settings_source *source,
                                              const struct json_object *root,
                                              const struct shop_fetch *call, int64_t date,
                                              struct facts *facts, struct buf *detail)
{
    const struct lemonsqueezy_evidence evidence = {.received_at = date};
    const char *subscription = number_of(call->order_id, "sub_");
    const struct json_object *data = shop_json_object(root, "data");
    if (call->kind == NEED_LINES)
        return read_items(source, root, call, &evidence, facts, detail);
    if (!is_object(data, subscription ? "subscriptions" : "orders",
                   subscription ? subscription : call->order_id))
        return answer_refuse(detail, "the shop answered with another object than was asked for");
    if (subscription)
        lemonsqueezy_read_subscription(source, data, &evidence, facts);
    else
        lemonsqueezy_read_order(source, data, shop_json_array(root, "included"), &evidence, facts);
    return SHOP_ANSWER_READ;
}

enum shop_answer_verdict lemonsqueezy_read_answer(const struct settings_source *source,
                                                  const struct shop_fetch *call,
                                                  const struct shop_answer *answer,
                                                  struct facts *facts, struct buf *detail)
{
    static const struct answer_advice advice = {
        .key = "check that api_key_file holds an API key of the store, made in the mode that "
               "`live` says",
        .address = "check that api_url is https://api.lemonsqueezy.com",
    };
    enum shop_answer_verdict verdict;
    struct json_object *root = answer_open(answer, &advice, &verdict, detail);
    if (!root)
        return verdict;
    /* No order or subscription is ever deleted: what the shop does not know is another store's. */
    if (answer->status == 404)
        verdict = answer_refuse(detail, "the shop does not know it: check that api_key_file is of "
                                        "the store that sends the webhooks, and of its mode");
    else
        verdict = read_document(source, root, call, answer_date(answer), facts, detail);
    json_object_put(root);
    return verdict;
}
