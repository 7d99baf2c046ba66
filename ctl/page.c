#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cell.h"

struct item {
    const char *name, *title, *nothing;
    struct cell value;
    struct table *table; /* then `value` says nothing */
};

struct page {
    struct item *items;
    size_t count, cap;
};

struct page *page_new(void)
{
    return xcalloc(1, sizeof(struct page));
}

void page_free(struct page *page)
{
    if (page == NULL)
        return;
    for (size_t i = 0; i < page->count; i++) {
        cell_free(&page->items[i].value);
        table_free(page->items[i].table);
    }
    free(page->items);
    free(page);
}

/* The page takes the item. */
static void item_take(struct page *page, struct item item)
{
    if (page->count == page->cap) {
        page->cap = page->cap ? page->cap * 2 : 16;
        page->items = xreallocarray(page->items, page->cap, sizeof(*page->items));
    }
    page->items[page->count++] = item;
}

void page_text(struct page *page, const char *name, const char *title, const char *text_or_null)
{
    item_take(page,
              (struct item){.name = name, .title = title, .value = cell_of_text(text_or_null)});
}

void page_bytes(struct page *page, const char *name, const char *title, const char *bytes,
                size_t len)
{
    item_take(page,
              (struct item){.name = name, .title = title, .value = cell_of_bytes(bytes, len)});
}

void page_int(struct page *page, const char *name, const char *title, int64_t value)
{
    item_take(page, (struct item){.name = name, .title = title, .value = cell_of_int(value)});
}

void page_bool(struct page *page, const char *name, const char *title, bool value)
{
    item_take(page, (struct item){.name = name, .title = title, .value = cell_of_bool(value)});
}

void page_time(struct page *page, const char *name, const char *title, int64_t time_or_none)
{
    item_take(page,
              (struct item){.name = name, .title = title, .value = cell_of_time(time_or_none)});
}

struct table *page_table(struct page *page, const char *name, const char *title,
                         const char *nothing, const struct table_column *columns)
{
    struct table *table = table_new(columns);

    item_take(page,
              (struct item){.name = name, .title = title, .nothing = nothing, .table = table});
    return table;
}

/* "title    value". */
static void value_print(const struct item *item, unsigned indent, int width)
{
    struct buf line = {0};

    buf_printf(&line, "%*s%-*s  ", (int)indent, "", width, item->title);
    cell_format(&item->value, &line);
    puts(line.data);
    buf_wipe(&line);
}

/* A titled table, or the sentence that stands for an empty one. */
static void section_print(const struct item *item, unsigned indent)
{
    printf("\n%*s%s\n", (int)indent, "", item->title);
    if (table_rows(item->table) == 0)
        printf("%*s%s\n", (int)indent + 2, "", item->nothing);
    else
        table_print(item->table, indent + 2);
}

/* Whether people see the item among the values: what is not there is not told. */
static bool is_value(const struct item *item)
{
    return item->table == NULL && item->title != NULL && item->value.kind != CELL_NULL;
}

void page_lines(const struct page *page, unsigned indent)
{
    size_t width = 0;

    for (size_t i = 0; i < page->count; i++) {
        if (is_value(&page->items[i]) && strlen(page->items[i].title) > width)
            width = strlen(page->items[i].title);
    }
    for (size_t i = 0; i < page->count; i++) {
        if (is_value(&page->items[i]))
            value_print(&page->items[i], indent, (int)width);
    }
    for (size_t i = 0; i < page->count; i++) {
        if (page->items[i].table != NULL && page->items[i].title != NULL)
            section_print(&page->items[i], indent);
    }
}

void page_members(const struct page *page, struct writer *writer)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct item *item = &page->items[i];

        if (item->name == NULL)
            continue;
        if (item->table != NULL)
            table_write(item->table, writer, item->name);
        else
            cell_write(&item->value, writer, item->name);
    }
}

void page_write(const struct page *page, struct writer *writer, const char *name)
{
    writer_object(writer, name);
    page_members(page, writer);
    writer_close(writer);
}

void page_print(const struct page *page, bool json)
{
    struct writer writer = {0};

    if (!json) {
        page_lines(page, 0);
        return;
    }
    page_write(page, &writer, NULL);
    writer_print(&writer);
}
