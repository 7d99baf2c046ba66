/*
 * import links, grants: whose an address is, and what was given by hand, from another system.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "import.h"
#include "import_scratch.h"
#include "queries.h"
#include "store/listed_grants.h"
#include "store/people.h"

#define WHY_MOST 255 /* the column's width */

/* --- links --------------------------------------------------------------------------------- */

enum { LINK_COLUMN_USER, LINK_COLUMN_EMAIL, LINK_COLUMN_WHY };

static const struct import_column link_columns[] = {
    {"user", true}, {"email", true}, {"why", true}, {NULL, false}};

static const struct table_column contested_columns[] = {
    {"line", "line"}, {"user", "Miro user"}, {"holder", "held by"}, {NULL, NULL}};

struct contested {
    uint64_t line;
    char user[LIMIT_MIRO_ID + 1], holder[LIMIT_MIRO_ID + 1];
};

struct links {
    uint64_t made, held, contested;
    struct contested *listed; /* the first of them */
    size_t listed_count;
};

static void *links_begin(struct import *import)
{
    (void)import;
    return xcalloc(1, sizeof(struct links));
}

static void links_end(void *arg)
{
    struct links *work = arg;

    free(work->listed);
    free(work);
}

static void contested_list(struct links *work, uint64_t line, const char *user, const char *holder)
{
    struct contested *contested;

    work->contested++;
    if (work->listed_count == LIMIT_IMPORT_LISTED)
        return;
    work->listed = xreallocarray(work->listed, work->listed_count + 1, sizeof(*work->listed));
    contested = &work->listed[work->listed_count++];
    contested->line = line;
    snprintf(contested->user, sizeof(contested->user), "%s", user);
    snprintf(contested->holder, sizeof(contested->holder), "%s", holder);
}

