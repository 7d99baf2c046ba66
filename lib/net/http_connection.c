/*
 * A connection and its state. Input is worked through one request at a time: the next one is read
 * when the answer to the one before it lies in `out`. Answers given from within a handler are sent
 * together once the input is used up, which is what makes pipelining cheap.
 *
 * A client that shuts down its sending side (FIN) may still be reading, and plain TCP cannot tell
 * that from one that left. The handler decides: with http_on_gone() it says that its answer is only
 * worth waiting for while somebody waits (a long poll), and a FIN then ends the request; without,
 * the answer is sent, so that `printf ... | nc` works. A reset ends either.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_internal.h"

/* A kept connection holds no room for answers: the server lends it while there is one to send. */
static void return_room(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    buf_reset(&connection->out);
    connection->sent = 0;
    if (server->spare.cap == 0 && connection->out.cap <= LIMIT_HTTP_PIPELINE_BYTES) {
        server->spare = connection->out;
        connection->out = (struct buf){0};
    } else {
        buf_free(&connection->out);
    }
}

/* The one place where a state changes; each state's deadline begins when it is entered. */
static void connection_become(struct http_connection *connection, enum connection_state state)
{
    struct http_server *server = connection->server;
    if (connection->state == state) {
        return;
    }
    TAILQ_REMOVE(&server->lists[connection->state], connection, link);
    server->counts[connection->state]--;
    connection->state = state;
    TAILQ_INSERT_TAIL(&server->lists[state], connection, link);
    server->counts[state]++;
    if (server->waits[state] > 0) {
        int64_t now = clock_monotonic();
        if (state == CONNECTION_READING) {
            connection->started = now;
        }
        connection->deadline = now + server->waits[state];
        server_expect(server, connection->deadline);
    }
}

static void watch(struct event *event, bool *watching, bool wanted)
{
    if (*watching == wanted) {
        return;
    }
    *watching = wanted;
    if (wanted ? event_add(event, NULL) != 0 : event_del(event) != 0) {
        die("connection: libevent cannot watch a socket");
    }
}

static void drop_socket(struct http_connection *connection)
{
    watch(&connection->reading, &connection->watches_read, false);
    watch(&connection->writing, &connection->watches_write, false);
    event_del(&connection->reading); /* also where it was only made active */
    if (connection->fd >= 0) {
        tls_free(connection->tls);
        connection->tls = NULL;
        close(connection->fd);
        connection->fd = -1;
        tally_leave(connection->tallied);
    }
}

void connection_close(struct http_connection *connection)
{
    if (connection->state == CONNECTION_DEAD) {
        return;
    }
    drop_socket(connection);
    connection_become(connection, CONNECTION_DEAD);
    server_reap(connection->server);
}

bool connection_abandon(struct http_connection *connection)
{
    struct http_request *request = connection->request;
    if (request == NULL || !request->handed_over) {
        return false;
    }
    request->leaving = true;
    if (request->gone != NULL) {
        request->gone(request->gone_arg);
    }
    connection->request = NULL;
    request_free(request);
    return true;
}

/* The connection is broken. A handler that did not ask to be told keeps its request until it has
 * answered, into the void. */
static void connection_lost(struct http_connection *connection)
{
    struct http_request *request = connection->request;
    if (request != NULL && request->handed_over && request->gone == NULL) {
        drop_socket(connection);
        return;
    }
    connection_abandon(connection);
    connection_close(connection);
}

static ssize_t transmit(struct http_connection *connection, const void *bytes, size_t len)
{
    return connection->tls != NULL ? tls_write(connection->tls, bytes, len)
                                   : send(connection->fd, bytes, len, MSG_NOSIGNAL);
}

static ssize_t receive(struct http_connection *connection, void *bytes, size_t room)
{
    return connection->tls != NULL ? tls_read(connection->tls, bytes, room)
                                   : recv(connection->fd, bytes, room, 0);
}

/* Sends what there is; false if the connection broke. */
static bool flush(struct http_connection *connection)
{
    while (connection->sent < connection->out.len) {
        ssize_t n = transmit(connection, connection->out.data + connection->sent,
                             connection->out.len - connection->sent);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN;
        }
        connection->sent += (size_t)n;
    }
    if (connection->out.cap > 0) {
        return_room(connection);
    }
    return true;
}

/* Ends the sending side and waits for the client to close: closing at once would reset the
 * connection, and with it the answer, while the client is still sending. */
