/*
 * Lanes: connections that merge. Lane 0 is the work's own and merges where it is called; each of
 * the others has a thread while it is busy, so that one batch is merged while another is, and the
 * next is leased or read. What is shared (settings, vault, sources) stays as it is meanwhile.
 */
#ifndef WORKER_LANE_H
#define WORKER_LANE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/limits.h"
#include "db/db.h"
#include "entitlement/catalogue.h"

struct worker;

struct lane {
    const struct worker *worker;
    struct db *db;
    struct catalogue *catalogue; /* the version in force when this lane last looked */
    pthread_t thread;
    bool busy;
    bool threaded; /* busy: on a thread; else it was done where it began */
    void (*work)(struct lane *lane, void *arg);
    void *arg;
};

/* `work` on the lane's thread or, where none is to be had, at once. The lane must not be busy. */
void lane_begin(struct lane *lane, void (*work)(struct lane *lane, void *arg), void *arg);
/* Waits until it is done; nothing to wait for if it is not busy. */
void lane_end(struct lane *lane);

/* Makes lane->catalogue the version in force; inside a transaction, as its first statement. */
enum db_result lane_catalogue(struct lane *lane) __attribute__((warn_unused_result));

#endif
