/*
 * How many sealed values need which key.
 */
#ifndef CTL_KEYS_COUNT_H
#define CTL_KEYS_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/reseal.h"

struct key_count {
    char kid[33]; /* "": what is sealed is no envelope */
    uint64_t values[SEALED_KINDS], total;
    bool noted, needed; /* by the caller's own lights */
    int64_t sealed_until;
};
struct key_counts {
    struct key_count *keys; /* owned, in the order in which they were met */
    size_t count;
};

/* The count of a kid, made if there is none; valid until the next call. */
struct key_count *key_count_of(struct key_counts *counts, const char *kid);
/* Walks everything, and tells on stderr how far it is. */
enum db_result key_counts_read(struct db *db, struct key_counts *counts)
    __attribute__((warn_unused_result));
void key_counts_free(struct key_counts *counts);

#endif
