#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/woocommerce.h"

#define ORDERS "/wp-json/wc/v3/orders/"
/* The most that one page may hold. An order with more refunds keeps the rest by amount alone. */
#define REFUNDS_PER_PAGE "100"

/* An id becomes part of a path, so nothing but digits may stand in it. */
static bool is_digits(const char *id)
{
    size_t len = strlen(id);
    return len > 0 && len <= 20 && strspn(id, "0123456789") == len;
}

bool woocommerce_can_ask(const struct settings_source *source)
{
    return credentials_has_basic(source);
}

int woocommerce_fetch(const struct settings_source *source, const char *order_id,
                      const struct fact_need *need, struct shop_fetch *out)
{
    static const char *const rest[] = {
        [NEED_ORDER] = "", [NEED_REFUNDS] = "/refunds?per_page=" REFUNDS_PER_PAGE};
    char *basic_auth;
    if ((need->kind != NEED_ORDER && need->kind != NEED_REFUNDS) || !is_digits(order_id))
        return -1;
    basic_auth = credentials_basic(source);
    if (!basic_auth)
        return -1;
    *out = (struct shop_fetch){
        .target = xasprintf(ORDERS "%s%s", order_id, rest[need->kind]),
        .basic_auth = basic_auth,
        .header = xstrdup("Accept: application/json"),
    };
    return 0;
}

/* The order line that a refund's line gives back, as its metadata names it; NULL if it does not. */
static char *refunded_item(const struct json_object *item)
{
    struct json_object *meta = shop_json_array(item, "meta_data");
    for (size_t i = 0; meta && i < json_object_array_length(meta); i++) {
        const struct json_object *entry = json_object_array_get_idx(meta, i);
        const char *key = shop_json_text(entry, "key");
        if (key && strcmp(key, "_refunded_item_id") == 0)
            return shop_json_optional_id(entry, "value", LIMIT_ORDER_ID);
    }
    return NULL;
}

/* A refund tells quantities below 0; 0 means that only an amount of the line was given back. */
static int read_refund_line(struct facts *facts, struct fact_refund *refund,
                            const struct json_object *item)
{
    int64_t quantity;
    if (shop_take_quantity(facts, item, "quantity", 0, &quantity))
        return -1;
    char *line_id = refunded_item(item);
    if (quantity == 0 || !line_id) {
        refund->lines_known = refund->lines_known && quantity == 0;
        free(line_id);
        return 0;
    }
    return evidence_add_refund_line(facts, &refund->lines, &refund->line_count, line_id,
                                    quantity < 0 ? -quantity : quantity);
}

static int read_refund(struct facts *facts, struct fact_order *order,
                       const struct json_object *item, const struct shop_answer *answer)
{
    struct fact_refund *refund = fact_add_refund(order);
    int64_t created;
    if (shop_take_id(facts, item, "id", LIMIT_ORDER_ID, &refund->id) ||
        shop_take_time(facts, item, "date_created_gmt", &created))
        return -1;
    refund->amount = shop_json_amount(item, "amount", 0);
    refund->time =
        created == TIME_NONE ? answer_date(answer) : evidence_time(created, answer_receipt(answer));
    refund->state = REFUND_DONE;
    refund->detail_only = true;
    refund->lines_known = true;
    struct json_object *lines = shop_json_array(item, "line_items");
    for (size_t i = 0; lines && i < json_object_array_length(lines); i++)
        if (read_refund_line(facts, refund, json_object_array_get_idx(lines, i)))
            return -1;
    refund->lines_known = refund->lines_known && lines;
    return 0;
}

/* Two refunds with one id would be one fact with two meanings. */
static bool has_twins(const struct fact_order *order)
{
    for (size_t i = 0; i < order->refund_count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(order->refunds[i].id, order->refunds[j].id) == 0)
                return true;
    return false;
}

