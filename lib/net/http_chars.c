#include "net/http_chars.h"

#include <string.h>

#define PUNCT (HTTP_TARGET | HTTP_VALUE | HTTP_QDTEXT)
#define TOKEN (PUNCT | HTTP_TCHAR)
#define PLAIN (TOKEN | HTTP_HOST)

const unsigned char http_classes[256] = {
    ['\t'] = HTTP_VALUE | HTTP_QDTEXT,
    [' '] = HTTP_VALUE | HTTP_QDTEXT,
    ['!'] = TOKEN,
    ['"'] = HTTP_TARGET | HTTP_VALUE,
    ['#'] = HTTP_VALUE | HTTP_QDTEXT | HTTP_TCHAR,
    ['$'] = TOKEN,
    ['%'] = TOKEN,
    ['&'] = TOKEN,
    ['\''] = TOKEN,
    ['('] = PUNCT,
    [')'] = PUNCT,
    ['*'] = TOKEN,
    ['+'] = TOKEN,
    [','] = PUNCT,
    ['-'] = PLAIN,
    ['.'] = PLAIN,
    ['/'] = PUNCT,
    ['0' ... '9'] = PLAIN,
    [':'] = PUNCT,
    [';'] = PUNCT,
    ['<'] = PUNCT,
    ['='] = PUNCT,
    ['>'] = PUNCT,
    ['?'] = PUNCT,
    ['@'] = PUNCT,
    ['A' ... 'Z'] = PLAIN,
    ['['] = PUNCT,
    ['\\'] = HTTP_TARGET | HTTP_VALUE,
    [']'] = PUNCT,
    ['^'] = TOKEN,
    ['_'] = PLAIN,
    ['`'] = TOKEN,
    ['a' ... 'z'] = PLAIN,
    ['{'] = PUNCT,
    ['|'] = TOKEN,
    ['}'] = PUNCT,
    ['~'] = PLAIN,
    [0x80 ... 0xff] = HTTP_VALUE | HTTP_QDTEXT,
};

size_t http_span(const char *bytes, size_t len, enum http_class wanted)
{
    size_t at = 0;
    while (at < len && http_is(bytes[at], wanted)) {
        at++;
    }
    return at;
}

/* Setting bit 5 lowers letters and, among the bytes of a token, changes nothing that could meet. */
bool http_equal(const char *text, size_t len, const char *lower)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c | 0x20);
        }
        if (c != lower[i] || c == '\0') {
            return false;
        }
    }
    return lower[len] == '\0';
}
