/*
 * When a server wants to be asked again, as microseconds from `now`; -1 if the text says nothing
 * that can be understood. At most LIMIT_FETCH_RETRY_S, never negative otherwise.
 */
#ifndef NET_HTTP_RETRY_H
#define NET_HTTP_RETRY_H

#include <stddef.h>
#include <stdint.h>

/* Retry-After: seconds, decimals too ("2.0" is what Shopify sends), or an HTTP date. */
int64_t http_retry_after(const char *value, size_t len, int64_t now);
/* X-RateLimit-Reset: seconds since 1970. */
int64_t http_rate_limit_reset(const char *value, size_t len, int64_t now);

#endif
