/*
 * What the providers' signatures have in common, private to this room: an HMAC-SHA256 over the raw
 * body (or over id, time and body), in a header that must stand there exactly once.
 */
#ifndef SHOPS_SIGNATURE_H
#define SHOPS_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "shops/shop.h"

/* The one header of this name, or NULL if there is none, or more than one. */
const struct http_header *signature_header(const struct shop_delivery *delivery, const char *name);
bool signature_has_header(const struct shop_delivery *delivery, const char *name);

/* Verifies base64(HMAC-SHA256(secret, body)) in the provider's header, under every secret. Fills
 * `receipt` with the body's digest as the key, and the topic. */
enum shop_verdict signature_verify_body(const struct settings_source *source,
                                        const struct shop_delivery *delivery,
                                        struct shop_receipt *receipt)
    __attribute__((warn_unused_result));
/* Appends that header, under the first secret. */
void signature_sign_body(const struct settings_source *source, const char *body, size_t len,
                         struct buf *headers);

#endif
