/*
 * How much each of many may still do: a rate, and a burst on top. What somebody did lately is a
 * debt that time pays off; who owes nothing takes no room. In bounded memory: see
 * allowances_take().
 */
#ifndef WEBHOOK_ALLOWANCES_H
#define WEBHOOK_ALLOWANCES_H

#include <stddef.h>
#include <stdint.h>

/* One more costs `each_us`; a debt over `most_us` must be waited for. */
struct allowance_rate {
    int64_t each_us, most_us;
};
/* `count` in `per_us`, of which `burst` may come at once. */
struct allowance_rate allowance_rate_of(int64_t count, int64_t per_us, int64_t burst);

/* A single debt: `paid_at` is when it is paid off, 0 at first. Takes one: 0, or the microseconds
 * until there is one to take. */
int64_t allowance_take(int64_t *paid_at, const struct allowance_rate *rate, int64_t now)
    __attribute__((warn_unused_result));

struct allowances;

struct allowances *allowances_new(size_t room); /* a multiple of eight */
void allowances_free(struct allowances *allowances);
/*
 * The same for whoever `bytes` names, at `now`, which is monotonic. Where those who share a place
 * all owe something and a new one comes, the smallest debt is forgotten: nobody is refused because
 * the table is full, and those who do the most are remembered the longest.
 */
int64_t allowances_take(struct allowances *allowances, const void *bytes, size_t len,
                        const struct allowance_rate *rate, int64_t now)
    __attribute__((warn_unused_result));

#endif
