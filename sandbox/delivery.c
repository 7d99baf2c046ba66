#include "delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "news.h"
#include "shops/shop.h"
#include "stand.h"
#include "woo_shop.h"

#define HEADER_LINES 24
#define ANSWER_KEPT 300
#define CALM_US (TIME_SECOND / 20)

enum delivery_state {
    DELIVERY_WAITING,  /* in the queue, or kept back by a timer */
    DELIVERY_SENT,     /* under way */
    DELIVERY_HELD,     /* made under `hold`: kept until somebody lets it go */
    DELIVERY_ANSWERED, /* `status` and `answer` hold */
    DELIVERY_FAILED,   /* no answer: `answer` says why */
    DELIVERY_DROPPED,  /* a fault: the shop believes it sent */
};
static const char *const state_names[] = {"waiting",  "sent",   "held",
                                          "answered", "failed", "dropped"};

struct delivery {
    struct deliveries *owner;
    int64_t id;
    char *source, *topic;
    int64_t webhook, order;
    struct buf headers; /* whole lines */
    struct buf body;
    enum delivery_state state;
    struct loop_timer *timer;  /* of a fault that delays it */
    int64_t at, started, took; /* wall; monotonic; microseconds */
    int64_t turn;              /* which one it was to start; 0: not yet */
    int status;
    char answer[ANSWER_KEPT + 1];
};

struct deliveries {
    struct sandbox *sandbox;
    struct delivery **items; /* the log: by id, oldest first */
    size_t count, room;
    size_t finished;         /* of these, how many may be forgotten */
    struct delivery **queue; /* waiting for their turn: a ring */
    size_t head, queued, queue_room;
    size_t delayed, open, held;
    int64_t next_id, made, picked, turns;
    struct loop_timer *calm; /* set while a window of shuffled deliveries fills */
    bool flowing;            /* the window was full, or no more came: until the queue is empty */
};

static void pump(struct deliveries *deliveries);

/* Nothing came for a moment: what there is begins. */
static void calm(void *arg)
{
    struct deliveries *deliveries = arg;
    deliveries->flowing = true;
    pump(deliveries);
}

/* Nothing was sent yet. */
struct deliveries *deliveries_new(struct sandbox *sandbox)
{
    struct deliveries *deliveries = xcalloc(1, sizeof(*deliveries));
    deliveries->sandbox = sandbox;
    deliveries->next_id = 1;
    deliveries->calm = loop_timer_new(sandbox->loop, calm, deliveries);
    return deliveries;
}

/* Releases an entry that is not under way. */
static void delivery_free(struct delivery *delivery)
{
    loop_timer_free(delivery->timer);
    free(delivery->source);
    free(delivery->topic);
    buf_free(&delivery->headers);
    buf_wipe(&delivery->body);
    free(delivery);
}

/* Releases the log. */
void deliveries_free(struct deliveries *deliveries)
{
    if (deliveries == NULL)
        return;
    for (size_t i = 0; i < deliveries->count; i++)
        delivery_free(deliveries->items[i]);
    loop_timer_free(deliveries->calm);
    free(deliveries->items);
    free(deliveries->queue);
    free(deliveries);
}

/* Forgets the oldest finished entries, many at once, so that each costs little. */
static void forget_old(struct deliveries *deliveries)
{
    size_t kept = 0;
    if (deliveries->finished < (size_t)2 * SANDBOX_DELIVERIES)
        return;
    for (size_t i = 0; i < deliveries->count; i++) {
        struct delivery *delivery = deliveries->items[i];
        if (delivery->state > DELIVERY_HELD && deliveries->finished > SANDBOX_DELIVERIES) {
            delivery_free(delivery);
            deliveries->finished--;
        } else {
            deliveries->items[kept++] = delivery;
        }
    }
    deliveries->count = kept;
}

/* Adds an entry to the log. */
static struct delivery *entry(struct deliveries *deliveries, const char *source, const char *topic,
                              int64_t webhook, int64_t order)
{
    forget_old(deliveries);
    struct delivery *delivery = xcalloc(1, sizeof(*delivery));
    delivery->owner = deliveries;
    delivery->id = deliveries->next_id++;
    delivery->source = xstrdup(source);
    delivery->topic = xstrdup(topic);
    delivery->webhook = webhook;
    delivery->order = order;
    delivery->at = clock_now();
    if (deliveries->count == deliveries->room) {
        deliveries->room = deliveries->room == 0 ? 256 : deliveries->room * 2;
        deliveries->items =
            xreallocarray(deliveries->items, deliveries->room, sizeof(*deliveries->items));
    }
    deliveries->items[deliveries->count++] = delivery;
    return delivery;
}

