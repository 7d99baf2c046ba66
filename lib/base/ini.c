#include "base/ini.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

/* Cuts blanks off both ends of a string in place, and returns where it now begins. */
static char *trim(char *text)
{
    while (is_blank(*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* Ends the line where a comment begins: at its first byte, or at a mark behind a blank. */
static void cut_comment(char *line)
{
    for (size_t i = 0; line[i] != '\0'; i++) {
        if ((line[i] == ';' || line[i] == '#') && (i == 0 || is_blank(line[i - 1]))) {
            line[i] = '\0';
            return;
        }
    }
}

/* The end of the run of name characters that `text` begins with. */
static char *name_end(char *text)
{
    while (is_name(*text))
        text++;
    return text;
}

/* "[" name (blanks instance)? "]" with the brackets still on. */
static void read_section(char *text, int line, const struct ini_handler *handler)
{
    size_t len = strlen(text);
    if (text[len - 1] != ']') {
        handler->fault(handler->context, line,
                       "a section that does not end; expected [name] or [name instance]");
        return;
    }
    text[len - 1] = '\0';
    char *name = trim(text + 1);
    char *end = name_end(name);
    char *instance = end;
    while (is_blank(*instance))
        instance++;
    char *instance_end = name_end(instance);
    if (end == name || *instance_end != '\0' || (instance == end && *end != '\0')) {
        handler->fault(handler->context, line,
                       "a section's name is not understood; expected [name] or [name instance], of "
                       "letters, digits, '.', '_' and '-'");
        return;
    }
    *end = '\0';
    handler->section(handler->context, line, name, instance);
}

/* key "=" value; the value is what is left, and may be empty. */
static void read_pair(char *text, int line, const struct ini_handler *handler)
{
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        handler->fault(handler->context, line,
                       "neither a section nor a key; expected `key = value`");
        return;
    }
    *equals = '\0';
    char *key = trim(text);
    if (*key == '\0' || *name_end(key) != '\0') {
        handler->fault(handler->context, line,
                       "a key's name is not understood; expected letters, digits and '_' before "
                       "the '='");
        return;
    }
    handler->pair(handler->context, line, key, trim(equals + 1));
}

/* Controls would hide in an editor, and bytes that are no text would end up in messages. */
static const char *line_fault(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return "a control character; expected text";
    }
    return text_is_utf8(text, len) ? NULL : "bytes that are no UTF-8; expected text in UTF-8";
}

static void read_line(const char *text, size_t len, int line, const struct ini_handler *handler)
{
    if (len > 0 && text[len - 1] == '\r')
        len--;
    const char *fault = line_fault(text, len);
    if (fault != NULL) {
        handler->fault(handler->context, line, fault);
        return;
    }
    char *copy = xstrndup(text, len);
    cut_comment(copy);
    char *content = trim(copy);
    if (*content == '[')
        read_section(content, line, handler);
    else if (*content != '\0')
        read_pair(content, line, handler);
    free(copy);
}

int ini_read(const char *text, size_t len, const struct ini_handler *handler)
{
    static const char mark[] = "\xef\xbb\xbf";
    const char *end = len > 0 ? text + len : text;
    int line = 0;
    if (len >= 3 && memcmp(text, mark, 3) == 0)
        text += 3;
    while (text < end && line < INT_MAX) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (line_end == NULL)
            line_end = end;
        read_line(text, (size_t)(line_end - text), ++line, handler);
        text = line_end < end ? line_end + 1 : end;
    }
    return line;
}
