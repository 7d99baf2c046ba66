/*
 * Digests, MACs and their text forms, over OpenSSL. Comparisons are constant-time. The functions
 * that return nothing die if OpenSSL fails, for then nothing this program says could be trusted.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define DIGEST_LEN 32

/* A run of bytes that belongs to somebody else. */
struct span {
    const void *bytes;
    size_t len;
};
#define SPAN_TEXT(text) ((struct span){(text), strlen(text)})

void digest_sha256(const void *bytes, size_t len, unsigned char out[DIGEST_LEN]);
/* Over several parts, each preceded by its length, so that no two lists of parts collide. */
void digest_sha256_parts(const struct span *parts, size_t count, unsigned char out[DIGEST_LEN]);
/* HMAC-SHA256 over the parts laid end to end. */
void digest_hmac_sha256(const void *key, size_t key_len, const struct span *parts, size_t count,
                        unsigned char out[DIGEST_LEN]);
/* HKDF-SHA256 without salt: a key for one purpose, named by `info`. */
void digest_hkdf(const void *key, size_t key_len, const char *info, unsigned char out[DIGEST_LEN]);
void digest_random(void *out, size_t len);
/* False at once if the lengths differ. */
bool digest_equal(const void *a, size_t a_len, const void *b, size_t b_len);

void digest_hex(const void *bytes, size_t len, struct buf *out);
void digest_base64(const void *bytes, size_t len, struct buf *out);
void digest_base64url(const void *bytes, size_t len, struct buf *out); /* no padding */
/*
 * Strict decoders: the whole input, canonical, or -1. base64 wants its padding unless
 * `lax_padding`; base64url wants none.
 */
int digest_unhex(const char *text, size_t len, struct buf *out) __attribute__((warn_unused_result));
int digest_unbase64(const char *text, size_t len, bool lax_padding, struct buf *out)
    __attribute__((warn_unused_result));
int digest_unbase64url(const char *text, size_t len, struct buf *out)
    __attribute__((warn_unused_result));

#endif
