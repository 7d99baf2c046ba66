/*
 * Outbound HTTP over curl multi, on the loop. A call goes to one pinned origin and nowhere else: no
 * redirects, no proxy from the environment, TLS verified, a deadline, a size limit. CR and LF in a
 * header are refused.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/loop.h"

struct http_client;

struct http_call {
    const char *method;         /* "GET", "POST" */
    const char *origin;         /* the configured "https://host[:port][/prefix]"; the pin */
    const char *target;         /* "/path?query", appended to the origin */
    const char *const *headers; /* "Name: value", NULL-terminated; copied; or NULL */
    const char *basic_auth;     /* "user:password", copied; or NULL */
    const void *body;           /* copied; NULL: none */
    size_t body_len;
    size_t max_answer;   /* 0: LIMIT_FETCH_BODY */
    int64_t deadline_us; /* 0: LIMIT_FETCH_TOTAL_MS */
};

enum http_failure {
    HTTP_ANSWERED = 0,
    HTTP_UNREACHABLE, /* no connection, a cut one, TLS refused */
    HTTP_TIMED_OUT,
    HTTP_TOO_LARGE,
    HTTP_REFUSED_CALL, /* the call itself breaks a rule: bad origin, CR/LF */
};

struct http_answer {
    enum http_failure failure; /* the rest holds only with HTTP_ANSWERED */
    const char *error;         /* a sentence for the log: no secret in it */
    int status;
    const char *body; /* NUL-terminated too; valid during the callback */
    size_t len;
    const char *content_type; /* or "" */
    int64_t date;             /* the Date header, or TIME_NONE */
    int64_t retry_after_us;   /* Retry-After (decimals too) or X-RateLimit-Reset, from now; -1: not
                                 told */
    const char *link;         /* the Link header, or "" */
};

/* On the loop's thread, exactly once a call, never from within http_client_send(). */
typedef void http_answered(const struct http_answer *answer, void *arg);

struct http_client *http_client_new(struct loop *loop, const char *user_agent);
/* Completes every call under way with HTTP_UNREACHABLE. Not from within a callback. */
void http_client_abort(struct http_client *client);
void http_client_free(struct http_client *client); /* the same, and its end */
/* False at once if LIMIT_FETCH_IN_FLIGHT calls are under way. */
bool http_client_send(struct http_client *client, const struct http_call *call,
                      http_answered *answered, void *arg) __attribute__((warn_unused_result));
size_t http_client_in_flight(const struct http_client *client);

#endif
