#include "cell.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

struct cell cell_of_bytes(const char *bytes_or_null, size_t len)
{
    struct cell cell = {.kind = bytes_or_null == NULL ? CELL_NULL : CELL_TEXT};

    if (bytes_or_null != NULL)
        buf_append(&cell.text, bytes_or_null, len);
    return cell;
}

struct cell cell_of_text(const char *text_or_null)
{
    return cell_of_bytes(text_or_null, text_or_null == NULL ? 0 : strlen(text_or_null));
}

struct cell cell_of_int(int64_t value)
{
    return (struct cell){.kind = CELL_INT, .number = value};
}

struct cell cell_of_bool(bool value)
{
    return (struct cell){.kind = CELL_BOOL, .number = value};
}

struct cell cell_of_time(int64_t time_or_none)
{
    return (struct cell){.kind = time_or_none == TIME_NONE ? CELL_NULL : CELL_TIME,
                         .number = time_or_none};
}

void cell_free(struct cell *cell)
{
    buf_wipe(&cell->text);
}

/* The bytes of a text cell; never NULL. */
static const char *cell_bytes(const struct cell *cell)
{
    return cell->text.data == NULL ? "" : cell->text.data;
}

/* How many bytes of what stands here a terminal would obey: C0, DEL, C1 as UTF-8 writes it, and the
 * marks that turn the direction of what follows; 0: none. */
static size_t obeyed(const char *text, size_t len)
{
    /* NOLINTBEGIN(misc-misleading-bidirectional): they are what is looked for */
    static const char *const marks[] = {"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c",
                                        "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"};
    /* NOLINTEND(misc-misleading-bidirectional) */
    unsigned char c = (unsigned char)text[0];
    unsigned char next = len > 1 ? (unsigned char)text[1] : 0;

    if (c < 0x20 || c == 0x7f)
        return 1;
    if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
        return 2;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t mark = strlen(marks[i]);

        if (len >= mark && memcmp(text, marks[i], mark) == 0)
            return mark;
    }
    return 0;
}

void text_escape(const char *text, size_t len, struct buf *out)
{
    bool utf8 = text_is_utf8(text, len);

    for (size_t i = 0; i < len;) {
        size_t end = i + obeyed(text + i, len - i);

        if (end == i && (utf8 || (unsigned char)text[i] < 0x80)) {
            buf_append(out, &text[i++], 1);
            continue;
        }
        end = end == i ? i + 1 : end;
        for (; i < end; i++)
            buf_printf(out, "\\x%02x", (unsigned char)text[i]);
    }
}

void cell_format(const struct cell *cell, struct buf *out)
{
    char time[TIME_TEXT];

    switch (cell->kind) {
    case CELL_NULL:
        buf_putc(out, '-');
        break;
    case CELL_TEXT:
        text_escape(cell_bytes(cell), cell->text.len, out);
        break;
    case CELL_INT:
        buf_put_int(out, cell->number);
        break;
    case CELL_BOOL:
        buf_puts(out, cell->number ? "yes" : "no");
        break;
    case CELL_TIME:
        clock_format(cell->number - cell->number % TIME_SECOND, time);
        buf_puts(out, time);
        break;
    }
}

void cell_write(const struct cell *cell, struct writer *writer, const char *name)
{
    switch (cell->kind) {
    case CELL_NULL:
        writer_text(writer, name, NULL);
        break;
    case CELL_TEXT:
        writer_bytes(writer, name, cell_bytes(cell), cell->text.len);
        break;
    case CELL_INT:
        writer_int(writer, name, cell->number);
        break;
    case CELL_BOOL:
        writer_bool(writer, name, cell->number);
        break;
    case CELL_TIME:
        writer_time(writer, name, cell->number);
        break;
    }
}
