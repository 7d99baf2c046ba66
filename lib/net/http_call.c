#include "net/http_call.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/http_address.h"
#include "net/http_chars.h"
#include "net/http_retry.h"

#define set(easy, option, value)                                       \
    do {                                                               \
        if (curl_easy_setopt((easy), (option), (value)) != CURLE_OK) { \
            die("http_client: curl has no " #option);                  \
        }                                                              \
    } while (0)

/*
 * origin = ( "http://" / "https://" ) host [ ":" port ] [ "/" prefix ]. No user, query or fragment,
 * and only bytes about which no two readers of a URL disagree. Tells where the host lies.
 */
static const char *check_origin(const char *origin, const char **host, size_t *host_len)
{
    static const char rule[] = "the origin is not http(s)://host[:port][/prefix]";
    size_t scheme = strncmp(origin, "https://", 8) == 0  ? 8
                    : strncmp(origin, "http://", 7) == 0 ? 7
                                                         : 0;
    if (scheme == 0) {
        return rule;
    }
    *host = origin + scheme;
    if (**host == '[') {
        const char *end = strchr(*host, ']');
        *host_len = end != NULL ? (size_t)(end - *host) + 1 : 0;
        if (!http_host_is_literal(*host, *host_len)) {
            return rule;
        }
    } else {
        *host_len = http_span(*host, strlen(*host), HTTP_HOST);
    }
    const char *at = *host + *host_len;
    if (*at == ':') {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0 || digits > 5) {
            return rule;
        }
        at += 1 + digits;
    }
    size_t prefix = http_span(at, strlen(at), HTTP_TARGET);
    bool plain = *host_len > 0 && (*at == '\0' || *at == '/') && at[prefix] == '\0' &&
                 strpbrk(at, "?\\@") == NULL;
    return plain ? NULL : rule;
}

static const char *check_target(const char *target)
{
    size_t len = strlen(target);
    bool plain = target[0] == '/' && http_span(target, len, HTTP_TARGET) == len;
    return plain ? NULL : "the target is not a path of visible ASCII that begins with /";
}

/* A header that curl would drop, or that would move the pin or the framing, is refused. */
static const char *check_header(const char *line)
{
    static const char *const ours[] = {"host", "content-length", "transfer-encoding", "connection"};
    size_t len = strlen(line), name = http_span(line, len, HTTP_TCHAR);
    if (name == 0 || line[name] != ':') {
        return "a header is not \"Name: value\"";
    }
    size_t blank = strspn(line + name + 1, " \t");
    if (name + 1 + blank == len || http_span(line + name, len - name, HTTP_VALUE) != len - name) {
        return "a header's value is empty or holds a control character";
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (http_equal(line, name, ours[i])) {
            return "a header is one that the client sets itself";
        }
    }
    return NULL;
}

static const char *check_method(const char *method)
{
    size_t len = strlen(method);
    return len > 0 && http_span(method, len, HTTP_TCHAR) == len ? NULL : "the method is no token";
}

static const char *check_call(struct call *call, const struct http_call *wanted)
{
    const char *host = NULL;
    size_t host_len = 0;
    const char *broken = check_method(wanted->method);
    broken = broken != NULL ? broken : check_origin(wanted->origin, &host, &host_len);
    broken = broken != NULL ? broken : check_target(wanted->target);
    for (size_t i = 0; broken == NULL && wanted->headers != NULL && wanted->headers[i] != NULL;
         i++) {
        broken = check_header(wanted->headers[i]);
    }
    call->literal_origin = broken == NULL && http_host_is_literal(host, host_len);
    return broken;
}

/* The check after resolution, which no spelling of a name and no change of DNS gets around. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct call *call = arg;
    (void)purpose;
    if (!call->literal_origin && !http_address_is_public(&address->addr, address->addrlen)) {
        call->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A count other than the one given makes curl give up. */
static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
    struct call *call = arg;
    (void)one;
    if (call->body.len + len > call->max_answer) {
        call->too_large = true;
        return 0;
    }
    buf_append(&call->body, bytes, len);
    return len;
}

static void keep_value(struct buf *out, const char *value, size_t len)
{
    buf_reset(out);
    buf_append(out, value, len);
}

