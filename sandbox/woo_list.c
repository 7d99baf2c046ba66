#include "woo_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "disturb.h"
#include "woo_json.h"

/* What a list is asked for. */
struct woo_query {
    char *status;                                           /* comma-separated, or "any" */
    int64_t after, before, modified_after, modified_before; /* TIME_NONE: not asked */
    bool by_modified, by_id, ascending;
    int64_t page, per_page;
    int64_t offset; /* in place of the page; -1: none was asked for */
};

/* The first of `status`, `status[]`, `status[0]`. */
static char *status_of(const struct visit *visit)
{
    char *status = visit_query(visit, "status");
    if (status == NULL)
        status = visit_query(visit, "status[0]");
    if (status == NULL)
        status = visit_query(visit, "status[]");
    return status == NULL ? xstrdup("any") : status;
}

/* 400 as WordPress's REST server says it; false. */
bool woo_invalid(struct visit *visit, const char *name)
{
    struct buf message = {0};
    buf_printf(&message, "Invalid parameter(s): %s", name);
    reply_woo_error(visit, 400, "rest_invalid_param", message.data);
    buf_free(&message);
    return false;
}

/* A date without a zone is the shop's own time, unless dates_are_gmt. */
static bool date_of(struct visit *visit, const char *name, bool gmt, int64_t *out)
{
    char *text = visit_query(visit, name);
    *out = TIME_NONE;
    if (text == NULL)
        return true;
    size_t len = strlen(text);
    bool good = clock_parse(text, len, out) == 0;
    bool zoned = len > 19;
    free(text);
    if (!good)
        return woo_invalid(visit, name);
    if (!zoned && !gmt)
        *out -= WOO_UTC_OFFSET_S * TIME_SECOND;
    return true;
}

/* A number within bounds. */
static bool number_of(struct visit *visit, const char *name, int64_t fallback, int64_t most,
                      int64_t *out)
{
    char *text = visit_query(visit, name);
    bool good = true;
    *out = fallback;
    if (text != NULL)
        good = text_to_int(text, strlen(text), out) == 0 && *out >= 1 && *out <= most;
    free(text);
    return good ? true : woo_invalid(visit, name);
}

/* Which page. */
bool woo_query_page(struct visit *visit, int64_t *page, int64_t *per_page)
{
    return number_of(visit, "page", 1, INT32_MAX, page) &&
           number_of(visit, "per_page", PER_PAGE, PER_PAGE_MOST, per_page);
}

/* Whether a parameter says exactly this. */
bool woo_query_says(const struct visit *visit, const char *name, const char *word)
{
    char *text = visit_query(visit, name);
    bool same = text != NULL && strcmp(text, word) == 0;
    free(text);
    return same;
}

/* An offset takes the page's place, as WordPress has it. */
static bool offset_of(struct visit *visit, int64_t *offset)
{
    char *text = visit_query(visit, "offset");
    *offset = -1;
    bool good = text == NULL || text_to_int(text, strlen(text), offset) == 0;
    free(text);
    return good ? true : woo_invalid(visit, "offset");
}

/* Reads the query; false after answering 400. */
static bool query_read(struct visit *visit, struct woo_query *query)
{
    bool gmt = woo_query_says(visit, "dates_are_gmt", "true") ||
               woo_query_says(visit, "dates_are_gmt", "1");
    query->by_modified = woo_query_says(visit, "orderby", "modified");
    query->by_id =
        woo_query_says(visit, "orderby", "id") || woo_query_says(visit, "orderby", "include");
    query->ascending = woo_query_says(visit, "order", "asc");
    return date_of(visit, "after", gmt, &query->after) &&
           date_of(visit, "before", gmt, &query->before) &&
           date_of(visit, "modified_after", gmt, &query->modified_after) &&
           date_of(visit, "modified_before", gmt, &query->modified_before) &&
           woo_query_page(visit, &query->page, &query->per_page) &&
           offset_of(visit, &query->offset);
}

/* `any` leaves the trash out, as it does. */
static bool status_fits(const char *wanted, const char *status)
{
    size_t status_len = strlen(status);
    while (*wanted != '\0') {
        size_t len = strcspn(wanted, ",");
        if (len == 3 && memcmp(wanted, "any", 3) == 0 && strcmp(status, "trash") != 0)
            return true;
        if (len == status_len && memcmp(wanted, status, len) == 0)
            return true;
        wanted += len + (wanted[len] == ',');
    }
    return false;
}

