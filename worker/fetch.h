/*
 * Asking shops for what their deliveries lack: calls made side by side, answers read into facts.
 */
#ifndef WORKER_FETCH_H
#define WORKER_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/facts.h"
#include "shops/shop.h"
#include "worker.h"

struct fetch_task {
    struct worker *worker; /* fetch_all()'s */
    const struct settings_source *source;
    struct shop_fetch fetch;
    /* out: */
    enum shop_answer_verdict verdict;
    struct facts facts;     /* SHOP_ANSWER_READ */
    int64_t retry_after_us; /* SHOP_ANSWER_LATER; -1: not told */
    bool asked;             /* a call was made; else the shop was left alone for now */
    char detail[256];       /* unless read: a sentence for the operator */
};

/* Makes the calls of all tasks that have a source, side by side, and waits for all answers; every
 * call has its own deadline. */
void fetch_all(struct worker *worker, struct fetch_task *tasks, size_t count);
void fetch_task_free(struct fetch_task *task); /* the contents */

#endif
