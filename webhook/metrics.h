/*
 * What the front counts, as Prometheus text. Labels come from closed sets: the sources of the
 * configuration (anything else is "unknown") and the outcomes below.
 */
#ifndef WEBHOOK_METRICS_H
#define WEBHOOK_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/settings.h"

enum delivery_outcome {
    DELIVERY_STORED,
    DELIVERY_DUPLICATE,
    DELIVERY_PING,
    DELIVERY_SIGNATURE_INVALID,
    DELIVERY_TIMESTAMP_OUTSIDE,
    DELIVERY_UNKNOWN_SOURCE,
    DELIVERY_UNAVAILABLE,
    DELIVERY_RATE_LIMITED, /* its signature failed, like too many before it */
    DELIVERY_OUTCOMES
};
const char *delivery_outcome_name(enum delivery_outcome outcome);

enum check_outcome {
    CHECK_ANSWERED,
    CHECK_NOT_MODIFIED,
    CHECK_TOKEN_MISSING,
    CHECK_TOKEN_INVALID,
    CHECK_TOKEN_EXPIRED,
    CHECK_BAD_REQUEST,
    CHECK_UNAVAILABLE,
    CHECK_GONE, /* the client left first */
    CHECK_RATE_LIMITED,
    CHECK_OUTCOMES
};

enum oauth_outcome {
    OAUTH_STARTED,
    OAUTH_INSTALLED,
    OAUTH_DENIED,
    OAUTH_UNKNOWN_APP,
    OAUTH_REQUEST_INVALID,
    OAUTH_CODE_MISSING,
    OAUTH_STATE_INVALID,
    OAUTH_CODE_REFUSED,
    OAUTH_MIRO_UNREACHABLE,
    OAUTH_MIRO_STRANGE,
    OAUTH_UNAVAILABLE,
    OAUTH_RATE_LIMITED,
    OAUTH_OUTCOMES
};
const char *oauth_outcome_name(enum oauth_outcome outcome);

/* What the profile read of an install came to. */
enum profile_outcome {
    PROFILE_LINKED,
    PROFILE_CONTESTED,
    PROFILE_NO_ADDRESS,
    PROFILE_MISMATCH, /* its id is not the token's user: nothing is linked */
    PROFILE_LATER,    /* could not be read or stored: the worker tries again */
    PROFILE_OUTCOMES
};
const char *profile_outcome_name(enum profile_outcome outcome);

/* How a check met the answer cache, and why what it read was not kept. */
enum cache_result {
    CACHE_HIT,
    CACHE_MISS,
    CACHE_STALE,      /* answered from it because the database was away */
    CACHE_RACED,      /* changed while it was read */
    CACHE_UNFOLLOWED, /* read while the feed was not followed */
    CACHE_ELSEWHERE,  /* read on another server than the feed */
    CACHE_LARGE,
    CACHE_RESULTS
};

/* Why a kept answer is not any more. */
enum dropped_reason {
    DROPPED_TOUCHED,
    DROPPED_EVICTED,
    DROPPED_DOUBTED, /* kept, for as long as the database is away */
    DROPPED_REASONS
};

/* Why the feed had to be followed anew. */
enum feed_lost {
    FEED_LOST_DATABASE, /* it could not be read */
    FEED_LOST_RESTART,  /* another connection or server */
    FEED_LOST_ROW,      /* its newest row is gone or another: restored, emptied */
    FEED_LOST_CROWDED,  /* more rows than one reading takes */
    FEED_LOST_GAPS,     /* more ids on their way than are remembered */
    FEED_LOST_RELOADED,
    FEED_LOST_REASONS
};

/* What became of deliveries on their way through the spool. */
enum spool_event {
    SPOOL_EVENT_STORED,
    SPOOL_EVENT_DUPLICATE, /* there already */
    SPOOL_EVENT_FULL,
    SPOOL_EVENT_FAILED,
    SPOOL_EVENT_DRAINED, /* into the inbox */
    SPOOL_EVENT_SET_APART,
    SPOOL_EVENT_ADOPTED, /* from a file that nobody holds */
    SPOOL_EVENTS
};

/* How an idToken was found good. */
enum token_check { TOKEN_VERIFIED, TOKEN_REMEMBERED, TOKEN_CHECKS };

/* Which limit was reached. */
enum limited {
    LIMITED_ADDRESS,
    LIMITED_USER,
    LIMITED_INSTALLS_OF_ADDRESS,
    LIMITED_INSTALLS,
    LIMITED_REASONS
};
const char *limited_name(enum limited limit);

/* Gauges that the front knows at the moment of asking. */
struct metrics_gauges {
    size_t public_connections, internal_connections, waits, installs, ingest_bytes, queued;
    size_t answers, answer_bytes, feed_gaps;
    size_t spool_pending, spool_apart, spool_bytes, spool_usable, database_away;
    int64_t feed_lag_us; /* TIME_NONE: the feed is not followed */
};

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);
/* Makes the sources of a configuration known, beside those of earlier ones. */
void metrics_sources(struct metrics *metrics, const struct settings *settings);

void metrics_delivery(struct metrics *metrics, const char *source, enum delivery_outcome outcome);
void metrics_check(struct metrics *metrics, enum check_outcome outcome);
void metrics_oauth(struct metrics *metrics, enum oauth_outcome outcome);
void metrics_profile(struct metrics *metrics, enum profile_outcome outcome);
void metrics_cache(struct metrics *metrics, enum cache_result result);
void metrics_answer_dropped(struct metrics *metrics, enum dropped_reason reason);
void metrics_feed_lost(struct metrics *metrics, enum feed_lost reason);
const char *feed_lost_name(enum feed_lost reason);
void metrics_token(struct metrics *metrics, enum token_check how);
void metrics_limited(struct metrics *metrics, enum limited limit);
void metrics_spool(struct metrics *metrics, enum spool_event event, size_t count);
/* An answer that the HTTP server gave by itself. */
void metrics_refused(struct metrics *metrics, int status);
void metrics_ingest_time(struct metrics *metrics, int64_t elapsed_us);
void metrics_check_time(struct metrics *metrics, int64_t elapsed_us);

void metrics_write(const struct metrics *metrics, const struct metrics_gauges *gauges,
                   struct buf *out);

#endif
