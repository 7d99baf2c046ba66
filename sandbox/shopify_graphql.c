#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "shopify_json.h"

/*
 * Shopify's GraphQL API: orders by the time of their last change, orders by id, and the webhooks,
 * with the bucket of points that every query draws on. A query that costs more than the bucket
 * holds is THROTTLED, with status 200, as Shopify answers.
 */

#define BUCKET 2000     /* points, of a shop on the standard plan */
#define BUCKET_FILLS 20 /* seconds in which an empty bucket fills */
#define DEAREST 1000    /* points that a single query may cost */

#define SCALAR(name)          \
    {                         \
        name, NULL, QUERY_ONE \
    }
#define END                   \
    {                         \
        NULL, NULL, QUERY_ONE \
    }

static const struct query_member money_members[] = {SCALAR("amount"), SCALAR("currencyCode"), END};
static const struct query_type money = {"MoneyV2", money_members, NULL};

static const struct query_member bag_members[] = {
    {"shopMoney", &money, QUERY_ONE}, {"presentmentMoney", &money, QUERY_ONE}, END};
static const struct query_type bag = {"MoneyBag", bag_members, NULL};

static const struct query_member address_members[] = {SCALAR("emailAddress"), END};
static const struct query_type address = {"CustomerEmailAddress", address_members, NULL};

static const struct query_member customer_members[] = {SCALAR("id"),
                                                       SCALAR("legacyResourceId"),
                                                       SCALAR("email"),
                                                       SCALAR("displayName"),
                                                       {"defaultEmailAddress", &address, QUERY_ONE},
                                                       END};
static const struct query_type customer = {"Customer", customer_members, NULL};

static const struct query_member attribute_members[] = {SCALAR("key"), SCALAR("value"), END};
static const struct query_type attribute = {"Attribute", attribute_members, NULL};

static const struct query_member product_members[] = {SCALAR("id"), SCALAR("legacyResourceId"),
                                                      SCALAR("title"), SCALAR("handle"), END};
static const struct query_type product = {"Product", product_members, NULL};

static const struct query_member variant_members[] = {SCALAR("id"), SCALAR("legacyResourceId"),
                                                      SCALAR("title"), SCALAR("sku"), END};
static const struct query_type variant = {"ProductVariant", variant_members, NULL};

static const struct query_member line_members[] = {SCALAR("id"),
                                                   SCALAR("name"),
                                                   SCALAR("title"),
                                                   SCALAR("sku"),
                                                   SCALAR("quantity"),
                                                   SCALAR("currentQuantity"),
                                                   SCALAR("refundableQuantity"),
                                                   SCALAR("isGiftCard"),
                                                   {"product", &product, QUERY_ONE},
                                                   {"variant", &variant, QUERY_ONE},
                                                   {"originalUnitPriceSet", &bag, QUERY_ONE},
                                                   {"customAttributes", &attribute, QUERY_LIST},
                                                   END};
static const struct query_type line = {"LineItem", line_members, NULL};

static const struct query_member refund_line_members[] = {SCALAR("id"),
                                                          SCALAR("quantity"),
                                                          SCALAR("restockType"),
                                                          SCALAR("restocked"),
                                                          {"lineItem", &line, QUERY_ONE},
                                                          {"subtotalSet", &bag, QUERY_ONE},
                                                          END};
static const struct query_type refund_line = {"RefundLineItem", refund_line_members, NULL};

static const struct query_member transaction_members[] = {SCALAR("id"),
                                                          SCALAR("kind"),
                                                          SCALAR("status"),
                                                          SCALAR("test"),
                                                          SCALAR("gateway"),
                                                          SCALAR("createdAt"),
                                                          SCALAR("processedAt"),
                                                          {"amountSet", &bag, QUERY_ONE},
                                                          END};
static const struct query_type transaction = {"OrderTransaction", transaction_members, NULL};

static const struct query_member refund_members[] = {
    SCALAR("id"),
    SCALAR("legacyResourceId"),
    SCALAR("createdAt"),
    SCALAR("processedAt"),
    SCALAR("updatedAt"),
    SCALAR("note"),
    {"totalRefundedSet", &bag, QUERY_ONE},
    {"refundLineItems", &refund_line, QUERY_CONNECTION},
    {"transactions", &transaction, QUERY_CONNECTION},
    END};
static const struct query_type refund_type = {"Refund", refund_members, NULL};

static const struct query_member dispute_members[] = {SCALAR("id"), SCALAR("initiatedAs"),
                                                      SCALAR("status"), END};
