#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define MICROS 6 /* decimals of a millionth */

/* Overflow is refused, not wrapped: ids and amounts come from strangers. */
int text_to_int(const char *text, size_t len, int64_t *out)
{
    int64_t value = 0;
    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[i] - '0', &value))
            return -1;
    }
    *out = value;
    return 0;
}

/* "-"? digits ( "." digit+ )?: some shops keep eight decimals, of which the last two say nothing.
 */
int text_to_micros(const char *text, size_t len, int64_t *out)
{
    bool negative = len > 0 && text[0] == '-';
    if (negative) {
        text++;
        len--;
    }
    const char *point = len > 0 ? memchr(text, '.', len) : NULL;
    size_t whole_len = point != NULL ? (size_t)(point - text) : len;
    size_t decimals = point != NULL ? len - whole_len - 1 : 0;
    int64_t whole, fraction = 0;
    if (text_to_int(text, whole_len, &whole) != 0)
        return -1;
    for (; decimals > MICROS; decimals--)
        if (point[decimals] < '0' || point[decimals] > '9')
            return -1;
    if (point != NULL && text_to_int(point + 1, decimals, &fraction) != 0)
        return -1;
    for (size_t i = decimals; i < MICROS; i++)
        fraction *= 10;
    if (__builtin_mul_overflow(whole, INT64_C(1000000), &whole) ||
        __builtin_add_overflow(whole, fraction, &whole))
        return -1;
    *out = negative ? -whole : whole;
    return 0;
}

/* What the first byte promises, or 0 for a byte that begins nothing (C0, C1 and F5 up never do). */
static size_t utf8_promise(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    if (first >= 0xf0 && first <= 0xf4)
        return 4;
    return 0;
}

/* The second byte carries all the exceptions: no overlong form, no surrogate, not past U+10FFFF. */
size_t text_utf8_length(const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (len == 0)
        return 0;
    size_t promise = utf8_promise(bytes[0]);
    if (promise < 2)
        return promise;
    if (promise > len)
        return 0;
    unsigned char least = 0x80, most = 0xbf;
    if (bytes[0] == 0xe0)
        least = 0xa0;
    else if (bytes[0] == 0xed)
        most = 0x9f;
    else if (bytes[0] == 0xf0)
        least = 0x90;
    else if (bytes[0] == 0xf4)
        most = 0x8f;
    if (bytes[1] < least || bytes[1] > most)
        return 0;
    for (size_t i = 2; i < promise; i++) {
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    }
    return promise;
}

bool text_is_utf8(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t sequence = text_utf8_length(text + at, len - at);
        if (sequence == 0)
            return false;
        at += sequence;
    }
    return true;
}

char text_lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c;
}

bool text_equal_nocase(const char *a, const char *b)
{
    while (*a != '\0' && text_lower(*a) == text_lower(*b)) {
        a++;
        b++;
    }
    return text_lower(*a) == text_lower(*b);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place is safe because decoding never grows; %00 is refused so that no string is cut by it. */
long text_url_decode(char *text, size_t len)
{
    size_t to = 0;
    for (size_t from = 0; from < len; from++) {
        char c = text[from];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (len - from < 3)
                return -1;
            int high = hex_value(text[from + 1]), low = hex_value(text[from + 2]);
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return -1;
            c = (char)(high * 16 + low);
            from += 2;
        }
        text[to++] = c;
    }
    return (long)to;
}

/* A new decoded string, or NULL if it is badly escaped or holds a NUL. */
static char *decoded(const char *text, size_t len)
{
    char *copy = xstrndup(text, len);
    long decoded_len = memchr(copy, '\0', len) == NULL ? text_url_decode(copy, len) : -1;
    if (decoded_len < 0) {
        free(copy);
        return NULL;
    }
    copy[decoded_len] = '\0';
    return copy;
}

/* The first pair of that name decides, even if its value is bad: a later one must not replace it.
 */
char *text_query_value(const char *query, size_t len, const char *name)
{
    const char *end = len > 0 ? query + len : query;
    while (query < end) {
        const char *pair_end = memchr(query, '&', (size_t)(end - query));
        if (pair_end == NULL)
            pair_end = end;
        const char *equals = memchr(query, '=', (size_t)(pair_end - query));
        const char *name_end = equals != NULL ? equals : pair_end;
        char *key = decoded(query, (size_t)(name_end - query));
        bool found = key != NULL && strcmp(key, name) == 0;
        free(key);
        if (found) {
            const char *value = equals != NULL ? equals + 1 : pair_end;
            return decoded(value, (size_t)(pair_end - value));
        }
        query = pair_end < end ? pair_end + 1 : end;
    }
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The checks are those that matching and mailing need, no more: shops accept odd local parts. */
static bool is_address(const char *text, size_t len)
{
    if (len == 0 || len > LIMIT_ADDRESS || !text_is_utf8(text, len))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == 0x7f || c == '<' || c == '>')
            return false;
    }
    const char *at = memchr(text, '@', len);
    if (at == NULL || at == text || at == text + len - 1)
        return false;
    return memchr(at + 1, '@', (size_t)(text + len - at) - 1) == NULL;
}

int text_normalise_address(const char *text, size_t len, char **out)
{
    while (len > 0 && is_blank(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    if (!is_address(text, len))
        return -1;
    char *address = xstrndup(text, len);
    for (size_t i = 0; i < len; i++)
        address[i] = text_lower(address[i]);
    *out = address;
    return 0;
}
