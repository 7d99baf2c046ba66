#include "stripe_rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "stripe_query.h"

/* The sale of a session's id; false after answering 404. */
static bool session_view(struct visit *visit, unsigned expand, struct stripe_view *view)
{
    int64_t part;
    const char *id = visit->captures[0];
    const char *prefix = strncmp(id, "cs_live_", 8) == 0 ? "cs_live_" : "cs_test_";
    return stripe_view(visit, id, prefix, expand, view, &part);
}

/* GET checkout/sessions/ID. */
static void session_get(struct visit *visit)
{
    struct stripe_view view;
    if (session_view(visit, stripe_expand(visit, false), &view))
        stand_reply(visit, 200, NULL, stripe_session_tree(&view));
}

/* GET checkout/sessions/ID/line_items. */
static void session_lines(struct visit *visit)
{
    struct stripe_view view;
    if (!session_view(visit, 0, &view))
        return;
    struct json_object *data = tree_array();
    size_t limit = stripe_limit(visit);
    for (size_t i = 0; i < view.sale->item_count && i < limit; i++)
        tree_add(data, stripe_line_tree(&view, &view.sale->items[i]));
    stripe_reply_list(visit, data, view.sale->item_count > limit);
}

/* The session of a payment: a subscription's payments are invoices', and belong to none. */
static void session_of_intent(struct visit *visit, const char *intent)
{
    struct stripe_view view;
    int64_t part;
    if (!stripe_view(visit, intent, "pi_", stripe_expand(visit, true), &view, &part))
        return;
    struct json_object *data = tree_array();
    size_t payment = stripe_payment_of(view.sale, part);
    if (payment < view.sale->payment_count && !sale_has_term(view.sale))
        tree_add(data, stripe_session_tree(&view));
    stripe_reply_list(visit, data, false);
}

/* What `starting_after` names, as a part; 0: nothing. */
static int64_t cursor_of(const struct visit *visit, const char *prefix)
{
    char *text = visit_query(visit, "starting_after");
    int64_t part = text == NULL ? 0 : stripe_part(text, prefix);
    if (part == 0 && text != NULL && strcmp(prefix, "cs_test_") == 0)
        part = stripe_part(text, "cs_live_");
    free(text);
    return part;
}

/* A page of sales, newest first, each told by `tell`. */
static void reply_sales(struct visit *visit, const char *prefix,
                        bool (*fits)(const struct sale *, const void *), const void *arg,
                        struct json_object *(*tell)(const struct stripe_view *))
{
    struct stand_query query = {.updated_from = TIME_NONE,
                                .updated_before = TIME_NONE,
                                .descending = true,
                                .after = cursor_of(visit, prefix) / SALE_PARTS,
                                .limit = stripe_limit(visit),
                                .fits = fits,
                                .arg = arg};
    struct stand_page page;
    unsigned expand = stripe_expand(visit, true);
    stripe_created(visit, &query.created_from, &query.created_before);
    stand_list(visit->sandbox, visit->stand, &query, &page);
    struct json_object *data = tree_array();
    for (size_t i = 0; i < page.count; i++) {
        struct stripe_view view = {.shop = visit->stand,
                                   .sale = stand_told(visit->sandbox, visit->stand, page.sales[i]),
                                   .expand = expand,
                                   .old = stripe_is_old(visit)};
        tree_add(data, tell(&view));
    }
    stripe_reply_list(visit, data, page.has_more);
    free(page.sales);
}

/* GET checkout/sessions. */
static void sessions_list(struct visit *visit)
{
    char *intent = visit_query(visit, "payment_intent");
    if (intent != NULL)
        session_of_intent(visit, intent);
    else
        reply_sales(visit, "cs_test_", NULL, NULL, stripe_session_tree);
    free(intent);
}

/* GET subscriptions/ID. */
static void subscription_get(struct visit *visit)
{
    struct stripe_view view;
    int64_t part;
    if (!stripe_view(visit, visit->captures[0], "sub_", stripe_expand(visit, false), &view, &part))
        return;
    if (view.sale->term.id == part)
        stand_reply(visit, 200, NULL, stripe_subscription_tree(&view));
    else
        stripe_missing(visit, visit->captures[0]);
}

