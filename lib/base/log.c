#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static _Atomic(enum log_level) least_level = LOG_INFO;
static _Atomic(void (*)(const char *line, size_t len)) line_sink;

void log_set_level(enum log_level least)
{
    atomic_store(&least_level, least);
}

void log_set_sink(void (*sink)(const char *line, size_t len))
{
    atomic_store(&line_sink, sink);
}

/* A text that is not there reads as an empty one. */
struct log_field log_field_text(const char *key, const char *value)
{
    const char *text = value != NULL ? value : "";
    return (struct log_field){key, text, strlen(text), 0};
}

/* Printable ASCII but for the blank, the quote and the backslash. */
static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\')
            return false;
    }
    return len > 0;
}

/* What is no printable ASCII is escaped byte by byte, so that no terminal or parser is addressed.
 */
static void put_value(struct buf *line, const char *text, size_t len)
{
    if (is_plain(text, len)) {
        buf_append(line, text, len);
        return;
    }
    buf_putc(line, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_putc(line, '\\');
        if (c == '\n')
            buf_puts(line, "\\n");
        else if (c < ' ' || c >= 0x7f)
            buf_printf(line, "\\x%02x", c);
        else
            buf_putc(line, (char)c);
    }
    buf_putc(line, '"');
}

/* One write a line keeps lines of different threads and processes whole; a log that cannot be
 * written has no place to say so. */
static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDERR_FILENO, line, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        line += written;
        len -= (size_t)written;
    }
}

void log_line(enum log_level level, const char *subsystem, const char *event,
              const struct log_field *fields)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if (level < atomic_load(&least_level))
        return;
    int saved = errno;
    struct buf line = {0};
    char now[TIME_TEXT];
    clock_format(clock_now(), now);
    buf_printf(&line, "%s %s %s %s", now, names[level], subsystem, event);
    for (; fields->key != NULL; fields++) {
        buf_printf(&line, " %s=", fields->key);
        if (fields->text != NULL)
            put_value(&line, fields->text, fields->len);
        else
            buf_put_int(&line, fields->number);
    }
    buf_putc(&line, '\n');
    void (*sink)(const char *, size_t) = atomic_load(&line_sink);
    (sink != NULL ? sink : write_line)(line.data, line.len);
    buf_free(&line);
    errno = saved;
}
