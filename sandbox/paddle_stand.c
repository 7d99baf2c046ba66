#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "disturb.h"
#include "paddle_json.h"
#include "route.h"

/*
 * The stand-in Paddle Billing: its API, and what it sends.
 */

/* Every answer carries the id of its request. */
static void put_meta(struct json_object *tree, struct json_object *pagination)
{
    struct json_object *meta = tree_object();
    tree_text(meta, "request_id", "00000000-0000-4000-8000-000000000000");
    if (pagination != NULL)
        tree_put(meta, "pagination", pagination);
    tree_put(tree, "meta", meta);
}

/* Paddle's error envelope. */
static void fail(struct visit *visit, int status, const char *headers, const char *message)
{
    struct json_object *tree = tree_object(), *error = tree_object();
    tree_text(error, "type", status >= 500 ? "api_error" : "request_error");
    tree_text(error, "code",
              status == 401   ? "authentication_missing"
              : status == 404 ? "not_found"
              : status == 429 ? "too_many_requests"
              : status >= 500 ? "internal_error"
                              : "bad_request");
    tree_text(error, "detail", message);
    tree_put(tree, "error", error);
    put_meta(tree, NULL);
    stand_reply(visit, status, headers, tree);
}

static bool authenticate(struct visit *visit)
{
    if (stand_has_bearer(visit))
        return true;
    fail(visit, 401, NULL, "Authentication header missing or wrong.");
    return false;
}

/* {"data", "meta"}; takes the object. */
static void reply_one(struct visit *visit, struct json_object *data)
{
    struct json_object *tree = tree_object();
    tree_put(tree, "data", data);
    put_meta(tree, NULL);
    stand_reply(visit, 200, NULL, tree);
}

/* The address of the page behind the entry of this id: the call's own, with another `after`. */
static char *next_page(const struct visit *visit, const char *after)
{
    struct buf url = {0};
    const char *query = http_query(visit->request);
    buf_printf(&url, "%s%s?after=%s", visit->stand->home,
               http_path(visit->request) + strlen("/shops/") + strlen(visit->stand->source), after);
    while (*query != '\0') {
        size_t len = strcspn(query, "&");
        if (len > 0 && strncmp(query, "after=", 6) != 0) {
            buf_putc(&url, '&');
            buf_append(&url, query, len);
        }
        query += len + (query[len] == '&');
    }
    return buf_take(&url);
}

/* A page of a list; takes the array. */
static void reply_list(struct visit *visit, struct json_object *data, size_t per_page,
                       const char *last, bool has_more, size_t total)
{
    struct json_object *tree = tree_object(), *pagination = tree_object();
    char *next = next_page(visit, last == NULL ? "" : last);
    tree_number(pagination, "per_page", (int64_t)per_page);
    tree_text(pagination, "next", next);
    tree_bool(pagination, "has_more", has_more);
    tree_number(pagination, "estimated_total", (int64_t)total);
    tree_put(tree, "data", data);
    put_meta(tree, pagination);
    visit->stand->paged = true;
    stand_reply(visit, 200, NULL, tree);
    free(next);
}

/* The sale of an id, as it is told; NULL after answering 404. */
static const struct sale *sale_of(struct visit *visit, const char *prefix, int64_t *part)
{
    int64_t created;
    const struct sale *sale = NULL;
    if (paddle_part(visit->captures[0], prefix, &created, part))
        sale = stand_told(visit->sandbox, visit->stand, stand_find_part(visit->stand, *part));
    if (sale == NULL)
        fail(visit, 404, NULL, "Entity not found.");
    return sale;
}

/* What a transaction is told with. */
static struct paddle_view view_of(const struct visit *visit, const struct sale *sale)
{
    struct paddle_view view = {.sale = sale};
    char *include = visit_query(visit, "include");
    char *rest = include;
    for (char *word; include != NULL && (word = strsep(&rest, ",")) != NULL;) {
        view.customer |= strcmp(word, "customer") == 0;
        view.adjustments |= strcmp(word, "adjustment") == 0 || strcmp(word, "adjustments") == 0;
    }
    free(include);
    return view;
}

/* The place of a transaction in its sale, or how many there are. */
static size_t place_of(const struct sale *sale, int64_t part)
{
    size_t at = 0;
    while (at < paddle_transactions(sale) && paddle_transaction_part(sale, at) != part)
        at++;
    return at;
}

