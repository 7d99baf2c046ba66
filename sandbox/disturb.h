/*
 * What goes wrong on order: which of the deliveries and calls a seed strikes, and what a shop's API
 * answers in place of the truth.
 */
#ifndef SANDBOX_DISTURB_H
#define SANDBOX_DISTURB_H

#include "reply.h"

/* Whether a call of a shop's API was answered by a fault: 429, 500, a page, 404. `visit` is of a
 * stand, or else of a WooCommerce shop. */
bool disturb_call(struct visit *visit);
/* A page of a list was told: under page_under_writes, sales of the shop change before the next. */
void disturb_page(struct visit *visit);

const char *api_mode_name(enum api_mode mode);
/* False if there is no such mode. */
bool api_mode_of(const char *name, enum api_mode *mode);

#endif
