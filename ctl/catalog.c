/*
 * catalog apply | show | rollback: what a product unlocks, in versions. A version comes into force
 * only after it was shown who gains or loses what, and not if more lose than was allowed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalogue_read.h"
#include "judgement.h"
#include "page.h"
#include "queries.h"
#include "rule_text.h"
#include "store/catalogue_store.h"
#include "verbs.h"

#define MAX_REVOKE_DEFAULT INT64_C(5000000) /* millionths of a percent */
#define STORE_TRIES 3
#define CHANGES_FOR_PEOPLE 20
#define CHANGES_FOR_PROGRAMS 1000

static const struct table_column difference_columns[] = {
    {"change", ""}, {"kind", "kind"}, {"what", "what"}, {NULL, NULL}};

/* A text on its way into force. */
struct proposal {
    const char *name; /* the file, or "version 3" */
    struct buf text;
    struct catalogue *catalogue;
};

/* A sorted list of owned texts. */
struct texts {
    char **items;
    size_t count;
};

/* For qsort. */
static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void texts_add(struct texts *texts, struct buf *text)
{
    texts->items = xreallocarray(texts->items, texts->count + 1, sizeof(*texts->items));
    texts->items[texts->count++] = buf_take(text);
}

static void texts_free(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
}

/* A row for each text that stands on one side only; a text that stands twice counts twice. */
static void texts_compare(struct texts *old, struct texts *new, const char *kind,
                          struct table *table)
{
    size_t i = 0, k = 0;

    if (old->count > 0)
        qsort(old->items, old->count, sizeof(*old->items), compare_texts);
    if (new->count > 0)
        qsort(new->items, new->count, sizeof(*new->items), compare_texts);
    while (i < old->count || k < new->count) {
        int order = i == old->count   ? 1
                    : k == new->count ? -1
                                      : strcmp(old->items[i], new->items[k]);

        if (order == 0) {
            i++;
            k++;
            continue;
        }
        table_text(table, order < 0 ? "-" : "+");
        table_text(table, kind);
        table_text(table, order < 0 ? old->items[i++] : new->items[k++]);
    }
    texts_free(old);
    texts_free(new);
}

/* Every rule as one line. */
static struct texts rules_list(const struct catalogue *catalogue)
{
    struct texts texts = {0};

    for (size_t i = 0; i < catalogue->rule_count; i++) {
        struct buf text = {0};

        rule_text(&catalogue->rules[i], &text);
        texts_add(&texts, &text);
    }
    return texts;
}

static void entitlement_row(struct table *table, const char *change,
                            const struct catalogue_entitlement *entitlement)
{
    struct buf text = {0};

    entitlement_text(entitlement, &text);
    table_text(table, change);
    table_text(table, "entitlement");
    table_text(table, text.data);
    buf_free(&text);
}

