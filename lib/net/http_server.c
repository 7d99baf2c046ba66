/*
 * The listener: accepts, counts, keeps the deadlines of all connections with one timer, and frees
 * the dead when no callback of theirs can be on the stack.
 */
#include "net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/http_internal.h"

static struct http_server *checked(void *arg)
{
    struct http_server *server = arg;
    if (server->magic != HTTP_SERVER_MAGIC) {
        die("http_server: not a server");
    }
    return server;
}

static size_t open_connections(const struct http_server *server)
{
    return http_server_connections(server) + server->counts[CONNECTION_LINGERING];
}

static void accept_when(struct http_server *server, bool wanted)
{
    if (server->accepting == wanted || server->fd < 0) {
        return;
    }
    server->accepting = wanted;
    if (wanted ? event_add(server->acceptor, NULL) != 0 : event_del(server->acceptor) != 0) {
        die("http_server: libevent cannot watch the listener");
    }
}

/* Out of descriptors or memory: waiting clients stay in the backlog until some are free again. */
static void pause_accepting(struct http_server *server, int reason)
{
    log_warn("http", "accept_paused", LOG_S("listen", server->options.listen),
             LOG_S("error", strerrordesc_np(reason)),
             LOG_I("connections", open_connections(server)));
    accept_when(server, false);
    loop_timer_set(server->pause, LIMIT_HTTP_ACCEPT_PAUSE_MS * INT64_C(1000), true);
}

static void on_pause_over(void *arg)
{
    accept_when(checked(arg), true);
}

static size_t most_of(const struct http_server *server, const struct address *peer)
{
    return server->options.most_of != NULL ? server->options.most_of(peer, server->options.arg)
                                           : SIZE_MAX;
}

/* Closed without an answer. */
static void turn_away(struct http_server *server, int fd, const struct address *peer,
                      struct tallied *tallied, enum http_rule_id id)
{
    const struct http_rule *rule = &http_rules[id];
    close(fd);
    tally_leave(tallied);
    if (server->options.refused != NULL) {
        server->options.refused(rule->status, rule->name, peer, server->options.arg);
    }
}

/*
 * Over a limit a client is told so; far over the listener's, it waits in the backlog. What one
 * address sends far beyond its own must not fill the room that all share; and over TLS being told
 * would cost a handshake.
 */
static void welcome(struct http_server *server, int fd, const struct address *peer)
{
    bool full = http_server_connections(server) >= server->options.max_connections;
    struct address holder = address_holder(peer);
    struct tallied *tallied = tally_enter(server->tally, &holder);
    size_t count = tally_count(tallied), most = most_of(server, peer);
    bool over = full || count > most;
    bool far_over = count > most && count - most > LIMIT_HTTP_ADDRESS_OVERFLOW;
    enum http_rule_id rule = full ? RULE_TOO_MANY_CONNECTIONS : RULE_TOO_MANY_OF_ADDRESS;
    if (far_over || (over && server->options.tls != NULL)) {
        turn_away(server, fd, peer, tallied, rule);
        return;
    }
    struct http_connection *connection = connection_new(server, fd, peer, tallied);
    if (over) {
        connection_refuse(connection, rule);
    }
    if (open_connections(server) >= server->options.max_connections + LIMIT_HTTP_OVERFLOW) {
        accept_when(server, false);
    }
}

/* True while there may be more to accept. */
static bool accept_one(struct http_server *server)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } from = {.room = {0}};
    socklen_t len = sizeof(from);
    int fd = accept4(server->fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        struct address peer;
        address_of_socket(&from.any, &peer);
        welcome(server, fd, &peer);
        return server->accepting;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        pause_accepting(server, errno);
        return false;
    default: /* this one client is already gone again (ECONNABORTED and its kind) */
        return true;
    }
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *server = checked(arg);
    for (size_t i = 0; i < LIMIT_HTTP_ACCEPTS && accept_one(server); i++) {
    }
}

void server_expect(struct http_server *server, int64_t deadline)
{
    if (server->deadline_at != 0 && server->deadline_at <= deadline) {
        return;
    }
    server->deadline_at = deadline;
    loop_timer_set(server->deadlines, deadline - clock_monotonic(), true);
}

