#include "store/order_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int named_compare(const void *a, const void *b)
{
    const struct order_named *left = a, *right = b;

    if (left->source_id != right->source_id)
        return left->source_id < right->source_id ? -1 : 1;
    return strcmp(left->id, right->id);
}

struct order_named *order_names_find(const struct order_names *names, uint32_t source_id,
                                     const char *id)
{
    struct order_named key = {.source_id = source_id, .id = id};

    return names->count == 0
               ? NULL
               : bsearch(&key, names->items, names->count, sizeof(key), named_compare);
}

static void name_add(struct order_names *names, uint32_t source_id, const char *id)
{
    names->items = xreallocarray(names->items, names->count + 1, sizeof(*names->items));
    names->items[names->count++] = (struct order_named){.source_id = source_id, .id = id};
}

void order_names_gather(struct order_names *names, const struct order_news *news, size_t count,
                        bool keys)
{
    size_t kept = 0;

    memset(names, 0, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        name_add(names, news[i].source_id, news[i].order_id);
        for (size_t a = 0; news[i].facts != NULL && a < news[i].facts->alias_count; a++)
            name_add(names, news[i].source_id, news[i].facts->aliases[a]);
    }
    if (names->count > 1)
        qsort(names->items, names->count, sizeof(*names->items), named_compare);
    for (size_t i = 0; i < names->count; i++) {
        if (kept == 0 || named_compare(&names->items[kept - 1], &names->items[i]) != 0)
            names->items[kept++] = names->items[i];
    }
    names->count = kept;
    for (size_t i = 0; keys && i < count; i++) {
        struct order_named *named = order_names_find(names, news[i].source_id, news[i].order_id);

        if (named == NULL)
            die("orders: a name that was gathered is gone");
        if (named->told == NULL && news[i].facts != NULL && news[i].facts->key != NULL)
            named->told = &news[i];
    }
}

void order_names_free(struct order_names *names)
{
    xfree(names->items);
    names->count = 0;
}

bool order_key_of(const struct order_news *news, unsigned char out[DIGEST_LEN])
{
    if (news->facts == NULL || news->facts->key == NULL)
        return false;
    digest_sha256(news->facts->key, strlen(news->facts->key), out);
    return true;
}

enum db_result order_rows_lock(struct db *db, const struct values *rows)
{
    return rows_write(db,
                      "INSERT INTO shop_order (source_id, order_id, first_seen_at,"
                      " catalogue_version, order_key) VALUES",
                      "(?,?,?,?,?)", "ON DUPLICATE KEY UPDATE revision = revision + 1", rows, 5);
}

enum db_result order_names_lock(struct db *db, const struct order_names *names,
                                const struct orders_context *context)
{
    unsigned char(*keys)[DIGEST_LEN] = xcalloc(names->count + 1, sizeof(*keys));
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < names->count; i++) {
        const struct order_named *named = &names->items[i];

        values_add_int(&values, named->source_id);
        values_add_text(&values, named->id);
        values_add_int(&values, context->now);
        values_add_int(&values, context->catalogue->version);
        values_add(&values, named->told != NULL && order_key_of(named->told, keys[i])
                                ? DB_VALUE_BYTES(keys[i], DIGEST_LEN)
                                : DB_VALUE_NULL);
    }
    result = order_rows_lock(db, &values);
    values_free(&values);
    free(keys);
    return result;
}

struct reading {
    struct order_names *names;
    bool locked;
};

static void state_row(struct db_rows *rows, void *arg)
{
    const struct reading *reading = arg;
    size_t len;
    const char *id = db_bytes(rows, 1, &len);
    struct order_named *named = order_names_find(reading->names, (uint32_t)db_int(rows, 0), id);
    const char *key = db_bytes(rows, 2, &len);

    if (named == NULL)
        die("store: the row of an order that was not asked for");
    named->known = !reading->locked || db_int(rows, 3) > 1;
    if (key != NULL && len == DIGEST_LEN) {
        named->keyed = true;
        memcpy(named->key, key, DIGEST_LEN);
    }
}

enum db_result order_names_read(struct db *db, struct order_names *names, bool locked)
{
    struct reading reading = {names, locked};
    struct values keys = {0};
    enum db_result result;

    for (size_t i = 0; i < names->count; i++) {
        values_add_int(&keys, names->items[i].source_id);
        values_add_text(&keys, names->items[i].id);
    }
    result = rows_read(db,
                       "SELECT source_id, order_id, order_key, revision FROM shop_order"
                       " WHERE (source_id, order_id) IN",
                       "(?,?)", "", &keys, 2, state_row, &reading);
    values_free(&keys);
    return result;
}
