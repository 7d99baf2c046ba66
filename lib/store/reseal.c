#include "store/reseal.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/rows.h"
#include "store/sealed_context.h"

#define PARTS 3 /* columns that name a row or belong to its context */

/* What names a row, as the column has it. */
struct part {
    struct buf bytes;
    int64_t number;
};
struct place {
    struct part parts[PARTS];
    bool current; /* its envelope is under the vault's first key */
};

static void index_key_place(const struct place *place, struct buf *out)
{
    (void)place;
    buf_append(out, VAULT_INDEX_KEY_CONTEXT.bytes, VAULT_INDEX_KEY_CONTEXT.len);
}

static void address_place(const struct place *place, struct buf *out)
{
    address_context((const unsigned char *)place->parts[0].bytes.data, out);
}

static void access_place(const struct place *place, struct buf *out)
{
    token_context("access", place->parts[0].bytes.data, place->parts[1].bytes.data,
                  place->parts[2].bytes.data, out);
}

static void refresh_place(const struct place *place, struct buf *out)
{
    token_context("refresh", place->parts[0].bytes.data, place->parts[1].bytes.data,
                  place->parts[2].bytes.data, out);
}

static void staged_place(const struct place *place, struct buf *out)
{
    staged_context((const unsigned char *)place->parts[0].bytes.data, place->parts[1].bytes.data,
                   (uint64_t)place->parts[2].number, out);
}

static void body_place(const struct place *place, struct buf *out)
{
    body_context((uint32_t)place->parts[1].number,
                 (const unsigned char *)place->parts[2].bytes.data, out);
}

/* A token without its text is as good as one that Miro refuses: its user signs in again. */
#define DROP_TOKENS                                                                             \
    "UPDATE miro_token SET access_token = '', refresh_token = NULL, state = 'refused',"         \
    " refused_at = COALESCE(refused_at, issued_at), refresh_due_at = NULL, lease_owner = NULL," \
    " lease_until = NULL, generation = generation + 1 WHERE client_id = ? AND user_id = ?"      \
    " AND team_id = ?"

/* A sealed column each. `columns` are the row's key, then what else its context needs. */
static const struct sealed_table {
    const char *name;
    enum vault_purpose purpose;
    const char *table, *from, *sealed;
    const char *columns[PARTS];
    const char *types; /* of the columns: b(ytes) or n(umber) */
    size_t keys;       /* how many of them are the key */
    void (*context)(const struct place *place, struct buf *out);
    const char *note;    /* after a new envelope: its length, and the key. Or NULL */
    const char *drop[2]; /* what a value that no key opens becomes; NULL: it is left */
} tables[SEALED_KINDS] = {
    [SEALED_INDEX_KEY] = {.name = "index key",
                          .purpose = VAULT_INDEX_KEY,
                          .table = "sealed_key",
                          .from = "sealed_key",
                          .sealed = "sealed",
                          .columns = {"purpose"},
                          .types = "b",
                          .keys = 1,
                          .context = index_key_place},
    [SEALED_ADDRESSES] = {.name = "addresses",
                          .purpose = VAULT_ADDRESS,
                          .table = "address",
                          .from = "address",
                          .sealed = "sealed",
                          .columns = {"address_index"},
                          .types = "b",
                          .keys = 1,
                          .context = address_place,
                          .drop = {"UPDATE address SET sealed = NULL WHERE address_index = ?"}},
    [SEALED_ACCESS_TOKENS] = {.name = "access tokens",
                              .purpose = VAULT_TOKEN,
                              .table = "miro_token",
                              .from = "miro_token",
                              .sealed = "access_token",
                              .columns = {"client_id", "user_id", "team_id"},
                              .types = "bbb",
                              .keys = 3,
                              .context = access_place,
                              .drop = {DROP_TOKENS}},
    [SEALED_REFRESH_TOKENS] = {.name = "refresh tokens",
                               .purpose = VAULT_TOKEN,
                               .table = "miro_token",
                               .from = "miro_token",
                               .sealed = "refresh_token",
                               .columns = {"client_id", "user_id", "team_id"},
                               .types = "bbb",
                               .keys = 3,
                               .context = refresh_place,
                               .drop = {DROP_TOKENS}},
    [SEALED_STAGED] = {.name = "staged facts",
                       .purpose = VAULT_FACTS,
                       .table = "resync_staged",
                       .from = "resync_staged",
                       .sealed = "sealed",
                       .columns = {"run_id", "order_id", "seq"},
                       .types = "bbn",
                       .keys = 3,
                       .context = staged_place,
                       .drop = {"UPDATE resync_run SET state = 'abandoned',"
                                " finished_at = began_at WHERE finished_at IS NULL AND run_id ="
                                " (SELECT run_id FROM resync_staged WHERE run_id = ?"
                                " AND order_id = ? AND seq = ?)",
                                "DELETE FROM resync_staged WHERE run_id = ? AND order_id = ?"
                                " AND seq = ?"}},
    [SEALED_BODIES] = {.name = "delivery bodies",
                       .purpose = VAULT_BODY,
                       .table = "delivery",
                       .from = "delivery",
                       .sealed = "body",
                       .columns = {"id", "source_id", "delivery_key"},
                       .types = "nnb",
                       .keys = 1,
                       .context = body_place,
                       .note = "UPDATE delivery SET sealed_bytes = ? WHERE id = ?",
                       .drop = {"UPDATE delivery SET body = '' WHERE id = ?",
                                "UPDATE delivery SET state = 'set_aside',"
                                " reason = 'retries_exhausted', lease_owner = '', leased_at = 0,"
                                " detail = 'its body was sealed with a key that is lost'"
                                " WHERE id = ? AND state IN ('pending','leased')"}},
};

