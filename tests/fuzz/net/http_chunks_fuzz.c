/*
 * The chunk parser over any bytes, whole and cut into pieces as the first byte says: both must give
 * the same content, the same verdict, the same rule and the same end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    enum http_verdict verdict;
    const char *rule;
    size_t used;
    struct buf body;
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static struct result read_in_steps(const char *bytes, size_t len, size_t step)
{
    struct result result = {.verdict = HTTP_MORE};
    struct http_chunks chunks = {0};
    while (result.verdict == HTTP_MORE && result.used < len) {
        size_t piece = len - result.used < step ? len - result.used : step, used = 0, data_len = 0;
        const char *at = bytes + result.used, *data = NULL;
        result.verdict =
            http_parse_chunks(&chunks, at, piece, &used, &data, &data_len, &result.rule);
        require(used <= piece && (result.verdict == HTTP_REFUSED || used > 0));
        if (result.verdict != HTTP_REFUSED) {
            require(data_len == 0 || (data >= at && data + data_len <= at + used));
            buf_append(&result.body, data, data_len);
        }
        result.used += used;
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t step = (size_t)(data[0] % 16) + 1, len = size - 1;
    char *bytes = malloc(len > 0 ? len : 1);
    require(bytes != NULL);
    memcpy(bytes, data + 1, len);
    struct result whole = read_in_steps(bytes, len, len > 0 ? len : 1);
    struct result cut = read_in_steps(bytes, len, step);
    require(whole.verdict == cut.verdict && whole.rule == cut.rule && whole.used == cut.used);
    require(whole.body.len == cut.body.len);
    require(whole.body.len == 0 || memcmp(whole.body.data, cut.body.data, cut.body.len) == 0);
    buf_free(&whole.body);
    buf_free(&cut.body);
    free(bytes);
    return 0;
}
