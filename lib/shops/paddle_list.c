/*
 * Walking through everything, or through what changed: three lists, each by its ids, and the
 * webhook's settings.
 *
 * An id never changes and says when its entry was made, so a place between two ids stays where it
 * is whatever happens meanwhile. In the order of `updated_at` it would not: an entry that changes
 * moves to the end, and with it the place that its id marks. So transactions are asked for by what
 * they were changed after, and read in the order of their ids.
 *
 * Adjustments and subscriptions cannot be asked for so. Subscriptions are listed whole, and those
 * that did not change tell nothing. Adjustments are listed from the newest, as far back as one may
 * still be decided upon; one that changed makes its transaction be read again, which alone knows
 * which of a subscription's lines its items are.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/json.h"
#include "shops/listing.h"
#include "shops/paddle.h"

/* How long after it was made an adjustment may change: Paddle decides on a refund within days. */
#define ADJUSTMENT_OPEN (60 * TIME_DAY)

/* A page on its way to facts. */
struct page {
    const struct shop_walk *walk;
    struct paddle_evidence evidence;
    struct shop_listing *out;
};

enum pass { PASS_TRANSACTIONS, PASS_ADJUSTMENTS, PASS_SUBSCRIPTIONS };

static const char *const pass_names[] = {"transactions", "adjustments", "subscriptions"};
#define PASS_COUNT (sizeof(pass_names) / sizeof(pass_names[0]))

static bool is_partial(const struct shop_walk *walk)
{
    return !walk->whole && walk->since != TIME_NONE;
}

/* When an entry was made and last changed; TIME_NONE where it is not told, or never was. */
struct dates {
    int64_t created, updated;
};

static int64_t take_date(const struct json_object *entry, const char *key)
{
    struct facts scratch = {0};
    int64_t time;
    if (shop_take_time(&scratch, entry, key, &time) || time < PADDLE_FIRST_TIME)
        time = TIME_NONE;
    facts_free(&scratch);
    return time;
}

static struct dates take_dates(const struct json_object *entry)
{
    return (struct dates){take_date(entry, "created_at"), take_date(entry, "updated_at")};
}

/* Whether an entry certainly did not change since the walk's time. */
static bool is_old(const struct dates *dates, const struct page *page)
{
    return is_partial(page->walk) && dates->updated != TIME_NONE &&
           dates->updated < page->walk->since && dates->created < page->walk->since;
}

static void read_transaction_entry(const struct json_object *entry, const struct page *page,
                                   struct facts *draft)
{
    paddle_read_transaction(entry, &page->evidence, draft);
}

static bool keep_none(const struct fact_need *need)
{
    (void)need;
    return false;
}

/* The list of transactions, walked before, has told the whole of it; of what changed since it may
 * not. */
static void read_adjustment_entry(const struct json_object *entry, const struct page *page,
                                  struct facts *draft)
{
    const struct dates dates = take_dates(entry);
    if (is_old(&dates, page))
        return;
    paddle_read_adjustment(entry, &page->evidence, draft);
    for (size_t i = 0; i < draft->order_count; i++) {
        struct fact_order *order = &draft->orders[i];
        listing_keep_needs(order, keep_none);
        if (is_partial(page->walk) &&
            (dates.updated != TIME_NONE || dates.created >= page->walk->since) &&
            !listing_needs(page->out, NEED_ORDER, order->id))
            fact_add_need(order, NEED_ORDER, order->id, true);
    }
}

/* A transaction tells whose the subscription is. */
static void read_subscription_entry(const struct json_object *entry, const struct page *page,
                                    struct facts *draft)
{
    const struct dates dates = take_dates(entry);
    if (is_old(&dates, page))
        return;
    paddle_read_subscription(entry, &page->evidence, draft);
    for (size_t i = 0; i < draft->order_count; i++)
        listing_keep_needs(&draft->orders[i], keep_none);
}

/* Every list: where, what its ids begin with, and what its entries are read as. What was never
 * billed is no transaction of anybody's. */
static const struct {
    const char *target, *prefix;
    enum list_direction direction;
    void (*read)(const struct json_object *, const struct page *, struct facts *draft);
} passes[] = {
    [PASS_TRANSACTIONS] = {"/transactions?include=" PADDLE_INCLUDE
                           "&status=billed,paid,completed,past_due,canceled"
                           "&order_by=id%5BASC%5D&per_page=30",
                           "txn_", LIST_UP, read_transaction_entry},
    [PASS_ADJUSTMENTS] = {"/adjustments?order_by=id%5BDESC%5D&per_page=50", "adj_", LIST_DOWN,
                          read_adjustment_entry},
    [PASS_SUBSCRIPTIONS] = {"/subscriptions?order_by=id%5BASC%5D&per_page=200", "sub_", LIST_UP,
                            read_subscription_entry},
};

static int take_place(const char *cursor, struct list_place *place)
{
    *place = (struct list_place){.pass = PASS_TRANSACTIONS};
    return *cursor ? list_place_read(cursor, pass_names, PASS_COUNT, place) : 0;
}

int paddle_call(const struct settings_source *source, char *target, struct shop_fetch *out)
{
    char *header = credentials_bearer(source);
    if (!header) {
        free(target);
        return -1;
    }
    /* Counting what a list holds takes longer than listing it. */
    *out = (struct shop_fetch){
        .target = target, .header = header, .header2 = xstrdup("Skip-Count: true")};
    return 0;
}

