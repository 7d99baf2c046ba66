#include "shops/woocommerce_place.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define FULL WOOCOMMERCE_PER_PAGE
#define BY_ID_STEP 80 /* of a full page by id: a fifth comes again */
#define HALF (FULL / 2)
#define SETTLED 60 /* seconds before the walk began: an older time is no change under our hands */
#define MARGIN 10  /* seconds after it began that are still read */
#define AHEAD 300  /* what is dated so far beyond the shop's clock was not changed just now */

/* How often the walk looks again, steps back, sees the same page or none, before it gives up. */
#define LOOKS 3
#define STEPS_BACK 4
#define SAME_PAGES 10
#define NOTHING_NEW 40
#define EMPTY_PAGES 6
#define OFFSET_MOST 10000000
#define TIME_MOST INT64_C(253402300799) /* the last second of the year 9999 */

static const char way_letters[] = {'t', 'i', 'o'};

/* Strict and coarse: what changed in the very second counts too. */
static struct woocommerce_place begin(const struct shop_walk *walk, bool trash)
{
    int64_t second = walk->whole || walk->since < 0 ? 0 : walk->since / TIME_SECOND;
    return (struct woocommerce_place){
        .trash = trash,
        .after = second > 0 ? second - 1 : WOOCOMMERCE_ALL,
        .way = WOOCOMMERCE_BY_TIME,
    };
}

char *woocommerce_place_write(const struct woocommerce_place *place)
{
    struct buf out = {0};
    buf_puts(&out, place->trash ? "trash " : "any ");
    if (place->after == WOOCOMMERCE_ALL)
        buf_puts(&out, "-");
    else
        buf_put_int(&out, place->after);
    buf_printf(&out, " %lld %c %lld %lld", (long long)place->offset, way_letters[place->way],
               (long long)place->anchor, (long long)place->tries);
    return buf_take(&out);
}

/* The next word of a cursor, and its length. */
static const char *take_word(const char **at, size_t *len)
{
    const char *word = *at;
    *len = strcspn(word, " ");
    *at += *len + (word[*len] == ' ');
    return word;
}

static int take_number(const char **at, int64_t *out)
{
    size_t len;
    const char *word = take_word(at, &len);
    return text_to_int(word, len, out);
}

static int take_way(const char **at, enum woocommerce_way *out)
{
    size_t len;
    const char *word = take_word(at, &len);
    const char *letter = len == 1 ? memchr(way_letters, *word, sizeof(way_letters)) : NULL;
    if (!letter)
        return -1;
    *out = (enum woocommerce_way)(letter - way_letters);
    return 0;
}

/* The words of a cursor, read as far as they can be. */
static int parse(const char *cursor, struct woocommerce_place *place)
{
    size_t len;
    const char *status = take_word(&cursor, &len);
    place->trash = len == strlen("trash") && memcmp(status, "trash", len) == 0;
    if (*cursor == '-') {
        (void)take_word(&cursor, &len);
        place->after = WOOCOMMERCE_ALL;
    } else if (take_number(&cursor, &place->after)) {
        return -1;
    }
    return take_number(&cursor, &place->offset) || take_way(&cursor, &place->way) ||
                   take_number(&cursor, &place->anchor) || take_number(&cursor, &place->tries)
               ? -1
               : 0;
}

int woocommerce_place_read(const struct shop_walk *walk, const char *cursor,
                           struct woocommerce_place *out)
{
    struct woocommerce_place place = begin(walk, false);
    if (*cursor) {
        if (parse(cursor, &place) || place.after > TIME_MOST || place.offset > OFFSET_MOST ||
            place.tries > NOTHING_NEW)
            return -1;
        /* There is one way to write each place. */
        char *again = woocommerce_place_write(&place);
        bool same = strcmp(again, cursor) == 0;
        free(again);
        if (!same)
            return -1;
    }
    *out = place;
    return 0;
}

/* What a page shows. Settled are the entries whose time no change since the walk began can be. */
struct view {
    size_t count, settled;
    bool sorted;             /* the settled ones, by time and id, and so is what lies behind */
    int64_t key;             /* the latest of the settled */
    int64_t least, greatest; /* of all times; WOOCOMMERCE_NO_TIME: there are none */
    int64_t greatest_id;
};

static struct view view_of(const struct woocommerce_clock *clock,
                           const struct woocommerce_entry *entries, size_t count)
{
    struct view view = {.count = count,
                        .sorted = true,
                        .key = WOOCOMMERCE_NO_TIME,
                        .least = WOOCOMMERCE_NO_TIME,
                        .greatest = WOOCOMMERCE_NO_TIME};
    struct woocommerce_entry last = {WOOCOMMERCE_NO_TIME, 0, false};
    for (size_t i = 0; i < count; i++) {
        const struct woocommerce_entry *entry = &entries[i];
        view.greatest_id = entry->id > view.greatest_id ? entry->id : view.greatest_id;
        if (entry->time == WOOCOMMERCE_NO_TIME)
            continue;
        if (view.least == WOOCOMMERCE_NO_TIME || entry->time < view.least)
            view.least = entry->time;
        view.greatest = entry->time > view.greatest ? entry->time : view.greatest;
        if (entry->time >= clock->began - SETTLED)
            continue;
        view.sorted &= entry->time > last.time || (entry->time == last.time && entry->id > last.id);
        view.key = entry->time > view.key ? entry->time : view.key;
        last = *entry;
        view.settled++;
    }
    view.sorted &= !last.twice;
    return view;
}

