/*
 * Small questions about text that several rooms ask.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits only, no sign, no blank, at most INT64_MAX; 0 or -1. */
int text_to_int(const char *text, size_t len, int64_t *out) __attribute__((warn_unused_result));
/* A decimal amount such as "-20.00" in millionths; decimals past the sixth are cut; 0 or -1. */
int text_to_micros(const char *text, size_t len, int64_t *out) __attribute__((warn_unused_result));
bool text_is_utf8(const char *text, size_t len);
/* Bytes of the UTF-8 sequence that `text` begins with (RFC 3629), or 0 if it begins with none. */
size_t text_utf8_length(const char *text, size_t len);
/* An ASCII capital in lower case; any other byte as it is. */
char text_lower(char c);
/* strcasecmp over ASCII, whatever the locale. */
bool text_equal_nocase(const char *a, const char *b);
/* Percent-decodes in place ('+' is a blank); returns the new length or -1 on a bad escape or %00.
 */
long text_url_decode(char *text, size_t len);
/* The value of `name` in "a=b&c=d", decoded into a new string, or NULL; the first one counts. */
char *text_query_value(const char *query, size_t len, const char *name);

/*
 * An e-mail address as it is matched: trimmed, ASCII-lowercased as a whole, plus tags kept. 0 with
 * a new string in *out, or -1 if it is none (not exactly one '@' with something on both sides;
 * blanks, controls, angle brackets or bytes that are no UTF-8 inside; over LIMIT_ADDRESS bytes).
 */
int text_normalise_address(const char *text, size_t len, char **out)
    __attribute__((warn_unused_result));

#endif