/* The end of an entry's way. */
static void finish(struct delivery *delivery, enum delivery_state state)
{
    delivery->state = state;
    delivery->owner->finished++;
}

/* Doubles the ring, and lays it out from its beginning. */
static void grow_queue(struct deliveries *deliveries)
{
    size_t room = deliveries->queue_room == 0 ? 256 : deliveries->queue_room * 2;
    struct delivery **queue = xcalloc(room, sizeof(struct delivery *));
    for (size_t i = 0; i < deliveries->queued; i++)
        queue[i] = deliveries->queue[(deliveries->head + i) % deliveries->queue_room];
    free(deliveries->queue);
    deliveries->queue = queue;
    deliveries->queue_room = room;
    deliveries->head = 0;
}

/* An entry's turn comes after all others'. */
static void enqueue(struct delivery *delivery)
{
    struct deliveries *deliveries = delivery->owner;
    delivery->state = DELIVERY_WAITING;
    if (deliveries->queued == deliveries->queue_room)
        grow_queue(deliveries);
    deliveries->queue[(deliveries->head + deliveries->queued++) % deliveries->queue_room] =
        delivery;
}

/* Takes the next entry: the oldest, or under `reorder` any of the window, whose place it fills. */
static struct delivery *dequeue(struct deliveries *deliveries)
{
    const struct faults *faults = &deliveries->sandbox->faults;
    size_t window = (size_t)faults->reorder;
    size_t at = 0;
    if (window > deliveries->queued)
        window = deliveries->queued;
    if (window > 1)
        at = (size_t)fault_draw(faults, CHANCE_ORDER, deliveries->picked++, window);
    struct delivery **first = &deliveries->queue[deliveries->head];
    struct delivery **place = &deliveries->queue[(deliveries->head + at) % deliveries->queue_room];
    struct delivery *taken = *place;
    *place = *first;
    deliveries->head = (deliveries->head + 1) % deliveries->queue_room;
    deliveries->queued--;
    return taken;
}

/* wp_hash(webhook . second): two orders of one second share it, as they really do. */
static void woo_delivery_id(int64_t webhook, int64_t now, struct buf *out)
{
    unsigned char digest[DIGEST_LEN];
    char text[64];
    int len = snprintf(text, sizeof(text), "%lld%lld", (long long)webhook,
                       (long long)(now / TIME_SECOND));
    digest_sha256(text, (size_t)len, digest);
    digest_hex(digest, 16, out);
}

/* The header lines of a WooCommerce webhook, but for the signature. */
static void woo_headers(const struct sandbox *sandbox, const struct parcel *parcel, int64_t now,
                        struct buf *out)
{
    const char *dot = strchr(parcel->topic, '.');
    int resource = dot == NULL ? (int)strlen(parcel->topic) : (int)(dot - parcel->topic);
    buf_printf(out, "X-WC-Webhook-Source: %s/\r\n", sandbox->origin);
    buf_printf(out, "X-WC-Webhook-Topic: %s\r\n", parcel->topic);
    buf_printf(out, "X-WC-Webhook-Resource: %.*s\r\n", resource, parcel->topic);
    buf_printf(out, "X-WC-Webhook-Event: %s\r\n", dot == NULL ? "" : dot + 1);
    buf_printf(out,
               "X-WC-Webhook-ID: %lld\r\nX-WC-Webhook-Delivery-ID: ", (long long)parcel->webhook);
    woo_delivery_id(parcel->webhook, now, out);
    buf_puts(out, "\r\n");
}

/* The same three headers under Svix's own names. */
static void rename_headers(struct buf *headers)
{
    static const char old[] = "\r\nwebhook-", with[] = "\r\nsvix-";
    struct buf renamed = {0};
    const char *at = headers->data;
    for (const char *found; (found = strstr(at, old)) != NULL; at = found + strlen(old)) {
        buf_append(&renamed, at, (size_t)(found - at));
        buf_puts(&renamed, with);
    }
    buf_puts(&renamed, at);
    buf_free(headers);
    *headers = renamed;
}

