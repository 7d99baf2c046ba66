/*
 *     file   = header *record                     RFC 4180, and a lone LF ends a line too
 *     record = field *( "," field ) ( CRLF / LF / end )
 *     field  = *( any but '"' "," CR LF ) / '"' *( any but '"' / '""' ) '"'
 *
 * An empty line is no record. The first line names the columns, in any order, each once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "import_read.h"

enum state {
    FIELD_BEGINS,
    FIELD_PLAIN,
    FIELD_QUOTED,
    QUOTE_IN_QUOTED, /* its end, or the first of two that mean one */
    CR_SEEN,
};

enum step { STEP_ON, STEP_RECORD, STEP_FAULT };

static void field_begin(struct import_file *file)
{
    if (file->start_count == file->start_cap) {
        file->start_cap = file->start_cap == 0 ? 16 : file->start_cap * 2;
        file->starts = xreallocarray(file->starts, file->start_cap, sizeof(*file->starts));
    }
    file->starts[file->start_count++] = file->record.len;
}

/* A comma or the end of a line, where one may stand; what else may follow is the state's. */
static enum step border(struct import_file *file, enum state *state, int c)
{
    if (c == '\r') {
        *state = CR_SEEN;
        return STEP_ON;
    }
    buf_putc(&file->record, '\0');
    if (c != ',')
        return STEP_RECORD;
    field_begin(file);
    *state = FIELD_BEGINS;
    return STEP_ON;
}

static bool is_border(int c)
{
    return c == ',' || c == '\n' || c == '\r' || c == EOF;
}

/* One byte further; `*what` says why the record is none. */
static enum step advance(struct import_file *file, enum state *state, int c, const char **what)
{
    switch (*state) {
    case FIELD_BEGINS:
        if (c == '"') {
            *state = FIELD_QUOTED;
            return STEP_ON;
        }
        *state = FIELD_PLAIN;
        /* fall through */
    case FIELD_PLAIN:
        if (is_border(c))
            return border(file, state, c);
        *what = "a quote inside a field, expected the whole field in quotes, and that quote twice";
        if (c == '"')
            return STEP_FAULT;
        break;
    case FIELD_QUOTED:
        *what = "the file ends inside a quoted field, expected its closing quote";
        if (c == EOF)
            return STEP_FAULT;
        if (c == '"') {
            *state = QUOTE_IN_QUOTED;
            return STEP_ON;
        }
        break;
    case QUOTE_IN_QUOTED:
        if (is_border(c))
            return border(file, state, c);
        *what = "text behind a closing quote, expected a comma";
        if (c != '"')
            return STEP_FAULT;
        *state = FIELD_QUOTED;
        break;
    case CR_SEEN:
        *what = "a carriage return alone, expected a line feed behind it";
        if (c != '\n' && c != EOF)
            return STEP_FAULT;
        return border(file, state, '\n');
    }
    buf_putc(&file->record, (char)(unsigned char)c);
    return STEP_ON;
}

/* What a stream of bytes cannot be, whatever stands around it. */
static const char *byte_fault(const struct import_file *file, int c)
{
    if (c == '\0')
        return "a NUL byte, expected text";
    return file->record.len >= LIMIT_IMPORT_RECORD ? "a row of more than 2 MiB" : NULL;
}

/*
 * One record, its fields ended by NULs. Behind a fault nothing in the file can be told for sure,
 * for a quote that is missing turns all others around: it is broken.
 */
static enum import_read record_read(struct import_file *file, uint64_t *began)
{
    enum state state = FIELD_BEGINS;
    enum step step = STEP_ON;
    const char *what = NULL;
    int c = getc_unlocked(file->stream);

    if (c == EOF)
        return IMPORT_END;
    *began = file->line;
    buf_reset(&file->record);
    file->start_count = 0;
    field_begin(file);
    for (;; c = getc_unlocked(file->stream)) {
        const char *fault = byte_fault(file, c);

        step = advance(file, &state, c, &what);
        if (step == STEP_ON && fault != NULL) {
            what = fault;
            step = STEP_FAULT;
        }
        if (c == '\n')
            file->line++;
        if (step != STEP_ON)
            break;
    }
    if (step == STEP_RECORD)
        return IMPORT_ROW;
    import_note(file, *began, NULL, what);
    return IMPORT_BROKEN;
}

/* Whether a word may be shown: what looks like no column's name may be somebody's address. */
static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= 40 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ") == len;
}

/* The names that a header may have, for the complaint. */
static char *names_of(const struct import_file *file)
{
    struct buf names = {0};

    for (size_t i = 0; i < file->column_count; i++)
        buf_printf(&names, "%s%s", i == 0 ? "" : ", ", file->columns[i].name);
    return buf_take(&names);
}

/* One name of the header: its place, or -1 with the fault noted. */
static int header_take(struct import_file *file, size_t at, bool *seen)
{
    const char *name = file->record.data + file->starts[at];
    size_t place = import_place(file, name);
    char *shown = is_name(name) ? xasprintf("\"%s\"", name) : xasprintf("column %zu", at + 1);
    char *names = names_of(file);
    char *what = NULL;

    if (place == file->column_count)
        what = xasprintf("%s is not known, expected %s, with commas between them", shown, names);
    else if (seen[place])
        what = xasprintf("%s stands twice, expected each column once", shown);
    else
        seen[place] = true;
    if (what != NULL)
        import_note(file, 1, NULL, what);
    file->places[at] = place;
    free(shown);
    free(names);
    free(what);
    return place == file->column_count ? -1 : 0;
}

int import_csv_begin(struct import_file *file)
{
    bool seen[IMPORT_COLUMNS_MOST] = {false};
    uint64_t line, faults = file->fault_count;
    int result = 0;

    if (record_read(file, &line) != IMPORT_ROW || !import_record_is_text(file, line))
        return -1;
    file->place_count = file->start_count;
    file->places = xreallocarray(file->places, file->place_count, sizeof(*file->places));
    for (size_t i = 0; i < file->start_count && result == 0; i++)
        result = header_take(file, i, seen);
    for (size_t i = 0; i < file->column_count && result == 0; i++) {
        if (file->columns[i].needed && !seen[i])
            import_note(file, 1, file->columns[i].name, "expected this column in the header");
    }
    return result == 0 && file->fault_count == faults ? 0 : -1;
}

enum import_read import_csv_next(struct import_file *file, struct import_row *row)
{
    enum import_read read;
    char what[96];

    do
        read = record_read(file, &row->line);
    while (read == IMPORT_ROW && file->start_count == 1 && file->record.len == 1);
    if (read != IMPORT_ROW)
        return read;
    if (!import_record_is_text(file, row->line))
        return IMPORT_BAD;
    if (file->start_count != file->place_count) {
        snprintf(what, sizeof(what), "%zu fields, expected the header's %zu", file->start_count,
                 file->place_count);
        import_note(file, row->line, NULL, what);
        return IMPORT_BAD;
    }
    for (size_t i = 0; i < file->start_count; i++) {
        const char *field = file->record.data + file->starts[i];

        row->fields[file->places[i]] = *field == '\0' ? NULL : field;
    }
    return IMPORT_ROW;
}
