#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/json.h"
#include "shops/shopify.h"

/* So many refunds and disputes of an order have room in a page: a list without a cursor. */
#define REFUNDS 4
#define DISPUTES 100

/* An order seldom has more. With more, each page would cost more of the shop's points than it gives
 * an app in a second. */
const char shopify_graph_order[] =
    "{legacyResourceId test email updatedAt processedAt cancelledAt displayFinancialStatus "
    "totalPriceSet{shopMoney{amount}}"
    "customer{defaultEmailAddress{emailAddress}}"
    "customAttributes{key value}"
    "lineItems(first:10){pageInfo{hasNextPage}nodes{id sku quantity currentQuantity "
    "product{legacyResourceId}variant{legacyResourceId}}}"
    "refunds(first:4){legacyResourceId "
    "refundLineItems(first:10){pageInfo{hasNextPage}nodes{quantity lineItem{id}}}"
    "transactions(first:4){pageInfo{hasNextPage}nodes{kind status "
    "amountSet{shopMoney{amount currencyCode}presentmentMoney{currencyCode}}}}}"
    "disputes{id initiatedAs status}}";

/* Puts a member, which may be absent, under another name. */
static void put_as(struct json_object *to, const char *name, struct json_object *value)
{
    if (value)
        json_object_object_add(to, name, json_object_get(value));
}

/* The same of a word that GraphQL writes in capitals. */
static void put_word(struct json_object *to, const char *name, const struct json_object *from,
                     const char *key)
{
    const char *word = shop_json_text(from, key);
    if (!word)
        return;
    char *small = xstrdup(word);
    for (char *at = small; *at; at++)
        *at = text_lower(*at);
    json_object_object_add(to, name, json_object_new_string(small));
    free(small);
}

/* The number at the end of "gid://shopify/LineItem/466157049": what REST calls the id. */
static void put_number_of(struct json_object *to, const char *name, const struct json_object *from)
{
    const char *gid = shop_json_text(from, "id");
    const char *slash = gid ? strrchr(gid, '/') : NULL;
    if (slash)
        json_object_object_add(to, name, json_object_new_string(slash + 1));
}

/* The elements of a connection, and whether there are more. */
static struct json_object *nodes_of(const struct json_object *holder, const char *key, bool *cut)
{
    const struct json_object *connection = shop_json_object(holder, key);
    struct json_object *more =
        shop_json_member(shop_json_object(connection, "pageInfo"), "hasNextPage");
    *cut |= json_object_is_type(more, json_type_boolean) && json_object_get_boolean(more);
    return shop_json_array(connection, "nodes");
}

/* A list made of another, element by element; what is no list gives none. */
static void put_list(struct json_object *to, const char *name, struct json_object *list,
                     struct json_object *(*make)(const struct json_object *, bool *cut), bool *cut)
{
    if (!list)
        return;
    struct json_object *made = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(list); i++)
        json_object_array_add(made, make(json_object_array_get_idx(list, i), cut));
    json_object_object_add(to, name, made);
}

static struct json_object *make_line(const struct json_object *node, bool *cut)
{
    (void)cut;
    struct json_object *line = json_object_new_object();
    put_number_of(line, "id", node);
    put_as(line, "sku", shop_json_member(node, "sku"));
    put_as(line, "quantity", shop_json_member(node, "quantity"));
    put_as(line, "current_quantity", shop_json_member(node, "currentQuantity"));
    put_as(line, "product_id",
           shop_json_member(shop_json_object(node, "product"), "legacyResourceId"));
    put_as(line, "variant_id",
           shop_json_member(shop_json_object(node, "variant"), "legacyResourceId"));
    return line;
}

static struct json_object *make_refund_line(const struct json_object *node, bool *cut)
{
    (void)cut;
    struct json_object *line = json_object_new_object();
    put_number_of(line, "line_item_id", shop_json_object(node, "lineItem"));
    put_as(line, "quantity", shop_json_member(node, "quantity"));
    return line;
}

/* The currency of one side of a pair of amounts. */
static struct json_object *make_side(const struct json_object *pair, const char *side)
{
    struct json_object *money = json_object_new_object();
    put_as(money, "currency", shop_json_member(shop_json_object(pair, side), "currencyCode"));
    return money;
}

