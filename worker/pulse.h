/*
 * The pulse: tells the service manager what the worker is at, and that it lives: only while it gets
 * something done. A database that is away or hangs lets it fall silent, and be started anew.
 */
#ifndef WORKER_PULSE_H
#define WORKER_PULSE_H

#include "net/loop.h"

struct pulse;

struct pulse *pulse_new(struct loop *loop);
void pulse_free(struct pulse *pulse);
/* Something was done, or the database said that there is nothing to do. Without a pulse (NULL), as
 * in a resync, nothing happens. */
void pulse_beat(struct pulse *pulse);

#endif
