#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "news.h"
#include "route.h"
#include "woo_auth.h"
#include "woo_json.h"
#include "woo_order.h"

#define PER_PAGE 10
#define PER_PAGE_MOST 100

/* What a list is asked for. */
struct woo_query {
    char *status;                                           /* comma-separated, or "any" */
    int64_t after, before, modified_after, modified_before; /* TIME_NONE: not asked */
    bool by_modified, by_id, ascending;
    int64_t page, per_page;
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
static bool invalid(struct visit *visit, const char *name)
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
        return invalid(visit, name);
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
    return good ? true : invalid(visit, name);
}

/* Whether a parameter says exactly this. */
static bool says(const struct visit *visit, const char *name, const char *word)
{
    char *text = visit_query(visit, name);
    bool same = text != NULL && strcmp(text, word) == 0;
    free(text);
    return same;
}

/* Reads the query; false after answering 400. */
static bool query_read(struct visit *visit, struct woo_query *query)
{
    bool gmt = says(visit, "dates_are_gmt", "true") || says(visit, "dates_are_gmt", "1");
    query->by_modified = says(visit, "orderby", "modified");
    query->by_id = says(visit, "orderby", "id") || says(visit, "orderby", "include");
    query->ascending = says(visit, "order", "asc");
    return date_of(visit, "after", gmt, &query->after) &&
           date_of(visit, "before", gmt, &query->before) &&
           date_of(visit, "modified_after", gmt, &query->modified_after) &&
           date_of(visit, "modified_before", gmt, &query->modified_before) &&
           number_of(visit, "page", 1, INT32_MAX, &query->page) &&
           number_of(visit, "per_page", PER_PAGE, PER_PAGE_MOST, &query->per_page);
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
static void page_headers(const struct visit *visit, const struct woo_query *query, size_t total,
                         struct buf *out)
{
    struct buf links = {0};
    int64_t pages = ((int64_t)total + query->per_page - 1) / query->per_page;
    buf_printf(out, "X-WP-Total: %zu\r\nX-WP-TotalPages: %lld\r\n", total, (long long)pages);
    if (query->page > 1)
        link_page(visit, query->page - 1 > pages ? pages : query->page - 1, "prev", &links);
    if (query->page < pages)
        link_page(visit, query->page + 1, "next", &links);
    if (links.len > 0)
        buf_printf(out, "Link: %s\r\n", links.data);
    buf_free(&links);
}

/* GET orders. */
static void orders_list(struct visit *visit)
{
    struct woo_shop *shop = visit->shop;
    struct woo_query query = {0};
    if (!query_read(visit, &query))
        return;
    query.status = status_of(visit);
    struct woo_order **found = xcalloc(shop->count + 1, sizeof(*found));
    size_t count = 0;
    for (size_t i = 0; i < shop->count; i++)
        if (order_fits(&query, shop->orders[i]))
            found[count++] = shop->orders[i];
    qsort_r(found, count, sizeof(*found), compare, &query);
    struct json_object *list = tree_array();
    size_t from = (size_t)((query.page - 1) * query.per_page);
    for (size_t i = from; i < count && i < from + (size_t)query.per_page; i++)
        tree_add(list, woo_order_tree(shop, found[i]));
    struct buf headers = {0};
    page_headers(visit, &query, count, &headers);
    reply_php(visit, 200, headers.data, list);
    buf_free(&headers);
    free(found);
    free(query.status);
}

/* The order that the path names, or NULL after answering 404. */
static struct woo_order *order_of(struct visit *visit)
{
    int64_t id;
    struct woo_order *order = NULL;
    if (text_to_int(visit->captures[0], strlen(visit->captures[0]), &id) == 0)
        order = woo_shop_find(visit->shop, id);
    if (order == NULL)
        reply_woo_error(visit, 404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.");
    return order;
}

/* GET orders/ID: an order in the trash is still there. */
static void orders_get(struct visit *visit)
{
    const struct woo_order *order = order_of(visit);
    if (order != NULL)
        reply_php(visit, 200, NULL, woo_order_tree(visit->shop, order));
}

/* The body, or NULL after answering 400. */
static struct json_object *body_of(struct visit *visit)
{
    size_t len = 0;
    const char *body = http_body(visit->request, &len);
    struct json_object *input = tree_parse(body, len);
    if (input == NULL)
        reply_woo_error(visit, 400, "rest_invalid_json", "Invalid JSON body passed.");
    return input;
}

/* POST orders. */
static void orders_create(struct visit *visit)
{
    const char *error = NULL;
    struct json_object *input = body_of(visit);
    if (input == NULL)
        return;
    struct woo_order *order = woo_order_read(visit->shop, input, clock_now(), &error);
    bool paid = tree_get_bool(input, "set_paid", false);
    json_object_put(input);
    if (order != NULL && !woo_shop_add(visit->shop, order)) {
        woo_order_free(order);
        error = "The shop is full.";
    }
    if (error != NULL) {
        reply_woo_error(visit, 400, "woocommerce_rest_invalid_order", error);
        return;
    }
    if (paid)
        woo_order_pay(order, clock_now());
    woo_shop_event(visit->sandbox, visit->shop, order, "created");
    woo_shop_event(visit->sandbox, visit->shop, order, "updated");
    reply_php(visit, 201, NULL, woo_order_tree(visit->shop, order));
}

/* PUT orders/ID: status and billing address. */
static void orders_update(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    struct json_object *input = order == NULL ? NULL : body_of(visit);
    if (input == NULL)
        return;
    const char *status = tree_get_text(input, "status");
    struct json_object *billing = NULL;
    const char *address = json_object_object_get_ex(input, "billing", &billing)
                              ? tree_get_text(billing, "email")
                              : NULL;
    if (status != NULL && !woo_status_known(status)) {
        invalid(visit, "status");
    } else {
        if (address != NULL)
            woo_order_set_address(order, address, clock_now());
        if (status != NULL)
            woo_order_set_status(order, status, clock_now());
        woo_shop_event(visit->sandbox, visit->shop, order, "updated");
        reply_php(visit, 200, NULL, woo_order_tree(visit->shop, order));
    }
    json_object_put(input);
}

/* DELETE orders/ID: to the trash, or with force=true for good. */
static void orders_delete(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    struct json_object *tree = woo_order_tree(visit->shop, order);
    bool force = says(visit, "force", "true") || says(visit, "force", "1");
    woo_order_trash(order, clock_now());
    woo_shop_event(visit->sandbox, visit->shop, order, "deleted");
    if (force)
        woo_shop_remove(visit->shop, order->id);
    reply_php(visit, 200, NULL, tree);
}

/* GET orders/ID/refunds, newest first. */
static void refunds_list(struct visit *visit)
{
    const struct woo_order *order = order_of(visit);
    if (order == NULL)
        return;
    struct woo_query query = {.page = 1, .per_page = PER_PAGE};
    if (!number_of(visit, "page", 1, INT32_MAX, &query.page) ||
        !number_of(visit, "per_page", PER_PAGE, PER_PAGE_MOST, &query.per_page))
        return;
    struct json_object *list = tree_array();
    size_t from = (size_t)((query.page - 1) * query.per_page);
    for (size_t i = from; i < order->refund_count && i < from + (size_t)query.per_page; i++)
        tree_add(list, woo_refund_tree(visit->shop, order,
                                       order->refunds[order->refund_count - 1 - i], false));
    struct buf headers = {0};
    page_headers(visit, &query, order->refund_count, &headers);
    reply_php(visit, 200, headers.data, list);
    buf_free(&headers);
}

/* GET orders/ID/refunds/ID. */
static void refunds_get(struct visit *visit)
{
    const struct woo_order *order = order_of(visit);
    int64_t id = 0;
    if (order == NULL)
        return;
    if (text_to_int(visit->captures[1], strlen(visit->captures[1]), &id) != 0)
        id = 0;
    for (size_t i = 0; i < order->refund_count; i++) {
        if (order->refunds[i]->id != id)
            continue;
        reply_php(visit, 200, NULL, woo_refund_tree(visit->shop, order, order->refunds[i], false));
        return;
    }
    reply_woo_error(visit, 404, "woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.");
}

/* POST orders/ID/refunds. */
static void refunds_create(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    struct json_object *input = order == NULL ? NULL : body_of(visit);
    const char *error = NULL;
    if (input == NULL)
        return;
    const struct woo_refund *refund =
        woo_order_refund(visit->shop, order, input, clock_now(), &error);
    json_object_put(input);
    if (refund == NULL) {
        reply_woo_error(visit, 400, "woocommerce_rest_invalid_order_refund", error);
        return;
    }
    woo_shop_event(visit->sandbox, visit->shop, order, "updated");
    reply_php(visit, 201, NULL, woo_refund_tree(visit->shop, order, refund, false));
}

/* DELETE orders/ID/refunds/ID. */
static void refunds_delete(struct visit *visit)
{
    struct woo_order *order = order_of(visit);
    int64_t id = 0;
    if (order == NULL)
        return;
    if (text_to_int(visit->captures[1], strlen(visit->captures[1]), &id) != 0 ||
        !woo_order_drop_refund(order, id, clock_now())) {
        reply_woo_error(visit, 404, "woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.");
        return;
    }
    woo_shop_event(visit->sandbox, visit->shop, order, "updated");
    reply_php(visit, 200, NULL, tree_object());
}

/* GET refunds: over all orders. */
static void refunds_all(struct visit *visit)
{
    struct json_object *list = tree_array();
    for (size_t i = visit->shop->count; i > 0; i--) {
        const struct woo_order *order = visit->shop->orders[i - 1];
        for (size_t j = order->refund_count;
             j > 0 && json_object_array_length(list) < PER_PAGE_MOST; j--)
            tree_add(list, woo_refund_tree(visit->shop, order, order->refunds[j - 1], true));
    }
    reply_php(visit, 200, NULL, list);
}

/* GET webhooks. */
static void webhooks_list(struct visit *visit)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < WOO_WEBHOOKS; i++)
        tree_add(list, woo_webhook_tree(visit->sandbox, visit->shop, &visit->shop->webhooks[i]));
    struct woo_query query = {.page = 1, .per_page = PER_PAGE};
    struct buf headers = {0};
    page_headers(visit, &query, WOO_WEBHOOKS, &headers);
    reply_php(visit, 200, headers.data, list);
    buf_free(&headers);
}

