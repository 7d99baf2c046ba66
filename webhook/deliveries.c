#include "deliveries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "shops/shop.h"
#include "spooled.h"
#include "store/inbox.h"

#define DELIVERY_MAGIC 0x64656c69
#define KEY_SHOWN 6 /* bytes of a delivery's key in the log */
#define INBOX_PATIENCE_US (LIMIT_DELIVERY_INBOX_MS * INT64_C(1000))
#define SPOOL_PATIENCE_US (LIMIT_DELIVERY_SPOOL_MS * INT64_C(1000))
#define LOOK_US (TIME_SECOND / 10)

TAILQ_HEAD(delivery_list, delivery);

/* A delivery between its signature and its commit. A client that leaves changes nothing. It is
 * there until it is answered, and neither the inbox nor the spool has it in hand. */
struct delivery {
    uint32_t magic;
    struct front *front;
    struct settings *settings; /* of which `source` is a part */
    const struct settings_source *source;
    struct http_request *request; /* NULL once it is answered; till then there, if only into the
                                     void */
    int64_t arrived;
    size_t bytes;
    uint32_t source_id;   /* 0: not known without a database */
    struct inbox_put put; /* the executor's while `putting` */
    bool putting;
    struct spool_put spooled; /* the spool's while `spooling` */
    bool spooling;
    struct delivery_list *list; /* that it waits in, or NULL */
    int64_t patient_until;      /* monotonic */
    TAILQ_ENTRY(delivery) later;
};

/* Those that wait, each list in the order in which patience ends. */
struct deliveries {
    struct delivery_list inbox; /* for the database */
    struct delivery_list spool; /* for the disk, or for whichever of the two is first */
    struct loop_timer *timer;
    bool armed;
};

/* What a delivery is answered with, by its outcome. */
static const struct reply {
    int status;
    const char *detail; /* of a problem; else NULL */
} replies[] = {
    [DELIVERY_STORED] = {200, NULL},
    [DELIVERY_DUPLICATE] = {200, NULL},
    [DELIVERY_PING] = {200, NULL},
    [DELIVERY_SIGNATURE_INVALID] =
        {401, "The signature is missing, malformed, or not made with this source's secret."},
    [DELIVERY_TIMESTAMP_OUTSIDE] =
        {401, "The signed timestamp lies outside the accepted window: check the sender's clock."},
    [DELIVERY_UNKNOWN_SOURCE] = {404, "No source of this name is configured."},
    [DELIVERY_UNAVAILABLE] = {503, "The delivery could not be made durable: send it again."},
};

/* Answers, if only into the void. */
static void delivery_reply(struct front *front, struct http_request *request,
                           enum delivery_outcome outcome)
{
    const struct reply *reply = &replies[outcome];
    const char *name = delivery_outcome_name(outcome);
    if (reply->status == 503) {
        front_problem(front, request, 503, name, "Retry-After: 5\r\n", reply->detail);
    } else if (reply->detail) {
        front_problem(front, request, reply->status, name, NULL, reply->detail);
    } else {
        char body[64];
        int len = snprintf(body, sizeof(body), "{\"status\":\"%s\"}", name);
        front_answer(front, request, reply->status, "Content-Type: application/json\r\n", body,
                     (size_t)len);
    }
}

/* One line for each delivery that was verified. */
static void delivery_log(const char *request_id, const char *source, enum delivery_outcome outcome,
                         size_t bytes, const unsigned char *key)
{
    struct buf hex = {0};
    digest_hex(key, KEY_SHOWN, &hex);
    log_write(replies[outcome].status == 200 ? LOG_INFO : LOG_WARN, "delivery",
              delivery_outcome_name(outcome), LOG_S("request", request_id), LOG_S("source", source),
              LOG_I("bytes", bytes), LOG_S("key", hex.data));
    buf_free(&hex);
}

/* The end of a delivery that was not begun. One that proved nothing counts against its
 * client's address; one whose signature holds never does, for a burst of orders is no attack. */