/* The lines of an interim answer (1xx) come first and are forgotten when the next status line
 * comes. */
static void forget_headers(struct call *call)
{
    call->date = TIME_NONE;
    buf_reset(&call->content_type);
    buf_reset(&call->link_header);
    buf_reset(&call->retry_after);
    buf_reset(&call->reset);
}

static void take_header(struct call *call, const char *line, size_t len)
{
    size_t name = http_span(line, len, HTTP_TCHAR);
    if (name == len || line[name] != ':') {
        return;
    }
    size_t at = name + 1;
    while (at < len && (line[at] == ' ' || line[at] == '\t')) {
        at++;
    }
    while (len > at && strchr(" \t\r\n", line[len - 1]) != NULL) {
        len--;
    }
    const char *value = line + at;
    if (http_equal(line, name, "content-type")) {
        keep_value(&call->content_type, value, len - at);
    } else if (http_equal(line, name, "link")) {
        keep_value(&call->link_header, value, len - at);
    } else if (http_equal(line, name, "retry-after")) {
        keep_value(&call->retry_after, value, len - at);
    } else if (http_equal(line, name, "x-ratelimit-reset")) {
        keep_value(&call->reset, value, len - at);
    } else if (http_equal(line, name, "date") &&
               clock_parse_http(value, len - at, &call->date) != 0) {
        call->date = TIME_NONE;
    }
}

static size_t on_header(char *bytes, size_t one, size_t len, void *arg)
{
    struct call *call = arg;
    (void)one;
    call->header_bytes += len;
    if (call->header_bytes > LIMIT_FETCH_HEADERS) {
        call->too_large = true;
        return 0;
    }
    if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        forget_headers(call);
    } else {
        take_header(call, bytes, len);
    }
    return len;
}

static void add_header(struct call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer == NULL) {
        die("http_client: curl has no memory");
    }
    call->headers = longer;
}

/* "Expect" is taken out: waiting for 100 Continue costs a second where a server does not send it.
 */
