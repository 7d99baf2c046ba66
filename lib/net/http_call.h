/*
 * One outbound call as curl sees it: its rules checked, its handle made, its answer collected. For
 * http_client.c alone.
 */
#ifndef NET_HTTP_CALL_H
#define NET_HTTP_CALL_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "net/http_client.h"

#define HTTP_CALL_MAGIC 0x10090020u

struct call {
    unsigned magic;
    TAILQ_ENTRY(call) link;
    struct http_client *client;
    http_answered *answered;
    void *arg;
    CURL *easy; /* NULL: the call broke a rule, and only waits to be told so */
    struct curl_slist *headers;
    struct loop_timer *deadline; /* for what curl's own deadline does not cover: its queue */
    const char *broken;          /* the rule that was broken, a sentence */
    bool literal_origin;         /* the origin is itself an address, or localhost */
    bool refused_address;
    bool too_large;
    size_t max_answer;
    size_t header_bytes;
    struct buf body, content_type, link_header, retry_after, reset;
    int64_t date;
};

/* Always gives a call; `broken` says why it must not be made. */
struct call *call_new(const struct http_call *wanted, const char *user_agent);
void call_free(struct call *call);
/* What the answer says, borrowed from the call. `result` is curl's. */
void call_answer(struct call *call, CURLcode result, struct http_answer *out);

#endif
