#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "fastspring_json.h"
#include "route.h"

/*
 * The stand-in FastSpring: one webhook carries several events, and those that the front did not
 * acknowledge, with 200 for all of them or with 202 and their ids, stay unprocessed. Its API tells
 * the events again, orders, subscriptions and accounts.
 */

#define EVENTS_MOST 25 /* in one answer */
#define PER_PAGE 50
#define PER_PAGE_MOST 100

/* A webhook on its way to be filled. */
struct letter {
    struct json_object *events;
    const char *topic; /* of the first event */
    int64_t number;    /* that the webhook will have */
};

/* Adds an event; takes the data. */
static void add_event(struct letter *letter, const struct sale *sale, const char *type,
                      struct json_object *data)
{
    struct json_object *event = tree_object();
    char *id = xasprintf("E%lld-%zu", (long long)letter->number,
                         json_object_array_length(letter->events) + 1);
    tree_text(event, "id", id);
    tree_bool(event, "processed", false);
    fastspring_put_time(event, "created", sale->updated);
    tree_text(event, "type", type);
    tree_bool(event, "live", sale->live);
    tree_put(event, "data", data);
    tree_add(letter->events, event);
    if (letter->topic == NULL)
        letter->topic = type;
    free(id);
}

static void add_term(struct letter *letter, const struct stand_shop *shop, const struct sale *sale,
                     const char *type)
{
    if (sale_has_term(sale))
        add_event(letter, sale, type, fastspring_subscription_tree(sale, shop->expanded));
}

/* What happens to a subscription, by the name of its event. */
static const char *term_event(enum sale_event event)
{
    switch (event) {
    case SALE_EVENT_TERM_PAUSED:
        return "subscription.paused";
    case SALE_EVENT_TERM_RESUMED:
        return "subscription.resumed";
    case SALE_EVENT_TERM_CANCELLED:
        return "subscription.canceled";
    case SALE_EVENT_TERM_EXPIRED:
        return "subscription.deactivated";
    case SALE_EVENT_TERM_CHANGED:
    case SALE_EVENT_ADDRESS_CHANGED:
        return "subscription.updated";
    default:
        return NULL;
    }
}

static void add_order(struct letter *letter, const struct stand_shop *shop, const struct sale *sale,
                      const char *type)
{
    add_event(letter, sale, type, fastspring_order_tree(sale, 0, shop->expanded));
}

/* A payment of a subscription that runs, and what it made of that. */
static void add_charge(struct letter *letter, const struct stand_shop *shop,
                       const struct sale *sale, bool failed)
{
    add_event(letter, sale, failed ? "subscription.charge.failed" : "subscription.charge.completed",
              fastspring_charge_tree(sale, sale->payment_count - 1, shop->expanded));
    add_term(letter, shop, sale, failed ? "subscription.payment.overdue" : "subscription.updated");
}

/* All events of what happened. */
static void fill(struct letter *letter, const struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    const char *term = term_event(event);
    if (event == SALE_EVENT_CREATED) {
        add_order(letter, shop, sale, "order.payment.pending");
    } else if (event == SALE_EVENT_PAID) {
        add_order(letter, shop, sale, "order.completed");
        add_term(letter, shop, sale, "subscription.activated");
    } else if (event == SALE_EVENT_PAYMENT_FAILED) {
        add_order(letter, shop, sale, "order.failed");
    } else if (event == SALE_EVENT_REFUNDED) {
        add_event(letter, sale, "return.created",
                  fastspring_return_tree(sale, &sale->refunds[part]));
    } else if (event == SALE_EVENT_DISPUTED || event == SALE_EVENT_DISPUTE_WON ||
               event == SALE_EVENT_DISPUTE_LOST) {
        if (!sale->disputes[part].inquiry)
            add_event(letter, sale, "chargeback.created",
                      fastspring_chargeback_tree(sale, &sale->disputes[part]));
    } else if (event == SALE_EVENT_RENEWED || event == SALE_EVENT_RECOVERED ||
               event == SALE_EVENT_PAST_DUE) {
        add_charge(letter, shop, sale, event == SALE_EVENT_PAST_DUE);
    } else if (term != NULL) {
        add_term(letter, shop, sale, term);
    }
}