static void connection_linger(struct http_connection *connection)
{
    if (connection->tls != NULL) {
        tls_end(connection->tls);
    }
    if (connection->ended || shutdown(connection->fd, SHUT_WR) != 0) {
        connection_close(connection);
        return;
    }
    buf_free(&connection->in);
    connection_become(connection, CONNECTION_LINGERING);
}

/* Whether a request may begin, or go on, with what comes. */
static bool takes_input(const struct http_connection *connection)
{
    return connection->state == CONNECTION_IDLE || connection->state == CONNECTION_READING ||
           connection->state == CONNECTION_GREETING;
}

/* Whether TLS has something of its own to write before it can read on. */
static bool is_stuck(const struct http_connection *connection)
{
    return connection->tls != NULL && tls_wants_write(connection->tls);
}

/* Brings the state in line with what is left to send and to read. */
static void connection_settle(struct http_connection *connection)
{
    if (connection->state == CONNECTION_DEAD) {
        return;
    }
    if (connection->fd < 0 ? connection->request == NULL : !flush(connection)) {
        connection_lost(connection);
        return;
    }
    if (connection->fd < 0) {
        return;
    }
    bool unsent = connection->out.len > 0;
    if (connection->state == CONNECTION_IDLE || connection->state == CONNECTION_WRITING) {
        if (unsent) {
            connection_become(connection, CONNECTION_WRITING);
        } else if (connection->closing) {
            connection_linger(connection);
        } else if ((connection->ended || connection->server->parted) && connection->in.len == 0) {
            connection_close(connection);
        } else {
            connection_become(connection, CONNECTION_IDLE);
        }
    } else if (takes_input(connection) && connection->ended && !unsent) {
        connection_close(connection); /* the rest of the request will never come */
    }
    if (connection->state != CONNECTION_DEAD) {
        bool room = connection->in.len < LIMIT_HTTP_PIPELINE_BYTES;
        watch(&connection->reading, &connection->watches_read, room && !connection->ended);
        watch(&connection->writing, &connection->watches_write, unsent || is_stuck(connection));
    }
}

/* Drops the request that is being read, puts the refusal behind the answers before it, and takes in
 * nothing more. */
static void refuse(struct http_connection *connection, enum http_rule_id rule)
{
    struct http_server *server = connection->server;
    if (server->options.refused != NULL) {
        server->options.refused(http_rules[rule].status, http_rules[rule].name, &connection->peer,
                                server->options.arg);
    }
    answer_refusal(connection, rule);
    if (connection->request != NULL) {
        request_free(connection->request);
        connection->request = NULL;
    }
    connection->closing = true;
    connection_become(connection, CONNECTION_WRITING);
}

void connection_refuse(struct http_connection *connection, enum http_rule_id rule)
{
    refuse(connection, rule);
    if (!connection->running) {
        connection_settle(connection);
    }
}

static enum http_rule_id rule_named(const char *name)
{
    enum http_rule_id id = 0;
    while (http_rules[id].name != name) {
        id++;
    }
    return id;
}

/* Keeps body bytes, unless there are too many of this request or of all requests together. */
static bool hold_body(struct http_connection *connection, const char *bytes, size_t len,
                      uint64_t known)
{
    struct http_server *server = connection->server;
    struct http_request *request = connection->request;
    if (request->body.len + known > server->options.max_body) {
        refuse(connection, RULE_BODY_TOO_LARGE);
        return false;
    }
    if (server->held + len > LIMIT_HTTP_HELD_BYTES) {
        refuse(connection, RULE_MEMORY);
        return false;
    }
    request_hold(request, bytes, len);
    return true;
}

/* Takes chunks until the body or the input ends; true when the body is whole. */
static bool read_chunked(struct http_connection *connection, const char *bytes, size_t len,
                         size_t *used)
{
    struct http_request *request = connection->request;
    enum http_verdict verdict = HTTP_MORE;
    while (verdict == HTTP_MORE && *used < len) {
        const char *data, *rule = NULL;
        size_t step, data_len;
        verdict = http_parse_chunks(&request->chunks, bytes + *used, len - *used, &step, &data,
                                    &data_len, &rule);
        *used += step;
        if (verdict == HTTP_REFUSED) {
            refuse(connection, rule_named(rule));
            return false;
        }
        if (!hold_body(connection, data, data_len, data_len + request->chunks.left)) {
            return false;
        }
    }
    return verdict == HTTP_DONE;
}

/* Takes body bytes from the input; true when the body is whole. */
static bool read_body(struct http_connection *connection, const char *bytes, size_t len,
                      size_t *used)
{
    struct http_request *request = connection->request;
    if (request->chunked) {
        return read_chunked(connection, bytes, len, used);
    }
    size_t take = len - *used < request->left ? len - *used : (size_t)request->left;
    if (take > 0 && !hold_body(connection, bytes + *used, take, take)) {
        return false;
    }
    request->left -= take;
    *used += take;
    return request->left == 0;
}

