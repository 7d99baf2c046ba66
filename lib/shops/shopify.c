#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/shopify.h"
#include "shops/signature.h"

/* What Shopify says of the money, and what that means for access. */
static const struct {
    const char *name;
    enum order_status status;
    bool was_paid;
} financial_statuses[] = {
    {"paid", ORDER_PAID, true},
    {"partially_refunded", ORDER_PAID, true},
    {"refunded", ORDER_REFUNDED, true},
    {"voided", ORDER_CANCELLED, false},
    {"pending", ORDER_PENDING, false},
    {"authorized", ORDER_PENDING, false},
    {"partially_paid", ORDER_PENDING, false},
    {"expired", ORDER_PENDING, false},
};

static const struct {
    const char *name;
    enum dispute_state state;
} chargebacks[] = {
    {"needs_response", DISPUTE_OPEN},
    {"under_review", DISPUTE_OPEN},
    {"won", DISPUTE_WON},
    {"lost", DISPUTE_LOST},
    {"accepted", DISPUTE_LOST},
    {"charge_refunded", DISPUTE_LOST},
    {"prevented", DISPUTE_NONE},
};

static int read_status(struct facts *facts, struct fact_snapshot *snapshot,
                       const struct json_object *root)
{
    const char *name = shop_json_text(root, "financial_status");
    bool known = !name, was_paid = false;
    snapshot->status = ORDER_PENDING;
    for (size_t i = 0; name && i < sizeof(financial_statuses) / sizeof(financial_statuses[0]); i++)
        if (strcmp(financial_statuses[i].name, name) == 0) {
            snapshot->status = financial_statuses[i].status;
            was_paid = financial_statuses[i].was_paid;
            known = true;
        }
    if (!known) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "`financial_status` is none that this version knows");
        return -1;
    }
    if (shop_json_member(root, "cancelled_at") && snapshot->status != ORDER_REFUNDED)
        snapshot->status = ORDER_CANCELLED;
    snapshot->paid_at = TIME_NONE;
    return was_paid ? shop_take_time(facts, root, "processed_at", &snapshot->paid_at) : 0;
}

/* `current_quantity` is what is left after refunds, returns and edits of the order. */
static int read_line(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *item)
{
    struct fact_line line = {
        .id = shop_json_id(item, "id", LIMIT_ORDER_ID),
        .product = shop_json_optional_id(item, "product_id", LIMIT_SELECTOR),
        .variant = shop_json_optional_id(item, "variant_id", LIMIT_SELECTOR),
        .sku = shop_json_id(item, "sku", LIMIT_SELECTOR),
        .quantity = shop_json_count(item, "quantity", -1),
    };
    int64_t left = shop_json_count(item, "current_quantity", line.quantity);
    line.refunded_quantity = left < line.quantity ? line.quantity - left : 0;
    if (left < 0)
        line.quantity = -1;
    return evidence_add_line(facts, snapshot, &line);
}

/* What was given back, by line; not all of it is known if one of them cannot be read. */
static int read_refund_lines(struct facts *facts, const struct json_object *refund,
                             struct fact_refund_line **lines, size_t *count, bool *known)
{
    struct json_object *items = shop_json_array(refund, "refund_line_items");
    *known = items != NULL;
    for (size_t i = 0; items && i < json_object_array_length(items); i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        int64_t quantity = shop_json_count(item, "quantity", 0);
        char *line_id = quantity < 0 ? NULL : shop_json_id(item, "line_item_id", LIMIT_ORDER_ID);
        if (!line_id)
            *known = false;
        else if (evidence_add_refund_line(facts, lines, count, line_id, quantity))
            return -1;
    }
    return 0;
}

/* The currency that one side of a pair of amounts is in, or "". */
static const char *side_currency(const struct json_object *pair, const char *side)
{
    const struct json_object *money = pair ? shop_json_object(pair, side) : NULL;
    const char *currency = money ? shop_json_text(money, "currency") : NULL;
    return currency ? currency : "";
}

/* Whether the buyer paid in another currency than the shop counts in: then the amount says nothing
 * about how much of the order's total went back. */