/* Both ends are left out, at one second's resolution. */
static bool order_fits(const struct woo_query *query, const struct woo_order *order)
{
    return status_fits(query->status, order->status) &&
           (query->after == TIME_NONE || order->created > query->after) &&
           (query->before == TIME_NONE || order->created < query->before) &&
           (query->modified_after == TIME_NONE || order->modified > query->modified_after) &&
           (query->modified_before == TIME_NONE || order->modified < query->modified_before);
}

/* WooCommerce adds the id to every sort. */
static int compare(const void *a, const void *b, void *arg)
{
    const struct woo_query *query = arg;
    const struct woo_order *one = *(struct woo_order *const *)a;
    const struct woo_order *two = *(struct woo_order *const *)b;
    int64_t left = query->by_id ? 0 : query->by_modified ? one->modified : one->created;
    int64_t right = query->by_id ? 0 : query->by_modified ? two->modified : two->created;
    int way = left != right ? (left < right ? -1 : 1) : (one->id < two->id ? -1 : 1);
    return query->ascending ? way : -way;
}

/* The page of that number, on the same query. */
static void link_page(const struct visit *visit, int64_t page, const char *rel, struct buf *out)
{
    const char *query = http_query(visit->request);
    buf_printf(out, "%s<http://%s%s?page=%lld", out->len == 0 ? "" : ", ", visit->sandbox->host,
               http_path(visit->request), (long long)page);
    while (*query != '\0') {
        size_t len = strcspn(query, "&");
        if (len > 0 && strncmp(query, "page=", 5) != 0 && strncmp(query, "oauth_", 6) != 0 &&
            strncmp(query, "consumer_", 9) != 0) {
            buf_putc(out, '&');
            buf_append(out, query, len);
        }
        query += len + (query[len] == '&');
    }
    buf_printf(out, ">; rel=\"%s\"", rel);
}

