/*
 * The objects of the stand-in Paddle Billing, as its API and its events tell them.
 *
 * An id says when its object was made, and of which part it is: ids sort by time, as Paddle's do. A
 * sale's first transaction and its customer stand for the sale itself; later transactions for a
 * payment each; an adjustment for a refund, a dispute, or that a dispute was won. A price is the
 * item's `variant` (or "pri_" and its product).
 */
#ifndef SANDBOX_PADDLE_JSON_H
#define SANDBOX_PADDLE_JSON_H

#include "stand.h"

#define PADDLE_ID 64

/* A sale as it is told, and with what. */
struct paddle_view {
    const struct sale *sale;
    bool customer, adjustments; /* stand inside a transaction */
};

/* What an adjustment is of. */
enum paddle_adjusts { PADDLE_REFUND, PADDLE_DISPUTE, PADDLE_REVERSAL };
struct paddle_adjustment {
    enum paddle_adjusts of;
    size_t at; /* the place of the refund or the dispute */
};

void paddle_id(const char *prefix, int64_t created, int64_t part, char out[PADDLE_ID]);
/* The part and the time in an id that has this prefix; false if it is none. */
bool paddle_part(const char *id, const char *prefix, int64_t *created, int64_t *part);
void paddle_put_time(struct json_object *tree, const char *key, int64_t time);

/* A sale has at least one: unpaid, it is billed. */
size_t paddle_transactions(const struct sale *sale);
int64_t paddle_transaction_part(const struct sale *sale, size_t at);
int64_t paddle_transaction_created(const struct sale *sale, size_t at);
int64_t paddle_transaction_updated(const struct sale *sale, size_t at);
const char *paddle_transaction_status(const struct sale *sale, size_t at);
struct json_object *paddle_transaction_tree(const struct paddle_view *view, size_t at);

struct json_object *paddle_product_tree(const struct sale_item *item);

/* How many there are, and which: in no order. */
size_t paddle_adjustments(const struct sale *sale);
struct paddle_adjustment paddle_adjustment_at(const struct sale *sale, size_t at);
int64_t paddle_adjustment_created(const struct sale *sale, struct paddle_adjustment adjustment);
int64_t paddle_adjustment_part(const struct sale *sale, struct paddle_adjustment adjustment);
struct json_object *paddle_adjustment_tree(const struct sale *sale,
                                           struct paddle_adjustment adjustment);

/* `created`: told when it was made, with the transaction that began it. */
struct json_object *paddle_subscription_tree(const struct sale *sale, bool created);
struct json_object *paddle_customer_tree(const struct sale *sale);

#endif
