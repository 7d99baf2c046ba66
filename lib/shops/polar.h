/*
 * Polar's events, which come over the signature of Standard Webhooks too; private to this room.
 */
#ifndef SHOPS_POLAR_H
#define SHOPS_POLAR_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/facts.h"

/* Whether an event is of Polar's shape: by members that this project's own order has not. */
bool polar_is_event(const char *type, const struct json_object *data);
/* Reads such an event; a fault sets `facts` aside. */
void polar_read(const struct json_object *root, const char *type, const struct json_object *data,
                int64_t received_at, struct facts *facts);

#endif