/* Writes what goes over the wire: the signature is over the bytes before a fault corrupts them. */
static void seal(struct sandbox *sandbox, const struct settings_source *source,
                 const struct parcel *parcel, struct delivery *delivery)
{
    int64_t now = clock_now();
    buf_append(&delivery->body, parcel->body, parcel->len);
    bool form = parcel->ping || parcel->form || source->provider == PROVIDER_GUMROAD;
    buf_puts(&delivery->headers, form ? "Content-Type: application/x-www-form-urlencoded\r\n"
                                      : "Content-Type: application/json\r\n");
    if (parcel->ping)
        return;
    if (parcel->headers != NULL)
        buf_puts(&delivery->headers, parcel->headers);
    if (source->provider == PROVIDER_WOOCOMMERCE)
        woo_headers(sandbox, parcel, now, &delivery->headers);
    shop_sign(source, parcel->event_id, now, parcel->body, parcel->len, &delivery->headers);
    const struct stand_shop *stand = sandbox_stand(sandbox, parcel->source);
    if (stand != NULL && stand->svix)
        rename_headers(&delivery->headers);
    const struct faults *faults = &sandbox->faults;
    bool tampered =
        fault_strikes(faults, CHANCE_TAMPER, sandbox->deliveries->made, faults->tamper_percent);
    if (delivery->body.len > 0 && (tampered || fault_take(&sandbox->faults.corrupt)))
        delivery->body.data[delivery->body.len / 2] ^= 1;
}

/* Tells the webhook how it went: to WooCommerce a redirect is success, and loses the event. */
static void note(const struct delivery *delivery)
{
    struct sandbox *sandbox = delivery->owner->sandbox;
    bool success = delivery->status >= 200 && delivery->status < 303;
    if (delivery->webhook != 0 && strcmp(delivery->topic, "ping") != 0)
        woo_webhook_result(sandbox, delivery->source, delivery->webhook, success);
    struct stand_shop *stand = sandbox_stand(sandbox, delivery->source);
    if (stand != NULL && stand->stand->answered != NULL)
        stand->stand->answered(stand, &delivery->body, delivery->status, delivery->answer);
    news_tell(sandbox->news);
}

/* The answer, or why there is none. */
static void answered(const struct http_answer *answer, void *arg)
{
    struct delivery *delivery = arg;
    delivery->took = clock_monotonic() - delivery->started;
    const char *text = answer->failure == HTTP_ANSWERED ? answer->body : answer->error;
    snprintf(delivery->answer, sizeof(delivery->answer), "%s", text == NULL ? "" : text);
    finish(delivery, answer->failure == HTTP_ANSWERED ? DELIVERY_ANSWERED : DELIVERY_FAILED);
    delivery->status = answer->failure == HTTP_ANSWERED ? answer->status : 0;
    delivery->owner->open--;
    note(delivery);
    pump(delivery->owner);
}

/* The path that the front gives a source; Gumroad's secret stands in it. */
static void target_of(const struct settings_source *source, struct buf *out)
{
    buf_puts(out, "/webhooks/");
    buf_url_encode(out, source->name, strlen(source->name));
    if (source->provider != PROVIDER_GUMROAD)
        return;
    buf_putc(out, '/');
    buf_url_encode(out, (const char *)source->webhook_secrets.items[0].bytes,
                   source->webhook_secrets.items[0].len);
}

/* Puts an entry on the wire. */
static void start(struct delivery *delivery)
{
    struct sandbox *sandbox = delivery->owner->sandbox;
    const struct settings_source *source =
        settings_source(sandbox->settings, delivery->source, strlen(delivery->source));
    const char *lines[HEADER_LINES + 1] = {NULL};
    size_t count = 0;
    struct buf target = {0};
    char *text = xstrndup(delivery->headers.data, delivery->headers.len);
    char *rest = text;
    for (char *line; count < HEADER_LINES && (line = strsep(&rest, "\n")) != NULL;) {
        line[strcspn(line, "\r")] = '\0';
        if (line[0] != '\0')
            lines[count++] = line;
    }
    delivery->state = DELIVERY_SENT;
    delivery->started = clock_monotonic();
    delivery->turn = ++delivery->owner->turns;
    bool sent = false;
    if (source != NULL) {
        target_of(source, &target);
        struct http_call call = {.method = "POST",
                                 .origin = sandbox->settings->server.public_url,
                                 .target = target.data,
                                 .headers = lines,
                                 .body = delivery->body.data,
                                 .body_len = delivery->body.len,
                                 .deadline_us = TIME_MINUTE};
        sent = http_client_send(sandbox->client, &call, answered, delivery);
    }
    buf_wipe(&target);
    free(text);
    if (sent) {
        delivery->owner->open++;
        return;
    }
    finish(delivery, DELIVERY_FAILED);
    snprintf(delivery->answer, sizeof(delivery->answer), "could not be sent");
    note(delivery);
}

/* Starts waiting entries while there is room and the program goes on. Under `reorder` none starts
 * before there is a window to choose from, or nothing more comes. */
