#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/evidence.h"
#include "shops/fastspring.h"
#include "shops/json.h"

/* The end of the year 9999, beyond which no time can be written. */
#define LAST_MILLISECOND INT64_C(253402300799999)
/* A product's path becomes the id of its lines, with room for a number behind it. */
#define PATH_MOST (LIMIT_ORDER_ID - sizeof("#1000"))

static int malformed(struct facts *facts, const char *key, const char *what)
{
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`%s` %s", key, what);
    return -1;
}

int fastspring_take_id(struct facts *facts, const struct json_object *holder, const char *key,
                       char **id)
{
    return shop_take_id(facts, holder, shop_json_member(holder, key) ? key : "id", LIMIT_ORDER_ID,
                        id);
}

int fastspring_take_link(struct facts *facts, const struct json_object *holder, const char *key,
                         char **id)
{
    const struct json_object *expanded = shop_json_object(holder, key);
    return expanded ? fastspring_take_id(facts, expanded, key, id)
                    : shop_take_optional_id(facts, holder, key, LIMIT_ORDER_ID, id);
}

int fastspring_take_time(struct facts *facts, const struct json_object *holder, const char *key,
                         int64_t absent, int64_t *time)
{
    struct json_object *member = shop_json_member(holder, key);
    if (!member) {
        *time = absent;
        return 0;
    }
    int64_t value = json_object_is_type(member, json_type_int) ? json_object_get_int64(member) : -1;
    if (value < 0 || value > LAST_MILLISECOND)
        return malformed(facts, key, "is no time in milliseconds");
    *time = value * (TIME_SECOND / 1000);
    return 0;
}

/* FastSpring computes with binary fractions and prints them all (46.120000000000005): what lies
 * beyond a millionth is no part of the amount. A double holds every amount within the limit to
 * that. */
int64_t fastspring_amount(const struct json_object *holder, const char *key)
{
    struct json_object *member = shop_json_member(holder, key);
    if (!json_object_is_type(member, json_type_double))
        return shop_json_amount(holder, key, -1);
    double value = json_object_get_double(member), micros = (value < 0 ? -value : value) * 1e6;
    return micros <= (double)LIMIT_AMOUNT ? (int64_t)(micros + 0.5) : -1;
}

void fastspring_add_need(struct fact_order *order, enum fact_need_kind kind, const char *place,
                         const char *id, bool essential)
{
    char *object = xasprintf("%s%s", place, id);
    fact_add_need(order, kind, object, essential);
    free(object);
}

struct fact_snapshot *fastspring_add_snapshot(struct fact_order *order, int64_t time,
                                              const struct fastspring_origin *origin)
{
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    evidence_set_time(snapshot, time, origin->received_at);
    snapshot->from_api = origin->from_api;
    snapshot->read_at = origin->from_api ? origin->received_at : 0;
    return snapshot;
}

/* An item has no id of its own. Its product's path is one, with a number where it stands twice. */
static char *line_id(const struct fact_snapshot *snapshot, const char *path)
{
    size_t same = 0;
    for (size_t i = 0; i < snapshot->line_count; i++)
        same += snapshot->lines[i].product && strcmp(snapshot->lines[i].product, path) == 0;
    return same == 0 ? xstrdup(path) : xasprintf("%s#%zu", path, same + 1);
}

/* The path of an item's product, which is the line's id as well. */
static int take_path(struct facts *facts, const struct json_object *item, char **path)
{
    const struct json_object *expanded = shop_json_object(item, "product");
    return shop_take_id(facts, expanded ? expanded : item, "product", PATH_MOST, path);
}

int fastspring_add_line(struct facts *facts, struct fact_snapshot *snapshot,
                        const struct json_object *item)
{
    const struct json_object *expanded = shop_json_object(item, "product");
    struct fact_line line = {
        .product = shop_json_id(expanded ? expanded : item, "product", PATH_MOST),
        .sku = shop_json_id(item, "sku", LIMIT_SELECTOR),
        .quantity = shop_json_count(item, "quantity", 1),
    };
    if (!line.sku)
        line.sku = shop_json_id(expanded, "sku", LIMIT_SELECTOR);
    line.id = line.product ? line_id(snapshot, line.product) : NULL;
    return evidence_add_line(facts, snapshot, &line);
}

/* What all parts of an order have in common. */
struct heading {
    const struct json_object *data;
    const struct fastspring_origin *origin;
    char *id;
    int64_t time;
    enum order_status status;
    size_t first; /* of its parts among the facts' orders */
};

/* Whoever the goods are for: the one recipient, who of a gift is not the buyer; else the account;
 * else whoever paid. */
