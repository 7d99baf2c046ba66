/*
 * Rows under columns: aligned for people, an array of objects for programs. The same cells feed
 * both, so the two never differ in what they tell.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"
#include "writer.h"

struct table;

struct table_column {
    const char *name;  /* in JSON */
    const char *title; /* for people; NULL: for programs only */
};

/* The columns are borrowed, and end with a NULL name. */
struct table *table_new(const struct table_column *columns);
void table_free(struct table *table); /* wipes: cells may hold addresses */

/* Each fills the next cell; a row ends when its last column is filled. */
void table_text(struct table *table, const char *text_or_null);
void table_bytes(struct table *table, const char *bytes_or_null, size_t len);
void table_int(struct table *table, int64_t value);
void table_bool(struct table *table, bool value);
void table_time(struct table *table, int64_t time_or_none);
/* The text of a column of the current row; NULL and empty texts are no value. */
void table_from(struct table *table, const struct db_rows *rows, unsigned column);

size_t table_rows(const struct table *table);
/* Aligned lines with a header, each after `indent` blanks. */
void table_print(const struct table *table, unsigned indent);
void table_write(const struct table *table, struct writer *writer, const char *name);
/* The whole answer of a verb: the array, or the lines, or `nothing` if there is no row. */
void table_answer(const struct table *table, bool json, const char *nothing);

#endif
