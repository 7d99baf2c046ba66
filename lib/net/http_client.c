/*
 * curl multi driven by the loop. curl says which sockets to watch and when to be called again; we
 * call it then, and only from the loop, never from within its own callbacks. Calls that end are
 * told after curl has returned.
 */
#include "net/http_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/http_call.h"
#include "net/loop_base.h"

#define HTTP_CLIENT_MAGIC 0x10090021u
#define SOCK_MAGIC 0x10090022u

TAILQ_HEAD(call_list, call);

struct http_client {
    unsigned magic;
    struct loop *loop;
    char *user_agent;
    CURLM *multi;
    struct event *timer;  /* curl's one timer */
    struct event *refuse; /* tells calls that broke a rule, outside of http_client_send() */
    struct call_list calls, broken;
    size_t in_flight;
    size_t depth; /* callbacks on the stack */
    bool closing;
};

/* A socket of curl's, from the first time it is to be watched until curl removes it. */
struct sock {
    unsigned magic;
    struct http_client *client;
    struct event *event;
    curl_socket_t fd;
};

static struct http_client *checked(void *arg)
{
    struct http_client *client = arg;
    if (client->magic != HTTP_CLIENT_MAGIC) {
        die("http_client: not a client");
    }
    return client;
}

static struct call *checked_call(void *arg)
{
    struct call *call = arg;
    if (call->magic != HTTP_CALL_MAGIC) {
        die("http_client: not a call");
    }
    return call;
}

/* Tells a call its answer and ends it. Its callback may send further calls. */
static void finish(struct call *call, CURLcode result)
{
    struct http_client *client = call->client;
    struct http_answer answer;
    TAILQ_REMOVE(call->broken != NULL ? &client->broken : &client->calls, call, link);
    client->in_flight--;
    if (call->easy != NULL) {
        curl_multi_remove_handle(client->multi, call->easy);
    }
    call_answer(call, result, &answer);
    client->depth++;
    call->answered(&answer, call->arg);
    client->depth--;
    call_free(call);
}

/* The message is copied out, because it dies with its handle. */
static void finish_done(struct http_client *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        CURLcode result = message->data.result;
        void *private = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK) {
            continue;
        }
        finish(checked_call(private), result);
    }
}

static void drive(struct http_client *client, curl_socket_t fd, int what)
{
    int running = 0;
    CURLMcode code = curl_multi_socket_action(client->multi, fd, what, &running);
    if (code != CURLM_OK) {
        die("http_client: curl: %s", curl_multi_strerror(code));
    }
    finish_done(client);
}

static void on_sock(evutil_socket_t fd, short what, void *arg)
{
    struct sock *sock = arg;
    if (sock->magic != SOCK_MAGIC) {
        die("http_client: not a socket of curl's");
    }
    drive(sock->client, (curl_socket_t)fd,
          ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
              ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    drive(checked(arg), CURL_SOCKET_TIMEOUT, 0);
}

static void sock_free(struct http_client *client, struct sock *sock)
{
    if (sock != NULL) {
        curl_multi_assign(client->multi, sock->fd, NULL);
        event_free(sock->event);
        sock->magic = 0;
        free(sock);
    }
}

static struct sock *sock_new(struct http_client *client, curl_socket_t fd)
{
    struct sock *sock = xcalloc(1, sizeof(*sock));
    sock->magic = SOCK_MAGIC;
    sock->client = client;
    sock->fd = fd;
    sock->event = event_new(loop_base(client->loop), fd, EV_PERSIST, on_sock, sock);
    if (sock->event == NULL || curl_multi_assign(client->multi, fd, sock) != CURLM_OK) {
        die("http_client: no memory for a socket");
    }
    return sock;
}

/* curl may close the socket right after removing it, so no event stays on it a moment longer. */
static int on_socket_wish(CURL *easy, curl_socket_t fd, int wish, void *arg, void *socket_arg)
{
    (void)easy;
    struct http_client *client = checked(arg);
    struct sock *sock = socket_arg;
    if (wish == CURL_POLL_REMOVE) {
        sock_free(client, sock);
        return 0;
    }
    sock = sock != NULL ? sock : sock_new(client, fd);
    short what = (short)(((wish & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                         ((wish & CURL_POLL_OUT) != 0 ? EV_WRITE : 0) | EV_PERSIST);
    event_del(sock->event);
    if (event_assign(sock->event, loop_base(client->loop), fd, what, on_sock, sock) != 0 ||
        event_add(sock->event, NULL) != 0) {
        die("http_client: libevent cannot watch a socket");
    }
    return 0;
}

/* 0 means "at once, but through the loop": curl must not be called from its own callback. */
static int on_timer_wish(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct http_client *client = checked(arg);
    if (timeout_ms < 0) {
        return evtimer_del(client->timer);
    }
    struct timeval wait = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    return evtimer_add(client->timer, &wait);
}

static void on_refuse(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_client *client = checked(arg);
    struct call *call;
    while ((call = TAILQ_FIRST(&client->broken)) != NULL) {
        finish(call, CURLE_OK);
    }
}

static void on_call_deadline(void *arg)
{
    finish(checked_call(arg), CURLE_OPERATION_TIMEDOUT);
}

static void multi_set_up(struct http_client *client)
{
    CURLM *multi = client->multi;
    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wish) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)LIMIT_FETCH_PER_HOST) !=
            CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)LIMIT_FETCH_IN_FLIGHT) !=
            CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)LIMIT_FETCH_KEPT) != CURLM_OK) {
        die("http_client: curl refused an option");
    }
}