static void read_buyer(struct fact_snapshot *snapshot, const struct json_object *data)
{
    struct json_object *recipients = shop_json_array(data, "recipients");
    const struct json_object *only =
        recipients && json_object_array_length(recipients) == 1
            ? shop_json_object(json_object_array_get_idx(recipients, 0), "recipient")
            : NULL;
    const char *told[] = {
        shop_json_text(only, "email"),
        shop_json_text(shop_json_object(shop_json_object(data, "account"), "contact"), "email"),
        shop_json_text(shop_json_object(data, "customer"), "email"),
    };
    for (size_t i = 0; i < 3 && snapshot->address_state == ADDRESS_ABSENT; i++)
        evidence_set_address(snapshot, told[i]);
    evidence_set_reference(snapshot,
                           shop_json_member(shop_json_object(data, "tags"), "miro_reference"));
}

/* An account that is no more than an id has to be asked for the address, unless a reference says
 * whose order it is. */
static int want_address(struct facts *facts, struct fact_order *order,
                        const struct json_object *data)
{
    char *account;
    if (order->snapshot->address_state != ADDRESS_ABSENT)
        return 0;
    if (fastspring_take_link(facts, data, "account", &account))
        return -1;
    if (account)
        fastspring_add_need(order, NEED_ADDRESS, FASTSPRING_ACCOUNTS, account,
                            !order->snapshot->reference);
    free(account);
    return 0;
}

static int start_part(struct facts *facts, const struct heading *heading, const char *id)
{
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    struct fact_snapshot *snapshot = fastspring_add_snapshot(order, heading->time, heading->origin);
    snapshot->status = heading->status;
    snapshot->lines_known = true;
    read_buyer(snapshot, heading->data);
    return heading->status == ORDER_PAID ? want_address(facts, order, heading->data) : 0;
}

/* The part of this id; SIZE_MAX: it could not be begun. */
static size_t part_of(struct facts *facts, const struct heading *heading, const char *id)
{
    size_t at = heading->first;
    while (at < facts->order_count && strcmp(facts->orders[at].id, id) != 0)
        at++;
    return at < facts->order_count || start_part(facts, heading, id) == 0 ? at : SIZE_MAX;
}

/* An item belongs to its subscription; others belong to the order itself, as do all of one that is
 * not paid: it may be the next payment of a subscription that runs, and says nothing of that. */
static int read_item(struct facts *facts, const struct heading *heading,
                     const struct json_object *item)
{
    bool paid = heading->status == ORDER_PAID;
    const struct json_object *expanded = paid ? shop_json_object(item, "subscription") : NULL;
    char *owner = NULL;
    if (paid && fastspring_take_link(facts, item, "subscription", &owner))
        return -1;
    size_t at = part_of(facts, heading, owner ? owner : heading->id);
    free(owner);
    if (at == SIZE_MAX || fastspring_add_line(facts, facts->orders[at].snapshot, item))
        return -1;
    return expanded ? fastspring_add_term(facts, &facts->orders[at], expanded, heading->origin) : 0;
}

/* Where all of it is one subscription, the order is another name of that, and its total is that
 * subscription's. */
static void finish_parts(struct facts *facts, const struct heading *heading)
{
    if (facts->order_count == heading->first && start_part(facts, heading, heading->id))
        return;
    if (facts->order_count != heading->first + 1)
        return;
    struct fact_order *only = &facts->orders[heading->first];
    if (strcmp(only->id, heading->id) != 0)
        fact_add_alias(only, heading->id);
    only->snapshot->total = fastspring_amount(heading->data, "total");
    only->snapshot->payment = xstrdup(heading->id);
}

static void read_parts(struct facts *facts, const struct heading *heading,
                       struct json_object *items)
{
    for (size_t i = 0; i < json_object_array_length(items); i++)
        if (read_item(facts, heading, json_object_array_get_idx(items, i)))
            return;
    for (size_t i = heading->first; i < facts->order_count; i++)
        if (evidence_check_lines(facts, facts->orders[i].snapshot, 1))
            return;
    finish_parts(facts, heading);
}

void fastspring_read_order(const struct json_object *data, enum order_status status,
                           const struct fastspring_origin *origin, struct facts *facts)
{
    struct heading heading = {
        .data = data, .origin = origin, .status = status, .first = facts->order_count};
    struct json_object *items = shop_json_array(data, "items");
    if (fastspring_take_id(facts, data, "order", &heading.id))
        return;
    if (!items)
        fastspring_add_need(facts_add_order(facts, heading.id, strlen(heading.id)), NEED_ORDER,
                            FASTSPRING_ORDERS, heading.id, true);
    else if (fastspring_take_time(facts, data, "changed", origin->event_at, &heading.time) == 0)
        read_parts(facts, &heading, items);
    free(heading.id);
}

/*
 * What of a return's items counts as given back. A return of less money than its items cost gave
 * back money alone.
 */