static const struct query_type dispute_type = {"OrderDisputeSummary", dispute_members, NULL};

static const struct query_member order_members[] = {SCALAR("id"),
                                                    SCALAR("legacyResourceId"),
                                                    SCALAR("name"),
                                                    SCALAR("email"),
                                                    SCALAR("test"),
                                                    SCALAR("createdAt"),
                                                    SCALAR("updatedAt"),
                                                    SCALAR("processedAt"),
                                                    SCALAR("cancelledAt"),
                                                    SCALAR("cancelReason"),
                                                    SCALAR("closedAt"),
                                                    SCALAR("currencyCode"),
                                                    SCALAR("note"),
                                                    SCALAR("displayFinancialStatus"),
                                                    SCALAR("displayFulfillmentStatus"),
                                                    SCALAR("fullyPaid"),
                                                    {"totalPriceSet", &bag, QUERY_ONE},
                                                    {"currentTotalPriceSet", &bag, QUERY_ONE},
                                                    {"totalRefundedSet", &bag, QUERY_ONE},
                                                    {"customer", &customer, QUERY_ONE},
                                                    {"customAttributes", &attribute, QUERY_LIST},
                                                    {"lineItems", &line, QUERY_CONNECTION},
                                                    {"refunds", &refund_type, QUERY_LIST},
                                                    {"disputes", &dispute_type, QUERY_LIST},
                                                    END};
const struct query_type shopify_order = {"Order", order_members, NULL};

static const struct query_member http_members[] = {SCALAR("callbackUrl"), END};
static const struct query_type http_endpoint = {"WebhookHttpEndpoint", http_members, NULL};
static const struct query_member endpoint_members[] = {END};
static const struct query_type endpoint = {"WebhookSubscriptionEndpoint", endpoint_members,
                                           &http_endpoint};

static const struct query_member version_members[] = {SCALAR("handle"), END};
static const struct query_type version = {"ApiVersion", version_members, NULL};

static const struct query_member webhook_members[] = {SCALAR("id"),
                                                      SCALAR("legacyResourceId"),
                                                      SCALAR("topic"),
                                                      SCALAR("uri"),
                                                      SCALAR("callbackUrl"),
                                                      SCALAR("format"),
                                                      SCALAR("createdAt"),
                                                      SCALAR("updatedAt"),
                                                      {"endpoint", &endpoint, QUERY_ONE},
                                                      {"apiVersion", &version, QUERY_ONE},
                                                      END};
static const struct query_type webhook = {"WebhookSubscription", webhook_members, NULL};

static const struct query_member shop_members[] = {SCALAR("id"), SCALAR("name"),
                                                   SCALAR("myshopifyDomain"), END};
static const struct query_type shop_type = {"Shop", shop_members, NULL};

static const struct query_member node_members[] = {SCALAR("id"), END};
static const struct query_type node = {"Node", node_members, &shopify_order};

static const struct query_member root_members[] = {
    {"orders", &shopify_order, QUERY_CONNECTION},
    {"order", &shopify_order, QUERY_ONE},
    {"node", &node, QUERY_ONE},
    {"nodes", &node, QUERY_LIST},
    {"webhookSubscriptions", &webhook, QUERY_CONNECTION},
    {"shop", &shop_type, QUERY_ONE},
    END};
static const struct query_type root = {"QueryRoot", root_members, NULL};

/* What a search says, as far as it is understood here. */
struct search {
    int64_t updated_from, updated_before, created_from, created_before;
    int64_t after_time, after_number; /* the cursor: only what lies behind it; TIME_NONE: none */
    bool by_updated;
};

/* "field:>=value": sets a bound. Whole seconds, so that "later than" begins with the next. */
static bool set_bound(const char *op, int64_t time, int64_t *from, int64_t *before)
{
    if (strcmp(op, ">=") == 0)
        *from = time;
    else if (strcmp(op, ">") == 0)
        *from = time + TIME_SECOND;
    else if (strcmp(op, "<") == 0)
        *before = time;
    else if (strcmp(op, "<=") == 0)
        *before = time + TIME_SECOND;
    else
        return false;
    return true;
}

