#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "gumroad_json.h"
#include "route.h"

/*
 * The stand-in Gumroad: unsigned pings, and the API that alone says what is true. Lists are of the
 * newest first, ten a page, and know a sale by when it was made.
 */

#define PER_PAGE 10
#define SALES_MOST 200000

static void send(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 const char *resource, struct buf *form)
{
    struct stand_letter letter = {
        .topic = resource, .body = form->data, .len = form->len, .form = true};
    stand_send(sandbox, shop, sale, &letter);
    buf_free(form);
}

/* A ping about each of Gumroad's sales that this payment made. */
static void send_payment(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                         const char *resource, size_t payment)
{
    for (size_t i = 0; i < gumroad_count(sale); i++) {
        struct gumroad_sale one = gumroad_at(sale, i);
        struct buf form = {0};
        if (one.payment != payment)
            continue;
        gumroad_sale_form(&one, resource, &form);
        send(sandbox, shop, sale, resource, &form);
    }
}

/* A ping about each sale that there is: it has just begun. */
static void send_all(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale)
{
    for (size_t i = 0; i < gumroad_count(sale); i++) {
        struct gumroad_sale one = gumroad_at(sale, i);
        struct buf form = {0};
        gumroad_sale_form(&one, "sale", &form);
        send(sandbox, shop, sale, "sale", &form);
    }
}

static void send_term(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                      const char *resource)
{
    struct buf form = {0};
    if (!sale_has_term(sale))
        return;
    gumroad_subscription_form(sale, resource, &form);
    send(sandbox, shop, sale, resource, &form);
}

static void tell(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    switch (event) {
    case SALE_EVENT_PAID:
        send_all(sandbox, shop, sale);
        break;
    case SALE_EVENT_RENEWED:
    case SALE_EVENT_RECOVERED:
        send_payment(sandbox, shop, sale, "sale", sale->payment_count - 1);
        break;
    case SALE_EVENT_REFUNDED:
        send_payment(sandbox, shop, sale, "refund", sale->refunds[part].payment);
        break;
    case SALE_EVENT_DISPUTED:
        if (!sale->disputes[part].inquiry)
            send_payment(sandbox, shop, sale, "dispute", sale->disputes[part].payment);
        break;
    case SALE_EVENT_DISPUTE_WON:
        if (!sale->disputes[part].inquiry)
            send_payment(sandbox, shop, sale, "dispute_won", sale->disputes[part].payment);
        break;
    case SALE_EVENT_TERM_CANCELLED:
        send_term(sandbox, shop, sale, "cancellation");
        break;
    case SALE_EVENT_TERM_EXPIRED:
        send_term(sandbox, shop, sale, "subscription_ended");
        break;
    case SALE_EVENT_TERM_RESUMED:
        send_term(sandbox, shop, sale, "subscription_restarted");
        break;
    case SALE_EVENT_TERM_CHANGED:
        send_term(sandbox, shop, sale, "subscription_updated");
        break;
    default: /* Gumroad pings of nothing else */
        break;
    }
}

static void fail(struct visit *visit, int status, const char *headers, const char *message)
{
    struct json_object *tree = tree_object();
    tree_bool(tree, "success", false);
    tree_text(tree, "message", message);
    stand_reply(visit, status, headers, tree);
}

static bool authenticate(struct visit *visit)
{
    if (stand_has_bearer(visit))
        return true;
    fail(visit, 401, NULL, "The access token is invalid");
    return false;
}

/* {"success": true, key: value}; takes the value. */
static void reply(struct visit *visit, const char *key, struct json_object *value)
{
    struct json_object *tree = tree_object();
    tree_bool(tree, "success", true);
    tree_put(tree, key, value);
    stand_reply(visit, 200, NULL, tree);
}

/* Our sale of the id in the path, told as the API tells it, or NULL. */
static const struct sale *sale_of(struct visit *visit, char letter, int64_t *part)
{
    *part = gumroad_part(visit->captures[0], letter);
    const struct sale *sale = *part < 0 ? NULL : stand_find_part(visit->stand, *part);
    return sale == NULL ? NULL : stand_told(visit->sandbox, visit->stand, sale);
}

