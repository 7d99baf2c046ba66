#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/json.h"
#include "shops/listing.h"
#include "shops/woocommerce.h"
#include "shops/woocommerce_place.h"

/* The words of `status`: "any" leaves out what lies in the trash. */
static const char *const statuses[] = {"any", "trash"};

int woocommerce_list(const struct settings_source *source, const struct shop_walk *walk,
                     const char *cursor, struct shop_fetch *out)
{
    struct woocommerce_place place;
    struct buf target = {0};
    char after[TIME_TEXT];
    if (woocommerce_place_read(walk, cursor, &place))
        return -1;
    char *basic_auth = credentials_basic(source);
    if (!basic_auth)
        return -1;
    buf_printf(&target,
               "/wp-json/wc/v3/orders?status=%s&orderby=modified&order=asc&dates_are_gmt=true"
               "&per_page=%d",
               statuses[place.trash], WOOCOMMERCE_PER_PAGE);
    if (place.after != WOOCOMMERCE_ALL) {
        clock_format(place.after * TIME_SECOND, after);
        after[strcspn(after, "Z")] = '\0';
        buf_printf(&target, "&modified_after=%s", after);
    }
    if (place.offset > 0)
        buf_printf(&target, "&offset=%lld", (long long)place.offset);
    *out = (struct shop_fetch){
        .target = buf_take(&target),
        .basic_auth = basic_auth,
        .header = xstrdup("Accept: application/json"),
    };
    return 0;
}

/* A time of an order, in seconds since 1970, or WOOCOMMERCE_NO_TIME. */
static int64_t second_of(const struct json_object *order, const char *key)
{
    const char *text = shop_json_text(order, key);
    int64_t time;
    if (!text || clock_parse(text, strlen(text), &time) || time < 0)
        return WOOCOMMERCE_NO_TIME;
    return time / TIME_SECOND;
}

/* Where clocks go back they do so in the first hours of a Sunday. */
static bool may_come_twice(int64_t time, int64_t local)
{
    const int64_t day = TIME_DAY / TIME_SECOND, sunday = 3; /* 1970-01-04 */
    return local != WOOCOMMERCE_NO_TIME && local != time && local / day % 7 == sunday &&
           local % day < 4 * (TIME_HOUR / TIME_SECOND);
}

/* Where an entry stands in the list; an id or a time that cannot be read is as good as none. */
static struct woocommerce_entry entry_of(const struct json_object *order)
{
    struct woocommerce_entry entry = {.time = second_of(order, "date_modified_gmt")};
    char *id = shop_json_id(order, "id", LIMIT_ORDER_ID);
    if (id && text_to_int(id, strlen(id), &entry.id))
        entry.id = 0;
    free(id);
    entry.twice = may_come_twice(entry.time, second_of(order, "date_modified"));
    return entry;
}

/* Adds one entry, or leaves it out and says why: the rest of the page counts. */
static void take_entry(struct shop_listing *listing, const struct json_object *order,
                       const struct woocommerce_origin *origin)
{
    struct facts draft = {0};
    const char *why;
    if (woocommerce_is_order(order, &why))
        woocommerce_read_order(order, *origin, &draft);
    else
        facts_set_aside(&draft, SET_ASIDE_MALFORMED, "an entry is no order: %s", why);
    if (draft.set_aside != SET_ASIDE_NONE && draft.order_count > 0)
        facts_set_aside(&draft, draft.set_aside, "order %.20s: %s", draft.orders[0].id,
                        draft.detail);
    listing_take(listing, &draft);
}

/* The clocks: ours says when the walk began, the shop's what that was to it. */
static struct woocommerce_clock clock_of(const struct shop_walk *walk,
                                         const struct shop_answer *answer)
{
    int64_t ahead = answer->date - answer_receipt(answer);
    return (struct woocommerce_clock){
        .began = (walk->began + ahead) / TIME_SECOND,
        .now = answer->date / TIME_SECOND,
    };
}

/* Whether the Link header names a next page. Where that would be is not looked at: the walk knows
 * better, and the URL is the shop's idea of itself. */
static bool says_more(const struct shop_answer *answer)
{
    return answer->link &&
           (strcasestr(answer->link, "rel=\"next\"") || strcasestr(answer->link, "rel=next"));
}

static enum shop_answer_verdict read_page(const struct settings_source *source,
                                          const struct shop_walk *walk,
                                          struct woocommerce_place *place, struct json_object *page,
                                          const struct shop_answer *answer,
                                          struct shop_listing *out, struct buf *detail)
{
    const struct woocommerce_origin origin = {.source = source,
                                              .received_at = answer_receipt(answer),
                                              .from_api = true,
                                              .read_at = answer_date(answer)};
    const struct woocommerce_clock clock = clock_of(walk, answer);
    size_t count = json_object_array_length(page);
    struct woocommerce_entry *entries = xcalloc(count + 1, sizeof(*entries));
    for (size_t i = 0; i < count; i++) {
        const struct json_object *order = json_object_array_get_idx(page, i);
        entries[i] = entry_of(order);
        take_entry(out, order, &origin);
    }
    const char *fault = NULL;
    const struct woocommerce_page told = {entries, count, says_more(answer)};
    bool more = woocommerce_place_advance(place, walk, &clock, &told, &fault);
    free(entries);
    if (fault)
        return answer_refuse(detail, fault);
    if (more)
        out->next = woocommerce_place_write(place);
    return SHOP_ANSWER_READ;
}