/* Canceled ones are listed only if they are asked for. */
static bool is_subscription(const struct sale *sale, const void *arg)
{
    const bool *all = arg;
    return sale_has_term(sale) && (*all || sale->term.state != SALE_EXPIRED);
}

/* GET subscriptions[?status=all]. */
static void subscriptions_list(struct visit *visit)
{
    char *status = visit_query(visit, "status");
    bool all = status != NULL && strcmp(status, "all") == 0;
    free(status);
    /* The cursor is the subscription's id, and its sale is all that counts of it. */
    reply_sales(visit, "sub_", is_subscription, &all, stripe_subscription_tree);
}

/* GET subscription_items?subscription=ID. */
static void subscription_items(struct visit *visit)
{
    struct stripe_view view;
    int64_t part;
    char *id = visit_query(visit, "subscription");
    if (id == NULL)
        visit->stand->stand->fail(visit, 400, NULL, "Missing required param: subscription.");
    else if (stripe_view(visit, id, "sub_", 0, &view, &part)) {
        struct json_object *data = tree_array();
        for (size_t i = 0; i < view.sale->item_count; i++)
            if (view.sale->items[i].recurring)
                tree_add(data, stripe_subscription_item_tree(&view, &view.sale->items[i]));
        stripe_reply_list(visit, data, false);
    }
    free(id);
}

/* GET customers/ID. */
static void customer_get(struct visit *visit)
{
    struct stripe_view view;
    int64_t part;
    if (stripe_view(visit, visit->captures[0], "cus_", 0, &view, &part))
        stand_reply(visit, 200, NULL, stripe_customer_tree(&view));
}

/* An object that stands for one payment. */
static void reply_payment(struct visit *visit, const char *prefix,
                          struct json_object *(*tell)(const struct stripe_view *, size_t))
{
    struct stripe_view view;
    int64_t part;
    if (!stripe_view(visit, visit->captures[0], prefix, stripe_expand(visit, false), &view, &part))
        return;
    size_t payment = stripe_payment_of(view.sale, part);
    if (payment < view.sale->payment_count)
        stand_reply(visit, 200, NULL, tell(&view, payment));
    else
        stripe_missing(visit, visit->captures[0]);
}

/* GET charges/ID, payment_intents/ID, invoices/ID. */
static void charge_get(struct visit *visit)
{
    reply_payment(visit, "ch_", stripe_charge_tree);
}

static void intent_get(struct visit *visit)
{
    reply_payment(visit, "pi_", stripe_intent_tree);
}

static void invoice_get(struct visit *visit)
{
    reply_payment(visit, "in_", stripe_invoice_tree);
}

/* GET invoices?subscription=ID, newest first. */
static void invoices_list(struct visit *visit)
{
    struct stripe_view view;
    int64_t part;
    char *id = visit_query(visit, "subscription");
    if (id == NULL)
        visit->stand->stand->fail(visit, 400, NULL, "Missing required param: subscription.");
    else if (stripe_view(visit, id, "sub_", stripe_expand(visit, true), &view, &part)) {
        struct json_object *data = tree_array();
        size_t limit = stripe_limit(visit), count = view.sale->payment_count;
        for (size_t i = 0; i < count && i < limit; i++)
            tree_add(data, stripe_invoice_tree(&view, count - 1 - i));
        stripe_reply_list(visit, data, count > limit);
    }
    free(id);
}

/* GET invoice_payments?payment[type]=payment_intent&payment[payment_intent]=ID. */
static void invoice_payments_list(struct visit *visit)
{
    struct stripe_view view;
    int64_t part;
    char *intent = visit_query(visit, "payment[payment_intent]");
    if (intent == NULL)
        visit->stand->stand->fail(visit, 400, NULL, "Missing required param: payment.");
    else if (stripe_view(visit, intent, "pi_", stripe_expand(visit, true), &view, &part)) {
        struct json_object *data = tree_array();
        size_t payment = stripe_payment_of(view.sale, part);
        if (payment < view.sale->payment_count && sale_has_term(view.sale))
            tree_add(data, stripe_invoice_payment_tree(&view, payment));
        stripe_reply_list(visit, data, false);
    }
    free(intent);
}

/* The payment that a list of refunds or disputes is narrowed to. False: to none; *answered tells
 * whether the call was answered with 404. */