struct sealed_walk {
    const struct sealed_table *table;
    enum sealed_kind kind;
    struct place places[LIMIT_KEYS_WALK]; /* of the last step */
    size_t count;
    bool began;
};

const char *sealed_kind_name(enum sealed_kind kind)
{
    return tables[kind].name;
}

struct sealed_walk *sealed_walk_new(enum sealed_kind kind)
{
    struct sealed_walk *walk = xcalloc(1, sizeof(*walk));

    walk->table = &tables[kind];
    walk->kind = kind;
    return walk;
}

void sealed_walk_free(struct sealed_walk *walk)
{
    if (walk == NULL)
        return;
    for (size_t i = 0; i < LIMIT_KEYS_WALK; i++) {
        for (size_t j = 0; j < PARTS; j++)
            buf_free(&walk->places[i].parts[j].bytes);
    }
    free(walk);
}

/* --- walking ------------------------------------------------------------------------------- */

static void add_part(struct values *values, const struct sealed_table *table,
                     const struct place *place, size_t number)
{
    const struct part *part = &place->parts[number];

    if (table->types[number] == 'n')
        values_add_int(values, part->number);
    else
        values_add_bytes(values, part->bytes.data, part->bytes.len);
}

/* " AND (a > ? OR (a = ? AND b > ?) ...)": MariaDB makes no range of a row comparison. */
static void write_after(const struct sealed_table *table, const struct place *last, struct buf *sql,
                        struct values *values)
{
    for (size_t level = 0; level < table->keys; level++) {
        buf_puts(sql, level == 0 ? " AND ((" : " OR (");
        for (size_t i = 0; i <= level; i++) {
            buf_printf(sql, "%s%s %s ?", i > 0 ? " AND " : "", table->columns[i],
                       i < level ? "=" : ">");
            add_part(values, table, last, i);
        }
        buf_putc(sql, ')');
    }
    buf_putc(sql, ')');
}

static void write_order(const struct sealed_table *table, struct buf *sql)
{
    for (size_t i = 0; i < table->keys; i++)
        buf_printf(sql, "%s%s", i == 0 ? " ORDER BY " : ", ", table->columns[i]);
}

/* " WHERE a = ? AND b = ?" */
static void write_key(const struct sealed_table *table, struct buf *sql)
{
    for (size_t i = 0; i < table->keys; i++)
        buf_printf(sql, "%s%s = ?", i == 0 ? " WHERE " : " AND ", table->columns[i]);
}

