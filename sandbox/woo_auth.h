/*
 * Who may ask a shop's REST API: the consumer key and secret of the source's api_key_file, by HTTP
 * Basic, in the query, or by OAuth 1.0a one-legged with HMAC-SHA256, as WooCommerce
 * wants it over plain http.
 */
#ifndef SANDBOX_WOO_AUTH_H
#define SANDBOX_WOO_AUTH_H

#include "reply.h"

/* True, or false after answering 401 in WordPress's words. */
bool woo_authenticate(struct visit *visit);

#endif
