#include "base/hash.h"

#include <string.h>

#include "base/digest.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

void hash_key_make(struct hash_key *out)
{
    digest_random(out, sizeof(*out));
}

static uint64_t turn_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v1 = turn_left(sip->v1, 13) ^ sip->v0;
    sip->v0 = turn_left(sip->v0, 32);
    sip->v2 += sip->v3;
    sip->v3 = turn_left(sip->v3, 16) ^ sip->v2;
    sip->v0 += sip->v3;
    sip->v3 = turn_left(sip->v3, 21) ^ sip->v0;
    sip->v2 += sip->v1;
    sip->v1 = turn_left(sip->v1, 17) ^ sip->v2;
    sip->v2 = turn_left(sip->v2, 32);
}

/* Two rounds a word: the first figure of the name. */
static void sip_word(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip_round(sip);
    sip->v0 ^= word;
}

/* Up to eight bytes, the first one lowest. */
static uint64_t word_of(const unsigned char *bytes, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    struct sip sip = {.v0 = key->half[0] ^ UINT64_C(0x736f6d6570736575),
                      .v1 = key->half[1] ^ UINT64_C(0x646f72616e646f6d),
                      .v2 = key->half[0] ^ UINT64_C(0x6c7967656e657261),
                      .v3 = key->half[1] ^ UINT64_C(0x7465646279746573)};
    size_t left = len;
    for (; left >= 8; left -= 8, at += 8)
        sip_word(&sip, word_of(at, 8));
    sip_word(&sip, word_of(at, left) | (uint64_t)len << 56);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}
