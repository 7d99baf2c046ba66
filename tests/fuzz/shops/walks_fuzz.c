/*
 * Any bytes as a page of a list of Lemon Squeezy's, Gumroad's or FastSpring's, or as the list of
 * their webhooks: facts that the rooms behind can rely on and a cursor that is taken back, or a
 * sentence. Input: one byte that says whose and which page, another for the status, then the body.
 */
#include "invariants.h"

static char name[] = "shop", url[] = "https://api.example.test";
static unsigned char key[] = "user:key";

/* A page that may be asked for, of a whole walk or of what changed. */
static const struct page {
    enum provider provider;
    bool whole;
    const char *cursor;
} pages[] = {
    {PROVIDER_LEMONSQUEEZY, true, ""},
    {PROVIDER_LEMONSQUEEZY, true, "orders 9 0000000001 0"},
    {PROVIDER_LEMONSQUEEZY, false, "subscriptions"},
    {PROVIDER_LEMONSQUEEZY, true, "subscription-invoices"},
    {PROVIDER_GUMROAD, true, ""},
    {PROVIDER_GUMROAD, false, "20261120080000000001-77"},
    {PROVIDER_FASTSPRING, true, ""},
    {PROVIDER_FASTSPRING, true, "returns O1 0000000001 0"},
    {PROVIDER_FASTSPRING, true, "subscriptions"},
    {PROVIDER_FASTSPRING, false, ""},
    {PROVIDER_FASTSPRING, false, "processed 1795424400000 1795424400001"},
};

static void read_page(const struct settings_source *source, const struct page *page,
                      const struct shop_answer *answer)
{
    const struct shop_walk walk = {
        .whole = page->whole,
        .since = page->whole ? TIME_NONE : RECEIVED - TIME_DAY,
        .began = RECEIVED,
    };
    struct shop_listing listing = {0};
    struct shop_fetch fetch = {0};
    struct buf detail = {0};
    enum shop_answer_verdict verdict =
        shop_read_listing(source, &walk, page->cursor, answer, &listing, &detail);
    check_facts(&listing.facts);
    must(listing.facts.set_aside == SET_ASIDE_NONE, "a page sets nothing aside");
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0), "a sentence exactly if it was not");
    must((listing.unusable > 0) == (listing.why != NULL), "what is left out has a reason");
    must(verdict == SHOP_ANSWER_READ || (!listing.next && listing.facts.order_count == 0),
         "what was not read says nothing");
    if (listing.next) {
        must(strcmp(listing.next, page->cursor) != 0, "a walk goes on");
        must(shop_list_for(source, &walk, listing.next, &fetch) == 0, "a cursor is taken back");
        must(!strpbrk(fetch.target, " \r\n#") && !strstr(fetch.target, "/.."), "a target is one");
        shop_fetch_free(&fetch);
    }
    shop_listing_free(&listing);
    buf_free(&detail);
}

static void read_webhook(const struct settings_source *source, const struct shop_answer *answer)
{
    enum shop_webhook webhook = SHOP_WEBHOOK_MISSING;
    struct shop_fetch fetch = {0};
    struct buf detail = {0};
    if (shop_webhook_for(source, &fetch))
        return;
    shop_fetch_free(&fetch);
    enum shop_answer_verdict verdict =
        shop_read_webhook(source, "https://us.test/webhooks/main", answer, &webhook, &detail);
    must((verdict == SHOP_ANSWER_READ && webhook == SHOP_WEBHOOK_ENABLED) == (detail.len == 0),
         "a sentence unless it is enabled");
    buf_free(&detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 200, 400, 404, 401, 429};
    if (size < 2)
        return 0;
    const struct page *page = &pages[data[0] % (sizeof(pages) / sizeof(pages[0]))];
    const struct settings_source source = {
        .name = name,
        .provider = page->provider,
        .live = true,
        .api_url = url,
        .api_keys = {.count = 1, .items = {{.bytes = key, .len = sizeof(key) - 1}}},
    };
    const struct shop_answer answer = {.status = statuses[data[1] % 7],
                                       .content_type = "application/vnd.api+json",
                                       .date = RECEIVED,
                                       .received_at = RECEIVED,
                                       .body = (const char *)data + 2,
                                       .len = size - 2};
    read_page(&source, page, &answer);
    read_webhook(&source, &answer);
    return 0;
}
