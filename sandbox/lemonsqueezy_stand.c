#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "lemonsqueezy_json.h"
#include "route.h"

/*
 * The stand-in Lemon Squeezy: its webhooks, and the lists and objects of its API. Lists are of the
 * newest first, and know no date.
 */

#define PER_PAGE 10
#define PER_PAGE_MOST 100
#define INVOICES_MOST 200000

/* {meta, data}; takes the object. */
static void send(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 const char *event, struct json_object *object)
{
    struct json_object *tree = tree_object();
    struct json_object *meta = tree_object();
    struct buf headers = {0};
    tree_text(meta, "event_name", event);
    tree_bool(meta, "test_mode", !sale->live);
    tree_text(meta, "webhook_id", "00000000-0000-4000-8000-000000000001");
    if (sale->reference != NULL) {
        struct json_object *custom = tree_object();
        tree_text(custom, "miro_reference", sale->reference);
        tree_put(meta, "custom_data", custom);
    }
    tree_put(tree, "meta", meta);
    tree_put(tree, "data", object);
    buf_printf(&headers, "X-Event-Name: %s\r\n", event);
    stand_send_tree(sandbox, shop, sale, event, NULL, headers.data, tree);
    buf_free(&headers);
}

static void send_term(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                      const char *event)
{
    if (sale_has_term(sale))
        send(sandbox, shop, sale, event, lemonsqueezy_subscription_tree(sale));
}

/* Nothing is invoiced where nothing is charged, as at the beginning of a trial. */
static bool has_invoice(const struct sale *sale, size_t payment)
{
    return sale_has_term(sale) && payment < sale->payment_count &&
           sale->payments[payment].cents > 0;
}

static void send_invoice(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                         const char *event, size_t payment)
{
    if (has_invoice(sale, payment))
        send(sandbox, shop, sale, event, lemonsqueezy_invoice_tree(sale, &sale->payments[payment]));
}

/* The order, and the subscription that begins with it. */
static void tell_paid(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale)
{
    send(sandbox, shop, sale, "order_created", lemonsqueezy_order_tree(sale));
    send_term(sandbox, shop, sale, "subscription_created");
    send_invoice(sandbox, shop, sale, "subscription_payment_success", 0);
}

/* The first payment of a subscription is an order and an invoice, and both tell of it. */
static void tell_refunded(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                          size_t part)
{
    size_t payment = sale->refunds[part].payment;
    if (payment == 0)
        send(sandbox, shop, sale, "order_refunded", lemonsqueezy_order_tree(sale));
    send_invoice(sandbox, shop, sale, "subscription_payment_refunded", payment);
}

/* A payment of a subscription that runs, and what it made of that. */
static void tell_payment(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                         enum sale_event event)
{
    size_t last = sale->payment_count - 1;
    if (event == SALE_EVENT_PAST_DUE) {
        send_invoice(sandbox, shop, sale, "subscription_payment_failed", last);
    } else {
        send_invoice(sandbox, shop, sale, "subscription_payment_success", last);
        if (event == SALE_EVENT_RECOVERED)
            send_invoice(sandbox, shop, sale, "subscription_payment_recovered", last);
    }
    send_term(sandbox, shop, sale, "subscription_updated");
}

static void tell(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    static const struct {
        enum sale_event event;
        const char *name;
    } terms[] = {
        {SALE_EVENT_TERM_PAUSED, "subscription_paused"},
        {SALE_EVENT_TERM_RESUMED, "subscription_resumed"},
        {SALE_EVENT_TERM_CANCELLED, "subscription_cancelled"},
        {SALE_EVENT_TERM_EXPIRED, "subscription_expired"},
        {SALE_EVENT_TERM_CHANGED, "subscription_plan_changed"},
        {SALE_EVENT_ADDRESS_CHANGED, NULL},
    };
    if (event == SALE_EVENT_CREATED)
        send(sandbox, shop, sale, "order_created", lemonsqueezy_order_tree(sale));
    else if (event == SALE_EVENT_PAID)
        tell_paid(sandbox, shop, sale);
    else if (event == SALE_EVENT_REFUNDED)
        tell_refunded(sandbox, shop, sale, part);
    else if (event == SALE_EVENT_RENEWED || event == SALE_EVENT_PAST_DUE ||
             event == SALE_EVENT_RECOVERED)
        tell_payment(sandbox, shop, sale, event);
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
        if (terms[i].event != event)
            continue;
        if (terms[i].name != NULL)
            send_term(sandbox, shop, sale, terms[i].name);
        send_term(sandbox, shop, sale, "subscription_updated");
    }
}