static bool is_foreign(const struct json_object *transaction)
{
    const struct json_object *pair = shop_json_object(transaction, "total_unsettled_set");
    return strcmp(side_currency(pair, "shop_money"), side_currency(pair, "presentment_money")) != 0;
}

/* What went back, as far as it is in the shop's own currency. */
static int64_t read_refund_amount(const struct json_object *refund)
{
    struct json_object *transactions = shop_json_array(refund, "transactions");
    int64_t total = 0;
    for (size_t i = 0; transactions && i < json_object_array_length(transactions); i++) {
        const struct json_object *transaction = json_object_array_get_idx(transactions, i);
        const char *kind = shop_json_text(transaction, "kind");
        const char *status = shop_json_text(transaction, "status");
        if (!kind || !status || strcmp(kind, "refund") != 0 || strcmp(status, "success") != 0 ||
            is_foreign(transaction))
            continue;
        total += shop_json_amount(transaction, "amount", 0);
        total = total > LIMIT_AMOUNT ? LIMIT_AMOUNT : total;
    }
    return total;
}

static int read_listed_refund(struct facts *facts, struct fact_snapshot *snapshot,
                              const struct json_object *item)
{
    char *id;
    if (shop_take_id(facts, item, "id", LIMIT_ORDER_ID, &id))
        return -1;
    struct fact_listed_refund *refund = evidence_add_listed_refund(facts, snapshot, id);
    if (!refund)
        return -1;
    refund->amount = read_refund_amount(item);
    return read_refund_lines(facts, item, &refund->lines, &refund->line_count,
                             &refund->lines_known);
}

static int read_lists(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *root)
{
    struct json_object *lines = shop_json_array(root, "line_items");
    for (size_t i = 0; i < json_object_array_length(lines); i++)
        if (read_line(facts, snapshot, json_object_array_get_idx(lines, i)))
            return -1;
    if (evidence_check_lines(facts, snapshot, json_object_array_length(lines)))
        return -1;
    snapshot->lines_known = true;
    struct json_object *refunds = shop_json_array(root, "refunds");
    for (size_t i = 0; refunds && i < json_object_array_length(refunds); i++)
        if (read_listed_refund(facts, snapshot, json_object_array_get_idx(refunds, i)))
            return -1;
    snapshot->lists_refunds = refunds != NULL;
    return 0;
}

/* The order's own address, else the one to contact, else the customer's: any of them may be null.
 */
static void read_address(struct fact_snapshot *snapshot, const struct json_object *root)
{
    const char *told[] = {
        shop_json_text(root, "email"),
        shop_json_text(root, "contact_email"),
        shop_json_text(shop_json_object(root, "customer"), "email"),
    };
    for (size_t i = 0; i < 3 && snapshot->address_state == ADDRESS_ABSENT; i++)
        evidence_set_address(snapshot, told[i]);
}

/* Test orders and live ones never mix; an order that does not say is taken as it is. */
static bool is_wrong_mode(const struct settings_source *source, const struct json_object *root)
{
    struct json_object *test = shop_json_member(root, "test");
    return json_object_is_type(test, json_type_boolean) &&
           json_object_get_boolean(test) == source->live;
}

/*
 * The shop states a refund of the whole order itself. While it does not, the refunds that it lists
 * are not the whole, whatever they come to: orders are edited, and money goes back in the buyer's
 * currency.
 */
static void disown_whole(struct fact_snapshot *snapshot)
{
    int64_t listed = 0;
    for (size_t i = 0; i < snapshot->refund_count; i++)
        listed += snapshot->refunds[i].amount;
    if (snapshot->total >= 0 && snapshot->total <= listed)
        snapshot->total = listed + 1;
}

/*
 * Which shop an order is of: the shop's number, which its status page's path begins with. The host
 * before that is no sign: one shop's orders lie on its own domain, on that of each market, and on
 * its myshopify.com name (Shopify's changelog of 2017-07-20). Without a number, that last name.
 */
