/*
 * What went wrong with one call to the client library, copied out before the next call overwrites
 * it.
 */
#ifndef DB_FAULT_H
#define DB_FAULT_H

#include <stdbool.h>

#include "base/buf.h"
#include "db/db.h"

struct fault {
    unsigned number;
    char state[6];
    char text[512]; /* as the server said it: may hold values, fault_describe() decides */
};

void fault_set(struct fault *fault, unsigned number, const char *state, const char *text);
/* What the caller has to do about it. */
enum db_result fault_result(unsigned number);
/* The same for a fault while connecting: whatever passes by itself is DB_GONE. */
enum db_result fault_connect_result(unsigned number);
/*
 * "1062 (23000) in INSERT INTO delivery": number, state and the statement's first words; the
 * server's own text only for numbers whose messages name parts of the schema and never a value.
 */
void fault_describe(const struct fault *fault, const char *sql, char *out, size_t size);
/* Length of the statement's first words, for a log line. */
size_t fault_prefix(const char *sql);

#endif