static void fail(struct visit *visit, int status, const char *headers, const char *message)
{
    struct json_object *tree = tree_object();
    struct json_object *errors = tree_array();
    struct json_object *error = tree_object();
    char *code = xasprintf("%d", status);
    tree_text(error, "detail", message);
    tree_text(error, "status", code);
    tree_text(error, "title",
              status == 404   ? "Not Found"
              : status == 401 ? "Unauthorized"
                              : "Error");
    tree_add(errors, error);
    tree_put(tree, "errors", errors);
    free(code);
    stand_reply(visit, status, headers, tree);
}

static bool authenticate(struct visit *visit)
{
    if (stand_has_bearer(visit))
        return true;
    fail(visit, 401, NULL, "Unauthenticated.");
    return false;
}

/* Whether the minute has a call left, where the knob limits them; else answers 429. */
static bool may_call(struct visit *visit, struct buf *headers)
{
    struct stand_shop *shop = visit->stand;
    int64_t now = clock_monotonic();
    if (shop->bucket_size <= 0)
        return true;
    if (shop->bucket_at == 0 || now - shop->bucket_at >= TIME_MINUTE) {
        shop->bucket_at = now;
        shop->bucket_used = 0;
    }
    int64_t left = shop->bucket_size - shop->bucket_used - 1;
    buf_printf(headers, "X-Ratelimit-Limit: %lld\r\nX-Ratelimit-Remaining: %lld\r\n",
               (long long)shop->bucket_size, (long long)(left > 0 ? left : 0));
    if (left >= 0) {
        shop->bucket_used++;
        return true;
    }
    buf_printf(headers, "Retry-After: %lld\r\n",
               (long long)((shop->bucket_at + TIME_MINUTE - now) / TIME_SECOND + 1));
    fail(visit, 429, headers->data, "Too Many Attempts.");
    return false;
}

/* Whether `include` names this. */
static bool includes(const struct visit *visit, const char *name)
{
    char *text = visit_query(visit, "include");
    bool found = text != NULL && strstr(text, name) != NULL;
    free(text);
    return found;
}

static void add_items(const struct sale *sale, struct json_object *list)
{
    for (size_t i = 0; i < sale->item_count; i++)
        tree_add(list, lemonsqueezy_item_tree(sale, &sale->items[i]));
}

/* A document of one object or of a list; takes all. */
static void reply(struct visit *visit, struct json_object *data, struct json_object *included)
{
    struct buf headers = {0};
    if (may_call(visit, &headers)) {
        struct json_object *tree = tree_object();
        tree_put(tree, "data", data);
        if (included != NULL)
            tree_put(tree, "included", included);
        stand_reply(visit, 200, headers.data, tree);
    } else {
        json_object_put(data);
        json_object_put(included);
    }
    buf_free(&headers);
}

/* The sale of the id in the path, told as the API tells it; `part` says that the id is of a part.
 * NULL after answering. */
static const struct sale *sale_of(struct visit *visit, bool part, int64_t *id)
{
    const char *text = visit->captures[0];
    const struct sale *sale = NULL;
    if (text_to_int(text, strlen(text), id) == 0)
        sale = part ? stand_find_part(visit->stand, *id) : stand_find(visit->stand, *id);
    if (sale != NULL)
        sale = stand_told(visit->sandbox, visit->stand, sale);
    if (sale == NULL)
        fail(visit, 404, NULL, "The related resource does not exist.");
    return sale;
}

/* GET /v1/orders/ID[?include=order-items]. */
static void get_order(struct visit *visit)
{
    int64_t id;
    const struct sale *sale = sale_of(visit, false, &id);
    if (sale == NULL)
        return;
    struct json_object *included = NULL;
    if (includes(visit, "order-items"))
        add_items(sale, included = tree_array());
    reply(visit, lemonsqueezy_order_tree(sale), included);
}

