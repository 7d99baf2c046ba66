/*
 * One value of an answer, of any kind, as people read it and as JSON.
 */
#ifndef CTL_CELL_H
#define CTL_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "writer.h"

enum cell_kind { CELL_NULL, CELL_TEXT, CELL_INT, CELL_BOOL, CELL_TIME };

struct cell {
    enum cell_kind kind;
    int64_t number;
    struct buf text; /* CELL_TEXT; may hold an address */
};

struct cell cell_of_bytes(const char *bytes_or_null, size_t len);
struct cell cell_of_text(const char *text_or_null);
struct cell cell_of_int(int64_t value);
struct cell cell_of_bool(bool value);
struct cell cell_of_time(int64_t time_or_none);
void cell_free(struct cell *cell); /* wipes */

/* Appends what people read: "-" for nothing, whole seconds, controls escaped. */
void cell_format(const struct cell *cell, struct buf *out);
void cell_write(const struct cell *cell, struct writer *writer, const char *name);

/* Appends text that a stranger may have written: controls as \xNN, so that no terminal obeys them.
 */
void text_escape(const char *text, size_t len, struct buf *out);

#endif