static void pump(struct deliveries *deliveries)
{
    const struct sandbox *sandbox = deliveries->sandbox;
    if (deliveries->queued >= (size_t)sandbox->faults.reorder)
        deliveries->flowing = true;
    while (deliveries->queued > 0 && deliveries->flowing && !sandbox->draining &&
           deliveries->open < SANDBOX_DELIVERIES_OPEN)
        start(dequeue(deliveries));
    if (deliveries->queued == 0)
        deliveries->flowing = false;
    else if (!deliveries->flowing)
        loop_timer_set(deliveries->calm, CALM_US, true);
}

/* The time that a fault held an entry back is over. */
static void released(void *arg)
{
    struct delivery *delivery = arg;
    delivery->owner->delayed--;
    enqueue(delivery);
    pump(delivery->owner);
}

/* Whether a fault loses the entry. */
static bool is_lost(struct faults *faults, int64_t nth)
{
    return fault_strikes(faults, CHANCE_LOSE, nth, faults->lose_percent) ||
           fault_take(&faults->drop);
}

/* Lets an entry go now, or when its fault says. */
static void dispatch(struct sandbox *sandbox, struct delivery *delivery)
{
    struct deliveries *deliveries = sandbox->deliveries;
    struct faults *faults = &sandbox->faults;
    int64_t nth = deliveries->made;
    if (faults->hold && deliveries->held < SANDBOX_HELD) {
        delivery->state = DELIVERY_HELD;
        deliveries->held++;
    } else if (is_lost(faults, nth)) {
        finish(delivery, DELIVERY_DROPPED);
        if (delivery->webhook != 0)
            woo_webhook_result(sandbox, delivery->source, delivery->webhook, true);
    } else if (fault_strikes(faults, CHANCE_DELAY, nth, faults->delay_percent) ||
               fault_take(&faults->delay)) {
        deliveries->delayed++;
        delivery->timer = loop_timer_new(sandbox->loop, released, delivery);
        loop_timer_set(delivery->timer, faults->delay_ms * 1000, true);
    } else {
        enqueue(delivery);
    }
    pump(deliveries);
    news_tell(sandbox->news);
}

/* A copy of an entry, to be sent as it is. */
static void repeat(struct sandbox *sandbox, const struct delivery *old)
{
    struct deliveries *deliveries = sandbox->deliveries;
    struct buf headers = {0};
    struct buf body = {0};
    buf_append(&headers, old->headers.data, old->headers.len);
    buf_append(&body, old->body.data, old->body.len);
    char *source = xstrdup(old->source), *topic = xstrdup(old->topic);
    struct delivery *again = entry(deliveries, source, topic, old->webhook, old->order);
    free(source);
    free(topic);
    again->headers = headers;
    again->body = body;
    enqueue(again);
    pump(deliveries);
    news_tell(sandbox->news);
}

/* An event of a shop, or a body sent by hand. */
bool delivery_send(struct sandbox *sandbox, const struct parcel *parcel)
{
    struct deliveries *deliveries = sandbox->deliveries;
    struct faults *faults = &sandbox->faults;
    const struct settings_source *source =
        settings_source(sandbox->settings, parcel->source, strlen(parcel->source));
    if (source == NULL)
        return false;
    struct delivery *delivery =
        entry(deliveries, parcel->source, parcel->topic, parcel->webhook, parcel->order);
    deliveries->made++;
    seal(sandbox, source, parcel, delivery);
    bool twice =
        !parcel->ping && !faults->hold &&
        (fault_strikes(faults, CHANCE_DUPLICATE, deliveries->made, faults->duplicate_percent) ||
         fault_take(&faults->duplicate));
    int64_t id = delivery->id;
    dispatch(sandbox, delivery);
    return twice ? delivery_again(sandbox, id) : true;
}

/* By id: the log may have forgotten it. */
bool delivery_again(struct sandbox *sandbox, int64_t id)
{
    struct deliveries *deliveries = sandbox->deliveries;
    for (size_t i = deliveries->count; i > 0; i--) {
        if (deliveries->items[i - 1]->id != id)
            continue;
        repeat(sandbox, deliveries->items[i - 1]);
        return true;
    }
    return false;
}

/* The dropped ones turn up late; each keeps its entry. */
size_t delivery_dropped_again(struct sandbox *sandbox)
{
    struct deliveries *deliveries = sandbox->deliveries;
    size_t count = 0;
    for (size_t i = 0; i < deliveries->count; i++) {
        if (deliveries->items[i]->state != DELIVERY_DROPPED)
            continue;
        deliveries->finished--;
        enqueue(deliveries->items[i]);
        count++;
    }
    pump(deliveries);
    return count;
}

