/*
 * When a server wants to be asked again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "net/http_retry.h"

#define NOW (INT64_C(1795428000) * TIME_SECOND) /* Mon, 23 Nov 2026 10:00:00 GMT */
#define MOST (LIMIT_FETCH_RETRY_S * TIME_SECOND)

static const struct {
    const char *text;
    int64_t after;
} retry_after[] = {
    {"0", 0},
    {"1", TIME_SECOND},
    {"120", 120 * TIME_SECOND},
    {"2.0", 2 * TIME_SECOND},
    {"0.25", 250000},
    {"1.0000009", TIME_SECOND},
    {"99999999999", MOST},
    {"Mon, 23 Nov 2026 10:01:30 GMT", 90 * TIME_SECOND},
    {"Mon, 23 Nov 2026 09:00:00 GMT", 0},
    {"Tue, 23 Nov 2027 10:00:00 GMT", MOST},
    {"", -1},
    {"-1", -1},
    {"+1", -1},
    {"1s", -1},
    {"1.", -1},
    {".5", -1},
    {"1e3", -1},
    {"100000000000", -1},
    {"soon", -1},
};

static const struct {
    const char *text;
    int64_t after;
} reset[] = {
    {"1795428030", 30 * TIME_SECOND},      {"1795427000", 0}, {"99999999999", MOST}, {"", -1},
    {"Mon, 23 Nov 2026 10:01:30 GMT", -1}, {"x", -1},
};

static void delays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(retry_after) / sizeof(retry_after[0]); i++) {
        const char *text = retry_after[i].text;
        int64_t got = http_retry_after(text, strlen(text), NOW);
        if (got != retry_after[i].after) {
            fail_msg("Retry-After: %s gave %lld", text, (long long)got);
        }
    }
    for (size_t i = 0; i < sizeof(reset) / sizeof(reset[0]); i++) {
        const char *text = reset[i].text;
        int64_t got = http_rate_limit_reset(text, strlen(text), NOW);
        if (got != reset[i].after) {
            fail_msg("X-RateLimit-Reset: %s gave %lld", text, (long long)got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