static char *shop_of(const char *status_url)
{
    static const char named[] = ".myshopify.com";
    const char *path;
    char *host = evidence_host(status_url, &path);
    if (!host)
        return NULL;
    size_t digits = *path == '/' ? strspn(path + 1, "0123456789") : 0;
    size_t len = strlen(host);
    if (digits > 0 && digits <= 20 && path[1 + digits] == '/') {
        free(host);
        return xstrndup(path + 1, digits);
    }
    if (len > strlen(named) && strcmp(host + len - strlen(named), named) == 0)
        return host;
    free(host);
    return NULL;
}

void shopify_read_order(const struct settings_source *source, const struct json_object *root,
                        int64_t received_at, struct facts *facts)
{
    char *id;
    int64_t updated;
    if (is_wrong_mode(source, root)) {
        facts_set_aside(facts, SET_ASIDE_WRONG_MODE,
                        source->live ? "it is a test order, and this source has live = true"
                                     : "it is a live order, and this source has live = false");
        return;
    }
    if (shop_take_id(facts, root, "id", LIMIT_ORDER_ID, &id))
        return;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    free(id);
    order->identity = shop_of(shop_json_text(root, "order_status_url"));
    if (read_status(facts, snapshot, root) || shop_take_time(facts, root, "updated_at", &updated) ||
        read_lists(facts, snapshot, root))
        return;
    if (updated == TIME_NONE) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`updated_at` is missing");
        return;
    }
    evidence_set_time(snapshot, updated, received_at);
    snapshot->paid_at = evidence_time(snapshot->paid_at, received_at);
    snapshot->total = shop_json_amount(root, "total_price", -1);
    if (snapshot->status == ORDER_PAID)
        disown_whole(snapshot);
    snapshot->refunded_total = -1;
    read_address(snapshot, root);
    evidence_find_reference(snapshot, shop_json_array(root, "note_attributes"), "name", "value");
}

/* The order that `order_id` names, for evidence that comes without its order. */
static struct fact_order *take_order(struct facts *facts, const struct json_object *holder)
{
    char *id;
    if (shop_take_id(facts, holder, "order_id", LIMIT_ORDER_ID, &id))
        return NULL;
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    return order;
}

static void read_refund(const struct json_object *root, int64_t received_at, struct facts *facts)
{
    struct fact_order *order = take_order(facts, root);
    if (!order)
        return;
    struct fact_refund *refund = fact_add_refund(order);
    int64_t processed, created;
    if (shop_take_id(facts, root, "id", LIMIT_ORDER_ID, &refund->id) ||
        shop_take_time(facts, root, "processed_at", &processed) ||
        shop_take_time(facts, root, "created_at", &created) ||
        read_refund_lines(facts, root, &refund->lines, &refund->line_count, &refund->lines_known))
        return;
    if (!refund->lines_known) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "a line of the refund has no line_item_id or no whole quantity");
        return;
    }
    refund->amount = read_refund_amount(root);
    /* A shop may date the processing back, as imports do; the record itself it cannot. */
    int64_t told = processed > created ? processed : created;
    refund->time = told == TIME_NONE ? received_at : evidence_time(told, received_at);
    refund->state = REFUND_DONE;
}

/* How far ahead of its receipt the end of a day may lie: that day has begun somewhere. */
#define DAY_AHEAD (2 * TIME_DAY)

/*
 * One step of a dispute. Where only a day is told its end counts, so that how a dispute ended does
 * not lose against what happened earlier that day. That end is not cut to the receipt, or the same
 * words would have another time the next day.
 */
static int take_step_time(struct facts *facts, const struct json_object *root, const char *key,
                          int64_t received_at, int64_t *time)
{
    const char *text = shop_json_text(root, key);
    char moment[sizeof("YYYY-MM-DDT23:59:59Z")];
    if (!text || strlen(text) != strlen("YYYY-MM-DD") || shop_json_is_zero_date(text)) {
        if (shop_take_time(facts, root, key, time))
            return -1;
        *time = evidence_time(*time, received_at);
        return 0;
    }
    snprintf(moment, sizeof(moment), "%sT23:59:59Z", text);
    if (clock_parse(moment, strlen(moment), time)) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`%s` is not a time", key);
        return -1;
    }
    *time = evidence_time(*time, received_at + DAY_AHEAD);
    return 0;
}

