/* Until when a subscription is paid: what its own states say, and what single bills add to them. */
#ifndef ENTITLEMENT_TERM_H
#define ENTITLEMENT_TERM_H

#include "entitlement/order.h"

/*
 * The state that counts, or NULL if the order is no subscription; a function of the set of states.
 *
 * An ACTIVE or PAST_DUE state that tells both when a period began (unpaid_since) and its end, after
 * that (paid_until), is the word of one bill: that period was paid, or was not. It knows nothing
 * else of the subscription. So it extends one that runs, makes it past due or ends that, and never
 * brings back what was cancelled, paused or is over.
 */
const struct fact_subscription *term_latest(const struct known_order *order);

#endif
