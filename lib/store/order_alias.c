#include "store/order_alias.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/rows.h"

/* An alias of an alias of an alias: a charge, its payment, its invoice, the subscription. */
#define CHAIN_MOST 4

/* One id that the news name, and whose id it turns out to be. */
struct name {
    uint32_t source_id;
    const char *id;
    char *owner;      /* the order's own id; owned, or NULL while it is `id` itself */
    const char *told; /* the news say that it is an alias of this id; or NULL */
    bool fresh;       /* the alias is new */
    bool known;       /* its row was there before: it may be an alias, and have facts */
};

struct names {
    struct name *items;
    size_t count;
};

static int name_compare(const void *a, const void *b)
{
    const struct name *left = a, *right = b;

    if (left->source_id != right->source_id)
        return left->source_id < right->source_id ? -1 : 1;
    return strcmp(left->id, right->id);
}

static struct name *name_find(struct names *names, uint32_t source_id, const char *id)
{
    struct name key = {.source_id = source_id, .id = id};

    return names->count == 0 ? NULL
                             : bsearch(&key, names->items, names->count, sizeof(key), name_compare);
}

static void name_add(struct names *names, uint32_t source_id, const char *id, const char *told)
{
    names->items = xreallocarray(names->items, names->count + 1, sizeof(*names->items));
    names->items[names->count++] = (struct name){.source_id = source_id, .id = id, .told = told};
}

/* Every id that is named, each once, in the order in which rows are locked. */
static void names_gather(struct names *names, const struct order_news *news, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        name_add(names, news[i].source_id, news[i].order_id, NULL);
        for (size_t a = 0; news[i].facts != NULL && a < news[i].facts->alias_count; a++)
            name_add(names, news[i].source_id, news[i].facts->aliases[a], news[i].order_id);
    }
    if (names->count > 0)
        qsort(names->items, names->count, sizeof(*names->items), name_compare);
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && name_compare(&names->items[kept - 1], &names->items[i]) == 0) {
            if (names->items[kept - 1].told == NULL)
                names->items[kept - 1].told = names->items[i].told;
        } else {
            names->items[kept++] = names->items[i];
        }
    }
    names->count = kept;
}

/* What was known of each before this transaction; an id that nobody locked may be anything. */
static void names_recall(struct names *names, const struct order_names *locked)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct order_named *named =
            order_names_find(locked, names->items[i].source_id, names->items[i].id);

        names->items[i].known = named == NULL || named->known;
    }
}

static void owner_row(struct db_rows *rows, void *arg)
{
    struct names *names = arg;
    size_t len;
    uint32_t source_id = (uint32_t)db_int(rows, 0);
    const char *alias = db_bytes(rows, 1, &len);

    for (size_t i = 0; i < names->count; i++) {
        struct name *name = &names->items[i];
        const char *current = name->owner != NULL ? name->owner : name->id;

        if (name->source_id == source_id && strcmp(current, alias) == 0) {
            char *owner = xstrdup(db_bytes(rows, 2, &len));

            free(name->owner);
            name->owner = owner;
        }
    }
}

/* Follows the aliases that are known, one link of every chain at a time. An id that is new is none.
 */
static enum db_result names_follow(struct db *db, struct names *names)
{
    for (size_t step = 0; step < CHAIN_MOST; step++) {
        struct values keys = {0};
        enum db_result result;

        for (size_t i = 0; i < names->count; i++) {
            if (step > 0 ? names->items[i].owner == NULL : !names->items[i].known)
                continue;
            values_add_int(&keys, names->items[i].source_id);
            values_add_text(&keys, names->items[i].owner != NULL ? names->items[i].owner
                                                                 : names->items[i].id);
        }
        result = rows_read(db,
                           "SELECT source_id, alias, order_id FROM order_alias"
                           " WHERE (source_id, alias) IN",
                           "(?,?)", "", &keys, 2, owner_row, names);
        values_free(&keys);
        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

static const char *name_owner(struct names *names, uint32_t source_id, const char *id)
{
    const struct name *name = name_find(names, source_id, id);

    for (size_t step = 0; name != NULL && step < CHAIN_MOST; step++) {
        if (name->owner != NULL)
            id = name->owner; /* which these very news may name as an alias of another */
        else if (name->told == NULL || strcmp(name->told, name->id) == 0)
            return name->id;
        else
            id = name->told;
        name = name_find(names, source_id, id);
    }
    return id;
}

/* Records what the news say that was not known; an alias stays with the order that had it first. */
static enum db_result names_record(struct db *db, struct names *names,
                                   const struct order_names *locked)
{
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < names->count; i++) {
        struct name *name = &names->items[i];
        struct order_named *taker;
        const char *owner;

        if (name->told == NULL || name->owner != NULL)
            continue;
        owner = name_owner(names, name->source_id, name->told);
        if (strcmp(owner, name->id) == 0)
            continue;
        name->owner = xstrdup(owner);
        name->fresh = true;
        taker = order_names_find(locked, name->source_id, owner);
        if (taker != NULL)
            taker->known |= name->known;
        values_add_int(&values, name->source_id);
        values_add_text(&values, name->id);
        values_add_text(&values, name->owner);
    }
    result = rows_write(db, "INSERT INTO order_alias (source_id, alias, order_id) VALUES",
                        "(?,?,?)", "ON DUPLICATE KEY UPDATE order_id = order_id", &values, 3);
    values_free(&values);
    return result;
}

/* Gives the order what was known under its new aliases: for most, nothing. */
static enum db_result facts_move(struct db *db, const struct names *names)
{
    static const char *const tables[] = {
        "order_snapshot",    "order_line",    "snapshot_refund",    "order_refund",
        "order_refund_line", "order_dispute", "order_subscription", "order_assignment"};
    struct values keys = {0};
    enum db_result result = DB_OK;

