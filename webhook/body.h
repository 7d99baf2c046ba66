/*
 * What a plugin posts: one JSON object whose members are text.
 */
#ifndef WEBHOOK_BODY_H
#define WEBHOOK_BODY_H

#include <json-c/json.h>

#include "front.h"

/* The object, the caller's to put; or NULL, the request being answered with 400 `body_invalid`. */
struct json_object *body_object(struct front *front, struct http_request *request)
    __attribute__((warn_unused_result));
/* A member of 1 to `most` bytes without a control character, borrowed; or NULL, the request being
 * answered with 400 `body_invalid`. */
const char *body_text(struct front *front, struct http_request *request, struct json_object *object,
                      const char *name, size_t most) __attribute__((warn_unused_result));

#endif
