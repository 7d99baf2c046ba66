/*
 * The chain of evidence behind a key: each contribution, the rule that made it, its order, the
 * snapshot that counts, the delivery that told it, and the digest of the bytes that the shop
 * signed.
 */
#ifndef CTL_CHAIN_H
#define CTL_CHAIN_H

#include "page.h"
#include "person.h"

struct chain;

struct chain *chain_new(void);
void chain_free(struct chain *chain);
/* Adds every contribution of the subjects to `key`. */
enum exit_code chain_walk(struct ctl *ctl, const struct subjects *subjects, const char *key,
                          struct chain *chain) __attribute__((warn_unused_result));
void chain_print(const struct chain *chain);
void chain_write(const struct chain *chain, struct writer *writer, const char *name);

#endif