static struct json_object *make_transaction(const struct json_object *node, bool *cut)
{
    (void)cut;
    const struct json_object *pair = shop_json_object(node, "amountSet");
    struct json_object *transaction = json_object_new_object();
    struct json_object *sides = json_object_new_object();
    put_word(transaction, "kind", node, "kind");
    put_word(transaction, "status", node, "status");
    put_as(transaction, "amount", shop_json_member(shop_json_object(pair, "shopMoney"), "amount"));
    json_object_object_add(sides, "shop_money", make_side(pair, "shopMoney"));
    json_object_object_add(sides, "presentment_money", make_side(pair, "presentmentMoney"));
    json_object_object_add(transaction, "total_unsettled_set", sides);
    return transaction;
}

static struct json_object *make_refund(const struct json_object *node, bool *cut)
{
    struct json_object *refund = json_object_new_object();
    put_as(refund, "id", shop_json_member(node, "legacyResourceId"));
    put_list(refund, "refund_line_items", nodes_of(node, "refundLineItems", cut), make_refund_line,
             cut);
    put_list(refund, "transactions", nodes_of(node, "transactions", cut), make_transaction, cut);
    return refund;
}

static struct json_object *make_note(const struct json_object *attribute, bool *cut)
{
    (void)cut;
    struct json_object *note = json_object_new_object();
    put_as(note, "name", shop_json_member(attribute, "key"));
    put_as(note, "value", shop_json_member(attribute, "value"));
    return note;
}

static struct json_object *make_customer(const struct json_object *node)
{
    const struct json_object *address =
        shop_json_object(shop_json_object(node, "customer"), "defaultEmailAddress");
    struct json_object *customer = json_object_new_object();
    put_as(customer, "email", shop_json_member(address, "emailAddress"));
    return customer;
}

struct json_object *shopify_graph_rest(const struct json_object *node, bool *cut)
{
    static const struct {
        const char *name, *key;
    } same[] = {
        {"id", "legacyResourceId"},
        {"test", "test"},
        {"email", "email"},
        {"updated_at", "updatedAt"},
        {"processed_at", "processedAt"},
        {"cancelled_at", "cancelledAt"},
    };
    struct json_object *order = json_object_new_object();
    struct json_object *refunds = shop_json_array(node, "refunds");
    *cut = refunds && json_object_array_length(refunds) >= REFUNDS;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        put_as(order, same[i].name, shop_json_member(node, same[i].key));
    put_word(order, "financial_status", node, "displayFinancialStatus");
    put_as(order, "total_price",
           shop_json_member(shop_json_object(shop_json_object(node, "totalPriceSet"), "shopMoney"),
                            "amount"));
    json_object_object_add(order, "customer", make_customer(node));
    put_list(order, "note_attributes", shop_json_array(node, "customAttributes"), make_note, cut);
    put_list(order, "line_items", nodes_of(node, "lineItems", cut), make_line, cut);
    put_list(order, "refunds", refunds, make_refund, cut);
    return order;
}

/* Adds one chargeback. What began as an inquiry may have become one since; the list does not tell.
 */
static void add_dispute(const struct json_object *node, struct fact_order *order)
{
    const char *kind = shop_json_text(node, "initiatedAs");
    struct json_object *shaped = json_object_new_object();
    enum dispute_state state;
    put_number_of(shaped, "id", node);
    put_word(shaped, "status", node, "status");
    const char *status = shop_json_text(shaped, "status");
    char *id = shop_json_id(shaped, "id", LIMIT_ORDER_ID);
    if (id && kind && strcmp(kind, "CHARGEBACK") == 0 && status &&
        shopify_chargeback_state(status, &state) == 0) {
        struct fact_dispute *dispute = fact_add_dispute(order);
        dispute->id = id;
        dispute->state = state;
        dispute->time = order->snapshot->time;
        id = NULL;
    }
    free(id);
    json_object_put(shaped);
}

void shopify_graph_disputes(const struct json_object *node, struct fact_order *order)
{
    struct json_object *disputes = shop_json_array(node, "disputes");
    for (size_t i = 0; disputes && i < json_object_array_length(disputes) && i < DISPUTES; i++)
        add_dispute(json_object_array_get_idx(disputes, i), order);
}
