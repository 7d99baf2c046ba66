/*
 * Asking FastSpring. Ids of orders and subscriptions look alike: an order that is re-read is looked
 * for among the orders, and then among the subscriptions.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/fastspring.h"
#include "shops/json.h"

/* An account has no time, and says nothing about what became of the order: it is a snapshot from
 * before all others, so that it decides the address where no order tells one, and no more. */
#define BEFORE_ALL INT64_C(0)

bool fastspring_can_ask(const struct settings_source *source)
{
    return credentials_has_basic(source);
}

/* An id becomes part of a path. */
static bool is_id(const char *id)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strlen(id);
    return len > 0 && len <= LIMIT_ORDER_ID && strspn(id, safe) == len;
}

/* The places of the API, the lists of their answers, and what an object there calls its id. Asked
 * for one id it answers with the object itself, or (as older pages of the reference show) with a
 * list of that one. */
static const struct place {
    const char *path, *list, *id;
} places[] = {
    {FASTSPRING_ORDERS, "orders", "order"},
    {FASTSPRING_SUBSCRIPTIONS, "subscriptions", "subscription"},
    {FASTSPRING_ACCOUNTS, "accounts", "account"},
    {FASTSPRING_RETURNS, "returns", "return"},
};

/* Where a need's object lies, and its id behind that; NULL if it is nowhere. */
static const struct place *place_of(const char *order_id, const char *object, const char **id)
{
    *id = order_id;
    if (!object)
        return is_id(order_id) ? &places[0] : NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        size_t len = strlen(places[i].path);
        if (strncmp(object, places[i].path, len) != 0)
            continue;
        *id = object + len;
        return is_id(*id) ? &places[i] : NULL;
    }
    return NULL;
}

int fastspring_fetch(const struct settings_source *source, const char *order_id,
                     const struct fact_need *need, struct shop_fetch *out)
{
    const char *id;
    bool asks = need->kind == NEED_ORDER || need->kind == NEED_OWNER || need->kind == NEED_ADDRESS;
    const struct place *place = asks ? place_of(order_id, need->object, &id) : NULL;
    char *basic_auth = place ? credentials_basic(source) : NULL;
    if (!basic_auth)
        return -1;
    *out = (struct shop_fetch){
        .target = xasprintf("/%s%s", place->path, id),
        .basic_auth = basic_auth,
        .header = xstrdup("Accept: application/json"),
    };
    return 0;
}

/* The account's address, for the order that asked. */
static void read_account(const struct json_object *account, const struct shop_fetch *call,
                         int64_t date, struct facts *facts)
{
    struct fact_snapshot *snapshot =
        fact_order_snapshot(facts_add_order(facts, call->order_id, strlen(call->order_id)));
    snapshot->time = BEFORE_ALL;
    snapshot->from_api = true;
    snapshot->read_at = date;
    snapshot->status = ORDER_PENDING;
    evidence_set_address(snapshot, shop_json_text(shop_json_object(account, "contact"), "email"));
}

/* What was given back of an order, which tells no more than the ids; each of them, read, names the
 * order again. */
static void want_returns(struct fact_order *order, const struct json_object *data)
{
    struct json_object *list = shop_json_array(data, "returns");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        char *id = NULL;
        if (json_object_is_type(entry, json_type_string))
            id = xstrdup(json_object_get_string(entry));
        else
            id = shop_json_id(entry, shop_json_member(entry, "return") ? "return" : "id",
                              LIMIT_ORDER_ID);
        if (id && is_id(id))
            fastspring_add_need(order, NEED_ORDER, FASTSPRING_RETURNS, id, false);
        free(id);
    }
}

/* Only a completed order was paid; of the others nothing says how they will end. */
void fastspring_read_order_answer(const struct json_object *order,
                                  const struct fastspring_origin *origin, struct facts *facts)
{
    struct json_object *completed = shop_json_member(order, "completed");
    bool paid =
        json_object_is_type(completed, json_type_boolean) && json_object_get_boolean(completed);
    if (!shop_json_array(order, "items"))
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`items` is not a list");
    else
        fastspring_read_order(order, paid ? ORDER_PAID : ORDER_PENDING, origin, facts);
    if (facts->set_aside == SET_ASIDE_NONE && facts->order_count > 0)
        want_returns(&facts->orders[0], order);
}

