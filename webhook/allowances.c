#include "allowances.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

#define WAYS 8 /* slots in which one name can stand: two cache lines */

/* A name is told by its hash alone: that two of a full table share one has a chance of 2^-33. */
struct slot {
    uint64_t hash;
    int64_t paid_at;
};

struct allowances {
    struct hash_key key;
    size_t sets;
    struct slot slots[][WAYS];
};

struct allowance_rate allowance_rate_of(int64_t count, int64_t per_us, int64_t burst)
{
    int64_t each_us = per_us > count ? per_us / count : 1;
    return (struct allowance_rate){.each_us = each_us, .most_us = each_us * burst};
}

int64_t allowance_take(int64_t *paid_at, const struct allowance_rate *rate, int64_t now)
{
    int64_t debt = *paid_at > now ? *paid_at - now : 0;
    if (debt + rate->each_us > rate->most_us)
        return debt + rate->each_us - rate->most_us;
    *paid_at = now + debt + rate->each_us;
    return 0;
}

struct allowances *allowances_new(size_t room)
{
    struct allowances *allowances =
        xcalloc(1, sizeof(*allowances) + room / WAYS * sizeof(allowances->slots[0]));
    allowances->sets = room / WAYS;
    hash_key_make(&allowances->key);
    return allowances;
}

void allowances_free(struct allowances *allowances)
{
    free(allowances);
}

/* Its own place, or that of whoever owes the least, whose debt, if any, is forgotten. */
static struct slot *slot_for(struct slot slots[WAYS], uint64_t hash)
{
    struct slot *least = &slots[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (slots[i].hash == hash)
            return &slots[i];
        if (slots[i].paid_at < least->paid_at)
            least = &slots[i];
    }
    *least = (struct slot){.hash = hash};
    return least;
}

int64_t allowances_take(struct allowances *allowances, const void *bytes, size_t len,
                        const struct allowance_rate *rate, int64_t now)
{
    uint64_t hash = hash_keyed(&allowances->key, bytes, len);
    struct slot *slots = allowances->slots[(hash >> 32) % allowances->sets];
    return allowance_take(&slot_for(slots, hash)->paid_at, rate, now);
}
