/*
 * Deliveries: signed bodies on their way from a shop to the front, as the shop would send them,
 * with the log of what was answered. Started in order, a few at a time, never tried again.
 */
#ifndef SANDBOX_DELIVERY_H
#define SANDBOX_DELIVERY_H

#include "sandbox.h"
#include "tree.h"

struct parcel {
    const char *source;   /* the section's name */
    const char *topic;    /* "order.updated", or "ping" */
    int64_t webhook;      /* the shop's webhook, or 0: sent by hand */
    int64_t order;        /* or 0 */
    const char *event_id; /* where the scheme signs one; or NULL */
    const char *body;
    size_t len;
    bool ping; /* a form, unsigned, as WooCommerce greets a new webhook */
};

struct deliveries *deliveries_new(struct sandbox *sandbox);
/* Before the client is freed: what is under way is completed by that. */
void deliveries_free(struct deliveries *deliveries);
/* Signs now, applies the faults, sends. False if the source is not configured. */
bool delivery_send(struct sandbox *sandbox, const struct parcel *parcel);
/* Sends the very same bytes again; false if that delivery is not in the log. */
bool delivery_again(struct sandbox *sandbox, int64_t id);
/* Sends every delivery that a fault dropped, as they are; returns how many. */
size_t delivery_dropped_again(struct sandbox *sandbox);
/* How many are waiting or under way. */
size_t deliveries_open(const struct deliveries *deliveries);
/* The newest `limit` entries, oldest first, of one order or (0) of all. */
struct json_object *deliveries_tree(struct deliveries *deliveries, int64_t order, size_t limit);

#endif
