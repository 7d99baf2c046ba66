/*
 * The probe: reads the database's health on a timer, so that /readyz answers at once.
 */
#ifndef WEBHOOK_PROBE_H
#define WEBHOOK_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct front;
struct probe;

struct probe *probe_new(struct front *front);
void probe_free(struct probe *probe); /* after the engine's end */
/* Reads at once, and from then on every LIMIT_PROBE_MS. */
void probe_look(struct probe *probe);
/* What keeps the database from being reached, where the probe cannot tell. */
void probe_away(struct probe *probe, const char *why);

/* When the reading that is under way began (monotonic); TIME_NONE: none is. The database being away
 * ends it too: one that does not end says that the executor hangs. */
int64_t probe_looks_since(const struct probe *probe);
/* True if the last reading is good and recent; else a sentence in `why`. */
bool probe_ready(const struct probe *probe, struct buf *why);
#endif
