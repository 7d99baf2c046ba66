/*
 * What a handler reads of a request. The head's bytes are copied once, behind the struct, and the
 * headers point into the copy.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "net/http_chars.h"
#include "net/http_internal.h"

/* Ends the target and splits it at its '?', in the copy, where both ends are ours to overwrite. */
static void split_target(struct http_request *request, char *target, size_t len)
{
    target[len] = '\0';
    request->path = target;
    request->query = target + len;
    char *mark = memchr(target, '?', len);
    if (mark != NULL) {
        *mark = '\0';
        request->query = mark + 1;
    }
}

struct http_request *request_new(struct http_connection *connection, const struct http_head *head,
                                 const char *bytes, size_t len)
{
    size_t table = head->header_count * sizeof(head->headers[0]);
    struct http_request *request = xmalloc(sizeof(*request) + table + len);
    *request = (struct http_request){
        .magic = HTTP_REQUEST_MAGIC,
        .connection = connection,
        .minor = head->minor,
        .keep_alive = head->keep_alive,
        .chunked = head->chunked,
        .left = head->length,
        .arrived = connection->started,
        .header_count = head->header_count,
    };
    char *copy = (char *)request->headers + table;
    memcpy(copy, bytes, len);
    for (size_t i = 0; i < head->header_count; i++) {
        request->headers[i] = head->headers[i];
        request->headers[i].name = copy + (head->headers[i].name - bytes);
        request->headers[i].value = copy + (head->headers[i].value - bytes);
    }
    memcpy(request->method, head->method, head->method_len);
    split_target(request, copy + (head->target - bytes), head->target_len);
    server_next_id(connection->server, request->id);
    return request;
}

/* The caller's state goes first: it may still look at the request. */
void request_free(struct http_request *request)
{
    if (request->release != NULL) {
        request->release(request->state);
    }
    struct http_server *server = request->connection->server;
    server->held -= request->body.len;
    buf_free(&request->body);
    request->magic = 0;
    free(request);
    server_ebbed(server);
}

/* A body whose length was told gets its room at once, up to what one read can bring, because room
 * grows by being copied. */
void request_hold(struct http_request *request, const char *bytes, size_t len)
{
    if (request->body.cap == 0 && !request->chunked) {
        bool one_read = request->left < LIMIT_HTTP_READ_BYTES;
        buf_reserve(&request->body, one_read ? (size_t)request->left : LIMIT_HTTP_READ_BYTES - 1);
    }
    buf_append(&request->body, bytes, len);
    request->connection->server->held += len;
    server_rose(request->connection->server);
}

static const struct http_request *checked(const struct http_request *request)
{
    if (request->magic != HTTP_REQUEST_MAGIC) {
        die("http_request: used after its end");
    }
    return request;
}

const char *http_method(const struct http_request *request)
{
    return checked(request)->method;
}

const char *http_path(const struct http_request *request)
{
    return checked(request)->path;
}

const char *http_query(const struct http_request *request)
{
    return checked(request)->query;
}

const char *http_body(const struct http_request *request, size_t *len)
{
    *len = checked(request)->body.len;
    return *len > 0 ? request->body.data : "";
}

const struct http_header *http_headers(const struct http_request *request, size_t *count)
{
    *count = checked(request)->header_count;
    return request->headers;
}

char *http_header_text(const struct http_request *request, const char *name)
{
    size_t count;
    const struct http_header *header =
        http_find(checked(request)->headers, request->header_count, name, &count);
    return count == 1 ? xstrndup(header->value, header->value_len) : NULL;
}

const struct address *http_peer(const struct http_request *request)
{
    return &checked(request)->connection->peer;
}

const char *http_request_id(const struct http_request *request)
{
    return checked(request)->id;
}

int64_t http_arrived(const struct http_request *request)
{
    return checked(request)->arrived;
}

void http_on_gone(struct http_request *request, loop_callback *gone, void *arg)
{
    checked(request);
    request->gone = gone;
    request->gone_arg = arg;
    if (gone != NULL) {
        connection_recheck(request->connection);
    }
}

void http_set_state(struct http_request *request, void *state, loop_callback *release)
{
    checked(request);
    request->state = state;
    request->release = release;
}

void *http_state(const struct http_request *request)
{
    return checked(request)->state;
}

/* The address on which the connection came in, as text; "" if the kernel does not say. */
static void local_address(int fd, char *out, size_t room)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {.v6 = {0}};
    socklen_t len = sizeof(at);
    out[0] = '\0';
    if (getsockname(fd, &at.any, &len) != 0) {
        return;
    }
    const void *address = &at.v4.sin_addr;
    int family = at.any.sa_family;
    if (family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&at.v6.sin6_addr);
        address = mapped ? &at.v6.sin6_addr.s6_addr[12] : at.v6.sin6_addr.s6_addr;
        family = mapped ? AF_INET : AF_INET6;
    }
    if (inet_ntop(family, address, out, (socklen_t)room) == NULL) {
        out[0] = '\0';
    }
}

/* Splits "host[:port]" that has the form of a Host; without a port it is 80. */
static void split_host(const char *text, size_t len, char *host, size_t room, unsigned *port)
{
    size_t skip = len > 0 && text[0] == '[' ? 1 : 0;
    const char *end = memchr(text, skip ? ']' : ':', len);
    size_t host_len = (end != NULL ? (size_t)(end - text) : len) - skip;
    size_t at = skip + host_len + skip + 1;
    *port = at < len ? 0 : 80;
    for (; at < len; at++) {
        *port = *port * 10 + (unsigned)(text[at] - '0');
    }
    host_len = host_len < room ? host_len : room - 1;
    memcpy(host, text + skip, host_len);
    host[host_len] = '\0';
}

/*
 * The listener's own name, the address that was connected to, and, on loopback, "localhost" are its
 * names.
 */
static bool names_listener(const struct http_request *request, const char *text, size_t len)
{
    const struct http_server *server = request->connection->server;
    char host[256], local[INET6_ADDRSTRLEN];
    unsigned port;
    split_host(text, len, host, sizeof(host), &port);
    if (port != server->port) {
        return false;
    }
    local_address(request->connection->fd, local, sizeof(local));
    return text_equal_nocase(host, server->host) || text_equal_nocase(host, local) ||
           (server->loopback && text_equal_nocase(host, "localhost"));
}

/* A page that a browser loaded under another name must not reach an internal listener through a
 * name that now leads to our address. */
bool request_names_listener(const struct http_request *request)
{
    const struct http_header *host =
        http_find(request->headers, request->header_count, "host", NULL);
    return host != NULL && names_listener(request, host->value, host->value_len);
}

/* Nor may a page of another origin send it anything, whether or not it may read the answer. */
bool request_origin_is_own(const struct http_request *request)
{
    static const char scheme[] = "http://";
    const size_t skip = sizeof(scheme) - 1;
    size_t count;
    const struct http_header *origin =
        http_find(request->headers, request->header_count, "origin", &count);
    if (origin == NULL) {
        return true;
    }
    return count == 1 && origin->value_len > skip && memcmp(origin->value, scheme, skip) == 0 &&
           http_host_is_valid(origin->value + skip, origin->value_len - skip) &&
           names_listener(request, origin->value + skip, origin->value_len - skip);
}
