#include "net/handed.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static bool number_of(const char *variable, int64_t *out)
{
    const char *text = getenv(variable);
    return text && text_to_int(text, strlen(text), out) == 0;
}

static bool option_is(int fd, int option, int wanted)
{
    int value;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

static bool is_tcp_listener(int fd)
{
    return option_is(fd, SO_TYPE, SOCK_STREAM) && option_is(fd, SO_ACCEPTCONN, 1) &&
           (option_is(fd, SO_DOMAIN, AF_INET) || option_is(fd, SO_DOMAIN, AF_INET6));
}

/* Not waiting belongs to the socket, so it holds for the other programs that share it too: all of
 * them are ours. */
static bool adapt(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int handed_socket(const char *name, struct buf *error)
{
    const char *names = getenv("LISTEN_FDNAMES");
    int64_t pid, count;

    if (!number_of("LISTEN_PID", &pid) || pid != getpid() || !number_of("LISTEN_FDS", &count) ||
        count == 0)
        return 0;
    if (count != 1 || !names || strcmp(names, name) != 0) {
        buf_printf(error,
                   "%lld sockets were handed over, called \"%s\"; expected one, called \"%s\": "
                   "FileDescriptorName=%s in the socket unit",
                   (long long)count, names ? names : "", name, name);
        return -1;
    }
    if (!is_tcp_listener(FIRST_FD) || !adapt(FIRST_FD)) {
        buf_printf(error, "the socket \"%s\" that was handed over is not one that listens for TCP",
                   name);
        return -1;
    }
    return FIRST_FD;
}