/* GET /v2/sales/ID. */
static void get_sale(struct visit *visit)
{
    int64_t part;
    const struct sale *sale = sale_of(visit, 'S', &part);
    for (size_t i = 0; sale != NULL && i < gumroad_count(sale); i++) {
        struct gumroad_sale one = gumroad_at(sale, i);
        if (one.id == part) {
            reply(visit, "sale", gumroad_sale_tree(&one));
            return;
        }
    }
    fail(visit, 404, NULL, "The sale was not found.");
}

/* GET /v2/subscribers/ID. */
static void get_subscriber(struct visit *visit)
{
    int64_t part;
    const struct sale *sale = sale_of(visit, 'U', &part);
    if (sale != NULL && sale->term.id == part)
        reply(visit, "subscriber", gumroad_subscriber_tree(sale));
    else
        fail(visit, 404, NULL, "The subscriber was not found.");
}

/* Which of the sales a list is about, and behind which of them its page begins. */
struct search {
    int64_t from, before;        /* created; TIME_NONE: open */
    int64_t key_created, key_id; /* TIME_NONE: at the start */
    char *email;                 /* or NULL */
};

static bool is_wanted(const struct gumroad_sale *one, const struct search *search)
{
    return (search->from == TIME_NONE || one->created >= search->from) &&
           (search->before == TIME_NONE || one->created < search->before) &&
           (search->email == NULL || strcasecmp(search->email, one->sale->email) == 0) &&
           (search->key_created == TIME_NONE || one->created < search->key_created ||
            (one->created == search->key_created && one->id < search->key_id));
}

static bool is_newer(const struct gumroad_sale *a, const struct gumroad_sale *b)
{
    return a->created != b->created ? a->created > b->created : a->id > b->id;
}

/* Keeps the newest of all that were seen, in order, one more than a page holds. */
static void keep(struct gumroad_sale found[PER_PAGE + 1], size_t *count,
                 const struct gumroad_sale *one)
{
    size_t at = *count;
    while (at > 0 && is_newer(one, &found[at - 1]))
        at--;
    if (at > PER_PAGE)
        return;
    size_t moved = (*count <= PER_PAGE ? *count : PER_PAGE) - at;
    memmove(&found[at + 1], &found[at], moved * sizeof(found[0]));
    found[at] = *one;
    *count += *count <= PER_PAGE;
}

/* The newest that are wanted; renewals lie elsewhere than the sales that they belong to, so all are
 * looked at. */
static size_t find_sales(struct visit *visit, const struct search *search,
                         struct gumroad_sale found[PER_PAGE + 1])
{
    struct stand_page page;
    size_t count = 0;
    struct stand_query query = {.updated_from = TIME_NONE,
                                .updated_before = TIME_NONE,
                                .created_from = TIME_NONE,
                                .created_before = search->before,
                                .descending = true,
                                .limit = SALES_MOST};
    stand_list(visit->sandbox, visit->stand, &query, &page);
    for (size_t i = 0; i < page.count; i++)
        for (size_t j = 0; j < gumroad_count(page.sales[i]); j++) {
            struct gumroad_sale one = gumroad_at(page.sales[i], j);
            if (is_wanted(&one, search))
                keep(found, &count, &one);
        }
    free(page.sales);
    return count;
}

/* A sale of the list as the API tells it now; it may be another than was found. */
static void add_told(struct visit *visit, const struct gumroad_sale *found,
                     struct json_object *list)
{
    const struct sale *told = stand_told(visit->sandbox, visit->stand, found->sale);
    for (size_t i = 0; told != NULL && i < gumroad_count(told); i++) {
        struct gumroad_sale one = gumroad_at(told, i);
        if (one.id == found->id)
            tree_add(list, gumroad_sale_tree(&one));
    }
}

