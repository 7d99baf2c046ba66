#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "import_scratch.h"
#include "payers.h"
#include "person.h"
#include "verbs.h"

int import_text(struct import *import, const struct import_row *row, size_t column, size_t most,
                const char **out)
{
    const char *text = row->fields[column];
    char expected[64];

    *out = text;
    for (size_t i = 0; text != NULL && text[i] != '\0'; i++) {
        if (i >= most || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text = NULL;
        if (text == NULL)
            break;
    }
    if (text != NULL || *out == NULL)
        return 0;
    snprintf(expected, sizeof(expected), "at most %zu bytes of printable text", most);
    import_fault(import->file, row, column, expected);
    return -1;
}

int import_time(struct import *import, const struct import_row *row, size_t column, int64_t *out)
{
    const char *text = row->fields[column];
    char *day;
    int result;

    *out = TIME_NONE;
    if (text == NULL)
        return 0;
    day = xasprintf("%.30sT00:00:00Z", text);
    result = clock_parse(text, strlen(text), out) != 0 && clock_parse(day, strlen(day), out) != 0;
    free(day);
    if (result == 0)
        return 0;
    import_fault(import->file, row, column, "2026-11-23T10:00:00Z, or 2026-11-23");
    return -1;
}

int import_user(struct import *import, const struct import_row *row, size_t column,
                const char **out)
{
    *out = row->fields[column];
    if (*out != NULL && person_is_id(*out))
        return 0;
    import_fault(import->file, row, column, "a Miro user's id, which is digits");
    return -1;
}

int import_address(struct import *import, const struct import_row *row, size_t column, char **out)
{
    const char *text = row->fields[column];

    *out = NULL;
    if (text == NULL || text_normalise_address(text, strlen(text), out) == 0)
        return 0;
    import_fault(import->file, row, column, "an e-mail address");
    return -1;
}

/* --- the walks ----------------------------------------------------------------------------- */

/* One walk over the file, from its first row. A bad line ends nothing while it is checked. */
static enum exit_code walk(struct import *import, const struct import_kind *kind, void *work)
{
    struct progress progress = {.what = kind->what};
    enum exit_code code = EXIT_DONE;
    enum import_read read = IMPORT_ROW;
    struct import_row row;

    import->rows = 0;
    while (code == EXIT_DONE && (read == IMPORT_ROW || read == IMPORT_BAD)) {
        read = import_file_next(import->file, &row);
        if (read == IMPORT_ROW)
            code = kind->take(import, work, &row);
        import->rows += read == IMPORT_ROW;
        progress_tick(&progress, import->rows);
        if (code == EXIT_DONE && !import->checking)
            code = ctl_keep_keys(import->ctl);
    }
    if (code == EXIT_DONE && read == IMPORT_END)
        code = kind->finish(import, work);
    progress_end(&progress);
    return read == IMPORT_BROKEN ? EXIT_FAILED : code;
}

/* The file as a whole, before anything of it is used. */
static enum exit_code check(struct import *import, const struct import_kind *kind)
{
    void *work = kind->begin(import);
    enum exit_code code;
    uint64_t faults;

    import->checking = true;
    code = walk(import, kind, work);
    import->checking = false;
    kind->end(work);
    faults = import_file_faults(import->file);
    if (faults > 0)
        return ctl_fail(EXIT_FAILED, "%llu bad line%s: nothing was imported",
                        (unsigned long long)faults, faults == 1 ? "" : "s");
    if (code == EXIT_DONE && import->rows == 0)
        return ctl_fail(EXIT_FAILED, "there is nothing to import: the file holds no row");
    return code;
}

/* The file once more, and what came of it. */
static enum exit_code use(struct import *import, const struct import_kind *kind, struct page *page)
{
    void *work;
    enum exit_code code = EXIT_DONE;

    if (import_file_rewind(import->file) != 0)
        return EXIT_FAILED;
    if (!import->dry_run)
        code = ctl_hold_keys(import->ctl);
    if (code != EXIT_DONE)
        return code;
    work = kind->begin(import);
    code = walk(import, kind, work);
    if (code == EXIT_DONE && import_file_faults(import->file) > 0)
        code = EXIT_FAILED;
    if (code == EXIT_DONE) {
        page_bool(page, "dry_run", NULL, import->dry_run);
        page_int(page, "rows", "rows of the file", (int64_t)import->rows);
        kind->report(import, work, page);
        code = payers_tell(import->ctl, page);
    } else {
        ctl_fail(code, "not all of it was imported; what was stays, and is no news when the file "
                       "is imported again");
    }
    kind->end(work);
    return code;
}

/* A file that is refused, for programs: nothing but its faults. */
static void refusal_tell(const struct import *import)
{
    struct page *page = page_new();

    page_int(page, "bad_lines", NULL, (int64_t)import_file_faults(import->file));
    import_file_tell_faults(import->file,
                            page_table(page, "faults", NULL, NULL, import_fault_columns));
    page_print(page, true);
    page_free(page);
}

static enum exit_code import_whole(struct import *import, const struct import_kind *kind)
{
    struct page *page = page_new();
    enum exit_code code = import_scratch_make(import->ctl);

    if (code == EXIT_DONE)
        code = check(import, kind);
    if (code != EXIT_DONE && import_file_faults(import->file) > 0 && import->ctl->json)
        refusal_tell(import);
    if (code == EXIT_DONE)
        code = use(import, kind, page);
    if (code == EXIT_DONE)
        page_print(page, import->ctl->json);
    page_free(page);
    return code;
}

static enum exit_code import_run(struct ctl *ctl, const struct import_kind *kind)
{
    struct import import = {
        .ctl = ctl,
        .dry_run = options_flag(ctl->options, "--dry-run"),
        .catalogue = ctl_catalogue(ctl),
        .by = ctl_operator(),
    };
    enum exit_code code = EXIT_FAILED;

    if (import.catalogue != NULL)
        import.file = import_file_open(ctl->arguments[0], kind->columns, kind->order_lines);
    if (import.file != NULL)
        code = import_whole(&import, kind);
    import_file_free(import.file);
    catalogue_free(import.catalogue);
    free(import.by);
    return code;
}

enum exit_code import_orders_run(struct ctl *ctl)
{
    return import_run(ctl, &import_orders);
}

enum exit_code import_links_run(struct ctl *ctl)
{
    return import_run(ctl, &import_links);
}

enum exit_code import_grants_run(struct ctl *ctl)
{
    return import_run(ctl, &import_grants);
}
