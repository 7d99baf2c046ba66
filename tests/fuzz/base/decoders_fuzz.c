/*
 * The small decoders. Each is strict, so whatever one of them takes must come back from its encoder
 * as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void decode_base64(const char *text, size_t len)
{
    struct buf bytes = {0}, again = {0};
    if (digest_unbase64(text, len, false, &bytes) == 0) {
        digest_base64(bytes.data, bytes.len, &again);
        promise(digest_equal(again.data, again.len, text, len));
    }
    buf_reset(&bytes);
    buf_reset(&again);
    if (digest_unbase64url(text, len, &bytes) == 0) {
        digest_base64url(bytes.data, bytes.len, &again);
        promise(digest_equal(again.data, again.len, text, len));
    }
    buf_reset(&bytes);
    if (digest_unhex(text, len, &bytes) == 0)
        promise(bytes.len * 2 == len);
    if (digest_unbase64(text, len, true, &bytes) != 0)
        promise(digest_unbase64(text, len, false, &bytes) != 0);
    buf_free(&bytes);
    buf_free(&again);
}

static void decode_time(const char *text, size_t len)
{
    char formatted[TIME_TEXT];
    int64_t time, again;
    if (clock_parse(text, len, &time) == 0 && time >= 0) {
        clock_format(time, formatted);
        if (strlen(formatted) < 30 && formatted[4] == '-')
            promise(clock_parse(formatted, strlen(formatted), &again) == 0 && again == time);
    }
    if (clock_parse_http(text, len, &time) == 0) {
        clock_format_http(time, formatted);
        promise(clock_parse_http(formatted, strlen(formatted), &again) == 0 && again == time);
    }
}

static void decode_text(const char *text, size_t len)
{
    int64_t number;
    char *copy = xmemdup(text, len);
    long decoded = text_url_decode(copy, len);
    promise(decoded <= (long)len);
    free(copy);
    free(text_query_value(text, len, "a"));
    if (text_to_int(text, len, &number) == 0)
        promise(number >= 0);
    if (text_to_micros(text, len, &number) == 0)
        promise(len > 0);
    char *address = NULL, *again = NULL;
    if (text_normalise_address(text, len, &address) == 0) {
        promise(text_normalise_address(address, strlen(address), &again) == 0);
        promise(strcmp(address, again) == 0);
    }
    free(address);
    free(again);
    struct buf json = {0};
    buf_json_string(&json, text, len);
    promise(text_is_utf8(json.data, json.len) && strlen(json.data) == json.len);
    buf_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    decode_base64(text, size);
    decode_time(text, size);
    decode_text(text, size);
    return 0;
}
