/*
 * What the two readers of an imported file share. Private to import_file.c, import_csv.c and
 * import_json.c.
 */
#ifndef CTL_IMPORT_READ_H
#define CTL_IMPORT_READ_H

#include <json-c/json.h>
#include <stdio.h>

#include "base/buf.h"
#include "import_file.h"

struct fault {
    uint64_t line;
    char *column, *what;
};

struct import_file {
    char *name; /* for people */
    FILE *stream;
    const struct import_column *columns;
    size_t column_count;
    bool order_lines, json;

    uint64_t line; /* of the next byte */
    struct buf record;

    /* CSV: for each column of the file its place in the list; where each field of the record
     * begins. */
    size_t *places, place_count;
    size_t *starts, start_count, start_cap;

    /* JSON: the object whose rows are told, and the next of its lines. */
    struct json_object *root;
    size_t objects, element;
    uint64_t object_line;

    struct fault *faults;
    uint64_t fault_count;
    uint64_t fault_line; /* the last one that was counted: a line counts once */
};

/* `column` NULL: the line as a whole. */
void import_note(struct import_file *file, uint64_t line, const char *column, const char *what);
/* Whether the record is text, which is noted if it is not. */
bool import_record_is_text(struct import_file *file, uint64_t line);
/* The place of a name in the list, or column_count. */
size_t import_place(const struct import_file *file, const char *name);

/* After the byte order mark. -1: said. */
int import_csv_begin(struct import_file *file) __attribute__((warn_unused_result));
enum import_read import_csv_next(struct import_file *file, struct import_row *row)
    __attribute__((warn_unused_result));
enum import_read import_json_next(struct import_file *file, struct import_row *row)
    __attribute__((warn_unused_result));

#endif
