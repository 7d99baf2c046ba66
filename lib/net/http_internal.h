/*
 * What the files of the server share and nobody else sees. The arrows: http_server.c accepts and
 * keeps the deadlines; http_connection.c owns a connection's state; http_request.c is what a
 * handler reads; http_answer.c writes answers.
 */
#ifndef NET_HTTP_INTERNAL_H
#define NET_HTTP_INTERNAL_H

#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "net/http_rules.h"
#include "net/http_server.h"
#include "net/http_tally.h"
#include "net/loop_base.h"

#define HTTP_SERVER_MAGIC 0x10090010u
#define HTTP_CONNECTION_MAGIC 0x10090011u
#define HTTP_REQUEST_MAGIC 0x10090012u

#define HTTP_ID_TEXT 17
#define HTTP_METHOD_TEXT 17
#define HTTP_DATE_LINE 40

/* Each state has a list in the server; where it has a deadline, the list is in its order, because
 * everyone in it waits for the same length of time. */
enum connection_state {
    CONNECTION_GREETING,  /* over TLS, before the first request; closed after a while */
    CONNECTION_IDLE,      /* between two requests; closed after idle_us */
    CONNECTION_READING,   /* a part of a request is here; 408 after request_us */
    CONNECTION_WAITING,   /* the handler has a request and owes an answer, by its own deadline */
    CONNECTION_WRITING,   /* the client has not taken the answers; cut after write_us */
    CONNECTION_LINGERING, /* told that it is over; what it still sends is dropped for a while */
    CONNECTION_DEAD,      /* closed; freed when no callback is on the stack */
    CONNECTION_STATES
};

struct http_request {
    unsigned magic;
    struct http_connection *connection;
    bool handed_over; /* the handler has it; before, its body is being read */
    bool leaving;     /* `gone` is being told, too late for an answer */
    bool keep_alive;
    bool chunked;
    int minor;
    uint64_t left; /* body bytes to come, unless chunked */
    struct http_chunks chunks;
    struct buf body;
    int64_t arrived;
    const char *path, *query;
    loop_callback *gone, *release;
    void *gone_arg, *state;
    char method[HTTP_METHOD_TEXT];
    char id[HTTP_ID_TEXT];
    size_t header_count;
    struct http_header headers[]; /* then the bytes of the head, which they point into */
};

struct http_connection {
    unsigned magic;
    enum connection_state state;
    struct http_server *server;
    TAILQ_ENTRY(http_connection) link;
    int64_t deadline;
    int64_t started; /* the first byte of the request under way */
    int fd;          /* -1: the client is gone, and its handler not done */
    bool running;    /* its input is being worked through further up the stack */
    bool closing;    /* no further request: the last answer said so */
    bool ended;      /* the client has sent its FIN */
    bool watches_read, watches_write;
    struct event reading, writing;
    struct tls *tls; /* NULL: plain */
    struct http_request *request;
    struct buf in;  /* part of a head, or what was sent behind a request under way */
    struct buf out; /* answers, of which `sent` bytes are gone */
    size_t sent;
    size_t dropped; /* while lingering */
    struct address peer;
    struct tallied *tallied; /* among those of its address, while it has a socket */
};

TAILQ_HEAD(connection_list, http_connection);

struct http_server {
    unsigned magic;
    struct loop *loop;
    struct http_server_options options; /* its `listen` is ours */
    char *host;                         /* of `listen`, without the brackets */
    unsigned port;
    bool loopback; /* bound to a loopback address, or to any */
    bool draining;
    bool parted; /* draining, and idle connections are closed by now */
    bool accepting;
    bool reaping;
    int fd; /* -1 once it no longer listens */
    struct event *acceptor, *reaper;
    struct tally *tally;
    struct loop_timer *deadlines, *pause, *ebb, *parting;
    int64_t deadline_at; /* when `deadlines` will fire; 0: not set */
    int64_t waits[CONNECTION_STATES];
    struct connection_list lists[CONNECTION_STATES];
    size_t counts[CONNECTION_STATES];
    size_t held;  /* bytes of bodies in memory */
    size_t flood; /* the most that server_weight() was since memory was last given back */
    bool ebbing;  /* `ebb` is set */
    size_t depth; /* handlers on the stack */
    uint64_t next_id;
    struct buf spare;    /* room for answers, lent to one connection at a time */
    int64_t date_second; /* of date_line */
    char date_line[HTTP_DATE_LINE];
    char scratch[LIMIT_HTTP_READ_BYTES];
};

/* http_server.c */
void server_expect(struct http_server *server, int64_t deadline); /* a deadline was set */
void server_reap(struct http_server *server);                     /* a connection died */
void server_next_id(struct http_server *server, char out[HTTP_ID_TEXT]);
void server_rose(struct http_server *server);  /* a body or a connection came */
void server_ebbed(struct http_server *server); /* one went */

/* http_connection.c */
/* Takes over the socket and its place in the tally. */
struct http_connection *connection_new(struct http_server *server, int fd,
                                       const struct address *peer, struct tallied *tallied);
void connection_free(struct http_connection *connection);
void connection_close(struct http_connection *connection);
void connection_read(struct http_connection *connection); /* what there is, without waiting */
void connection_expire(struct http_connection *connection);
/* Answers by itself and ends the connection: a broken rule, a limit, a deadline. */
void connection_refuse(struct http_connection *connection, enum http_rule_id rule);
/* The answer to the request under way lies in `out`. */
void connection_answered(struct http_connection *connection, bool keep_alive);
/* Tells a handler that wants to know that its client has left; false if it does not. */
bool connection_abandon(struct http_connection *connection);
void connection_recheck(struct http_connection *connection);

/* http_request.c */
struct http_request *request_new(struct http_connection *connection, const struct http_head *head,
                                 const char *bytes, size_t len);
void request_free(struct http_request *request);
void request_hold(struct http_request *request, const char *bytes, size_t len);
bool request_names_listener(const struct http_request *request);
bool request_origin_is_own(const struct http_request *request);

/* http_answer.c */
void answer_continue(struct http_connection *connection);
void answer_refusal(struct http_connection *connection, enum http_rule_id rule);
const char *answer_title(int status);

#endif
