/*
 * How long to wait before trying again: a pure function of the attempt and a random number.
 */
#ifndef WORKER_BACKOFF_H
#define WORKER_BACKOFF_H

#include <stdint.h>

/*
 * Full jitter: between half and the whole of base * 2^attempt, at most `most`. `random` is any 32
 * bits; attempt 0 is the first failure.
 */
int64_t backoff_delay(int64_t base, int64_t most, uint32_t attempt, uint32_t random);
/* The worker's own: from 2 s to an hour, with a random number of its own. */
int64_t backoff(uint32_t attempt);

#endif
