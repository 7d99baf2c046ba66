/*
 * What the providers' signatures have in common, private to this room: an HMAC-SHA256 over the raw
 * body (or over id, time and body), in a header that must stand there exactly once.
 *
 * signature.c: base64 or hex of the MAC over the body, and nothing else in the header.
 * signature_timed.c: a list that tells the time that is signed too (Stripe, Paddle):
 *
 *     header = field *( separator field )     field = name "=" value
 *     signed = time joint body                MAC in lower-case hex
 */
#ifndef SHOPS_SIGNATURE_H
#define SHOPS_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "shops/shop.h"

/* The one header of this name, or NULL if there is none, or more than one. */
const struct http_header *signature_header(const struct shop_delivery *delivery, const char *name);
bool signature_has_header(const struct shop_delivery *delivery, const char *name);

/* Verifies the text of HMAC-SHA256(secret, body) in the provider's header, under every secret.
 * Fills `receipt` with the body's digest as the key, and the topic. */
enum shop_verdict signature_verify_body(const struct settings_source *source,
                                        const struct shop_delivery *delivery,
                                        struct shop_receipt *receipt)
    __attribute__((warn_unused_result));
/* Appends that header, under the first secret. */
void signature_sign_body(const struct settings_source *source, const char *body, size_t len,
                         struct buf *headers);

/* Verifies the list of a provider that signs the time: one time, any of the MACs, any secret; the
 * time is held against the replay window once a MAC is right. The caller fills the receipt. */
enum shop_verdict signature_verify_timed(const struct settings_source *source,
                                         const struct shop_delivery *delivery)
    __attribute__((warn_unused_result));
void signature_sign_timed(const struct settings_source *source, int64_t now, const char *body,
                          size_t len, struct buf *headers);

/* Fills the receipt of a verified event: the key from the text at `id_key`, or from the whole body
 * if there is none that can be one; the topic from the text at `type_key`. */
void signature_receipt_event(const struct shop_delivery *delivery, const char *id_key,
                             const char *type_key, struct shop_receipt *receipt);

#endif
