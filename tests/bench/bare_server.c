/*
 * Our own server with a constant answer, and nothing else: what HTTP alone costs.
 *
 *     bare_server PORT [BYTES]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/http_server.h"
#include "net/loop.h"

static struct buf answer;

static void on_request(struct http_request *request, void *arg)
{
    (void)arg;
    http_respond(request, 200, "Content-Type: application/json\r\n", answer.data, answer.len);
}

static void on_signal(void *arg)
{
    loop_stop(arg);
}

int main(int argc, char **argv)
{
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long bytes = argc > 2 ? strtol(argv[2], NULL, 10) : 256;
    if (port < 1 || port > 65535 || bytes < 1 || bytes > 1 << 20) {
        fprintf(stderr, "usage: bare_server PORT [BYTES]\n");
        return 2;
    }
    for (long i = 0; i < bytes; i++) {
        buf_putc(&answer, 'x');
    }
    struct buf listen = {0}, error = {0};
    buf_printf(&listen, "127.0.0.1:%ld", port);
    struct loop *loop = loop_new();
    struct http_server_options options = {.listen = listen.data, .handler = on_request};
    struct http_server *server = http_server_new(loop, &options, &error);
    if (server == NULL) {
        fprintf(stderr, "bare_server: %s\n", error.data);
        return 1;
    }
    loop_signal(loop, SIGTERM, on_signal, loop);
    loop_run(loop);
    http_server_free(server);
    loop_free(loop);
    buf_free(&listen);
    buf_free(&error);
    buf_free(&answer);
    return 0;
}