/* GET /v1/subscriptions/ID. */
static void get_subscription(struct visit *visit)
{
    int64_t id;
    const struct sale *sale = sale_of(visit, true, &id);
    if (sale != NULL && sale->term.id == id)
        reply(visit, lemonsqueezy_subscription_tree(sale), NULL);
    else if (sale != NULL)
        fail(visit, 404, NULL, "The related resource does not exist.");
}

/* GET /v1/subscription-invoices/ID. */
static void get_invoice(struct visit *visit)
{
    int64_t id;
    const struct sale *sale = sale_of(visit, true, &id);
    for (size_t i = 0; sale != NULL && i < sale->payment_count; i++)
        if (sale->payments[i].id == id && has_invoice(sale, i)) {
            reply(visit, lemonsqueezy_invoice_tree(sale, &sale->payments[i]), NULL);
            return;
        }
    if (sale != NULL)
        fail(visit, 404, NULL, "The related resource does not exist.");
}

/* Which page of a list. */
struct window {
    int64_t number, size;
};

static struct window window_of(const struct visit *visit)
{
    struct window window = {
        .number = stand_query_number(visit, "page[number]", 1, 1, INT32_MAX),
        .size = stand_query_number(visit, "page[size]", PER_PAGE, 1, PER_PAGE_MOST),
    };
    return window;
}

/* A filter's number, or 0. */
static int64_t filter_of(const struct visit *visit, const char *name)
{
    return stand_query_number(visit, name, 0, 1, INT64_MAX);
}

/* The page of that number, with all else as it was asked; NULL: there is none. */
static void put_link(struct json_object *links, const struct visit *visit,
                     const struct window *window, const char *rel, int64_t number)
{
    static const char *const kept[] = {"include",
                                       "sort",
                                       "filter[store_id]",
                                       "filter[order_id]",
                                       "filter[subscription_id]",
                                       "filter[user_email]"};
    struct buf url = {0};
    const char *path = strstr(http_path(visit->request), "/v1/");
    if (number < 1) {
        tree_text(links, rel, NULL);
        return;
    }
    buf_printf(&url, "%s%s?page%%5Bnumber%%5D=%lld&page%%5Bsize%%5D=%lld", visit->stand->home,
               path == NULL ? "" : path, (long long)number, (long long)window->size);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        char *value = visit_query(visit, kept[i]);
        if (value != NULL) {
            buf_putc(&url, '&');
            buf_url_encode(&url, kept[i], strlen(kept[i]));
            buf_putc(&url, '=');
            buf_url_encode(&url, value, strlen(value));
        }
        free(value);
    }
    tree_text(links, rel, url.data);
    buf_free(&url);
}

/* meta.page and links of a list of `total`, of which `count` stand here; takes both lists. */
static void reply_list(struct visit *visit, const struct window *window, size_t total,
                       struct json_object *data, struct json_object *included)
{
    struct json_object *tree = tree_object();
    struct json_object *meta = tree_object();
    struct json_object *page = tree_object();
    struct json_object *links = tree_object();
    struct buf headers = {0};
    int64_t last = ((int64_t)total + window->size - 1) / window->size;
    int64_t count = (int64_t)json_object_array_length(data);
    int64_t from = (window->number - 1) * window->size;
    last = last < 1 ? 1 : last;
    tree_number(page, "currentPage", window->number);
    tree_number(page, "from", count > 0 ? from + 1 : 0);
    tree_number(page, "lastPage", last);
    tree_number(page, "perPage", window->size);
    tree_number(page, "to", from + count);
    tree_number(page, "total", (int64_t)total);
    tree_put(meta, "page", page);
    put_link(links, visit, window, "first", 1);
    put_link(links, visit, window, "last", last);
    put_link(links, visit, window, "prev", window->number - 1);
    put_link(links, visit, window, "next", window->number < last ? window->number + 1 : 0);
    tree_put(tree, "meta", meta);
    tree_put(tree, "links", links);
    tree_put(tree, "data", data);
    if (included != NULL)
        tree_put(tree, "included", included);
    if (may_call(visit, &headers))
        stand_reply(visit, 200, headers.data, tree);
    else
        json_object_put(tree);
    buf_free(&headers);
}

