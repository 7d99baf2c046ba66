#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#define KNOWN_SOURCES \
    ((size_t)4 * LIMIT_SOURCES) /* a few reloads' worth; later names count as unknown */
#define UNKNOWN 0               /* the first row */

static const char *const delivery_names[] = {
    [DELIVERY_STORED] = "stored",
    [DELIVERY_DUPLICATE] = "duplicate",
    [DELIVERY_PING] = "ping",
    [DELIVERY_SIGNATURE_INVALID] = "signature_invalid",
    [DELIVERY_TIMESTAMP_OUTSIDE] = "timestamp_outside_window",
    [DELIVERY_UNKNOWN_SOURCE] = "unknown_source",
    [DELIVERY_UNAVAILABLE] = "unavailable",
    [DELIVERY_RATE_LIMITED] = "rate_limited",
};

static const char *const check_names[] = {
    [CHECK_ANSWERED] = "answered",           [CHECK_NOT_MODIFIED] = "not_modified",
    [CHECK_TOKEN_MISSING] = "token_missing", [CHECK_TOKEN_INVALID] = "token_invalid",
    [CHECK_TOKEN_EXPIRED] = "token_expired", [CHECK_BAD_REQUEST] = "bad_request",
    [CHECK_UNAVAILABLE] = "unavailable",     [CHECK_GONE] = "client_gone",
    [CHECK_RATE_LIMITED] = "rate_limited",
};

static const char *const oauth_names[] = {
    [OAUTH_STARTED] = "started",
    [OAUTH_INSTALLED] = "installed",
    [OAUTH_DENIED] = "access_denied",
    [OAUTH_UNKNOWN_APP] = "unknown_app",
    [OAUTH_REQUEST_INVALID] = "request_invalid",
    [OAUTH_CODE_MISSING] = "code_missing",
    [OAUTH_STATE_INVALID] = "state_invalid",
    [OAUTH_CODE_REFUSED] = "code_refused",
    [OAUTH_MIRO_UNREACHABLE] = "miro_unreachable",
    [OAUTH_MIRO_STRANGE] = "miro_strange",
    [OAUTH_UNAVAILABLE] = "unavailable",
    [OAUTH_RATE_LIMITED] = "rate_limited",
};

static const char *const profile_names[] = {
    [PROFILE_LINKED] = "linked",         [PROFILE_CONTESTED] = "contested",
    [PROFILE_NO_ADDRESS] = "no_address", [PROFILE_MISMATCH] = "mismatch",
    [PROFILE_LATER] = "later",
};

static const char *const cache_names[] = {
    [CACHE_HIT] = "hit",
    [CACHE_MISS] = "miss",
    [CACHE_STALE] = "stale",
    [CACHE_RACED] = "raced",
    [CACHE_LARGE] = "large",
    [CACHE_UNFOLLOWED] = "unfollowed",
    [CACHE_ELSEWHERE] = "elsewhere",
};

static const char *const dropped_names[] = {
    [DROPPED_TOUCHED] = "touched",
    [DROPPED_EVICTED] = "evicted",
    [DROPPED_DOUBTED] = "doubted",
};

static const char *const feed_lost_names[] = {
    [FEED_LOST_DATABASE] = "database", [FEED_LOST_RESTART] = "restart",
    [FEED_LOST_ROW] = "row",           [FEED_LOST_CROWDED] = "crowded",
    [FEED_LOST_GAPS] = "gaps",         [FEED_LOST_RELOADED] = "reloaded",
};

static const char *const spool_names[] = {
    [SPOOL_EVENT_STORED] = "stored",   [SPOOL_EVENT_DUPLICATE] = "duplicate",
    [SPOOL_EVENT_FULL] = "full",       [SPOOL_EVENT_FAILED] = "failed",
    [SPOOL_EVENT_DRAINED] = "drained", [SPOOL_EVENT_SET_APART] = "set_apart",
    [SPOOL_EVENT_ADOPTED] = "adopted",
};

static const char *const token_names[] = {
    [TOKEN_VERIFIED] = "verified",
    [TOKEN_REMEMBERED] = "remembered",
};

static const char *const limit_names[] = {
    [LIMITED_ADDRESS] = "address",
    [LIMITED_USER] = "user",
    [LIMITED_INSTALLS_OF_ADDRESS] = "installs_of_address",
    [LIMITED_INSTALLS] = "installs",
};

