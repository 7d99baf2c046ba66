/*
 * Numbered migrations, forward only, recorded in schema_migration with the digest of their text.
 * Each statement is written so that running it twice is harmless (MariaDB commits DDL by itself, so
 * a crash may leave one half done); two hosts take turns through a lease row, without GET_LOCK.
 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include <stddef.h>

#include "db/db.h"

struct migration {
    int version;
    const char *name; /* "001_initial" */
    const char *sql;  /* statements ended by ";\n"; comments by "-- " lines */
};

/* The ones in schema/, built in, in order. */
extern const struct migration migrations[];
extern const size_t migration_count;

enum schema_fit { SCHEMA_FITS, SCHEMA_OLDER, SCHEMA_NEWER, SCHEMA_ABSENT, SCHEMA_CHANGED };

/* Applies what is missing. `report` gets each version applied. On DB_FAILED `error` says what to
 * do. */
enum db_result migrate_apply(struct db *db,
                             void (*report)(const struct migration *migration, void *arg),
                             void *arg, struct buf *error) __attribute__((warn_unused_result));
/* How the database's schema relates to this program's. A newer one still serves (SCHEMA_NEWER):
 * each migration is compatible with the release before it. */
enum db_result migrate_fit(struct db *db, enum schema_fit *fit, int *version)
    __attribute__((warn_unused_result));

#endif
