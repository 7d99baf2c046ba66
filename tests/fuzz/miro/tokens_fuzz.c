/*
 * Any answer to a token call: usable tokens, or a sentence without any.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "miro/miro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 400, 401, 403, 404, 429, 500};
    const int64_t now = INT64_C(1795428000) * TIME_SECOND;
    struct miro_tokens tokens = {0};
    struct buf error = {0};
    if (size == 0)
        return 0;
    enum miro_outcome outcome = miro_read_tokens(statuses[data[0] % 8], (const char *)data + 1,
                                                 size - 1, now, &tokens, &error);
    if ((outcome == MIRO_OK) != (tokens.access != NULL) || (outcome == MIRO_OK) != (error.len == 0))
        die("fuzz: tokens and sentence do not fit the outcome");
    if (outcome == MIRO_OK && (strlen(tokens.access) > LIMIT_MIRO_TOKEN ||
                               (tokens.expires_at != TIME_NONE && tokens.expires_at <= now)))
        die("fuzz: a token beyond its limits");
    if (error.len > 0 && memchr(error.data, '@', error.len))
        die("fuzz: an address in a sentence for the log");
    buf_reset(&error);
    if (miro_read_check(statuses[data[0] % 8], (const char *)data + 1, size - 1, &error) ==
            MIRO_REFUSED &&
        statuses[data[0] % 8] != 400 && statuses[data[0] % 8] != 401)
        die("fuzz: a token called dead by a status that does not say so");
    if ((unsigned)miro_read_refusal((const char *)data + 1, size - 1) > MIRO_REFUSES_UNSAID)
        die("fuzz: no such refusal");
    miro_tokens_free(&tokens);
    buf_free(&error);
    return 0;
}