int paddle_list_page(const struct settings_source *source, const struct shop_walk *walk,
                     const char *cursor, struct shop_fetch *out)
{
    struct list_place place;
    struct buf target = {0};
    if (take_place(cursor, &place))
        return -1;
    buf_puts(&target, passes[place.pass].target);
    if (place.pass == PASS_TRANSACTIONS && is_partial(walk)) {
        char since[TIME_TEXT];
        clock_format(walk->since, since);
        buf_printf(&target, "&updated_at%%5BGTE%%5D=%s", since);
    }
    if (*place.after)
        buf_printf(&target, "&after=%s", place.after);
    return paddle_call(source, buf_take(&target), out);
}

static void read_entry(const struct json_object *entry, size_t pass, const struct page *page)
{
    struct facts draft = {0};
    const char *id = shop_json_text(entry, "id"), *prefix = passes[pass].prefix;
    if (id && strncmp(id, prefix, strlen(prefix)) == 0)
        passes[pass].read(entry, page, &draft);
    else
        facts_set_aside(&draft, SET_ASIDE_MALFORMED, "an entry has no id that begins with %s",
                        prefix);
    listing_take(page->out, &draft);
}

/* The value of `after` in the address of the next page, a new string; NULL: it has none. Nothing
 * else of the address is looked at. */
static char *take_after(const struct json_object *pagination)
{
    const char *next = shop_json_text(pagination, "next");
    const char *at = next ? strchr(next, '?') : NULL;
    while (at) {
        at++;
        size_t len = strcspn(at, "&#");
        if (strncmp(at, "after=", 6) == 0)
            return xstrndup(at + 6, len - 6);
        at = at[len] == '&' ? at + len : NULL;
    }
    return NULL;
}

/* Whether all that is behind this page is settled since long: made too early to change now. */
static bool is_far_enough(const struct json_object *last, size_t pass, const struct page *page)
{
    if (pass != PASS_ADJUSTMENTS || !is_partial(page->walk))
        return false;
    int64_t created = take_date(last, "created_at");
    return created != TIME_NONE && created < page->walk->since - ADJUSTMENT_OPEN;
}

/* Sets the cursor of the page behind: of this list, or of the next. */
static int set_next(const struct json_object *root, struct json_object *entries,
                    struct list_place *place, const struct page *page)
{
    const struct json_object *pagination =
        shop_json_object(shop_json_object(root, "meta"), "pagination");
    struct json_object *more = shop_json_member(pagination, "has_more");
    size_t count = json_object_array_length(entries);
    const struct json_object *last =
        count > 0 ? json_object_array_get_idx(entries, count - 1) : NULL;
    if (!json_object_is_type(more, json_type_boolean))
        return -1;
    if (json_object_get_boolean(more) && !is_far_enough(last, place->pass, page)) {
        char *after = take_after(pagination);
        if (!after && shop_json_text(last, "id"))
            after = xstrdup(shop_json_text(last, "id"));
        int bad = !after || list_place_advance(place, after, after, passes[place->pass].direction);
        free(after);
        if (bad)
            return -1;
    } else if (place->pass == PASS_SUBSCRIPTIONS) {
        return 0;
    } else {
        *place = (struct list_place){.pass = place->pass + 1};
    }
    page->out->next = list_place_write(place, pass_names);
    return 0;
}

struct json_object *paddle_open_list(const struct shop_answer *answer, const char *may_read,
                                     struct json_object **root, enum shop_answer_verdict *verdict,
                                     struct buf *detail)
{
    char *key = xasprintf("check that api_key_file holds a key that may read %s, of the account "
                          "that api_url is of (live or sandbox)",
                          may_read);
    const struct answer_advice advice = {.key = key, .address = PADDLE_ADDRESS_ADVICE};
    struct json_object *data = NULL;
    *root = NULL;
    if (answer->status == 400) {
        *verdict = answer_refuse(detail, "Paddle does not take the call (400)");
    } else {
        *root = answer_open(answer, &advice, verdict, detail);
    }
    free(key);
    if (!*root)
        return NULL;
    *verdict = SHOP_ANSWER_REFUSED;
    data = answer->status == 404 ? NULL : shop_json_array(*root, "data");
    if (!data) {
        buf_puts(detail, "the shop answered with something that is no list");
        json_object_put(*root);
        *root = NULL;
    }
    return data;
}

enum shop_answer_verdict paddle_read_page(const struct settings_source *source,
                                          const struct shop_walk *walk, const char *cursor,
                                          const struct shop_answer *answer,
                                          struct shop_listing *out, struct buf *detail)
{
    struct list_place place;
    struct json_object *root;
    enum shop_answer_verdict verdict;
    (void)source;
    if (take_place(cursor, &place))
        return answer_refuse(detail, "the cursor is none of a walk through Paddle's lists");
    struct json_object *entries = paddle_open_list(
        answer, "transactions, adjustments, subscriptions and customers", &root, &verdict, detail);
    if (!entries)
        return verdict;
    int64_t date = answer_date(answer);
    struct page page = {walk, {NULL, date, date}, out};
    for (size_t i = 0; i < json_object_array_length(entries); i++)
        read_entry(json_object_array_get_idx(entries, i), place.pass, &page);
    verdict = set_next(root, entries, &place, &page)
                  ? answer_refuse(detail, "Paddle's list does not go on: it does not say what "
                                          "comes next, or the same page comes again")
                  : SHOP_ANSWER_READ;
    json_object_put(root);
    return verdict;
}
