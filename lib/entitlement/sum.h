/*
 * Sums over what shops state. They are saturated, so that absurd numbers stay merely absurd: a sum
 * that is cut at the greatest number is the same in whatever order it was built.
 */
#ifndef ENTITLEMENT_SUM_H
#define ENTITLEMENT_SUM_H

#include <stdint.h>

/* What counts of a stated amount or quantity: nobody gives back less than nothing. */
static inline int64_t sum_count(int64_t stated)
{
    return stated > 0 ? stated : 0;
}

/* Both are counts. */
static inline int64_t sum_add(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* Both are counts; never below nothing. */
static inline int64_t sum_less(int64_t a, int64_t b)
{
    return a > b ? a - b : 0;
}

/* For comparators. */
static inline int sum_compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static inline int64_t sum_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
