/*
 * Grants that a file lists. What a file says is one grant, however often it says it: user, key, end
 * and reason make the grant's number. One that was given before stays as it is, revoked ones too.
 */
#ifndef STORE_LISTED_GRANTS_H
#define STORE_LISTED_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

#define LISTED_GRANT_ID 8

struct listed_grant {
    const char *user, *key, *by, *why;
    int64_t ends_at; /* or TIME_NONE */
    int64_t now;
    bool made; /* out: it was not there */
};
void listed_grant_id(const struct listed_grant *grant, unsigned char id[LISTED_GRANT_ID]);

/* All of them in one transaction of its own, with audit and feed rows. */
enum db_result listed_grants_make(struct db *db, struct listed_grant *grants, size_t count)
    __attribute__((warn_unused_result));

#endif
