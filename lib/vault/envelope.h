/*
 * The bytes of an envelope:  version(1) | kid length(1) | kid | nonce(12) | ciphertext | tag(16).
 * Parsing looks at nothing but lengths, the version and the kid's letters.
 */
#ifndef VAULT_ENVELOPE_H
#define VAULT_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/digest.h"

#define ENVELOPE_VERSION 1
#define ENVELOPE_KID_MAX 32
#define ENVELOPE_NONCE_LEN 12
#define ENVELOPE_TAG_LEN 16
#define ENVELOPE_KEY_LEN 32 /* AES-256 */

/* Views into the sealed bytes. */
struct envelope {
    struct span head; /* all before the ciphertext: authenticated with it */
    struct span kid;
    struct span nonce;
    struct span ciphertext;
    struct span tag;
};

/* 1 to 32 of [A-Za-z0-9._-]. */
bool envelope_kid_is_valid(const char *kid, size_t len);
/* 0, or -1 if it is none or cut short. */
int envelope_parse(struct span sealed, struct envelope *out) __attribute__((warn_unused_result));

/* Appends an envelope under a fresh nonce; dies if OpenSSL fails. */
void envelope_seal(const unsigned char key[ENVELOPE_KEY_LEN], const char *kid, struct span context,
                   struct span plain, struct buf *out);
/* Appends the plaintext; -1 leaves `out` as it was. */
int envelope_open(const unsigned char key[ENVELOPE_KEY_LEN], const struct envelope *envelope,
                  struct span context, struct buf *out) __attribute__((warn_unused_result));

#endif
