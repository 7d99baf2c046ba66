/*
 * Reading Miro's JSON, private to this room: strict, bounded, ids as strings or numbers.
 */
#ifndef MIRO_JSON_H
#define MIRO_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

/* An object, the caller's to put; NULL if the bytes are anything else, or more than one value. */
struct json_object *miro_json_object(const char *bytes, size_t len)
    __attribute__((warn_unused_result));
/* A member, borrowed; NULL if absent or null. */
struct json_object *miro_json_member(const struct json_object *holder, const char *key);
/* A string member without NUL, borrowed; NULL if there is none. */
const char *miro_json_text(const struct json_object *holder, const char *key);
/* An id: 1 to LIMIT_MIRO_ID of [0-9A-Za-z_-] in a string, or a whole number to its last digit. -1
 * if the member is absent or anything else; `out` is untouched then. */
int miro_json_id(const struct json_object *holder, const char *key, char out[LIMIT_MIRO_ID + 1])
    __attribute__((warn_unused_result));

#endif