/* One term of a search, without blanks. */
static bool read_term(const char *term, size_t len, struct search *search)
{
    const char *colon = memchr(term, ':', len);
    if (colon == NULL)
        return len == 3 && memcmp(term, "AND", 3) == 0;
    size_t name = (size_t)(colon - term);
    size_t ops = strspn(colon + 1, "<>=");
    char op[4] = {0};
    const char *value = colon + 1 + ops;
    size_t value_len = len - name - 1 - ops;
    if (value_len >= 2 && (*value == '\'' || *value == '"')) {
        value++;
        value_len -= 2;
    }
    memcpy(op, colon + 1, ops < sizeof(op) ? ops : sizeof(op) - 1);
    if (name == 6 && memcmp(term, "status", 6) == 0)
        return value_len == 3 && memcmp(value, "any", 3) == 0;
    int64_t time;
    if (name != 10 || clock_parse(value, value_len, &time) != 0)
        return false;
    if (memcmp(term, "updated_at", 10) == 0)
        return set_bound(op, time, &search->updated_from, &search->updated_before);
    return memcmp(term, "created_at", 10) == 0 &&
           set_bound(op, time, &search->created_from, &search->created_before);
}

/* All terms hold together. */
static bool read_search(const char *text, struct search *search)
{
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, " ");
        if (len > 0 && !read_term(text, len, search))
            return false;
        text += len + (text[len] == ' ');
    }
    return true;
}

/* Where a sale stands in the list: its time and number. */
static char *cursor_of(const struct search *search, const struct sale *sale)
{
    return xasprintf("%lld.%lld", (long long)(search->by_updated ? sale->updated : sale->created),
                     (long long)sale->number);
}

static bool read_cursor(const char *text, struct search *search)
{
    search->after_time = TIME_NONE;
    if (text == NULL)
        return true;
    size_t dot = strcspn(text, ".");
    return text[dot] == '.' && text_to_int(text, dot, &search->after_time) == 0 &&
           text_to_int(text + dot + 1, strlen(text + dot + 1), &search->after_number) == 0;
}

/* Behind the cursor, wherever the sale that stood there has gone. */
static bool is_behind(const struct sale *sale, const void *arg)
{
    const struct search *search = arg;
    int64_t time = search->by_updated ? sale->updated : sale->created;
    return search->after_time == TIME_NONE || time > search->after_time ||
           (time == search->after_time && sale->number > search->after_number);
}

/* The orders of a search from its cursor on, one more than are asked for. */
static struct json_object *list_orders(struct visit *visit, const struct query_field *field,
                                       const struct search *search)
{
    struct json_object *list = tree_array();
    struct stand_page page;
    bool cut = search->by_updated && search->after_time > search->updated_from;
    struct stand_query query = {
        .updated_from = cut ? search->after_time : search->updated_from,
        .updated_before = search->updated_before,
        .created_from = search->created_from,
        .created_before = search->created_before,
        .by_updated = search->by_updated,
        .limit = (size_t)tree_get_number(field->arguments, "first", 1) + 1,
        .fits = is_behind,
        .arg = search,
    };
    stand_list(visit->sandbox, visit->stand, &query, &page);
    for (size_t i = 0; i < page.count; i++) {
        const struct sale *told = stand_told(visit->sandbox, visit->stand, page.sales[i]);
        if (told == NULL)
            continue;
        struct json_object *order = shopify_query_order(visit->stand, told);
        char *cursor = cursor_of(search, page.sales[i]);
        tree_text(order, QUERY_CURSOR, cursor);
        free(cursor);
        tree_add(list, order);
    }
    free(page.sales);
    return list;
}

/* orders(first, after, query, sortKey); the page begins at its cursor, which is used up by that. */
static struct json_object *resolve_orders(struct visit *visit, struct query_field *field,
                                          struct buf *error)
{
    struct search search = {.updated_from = TIME_NONE,
                            .updated_before = TIME_NONE,
                            .created_from = TIME_NONE,
                            .created_before = TIME_NONE};
    const char *key = tree_get_text(field->arguments, "sortKey");
    search.by_updated = key != NULL && strcmp(key, "UPDATED_AT") == 0;
    if (key != NULL && !search.by_updated && strcmp(key, "CREATED_AT") != 0 &&
        strcmp(key, "PROCESSED_AT") != 0 && strcmp(key, "ID") != 0)
        buf_puts(error, "sortKey: the sandbox sorts by UPDATED_AT, CREATED_AT, PROCESSED_AT, ID");
    else if (tree_get_bool(field->arguments, "reverse", false))
        buf_puts(error, "reverse: the sandbox lists the oldest first");
    else if (!read_search(tree_get_text(field->arguments, "query"), &search))
        buf_puts(error, "query: the sandbox searches by updated_at, created_at and status:any");
    else if (!read_cursor(tree_get_text(field->arguments, "after"), &search))
        buf_puts(error, "Invalid cursor for current pagination sort.");
    if (error->len > 0)
        return NULL;
    json_object_object_del(field->arguments, "after");
    return list_orders(visit, field, &search);
}

