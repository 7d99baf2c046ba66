/*
 * What operators do with one order by its id: find it under any id that it goes by, and have the
 * worker read it anew.
 */
#ifndef STORE_ORDER_REFRESH_H
#define STORE_ORDER_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "db/db.h"

/* The id under which the order stands that `id` names: `id` itself, or what it is an alias of.
 * *found: something is known of it. */
enum db_result orders_resolve(struct db *db, uint32_t source_id, const char *id,
                              char own[LIMIT_ORDER_ID + 1], bool *found)
    __attribute__((warn_unused_result));

/* Due at once, and as if never tried: a read that is under way is followed by another. */
enum db_result orders_refresh(struct db *db, uint32_t source_id, const char *order_id, int64_t now)
    __attribute__((warn_unused_result));

/* Where a refresh stands. */
struct order_refresh {
    bool due;          /* not done yet */
    int64_t due_at;    /* due: when it is tried next, or when its claim ends */
    uint32_t attempts; /* due: how often it was tried */
    int64_t read_at; /* of the latest read from the shop's API, by the shop's clock; or TIME_NONE */
    uint64_t changes; /* records of what changed in what it gives, from the beginning */
};
enum db_result orders_refresh_look(struct db *db, uint32_t source_id, const char *order_id,
                                   struct order_refresh *out) __attribute__((warn_unused_result));

#endif
