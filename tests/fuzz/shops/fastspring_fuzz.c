/*
 * Any bytes as a delivery of FastSpring: orders that the rooms behind can rely on, or a reason. And
 * any answer of its API: facts, or a sentence. Input: one byte for which of them it is, for the
 * call and the status, then the body.
 */
#include "invariants.h"

static char name[] = "shop", pair[] = "user:password", url[] = "https://x.test";

static struct settings_source source = {
    .name = name, .provider = PROVIDER_FASTSPRING, .live = true, .api_url = url};

/* Whatever is lacking can be asked for, or has an id that no path can hold. */
static void check_needs(const struct facts *facts)
{
    for (size_t i = 0; i < facts->order_count; i++)
        for (size_t j = 0; j < facts->orders[i].need_count; j++) {
            struct shop_fetch fetch;
            if (shop_fetch_for(&source, facts->orders[i].id, &facts->orders[i].needs[j], &fetch))
                continue;
            must(!strstr(fetch.target, "..") && strrchr(fetch.target, '/') > fetch.target,
                 "nowhere else is asked");
            shop_fetch_free(&fetch);
        }
}

static void read_body(const char *body, size_t len)
{
    struct facts first = {0}, second = {0};
    shop_read(&source, body, len, RECEIVED, &first);
    shop_read(&source, body, len, RECEIVED, &second);
    check_facts(&first);
    check_needs(&first);
    must(first.set_aside == second.set_aside && first.order_count == second.order_count,
         "reading is a function of the bytes");
    must(first.set_aside != SET_ASIDE_NONE || first.order_count > 0, "an order, or a reason");
    facts_free(&first);
    facts_free(&second);
}

static void read_answer(unsigned what, const char *body, size_t len)
{
    static const int statuses[] = {200, 200, 404, 400, 401, 429};
    static char order[] = "orders/O1", subscription[] = "subscriptions/O1",
                account[] = "accounts/A1";
    char *const objects[] = {NULL, order, subscription, account};
    const struct fact_need need = {.kind = NEED_ORDER, .object = objects[what % 4]};
    struct shop_answer answer = {.status = statuses[what / 4 % 6],
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
    check_needs(&facts);
    must(facts.set_aside == SET_ASIDE_NONE, "an answer sets no delivery aside");
    must((verdict == SHOP_ANSWER_READ) == (facts.order_count > 0), "facts exactly if it was read");
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0), "a sentence exactly if it was not");
    facts_free(&facts);
    buf_free(&detail);
    shop_fetch_free(&fetch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    source.api_keys.items[0] = (struct secret){.bytes = (unsigned char *)pair, .len = strlen(pair)};
    source.api_keys.count = 1;
    if (data[0] == 'd')
        read_body((const char *)data + 1, size - 1);
    else
        read_answer(data[0], (const char *)data + 1, size - 1);
    return 0;
}