static void place_read(const struct sealed_table *table, const struct db_rows *rows,
                       struct place *out)
{
    for (size_t i = 0; i < PARTS && table->columns[i] != NULL; i++) {
        struct part *part = &out->parts[i];
        unsigned column = (unsigned)i + 1;
        size_t len;
        const char *bytes;

        if (table->types[i] == 'n') {
            part->number = db_int(rows, column);
            continue;
        }
        bytes = db_bytes(rows, column, &len);
        buf_reset(&part->bytes);
        buf_append(&part->bytes, bytes, len);
    }
}

/* Tells the values of one step, and where each stands. */
static void step_read(struct sealed_walk *walk, struct db_rows *rows,
                      void (*value)(const struct sealed_value *, void *), void *arg)
{
    walk->count = 0;
    while (walk->count < LIMIT_KEYS_WALK && db_rows_next(rows)) {
        struct span head;
        char *kid;

        head.bytes = db_bytes(rows, 0, &head.len);
        kid = vault_envelope_kid(head);
        place_read(walk->table, rows, &walk->places[walk->count]);
        value(&(struct sealed_value){walk->kind, kid == NULL ? "" : kid,
                                     &walk->places[walk->count].current},
              arg);
        walk->count++;
        free(kid);
    }
}

enum db_result sealed_walk_step(struct db *db, struct sealed_walk *walk,
                                void (*value)(const struct sealed_value *, void *), void *arg,
                                bool *more)
{
    const struct sealed_table *table = walk->table;
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    enum db_result result;

    buf_printf(&sql, "SELECT LEFT(%s, %d)", table->sealed, VAULT_HEAD_MOST);
    for (size_t i = 0; i < PARTS && table->columns[i] != NULL; i++)
        buf_printf(&sql, ", %s", table->columns[i]);
    buf_printf(&sql, " FROM %s WHERE %s <> ''", table->from, table->sealed);
    if (walk->began)
        write_after(table, &walk->places[walk->count - 1], &sql, &values);
    write_order(table, &sql);
    buf_puts(&sql, " LIMIT ?");
    values_add_int(&values, LIMIT_KEYS_WALK);
    result = db_query(db, sql.data, values.items, values.count, &rows);
    values_free(&values);
    buf_free(&sql);
    if (result != DB_OK)
        return result;
    *more = db_rows_count(rows) == LIMIT_KEYS_WALK;
    step_read(walk, rows, value, arg);
    walk->began = walk->began || walk->count > 0;
    db_rows_free(rows);
    return DB_OK;
}

/* --- sealing anew -------------------------------------------------------------------------- */

/* What becomes of the values of one step that are not under the vault's first key. */
struct change {
    const struct vault *vault;
    struct sealed_walk *walk;
    size_t from, to; /* places of one transaction */
    bool drop;
    struct resealed done; /* of it */
};

static void key_values(const struct sealed_table *table, const struct place *place,
                       struct values *values)
{
    for (size_t i = 0; i < table->keys; i++)
        add_part(values, table, place, i);
}

static enum db_result drop_value(struct db *db, const struct sealed_table *table,
                                 const struct place *place)
{
    enum db_result result = DB_OK;

    for (size_t i = 0; i < 2 && result == DB_OK && table->drop[i] != NULL; i++) {
        struct values values = {0};

        key_values(table, place, &values);
        result = db_execute(db, table->drop[i], values.items, values.count);
        values_free(&values);
    }
    return result;
}

static enum db_result write_value(struct db *db, const struct sealed_table *table,
                                  const struct place *place, const struct buf *sealed)
{
    struct values values = {0};
    struct buf sql = {0};
    enum db_result result;

    buf_printf(&sql, "UPDATE %s SET %s = ?", table->table, table->sealed);
    write_key(table, &sql);
    values_add_bytes(&values, sealed->data, sealed->len);
    key_values(table, place, &values);
    result = db_execute(db, sql.data, values.items, values.count);
    if (result == DB_OK && table->note != NULL) {
        values.items[0] = DB_VALUE_INT((int64_t)sealed->len);
        result = db_execute(db, table->note, values.items, values.count);
    }
    values_free(&values);
    buf_free(&sql);
    return result;
}

