#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "route.h"
#include "standard_polar.h"

/*
 * The stand-in for shops without an adapter: the project's own order shape under the signature of
 * Standard Webhooks, or Polar's events. Such shops have no API that anybody could ask.
 *
 * The own shape knows no subscriptions: one that has ended or is paused is a cancelled order. Money
 * that goes back without an item stands nowhere until all of it has.
 */

void standard_send(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                   const char *type, struct json_object *data)
{
    struct json_object *tree = tree_object();
    char *id = xasprintf("msg_%s_%lld", shop->source, (long long)stand_next_event(shop));
    tree_text(tree, "type", type);
    tree_time(tree, "timestamp", sale->updated);
    tree_put(tree, "data", data);
    stand_send_tree(sandbox, shop, sale, type, id, NULL, tree);
    free(id);
}

/* An open or lost chargeback; an inquiry takes nothing. */
static bool is_disputed(const struct sale *sale)
{
    for (size_t i = 0; i < sale->dispute_count; i++)
        if (sale->disputes[i].state == SALE_DISPUTE_OPEN ||
            sale->disputes[i].state == SALE_DISPUTE_LOST)
            return true;
    return false;
}

static const char *status_of(const struct sale *sale)
{
    int64_t total = sale_total(sale);
    if (sale->state == SALE_UNPAID)
        return "pending";
    if (sale->state == SALE_VOIDED || sale->state == SALE_DELETED)
        return "cancelled";
    if (is_disputed(sale))
        return "disputed";
    if (total > 0 && sale_refunded(sale) >= total)
        return "refunded";
    bool over = sale_has_term(sale) &&
                (sale->term.state == SALE_EXPIRED || sale->term.state == SALE_PAUSED);
    return over ? "cancelled" : "paid";
}

static struct json_object *line_tree(const struct sale_item *item)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", item->id);
    tree_text(tree, "product", item->product);
    tree_text(tree, "variant", item->variant);
    tree_text(tree, "sku", item->sku);
    tree_number(tree, "quantity", item->quantity);
    tree_number(tree, "refunded_quantity", item->refunded);
    return tree;
}

static struct json_object *order_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    struct json_object *lines = tree_array();
    struct json_object *metadata = tree_object();
    char *id = xasprintf("A-%lld", (long long)sale->number);
    bool paid = sale->state == SALE_PAID;
    tree_text(tree, "id", id);
    tree_text(tree, "status", status_of(sale));
    tree_text(tree, "email", sale->email);
    tree_time(tree, "updated_at", sale->updated);
    tree_time(tree, "paid_at",
              !paid                      ? TIME_NONE
              : sale->payment_count == 0 ? sale->created
                                         : sale->payments[0].paid);
    for (size_t i = 0; i < sale->item_count; i++)
        tree_add(lines, line_tree(&sale->items[i]));
    tree_put(tree, "lines", lines);
    if (sale->reference != NULL)
        tree_text(metadata, "miro_reference", sale->reference);
    tree_put(tree, "metadata", metadata);
    free(id);
    return tree;
}

static void tell(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    if (shop->polar)
        standard_tell_polar(sandbox, shop, sale, event, part);
    else
        standard_send(sandbox, shop, sale,
                      event == SALE_EVENT_CREATED ? "order.created" : "order.updated",
                      order_tree(sale));
}

static void fail(struct visit *visit, int status, const char *headers, const char *message)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "error", message);
    stand_reply(visit, status, headers, tree);
}

static bool authenticate(struct visit *visit)
{
    (void)visit;
    return true;
}

static const struct route routes[] = {
    {NULL, NULL, ROUTE_OPEN, NULL},
};

const struct stand stand_standard = {
    .provider = PROVIDER_STANDARD,
    .routes = routes,
    .authenticate = authenticate,
    .fail = fail,
    .tell = tell,
};