/* A whole head: what it announces is judged before its body is waited for. */
static void begin_request(struct http_connection *connection, const struct http_head *head,
                          const char *bytes, size_t len, bool body_came)
{
    struct http_request *request = request_new(connection, head, bytes, len);
    connection->request = request;
    if (connection->server->options.check_host && !request_names_listener(request)) {
        refuse(connection, RULE_HOST_ELSEWHERE);
    } else if (connection->server->options.check_host && !request_origin_is_own(request)) {
        refuse(connection, RULE_ORIGIN_ELSEWHERE);
    } else if (request->left > connection->server->options.max_body) {
        refuse(connection, RULE_BODY_TOO_LARGE);
    } else if (head->expect_continue && !body_came && (request->chunked || request->left > 0)) {
        answer_continue(connection);
    }
}

/* Reads a head at the front of the input; true if one was there and the request goes on. */
static bool read_head(struct http_connection *connection, const char *bytes, size_t len,
                      size_t *used)
{
    struct http_head head;
    const char *rule = NULL;
    int status = 0;
    size_t head_len = 0;
    switch (http_parse_head(bytes + *used, len - *used, &head, &head_len, &rule, &status)) {
    case HTTP_MORE:
        return false;
    case HTTP_REFUSED:
        refuse(connection, rule_named(rule));
        return false;
    case HTTP_DONE:
        break;
    }
    const char *start = bytes + *used;
    *used += head_len;
    begin_request(connection, &head, start, head_len, *used < len);
    return connection->state == CONNECTION_READING;
}

static void hand_over(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    connection->request->handed_over = true;
    connection_become(connection, CONNECTION_WAITING);
    server->depth++;
    server->options.handler(connection->request, server->options.arg);
    server->depth--;
}

/* Works through the input until it is used up, a request is under way, or the client is not taking
 * its answers; tells how much was used. */
static size_t consume(struct http_connection *connection, const char *bytes, size_t len)
{
    size_t used = 0;
    connection->running = true;
    while (takes_input(connection) && used < len) {
        connection_become(connection, CONNECTION_READING);
        if (connection->request == NULL && !read_head(connection, bytes, len, &used)) {
            break;
        }
        if (!read_body(connection, bytes, len, &used)) {
            break;
        }
        hand_over(connection);
        if (connection->out.len > LIMIT_HTTP_PIPELINE_BYTES) {
            connection_settle(connection);
        }
    }
    connection->running = false;
    /* After a refusal the rest is nobody's. */
    return connection->closing ? len : used;
}

/* Works through the kept input and keeps what is left of it. */
static void consume_kept(struct http_connection *connection)
{
    struct buf in = connection->in;
    connection->in = (struct buf){0};
    size_t used = consume(connection, in.data, in.len);
    if (used < in.len) {
        buf_append(&connection->in, in.data + used, in.len - used);
    }
    buf_free(&in);
}

/* After an answer, or when the client has taken some: goes on with what it sent meanwhile. */
static void connection_proceed(struct http_connection *connection)
{
    connection_settle(connection);
    while (connection->state == CONNECTION_IDLE && connection->in.len > 0) {
        consume_kept(connection);
        connection_settle(connection);
    }
}

/*
 * A head that comes in pieces is read again only when a line has ended, or it could not have been
 * judged before, so that a client who sends byte by byte cannot make us read its head each time.
 */
static bool worth_reading(struct http_connection *connection, const char *bytes, size_t len)
{
    const size_t first_word = HTTP_METHOD_TEXT + 2;
    bool line_ended = memchr(bytes, '\n', len) != NULL;
    return line_ended || connection->in.len < first_word ||
           connection->in.len + len >= LIMIT_HTTP_HEAD;
}

/* New bytes, where a request is awaited or being read. */
static void feed(struct http_connection *connection, const char *bytes, size_t len)
{
    if (connection->in.len == 0) {
        size_t used = consume(connection, bytes, len);
        if (used < len) {
            buf_append(&connection->in, bytes + used, len - used);
        }
    } else {
        bool worth = worth_reading(connection, bytes, len);
        buf_append(&connection->in, bytes, len);
        if (worth) {
            consume_kept(connection);
        }
    }
    connection_proceed(connection);
}

