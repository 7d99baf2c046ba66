/*
 * A TLS server whose certificate nobody vouches for is not talked to. The server is openssl's own,
 * with a key made for the occasion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "net/http_client.h"
#include "served.h"

extern char **environ;

struct told {
    int answers;
    enum http_failure failure;
    struct buf error;
};

static void on_answer(const struct http_answer *answer, void *arg)
{
    struct told *told = arg;
    told->answers++;
    told->failure = answer->failure;
    buf_reset(&told->error);
    buf_puts(&told->error, answer->error);
}

/* -1 if there is no openssl program. */
static pid_t start(const char *const arguments[])
{
    pid_t pid;
    const union {
        const char *const *borrowed;
        char *const *plain;
    } argv = {arguments};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    int failure = posix_spawnp(&pid, "openssl", &quiet, NULL, argv.plain, environ);
    posix_spawn_file_actions_destroy(&quiet);
    return failure == 0 ? pid : -1;
}

static bool ended_well(pid_t pid)
{
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* A port that was free a moment ago. */
static unsigned free_port(void)
{
    struct served served;
    serve(&served, (struct http_server_options){0});
    unsigned port = http_server_port(served.server);
    serve_end(&served);
    return port;
}

static void ask(struct loop *loop, struct http_client *client, const char *origin,
                struct told *told)
{
    const struct http_call call = {.method = "GET", .origin = origin, .target = "/"};
    int64_t end = clock_monotonic() + PATIENCE;
    int before = told->answers;
    assert_true(http_client_send(client, &call, on_answer, told));
    while (told->answers == before) {
        assert_true(clock_monotonic() < end);
        loop_turn(loop, 10);
    }
}

static void a_certificate_of_ones_own_is_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/http_client_tls.XXXXXX";
    struct buf key = {0}, certificate = {0}, origin = {0}, port = {0};
    assert_non_null(mkdtemp(folder));
    buf_printf(&key, "%s/key", folder);
    buf_printf(&certificate, "%s/certificate", folder);
    const char *const make[] = {"openssl", "req",    "-x509",         "-newkey",        "rsa:2048",
                                "-nodes",  "-subj",  "/CN=localhost", "-days",          "1",
                                "-keyout", key.data, "-out",          certificate.data, NULL};
    if (!ended_well(start(make))) {
        print_message("no openssl program: skipped\n");
        rmdir(folder);
        buf_free(&key);
        buf_free(&certificate);
        skip();
    }
    buf_printf(&port, "127.0.0.1:%u", free_port());
    buf_printf(&origin, "https://localhost:%s", strchr(port.data, ':') + 1);
    const char *const serve_tls[] = {"openssl", "s_server", "-accept",        port.data, "-key",
                                     key.data,  "-cert",    certificate.data, "-www",    NULL};
    pid_t server = start(serve_tls);
    assert_true(server > 0);

    struct loop *loop = loop_new();
    struct http_client *client = http_client_new(loop, "purchase-sync-test/1");
    struct told told = {0};
    int64_t end = clock_monotonic() + PATIENCE;
    do { /* until it listens */
        assert_true(clock_monotonic() < end);
        ask(loop, client, origin.data, &told);
        loop_turn(loop, 20);
    } while (strstr(told.error.data, "connect") != NULL);
    assert_int_equal(told.failure, HTTP_UNREACHABLE);
    if (strstr(told.error.data, "certificate") == NULL) {
        fail_msg("refused for another reason: %s", told.error.data);
    }

    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    http_client_free(client);
    loop_free(loop);
    unlink(key.data);
    unlink(certificate.data);
    rmdir(folder);
    buf_free(&key);
    buf_free(&certificate);
    buf_free(&origin);
    buf_free(&port);
    buf_free(&told.error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_of_ones_own_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