static int read_return_lines(struct facts *facts, struct fact_refund *refund,
                             const struct json_object *data)
{
    struct json_object *items = shop_json_array(data, "items");
    int64_t returned = fastspring_amount(data, "subtotal"), sum = 0;
    refund->lines_known = items != NULL;
    for (size_t i = 0; items && i < json_object_array_length(items); i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        int64_t quantity, cost = fastspring_amount(item, "subtotal");
        char *path;
        if (shop_take_quantity(facts, item, "quantity", 1, &quantity) ||
            take_path(facts, item, &path) ||
            evidence_add_refund_line(facts, &refund->lines, &refund->line_count, path, quantity))
            return -1;
        sum = cost > LIMIT_AMOUNT - sum ? LIMIT_AMOUNT : sum + (cost > 0 ? cost : 0);
    }
    if (returned < 0 || sum <= returned)
        return 0;
    for (size_t i = 0; i < refund->line_count; i++)
        free(refund->lines[i].line_id);
    xfree(refund->lines);
    refund->line_count = 0;
    refund->lines_known = false;
    return 0;
}

/* The one subscription that all items of a return name; *id NULL if there is no such one. */
static int take_return_owner(struct facts *facts, const struct json_object *data, char **id)
{
    struct json_object *items = shop_json_array(data, "items");
    char *owner = NULL;
    for (size_t i = 0; items && i < json_object_array_length(items); i++) {
        char *one;
        if (fastspring_take_link(facts, json_object_array_get_idx(items, i), "subscription",
                                 &one)) {
            free(owner);
            return -1;
        }
        bool same = one && (!owner || strcmp(owner, one) == 0);
        free(owner);
        owner = same ? one : NULL;
        if (!same) {
            free(one);
            break;
        }
    }
    *id = owner;
    return 0;
}

/* The order of a return or chargeback; who owns that may have to be asked, for a subscription's
 * payments are its other names. */
static struct fact_order *add_payment_order(struct facts *facts, const char *payment_id,
                                            const char *owner)
{
    const char *id = owner ? owner : payment_id;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    if (!owner)
        fastspring_add_need(order, NEED_OWNER, FASTSPRING_ORDERS, payment_id, false);
    return order;
}

static void read_refund(struct facts *facts, struct fact_refund *refund,
                        const struct json_object *data, const struct fastspring_origin *origin)
{
    struct json_object *completed = shop_json_member(data, "completed");
    int64_t time;
    if (fastspring_take_id(facts, data, "return", &refund->id) ||
        fastspring_take_time(facts, data, "changed", origin->event_at, &time) ||
        read_return_lines(facts, refund, data))
        return;
    refund->time = evidence_time(time, origin->received_at);
    int64_t amount = fastspring_amount(data, "totalReturn");
    refund->amount = amount < 0 ? 0 : amount;
    refund->state =
        json_object_is_type(completed, json_type_boolean) && !json_object_get_boolean(completed)
            ? REFUND_PENDING
            : REFUND_DONE;
}

void fastspring_read_return(const struct json_object *data, const struct fastspring_origin *origin,
                            struct facts *facts)
{
    const struct json_object *original = shop_json_object(data, "original");
    char *payment_id, *owner;
    if (original ? fastspring_take_id(facts, original, "order", &payment_id)
                 : shop_take_id(facts, data, "original", LIMIT_ORDER_ID, &payment_id))
        return;
    if (take_return_owner(facts, data, &owner) == 0) {
        struct fact_order *order = add_payment_order(facts, payment_id, owner);
        struct fact_refund *refund = fact_add_refund(order);
        refund->payment = xstrdup(payment_id);
        read_refund(facts, refund, data, origin);
        free(owner);
    }
    free(payment_id);
}

/* What the processor says of a chargeback; FastSpring documents the first alone. */
static const struct {
    const char *name;
    enum dispute_state state;
} chargebacks[] = {
    {"NEW", DISPUTE_OPEN},      {"OPEN", DISPUTE_OPEN},    {"PENDING", DISPUTE_OPEN},
    {"WON", DISPUTE_WON},       {"REVERSED", DISPUTE_WON}, {"LOST", DISPUTE_LOST},
    {"ACCEPTED", DISPUTE_LOST},
};

static int take_chargeback_state(struct facts *facts, const struct json_object *data,
                                 enum dispute_state *state)
{
    const char *name = shop_json_text(data, "status");
    for (size_t i = 0; i < sizeof(chargebacks) / sizeof(chargebacks[0]); i++)
        if (!name || strcmp(chargebacks[i].name, name) == 0) {
            *state = chargebacks[i].state;
            return 0;
        }
    return malformed(facts, "status", "is none that this version knows");
}

void fastspring_read_chargeback(const struct json_object *data,
                                const struct fastspring_origin *origin, struct facts *facts)
{
    char *payment_id, *id = NULL;
    enum dispute_state state;
    if (fastspring_take_id(facts, data, "order", &payment_id))
        return;
    if (shop_take_optional_id(facts, data, "processorCaseId", LIMIT_ORDER_ID, &id) == 0 &&
        take_chargeback_state(facts, data, &state) == 0) {
        struct fact_dispute *dispute = fact_add_dispute(add_payment_order(facts, payment_id, NULL));
        dispute->id = xstrdup(id ? id : payment_id);
        /* Its own date is a text for people. */
        dispute->time = origin->event_at;
        dispute->state = state;
    }
    free(id);
    free(payment_id);
}
