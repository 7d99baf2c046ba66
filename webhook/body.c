#include "body.h"

#include <stdbool.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#define DEPTH 4

/* The whole of the bytes as one value, or NULL. */
static struct json_object *body_parse(const char *bytes, size_t len)
{
    struct json_tokener *tokener;
    struct json_object *value;

    if (len == 0 || len > LIMIT_API_BODY || !text_is_utf8(bytes, len))
        return NULL;
    tokener = json_tokener_new_ex(DEPTH);
    if (tokener == NULL)
        die("body: no memory");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    value = json_tokener_parse_ex(tokener, bytes, (int)len);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        json_tokener_get_parse_end(tokener) != len) {
        json_object_put(value);
        value = NULL;
    }
    json_tokener_free(tokener);
    return value;
}

struct json_object *body_object(struct front *front, struct http_request *request)
{
    size_t len;
    const char *bytes = http_body(request, &len);
    struct json_object *object = body_parse(bytes, len);

    if (json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    front_problem(front, request, 400, "body_invalid", NULL,
                  "The body must be one JSON object of at most 4 KiB.");
    return NULL;
}

/* Whether a member's bytes are text that may go on: into a statement, a mail, a log. */
static bool body_is_text(const char *text, size_t len, size_t most)
{
    if (len == 0 || len > most)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    }
    return true;
}

const char *body_text(struct front *front, struct http_request *request, struct json_object *object,
                      const char *name, size_t most)
{
    struct json_object *member = NULL;
    struct buf detail = {0};

    json_object_object_get_ex(object, name, &member);
    if (json_object_is_type(member, json_type_string)) {
        const char *text = json_object_get_string(member);
        if (body_is_text(text, (size_t)json_object_get_string_len(member), most))
            return text;
    }
    buf_printf(&detail, "`%s` must be text of 1 to %zu bytes without control characters.", name,
               most);
    front_problem(front, request, 400, "body_invalid", NULL, detail.data);
    buf_free(&detail);
    return NULL;
}
