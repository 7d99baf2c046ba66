/*
 * A disk that fails or hangs: every call that makes something durable, and every write to a file
 * that was opened to be durable by itself, fails with EIO or waits until it may go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { DISK_WELL, DISK_FAILS, DISK_HANGS };

#define LOOK_NS 1000000

/* Returns when the disk is not hanging: whether it is well. */
static bool disk_answers(void)
{
    struct fault_control *control = fault_control();
    const struct timespec pause = {0, LOOK_NS};

    atomic_fetch_add(&control->calls, 1);
    if (atomic_load(&control->mode) == DISK_WELL)
        return true;
    atomic_fetch_add(&control->struck, 1);
    atomic_fetch_add(&control->hanging, 1);
    while (atomic_load(&control->mode) == DISK_HANGS)
        nanosleep(&pause, NULL);
    atomic_fetch_sub(&control->hanging, 1);
    if (atomic_load(&control->mode) == DISK_WELL)
        return true;
    errno = EIO;
    return false;
}

/* Whether a write to the file is durable when it returns. */
static bool writes_through(int file)
{
    int flags = fcntl(file, F_GETFL);

    return flags >= 0 && (flags & O_DSYNC) != 0;
}

int fsync(int file)
{
    int (*next)(int) = fault_next("fsync");

    return disk_answers() ? next(file) : -1;
}

int fdatasync(int file)
{
    int (*next)(int) = fault_next("fdatasync");

    return disk_answers() ? next(file) : -1;
}

int msync(void *at, size_t len, int flags)
{
    int (*next)(void *, size_t, int) = fault_next("msync");

    return disk_answers() ? next(at, len, flags) : -1;
}

ssize_t pwrite(int file, const void *bytes, size_t len, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t) = fault_next("pwrite");

    return !writes_through(file) || disk_answers() ? next(file, bytes, len, at) : -1;
}

ssize_t pwrite64(int file, const void *bytes, size_t len, off64_t at)
{
    ssize_t (*next)(int, const void *, size_t, off64_t) = fault_next("pwrite64");

    return !writes_through(file) || disk_answers() ? next(file, bytes, len, at) : -1;
}

ssize_t write(int file, const void *bytes, size_t len)
{
    ssize_t (*next)(int, const void *, size_t) = fault_next("write");

    return !writes_through(file) || disk_answers() ? next(file, bytes, len) : -1;
}
