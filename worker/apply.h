/*
 * News on its way into the store: gathered from deliveries and answers, applied in one transaction.
 */
#ifndef WORKER_APPLY_H
#define WORKER_APPLY_H

#include "store/inbox.h"
#include "store/orders.h"
#include "worker.h"

/* A growing list of news; the facts it points at outlive it. */
struct news_list {
    struct order_news *items;
    size_t count;
};
void news_add(struct news_list *list, uint32_t source_id, const struct facts *facts,
              uint64_t delivery_id);
void news_free(struct news_list *list);

/*
 * One transaction: merge the news, finish the deliveries and count them, and, unless the news are a
 * re-read's own, schedule the re-reads that merges ask for.
 */
enum db_result apply_news(struct worker *worker, struct news_list *news, bool schedule,
                          const struct inbox_outcome *outcomes, size_t outcome_count)
    __attribute__((warn_unused_result));

#endif