/* One value whose row is locked: opened and sealed anew, unless that was done meanwhile. */
static enum db_result change_value(struct db *db, struct change *change, const struct place *place,
                                   struct span sealed)
{
    const struct sealed_table *table = change->walk->table;
    struct buf context = {0}, again = {0};
    char *kid = vault_envelope_kid(sealed);
    enum db_result result = DB_OK;

    if (!change->drop && kid != NULL && strcmp(kid, vault_active_kid(change->vault)) == 0)
        goto out;
    table->context(place, &context);
    if (vault_reseal(change->vault, table->purpose, (struct span){context.data, context.len},
                     sealed, &again) != 0) {
        change->done.unopened++;
        if (change->drop)
            result = drop_value(db, table, place);
    } else if (!change->drop) {
        change->done.sealed++;
        result = write_value(db, table, place, &again);
    }
out:
    buf_free(&context);
    buf_free(&again);
    free(kid);
    return result;
}

static enum db_result change_row(struct db *db, struct change *change, const struct place *place)
{
    const struct sealed_table *table = change->walk->table;
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    enum db_result result;

    buf_printf(&sql, "SELECT %s FROM %s", table->sealed, table->table);
    write_key(table, &sql);
    buf_puts(&sql, " FOR UPDATE");
    key_values(table, place, &values);
    result = db_query(db, sql.data, values.items, values.count, &rows);
    values_free(&values);
    buf_free(&sql);
    if (result != DB_OK)
        return result;
    if (db_rows_next(rows)) {
        struct span sealed;

        sealed.bytes = db_bytes(rows, 0, &sealed.len);
        if (sealed.len > 0) /* erased, or dropped, since it was seen */
            result = change_value(db, change, place, sealed);
    }
    db_rows_free(rows);
    return result;
}

static enum db_result change_body(struct db *db, void *arg)
{
    struct change *change = arg;
    enum db_result result = DB_OK;

    change->done = (struct resealed){0};
    for (size_t i = change->from; i < change->to && result == DB_OK; i++) {
        if (!change->walk->places[i].current)
            result = change_row(db, change, &change->walk->places[i]);
    }
    return result;
}

struct looking {
    const char *active; /* kid; or NULL: every value is to be looked into */
};

static void look_at(const struct sealed_value *value, void *arg)
{
    const struct looking *looking = arg;

    *value->current = looking->active != NULL && strcmp(value->kid, looking->active) == 0;
}

/* One step of the walk, changed a few values a transaction. */
static enum db_result walk_change(struct db *db, struct change *change, struct resealed *out,
                                  bool *more)
{
    struct looking looking = {change->drop ? NULL : vault_active_kid(change->vault)};
    enum db_result result = sealed_walk_step(db, change->walk, look_at, &looking, more);

    for (size_t from = 0; result == DB_OK && from < change->walk->count;) {
        change->from = from;
        change->to = from + LIMIT_KEYS_RESEAL < change->walk->count ? from + LIMIT_KEYS_RESEAL
                                                                    : change->walk->count;
        result = db_transaction(db, change_body, change);
        if (result != DB_OK)
            break;
        out->sealed += change->done.sealed;
        out->unopened += change->done.unopened;
        from = change->to;
    }
    if (result == DB_OK)
        out->seen += change->walk->count;
    return result;
}

enum db_result sealed_walk_reseal(struct db *db, const struct vault *vault,
                                  struct sealed_walk *walk, struct resealed *out, bool *more)
{
    struct change change = {.vault = vault, .walk = walk};

    return walk_change(db, &change, out, more);
}

enum db_result sealed_walk_drop(struct db *db, const struct vault *vault, struct sealed_walk *walk,
                                struct resealed *out, bool *more)
{
    struct change change = {.vault = vault, .walk = walk, .drop = true};

    return walk_change(db, &change, out, more);
}
