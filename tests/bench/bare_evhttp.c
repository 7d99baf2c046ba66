/*
 * For comparison: libevent's evhttp with a constant answer, and nothing else.
 *
 *     bare_evhttp PORT [BYTES]
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    char *bytes;
    size_t len;
};

/* The bytes are lent, not copied, which is the best that evhttp can do. */
static void on_request(struct evhttp_request *request, void *arg)
{
    const struct answer *answer = arg;
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    evbuffer_add_reference(out, answer->bytes, answer->len, NULL, NULL);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "application/json");
    evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
    (void)signal;
    (void)what;
    event_base_loopbreak(arg);
}

int main(int argc, char **argv)
{
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long bytes = argc > 2 ? strtol(argv[2], NULL, 10) : 256;
    if (port < 1 || port > 65535 || bytes < 1 || bytes > 1 << 20) {
        fprintf(stderr, "usage: bare_evhttp PORT [BYTES]\n");
        return 2;
    }
    struct answer answer = {malloc((size_t)bytes), (size_t)bytes};
    struct event_base *base = event_base_new();
    struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
    struct event *term = base != NULL ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
    if (answer.bytes == NULL || http == NULL || term == NULL || event_add(term, NULL) != 0) {
        fprintf(stderr, "bare_evhttp: no memory\n");
        return 1;
    }
    memset(answer.bytes, 'x', answer.len);
    signal(SIGPIPE, SIG_IGN);
    evhttp_set_gencb(http, on_request, &answer);
    if (evhttp_bind_socket(http, "127.0.0.1", (ev_uint16_t)port) != 0) {
        fprintf(stderr, "bare_evhttp: cannot listen on 127.0.0.1:%ld\n", port);
        return 1;
    }
    event_base_dispatch(base);
    evhttp_free(http);
    event_free(term);
    event_base_free(base);
    free(answer.bytes);
    return 0;
}
