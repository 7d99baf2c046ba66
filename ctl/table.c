#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cell.h"

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct cell *cells; /* row after row */
    size_t count, cap;
};

struct table *table_new(const struct table_column *columns)
{
    struct table *table = xcalloc(1, sizeof(*table));

    table->columns = columns;
    while (columns[table->column_count].name != NULL)
        table->column_count++;
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        cell_free(&table->cells[i]);
    free(table->cells);
    free(table);
}

/* Takes the next cell. */
static void cell_take(struct table *table, struct cell cell)
{
    if (table->count == table->cap) {
        table->cap = table->cap ? table->cap * 2 : 64;
        table->cells = xreallocarray(table->cells, table->cap, sizeof(*table->cells));
    }
    table->cells[table->count++] = cell;
}

void table_bytes(struct table *table, const char *bytes_or_null, size_t len)
{
    cell_take(table, cell_of_bytes(bytes_or_null, len));
}

void table_text(struct table *table, const char *text_or_null)
{
    cell_take(table, cell_of_text(text_or_null));
}

void table_int(struct table *table, int64_t value)
{
    cell_take(table, cell_of_int(value));
}

void table_bool(struct table *table, bool value)
{
    cell_take(table, cell_of_bool(value));
}

void table_time(struct table *table, int64_t time_or_none)
{
    cell_take(table, cell_of_time(time_or_none));
}

void table_from(struct table *table, const struct db_rows *rows, unsigned column)
{
    size_t len;
    const char *text = db_bytes(rows, column, &len);

    table_bytes(table, text == NULL || len == 0 ? NULL : text, len);
}

size_t table_rows(const struct table *table)
{
    return table->count / table->column_count;
}

/* Columns on the screen: UTF-8 continuation bytes take none. */
static size_t text_width(const char *text, size_t len)
{
    size_t width = 0;

    for (size_t i = 0; i < len; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* The widest of a column's title and cells. */
static size_t column_width(const struct table *table, size_t column)
{
    const char *title = table->columns[column].title;
    size_t width = text_width(title, strlen(title));
    struct buf text = {0};

    for (size_t i = column; i < table->count; i += table->column_count) {
        size_t cell;

        buf_reset(&text);
        cell_format(&table->cells[i], &text);
        cell = text_width(text.data == NULL ? "" : text.data, text.len);
        if (cell > width)
            width = cell;
    }
    buf_wipe(&text);
    return width;
}

/* One aligned cell of a line; numbers stand to the right. */
static void line_append(struct buf *line, const char *text, size_t len, size_t width, bool right)
{
    size_t used = text_width(text, len);
    int blanks = width > used ? (int)(width - used) : 0;

    if (right)
        buf_printf(line, "%*s", blanks, "");
    buf_append(line, text, len);
    if (!right)
        buf_printf(line, "%*s", blanks, "");
    buf_puts(line, "  ");
}

/* Prints a line without the blanks at its end. */
static void line_print(struct buf *line)
{
    while (line->len > 0 && line->data[line->len - 1] == ' ')
        line->len--;
    fwrite(line->data, 1, line->len, stdout);
    putchar('\n');
    buf_reset(line);
}

/* The titles, and how wide each column becomes. */
static void header_print(const struct table *table, unsigned indent, size_t *widths,
                         struct buf *line)
{
    buf_printf(line, "%*s", (int)indent, "");
    for (size_t c = 0; c < table->column_count; c++) {
        const char *title = table->columns[c].title;

        if (title == NULL)
            continue;
        widths[c] = column_width(table, c);
        line_append(line, title, strlen(title), widths[c], false);
    }
    line_print(line);
}

void table_print(const struct table *table, unsigned indent)
{
    size_t *widths = xcalloc(table->column_count, sizeof(*widths));
    struct buf line = {0}, text = {0};

    header_print(table, indent, widths, &line);
    for (size_t i = 0; i < table->count; i++) {
        size_t c = i % table->column_count;

        if (c == 0)
            buf_printf(&line, "%*s", (int)indent, "");
        if (table->columns[c].title != NULL) {
            buf_reset(&text);
            cell_format(&table->cells[i], &text);
            line_append(&line, text.data == NULL ? "" : text.data, text.len, widths[c],
                        table->cells[i].kind == CELL_INT);
        }
        if (c + 1 == table->column_count)
            line_print(&line);
    }
    buf_wipe(&text);
    buf_wipe(&line);
    free(widths);
}

void table_write(const struct table *table, struct writer *writer, const char *name)
{
    writer_array(writer, name);
    for (size_t i = 0; i < table->count; i++) {
        size_t c = i % table->column_count;

        if (c == 0)
            writer_object(writer, NULL);
        cell_write(&table->cells[i], writer, table->columns[c].name);
        if (c + 1 == table->column_count)
            writer_close(writer);
    }
    writer_close(writer);
}

void table_answer(const struct table *table, bool json, const char *nothing)
{
    struct writer writer = {0};

    if (json) {
        table_write(table, &writer, NULL);
        writer_print(&writer);
    } else if (table_rows(table) == 0) {
        puts(nothing);
    } else {
        table_print(table, 0);
    }
}
