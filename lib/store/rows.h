/*
 * Many rows in few statements. Private to this room.
 *
 * Every text is prepared once a connection. Writes have one text for any number of rows. The text
 * of a read depends on how many keys it takes: its list is padded to the next power of two, so that
 * a batch of any size meets at most eight texts, all of them prepared before long.
 */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include <stddef.h>

#include "db/db.h"

#define ROWS_MOST 128                /* keys of one statement */
#define ROWS_WRITE_MOST 1024         /* rows written by one statement */
#define ROWS_WRITE_BYTES (4ul << 20) /* of one statement; a single row may have more */

/* A growing list of parameters. What they point at outlives the statement. */
struct values {
    struct db_value *items; /* owned */
    size_t count, cap;
};
void values_add(struct values *values, struct db_value value);
void values_add_int(struct values *values, int64_t number);
void values_add_text(struct values *values, const char *text_or_null);
void values_add_bytes(struct values *values, const void *bytes, size_t len);
void values_add_time(struct values *values, int64_t time_or_none);
void values_free(struct values *values);

/* A column's text: as a new string, or NULL where it is NULL; or copied, cut to the room there is.
 */
char *row_text(const struct db_rows *rows, unsigned column);
void row_copy(const struct db_rows *rows, unsigned column, char *out, size_t room);

/* Runs "HEAD group,group,... TAIL" over `values`, `columns` a row; nothing at all for no rows. */
enum db_result rows_write(struct db *db, const char *head, const char *group, const char *tail,
                          const struct values *values, size_t columns)
    __attribute__((warn_unused_result));

/*
 * Runs "HEAD (group,group,...) TAIL" for one slice of the keys at a time, and calls `row` for each
 * row of each slice. `row` may be NULL for statements without rows (DELETE).
 */
typedef void rows_callback(struct db_rows *rows, void *arg);
enum db_result rows_read(struct db *db, const char *head, const char *group, const char *tail,
                         const struct values *keys, size_t columns, rows_callback *row, void *arg)
    __attribute__((warn_unused_result));
enum db_result rows_delete(struct db *db, const char *head, const char *group,
                           const struct values *keys, size_t columns)
    __attribute__((warn_unused_result));

#endif
