#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define BUF_LEAST 64

/* The bytes are left to the allocator as they are; secrets go through buf_wipe. */
void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

/* The whole capacity is overwritten, because a shrunk buffer still holds what it once held. */
void buf_wipe(struct buf *buf)
{
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->cap);
    buf_free(buf);
}

/* The NUL comes back to the front, so that `data` stays a string. */
void buf_reset(struct buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/*
 * Room for `more` bytes and the NUL. Growth copies and overwrites rather than reallocates: a buffer
 * that will be wiped must not leave its earlier, smaller selves in the heap.
 */
void buf_reserve(struct buf *buf, size_t more)
{
    if (more >= SIZE_MAX / 2 - buf->len)
        die("a buffer of %zu and %zu bytes", buf->len, more);
    size_t need = buf->len + more + 1;
    if (need <= buf->cap)
        return;
    size_t cap = buf->cap < BUF_LEAST ? BUF_LEAST : buf->cap;
    while (cap < need)
        cap *= 2;
    char *data = xmalloc(cap);
    if (buf->len > 0)
        memcpy(data, buf->data, buf->len);
    data[buf->len] = '\0';
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->len);
    free(buf->data);
    buf->data = data;
    buf->cap = cap;
}

/* `bytes` must not point into the buffer itself. */
void buf_append(struct buf *buf, const void *bytes, size_t len)
{
    buf_reserve(buf, len);
    if (len > 0)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

/* Without the NUL of `text`; the buffer keeps its own. */
void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

/* Any byte, NUL too. */
void buf_putc(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

/* Decimal, without the cost of printf: ids and times are written on every answer. */
void buf_put_int(struct buf *buf, int64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        buf_putc(buf, '-');
    buf_append(buf, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

/* Measures first, so that the text is never cut. */
void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list measure;
    va_copy(measure, args);
    int len = vsnprintf(NULL, 0, format, measure);
    va_end(measure);
    if (len < 0)
        die("a string could not be formatted");
    buf_reserve(buf, (size_t)len);
    if (vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args) != len)
        die("a string could not be formatted");
    buf->len += (size_t)len;
}

/* RFC 8259: quotes, backslash and controls are escaped; DEL needs no escape. */
static void put_json_ascii(struct buf *buf, unsigned char c)
{
    switch (c) {
    case '"':
        buf_append(buf, "\\\"", 2);
        break;
    case '\\':
        buf_append(buf, "\\\\", 2);
        break;
    case '\n':
        buf_append(buf, "\\n", 2);
        break;
    case '\r':
        buf_append(buf, "\\r", 2);
        break;
    case '\t':
        buf_append(buf, "\\t", 2);
        break;
    default:
        buf_printf(buf, "\\u%04x", c);
    }
}

void buf_json_string(struct buf *buf, const char *text, size_t len)
{
    buf_reserve(buf, len < SIZE_MAX / 4 ? len + 2 : 0);
    buf_putc(buf, '"');
    size_t at = 0;
    while (at < len) {
        size_t plain = at;
        while (plain < len && (unsigned char)text[plain] >= 0x20 &&
               (unsigned char)text[plain] < 0x80 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        buf_append(buf, text + at, plain - at);
        at = plain;
        if (at == len)
            break;
        size_t sequence = text_utf8_length(text + at, len - at);
        if (sequence == 0) {
            buf_append(buf, "\xef\xbf\xbd", 3);
            at++;
        } else if (sequence == 1) {
            put_json_ascii(buf, (unsigned char)text[at++]);
        } else {
            buf_append(buf, text + at, sequence);
            at += sequence;
        }
    }
    buf_putc(buf, '"');
}

void buf_json_text(struct buf *buf, const char *text)
{
    if (text == NULL)
        buf_append(buf, "null", 4);
    else
        buf_json_string(buf, text, strlen(text));
}

/* Upper-case escapes, which is the canonical form of RFC 3986. */
void buf_url_encode(struct buf *buf, const char *text, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_putc(buf, (char)c);
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_append(buf, escape, sizeof(escape));
        }
    }
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data != NULL ? buf->data : xstrdup("");
    *buf = (struct buf){0};
    return data;
}
