/*
 * What only this room may do with a connection: plain text statements, for migrations, and slow
 * ones.
 */
#ifndef DB_CONNECTION_H
#define DB_CONNECTION_H

#include "db/db.h"

/* One statement without parameters, not prepared, its rows dropped: DDL. */
enum db_result db_run_text(struct db *db, const char *sql, size_t len)
    __attribute__((warn_unused_result));
/* Another bound than LIMIT_DB_IO_S for each answer; outside a transaction. Connects anew. */
void db_set_patience(struct db *db, unsigned seconds);
/* Another connection to the same place. */
struct db *db_sibling(const struct db *db);
/* A transaction was begun and not ended. */
bool db_in_transaction(const struct db *db);

/* Waits before try number `attempt` (0 is the first repetition): between nothing and a bound that
 * doubles each time, so that those who collided do not meet again. */
void db_backoff(unsigned attempt);

#endif