/* Everyone in a list waits equally long, so the first of each list is the next to expire. */
static void on_deadline(void *arg)
{
    struct http_server *server = checked(arg);
    int64_t now = clock_monotonic();
    server->deadline_at = 0;
    for (size_t state = 0; state < CONNECTION_STATES; state++) {
        struct http_connection *first;
        while (server->waits[state] > 0 && (first = TAILQ_FIRST(&server->lists[state])) != NULL) {
            if (first->deadline > now) {
                server_expect(server, first->deadline);
                break;
            }
            connection_expire(first);
        }
    }
}

static void free_dead(struct http_server *server)
{
    struct http_connection *connection;
    while ((connection = TAILQ_FIRST(&server->lists[CONNECTION_DEAD])) != NULL) {
        connection_free(connection);
    }
}

/* Who shook hands and said nothing since is idle; a handshake under way leads to a request. */
static void close_greeted(struct http_server *server)
{
    struct http_connection *connection = TAILQ_FIRST(&server->lists[CONNECTION_GREETING]), *next;
    for (; connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, link);
        bool silent = tls_established(connection->tls);
        connection_read(connection);
        if (silent && connection->state == CONNECTION_GREETING) {
            connection_close(connection);
        }
    }
}

/* Who is idle may have a request on the way that has already arrived, so each is read once more. */
static void on_parting(void *arg)
{
    struct http_server *server = checked(arg);
    struct http_connection *connection;
    server->parted = true;
    close_greeted(server);
    while ((connection = TAILQ_FIRST(&server->lists[CONNECTION_IDLE])) != NULL) {
        connection_read(connection);
        if (connection->state == CONNECTION_IDLE) {
            connection_close(connection);
        }
    }
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *server = checked(arg);
    server->reaping = false;
    free_dead(server);
    bool room = open_connections(server) < server->options.max_connections + LIMIT_HTTP_OVERFLOW;
    if (room && !server->draining) {
        accept_when(server, true);
    }
}

void server_reap(struct http_server *server)
{
    if (!server->reaping) {
        server->reaping = true;
        event_active(server->reaper, EV_TIMEOUT, 1);
    }
}

/* Roughly what clients make us hold. */
static size_t server_weight(const struct http_server *server)
{
    return server->held + open_connections(server) * LIMIT_HTTP_WEIGHT;
}

void server_rose(struct http_server *server)
{
    size_t weight = server_weight(server);
    server->flood = weight > server->flood ? weight : server->flood;
}

void server_ebbed(struct http_server *server)
{
    if (!server->ebbing && server->flood >= LIMIT_HTTP_TRIM_BYTES &&
        server_weight(server) <= server->flood / 2) {
        server->ebbing = true;
        loop_timer_set(server->ebb, LIMIT_HTTP_TRIM_MS * INT64_C(1000), true);
    }
}

/*
 * The allocator keeps what lies below anything still in use, and after a burst of bodies something
 * does: without this a front keeps the memory of its worst moment for good. Once a flood is over,
 * and not sooner, for pages that are given back must be faulted in again.
 */
static void on_ebb(void *arg)
{
    struct http_server *server = checked(arg);
    server->ebbing = false;
    if (server_weight(server) <= server->flood / 2) {
        malloc_trim(0);
        server->flood = server_weight(server);
    }
}

/* Sixteen hex digits: a random start, then a step that visits every number before it repeats. */
void server_next_id(struct http_server *server, char out[HTTP_ID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    server->next_id += UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < HTTP_ID_TEXT - 1; i++) {
        out[i] = digits[(server->next_id >> (60 - 4 * i)) & 15];
    }
    out[HTTP_ID_TEXT - 1] = '\0';
}

static const char *remedy(int reason)
{
    switch (reason) {
    case EACCES:
        return "a port below 1024 needs CAP_NET_BIND_SERVICE; choose a higher one";
    case EADDRINUSE:
        return "another program listens there; stop it or choose another port";
    case EADDRNOTAVAIL:
        return "no interface of this host has that address";
    default:
        return "expected host:port, such as 127.0.0.1:8080";
    }
}

static void complain(struct buf *error, const char *listen, const char *what,
                     const char *remedy_text)
{
    buf_printf(error, "listen = %s: %s; %s", listen, what, remedy_text);
}