/* Whether two names, either of which may be missing, are the same. */
static bool same_name(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Keys added, removed and renamed; both lists are sorted by key. */
static void entitlements_compare(const struct catalogue *old, const struct catalogue *new,
                                 struct table *table)
{
    size_t i = 0, k = 0;

    while (i < old->entitlement_count || k < new->entitlement_count) {
        int order = i == old->entitlement_count ? 1
                    : k == new->entitlement_count
                        ? -1
                        : strcmp(old->entitlements[i].key, new->entitlements[k].key);

        if (order < 0) {
            entitlement_row(table, "-", &old->entitlements[i++]);
        } else if (order > 0) {
            entitlement_row(table, "+", &new->entitlements[k++]);
        } else {
            if (!same_name(old->entitlements[i].name, new->entitlements[k].name))
                entitlement_row(table, "renamed", &new->entitlements[k]);
            i++;
            k++;
        }
    }
}

/* What differs between the version in force and the proposal. */
static void difference_show(const struct catalogue *old, const struct catalogue *new,
                            struct page *page)
{
    struct table *table =
        page_table(page, "difference", "Difference", "none that matters", difference_columns);
    struct texts old_rules = rules_list(old), new_rules = rules_list(new);

    entitlements_compare(old, new, table);
    texts_compare(&old_rules, &new_rules, "rule", table);
}

/* The --max-revoke in millionths of a percent, or -1 after having said what it must be. */
static int64_t max_revoke(const struct ctl *ctl)
{
    const char *text = options_value(ctl->options, "--max-revoke");
    int64_t micros;

    if (text == NULL)
        return MAX_REVOKE_DEFAULT;
    if (text_to_micros(text, strlen(text), &micros) == 0 && micros >= 0 &&
        micros <= INT64_C(100000000))
        return micros;
    ctl_fail(EXIT_USAGE, "--max-revoke %s: expected a percentage from 0 to 100", text);
    return -1;
}

/* "catalogue 4 is in force" and its like, for people. */
static void outcome_say(const struct page *page, bool json, const char *sentence)
{
    page_print(page, json);
    if (!json)
        printf("\n%s\n", sentence);
}

/* Whether the version in force has this very text already. */
static enum exit_code unchanged_check(struct ctl *ctl, uint32_t version,
                                      const struct proposal *proposal, bool *unchanged)
{
    struct buf text = {0};
    bool found = false;

    *unchanged = false;
    if (version != 0 && catalogue_text(ctl->db, version, &text, &found) != DB_OK)
        return ctl_database_failed(ctl, "reading the catalogue's text");
    *unchanged = found && text.len == proposal->text.len &&
                 /* No catalogue has an empty text.
                  * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
                 memcmp(text.data, proposal->text.data, text.len) == 0;
    buf_free(&text);
    return EXIT_DONE;
}

/* Says that there is nothing to do. */
static void unchanged_say(const struct ctl *ctl, uint32_t version, struct page *page)
{
    char *sentence = xasprintf("unchanged: catalogue %" PRIu32 " has this text already", version);

    page_bool(page, "applied", NULL, false);
    page_bool(page, "unchanged", NULL, true);
    if (ctl->json)
        page_print(page, true);
    else
        puts(sentence);
    free(sentence);
}

/* Makes the proposal the next version. DB_DUPLICATE: another operator was first. */
static enum db_result proposal_store(struct ctl *ctl, const struct proposal *proposal,
                                     uint32_t *version)
{
    char *by = ctl_operator();
    enum db_result result = catalogue_store(ctl->db, proposal->catalogue, proposal->text.data,
                                            proposal->text.len, by, ctl->now, version);

    free(by);
    return result;
}

/* After the judgement: refuse, only show, or store. *again: another operator was first. */
static enum exit_code proposal_decide(struct ctl *ctl, const struct proposal *proposal,
                                      const struct judgement *judgement, int64_t limit,
                                      struct page *page, bool *again)
{
    bool refused = judgement_exceeds(judgement, limit);
    bool dry_run = options_flag(ctl->options, "--dry-run");
    char *sentence;
    uint32_t version;
    enum db_result result;

    *again = false;
    page_bool(page, "refused", NULL, refused);
    page_bool(page, "dry_run", NULL, dry_run);
    if (dry_run || refused) {
        page_bool(page, "applied", NULL, false);
        outcome_say(page, ctl->json,
                    !refused ? "dry run: nothing was changed"
                    : dry_run
                        ? "dry run: it would be refused, for too many buyers lose a key; a greater "
                          "--max-revoke PERCENT allows it"
                        : "nothing was changed");
        if (refused && !dry_run)
            return ctl_fail(EXIT_FAILED, "refused: too many buyers would lose a key; if that is "
                                         "meant, allow it with a greater --max-revoke PERCENT");
        return EXIT_DONE;
    }
    result = proposal_store(ctl, proposal, &version);
    *again = result == DB_DUPLICATE;
    if (*again)
        return EXIT_DONE;
    if (result != DB_OK)
        return ctl_database_failed(ctl, "storing the catalogue");
    page_bool(page, "applied", NULL, true);
    page_int(page, "version", NULL, version);
    sentence = xasprintf("catalogue %" PRIu32 " is in force; the worker redoes older "
                         "contributions now",
                         version);
    outcome_say(page, ctl->json, sentence);
    free(sentence);
    return EXIT_DONE;
}

/* One try against the version that is in force now. */
static enum exit_code proposal_try(struct ctl *ctl, const struct proposal *proposal, int64_t limit,
                                   bool *again)
{
    struct catalogue *old = ctl_catalogue(ctl);
    struct judgement *judgement = NULL;
    struct page *page = page_new();
    bool unchanged = false;
    enum exit_code code = EXIT_FAILED;

    *again = false;
    if (old == NULL)
        goto end;
    page_text(page, "proposal", "proposal", proposal->name);
    page_int(page, "in_force", "catalogue in force", old->version);
    code = unchanged_check(ctl, old->version, proposal, &unchanged);
    if (code == EXIT_DONE && unchanged)
        unchanged_say(ctl, old->version, page);
    if (code != EXIT_DONE || unchanged)
        goto end;
    code = judgement_make(ctl, proposal->catalogue, &judgement);
    if (code != EXIT_DONE)
        goto end;
    difference_show(old, proposal->catalogue, page);
    judgement_show(judgement, ctl->json ? CHANGES_FOR_PROGRAMS : CHANGES_FOR_PEOPLE, page);
    code = proposal_decide(ctl, proposal, judgement, limit, page, again);
end:
    judgement_free(judgement);
    page_free(page);
    catalogue_free(old);
    return code;
}

/* Reads the text, judges it, and brings it into force; again from the start if another was first.
 */
static enum exit_code proposal_apply(struct ctl *ctl, struct proposal *proposal)
{
    struct buf errors = {0};
    int64_t limit = max_revoke(ctl);
    bool again = true;
    enum exit_code code = EXIT_DONE;

    if (limit < 0)
        return EXIT_USAGE;
    proposal->catalogue =
        catalogue_read(proposal->name, proposal->text.data == NULL ? "" : proposal->text.data,
                       proposal->text.len, ctl->settings, &errors);
    if (proposal->catalogue == NULL) {
        fputs(errors.data, stderr);
        code = EXIT_FAILED;
    }
    buf_free(&errors);
    for (int tries = 0; code == EXIT_DONE && again && tries < STORE_TRIES; tries++)
        code = proposal_try(ctl, proposal, limit, &again);
    if (code == EXIT_DONE && again)
        code = ctl_fail(EXIT_FAILED, "other operators apply catalogues at the same moment: "
                                     "look at catalog show, and try again");
    return code;
}

static void proposal_free(struct proposal *proposal)
{
    buf_free(&proposal->text);
    catalogue_free(proposal->catalogue);
}

/* The whole file, at most LIMIT_CATALOGUE_BYTES. */
static enum exit_code file_read(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    char chunk[16384];
    size_t got;
    int fault;

    if (file == NULL)
        return ctl_fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    while (out->len <= LIMIT_CATALOGUE_BYTES && (got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(out, chunk, got);
    fault = ferror(file) ? errno : 0;
    fclose(file);
    if (fault != 0)
        return ctl_fail(EXIT_FAILED, "%s: %s", path, strerror(fault));
    return EXIT_DONE;
}

enum exit_code catalog_apply_run(struct ctl *ctl)
{
    struct proposal proposal = {.name = ctl->arguments[0]};
    enum exit_code code = file_read(proposal.name, &proposal.text);

    if (code == EXIT_DONE)
        code = proposal_apply(ctl, &proposal);
    proposal_free(&proposal);
    return code;
}

/* The version that an argument names, or `fallback` without one; 0 after having said why not. */
static uint32_t version_read(const struct ctl *ctl, uint32_t fallback)
{
    int64_t version;

    if (ctl->argument_count == 0)
        return fallback;
    if (text_to_int(ctl->arguments[0], strlen(ctl->arguments[0]), &version) == 0 && version >= 1 &&
        version <= UINT32_MAX)
        return (uint32_t)version;
    ctl_fail(EXIT_USAGE, "\"%s\" is no catalogue's version", ctl->arguments[0]);
    return 0;
}

/* The text of a version that must exist. */
static enum exit_code version_text(struct ctl *ctl, uint32_t version, struct buf *text)
{
    bool found = false;

    if (catalogue_text(ctl->db, version, text, &found) != DB_OK)
        return ctl_database_failed(ctl, "reading the catalogue's text");
    if (!found)
        return ctl_fail(EXIT_FAILED, "there is no catalogue %" PRIu32, version);
    return EXIT_DONE;
}

enum exit_code catalog_rollback_run(struct ctl *ctl)
{
    struct proposal proposal = {0};
    char name[32];
    uint32_t current, version;
    enum exit_code code;

    if (catalogue_current_version(ctl->db, &current) != DB_OK)
        return ctl_database_failed(ctl, "reading the catalogue's version");
    if (ctl->argument_count == 0 && current < 2)
        return ctl_fail(EXIT_FAILED, "there is no catalogue before the one in force");
    version = version_read(ctl, current - 1);
    if (version == 0)
        return EXIT_USAGE;
    snprintf(name, sizeof(name), "version %" PRIu32, version);
    proposal.name = name;
    code = version_text(ctl, version, &proposal.text);
    if (code == EXIT_DONE)
        code = proposal_apply(ctl, &proposal);
    proposal_free(&proposal);
    return code;
}

/* The versions there are: members for programs; on stderr for people, so that stdout is the file
 * again. */
static enum exit_code versions_tell(struct ctl *ctl, uint32_t shown, struct writer *writer)
{
    struct db_rows *rows;

    if (query_catalogue_versions(ctl->db, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the catalogue's versions");
    writer_array(writer, "versions");
    while (db_rows_next(rows)) {
        uint32_t version = (uint32_t)db_int(rows, 0);
        char applied[TIME_TEXT];
        size_t len;

        clock_format(db_int(rows, 1) - db_int(rows, 1) % TIME_SECOND, applied);
        writer_object(writer, NULL);
        writer_int(writer, "version", version);
        writer_time(writer, "applied_at", db_int(rows, 1));
        writer_text(writer, "applied_by", db_bytes(rows, 2, &len));
        writer_close(writer);
        if (!ctl->json)
            fprintf(stderr, "%c catalogue %" PRIu32 ", applied %s by %s\n",
                    version == shown ? '>' : ' ', version, applied, db_bytes(rows, 2, &len));
    }
    writer_close(writer);
    db_rows_free(rows);
    return EXIT_DONE;
}

/* One version's text, as the file it came from, or within an object. */
static enum exit_code version_show(struct ctl *ctl, uint32_t version, const struct buf *text)
{
    struct writer writer = {0};
    enum exit_code code;

    writer_object(&writer, NULL);
    writer_int(&writer, "version", version);
    writer_raw(&writer, "catalogue", text->data, text->len);
    code = versions_tell(ctl, version, &writer);
    writer_close(&writer);
    if (code == EXIT_DONE && ctl->json)
        writer_print(&writer);
    else if (code == EXIT_DONE)
        fwrite(text->data, 1, text->len, stdout);
    if (code == EXIT_DONE && !ctl->json && isatty(STDOUT_FILENO))
        putchar('\n');
    buf_free(&writer.out);
    return code;
}

enum exit_code catalog_show_run(struct ctl *ctl)
{
    struct buf text = {0};
    uint32_t current, version;
    enum exit_code code;

    if (catalogue_current_version(ctl->db, &current) != DB_OK)
        return ctl_database_failed(ctl, "reading the catalogue's version");
    if (current == 0)
        return ctl_fail(EXIT_FAILED,
                        "no catalogue was applied yet: purchasectl catalog apply FILE");
    version = version_read(ctl, current);
    if (version == 0)
        return EXIT_USAGE;
    code = version_text(ctl, version, &text);
    if (code == EXIT_DONE)
        code = version_show(ctl, version, &text);
    buf_free(&text);
    return code;
}
