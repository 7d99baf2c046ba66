#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/answer.h"
#include "shops/json.h"
#include "shops/listing.h"
#include "shops/shopify.h"

/*
 * Orders by GraphQL, by the time of their last change, oldest first. Shopify's cursors are keys,
 * not numbers of pages: an order that is changed meanwhile comes again at the end. What is changed
 * after the walk began is the next walk's, so that it has an end. Shopify counts what a query may
 * cost, by how much it asks for: a page is as long as its points allow.
 */

#define SIZE_FIRST 5 /* orders of the first page: dear by any way to count */
#define SIZE_MOST 100
#define COST_MOST 900   /* points of a query, of the 1,000 that one may cost */
#define CURSOR_MOST 800 /* bytes of a cursor of Shopify's */
#define MARGIN 10       /* seconds after the walk began that are still read */
#define NEWS 3          /* pages with nothing older, one after another: the end */
#define PAUSE_MOST (2 * TIME_MINUTE)

/*
 * Where a walk stands: "SIZE MARK STUCK AFTER".
 */
struct place {
    int64_t size;  /* of the next page */
    int64_t mark;  /* the latest change seen from before the walk began, in seconds */
    int64_t stuck; /* pages that came no further than that */
    char after[CURSOR_MOST + 1];
};

/* What stands between two blanks, as a number. */
static int take_number(const char **at, int64_t most, int64_t *out)
{
    size_t len = strcspn(*at, " ");
    if ((*at)[len] != ' ' || len > 19 || (len > 1 && **at == '0') || text_to_int(*at, len, out) ||
        *out > most)
        return -1;
    *at += len + 1;
    return 0;
}

/* A cursor of Shopify's is opaque, but it is a word. */
static int take_after(const char *text, char out[CURSOR_MOST + 1])
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return -1;
    if (len > CURSOR_MOST)
        return -1;
    memcpy(out, text, len + 1);
    return 0;
}

static int read_place(const char *cursor, struct place *out)
{
    *out = (struct place){.size = SIZE_FIRST};
    if (!*cursor)
        return 0;
    return take_number(&cursor, SIZE_MOST, &out->size) || out->size == 0 ||
                   take_number(&cursor, INT64_MAX, &out->mark) ||
                   take_number(&cursor, LIMIT_LIST_STUCK, &out->stuck) ||
                   take_after(cursor, out->after)
               ? -1
               : 0;
}

static char *write_place(const struct place *place)
{
    return xasprintf("%lld %lld %lld %s", (long long)place->size, (long long)place->mark,
                     (long long)place->stuck, place->after);
}

int shopify_list(const struct settings_source *source, const struct shop_walk *walk,
                 const char *cursor, struct shop_fetch *out)
{
    struct buf body = {0}, query = {0};
    struct place place;
    if (read_place(cursor, &place))
        return -1;
    buf_puts(&query, "query($first:Int!,$after:String,$query:String){orders(first:$first,"
                     "after:$after,query:$query,sortKey:UPDATED_AT){pageInfo{hasNextPage endCursor}"
                     "nodes");
    buf_puts(&query, shopify_graph_order);
    buf_puts(&query, "}}");
    buf_puts(&body, "{\"query\":");
    buf_json_string(&body, query.data, query.len);
    buf_printf(&body, ",\"variables\":{\"first\":%lld,\"after\":", (long long)place.size);
    buf_json_text(&body, *place.after ? place.after : NULL);
    buf_puts(&body, ",\"query\":");
    if (walk->whole || walk->since < 0) {
        buf_puts(&body, "null");
    } else {
        char since[TIME_TEXT];
        clock_format(walk->since / TIME_SECOND * TIME_SECOND, since);
        buf_printf(&body, "\"updated_at:>='%s'\"", since);
    }
    buf_puts(&body, "}}");
    buf_free(&query);
    return shopify_post(source, &body, out);
}

/* What the shop says of its points, in millionths; -1: not told. */
struct points {
    int64_t asked;    /* what the query could have cost */
    int64_t left;     /* at the moment */
    int64_t most;     /* when the bucket is full */
    int64_t restored; /* in a second */
};

static struct points points_of(const struct json_object *root)
{
    const struct json_object *cost = shop_json_object(shop_json_object(root, "extensions"), "cost");
    const struct json_object *throttle = shop_json_object(cost, "throttleStatus");
    return (struct points){
        .asked = shop_json_amount(cost, "requestedQueryCost", -1),
        .left = shop_json_amount(throttle, "currentlyAvailable", -1),
        .most = shop_json_amount(throttle, "maximumAvailable", -1),
        .restored = shop_json_amount(throttle, "restoreRate", -1),
    };
}

/* How long until the bucket holds so much; a full one is full. */
static int64_t pause_for(const struct points *points, int64_t needed)
{
    if (points->left < 0 || points->restored <= 0)
        return 0;
    if (points->most >= 0 && needed > points->most)
        needed = points->most;
    if (needed <= points->left)
        return 0;
    double seconds = (double)(needed - points->left) / (double)points->restored;
    return seconds > (double)PAUSE_MOST / TIME_SECOND ? PAUSE_MOST
                                                      : (int64_t)(seconds * TIME_SECOND) + 1;
}

/* As many orders as the points of one query are good for, at most twice as many as before. */
static int64_t next_size(const struct points *points, int64_t size)
{
    int64_t most = COST_MOST * INT64_C(1000000);
    if (points->asked <= 0)
        return size;
    if (points->most >= 0 && points->most < most)
        most = points->most;
    double fits = (double)size * (double)most / (double)points->asked;
    int64_t next = fits > (double)(2 * size) ? 2 * size : (int64_t)fits;
    return next < 1 ? 1 : next > SIZE_MOST ? SIZE_MOST : next;
}