/* The answers that the HTTP server gives by itself; any other status counts as the last. */
static const int refused_statuses[] = {400, 403, 408, 413, 417, 421, 431, 501, 503, 505, 0};
#define REFUSED_COUNT (sizeof(refused_statuses) / sizeof(refused_statuses[0]))

/* Upper bounds in microseconds, with their texts in seconds. */
static const struct bound {
    int64_t us;
    const char *text;
} bounds[] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
};
#define BOUND_COUNT (sizeof(bounds) / sizeof(bounds[0]))

struct histogram {
    uint64_t at_most[BOUND_COUNT];
    uint64_t count;
    int64_t sum_us;
};

struct source_row {
    char *name;
    uint64_t count[DELIVERY_OUTCOMES];
};

struct metrics {
    struct source_row sources[KNOWN_SOURCES];
    size_t source_count;
    uint64_t checks[CHECK_OUTCOMES];
    uint64_t oauth[OAUTH_OUTCOMES];
    uint64_t profiles[PROFILE_OUTCOMES];
    uint64_t cache[CACHE_RESULTS];
    uint64_t dropped[DROPPED_REASONS];
    uint64_t feed_lost[FEED_LOST_REASONS];
    uint64_t tokens[TOKEN_CHECKS];
    uint64_t limited[LIMITED_REASONS];
    uint64_t spool[SPOOL_EVENTS];
    uint64_t refused[REFUSED_COUNT];
    struct histogram ingest, check;
};

/* The counters that have one label and one closed set of values. */
static const struct family {
    const char *name, *label, *help;
    const char *const *values;
    size_t count;
    size_t offset; /* of the counts in struct metrics */
} families[] = {
    {"purchase_checks_total", "outcome", "Entitlement checks by what was answered.", check_names,
     CHECK_OUTCOMES, offsetof(struct metrics, checks)},
    {"purchase_oauth_total", "outcome", "OAuth starts and callbacks by what was answered.",
     oauth_names, OAUTH_OUTCOMES, offsetof(struct metrics, oauth)},
    {"purchase_profiles_total", "outcome", "Profile reads at install by what they came to.",
     profile_names, PROFILE_OUTCOMES, offsetof(struct metrics, profiles)},
    {"purchase_answer_cache_total", "result",
     "Checks that the answer cache answered or not, and what was read and not kept.", cache_names,
     CACHE_RESULTS, offsetof(struct metrics, cache)},
    {"purchase_answers_dropped_total", "reason", "Kept answers that ceased to be.", dropped_names,
     DROPPED_REASONS, offsetof(struct metrics, dropped)},
    {"purchase_feed_lost_total", "reason",
     "Times that the change feed had to be followed anew, all kept answers being in doubt.",
     feed_lost_names, FEED_LOST_REASONS, offsetof(struct metrics, feed_lost)},
    {"purchase_id_tokens_total", "how", "Good idTokens: verified, or remembered as such.",
     token_names, TOKEN_CHECKS, offsetof(struct metrics, tokens)},
    {"purchase_limited_total", "limit", "Requests answered 429, by the limit that was reached.",
     limit_names, LIMITED_REASONS, offsetof(struct metrics, limited)},
    {"purchase_spool_total", "event", "Deliveries by what became of them in the spool.",
     spool_names, SPOOL_EVENTS, offsetof(struct metrics, spool)},
};

