/*
 * Why access changed, and whose answers it touches: rows gathered while a transaction is prepared,
 * and written with it.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "db/db.h"
#include "store/orders.h"
#include "store/rows.h"

struct audit_row {
    enum cause cause;
    const char *cause_id;
    const char *action;
    uint32_t source_id; /* 0: none */
    /* Or NULL; borrowed until audit_write(), but for the last two of audit_add(), which are copied.
     */
    const char *order_id, *line_id, *key, *user;
    const unsigned char *subject;
};

struct audit {
    struct values values;
    char **texts; /* owned */
    size_t text_count;
};
void audit_add(struct audit *audit, const struct audit_row *row, const char *before,
               const char *after);
enum db_result audit_write(struct db *db, const struct audit *audit, int64_t now)
    __attribute__((warn_unused_result));
void audit_free(struct audit *audit);

/* Subjects, each once. */
struct feed {
    unsigned char (*subjects)[DIGEST_LEN];
    size_t count;
};
void feed_add(struct feed *feed, const unsigned char subject[DIGEST_LEN]);
enum db_result feed_write(struct db *db, const struct feed *feed, int64_t now)
    __attribute__((warn_unused_result));
void feed_free(struct feed *feed);

#endif
