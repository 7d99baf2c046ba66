#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "stand.h"

/* The part of one of the shop's rosters that a list goes through. */
struct way {
    const struct stand_shop *shop;
    const struct roster *roster;
    size_t from, to; /* from <= place < to */
};

/* The sale at a place. */
static const struct sale *at(const struct way *way, size_t place)
{
    return way->roster->entries[place].item;
}

/* Whether a sale fits; `updated`: its time of change was seen to already. */
static bool is_within(const struct stand_query *query, const struct sale *sale, bool updated)
{
    if (sale->state == SALE_DELETED)
        return false;
    if (query->created_from != TIME_NONE && sale->created < query->created_from)
        return false;
    if (query->created_before != TIME_NONE && sale->created >= query->created_before)
        return false;
    if (!updated && query->updated_from != TIME_NONE && sale->updated < query->updated_from)
        return false;
    if (!updated && query->updated_before != TIME_NONE && sale->updated >= query->updated_before)
        return false;
    return query->fits == NULL || query->fits(sale, query->arg);
}

/* Where a sale lies. */
static size_t place_of(const struct way *way, int64_t number)
{
    const struct sale *sale = stand_find(way->shop, number);
    if (sale == NULL)
        return way->from;
    bool updated = way->roster == &way->shop->updated;
    return roster_place(way->roster, updated ? sale->updated : sale->created, number);
}

/* Cuts off what lies before or behind the sale that a cursor names. */
static void cut(struct way *way, const struct stand_query *query)
{
    int64_t first = query->descending ? query->before : query->after;
    int64_t last = query->descending ? query->after : query->before;
    if (first != 0 && place_of(way, first) + 1 > way->from)
        way->from = place_of(way, first) + 1;
    if (last != 0 && place_of(way, last) < way->to)
        way->to = place_of(way, last);
    if (way->to < way->from)
        way->to = way->from;
}

/* Whether every sale of the way fits, so that a page can be cut out of it. */
static bool all_fit(const struct stand_shop *shop, const struct stand_query *query, bool updated)
{
    bool untimed = query->updated_from == TIME_NONE && query->updated_before == TIME_NONE;
    return shop->deleted == 0 && query->fits == NULL && query->created_from == TIME_NONE &&
           query->created_before == TIME_NONE && (updated || untimed);
}

/* The page of a way of which everything fits. */
static void slice(const struct way *way, const struct stand_query *query, struct stand_page *out)
{
    out->total = way->to - way->from;
    out->sales = xcalloc(query->limit + 1, sizeof(*out->sales));
    for (size_t i = query->offset; i < out->total && out->count < query->limit; i++)
        out->sales[out->count++] = at(way, query->descending ? way->to - 1 - i : way->from + i);
    out->has_more = query->offset + out->count < out->total;
}

/* Takes the page out of what fits, going one way or the other; nobody is looked at twice. */
static void collect(const struct way *way, const struct stand_query *query, bool updated,
                    struct stand_page *out)
{
    size_t seen = 0;
    out->sales = xcalloc(query->limit + 1, sizeof(*out->sales));
    for (size_t i = way->from; i < way->to; i++) {
        const struct sale *sale = at(way, query->descending ? way->to - 1 - (i - way->from) : i);
        if (!is_within(query, sale, updated))
            continue;
        seen++;
        if (seen <= query->offset)
            continue;
        if (out->count < query->limit)
            out->sales[out->count++] = sale;
        else
            out->has_more = true;
        if (out->has_more && !query->count)
            break;
    }
    out->total = seen;
}

void stand_list(const struct sandbox *sandbox, struct stand_shop *shop,
                const struct stand_query *query, struct stand_page *out)
{
    enum api_mode mode = sandbox->faults.api_mode;
    struct way way = {.shop = shop, .to = shop->count};
    *out = (struct stand_page){0};
    shop->paged = true;
    if (mode == API_EMPTY || mode == API_GONE) {
        out->sales = xcalloc(1, sizeof(*out->sales));
        return;
    }
    /* Everything was just updated, so that an order by that time is none. */
    bool by_updated = query->by_updated && mode != API_REFUNDED;
    way.roster = by_updated ? &shop->updated : &shop->created;
    if (by_updated && query->updated_from != TIME_NONE)
        way.from = roster_place(&shop->updated, query->updated_from, 0);
    if (by_updated && query->updated_before != TIME_NONE)
        way.to = roster_place(&shop->updated, query->updated_before, 0);
    cut(&way, query);
    bool updated = by_updated || mode == API_REFUNDED;
    if (all_fit(shop, query, updated))
        slice(&way, query, out);
    else
        collect(&way, query, updated, out);
}
