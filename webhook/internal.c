#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/health.h"

#define SCRAPE_MAGIC 0x73637270
#define SCRAPE_US (3 * TIME_SECOND) /* then the database's figures are left out */
#define JSON "Content-Type: application/json\r\n"

/* Alive means: the loop turns. */
void internal_healthz(struct front *front, struct http_request *request,
                      const struct route_parts *parts)
{
    static const char body[] = "{\"status\":\"ok\"}";
    (void)parts;
    front_answer(front, request, 200, JSON, body, strlen(body));
}

/* Ready means: what arrives now can be served. */
void internal_readyz(struct front *front, struct http_request *request,
                     const struct route_parts *parts)
{
    static const char body[] = "{\"status\":\"ready\"}";
    struct buf why = {0};
    (void)parts;
    if (probe_ready(front->probe, &why))
        front_answer(front, request, 200, JSON, body, strlen(body));
    else
        front_problem(front, request, 503, "not_ready", NULL, why.data);
    buf_free(&why);
}

/* A scrape that waits for the database's figures: they count rows, so they are read when somebody
 * asks, and never on a timer. */
struct scrape {
    uint32_t magic;
    struct front *front;
    struct http_request *request; /* NULL once it is answered */
    struct loop_timer *patience;
    struct health health; /* the executor's until it comes back */
};

/* What this process counted, then what the database told, if it did. */
static void scrape_answer(struct front *front, struct http_request *request,
                          const struct buf *figures)
{
    struct spool_state spool = spool_state(front->spool);
    struct metrics_gauges gauges = {
        .public_connections = http_server_connections(front->public_server),
        .internal_connections = http_server_connections(front->internal_server),
        .waits = waits_count(front->waits),
        .installs = front->install_count,
        .ingest_bytes = front->ingest_bytes,
        .queued = front->engine ? batch_pending(front->engine->batch) : 0,
        .answers = answer_cache_count(front->answers),
        .answer_bytes = answer_cache_bytes(front->answers),
        .spool_pending = spool.pending,
        .spool_apart = spool.apart,
        .spool_bytes = (size_t)spool.bytes,
        .spool_usable = spool.usable,
        .database_away = outage_on(front->outage),
        .feed_gaps = follower_gaps(front->follower),
        .feed_lag_us = follower_following(front->follower)
                           ? clock_monotonic() - follower_true_at(front->follower)
                           : TIME_NONE,
    };
    struct buf body = {0};
    metrics_write(front->metrics, &gauges, &body);
    if (figures && figures->len > 0)
        buf_append(&body, figures->data, figures->len);
    front_answer(front, request, 200, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
                 body.data, body.len);
    buf_free(&body);
}

/* The database is late: a scraper would rather have half than nothing. */
static void scrape_impatient(void *arg)
{
    struct scrape *scrape = arg;
    scrape_answer(scrape->front, scrape->request, NULL);
    scrape->request = NULL;
}

static void scrape_read(void *operation, enum db_result result)
{
    struct scrape *scrape = OWNER_OF(operation, struct scrape, health);
    if (scrape->magic != SCRAPE_MAGIC)
        die("internal: a stray operation");
    if (scrape->request)
        scrape_answer(scrape->front, scrape->request,
                      result == DB_OK ? &scrape->health.metrics : NULL);
    scrape->magic = 0;
    loop_timer_free(scrape->patience);
    health_free(&scrape->health);
    free(scrape);
}

void internal_metrics(struct front *front, struct http_request *request,
                      const struct route_parts *parts)
{
    struct scrape *scrape = xcalloc(1, sizeof(*scrape));
    (void)parts;
    scrape->magic = SCRAPE_MAGIC;
    scrape->front = front;
    scrape->request = request;
    scrape->health.with_metrics = true;
    scrape->patience = loop_timer_new(front->loop, scrape_impatient, scrape);
    loop_timer_set(scrape->patience, SCRAPE_US, true);
    /* One that is known to be away is not waited for. */
    if (outage_on(front->outage) ||
        !front_submit(front, &health_batch, &scrape->health, scrape_read))
        scrape_read(&scrape->health, DB_GONE);
}
