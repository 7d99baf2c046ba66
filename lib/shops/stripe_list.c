/*
 * Walking through everything, or through what changed.
 *
 * Everything is four lists, newest first: sessions, subscriptions, refunds, disputes. What one of
 * them lacks another tells, so that hardly anything has to be asked for by itself: of a session's
 * or a subscription's latest payment the refunds are in the third list, its disputes in the fourth.
 *
 * What changed is the event log, newest first; it goes back 30 days. An event holds its object as
 * it was then, so each object that it names is read again, once a page however many events speak of
 * it; and the newest of them is read as if it had been delivered, for it may tell what the object
 * does not (an earlier invoice, a payment that failed).
 *
 * `starting_after` names an entry. What is made while the walk goes on stands before those that
 * were seen, and moves nothing; the next walk begins where this one began, and meets it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/listing.h"
#include "shops/stripe.h"

/* How far back events are trusted to go: a day less than they are kept. */
#define EVENTS_KEPT (29 * TIME_DAY)

#define PAGE "limit=100"
#define EXPAND "&expand%5B%5D=data."
#define TYPE "&types%5B%5D="

/* A page on its way to facts. */
struct page {
    const struct settings_source *source;
    struct stripe_evidence evidence; /* of an answer */
    struct shop_listing *out;
};

enum pass { PASS_SESSIONS, PASS_SUBSCRIPTIONS, PASS_REFUNDS, PASS_DISPUTES, PASS_EVENTS };

static const char *const pass_names[] = {"sessions", "subscriptions", "refunds", "disputes",
                                         "events"};
#define PASS_COUNT (sizeof(pass_names) / sizeof(pass_names[0]))

static bool by_events(const struct shop_walk *walk)
{
    return !walk->whole && walk->since != TIME_NONE && walk->since >= walk->began - EVENTS_KEPT;
}

/* Lines that a list cuts short have to be asked for, and whose a payment is. */
static bool is_essential(const struct fact_need *need)
{
    return need->essential;
}

static bool is_essential_or_address(const struct fact_need *need)
{
    return need->essential || need->kind == NEED_ADDRESS;
}

static void read_session_entry(const struct json_object *entry, const struct page *page,
                               struct facts *draft)
{
    stripe_read_session(entry, &page->evidence, draft);
    for (size_t i = 0; i < draft->order_count; i++)
        listing_keep_needs(&draft->orders[i], is_essential);
}

/* The customer's address, which decides only where no payment tells one. */
static void add_customer(const struct json_object *customer, const char *order_id,
                         const struct page *page, struct facts *draft)
{
    const char *email = shop_json_text(customer, "email");
    if (!email)
        return;
    struct fact_snapshot *snapshot =
        fact_order_snapshot(facts_add_order(draft, order_id, strlen(order_id)));
    snapshot->time = STRIPE_BEFORE_ALL;
    snapshot->from_api = true;
    snapshot->read_at = page->evidence.received_at;
    evidence_set_address(snapshot, email);
}

static void read_subscription_entry(const struct json_object *entry, const struct page *page,
                                    struct facts *draft)
{
    const struct json_object *customer = shop_json_object(entry, "customer");
    stripe_read_subscription(entry, &page->evidence, draft);
    for (size_t i = 0; i < draft->order_count; i++)
        listing_keep_needs(&draft->orders[i], customer ? is_essential : is_essential_or_address);
    if (draft->set_aside == SET_ASIDE_NONE && draft->order_count > 0)
        add_customer(customer, draft->orders[0].id, page, draft);
}

static void read_refund_entry(const struct json_object *entry, const struct page *page,
                              struct facts *draft)
{
    stripe_read_refund(entry, &page->evidence, draft);
    for (size_t i = 0; i < draft->order_count; i++)
        listing_keep_needs(&draft->orders[i], is_essential);
}

static void read_dispute_entry(const struct json_object *entry, const struct page *page,
                               struct facts *draft)
{
    stripe_read_dispute(entry, &page->evidence, draft);
    for (size_t i = 0; i < draft->order_count; i++)
        listing_keep_needs(&draft->orders[i], is_essential);
}

static bool asks_for_owner(const struct fact_need *need)
{
    return need->kind == NEED_OWNER;
}

