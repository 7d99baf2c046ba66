/*
 * Memory that is there or the program is not: every function dies on exhaustion, so that no caller
 * carries a branch it cannot test. `x` in front means "dies if absent".
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xcalloc(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xreallocarray(void *old, size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *xstrndup(const char *text, size_t len)
    __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xmemdup(const void *bytes, size_t len)
    __attribute__((malloc, returns_nonnull, warn_unused_result));
char *xasprintf(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* Frees and forgets: no reachable pointer to unreachable memory. */
#define xfree(pointer)    \
    do {                  \
        free(pointer);    \
        (pointer) = NULL; \
    } while (0)

/*
 * Around calls of a library that answers a lack of memory with no value, or with half of one, as if
 * its input had been bad: mem_check() dies if memory ran out since mem_watch() on this thread.
 */
void mem_watch(void);
void mem_check(const char *library);

/* A broken invariant: says where and what, and aborts, to be restarted. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
