#include "delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "news.h"
#include "shops/shop.h"
#include "woo_shop.h"

#define HEADER_LINES 24
#define ANSWER_KEPT 300

enum delivery_state {
    DELIVERY_WAITING,  /* in the queue, or held back by a timer */
    DELIVERY_SENT,     /* under way */
    DELIVERY_ANSWERED, /* `status` and `answer` hold */
    DELIVERY_FAILED,   /* no answer: `answer` says why */
    DELIVERY_DROPPED,  /* a fault: the shop believes it sent */
};
static const char *const state_names[] = {"waiting", "sent", "answered", "failed", "dropped"};

struct delivery {
    struct deliveries *owner;
    int64_t id;
    char *source, *topic;
    int64_t webhook, order;
    struct buf headers; /* whole lines */
    struct buf body;
    enum delivery_state state;
    bool held; /* the timer has it, not the queue */
    struct loop_timer *timer;
    int64_t at, started, took; /* wall; monotonic; microseconds */
    int status;
    char answer[ANSWER_KEPT + 1];
};

struct deliveries {
    struct sandbox *sandbox;
    struct delivery **items; /* by id, oldest first */
    size_t count, open;
    int64_t next_id;
};

static void pump(struct deliveries *deliveries);

/* Nothing was sent yet. */
struct deliveries *deliveries_new(struct sandbox *sandbox)
{
    struct deliveries *deliveries = xcalloc(1, sizeof(*deliveries));
    deliveries->sandbox = sandbox;
    deliveries->next_id = 1;
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
    free(deliveries->items);
    free(deliveries);
}

