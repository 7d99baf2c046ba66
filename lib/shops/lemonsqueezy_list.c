/*
 * Lemon Squeezy's lists, a hundred entries a page. None of them can be asked for what changed, and
 * a refund changes an order however old it is, so every walk reads all of them:
 *
 *     orders                   with their items included: what was bought once, and what of the
 *                              first payments went back
 *     subscriptions            their states, and what they are of
 *     subscription-invoices    the payments of renewals, and what of those went back. Refunded ones
 *                              alone (there is a filter) would not do: that a later payment stands
 *                              is told by that payment alone
 *
 * Pages have numbers, and come newest first (docs.lemonsqueezy.com/api: "ordered by created_at in
 * descending order"). What is bought meanwhile pushes entries to later pages, where they come
 * twice; none is ever deleted, which would pull them to earlier ones.
 *
 * No list tells `custom_data`: a buyer reference stays what a delivery said.
 *
 * A cursor is a list_place: the last entry's id, and as its mark the number of the page read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/json.h"
#include "shops/lemonsqueezy.h"
#include "shops/listing.h"

#define PER_PAGE 100
#define PAGE_DIGITS 10

/* The lists, in the order in which they are walked: an order has to be known before what it began.
 */
static const char *const passes[] = {"orders", "subscriptions", "subscription-invoices"};
enum { PASS_ORDERS, PASS_SUBSCRIPTIONS, PASS_INVOICES, PASS_COUNT };

static const struct answer_advice advice = {
    .key = "check that api_key_file holds an API key of the store, made in the mode that `live` "
           "says",
    .address = "check that api_url is https://api.lemonsqueezy.com",
};

/* The place of a cursor, and the number of the page that it asks for. */
static int open_cursor(const char *cursor, struct list_place *place, int64_t *page)
{
    *place = (struct list_place){0};
    *page = 0;
    if (*cursor && list_place_read(cursor, passes, PASS_COUNT, place))
        return -1;
    if (*place->mark &&
        (strlen(place->mark) != PAGE_DIGITS || text_to_int(place->mark, PAGE_DIGITS, page)))
        return -1;
    *page += 1;
    return 0;
}

static int ask(const struct settings_source *source, char *target, struct shop_fetch *out)
{
    char *header = credentials_bearer(source);
    if (!header) {
        free(target);
        return -1;
    }
    *out = (struct shop_fetch){
        .target = target,
        .header = header,
        .header2 = xstrdup("Accept: application/vnd.api+json"),
    };
    return 0;
}

int lemonsqueezy_list(const struct settings_source *source, const struct shop_walk *walk,
                      const char *cursor, struct shop_fetch *out)
{
    struct list_place place;
    int64_t page;
    (void)walk;
    if (open_cursor(cursor, &place, &page))
        return -1;
    return ask(source,
               xasprintf("/v1/%s?page%%5Bsize%%5D=%d&page%%5Bnumber%%5D=%lld%s", passes[place.pass],
                         PER_PAGE, (long long)page,
                         place.pass == PASS_ORDERS ? "&include=order-items" : ""),
               out);
}

/* Whether what was included is an item of this order, and says so. */
static bool is_item_of(const struct json_object *object, const char *number)
{
    const char *type = shop_json_text(object, "type");
    struct json_object *owner =
        shop_json_member(shop_json_object(object, "attributes"), "order_id");
    return type && strcmp(type, "order-items") == 0 && owner &&
           strcmp(json_object_get_string(owner), number) == 0;
}

/* Those of the included items that are of one order; the caller's to put. */
static struct json_object *items_of(struct json_object *included, const struct json_object *order)
{
    struct json_object *items = json_object_new_array(), *id = shop_json_member(order, "id");
    if (!items)
        die("lemonsqueezy: no memory for a list of items");
    for (size_t i = 0; included && id && i < json_object_array_length(included); i++) {
        struct json_object *object = json_object_array_get_idx(included, i);
        if (is_item_of(object, json_object_get_string(id)))
            json_object_array_add(items, json_object_get(object));
    }
    return items;
}

static void read_entry(const struct settings_source *source, size_t pass,
                       const struct json_object *entry, struct json_object *included,
                       const struct lemonsqueezy_evidence *evidence, struct facts *draft)
{
    const char *type = shop_json_text(entry, "type");
    if (!type || strcmp(type, passes[pass]) != 0 || !shop_json_object(entry, "attributes")) {
        facts_set_aside(draft, SET_ASIDE_MALFORMED, "an entry of the list of %s is none of them",
                        passes[pass]);
    } else if (pass == PASS_ORDERS) {
        struct json_object *items = items_of(included, entry);
        lemonsqueezy_read_order(source, entry, items, evidence, draft);
        json_object_put(items);
    } else if (pass == PASS_SUBSCRIPTIONS) {
        lemonsqueezy_read_subscription(source, entry, evidence, draft);
    } else {
        lemonsqueezy_read_invoice(source, entry, evidence, draft);
    }
}

/* Whether the list goes on behind the page. */
static bool has_more(const struct json_object *root, int64_t page)
{
    const struct json_object *told = shop_json_object(shop_json_object(root, "meta"), "page");
    if (shop_json_object(root, "links"))
        return shop_json_text(shop_json_object(root, "links"), "next") != NULL;
    return shop_json_count(told, "lastPage", 0) > page;
}

/* Whether another page came than was asked for: a shop that does not know the number would answer
 * with its first for ever. */
static bool is_other_page(const struct json_object *root, int64_t page)
{
    const struct json_object *told = shop_json_object(shop_json_object(root, "meta"), "page");
    return shop_json_count(told, "currentPage", page) != page;
}