static void read_refunds(const struct json_object *root, const struct shop_fetch *call,
                         const struct shop_answer *answer, struct facts *facts)
{
    struct fact_order *order = facts_add_order(facts, call->order_id, strlen(call->order_id));
    size_t count = json_object_array_length(root);
    if (count > LIMIT_ORDER_REFUNDS) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "the order has too many refunds");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct json_object *item = json_object_array_get_idx(root, i);
        woocommerce_set_identity(order, item);
        if (read_refund(facts, order, item, answer))
            return;
    }
    if (has_twins(order))
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "two refunds of the order have one id");
}

/* The shop says that there is no such order: what was known of it no longer gives anything. */
static void read_gone(const struct shop_fetch *call, const struct shop_answer *answer,
                      struct facts *facts)
{
    struct fact_snapshot *snapshot =
        fact_order_snapshot(facts_add_order(facts, call->order_id, strlen(call->order_id)));
    evidence_set_time(snapshot, answer->date, answer_receipt(answer));
    snapshot->read_at = snapshot->time;
    snapshot->from_api = true;
    snapshot->status = ORDER_CANCELLED;
    snapshot->paid_at = TIME_NONE;
    snapshot->total = -1;
    snapshot->refunded_total = -1;
}

static bool says_gone(const struct json_object *root)
{
    const char *code = shop_json_text(root, "code");
    return code && (strcmp(code, "woocommerce_rest_shop_order_invalid_id") == 0 ||
                    strcmp(code, "woocommerce_rest_invalid_order_id") == 0);
}

static enum shop_answer_verdict read_order_answer(const struct settings_source *source,
                                                  const struct json_object *root,
                                                  const struct shop_fetch *call,
                                                  const struct shop_answer *answer,
                                                  struct facts *facts, struct buf *detail)
{
    const char *why;
    if (!woocommerce_is_order(root, &why)) {
        buf_printf(detail, "the shop answered with something that is no order: %s", why);
        return SHOP_ANSWER_REFUSED;
    }
    woocommerce_read_order(root,
                           (struct woocommerce_origin){.source = source,
                                                       .received_at = answer_receipt(answer),
                                                       .from_api = true,
                                                       .read_at = answer_date(answer)},
                           facts);
    if (facts->order_count == 1 && strcmp(facts->orders[0].id, call->order_id) != 0)
        return answer_refuse(detail, "the shop answered with another order than was asked for");
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_json_answer(const struct settings_source *source,
                                                 const struct json_object *root,
                                                 const struct shop_fetch *call,
                                                 const struct shop_answer *answer,
                                                 struct facts *facts, struct buf *detail)
{
    if (answer->status == 404 && says_gone(root)) {
        read_gone(call, answer, facts);
        return SHOP_ANSWER_READ;
    }
    if (answer->status != 200)
        return answer_refuse(detail,
                             "the shop has no such address: check that api_url is the shop's "
                             "own and that WooCommerce's REST API is on");
    if (call->kind == NEED_ORDER)
        return read_order_answer(source, root, call, answer, facts, detail);
    if (!json_object_is_type(root, json_type_array))
        return answer_refuse(detail, "the shop answered with something that is no list of refunds");
    read_refunds(root, call, answer, facts);
    return SHOP_ANSWER_READ;
}

enum shop_answer_verdict woocommerce_read_answer(const struct settings_source *source,
                                                 const struct shop_fetch *call,
                                                 const struct shop_answer *answer,
                                                 struct facts *facts, struct buf *detail)
{
    static const struct answer_advice advice = {
        .key = "check that api_key_file holds ck_...:cs_... of a user who may read orders, and "
               "that api_url begins with https://",
        .address = "check that api_url is the shop's own and that its permalinks are on",
    };
    enum shop_answer_verdict verdict;
    struct json_object *root = answer_open(answer, &advice, &verdict, detail);
    if (!root)
        return verdict;
    verdict = read_json_answer(source, root, call, answer, facts, detail);
    json_object_put(root);
    return verdict;
}
