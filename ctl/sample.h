/*
 * Sample orders in a shop's own shape, for `trigger`: what the shop would send, and nothing that it
 * would not. Where a shop has a test mode, a sample is of it.
 */
#ifndef CTL_SAMPLE_H
#define CTL_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/settings.h"

/* An event of a shop, and its body with names in <> for what differs from sample to sample. */
struct sample_event {
    const char *word; /* "paid": the same for all shops; NULL: it has only the shop's name */
    const char *type; /* the shop's own name of it */
    const char *body;
};

struct sample {
    const struct sample_event *event;
    const char *order, *address;
    const char *product; /* may be NULL if the event tells none */
    const char *nonce;   /* letters and digits that no other sample has */
    int64_t now;
};

/* The words and types of all events, for people. */
void sample_events(enum provider provider, struct buf *out);
/* The event by its word ("paid"), by the shop's own name ("charge.refunded"), or by a word in the
 * shop's spelling ("order.paid", "orders/paid"); NULL: there is none. */
const struct sample_event *sample_event(enum provider provider, const char *name);
bool sample_tells_product(const struct sample_event *event);
bool sample_tells_address(const struct sample_event *event);
/* Whether an id is one that the provider could have given. */
bool sample_order_fits(enum provider provider, const char *id);
bool sample_product_fits(enum provider provider, const char *id);
/* The body, and the headers that the shop sends with it but for the signature, as whole lines. */
void sample_write(enum provider provider, const struct sample *sample, struct buf *body,
                  struct buf *headers);

#endif