static bool payment_view(struct visit *visit, struct stripe_view *view, size_t *payment,
                         bool *answered)
{
    int64_t part;
    char *charge = visit_query(visit, "charge");
    char *intent = visit_query(visit, "payment_intent");
    const char *id = charge != NULL ? charge : intent;
    bool good = stripe_view(visit, id, charge != NULL ? "ch_" : "pi_", 0, view, &part);
    *answered = id != NULL && !good;
    if (good)
        *payment = stripe_payment_of(view->sale, part);
    free(charge);
    free(intent);
    return good;
}

/* The kinds of parts that are listed by themselves. */
enum kind { KIND_REFUND, KIND_DISPUTE };
static const char *const kind_prefixes[] = {"re_", "dp_"};

static size_t kind_count(const struct sale *sale, enum kind kind)
{
    return kind == KIND_REFUND ? sale->refund_count : sale->dispute_count;
}

static int64_t kind_id(const struct sale *sale, enum kind kind, size_t at)
{
    return kind == KIND_REFUND ? sale->refunds[at].id : sale->disputes[at].id;
}

static struct json_object *kind_tree(const struct stripe_view *view, enum kind kind, size_t at)
{
    return kind == KIND_REFUND ? stripe_refund_tree(view, &view->sale->refunds[at])
                               : stripe_dispute_tree(view, &view->sale->disputes[at]);
}

/* The place of a part in its sale, or how many there are. */
static size_t kind_place(const struct sale *sale, enum kind kind, int64_t part)
{
    size_t at = 0;
    while (at < kind_count(sale, kind) && kind_id(sale, kind, at) != part)
        at++;
    return at;
}

/* Those of one payment, newest first. */
static void reply_kind_of_payment(struct visit *visit, enum kind kind,
                                  const struct stripe_view *view, size_t payment)
{
    struct json_object *data = tree_array();
    for (size_t i = kind_count(view->sale, kind); i > 0; i--) {
        size_t of = kind == KIND_REFUND ? view->sale->refunds[i - 1].payment
                                        : view->sale->disputes[i - 1].payment;
        if (of == payment)
            tree_add(data, kind_tree(view, kind, i - 1));
    }
    stripe_reply_list(visit, data, false);
}

/* Where the page begins in the roster, going down: behind the part of the cursor. */
static size_t kind_begin(const struct stand_shop *shop, const struct roster *roster, enum kind kind,
                         int64_t cursor)
{
    const struct sale *sale = cursor == 0 ? NULL : stand_find_part(shop, cursor);
    size_t at = sale == NULL ? 0 : kind_place(sale, kind, cursor);
    if (sale == NULL || at == kind_count(sale, kind))
        return roster->count;
    return roster_place(
        roster, kind == KIND_REFUND ? sale->refunds[at].created : sale->disputes[at].created,
        cursor);
}

/* Those of the whole shop, newest first. */
static void reply_kind(struct visit *visit, enum kind kind)
{
    struct stand_shop *shop = visit->stand;
    const struct roster *roster = kind == KIND_REFUND ? &shop->refunds : &shop->disputes;
    struct json_object *data = tree_array();
    size_t limit = stripe_limit(visit);
    size_t at = kind_begin(shop, roster, kind, cursor_of(visit, kind_prefixes[kind]));
    int64_t from, before;
    stripe_created(visit, &from, &before);
    if (visit->sandbox->faults.api_mode == API_EMPTY)
        at = 0;
    for (; at > 0 && json_object_array_length(data) < limit; at--) {
        const struct roster_entry *entry = &roster->entries[at - 1];
        struct stripe_view view = {.shop = shop,
                                   .sale = stand_told(visit->sandbox, shop, entry->item)};
        if ((from != TIME_NONE && entry->time < from) ||
            (before != TIME_NONE && entry->time >= before) || view.sale == NULL)
            continue;
        tree_add(data, kind_tree(&view, kind, kind_place(view.sale, kind, entry->number)));
    }
    shop->paged = true;
    stripe_reply_list(visit, data, at > 0);
}

/* What was given back of everything: one refund a sale, the one that the API lies about. */
static struct json_object *last_refund_tree(const struct stripe_view *view)
{
    return stripe_refund_tree(view, &view->sale->refunds[view->sale->refund_count - 1]);
}