/* Goes on by time, behind `after`. What was changed since the walk began is passed over. */
static void go_by_time(struct woocommerce_place *place, const struct woocommerce_clock *clock,
                       int64_t after)
{
    if (after >= clock->began + MARGIN && after < clock->now + AHEAD)
        after = clock->now + AHEAD;
    *place = (struct woocommerce_place){
        .trash = place->trash, .after = after, .way = WOOCOMMERCE_BY_TIME};
}

/*
 * Goes on by offset, half a page at a time, so that it takes fifty changes between two calls to
 * move an order past it. Where a short page was the last, what comes behind it was changed just
 * now.
 */
static bool go_by_offset(struct woocommerce_place *place, int64_t first_id, const char **fault)
{
    bool same = place->way == WOOCOMMERCE_BY_OFFSET && first_id != 0 && first_id == place->anchor;
    place->tries = same ? place->tries + 1 : 0;
    place->way = WOOCOMMERCE_BY_OFFSET;
    place->anchor = first_id;
    place->offset += HALF;
    if (place->tries >= SAME_PAGES || place->offset > OFFSET_MOST)
        *fault = "the shop answers every page of its list with the same orders: a cache or a "
                 "plugin stands in the way of `offset`";
    return true;
}

/* Goes on within a page that is of one second alone. */
static bool go_by_id(struct woocommerce_place *place, const struct view *view, const char **fault)
{
    bool further = place->way != WOOCOMMERCE_BY_ID || view->greatest_id > place->anchor;
    place->tries = further ? 0 : place->tries + 1;
    place->way = WOOCOMMERCE_BY_ID;
    place->anchor = further ? view->greatest_id : place->anchor;
    place->offset += view->count >= FULL ? BY_ID_STEP : HALF;
    if (place->tries >= NOTHING_NEW || place->offset > OFFSET_MOST)
        *fault = "the shop answers page after page of its list with the same orders: a cache or a "
                 "plugin stands in the way of `offset`";
    return true;
}

/* Whether orders may have moved up past this page: it does not begin with one that came before. */
static bool shows_gap(const struct woocommerce_place *place, const struct woocommerce_entry *first)
{
    return place->way == WOOCOMMERCE_BY_ID && place->offset > 0 && place->tries < STEPS_BACK &&
           (first->time != place->after + 1 || first->id > place->anchor);
}

static void step_back(struct woocommerce_place *place)
{
    int64_t step = (int64_t)FULL << place->tries;
    place->offset = place->offset > step ? place->offset - step : 0;
    place->tries++;
}

/* Whether all of a page was changed under our hands, and what lies behind it is not seen yet. */
static bool is_torn(const struct woocommerce_place *place, const struct woocommerce_clock *clock,
                    const struct view *view)
{
    return view->count >= FULL && view->settled == 0 && place->way == WOOCOMMERCE_BY_TIME &&
           place->tries < LOOKS && place->after + 1 < clock->began - SETTLED &&
           view->least < clock->now + AHEAD;
}

/* Whether all of a page was changed since the walk began, and so all that lies behind it, but for
 * what is dated ahead. */
static bool is_news(const struct woocommerce_place *place, const struct woocommerce_clock *clock,
                    const struct view *view)
{
    return view->least >= clock->began + MARGIN && view->least < clock->now + AHEAD &&
           place->after < clock->now + AHEAD;
}

/* From the orders to those in the trash; false: the trash was the last. */
static bool next_pass(struct woocommerce_place *place, const struct shop_walk *walk)
{
    bool more = !place->trash;
    *place = begin(walk, true);
    return more;
}

/* Behind a page of nothing: further on, if the shop says that there is more, then the other pass.
 */
static bool go_past_nothing(struct woocommerce_place *place, const struct shop_walk *walk,
                            bool more)
{
    if (more && place->tries < EMPTY_PAGES) {
        place->tries = place->way == WOOCOMMERCE_BY_OFFSET && !place->anchor ? place->tries + 1 : 1;
        place->way = WOOCOMMERCE_BY_OFFSET;
        place->anchor = 0;
        place->offset += HALF;
        return true;
    }
    return next_pass(place, walk);
}

bool woocommerce_place_advance(struct woocommerce_place *place, const struct shop_walk *walk,
                               const struct woocommerce_clock *clock,
                               const struct woocommerce_page *page, const char **fault)
{
    const struct woocommerce_entry *entries = page->entries;
    const size_t count = page->count;
    const struct view view = view_of(clock, entries, count);
    if (count == 0)
        return go_past_nothing(place, walk, page->more);
    const bool last = count < FULL && !page->more;
    if (!last && view.greatest == WOOCOMMERCE_NO_TIME)
        return go_by_offset(place, entries[0].id, fault);
    if (!last && place->after != WOOCOMMERCE_ALL && view.greatest <= place->after) {
        *fault = "the shop lists orders that were not changed since the time that was asked for: "
                 "WooCommerce before 5.8 does, or a plugin stands in the way of `modified_after`";
        return false;
    }
    if (is_torn(place, clock, &view)) {
        place->tries++;
        return true;
    }
    if (shows_gap(place, &entries[0])) {
        step_back(place);
        return true;
    }
    if (last)
        return next_pass(place, walk);
    if (is_news(place, clock, &view)) {
        go_by_time(place, clock, view.least);
        return true;
    }
    bool whole = view.sorted && count >= FULL;
    if (!view.sorted || view.settled == 0 || count < HALF ||
        (place->way == WOOCOMMERCE_BY_OFFSET && !(whole && view.settled >= HALF)))
        return go_by_offset(place, entries[0].id, fault);
    if (view.key - 1 <= place->after)
        return go_by_id(place, &view, fault);
    go_by_time(place, clock, view.key - 1);
    return true;
}
