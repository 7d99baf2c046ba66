#include "store/key_holders.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/context.h"
#include "store/rows.h"

/* The rows of one word. */
static enum db_result holder_rows(struct db *db, const struct vault *vault, const char *program,
                                  bool begins)
{
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < vault_key_count(vault); i++) {
        struct vault_key_name key = vault_key_name(vault, i);

        values_add_text(&values, owner_name());
        values_add_text(&values, key.kid);
        values_add_text(&values, program);
        values_add_bytes(&values, key.mark, VAULT_MARK_LEN);
        values_add_int(&values, i == 0);
    }
    result = rows_write(
        db, "INSERT INTO key_holder (holder, kid, program, mark, seals, seen_at) VALUES",
        "(?,?,?,?,?," KEYS_NOW ")",
        begins ? "ON DUPLICATE KEY UPDATE mark = VALUES(mark), seen_at = VALUES(seen_at),"
                 " seals = GREATEST(seals, VALUES(seals))"
               : "ON DUPLICATE KEY UPDATE mark = VALUES(mark), seen_at = VALUES(seen_at),"
                 " seals = VALUES(seals)",
        &values, 5);
    values_free(&values);
    return result;
}

/* Keys that are not in the ring any more, and what programs that are long gone said. */
static enum db_result holder_forget(struct db *db, const struct vault *vault)
{
    struct values values = {0};
    struct buf sql = {0};
    enum db_result result;

    buf_puts(&sql, "DELETE FROM key_holder WHERE holder = ? AND kid NOT IN (");
    values_add_text(&values, owner_name());
    for (size_t i = 0; i < vault_key_count(vault); i++)
        values_add_text(&values, vault_key_name(vault, i).kid);
    db_repeat(&sql, "?", vault_key_count(vault));
    buf_puts(&sql, ")");
    result = db_execute(db, sql.data, values.items, values.count);
    values_free(&values);
    buf_free(&sql);
    if (result == DB_OK)
        result = db_execute(db, "DELETE FROM key_holder WHERE seen_at < " KEYS_NOW " - ? LIMIT 100",
                            &DB_VALUE_INT(LIMIT_KEYS_KEEP_S * TIME_SECOND), 1);
    return result;
}

struct word {
    const struct vault *vault;
    const char *program;
    bool begins;
};

static enum db_result word_body(struct db *db, void *arg)
{
    const struct word *word = arg;
    enum db_result result = holder_rows(db, word->vault, word->program, word->begins);

    if (result == DB_OK)
        result = keys_note_sealing(db, word->vault);
    return result == DB_OK ? holder_forget(db, word->vault) : result;
}

enum db_result key_holder_say(struct db *db, const struct vault *vault, const char *program,
                              bool begins)
{
    struct word word = {vault, program, begins};

    return db_transaction(db, word_body, &word);
}

enum db_result key_holder_leave(struct db *db)
{
    struct db_value holder = db_text(owner_name());

    return db_execute(db, "DELETE FROM key_holder WHERE holder = ?", &holder, 1);
}

static enum db_result word_run(struct db *db, void **operations, size_t count, void *context)
{
    const struct store_context *store = context;
    const struct key_word *word = operations[count - 1];

    return word->leaves ? key_holder_leave(db)
                        : key_holder_say(db, store->vault, word->program, false);
}

const struct batch_kind key_word_batch = {
    .name = "key_word", .most = 1, .parallel = 1, .run = word_run, .repeatable = true};

static void holder_read(const struct db_rows *rows, struct key_holder *out)
{
    size_t len;
    const char *mark = db_bytes(rows, 3, &len);

    memset(out, 0, sizeof(*out));
    row_copy(rows, 0, out->holder, sizeof(out->holder));
    row_copy(rows, 1, out->program, sizeof(out->program));
    row_copy(rows, 2, out->kid, sizeof(out->kid));
    memcpy(out->mark, mark, len < sizeof(out->mark) ? len : sizeof(out->mark));
    out->seals = db_int(rows, 4) != 0;
    out->age = db_int(rows, 5);
}

