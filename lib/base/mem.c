#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Aborts rather than exits, so that a core or the supervisor tells where. */
void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("fatal: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    abort();
}

/* A size of zero gets a byte of its own, so that NULL never means anything but "none". */
void *xmalloc(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL)
        die("out of memory (%zu bytes)", size);
    return memory;
}

/* calloc checks the product for us. */
void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL)
        die("out of memory (%zu times %zu bytes)", count, size);
    return memory;
}

/* Never frees: a product of zero keeps a byte, like xmalloc. */
void *xreallocarray(void *old, size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    void *memory = reallocarray(old, count, size);
    if (memory == NULL)
        die("out of memory (%zu times %zu bytes)", count, size);
    return memory;
}

/* The copy ends where the text does. */
char *xstrdup(const char *text)
{
    return xmemdup(text, strlen(text) + 1);
}

/* Copies exactly `len` bytes, NULs and all, and ends them. */
char *xstrndup(const char *text, size_t len)
{
    if (len == SIZE_MAX)
        die("a string of %zu bytes", len);
    char *copy = xmalloc(len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* `bytes` may be NULL when there are none. */
void *xmemdup(const void *bytes, size_t len)
{
    void *copy = xmalloc(len);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

/* A failure here is no memory or a format that is wrong: neither can go on. */
char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int written = vasprintf(&text, format, args);
    va_end(args);
    if (written < 0)
        die("a string could not be formatted");
    return text;
}

void mem_watch(void)
{
    errno = 0;
}

/* Every allocator says so in errno, and nothing else that a parser calls does. */
void mem_check(const char *library)
{
    if (errno == ENOMEM)
        die("out of memory (%s)", library);
}
