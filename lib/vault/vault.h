/*
 * What is sealed at rest, and how it is found again.
 *
 * An envelope is  version(1) | kid length(1) | kid | nonce(12) | ciphertext | tag(16), AES-256-GCM,
 * with the bytes before the ciphertext and the row's own context as associated data: an envelope
 * moved to another row, column or purpose does not open. Every purpose has its own key, derived
 * from the keyring's by HKDF. Random nonces: stay below 2^32 envelopes a key, and rotate.
 *
 * The blind index is HMAC-SHA256 of a normalised address under a random key that `migrate` makes
 * once and stores sealed; it survives every rotation of the keyring.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/secret.h"

enum vault_purpose {
    VAULT_BODY,      /* a delivery's raw body */
    VAULT_ADDRESS,   /* an e-mail address */
    VAULT_TOKEN,     /* a Miro access or refresh token */
    VAULT_INDEX_KEY, /* the blind index key itself */
    VAULT_FACTS,     /* what a resync read and has not applied yet */
    VAULT_SPOOL,     /* a delivery's raw body, in a front's spool */
    VAULT_PURPOSES
};
enum vault_mac {
    VAULT_MAC_STATE,     /* OAuth state */
    VAULT_MAC_REFERENCE, /* buyer references */
    VAULT_MAC_CLAIM,     /* codes of claims */
    VAULT_MACS
};

struct vault;

/* From keyring lines `kid:base64(32 bytes)`: the first seals, all open. kid: 1 to 32 of
 * [A-Za-z0-9._-], unique. NULL with a sentence in `error`. */
struct vault *vault_new(const struct secret_list *keyring, struct buf *error)
    __attribute__((warn_unused_result));
void vault_free(struct vault *vault); /* wipes */
const char *vault_active_kid(const struct vault *vault);
/* The ring's keys in their order. A key's mark tells it from another with the same kid, and nothing
 * else of it. */
#define VAULT_MARK_LEN 8
struct vault_key_name {
    const char *kid;
    const unsigned char *mark;
};
size_t vault_key_count(const struct vault *vault);
struct vault_key_name vault_key_name(const struct vault *vault, size_t number);
/* The ring's key of that kid; -1: it has none. */
int vault_find_kid(const struct vault *vault, const char *kid, struct vault_key_name *out)
    __attribute__((warn_unused_result));

/* Appends the envelope of `plain` to `out`. `context` names the row: "token.access|app|user|team".
 */
void vault_seal(const struct vault *vault, enum vault_purpose purpose, struct span context,
                struct span plain, struct buf *out);
/* Appends the plaintext. -1: truncated, unknown kid, other context, tampered; `out` is as it was.
 */
int vault_open(const struct vault *vault, enum vault_purpose purpose, struct span context,
               struct span sealed, struct buf *out) __attribute__((warn_unused_result));
/* Appends the same plaintext in an envelope of the active key. -1 as vault_open(). */
int vault_reseal(const struct vault *vault, enum vault_purpose purpose, struct span context,
                 struct span sealed, struct buf *out) __attribute__((warn_unused_result));
/* The kid an envelope names, as a new string, or NULL. Its first VAULT_HEAD_MOST bytes will do. */
#define VAULT_HEAD_MOST 64
char *vault_envelope_kid(struct span sealed);

/* What ties the index key's envelope to its place. */
#define VAULT_INDEX_KEY_CONTEXT SPAN_TEXT("index key")
/* Makes a new random index key, keeps it, and appends its envelope, to be stored. */
void vault_index_key_make(struct vault *vault, struct buf *sealed);
/* Takes the stored one. -1: the keyring does not open it: the wrong keyring. */
int vault_index_key_load(struct vault *vault, struct span sealed)
    __attribute__((warn_unused_result));
bool vault_has_index_key(const struct vault *vault);
/* Dies without an index key. */
void vault_index(const struct vault *vault, const char *normalised_address,
                 unsigned char out[DIGEST_LEN]);

/* kid "." base64url(HMAC): with the active key; any key of the ring verifies. */
void vault_sign(const struct vault *vault, enum vault_mac purpose, struct span message,
                struct buf *out);
bool vault_verify(const struct vault *vault, enum vault_mac purpose, struct span message,
                  const char *signature, size_t len);

#endif