/* The last id of the page, by which a page that comes again is known. */
static const char *last_id(struct json_object *data)
{
    size_t count = json_object_array_length(data);
    struct json_object *id = shop_json_member(json_object_array_get_idx(data, count - 1), "id");
    return id ? json_object_get_string(id) : "none";
}

/* Says where the walk goes on, if it does. */
static enum shop_answer_verdict go_on(struct list_place *place, int64_t page,
                                      const struct json_object *root, struct json_object *data,
                                      struct shop_listing *out, struct buf *detail)
{
    char mark[32];
    if (json_object_array_length(data) > 0 && has_more(root, page)) {
        snprintf(mark, sizeof(mark), "%0*lld", PAGE_DIGITS, (long long)page);
        if (strlen(mark) != PAGE_DIGITS || list_place_advance(place, last_id(data), mark, LIST_UP))
            return answer_refuse(detail, "the shop answers with one page again and again");
        out->next = list_place_write(place, passes);
    } else if (place->pass + 1 < PASS_COUNT) {
        out->next = xstrdup(passes[place->pass + 1]);
    }
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_page(const struct settings_source *source,
                                          struct list_place *place, int64_t page,
                                          const struct json_object *root, int64_t date,
                                          struct shop_listing *out, struct buf *detail)
{
    const struct lemonsqueezy_evidence evidence = {.received_at = date};
    struct json_object *data = shop_json_array(root, "data");
    if (!data)
        return answer_refuse(detail, "the shop answered with something that is no list");
    if (is_other_page(root, page))
        return answer_refuse(detail, "the shop answered with another page than was asked for");
    for (size_t i = 0; i < json_object_array_length(data); i++) {
        struct facts draft = {0};
        read_entry(source, place->pass, json_object_array_get_idx(data, i),
                   shop_json_array(root, "included"), &evidence, &draft);
        listing_take(out, &draft);
    }
    return go_on(place, page, root, data, out, detail);
}

enum shop_answer_verdict lemonsqueezy_read_listing(const struct settings_source *source,
                                                   const struct shop_walk *walk, const char *cursor,
                                                   const struct shop_answer *answer,
                                                   struct shop_listing *out, struct buf *detail)
{
    struct list_place place;
    int64_t page;
    enum shop_answer_verdict verdict;
    (void)walk;
    if (open_cursor(cursor, &place, &page))
        return answer_refuse(detail, "nothing was asked that could be answered");
    struct json_object *root = answer_open(answer, &advice, &verdict, detail);
    if (!root)
        return verdict;
    if (answer->status == 404)
        verdict = answer_refuse(detail, "the shop has no such list: check that api_url is "
                                        "https://api.lemonsqueezy.com");
    else
        verdict = read_page(source, &place, page, root, answer_date(answer), out, detail);
    json_object_put(root);
    return verdict;
}

int lemonsqueezy_webhook(const struct settings_source *source, struct shop_fetch *out)
{
    return ask(source, xasprintf("/v1/webhooks?page%%5Bsize%%5D=%d", PER_PAGE), out);
}

/* Whether a webhook is of our mode and points at us. */
static bool is_ours(const struct settings_source *source, const struct json_object *attributes,
                    const char *address)
{
    const char *url = shop_json_text(attributes, "url");
    struct json_object *test = shop_json_member(attributes, "test_mode");
    bool other = json_object_is_type(test, json_type_boolean) &&
                 (bool)json_object_get_boolean(test) == source->live;
    return url && strcmp(url, address) == 0 && !other;
}

/* The first event that no seller can do without and the webhook is not sent, or NULL. */
static const char *missing_event(const struct json_object *attributes)
{
    static const char *const needed[] = {"order_created", "order_refunded"};
    struct json_object *events = shop_json_array(attributes, "events");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        bool found = false;
        for (size_t j = 0; events && j < json_object_array_length(events); j++) {
            struct json_object *event = json_object_array_get_idx(events, j);
            found |= json_object_is_type(event, json_type_string) &&
                     strcmp(json_object_get_string(event), needed[i]) == 0;
        }
        if (!found)
            return needed[i];
    }
    return NULL;
}

/* Lemon Squeezy never disables a webhook: it is there, or it is not, or is not sent what it needs.
 */
static void find_webhook(const struct settings_source *source, struct json_object *list,
                         const char *address, enum shop_webhook *out, struct buf *detail)
{
    const char *missing = NULL;
    *out = SHOP_WEBHOOK_MISSING;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const struct json_object *attributes =
            shop_json_object(json_object_array_get_idx(list, i), "attributes");
        if (!is_ours(source, attributes, address))
            continue;
        missing = missing_event(attributes);
        *out = missing ? SHOP_WEBHOOK_DISABLED : SHOP_WEBHOOK_ENABLED;
        if (!missing)
            return;
    }
    if (missing)
        buf_printf(detail, "the shop's webhook is not sent %s: choose it in the store's settings",
                   missing);
    else
        buf_printf(detail, "no webhook of the store, in its %s mode, points at %s",
                   source->live ? "live" : "test", address);
}

enum shop_answer_verdict lemonsqueezy_read_webhook(const struct settings_source *source,
                                                   const char *address,
                                                   const struct shop_answer *answer,
                                                   enum shop_webhook *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct json_object *root = answer_open(answer, &advice, &verdict, detail);
    if (!root)
        return verdict;
    struct json_object *list = shop_json_array(root, "data");
    verdict = SHOP_ANSWER_READ;
    if (answer->status != 200 || !list)
        verdict = answer_refuse(detail, "the shop answered with something that is no list");
    else
        find_webhook(source, list, address, out, detail);
    json_object_put(root);
    return verdict;
}