static bool is_charged(const struct sale *sale, const void *arg)
{
    (void)arg;
    return sale->state == SALE_PAID && stripe_is_charged(sale, 0) && sale_paid(sale, 0) > 0;
}

/* GET refunds[?charge=ID][&payment_intent=ID]. */
static void refunds_list(struct visit *visit)
{
    struct stripe_view view;
    size_t payment;
    bool answered;
    if (payment_view(visit, &view, &payment, &answered))
        reply_kind_of_payment(visit, KIND_REFUND, &view, payment);
    else if (!answered && visit->sandbox->faults.api_mode == API_REFUNDED)
        reply_sales(visit, "re_", is_charged, NULL, last_refund_tree);
    else if (!answered)
        reply_kind(visit, KIND_REFUND);
}

/* GET disputes, in the same way. */
static void disputes_list(struct visit *visit)
{
    struct stripe_view view;
    size_t payment;
    bool answered;
    if (payment_view(visit, &view, &payment, &answered))
        reply_kind_of_payment(visit, KIND_DISPUTE, &view, payment);
    else if (!answered)
        reply_kind(visit, KIND_DISPUTE);
}

/* GET refunds/ID, disputes/ID. */
static void reply_part(struct visit *visit, enum kind kind)
{
    struct stripe_view view;
    int64_t part;
    if (!stripe_view(visit, visit->captures[0], kind_prefixes[kind], 0, &view, &part))
        return;
    size_t at = kind_place(view.sale, kind, part);
    if (at < kind_count(view.sale, kind))
        stand_reply(visit, 200, NULL, kind_tree(&view, kind, at));
    else
        stripe_missing(visit, visit->captures[0]);
}

static void refund_get(struct visit *visit)
{
    reply_part(visit, KIND_REFUND);
}

static void dispute_get(struct visit *visit)
{
    reply_part(visit, KIND_DISPUTE);
}

/* GET webhook_endpoints. */
static void endpoints_list(struct visit *visit)
{
    const struct stand_shop *shop = visit->stand;
    struct json_object *data = tree_array(), *events = tree_array(), *tree = tree_object();
    const struct settings_source *source = stand_source(visit->sandbox, shop);
    struct buf url = {0};
    char id[STRIPE_ID];
    stripe_id("we_", 1, id);
    stand_webhook_url(visit->sandbox, shop, &url);
    tree_add(events, json_object_new_string("*"));
    tree_text(tree, "id", id);
    tree_text(tree, "object", "webhook_endpoint");
    tree_text(tree, "api_version", shop->old_shape ? STRIPE_OLD_VERSION : STRIPE_VERSION);
    tree_put(tree, "application", NULL);
    stand_put_seconds(tree, "created", shop->began);
    tree_put(tree, "description", NULL);
    tree_put(tree, "enabled_events", events);
    tree_bool(tree, "livemode", source != NULL && source->live);
    tree_put(tree, "metadata", tree_object());
    tree_text(tree, "status", shop->webhook_disabled ? "disabled" : "enabled");
    tree_text(tree, "url", url.data);
    if (shop->webhook_missing || visit->sandbox->faults.api_mode == API_EMPTY)
        json_object_put(tree);
    else
        tree_add(data, tree);
    buf_free(&url);
    stripe_reply_list(visit, data, false);
}

/* The types that a list of events is narrowed to. */
struct types {
    const char *type;
    bool any, fits;
};

static void match_type(const char *value, void *arg)
{
    struct types *types = arg;
    types->any = true;
    types->fits = types->fits || strcmp(value, types->type) == 0;
}

static bool type_fits(const struct visit *visit, const struct stand_event *event)
{
    struct types types = {.type = event->type};
    stripe_each(visit, "types", match_type, &types);
    return !types.any || types.fits;
}

