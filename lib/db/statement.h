/*
 * The prepared statements of one connection, found again by their text. They live and die with the
 * connection; the least recently used goes when LIMIT_DB_STATEMENTS are kept.
 */
#ifndef DB_STATEMENT_H
#define DB_STATEMENT_H

#include <mysql.h>
#include <stddef.h>

#include "db/db.h"
#include "db/fault.h"

struct statements;
struct statement;

struct statements *statements_new(MYSQL *connection);
/* After mysql_close(): then it sends nothing. */
void statements_free(struct statements *statements);

/* NULL with *fault if the server refuses to prepare it. Valid until the next call. */
struct statement *statements_get(struct statements *statements, const char *sql,
                                 struct fault *fault);
/* Closes one whose result could not be read to its end. */
void statements_drop(struct statements *statements, struct statement *statement);

/* 0, or -1 with *fault. As many values as the text has question marks, or the program dies. */
int statement_execute(struct statements *statements, struct statement *statement,
                      const struct db_value *values, size_t count, struct fault *fault)
    __attribute__((warn_unused_result));
/*
 * A text with the parameters of one row, run for many at once: one packet, one statement (the
 * server's bulk execution, MariaDB 10.2 and later). For INSERT and REPLACE: the server runs
 * anything else row by row. In one column all values are numbers, or all are bytes; any may be
 * NULL.
 */
int statement_execute_rows(struct statements *statements, struct statement *statement,
                           const struct db_value *values, size_t rows, struct fault *fault)
    __attribute__((warn_unused_result));
/* All rows of the last execution. 0, or -1 with *fault. */
int statement_rows(struct statement *statement, struct db_rows **rows, struct fault *fault)
    __attribute__((warn_unused_result));
/* Lets go of rows that nobody wants. 0, or -1 with *fault. */
int statement_discard(struct statement *statement, struct fault *fault)
    __attribute__((warn_unused_result));
int64_t statement_affected(const struct statement *statement);
int64_t statement_insert_id(const struct statement *statement);

#endif
