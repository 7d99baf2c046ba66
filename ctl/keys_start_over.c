/*
 * keys start-over: the keyring is lost, or one of its keys. What no key opens is given up, and what
 * needs no key is kept: links, and what the linked users bought.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "keys_count.h"
#include "page.h"
#include "store/audit.h"
#include "store/key_holders.h"
#include "store/order_bind.h"
#include "verbs.h"

static const struct table_column lost_columns[] = {
    {"kid", "key"}, {"what", "what"}, {"values", "values"}, {NULL, NULL}};

struct start_over {
    struct ctl *ctl;
    enum keys_fit fit;
    struct page *page;
    struct table *lost;
    struct resealed dropped;
    uint64_t bound;
};

/* Whether the ring has the very key of that kid under which rows are sealed. */
static enum db_result kid_is_lost(struct ctl *ctl, const char *kid, bool *lost)
{
    struct vault_key_name key;
    enum kid_state state = KID_ANOTHER;
    enum db_result result = DB_OK;

    if (vault_find_kid(ctl->vault, kid, &key) == 0)
        result = keys_find(ctl->db, key, &state);
    *lost = state == KID_ANOTHER;
    return result;
}

/* What is sealed under keys that the ring does not have. */
static enum exit_code lost_count(struct start_over *over)
{
    struct key_counts counts = {0};
    enum db_result result = key_counts_read(over->ctl->db, &counts);

    for (size_t i = 0; i < counts.count && result == DB_OK; i++) {
        bool lost;

        result = kid_is_lost(over->ctl, counts.keys[i].kid, &lost);
        for (size_t kind = 0; result == DB_OK && lost && kind < SEALED_KINDS; kind++) {
            if (counts.keys[i].values[kind] == 0)
                continue;
            table_text(over->lost, counts.keys[i].kid);
            table_text(over->lost, sealed_kind_name((enum sealed_kind)kind));
            table_int(over->lost, (int64_t)counts.keys[i].values[kind]);
        }
    }
    key_counts_free(&counts);
    return result == DB_OK ? EXIT_DONE : ctl_database_failed(over->ctl, "counting what is sealed");
}

static void holder_count(const struct key_holder *holder, void *arg)
{
    size_t *count = arg;

    (void)holder;
    ++*count;
}

/* A program that is alive still has the keys in its memory, and seals with them. */
static enum exit_code nobody_runs(struct ctl *ctl)
{
    size_t count = 0;

    if (key_holders(ctl->db, holder_count, &count) != DB_OK)
        return ctl_database_failed(ctl, "looking which programs run");
    if (count > 0)
        return ctl_fail(EXIT_FAILED, "stop every front, worker and resync first (one that was "
                                     "killed counts for a minute): see purchasectl keys");
    return EXIT_DONE;
}

/* With a new index key no address leads to its orders any more: those of linked users are bound to
 * them before. */
static enum exit_code links_keep(struct start_over *over)
{
    struct ctl *ctl = over->ctl;
    struct catalogue *catalogue;
    struct orders_context context = {.vault = ctl->vault, .now = ctl->now};
    struct order_name last = {0};
    struct progress progress = {.what = "orders bound"};
    bool more = true;
    enum exit_code code = EXIT_DONE;

    if (source_map_load(ctl->db, ctl->settings, &ctl->sources) != DB_OK)
        return ctl_database_failed(ctl, "reading the sources");
    catalogue = ctl_catalogue(ctl);
    if (catalogue == NULL)
        return EXIT_FAILED;
    context.sources = ctl->sources;
    context.catalogue = catalogue;
    while (more && code == EXIT_DONE) {
        if (orders_bind_linked(ctl->db, &context, &last, &over->bound, &more) != DB_OK)
            code = ctl_database_failed(ctl, "binding orders to their users");
        progress_tick(&progress, over->bound);
    }
    progress_end(&progress);
    catalogue_free(catalogue);
    return code;
}

static enum exit_code sealed_drop(struct start_over *over)
{
    struct ctl *ctl = over->ctl;
    struct progress progress = {.what = "sealed values seen"};
    enum db_result result = DB_OK;

