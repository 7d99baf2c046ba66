/*
 * Any answer of a shop's API: facts about the order that was asked for, or a sentence and no facts.
 * Input: one byte for the call and the status, then the body.
 */
#include "invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 404, 401, 429, 302};
    static char name[] = "shop", id[] = "12";
    struct settings_source source = {.name = name, .provider = PROVIDER_WOOCOMMERCE};
    struct facts facts = {0};
    struct buf detail = {0};
    if (size == 0)
        return 0;
    struct shop_fetch call = {.kind = data[0] & 1 ? NEED_REFUNDS : NEED_ORDER, .order_id = id};
    struct shop_answer answer = {.status = statuses[data[0] / 2 % 6],
                                 .content_type = "application/json",
                                 .date = RECEIVED + (data[0] & 64 ? TIME_HOUR : 0),
                                 .received_at = RECEIVED,
                                 .body = (const char *)data + 1,
                                 .len = size - 1};
    enum shop_answer_verdict verdict = shop_read_answer(&source, &call, &answer, &facts, &detail);
    check_facts(&facts);
    must(facts.set_aside == SET_ASIDE_NONE, "an answer sets no delivery aside");
    must((verdict == SHOP_ANSWER_READ) == (facts.order_count == 1), "facts exactly if it was read");
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0), "a sentence exactly if it was not");
    must(facts.order_count == 0 || strcmp(facts.orders[0].id, id) == 0, "the order asked for");
    facts_free(&facts);
    buf_free(&detail);
    return 0;
}