static void delivery_end_early(struct front *front, struct http_request *request,
                               const char *source, enum delivery_outcome outcome, size_t bytes)
{
    char client[ADDRESS_TEXT];
    if (outcome != DELIVERY_UNAVAILABLE && !gate_admit(front, request)) {
        metrics_delivery(front->metrics, source, DELIVERY_RATE_LIMITED);
        return;
    }
    metrics_delivery(front->metrics, source, outcome);
    gate_client_text(front->gate, request, client);
    log_write(replies[outcome].status == 200 ? LOG_INFO : LOG_WARN, "delivery",
              delivery_outcome_name(outcome), LOG_S("request", http_request_id(request)),
              LOG_S("source", source ? source : "unknown"), LOG_I("bytes", bytes),
              LOG_S("client", client));
    delivery_reply(front, request, outcome);
}

/* --- waiting ------------------------------------------------------------------------------- */

static void deliveries_arm(struct deliveries *deliveries)
{
    if (deliveries->armed || (TAILQ_EMPTY(&deliveries->inbox) && TAILQ_EMPTY(&deliveries->spool)))
        return;
    loop_timer_set(deliveries->timer, LOOK_US, true);
    deliveries->armed = true;
}

static void delivery_leave(struct delivery *delivery)
{
    if (delivery->list)
        TAILQ_REMOVE(delivery->list, delivery, later);
    delivery->list = NULL;
}

static void delivery_enter(struct delivery *delivery, struct delivery_list *list, int64_t patience)
{
    delivery_leave(delivery);
    delivery->list = list;
    delivery->patient_until = clock_monotonic() + patience;
    TAILQ_INSERT_TAIL(list, delivery, later);
    deliveries_arm(delivery->front->deliveries);
}

/* --- the end of a delivery ----------------------------------------------------------------- */

/* Gives back what a store had in hand. */
static void delivery_unseal(struct delivery *delivery, struct buf *sealed)
{
    delivery->front->ingest_bytes -= sealed->len;
    buf_free(sealed);
}

/* Frees it if nobody has it in hand any more. */
static void delivery_release(struct delivery *delivery)
{
    if (delivery->request || delivery->putting || delivery->spooling)
        return;
    delivery->magic = 0;
    settings_unref(delivery->settings);
    free(delivery);
}

/* Answers; what is still in hand comes back later, and is nobody's answer any more. */
static void delivery_finish(struct delivery *delivery, enum delivery_outcome outcome)
{
    struct front *front = delivery->front;

    delivery_leave(delivery);
    metrics_delivery(front->metrics, delivery->source->name, outcome);
    if (outcome != DELIVERY_UNAVAILABLE)
        metrics_ingest_time(front->metrics, clock_monotonic() - delivery->arrived);
    delivery_log(http_request_id(delivery->request), delivery->source->name, outcome,
                 delivery->bytes, delivery->put.key);
    delivery_reply(front, delivery->request, outcome);
    delivery->request = NULL;
    delivery_release(delivery);
}

/* --- the spool ----------------------------------------------------------------------------- */

/* The disk did not take it: the database still may, if it has it in hand. */
static void delivery_not_spooled(struct delivery *delivery, enum spool_result result)
{
    struct front *front = delivery->front;

    metrics_spool(front->metrics, result == SPOOL_FULL ? SPOOL_EVENT_FULL : SPOOL_EVENT_FAILED, 1);
    if (!delivery->request)
        delivery_release(delivery);
    else if (!delivery->putting)
        delivery_finish(delivery, DELIVERY_UNAVAILABLE);
    else if (delivery->list != &front->deliveries->spool)
        delivery_enter(delivery, &front->deliveries->spool, SPOOL_PATIENCE_US);
}

