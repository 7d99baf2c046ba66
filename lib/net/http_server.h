/*
 * A strict HTTP/1.1 server on one loop. A request is handed over whole, head and body, and answered
 * exactly once, then or later, on the loop's thread. Pipelined requests are answered in order. A
 * client that breaks a rule gets 400 and a closed connection.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/network.h"
#include "net/http_parse.h"
#include "net/loop.h"
#include "net/tls.h"

struct http_server;
/* Lives until it is answered or, if its client leaves and the handler asked by http_on_gone() to be
 * told, until that callback has returned. */
struct http_request;

struct http_server_options {
    const char *listen; /* "host:port"; port 0 lets the kernel choose */
    int handed;         /* listens there already (handed.h), and is ours to close; 0: none */
    /* Internal listener: Host must name the listener, else 421 (DNS rebinding), and an Origin must
     * be its own, else 403. */
    bool check_host;
    bool reuse_port; /* several instances share the port */
    /* With it nothing but TLS is spoken; or NULL. The server's, even if there comes to be none. */
    struct tls_identity *tls;
    uint64_t max_body; /* a longer body is answered 413, at its head where its length is told; 0:
                          LIMIT_HTTP_BODY_DEFAULT */
    size_t max_connections;                /* one more is told 503; 0: LIMIT_HTTP_CONNECTIONS */
    int64_t request_us, idle_us, write_us; /* deadlines; 0: those of limits.h */
    /* How many connections this peer's address may have open; or NULL: any number. Asked at accept.
     */
    size_t (*most_of)(const struct address *peer, void *arg);
    void (*handler)(struct http_request *request, void *arg);
    /* Every answer the server gave by itself (400, 408, 413, 421, 431, 503 ...), for the log and
     * the counters, with the rule's name of docs/http-rules.md; or NULL. */
    void (*refused)(int status, const char *rule, const struct address *peer, void *arg);
    void *arg;
};

/* NULL with a sentence in `error` ("listen = 127.0.0.1:80: permission denied; ..."). */
struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options,
                                    struct buf *error) __attribute__((warn_unused_result));
/* What connections accepted from now on begin with; the server's. */
void http_server_renew(struct http_server *server, struct tls_identity *tls);
unsigned http_server_port(const struct http_server *server);
/* Stops listening; each connection's next answer is its last. One without a request under way is
 * closed after LIMIT_HTTP_PARTING_MS: what its client sent before it knew is still answered. */
void http_server_drain(struct http_server *server);
/* Those that may still have something to say: not the ones that were told the last answer. */
size_t http_server_connections(const struct http_server *server);
/* Cuts what is left: each waiting request is told by its http_on_gone(). Not from within a handler.
 */
void http_server_free(struct http_server *server);

const char *http_method(const struct http_request *request); /* NUL-terminated */
const char *http_path(const struct http_request *request);   /* percent-decoding is the caller's */
const char *http_query(const struct http_request *request);  /* after '?', or "" */
const char *http_body(const struct http_request *request, size_t *len);
const struct http_header *http_headers(const struct http_request *request, size_t *count);
/* The value as a new string, or NULL if the header is absent or stands more than once. */
char *http_header_text(const struct http_request *request, const char *name);
/* Who connected, which may be a proxy. */
const struct address *http_peer(const struct http_request *request);
const char *http_request_id(const struct http_request *request); /* for log lines */
int64_t http_arrived(const struct http_request *request); /* clock_monotonic() of its first byte */

/*
 * Answers. `headers` are whole lines, each ended by CRLF, or NULL: Content-Length, Date, Connection
 * and `X-Request-Id` are the server's. The request must not be touched afterwards.
 */
void http_respond(struct http_request *request, int status, const char *headers, const void *body,
                  size_t len);
/* application/problem+json: {"type":"about:blank","title","status","code","detail"}. */
void http_respond_problem(struct http_request *request, int status, const char *code,
                          const char *headers, const char *detail);
/*
 * The client left before the answer: called once, from the loop, and the request is gone when it
 * returns. A FIN counts as leaving only for a handler that asks here: it may be a half-closed
 * client that still reads, and is otherwise answered. So ask where an answer may be long in coming
 * (a long poll), not where it follows at once.
 */
void http_on_gone(struct http_request *request, loop_callback *gone, void *arg);
/* Attaches the caller's own state; `release` is called when the request ends, either way. */
void http_set_state(struct http_request *request, void *state, loop_callback *release);
void *http_state(const struct http_request *request);

#endif
