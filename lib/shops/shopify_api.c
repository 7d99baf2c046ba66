#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/json.h"
#include "shops/shopify.h"

/*
 * One order is read by REST, although GraphQL is what Shopify wants to be asked: REST tells it
 * whole in one answer, however many lines and refunds it has, in the very shape of a delivery, and
 * names its products to an app that may not read products.
 */

/* An id becomes part of a path, so nothing but digits may stand in it. */
static bool is_digits(const char *id)
{
    size_t len = strlen(id);
    return len > 0 && len <= 20 && strspn(id, "0123456789") == len;
}

/* The key is the same as for any other shop's API; only the header's name is Shopify's own. */
char *shopify_token(const struct settings_source *source)
{
    static const char prefix[] = "Authorization: Bearer ";
    char *bearer = credentials_bearer(source);
    if (!bearer)
        return NULL;
    char *token = xasprintf("X-Shopify-Access-Token: %s", bearer + strlen(prefix));
    explicit_bzero(bearer, strlen(bearer));
    free(bearer);
    return token;
}

int shopify_call(const struct settings_source *source, struct shop_fetch *out)
{
    char *token = shopify_token(source);
    if (!token)
        return -1;
    *out = (struct shop_fetch){.header = token, .header2 = xstrdup("Accept: application/json")};
    return 0;
}

bool shopify_can_ask(const struct settings_source *source)
{
    return credentials_has_bearer(source);
}

int shopify_fetch(const struct settings_source *source, const char *order_id,
                  const struct fact_need *need, struct shop_fetch *out)
{
    if (need->kind != NEED_ORDER || need->object || !is_digits(order_id) ||
        shopify_call(source, out))
        return -1;
    out->target = xasprintf(SHOPIFY_API "orders/%s.json", order_id);
    return 0;
}

struct json_object *shopify_open(const struct shop_answer *answer,
                                 enum shop_answer_verdict *verdict, struct buf *detail)
{
    static const struct answer_advice advice = {
        .key = "check that api_key_file holds the Admin API access token (shpat_...) of an app "
               "that has the scope read_orders",
        .address = "check that api_url is https://NAME.myshopify.com",
    };
    return answer_open(answer, &advice, verdict, detail);
}

/*
 * An order that Shopify does not give is not taken for gone: without the scope read_all_orders it
 * gives none that is older than 60 days.
 */
static enum shop_answer_verdict read_json(const struct settings_source *source,
                                          const struct json_object *root,
                                          const struct shop_fetch *call,
                                          const struct shop_answer *answer, struct facts *facts,
                                          struct buf *detail)
{
    const struct json_object *order = shop_json_object(root, "order");
    if (answer->status == 404)
        return answer_refuse(detail,
                             "Shopify does not give this order: it was deleted, or it is older "
                             "than 60 days and the app lacks the scope read_all_orders");
    if (!order || !shop_json_array(order, "line_items"))
        return answer_refuse(detail, "the shop answered with something that is no order");
    shopify_read_order(source, order, answer_receipt(answer), facts);
    if (facts->set_aside != SET_ASIDE_NONE)
        return SHOP_ANSWER_READ;
    if (strcmp(facts->orders[0].id, call->order_id) != 0)
        return answer_refuse(detail, "the shop answered with another order than was asked for");
    facts->orders[0].snapshot->from_api = true;
    facts->orders[0].snapshot->read_at = answer_date(answer);
    return SHOP_ANSWER_READ;
}

enum shop_answer_verdict shopify_read_answer(const struct settings_source *source,
                                             const struct shop_fetch *call,
                                             const struct shop_answer *answer, struct facts *facts,
                                             struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct json_object *root = shopify_open(answer, &verdict, detail);
    if (!root)
        return verdict;
    verdict = read_json(source, root, call, answer, facts, detail);
    json_object_put(root);
    return verdict;
}
