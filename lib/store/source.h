/*
 * Sources by number. Tables name a source by its id, so that `source rename` touches one row.
 */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "db/db.h"

struct source_map; /* name to id and back, for the sources of one configuration and those in the
                      database */

/* Registers the configuration's sources that the database does not know yet, and reads all of them.
 */
enum db_result source_map_load(struct db *db, const struct settings *settings,
                               struct source_map **out) __attribute__((warn_unused_result));
void source_map_free(struct source_map *map);
uint32_t source_map_id(const struct source_map *map, const char *name); /* 0: unknown */
const char *source_map_name(const struct source_map *map, uint32_t id); /* NULL: unknown */
/* What evidence of the source may be of, as it is configured, NULL-terminated; NULL: it is learned.
 */
char *const *source_map_identities(const struct source_map *map, uint32_t id);
/* What was learned, as far as it was read: it is written once, and never changes. NULL: nothing. */
const char *source_map_learned(const struct source_map *map, uint32_t id);
void source_map_learn(const struct source_map *map, uint32_t id, const char *identity);

#endif