/* GET /transactions/ID. */
static void transaction_get(struct visit *visit)
{
    int64_t part;
    const struct sale *sale = sale_of(visit, "txn_", &part);
    if (sale == NULL)
        return;
    struct paddle_view view = view_of(visit, sale);
    size_t at = place_of(sale, part);
    if (at < paddle_transactions(sale))
        reply_one(visit, paddle_transaction_tree(&view, at));
    else
        fail(visit, 404, NULL, "Entity not found.");
}

/* Whether a comma-separated list has a word, or there is no list. */
static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    if (list == NULL)
        return true;
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* A list that is walked by ids: where it is, and what it has found. */
struct walk {
    struct json_object *data;
    char *status;
    int64_t updated_from;
    size_t per_page;
    bool descending, more;
    char last[PADDLE_ID];
};

/* `order_by=id[ASC]`; the newest first is the rule. */
static bool is_descending(const struct visit *visit)
{
    char *order = visit_query(visit, "order_by");
    bool ascending = order != NULL && strstr(order, "[ASC]") != NULL;
    free(order);
    return !ascending;
}

/* Where a roster is entered: at its beginning, or behind the entry that `after` names. */
static size_t begin_of(const struct visit *visit, const struct roster *roster, const char *prefix,
                       bool descending)
{
    char *after = visit_query(visit, "after");
    int64_t created, part;
    size_t at = descending ? roster->count : 0;
    if (after != NULL && paddle_part(after, prefix, &created, &part))
        at = roster_place(roster, created, part + !descending);
    free(after);
    return at;
}

/* Adds a transaction, if it fits; false if the page is full. */
static bool take_transaction(struct visit *visit, struct walk *walk,
                             const struct roster_entry *entry)
{
    const struct sale *sale = stand_told(visit->sandbox, visit->stand, entry->item);
    if (sale == NULL)
        return true;
    size_t at = place_of(sale, entry->number);
    if (at == paddle_transactions(sale) ||
        !has_word(walk->status, paddle_transaction_status(sale, at)) ||
        (walk->updated_from != TIME_NONE &&
         paddle_transaction_updated(sale, at) < walk->updated_from))
        return true;
    if (json_object_array_length(walk->data) == walk->per_page) {
        walk->more = true;
        return false;
    }
    struct paddle_view view = view_of(visit, sale);
    tree_add(walk->data, paddle_transaction_tree(&view, at));
    paddle_id("txn_", entry->time, entry->number, walk->last);
    return true;
}

/* GET /transactions[?updated_at[GTE]][&status][&order_by][&after][&per_page][&include]. */
static void transactions_list(struct visit *visit)
{
    const struct roster *roster = &visit->stand->payments;
    struct walk walk = {.data = tree_array(),
                        .status = visit_query(visit, "status"),
                        .updated_from = stand_query_time(visit, "updated_at[GTE]"),
                        .per_page = (size_t)stand_query_number(visit, "per_page", 30, 1, 30),
                        .descending = is_descending(visit)};
    size_t at = begin_of(visit, roster, "txn_", walk.descending);
    bool empty = visit->sandbox->faults.api_mode == API_EMPTY;
    if (walk.descending) {
        while (!empty && at > 0 && take_transaction(visit, &walk, &roster->entries[at - 1]))
            at--;
    } else {
        while (!empty && at < roster->count && take_transaction(visit, &walk, &roster->entries[at]))
            at++;
    }
    reply_list(visit, walk.data, walk.per_page, walk.last, walk.more, empty ? 0 : roster->count);
    free(walk.status);
}

/* An adjustment of the shop's. */
struct listed {
    const struct sale *sale;
    struct paddle_adjustment adjustment;
    int64_t created, part;
};

/* By id: by time, then by part. */
static int by_id(const void *a, const void *b)
{
    const struct listed *one = a, *two = b;
    if (one->created != two->created)
        return one->created < two->created ? -1 : 1;
    return one->part != two->part ? (one->part < two->part ? -1 : 1) : 0;
}