/* Adds one order. One that is cut off here is to be read by itself. */
static void take_node(const struct settings_source *source, const struct json_object *node,
                      const struct shop_answer *answer, struct shop_listing *out)
{
    struct facts draft = {0};
    bool cut;
    struct json_object *order = shopify_graph_rest(node, &cut);
    if (shop_json_array(order, "line_items"))
        shopify_read_order(source, order, answer_receipt(answer), &draft);
    else
        facts_set_aside(&draft, SET_ASIDE_MALFORMED, "an entry of the list is no order");
    json_object_put(order);
    if (draft.set_aside == SET_ASIDE_NONE) {
        struct fact_order *told = &draft.orders[0];
        shopify_graph_disputes(node, told);
        told->snapshot->from_api = true;
        told->snapshot->read_at = answer_date(answer);
        if (cut) {
            fact_snapshot_free(told->snapshot);
            told->snapshot = NULL;
            fact_add_need(told, NEED_ORDER, NULL, true);
        }
    }
    listing_take(out, &draft);
}

/* Moves the place behind a page. The end is where the shop says so, or where all is news. */
static enum shop_answer_verdict advance(const struct shop_walk *walk, struct place *place,
                                        const struct json_object *orders,
                                        const struct shop_answer *answer, bool *more,
                                        struct buf *detail)
{
    int64_t news = (walk->began + answer->date - answer_receipt(answer)) / TIME_SECOND + MARGIN;
    struct json_object *nodes = shop_json_array(orders, "nodes");
    const struct json_object *info = shop_json_object(orders, "pageInfo");
    const char *end = shop_json_text(info, "endCursor");
    int64_t mark = place->mark;
    bool old = json_object_array_length(nodes) == 0;
    for (size_t i = 0; i < json_object_array_length(nodes); i++) {
        const char *updated = shop_json_text(json_object_array_get_idx(nodes, i), "updatedAt");
        int64_t time;
        bool told = updated && clock_parse(updated, strlen(updated), &time) == 0;
        old |= !told || time / TIME_SECOND < news;
        if (told && time / TIME_SECOND < news && time / TIME_SECOND > mark)
            mark = time / TIME_SECOND;
    }
    place->stuck = mark > place->mark ? 0 : place->stuck + 1;
    place->mark = mark;
    struct json_object *next = shop_json_member(info, "hasNextPage");
    *more = json_object_is_type(next, json_type_boolean) && json_object_get_boolean(next) &&
            (old || place->stuck < NEWS);
    if (!*more)
        return SHOP_ANSWER_READ;
    if (!end || !*end || strcmp(end, place->after) == 0 || place->stuck > LIMIT_LIST_STUCK ||
        take_after(end, place->after))
        return answer_refuse(detail, "Shopify's list comes no further: its pages do not end, and "
                                     "tell nothing new");
    return SHOP_ANSWER_READ;
}

/* The page was too dear: the same place again, with half of it. */
static enum shop_answer_verdict ask_for_less(struct place *place, struct shop_listing *out,
                                             struct buf *detail)
{
    if (place->size == 1)
        return SHOP_ANSWER_REFUSED;
    buf_reset(detail);
    place->size /= 2;
    out->next = write_place(place);
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_page(const struct settings_source *source,
                                          const struct shop_walk *walk, struct place *place,
                                          const struct json_object *root,
                                          const struct shop_answer *answer,
                                          struct shop_listing *out, struct buf *detail)
{
    const struct json_object *orders = shop_json_object(shop_json_object(root, "data"), "orders");
    struct json_object *nodes = shop_json_array(orders, "nodes");
    const struct points points = points_of(root);
    bool dear, more;
    enum shop_answer_verdict verdict = shopify_read_errors(root, &dear, detail);
    out->pause_us = pause_for(&points, points.asked);
    if (dear)
        return ask_for_less(place, out, detail);
    if (verdict == SHOP_ANSWER_LATER && out->pause_us < TIME_SECOND)
        out->pause_us = TIME_SECOND;
    if (verdict != SHOP_ANSWER_READ)
        return verdict;
    if (!nodes || !shop_json_object(orders, "pageInfo"))
        return answer_refuse(detail, "the shop answered with something that is no list of orders");
    for (size_t i = 0; i < json_object_array_length(nodes); i++)
        take_node(source, json_object_array_get_idx(nodes, i), answer, out);
    if (advance(walk, place, orders, answer, &more, detail))
        return SHOP_ANSWER_REFUSED;
    if (!more)
        return SHOP_ANSWER_READ;
    int64_t size = next_size(&points, place->size);
    out->pause_us = pause_for(&points, points.asked / place->size * size + 1000000);
    place->size = size;
    out->next = write_place(place);
    return SHOP_ANSWER_READ;
}

enum shop_answer_verdict shopify_read_listing(const struct settings_source *source,
                                              const struct shop_walk *walk, const char *cursor,
                                              const struct shop_answer *answer,
                                              struct shop_listing *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct place place;
    if (read_place(cursor, &place))
        return answer_refuse(detail, "the place in the list is none of Shopify's");
    struct json_object *root = shopify_open_graph(answer, &verdict, detail);
    if (!root)
        return verdict;
    verdict = read_page(source, walk, &place, root, answer, out, detail);
    json_object_put(root);
    return verdict;
}
