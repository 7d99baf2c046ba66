#include "shopify_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define VIA "-05:00"
#define VIA_US (-5 * TIME_HOUR)

/* The sale's own id is that of its part 0. */
int64_t shopify_order_id(const struct sale *sale)
{
    return SHOPIFY_ID + sale->number * SALE_PARTS;
}

/* Only orders have the id of part 0. */
struct sale *shopify_find(const struct stand_shop *shop, int64_t id)
{
    if (id < SHOPIFY_ID || (id - SHOPIFY_ID) % SALE_PARTS != 0)
        return NULL;
    return stand_find(shop, (id - SHOPIFY_ID) / SALE_PARTS);
}

/* In the shop's own zone, which is not UTC. */
static void put_time(struct json_object *tree, const char *key, int64_t time)
{
    char text[TIME_TEXT];
    if (time == TIME_NONE) {
        tree_text(tree, key, NULL);
        return;
    }
    clock_format((time / TIME_SECOND) * TIME_SECOND + VIA_US, text);
    char *zoned = xasprintf("%.*s%s", (int)strcspn(text, "Z"), text, VIA);
    tree_text(tree, key, zoned);
    free(zoned);
}

/* A number where the catalogue names the product by one, as Shopify always does. */
static void put_id(struct json_object *tree, const char *key, const char *id)
{
    int64_t number;
    if (id != NULL && text_to_int(id, strlen(id), &number) == 0)
        tree_number(tree, key, number);
    else
        tree_text(tree, key, id);
}

static bool stands(const struct sale_refund *refund)
{
    return refund->state == SALE_REFUND_DONE;
}

/* What Shopify says of the money. */
static const char *financial_status(const struct sale *sale)
{
    int64_t back = sale_refunded(sale);
    if (sale->state == SALE_UNPAID)
        return "pending";
    if (sale->state == SALE_VOIDED)
        return "voided";
    if (back == 0)
        return "paid";
    return back >= sale_total(sale) ? "refunded" : "partially_refunded";
}

/* The only payment, or NULL. */
static const struct sale_payment *payment_of(const struct sale *sale)
{
    return sale->payment_count == 0 ? NULL : &sale->payments[0];
}

static struct json_object *line_tree(const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", SHOPIFY_ID + item->id);
    tree_text(tree, "name", item->name);
    tree_text(tree, "title", item->name);
    put_id(tree, "product_id", item->product);
    put_id(tree, "variant_id", item->variant);
    tree_text(tree, "sku", item->sku);
    tree_number(tree, "quantity", item->quantity);
    tree_number(tree, "current_quantity", item->quantity - item->refunded);
    tree_number(tree, "fulfillable_quantity", item->quantity - item->refunded);
    stand_put_money(tree, "price", item->cents);
    tree_bool(tree, "requires_shipping", false);
    tree_put(tree, "properties", tree_array());
    return tree;
}

/* One address three times, or nowhere. */
static void put_buyer(struct json_object *tree, const struct stand_shop *shop,
                      const struct sale *sale)
{
    const char *email = shop->hide_addresses || sale->email[0] == '\0' ? NULL : sale->email;
    struct json_object *customer = tree_object();
    tree_number(customer, "id", SHOPIFY_ID - sale->number);
    tree_text(customer, "email", email);
    tree_text(tree, "email", email);
    tree_text(tree, "contact_email", email);
    tree_put(tree, "customer", customer);
}

static void put_notes(struct json_object *tree, const struct sale *sale)
{
    struct json_object *notes = tree_array();
    if (sale->reference != NULL) {
        struct json_object *note = tree_object();
        tree_text(note, "name", "miro_reference");
        tree_text(note, "value", sale->reference);
        tree_add(notes, note);
    }
    tree_put(tree, "note_attributes", notes);
}

static void put_times(struct json_object *tree, const struct sale *sale)
{
    const struct sale_payment *payment = payment_of(sale);
    bool gone = sale->state == SALE_VOIDED;
    put_time(tree, "created_at", sale->created);
    put_time(tree, "updated_at", sale->updated);
    put_time(tree, "processed_at",
             payment != NULL && payment->paid != TIME_NONE ? payment->paid : sale->created);
    put_time(tree, "cancelled_at", gone ? sale->updated : TIME_NONE);
    tree_text(tree, "cancel_reason", gone ? "declined" : NULL);
}