/* FIN: nothing more will come, though somebody may still be reading. */
static void connection_ended(struct http_connection *connection)
{
    connection->ended = true;
    struct http_request *request = connection->request;
    if (connection->state == CONNECTION_LINGERING) {
        connection_close(connection);
    } else if (request != NULL && request->handed_over && request->gone != NULL) {
        connection_abandon(connection);
        connection_close(connection);
    } else {
        connection_proceed(connection);
    }
}

static void take(struct http_connection *connection, const char *bytes, size_t len)
{
    switch (connection->state) {
    case CONNECTION_GREETING:
    case CONNECTION_IDLE:
    case CONNECTION_READING:
        feed(connection, bytes, len);
        break;
    case CONNECTION_WAITING:
    case CONNECTION_WRITING:
        if (!connection->closing) {
            buf_append(&connection->in, bytes, len);
        }
        connection_settle(connection);
        break;
    case CONNECTION_LINGERING:
        connection->dropped += len;
        if (connection->dropped > LIMIT_HTTP_LINGER_BYTES) {
            connection_close(connection);
        }
        break;
    default:
        break;
    }
}

/* The socket is broken, or what came over it is no TLS. */
static void receive_failed(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    if (connection->tls != NULL && !tls_established(connection->tls) &&
        server->options.refused != NULL) {
        const struct http_rule *rule = &http_rules[RULE_TLS_HANDSHAKE];
        server->options.refused(rule->status, rule->name, &connection->peer, server->options.arg);
    }
    connection_lost(connection);
}

void connection_read(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    ssize_t n = receive(connection, server->scratch, sizeof(server->scratch));
    if (n > 0) {
        take(connection, server->scratch, (size_t)n);
    } else if (n == 0) {
        connection_ended(connection);
    } else if (errno != EAGAIN && errno != EINTR) {
        receive_failed(connection);
    } else if (connection->tls != NULL) {
        connection_settle(connection);
    }
}

static struct http_connection *checked(void *arg)
{
    struct http_connection *connection = arg;
    if (connection->magic != HTTP_CONNECTION_MAGIC) {
        die("connection: not a connection");
    }
    return connection;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_connection *connection = checked(arg);
    if (connection->fd < 0) {
        connection_lost(connection);
    } else if (connection->ended) {
        connection_ended(connection);
    } else {
        connection_read(connection);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_connection *connection = checked(arg);
    if (is_stuck(connection)) {
        connection_read(connection);
    } else {
        connection_proceed(connection);
    }
}

/* A handler asked to be told after its client had left: tell it, but not from within its call. */
void connection_recheck(struct http_connection *connection)
{
    if (connection->fd < 0 || connection->ended) {
        event_active(&connection->reading, EV_READ, 1);
    }
}

void connection_answered(struct http_connection *connection, bool keep_alive)
{
    connection->closing = !keep_alive;
    connection_become(connection, keep_alive ? CONNECTION_IDLE : CONNECTION_WRITING);
    if (!connection->running) {
        connection_proceed(connection);
    }
}

void connection_expire(struct http_connection *connection)
{
    if (connection->state == CONNECTION_READING) {
        connection_refuse(connection, RULE_REQUEST_DEADLINE);
    } else {
        connection_close(connection);
    }
}

struct http_connection *connection_new(struct http_server *server, int fd,
                                       const struct address *peer, struct tallied *tallied)
{
    struct http_connection *connection = xcalloc(1, sizeof(*connection));
    connection->magic = HTTP_CONNECTION_MAGIC;
    connection->server = server;
    connection->fd = fd;
    connection->peer = *peer;
    connection->tallied = tallied;
    struct event_base *base = loop_base(server->loop);
    event_assign(&connection->reading, base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    event_assign(&connection->writing, base, fd, EV_WRITE | EV_PERSIST, on_writable, connection);
    connection->state = CONNECTION_DEAD; /* until it is in a list */
    TAILQ_INSERT_TAIL(&server->lists[CONNECTION_DEAD], connection, link);
    server->counts[CONNECTION_DEAD]++;
    if (server->options.tls != NULL) {
        connection->tls = tls_new(server->options.tls, fd);
    }
    connection_become(connection, connection->tls != NULL ? CONNECTION_GREETING : CONNECTION_IDLE);
    server_rose(server);
    watch(&connection->reading, &connection->watches_read, true);
    return connection;
}

void connection_free(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    drop_socket(connection);
    TAILQ_REMOVE(&server->lists[connection->state], connection, link);
    server->counts[connection->state]--;
    if (!connection_abandon(connection) && connection->request != NULL) {
        request_free(connection->request);
    }
    buf_free(&connection->in);
    buf_free(&connection->out);
    connection->magic = 0;
    free(connection);
    server_ebbed(server);
}
