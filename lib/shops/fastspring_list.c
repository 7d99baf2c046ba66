/*
 * What changed at FastSpring, and all that there is.
 *
 * What changed: the store's own log of webhook events, as they were delivered or should have been,
 * each read as in a delivery; what it is about is asked for as well. The log reaches thirty days
 * back, holds what the first webhook of the store is sent, and answers at most 25 events of a
 * period, saying `more` if there are others, in no order that is promised. So a period that holds
 * more is asked for by halves. Those that nobody acknowledged come first: one that is acknowledged
 * meanwhile is met again among the others. Nothing is ever marked as processed: that is for the
 * front's own answers to say.
 *
 *     cursor = ( "unprocessed" / "processed" ) SP begin SP end          milliseconds
 *
 * All that there is, and what changed before the log begins: the orders, those with returns, and
 * the subscriptions, fifty a page (developer.fastspring.com/reference-link/orders,
 * fastspring.com/docs/subscriptions). An entry is an object or no more than its id, which is then
 * asked for: which of them a list holds is documented for subscriptions alone (ids). Unverified:
 * that `begin` may lie more than a year back, and whether orders say their returns without being
 * asked for those alone; so they are asked for too. New orders come first or last, and none is
 * deleted: they push others to later pages, or none.
 *
 *     cursor = list_place: the last entry's id, and as its mark the number of the page read
 *
 * FastSpring's API does not tell of webhooks (it rotates their keys, no more).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/fastspring.h"
#include "shops/json.h"
#include "shops/listing.h"

#define PER_PAGE 50
#define PAGE_DIGITS 10
#define MILLISECOND (TIME_SECOND / 1000)
/* The log reaches thirty days back; a walk takes a while. */
#define LOG_REACHES (29 * TIME_DAY)
/* FastSpring opened in 2005. */
#define FIRST_DAY "2005-01-01"

/* The lists of a whole walk: which of the API, of what, and how to narrow it down. */
static const struct list {
    const char *path, *query;
    const char *member, *id; /* of the answer, and of an entry that is an object */
    const char *place;       /* of an entry that is no more than its id */
} lists[] = {
    {"orders", "", "orders", "order", FASTSPRING_ORDERS},
    {"orders", "&returns=true", "orders", "order", FASTSPRING_ORDERS},
    {"subscriptions", "", "subscriptions", "subscription", FASTSPRING_SUBSCRIPTIONS},
};
#define LIST_COUNT (sizeof(lists) / sizeof(lists[0]))

/* What a cursor calls them. */
static const char *const passes[LIST_COUNT] = {"orders", "returns", "subscriptions"};

/* The halves of the log, in the order in which they are walked. */
static const char *const logs[] = {"unprocessed", "processed"};
#define LOG_COUNT (sizeof(logs) / sizeof(logs[0]))

/* Where a walk through the log stands: a period of it, in milliseconds. */
struct period {
    size_t log;
    int64_t begin, end;
};

static bool reads_log(const struct shop_walk *walk)
{
    return !walk->whole && walk->since != TIME_NONE && walk->since >= walk->began - LOG_REACHES;
}

/* The whole of the log that the walk is about, to its end. */
static struct period whole_period(const struct shop_walk *walk, size_t log)
{
    return (struct period){.log = log,
                           .begin = walk->since > 0 ? walk->since / MILLISECOND : 0,
                           .end = walk->began / MILLISECOND + 1};
}

static int take_number(const char **rest, int64_t *out)
{
    if (**rest != ' ')
        return -1;
    size_t len = strcspn(*rest + 1, " ");
    if (text_to_int(*rest + 1, len, out))
        return -1;
    *rest += 1 + len;
    return 0;
}

static int open_period(const struct shop_walk *walk, const char *cursor, struct period *out)
{
    struct period period = {0};
    if (!*cursor) {
        *out = whole_period(walk, 0);
        return 0;
    }
    size_t len = strcspn(cursor, " ");
    while (period.log < LOG_COUNT &&
           (strlen(logs[period.log]) != len || strncmp(logs[period.log], cursor, len) != 0))
        period.log++;
    const char *rest = cursor + len;
    if (period.log == LOG_COUNT || take_number(&rest, &period.begin) ||
        take_number(&rest, &period.end) || *rest || period.begin > period.end)
        return -1;
    *out = period;
    return 0;
}

static char *write_period(const struct period *period)
{
    return xasprintf("%s %lld %lld", logs[period->log], (long long)period->begin,
                     (long long)period->end);
}