/* "host:port" or "[v6]:port" in two new strings; -1 if it is neither. */
static int split_listen(const char *listen, char **host, char **port)
{
    const char *colon = strrchr(listen, ':');
    int64_t number;
    if (colon == NULL || colon == listen ||
        text_to_int(colon + 1, strlen(colon + 1), &number) != 0 || number > 65535) {
        return -1;
    }
    size_t len = (size_t)(colon - listen);
    bool brackets = listen[0] == '[';
    if (brackets ? listen[len - 1] != ']' || len < 4 : memchr(listen, ':', len) != NULL) {
        return -1;
    }
    *host = brackets ? xstrndup(listen + 1, len - 2) : xstrndup(listen, len);
    *port = xstrdup(colon + 1);
    return 0;
}

/* Accepted sockets inherit TCP_NODELAY: an answer is one write, and waits for nothing. */
static int open_listener(const struct addrinfo *address, bool reuse_port)
{
    const int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* What the kernel made of the address: the port it chose, and whether it is loopback's. */
static void note_bound(struct http_server *server)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {.v6 = {0}};
    socklen_t len = sizeof(at);
    if (getsockname(server->fd, &at.any, &len) != 0) {
        die("http_server: getsockname: %s", strerrordesc_np(errno));
    }
    if (at.any.sa_family == AF_INET6) {
        server->port = ntohs(at.v6.sin6_port);
        server->loopback =
            IN6_IS_ADDR_LOOPBACK(&at.v6.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&at.v6.sin6_addr);
    } else {
        uint32_t address = ntohl(at.v4.sin_addr.s_addr);
        server->port = ntohs(at.v4.sin_port);
        server->loopback = address >> 24 == 127 || address == INADDR_ANY;
    }
}

/* What was handed over listens already, wherever that is. */
static void server_take(struct http_server *server)
{
    const int on = 1;
    server->fd = server->options.handed;
    if (setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        die("http_server: the handed socket is not TCP's: %s", strerrordesc_np(errno));
    }
    note_bound(server);
}

/* Binds to the first of the host's addresses that can be bound to. */
static int server_listen(struct http_server *server, struct buf *error)
{
    const char *listen_text = server->options.listen;
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char *port = NULL;
    int result = -1;
    if (split_listen(listen_text, &server->host, &port) != 0) {
        complain(error, listen_text, "not an address and a port", remedy(0));
        return -1;
    }
    if (server->options.handed > 0) {
        server_take(server);
        free(port);
        return 0;
    }
    int failure = getaddrinfo(server->host, port, &wanted, &found);
    if (failure != 0) {
        complain(error, listen_text, gai_strerror(failure), remedy(0));
        goto done;
    }
    for (const struct addrinfo *at = found; at != NULL && server->fd < 0; at = at->ai_next) {
        server->fd = open_listener(at, server->options.reuse_port);
    }
    if (server->fd < 0) {
        complain(error, listen_text, strerrordesc_np(errno), remedy(errno));
        goto done;
    }
    note_bound(server);
    result = 0;
done:
    if (found != NULL) {
        freeaddrinfo(found);
    }
    free(port);
    return result;
}

/*
 * Who cannot be given a descriptor would wait unanswered, and files and the database would go
 * short with it: so no more clients are let in than descriptors allow, which the operator is told
 * where a number was asked for.
 */
static void fit_descriptors(struct http_server *server, bool asked)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return;
    }
    size_t all = (size_t)files.rlim_cur;
    const size_t others = LIMIT_HTTP_OVERFLOW + LIMIT_HTTP_SPARE_FILES;
    size_t room = all > 2 * others ? all - others : all / 2;
    if (room == 0 || room >= server->options.max_connections) {
        return;
    }
    if (asked) {
        log_warn("http", "connections_limited", LOG_S("listen", server->options.listen),
                 LOG_I("connections", room), LOG_I("descriptors", all),
                 LOG_I("descriptors_wanted", server->options.max_connections + others),
                 LOG_S("why", "raise the hard limit of open files (LimitNOFILE= of a systemd "
                              "unit, ulimit -Hn)"));
    }
    server->options.max_connections = room;
}

static int64_t or_ms(int64_t us, int64_t ms)
{
    return us > 0 ? us : ms * 1000;
}

