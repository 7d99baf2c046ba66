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
/* Whether the facts say something of their own: a bare hint does not. */
bool news_tell(const struct fact_order *order);
void news_add(struct news_list *list, uint32_t source_id, const struct facts *facts,
              uint64_t delivery_id);
/* The same of facts that the shop's API told. */
void news_add_answer(struct news_list *list, uint32_t source_id, const struct facts *facts,
                     uint64_t delivery_id);
void news_free(struct news_list *list);

/*
 * One transaction: merge the news, finish the deliveries and count them, and, unless the news are a
 * re-read's own, schedule the re-reads that merges ask for. A delivery whose news were refused, or
 * the answers to it, is set aside: its outcome is changed.
 */
enum db_result apply_news(struct lane *lane, struct news_list *news, bool schedule,
                          struct inbox_outcome *outcomes, size_t outcome_count)
    __attribute__((warn_unused_result));

/* What a transaction does beside the news. */
struct apply_extra {
    /* Before and after the news, within the transaction, which may run more than once; or NULL. */
    void (*begin)(void *arg);
    enum db_result (*end)(struct db *db, void *arg);
    void (*changed)(const struct order_change *change, void *arg); /* as in orders_context */
    void *arg;
};
/* The same for news that no delivery brought: re-reads are scheduled where merges ask for them. */
enum db_result apply_with(struct lane *lane, struct news_list *news,
                          const struct apply_extra *extra) __attribute__((warn_unused_result));

#endif
