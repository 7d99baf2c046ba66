/*
 * Any bytes as a page of one of paddle's lists, or as the list of its webhooks: facts that the
 * rooms behind can rely on and a cursor that it takes back, or a sentence. Input: one byte that
 * says which list, then the body.
 */
#include "invariants.h"

static const char *const cursors[] = {"", "transactions", "adjustments", "subscriptions"};
#define CURSORS (sizeof(cursors) / sizeof(cursors[0]))

static char name[] = "shop", url[] = "https://api.example.test";
static unsigned char key[] = "key";
static struct settings_source source = {
    .name = name,
    .provider = PROVIDER_PADDLE,
    .live = true,
    .api_url = url,
    .api_keys = {.count = 1, .items = {{.bytes = key, .len = 3}}},
};

static void read_page(const struct shop_walk *walk, const char *cursor,
                      const struct shop_answer *answer)
{
    struct shop_listing listing = {0};
    struct shop_fetch fetch = {0};
    struct buf detail = {0};
    enum shop_answer_verdict verdict =
        shop_read_listing(&source, walk, cursor, answer, &listing, &detail);
    check_facts(&listing.facts);
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0), "a sentence exactly if it was not");
    must((listing.unusable > 0) == (listing.why != NULL), "what is left out has a reason");
    if (listing.next) {
        must(strcmp(listing.next, cursor) != 0, "a walk goes on");
        must(shop_list_for(&source, walk, listing.next, &fetch) == 0, "a cursor is taken back");
        must(!strpbrk(fetch.target, " \r\n#"), "a target is one");
        shop_fetch_free(&fetch);
    }
    shop_listing_free(&listing);
    buf_free(&detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct shop_answer answer = {.status = 200,
                                 .content_type = "application/json",
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = (const char *)data + 1,
                                 .len = size - 1};
    struct shop_walk walk = {
        .since = RECEIVED - TIME_HOUR, .began = RECEIVED, .whole = data[0] & 128};
    enum shop_webhook webhook;
    struct buf detail = {0};
    read_page(&walk, cursors[data[0] % CURSORS], &answer);
    if (shop_read_webhook(&source, "https://sync.example.test/", &answer, &webhook, &detail) ==
        SHOP_ANSWER_READ)
        must((webhook == SHOP_WEBHOOK_ENABLED) == (detail.len == 0), "a sentence unless enabled");
    buf_free(&detail);
    return 0;
}
