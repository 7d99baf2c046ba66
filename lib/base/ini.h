/*
 * The grammar of the configuration file, line by line, with no idea of what the names mean:
 *
 *     file    = line ("\n" line)*            a CR before the line's end is cut; a first BOM is too
 *     line    = blanks (section | pair)? comment?
 *     section = "[" name (blanks instance)? "]"
 *     pair    = key blanks? "=" blanks? value
 *     comment = (";" | "#") ...              at the line's beginning or after a blank
 *
 * Lines may be as long as the file. Bytes that are no UTF-8, and controls other than the tab, are
 * faults of their line. Every line is read, whatever the ones before it were.
 */
#ifndef BASE_INI_H
#define BASE_INI_H

#include <stddef.h>

/* The texts live until the callback returns. `instance` is "" where none was given. */
struct ini_handler {
    void (*section)(void *context, int line, const char *name, const char *instance);
    void (*pair)(void *context, int line, const char *key, const char *value);
    void (*fault)(void *context, int line, const char *what); /* "what; expected what" */
    void *context;
};

/* Returns the number of lines. */
int ini_read(const char *text, size_t len, const struct ini_handler *handler);

#endif