struct json_object *shopify_order_tree(const struct stand_shop *shop, const struct sale *sale)
{
    struct json_object *tree = tree_object();
    struct json_object *lines = tree_array();
    char *gid = xasprintf("gid://shopify/Order/%lld", (long long)shopify_order_id(sale));
    char *name = xasprintf("#%lld", (long long)sale->number);
    tree_number(tree, "id", shopify_order_id(sale));
    tree_text(tree, "admin_graphql_api_id", gid);
    tree_text(tree, "name", name);
    tree_number(tree, "order_number", sale->number);
    tree_bool(tree, "test", !sale->live);
    tree_text(tree, "currency", "USD");
    tree_text(tree, "financial_status", financial_status(sale));
    tree_text(tree, "fulfillment_status", NULL);
    stand_put_money(tree, "total_price", sale_total(sale));
    stand_put_money(tree, "current_total_price", sale_total(sale) - sale_refunded(sale));
    put_buyer(tree, shop, sale);
    put_times(tree, sale);
    put_notes(tree, sale);
    for (size_t i = 0; i < sale->item_count; i++)
        tree_add(lines, line_tree(&sale->items[i]));
    tree_put(tree, "line_items", lines);
    tree_put(tree, "refunds", shopify_refunds_tree(sale));
    free(gid);
    free(name);
    return tree;
}

static struct json_object *refund_line_tree(const struct sale *sale,
                                            const struct sale_refund *refund, size_t at)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", SHOPIFY_ID + refund->id * SALE_ITEMS + (int64_t)at);
    tree_number(tree, "line_item_id", SHOPIFY_ID + sale->items[at].id);
    tree_number(tree, "quantity", refund->quantities[at]);
    tree_text(tree, "restock_type", "no_restock");
    stand_put_money(tree, "subtotal", refund->quantities[at] * sale->items[at].cents);
    return tree;
}

static struct json_object *transaction_tree(const struct sale *sale,
                                            const struct sale_refund *refund)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", SHOPIFY_ID + refund->id);
    tree_number(tree, "order_id", shopify_order_id(sale));
    tree_text(tree, "kind", "refund");
    tree_text(tree, "status", "success");
    stand_put_money(tree, "amount", refund->cents);
    tree_text(tree, "currency", "USD");
    put_time(tree, "created_at", refund->created);
    return tree;
}

struct json_object *shopify_refund_tree(const struct sale *sale, const struct sale_refund *refund)
{
    struct json_object *tree = tree_object();
    struct json_object *lines = tree_array();
    struct json_object *transactions = tree_array();
    tree_number(tree, "id", SHOPIFY_ID + refund->id);
    tree_number(tree, "order_id", shopify_order_id(sale));
    put_time(tree, "created_at", refund->updated);
    put_time(tree, "processed_at", refund->updated);
    tree_text(tree, "note", refund->reason);
    tree_bool(tree, "restock", false);
    for (size_t i = 0; i < refund->count; i++)
        if (refund->quantities[i] > 0)
            tree_add(lines, refund_line_tree(sale, refund, i));
    tree_put(tree, "refund_line_items", lines);
    if (refund->cents > 0)
        tree_add(transactions, transaction_tree(sale, refund));
    tree_put(tree, "transactions", transactions);
    tree_put(tree, "order_adjustments", tree_array());
    return tree;
}

struct json_object *shopify_refunds_tree(const struct sale *sale)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->refund_count; i++)
        if (stands(&sale->refunds[i]))
            tree_add(list, shopify_refund_tree(sale, &sale->refunds[i]));
    return list;
}

static const char *const dispute_words[] = {
    [SALE_DISPUTE_INQUIRY] = "needs_response",
    [SALE_DISPUTE_OPEN] = "needs_response",
    [SALE_DISPUTE_WON] = "won",
    [SALE_DISPUTE_LOST] = "lost",
};

struct json_object *shopify_dispute_tree(const struct sale *sale,
                                         const struct sale_dispute *dispute)
{
    struct json_object *tree = tree_object();
    bool over = dispute->state == SALE_DISPUTE_WON || dispute->state == SALE_DISPUTE_LOST;
    tree_number(tree, "id", SHOPIFY_ID + dispute->id);
    tree_number(tree, "order_id", shopify_order_id(sale));
    tree_text(tree, "type", dispute->inquiry ? "inquiry" : "chargeback");
    stand_put_money(tree, "amount", dispute->cents);
    tree_text(tree, "currency", "USD");
    tree_text(tree, "reason", "fraudulent");
    tree_text(tree, "network_reason_code", "4837");
    tree_text(tree, "status", dispute_words[dispute->state]);
    tree_text(tree, "evidence_due_by", NULL);
    tree_text(tree, "evidence_sent_on", NULL);
    put_time(tree, "finalized_on", over ? dispute->updated : TIME_NONE);
    put_time(tree, "initiated_at", dispute->created);
    return tree;
}
