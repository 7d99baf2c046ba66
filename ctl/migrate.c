/*
 * migrate: the schema, then the index key, then the configuration's sources. Safe to run again, and
 * from two hosts at once.
 */
#include "db/migrate.h"

#include <stdio.h>

#include "page.h"
#include "store/keys.h"
#include "verbs.h"

static const struct table_column migration_columns[] = {
    {"version", "version"}, {"name", "name"}, {NULL, NULL}};

/* One more version stands in the database. */
static void migration_applied(const struct migration *migration, void *arg)
{
    struct table *applied = arg;

    table_int(applied, migration->version);
    table_text(applied, migration->name);
}

/* Makes the index key if there is none, and says whether it is this keyring's. */
static enum exit_code index_key_ensure(struct ctl *ctl, bool *made)
{
    enum keys_fit fit = KEYS_ABSENT;
    enum exit_code code = EXIT_DONE;
    struct buf why = {0};

    if (keys_load(ctl->db, ctl->vault, &fit, &why) != DB_OK)
        return ctl_database_failed(ctl, "reading the index key");
    *made = fit == KEYS_ABSENT;
    buf_reset(&why);
    if (keys_ensure(ctl->db, ctl->vault, &fit, &why) != DB_OK)
        code = ctl_database_failed(ctl, "making the index key");
    else if (fit != KEYS_LOADED)
        code = ctl_fail(EXIT_CONFIG, "%s: %s", ctl->settings->keyring_path, why.data);
    buf_free(&why);
    return code;
}

/* A line for each version, for people. */
static void migrations_say(const struct table *applied, bool made)
{
    if (table_rows(applied) == 0 && !made) {
        puts("up to date");
        return;
    }
    if (table_rows(applied) > 0) {
        puts("applied");
        table_print(applied, 2);
    }
    if (made)
        puts("made the index key, sealed under the keyring");
}

enum exit_code migrate_run(struct ctl *ctl)
{
    struct buf error = {0};
    struct page *page = page_new();
    struct table *applied = page_table(page, "applied", "Applied", "none", migration_columns);
    bool made = false;
    enum exit_code code = EXIT_DONE;
    enum db_result result = migrate_apply(ctl->db, migration_applied, applied, &error);

    if (result == DB_FAILED && error.len > 0)
        code = ctl_fail(EXIT_FAILED, "%s", error.data);
    else if (result != DB_OK)
        code = ctl_database_failed(ctl, "migrating");
    if (code == EXIT_DONE)
        code = index_key_ensure(ctl, &made);
    if (code == EXIT_DONE && source_map_load(ctl->db, ctl->settings, &ctl->sources) != DB_OK)
        code = ctl_database_failed(ctl, "registering the sources");
    if (code == EXIT_DONE) {
        page_bool(page, "index_key_made", "index key made", made);
        if (ctl->json)
            page_print(page, true);
        else
            migrations_say(applied, made);
    }
    page_free(page);
    buf_free(&error);
    return code;
}
