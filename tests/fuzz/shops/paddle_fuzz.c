/*
 * Any bytes as a delivery of paddle, its signature list, or an answer of its API: facts that the
 * rooms behind can rely on, or a reason. Input: one byte that says which, then the bytes.
 */
#include "invariants.h"

static const struct {
    enum fact_need_kind kind;
    const char *order_id, *object;
} calls[] = {
    {NEED_ORDER, "txn_1", NULL},    {NEED_ORDER, "txn_1:once", NULL}, {NEED_ORDER, "sub_1", NULL},
    {NEED_OWNER, "txn_1", "txn_1"}, {NEED_ADDRESS, "sub_1", "ctm_1"},
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static char name[] = "shop";
static const struct settings_source source = {
    .name = name, .provider = PROVIDER_PADDLE, .live = true, .replay_window = 300};

static void check_links(const struct fact_order *order)
{
    for (size_t i = 0; i < order->alias_count; i++) {
        check_text(order->aliases[i], LIMIT_ORDER_ID, 0);
        must(strcmp(order->aliases[i], order->id) != 0, "an alias is another name");
    }
    for (size_t i = 0; i < order->need_count; i++)
        check_text(order->needs[i].object, LIMIT_ORDER_ID, 0);
    if (order->subscription)
        must(order->subscription->time <= RECEIVED + 5 * TIME_MINUTE &&
                 order->subscription->unpaid_since <= order->subscription->time,
             "no state is of the future");
}

static void check(const struct facts *facts)
{
    check_facts(facts);
    /* A checkout of a subscription and of something for ever is two orders. */
    must(facts->order_count <= 2, "one order, or two");
    for (size_t i = 0; i < facts->order_count; i++)
        check_links(&facts->orders[i]);
}

static void read_event(const char *body, size_t len)
{
    struct facts facts = {0};
    shop_read(&source, body, len, RECEIVED, &facts);
    check(&facts);
    must((facts.set_aside == SET_ASIDE_NONE) == (facts.order_count > 0), "an order, or a reason");
    facts_free(&facts);
}

static void read_answer(size_t which, const char *body, size_t len)
{
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
    check(&facts);
    must((verdict == SHOP_ANSWER_READ) == (facts.order_count > 0), "facts exactly if it was read");
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0), "a sentence exactly if it was not");
    facts_free(&facts);
    buf_free(&detail);
    shop_fetch_free(&call);
}

/* The bytes as the header's value over an empty body: nobody guesses a MAC. */
static void verify_list(const char *value, size_t len)
{
    unsigned char secret[] = "s3cret";
    struct settings_source keyed = source;
    keyed.webhook_secrets.items[0] = (struct secret){.bytes = secret, .len = sizeof(secret) - 1};
    keyed.webhook_secrets.count = 1;
    static const char header[] = "Paddle-Signature";
    struct http_header headers[] = {{header, sizeof(header) - 1, value, len}};
    struct shop_delivery delivery = {
        .headers = headers, .header_count = 1, .body = "", .now = RECEIVED};
    struct shop_receipt receipt;
    must(shop_verify(&keyed, &delivery, &receipt) == SHOP_SIGNATURE_INVALID, "no MAC is guessed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *rest = (const char *)data + 1;
    size_t which = data[0] % (CALLS + 2);
    if (which < CALLS)
        read_answer(which, rest, size - 1);
    else if (which == CALLS)
        read_event(rest, size - 1);
    else
        verify_list(rest, size - 1);
    return 0;
}
