/*
 * Asking Gumroad, whose answers are the only evidence about a sale.
 *
 * A sale of a subscription is told under the subscription's id, with the sale as an alias: each
 * renewal is another sale.
 *
 * No sale and no subscriber has a time of change. A sale's snapshot has the time at which it was
 * made, and of two that differ the one read later counts: so an old payment that is looked at again
 * says nothing about the latest one, and a sale that is read a hundred times without a change is
 * one fact. A subscription's state has no time at all, for the same reason.
 *
 * Of a partial refund Gumroad tells that there was one, and no line or number, so it takes nothing;
 * a whole one is the sale's own status.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/gumroad.h"
#include "shops/json.h"

#define API "/v2/"
/* A sale is of one product. */
#define LINE_ID "1"
/* The time of a subscription's state, whichever object told it: when it was read decides. */
#define NO_TIME INT64_C(0)

/* A member that is true; null and absent ones are not. */
static bool is_true(const struct json_object *holder, const char *key)
{
    struct json_object *member = shop_json_member(holder, key);
    return json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether the path after API is a resource and an id that was percent-encoded. */
static bool is_path(const char *path, size_t len)
{
    static const char safe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%";
    size_t prefix = begins_with(path, GUMROAD_SALES)         ? strlen(GUMROAD_SALES)
                    : begins_with(path, GUMROAD_SUBSCRIBERS) ? strlen(GUMROAD_SUBSCRIBERS)
                                                             : len;
    /* "." and ".." are unreserved too, and would lead elsewhere. */
    return len > prefix && path[prefix] != '.' && strspn(path + prefix, safe) >= len - prefix;
}

/* The path of a need, without the reference that it may carry; NULL if there is no such call. */
static char *path_of(const char *order_id, const char *object)
{
    struct buf path = {0};
    if (object) {
        buf_append(&path, object, strcspn(object, "?"));
    } else {
        buf_puts(&path, GUMROAD_SALES);
        buf_url_encode(&path, order_id, strlen(order_id));
    }
    if (path.len > 0 && is_path(path.data, path.len))
        return buf_take(&path);
    buf_free(&path);
    return NULL;
}

int gumroad_fetch(const struct settings_source *source, const char *order_id,
                  const struct fact_need *need, struct shop_fetch *out)
{
    if (need->kind != NEED_ORDER && need->kind != NEED_LINES)
        return -1;
    char *path = path_of(order_id, need->object);
    char *bearer = path ? credentials_bearer(source) : NULL;
    if (bearer)
        *out = (struct shop_fetch){
            .target = xasprintf(API "%s", path),
            .header = bearer,
            .header2 = xstrdup("Accept: application/json"),
        };
    free(path);
    return bearer ? 0 : -1;
}

/* Whether the object that came is the one that was asked for. */
static bool is_asked(const struct shop_fetch *call, const char *resource, const char *id)
{
    char *asked = path_of(call->order_id, call->object);
    struct buf came = {0};
    buf_puts(&came, resource);
    buf_url_encode(&came, id, strlen(id));
    bool same = asked && strcmp(asked, came.data) == 0;
    buf_free(&came);
    free(asked);
    return same;
}

/* What a sale comes to. A preorder is not charged before the product is there. */
static enum order_status status_of(const struct json_object *sale)
{
    if (is_true(sale, "refunded"))
        return ORDER_REFUNDED;
    if (is_true(sale, "preorder_cancelled"))
        return ORDER_CANCELLED;
    return is_true(sale, "is_preorder_authorization") ? ORDER_PENDING : ORDER_PAID;
}

/* The variants' names, as the buyer chose them: {"Tier": "Pro", "Size": "L"} is "Pro, L". */
static char *variant_of(const struct json_object *sale)
{
    struct json_object *told = shop_json_object(sale, "variants");
    struct buf text = {0};
    if (!told)
        return shop_json_id(sale, "variants", LIMIT_SELECTOR);
    json_object_object_foreach(told, category, name)
    {
        char *one = shop_json_id(told, category, LIMIT_SELECTOR);
        (void)name;
        if (one)
            buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", one);
        free(one);
    }
    if (text.len > 0 && text.len <= LIMIT_SELECTOR)
        return buf_take(&text);
    buf_free(&text);
    return NULL;
}

/* The permalink itself, also where it is told as the product's whole address (as pings do). */
static void cut_permalink(char *permalink)
{
    char *slash = permalink ? strrchr(permalink, '/') : NULL;
    if (slash && slash[1])
        memmove(permalink, slash + 1, strlen(slash + 1) + 1);
}

/* A gift is two sales: the giver's, which gives the giver nothing, and the receiver's. */
static int read_line(struct facts *facts, struct fact_snapshot *snapshot,
                     const struct json_object *sale)
{
    struct fact_line line = {0};
    snapshot->lines_known = true;
    if (shop_take_id(facts, sale, "product_id", LIMIT_SELECTOR, &line.product))
        return -1;
    if (is_true(sale, "is_gift_sender_purchase")) {
        evidence_free_line(&line);
        return 0;
    }
    line.id = xstrdup(LINE_ID);
    line.product2 = shop_json_id(sale, "product_permalink", LIMIT_SELECTOR);
    line.variant = variant_of(sale);
    line.quantity = shop_json_count(sale, "quantity", 1);
    cut_permalink(line.product2);
    return evidence_add_line(facts, snapshot, &line) || evidence_check_lines(facts, snapshot, 1)
               ? -1
               : 0;
}

/* `price` is in cents of a dollar, whatever the currency of the listing. */
static int read_money(struct facts *facts, struct fact_snapshot *snapshot,
                      const struct json_object *sale)
{
    if (shop_take_minor(facts, sale, "price", NULL, -1, &snapshot->total))
        return -1;
    snapshot->status = status_of(sale);
    snapshot->refunded_total = snapshot->status == ORDER_REFUNDED ? snapshot->total : -1;
    snapshot->lists_refunds =
        snapshot->status != ORDER_REFUNDED && !is_true(sale, "partially_refunded");
    return 0;
}

/* The reference that the ping carried, unless Gumroad itself tells one. */
static void read_buyer(struct fact_snapshot *snapshot, const struct json_object *sale,
                       const char *object)
{
    const char *carried = object ? strchr(object, '?') : NULL;
    evidence_set_address(snapshot, shop_json_text(sale, "email"));
    if (snapshot->address_state == ADDRESS_ABSENT)
        evidence_set_address(snapshot, shop_json_text(sale, "purchase_email"));
    evidence_set_reference(
        snapshot, shop_json_member(shop_json_object(sale, "url_params"), "miro_reference"));
    if (carried && !snapshot->reference)
        snapshot->reference = xstrdup(carried + 1);
}

/* A chargeback is told by the sale alone: open until it is won, and there is no other end. Gumroad
 * never takes back that there was one, so its states follow each other without a time of theirs. */
static void add_dispute(struct fact_order *order, const struct json_object *sale, const char *id,
                        int64_t time)
{
    bool won = is_true(sale, "dispute_won");
    if (!won && !is_true(sale, "disputed") && !is_true(sale, "chargedback"))
        return;
    struct fact_dispute *dispute = fact_add_dispute(order);
    dispute->id = xstrdup(id);
    dispute->time = time;
    dispute->state = won ? DISPUTE_WON : DISPUTE_OPEN;
}

/*
 * What a sale tells of its subscription. `cancelled` may lie ahead, and only the subscriber tells
 * when. `free_trial_ended` is false without a trial too. That it is over is told without a date:
 * nothing is given from the payment on.
 */
static void read_term(struct fact_order *order, const struct json_object *sale, int64_t date)
{
    bool over = is_true(sale, "ended") || is_true(sale, "dead");
    bool trial = shop_json_member(sale, "free_trial_ends_on") && !is_true(sale, "free_trial_ended");
    if (!over && is_true(sale, "cancelled")) {
        gumroad_add_need(order, NEED_ORDER, GUMROAD_SUBSCRIBERS, order->id, NULL, true);
        return;
    }
    struct fact_subscription *subscription = fact_order_subscription(order);
    *subscription = (struct fact_subscription){
        .time = NO_TIME,
        .from_api = true,
        .read_at = date,
        .state = over    ? SUBSCRIPTION_CANCELLED
                 : trial ? SUBSCRIPTION_TRIAL
                         : SUBSCRIPTION_ACTIVE,
        .paid_until = over ? order->snapshot->time : TIME_NONE,
        .unpaid_since = TIME_NONE,
    };
}

/* Fills the order of a sale, whichever id it has. */
static int read_sale(struct facts *facts, struct fact_order *order, const struct json_object *sale,
                     const struct shop_fetch *call, int64_t date)
{
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    int64_t created;
    if (shop_take_time(facts, sale, "created_at", &created) || read_money(facts, snapshot, sale) ||
        read_line(facts, snapshot, sale))
        return -1;
    evidence_set_time(snapshot, created != TIME_NONE ? created : date, date);
    if (snapshot->status == ORDER_PAID || snapshot->status == ORDER_REFUNDED)
        snapshot->paid_at = created == TIME_NONE ? TIME_NONE : evidence_time(created, date);
    snapshot->from_api = true;
    snapshot->read_at = date;
    read_buyer(snapshot, sale, call->object);
    return 0;
}

/* Adds the sale's order: the subscription's if it has one, with the sale as an alias. */
static enum shop_answer_verdict add_sale(struct facts *facts, const struct json_object *sale,
                                         const char *id, const char *subscription_id,
                                         const struct shop_fetch *call, int64_t date)
{
    const char *order_id = subscription_id ? subscription_id : id;
    struct fact_order *order = facts_add_order(facts, order_id, strlen(order_id));
    if (subscription_id)
        fact_add_alias(order, id);
    if (read_sale(facts, order, sale, call, date))
        return SHOP_ANSWER_READ;
    order->snapshot->payment = xstrdup(id);
    add_dispute(order, sale, id, order->snapshot->time);
    /* Read for what it sold, it is not asked about the subscription, which named it. */
    if (subscription_id && call->kind == NEED_ORDER)
        read_term(order, sale, date);
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_sale_answer(const struct settings_source *source,
                                                 const struct json_object *sale,
                                                 const struct shop_fetch *call, int64_t date,
                                                 struct facts *facts, struct buf *detail)
{
    char *id = NULL, *subscription_id = NULL;
    enum shop_answer_verdict verdict = SHOP_ANSWER_READ;
    struct json_object *test = shop_json_member(sale, "test");
    if (shop_take_id(facts, sale, "id", LIMIT_ORDER_ID, &id) ||
        shop_take_optional_id(facts, sale, "subscription_id", LIMIT_ORDER_ID, &subscription_id))
        goto done;
    if (!is_asked(call, GUMROAD_SALES, id))
        verdict = answer_refuse(detail, "the shop answered with another sale than was asked for");
    else if (call->kind == NEED_LINES &&
             (!subscription_id || strcmp(subscription_id, call->order_id) != 0))
        verdict = answer_refuse(detail, "the shop answered with a sale of another subscription");
    else if (!gumroad_is_wrong_mode(source, test != NULL, is_true(sale, "test"), facts))
        verdict = add_sale(facts, sale, id, subscription_id, call, date);
done:
    free(id);
    free(subscription_id);
    return verdict;
}

/* All that the list holds was charged, or is on trial: what a seller buys of their own is not in
 * it. A renewal tells nothing of the subscription that the sale before all does not. */
void gumroad_read_listed_sale(const struct settings_source *source, const struct json_object *sale,
                              int64_t date, struct facts *facts)
{
    const struct shop_fetch call = {.kind = is_true(sale, "recurring_charge") ? NEED_LINES
                                                                              : NEED_ORDER};
    char *id = NULL, *subscription_id = NULL;
    if (shop_take_id(facts, sale, "id", LIMIT_ORDER_ID, &id) == 0 &&
        shop_take_optional_id(facts, sale, "subscription_id", LIMIT_ORDER_ID, &subscription_id) ==
            0 &&
        !gumroad_is_wrong_mode(source, true, is_true(sale, "test"), facts))
        (void)add_sale(facts, sale, id, subscription_id, &call, date);
    free(id);
    free(subscription_id);
}

/* What a subscriber's status means, and which of its times says until when it was paid. One that is
 * over was paid until then. */
static const struct {
    const char *name;
    enum subscription_state state;
    const char *until;
} terms[] = {
    {"alive", SUBSCRIPTION_ACTIVE, NULL},
    {"pending_cancellation", SUBSCRIPTION_CANCELLED, "cancelled_at"},
    {"pending_failure", SUBSCRIPTION_CANCELLED, "failed_at"},
    {"failed_payment", SUBSCRIPTION_CANCELLED, "failed_at"},
    {"fixed_subscription_period_ended", SUBSCRIPTION_CANCELLED, "ended_at"},
    {"cancelled", SUBSCRIPTION_CANCELLED, "cancelled_at"},
};

static int read_subscriber_term(struct facts *facts, struct fact_order *order,
                                const struct json_object *subscriber, int64_t date)
{
    const char *name = shop_json_text(subscriber, "status");
    size_t known = 0, count = sizeof(terms) / sizeof(terms[0]);
    while (known < count && (!name || strcmp(terms[known].name, name) != 0))
        known++;
    if (known == count) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`status` is none that this version knows");
        return -1;
    }
    struct fact_subscription *term = fact_order_subscription(order);
    int64_t trial_end, until = TIME_NONE;
    if (shop_take_time(facts, subscriber, "free_trial_ends_at", &trial_end) ||
        (terms[known].until && shop_take_time(facts, subscriber, terms[known].until, &until)))
        return -1;
    bool trial = terms[known].state == SUBSCRIPTION_ACTIVE && trial_end > date;
    *term = (struct fact_subscription){
        .time = NO_TIME,
        .from_api = true,
        .read_at = date,
        .state = trial ? SUBSCRIPTION_TRIAL : terms[known].state,
        .paid_until = trial ? trial_end : until,
        .unpaid_since = TIME_NONE,
    };
    return 0;
}

/* What was bought stands in the sales; the last one is as it is now. */
static void want_last_sale(struct facts *facts, struct fact_order *order,
                           const struct json_object *subscriber)
{
    struct json_object *ids = shop_json_array(subscriber, "purchase_ids");
    size_t count = ids ? json_object_array_length(ids) : 0;
    struct json_object *last = count > 0 ? json_object_array_get_idx(ids, count - 1) : NULL;
    const char *text =
        json_object_is_type(last, json_type_string) ? json_object_get_string(last) : "";
    if (*text && strlen(text) <= LIMIT_ORDER_ID)
        gumroad_add_need(order, NEED_LINES, GUMROAD_SALES, text, NULL, true);
    else if (last)
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`purchase_ids` holds what is no id");
}

static enum shop_answer_verdict read_subscriber_answer(const struct json_object *subscriber,
                                                       const struct shop_fetch *call, int64_t date,
                                                       struct facts *facts, struct buf *detail)
{
    char *id;
    if (shop_take_id(facts, subscriber, "id", LIMIT_ORDER_ID, &id))
        return SHOP_ANSWER_READ;
    bool asked = is_asked(call, GUMROAD_SUBSCRIBERS, id);
    if (asked) {
        struct fact_order *order = facts_add_order(facts, id, strlen(id));
        if (read_subscriber_term(facts, order, subscriber, date) == 0)
            want_last_sale(facts, order, subscriber);
    }
    free(id);
    return asked ? SHOP_ANSWER_READ
                 : answer_refuse(detail,
                                 "the shop answered with another subscriber than was asked for");
}

/* An order that is re-read may be a subscription, whose id looks like a sale's. */
static enum shop_answer_verdict read_not_found(const struct shop_fetch *call, struct facts *facts,
                                               struct buf *detail)
{
    if (call->object)
        return answer_refuse(detail, "the shop has no sale or subscriber of this id: check that "
                                     "api_key_file holds a token of the account whose pings these "
                                     "are");
    struct fact_order *order = facts_add_order(facts, call->order_id, strlen(call->order_id));
    gumroad_add_need(order, NEED_ORDER, GUMROAD_SUBSCRIBERS, call->order_id, NULL, true);
    return SHOP_ANSWER_READ;
}

static bool says_no(const struct json_object *root)
{
    struct json_object *success = shop_json_member(root, "success");
    return json_object_is_type(success, json_type_boolean) && !json_object_get_boolean(success);
}

enum shop_answer_verdict gumroad_read_answer(const struct settings_source *source,
                                             const struct shop_fetch *call,
                                             const struct shop_answer *answer, struct facts *facts,
                                             struct buf *detail)
{
    static const struct answer_advice advice = {
        .key = "check that api_key_file holds an access token with the scope view_sales",
        .address = "check that api_url is https://api.gumroad.com",
    };
    enum shop_answer_verdict verdict;
    struct json_object *root = answer_open(answer, &advice, &verdict, detail);
    if (!root)
        return verdict;
    struct json_object *sale = shop_json_object(root, "sale");
    struct json_object *subscriber = shop_json_object(root, "subscriber");
    if (says_no(root))
        verdict = read_not_found(call, facts, detail);
    else if (answer->status != 200)
        verdict = answer_refuse(detail, "the shop has no such address: check that api_url is "
                                        "https://api.gumroad.com");
    else if (sale)
        verdict = read_sale_answer(source, sale, call, answer_date(answer), facts, detail);
    else if (subscriber)
        verdict = read_subscriber_answer(subscriber, call, answer_date(answer), facts, detail);
    else
        verdict = answer_refuse(detail, "the shop answered with neither a sale nor a subscriber");
    json_object_put(root);
    return verdict;
}