enum db_result key_holders(struct db *db, void (*row)(const struct key_holder *, void *), void *arg)
{
    struct db_value alive = DB_VALUE_INT(LIMIT_KEYS_ALIVE_S * TIME_SECOND);
    struct key_holder holder;
    struct db_rows *rows;
    enum db_result result = db_query(db,
                                     "SELECT holder, program, kid, mark, seals, " KEYS_NOW
                                     " - seen_at FROM key_holder WHERE seen_at > " KEYS_NOW
                                     " - ? ORDER BY program, holder, seals DESC, kid",
                                     &alive, 1, &rows);

    if (result != DB_OK)
        return result;
    while (db_rows_next(rows)) {
        holder_read(rows, &holder);
        row(&holder, arg);
    }
    db_rows_free(rows);
    return DB_OK;
}

/* What the programs hold, gathered by program. */
struct held {
    struct vault_key_name key;
    struct buf *lacking;
    char holder[OWNER_NAME], program[17];
    bool any, holds;
};

static void held_end(struct held *held)
{
    if (held->any && !held->holds)
        buf_printf(held->lacking, "%s%s %s", held->lacking->len > 0 ? ", " : "", held->program,
                   held->holder);
}

static void held_row(const struct key_holder *holder, void *arg)
{
    struct held *held = arg;

    if (strcmp(holder->holder, owner_name()) == 0)
        return;
    if (!held->any || strcmp(held->holder, holder->holder) != 0) {
        held_end(held);
        snprintf(held->holder, sizeof(held->holder), "%s", holder->holder);
        snprintf(held->program, sizeof(held->program), "%s", holder->program);
        held->holds = false;
        held->any = true;
    }
    if (strcmp(holder->kid, held->key.kid) == 0 &&
        digest_equal(holder->mark, VAULT_MARK_LEN, held->key.mark, VAULT_MARK_LEN))
        held->holds = true;
}

enum db_result key_held_by_all(struct db *db, struct vault_key_name key, bool *held,
                               struct buf *lacking)
{
    struct held looking = {.key = key, .lacking = lacking};
    size_t before = lacking->len;
    enum db_result result = key_holders(db, held_row, &looking);

    if (result != DB_OK)
        return result;
    held_end(&looking);
    *held = lacking->len == before;
    return DB_OK;
}

/* A key that was put first by hand must not seal before the others can open what it seals. */
static enum db_result first_key_check(struct db *db, const struct vault *vault, enum keys_fit *fit,
                                      struct buf *why)
{
    struct vault_key_name key = vault_key_name(vault, 0);
    struct buf lacking = {0};
    enum kid_state state;
    bool held = true;
    enum db_result result = keys_find(db, key, &state);

    if (result == DB_OK && state == KID_FREE)
        result = key_held_by_all(db, key, &held, &lacking);
    if (result == DB_OK && !held) {
        *fit = KEYS_UNSHARED;
        buf_printf(why,
                   "the keyring's first key \"%s\" is new here and would seal what others cannot "
                   "open: keep it further down until they have it, then `purchasectl keys "
                   "promote`; without it: %s",
                   key.kid, lacking.data);
    }
    buf_free(&lacking);
    return result;
}

/* A keyring that does not fit is never said. The second look is the one that a promotion cannot
 * have overtaken. */
enum db_result key_holder_join(struct db *db, struct vault *vault, const char *program,
                               enum keys_fit *fit, struct buf *why)
{
    enum db_result result = keys_load(db, vault, fit, why);

    if (result == DB_OK && *fit == KEYS_LOADED)
        result = first_key_check(db, vault, fit, why);
    if (result != DB_OK || *fit != KEYS_LOADED)
        return result;
    result = key_holder_say(db, vault, program, true);
    return result == DB_OK ? keys_load(db, vault, fit, why) : result;
}