/* The order of a global id, or NULL. */
static struct json_object *order_of(struct visit *visit, const char *gid)
{
    static const char prefix[] = "gid://shopify/Order/";
    int64_t id;
    if (gid == NULL || strncmp(gid, prefix, strlen(prefix)) != 0 ||
        text_to_int(gid + strlen(prefix), strlen(gid + strlen(prefix)), &id) != 0)
        return NULL;
    const struct sale *sale = shopify_find(visit->stand, id);
    if (sale != NULL)
        sale = stand_told(visit->sandbox, visit->stand, sale);
    return sale == NULL ? NULL : shopify_query_order(visit->stand, sale);
}

static struct json_object *resolve_nodes(struct visit *visit, const struct query_field *field)
{
    struct json_object *list = tree_array();
    struct json_object *ids = tree_get_array(field->arguments, "ids");
    for (size_t i = 0; ids != NULL && i < json_object_array_length(ids); i++)
        tree_add(list, order_of(visit, json_object_get_string(json_object_array_get_idx(ids, i))));
    return list;
}

/* What the front hears, one subscription a topic; Shopify deletes those that fail too often. */
static struct json_object *webhook_tree(const struct visit *visit, const char *topic, int64_t id)
{
    struct json_object *tree = tree_object();
    struct json_object *at = tree_object();
    struct json_object *api = tree_object();
    struct buf url = {0};
    char *gid = xasprintf("gid://shopify/WebhookSubscription/%lld", (long long)id);
    char *number = xasprintf("%lld", (long long)id);
    stand_webhook_url(visit->sandbox, visit->stand, &url);
    tree_text(tree, "id", gid);
    tree_text(tree, "legacyResourceId", number);
    tree_text(tree, "topic", topic);
    tree_text(tree, "uri", url.data);
    tree_text(tree, "callbackUrl", url.data);
    tree_text(tree, "format", "JSON");
    tree_time(tree, "createdAt", visit->stand->began);
    tree_time(tree, "updatedAt", visit->stand->began);
    tree_text(at, "callbackUrl", url.data);
    tree_put(tree, "endpoint", at);
    tree_text(api, "handle", visit->captures[0]);
    tree_put(tree, "apiVersion", api);
    free(gid);
    free(number);
    buf_free(&url);
    return tree;
}

static struct json_object *resolve_webhooks(const struct visit *visit)
{
    static const char *const topics[] = {"ORDERS_CREATE",    "ORDERS_PAID",    "ORDERS_UPDATED",
                                         "ORDERS_CANCELLED", "ORDERS_DELETE",  "REFUNDS_CREATE",
                                         "DISPUTES_CREATE",  "DISPUTES_UPDATE"};
    struct json_object *list = tree_array();
    bool gone = visit->stand->webhook_missing || visit->stand->webhook_disabled;
    for (size_t i = 0; !gone && i < sizeof(topics) / sizeof(topics[0]); i++)
        tree_add(list, webhook_tree(visit, topics[i], SHOPIFY_ID + (int64_t)i + 1));
    return list;
}

static struct json_object *resolve_shop(const struct visit *visit)
{
    struct json_object *tree = tree_object();
    char *domain = xasprintf("%s.myshopify.com", visit->stand->source);
    tree_text(tree, "id", "gid://shopify/Shop/1");
    tree_text(tree, "name", visit->stand->source);
    tree_text(tree, "myshopifyDomain", domain);
    free(domain);
    return tree;
}

/* Everything that the query begins with. */
static struct json_object *resolve(struct visit *visit, struct query_field *query,
                                   struct buf *error)
{
    struct json_object *tree = tree_object();
    for (size_t i = 0; i < query->count && error->len == 0; i++) {
        struct query_field *field = &query->fields[i];
        const char *name = field->name;
        struct json_object *value = NULL;
        if (strcmp(name, "orders") == 0)
            value = resolve_orders(visit, field, error);
        else if (strcmp(name, "order") == 0 || strcmp(name, "node") == 0)
            value = order_of(visit, tree_get_text(field->arguments, "id"));
        else if (strcmp(name, "nodes") == 0)
            value = resolve_nodes(visit, field);
        else if (strcmp(name, "webhookSubscriptions") == 0)
            value = resolve_webhooks(visit);
        else if (strcmp(name, "shop") == 0)
            value = resolve_shop(visit);
        tree_put(tree, name, value);
    }
    return tree;
}

