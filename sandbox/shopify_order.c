#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shopify_json.h"

/*
 * An order as GraphQL tells it, with every member of its type, of which a query picks.
 */

/* In UTC, as GraphQL writes times. */
static void put_time(struct json_object *tree, const char *key, int64_t time)
{
    tree_time(tree, key, time == TIME_NONE ? time : (time / TIME_SECOND) * TIME_SECOND);
}

/* The same amount twice: the shop and its buyers count in one currency. */
static void put_bag(struct json_object *tree, const char *key, int64_t cents)
{
    static const char *const sides[] = {"shopMoney", "presentmentMoney"};
    struct json_object *bag = tree_object();
    for (size_t i = 0; i < 2; i++) {
        struct json_object *money = tree_object();
        stand_put_money(money, "amount", cents);
        tree_text(money, "currencyCode", "USD");
        tree_put(bag, sides[i], money);
    }
    tree_put(tree, key, bag);
}

/* id and legacyResourceId of an object of ours. */
static void put_ids(struct json_object *tree, const char *type, int64_t id)
{
    char *gid = xasprintf("gid://shopify/%s/%lld", type, (long long)id);
    char *number = xasprintf("%lld", (long long)id);
    tree_text(tree, "id", gid);
    tree_text(tree, "legacyResourceId", number);
    free(gid);
    free(number);
}

/* A product or variant by the id that the sale names, or null. */
static void put_named(struct json_object *tree, const char *key, const char *type, const char *id,
                      const struct sale_item *item)
{
    if (id == NULL) {
        tree_put(tree, key, NULL);
        return;
    }
    struct json_object *named = tree_object();
    char *gid = xasprintf("gid://shopify/%s/%s", type, id);
    tree_text(named, "id", gid);
    tree_text(named, "legacyResourceId", id);
    tree_text(named, "title", item->name);
    tree_text(named, "sku", item->sku);
    tree_text(named, "handle", id);
    tree_put(tree, key, named);
    free(gid);
}

static struct json_object *line_tree(const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    put_ids(tree, "LineItem", SHOPIFY_ID + item->id);
    tree_text(tree, "name", item->name);
    tree_text(tree, "title", item->name);
    tree_text(tree, "sku", item->sku);
    tree_number(tree, "quantity", item->quantity);
    tree_number(tree, "currentQuantity", item->quantity - item->refunded);
    tree_number(tree, "refundableQuantity", item->quantity - item->refunded);
    tree_bool(tree, "isGiftCard", false);
    put_named(tree, "product", "Product", item->product, item);
    put_named(tree, "variant", "ProductVariant", item->variant, item);
    put_bag(tree, "originalUnitPriceSet", item->cents);
    tree_put(tree, "customAttributes", tree_array());
    return tree;
}

static struct json_object *refund_line_tree(const struct sale *sale,
                                            const struct sale_refund *refund, size_t at)
{
    struct json_object *tree = tree_object();
    put_ids(tree, "RefundLineItem", SHOPIFY_ID + refund->id * SALE_ITEMS + (int64_t)at);
    tree_number(tree, "quantity", refund->quantities[at]);
    tree_text(tree, "restockType", "NO_RESTOCK");
    tree_bool(tree, "restocked", false);
    tree_put(tree, "lineItem", line_tree(&sale->items[at]));
    put_bag(tree, "subtotalSet", refund->quantities[at] * sale->items[at].cents);
    return tree;
}

static struct json_object *transaction_tree(const struct sale *sale,
                                            const struct sale_refund *refund)
{
    struct json_object *tree = tree_object();
    put_ids(tree, "OrderTransaction", SHOPIFY_ID + refund->id);
    tree_text(tree, "kind", "REFUND");
    tree_text(tree, "status", "SUCCESS");
    tree_bool(tree, "test", !sale->live);
    tree_text(tree, "gateway", "bogus");
    put_time(tree, "createdAt", refund->created);
    put_time(tree, "processedAt", refund->updated);
    put_bag(tree, "amountSet", refund->cents);
    return tree;
}

static struct json_object *refund_tree(const struct sale *sale, const struct sale_refund *refund)
{
    struct json_object *tree = tree_object();
    struct json_object *lines = tree_array();
    struct json_object *transactions = tree_array();
    put_ids(tree, "Refund", SHOPIFY_ID + refund->id);
    put_time(tree, "createdAt", refund->updated);
    put_time(tree, "processedAt", refund->updated);
    put_time(tree, "updatedAt", refund->updated);
    tree_text(tree, "note", refund->reason);
    put_bag(tree, "totalRefundedSet", refund->cents);
    for (size_t i = 0; i < refund->count; i++)
        if (refund->quantities[i] > 0)
            tree_add(lines, refund_line_tree(sale, refund, i));
    tree_put(tree, "refundLineItems", lines);
    if (refund->cents > 0)
        tree_add(transactions, transaction_tree(sale, refund));
    tree_put(tree, "transactions", transactions);
    return tree;
}

