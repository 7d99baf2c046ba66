/*
 * SipHash-2-4, a keyed hash for tables whose keys strangers choose: without the key nobody can
 * make many of them fall together.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t half[2];
};

void hash_key_make(struct hash_key *out); /* at random */
uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t len);

#endif
