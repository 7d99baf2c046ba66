/*
 * Sample orders in a shop's own shape, for `trigger`: what the shop would send, and nothing that it
 * would not.
 */
#ifndef CTL_SAMPLE_H
#define CTL_SAMPLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/settings.h"

struct sample {
    const char *event; /* of sample_events() */
    const char *order, *address, *product;
    int64_t now;
};

/* Whether there are samples for the provider. */
bool sample_exists(enum provider provider);
/* "pending, paid, ..." for people. */
const char *sample_events(enum provider provider);
/* The event by its own name or with the shop's prefix ("order.paid", "orders/paid"), or NULL. */
const char *sample_event(enum provider provider, const char *name);
/* Whether ids of orders and products are numbers at this provider. */
bool sample_wants_numbers(enum provider provider);
/* The body, and the topic's header (or none) as "Name: value\r\n". */
void sample_write(enum provider provider, const struct sample *sample, struct buf *body,
                  struct buf *headers);

#endif
