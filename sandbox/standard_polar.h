/*
 * A sale as Polar's webhooks tell it, under the signature of Standard Webhooks. Polar sells one
 * product at a time, so that of a sale of several the first counts; each payment is an order. It
 * tells the seller of no dispute.
 */
#ifndef SANDBOX_STANDARD_POLAR_H
#define SANDBOX_STANDARD_POLAR_H

#include "stand.h"

void standard_tell_polar(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                         enum sale_event event, size_t part);
/* One event of Standard Webhooks: {type, timestamp, data}, signed with an id of its own; takes the
 * data. */
void standard_send(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                   const char *type, struct json_object *data);

#endif