/* What the filters of a list of sales want. */
struct wanted {
    char *email;
    int64_t order;
    bool with_term;
};

static bool is_wanted(const struct sale *sale, const void *arg)
{
    const struct wanted *wanted = arg;
    return (wanted->email == NULL || strcasecmp(wanted->email, sale->email) == 0) &&
           (wanted->order == 0 || wanted->order == sale->number) &&
           (!wanted->with_term || sale_has_term(sale));
}

/* A page of sales, newest first. */
static struct stand_page list_sales(struct visit *visit, const struct window *window,
                                    const struct wanted *wanted)
{
    struct stand_page page;
    struct stand_query query = {.updated_from = TIME_NONE,
                                .updated_before = TIME_NONE,
                                .created_from = TIME_NONE,
                                .created_before = TIME_NONE,
                                .descending = true,
                                .offset = (size_t)((window->number - 1) * window->size),
                                .limit = (size_t)window->size,
                                .count = true,
                                .fits = is_wanted,
                                .arg = wanted};
    stand_list(visit->sandbox, visit->stand, &query, &page);
    return page;
}

/* GET /v1/orders. */
static void list_orders(struct visit *visit)
{
    struct window window = window_of(visit);
    struct wanted wanted = {.email = visit_query(visit, "filter[user_email]")};
    struct stand_page page = list_sales(visit, &window, &wanted);
    struct json_object *data = tree_array();
    struct json_object *included = includes(visit, "order-items") ? tree_array() : NULL;
    for (size_t i = 0; i < page.count; i++) {
        const struct sale *sale = stand_told(visit->sandbox, visit->stand, page.sales[i]);
        if (sale == NULL)
            continue;
        tree_add(data, lemonsqueezy_order_tree(sale));
        if (included != NULL)
            add_items(sale, included);
    }
    reply_list(visit, &window, page.total, data, included);
    free(page.sales);
    free(wanted.email);
}

/* GET /v1/subscriptions. */
static void list_subscriptions(struct visit *visit)
{
    struct window window = window_of(visit);
    struct wanted wanted = {.email = visit_query(visit, "filter[user_email]"),
                            .order = filter_of(visit, "filter[order_id]"),
                            .with_term = true};
    struct stand_page page = list_sales(visit, &window, &wanted);
    struct json_object *data = tree_array();
    for (size_t i = 0; i < page.count; i++) {
        const struct sale *sale = stand_told(visit->sandbox, visit->stand, page.sales[i]);
        if (sale != NULL)
            tree_add(data, lemonsqueezy_subscription_tree(sale));
    }
    reply_list(visit, &window, page.total, data, NULL);
    free(page.sales);
    free(wanted.email);
}

/* An invoice and when it was made. */
struct invoice {
    const struct sale *sale;
    size_t payment;
    int64_t created;
};

static int newer_first(const void *a, const void *b)
{
    const struct invoice *one = a, *two = b;
    int64_t left = one->sale->payments[one->payment].id;
    int64_t right = two->sale->payments[two->payment].id;
    if (one->created != two->created)
        return one->created > two->created ? -1 : 1;
    return left > right ? -1 : left < right;
}

/* Every invoice of the sales, newest first; free() it. */
static struct invoice *invoices_of(const struct stand_page *page, int64_t subscription,
                                   size_t *count)
{
    struct invoice *all = NULL;
    size_t room = 0;
    *count = 0;
    for (size_t i = 0; i < page->count; i++) {
        const struct sale *sale = page->sales[i];
        for (size_t j = 0; j < sale->payment_count; j++) {
            if (!has_invoice(sale, j) || (subscription != 0 && sale->term.id != subscription))
                continue;
            if (*count == room)
                all = xreallocarray(all, room = room * 2 + 64, sizeof(*all));
            all[(*count)++] = (struct invoice){sale, j, sale->payments[j].created};
        }
    }
    if (all != NULL)
        qsort(all, *count, sizeof(*all), newer_first);
    return all;
}

