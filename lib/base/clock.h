/*
 * Time is int64_t microseconds since 1970 UTC everywhere in this program; a missing time is
 * TIME_NONE.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define TIME_NONE INT64_MIN
#define TIME_SECOND INT64_C(1000000)
#define TIME_MINUTE (60 * TIME_SECOND)
#define TIME_HOUR (60 * TIME_MINUTE)
#define TIME_DAY (24 * TIME_HOUR)
#define TIME_TEXT 32 /* room for clock_format() */

int64_t clock_now(void);       /* wall clock */
int64_t clock_monotonic(void); /* for deadlines and durations only */

/* "2026-11-23T10:00:00Z", with a fraction only where there is one. */
void clock_format(int64_t time, char out[TIME_TEXT]);
/*
 * RFC 3339 with any offset and 0 to 9 decimals (digits past the sixth are cut); a time without an
 * offset is read as UTC, which is what WooCommerce's `*_gmt` fields are. 0 or -1.
 */
int clock_parse(const char *text, size_t len, int64_t *out) __attribute__((warn_unused_result));
/* The Date header, IMF-fixdate only. 0 or -1. */
int clock_parse_http(const char *text, size_t len, int64_t *out)
    __attribute__((warn_unused_result));
void clock_format_http(int64_t time, char out[TIME_TEXT]);

#endif
