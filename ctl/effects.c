#include "effects.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct effect {
    char *key;
    uint64_t gained, lost, other;
};

struct effects {
    struct effect *items; /* as many as the catalogue has keys, at most */
    size_t count;
};

static const struct table_column columns[] = {
    {"key", "key"}, {"gain", "gain"}, {"lose", "lose"}, {"other", "other"}, {NULL, NULL}};

struct effects *effects_new(void)
{
    return xcalloc(1, sizeof(struct effects));
}

void effects_clear(struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        free(effects->items[i].key);
    xfree(effects->items);
    effects->count = 0;
}

void effects_free(struct effects *effects)
{
    if (effects == NULL)
        return;
    effects_clear(effects);
    free(effects);
}

static struct effect *effect_of(struct effects *effects, const char *key)
{
    for (size_t i = 0; i < effects->count; i++) {
        if (strcmp(effects->items[i].key, key) == 0)
            return &effects->items[i];
    }
    effects->items = xreallocarray(effects->items, effects->count + 1, sizeof(*effects->items));
    effects->items[effects->count] = (struct effect){.key = xstrdup(key)};
    return &effects->items[effects->count++];
}

void effects_add(struct effects *effects, const char *key, bool gained, bool lost)
{
    struct effect *effect = effect_of(effects, key);

    effect->gained += gained;
    effect->lost += lost;
    effect->other += !gained && !lost;
}

void effects_join(struct effects *effects, const struct effects *more)
{
    for (size_t i = 0; i < more->count; i++) {
        struct effect *effect = effect_of(effects, more->items[i].key);

        effect->gained += more->items[i].gained;
        effect->lost += more->items[i].lost;
        effect->other += more->items[i].other;
    }
}

void effects_tell(const struct effects *effects, struct page *page)
{
    struct table *table =
        page_table(page, "keys", "Lines that gain or lose a key", "none", columns);

    for (size_t i = 0; i < effects->count; i++) {
        table_text(table, effects->items[i].key);
        table_int(table, (int64_t)effects->items[i].gained);
        table_int(table, (int64_t)effects->items[i].lost);
        table_int(table, (int64_t)effects->items[i].other);
    }
}