struct http_client *http_client_new(struct loop *loop, const char *user_agent)
{
    struct http_client *client = xcalloc(1, sizeof(*client));
    client->magic = HTTP_CLIENT_MAGIC;
    client->loop = loop;
    client->user_agent = xstrdup(user_agent);
    TAILQ_INIT(&client->calls);
    TAILQ_INIT(&client->broken);
    /* Counted by curl itself, and thread-safe since 7.84. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (client->multi = curl_multi_init()) == NULL) {
        die("http_client: curl has no memory");
    }
    client->timer = evtimer_new(loop_base(loop), on_timer, client);
    client->refuse = event_new(loop_base(loop), -1, 0, on_refuse, client);
    if (client->timer == NULL || client->refuse == NULL) {
        die("http_client: libevent has no memory");
    }
    multi_set_up(client);
    return client;
}

/* What the calls' callbacks would send meanwhile is refused, so that there is an end. */
void http_client_abort(struct http_client *client)
{
    if (checked(client)->depth > 0) {
        die("http_client_abort: called from within a callback");
    }
    struct call *call;
    client->closing = true;
    on_refuse(-1, 0, client);
    while ((call = TAILQ_FIRST(&client->calls)) != NULL) {
        finish(call, CURLE_ABORTED_BY_CALLBACK);
    }
    client->closing = false;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    http_client_abort(client);
    curl_multi_cleanup(client->multi);
    event_free(client->timer);
    event_free(client->refuse);
    curl_global_cleanup();
    free(client->user_agent);
    client->magic = 0;
    free(client);
}

bool http_client_send(struct http_client *client, const struct http_call *call,
                      http_answered *answered, void *arg)
{
    if (checked(client)->closing || client->in_flight >= LIMIT_FETCH_IN_FLIGHT) {
        return false;
    }
    struct call *made = call_new(call, client->user_agent);
    made->client = client;
    made->answered = answered;
    made->arg = arg;
    client->in_flight++;
    if (made->broken != NULL) {
        TAILQ_INSERT_TAIL(&client->broken, made, link);
        event_active(client->refuse, EV_TIMEOUT, 1);
        return true;
    }
    TAILQ_INSERT_TAIL(&client->calls, made, link);
    int64_t deadline =
        call->deadline_us > 0 ? call->deadline_us : LIMIT_FETCH_TOTAL_MS * INT64_C(1000);
    made->deadline = loop_timer_new(client->loop, on_call_deadline, made);
    loop_timer_set(made->deadline, deadline, true);
    CURLMcode code = curl_multi_add_handle(client->multi, made->easy);
    if (code != CURLM_OK) {
        die("http_client: curl: %s", curl_multi_strerror(code));
    }
    return true;
}

size_t http_client_in_flight(const struct http_client *client)
{
    return client->in_flight;
}
