/*
 * Catalogue versions in the database. The greatest version is in force.
 */
#ifndef STORE_CATALOGUE_STORE_H
#define STORE_CATALOGUE_STORE_H

#include <stdint.h>

#include "base/buf.h"
#include "db/db.h"
#include "entitlement/catalogue.h"

enum db_result catalogue_current_version(struct db *db, uint32_t *version)
    __attribute__((warn_unused_result));
/* *out is a sealed catalogue of version 0 and no rules if none was applied. */
enum db_result catalogue_load(struct db *db, uint32_t version, struct catalogue **out)
    __attribute__((warn_unused_result));
/* Stores `catalogue` (its version is ignored) as the next version; DB_DUPLICATE: another operator
 * was first. */
enum db_result catalogue_store(struct db *db, const struct catalogue *catalogue, const char *text,
                               size_t len, const char *by, int64_t now, uint32_t *version)
    __attribute__((warn_unused_result));
/* The JSON text of a version. */
enum db_result catalogue_text(struct db *db, uint32_t version, struct buf *out, bool *found)
    __attribute__((warn_unused_result));

#endif
