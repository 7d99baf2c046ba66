/*
 * What operators and probes ask of the database, and the figures behind /metrics.
 */
#ifndef STORE_HEALTH_H
#define STORE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "db/batch.h"
#include "store/context.h"

/* One reading; `ready` false comes with a sentence in `why`. */
struct health {
    bool with_metrics; /* in: read the figures too; they count rows, so ask seldom */
    bool ready;
    char why[256];
    int64_t clock_skew_us; /* database less host */
    int flush_log;         /* innodb_flush_log_at_trx_commit */
    int schema_version;
    struct buf metrics; /* Prometheus text of the gauges and counters that live in the database */
};
/* The operation is a struct health. */
extern const struct batch_kind health_batch;
enum db_result health_read(struct db *db, const struct source_map *sources, struct health *out)
    __attribute__((warn_unused_result));
void health_free(struct health *health);

/* Adds to what `worker` counted: purchase_drained_total{result}. */
enum db_result health_count_drained(struct db *db, const char *worker, const char *result,
                                    int64_t more, int64_t now) __attribute__((warn_unused_result));

#endif
