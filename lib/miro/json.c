#include "miro/json.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct json_object *miro_json_object(const char *bytes, size_t len)
{
    if (len == 0 || len > INT_MAX || memchr(bytes, '\0', len) || !text_is_utf8(bytes, len))
        return NULL;
    mem_watch();
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    if (!tokener)
        die("json: no memory for a parser");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *root = json_tokener_parse_ex(tokener, bytes, (int)len);
    mem_check("json-c");
    bool whole = json_tokener_get_error(tokener) == json_tokener_success &&
                 json_tokener_get_parse_end(tokener) == len;
    json_tokener_free(tokener);
    if (whole && json_object_is_type(root, json_type_object))
        return root;
    json_object_put(root);
    return NULL;
}

struct json_object *miro_json_member(const struct json_object *holder, const char *key)
{
    struct json_object *member = NULL;
    if (json_object_is_type(holder, json_type_object))
        json_object_object_get_ex(holder, key, &member);
    return member;
}

const char *miro_json_text(const struct json_object *holder, const char *key)
{
    struct json_object *member = miro_json_member(holder, key);
    if (!json_object_is_type(member, json_type_string))
        return NULL;
    const char *text = json_object_get_string(member);
    return strlen(text) == (size_t)json_object_get_string_len(member) ? text : NULL;
}

/* Whether a number is an id. json-c gives the greatest value for any that is greater still, so the
 * greatest itself may be another number cut down. */
static bool is_id_number(struct json_object *number)
{
    return json_object_get_int64(number) >= 0 && json_object_get_uint64(number) != UINT64_MAX;
}

int miro_json_id(const struct json_object *holder, const char *key, char out[LIMIT_MIRO_ID + 1])
{
    struct json_object *member = miro_json_member(holder, key);
    const char *text = miro_json_text(holder, key);
    if (json_object_is_type(member, json_type_int) && is_id_number(member))
        text = json_object_get_string(member);
    if (!text || !*text || strlen(text) > LIMIT_MIRO_ID)
        return -1;
    if (strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") !=
        strlen(text))
        return -1;
    memcpy(out, text, strlen(text) + 1);
    return 0;
}