/* Fills the bucket by the time that passed; returns its size. */
static int64_t refill(struct stand_shop *shop)
{
    int64_t size = shop->bucket_size > 0 ? shop->bucket_size : BUCKET;
    int64_t now = clock_monotonic();
    int64_t back = (now - shop->bucket_at) * (size / BUCKET_FILLS) / TIME_SECOND;
    if (shop->bucket_at == 0 || back >= shop->bucket_used) {
        shop->bucket_used = 0;
        shop->bucket_at = now;
    } else if (back > 0) {
        shop->bucket_used -= back;
        shop->bucket_at = now;
    }
    return size;
}

/* extensions.cost. */
static struct json_object *cost_tree(const struct stand_shop *shop, int64_t size, int64_t cost,
                                     bool paid)
{
    struct json_object *tree = tree_object();
    struct json_object *told = tree_object();
    struct json_object *throttle = tree_object();
    int64_t restored = size / BUCKET_FILLS;
    tree_number(told, "requestedQueryCost", cost);
    if (paid)
        tree_number(told, "actualQueryCost", cost);
    else
        tree_put(told, "actualQueryCost", NULL);
    tree_put(throttle, "maximumAvailable", json_object_new_double((double)size));
    tree_number(throttle, "currentlyAvailable", size - shop->bucket_used);
    tree_put(throttle, "restoreRate", json_object_new_double((double)restored));
    tree_put(told, "throttleStatus", throttle);
    tree_put(tree, "cost", told);
    return tree;
}

/* A query that cannot be answered, with status 200 as ever; takes `extensions`, which may be NULL.
 */
static void refuse(struct visit *visit, const char *code, const char *message,
                   struct json_object *extensions)
{
    struct json_object *tree = tree_object();
    struct json_object *errors = tree_array();
    struct json_object *error = tree_object();
    struct json_object *about = tree_object();
    tree_text(error, "message", message);
    tree_text(about, "code", code);
    tree_put(error, "extensions", about);
    tree_add(errors, error);
    tree_put(tree, "errors", errors);
    if (extensions != NULL)
        tree_put(tree, "extensions", extensions);
    stand_reply(visit, 200, NULL, tree);
}

/* Answers a query that was read and may be asked. */
static void answer(struct visit *visit, struct query_field *query)
{
    struct stand_shop *shop = visit->stand;
    struct buf error = {0};
    int64_t size = refill(shop);
    int64_t cost = query_cost(query, &root);
    int64_t dearest = size < DEAREST ? size : DEAREST;
    if (cost > dearest) {
        buf_printf(&error,
                   "Query cost is %lld, which exceeds the single query max cost limit (%lld)",
                   (long long)cost, (long long)dearest);
        refuse(visit, "MAX_COST_EXCEEDED", error.data, cost_tree(shop, size, cost, false));
    } else if (cost > size - shop->bucket_used) {
        refuse(visit, "THROTTLED", "Throttled", cost_tree(shop, size, cost, false));
    } else {
        shop->bucket_used += cost;
        struct json_object *value = resolve(visit, query, &error);
        if (error.len > 0) {
            refuse(visit, "INVALID", error.data, NULL);
        } else {
            struct json_object *tree = tree_object();
            tree_put(tree, "data", query_select(query, &root, value));
            tree_put(tree, "extensions", cost_tree(shop, size, cost, true));
            stand_reply(visit, 200, NULL, tree);
        }
        json_object_put(value);
    }
    buf_free(&error);
}

void shopify_graphql(struct visit *visit)
{
    size_t len = 0;
    const char *body = http_body(visit->request, &len);
    struct json_object *input = tree_parse(body, len);
    struct json_object *variables = NULL;
    struct buf error = {0};
    const char *text = input == NULL ? NULL : tree_get_text(input, "query");
    json_object_object_get_ex(input, "variables", &variables);
    struct query_field *query = text == NULL ? NULL : query_read(text, variables, &error);
    if (text == NULL)
        refuse(visit, "BAD_REQUEST", "No query was given.", NULL);
    else if (query == NULL)
        refuse(visit, "PARSE_ERROR", error.data, NULL);
    else if (!query_check(query, &root, &error))
        refuse(visit, "undefinedField", error.data, NULL);
    else
        answer(visit, query);
    query_free(query);
    json_object_put(input);
    buf_free(&error);
}
