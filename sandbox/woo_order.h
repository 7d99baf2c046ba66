/*
 * An order of the stand-in WooCommerce, and what can happen to it. Amounts are cents. Every change
 * moves `modified`, which has a resolution of one second, as WooCommerce's has.
 */
#ifndef SANDBOX_WOO_ORDER_H
#define SANDBOX_WOO_ORDER_H

#include "tree.h"
#include "woo_shop.h"

struct woo_line {
    int64_t id, product, variation, quantity, cents; /* cents: of one */
    char *name, *sku;
    bool is_virtual;
};

struct woo_refund_line {
    int64_t id;
    size_t line; /* of the order, by place */
    int64_t quantity, cents;
    int64_t meta;
};

struct woo_refund {
    int64_t id, created, cents, meta;
    char *reason;
    bool full; /* it gave back all that was left */
    struct woo_refund_line *lines;
    size_t line_count;
};

struct woo_meta {
    int64_t id;
    char *key, *value;
};

struct woo_order {
    int64_t id;
    struct woo_shop *shop; /* that lists it; NULL: none yet */
    int64_t listed;        /* the time of change under which it does */
    bool listed_in_trash;
    char *status;
    char *before_trash; /* the status to return to; NULL: not in the trash */
    char *key, *address, *first_name, *last_name, *transaction, *customer_note;
    int64_t created, modified, paid, completed; /* TIME_NONE: not yet */
    struct woo_line *lines;
    size_t line_count;
    struct woo_refund **refunds; /* oldest first */
    size_t refund_count;
    struct woo_meta *meta;
    size_t meta_count;
};

/*
 * Reads an order as REST v3 writes it, or in the shorter words of the knobs: email (billing.email),
 * items or line_items of product or product_id, quantity, variation, sku, name, price; reference
 * (meta_data miro_reference); status. NULL with a sentence in *error.
 */
struct woo_order *woo_order_read(struct woo_shop *shop, struct json_object *input, int64_t now,
                                 const char **error);
void woo_order_free(struct woo_order *order);

int64_t woo_order_total(const struct woo_order *order);    /* cents */
int64_t woo_order_refunded(const struct woo_order *order); /* cents */
bool woo_order_needs_processing(const struct woo_order *order);
bool woo_status_known(const char *status);

void woo_order_set_status(struct woo_order *order, const char *status, int64_t now);
/* As a payment does: what needs no shipping is completed at once. */
void woo_order_pay(struct woo_order *order, int64_t now);
/* {"all":true}, {"amount":"5.00"}, {"lines":[{"line","quantity"}]}, or REST v3's refund. */
const struct woo_refund *woo_order_refund(struct woo_shop *shop, struct woo_order *order,
                                          struct json_object *input, int64_t now,
                                          const char **error);
bool woo_order_drop_refund(struct woo_order *order, int64_t refund, int64_t now);
void woo_order_trash(struct woo_order *order, int64_t now);
bool woo_order_restore(struct woo_order *order, int64_t now);
/* The privacy tool: the address becomes deleted@site.invalid. */
void woo_order_anonymise(struct woo_shop *shop, struct woo_order *order, int64_t now);
void woo_order_set_address(struct woo_order *order, const char *address, int64_t now);
/* Adds or replaces; a save of metadata alone leaves `modified` as it was. */
void woo_order_set_meta(struct woo_shop *shop, struct woo_order *order, const char *key,
                        const char *value);

#endif