/* An event whose body is kept no more is told with its object as it is now. */
static void write_event(struct visit *visit, const struct stand_event *event, struct buf *out)
{
    const struct sale *sale =
        stand_told(visit->sandbox, visit->stand, stand_find(visit->stand, event->sale));
    if (event->body != NULL || sale == NULL) {
        buf_puts(out, event->body != NULL ? event->body : "{}");
        return;
    }
    const struct stripe_view view = {
        .shop = visit->stand, .sale = sale, .old = visit->stand->old_shape};
    struct json_object *tree = tree_object(), *data = tree_object();
    char id[STRIPE_ID];
    stripe_id("evt_", event->number, id);
    tree_text(tree, "id", id);
    tree_text(tree, "object", "event");
    tree_text(tree, "api_version", view.old ? STRIPE_OLD_VERSION : STRIPE_VERSION);
    stand_put_seconds(tree, "created", event->created);
    tree_bool(tree, "livemode", sale->live);
    tree_text(tree, "type", event->type);
    bool term = strncmp(event->type, "customer.subscription.", 22) == 0;
    tree_put(data, "object", term ? stripe_subscription_tree(&view) : stripe_session_tree(&view));
    tree_put(tree, "data", data);
    tree_write(tree, out);
    json_object_put(tree);
}

/* Whether an event can be told as what its type says. */
static bool is_tellable(const struct stand_event *event)
{
    return event->body != NULL || strncmp(event->type, "checkout.session.", 17) == 0 ||
           strncmp(event->type, "customer.subscription.", 22) == 0;
}

/* GET events[?created[gte]][&types[]][&starting_after]: newest first. */
static void events_list(struct visit *visit)
{
    struct stand_shop *shop = visit->stand;
    struct buf body = {0};
    size_t limit = stripe_limit(visit), count = 0, at = shop->event_times.count;
    int64_t cursor = cursor_of(visit, "evt_"), from, before;
    stripe_created(visit, &from, &before);
    if (cursor > 0 && cursor <= (int64_t)shop->event_count)
        at = roster_place(&shop->event_times, shop->events[cursor - 1].created, cursor);
    if (visit->sandbox->faults.api_mode == API_EMPTY)
        at = 0;
    buf_puts(&body, "{\"object\":\"list\",\"data\":[");
    bool more = false;
    for (; at > 0 && !more; at--) {
        const struct roster_entry *entry = &shop->event_times.entries[at - 1];
        const struct stand_event *event = &shop->events[entry->number - 1];
        if (from != TIME_NONE && event->created < from)
            break;
        if ((before != TIME_NONE && event->created >= before) || !is_tellable(event) ||
            !type_fits(visit, event))
            continue;
        more = count == limit;
        if (more)
            break;
        if (count++ > 0)
            buf_putc(&body, ',');
        write_event(visit, event, &body);
    }
    buf_printf(&body, "],\"has_more\":%s,\"url\":\"/v1/events\"}", more ? "true" : "false");
    shop->paged = true;
    http_respond(visit->request, 200, "Content-Type: application/json\r\n", body.data, body.len);
    buf_wipe(&body);
}

const struct route stripe_routes[] = {
    {"GET", "/v1/checkout/sessions", ROUTE_OPEN, sessions_list},
    {"GET", "/v1/checkout/sessions/*", ROUTE_OPEN, session_get},
    {"GET", "/v1/checkout/sessions/*/line_items", ROUTE_OPEN, session_lines},
    {"GET", "/v1/subscriptions", ROUTE_OPEN, subscriptions_list},
    {"GET", "/v1/subscriptions/*", ROUTE_OPEN, subscription_get},
    {"GET", "/v1/subscription_items", ROUTE_OPEN, subscription_items},
    {"GET", "/v1/customers/*", ROUTE_OPEN, customer_get},
    {"GET", "/v1/charges/*", ROUTE_OPEN, charge_get},
    {"GET", "/v1/payment_intents/*", ROUTE_OPEN, intent_get},
    {"GET", "/v1/invoices", ROUTE_OPEN, invoices_list},
    {"GET", "/v1/invoices/*", ROUTE_OPEN, invoice_get},
    {"GET", "/v1/invoice_payments", ROUTE_OPEN, invoice_payments_list},
    {"GET", "/v1/refunds", ROUTE_OPEN, refunds_list},
    {"GET", "/v1/refunds/*", ROUTE_OPEN, refund_get},
    {"GET", "/v1/disputes", ROUTE_OPEN, disputes_list},
    {"GET", "/v1/disputes/*", ROUTE_OPEN, dispute_get},
    {"GET", "/v1/events", ROUTE_OPEN, events_list},
    {"GET", "/v1/webhook_endpoints", ROUTE_OPEN, endpoints_list},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
