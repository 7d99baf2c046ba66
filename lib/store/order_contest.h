/*
 * Orders that two people may call theirs: a buyer reference names one Miro user, and the order's
 * address is another's. The reference decides until one of them, or a third, proves by a mailed
 * code that the address is theirs; then that does, for good. Somebody may have been sent another's
 * link to pay at.
 */
#ifndef STORE_ORDER_CONTEST_H
#define STORE_ORDER_CONTEST_H

#include "store/order_work.h"

/* Takes away, from the facts that were read, the references that a code decided against. */
enum db_result order_contest_heed(struct db *db, struct order_batch *batch)
    __attribute__((warn_unused_result));
/* Notes the orders of a merged batch that are contested now. */
enum db_result order_contest_note(struct db *db, const struct order_batch *batch)
    __attribute__((warn_unused_result));
/* `user` proved that the address is theirs: open contests over it are decided, and the orders that
 * change hands are merged anew. In the caller's transaction. */
enum db_result order_contest_decide(struct db *db, const struct orders_context *context,
                                    const unsigned char index[DIGEST_LEN], const char *user)
    __attribute__((warn_unused_result));

#endif
