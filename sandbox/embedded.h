/*
 * The page's files, built into the program.
 */
#ifndef SANDBOX_EMBEDDED_H
#define SANDBOX_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name;
    const unsigned char *bytes;
    size_t len;
};
extern const struct embedded_file embedded_files[];
extern const size_t embedded_file_count;

#endif
