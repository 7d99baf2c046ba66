/*
 * Any answer to any shop's list, at any place that the walk itself could stand at: facts that hold,
 * and a next place that is another one and that the shop can be asked for; or a sentence. The same
 * bytes as an answer about the shop's webhooks: a state, or a sentence.
 * Input: one byte for the provider, one for the answer and the walk, the cursor, a line feed, the
 * body.
 */
#include "invariants.h"

#define ADDRESS "https://buy.example.test/webhooks/shop"

static const int statuses[] = {200, 200, 200, 404, 401, 429, 302, 200};

static void check_next(const struct settings_source *source, const struct shop_walk *walk,
                       const char *cursor, const char *next)
{
    struct shop_fetch fetch = {0};
    must(*next && strcmp(next, cursor) != 0, "the next page is another one");
    must(strlen(next) <= LIMIT_LIST_CURSOR, "a cursor fits its column");
    must(shop_list_for(source, walk, next, &fetch) == 0, "the next page can be asked for");
    must(fetch.target && fetch.target[0] == '/', "a call has a target");
    for (const char *at = fetch.target; *at; at++)
        must(*at > ' ' && *at < 0x7f, "a target is a word");
    shop_fetch_free(&fetch);
}

static void read_list(const struct settings_source *source, const struct shop_walk *walk,
                      const char *cursor, const struct shop_answer *answer)
{
    struct shop_fetch fetch = {0};
    struct shop_listing listing = {0};
    struct buf detail = {0};
    if (shop_list_for(source, walk, cursor, &fetch))
        return;
    enum shop_answer_verdict verdict =
        shop_read_listing(source, walk, cursor, answer, &listing, &detail);
    must((verdict == SHOP_ANSWER_READ) == (detail.len == 0),
         "a sentence exactly if it was not read");
    must(verdict == SHOP_ANSWER_READ || (!listing.next && listing.facts.order_count == 0),
         "nothing comes of what was not read");
    must((listing.unusable > 0) == (listing.why != NULL), "what is left out has its sentence");
    must(listing.pause_us >= 0, "a pause is no time travel");
    must(listing.facts.set_aside == SET_ASIDE_NONE, "a list sets nothing aside");
    check_facts(&listing.facts);
    if (listing.next)
        check_next(source, walk, cursor, listing.next);
    shop_fetch_free(&fetch);
    shop_listing_free(&listing);
    buf_free(&detail);
}

static void read_webhook(const struct settings_source *source, const struct shop_answer *answer)
{
    struct shop_fetch fetch = {0};
    struct buf detail = {0};
    enum shop_webhook state = SHOP_WEBHOOK_MISSING;
    if (shop_webhook_for(source, &fetch))
        return;
    enum shop_answer_verdict verdict = shop_read_webhook(source, ADDRESS, answer, &state, &detail);
    must((detail.len == 0) == (verdict == SHOP_ANSWER_READ && state == SHOP_WEBHOOK_ENABLED),
         "a sentence unless it is enabled");
    shop_fetch_free(&fetch);
    buf_free(&detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "shop", url[] = "https://shop.example.test";
    static unsigned char key[] = "ck_1:cs_1";
    const uint8_t *line = size > 2 ? memchr(data + 2, '\n', size - 2) : NULL;
    if (!line || memchr(data + 2, '\0', (size_t)(line - data - 2)))
        return 0;
    struct settings_source source = {
        .name = name,
        .provider = (enum provider)(data[0] % PROVIDER_COUNT),
        .api_url = url,
        .api_keys = {.items = {{.bytes = key, .len = sizeof(key) - 1}}, .count = 1},
        .live = data[1] & 16,
    };
    struct shop_walk walk = {.whole = data[1] & 8,
                             .since = data[1] & 8 ? TIME_NONE : RECEIVED - TIME_HOUR,
                             .began = RECEIVED - 2 * TIME_MINUTE};
    struct shop_answer answer = {.status = statuses[data[1] & 7],
                                 .content_type = "application/json",
                                 .date = RECEIVED + (data[1] & 32 ? TIME_HOUR : 0),
                                 .received_at = RECEIVED,
                                 .link = data[1] & 64 ? "<https://x/?page=2>; rel=\"next\"" : NULL,
                                 .body = (const char *)line + 1,
                                 .len = size - (size_t)(line + 1 - data)};
    char *cursor = xstrndup((const char *)data + 2, (size_t)(line - data - 2));
    read_list(&source, &walk, cursor, &answer);
    read_webhook(&source, &answer);
    free(cursor);
    return 0;
}
