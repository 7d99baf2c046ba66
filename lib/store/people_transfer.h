/*
 * What a Miro user has, given to another: somebody who came back with another account.
 */
#ifndef STORE_PEOPLE_TRANSFER_H
#define STORE_PEOPLE_TRANSFER_H

#include "store/orders.h"

struct people_transfer {
    const char *from, *to, *by, *why;
    bool dry_run;
    size_t links, grants, orders; /* out: what moved, or would */
};
/*
 * In one transaction, with records and feed: addresses, grants that stand, and orders bound to the
 * user by a reference or an operator that give anything; those are assigned. Tokens stay: they are
 * of the account.
 */
enum db_result people_transfer(struct db *db, const struct orders_context *context,
                               struct people_transfer *transfer)
    __attribute__((warn_unused_result));

#endif
