/*
 * One thing shown whole: named values, then tables. For people an aligned list and titled tables,
 * for programs one object.
 */
#ifndef CTL_PAGE_H
#define CTL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "table.h"

struct page;

struct page *page_new(void);
void page_free(struct page *page); /* wipes */

/* `name` is the member in JSON (NULL: for people only), `title` what people read (NULL: for
 * programs only). Both are borrowed. */
void page_text(struct page *page, const char *name, const char *title, const char *text_or_null);
void page_bytes(struct page *page, const char *name, const char *title, const char *bytes,
                size_t len);
void page_int(struct page *page, const char *name, const char *title, int64_t value);
void page_bool(struct page *page, const char *name, const char *title, bool value);
void page_time(struct page *page, const char *name, const char *title, int64_t time_or_none);
/* A table of the page, to be filled; the page owns it. `nothing` is what people read if it stays
 * empty. */
struct table *page_table(struct page *page, const char *name, const char *title,
                         const char *nothing, const struct table_column *columns);
/* Its object as a member of another, its members within another's, its lines within those of
 * another. */
void page_write(const struct page *page, struct writer *writer, const char *name);
void page_members(const struct page *page, struct writer *writer);
void page_lines(const struct page *page, unsigned indent);
void page_print(const struct page *page, bool json);

#endif
