/*
 * import: what no API gives, from a file. The file is checked whole before any of it is used; what
 * it says goes in a batch a transaction, through the store's own verbs, and is news only once.
 */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "import_file.h"
#include "page.h"

struct import {
    struct ctl *ctl;
    struct import_file *file;
    struct catalogue *catalogue; /* in force */
    char *by;
    bool checking; /* the first walk: nothing is to be written */
    bool dry_run;
    uint64_t rows; /* of this walk */
};

/* What a verb does with the rows. Functions that give EXIT_DONE or not have said why not. */
struct import_kind {
    const char *what; /* for the progress */
    const struct import_column *columns;
    bool order_lines;
    void *(*begin)(struct import *import);
    /* One row: gathers it, and uses what is gathered once that is a batch. */
    enum exit_code (*take)(struct import *import, void *work, const struct import_row *row);
    /* Uses what is still gathered: the walk is over. */
    enum exit_code (*finish)(struct import *import, void *work);
    void (*report)(struct import *import, const void *work, struct page *page);
    void (*end)(void *work); /* frees, and wipes */
};

extern const struct import_kind import_orders, import_links, import_grants;

/* Fields that several kinds have; each notes what is wrong, and gives -1. */
int import_text(struct import *import, const struct import_row *row, size_t column, size_t most,
                const char **out) __attribute__((warn_unused_result));
/* RFC 3339, or a day alone, which means its first moment in UTC; TIME_NONE if not told. */
int import_time(struct import *import, const struct import_row *row, size_t column, int64_t *out)
    __attribute__((warn_unused_result));
/* A Miro user's id. */
int import_user(struct import *import, const struct import_row *row, size_t column,
                const char **out) __attribute__((warn_unused_result));
/* Normalised, a new string; NULL if not told. */
int import_address(struct import *import, const struct import_row *row, size_t column, char **out)
    __attribute__((warn_unused_result));

#endif