/* Opens an answer that has to be a list, or says what it is. */
static struct json_object *open_list(const struct shop_answer *answer, const char *api,
                                     const char *key, enum shop_answer_verdict *verdict,
                                     struct buf *detail)
{
    const struct answer_advice advice = {
        .key = key,
        .address = "check that api_url is the shop's own and that its permalinks are on",
    };
    struct json_object *root = answer_open(answer, &advice, verdict, detail);
    if (root && answer->status == 200 && json_object_is_type(root, json_type_array))
        return root;
    if (root) {
        *verdict = SHOP_ANSWER_REFUSED;
        buf_printf(detail,
                   answer->status == 200
                       ? "the shop answered with something that is no list of %s"
                       : "the shop has no list of %s: check that api_url is the shop's own and "
                         "that WooCommerce's REST API is on",
                   api);
    }
    json_object_put(root);
    return NULL;
}

enum shop_answer_verdict woocommerce_read_listing(const struct settings_source *source,
                                                  const struct shop_walk *walk, const char *cursor,
                                                  const struct shop_answer *answer,
                                                  struct shop_listing *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct woocommerce_place place;
    if (woocommerce_place_read(walk, cursor, &place))
        return answer_refuse(detail, "the place in the list is none of WooCommerce's");
    struct json_object *page =
        open_list(answer, "orders",
                  "check that api_key_file holds ck_...:cs_... of a user who may read orders, "
                  "and that api_url begins with https://",
                  &verdict, detail);
    if (!page)
        return verdict;
    verdict = read_page(source, walk, &place, page, answer, out, detail);
    json_object_put(page);
    return verdict;
}

int woocommerce_webhook(const struct settings_source *source, struct shop_fetch *out)
{
    char *basic_auth = credentials_basic(source);
    if (!basic_auth)
        return -1;
    *out = (struct shop_fetch){
        .target = xstrdup("/wp-json/wc/v3/webhooks?per_page=100"),
        .basic_auth = basic_auth,
        .header = xstrdup("Accept: application/json"),
    };
    return 0;
}

static bool says(const struct json_object *holder, const char *key, const char *expected)
{
    const char *text = shop_json_text(holder, key);
    return text && strcmp(text, expected) == 0;
}

/* Why none of the webhooks is active: given up, paused, or not there. */
static enum shop_webhook blame(const struct json_object *broken, const char *address,
                               struct buf *detail)
{
    if (!broken) {
        buf_printf(detail,
                   "the shop has no webhook of the topic \"Order updated\" to %s: add one under "
                   "WooCommerce > Settings > Advanced > Webhooks",
                   address);
        return SHOP_WEBHOOK_MISSING;
    }
    char *id = shop_json_id(broken, "id", 20);
    buf_printf(detail,
               says(broken, "status", "paused")
                   ? "the shop's webhook %s is paused: set it to Active under WooCommerce > "
                     "Settings > Advanced > Webhooks"
                   : "the shop has disabled its webhook %s, which it does after the 7th failure in "
                     "a row: see that this server can be reached, then set it to Active under "
                     "WooCommerce > Settings > Advanced > Webhooks",
               id ? id : "(without an id)");
    free(id);
    return SHOP_WEBHOOK_DISABLED;
}

enum shop_answer_verdict woocommerce_read_webhook(const struct settings_source *source,
                                                  const char *address,
                                                  const struct shop_answer *answer,
                                                  enum shop_webhook *out, struct buf *detail)
{
    (void)source;
    enum shop_answer_verdict verdict;
    const struct json_object *broken = NULL;
    struct json_object *list =
        open_list(answer, "webhooks",
                  "check that api_key_file holds ck_...:cs_... of a user who may manage "
                  "WooCommerce, or the webhook cannot be looked after",
                  &verdict, detail);
    if (!list)
        return verdict;
    bool active = false;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const struct json_object *webhook = json_object_array_get_idx(list, i);
        if (!says(webhook, "delivery_url", address) || !says(webhook, "topic", "order.updated"))
            continue;
        active |= says(webhook, "status", "active");
        broken = broken ? broken : webhook;
    }
    *out = active ? SHOP_WEBHOOK_ENABLED : blame(broken, address, detail);
    json_object_put(list);
    return SHOP_ANSWER_READ;
}
