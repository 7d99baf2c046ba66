/*
 * JSON trees of json-c, with fewer words. Putting a value takes its ownership; reading borrows.
 */
#ifndef SANDBOX_TREE_H
#define SANDBOX_TREE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

struct json_object *tree_object(void);
struct json_object *tree_array(void);
/* The object that all of `text` is, or NULL. An empty text is an empty object. */
struct json_object *tree_parse(const char *text, size_t len);

void tree_put(struct json_object *object, const char *key, struct json_object *value);
void tree_text(struct json_object *object, const char *key, const char *text); /* NULL: null */
void tree_number(struct json_object *object, const char *key, int64_t number);
void tree_bool(struct json_object *object, const char *key, bool value);
void tree_time(struct json_object *object, const char *key, int64_t time); /* RFC 3339 or null */
void tree_add(struct json_object *array, struct json_object *value);

/* The member as text (a number's digits too), or NULL if it is absent, null, or anything else. */
const char *tree_get_text(struct json_object *object, const char *key);
int64_t tree_get_number(struct json_object *object, const char *key, int64_t fallback);
bool tree_get_bool(struct json_object *object, const char *key, bool fallback);
struct json_object *tree_get_array(struct json_object *object, const char *key); /* or NULL */
bool tree_has(struct json_object *object, const char *key);

/* As PHP writes it: no blanks, "/" as "\/", everything past ASCII as \uXXXX. */
void tree_write_php(struct json_object *value, struct buf *out);
/* As everybody else writes it. */
void tree_write(struct json_object *value, struct buf *out);

#endif