static void tell(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    struct letter letter = {.events = tree_array(), .number = stand_next_event(shop)};
    fill(&letter, shop, sale, event, part);
    if (letter.topic == NULL) {
        json_object_put(letter.events);
        return;
    }
    struct json_object *body = tree_object();
    tree_put(body, "events", letter.events);
    stand_send_tree(sandbox, shop, sale, letter.topic, NULL, NULL, body);
}

static void fail(struct visit *visit, int status, const char *headers, const char *message)
{
    struct json_object *tree = tree_object();
    struct json_object *error = tree_object();
    tree_text(error, "error", message);
    tree_text(tree, "result", "error");
    tree_put(tree, "error", error);
    stand_reply(visit, status, headers, tree);
}

static bool authenticate(struct visit *visit)
{
    if (stand_has_basic(visit))
        return true;
    fail(visit, 401, NULL, "The credentials are not valid.");
    return false;
}

/* What is asked for, told as the API tells it, or NULL after answering. FastSpring calls an id that
 * it does not know a bad request. */
static const struct sale *told(struct visit *visit, const struct sale *sale)
{
    if (sale != NULL)
        sale = stand_told(visit->sandbox, visit->stand, sale);
    if (sale == NULL)
        fail(visit, 400, NULL, "Not found");
    return sale;
}

/* The tree of one object, which says that it was found; takes it. */
static void reply_one(struct visit *visit, const char *action, struct json_object *tree)
{
    tree_text(tree, "action", action);
    tree_text(tree, "result", "success");
    stand_reply(visit, 200, NULL, tree);
}

/* The place of the payment whose order has this number, or SIZE_MAX. */
static size_t payment_of(const struct sale *sale, int64_t number)
{
    if (number == sale->number)
        return 0;
    for (size_t i = 1; i < sale->payment_count; i++)
        if (sale->payments[i].id == number)
            return i;
    return SIZE_MAX;
}

/* GET /orders/ID. */
static void get_order(struct visit *visit)
{
    int64_t number = fastspring_number(visit->captures[0], 'O');
    const struct sale *sale = stand_find(visit->stand, number);
    sale = told(visit, sale != NULL ? sale : stand_find_part(visit->stand, number));
    if (sale == NULL)
        return;
    size_t payment = payment_of(sale, number);
    if (payment == SIZE_MAX)
        fail(visit, 400, NULL, "Order not found");
    else
        reply_one(visit, "order.get", fastspring_order_tree(sale, payment, false));
}

/* GET /returns/ID. */
static void get_return(struct visit *visit)
{
    int64_t number = fastspring_number(visit->captures[0], 'R');
    const struct sale *sale = told(visit, stand_find_part(visit->stand, number));
    if (sale == NULL)
        return;
    for (size_t i = 0; i < sale->refund_count; i++) {
        if (sale->refunds[i].id == number) {
            reply_one(visit, "return.get", fastspring_return_tree(sale, &sale->refunds[i]));
            return;
        }
    }
    fail(visit, 400, NULL, "Return not found");
}

/* GET /subscriptions/ID. */
static void get_subscription(struct visit *visit)
{
    int64_t number = fastspring_number(visit->captures[0], 'U');
    const struct sale *sale = told(visit, stand_find_part(visit->stand, number));
    if (sale == NULL)
        return;
    if (sale->term.id == number)
        reply_one(visit, "subscription.get", fastspring_subscription_tree(sale, false));
    else
        fail(visit, 400, NULL, "Subscription not found");
}

/* GET /accounts/ID. */
static void get_account(struct visit *visit)
{
    int64_t number = fastspring_number(visit->captures[0], 'A');
    const struct sale *sale = told(visit, stand_find(visit->stand, number));
    if (sale != NULL)
        reply_one(visit, "account.get", fastspring_account_tree(sale));
}

/* Which sales a list is about. */
struct wanted {
    bool live, test, returns, term;
};

static bool is_wanted(const struct sale *sale, const void *arg)
{
    const struct wanted *wanted = arg;
    return (sale->live ? wanted->live : wanted->test) &&
           (!wanted->returns || sale->refund_count > 0) && (!wanted->term || sale_has_term(sale));
}

/* Whether a parameter says exactly this. */
static bool says(const struct visit *visit, const char *name, const char *word)
{
    char *text = visit_query(visit, name);
    bool same = text != NULL && strcmp(text, word) == 0;
    free(text);
    return same;
}

