/*
 * keys: which keys there are, what is sealed with which, and which programs hold them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "keys_count.h"
#include "page.h"
#include "store/key_holders.h"
#include "verbs.h"

static const struct table_column key_columns[] = {{"kid", "key"},
                                                  {"state", "state"},
                                                  {"values", "sealed values"},
                                                  {"needed", "needed"},
                                                  {"sealed_until", "sealed with until"},
                                                  {NULL, NULL}};
static const struct table_column kind_columns[] = {
    {"kid", "key"}, {"what", "what"}, {"values", "sealed values"}, {NULL, NULL}};
static const struct table_column holder_columns[] = {
    {"program", "program"},     {"holder", "host:process"},    {"kid", "key"},
    {"seals", "seals with it"}, {"seconds", "said so, s ago"}, {NULL, NULL}};

struct listing {
    struct ctl *ctl;
    struct key_counts counts;
    struct table *keys, *kinds, *holders;
};

/* What this host's keyring does with a key. */
static const char *state_of(const struct vault *vault, const char *kid)
{
    struct vault_key_name found;

    if (vault_find_kid(vault, kid, &found) != 0)
        return "missing";
    return strcmp(kid, vault_active_kid(vault)) == 0 ? "seals" : "opens";
}

static void noted_row(const struct noted_key *key, void *arg)
{
    struct listing *listing = arg;
    struct key_count *count = key_count_of(&listing->counts, key->kid);

    count->noted = true;
    count->needed = key->resealed_at == TIME_NONE;
    count->sealed_until = key->sealed_until;
}

static void holder_row(const struct key_holder *holder, void *arg)
{
    struct listing *listing = arg;

    table_text(listing->holders, holder->program);
    table_text(listing->holders, holder->holder);
    table_text(listing->holders, holder->kid);
    table_bool(listing->holders, holder->seals);
    table_int(listing->holders, holder->age / TIME_SECOND);
}

static void keys_fill(struct listing *listing)
{
    for (size_t i = 0; i < listing->counts.count; i++) {
        const struct key_count *key = &listing->counts.keys[i];

        table_text(listing->keys, key->kid);
        table_text(listing->keys, state_of(listing->ctl->vault, key->kid));
        table_int(listing->keys, (int64_t)key->total);
        table_bool(listing->keys, key->needed || key->total > 0);
        table_time(listing->keys, key->noted ? key->sealed_until : TIME_NONE);
        for (size_t kind = 0; kind < SEALED_KINDS; kind++) {
            if (key->values[kind] == 0)
                continue;
            table_text(listing->kinds, key->kid);
            table_text(listing->kinds, sealed_kind_name((enum sealed_kind)kind));
            table_int(listing->kinds, (int64_t)key->values[kind]);
        }
    }
}

/* Reads all that is shown. */
static enum exit_code listing_read(struct listing *listing)
{
    struct ctl *ctl = listing->ctl;

    for (size_t i = 0; i < vault_key_count(ctl->vault); i++)
        key_count_of(&listing->counts, vault_key_name(ctl->vault, i).kid);
    if (keys_noted(ctl->db, noted_row, listing) != DB_OK ||
        key_counts_read(ctl->db, &listing->counts) != DB_OK ||
        key_holders(ctl->db, holder_row, listing) != DB_OK)
        return ctl_database_failed(ctl, "looking at what is sealed");
    keys_fill(listing);
    return EXIT_DONE;
}

enum exit_code keys_run(struct ctl *ctl)
{
    struct page *page = page_new();
    struct listing listing = {
        .ctl = ctl,
        .keys = page_table(page, "keys", "Keys", "none", key_columns),
        .kinds = page_table(page, "sealed", "What is sealed with them", "nothing", kind_columns),
        .holders = page_table(page, "programs", "Programs that hold keys", "none is alive",
                              holder_columns),
    };
    enum exit_code code = ctl_schema_check(ctl);

    if (code == EXIT_DONE)
        code = listing_read(&listing);
    if (code == EXIT_DONE)
        page_print(page, ctl->json);
    key_counts_free(&listing.counts);
    page_free(page);
    return code;
}
