#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/lemonsqueezy.h"

static const struct {
    const char *name;
    enum order_status status;
    bool was_paid;
} statuses[] = {
    {"paid", ORDER_PAID, true},         {"partial_refund", ORDER_PAID, true},
    {"refunded", ORDER_REFUNDED, true}, {"pending", ORDER_PENDING, false},
    {"failed", ORDER_PENDING, false},   {"fraudulent", ORDER_CANCELLED, false},
};

/* Sets status and time of payment; an order is made when it is paid, and keeps that date. */
static int read_status(struct facts *facts, struct fact_snapshot *snapshot,
                       const struct json_object *attributes, int64_t received_at)
{
    const char *name = shop_json_text(attributes, "status");
    for (size_t i = 0; name && i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (strcmp(statuses[i].name, name) != 0)
            continue;
        snapshot->status = statuses[i].status;
        if (!statuses[i].was_paid)
            return 0;
        if (shop_take_time(facts, attributes, "created_at", &snapshot->paid_at))
            return -1;
        snapshot->paid_at = evidence_time(snapshot->paid_at, received_at);
        return 0;
    }
    facts_set_aside(facts, SET_ASIDE_MALFORMED,
                    "`status` of the order is none that this version knows");
    return -1;
}

/* The first item stands in the order itself; samples of it have no id. */
static int read_first_item(struct facts *facts, struct fact_snapshot *snapshot,
                           const struct json_object *attributes)
{
    const struct json_object *item = shop_json_object(attributes, "first_order_item");
    char *id = NULL;
    if (!item)
        return 0;
    if (shop_json_member(item, "id") && lemonsqueezy_take_id(facts, item, "id", "", &id))
        return -1;
    snapshot->lines_known = true;
    return lemonsqueezy_add_line(facts, snapshot, id, item, item) ||
                   evidence_check_lines(facts, snapshot, 1)
               ? -1
               : 0;
}

static bool is_item(const struct json_object *object)
{
    const char *type = shop_json_text(object, "type");
    return type && strcmp(type, "order-items") == 0;
}

/* Reads those that are items of the list, all of this order. */
static int read_item_list(struct facts *facts, struct fact_snapshot *snapshot, const char *order_id,
                          struct json_object *list)
{
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        const struct json_object *object = json_object_array_get_idx(list, i);
        const struct json_object *attributes = shop_json_object(object, "attributes");
        char *id = NULL, *owner = NULL;
        if (!is_item(object))
            continue;
        if (shop_json_member(attributes, "order_id") &&
            lemonsqueezy_take_id(facts, attributes, "order_id", "", &owner))
            return -1;
        bool foreign = owner && strcmp(owner, order_id) != 0;
        free(owner);
        if (foreign)
            continue;
        if (lemonsqueezy_take_id(facts, object, "id", "", &id) ||
            lemonsqueezy_add_line(facts, snapshot, id, attributes, attributes))
            return -1;
        snapshot->lines_known = true;
    }
    return evidence_check_lines(facts, snapshot, snapshot->lines_known ? 1 : 0);
}

/*
 * What the list of items cannot tell of the order that they are of, so that the snapshot made of
 * them stands beside the one they complete:
 *
 *     object = time "." paid-at "." total      in microseconds and millionths, 0 for not told
 */
static void need_items(struct fact_order *order, bool essential)
{
    const struct fact_snapshot *snapshot = order->snapshot;
    int64_t time = snapshot->time_flagged ? snapshot->time_claimed : snapshot->time;
    if (time <= 0)
        return;
    char *object = xasprintf("%lld.%lld.%lld", (long long)time,
                             (long long)(snapshot->paid_at > 0 ? snapshot->paid_at : 0),
                             (long long)(snapshot->total > 0 ? snapshot->total : 0));
    fact_add_need(order, NEED_LINES, object, essential);
    free(object);
}

static int parse_object(const char *object, int64_t parts[3])
{
    for (int i = 0; i < 3; i++) {
        size_t len = strcspn(object, ".");
        if (text_to_int(object, len, &parts[i]) || (object[len] == '.') != (i < 2))
            return -1;
        object += len + 1;
    }
    return 0;
}

int lemonsqueezy_read_items(const char *order_id, const char *object, struct json_object *items,
                            int64_t date, struct facts *facts)
{
    int64_t parts[3];
    if (parse_object(object, parts))
        return -1;
    struct fact_order *order = facts_add_order(facts, order_id, strlen(order_id));
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    evidence_set_time(snapshot, parts[0], date);
    snapshot->from_api = true;
    snapshot->read_at = date;
    snapshot->status = ORDER_PAID;
    snapshot->paid_at = parts[1] > 0 ? parts[1] : TIME_NONE;
    snapshot->total = parts[2] > 0 ? parts[2] : -1;
    snapshot->payment = xstrdup(LEMONSQUEEZY_FIRST_REFUND);
    return read_item_list(facts, snapshot, order_id, items) || snapshot->lines_known ? 0 : -1;
}

/*
 * The items that came along, else the first; the others have to be asked for. A read that names the
 * first alone must not take the place of one that named them all: where the shop can be asked, what
 * was paid for is asked for with its order, and until then what was known of its lines stands.
 */
static int read_lines(const struct settings_source *source, struct facts *facts,
                      struct fact_order *order, const struct json_object *attributes,
                      struct json_object *included)
{
    struct fact_snapshot *snapshot = order->snapshot;
    if (read_item_list(facts, snapshot, order->id, included))
        return -1;
    if (snapshot->lines_known)
        return 0;
    if (!snapshot->from_api && snapshot->status == ORDER_PAID && shop_has_api(source)) {
        fact_add_need(order, NEED_ORDER, NULL, true);
        return 0;
    }
    if (!snapshot->from_api && read_first_item(facts, snapshot, attributes))
        return -1;
    if (snapshot->status == ORDER_PAID)
        need_items(order, !snapshot->lines_known);
    return 0;
}

void lemonsqueezy_read_order(const struct settings_source *source, const struct json_object *object,
                             struct json_object *included,
                             const struct lemonsqueezy_evidence *evidence, struct facts *facts)
{
    const struct json_object *attributes = shop_json_object(object, "attributes");
    char *id;
    int64_t time;
    if (lemonsqueezy_is_wrong_mode(source, object, evidence, facts) ||
        lemonsqueezy_take_id(facts, object, "id", "", &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    if (lemonsqueezy_take_time(facts, attributes, &time))
        return;
    struct fact_snapshot *snapshot = lemonsqueezy_add_snapshot(order, attributes, time, evidence);
    snapshot->payment = xstrdup(LEMONSQUEEZY_FIRST_REFUND);
    if (read_status(facts, snapshot, attributes, evidence->received_at) ||
        shop_take_minor(facts, attributes, "total", shop_json_text(attributes, "currency"), -1,
                        &snapshot->total) ||
        read_lines(source, facts, order, attributes, included) ||
        lemonsqueezy_add_refund(facts, order, attributes, LEMONSQUEEZY_FIRST_REFUND,
                                snapshot->time))
        return;
}