/* The place of a cursor, and the number of the page that it asks for. */
static int open_place(const char *cursor, struct list_place *place, int64_t *page)
{
    *place = (struct list_place){0};
    *page = 0;
    if (*cursor && list_place_read(cursor, passes, LIST_COUNT, place))
        return -1;
    if (*place->mark &&
        (strlen(place->mark) != PAGE_DIGITS || text_to_int(place->mark, PAGE_DIGITS, page)))
        return -1;
    *page += 1;
    return 0;
}

/* The day behind the run's, so that orders of its own day are before it wherever the store is. */
static void last_day(const struct shop_walk *walk, char out[TIME_TEXT])
{
    clock_format(walk->began + 2 * TIME_DAY, out);
    out[strcspn(out, "T")] = '\0';
}

static char *list_target(const struct settings_source *source, const struct shop_walk *walk,
                         const struct list_place *place, int64_t page)
{
    const struct list *list = &lists[place->pass];
    char day[TIME_TEXT];
    if (strcmp(list->path, "orders") != 0)
        return xasprintf("/%s?limit=%d&page=%lld", list->path, PER_PAGE, (long long)page);
    last_day(walk, day);
    return xasprintf("/%s?begin=%s&end=%s&scope=%s&limit=%d&page=%lld%s", list->path, FIRST_DAY,
                     day, source->live ? "live" : "test", PER_PAGE, (long long)page, list->query);
}

/* The path and query of the call for a cursor; NULL: it is none. */
static char *target_of(const struct settings_source *source, const struct shop_walk *walk,
                       const char *cursor)
{
    struct period period;
    struct list_place place;
    int64_t page;
    if (reads_log(walk))
        return open_period(walk, cursor, &period)
                   ? NULL
                   : xasprintf("/events/%s?begin=%lld&end=%lld", logs[period.log],
                               (long long)period.begin, (long long)period.end);
    return open_place(cursor, &place, &page) ? NULL : list_target(source, walk, &place, page);
}

int fastspring_list(const struct settings_source *source, const struct shop_walk *walk,
                    const char *cursor, struct shop_fetch *out)
{
    char *target = target_of(source, walk, cursor);
    char *basic_auth = target ? credentials_basic(source) : NULL;
    if (!basic_auth) {
        free(target);
        return -1;
    }
    *out = (struct shop_fetch){
        .target = target,
        .basic_auth = basic_auth,
        .header = xstrdup("Accept: application/json"),
    };
    return 0;
}

/* An event says what was; what it is about may say more by now. */
static void want_object(struct facts *draft, const struct json_object *event)
{
    static const char subscription[] = "subscription.", completed[] = "order.completed";
    const char *type = shop_json_text(event, "type");
    char *id;
    if (!type || draft->set_aside != SET_ASIDE_NONE || draft->order_count == 0)
        return;
    if (strncmp(type, subscription, sizeof(subscription) - 1) == 0) {
        fastspring_add_need(&draft->orders[0], NEED_ORDER, FASTSPRING_SUBSCRIPTIONS,
                            draft->orders[0].id, false);
    } else if (strcmp(type, completed) == 0 &&
               fastspring_take_id(draft, shop_json_object(event, "data"), "order", &id) == 0) {
        fastspring_add_need(&draft->orders[0], NEED_ORDER, FASTSPRING_ORDERS, id, false);
        free(id);
    }
}

static bool says_more(const struct json_object *root)
{
    struct json_object *more = shop_json_member(root, "more");
    return (more && json_object_get_boolean(more)) || shop_json_member(root, "nextPage");
}

/* Says which period is next: a half of this one, or what follows it, or the other log. Periods
 * share their borders, so that no event falls between two. */
static enum shop_answer_verdict go_on_in_log(const struct shop_walk *walk, struct period period,
                                             bool more, struct shop_listing *out,
                                             struct buf *detail)
{
    int64_t width = period.end - period.begin;
    struct period whole = whole_period(walk, period.log);
    if (more && width <= 1)
        return answer_refuse(detail, "the shop has more events of one moment than it tells");
    if (more) {
        period.end = period.begin + width / 2;
    } else if (period.end < whole.end) {
        period.begin = period.end;
        period.end = whole.end - period.begin > 2 * width ? period.begin + 2 * width : whole.end;
    } else if (period.log + 1 < LOG_COUNT) {
        period = whole_period(walk, period.log + 1);
    } else {
        return SHOP_ANSWER_READ;
    }
    out->next = write_period(&period);
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_log(const struct settings_source *source,
                                         const struct shop_walk *walk, const char *cursor,
                                         const struct json_object *root, int64_t date,
                                         struct shop_listing *out, struct buf *detail)
{
    struct json_object *events = shop_json_array(root, "events");
    struct period period;
    if (open_period(walk, cursor, &period))
        return answer_refuse(detail, "nothing was asked that could be answered");
    if (!events)
        return answer_refuse(detail, "the shop answered with something that is no list of events");
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        struct fastspring_tally ignored = {0};
        struct facts draft = {0};
        fastspring_read_event(source, event, date, &draft, &ignored);
        want_object(&draft, event);
        listing_take(out, &draft);
    }
    return go_on_in_log(walk, period, says_more(root), out, detail);
}

