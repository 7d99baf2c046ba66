#include "template.h"

#include <string.h>

#include "base/mem.h"

/* By name. */
const struct embedded_file *template_file(const char *name)
{
    for (size_t i = 0; i < embedded_file_count; i++)
        if (strcmp(embedded_files[i].name, name) == 0)
            return &embedded_files[i];
    return NULL;
}

/* The five characters that HTML reads as more than themselves. */
void template_escape(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        case '\'':
            buf_puts(out, "&#39;");
            break;
        default:
            buf_putc(out, *text);
        }
    }
}

/* The text of a placeholder. */
static const char *value_of(const struct template_value *values, const char *name, size_t len)
{
    for (; values->name != NULL; values++)
        if (strlen(values->name) == len && memcmp(values->name, name, len) == 0)
            return values->text;
    die("a template names an unknown value: %.*s", (int)len, name);
}

/* One pass; what was put in is not looked at again. */
void template_fill(const char *name, const struct template_value *values, struct buf *out)
{
    const struct embedded_file *file = template_file(name);
    if (file == NULL)
        die("there is no template %s", name);
    const char *at = (const char *)file->bytes;
    const char *end = at + file->len;
    while (at < end) {
        const char *open = memmem(at, (size_t)(end - at), "{{", 2);
        if (open == NULL)
            break;
        buf_append(out, at, (size_t)(open - at));
        size_t braces = end - open > 2 && open[2] == '{' ? 3 : 2;
        const char *start = open + braces;
        const char *close = memmem(start, (size_t)(end - start), "}}}", braces);
        if (close == NULL)
            die("the template %s has an open placeholder", name);
        const char *text = value_of(values, start, (size_t)(close - start));
        if (braces == 3)
            buf_puts(out, text);
        else
            template_escape(text, out);
        at = close + braces;
    }
    buf_append(out, at, (size_t)(end - at));
}
