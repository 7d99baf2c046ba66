#include <string.h>

#include "shops/answer.h"
#include "shops/json.h"
#include "shops/shopify.h"

int shopify_webhook(const struct settings_source *source, struct shop_fetch *out)
{
    struct buf body = {0};
    buf_puts(&body, "{\"query\":\"{webhookSubscriptions(first:100){nodes{topic uri}}}\"}");
    return shopify_post(source, &body, out);
}

static bool says(const struct json_object *holder, const char *key, const char *expected)
{
    const char *text = shop_json_text(holder, key);
    return text && strcmp(text, expected) == 0;
}

/* Shopify has no word for a webhook that it gave up: it deletes it. */
enum shop_answer_verdict shopify_read_webhook(const struct settings_source *source,
                                              const char *address, const struct shop_answer *answer,
                                              enum shop_webhook *out, struct buf *detail)
{
    (void)source;
    enum shop_answer_verdict verdict;
    bool dear, found = false;
    struct json_object *root = shopify_open_graph(answer, &verdict, detail);
    if (!root)
        return verdict;
    struct json_object *nodes = shop_json_array(
        shop_json_object(shop_json_object(root, "data"), "webhookSubscriptions"), "nodes");
    verdict = shopify_read_errors(root, &dear, detail);
    if (verdict == SHOP_ANSWER_READ && !nodes)
        verdict =
            answer_refuse(detail, "the shop answered with something that is no list of webhooks");
    for (size_t i = 0; verdict == SHOP_ANSWER_READ && i < json_object_array_length(nodes); i++) {
        const struct json_object *node = json_object_array_get_idx(nodes, i);
        found |= says(node, "uri", address) && says(node, "topic", "ORDERS_UPDATED");
    }
    json_object_put(root);
    if (verdict != SHOP_ANSWER_READ)
        return verdict;
    *out = found ? SHOP_WEBHOOK_ENABLED : SHOP_WEBHOOK_MISSING;
    if (!found)
        buf_printf(detail,
                   "the app has no webhook subscription of the topic orders/updated to %s: Shopify "
                   "deletes one after 8 failures in a row; subscribe again through this app's API",
                   address);
    return SHOP_ANSWER_READ;
}