/* The latest time that a dispute tells: each step of it adds one. */
static int take_dispute_time(struct facts *facts, const struct json_object *root,
                             int64_t received_at, int64_t *out)
{
    static const char *const steps[] = {"initiated_at", "evidence_sent_on", "finalized_on"};
    int64_t latest = TIME_NONE;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t time;
        if (take_step_time(facts, root, steps[i], received_at, &time))
            return -1;
        latest = time > latest ? time : latest;
    }
    *out = latest == TIME_NONE ? received_at : latest;
    return 0;
}

int shopify_chargeback_state(const char *status, enum dispute_state *out)
{
    for (size_t i = 0; i < sizeof(chargebacks) / sizeof(chargebacks[0]); i++)
        if (strcmp(chargebacks[i].name, status) == 0) {
            *out = chargebacks[i].state;
            return 0;
        }
    return -1;
}

static int take_dispute_state(struct facts *facts, const struct json_object *root,
                              enum dispute_state *state)
{
    const char *status = shop_json_text(root, "status");
    if (strcmp(shop_json_text(root, "type"), "inquiry") == 0) {
        *state = DISPUTE_INQUIRY;
        return 0;
    }
    if (shopify_chargeback_state(status, state) == 0)
        return 0;
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`status` is none that this version knows");
    return -1;
}

static void read_dispute(const struct json_object *root, int64_t received_at, struct facts *facts)
{
    if (!shop_json_member(root, "order_id")) {
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "the dispute belongs to no order");
        return;
    }
    struct fact_order *order = take_order(facts, root);
    if (!order)
        return;
    struct fact_dispute *dispute = fact_add_dispute(order);
    if (shop_take_id(facts, root, "id", LIMIT_ORDER_ID, &dispute->id) ||
        take_dispute_state(facts, root, &dispute->state) ||
        take_dispute_time(facts, root, received_at, &dispute->time))
        return;
    /* That it came to nothing is told with the time at which it began, and ends it all the same. */
    if (dispute->state == DISPUTE_NONE)
        dispute->time++;
}

static bool is_dispute(const struct json_object *root)
{
    const char *type = shop_json_text(root, "type");
    return shop_json_has(root, "order_id") && shop_json_text(root, "status") && type &&
           (strcmp(type, "chargeback") == 0 || strcmp(type, "inquiry") == 0);
}

static void read_hint(const struct json_object *holder, const char *key, struct facts *facts)
{
    char *id;
    if (shop_take_id(facts, holder, key, LIMIT_ORDER_ID, &id))
        return;
    fact_add_need(facts_add_order(facts, id, strlen(id)), NEED_ORDER, NULL, true);
    free(id);
}

/* The topic is not signed, so the body's shape says what it is. */
static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    struct json_object *root = shop_json_read_object(body, len, facts);
    if (!root)
        return;
    struct json_object *edit = shop_json_object(root, "order_edit");
    if (edit)
        read_hint(edit, "order_id", facts);
    else if (shop_json_is_only_id(root))
        read_hint(root, "id", facts);
    else if (shop_json_has(root, "order_id") && shop_json_array(root, "refund_line_items"))
        read_refund(root, received_at, facts);
    else if (is_dispute(root))
        read_dispute(root, received_at, facts);
    else if (shop_json_has(root, "id") && shop_json_has(root, "financial_status") &&
             shop_json_array(root, "line_items"))
        shopify_read_order(source, root, received_at, facts);
    else
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER,
                        "the body is no order, refund or dispute of Shopify");
    json_object_put(root);
}

static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    (void)id;
    (void)now;
    signature_sign_body(source, body, len, headers);
}

const struct shop_adapter shop_shopify = {
    .provider = PROVIDER_SHOPIFY,
    .verify = signature_verify_body,
    .read = read_delivery,
    .can_ask = shopify_can_ask,
    .fetch = shopify_fetch,
    .read_answer = shopify_read_answer,
    .sign = sign,
    .list = shopify_list,
    .read_listing = shopify_read_listing,
    .webhook = shopify_webhook,
    .read_webhook = shopify_read_webhook,
};
