/*
 * keys rewrap: everything that is sealed, sealed anew under the first key, beside whatever runs.
 * Cut off, it is just run again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "keys.h"
#include "page.h"
#include "store/key_holders.h"
#include "store/reseal.h"
#include "verbs.h"

static const struct table_column key_columns[] = {{"kid", "key"},
                                                  {"removable", "may be removed"},
                                                  {"remove_after", "once it is later than"},
                                                  {"why", "because"},
                                                  {NULL, NULL}};

struct rewrap {
    struct ctl *ctl;
    struct progress progress;
    struct resealed all; /* of every pass; `seen` and `unopened` of the last one */
    int64_t pass_began;  /* the last one's, by the database's clock */
    struct noted_key *noted;
    size_t noted_count;
    struct table *keys;
};

static enum db_result kind_reseal(struct rewrap *rewrap, enum sealed_kind kind,
                                  struct resealed *pass)
{
    struct sealed_walk *walk = sealed_walk_new(kind);
    enum db_result result = DB_OK;
    bool more = true;

    while (more && result == DB_OK) {
        result = sealed_walk_reseal(rewrap->ctl->db, rewrap->ctl->vault, walk, pass, &more);
        progress_tick(&rewrap->progress, pass->seen);
        if (result == DB_OK && ctl_keep_keys(rewrap->ctl) != EXIT_DONE)
            result = DB_GONE;
    }
    sealed_walk_free(walk);
    return result;
}

/* Passes until one finds nothing to do: what came meanwhile under an old key is met by the next. */
static enum exit_code passes(struct rewrap *rewrap, bool *settled)
{
    *settled = false;
    for (int i = 0; i < LIMIT_KEYS_PASSES && !*settled; i++) {
        struct resealed pass = {0};
        enum db_result result = keys_time(rewrap->ctl->db, &rewrap->pass_began);

        for (int kind = 0; kind < SEALED_KINDS && result == DB_OK; kind++)
            result = kind_reseal(rewrap, (enum sealed_kind)kind, &pass);
        progress_end(&rewrap->progress);
        if (result != DB_OK)
            return ctl_database_failed(rewrap->ctl, "sealing anew");
        rewrap->all.seen = pass.seen;
        rewrap->all.unopened = pass.unopened;
        rewrap->all.sealed += pass.sealed;
        *settled = pass.sealed == 0;
    }
    return EXIT_DONE;
}

static void noted_keep(const struct noted_key *key, void *arg)
{
    struct rewrap *rewrap = arg;

    rewrap->noted = xreallocarray(rewrap->noted, rewrap->noted_count + 1, sizeof(*rewrap->noted));
    rewrap->noted[rewrap->noted_count++] = *key;
}

/* One line of the answer. A reference that the key signed may still come in an order. */
static void key_tell(struct rewrap *rewrap, const struct noted_key *key, bool removable,
                     const char *why)
{
    table_text(rewrap->keys, key->kid);
    table_bool(rewrap->keys, removable);
    table_time(rewrap->keys,
               removable ? key->sealed_until + LIMIT_REFERENCE_S * TIME_SECOND : TIME_NONE);
    table_text(rewrap->keys, why);
}

/* Notes of each older key that nothing needs it any more, if that is so. */
static enum exit_code keys_release(struct rewrap *rewrap, bool settled)
{
    struct ctl *ctl = rewrap->ctl;

    if (keys_noted(ctl->db, noted_keep, rewrap) != DB_OK)
        return ctl_database_failed(ctl, "reading the keys");
    for (size_t i = 0; i < rewrap->noted_count; i++) {
        const struct noted_key *key = &rewrap->noted[i];
        bool done = key->resealed_at != TIME_NONE;

        if (strcmp(key->kid, vault_active_kid(ctl->vault)) == 0)
            continue;
        if (!settled || rewrap->all.unopened > 0) {
            key_tell(rewrap, key, false,
                     settled ? "values did not open: see below" : "values still came under it");
            continue;
        }
        if (!done && keys_note_resealed(ctl->db, key->kid, rewrap->pass_began, &done) != DB_OK)
            return ctl_database_failed(ctl, "noting what is resealed");
        key_tell(rewrap, key, done,
                 done ? "nothing is sealed with it"
                      : "a program that is alive seals with it: reload it, then rewrap again");
    }
    return EXIT_DONE;
}

static enum exit_code rewrap_tell(const struct rewrap *rewrap, const struct page *page)
{
    page_print(page, rewrap->ctl->json);
    if (rewrap->all.unopened == 0)
        return EXIT_DONE;
    return ctl_fail(EXIT_FAILED,
                    "%llu values do not open with the keys of their names and were left as they "
                    "are: see purchasectl keys",
                    (unsigned long long)rewrap->all.unopened);
}

enum exit_code keys_rewrap_run(struct ctl *ctl)
{
    struct page *page = page_new();
    struct rewrap rewrap = {.ctl = ctl, .progress = {.what = "sealed values seen"}};
    bool settled = false;
    enum exit_code code = keys_held_check(ctl, vault_key_name(ctl->vault, 0));

    if (code == EXIT_DONE && options_flag(ctl->options, "--force") &&
        keys_note_sealing(ctl->db, ctl->vault) != DB_OK)
        code = ctl_database_failed(ctl, "noting the key");
    if (code == EXIT_DONE)
        code = ctl_hold_keys(ctl);
    if (code == EXIT_DONE)
        code = passes(&rewrap, &settled);
    if (code == EXIT_DONE) {
        page_text(page, "kid", "sealed with", vault_active_kid(ctl->vault));
        page_int(page, "seen", "values", (int64_t)rewrap.all.seen);
        page_int(page, "resealed", "sealed anew", (int64_t)rewrap.all.sealed);
        page_int(page, "unopened", NULL, (int64_t)rewrap.all.unopened);
        rewrap.keys = page_table(page, "older", "Older keys", "none", key_columns);
        code = keys_release(&rewrap, settled);
    }
    if (code == EXIT_DONE)
        code = rewrap_tell(&rewrap, page);
    free(rewrap.noted);
    page_free(page);
    return code;
}
