/*
 * A file that is imported: rows of CSV under a header (RFC 4180), or lines of JSON, told apart by
 * their first byte. It is read as a stream, twice: once to check all of it, once to use it. Input
 * that cannot be read twice is kept meanwhile in a file that has no name.
 *
 * Complaints name the file, the line, the column and what was expected, and never what stands
 * there: it may be an address.
 */
#ifndef CTL_IMPORT_FILE_H
#define CTL_IMPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl.h"
#include "table.h"

struct import_column {
    const char *name; /* NULL ends the list */
    bool needed;      /* the header names it */
};

#define IMPORT_COLUMNS_MOST 16

struct import_row {
    uint64_t line; /* on which it begins */
    /* By the list of columns; NULL: not told, or empty. Valid until the next row. */
    const char *fields[IMPORT_COLUMNS_MOST];
    size_t object; /* in JSON: how many objects the file has told, this one included */
    long element;  /* in JSON: which of the object's `lines` the row is; -1: none */
};

struct import_file;

/* `path` may be "-". With `order_lines` an object of JSON is an order, and each of its lines a row.
 * NULL after having said why not. */
struct import_file *import_file_open(const char *path, const struct import_column *columns,
                                     bool order_lines) __attribute__((warn_unused_result));
void import_file_free(struct import_file *file); /* wipes */
/* To the first row again; -1 after having said why not. */
int import_file_rewind(struct import_file *file) __attribute__((warn_unused_result));
bool import_file_is_json(const struct import_file *file);

enum import_read {
    IMPORT_ROW,
    IMPORT_BAD, /* a line that holds no row, which was noted; the next one may */
    IMPORT_END,
    IMPORT_BROKEN, /* it cannot be read on, which was said */
};
enum import_read import_file_next(struct import_file *file, struct import_row *row)
    __attribute__((warn_unused_result));

/* Notes that a row's field is not what is expected: "NAME:LINE: COLUMN: expected ..." on stderr.
 */
void import_fault(struct import_file *file, const struct import_row *row, size_t column,
                  const char *expected);
/* The same of a line as a whole. */
void import_fault_line(struct import_file *file, uint64_t line, const char *what);
uint64_t import_file_faults(const struct import_file *file);
/* The first of the faults, for programs: line, column, what. */
extern const struct table_column import_fault_columns[];
void import_file_tell_faults(const struct import_file *file, struct table *table);

#endif
