#include "db/statement.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "base/mem.h"
#include "db/rows.h"

#define BUCKETS 512u /* a power of two, above LIMIT_DB_STATEMENTS: short chains */

struct statement {
    char *sql;
    MYSQL_STMT *handle;
    unsigned bucket;
    LIST_ENTRY(statement) chain;
    TAILQ_ENTRY(statement) use;
};

LIST_HEAD(chain, statement);
TAILQ_HEAD(uses, statement);

/* A value among many of its column: the library takes arrays of either. */
union cell {
    int64_t number;
    const void *bytes;
};

struct statements {
    MYSQL *connection;
    struct chain buckets[BUCKETS];
    struct uses uses; /* the first was used last */
    size_t count;
    /* Room for parameters, kept between executions. */
    MYSQL_BIND *binds;
    size_t bind_room;
    unsigned long *lengths;
    union cell *cells; /* of many rows: column by column */
    char *indicators;
    size_t cell_room; /* of these three */
};

/* One column of an answer while it is fetched. */
struct column {
    bool number;
    int64_t value;
    char *bytes;
    unsigned long len;
    my_bool null;
    my_bool truncated;
};

struct statements *statements_new(MYSQL *connection)
{
    struct statements *statements = xcalloc(1, sizeof(*statements));
    statements->connection = connection;
    for (unsigned i = 0; i < BUCKETS; i++) {
        LIST_INIT(&statements->buckets[i]);
    }
    TAILQ_INIT(&statements->uses);
    return statements;
}

/* FNV-1a: statement texts are ours, so nobody can choose colliding ones. */
static unsigned bucket_of(const char *sql)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *p = sql; *p; p++) {
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    }
    return (unsigned)((hash ^ (hash >> 32)) & (BUCKETS - 1));
}

void statements_drop(struct statements *statements, struct statement *statement)
{
    LIST_REMOVE(statement, chain);
    TAILQ_REMOVE(&statements->uses, statement, use);
    statements->count--;
    (void)mysql_stmt_close(statement->handle);
    free(statement->sql);
    free(statement);
}

void statements_free(struct statements *statements)
{
    struct statement *statement;
    if (!statements) {
        return;
    }
    while ((statement = TAILQ_FIRST(&statements->uses))) {
        statements_drop(statements, statement);
    }
    free(statements->binds);
    free(statements->lengths);
    free(statements->cells);
    free(statements->indicators);
    free(statements);
}

static void copy_fault(MYSQL_STMT *handle, struct fault *fault)
{
    fault_set(fault, mysql_stmt_errno(handle), mysql_stmt_sqlstate(handle),
              mysql_stmt_error(handle));
}

/* Prepares the text anew, asking for the longest value of each column when results are stored. */
static MYSQL_STMT *prepare(MYSQL *connection, const char *sql, struct fault *fault)
{
    MYSQL_STMT *handle = mysql_stmt_init(connection);
    my_bool yes = 1;
    if (!handle) {
        die("db: no memory for a statement");
    }
    (void)mysql_stmt_attr_set(handle, STMT_ATTR_UPDATE_MAX_LENGTH, &yes);
    if (mysql_stmt_prepare(handle, sql, strlen(sql)) != 0) {
        copy_fault(handle, fault);
        (void)mysql_stmt_close(handle);
        return NULL;
    }
    return handle;
}

static struct statement *find(struct statements *statements, unsigned bucket, const char *sql)
{
    struct statement *statement;
    LIST_FOREACH(statement, &statements->buckets[bucket], chain)
    {
        if (strcmp(statement->sql, sql) == 0) {
            return statement;
        }
    }
    return NULL;
}

struct statement *statements_get(struct statements *statements, const char *sql,
                                 struct fault *fault)
{
    unsigned bucket = bucket_of(sql);
    struct statement *statement = find(statements, bucket, sql);
    if (statement) {
        TAILQ_REMOVE(&statements->uses, statement, use);
        TAILQ_INSERT_HEAD(&statements->uses, statement, use);
        return statement;
    }
    MYSQL_STMT *handle = prepare(statements->connection, sql, fault);
    if (!handle) {
        return NULL;
    }
    while (statements->count >= LIMIT_DB_STATEMENTS) {
        statements_drop(statements, TAILQ_LAST(&statements->uses, uses));
    }
    statement = xcalloc(1, sizeof(*statement));
    statement->sql = xstrdup(sql);
    statement->handle = handle;
    statement->bucket = bucket;
    LIST_INSERT_HEAD(&statements->buckets[bucket], statement, chain);
    TAILQ_INSERT_HEAD(&statements->uses, statement, use);
    statements->count++;
    return statement;
}

