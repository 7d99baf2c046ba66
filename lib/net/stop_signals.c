#include "net/stop_signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct stop_signals {
    struct loop_watch *watch;
    loop_callback *callback;
    void *arg;
};

/* What the handler may touch. */
static struct {
    int fd; /* wakes the loop */
    atomic_int count;
    char last_words[80];
    size_t last_words_len;
} caught = {.fd = -1};

/* Only what is safe in a signal handler. */
static void on_signal(int number)
{
    const uint64_t one = 1;
    int saved = errno;

    (void)number;
    if (atomic_fetch_add(&caught.count, 1) > 0) {
        ssize_t told = write(STDERR_FILENO, caught.last_words, caught.last_words_len);
        (void)told;
        _exit(EXIT_FAILURE);
    }
    ssize_t written = write(caught.fd, &one, sizeof(one));
    (void)written; /* an eventfd's counter has room for it */
    errno = saved;
}

static void on_wake(void *arg)
{
    struct stop_signals *signals = arg;
    uint64_t count;

    if (read(caught.fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        signals->callback(signals->arg);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    (void)sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0)
        die("stop_signals: no handler for signal %d", number);
}

struct stop_signals *stop_signals_new(struct loop *loop, const char *program,
                                      loop_callback *callback, void *arg)
{
    struct stop_signals *signals = xcalloc(1, sizeof(*signals));

    if (caught.fd >= 0)
        die("stop_signals: there are some already");
    caught.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (caught.fd < 0)
        die("stop_signals: no eventfd");
    atomic_store(&caught.count, 0);
    snprintf(caught.last_words, sizeof(caught.last_words), "- warn %s stopped_at_once\n", program);
    caught.last_words_len = strlen(caught.last_words);
    signals->callback = callback;
    signals->arg = arg;
    signals->watch = loop_watch_new(loop, caught.fd, on_wake, signals);
    handle(SIGTERM, on_signal);
    handle(SIGINT, on_signal);
    return signals;
}

void stop_signals_free(struct stop_signals *signals)
{
    if (!signals)
        return;
    handle(SIGTERM, SIG_DFL);
    handle(SIGINT, SIG_DFL);
    loop_watch_free(signals->watch);
    close(caught.fd);
    caught.fd = -1;
    free(signals);
}
