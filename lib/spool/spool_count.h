/*
 * How much lies in the spool, for others than the process that holds it: beside every file of it
 * there is a small one with two numbers, written after each commit. Nothing is built on it but what
 * a person is told.
 */
#ifndef SPOOL_SPOOL_COUNT_H
#define SPOOL_SPOOL_COUNT_H

#include <stddef.h>

struct spool_count {
    size_t files, pending, apart;
    size_t damaged; /* files that were set aside */
};

/* Best effort: what cannot be written is written the next time. */
void spool_count_write(const char *folder, int number, size_t pending, size_t apart);
/* Of all files of the folder; 0, or -1 if it cannot be read. */
int spool_count_read(const char *folder, struct spool_count *out)
    __attribute__((warn_unused_result));

#endif