static struct json_object *refunds_tree(const struct sale *sale)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->refund_count; i++)
        if (sale->refunds[i].state == SALE_REFUND_DONE)
            tree_add(list, refund_tree(sale, &sale->refunds[i]));
    return list;
}

static const char *const dispute_words[] = {
    [SALE_DISPUTE_INQUIRY] = "NEEDS_RESPONSE",
    [SALE_DISPUTE_OPEN] = "NEEDS_RESPONSE",
    [SALE_DISPUTE_WON] = "WON",
    [SALE_DISPUTE_LOST] = "LOST",
};

static struct json_object *disputes_tree(const struct sale *sale)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->dispute_count; i++) {
        const struct sale_dispute *dispute = &sale->disputes[i];
        struct json_object *tree = tree_object();
        put_ids(tree, "OrderDisputeSummary", SHOPIFY_ID + dispute->id);
        tree_text(tree, "initiatedAs", dispute->inquiry ? "INQUIRY" : "CHARGEBACK");
        tree_text(tree, "status", dispute_words[dispute->state]);
        tree_add(list, tree);
    }
    return list;
}

/* The shop may hide who bought. */
static void put_buyer(struct json_object *tree, const struct stand_shop *shop,
                      const struct sale *sale)
{
    const char *email = shop->hide_addresses || sale->email[0] == '\0' ? NULL : sale->email;
    struct json_object *customer = tree_object();
    put_ids(customer, "Customer", SHOPIFY_ID - sale->number);
    tree_text(tree, "email", email);
    tree_text(customer, "email", email);
    tree_text(customer, "displayName", shop->hide_addresses ? NULL : sale->name);
    if (email == NULL) {
        tree_put(customer, "defaultEmailAddress", NULL);
    } else {
        struct json_object *address = tree_object();
        tree_text(address, "emailAddress", email);
        tree_put(customer, "defaultEmailAddress", address);
    }
    tree_put(tree, "customer", customer);
}

static const char *financial_status(const struct sale *sale)
{
    int64_t back = sale_refunded(sale);
    if (sale->state == SALE_UNPAID)
        return "PENDING";
    if (sale->state == SALE_VOIDED)
        return "VOIDED";
    if (back == 0)
        return "PAID";
    return back >= sale_total(sale) ? "REFUNDED" : "PARTIALLY_REFUNDED";
}

static void put_standing(struct json_object *tree, const struct sale *sale)
{
    bool gone = sale->state == SALE_VOIDED;
    const struct sale_payment *payment = sale_last_payment(sale);
    bool paid = payment != NULL && payment->paid != TIME_NONE;
    tree_bool(tree, "test", !sale->live);
    tree_text(tree, "currencyCode", "USD");
    tree_text(tree, "note", NULL);
    tree_text(tree, "displayFinancialStatus", financial_status(sale));
    tree_text(tree, "displayFulfillmentStatus", "UNFULFILLED");
    tree_bool(tree, "fullyPaid", sale->state == SALE_PAID);
    put_time(tree, "createdAt", sale->created);
    put_time(tree, "updatedAt", sale->updated);
    put_time(tree, "processedAt", paid ? sale->payments[0].paid : sale->created);
    put_time(tree, "cancelledAt", gone ? sale->updated : TIME_NONE);
    tree_text(tree, "cancelReason", gone ? "DECLINED" : NULL);
    put_time(tree, "closedAt", TIME_NONE);
    put_bag(tree, "totalPriceSet", sale_total(sale));
    put_bag(tree, "currentTotalPriceSet", sale_total(sale) - sale_refunded(sale));
    put_bag(tree, "totalRefundedSet", sale_refunded(sale));
}

struct json_object *shopify_query_order(const struct stand_shop *shop, const struct sale *sale)
{
    struct json_object *tree = tree_object();
    struct json_object *lines = tree_array();
    struct json_object *attributes = tree_array();
    char *name = xasprintf("#%lld", (long long)sale->number);
    put_ids(tree, "Order", shopify_order_id(sale));
    tree_text(tree, "name", name);
    free(name);
    put_standing(tree, sale);
    put_buyer(tree, shop, sale);
    for (size_t i = 0; i < sale->item_count; i++)
        tree_add(lines, line_tree(&sale->items[i]));
    tree_put(tree, "lineItems", lines);
    if (sale->reference != NULL) {
        struct json_object *attribute = tree_object();
        tree_text(attribute, "key", "miro_reference");
        tree_text(attribute, "value", sale->reference);
        tree_add(attributes, attribute);
    }
    tree_put(tree, "customAttributes", attributes);
    tree_put(tree, "refunds", refunds_tree(sale));
    tree_put(tree, "disputes", disputes_tree(sale));
    return tree;
}
