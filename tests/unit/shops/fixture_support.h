/*
 * Files of the folder that PURCHASE_SYNC_FIXTURES names, which are not part of the project. Without
 * it a test that needs one skips, and says so.
 */
#ifndef UNIT_SHOPS_FIXTURE_SUPPORT_H
#define UNIT_SHOPS_FIXTURE_SUPPORT_H

#include "support.h"

#define OPENED_MAX 256

static const char *folder;       /* set it first */
static char *opened[OPENED_MAX]; /* the files that were read, each once */
static size_t opened_count;

static inline bool is_opened(const char *name)
{
    for (size_t i = 0; i < opened_count; i++)
        if (strcmp(opened[i], name) == 0)
            return true;
    return false;
}

/* A whole file of the folder; that it was read is noted. */
static inline struct buf read_file(const char *name)
{
    struct buf bytes = {0};
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    char chunk[4096];
    size_t got;
    if (!file)
        print_error("cannot open %s\n", path);
    assert_non_null(file);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(&bytes, chunk, got);
    fclose(file);
    free(path);
    assert_true(opened_count < OPENED_MAX);
    if (!is_opened(name))
        opened[opened_count++] = xstrdup(name);
    return bytes;
}

/* The first call of a test: it leaves by a jump. */
static inline void need_folder(void)
{
    if (folder)
        return;
    print_message("skipped: PURCHASE_SYNC_FIXTURES names no folder\n");
    skip();
}

static inline void forget_files(void)
{
    while (opened_count > 0)
        free(opened[--opened_count]);
}

#endif
