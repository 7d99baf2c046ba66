/*
 * Many at once: thousands of orders or sales with mixed fates, all decided by a seed, made as fast
 * as their deliveries flow off.
 */
#ifndef SANDBOX_MANY_H
#define SANDBOX_MANY_H

#include "sandbox.h"

struct many *many_new(struct sandbox *sandbox);
void many_free(struct many *many);
/* How many are still to be made. */
int64_t many_left(const struct sandbox *sandbox);

#endif
