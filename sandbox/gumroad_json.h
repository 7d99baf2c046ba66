/*
 * A sale as Gumroad tells it. What Gumroad calls a sale is one product and one payment, so that
 * ours makes several: one for each thing bought once, and for a subscription one for each payment.
 * Ids are opaque to everybody else: "S", the id of the sale's part, "==".
 */
#ifndef SANDBOX_GUMROAD_JSON_H
#define SANDBOX_GUMROAD_JSON_H

#include "stand.h"

#define GUMROAD_NO_PAYMENT SIZE_MAX

/* One of Gumroad's sales. */
struct gumroad_sale {
    const struct sale *sale;
    const struct sale_item *item;
    size_t payment; /* of ours, by place; GUMROAD_NO_PAYMENT: nothing had to be paid */
    int64_t id;     /* of the part that gives it its name */
    int64_t created;
    bool renewal;
};

/* How many Gumroad sales ours makes, and each of them. */
size_t gumroad_count(const struct sale *sale);
struct gumroad_sale gumroad_at(const struct sale *sale, size_t at);
/* The part's id in one of Gumroad's, or -1. */
int64_t gumroad_part(const char *id, char letter);
char *gumroad_sale_id(int64_t part);
char *gumroad_subscription_id(int64_t part);

/* As GET /v2/sales/ID tells it. */
struct json_object *gumroad_sale_tree(const struct gumroad_sale *one);
/* As GET /v2/subscribers/ID tells it; only of a sale that has one. */
struct json_object *gumroad_subscriber_tree(const struct sale *sale);
/* The form of a ping about one sale ("sale", "refund", "dispute", "dispute_won"). */
void gumroad_sale_form(const struct gumroad_sale *one, const char *resource, struct buf *out);
/* And about the subscription. */
void gumroad_subscription_form(const struct sale *sale, const char *resource, struct buf *out);

#endif