static void take_options(struct http_server *server, const struct http_server_options *options)
{
    server->options = *options;
    server->options.listen = xstrdup(options->listen);
    if (options->max_connections == 0) {
        server->options.max_connections = LIMIT_HTTP_CONNECTIONS;
    }
    if (options->max_body == 0) {
        server->options.max_body = LIMIT_HTTP_BODY_DEFAULT;
    }
    server->waits[CONNECTION_IDLE] = or_ms(options->idle_us, LIMIT_HTTP_IDLE_MS);
    server->waits[CONNECTION_READING] = or_ms(options->request_us, LIMIT_HTTP_REQUEST_MS);
    server->waits[CONNECTION_WRITING] = or_ms(options->write_us, LIMIT_HTTP_WRITE_MS);
    server->waits[CONNECTION_GREETING] = LIMIT_HTTP_GREETING_MS * INT64_C(1000);
    if (server->waits[CONNECTION_GREETING] > server->waits[CONNECTION_READING]) {
        server->waits[CONNECTION_GREETING] = server->waits[CONNECTION_READING];
    }
    server->waits[CONNECTION_LINGERING] = LIMIT_HTTP_LINGER_MS * INT64_C(1000);
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options,
                                    struct buf *error)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->magic = HTTP_SERVER_MAGIC;
    server->loop = loop;
    server->fd = -1;
    server->tally = tally_new();
    for (size_t state = 0; state < CONNECTION_STATES; state++) {
        TAILQ_INIT(&server->lists[state]);
    }
    take_options(server, options);
    digest_random(&server->next_id, sizeof(server->next_id));
    if (server_listen(server, error) != 0) {
        http_server_free(server);
        return NULL;
    }
    fit_descriptors(server, options->max_connections > 0);
    struct event_base *base = loop_base(loop);
    server->acceptor = event_new(base, server->fd, EV_READ | EV_PERSIST, on_acceptable, server);
    server->reaper = event_new(base, -1, 0, on_reap, server);
    if (server->acceptor == NULL || server->reaper == NULL) {
        die("http_server: libevent has no memory");
    }
    server->deadlines = loop_timer_new(loop, on_deadline, server);
    server->pause = loop_timer_new(loop, on_pause_over, server);
    server->ebb = loop_timer_new(loop, on_ebb, server);
    server->parting = loop_timer_new(loop, on_parting, server);
    accept_when(server, true);
    return server;
}

void http_server_renew(struct http_server *server, struct tls_identity *tls)
{
    tls_identity_free(server->options.tls);
    server->options.tls = tls;
}

unsigned http_server_port(const struct http_server *server)
{
    return server->port;
}

size_t http_server_connections(const struct http_server *server)
{
    return server->counts[CONNECTION_GREETING] + server->counts[CONNECTION_IDLE] +
           server->counts[CONNECTION_READING] + server->counts[CONNECTION_WAITING] +
           server->counts[CONNECTION_WRITING];
}

static void stop_listening(struct http_server *server)
{
    if (server->fd < 0) {
        return;
    }
    accept_when(server, false);
    loop_timer_clear(server->pause);
    close(server->fd);
    server->fd = -1;
}

/*
 * Closing a listener resets who waits in its backlog, so those are let in first; but a handed one
 * stays open elsewhere, and its backlog waits for who takes it up next. A client that does not know
 * yet may just be sending its next request on a connection that looks idle: hence the parting.
 */
void http_server_drain(struct http_server *server)
{
    if (checked(server)->draining) {
        return;
    }
    while (server->options.handed == 0 && server->accepting && accept_one(server)) {
    }
    server->draining = true;
    stop_listening(server);
    loop_timer_set(server->parting, LIMIT_HTTP_PARTING_MS * INT64_C(1000), true);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    if (checked(server)->depth > 0) {
        die("http_server_free: called from within a handler");
    }
    server->draining = true;
    if (server->acceptor != NULL) {
        stop_listening(server);
    }
    for (size_t state = 0; state < CONNECTION_STATES; state++) {
        struct http_connection *connection;
        while ((connection = TAILQ_FIRST(&server->lists[state])) != NULL) {
            connection_free(connection);
        }
    }
    if (server->acceptor != NULL) {
        event_free(server->acceptor);
        event_free(server->reaper);
    }
    tally_free(server->tally);
    tls_identity_free(server->options.tls);
    loop_timer_free(server->deadlines);
    loop_timer_free(server->pause);
    loop_timer_free(server->ebb);
    loop_timer_free(server->parting);
    buf_free(&server->spare);
    free(server->host);
    union {
        const char *borrowed;
        char *owned;
    } listen_text = {server->options.listen};
    free(listen_text.owned);
    server->magic = 0;
    free(server);
}