/* X-WP-Total, X-WP-TotalPages, and Link where there are neighbours. */
void woo_page_headers(const struct visit *visit, int64_t page, int64_t per_page, size_t total,
                      struct buf *out)
{
    struct buf links = {0};
    /* At least 1: woo_query_page(). NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    int64_t pages = ((int64_t)total + per_page - 1) / per_page;
    buf_printf(out, "X-WP-Total: %zu\r\nX-WP-TotalPages: %lld\r\n", total, (long long)pages);
    if (page > 1)
        link_page(visit, page - 1 > pages ? pages : page - 1, "prev", &links);
    if (page < pages)
        link_page(visit, page + 1, "next", &links);
    if (links.len > 0)
        buf_printf(out, "Link: %s\r\n", links.data);
    buf_free(&links);
}

/* An order of which everything was given back just now: its own copy of what it changes, and
 * borrows the rest. */
struct lie {
    struct woo_order order;
    struct woo_refund refund, *refunds[1];
    char status[16], reason[1];
};

/* Makes the lie. */
static void tell_refunded(const struct visit *visit, const struct woo_order *order, struct lie *lie)
{
    int64_t now = visit->sandbox->faults.api_mode_since;
    *lie = (struct lie){.order = *order, .status = "refunded"};
    lie->order.status = lie->status;
    lie->order.modified = now - now % TIME_SECOND;
    lie->refund = (struct woo_refund){
        .id = order->id + INT32_MAX,
        .created = lie->order.modified,
        .cents = woo_order_total(order),
        .reason = lie->reason,
        .full = true,
    };
    lie->refunds[0] = &lie->refund;
    lie->order.refunds = lie->refunds;
    lie->order.refund_count = 1;
}

/* As it is, or as api_mode says. */
struct json_object *woo_told_tree(const struct visit *visit, const struct woo_order *order)
{
    struct lie lie;
    if (visit->sandbox->faults.api_mode != API_REFUNDED)
        return woo_order_tree(visit->shop, order);
    tell_refunded(visit, order, &lie);
    return woo_order_tree(visit->shop, &lie.order);
}

size_t woo_told_refunds(const struct visit *visit, const struct woo_order *order)
{
    switch (visit->sandbox->faults.api_mode) {
    case API_EMPTY:
        return 0;
    case API_REFUNDED:
        return 1;
    case API_TRUTH:
    case API_HTML:
    case API_GONE:
        break;
    }
    return order->refund_count;
}

struct json_object *woo_told_refund(const struct visit *visit, const struct woo_order *order,
                                    size_t place, bool parent)
{
    struct lie lie;
    if (visit->sandbox->faults.api_mode != API_REFUNDED)
        return woo_refund_tree(visit->shop, order, order->refunds[place], parent);
    tell_refunded(visit, order, &lie);
    return woo_refund_tree(visit->shop, &lie.order, &lie.refund, parent);
}

/* The orders that a query finds, in its order: a whole roster or a part of it, or a list made for
 * this one query. */
struct found {
    const struct roster_entry *entries; /* NULL: `orders` holds */
    struct woo_order **orders;          /* owned */
    size_t count;
};

/* Narrows a roster to the times after one and before another. */
static void narrow(const struct roster *roster, int64_t after, int64_t before, struct found *found)
{
    size_t from = after == TIME_NONE ? 0 : roster_place(roster, after + 1, 0);
    size_t to = before == TIME_NONE ? roster->count : roster_place(roster, before, 0);
    found->entries = roster->count == 0 ? NULL : roster->entries + from;
    found->count = to > from ? to - from : 0;
    if (roster->count == 0)
        found->orders = xcalloc(1, sizeof(*found->orders));
}

/* Whether a roster answers the query: one of the two lists, by the time that it is sorted by. */
static bool find_in_roster(const struct woo_shop *shop, const struct woo_query *query,
                           struct found *found)
{
    bool trash = strcmp(query->status, "trash") == 0;
    bool created = query->after != TIME_NONE || query->before != TIME_NONE;
    bool modified = query->modified_after != TIME_NONE || query->modified_before != TIME_NONE;
    if ((!trash && strcmp(query->status, "any") != 0) || (query->by_id && created))
        return false;
    if (query->by_modified && !created) {
        narrow(&shop->modified[trash], query->modified_after, query->modified_before, found);
        return true;
    }
    /* Orders are created in the order of their ids. */
    if (!query->by_modified && !modified) {
        narrow(&shop->created[trash], query->after, query->before, found);
        return true;
    }
    return false;
}

/* Looks at every order. */
static void find_anywhere(const struct woo_shop *shop, struct woo_query *query, struct found *found)
{
    found->orders = xcalloc(shop->count + 1, sizeof(*found->orders));
    for (size_t i = 0; i < shop->count; i++)
        if (order_fits(query, shop->orders[i]))
            found->orders[found->count++] = shop->orders[i];
    qsort_r(found->orders, found->count, sizeof(*found->orders), compare, query);
}

/* What the query finds; under an api_mode that lies, nothing, or everything as if just changed. */
static void find(const struct visit *visit, struct woo_query *query, struct found *found)
{
    enum api_mode mode = visit->sandbox->faults.api_mode;
    *found = (struct found){0};
    if (mode == API_EMPTY) {
        found->orders = xcalloc(1, sizeof(*found->orders));
        return;
    }
    if (mode == API_REFUNDED) {
        query->modified_after = TIME_NONE;
        query->modified_before = TIME_NONE;
        query->by_modified = false;
    }
    if (!find_in_roster(visit->shop, query, found))
        find_anywhere(visit->shop, query, found);
}

/* The order at a place of the query's own order. */
static const struct woo_order *order_at(const struct found *found, const struct woo_query *query,
                                        size_t place)
{
    if (found->orders != NULL)
        return found->orders[place];
    /* One of the two is there. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    return found->entries[query->ascending ? place : found->count - 1 - place].item;
}

/* GET orders. */
void woo_orders_list(struct visit *visit)
{
    struct woo_query query = {0};
    struct found found;
    if (!query_read(visit, &query))
        return;
    query.status = status_of(visit);
    find(visit, &query, &found);
    struct json_object *list = tree_array();
    size_t from = (size_t)(query.offset >= 0 ? query.offset : (query.page - 1) * query.per_page);
    for (size_t i = from; i < found.count && i - from < (size_t)query.per_page; i++)
        tree_add(list, woo_told_tree(visit, order_at(&found, &query, i)));
    struct buf headers = {0};
    woo_page_headers(visit, query.page, query.per_page, found.count, &headers);
    reply_php(visit, 200, headers.data, list);
    buf_free(&headers);
    free(found.orders);
    free(query.status);
    disturb_page(visit);
}