/* begin and end are days, or milliseconds. */
static int64_t day_of(const struct visit *visit, const char *name)
{
    char *text = visit_query(visit, name);
    int64_t time = TIME_NONE, milliseconds;
    if (text != NULL && text_to_int(text, strlen(text), &milliseconds) == 0) {
        time = milliseconds * (TIME_SECOND / 1000);
    } else if (text != NULL) {
        char *moment = xasprintf("%sT00:00:00Z", text);
        if (clock_parse(moment, strlen(moment), &time) != 0)
            time = TIME_NONE;
        free(moment);
    }
    free(text);
    return time;
}

/* The frame of a page; takes the list. */
static void reply_page(struct visit *visit, const char *action, const char *key, int64_t page,
                       int64_t limit, const struct stand_page *found, struct json_object *list)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "action", action);
    tree_text(tree, "result", "success");
    tree_number(tree, "page", page);
    tree_number(tree, "limit", limit);
    if (found->has_more)
        tree_number(tree, "nextPage", page + 1);
    else
        tree_put(tree, "nextPage", NULL);
    tree_number(tree, "total", (int64_t)found->total);
    tree_put(tree, key, list);
    stand_reply(visit, 200, NULL, tree);
}

/* A page of sales, oldest first. */
static struct stand_page list_sales(struct visit *visit, const struct wanted *wanted, int64_t *page,
                                    int64_t *limit)
{
    struct stand_page found;
    *page = stand_query_number(visit, "page", 1, 1, INT32_MAX);
    *limit = stand_query_number(visit, "limit", PER_PAGE, 1, PER_PAGE_MOST);
    struct stand_query query = {.updated_from = TIME_NONE,
                                .updated_before = TIME_NONE,
                                .created_from = wanted->term ? TIME_NONE : day_of(visit, "begin"),
                                .created_before = wanted->term ? TIME_NONE : day_of(visit, "end"),
                                .offset = (size_t)((*page - 1) * *limit),
                                .limit = (size_t)*limit,
                                .count = true,
                                .fits = is_wanted,
                                .arg = wanted};
    stand_list(visit->sandbox, visit->stand, &query, &found);
    return found;
}

/* GET /orders?begin=&end=&scope=&page=&limit=[&returns=true]: those of renewals beside the one that
 * began the subscription. */
static void list_orders(struct visit *visit)
{
    int64_t page, limit;
    struct wanted wanted = {.live = !says(visit, "scope", "test"),
                            .test = !says(visit, "scope", "live"),
                            .returns = says(visit, "returns", "true")};
    struct stand_page found = list_sales(visit, &wanted, &page, &limit);
    struct json_object *list = tree_array();
    for (size_t i = 0; i < found.count; i++) {
        const struct sale *sale = stand_told(visit->sandbox, visit->stand, found.sales[i]);
        if (sale == NULL)
            continue;
        tree_add(list, fastspring_order_tree(sale, 0, false));
        for (size_t j = 1; j < sale->payment_count; j++)
            if (sale->payments[j].paid != TIME_NONE)
                tree_add(list, fastspring_order_tree(sale, j, false));
    }
    reply_page(visit, "order.getall", "orders", page, limit, &found, list);
    free(found.sales);
}

/* GET /subscriptions?page=&limit=: their ids. */
static void list_subscriptions(struct visit *visit)
{
    int64_t page, limit;
    struct wanted wanted = {.live = true, .test = true, .term = true};
    struct stand_page found = list_sales(visit, &wanted, &page, &limit);
    struct json_object *list = tree_array();
    for (size_t i = 0; i < found.count; i++) {
        char *id = fastspring_id('U', found.sales[i]->term.id);
        tree_add(list, json_object_new_string(id));
        free(id);
    }
    reply_page(visit, "subscription.getall", "subscriptions", page, limit, &found, list);
    free(found.sales);
}

/* Adds the events of one webhook; false once the answer is full. */
static bool add_events(const struct stand_event *event, struct json_object *list)
{
    struct json_object *body =
        event->body == NULL ? NULL : tree_parse(event->body, strlen(event->body));
    struct json_object *events = body == NULL ? NULL : tree_get_array(body, "events");
    bool room = true;
    for (size_t i = 0; events != NULL && room && i < json_object_array_length(events); i++) {
        struct json_object *one = json_object_array_get_idx(events, i);
        room = json_object_array_length(list) < EVENTS_MOST;
        if (!room)
            break;
        tree_bool(one, "processed", event->processed);
        tree_add(list, json_object_get(one));
    }
    json_object_put(body);
    return room;
}