/* Adds the adjustments of a dispute or refund whose entry is told by a roster. */
static void collect(const struct roster *roster, bool disputes, struct listed *out, size_t *count)
{
    for (size_t i = 0; i < roster->count; i++) {
        const struct sale *sale = roster->entries[i].item;
        if (sale->state == SALE_DELETED)
            continue;
        for (size_t k = 0; k < paddle_adjustments(sale); k++) {
            struct paddle_adjustment adjustment = paddle_adjustment_at(sale, k);
            int64_t part = paddle_adjustment_part(sale, adjustment);
            bool reversal = adjustment.of == PADDLE_REVERSAL;
            if (part != roster->entries[i].number || (adjustment.of == PADDLE_REFUND) == disputes ||
                (reversal && sale->disputes[adjustment.at].state != SALE_DISPUTE_WON))
                continue;
            out[(*count)++] = (struct listed){sale, adjustment,
                                              paddle_adjustment_created(sale, adjustment), part};
        }
    }
}

/* GET /adjustments[?order_by][&after][&per_page]. */
static void adjustments_list(struct visit *visit)
{
    const struct stand_shop *shop = visit->stand;
    struct listed *all = xcalloc(shop->refunds.count + 2 * shop->disputes.count + 1, sizeof(*all));
    struct json_object *data = tree_array();
    size_t per_page = (size_t)stand_query_number(visit, "per_page", 10, 1, 50), count = 0, i = 0;
    bool descending = is_descending(visit);
    char *after = visit_query(visit, "after"), last[PADDLE_ID] = "";
    struct listed cursor = {.created = 0};
    if (visit->sandbox->faults.api_mode != API_EMPTY) {
        collect(&shop->refunds, false, all, &count);
        collect(&shop->disputes, true, all, &count);
    }
    qsort(all, count, sizeof(*all), by_id);
    bool from = after != NULL && paddle_part(after, "adj_", &cursor.created, &cursor.part);
    for (; i < count && json_object_array_length(data) < per_page; i++) {
        const struct listed *listed = &all[descending ? count - 1 - i : i];
        int way = from ? by_id(listed, &cursor) : 1;
        if (from && (descending ? way >= 0 : way <= 0))
            continue;
        tree_add(data, paddle_adjustment_tree(listed->sale, listed->adjustment));
        paddle_id("adj_", listed->created, listed->part, last);
    }
    reply_list(visit, data, per_page, last, i < count, count);
    free(after);
    free(all);
}

/* GET /subscriptions/ID. */
static void subscription_get(struct visit *visit)
{
    int64_t part;
    const struct sale *sale = sale_of(visit, "sub_", &part);
    if (sale == NULL)
        return;
    if (sale->term.id == part && sale->state == SALE_PAID)
        reply_one(visit, paddle_subscription_tree(sale, false));
    else
        fail(visit, 404, NULL, "Entity not found.");
}

/* A subscription begins with its first transaction. */
static bool is_subscription(const struct sale *sale, const void *arg)
{
    (void)arg;
    return sale_has_term(sale) && sale->state == SALE_PAID;
}

/* GET /subscriptions[?order_by][&after][&per_page]. */
static void subscriptions_list(struct visit *visit)
{
    int64_t created, part = 0;
    char *after = visit_query(visit, "after"), last[PADDLE_ID] = "";
    struct stand_query query = {.updated_from = TIME_NONE,
                                .updated_before = TIME_NONE,
                                .created_from = TIME_NONE,
                                .created_before = TIME_NONE,
                                .descending = is_descending(visit),
                                .limit = (size_t)stand_query_number(visit, "per_page", 50, 1, 200),
                                .fits = is_subscription};
    struct stand_page page;
    if (after != NULL && paddle_part(after, "sub_", &created, &part))
        query.after = part / SALE_PARTS;
    stand_list(visit->sandbox, visit->stand, &query, &page);
    struct json_object *data = tree_array();
    for (size_t i = 0; i < page.count; i++) {
        const struct sale *sale = stand_told(visit->sandbox, visit->stand, page.sales[i]);
        tree_add(data, paddle_subscription_tree(sale, false));
        paddle_id("sub_", sale->created, sale->term.id, last);
    }
    reply_list(visit, data, query.limit, last, page.has_more, visit->stand->count);
    free(page.sales);
    free(after);
}

/* GET /customers/ID. */
static void customer_get(struct visit *visit)
{
    int64_t part;
    const struct sale *sale = sale_of(visit, "ctm_", &part);
    if (sale != NULL)
        reply_one(visit, paddle_customer_tree(sale));
}

