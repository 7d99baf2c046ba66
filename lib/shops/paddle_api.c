#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/paddle.h"

/* What an id begins with says what it is of; the rest is letters and digits. */
static bool is_id(const char *id, const char *prefix)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t len = strlen(prefix), rest;
    if (!id || strncmp(id, prefix, len) != 0)
        return false;
    rest = strlen(id + len);
    return rest > 0 && rest <= 64 && strspn(id + len, letters) == rest;
}

/* The id of what an order is read from: a part of a transaction is read with the whole of it. */
static char *asked_id(const char *order_id)
{
    size_t len = strlen(order_id), part = strlen(PADDLE_ONCE);
    bool once = len > part && strcmp(order_id + len - part, PADDLE_ONCE) == 0;
    return xstrndup(order_id, once ? len - part : len);
}

/* The call for a need, or NULL: an owner is asked for by the payment, an address by the customer.
 */
static char *target_of(const char *order_id, const struct fact_need *need)
{
    if (need->kind == NEED_ADDRESS)
        return is_id(need->object, "ctm_") ? xasprintf("/customers/%s", need->object) : NULL;
    if (need->kind != NEED_ORDER && (need->kind != NEED_OWNER || !need->object))
        return NULL;
    char *id = asked_id(need->object ? need->object : order_id);
    char *target = is_id(id, "txn_")   ? xasprintf("/transactions/%s?include=" PADDLE_INCLUDE, id)
                   : is_id(id, "sub_") ? xasprintf("/subscriptions/%s", id)
                                       : NULL;
    free(id);
    return target;
}

int paddle_fetch(const struct settings_source *source, const char *order_id,
                 const struct fact_need *need, struct shop_fetch *out)
{
    char *target = target_of(order_id, need);
    char *header = target ? credentials_bearer(source) : NULL;
    if (!header) {
        free(target);
        return -1;
    }
    *out = (struct shop_fetch){
        .target = target,
        .header = header,
        .header2 = xstrdup("Accept: application/json"),
    };
    return 0;
}

/*
 * A customer says nothing about what became of the order, and its own time has nothing to do with
 * the order's: it is a snapshot from before all others, which gives its address and decides no
 * more.
 */
static void read_customer(const struct json_object *data, const struct shop_fetch *call,
                          int64_t date, struct facts *facts)
{
    struct fact_order *order = facts_add_order(facts, call->order_id, strlen(call->order_id));
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    snapshot->time = 0;
    snapshot->from_api = true;
    snapshot->read_at = date;
    snapshot->status = ORDER_PENDING;
    evidence_set_address(snapshot, shop_json_text(data, "email"));
}

static enum shop_answer_verdict read_object(const struct json_object *data,
                                            const struct shop_fetch *call, int64_t date,
                                            struct facts *facts, struct buf *detail)
{
    const struct paddle_evidence evidence = {.time = date, .received_at = date};
    const char *id = shop_json_text(data, "id");
    char *asked = asked_id(call->object ? call->object : call->order_id);
    bool same = id && strcmp(id, asked) == 0;
    free(asked);
    if (!same)
        return answer_refuse(detail, "the shop answered with another object than was asked for");
    if (call->kind == NEED_ADDRESS)
        read_customer(data, call, date, facts);
    else if (is_id(id, "sub_"))
        paddle_read_subscription(data, &evidence, facts);
    else
        paddle_read_transaction(data, &evidence, facts);
    return SHOP_ANSWER_READ;
}

enum shop_answer_verdict paddle_read_answer(const struct settings_source *source,
                                            const struct shop_fetch *call,
                                            const struct shop_answer *answer, struct facts *facts,
                                            struct buf *detail)
{
    (void)source;
    static const struct answer_advice advice = {
        .key = "check that api_key_file holds a key that may read transactions, adjustments, "
               "subscriptions and customers, of the account that api_url is of (live or sandbox)",
        .address = PADDLE_ADDRESS_ADVICE,
    };
    enum shop_answer_verdict verdict;
    struct json_object *root = answer_open(answer, &advice, &verdict, detail);
    if (!root)
        return verdict;
    const struct json_object *data = shop_json_object(root, "data");
    /* Nothing is ever deleted at Paddle: what it does not know is another account's. */
    if (answer->status == 404)
        verdict = answer_refuse(detail, "the shop does not know it: check that api_url and "
                                        "api_key_file are of the account that sends the webhooks");
    else if (!data)
        verdict = answer_refuse(detail, "the shop answered with something that has no `data`");
    else
        verdict = read_object(data, call, answer_date(answer), facts, detail);
    json_object_put(root);
    return verdict;
}