/* GET /events/processed and /events/unprocessed, of a period. */
static void list_events(struct visit *visit)
{
    const struct stand_shop *shop = visit->stand;
    bool processed = strcmp(visit->captures[0], "processed") == 0;
    int64_t begin = day_of(visit, "begin"), end = day_of(visit, "end");
    struct json_object *tree = tree_object();
    struct json_object *list = tree_array();
    bool room = true;
    bool empty = visit->sandbox->faults.api_mode == API_EMPTY;
    for (size_t i = 0; room && !empty && i < shop->event_count; i++) {
        const struct stand_event *event = &shop->events[i];
        bool fits = event->processed == processed &&
                    (begin == TIME_NONE || event->created >= begin) &&
                    (end == TIME_NONE || event->created <= end);
        room = !fits || add_events(event, list);
    }
    tree_text(tree, "action", processed ? "events.processed" : "events.unprocessed");
    tree_text(tree, "result", "success");
    tree_bool(tree, "more", !room);
    tree_number(tree, "total", (int64_t)json_object_array_length(list));
    tree_put(tree, "events", list);
    stand_reply(visit, 200, NULL, tree);
}

/* The webhook that carried an event, "E" NUMBER "-" PLACE; or NULL. */
static struct stand_event *event_of(struct stand_shop *shop, const char *id)
{
    int64_t number;
    if (id[0] != 'E' || text_to_int(id + 1, strcspn(id + 1, "-"), &number) != 0 || number < 1 ||
        number > (int64_t)shop->event_count)
        return NULL;
    return &shop->events[number - 1];
}

/* POST /events/ID {"processed": true}; the others of its webhook go with it. */
static void mark_event(struct visit *visit)
{
    size_t len = 0;
    const char *body = http_body(visit->request, &len);
    struct json_object *input = tree_parse(body, len);
    struct stand_event *event = event_of(visit->stand, visit->captures[0]);
    if (event == NULL || input == NULL) {
        fail(visit, 400, NULL, "Event not found");
    } else {
        event->processed = tree_get_bool(input, "processed", event->processed);
        reply_one(visit, "event.update", tree_object());
    }
    json_object_put(input);
}

/* 200 acknowledges all events of a webhook, 202 those whose ids stand in the answer, one a line. As
 * one mark is kept for a webhook, all of them have to. */
static void answered(struct stand_shop *shop, const struct buf *sent, int status,
                     const char *answer)
{
    struct json_object *body =
        status == 200 || status == 202 ? tree_parse(sent->data, sent->len) : NULL;
    struct json_object *events = body == NULL ? NULL : tree_get_array(body, "events");
    struct stand_event *event = NULL;
    bool all = true;
    for (size_t i = 0; events != NULL && i < json_object_array_length(events); i++) {
        const char *id = tree_get_text(json_object_array_get_idx(events, i), "id");
        all = all && id != NULL && (status == 200 || strstr(answer, id) != NULL);
        event = id == NULL ? NULL : event_of(shop, id);
    }
    if (event != NULL && all)
        event->processed = true;
    json_object_put(body);
}

static const struct route routes[] = {
    {"GET", "/orders", ROUTE_OPEN, list_orders},
    {"GET", "/orders/*", ROUTE_OPEN, get_order},
    {"GET", "/subscriptions", ROUTE_OPEN, list_subscriptions},
    {"GET", "/subscriptions/*", ROUTE_OPEN, get_subscription},
    {"GET", "/returns/*", ROUTE_OPEN, get_return},
    {"GET", "/accounts/*", ROUTE_OPEN, get_account},
    {"GET", "/events/*", ROUTE_OPEN, list_events},
    {"POST", "/events/*", ROUTE_OPEN, mark_event},
    {NULL, NULL, ROUTE_OPEN, NULL},
};

const struct stand stand_fastspring = {
    .provider = PROVIDER_FASTSPRING,
    .routes = routes,
    .authenticate = authenticate,
    .fail = fail,
    .tell = tell,
    .answered = answered,
};
