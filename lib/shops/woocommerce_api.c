#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
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

/*
 * "user:password" for Basic authentication, from a key file with `ck_...:cs_...` in one line, or
 * with the key in the first line and the secret in the second; NULL if it holds neither.
 */
static char *credentials(const struct settings_source *source)
{
    const struct secret_list *keys = &source->api_keys;
    struct buf out = {0};
    if (keys->count == 0)
        return NULL;
    buf_append(&out, keys->items[0].bytes, keys->items[0].len);
    if (!memchr(out.data, ':', out.len) && keys->count >= 2) {
        buf_putc(&out, ':');
        buf_append(&out, keys->items[1].bytes, keys->items[1].len);
    }
    const char *colon = memchr(out.data, ':', out.len);
    if (!colon || colon == out.data || colon == out.data + out.len - 1 ||
        out.len > LIMIT_SHOP_CREDENTIALS) {
        buf_wipe(&out);
        return NULL;
    }
    return buf_take(&out);
}

static int fetch(const struct settings_source *source, enum shop_fetch_kind kind,
                 const char *order_id, const char *rest, struct shop_fetch *out)
{
    char *basic_auth = is_digits(order_id) ? credentials(source) : NULL;
    if (!basic_auth)
        return -1;
    *out = (struct shop_fetch){
        .kind = kind,
        .order_id = xstrdup(order_id),
        .target = xasprintf(ORDERS "%s%s", order_id, rest),
        .basic_auth = basic_auth,
        .header = xstrdup("Accept: application/json"),
    };
    return 0;
}

int woocommerce_fetch_order(const struct settings_source *source, const char *order_id,
                            struct shop_fetch *out)
{
    return fetch(source, SHOP_FETCH_ORDER, order_id, "", out);
}

int woocommerce_fetch_refunds(const struct settings_source *source, const char *order_id,
                              struct shop_fetch *out)
{
    return fetch(source, SHOP_FETCH_REFUNDS, order_id, "/refunds?per_page=" REFUNDS_PER_PAGE, out);
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

/* When the answer came, by our clock where the caller says it. */
static int64_t receipt_of(const struct shop_answer *answer)
{
    return answer->received_at ? answer->received_at : answer->date;
}

/* When the shop says that it answered; a shop whose clock is ahead must not rule until it is then.
 */
static int64_t date_of(const struct shop_answer *answer)
{
    return evidence_time(answer->date, receipt_of(answer));
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
        created == TIME_NONE ? date_of(answer) : evidence_time(created, receipt_of(answer));
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
    for (size_t i = 0; i < count; i++)
        if (read_refund(facts, order, json_object_array_get_idx(root, i), answer))
            return;
    if (has_twins(order))
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "two refunds of the order have one id");
}

/* The shop says that there is no such order: what was known of it no longer gives anything. */
static void read_gone(const struct shop_fetch *call, const struct shop_answer *answer,
                      struct facts *facts)
{
    struct fact_snapshot *snapshot =
        fact_order_snapshot(facts_add_order(facts, call->order_id, strlen(call->order_id)));
    evidence_set_time(snapshot, answer->date, receipt_of(answer));
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

static enum shop_answer_verdict refused(struct buf *detail, const char *sentence)
{
    buf_puts(detail, sentence);
    return SHOP_ANSWER_REFUSED;
}

static enum shop_answer_verdict read_order_answer(const struct json_object *root,
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
                           (struct woocommerce_origin){.received_at = receipt_of(answer),
                                                       .from_api = true,
                                                       .read_at = date_of(answer)},
                           facts);
    if (facts->order_count == 1 && strcmp(facts->orders[0].id, call->order_id) != 0)
        return refused(detail, "the shop answered with another order than was asked for");
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_json_answer(const struct json_object *root,
                                                 const struct shop_fetch *call,
                                                 const struct shop_answer *answer,
                                                 struct facts *facts, struct buf *detail)
{
    if (answer->status == 404 && says_gone(root)) {
        read_gone(call, answer, facts);
        return SHOP_ANSWER_READ;
    }
    if (answer->status != 200)
        return refused(detail, "the shop has no such address: check that api_url is the shop's "
                               "own and that WooCommerce's REST API is on");
    if (call->kind == SHOP_FETCH_ORDER)
        return read_order_answer(root, call, answer, facts, detail);
    if (!json_object_is_type(root, json_type_array))
        return refused(detail, "the shop answered with something that is no list of refunds");
    read_refunds(root, call, answer, facts);
    return SHOP_ANSWER_READ;
}

static bool is_json_type(const char *content_type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;
    return content_type && strncasecmp(content_type, json, len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

/* The bytes of the mark that a plugin's file, saved with one, puts before everything the shop says.
 */
static size_t byte_order_mark(const struct shop_answer *answer)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t len = sizeof(mark) - 1;
    return answer->len >= len && memcmp(answer->body, mark, len) == 0 ? len : 0;
}

enum shop_answer_verdict woocommerce_read_answer(const struct settings_source *source,
                                                 const struct shop_fetch *call,
                                                 const struct shop_answer *answer,
                                                 struct facts *facts, struct buf *detail)
{
    (void)source;
    const char *why = "it is not JSON";
    if (answer->status == 401 || answer->status == 403) {
        buf_printf(detail,
                   "the shop refused the key (%d): check that api_key_file holds ck_...:cs_... of "
                   "a user who may read orders, and that api_url begins with https://",
                   answer->status);
        return SHOP_ANSWER_REFUSED;
    }
    if (answer->status != 200 && answer->status != 404) {
        buf_printf(detail, "the shop answered %d", answer->status);
        return SHOP_ANSWER_LATER;
    }
    size_t mark = byte_order_mark(answer);
    struct json_object *root = is_json_type(answer->content_type)
                                   ? shop_json_read(answer->body + mark, answer->len - mark, &why)
                                   : NULL;
    if (!root && answer->status == 404)
        return refused(detail, "the shop has no such address: check that api_url is the shop's "
                               "own and that its permalinks are on");
    if (!root) {
        buf_printf(detail, "the shop's answer cannot be read: %s", why);
        return SHOP_ANSWER_LATER;
    }
    enum shop_answer_verdict verdict = read_json_answer(root, call, answer, facts, detail);
    json_object_put(root);
    return verdict;
}
