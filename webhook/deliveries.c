#include "deliveries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "shops/shop.h"
#include "store/inbox.h"

#define DELIVERY_MAGIC 0x64656c69
#define KEY_SHOWN 6 /* bytes of a delivery's key in the log */

/* A delivery between its signature and its commit. A client that leaves changes nothing. */
struct delivery {
    uint32_t magic;
    struct front *front;
    struct settings *settings; /* of which `source` is a part */
    const struct settings_source *source;
    struct http_request *request; /* there until it is answered, if only into the void */
    int64_t arrived;
    size_t bytes;
    struct inbox_put put;
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

/* The end of a delivery that never reached the database. One that proved nothing counts against its
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

static void delivery_free(struct delivery *delivery)
{
    delivery->front->ingest_bytes -= delivery->put.sealed.len;
    delivery->magic = 0;
    buf_free(&delivery->put.sealed);
    settings_unref(delivery->settings);
    free(delivery);
}

/* The end of a delivery, whatever became of it. */
static void delivery_finish(struct delivery *delivery, enum delivery_outcome outcome)
{
    struct front *front = delivery->front;
    metrics_delivery(front->metrics, delivery->source->name, outcome);
    if (outcome != DELIVERY_UNAVAILABLE)
        metrics_ingest_time(front->metrics, clock_monotonic() - delivery->arrived);
    delivery_log(http_request_id(delivery->request), delivery->source->name, outcome,
                 delivery->bytes, delivery->put.key);
    delivery_reply(front, delivery->request, outcome);
    delivery_free(delivery);
}

/* The commit is durable, or it is not known to be. */
static void delivery_stored(void *operation, enum db_result result)
{
    struct delivery *delivery = OWNER_OF(operation, struct delivery, put);
    if (delivery->magic != DELIVERY_MAGIC)
        die("deliveries: a stray operation");
    if (result != DB_OK)
        delivery_finish(delivery, DELIVERY_UNAVAILABLE);
    else
        delivery_finish(delivery, delivery->put.duplicate ? DELIVERY_DUPLICATE : DELIVERY_STORED);
}

/* Seals a verified body and queues it; 503 at once if the queue or the memory for it is full. */
static void delivery_store(struct front *front, struct http_request *request,
                           const struct settings_source *source, uint32_t source_id,
                           const struct shop_receipt *receipt, int64_t now)
{
    size_t len;
    const char *body = http_body(request, &len);
    struct delivery *delivery = xcalloc(1, sizeof(*delivery));

    delivery->magic = DELIVERY_MAGIC;
    delivery->front = front;
    delivery->settings = settings_ref(front->settings);
    delivery->source = source;
    delivery->request = request;
    delivery->arrived = http_arrived(request);
    delivery->bytes = len;
    delivery->put.source_id = source_id;
    delivery->put.received_at = now;
    memcpy(delivery->put.key, receipt->key, sizeof(delivery->put.key));
    memcpy(delivery->put.topic, receipt->topic, sizeof(delivery->put.topic));
    inbox_seal(front->engine->vault, source_id, receipt->key, body, len, &delivery->put.sealed);
    front->ingest_bytes += delivery->put.sealed.len;
    if (!front_submit(front, &inbox_put_batch, &delivery->put, delivery_stored))
        delivery_finish(delivery, DELIVERY_UNAVAILABLE);
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
    uint32_t id = front->engine ? source_map_id(front->engine->sources, source->name) : 0;
    if (id == 0 || front->ingest_bytes + len > LIMIT_INGEST_BYTES)
        delivery_end_early(front, request, source->name, DELIVERY_UNAVAILABLE, len);
    else
        delivery_store(front, request, source, id, &receipt, delivery.now);
}