/* The id of an event. */
static void event_id(const struct stand_event *event, char out[PADDLE_ID])
{
    paddle_id("evt_", event->created, event->number, out);
}

/* GET /events[?after][&per_page]: oldest first, whose bodies are kept. */
static void events_list(struct visit *visit)
{
    const struct stand_shop *shop = visit->stand;
    struct json_object *data = tree_array();
    size_t per_page = (size_t)stand_query_number(visit, "per_page", 50, 1, 200), i = 0;
    int64_t created, number;
    char *after = visit_query(visit, "after"), last[PADDLE_ID] = "";
    if (after != NULL && paddle_part(after, "evt_", &created, &number))
        i = (size_t)number;
    size_t count = visit->sandbox->faults.api_mode == API_EMPTY ? 0 : shop->event_count;
    for (; i < count && json_object_array_length(data) < per_page; i++) {
        const char *body = shop->events[i].body;
        struct json_object *tree = body == NULL ? NULL : tree_parse(body, strlen(body));
        if (tree == NULL)
            continue;
        json_object_object_del(tree, "notification_id");
        tree_add(data, tree);
        event_id(&shop->events[i], last);
    }
    reply_list(visit, data, per_page, last, i < count, count);
    free(after);
}

static const char *const event_names[] = {
    "transaction.billed",   "transaction.paid",       "transaction.completed",
    "transaction.past_due", "transaction.canceled",   "transaction.payment_failed",
    "subscription.created", "subscription.activated", "subscription.trialing",
    "subscription.updated", "subscription.past_due",  "subscription.paused",
    "subscription.resumed", "subscription.canceled",  "adjustment.created",
    "adjustment.updated",   "customer.updated",
};

/* GET /notification-settings. */
static void settings_list(struct visit *visit)
{
    const struct stand_shop *shop = visit->stand;
    struct json_object *data = tree_array(), *tree = tree_object(), *events = tree_array();
    struct buf url = {0};
    char id[PADDLE_ID];
    paddle_id("ntfset_", shop->began, 1, id);
    stand_webhook_url(visit->sandbox, shop, &url);
    for (size_t i = 0; i < sizeof(event_names) / sizeof(event_names[0]); i++) {
        struct json_object *event = tree_object();
        tree_text(event, "name", event_names[i]);
        tree_add(events, event);
    }
    tree_text(tree, "id", id);
    tree_text(tree, "description", "Purchase Sync");
    tree_text(tree, "type", "url");
    tree_text(tree, "destination", url.data);
    tree_bool(tree, "active", !shop->webhook_disabled);
    tree_number(tree, "api_version", 1);
    tree_bool(tree, "include_sensitive_fields", false);
    tree_text(tree, "traffic_source", "all");
    tree_put(tree, "subscribed_events", events);
    if (shop->webhook_missing || visit->sandbox->faults.api_mode == API_EMPTY)
        json_object_put(tree);
    else
        tree_add(data, tree);
    buf_free(&url);
    reply_list(visit, data, 200, NULL, false, 1);
}

/* What happened, on its way to the front. */
struct news_of {
    struct sandbox *sandbox;
    struct stand_shop *shop;
    const struct sale *sale;
};

/* An event with its object, which it takes. */
static void send(const struct news_of *news, const char *type, struct json_object *data)
{
    struct json_object *tree = tree_object();
    const struct stand_event event = {.number = stand_next_event(news->shop),
                                      .created = news->sale->updated};
    char id[PADDLE_ID], notification[PADDLE_ID];
    event_id(&event, id);
    paddle_id("ntf_", event.created, event.number, notification);
    tree_text(tree, "event_id", id);
    tree_text(tree, "event_type", type);
    paddle_put_time(tree, "occurred_at", news->sale->updated);
    tree_text(tree, "notification_id", notification);
    tree_put(tree, "data", data);
    stand_send_tree(news->sandbox, news->shop, news->sale, type, id, NULL, tree);
}

/* Events carry neither customer nor adjustments. */
static void send_transaction(const struct news_of *news, const char *type)
{
    struct paddle_view view = {.sale = news->sale};
    send(news, type, paddle_transaction_tree(&view, paddle_transactions(news->sale) - 1));
}

static void send_subscription(const struct news_of *news, const char *type)
{
    bool created = strcmp(type, "subscription.created") == 0;
    if (sale_has_term(news->sale))
        send(news, type, paddle_subscription_tree(news->sale, created));
}