static const struct gauge {
    const char *name, *labels, *help;
    size_t offset; /* in struct metrics_gauges */
} gauges_table[] = {
    {"purchase_http_connections", "{listener=\"public\"}", "Open connections.",
     offsetof(struct metrics_gauges, public_connections)},
    {"purchase_http_connections", "{listener=\"internal\"}", NULL,
     offsetof(struct metrics_gauges, internal_connections)},
    {"purchase_waits", "", "Checks that wait for news.", offsetof(struct metrics_gauges, waits)},
    {"purchase_installs_in_flight", "", "Installs between the callback and its end.",
     offsetof(struct metrics_gauges, installs)},
    {"purchase_ingest_bytes", "", "Bytes of deliveries that wait for the database.",
     offsetof(struct metrics_gauges, ingest_bytes)},
    {"purchase_batch_queued", "", "Operations that wait for the database.",
     offsetof(struct metrics_gauges, queued)},
    {"purchase_answers_kept", "", "Answers in the cache.",
     offsetof(struct metrics_gauges, answers)},
    {"purchase_answers_kept_bytes", "", "Bytes of the answers in the cache.",
     offsetof(struct metrics_gauges, answer_bytes)},
    {"purchase_feed_gaps", "", "Ranges of the change feed's ids that were not seen yet.",
     offsetof(struct metrics_gauges, feed_gaps)},
    {"purchase_spool_pending", "", "Deliveries in this front's spool, on their way to the inbox.",
     offsetof(struct metrics_gauges, spool_pending)},
    {"purchase_spool_set_apart", "", "Deliveries in the spool that cannot go on by themselves.",
     offsetof(struct metrics_gauges, spool_apart)},
    {"purchase_spool_bytes", "", "Bytes of both.", offsetof(struct metrics_gauges, spool_bytes)},
    {"purchase_spool_usable", "", "1 if the spool takes deliveries.",
     offsetof(struct metrics_gauges, spool_usable)},
    {"purchase_database_away", "", "1 while deliveries go to the spool.",
     offsetof(struct metrics_gauges, database_away)},
};

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
    return delivery_names[outcome];
}

const char *oauth_outcome_name(enum oauth_outcome outcome)
{
    return oauth_names[outcome];
}

const char *profile_outcome_name(enum profile_outcome outcome)
{
    return profile_names[outcome];
}

struct metrics *metrics_new(void)
{
    struct metrics *metrics = xcalloc(1, sizeof(*metrics));
    metrics->sources[UNKNOWN].name = xstrdup("unknown");
    metrics->source_count = 1;
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->source_count; i++)
        free(metrics->sources[i].name);
    free(metrics);
}

/* The row of a source's name; the first row is everybody who has none. */
static size_t metrics_source_row(const struct metrics *metrics, const char *name)
{
    for (size_t i = 1; name && i < metrics->source_count; i++) {
        if (strcmp(metrics->sources[i].name, name) == 0)
            return i;
    }
    return UNKNOWN;
}

void metrics_sources(struct metrics *metrics, const struct settings *settings)
{
    for (size_t i = 0; i < settings->source_count && metrics->source_count < KNOWN_SOURCES; i++) {
        const char *name = settings->sources[i].name;
        if (metrics_source_row(metrics, name) == UNKNOWN)
            metrics->sources[metrics->source_count++].name = xstrdup(name);
    }
}

void metrics_delivery(struct metrics *metrics, const char *source, enum delivery_outcome outcome)
{
    metrics->sources[metrics_source_row(metrics, source)].count[outcome]++;
}

void metrics_check(struct metrics *metrics, enum check_outcome outcome)
{
    metrics->checks[outcome]++;
}

void metrics_oauth(struct metrics *metrics, enum oauth_outcome outcome)
{
    metrics->oauth[outcome]++;
}

void metrics_profile(struct metrics *metrics, enum profile_outcome outcome)
{
    metrics->profiles[outcome]++;
}

void metrics_cache(struct metrics *metrics, enum cache_result result)
{
    metrics->cache[result]++;
}

void metrics_answer_dropped(struct metrics *metrics, enum dropped_reason reason)
{
    metrics->dropped[reason]++;
}

void metrics_feed_lost(struct metrics *metrics, enum feed_lost reason)
{
    metrics->feed_lost[reason]++;
}

const char *feed_lost_name(enum feed_lost reason)
{
    return feed_lost_names[reason];
}

void metrics_token(struct metrics *metrics, enum token_check how)
{
    metrics->tokens[how]++;
}

void metrics_limited(struct metrics *metrics, enum limited limit)
{
    metrics->limited[limit]++;
}

const char *limited_name(enum limited limit)
{
    return limit_names[limit];
}

void metrics_spool(struct metrics *metrics, enum spool_event event, size_t count)
{
    metrics->spool[event] += count;
}

void metrics_refused(struct metrics *metrics, int status)
{
    size_t i = 0;
    while (i < REFUSED_COUNT - 1 && refused_statuses[i] != status)
        i++;
    metrics->refused[i]++;
}

/* Buckets are counted apart and summed when written. */
static void histogram_add(struct histogram *histogram, int64_t elapsed_us)
{
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        if (elapsed_us <= bounds[i].us) {
            histogram->at_most[i]++;
            break;
        }
    }
    histogram->count++;
    histogram->sum_us += elapsed_us;
}

