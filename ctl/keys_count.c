#include "keys_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl.h"

struct key_count *key_count_of(struct key_counts *counts, const char *kid)
{
    struct key_count *fresh;

    for (size_t i = 0; i < counts->count; i++) {
        if (strcmp(counts->keys[i].kid, kid) == 0)
            return &counts->keys[i];
    }
    counts->keys = xreallocarray(counts->keys, counts->count + 1, sizeof(*counts->keys));
    fresh = &counts->keys[counts->count++];
    *fresh = (struct key_count){0};
    snprintf(fresh->kid, sizeof(fresh->kid), "%s", kid);
    return fresh;
}

static void count_value(const struct sealed_value *value, void *arg)
{
    struct key_count *count = key_count_of(arg, value->kid);

    count->values[value->kind]++;
    count->total++;
}

enum db_result key_counts_read(struct db *db, struct key_counts *counts)
{
    struct progress progress = {.what = "sealed values seen"};
    enum db_result result = DB_OK;
    uint64_t seen = 0;

    for (int kind = 0; kind < SEALED_KINDS && result == DB_OK; kind++) {
        struct sealed_walk *walk = sealed_walk_new((enum sealed_kind)kind);
        bool more = true;

        while (more && result == DB_OK) {
            result = sealed_walk_step(db, walk, count_value, counts, &more);
            progress_tick(&progress, seen += LIMIT_KEYS_WALK);
        }
        sealed_walk_free(walk);
    }
    progress_end(&progress);
    return result;
}

void key_counts_free(struct key_counts *counts)
{
    xfree(counts->keys);
    counts->count = 0;
}
