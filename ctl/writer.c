#include "writer.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Puts the comma and the name that belong before the next value. */
static void value_begin(struct writer *writer, const char *name)
{
    if (writer->follows)
        buf_putc(&writer->out, ',');
    writer->follows = true;
    if (name != NULL) {
        buf_json_string(&writer->out, name, strlen(name));
        buf_putc(&writer->out, ':');
    }
}

/* Opens a container and remembers what closes it. */
static void container_begin(struct writer *writer, const char *name, char opener, char closer)
{
    value_begin(writer, name);
    if (writer->depth == sizeof(writer->closers))
        die("writer: more than %zu containers within each other", writer->depth);
    buf_putc(&writer->out, opener);
    writer->closers[writer->depth++] = closer;
    writer->follows = false;
}

void writer_object(struct writer *writer, const char *name)
{
    container_begin(writer, name, '{', '}');
}

void writer_array(struct writer *writer, const char *name)
{
    container_begin(writer, name, '[', ']');
}

void writer_close(struct writer *writer)
{
    buf_putc(&writer->out, writer->closers[--writer->depth]);
    writer->follows = true;
}

void writer_text(struct writer *writer, const char *name, const char *text_or_null)
{
    value_begin(writer, name);
    buf_json_text(&writer->out, text_or_null);
}

void writer_bytes(struct writer *writer, const char *name, const char *bytes, size_t len)
{
    value_begin(writer, name);
    buf_json_string(&writer->out, bytes, len);
}

void writer_int(struct writer *writer, const char *name, int64_t value)
{
    value_begin(writer, name);
    buf_put_int(&writer->out, value);
}

void writer_bool(struct writer *writer, const char *name, bool value)
{
    value_begin(writer, name);
    buf_puts(&writer->out, value ? "true" : "false");
}

void writer_time(struct writer *writer, const char *name, int64_t time_or_none)
{
    char text[TIME_TEXT];

    if (time_or_none == TIME_NONE) {
        writer_text(writer, name, NULL);
        return;
    }
    clock_format(time_or_none, text);
    writer_text(writer, name, text);
}

void writer_raw(struct writer *writer, const char *name, const char *json, size_t len)
{
    value_begin(writer, name);
    buf_append(&writer->out, json, len);
}

void writer_print(struct writer *writer)
{
    buf_putc(&writer->out, '\n');
    fwrite(writer->out.data, 1, writer->out.len, stdout);
    buf_wipe(&writer->out);
}
