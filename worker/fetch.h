/*
 * Asking shops for what their deliveries lack: calls made side by side, answers read into facts.
 */
#ifndef WORKER_FETCH_H
#define WORKER_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/facts.h"
#include "shops/shop.h"
#include "worker.h"

struct fetch_task;
typedef enum shop_answer_verdict fetch_reader(struct fetch_task *task,
                                              const struct shop_answer *answer, struct buf *detail);

struct fetch_task {
    struct worker *worker; /* fetch_start()'s, as are these two: */
    size_t *left;
    int64_t began;
    const struct settings_source *source;
    struct shop_fetch fetch;
    const void *owner; /* whose it is: the first owner of a shop's calls is never put off for others
                        */
    /* Reads the answer; NULL: shop_read_answer() does, into `facts`. */
    fetch_reader *read;
    void *arg;           /* the reader's own */
    int64_t deadline_us; /* 0: the usual one, for calls that a batch waits for */
    size_t max_answer;   /* 0: the usual one */
    /* out: */
    int status; /* 0: no answer */
    enum shop_answer_verdict verdict;
    struct facts facts;     /* SHOP_ANSWER_READ */
    int64_t retry_after_us; /* SHOP_ANSWER_LATER; -1: not told */
    bool asked;             /* a call was made; else the shop was left alone for now */
    char detail[256];       /* unless read: a sentence for the operator */
};

/* Makes the calls of all tasks that have a source, side by side; every call has its own deadline.
 * `*left` counts those that are not answered yet: the tasks and it stay where they are until then.
 */
void fetch_start(struct worker *worker, struct fetch_task *tasks, size_t count, size_t *left);
/* The same, and waits for all answers. */
enum db_result fetch_all(struct worker *worker, struct fetch_task *tasks, size_t count)
    __attribute__((warn_unused_result));
/* Where a source stands in the configuration, and in worker->api. */
size_t fetch_source_index(const struct worker *worker, const struct settings_source *source);
void fetch_task_free(struct fetch_task *task); /* the contents */

#endif