void metrics_ingest_time(struct metrics *metrics, int64_t elapsed_us)
{
    histogram_add(&metrics->ingest, elapsed_us);
}

void metrics_check_time(struct metrics *metrics, int64_t elapsed_us)
{
    histogram_add(&metrics->check, elapsed_us);
}

/* The two lines that go before a family's samples. */
static void write_heading(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Deliveries have two labels, of which the second is open at reload. */
static void write_deliveries(const struct metrics *metrics, struct buf *out)
{
    write_heading(out, "purchase_deliveries_total", "counter",
                  "Deliveries by source and by what was answered.");
    for (size_t i = 0; i < metrics->source_count; i++) {
        for (size_t j = 0; j < DELIVERY_OUTCOMES; j++) {
            buf_printf(out, "purchase_deliveries_total{source=\"%s\",outcome=\"%s\"} %llu\n",
                       metrics->sources[i].name, delivery_names[j],
                       (unsigned long long)metrics->sources[i].count[j]);
        }
    }
}

static void write_family(const struct metrics *metrics, const struct family *family,
                         struct buf *out)
{
    const uint64_t *counts =
        (const uint64_t *)(const void *)((const char *)metrics + family->offset);
    write_heading(out, family->name, "counter", family->help);
    for (size_t i = 0; i < family->count; i++) {
        buf_printf(out, "%s{%s=\"%s\"} %llu\n", family->name, family->label, family->values[i],
                   (unsigned long long)counts[i]);
    }
}

static void write_refused(const struct metrics *metrics, struct buf *out)
{
    write_heading(out, "purchase_http_refused_total", "counter",
                  "Requests that the HTTP server answered by itself: bad, late, large, too many.");
    for (size_t i = 0; i < REFUSED_COUNT; i++) {
        const char *other = refused_statuses[i] == 0 ? "other" : NULL;
        char status[16];
        snprintf(status, sizeof(status), "%d", refused_statuses[i]);
        buf_printf(out, "purchase_http_refused_total{status=\"%s\"} %llu\n", other ? other : status,
                   (unsigned long long)metrics->refused[i]);
    }
}

static void write_histogram(const char *name, const char *help, const struct histogram *histogram,
                            struct buf *out)
{
    uint64_t sum = 0;
    write_heading(out, name, "histogram", help);
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        sum += histogram->at_most[i];
        buf_printf(out, "%s_bucket{le=\"%s\"} %llu\n", name, bounds[i].text,
                   (unsigned long long)sum);
    }
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)histogram->count);
    buf_printf(out, "%s_sum %lld.%06lld\n", name, (long long)(histogram->sum_us / 1000000),
               (long long)(histogram->sum_us % 1000000));
    buf_printf(out, "%s_count %llu\n", name, (unsigned long long)histogram->count);
}

static void write_gauges(const struct metrics_gauges *gauges, struct buf *out)
{
    for (size_t i = 0; i < sizeof(gauges_table) / sizeof(gauges_table[0]); i++) {
        const struct gauge *gauge = &gauges_table[i];
        size_t value;
        memcpy(&value, (const char *)gauges + gauge->offset, sizeof(value));
        if (gauge->help)
            write_heading(out, gauge->name, "gauge", gauge->help);
        buf_printf(out, "%s%s %zu\n", gauge->name, gauge->labels, value);
    }
}

/* How old what the cache knows is; without a sample while the feed is not followed. */
static void write_feed_lag(int64_t lag_us, struct buf *out)
{
    write_heading(out, "purchase_feed_lag_seconds", "gauge",
                  "Since the last reading of the change feed began.");
    if (lag_us != TIME_NONE)
        buf_printf(out, "purchase_feed_lag_seconds %lld.%06lld\n",
                   (long long)(lag_us / TIME_SECOND), (long long)(lag_us % TIME_SECOND));
}

void metrics_write(const struct metrics *metrics, const struct metrics_gauges *gauges,
                   struct buf *out)
{
    write_deliveries(metrics, out);
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        write_family(metrics, &families[i], out);
    write_refused(metrics, out);
    write_histogram("purchase_ingest_seconds",
                    "From a delivery's first byte to its durable answer.", &metrics->ingest, out);
    write_histogram("purchase_check_seconds",
                    "From a check's first byte to its first answer, waiting not counted.",
                    &metrics->check, out);
    write_gauges(gauges, out);
    write_feed_lag(gauges->feed_lag_us, out);
}
