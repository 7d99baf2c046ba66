/*
 * What is known of a user when the plugin asks: one read for many users at a time. Links are joined
 * here, at reading time, so a link made while an order is being merged cannot be missed.
 */
#ifndef STORE_STANDING_H
#define STORE_STANDING_H

#include <stddef.h>

#include "base/digest.h"
#include "base/limits.h"
#include "db/batch.h"
#include "entitlement/answer.h"

/* The operation of a check: `standing.user` and `.team` are set; the rest comes back. */
struct standing_read {
    struct standing standing;
    /* What the answer stands on: whoever changes it writes a row of the change feed for one of
     * these, the user's own subject and the index of each linked address. */
    unsigned char (*subjects)[DIGEST_LEN];
    size_t subject_count;
    char place[LIMIT_FEED_PLACE]; /* where it was read: FEED_PLACE */
};
void standing_read_free(struct standing_read *read); /* the contents */
void standing_free(struct standing *standing);       /* the contents */
extern const struct batch_kind standing_batch;
/* The same for one user, straight-line, for purchasectl. */
enum db_result standing_load(struct db *db, struct standing *standing)
    __attribute__((warn_unused_result));

#endif
