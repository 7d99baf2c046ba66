/*
 * The objects of the stand-in Stripe, as its API and its events tell them: in the shape of
 * 2025-03-31.basil, or in that before it.
 *
 * Every id ends in the id of the part that it stands for. A session and its customer stand for the
 * sale itself; a payment intent, a charge and an invoice for one payment; a price is the item's
 * `variant` (or "price_" and its product), a lookup_key its sku.
 */
#ifndef SANDBOX_STRIPE_JSON_H
#define SANDBOX_STRIPE_JSON_H

#include "stand.h"

#define STRIPE_VERSION "2025-03-31.basil"
#define STRIPE_OLD_VERSION "2024-06-20"
#define STRIPE_ID 64

/* What stands inside an object in place of its id. */
enum stripe_expand {
    EXPAND_LINE_ITEMS = 1 << 0,
    EXPAND_INTENT = 1 << 1,
    EXPAND_CHARGE = 1 << 2,
    EXPAND_REFUNDS = 1 << 3,
    EXPAND_INVOICE = 1 << 4, /* a subscription's latest, or the one that a payment paid */
    EXPAND_PAYMENTS = 1 << 5,
    EXPAND_CUSTOMER = 1 << 6,
};

/* A sale as it is told, and how. */
struct stripe_view {
    const struct stand_shop *shop;
    const struct sale *sale;
    unsigned expand;
    bool old; /* as before 2025-03-31.basil */
};

/* "pi_..." of a part. */
void stripe_id(const char *prefix, int64_t part, char out[STRIPE_ID]);
/* The id of a sale's session: cs_test_ or cs_live_. */
void stripe_session_id(const struct sale *sale, char out[STRIPE_ID]);
/* The part of an id that has this prefix, or 0. */
int64_t stripe_part(const char *id, const char *prefix);

struct json_object *stripe_session_tree(const struct stripe_view *view);
struct json_object *stripe_line_tree(const struct stripe_view *view, const struct sale_item *item);
struct json_object *stripe_intent_tree(const struct stripe_view *view, size_t payment);
struct json_object *stripe_charge_tree(const struct stripe_view *view, size_t payment);
struct json_object *stripe_refund_tree(const struct stripe_view *view,
                                       const struct sale_refund *refund);
struct json_object *stripe_dispute_tree(const struct stripe_view *view,
                                        const struct sale_dispute *dispute);
struct json_object *stripe_customer_tree(const struct stripe_view *view);
struct json_object *stripe_subscription_tree(const struct stripe_view *view);
struct json_object *stripe_subscription_item_tree(const struct stripe_view *view,
                                                  const struct sale_item *item);
struct json_object *stripe_invoice_tree(const struct stripe_view *view, size_t payment);
struct json_object *stripe_invoice_payment_tree(const struct stripe_view *view, size_t payment);

/* {"object":"list","data","has_more","url"}; takes the array. */
struct json_object *stripe_list_tree(struct json_object *data, bool has_more, const char *url);
/* Whether money was taken for it, so that there is a payment intent and a charge. */
bool stripe_is_charged(const struct sale *sale, size_t payment);

#endif
