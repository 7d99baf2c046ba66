/*
 * Any bytes as a delivery of stripe, or as an answer of its API: facts that the rooms behind can
 * rely on, or a reason. Input: one byte that says which, then the body.
 */
#include "invariants.h"

static const struct {
    enum fact_need_kind kind;
    const char *order_id, *object;
} calls[] = {
    {NEED_ORDER, "cs_1", NULL},     {NEED_ORDER, "sub_1", NULL},
    {NEED_ORDER, "cs_1", "ch_1"},   {NEED_LINES, "cs_1", "cs_1"},
    {NEED_LINES, "sub_1", "sub_1"}, {NEED_ADDRESS, "sub_1", "cus_1"},
    {NEED_REFUNDS, "pi_1", "ch_1"}, {NEED_OWNER, "pi_1", "pi_1"},
    {NEED_OWNER, "ch_1", "ch_1"},   {NEED_OWNER, "pi_1", "invoice_of:pi_1"},
    {NEED_OWNER, "in_1", "in_1"},
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static void check_links(const struct fact_order *order)
{
    for (size_t i = 0; i < order->alias_count; i++) {
        check_text(order->aliases[i], LIMIT_ORDER_ID, 0);
        must(strcmp(order->aliases[i], order->id) != 0, "an alias is another name");
    }
    for (size_t i = 0; i < order->need_count; i++)
        must(order->needs[i].object != NULL, "what is lacking has an id");
    if (order->subscription)
        must(order->subscription->time <= RECEIVED + 5 * TIME_MINUTE &&
                 order->subscription->unpaid_since <= order->subscription->time,
             "no state is of the future");
}

static void read_answer(size_t which, const char *body, size_t len)
{
    static char name[] = "shop";
    struct settings_source source = {.name = name, .provider = PROVIDER_STRIPE, .live = true};
    struct shop_fetch call = {
        .kind = calls[which].kind,
        .order_id = xstrdup(calls[which].order_id),
        .object = calls[which].object ? xstrdup(calls[which].object) : NULL,
    };
    struct facts facts = {0};
    struct buf detail = {0};
    struct shop_answer answer = {.status = 200,
                                 .content_type = "application/json",
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = body,
                                 .len = len};
    enum shop_answer_verdict verdict = shop_read_answer(&source, &call, &answer, &facts, &detail);
    check_facts(&facts);
    must((verdict == SHOP_ANSWER_READ) == (facts.order_count > 0), "facts exactly if it was read");
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0), "a sentence exactly if it was not");
    for (size_t i = 0; i < facts.order_count; i++)
        check_links(&facts.orders[i]);
    facts_free(&facts);
    buf_free(&detail);
    shop_fetch_free(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t which = data[0] % (CALLS + 1);
    if (which < CALLS) {
        read_answer(which, (const char *)data + 1, size - 1);
    } else {
        read_delivery(PROVIDER_STRIPE, true, data + 1, size - 1);
        read_delivery(PROVIDER_STRIPE, false, data + 1, size - 1);
    }
    return 0;
}
