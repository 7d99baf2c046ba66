/*
 * What the knobs say about a sale, read; private to sale.c. Each gives false with a sentence in
 * *error where it makes no sense.
 */
#ifndef SANDBOX_SALE_READ_H
#define SANDBOX_SALE_READ_H

#include "sale.h"

/* The next id of a part. */
int64_t sale_part(struct sale *sale);
void sale_items_free(struct sale_item *items, size_t count);

/* Fills cents, payment, quantities (owned) and whole. */
bool sale_read_refund(const struct sale *sale, struct json_object *input,
                      struct sale_refund *refund, const char **error);
/* The place of a payment that was made: `payment`, or the last. */
bool sale_read_payment(const struct sale *sale, struct json_object *input, size_t *payment,
                       const char **error);
/* New recurring items, or another quantity. */
bool sale_read_change(struct sale *sale, struct json_object *input, const char **error);

#endif
