#include "backoff.h"

#include "base/clock.h"
#include "base/digest.h"

int64_t backoff_delay(int64_t base, int64_t most, uint32_t attempt, uint32_t random)
{
    int64_t whole = base, half;

    for (uint32_t i = 0; i < attempt && whole < most; i++)
        whole *= 2;
    if (whole > most)
        whole = most;
    half = whole / 2;
    return half + (int64_t)((double)half * ((double)random / (double)UINT32_MAX));
}

int64_t backoff(uint32_t attempt)
{
    uint32_t random;

    digest_random(&random, sizeof(random));
    return backoff_delay(2 * TIME_SECOND, TIME_HOUR, attempt, random);
}