void fastspring_read_subscription_answer(const struct json_object *subscription,
                                         const struct fastspring_origin *origin,
                                         struct facts *facts)
{
    if (!shop_json_member(subscription, "state"))
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`state` is missing");
    else
        fastspring_read_subscription(subscription, origin, facts);
}

static enum shop_answer_verdict read_object(const struct settings_source *source,
                                            const struct place *place, const char *asked,
                                            const struct json_object *object,
                                            const struct shop_fetch *call, int64_t date,
                                            struct facts *facts, struct buf *detail)
{
    const struct fastspring_origin origin = {
        .received_at = date, .event_at = date, .from_api = true};
    char *id;
    if (fastspring_take_id(facts, object, place->id, &id))
        return SHOP_ANSWER_READ;
    bool same = strcmp(id, asked) == 0;
    free(id);
    if (!same)
        return answer_refuse(detail, "the shop answered with another object than was asked for");
    if (!fastspring_is_mode(source, object))
        return answer_refuse(detail, "the shop answered with an object of the other mode: check "
                                     "`live` of the source");
    if (place == &places[0])
        fastspring_read_order_answer(object, &origin, facts);
    else if (place == &places[1])
        fastspring_read_subscription_answer(object, &origin, facts);
    else if (place == &places[3])
        fastspring_read_return(object, &origin, facts);
    else
        read_account(object, call, date, facts);
    return SHOP_ANSWER_READ;
}

/* An order that is re-read may be a subscription. */
static enum shop_answer_verdict read_not_found(const struct shop_fetch *call, struct facts *facts,
                                               struct buf *detail)
{
    if (call->object)
        return answer_refuse(detail, "the shop has nothing of this id: check that api_key_file "
                                     "holds the credentials of the store whose events these are");
    fastspring_add_need(facts_add_order(facts, call->order_id, strlen(call->order_id)), NEED_ORDER,
                        FASTSPRING_SUBSCRIPTIONS, call->order_id, true);
    return SHOP_ANSWER_READ;
}

const struct answer_advice fastspring_advice = {
    .key = "check that api_key_file holds user:password of the store's API credentials",
    .address = "check that api_url is https://api.fastspring.com",
};

/* The one object that an answer holds; NULL if it says that there is none. */
static const struct json_object *object_in(const struct json_object *root,
                                           const struct place *place)
{
    struct json_object *list = shop_json_array(root, place->list);
    const struct json_object *object = root;
    /* An account lists its own orders by their ids; its answer is no list of orders. */
    if (list && json_object_array_length(list) == 1 &&
        json_object_is_type(json_object_array_get_idx(list, 0), json_type_object))
        object = json_object_array_get_idx(list, 0);
    const char *result = shop_json_text(object, "result");
    return result && strcmp(result, "error") == 0 ? NULL : object;
}

enum shop_answer_verdict fastspring_read_answer(const struct settings_source *source,
                                                const struct shop_fetch *call,
                                                const struct shop_answer *answer,
                                                struct facts *facts, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    const char *id;
    const struct place *place = place_of(call->order_id, call->object, &id);
    if (!place)
        return answer_refuse(detail, "nothing was asked that could be answered");
    /* An id that it does not know is to FastSpring a bad request in some places, not found in
     * others; both say so in JSON. */
    struct shop_answer seen = *answer;
    if (seen.status == 400)
        seen.status = 404;
    struct json_object *root = answer_open(&seen, &fastspring_advice, &verdict, detail);
    if (!root)
        return verdict;
    const struct json_object *object = answer->status == 200 ? object_in(root, place) : NULL;
    verdict = object
                  ? read_object(source, place, id, object, call, answer_date(answer), facts, detail)
                  : read_not_found(call, facts, detail);
    json_object_put(root);
    return verdict;
}