/* The commit is on the disk, or it is not known to be. */
static void delivery_spooled(void *operation, enum spool_result result)
{
    struct delivery *delivery = OWNER_OF(operation, struct delivery, spooled);
    bool there = result == SPOOL_DUPLICATE;

    if (delivery->magic != DELIVERY_MAGIC)
        die("deliveries: a stray operation");
    delivery->spooling = false;
    delivery_unseal(delivery, &delivery->spooled.row.sealed);
    if (result != SPOOL_OK && !there) {
        delivery_not_spooled(delivery, result);
        return;
    }
    metrics_spool(delivery->front->metrics, there ? SPOOL_EVENT_DUPLICATE : SPOOL_EVENT_STORED, 1);
    if (delivery->request)
        delivery_finish(delivery, there ? DELIVERY_DUPLICATE : DELIVERY_STORED);
    else
        delivery_release(delivery);
}

/* Seals it for the spool, which needs no more than the keyring, and queues it there. */
static void delivery_spool(struct delivery *delivery)
{
    struct front *front = delivery->front;
    struct spool_row *row = &delivery->spooled.row;
    enum spool_result result;
    size_t len;
    const char *body = http_body(delivery->request, &len);

    delivery_leave(delivery);
    snprintf(row->source, sizeof(row->source), "%s", delivery->source->name);
    memcpy(row->key, delivery->put.key, sizeof(row->key));
    memcpy(row->topic, delivery->put.topic, sizeof(row->topic));
    row->received_at = delivery->put.received_at;
    spooled_seal(front->sealer, row, body, len);
    front->ingest_bytes += row->sealed.len;
    result = spool_put(front->spool, &delivery->spooled, delivery_spooled);
    if (result == SPOOL_OK) {
        delivery->spooling = true;
        delivery_enter(delivery, &front->deliveries->spool, SPOOL_PATIENCE_US);
    } else {
        delivery_unseal(delivery, &row->sealed);
        delivery_not_spooled(delivery, result);
    }
}

void deliveries_divert(struct deliveries *deliveries)
{
    struct delivery *delivery;
    while ((delivery = TAILQ_FIRST(&deliveries->inbox)))
        delivery_spool(delivery);
}

/* --- the inbox ----------------------------------------------------------------------------- */

/* The commit is durable, or it is not known to be: then the spool has it already, or gets it. */
static void delivery_stored(void *operation, enum db_result result)
{
    struct delivery *delivery = OWNER_OF(operation, struct delivery, put);
    struct front *front = delivery->front;
    bool waits;

    if (delivery->magic != DELIVERY_MAGIC)
        die("deliveries: a stray operation");
    delivery->putting = false;
    delivery_unseal(delivery, &delivery->put.sealed);
    waits = delivery->list == &front->deliveries->inbox;
    if (!delivery->request) {
        delivery_release(delivery);
    } else if (result == DB_OK) {
        delivery_finish(delivery, delivery->put.duplicate ? DELIVERY_DUPLICATE : DELIVERY_STORED);
    } else if (waits) {
        delivery_spool(delivery);
    } else if (!delivery->spooling) {
        delivery_finish(delivery, DELIVERY_UNAVAILABLE);
    }
    if (result == DB_GONE || result == DB_RETRY)
        outage_begin(front->outage, "the database cannot be reached");
}

/* Seals it for its row and queues it; false if the queue takes no more. */
static bool delivery_put(struct delivery *delivery)
{
    struct front *front = delivery->front;
    struct inbox_put *put = &delivery->put;
    size_t len;
    const char *body = http_body(delivery->request, &len);

    put->source_id = delivery->source_id;
    inbox_seal(front->engine->vault, put->source_id, put->key, body, len, &put->sealed);
    front->ingest_bytes += put->sealed.len;
    delivery->putting = front_submit(front, &inbox_put_batch, put, delivery_stored);
    if (delivery->putting)
        delivery_enter(delivery, &front->deliveries->inbox, INBOX_PATIENCE_US);
    else
        delivery_unseal(delivery, &put->sealed);
    return delivery->putting;
}