/* The beginning of a day, or TIME_NONE. */
static int64_t day_of(const struct visit *visit, const char *name)
{
    char *text = visit_query(visit, name);
    char *moment = xasprintf("%sT00:00:00Z", text == NULL ? "" : text);
    int64_t time = TIME_NONE;
    if (clock_parse(moment, strlen(moment), &time) != 0)
        time = TIME_NONE;
    free(moment);
    free(text);
    return time;
}

/* Reads the query; false after answering. */
static bool search_read(struct visit *visit, struct search *search)
{
    char *key = visit_query(visit, "page_key");
    int64_t created = 0, id = 0;
    search->from = day_of(visit, "after");
    search->before = day_of(visit, "before");
    search->email = visit_query(visit, "email");
    search->key_created = TIME_NONE;
    const char *dash = key == NULL ? NULL : strchr(key, '-');
    bool good =
        key == NULL || (dash != NULL && text_to_int(key, (size_t)(dash - key), &created) == 0 &&
                        text_to_int(dash + 1, strlen(dash + 1), &id) == 0);
    if (key != NULL && good) {
        search->key_created = created;
        search->key_id = id;
    }
    free(key);
    if (!good)
        fail(visit, 400, NULL, "Invalid page_key.");
    return good;
}

/* GET /v2/sales[?after=&before=&page_key=]. */
static void list_sales(struct visit *visit)
{
    struct search search = {0};
    struct gumroad_sale found[PER_PAGE + 1];
    if (!search_read(visit, &search)) {
        free(search.email);
        return;
    }
    size_t count = find_sales(visit, &search, found);
    struct json_object *tree = tree_object();
    struct json_object *list = tree_array();
    tree_bool(tree, "success", true);
    if (count > PER_PAGE) {
        const struct gumroad_sale *last = &found[PER_PAGE - 1];
        char *key = xasprintf("%lld-%lld", (long long)last->created, (long long)last->id);
        char *url = xasprintf("/v2/sales?page_key=%s", key);
        tree_text(tree, "next_page_key", key);
        tree_text(tree, "next_page_url", url);
        free(key);
        free(url);
        count = PER_PAGE;
    }
    for (size_t i = 0; i < count; i++)
        add_told(visit, &found[i], list);
    tree_put(tree, "sales", list);
    stand_reply(visit, 200, NULL, tree);
    free(search.email);
}

/* GET /v2/resource_subscriptions?resource_name=: the address ends in the secret. */
static void list_subscriptions(struct visit *visit)
{
    char *name = visit_query(visit, "resource_name");
    struct json_object *list = tree_array();
    if (!visit->stand->webhook_missing && !visit->stand->webhook_disabled) {
        const struct settings_source *source = stand_source(visit->sandbox, visit->stand);
        struct json_object *tree = tree_object();
        struct buf url = {0};
        stand_webhook_url(visit->sandbox, visit->stand, &url);
        buf_putc(&url, '/');
        buf_url_encode(&url, (const char *)source->webhook_secrets.items[0].bytes,
                       source->webhook_secrets.items[0].len);
        tree_text(tree, "id", "R1==");
        tree_text(tree, "resource_name", name == NULL ? "sale" : name);
        tree_text(tree, "post_url", url.data);
        tree_add(list, tree);
        buf_wipe(&url);
    }
    reply(visit, "resource_subscriptions", list);
    free(name);
}

static const struct route routes[] = {
    {"GET", "/v2/sales", ROUTE_OPEN, list_sales},
    {"GET", "/v2/sales/*", ROUTE_OPEN, get_sale},
    {"GET", "/v2/subscribers/*", ROUTE_OPEN, get_subscriber},
    {"GET", "/v2/resource_subscriptions", ROUTE_OPEN, list_subscriptions},
    {NULL, NULL, ROUTE_OPEN, NULL},
};

const struct stand stand_gumroad = {
    .provider = PROVIDER_GUMROAD,
    .routes = routes,
    .authenticate = authenticate,
    .fail = fail,
    .tell = tell,
};
