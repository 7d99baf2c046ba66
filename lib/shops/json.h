/*
 * Reading a shop's JSON into facts, private to this room. Parsing is strict: the whole input, UTF-8
 * without NUL, at most LIMIT_JSON_DEPTH deep; of a key given twice the last one counts.
 *
 * The shop_take_* functions move one member into a fact. What cannot be used sets the facts aside
 * as malformed, with a sentence that names the member and never its value, and gives -1. They are
 * for what an order cannot do without; the rest is read by shop_json_*, to which what cannot be
 * used is as good as not told. A null member is an absent one. Strings they give are the caller's.
 */
#ifndef SHOPS_JSON_H
#define SHOPS_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/facts.h"

/* The root object, the caller's to put; or NULL with the reason in *why. */
struct json_object *shop_json_read(const char *bytes, size_t len, const char **why)
    __attribute__((warn_unused_result));
/* The same for a body that must be an object; NULL: `facts` is set aside as malformed. */
struct json_object *shop_json_read_object(const char *bytes, size_t len, struct facts *facts)
    __attribute__((warn_unused_result));

/* A member of the wanted type, borrowed; NULL if absent, null, or of another type. */
struct json_object *shop_json_member(const struct json_object *holder, const char *key);
struct json_object *shop_json_array(const struct json_object *holder, const char *key);
struct json_object *shop_json_object(const struct json_object *holder, const char *key);
/* A string member; NULL too if it holds a NUL. */
const char *shop_json_text(const struct json_object *holder, const char *key);
bool shop_json_has(const struct json_object *holder, const char *key); /* also when it is null */
bool shop_json_is_only_id(const struct json_object *holder);           /* exactly {"id": ...} */
/* Whether a Content-Type, which may be NULL, says JSON (application/json,
 * application/vnd.api+json): a firewall's page does not. */
bool shop_json_is_type(const char *content_type);

/* An id: a whole number to its last digit, or a string of at most `limit` printable bytes. */
int shop_take_id(struct facts *facts, const struct json_object *holder, const char *key,
                 size_t limit, char **id) __attribute__((warn_unused_result));
/* The same, where absent, null, "" and 0 all say "none": *id is NULL then. For an id that decides
 * which order the evidence is of: one that cannot be read must not make it another's. */
int shop_take_optional_id(struct facts *facts, const struct json_object *holder, const char *key,
                          size_t limit, char **id) __attribute__((warn_unused_result));
/* A whole number within LIMIT_QUANTITY either side of 0; `absent` if it is not told. */
int shop_take_quantity(struct facts *facts, const struct json_object *holder, const char *key,
                       int64_t absent, int64_t *quantity) __attribute__((warn_unused_result));
/* The amount told in the currency's smallest unit ("1099", 1099), in millionths without its sign;
 * `absent` if it is not told; a NULL currency means one of a hundred. */
int shop_take_minor(struct facts *facts, const struct json_object *holder, const char *key,
                    const char *currency, int64_t absent, int64_t *amount)
    __attribute__((warn_unused_result));
/* A time; TIME_NONE if absent, null, "", or the zero date that a database keeps for none. */
int shop_take_time(struct facts *facts, const struct json_object *holder, const char *key,
                   int64_t *time) __attribute__((warn_unused_result));
bool shop_json_is_zero_date(const char *text); /* whatever time of day is behind it */

/* An id as above, or NULL. */
char *shop_json_id(const struct json_object *holder, const char *key, size_t limit);
/* The same where 0 says "none" too. */
char *shop_json_optional_id(const struct json_object *holder, const char *key, size_t limit);
/* A whole number from 0 to LIMIT_QUANTITY, -1 if it is none, `absent` if it is not told. */
int64_t shop_json_count(const struct json_object *holder, const char *key, int64_t absent);
/* A decimal amount in millionths without its sign, or `absent`. */
int64_t shop_json_amount(const struct json_object *holder, const char *key, int64_t absent);

#endif