/* --- all of them --------------------------------------------------------------------------- */

/* Those whose database or disk takes too long. */
static void deliveries_tick(void *arg)
{
    struct deliveries *deliveries = arg;
    struct delivery *delivery;
    int64_t now = clock_monotonic();

    deliveries->armed = false;
    while ((delivery = TAILQ_FIRST(&deliveries->spool)) && delivery->patient_until <= now)
        delivery_finish(delivery, DELIVERY_UNAVAILABLE);
    delivery = TAILQ_FIRST(&deliveries->inbox);
    if (delivery && delivery->patient_until <= now) {
        outage_begin(delivery->front->outage, "the database has not stored a delivery in time");
        deliveries_divert(deliveries);
    }
    deliveries_arm(deliveries);
}

struct deliveries *deliveries_new(struct loop *loop)
{
    struct deliveries *deliveries = xcalloc(1, sizeof(*deliveries));
    TAILQ_INIT(&deliveries->inbox);
    TAILQ_INIT(&deliveries->spool);
    deliveries->timer = loop_timer_new(loop, deliveries_tick, deliveries);
    return deliveries;
}

void deliveries_free(struct deliveries *deliveries)
{
    if (!deliveries)
        return;
    loop_timer_free(deliveries->timer);
    free(deliveries);
}

/* A verified delivery begins its way. */
static void delivery_begin(struct front *front, struct http_request *request,
                           const struct settings_source *source, const struct shop_receipt *receipt,
                           int64_t now)
{
    struct delivery *delivery = xcalloc(1, sizeof(*delivery));

    delivery->magic = DELIVERY_MAGIC;
    delivery->front = front;
    delivery->settings = settings_ref(front->settings);
    delivery->source = source;
    delivery->request = request;
    delivery->arrived = http_arrived(request);
    http_body(request, &delivery->bytes);
    delivery->source_id = front->engine ? source_map_id(front->engine->sources, source->name) : 0;
    delivery->put.received_at = now;
    memcpy(delivery->put.key, receipt->key, sizeof(delivery->put.key));
    memcpy(delivery->put.topic, receipt->topic, sizeof(delivery->put.topic));
    if (outage_on(front->outage) || delivery->source_id == 0 || !delivery_put(delivery))
        delivery_spool(delivery);
}

/* Only gumroad's addresses end in a secret; another shop's have nothing there. */
void deliveries_post(struct front *front, struct http_request *request,
                     const struct route_parts *parts)
{
    const char *name = parts->part[0], *secret = parts->part[1];
    const struct settings_source *source = settings_source(front->settings, name, strlen(name));
    struct shop_delivery delivery = {.path_secret = secret, .now = clock_now()};
    struct shop_receipt receipt;
    size_t len;
    const char *body = http_body(request, &len);

    if (!source || (secret && source->provider != PROVIDER_GUMROAD)) {
        delivery_end_early(front, request, source ? source->name : NULL, DELIVERY_UNKNOWN_SOURCE,
                           len);
        return;
    }
    delivery.headers = http_headers(request, &delivery.header_count);
    delivery.body = body;
    delivery.len = len;
    switch (shop_verify(source, &delivery, &receipt)) {
    case SHOP_PING:
        delivery_end_early(front, request, source->name, DELIVERY_PING, len);
        return;
    case SHOP_SIGNATURE_INVALID:
        delivery_end_early(front, request, source->name, DELIVERY_SIGNATURE_INVALID, len);
        return;
    case SHOP_TIMESTAMP_OUTSIDE:
        delivery_end_early(front, request, source->name, DELIVERY_TIMESTAMP_OUTSIDE, len);
        return;
    case SHOP_VALID:
        break;
    }
    if (front->ingest_bytes + len > LIMIT_INGEST_BYTES)
        delivery_end_early(front, request, source->name, DELIVERY_UNAVAILABLE, len);
    else
        delivery_begin(front, request, source, &receipt, delivery.now);
}