/* The library wants a pointer to what it only reads. */
static void *readable(const void *bytes)
{
    return (void *)(uintptr_t)bytes;
}

/* Bytes travel as BLOB: a column's own character set decides, and no byte is ever converted. */
static void bind_value(MYSQL_BIND *bind, unsigned long *length, const struct db_value *value)
{
    memset(bind, 0, sizeof(*bind));
    switch (value->kind) {
    case DB_NULL:
        bind->buffer_type = MYSQL_TYPE_NULL;
        break;
    case DB_INT:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = readable(&value->number);
        break;
    case DB_BYTES:
        *length = value->len;
        bind->buffer_type = MYSQL_TYPE_BLOB;
        bind->buffer = readable(value->len > 0 ? value->bytes : "");
        bind->buffer_length = value->len;
        bind->length = length;
        break;
    }
}

static void reserve(struct statements *statements, size_t binds, size_t cells)
{
    if (binds > statements->bind_room) {
        statements->binds = xreallocarray(statements->binds, binds, sizeof(MYSQL_BIND));
        statements->bind_room = binds;
    }
    if (cells > statements->cell_room) {
        statements->lengths = xreallocarray(statements->lengths, cells, sizeof(unsigned long));
        statements->cells = xreallocarray(statements->cells, cells, sizeof(union cell));
        statements->indicators = xreallocarray(statements->indicators, cells, 1);
        statements->cell_room = cells;
    }
}

/* With `rows` arrays of values behind each parameter, or 0: with single ones. */
static int run(struct statements *statements, struct statement *statement, unsigned rows,
               struct fault *fault)
{
    MYSQL_STMT *handle = statement->handle;
    if (mysql_stmt_attr_set(handle, STMT_ATTR_ARRAY_SIZE, &rows) != 0 ||
        (mysql_stmt_param_count(handle) > 0 &&
         mysql_stmt_bind_param(handle, statements->binds) != 0) ||
        mysql_stmt_execute(handle) != 0) {
        copy_fault(handle, fault);
        return -1;
    }
    return 0;
}

int statement_execute(struct statements *statements, struct statement *statement,
                      const struct db_value *values, size_t count, struct fault *fault)
{
    if (mysql_stmt_param_count(statement->handle) != count) {
        die("db: %zu values for %lu parameters in %.60s", count,
            mysql_stmt_param_count(statement->handle), statement->sql);
    }
    reserve(statements, count, count);
    for (size_t i = 0; i < count; i++) {
        bind_value(&statements->binds[i], &statements->lengths[i], &values[i]);
    }
    return run(statements, statement, 0, fault);
}

/* One column of all rows; its first value that is not NULL says what it holds. */
static void bind_array(struct statements *statements, size_t column, const struct db_value *values,
                       size_t columns, size_t rows)
{
    MYSQL_BIND *bind = &statements->binds[column];
    size_t first = column * rows;
    int kind = DB_NULL;

    for (size_t row = 0; row < rows; row++) {
        const struct db_value *value = &values[row * columns + column];
        union cell *cell = &statements->cells[first + row];

        if (value->kind != DB_NULL && kind != DB_NULL && (int)value->kind != kind) {
            die("db: numbers and bytes in column %zu of one statement", column);
        }
        if (value->kind != DB_NULL) {
            kind = (int)value->kind;
        }
        statements->indicators[first + row] =
            value->kind == DB_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
        statements->lengths[first + row] = value->kind == DB_BYTES ? value->len : 0;
        if (value->kind == DB_INT) {
            cell->number = value->number;
        } else {
            cell->bytes = value->kind == DB_BYTES && value->len > 0 ? value->bytes : "";
        }
    }
    memset(bind, 0, sizeof(*bind));
    bind->buffer_type = kind == DB_INT ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_BLOB;
    bind->buffer = &statements->cells[first];
    bind->length = &statements->lengths[first];
    bind->u.indicator = &statements->indicators[first];
}

int statement_execute_rows(struct statements *statements, struct statement *statement,
                           const struct db_value *values, size_t rows, struct fault *fault)
{
    size_t columns = mysql_stmt_param_count(statement->handle);
    if (columns == 0 || rows == 0 || rows > UINT_MAX) {
        die("db: %zu rows of %zu parameters in %.60s", rows, columns, statement->sql);
    }
    reserve(statements, columns, columns * rows);
    for (size_t column = 0; column < columns; column++) {
        bind_array(statements, column, values, columns, rows);
    }
    return run(statements, statement, (unsigned)rows, fault);
}