/* What is asked to read an event's object again, by the kind of the object. */
static const struct {
    const char *object;
    enum fact_need_kind kind;
    const char *key; /* the member that links to what is asked for; NULL: the order */
} again[] = {
    {"checkout.session", NEED_ORDER, "id"}, {"subscription", NEED_ORDER, "id"},
    {"invoice", NEED_ORDER, NULL},          {"invoice_payment", NEED_OWNER, "invoice"},
    {"charge", NEED_REFUNDS, "id"},         {"refund", NEED_REFUNDS, "charge"},
    {"dispute", NEED_ORDER, "charge"},
};

/* Asks for the object of an event, unless an entry of the page has. */
static void need_again(const struct json_object *object, const struct page *page,
                       struct facts *draft)
{
    const char *told = shop_json_text(object, "object");
    struct fact_order *order = &draft->orders[0];
    char *id = NULL;
    size_t i = 0, count = sizeof(again) / sizeof(again[0]);
    while (i < count && (!told || strcmp(again[i].object, told) != 0))
        i++;
    listing_keep_needs(order, asks_for_owner);
    if (i == count)
        return;
    if (!again[i].key)
        id = xstrdup(order->id);
    else if (stripe_take_link(draft, object, again[i].key, &id))
        return;
    if (id && !listing_needs(page->out, again[i].kind, id))
        fact_add_need(order, again[i].kind, id, true);
    free(id);
}

static void read_event_entry(const struct json_object *entry, const struct page *page,
                             struct facts *draft)
{
    stripe_read_event(page->source, entry, page->evidence.received_at, draft);
    /* An answer is of whichever account the key is; an event in it is told apart only by name. */
    for (size_t i = 0; !shop_json_member(entry, "account") && i < draft->order_count; i++)
        xfree(draft->orders[i].identity);
    if (draft->set_aside == SET_ASIDE_NONE && draft->order_count > 0)
        need_again(shop_json_object(shop_json_object(entry, "data"), "object"), page, draft);
}

/* Every list: where, what its entries are, and what they are read as. At most 20 types are taken.
 */
static const struct {
    const char *target, *object;
    void (*read)(const struct json_object *, const struct page *, struct facts *draft);
} passes[] = {
    [PASS_SESSIONS] = {"/v1/checkout/sessions?" PAGE "&status=complete" EXPAND "line_items" EXPAND
                       "payment_intent.latest_charge.refunds",
                       "checkout.session", read_session_entry},
    [PASS_SUBSCRIPTIONS] = {"/v1/subscriptions?" PAGE "&status=all" EXPAND "customer" EXPAND
                            "latest_invoice.payments",
                            "subscription", read_subscription_entry},
    [PASS_REFUNDS] = {"/v1/refunds?" PAGE, "refund", read_refund_entry},
    [PASS_DISPUTES] = {"/v1/disputes?" PAGE, "dispute", read_dispute_entry},
    [PASS_EVENTS] = {"/v1/events?" PAGE                              //
                         TYPE "checkout.session.completed"           //
                     TYPE "checkout.session.async_payment_succeeded" //
                     TYPE "checkout.session.async_payment_failed"    //
                     TYPE "customer.subscription.created"            //
                     TYPE "customer.subscription.updated"            //
                     TYPE "customer.subscription.deleted"            //
                     TYPE "customer.subscription.paused"             //
                     TYPE "customer.subscription.resumed"            //
                     TYPE "invoice.paid"                             //
                     TYPE "invoice.payment_failed"                   //
                     TYPE "invoice_payment.paid"                     //
                     TYPE "charge.refunded"                          //
                     TYPE "refund.created"                           //
                     TYPE "refund.updated"                           //
                     TYPE "refund.failed"                            //
                     TYPE "charge.refund.updated"                    //
                     TYPE "charge.dispute.created"                   //
                     TYPE "charge.dispute.updated"                   //
                     TYPE "charge.dispute.closed"                    //
                     TYPE "charge.dispute.funds_reinstated",
                     "event", read_event_entry},
};

/* Where a cursor stands; one of another kind of walk is none of this. */
static int take_place(const struct shop_walk *walk, const char *cursor, struct list_place *place)
{
    *place = (struct list_place){.pass = by_events(walk) ? PASS_EVENTS : PASS_SESSIONS};
    if (!*cursor)
        return 0;
    if (list_place_read(cursor, pass_names, PASS_COUNT, place))
        return -1;
    return by_events(walk) == (place->pass == PASS_EVENTS) ? 0 : -1;
}