/* Forgets the oldest finished entries once the log is full; unfinished ones stay. */
static void forget_old(struct deliveries *deliveries)
{
    for (size_t i = 0; deliveries->count >= SANDBOX_DELIVERIES && i < deliveries->count; i++) {
        if (deliveries->items[i]->state <= DELIVERY_SENT)
            continue;
        delivery_free(deliveries->items[i]);
        memmove(&deliveries->items[i], &deliveries->items[i + 1],
                (deliveries->count - i - 1) * sizeof(struct delivery *));
        deliveries->count--;
        i--;
    }
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
    deliveries->items =
        xreallocarray(deliveries->items, deliveries->count + 1, sizeof(*deliveries->items));
    deliveries->items[deliveries->count++] = delivery;
    return delivery;
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

/* Writes what goes over the wire: the signature is over the bytes before a fault corrupts them. */
static void seal(struct sandbox *sandbox, const struct settings_source *source,
                 const struct parcel *parcel, struct delivery *delivery)
{
    int64_t now = clock_now();
    buf_append(&delivery->body, parcel->body, parcel->len);
    if (parcel->ping) {
        buf_puts(&delivery->headers, "Content-Type: application/x-www-form-urlencoded\r\n");
        return;
    }
    buf_puts(&delivery->headers, source->provider == PROVIDER_GUMROAD
                                     ? "Content-Type: application/x-www-form-urlencoded\r\n"
                                     : "Content-Type: application/json\r\n");
    if (source->provider == PROVIDER_WOOCOMMERCE)
        woo_headers(sandbox, parcel, now, &delivery->headers);
    shop_sign(source, parcel->event_id, now, parcel->body, parcel->len, &delivery->headers);
    if (delivery->body.len > 0 && fault_take(&sandbox->faults.corrupt))
        delivery->body.data[delivery->body.len / 2] ^= 1;
}

/* Tells the webhook how it went: to WooCommerce a redirect is success, and loses the event. */
static void note(const struct delivery *delivery)
{
    struct sandbox *sandbox = delivery->owner->sandbox;
    bool success = delivery->status >= 200 && delivery->status < 303;
    if (delivery->webhook != 0 && strcmp(delivery->topic, "ping") != 0)
        woo_webhook_result(sandbox, delivery->source, delivery->webhook, success);
    news_tell(sandbox->news);
}

/* The answer, or why there is none. */
static void answered(const struct http_answer *answer, void *arg)
{
    struct delivery *delivery = arg;
    delivery->took = clock_monotonic() - delivery->started;
    const char *text = answer->failure == HTTP_ANSWERED ? answer->body : answer->error;
    snprintf(delivery->answer, sizeof(delivery->answer), "%s", text == NULL ? "" : text);
    delivery->state = answer->failure == HTTP_ANSWERED ? DELIVERY_ANSWERED : DELIVERY_FAILED;
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
    delivery->state = DELIVERY_FAILED;
    snprintf(delivery->answer, sizeof(delivery->answer), "could not be sent");
    note(delivery);
}

/* Starts waiting entries, oldest first, while there is room and the program goes on. */
static void pump(struct deliveries *deliveries)
{
    for (size_t i = 0; i < deliveries->count && deliveries->open < SANDBOX_DELIVERIES_OPEN; i++) {
        struct delivery *delivery = deliveries->items[i];
        if (delivery->state == DELIVERY_WAITING && !delivery->held &&
            !deliveries->sandbox->draining)
            start(delivery);
    }
}

/* The time that a fault held an entry back is over. */
static void released(void *arg)
{
    struct delivery *delivery = arg;
    delivery->held = false;
    pump(delivery->owner);
}

/* Lets an entry go now, or when its fault says. */
static void dispatch(struct sandbox *sandbox, struct delivery *delivery)
{
    struct faults *faults = &sandbox->faults;
    if (fault_take(&faults->drop)) {
        delivery->state = DELIVERY_DROPPED;
        if (delivery->webhook != 0)
            woo_webhook_result(sandbox, delivery->source, delivery->webhook, true);
    } else if (fault_take(&faults->delay)) {
        delivery->held = true;
        delivery->timer = loop_timer_new(sandbox->loop, released, delivery);
        loop_timer_set(delivery->timer, faults->delay_ms * 1000, true);
    }
    pump(sandbox->deliveries);
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
    struct delivery *again = entry(deliveries, old->source, old->topic, old->webhook, old->order);
    again->headers = headers;
    again->body = body;
    pump(deliveries);
    news_tell(sandbox->news);
}

/* An event of a shop, or a body sent by hand. */
bool delivery_send(struct sandbox *sandbox, const struct parcel *parcel)
{
    const struct settings_source *source =
        settings_source(sandbox->settings, parcel->source, strlen(parcel->source));
    if (source == NULL)
        return false;
    struct delivery *delivery =
        entry(sandbox->deliveries, parcel->source, parcel->topic, parcel->webhook, parcel->order);
    seal(sandbox, source, parcel, delivery);
    int64_t id = delivery->id;
    bool twice = !parcel->ping && fault_take(&sandbox->faults.duplicate);
    dispatch(sandbox, delivery);
    return twice ? delivery_again(sandbox, id) : true;
}

/* By id: the log may have forgotten it. */
bool delivery_again(struct sandbox *sandbox, int64_t id)
{
    struct deliveries *deliveries = sandbox->deliveries;
    for (size_t i = 0; i < deliveries->count; i++) {
        if (deliveries->items[i]->id != id)
            continue;
        repeat(sandbox, deliveries->items[i]);
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
        deliveries->items[i]->state = DELIVERY_WAITING;
        count++;
    }
    pump(deliveries);
    return count;
}

/* Waiting, held or under way. */
size_t deliveries_open(const struct deliveries *deliveries)
{
    size_t open = 0;
    for (size_t i = 0; i < deliveries->count; i++)
        open += deliveries->items[i]->state <= DELIVERY_SENT;
    return open;
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
    tree_number(tree, "milliseconds", delivery->took / 1000);
    tell_answer(tree, delivery);
    return tree;
}

/* The newest, in the order in which they began. */
struct json_object *deliveries_tree(struct deliveries *deliveries, int64_t order, size_t limit)
{
    struct json_object *list = tree_array();
    size_t from = deliveries->count;
    for (size_t left = limit; from > 0 && left > 0; from--)
        left -= order == 0 || deliveries->items[from - 1]->order == order;
    for (size_t i = from; i < deliveries->count; i++)
        if (order == 0 || deliveries->items[i]->order == order)
            tree_add(list, delivery_tree(deliveries->items[i]));
    return list;
}