/* SUM() over integers is a DECIMAL without decimals: an integer too. */
static bool is_integer(const MYSQL_FIELD *field)
{
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return true;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return field->decimals == 0;
    default:
        return false;
    }
}

/* A buffer as long as the longest value of the column, so that nothing is ever cut. */
static void bind_column(MYSQL_BIND *bind, struct column *column, const MYSQL_FIELD *field)
{
    column->number = is_integer(field);
    bind->is_null = &column->null;
    bind->length = &column->len;
    bind->error = &column->truncated;
    if (column->number) {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &column->value;
        bind->buffer_length = sizeof(column->value);
    } else {
        bind->buffer_type = MYSQL_TYPE_STRING;
        bind->buffer_length = field->max_length + 1;
        column->bytes = xmalloc(bind->buffer_length);
        bind->buffer = column->bytes;
    }
}

static void add_row(struct db_rows *rows, const struct column *columns, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (columns[i].null) {
            rows_add_null(rows);
        } else if (columns[i].number) {
            rows_add_number(rows, columns[i].value);
        } else {
            rows_add_bytes(rows, columns[i].bytes, columns[i].len);
        }
    }
}

/* Copies the stored result row by row; a value that does not fit its column is a fault. */
static int fetch_all(MYSQL_STMT *handle, const struct column *columns, unsigned count,
                     struct db_rows *rows, struct fault *fault)
{
    int got;
    while ((got = mysql_stmt_fetch(handle)) == 0) {
        add_row(rows, columns, count);
    }
    if (got == MYSQL_DATA_TRUNCATED) {
        fault_set(fault, 2999, "22003", "a value of the answer is out of range");
        return -1;
    }
    if (got != MYSQL_NO_DATA) {
        copy_fault(handle, fault);
        return -1;
    }
    return 0;
}

/* Binds the columns as the metadata says after execution, and copies every row. */
static int read_rows(MYSQL_STMT *handle, const MYSQL_FIELD *fields, unsigned count,
                     struct db_rows **rows, struct fault *fault)
{
    struct column *columns = xcalloc(count, sizeof(*columns));
    MYSQL_BIND *binds = xcalloc(count, sizeof(*binds));
    bool *numbers = xcalloc(count, sizeof(*numbers));
    struct db_rows *got = NULL;
    int result = -1;

    for (unsigned i = 0; i < count; i++) {
        bind_column(&binds[i], &columns[i], &fields[i]);
        numbers[i] = columns[i].number;
    }
    if (mysql_stmt_bind_result(handle, binds) != 0) {
        copy_fault(handle, fault);
        goto done;
    }
    got = rows_new(count, numbers, (size_t)mysql_stmt_num_rows(handle));
    if (fetch_all(handle, columns, count, got, fault) != 0) {
        goto done;
    }
    *rows = got;
    got = NULL;
    result = 0;
done:
    db_rows_free(got);
    for (unsigned i = 0; i < count; i++) {
        free(columns[i].bytes);
    }
    free(numbers);
    free(binds);
    free(columns);
    return result;
}

int statement_rows(struct statement *statement, struct db_rows **rows, struct fault *fault)
{
    MYSQL_STMT *handle = statement->handle;
    MYSQL_RES *metadata = NULL;
    int result = -1;

    if (mysql_stmt_field_count(handle) == 0) {
        *rows = rows_new(0, NULL, 0);
        return 0;
    }
    if (mysql_stmt_store_result(handle) != 0) {
        copy_fault(handle, fault);
        goto done;
    }
    metadata = mysql_stmt_result_metadata(handle);
    if (!metadata) {
        copy_fault(handle, fault);
        goto done;
    }
    result =
        read_rows(handle, mysql_fetch_fields(metadata), mysql_num_fields(metadata), rows, fault);
done:
    if (metadata) {
        mysql_free_result(metadata);
    }
    (void)mysql_stmt_free_result(handle);
    return result;
}

/* Read to their end, because a lock wait may fail in the middle of the rows. */
int statement_discard(struct statement *statement, struct fault *fault)
{
    MYSQL_STMT *handle = statement->handle;
    int result = 0;
    if (mysql_stmt_field_count(handle) == 0) {
        return 0;
    }
    if (mysql_stmt_store_result(handle) != 0) {
        copy_fault(handle, fault);
        result = -1;
    }
    (void)mysql_stmt_free_result(handle);
    return result;
}

int64_t statement_affected(const struct statement *statement)
{
    return (int64_t)mysql_stmt_affected_rows(statement->handle);
}

int64_t statement_insert_id(const struct statement *statement)
{
    return (int64_t)mysql_stmt_insert_id(statement->handle);
}