/* Who holds the address, "" if nobody does, and whether the user's contest for it is noted. */
static enum exit_code standing_find(struct ctl *ctl, const unsigned char index[DIGEST_LEN],
                                    const char *user, char holder[LIMIT_MIRO_ID + 1],
                                    bool *contests)
{
    struct db_rows *rows;
    size_t len;

    holder[0] = '\0';
    *contests = false;
    if (query_link(ctl->db, index, &rows) != DB_OK)
        return ctl_database_failed(ctl, "looking for who holds an address");
    if (db_rows_next(rows))
        snprintf(holder, LIMIT_MIRO_ID + 1, "%s", db_bytes(rows, 0, &len));
    db_rows_free(rows);
    if (holder[0] == '\0' || strcmp(holder, user) == 0)
        return EXIT_DONE;
    if (query_contenders(ctl->db, index, &rows) != DB_OK)
        return ctl_database_failed(ctl, "looking for who else says an address is theirs");
    while (db_rows_next(rows))
        *contests |= strcmp(db_bytes(rows, 0, &len), user) == 0;
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Makes the link, unless it stands or its contest is noted: then there is nothing to write. */
static enum exit_code link_use(struct import *import, struct links *work, struct people_link *link,
                               uint64_t line)
{
    struct ctl *ctl = import->ctl;
    unsigned char index[DIGEST_LEN];
    char holder[LIMIT_MIRO_ID + 1];
    bool contests;
    enum exit_code code;

    vault_index(ctl->vault, link->address, index);
    code = standing_find(ctl, index, link->user, holder, &contests);
    if (code != EXIT_DONE)
        return code;
    link->outcome = strcmp(holder, link->user) == 0 ? LINK_HELD
                    : holder[0] != '\0'             ? LINK_CONTESTED
                                                    : LINK_MADE;
    if (import->dry_run && link->outcome == LINK_MADE) {
        if (import_scratch_link(ctl->db, index, link->user, holder) != DB_OK)
            return ctl_database_failed(ctl, "noting the links of the file");
        if (strcmp(holder, link->user) != 0)
            link->outcome = LINK_CONTESTED;
    } else if (!import->dry_run && link->outcome != LINK_HELD && !contests) {
        if (people_link(ctl->db, ctl->vault, link) != DB_OK)
            return ctl_database_failed(ctl, "linking");
    }
    work->made += link->outcome == LINK_MADE;
    work->held += link->outcome == LINK_HELD;
    if (link->outcome == LINK_CONTESTED)
        contested_list(work, line, link->user, holder);
    return EXIT_DONE;
}

/* A reason that is kept in the records. */
static int why_read(struct import *import, const struct import_row *row, size_t column,
                    const char **out)
{
    if (import_text(import, row, column, WHY_MOST, out))
        return -1;
    if (*out != NULL)
        return 0;
    import_fault(import->file, row, column, "a reason: it is kept in the records");
    return -1;
}

static enum exit_code links_take(struct import *import, void *arg, const struct import_row *row)
{
    const char *user, *why;
    char *address;
    int bad = import_user(import, row, LINK_COLUMN_USER, &user) |
              import_address(import, row, LINK_COLUMN_EMAIL, &address) |
              why_read(import, row, LINK_COLUMN_WHY, &why);
    enum exit_code code = EXIT_DONE;

    if (!bad && address == NULL)
        import_fault(import->file, row, LINK_COLUMN_EMAIL, "an e-mail address");
    if (!bad && address != NULL && !import->checking) {
        struct people_link link = {.address = address,
                                   .user = user,
                                   .origin = LINK_IMPORT,
                                   .by = import->by,
                                   .why = why,
                                   .now = import->ctl->now};

        code = link_use(import, arg, &link, row->line);
    }
    if (address != NULL)
        explicit_bzero(address, strlen(address));
    free(address);
    return code;
}

static enum exit_code nothing_left(struct import *import, void *arg)
{
    (void)import;
    (void)arg;
    return EXIT_DONE;
}

static void links_report(struct import *import, const void *arg, struct page *page)
{
    const struct links *work = arg;
    struct table *table;

    page_int(page, "linked", import->dry_run ? "would be linked" : "linked", (int64_t)work->made);
    page_int(page, "held", "linked already", (int64_t)work->held);
    page_int(page, "contested", "contested", (int64_t)work->contested);
    table = page_table(page, "contests",
                       work->contested > work->listed_count ? "Contested, the first of them"
                                                            : "Contested",
                       NULL, contested_columns);
    for (size_t i = 0; i < work->listed_count; i++) {
        const struct contested *contested = &work->listed[i];

        table_int(table, (int64_t)contested->line);
        table_text(table, contested->user);
        table_text(table, contested->holder[0] == '\0' ? NULL : contested->holder);
    }
}

const struct import_kind import_links = {
    .what = "links",
    .columns = link_columns,
    .begin = links_begin,
    .take = links_take,
    .finish = nothing_left,
    .report = links_report,
    .end = links_end,
};

/* --- grants -------------------------------------------------------------------------------- */

enum { GRANT_COLUMN_USER, GRANT_COLUMN_KEY, GRANT_COLUMN_UNTIL, GRANT_COLUMN_WHY };

static const struct import_column grant_columns[] = {
    {"user", true}, {"key", true}, {"until", false}, {"why", true}, {NULL, false}};

struct grants {
    struct listed_grant batch[LIMIT_IMPORT_BATCH];
    struct {
        char *user, *key, *why;
    } texts[LIMIT_IMPORT_BATCH]; /* what the batch points at */
    size_t count;
    uint64_t made, known, over;
};

static void *grants_begin(struct import *import)
{
    (void)import;
    return xcalloc(1, sizeof(struct grants));
}

static void grants_forget(struct grants *work)
{
    for (size_t i = 0; i < work->count; i++) {
        free(work->texts[i].user);
        free(work->texts[i].key);
        free(work->texts[i].why);
    }
    work->count = 0;
}

static void grants_end(void *arg)
{
    grants_forget(arg);
    free(arg);
}

/* What a dry run says of one. */
static enum exit_code grant_preview(struct import *import, struct listed_grant *grant)
{
    unsigned char id[LISTED_GRANT_ID];
    bool known = false;

    listed_grant_id(grant, id);
    if (import_scratch_grant(import->ctl->db, id, &known) != DB_OK)
        return ctl_database_failed(import->ctl, "looking for a grant");
    grant->made = !known;
    return EXIT_DONE;
}

/* Gives the batch, or looks what of it is news. */
static enum exit_code grants_use(struct import *import, void *arg)
{
    struct grants *work = arg;
    enum exit_code code = EXIT_DONE;

    for (size_t i = 0; import->dry_run && i < work->count && code == EXIT_DONE; i++)
        code = grant_preview(import, &work->batch[i]);
    if (!import->dry_run && listed_grants_make(import->ctl->db, work->batch, work->count) != DB_OK)
        code = ctl_database_failed(import->ctl, "granting");
    for (size_t i = 0; i < work->count && code == EXIT_DONE; i++) {
        const struct listed_grant *grant = &work->batch[i];

        work->made += grant->made;
        work->known += !grant->made;
        work->over += grant->made && grant->ends_at != TIME_NONE && grant->ends_at <= grant->now;
    }
    grants_forget(work);
    return code;
}

/* A key of the catalogue in force. */
static int key_read(struct import *import, const struct import_row *row, const char **out)
{
    *out = row->fields[GRANT_COLUMN_KEY];
    if (*out != NULL && catalogue_has_key(import->catalogue, *out))
        return 0;
    import_fault(import->file, row, GRANT_COLUMN_KEY, "a key of the catalogue in force");
    return -1;
}

static enum exit_code grants_take(struct import *import, void *arg, const struct import_row *row)
{
    struct grants *work = arg;
    const char *user, *key, *why;
    int64_t until;
    int bad = import_user(import, row, GRANT_COLUMN_USER, &user) | key_read(import, row, &key) |
              import_time(import, row, GRANT_COLUMN_UNTIL, &until) |
              why_read(import, row, GRANT_COLUMN_WHY, &why);

    if (bad || import->checking)
        return EXIT_DONE;
    work->texts[work->count].user = xstrdup(user);
    work->texts[work->count].key = xstrdup(key);
    work->texts[work->count].why = xstrdup(why);
    work->batch[work->count] = (struct listed_grant){.user = work->texts[work->count].user,
                                                     .key = work->texts[work->count].key,
                                                     .by = import->by,
                                                     .why = work->texts[work->count].why,
                                                     .ends_at = until,
                                                     .now = import->ctl->now};
    work->count++;
    return work->count == LIMIT_IMPORT_BATCH ? grants_use(import, work) : EXIT_DONE;
}

static void grants_report(struct import *import, const void *arg, struct page *page)
{
    const struct grants *work = arg;

    page_int(page, "granted", import->dry_run ? "would be granted" : "granted",
             (int64_t)work->made);
    page_int(page, "known", "given before", (int64_t)work->known);
    page_int(page, "over", "of the new ones over already", (int64_t)work->over);
}

const struct import_kind import_grants = {
    .what = "grants",
    .columns = grant_columns,
    .begin = grants_begin,
    .take = grants_take,
    .finish = grants_use,
    .report = grants_report,
    .end = grants_end,
};