/* Whether an entry is of the source and the order that are asked for. */
static bool is_of(const struct delivery *delivery, const char *source, int64_t order)
{
    return (order == 0 || delivery->order == order) &&
           (source == NULL || strcmp(delivery->source, source) == 0);
}

/* In the order in which they were made; what is thrown away counts as dropped. */
size_t delivery_release(struct sandbox *sandbox, const char *source, int64_t order, bool send)
{
    struct deliveries *deliveries = sandbox->deliveries;
    size_t count = 0;
    for (size_t i = 0; i < deliveries->count; i++) {
        struct delivery *delivery = deliveries->items[i];
        if (delivery->state != DELIVERY_HELD || !is_of(delivery, source, order))
            continue;
        deliveries->held--;
        if (send)
            enqueue(delivery);
        else
            finish(delivery, DELIVERY_DROPPED);
        count++;
    }
    pump(deliveries);
    return count;
}

/* In the queue, delayed or under way. */
size_t deliveries_open(const struct deliveries *deliveries)
{
    return deliveries->queued + deliveries->delayed + deliveries->open;
}

/* In the queue. */
size_t deliveries_waiting(const struct deliveries *deliveries)
{
    return deliveries->queued;
}

/* The word that the front answered: stored, duplicate, ping; or its problem's code. */
static void tell_answer(struct json_object *tree, const struct delivery *delivery)
{
    struct json_object *answer = tree_parse(delivery->answer, strlen(delivery->answer));
    const char *word = NULL;
    if (answer != NULL)
        word = delivery->status == 200 ? tree_get_text(answer, "status")
                                       : tree_get_text(answer, "code");
    tree_text(tree, "result", word);
    tree_text(tree, "answer", delivery->answer);
    json_object_put(answer);
}

/* An entry for the page and the tests: no body, no signature. */
static struct json_object *delivery_tree(const struct delivery *delivery)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", delivery->id);
    tree_time(tree, "at", delivery->at);
    tree_text(tree, "source", delivery->source);
    tree_text(tree, "topic", delivery->topic);
    tree_number(tree, "webhook", delivery->webhook);
    tree_number(tree, "order", delivery->order);
    tree_number(tree, "bytes", (int64_t)delivery->body.len);
    tree_text(tree, "state", state_names[delivery->state]);
    tree_number(tree, "status", delivery->status);
    tree_number(tree, "turn", delivery->turn);
    tree_number(tree, "milliseconds", delivery->took / 1000);
    tell_answer(tree, delivery);
    return tree;
}

/* What somebody needs who sends a held delivery by himself. */
static void put_contents(const struct deliveries *deliveries, const struct delivery *delivery,
                         struct json_object *tree)
{
    const struct settings_source *source =
        settings_source(deliveries->sandbox->settings, delivery->source, strlen(delivery->source));
    struct json_object *headers = tree_object();
    struct buf path = {0}, body = {0};
    char *text = xstrndup(delivery->headers.data, delivery->headers.len);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *colon = strchr(line, ':');
        line[strcspn(line, "\r")] = '\0';
        if (colon == NULL)
            continue;
        *colon = '\0';
        tree_text(headers, line, colon + 1 + strspn(colon + 1, " "));
    }
    if (source != NULL)
        target_of(source, &path);
    digest_base64(delivery->body.data, delivery->body.len, &body);
    tree_text(tree, "path", path.data);
    tree_put(tree, "headers", headers);
    tree_text(tree, "body", body.data == NULL ? "" : body.data);
    buf_wipe(&path);
    buf_wipe(&body);
    free(text);
}

/* Whether an entry is one of those that are asked for. */
static bool fits(const struct delivery *delivery, const struct delivery_filter *filter)
{
    return is_of(delivery, filter->source, filter->order) &&
           (!filter->held || delivery->state == DELIVERY_HELD);
}

/* The newest, in the order in which they began. */
struct json_object *deliveries_tree(struct deliveries *deliveries,
                                    const struct delivery_filter *filter)
{
    struct json_object *list = tree_array();
    size_t from = deliveries->count;
    for (size_t left = filter->limit; from > 0 && left > 0; from--)
        left -= fits(deliveries->items[from - 1], filter);
    for (size_t i = from; i < deliveries->count; i++) {
        const struct delivery *delivery = deliveries->items[i];
        if (!fits(delivery, filter))
            continue;
        struct json_object *tree = delivery_tree(delivery);
        if (filter->held)
            put_contents(deliveries, delivery, tree);
        tree_add(list, tree);
    }
    return list;
}
