/*
 * The stand-in Stripe's REST API.
 */
#ifndef SANDBOX_STRIPE_REST_H
#define SANDBOX_STRIPE_REST_H

#include "route.h"

extern const struct route stripe_routes[];

#endif
