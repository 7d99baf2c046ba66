/*
 * A growing run of bytes, always followed by a NUL that is not counted, so that `data` is a C
 * string whenever the bytes hold none. Zero-initialised is empty and valid: `struct buf b = {0};`.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* owned; NULL only while nothing was ever appended */
    size_t len;
    size_t cap;
};

void buf_free(struct buf *buf);
void buf_wipe(struct buf *buf);  /* buf_free, after overwriting: for secrets and addresses */
void buf_reset(struct buf *buf); /* forgets the bytes, keeps the room */
void buf_reserve(struct buf *buf, size_t more);
void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_put_int(struct buf *buf, int64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Appends `text` as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void buf_json_string(struct buf *buf, const char *text, size_t len);
/* Appends `text` or, if NULL, the word null. */
void buf_json_text(struct buf *buf, const char *text);
/* Appends `text` percent-encoded as a query component (RFC 3986 unreserved stay). */
void buf_url_encode(struct buf *buf, const char *text, size_t len);

/* Hands the bytes over to the caller (free()); never NULL. The buffer is empty again. */
char *buf_take(struct buf *buf) __attribute__((warn_unused_result));

#endif
