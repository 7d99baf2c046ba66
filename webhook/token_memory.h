/*
 * idTokens that were verified, by their SHA-256, until they expire: a plugin sends the same one
 * again and again. Bounded; whoever is forgotten is verified again.
 *
 * The digest needs no key. A token is found only by who has all of its bytes, MAC included; none is
 * put in before its MAC was verified, so nobody chooses what stands here; and the table, which is
 * never shown to anyone, holds no token.
 */
#ifndef WEBHOOK_TOKEN_MEMORY_H
#define WEBHOOK_TOKEN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "miro/id_token.h"

struct token_memory;

struct token_memory *token_memory_new(void);
void token_memory_free(struct token_memory *memory);
/* When the settings change: secrets, apps and leeways may be others now. */
void token_memory_clear(struct token_memory *memory);

/* Whether a token with this digest was verified under these settings, and is good at `now`. */
bool token_memory_find(const struct token_memory *memory, const unsigned char digest[DIGEST_LEN],
                       int64_t now, struct id_token *out) __attribute__((warn_unused_result));
/* Keeps one that id_token_verify() accepted at `now`. */
void token_memory_keep(struct token_memory *memory, const unsigned char digest[DIGEST_LEN],
                       int64_t now, const struct id_token *token);

#endif
