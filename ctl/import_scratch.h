/*
 * What an import has to remember of its file beyond one batch, however large the file is: in
 * temporary tables of the connection, which nobody else sees and which end with it. They also let a
 * dry run count who would be locked as if the file had been imported.
 */
#ifndef CTL_IMPORT_SCRATCH_H
#define CTL_IMPORT_SCRATCH_H

#include "base/digest.h"
#include "ctl.h"
#include "store/people.h"

enum exit_code import_scratch_make(struct ctl *ctl) __attribute__((warn_unused_result));

/* How an order stands in the file, for the count of who would be locked. */
struct scratch_order {
    uint32_t source_id;
    const char *order_id;
    int64_t time;
    unsigned char content[DIGEST_LEN];
    uint64_t line;
    bool pays; /* paid, and not all given back */
    bool has_payer;
    unsigned char payer[DIGEST_LEN]; /* the address's index, with has_payer */
    bool nobody;                     /* neither address nor a good reference */
};
/* `*other_line` is the line that says something else of the order at that time, or 0. */
enum db_result import_scratch_order(struct db *db, const struct scratch_order *order,
                                    uint64_t *other_line) __attribute__((warn_unused_result));
/* A line of an order that no rule knows. */
enum db_result import_scratch_unmapped(struct db *db, const struct scratch_order *order,
                                       const struct fact_line *line)
    __attribute__((warn_unused_result));
/* Who would hold a free address: the first in the file. `holder` is filled. */
enum db_result import_scratch_link(struct db *db, const unsigned char index[DIGEST_LEN],
                                   const char *user, char holder[LIMIT_MIRO_ID + 1])
    __attribute__((warn_unused_result));
/* Whether the file, or the database, has the grant already. */
enum db_result import_scratch_grant(struct db *db, const unsigned char id[8], bool *known)
    __attribute__((warn_unused_result));

#endif
