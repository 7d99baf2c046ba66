#include "db/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

struct cell {
    bool null;
    int64_t number; /* an integer column's value */
    size_t offset;  /* a byte column's place in `bytes`, followed by a NUL */
    size_t len;
};

struct db_rows {
    unsigned columns;
    bool *numbers;
    size_t count;
    size_t next; /* the current row is the one before */
    size_t filled;
    struct cell *cells;
    struct buf bytes;
};

struct db_rows *rows_new(unsigned columns, const bool *numbers, size_t count)
{
    struct db_rows *rows = xcalloc(1, sizeof(*rows));
    rows->columns = columns;
    rows->count = count;
    rows->numbers = xcalloc(columns + 1u, sizeof(bool));
    if (columns > 0) {
        memcpy(rows->numbers, numbers, columns * sizeof(bool));
    }
    rows->cells = xcalloc(count * columns + 1, sizeof(struct cell));
    return rows;
}

/* The next cell in order; more than were promised is a broken invariant. */
static struct cell *next_cell(struct db_rows *rows)
{
    if (rows->filled >= rows->count * rows->columns) {
        die("db: more cells than %zu rows of %u columns", rows->count, rows->columns);
    }
    return &rows->cells[rows->filled++];
}

void rows_add_null(struct db_rows *rows)
{
    next_cell(rows)->null = true;
}

void rows_add_number(struct db_rows *rows, int64_t number)
{
    next_cell(rows)->number = number;
}

void rows_add_bytes(struct db_rows *rows, const void *bytes, size_t len)
{
    struct cell *cell = next_cell(rows);
    cell->offset = rows->bytes.len;
    cell->len = len;
    if (len > 0) {
        buf_append(&rows->bytes, bytes, len);
    }
    buf_putc(&rows->bytes, '\0');
}

bool db_rows_next(struct db_rows *rows)
{
    if (rows->next >= rows->count) {
        return false;
    }
    rows->next++;
    return true;
}

size_t db_rows_count(const struct db_rows *rows)
{
    return rows->count;
}

void db_rows_free(struct db_rows *rows)
{
    if (!rows) {
        return;
    }
    free(rows->numbers);
    free(rows->cells);
    buf_free(&rows->bytes);
    free(rows);
}

/* The current row's cell; asking before the first row or past the columns is a broken invariant. */
static const struct cell *current(const struct db_rows *rows, unsigned column)
{
    if (rows->next == 0 || column >= rows->columns) {
        die("db: column %u of row %zu asked, %u columns", column, rows->next, rows->columns);
    }
    return &rows->cells[(rows->next - 1) * rows->columns + column];
}

bool db_is_null(const struct db_rows *rows, unsigned column)
{
    return current(rows, column)->null;
}

int64_t db_int(const struct db_rows *rows, unsigned column)
{
    const struct cell *cell = current(rows, column);
    if (cell->null) {
        return 0;
    }
    if (!rows->numbers[column]) {
        die("db: column %u holds bytes, an integer was asked", column);
    }
    return cell->number;
}

int64_t db_time_of(const struct db_rows *rows, unsigned column)
{
    return db_is_null(rows, column) ? TIME_NONE : db_int(rows, column);
}

const char *db_bytes(const struct db_rows *rows, unsigned column, size_t *len)
{
    const struct cell *cell = current(rows, column);
    if (cell->null) {
        if (len) {
            *len = 0;
        }
        return NULL;
    }
    if (rows->numbers[column]) {
        die("db: column %u holds an integer, bytes were asked", column);
    }
    if (len) {
        *len = cell->len;
    }
    return rows->bytes.data + cell->offset;
}
