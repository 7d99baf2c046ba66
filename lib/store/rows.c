#include "store/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void values_add(struct values *values, struct db_value value)
{
    if (values->count == values->cap) {
        values->cap = values->cap ? values->cap * 2 : 64;
        values->items = xreallocarray(values->items, values->cap, sizeof(*values->items));
    }
    values->items[values->count++] = value;
}

void values_add_int(struct values *values, int64_t number)
{
    values_add(values, DB_VALUE_INT(number));
}

void values_add_text(struct values *values, const char *text_or_null)
{
    values_add(values, db_text(text_or_null));
}

void values_add_bytes(struct values *values, const void *bytes, size_t len)
{
    values_add(values, DB_VALUE_BYTES(bytes, len));
}

void values_add_time(struct values *values, int64_t time_or_none)
{
    values_add(values, db_time(time_or_none));
}

void values_free(struct values *values)
{
    xfree(values->items);
    values->count = values->cap = 0;
}

char *row_text(const struct db_rows *rows, unsigned column)
{
    size_t len;
    const char *text = db_bytes(rows, column, &len);

    return text == NULL ? NULL : xstrndup(text, len);
}

void row_copy(const struct db_rows *rows, unsigned column, char *out, size_t room)
{
    size_t len;
    const char *text = db_bytes(rows, column, &len);

    snprintf(out, room, "%s", text == NULL ? "" : text);
}

/* How many of the rows go into one statement: a bound of its packet, but one row at least. */
static size_t rows_chunk(const struct db_value *values, size_t rows, size_t columns)
{
    size_t bytes = 0, row = 0;

    for (; row < rows && row < ROWS_WRITE_MOST; row++) {
        for (size_t column = 0; column < columns; column++)
            bytes += values[row * columns + column].len + sizeof(int64_t);
        if (row > 0 && bytes > ROWS_WRITE_BYTES)
            break;
    }
    return row;
}

enum db_result rows_write(struct db *db, const char *head, const char *group, const char *tail,
                          const struct values *values, size_t columns)
{
    struct buf sql = {0};
    size_t rows = values->count / columns;
    enum db_result result = DB_OK;

    if (rows > 0)
        buf_printf(&sql, "%s %s %s", head, group, tail);
    for (size_t done = 0; done < rows && result == DB_OK;) {
        const struct db_value *first = values->items + done * columns;
        size_t chunk = rows_chunk(first, rows - done, columns);

        result = db_execute_rows(db, sql.data, first, chunk);
        done += chunk;
    }
    buf_free(&sql);
    return result;
}

/*
 * The keys of one slice, the last one repeated until their number is a power of two. A DELETE has
 * two at least: of a list of one row MariaDB makes an equality of rows, for which it finds no key
 * outside of a SELECT, and walks the table.
 */
static void slice_pad(struct values *slice, const struct db_value *keys, size_t rows,
                      size_t columns, bool deletes)
{
    size_t padded = db_padded(rows);

    if (deletes && padded < 2)
        padded = 2;
    slice->count = 0;
    for (size_t row = 0; row < padded; row++) {
        const struct db_value *key = keys + (row < rows ? row : rows - 1) * columns;

        for (size_t column = 0; column < columns; column++)
            values_add(slice, key[column]);
    }
}

/* One slice: its statement's text is a function of its padded size alone. */
static enum db_result slice_read(struct db *db, const char *head, const char *group,
                                 const char *tail, const struct values *slice, size_t columns,
                                 rows_callback *row, void *arg)
{
    struct buf sql = {0};
    struct db_rows *rows = NULL;
    enum db_result result;

    buf_puts(&sql, head);
    buf_puts(&sql, " (");
    db_repeat(&sql, group, slice->count / columns);
    buf_puts(&sql, ") ");
    buf_puts(&sql, tail);
    if (row == NULL) {
        result = db_execute(db, sql.data, slice->items, slice->count);
    } else {
        result = db_query(db, sql.data, slice->items, slice->count, &rows);
        while (result == DB_OK && db_rows_next(rows))
            row(rows, arg);
        if (result == DB_OK)
            db_rows_free(rows);
    }
    buf_free(&sql);
    return result;
}

enum db_result rows_read(struct db *db, const char *head, const char *group, const char *tail,
                         const struct values *keys, size_t columns, rows_callback *row, void *arg)
{
    struct values slice = {0};
    size_t total = keys->count / columns;
    enum db_result result = DB_OK;

    for (size_t done = 0; done < total && result == DB_OK;) {
        size_t rows = total - done < ROWS_MOST ? total - done : ROWS_MOST;

        slice_pad(&slice, keys->items + done * columns, rows, columns, row == NULL);
        result = slice_read(db, head, group, tail, &slice, columns, row, arg);
        done += rows;
    }
    values_free(&slice);
    return result;
}

enum db_result rows_delete(struct db *db, const char *head, const char *group,
                           const struct values *keys, size_t columns)
{
    return rows_read(db, head, group, "", keys, columns, NULL, NULL);
}
