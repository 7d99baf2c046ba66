/*
 * What reaches a service manager's socket, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/notify.h"

/* A manager that listens under a name without a path, as systemd's user instance may. */
static int manager(void)
{
    char name[64];
    union {
        struct sockaddr any;
        struct sockaddr_un local;
    } at = {.local = {.sun_family = AF_UNIX}};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int len = snprintf(name, sizeof(name), "@purchase-notify-test-%ld", (long)getpid());
    memcpy(at.local.sun_path + 1, name + 1, (size_t)len - 1);
    assert_int_equal(
        bind(fd, &at.any, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static void hears(int fd, const char *wanted)
{
    char text[2048];
    ssize_t len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    assert_true(len >= 0);
    text[len] = '\0';
    assert_string_equal(text, wanted);
}

static void hears_nothing(int fd)
{
    char text[8];
    assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
}

static void states_and_sentences(void **state)
{
    (void)state;
    int fd = manager();
    notify_ready("serving");
    hears(fd, "READY=1\nSTATUS=serving\n");
    notify_status("serving");
    hears_nothing(fd);
    notify_status("%d connections", 3);
    hears(fd, "STATUS=3 connections\n");
    notify_stopping("drains");
    hears(fd, "STOPPING=1\nSTATUS=drains\n");
    notify_alive();
    hears(fd, "WATCHDOG=1\n");
    close(fd);
}

/* A sentence may quote a database's error: it must not say lines of its own. */
static void a_sentence_is_one_line(void **state)
{
    (void)state;
    int fd = manager();
    char wanted[LIMIT_NOTIFY_STATUS + 16], filler[2 * LIMIT_NOTIFY_STATUS];
    notify_status("gone\nREADY=1\n\xc3\xa4\x7f");
    hears(fd, "STATUS=gone READY=1    \n");
    memset(filler, 'x', sizeof(filler));
    filler[sizeof(filler) - 1] = '\0';
    notify_status("%s", filler);
    snprintf(wanted, sizeof(wanted), "STATUS=%.*s\n", LIMIT_NOTIFY_STATUS - 1, filler);
    hears(fd, wanted);
    close(fd);
}

static void nobody_listens(void **state)
{
    (void)state;
    static const char *const none[] = {"", "relative", "@", "/", "/nowhere/to/be/found"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", none[i], 1), 0);
        notify_ready("serving");
    }
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_alive();
}

static int64_t watchdog(const char *us, const char *pid)
{
    assert_int_equal(us ? setenv("WATCHDOG_USEC", us, 1) : unsetenv("WATCHDOG_USEC"), 0);
    assert_int_equal(pid ? setenv("WATCHDOG_PID", pid, 1) : unsetenv("WATCHDOG_PID"), 0);
    return notify_watchdog_us();
}

static void who_watches_and_how_closely(void **state)
{
    (void)state;
    char own[32], other[32];
    snprintf(own, sizeof(own), "%ld", (long)getpid());
    snprintf(other, sizeof(other), "%ld", (long)getppid());
    assert_int_equal(watchdog(NULL, NULL), 0);
    assert_int_equal(watchdog("60000000", NULL), 60000000);
    assert_int_equal(watchdog("60000000", own), 60000000);
    assert_int_equal(watchdog("60000000", other), 0);
    assert_int_equal(watchdog("60000000", "x"), 0);
    assert_int_equal(watchdog("", NULL), 0);
    assert_int_equal(watchdog("-1", NULL), 0);
    assert_int_equal(watchdog("1s", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_sentences),
        cmocka_unit_test(a_sentence_is_one_line),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(who_watches_and_how_closely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