/* The webhook that the path names, or NULL after answering 404. */
static struct woo_webhook *webhook_of(struct visit *visit)
{
    int64_t id;
    struct woo_webhook *webhook = NULL;
    if (text_to_int(visit->captures[0], strlen(visit->captures[0]), &id) == 0)
        webhook = woo_webhook_find(visit->shop, id);
    if (webhook == NULL)
        reply_woo_error(visit, 404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.");
    return webhook;
}

/* GET webhooks/ID. */
static void webhooks_get(struct visit *visit)
{
    const struct woo_webhook *webhook = webhook_of(visit);
    if (webhook != NULL)
        reply_php(visit, 200, NULL, woo_webhook_tree(visit->sandbox, visit->shop, webhook));
}

/* PUT webhooks/ID: saving an active one pings. */
static void webhooks_update(struct visit *visit)
{
    static const char *const statuses[] = {"active", "paused", "disabled"};
    struct woo_webhook *webhook = webhook_of(visit);
    struct json_object *input = webhook == NULL ? NULL : body_of(visit);
    if (input == NULL)
        return;
    const char *wanted = tree_get_text(input, "status");
    const char *status = wanted == NULL ? webhook->status : NULL;
    for (size_t i = 0; wanted != NULL && i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strcmp(statuses[i], wanted) == 0)
            status = statuses[i];
    json_object_put(input);
    if (status == NULL) {
        invalid(visit, "status");
        return;
    }
    woo_webhook_save(visit->sandbox, visit->shop, webhook, status);
    reply_php(visit, 200, NULL, woo_webhook_tree(visit->sandbox, visit->shop, webhook));
}

/* GET /wp-json/: what is here; asked without a key. */
static void index_get(struct visit *visit)
{
    struct json_object *tree = tree_object();
    struct json_object *spaces = tree_array();
    tree_text(tree, "name", "Sandbox shop");
    tree_text(tree, "description", "A stand-in WooCommerce shop");
    tree_text(tree, "url", visit->shop->home);
    tree_text(tree, "home", visit->shop->home);
    tree_number(tree, "gmt_offset", WOO_UTC_OFFSET_S / 3600);
    tree_add(spaces, json_object_new_string("wc/v3"));
    tree_put(tree, "namespaces", spaces);
    reply_php(visit, 200, NULL, tree);
}

const struct route woo_routes[] = {
    {"GET", "/wp-json/", ROUTE_OPEN, index_get},
    {"GET", "/wp-json", ROUTE_OPEN, index_get},
    {"GET", "/wp-json/wc/v3/orders", ROUTE_SHOP, orders_list},
    {"POST", "/wp-json/wc/v3/orders", ROUTE_SHOP, orders_create},
    {"GET", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_get},
    {"PUT", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_update},
    {"POST", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_update},
    {"DELETE", "/wp-json/wc/v3/orders/*", ROUTE_SHOP, orders_delete},
    {"GET", "/wp-json/wc/v3/orders/*/refunds", ROUTE_SHOP, refunds_list},
    {"POST", "/wp-json/wc/v3/orders/*/refunds", ROUTE_SHOP, refunds_create},
    {"GET", "/wp-json/wc/v3/orders/*/refunds/*", ROUTE_SHOP, refunds_get},
    {"DELETE", "/wp-json/wc/v3/orders/*/refunds/*", ROUTE_SHOP, refunds_delete},
    {"GET", "/wp-json/wc/v3/refunds", ROUTE_SHOP, refunds_all},
    {"GET", "/wp-json/wc/v3/webhooks", ROUTE_SHOP, webhooks_list},
    {"GET", "/wp-json/wc/v3/webhooks/*", ROUTE_SHOP, webhooks_get},
    {"PUT", "/wp-json/wc/v3/webhooks/*", ROUTE_SHOP, webhooks_update},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