    for (size_t i = 0; i < names->count; i++) {
        if (!names->items[i].fresh || !names->items[i].known)
            continue;
        values_add_int(&keys, names->items[i].source_id);
        values_add_text(&keys, names->items[i].id);
    }
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]) && result == DB_OK; t++) {
        struct buf update = {0}, rest = {0};

        buf_printf(&update,
                   "UPDATE IGNORE %s f JOIN order_alias a ON a.source_id = f.source_id"
                   " AND a.alias = f.order_id SET f.order_id = a.order_id"
                   " WHERE (f.source_id, f.order_id) IN",
                   tables[t]);
        buf_printf(&rest, "DELETE FROM %s WHERE (source_id, order_id) IN", tables[t]);
        result = rows_delete(db, update.data, "(?,?)", &keys, 2);
        if (result == DB_OK)
            result = rows_delete(db, rest.data, "(?,?)", &keys, 2);
        buf_free(&update);
        buf_free(&rest);
    }
    values_free(&keys);
    return result;
}

static void news_put(struct alias_batch *out, const struct order_news *news, const char *id)
{
    out->ids = xreallocarray(out->ids, out->id_count + 1, sizeof(*out->ids));
    out->ids[out->id_count] = xstrdup(id);
    out->news = xreallocarray(out->news, out->count + 1, sizeof(*out->news));
    out->renamed |= strcmp(news->order_id, id) != 0;
    out->news[out->count] = *news;
    out->news[out->count++].order_id = out->ids[out->id_count++];
}

/* The news under their orders' own ids; a new alias is looked at too, to drop what it gave by
 * itself and because its row is no order's any more. */
static void batch_put(struct alias_batch *out, struct names *names, const struct order_news *news,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        news_put(out, &news[i], name_owner(names, news[i].source_id, news[i].order_id));
    for (size_t i = 0; i < names->count; i++) {
        struct order_news empty = {.source_id = names->items[i].source_id,
                                   .order_id = names->items[i].id,
                                   .cause = news[0].cause};

        if (!names->items[i].fresh)
            continue;
        memcpy(empty.cause_id, news[0].cause_id, sizeof(empty.cause_id));
        news_put(out, &empty, names->items[i].id);
    }
}

enum db_result order_alias_settle(struct db *db, const struct orders_context *context,
                                  const struct order_names *locked, const struct order_news *news,
                                  size_t count, struct alias_batch *out)
{
    struct names names = {0};
    enum db_result result;

    memset(out, 0, sizeof(*out));
    names_gather(&names, news, count);
    names_recall(&names, locked);
    result = names_follow(db, &names);
    if (result == DB_OK && !context->dry_run)
        result = names_record(db, &names, locked);
    if (result == DB_OK && !context->dry_run)
        result = facts_move(db, &names);
    if (result == DB_OK)
        batch_put(out, &names, news, count);
    for (size_t i = 0; i < names.count; i++)
        free(names.items[i].owner);
    free(names.items);
    return result;
}

static void found_row(struct db_rows *rows, void *arg)
{
    (void)rows;
    *(bool *)arg = true;
}

enum db_result order_alias_check(struct db *db, const struct alias_batch *batch, size_t count,
                                 bool *stands)
{
    struct values keys = {0};
    bool found = false;
    enum db_result result;

    for (size_t i = 0; i < count; i++) {
        values_add_int(&keys, batch->news[i].source_id);
        values_add_text(&keys, batch->news[i].order_id);
    }
    result = rows_read(db,
                       "SELECT source_id, alias, order_id FROM order_alias"
                       " WHERE (source_id, alias) IN",
                       "(?,?)", "", &keys, 2, found_row, &found);
    values_free(&keys);
    *stands = !found;
    return result;
}

void alias_batch_free(struct alias_batch *batch)
{
    for (size_t i = 0; i < batch->id_count; i++)
        free(batch->ids[i]);
    xfree(batch->ids);
    xfree(batch->news);
    batch->count = batch->id_count = 0;
}