static void send_adjustment(const struct news_of *news, const char *type, enum paddle_adjusts of,
                            size_t at)
{
    send(news, type, paddle_adjustment_tree(news->sale, (struct paddle_adjustment){of, at}));
}

/* The first payment, and the subscription that it begins. */
static void send_paid(const struct news_of *news)
{
    send_transaction(news, "transaction.paid");
    send_subscription(news, "subscription.created");
    send_subscription(news, news->sale->term.state == SALE_TRIAL ? "subscription.trialing"
                                                                 : "subscription.activated");
    send_transaction(news, "transaction.completed");
}

/* The payment of another period. */
static void send_renewed(const struct news_of *news)
{
    send_subscription(news, "subscription.updated");
    send_transaction(news, "transaction.completed");
}

/* Every event of a sale in Paddle's words. A dispute that is lost stays as it was, and nothing is
 * ever deleted. */
static void tell(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    const struct news_of news = {sandbox, shop, sale};
    bool waited =
        event == SALE_EVENT_REFUNDED && sale->refunds[part].updated > sale->refunds[part].created;
    switch (event) {
    case SALE_EVENT_CREATED:
        send_transaction(&news, "transaction.billed");
        break;
    case SALE_EVENT_PAID:
        send_paid(&news);
        break;
    case SALE_EVENT_PAYMENT_FAILED:
        send_transaction(&news, "transaction.canceled");
        break;
    case SALE_EVENT_REFUND_ASKED:
        send_adjustment(&news, "adjustment.created", PADDLE_REFUND, part);
        break;
    case SALE_EVENT_REFUNDED:
        send_adjustment(&news, waited ? "adjustment.updated" : "adjustment.created", PADDLE_REFUND,
                        part);
        break;
    case SALE_EVENT_REFUND_FAILED:
        send_adjustment(&news, "adjustment.updated", PADDLE_REFUND, part);
        break;
    case SALE_EVENT_DISPUTED:
        send_adjustment(&news, "adjustment.created", PADDLE_DISPUTE, part);
        break;
    case SALE_EVENT_DISPUTE_WON:
        send_adjustment(&news, "adjustment.created", PADDLE_REVERSAL, part);
        break;
    case SALE_EVENT_DISPUTE_LOST:
        break;
    case SALE_EVENT_RENEWED:
    case SALE_EVENT_RECOVERED:
        send_renewed(&news);
        break;
    case SALE_EVENT_PAST_DUE:
        send_transaction(&news, "transaction.past_due");
        send_subscription(&news, "subscription.past_due");
        break;
    case SALE_EVENT_TERM_PAUSED:
        send_subscription(&news, "subscription.paused");
        break;
    case SALE_EVENT_TERM_RESUMED:
        send_subscription(&news, "subscription.resumed");
        break;
    case SALE_EVENT_TERM_CANCELLED:
    case SALE_EVENT_TERM_CHANGED:
        send_subscription(&news, "subscription.updated");
        break;
    case SALE_EVENT_TERM_EXPIRED:
        send_subscription(&news, "subscription.canceled");
        break;
    case SALE_EVENT_ADDRESS_CHANGED:
        send(&news, "customer.updated", paddle_customer_tree(sale));
        break;
    case SALE_EVENT_DELETED:
    case SALE_EVENTS:
        break;
    }
}

static const struct route routes[] = {
    {"GET", "/transactions", ROUTE_OPEN, transactions_list},
    {"GET", "/transactions/*", ROUTE_OPEN, transaction_get},
    {"GET", "/adjustments", ROUTE_OPEN, adjustments_list},
    {"GET", "/subscriptions", ROUTE_OPEN, subscriptions_list},
    {"GET", "/subscriptions/*", ROUTE_OPEN, subscription_get},
    {"GET", "/customers/*", ROUTE_OPEN, customer_get},
    {"GET", "/events", ROUTE_OPEN, events_list},
    {"GET", "/notification-settings", ROUTE_OPEN, settings_list},
    {NULL, NULL, ROUTE_OPEN, NULL},
};

const struct stand stand_paddle = {
    .provider = PROVIDER_PADDLE,
    .routes = routes,
    .authenticate = authenticate,
    .fail = fail,
    .tell = tell,
};
