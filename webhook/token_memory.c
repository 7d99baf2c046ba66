#include "token_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define WAYS 8 /* slots in which one token can stand */
#define SETS (LIMIT_TOKENS_REMEMBERED / WAYS)

struct slot {
    unsigned char digest[DIGEST_LEN];
    int64_t verified_at; /* 0: free */
    struct id_token token;
};

/* A set's marks lie together, so that looking through them touches no slot but the right one. */
struct token_memory {
    uint32_t marks[SETS][WAYS]; /* of each slot's digest */
    struct slot slots[SETS][WAYS];
};

/* Other bits than those that choose the set. */
static uint32_t mark_of(const unsigned char digest[DIGEST_LEN])
{
    uint32_t bits;
    memcpy(&bits, digest + sizeof(bits), sizeof(bits));
    return bits;
}

struct token_memory *token_memory_new(void)
{
    return xcalloc(1, sizeof(struct token_memory));
}

void token_memory_free(struct token_memory *memory)
{
    free(memory);
}

void token_memory_clear(struct token_memory *memory)
{
    memset(memory, 0, sizeof(*memory));
}

static size_t set_of(const unsigned char digest[DIGEST_LEN])
{
    uint32_t bits;
    memcpy(&bits, digest, sizeof(bits));
    return bits % SETS;
}

/*
 * The verifier's rules as they apply later on: `exp` is asked for again; `iat`, `nbf` and all that
 * is not about time were good at verified_at, and stay so unless the clock was set back, in which
 * case the token is verified again.
 */
static bool slot_is_good(const struct slot *slot, int64_t now)
{
    return slot->verified_at != 0 && now >= slot->verified_at && now < slot->token.expires_at;
}

bool token_memory_find(const struct token_memory *memory, const unsigned char digest[DIGEST_LEN],
                       int64_t now, struct id_token *out)
{
    const size_t set = set_of(digest);
    const uint32_t mark = mark_of(digest);
    for (size_t i = 0; i < WAYS; i++) {
        const struct slot *slot = &memory->slots[set][i];
        if (memory->marks[set][i] != mark || !slot_is_good(slot, now) ||
            !digest_equal(slot->digest, DIGEST_LEN, digest, DIGEST_LEN))
            continue;
        *out = slot->token;
        return true;
    }
    return false;
}

/* The place of a new token: its own, else a free or useless one, else that of the token which ends
 * first. */
static struct slot *slot_for(struct slot *slots, const unsigned char digest[DIGEST_LEN],
                             int64_t now)
{
    struct slot *best = &slots[0];
    for (size_t i = 0; i < WAYS; i++) {
        struct slot *slot = &slots[i];
        if (digest_equal(slot->digest, DIGEST_LEN, digest, DIGEST_LEN))
            return slot;
        if (!slot_is_good(best, now))
            continue;
        if (!slot_is_good(slot, now) || slot->token.expires_at < best->token.expires_at)
            best = slot;
    }
    return best;
}

void token_memory_keep(struct token_memory *memory, const unsigned char digest[DIGEST_LEN],
                       int64_t now, const struct id_token *token)
{
    const size_t set = set_of(digest);
    struct slot *slot = slot_for(memory->slots[set], digest, now);
    memory->marks[set][slot - memory->slots[set]] = mark_of(digest);
    memcpy(slot->digest, digest, DIGEST_LEN);
    slot->verified_at = now;
    slot->token = *token;
}
