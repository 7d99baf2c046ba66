#include "db/migrate_text.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Length of the line without the blanks at its end. */
static size_t trimmed(const char *line, size_t len)
{
    while (len > 0 && is_blank(line[len - 1])) {
        len--;
    }
    return len;
}

static bool is_comment(const char *line, size_t len)
{
    while (len > 0 && is_blank(*line)) {
        line++;
        len--;
    }
    return len >= 2 && memcmp(line, "--", 2) == 0;
}

bool migrate_text_next(const char **cursor, struct buf *statement)
{
    buf_reset(statement);
    while (**cursor) {
        const char *line = *cursor;
        size_t whole = strcspn(line, "\n");
        size_t len = trimmed(line, whole);
        *cursor = line + whole + (line[whole] == '\n');
        if (len == 0 || is_comment(line, len)) {
            continue;
        }
        bool last = line[len - 1] == ';';
        if (statement->len > 0) {
            buf_putc(statement, '\n');
        }
        buf_append(statement, line, last ? len - 1 : len);
        if (last) {
            return true;
        }
    }
    return statement->len > 0;
}
