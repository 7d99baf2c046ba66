#include "net/http_retry.h"

#include "base/clock.h"
#include "base/limits.h"

#define MOST (LIMIT_FETCH_RETRY_S * TIME_SECOND)
#define WHOLE_DIGITS 11 /* seconds until the year 5138; cannot overflow as microseconds */

/* 1*11DIGIT [ "." 1*DIGIT ], what stands after the sixth decimal ignored; -1 if it is not that. */
static int64_t read_seconds(const char *text, size_t len)
{
    int64_t whole = 0, fraction = 0, unit = TIME_SECOND;
    size_t at = 0;
    for (; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
        if (at == WHOLE_DIGITS) {
            return -1;
        }
        whole = whole * 10 + (text[at] - '0');
    }
    if (at == 0 || (at < len && (text[at] != '.' || at + 1 == len))) {
        return -1;
    }
    for (at++; at < len; at++) {
        if (text[at] < '0' || text[at] > '9') {
            return -1;
        }
        unit /= 10;
        fraction += (text[at] - '0') * unit;
    }
    return whole * TIME_SECOND + fraction;
}

static int64_t bounded(int64_t delay)
{
    return delay < 0 ? 0 : delay > MOST ? MOST : delay;
}

int64_t http_retry_after(const char *value, size_t len, int64_t now)
{
    int64_t at, seconds = read_seconds(value, len);
    if (seconds >= 0) {
        return bounded(seconds);
    }
    return clock_parse_http(value, len, &at) == 0 ? bounded(at - now) : -1;
}

int64_t http_rate_limit_reset(const char *value, size_t len, int64_t now)
{
    int64_t at = read_seconds(value, len);
    return at >= 0 ? bounded(at - now) : -1;
}
