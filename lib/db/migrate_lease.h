/*
 * The right to migrate: one row that hosts take in turns, renewed from a thread of its own while a
 * statement runs, and free again LIMIT_MIGRATE_LEASE_S after its holder died. Times are the
 * database's own, so hosts' clocks do not matter.
 */
#ifndef DB_MIGRATE_LEASE_H
#define DB_MIGRATE_LEASE_H

#include <stdbool.h>

#include "db/db.h"

struct migrate_lease;

/* Waits up to LIMIT_MIGRATE_WAIT_S for its turn: then DB_RETRY, another host migrates. */
enum db_result migrate_lease_take(struct db *db, struct migrate_lease **lease)
    __attribute__((warn_unused_result));
/* False once a renewal failed: somebody else may migrate now. */
bool migrate_lease_held(const struct migrate_lease *lease);
/* Frees the row for the next host, and the lease. */
void migrate_lease_release(struct migrate_lease *lease, struct db *db);

#endif
