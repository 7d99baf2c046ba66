#include "base/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"

static char told[LIMIT_NOTIFY_STATUS]; /* the last sentence */

/* $NOTIFY_SOCKET as an address: a path, or after '@' a name without one. 0: there is none. */
static socklen_t manager_address(struct sockaddr_un *out)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof(out->sun_path) || (path[0] != '/' && path[0] != '@'))
        return 0;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, len);
    if (path[0] == '@')
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* A manager that does not read must not hold the program up: what it has no room for is lost. */
static void tell(const char *text, size_t len)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
    } to;
    socklen_t to_len = manager_address(&to.local);
    if (to_len == 0)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, &to.any, to_len) < 0)
        log_warn("notify", "not_told", LOG_S("error", strerrordesc_np(errno)));
    if (fd >= 0)
        close(fd);
}

/* One line of visible ASCII: the protocol is made of lines, and refuses what is not UTF-8. */
static void keep_status(const char *status)
{
    size_t len = strnlen(status, sizeof(told) - 1);
    for (size_t i = 0; i < len; i++)
        told[i] = status[i] < ' ' || status[i] > '~' ? ' ' : status[i];
    told[len] = '\0';
}

static void tell_state(const char *state, const char *status)
{
    struct buf text = {0};
    keep_status(status);
    buf_printf(&text, "%s\nSTATUS=%s\n", state, told);
    tell(text.data, text.len);
    buf_free(&text);
}

void notify_ready(const char *status)
{
    tell_state("READY=1", status);
}

/* The time tells the manager which of several reloads has ended. */
void notify_reloading(const char *status)
{
    char state[64];
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_monotonic());
    tell_state(state, status);
}

void notify_stopping(const char *status)
{
    tell_state("STOPPING=1", status);
}

void notify_status(const char *format, ...)
{
    char status[LIMIT_NOTIFY_STATUS], before[LIMIT_NOTIFY_STATUS];
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(status, sizeof(status), format, args);
    va_end(args);
    memcpy(before, told, sizeof(before));
    keep_status(status);
    if (strcmp(before, told) == 0)
        return;
    buf_printf(&text, "STATUS=%s\n", told);
    tell(text.data, text.len);
    buf_free(&text);
}

/* $WATCHDOG_PID tells a child of ours that it is not meant. */
int64_t notify_watchdog_us(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t us, wanted;
    if (!text || text_to_int(text, strlen(text), &us) != 0 || us <= 0)
        return 0;
    if (pid && (text_to_int(pid, strlen(pid), &wanted) != 0 || wanted != getpid()))
        return 0;
    return us;
}

void notify_alive(void)
{
    static const char alive[] = "WATCHDOG=1\n";
    tell(alive, sizeof(alive) - 1);
}
