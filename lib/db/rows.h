/*
 * The rows of one answer, copied out of the client library, so that they outlive the statement
 * that made them and the connection it ran on. The accessors stand in db.h.
 */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

/* Room for exactly `count` rows. `numbers` tells for each column whether it holds integers. */
struct db_rows *rows_new(unsigned columns, const bool *numbers, size_t count);
/* Fill the cells in their order: row by row, column by column. */
void rows_add_null(struct db_rows *rows);
void rows_add_number(struct db_rows *rows, int64_t number);
void rows_add_bytes(struct db_rows *rows, const void *bytes, size_t len);

#endif