    for (int kind = SEALED_INDEX_KEY + 1; kind < SEALED_KINDS && result == DB_OK; kind++) {
        struct sealed_walk *walk = sealed_walk_new((enum sealed_kind)kind);
        bool more = true;

        while (more && result == DB_OK) {
            result = sealed_walk_drop(ctl->db, ctl->vault, walk, &over->dropped, &more);
            progress_tick(&progress, over->dropped.seen);
        }
        sealed_walk_free(walk);
    }
    progress_end(&progress);
    return result == DB_OK ? EXIT_DONE : ctl_database_failed(ctl, "giving up what is sealed");
}

/* The new keys last: cut off before, the verb is just run again. */
static enum exit_code keys_begin(struct start_over *over, const char *why)
{
    struct ctl *ctl = over->ctl;
    struct audit audit = {0};
    char *by = ctl_operator();
    enum db_result result = DB_OK;

    audit_add(&audit,
              &(struct audit_row){.cause = CAUSE_OPERATOR, .cause_id = by, .action = "keys_lost"},
              NULL, why);
    result = audit_write(ctl->db, &audit, ctl->now);
    if (result == DB_OK && over->fit == KEYS_WRONG_KEYRING)
        result = keys_replace_index_key(ctl->db, ctl->vault);
    if (result == DB_OK)
        result = keys_forget_lost(ctl->db, ctl->vault);
    if (result == DB_OK)
        result = keys_note_sealing(ctl->db, ctl->vault);
    audit_free(&audit);
    free(by);
    return result == DB_OK ? EXIT_DONE : ctl_database_failed(ctl, "beginning with the new keys");
}

static enum exit_code start_over(struct start_over *over)
{
    const char *why = ctl_why(over->ctl);
    enum exit_code code = why == NULL ? EXIT_USAGE : nobody_runs(over->ctl);

    if (code == EXIT_DONE && over->fit == KEYS_WRONG_KEYRING)
        code = links_keep(over);
    if (code == EXIT_DONE)
        code = sealed_drop(over);
    if (code == EXIT_DONE)
        code = keys_begin(over, why);
    return code;
}

/* What is wrong with the keyring, or that nothing is. */
static enum exit_code fit_read(struct start_over *over)
{
    struct ctl *ctl = over->ctl;
    struct buf why = {0};
    enum exit_code code = ctl_schema_check(ctl);

    if (code == EXIT_DONE && keys_load(ctl->db, ctl->vault, &over->fit, &why) != DB_OK)
        code = ctl_database_failed(ctl, "reading the index key");
    else if (code == EXIT_DONE && over->fit == KEYS_LOADED)
        code = ctl_fail(EXIT_FAILED, "nothing is lost: the keyring opens this database; keys new, "
                                     "promote and rewrap change keys");
    else if (code == EXIT_DONE && over->fit == KEYS_ABSENT)
        code = ctl_fail(EXIT_FAILED, "%s", why.data);
    else if (code == EXIT_DONE)
        page_text(over->page, "trouble", "trouble", why.data);
    buf_free(&why);
    return code;
}

enum exit_code keys_start_over_run(struct ctl *ctl)
{
    struct start_over over = {.ctl = ctl, .fit = KEYS_ABSENT, .page = page_new()};
    bool agreed = options_flag(ctl->options, "--lose-sealed");
    enum exit_code code = fit_read(&over);

    over.lost =
        page_table(over.page, "lost", "What no key of the keyring opens", "nothing", lost_columns);
    if (code == EXIT_DONE)
        code = lost_count(&over);
    if (code == EXIT_DONE && agreed)
        code = start_over(&over);
    if (code == EXIT_DONE) {
        page_bool(over.page, "done", NULL, agreed);
        page_int(over.page, "orders_bound", agreed ? "orders bound to their users" : NULL,
                 (int64_t)over.bound);
        page_int(over.page, "given_up", agreed ? "values given up" : NULL,
                 (int64_t)over.dropped.unopened);
        page_print(over.page, ctl->json);
        if (!agreed)
            code = ctl_fail(EXIT_FAILED,
                            "nothing was changed. Look for the keyring's copy first; if it is lost "
                            "for good, run it with --lose-sealed --why REASON");
    }
    page_free(over.page);
    return code;
}
