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
    const char *headers; /* further whole lines, or NULL */
    bool form;           /* application/x-www-form-urlencoded; else JSON */
    bool ping;           /* a form, unsigned, as WooCommerce greets a new webhook */
};

/* Which entries a list is about. */
struct delivery_filter {
    const char *source; /* or NULL: of all */
    int64_t order;      /* or 0: of all */
    bool held;          /* those that are held alone, with path, headers and body */
    size_t limit;       /* the newest so many */
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
/* Lets go what is held, of an order or (0) of all: sends it, or throws it away; returns how many.
 */
size_t delivery_release(struct sandbox *sandbox, const char *source, int64_t order, bool send);
/* How many are waiting or under way. */
size_t deliveries_open(const struct deliveries *deliveries);
/* How many wait for their turn. */
size_t deliveries_waiting(const struct deliveries *deliveries);
/* The entries that fit, oldest first. */
struct json_object *deliveries_tree(struct deliveries *deliveries,
                                    const struct delivery_filter *filter);

#endif
