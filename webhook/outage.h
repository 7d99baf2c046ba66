/*
 * Whether the database is away, as far as deliveries are concerned: they go to the spool then. It
 * is when it cannot be reached, or has not stored something for LIMIT_DELIVERY_INBOX_MS; it is back
 * when it stored LIMIT_OUTAGE_GOODS times in a row in half that time or less, so that one that is
 * only just too slow does not come and go.
 */
#ifndef WEBHOOK_OUTAGE_H
#define WEBHOOK_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

struct front;
struct outage;

struct outage *outage_new(struct front *front);
void outage_free(struct outage *outage);

bool outage_on(const struct outage *outage);
/* The database failed somebody. */
void outage_begin(struct outage *outage, const char *why);
/* It did what was asked of it while it was taken to be away. */
void outage_good(struct outage *outage, int64_t elapsed_us);

#endif
