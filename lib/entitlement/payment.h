/*
 * Which of a subscription's payments a word is about. A shop speaks of a payment for as long as it
 * keeps it: a refund, a correction or a re-read touches it long after the next one was made. So a
 * word counts by when its payment was made, never by when it was said.
 */
#ifndef ENTITLEMENT_PAYMENT_H
#define ENTITLEMENT_PAYMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "entitlement/order.h"

struct payments {
    const struct known_order *order;
    /* Of each snapshot, when the payment that it names was made: as early as any word on that
     * payment says. Of one that names none, its own time of payment, else its time. Of an order
     * that is paid once, its time. */
    int64_t *made;
    const struct known_snapshot *money; /* the latest word on the running payment; NULL: no word */
    const char *running;                /* that payment's name, or NULL: not told */
    int64_t second;                     /* when the payment after the first was made */
    bool has_second;
};
/* A function of the set of snapshots. Borrows from the order. */
void payments_weigh(const struct known_order *order, struct payments *out);
void payments_free(struct payments *payments); /* the contents */

int64_t payments_made(const struct payments *payments, const struct known_snapshot *snapshot);
/* Whether it is about another payment than the running one, and nothing later. */
bool payments_is_past(const struct payments *payments, const struct known_snapshot *snapshot);
/* Whether it is about the first payment, or from before the second. */
bool payments_is_first(const struct payments *payments, const struct known_snapshot *snapshot);

#endif