/* GET /v1/subscription-invoices. */
static void list_invoices(struct visit *visit)
{
    struct window window = window_of(visit);
    const struct window whole = {.number = 1, .size = INVOICES_MOST};
    const struct wanted wanted = {.with_term = true};
    struct stand_page page = list_sales(visit, &whole, &wanted);
    struct json_object *data = tree_array();
    size_t count = 0;
    struct invoice *all = invoices_of(&page, filter_of(visit, "filter[subscription_id]"), &count);
    size_t from = (size_t)((window.number - 1) * window.size);
    for (size_t i = from; i < count && i < from + (size_t)window.size; i++) {
        const struct sale *sale = stand_told(visit->sandbox, visit->stand, all[i].sale);
        if (sale != NULL && all[i].payment < sale->payment_count)
            tree_add(data, lemonsqueezy_invoice_tree(sale, &sale->payments[all[i].payment]));
    }
    reply_list(visit, &window, count, data, NULL);
    free(all);
    free(page.sales);
}

/* GET /v1/orders/ID/order-items[?include=order]. */
static void list_items(struct visit *visit)
{
    int64_t id;
    const struct sale *sale = sale_of(visit, false, &id);
    struct window window = window_of(visit);
    if (sale == NULL)
        return;
    struct json_object *data = tree_array();
    struct json_object *included = NULL;
    size_t from = (size_t)((window.number - 1) * window.size);
    for (size_t i = from; i < sale->item_count && i < from + (size_t)window.size; i++)
        tree_add(data, lemonsqueezy_item_tree(sale, &sale->items[i]));
    if (includes(visit, "order"))
        tree_add(included = tree_array(), lemonsqueezy_order_tree(sale));
    reply_list(visit, &window, sale->item_count, data, included);
}

/* GET /v1/webhooks: there is no state of being disabled. */
static void list_webhooks(struct visit *visit)
{
    static const char *const events[] = {"order_created",
                                         "order_refunded",
                                         "subscription_created",
                                         "subscription_updated",
                                         "subscription_cancelled",
                                         "subscription_resumed",
                                         "subscription_expired",
                                         "subscription_paused",
                                         "subscription_unpaused",
                                         "subscription_payment_success",
                                         "subscription_payment_failed",
                                         "subscription_payment_recovered",
                                         "subscription_payment_refunded",
                                         "subscription_plan_changed"};
    struct window window = window_of(visit);
    struct json_object *data = tree_array();
    size_t total = visit->stand->webhook_missing || visit->stand->webhook_disabled ? 0 : 1;
    if (total > 0 && window.number == 1) {
        struct json_object *hook = tree_object();
        struct json_object *attributes = tree_object();
        struct json_object *list = tree_array();
        struct buf url = {0};
        stand_webhook_url(visit->sandbox, visit->stand, &url);
        for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
            tree_add(list, json_object_new_string(events[i]));
        tree_number(attributes, "store_id", 1);
        tree_text(attributes, "url", url.data);
        tree_put(attributes, "events", list);
        tree_time(attributes, "created_at", visit->stand->began);
        tree_time(attributes, "updated_at", visit->stand->began);
        tree_bool(attributes, "test_mode", !stand_source(visit->sandbox, visit->stand)->live);
        tree_text(hook, "type", "webhooks");
        tree_text(hook, "id", "1");
        tree_put(hook, "attributes", attributes);
        tree_add(data, hook);
        buf_free(&url);
    }
    reply_list(visit, &window, total, data, NULL);
}

static const struct route routes[] = {
    {"GET", "/v1/orders", ROUTE_OPEN, list_orders},
    {"GET", "/v1/orders/*/order-items", ROUTE_OPEN, list_items},
    {"GET", "/v1/orders/*", ROUTE_OPEN, get_order},
    {"GET", "/v1/subscriptions", ROUTE_OPEN, list_subscriptions},
    {"GET", "/v1/subscriptions/*", ROUTE_OPEN, get_subscription},
    {"GET", "/v1/subscription-invoices", ROUTE_OPEN, list_invoices},
    {"GET", "/v1/subscription-invoices/*", ROUTE_OPEN, get_invoice},
    {"GET", "/v1/webhooks", ROUTE_OPEN, list_webhooks},
    {NULL, NULL, ROUTE_OPEN, NULL},
};

const struct stand stand_lemonsqueezy = {
    .provider = PROVIDER_LEMONSQUEEZY,
    .routes = routes,
    .authenticate = authenticate,
    .fail = fail,
    .tell = tell,
};
