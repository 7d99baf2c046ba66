/*
 * Reads and writes that are cut short, and interrupted: of every few of them on a socket or a pipe,
 * one takes a part of what it was given, and one nothing, with EINTR, as if a signal had come. Of
 * files only the reads are cut: a write to a full disk is another fault.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"

enum { SHORT_NOTHING, SHORT_SOME };

#define EVERY 5 /* of so many calls one is interrupted, and one is cut */

/* What becomes of one call: its length, less than it was, or 0 if it is interrupted. */
static size_t cut(size_t len)
{
    struct fault_control *control = fault_control();
    int64_t number = atomic_fetch_add(&control->calls, 1);

    if (atomic_load(&control->mode) != SHORT_SOME || len == 0)
        return len;
    if (number % EVERY == 1) {
        atomic_fetch_add(&control->struck, 1);
        errno = EINTR;
        return 0;
    }
    if (number % EVERY == 3 && len > 1) {
        atomic_fetch_add(&control->struck, 1);
        return 1 + (size_t)number % (len - 1);
    }
    return len;
}

/* Whether a write may be cut: to a file that is done by nobody but a full disk. */
static bool is_stream(int file)
{
    struct stat is;

    return fstat(file, &is) == 0 && (S_ISSOCK(is.st_mode) || S_ISFIFO(is.st_mode));
}

ssize_t read(int file, void *bytes, size_t len)
{
    ssize_t (*next)(int, void *, size_t) = fault_next("read");
    bool counts = is_stream(file) || len > sizeof(uint64_t); /* an eventfd is read whole */
    size_t part = counts ? cut(len) : len;

    return part == 0 && len > 0 ? -1 : next(file, bytes, part);
}

ssize_t recv(int file, void *bytes, size_t len, int flags)
{
    ssize_t (*next)(int, void *, size_t, int) = fault_next("recv");
    size_t part = cut(len);

    return part == 0 && len > 0 ? -1 : next(file, bytes, part, flags);
}

ssize_t write(int file, const void *bytes, size_t len)
{
    ssize_t (*next)(int, const void *, size_t) = fault_next("write");
    size_t part = is_stream(file) ? cut(len) : len;

    return part == 0 && len > 0 ? -1 : next(file, bytes, part);
}

ssize_t send(int file, const void *bytes, size_t len, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) = fault_next("send");
    size_t part = cut(len);

    return part == 0 && len > 0 ? -1 : next(file, bytes, part, flags);
}

/* A vector is cut within its first part, which is as short as it gets. */
static ssize_t pass_vector(ssize_t (*next)(int, const struct iovec *, int), int file,
                           const struct iovec *parts, int count)
{
    struct iovec first;
    size_t part;

    if (count <= 0 || !is_stream(file))
        return next(file, parts, count);
    first = parts[0];
    part = cut(first.iov_len);
    if (part == first.iov_len)
        return next(file, parts, count);
    first.iov_len = part;
    return part == 0 ? -1 : next(file, &first, 1);
}

ssize_t readv(int file, const struct iovec *parts, int count)
{
    return pass_vector(fault_next("readv"), file, parts, count);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return pass_vector(fault_next("writev"), file, parts, count);
}

ssize_t sendmsg(int file, const struct msghdr *message, int flags)
{
    ssize_t (*next)(int, const struct msghdr *, int) = fault_next("sendmsg");
    struct msghdr first = *message;
    struct iovec one;

    if (message->msg_iovlen == 0)
        return next(file, message, flags);
    one = message->msg_iov[0];
    one.iov_len = cut(one.iov_len);
    if (one.iov_len == message->msg_iov[0].iov_len)
        return next(file, message, flags);
    if (one.iov_len == 0)
        return -1;
    first.msg_iov = &one;
    first.msg_iovlen = 1;
    return next(file, &first, flags);
}
