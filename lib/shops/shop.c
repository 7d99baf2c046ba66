#include "shops/shop.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static const struct shop_adapter *const adapters[PROVIDER_COUNT] = {
    [PROVIDER_WOOCOMMERCE] = &shop_woocommerce,
    [PROVIDER_SHOPIFY] = &shop_shopify,
    [PROVIDER_STRIPE] = &shop_stripe,
    [PROVIDER_GUMROAD] = &shop_gumroad,
    [PROVIDER_FASTSPRING] = &shop_fastspring,
    [PROVIDER_PADDLE] = &shop_paddle,
    [PROVIDER_LEMONSQUEEZY] = &shop_lemonsqueezy,
    [PROVIDER_STANDARD] = &shop_standard,
};

const struct shop_adapter *shop_adapter_of(enum provider provider)
{
    return (unsigned)provider < PROVIDER_COUNT ? adapters[provider] : NULL;
}

/* The same of a source that has one, as every source has that an API is asked for. */
static const struct shop_adapter *xadapter_of(const struct settings_source *source)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);

    if (adapter == NULL)
        die("shop: %s has no adapter", source->name);
    return adapter;
}

void shop_fetch_free(struct shop_fetch *fetch)
{
    xfree(fetch->order_id);
    xfree(fetch->object);
    xfree(fetch->target);
    if (fetch->basic_auth)
        explicit_bzero(fetch->basic_auth, strlen(fetch->basic_auth));
    xfree(fetch->basic_auth);
    if (fetch->header)
        explicit_bzero(fetch->header, strlen(fetch->header));
    xfree(fetch->header);
    xfree(fetch->header2);
    xfree(fetch->body);
}

/* A provider without an adapter has nothing that could be a valid signature. */
enum shop_verdict shop_verify(const struct settings_source *source,
                              const struct shop_delivery *delivery, struct shop_receipt *receipt)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    return adapter ? adapter->verify(source, delivery, receipt) : SHOP_SIGNATURE_INVALID;
}

/* What is set aside says nothing about any order, even if part of it had been read before the fault
 * was met. */
static void keep_reason_alone(struct facts *facts)
{
    enum set_aside reason = facts->set_aside;
    char *detail = facts->detail;
    facts->detail = NULL;
    facts_free(facts);
    *facts = (struct facts){.set_aside = reason, .detail = detail};
}

void shop_read(const struct settings_source *source, const char *body, size_t len,
               int64_t received_at, struct facts *out)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    if (adapter)
        adapter->read(source, body, len, received_at, out);
    else
        facts_set_aside(out, SET_ASIDE_SOURCE_MISCONFIGURED,
                        "this build has no adapter for the provider %s",
                        provider_name(source->provider));
    if (out->set_aside != SET_ASIDE_NONE)
        keep_reason_alone(out);
}

bool shop_has_api(const struct settings_source *source)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    return adapter && adapter->fetch && source->api_url && source->api_keys.count > 0 &&
           (!adapter->can_ask || adapter->can_ask(source));
}

int shop_fetch_for(const struct settings_source *source, const char *order_id,
                   const struct fact_need *need, struct shop_fetch *out)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    if (!adapter || !adapter->fetch || !source->api_url)
        return -1;
    if (adapter->fetch(source, order_id, need, out))
        return -1;
    out->kind = need->kind;
    out->order_id = xstrdup(order_id);
    out->object = need->object ? xstrdup(need->object) : NULL;
    return 0;
}

int shop_fetch_order(const struct settings_source *source, const char *order_id,
                     struct shop_fetch *out)
{
    const struct fact_need need = {.kind = NEED_ORDER};
    return shop_fetch_for(source, order_id, &need, out);
}

