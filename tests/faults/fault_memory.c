/*
 * Memory that runs out once: of the allocations from now on, the one whose number the test says
 * fails.
 */
#include <errno.h>
#include <execinfo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"

#define FRAMES 24

enum { MEMORY_THERE, MEMORY_RUNS_OUT };

/* The C library's own, under the names that nobody stands before: asking for them allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *memalign(size_t alignment, size_t size);

/* The first trace of a program loads a library, which allocates. */
__attribute__((constructor)) static void trace_begin(void)
{
    void *frame;

    (void)backtrace(&frame, 1);
}

/* Tells who was left without memory. */
static void trace(void)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);

    backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

/* Whether this is the one that fails: never two of them. */
static bool runs_out(void)
{
    struct fault_control *control = fault_control();

    atomic_fetch_add(&control->calls, 1);
    if (atomic_load(&control->mode) != MEMORY_RUNS_OUT || atomic_fetch_sub(&control->value, 1) != 1)
        return false;
    atomic_store(&control->mode, MEMORY_THERE);
    atomic_fetch_add(&control->struck, 1);
    trace();
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return runs_out() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return runs_out() ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

void *memalign(size_t alignment, size_t size)
{
    return runs_out() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);

    if (memory == NULL)
        return ENOMEM;
    *out = memory;
    return 0;
}
