#include "store/source.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/rows.h"

struct source_entry {
    uint32_t id;
    char *name;
    char **identities;       /* NULL-terminated, or NULL */
    _Atomic(char *) learned; /* or NULL; written once, whichever thread learns it */
};

struct source_map {
    struct source_entry *entries; /* few: looked through one by one */
    size_t count;
};

/* Adds the configuration's sources; those that are there stay as they are. */
static enum db_result sources_register(struct db *db, const struct settings *settings)
{
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < settings->source_count; i++) {
        values_add_text(&values, settings->sources[i].name);
        values_add_text(&values, provider_name(settings->sources[i].provider));
        values_add_int(&values, clock_now());
    }
    result = rows_write(db, "INSERT INTO source (name, provider, created_at) VALUES", "(?,?,?)",
                        "ON DUPLICATE KEY UPDATE provider = VALUES(provider)", &values, 3);
    values_free(&values);
    return result;
}

/* Whether every source of the configuration is in the map: then nothing needs writing. */
static bool sources_known(const struct source_map *map, const struct settings *settings)
{
    for (size_t i = 0; i < settings->source_count; i++) {
        if (source_map_id(map, settings->sources[i].name) == 0)
            return false;
    }
    return true;
}

/* Reads the whole table. */
static enum db_result sources_read(struct db *db, struct source_map **out)
{
    struct db_rows *rows;
    struct source_map *map;
    enum db_result result = db_query(db, "SELECT id, name, identity FROM source", NULL, 0, &rows);

    if (result != DB_OK)
        return result;
    map = xcalloc(1, sizeof(*map));
    map->entries = xcalloc(db_rows_count(rows) + 1, sizeof(*map->entries));
    while (db_rows_next(rows)) {
        struct source_entry *entry = &map->entries[map->count++];
        size_t len;
        const char *name = db_bytes(rows, 1, &len);

        entry->id = (uint32_t)db_int(rows, 0);
        entry->name = xstrndup(name, len);
        entry->learned = row_text(rows, 2);
    }
    db_rows_free(rows);
    *out = map;
    return DB_OK;
}

static struct source_entry *find_entry(const struct source_map *map, uint32_t id)
{
    for (size_t i = 0; i < map->count; i++) {
        if (map->entries[i].id == id)
            return &map->entries[i];
    }
    return NULL;
}

/* Copies: the map may outlive its configuration. */
static void identities_set(struct source_map *map, const struct settings *settings)
{
    for (size_t i = 0; i < settings->source_count; i++) {
        struct source_entry *entry = find_entry(map, source_map_id(map, settings->sources[i].name));
        char **given = settings->sources[i].identity;
        size_t count = 0;

        while (given != NULL && given[count] != NULL)
            count++;
        if (entry == NULL || count == 0)
            continue;
        entry->identities = xcalloc(count + 1, sizeof(*entry->identities));
        for (size_t g = 0; g < count; g++)
            entry->identities[g] = xstrdup(given[g]);
    }
}

enum db_result source_map_load(struct db *db, const struct settings *settings,
                               struct source_map **out)
{
    enum db_result result = sources_read(db, out);

    if (result == DB_OK && !sources_known(*out, settings)) {
        source_map_free(*out);
        *out = NULL;
        result = sources_register(db, settings);
        if (result == DB_OK)
            result = sources_read(db, out);
    }
    if (result == DB_OK)
        identities_set(*out, settings);
    return result;
}

void source_map_free(struct source_map *map)
{
    if (map == NULL)
        return;
    for (size_t i = 0; i < map->count; i++) {
        struct source_entry *entry = &map->entries[i];

        for (size_t n = 0; entry->identities != NULL && entry->identities[n] != NULL; n++)
            xfree(entry->identities[n]);
        xfree(entry->identities);
        free(entry->learned);
        xfree(entry->name);
    }
    xfree(map->entries);
    free(map);
}

uint32_t source_map_id(const struct source_map *map, const char *name)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->entries[i].name, name) == 0)
            return map->entries[i].id;
    }
    return 0;
}

const char *source_map_name(const struct source_map *map, uint32_t id)
{
    const struct source_entry *entry = find_entry(map, id);

    return entry == NULL ? NULL : entry->name;
}

char *const *source_map_identities(const struct source_map *map, uint32_t id)
{
    const struct source_entry *entry = find_entry(map, id);

    return entry == NULL ? NULL : entry->identities;
}

const char *source_map_learned(const struct source_map *map, uint32_t id)
{
    const struct source_entry *entry = find_entry(map, id);

    return entry == NULL ? NULL : entry->learned;
}

void source_map_learn(const struct source_map *map, uint32_t id, const char *identity)
{
    struct source_entry *entry = find_entry(map, id);

    char *copy, *none = NULL;

    if (entry == NULL || entry->learned != NULL)
        return;
    copy = xstrdup(identity);
    if (!atomic_compare_exchange_strong(&entry->learned, &none, copy))
        free(copy);
}
