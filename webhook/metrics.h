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

/* Gauges that the front knows at the moment of asking. */
struct metrics_gauges {
    size_t public_connections, internal_connections, waits, installs, ingest_bytes, queued;
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
/* An answer that the HTTP server gave by itself. */
void metrics_refused(struct metrics *metrics, int status);
void metrics_ingest_time(struct metrics *metrics, int64_t elapsed_us);
void metrics_check_time(struct metrics *metrics, int64_t elapsed_us);

void metrics_write(const struct metrics *metrics, const struct metrics_gauges *gauges,
                   struct buf *out);

#endif
