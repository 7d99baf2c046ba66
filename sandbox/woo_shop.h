/*
 * A stand-in WooCommerce shop, one for each source of that provider: its products, orders, and the
 * four webhooks that tell of orders, in memory.
 */
#ifndef SANDBOX_WOO_SHOP_H
#define SANDBOX_WOO_SHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roster.h"
#include "sandbox.h"

#define WOO_UTC_OFFSET_S \
    7200 /* the shop's own clock is ahead of UTC: fields without _gmt show it */
#define WOO_WEBHOOKS 4

struct woo_order;

struct woo_product {
    int64_t id, cents;
    const char *name, *sku, *about;
    const char *unlocks; /* the entitlement key that the demo's catalogue gives for it, or NULL */
    bool is_virtual;
};
extern const struct woo_product woo_products[];
extern const size_t woo_product_count;

struct woo_webhook {
    int64_t id;
    const char *name, *event; /* "created": of order.created */
    const char *status;       /* "active", "paused", "disabled" */
    int64_t failures;         /* in a row */
    int64_t modified;
};

struct woo_shop {
    char *source;  /* the section's name */
    char *home;    /* "http://127.0.0.1:8090" or ".../shops/NAME": where its REST API begins */
    int64_t began; /* when it was made */
    struct woo_order **orders; /* by id, oldest first */
    size_t count, room;
    /* The same by time, those in the trash (1) apart from the others (0). */
    struct roster created[2], modified[2];
    int64_t next_post, next_line, next_meta;
    struct woo_webhook webhooks[WOO_WEBHOOKS];
};

struct woo_shop *woo_shop_new(const char *source, const char *home);
void woo_shop_free(struct woo_shop *shop);
const struct woo_product *woo_product_find(int64_t id);
struct woo_order *woo_shop_find(struct woo_shop *shop, int64_t id); /* or NULL */
/* After an order was changed: keeps the shop's lists in order. */
void woo_shop_moved(struct woo_shop *shop, struct woo_order *order);
/* False if the shop is full; the order is then still the caller's. */
bool woo_shop_add(struct woo_shop *shop, struct woo_order *order);
void woo_shop_remove(struct woo_shop *shop, int64_t id);
struct woo_webhook *woo_webhook_find(struct woo_shop *shop, int64_t id);

/* Tells every active webhook of the event ("created", "updated", "deleted", "restored"). */
void woo_shop_event(struct sandbox *sandbox, struct woo_shop *shop, const struct woo_order *order,
                    const char *event);
/* The answer of a delivery: the 7th failure in a row disables the webhook. */
void woo_webhook_result(struct sandbox *sandbox, const char *source, int64_t webhook, bool success);
/* Saving an active webhook forgets its failures and sends the unsigned ping. */
void woo_webhook_save(struct sandbox *sandbox, struct woo_shop *shop, struct woo_webhook *webhook,
                      const char *status);

#endif
