/*
 * Any bytes as a ping of Gumroad: one hint and no fact, or a reason. And any answer of its API:
 * facts, or a sentence. Input: one byte for which of them it is, for the call and the status, then
 * the body.
 */
#include "invariants.h"

static char name[] = "shop", secret[] = "path-secret", token[] = "token", url[] = "https://x.test";

static struct settings_source source = {
    .name = name, .provider = PROVIDER_GUMROAD, .live = true, .api_url = url};

static void read_ping(const char *body, size_t len)
{
    struct shop_delivery delivery = {.path_secret = secret, .body = body, .len = len};
    struct shop_receipt first, second;
    struct facts facts = {0};
    must(shop_verify(&source, &delivery, &first) == SHOP_VALID, "the secret opens any body");
    must(shop_verify(&source, &delivery, &second) == SHOP_VALID &&
             memcmp(first.key, second.key, DIGEST_LEN) == 0,
         "the key is a function of the bytes");
    shop_read(&source, body, len, RECEIVED, &facts);
    check_facts(&facts);
    must(facts.set_aside != SET_ASIDE_NONE || facts.order_count == 1, "one order, or a reason");
    for (size_t i = 0; i < facts.order_count; i++) {
        const struct fact_order *order = &facts.orders[i];
        struct shop_fetch fetch;
        must(!order->snapshot && !order->subscription && order->refund_count == 0 &&
                 order->dispute_count == 0 && order->alias_count == 0,
             "a ping is no evidence");
        must(order->need_count == 1 && order->needs[0].essential, "it says where to look");
        if (shop_fetch_for(&source, order->id, &order->needs[0], &fetch) == 0) {
            must(strncmp(fetch.target, "/v2/s", 5) == 0 && !strstr(fetch.target, "/../"),
                 "nowhere else is asked");
            shop_fetch_free(&fetch);
        }
    }
    facts_free(&facts);
}

static void read_answer(unsigned what, const char *body, size_t len)
{
    static const int statuses[] = {200, 200, 404, 401, 429, 302};
    static char sale[] = "sales/O1?ref-1", subscriber[] = "subscribers/O1";
    char *const objects[] = {NULL, sale, subscriber};
    const struct fact_need need = {.kind = what & 1 ? NEED_LINES : NEED_ORDER,
                                   .object = objects[what / 2 % 3]};
    struct shop_answer answer = {.status = statuses[what / 6 % 6],
                                 .content_type = "application/json",
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = body,
                                 .len = len};
    struct shop_fetch fetch;
    struct facts facts = {0};
    struct buf detail = {0};
    must(shop_fetch_for(&source, "O1", &need, &fetch) == 0, "there is such a call");
    enum shop_answer_verdict verdict = shop_read_answer(&source, &fetch, &answer, &facts, &detail);
    check_facts(&facts);
    must(facts.set_aside == SET_ASIDE_NONE, "an answer sets no delivery aside");
    must((verdict == SHOP_ANSWER_READ) == (facts.order_count == 1), "facts exactly if it was read");
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0), "a sentence exactly if it was not");
    facts_free(&facts);
    buf_free(&detail);
    shop_fetch_free(&fetch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    source.webhook_secrets.items[0] =
        (struct secret){.bytes = (unsigned char *)secret, .len = strlen(secret)};
    source.webhook_secrets.count = 1;
    source.api_keys.items[0] =
        (struct secret){.bytes = (unsigned char *)token, .len = strlen(token)};
    source.api_keys.count = 1;
    if (data[0] == 'p')
        read_ping((const char *)data + 1, size - 1);
    else
        read_answer(data[0], (const char *)data + 1, size - 1);
    return 0;
}