/* The id of an entry, which may be no more than that; NULL: it has none. A new string. */
static char *entry_id(const struct list *list, struct json_object *entry)
{
    struct facts ignored = {0};
    char *id = NULL;
    if (json_object_is_type(entry, json_type_string)) {
        const char *text = json_object_get_string(entry);
        return list_is_word(text) ? xstrdup(text) : NULL;
    }
    if (fastspring_take_id(&ignored, entry, list->id, &id) == 0 && !list_is_word(id))
        xfree(id);
    facts_free(&ignored);
    return id;
}

static void read_entry(const struct settings_source *source, const struct list *list,
                       struct json_object *entry, int64_t date, struct facts *draft)
{
    const struct fastspring_origin origin = {
        .received_at = date, .event_at = date, .from_api = true};
    char *id = entry_id(list, entry);
    if (!id)
        facts_set_aside(draft, SET_ASIDE_MALFORMED, "an entry of the list of %s has no id",
                        list->member);
    else if (json_object_is_type(entry, json_type_string))
        fastspring_add_need(facts_add_order(draft, id, strlen(id)), NEED_ORDER, list->place, id,
                            true);
    else if (fastspring_is_mode(source, entry) && strcmp(list->id, "order") == 0)
        fastspring_read_order_answer(entry, &origin, draft);
    else if (fastspring_is_mode(source, entry))
        fastspring_read_subscription_answer(entry, &origin, draft);
    free(id);
}

/* Says where the walk goes on, if it does. */
static enum shop_answer_verdict go_on_in_list(struct list_place *place, int64_t page,
                                              const struct json_object *root,
                                              struct json_object *entries, struct shop_listing *out,
                                              struct buf *detail)
{
    size_t count = json_object_array_length(entries);
    char mark[32];
    if (count > 0 && shop_json_member(root, "nextPage")) {
        char *last = entry_id(&lists[place->pass], json_object_array_get_idx(entries, count - 1));
        snprintf(mark, sizeof(mark), "%0*lld", PAGE_DIGITS, (long long)page);
        int stuck = strlen(mark) != PAGE_DIGITS ||
                    list_place_advance(place, last ? last : "none", mark, LIST_UP);
        free(last);
        if (stuck)
            return answer_refuse(detail, "the shop answers with one page again and again");
        out->next = list_place_write(place, passes);
    } else if (place->pass + 1 < LIST_COUNT) {
        out->next = xstrdup(passes[place->pass + 1]);
    }
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_list(const struct settings_source *source, const char *cursor,
                                          const struct json_object *root, int64_t date,
                                          struct shop_listing *out, struct buf *detail)
{
    struct list_place place;
    int64_t page;
    if (open_place(cursor, &place, &page))
        return answer_refuse(detail, "nothing was asked that could be answered");
    const struct list *list = &lists[place.pass];
    struct json_object *entries = shop_json_array(root, list->member);
    if (!entries)
        return answer_refuse(detail, "the shop answered with something that is no such list");
    if (shop_json_count(root, "page", page) != page)
        return answer_refuse(detail, "the shop answered with another page than was asked for");
    for (size_t i = 0; i < json_object_array_length(entries); i++) {
        struct facts draft = {0};
        read_entry(source, list, json_object_array_get_idx(entries, i), date, &draft);
        listing_take(out, &draft);
    }
    return go_on_in_list(&place, page, root, entries, out, detail);
}

static bool says_no(const struct json_object *root)
{
    const char *result = shop_json_text(root, "result");
    return result && strcmp(result, "error") == 0;
}

enum shop_answer_verdict fastspring_read_listing(const struct settings_source *source,
                                                 const struct shop_walk *walk, const char *cursor,
                                                 const struct shop_answer *answer,
                                                 struct shop_listing *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    /* What was asked wrongly is told in JSON, as a bad request or as success. */
    struct shop_answer seen = *answer;
    if (seen.status == 400)
        seen.status = 404;
    struct json_object *root = answer_open(&seen, &fastspring_advice, &verdict, detail);
    if (!root)
        return verdict;
    if (answer->status != 200 || says_no(root))
        verdict = answer_refuse(detail, "the shop refused to list that");
    else if (reads_log(walk))
        verdict = read_log(source, walk, cursor, root, answer_date(answer), out, detail);
    else
        verdict = read_list(source, cursor, root, answer_date(answer), out, detail);
    json_object_put(root);
    return verdict;
}
