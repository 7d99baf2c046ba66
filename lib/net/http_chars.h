/*
 * The character classes of RFC 9110 and 9112, as one table, so that every reader in this room asks
 * the same question of a byte.
 */
#ifndef NET_HTTP_CHARS_H
#define NET_HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>

enum http_class {
    HTTP_TCHAR = 1,  /* a token: methods, names */
    HTTP_TARGET = 2, /* VCHAR without '#': a fragment is never sent */
    HTTP_VALUE = 4,  /* VCHAR, obs-text, SP, HTAB */
    HTTP_HOST = 8,   /* a name or IPv4 address in Host: unreserved */
    HTTP_QDTEXT = 16 /* inside a quoted string, without '\' and '"' */
};

extern const unsigned char http_classes[256];

static inline bool http_is(char byte, enum http_class wanted)
{
    return (http_classes[(unsigned char)byte] & wanted) != 0;
}

/* The length of the longest prefix of one class. */
size_t http_span(const char *bytes, size_t len, enum http_class wanted);
/* Whether `text` is `lower`, in whatever case; `lower` has no upper case letter. */
bool http_equal(const char *text, size_t len, const char *lower);

#endif
