/*
 * The parameters of a query where a repeated one must not pass unnoticed.
 */
#ifndef WEBHOOK_QUERY_H
#define WEBHOOK_QUERY_H

#include <stddef.h>

/*
 * Looks for `name`: 0 with its decoded value in *value (a new string), or NULL if it is absent; -1
 * if it stands more than once, does not decode, or is longer than `most` bytes.
 */
int query_once(const char *query, const char *name, size_t most, char **value)
    __attribute__((warn_unused_result));

#endif