/* Moves whole orders: an answer that turned out unusable half way has added none. */
static void move_orders(struct facts *from, struct facts *to)
{
    for (size_t i = 0; i < from->order_count; i++) {
        struct fact_order *order = &from->orders[i];
        struct fact_order *place = facts_add_order(to, order->id, strlen(order->id));
        free(place->id);
        *place = *order;
    }
    from->order_count = 0;
}

enum shop_answer_verdict shop_read_answer(const struct settings_source *source,
                                          const struct shop_fetch *fetch,
                                          const struct shop_answer *answer, struct facts *out,
                                          struct buf *detail)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    if (!adapter || !adapter->read_answer) {
        buf_puts(detail, "this build cannot read that shop's API");
        return SHOP_ANSWER_REFUSED;
    }
    struct facts draft = {0};
    enum shop_answer_verdict verdict = adapter->read_answer(source, fetch, answer, &draft, detail);
    if (verdict == SHOP_ANSWER_READ && draft.set_aside != SET_ASIDE_NONE) {
        buf_printf(detail, "the answer cannot be used: %s",
                   draft.detail ? draft.detail : set_aside_name(draft.set_aside));
        verdict = SHOP_ANSWER_REFUSED;
    }
    if (verdict == SHOP_ANSWER_READ)
        move_orders(&draft, out);
    facts_free(&draft);
    return verdict;
}

void shop_listing_free(struct shop_listing *listing)
{
    facts_free(&listing->facts);
    xfree(listing->next);
    xfree(listing->why);
}

bool shop_can_list(const struct settings_source *source)
{
    return shop_has_api(source) && xadapter_of(source)->list;
}

bool shop_lists_all(const struct settings_source *source)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    return adapter && adapter->lists_all;
}

int shop_list_for(const struct settings_source *source, const struct shop_walk *walk,
                  const char *cursor, struct shop_fetch *out)
{
    if (!shop_can_list(source))
        return -1;
    return xadapter_of(source)->list(source, walk, cursor, out);
}

enum shop_answer_verdict shop_read_listing(const struct settings_source *source,
                                           const struct shop_walk *walk, const char *cursor,
                                           const struct shop_answer *answer,
                                           struct shop_listing *out, struct buf *detail)
{
    struct shop_listing draft = {0};
    enum shop_answer_verdict verdict =
        xadapter_of(source)->read_listing(source, walk, cursor, answer, &draft, detail);
    if (verdict == SHOP_ANSWER_READ && draft.facts.set_aside != SET_ASIDE_NONE) {
        buf_printf(detail, "the list cannot be used: %s",
                   draft.facts.detail ? draft.facts.detail : set_aside_name(draft.facts.set_aside));
        verdict = SHOP_ANSWER_REFUSED;
    }
    if (verdict == SHOP_ANSWER_READ && draft.next && strlen(draft.next) > LIMIT_LIST_CURSOR) {
        buf_puts(detail, "the shop's own cursor is longer than can be kept");
        verdict = SHOP_ANSWER_REFUSED;
    }
    if (verdict == SHOP_ANSWER_READ) {
        *out = draft;
        return verdict;
    }
    out->pause_us = draft.pause_us;
    shop_listing_free(&draft);
    return verdict;
}

int shop_webhook_for(const struct settings_source *source, struct shop_fetch *out)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    return shop_has_api(source) && adapter && adapter->webhook ? adapter->webhook(source, out) : -1;
}

enum shop_answer_verdict shop_read_webhook(const struct settings_source *source,
                                           const char *address, const struct shop_answer *answer,
                                           enum shop_webhook *out, struct buf *detail)
{
    return xadapter_of(source)->read_webhook(source, address, answer, out, detail);
}

void shop_sign(const struct settings_source *source, const char *id, int64_t now, const char *body,
               size_t len, struct buf *headers)
{
    const struct shop_adapter *adapter = shop_adapter_of(source->provider);
    if (!adapter)
        die("shop: no adapter signs for provider %s", provider_name(source->provider));
    adapter->sign(source, id, now, body, len, headers);
}
