#include "tree.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

/* json-c answers NULL when memory ends, which this program does not outlive. */
static struct json_object *there(struct json_object *value)
{
    if (value == NULL)
        die("no memory for a JSON value");
    return value;
}

/* An empty object. */
struct json_object *tree_object(void)
{
    return there(json_object_new_object());
}

/* An empty array. */
struct json_object *tree_array(void)
{
    return there(json_object_new_array());
}

/* Strict, bounded in depth, and with nothing after the object. */
struct json_object *tree_parse(const char *text, size_t len)
{
    if (len == 0)
        return tree_object();
    if (len > SIZE_MAX / 4 || len > INT32_MAX)
        return NULL;
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    if (tokener == NULL)
        die("no memory for a JSON tokener");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *object = json_tokener_parse_ex(tokener, text, (int)len);
    bool whole = json_tokener_get_error(tokener) == json_tokener_success &&
                 json_tokener_get_parse_end(tokener) == len;
    json_tokener_free(tokener);
    if (whole && json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return NULL;
}

/* Puts any value; NULL is JSON's null. */
void tree_put(struct json_object *object, const char *key, struct json_object *value)
{
    if (json_object_object_add(object, key, value) != 0)
        die("no memory for a JSON member");
}

/* Puts text, or null. */
void tree_text(struct json_object *object, const char *key, const char *text)
{
    tree_put(object, key, text == NULL ? NULL : there(json_object_new_string(text)));
}

/* Puts an integer. */
void tree_number(struct json_object *object, const char *key, int64_t number)
{
    tree_put(object, key, there(json_object_new_int64(number)));
}

/* Puts true or false. */
void tree_bool(struct json_object *object, const char *key, bool value)
{
    tree_put(object, key, there(json_object_new_boolean(value)));
}

/* Puts a time as the project writes it, or null. */
void tree_time(struct json_object *object, const char *key, int64_t time)
{
    char text[TIME_TEXT];
    if (time != TIME_NONE)
        clock_format(time, text);
    tree_text(object, key, time == TIME_NONE ? NULL : text);
}

/* Appends to an array. */
void tree_add(struct json_object *array, struct json_object *value)
{
    if (json_object_array_add(array, value) != 0)
        die("no memory for a JSON element");
}

/* Ids may come as strings or as numbers, so both are text here. */
const char *tree_get_text(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value))
        return NULL;
    if (!json_object_is_type(value, json_type_string) && !json_object_is_type(value, json_type_int))
        return NULL;
    return json_object_get_string(value);
}

/* An integer, or the fallback where there is none. */
int64_t tree_get_number(struct json_object *object, const char *key, int64_t fallback)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_int))
        return fallback;
    return json_object_get_int64(value);
}

/* A boolean, or the fallback where there is none. */
bool tree_get_bool(struct json_object *object, const char *key, bool fallback)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_boolean))
        return fallback;
    return json_object_get_boolean(value);
}

/* An array, or NULL. */
struct json_object *tree_get_array(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_array))
        return NULL;
    return value;
}

/* Whether the member is told at all, be it null. */
bool tree_has(struct json_object *object, const char *key)
{
    return json_object_object_get_ex(object, key, NULL);
}

/* The code point of a UTF-8 sequence that json-c wrote or kept; *at moves past it. */
static uint32_t code_point(const unsigned char *bytes, size_t len, size_t *at)
{
    unsigned char first = bytes[*at];
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t point = more == 0 ? 0xfffd : (uint32_t)(first & (0x3f >> more));
    *at += 1;
    for (; more > 0 && *at < len && (bytes[*at] & 0xc0) == 0x80; more--, *at += 1)
        point = point << 6 | (bytes[*at] & 0x3fu);
    return more == 0 ? point : 0xfffd;
}

/* wp_json_encode() escapes what is past ASCII, and signatures are over those very bytes. */
void tree_write_php(struct json_object *value, struct buf *out)
{
    size_t len = 0;
    const char *text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = 0; at < len;) {
        size_t run = at;
        while (run < len && bytes[run] < 0x80)
            run++;
        buf_append(out, text + at, run - at);
        at = run;
        if (at == len)
            break;
        uint32_t point = code_point(bytes, len, &at);
        if (point >= 0x10000) {
            point -= 0x10000;
            buf_printf(out, "\\u%04x", 0xd800 + (point >> 10));
            point = 0xdc00 + (point & 0x3ff);
        }
        buf_printf(out, "\\u%04x", point);
    }
}

/* Plain, without escaped slashes. */
void tree_write(struct json_object *value, struct buf *out)
{
    size_t len = 0;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    buf_append(out, text, len);
}
