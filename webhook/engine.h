/*
 * The engine: all that depends on one reading of the configuration and talks to the database. A
 * reload opens a new one beside the old one, which ends when its last operation has.
 */
#ifndef WEBHOOK_ENGINE_H
#define WEBHOOK_ENGINE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/settings.h"
#include "db/batch.h"
#include "net/loop.h"
#include "store/context.h"

#define FRONT_PROGRAM "front" /* what it is called among the holders of keys */

struct engine {
    struct settings *settings;
    struct vault *vault;
    struct source_map *sources;
    struct store_context context;
    struct batch *batch;      /* NULL until engine_run() */
    struct loop_watch *watch; /* of the batch's completions */
    /* One connection more, for the change feed alone: it never waits behind other work, and always
     * reads the same server. */
    struct batch *feed;
    struct loop_watch *feed_watch;
    /* And one that drains the spool: it finds out whether the database is back while all others may
     * hang. It is not opened before there is something to drain. */
    struct batch *drain;
    struct loop_watch *drain_watch;
    struct loop_timer *end; /* once it is retired */
};

enum engine_fit {
    ENGINE_OPEN,
    ENGINE_AWAY,    /* the database cannot be reached: try again */
    ENGINE_UNFIT,   /* the database is not what this program needs: a person must act */
    ENGINE_REFUSED, /* the configuration is wrong */
};

/* Blocks. Unless ENGINE_OPEN, `why` gets a sentence that says what to do. */
enum engine_fit engine_open(struct settings *settings, struct engine **out, struct buf *why)
    __attribute__((warn_unused_result));
/* Starts the executor, on the loop's thread. */
void engine_run(struct engine *engine, struct loop *loop);
/* Ends the engine, now if nothing is under way in it, else when that has ended. */
void engine_retire(struct engine *engine, struct loop *loop);
/* Cuts off what has hung in the database for as long as an outage takes to be one. */
void engine_hurry(struct engine *engine);
/* Waits for nothing that hangs, when it is freed. */
void engine_abandon(struct engine *engine);
void engine_free(struct engine *engine); /* completes what is left with DB_GONE */

/* Reads a configuration and opens it on a thread of its own, so that a database that is away does
 * not hold up the loop. One at a time. */
struct opening;
struct opened {
    enum engine_fit fit;
    struct engine *engine; /* ENGINE_OPEN: the callback's own; else NULL */
    const char *why;       /* lines */
};
typedef void opening_done(const struct opened *opened, void *arg);
/* With `settings` NULL they are read anew from `path`. */
struct opening *opening_start(struct loop *loop, const char *path, struct settings *settings,
                              opening_done *done, void *arg);
void opening_free(struct opening *opening); /* waits for its thread */

#endif
