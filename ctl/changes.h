/*
 * Which buyer gains or loses which key: a hash of (subject, key), to which orders add and from
 * which they take, and which is then settled against what the buyer holds from all other orders.
 */
#ifndef CTL_CHANGES_H
#define CTL_CHANGES_H

#include <stddef.h>

#include "base/digest.h"
#include "ctl.h"
#include "table.h"

#define CHANGES_MOST (4 << 20) /* pairs; about 130 bytes each */

struct changes;

struct changes *changes_new(void);
void changes_free(struct changes *changes);
/* One order more (1) or less (-1) gives the subject the key. -1 if there are CHANGES_MOST already.
 */
int changes_add(struct changes *changes, const unsigned char subject[DIGEST_LEN], const char *key,
                int weight) __attribute__((warn_unused_result));
/* Leaves those pairs whose buyer really gains or loses the key, sorted. */
enum exit_code changes_settle(struct ctl *ctl, struct changes *changes)
    __attribute__((warn_unused_result));
/* Pairs of a buyer and a key that change, and buyers who lose at least one key; after
 * changes_settle(). */
size_t changes_count(const struct changes *changes);
size_t changes_losers(const struct changes *changes);
/* A row for each key with its counts (key, gain, lose), and for each of the first `most` changes
 * (gains or loses, key, short id of the buyer, Miro user if linked). */
void changes_show(const struct changes *changes, size_t most, struct table *keys,
                  struct table *buyers);

#endif