static void set_message(struct call *call, const struct http_call *wanted)
{
    add_header(call, "Expect:");
    for (size_t i = 0; wanted->headers != NULL && wanted->headers[i] != NULL; i++) {
        add_header(call, wanted->headers[i]);
    }
    if (wanted->body != NULL || strcmp(wanted->method, "POST") == 0) {
        set(call->easy, CURLOPT_POST, 1L);
        set(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)wanted->body_len);
        set(call->easy, CURLOPT_COPYPOSTFIELDS, wanted->body != NULL ? wanted->body : "");
    }
    if (strcmp(wanted->method, "HEAD") == 0) {
        set(call->easy, CURLOPT_NOBODY, 1L);
    } else {
        set(call->easy, CURLOPT_CUSTOMREQUEST, wanted->method);
    }
    if (wanted->basic_auth != NULL) {
        set(call->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        set(call->easy, CURLOPT_USERPWD, wanted->basic_auth);
    }
    set(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

/* One origin and nowhere else: no redirect, no proxy, no other protocol, no state kept on disk. */
static void set_bounds(struct call *call, int64_t deadline_us)
{
    long deadline_ms = (long)((deadline_us + 999) / 1000);
    long connect_ms = deadline_ms < LIMIT_FETCH_CONNECT_MS ? deadline_ms : LIMIT_FETCH_CONNECT_MS;
    set(call->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(call->easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(call->easy, CURLOPT_PROXY, "");
    set(call->easy, CURLOPT_NOPROXY, "*");
    set(call->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    set(call->easy, CURLOPT_PATH_AS_IS, 1L);
    set(call->easy, CURLOPT_NOSIGNAL, 1L);
    set(call->easy, CURLOPT_SSL_VERIFYPEER, 1L);
    set(call->easy, CURLOPT_SSL_VERIFYHOST, 2L);
    set(call->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set(call->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set(call->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    set(call->easy, CURLOPT_TIMEOUT_MS, deadline_ms);
    set(call->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->max_answer);
    set(call->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    set(call->easy, CURLOPT_OPENSOCKETDATA, call);
}

static void set_address(struct call *call, const struct http_call *wanted)
{
    size_t len = strlen(wanted->origin);
    len -= wanted->origin[len - 1] == '/' ? 1 : 0;
    struct buf url = {0};
    buf_append(&url, wanted->origin, len);
    buf_puts(&url, wanted->target);
    set(call->easy, CURLOPT_URL, url.data);
    buf_wipe(&url); /* a shop's key can stand in a query */
}

struct call *call_new(const struct http_call *wanted, const char *user_agent)
{
    struct call *call = xcalloc(1, sizeof(*call));
    call->magic = HTTP_CALL_MAGIC;
    call->date = TIME_NONE;
    call->max_answer = wanted->max_answer > 0 ? wanted->max_answer : LIMIT_FETCH_BODY;
    call->broken = check_call(call, wanted);
    if (call->broken != NULL) {
        return call;
    }
    call->easy = curl_easy_init();
    if (call->easy == NULL) {
        die("http_client: curl has no memory");
    }
    set_address(call, wanted);
    set_bounds(call, wanted->deadline_us > 0 ? wanted->deadline_us
                                             : LIMIT_FETCH_TOTAL_MS * INT64_C(1000));
    set_message(call, wanted);
    set(call->easy, CURLOPT_USERAGENT, user_agent);
    set(call->easy, CURLOPT_PRIVATE, call);
    set(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    set(call->easy, CURLOPT_WRITEDATA, call);
    set(call->easy, CURLOPT_HEADERFUNCTION, on_header);
    set(call->easy, CURLOPT_HEADERDATA, call);
    return call;
}

void call_free(struct call *call)
{
    if (call->easy != NULL) {
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    loop_timer_free(call->deadline);
    buf_wipe(&call->body); /* it may hold tokens */
    buf_free(&call->content_type);
    buf_free(&call->link_header);
    buf_free(&call->retry_after);
    buf_free(&call->reset);
    call->magic = 0;
    free(call);
}

static const char *text_of(const struct buf *buf)
{
    return buf->len > 0 ? buf->data : "";
}

/* Retry-After says more about this answer than the end of a rate limit's window. */
static int64_t retry_of(const struct call *call)
{
    int64_t now = call->date != TIME_NONE ? call->date : clock_now();
    int64_t after = -1;
    if (call->retry_after.len > 0) {
        after = http_retry_after(call->retry_after.data, call->retry_after.len, now);
    }
    if (after < 0 && call->reset.len > 0) {
        after = http_rate_limit_reset(call->reset.data, call->reset.len, now);
    }
    return after;
}

static enum http_failure failure_of(const struct call *call, CURLcode result, const char **error)
{
    *error = curl_easy_strerror(result);
    if (call->too_large || result == CURLE_FILESIZE_EXCEEDED) {
        *error = "the answer is larger than allowed";
        return HTTP_TOO_LARGE;
    }
    if (result == CURLE_OPERATION_TIMEDOUT) {
        *error = "no whole answer before the deadline";
        return HTTP_TIMED_OUT;
    }
    if (result == CURLE_ABORTED_BY_CALLBACK) {
        *error = "given up, because the program is stopping";
        return HTTP_UNREACHABLE;
    }
    if (call->refused_address && result == CURLE_COULDNT_CONNECT) {
        *error = "the origin's name leads to an address that is not public; write the address "
                 "itself if that is meant";
        return HTTP_REFUSED_CALL;
    }
    return result == CURLE_OK ? HTTP_ANSWERED : HTTP_UNREACHABLE;
}

void call_answer(struct call *call, CURLcode result, struct http_answer *out)
{
    *out = (struct http_answer){.body = "",
                                .content_type = "",
                                .link = "",
                                .error = "",
                                .date = TIME_NONE,
                                .retry_after_us = -1};
    if (call->broken != NULL) {
        out->failure = HTTP_REFUSED_CALL;
        out->error = call->broken;
        return;
    }
    out->failure = failure_of(call, result, &out->error);
    if (out->failure != HTTP_ANSWERED) {
        return;
    }
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    out->body = text_of(&call->body);
    out->len = call->body.len;
    out->content_type = text_of(&call->content_type);
    out->link = text_of(&call->link_header);
    out->date = call->date;
    out->retry_after_us = retry_of(call);
}