int stripe_list_page(const struct settings_source *source, const struct shop_walk *walk,
                     const char *cursor, struct shop_fetch *out)
{
    struct list_place place;
    struct buf target = {0};
    if (take_place(walk, cursor, &place))
        return -1;
    buf_puts(&target, passes[place.pass].target);
    if (place.pass == PASS_EVENTS)
        buf_printf(&target, "&created%%5Bgte%%5D=%lld", (long long)(walk->since / TIME_SECOND));
    if (*place.after)
        buf_printf(&target, "&starting_after=%s", place.after);
    return stripe_call(source, buf_take(&target), out);
}

/* Whether the entry says that it is of the other mode: such are left out without a word. */
static bool is_other_mode(const struct json_object *entry, const struct page *page)
{
    const struct json_object *livemode = shop_json_member(entry, "livemode");
    return json_object_is_type(livemode, json_type_boolean) &&
           json_object_get_boolean(livemode) != page->source->live;
}

static void read_entry(const struct json_object *entry, enum pass pass, const struct page *page)
{
    struct facts draft = {0};
    const char *told = shop_json_text(entry, "object");
    if (is_other_mode(entry, page))
        return;
    if (told && strcmp(told, passes[pass].object) == 0)
        passes[pass].read(entry, page, &draft);
    else
        facts_set_aside(&draft, SET_ASIDE_MALFORMED, "an entry is no %s", passes[pass].object);
    listing_take(page->out, &draft);
}

/* What an event is about: the kind and the id of its object, "" if it does not say. */
static const char *object_member(struct json_object *entries, size_t i, const char *key)
{
    const struct json_object *event = json_object_array_get_idx(entries, i);
    const char *text =
        shop_json_text(shop_json_object(shop_json_object(event, "data"), "object"), key);
    return text ? text : "";
}

/* Whether an entry before, which is newer, is an event of the same object. */
static bool is_older_news(struct json_object *entries, size_t i)
{
    const char *id = object_member(entries, i, "id"), *kind = object_member(entries, i, "object");
    for (size_t j = 0; *id && j < i; j++)
        if (strcmp(object_member(entries, j, "id"), id) == 0 &&
            strcmp(object_member(entries, j, "object"), kind) == 0)
            return true;
    return false;
}

/* When an entry was made, as a text that sorts. */
static void write_mark(const struct json_object *entry, char mark[LIMIT_ORDER_ID + 1])
{
    struct json_object *created = shop_json_member(entry, "created");
    int64_t seconds =
        json_object_is_type(created, json_type_int) ? json_object_get_int64(created) : 0;
    snprintf(mark, LIMIT_ORDER_ID + 1, "%012lld", (long long)(seconds > 0 ? seconds : 0));
}

/* Sets the cursor of the page behind: of this list, or of the next. */
static int set_next(const struct json_object *root, struct json_object *entries,
                    struct list_place *place, struct shop_listing *out)
{
    size_t count = json_object_array_length(entries);
    if (stripe_is_true(root, "has_more")) {
        const struct json_object *last =
            count > 0 ? json_object_array_get_idx(entries, count - 1) : NULL;
        const char *id = shop_json_text(last, "id");
        char mark[LIMIT_ORDER_ID + 1];
        write_mark(last, mark);
        if (!id || list_place_advance(place, id, mark, LIST_DOWN))
            return -1;
    } else if (place->pass >= PASS_DISPUTES) {
        return 0;
    } else {
        *place = (struct list_place){.pass = place->pass + 1};
    }
    out->next = list_place_write(place, pass_names);
    return 0;
}

enum shop_answer_verdict stripe_read_page(const struct settings_source *source,
                                          const struct shop_walk *walk, const char *cursor,
                                          const struct shop_answer *answer,
                                          struct shop_listing *out, struct buf *detail)
{
    struct list_place place;
    struct json_object *root;
    enum shop_answer_verdict verdict;
    if (take_place(walk, cursor, &place))
        return answer_refuse(detail, "the cursor is none of a walk through Stripe's lists");
    struct json_object *entries = stripe_open_list(
        answer,
        "events, checkout sessions, subscriptions, invoices, customers, charges and "
        "disputes",
        &root, &verdict, detail);
    if (!entries)
        return verdict;
    int64_t date = answer_date(answer);
    struct page page = {source, {NULL, date, date}, out};
    for (size_t i = 0; i < json_object_array_length(entries); i++)
        if (place.pass != PASS_EVENTS || !is_older_news(entries, i))
            read_entry(json_object_array_get_idx(entries, i), (enum pass)place.pass, &page);
    verdict = set_next(root, entries, &place, out)
                  ? answer_refuse(detail, "Stripe's list does not go on: the same page comes again")
                  : SHOP_ANSWER_READ;
    json_object_put(root);
    return verdict;
}
