/*
 * JSON for programs: every verb's --json answer is written through here. Text from strangers that
 * is no UTF-8 becomes U+FFFD, so that the answer can always be read.
 */
#ifndef CTL_WRITER_H
#define CTL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Zero-initialised is ready. */
struct writer {
    struct buf out;
    bool follows; /* a value stands before the next one: a comma is due */
    char closers[16];
    size_t depth;
};

/* `name` is NULL in an array and at the top. */
void writer_object(struct writer *writer, const char *name);
void writer_array(struct writer *writer, const char *name);
void writer_close(struct writer *writer);

void writer_text(struct writer *writer, const char *name, const char *text_or_null);
void writer_bytes(struct writer *writer, const char *name, const char *bytes, size_t len);
void writer_int(struct writer *writer, const char *name, int64_t value);
void writer_bool(struct writer *writer, const char *name, bool value);
/* RFC 3339, or null for TIME_NONE. */
void writer_time(struct writer *writer, const char *name, int64_t time_or_none);

/* JSON text that was checked before, as it is. */
void writer_raw(struct writer *writer, const char *name, const char *json, size_t len);

/* Prints what was written, ended by a line feed, to standard output, and wipes it. */
void writer_print(struct writer *writer);

#endif
