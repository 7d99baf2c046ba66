/*
 * HTTP/1.1 (RFC 9112) read strictly, as pure functions over bytes. What two parsers could read
 * differently is refused, each refusal with the name of its rule (docs/http-rules.md lists them):
 *
 *   request = method SP target SP "HTTP/1." ("0" | "1") CRLF *( name ":" OWS value OWS CRLF ) CRLF
 *   method  = 1*16tchar
 *   target  = "/" *( VCHAR but "#" ), origin-form only (and "*" for OPTIONS)
 *   name    = 1*tchar
 *   value   = *( VCHAR | obs-text | SP | HTAB ), no folding
 *   Host: exactly once in 1.1, at most once in 1.0; a name or an address, and a port
 *   Content-Length: at most once, 1*18DIGIT, not with Transfer-Encoding
 *   Transfer-Encoding: at most once, exactly "chunked", in 1.1 only
 *   chunk-size = 1*8HEXDIG
 */
#ifndef NET_HTTP_PARSE_H
#define NET_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct http_header {
    const char *name; /* borrowed from the input; not NUL-terminated */
    size_t name_len;
    const char *value; /* without the blanks around it */
    size_t value_len;
};

struct http_head {
    const char *method;
    size_t method_len;
    const char *target;
    size_t target_len;
    int minor; /* HTTP/1.x */
    struct http_header headers[LIMIT_HTTP_HEADERS];
    size_t header_count;
    bool chunked;
    bool has_length;
    uint64_t length;
    bool keep_alive;
    bool expect_continue;
};

enum http_verdict { HTTP_MORE, HTTP_DONE, HTTP_REFUSED };

/*
 * Reads a request head. HTTP_DONE: *used bytes were the head, `out` borrows from `bytes`.
 * HTTP_REFUSED: *rule names the broken rule and *status what to answer (400; 431 too large; 501 no
 * such coding; 505; 417). One leading CRLF is skipped (RFC 9112 2.2). Never reads past `len`. A
 * prefix of an input is told HTTP_MORE or what the whole is told. A head is worth reading again
 * only when another LF has come.
 */
enum http_verdict http_parse_head(const char *bytes, size_t len, struct http_head *out,
                                  size_t *used, const char **rule, int *status);

/* NULL if there is none; *count tells how often the name stands (a caller that authenticates wants
 * 1). */
const struct http_header *http_find(const struct http_header *headers, size_t header_count,
                                    const char *name, size_t *count);

/* "host[:port]" as Host may have it. */
bool http_host_is_valid(const char *text, size_t len);

/* The state of a chunked body; zeroed at its start. */
struct http_chunks {
    int state;
    uint64_t left;
    size_t line; /* bytes of the current size line or of all trailers */
};
/*
 * Consumes body bytes: *used of `bytes`; what is content is told as (*data, *data_len) within them,
 * possibly empty. Call again with the rest while HTTP_MORE and *used > 0. HTTP_DONE: the last byte
 * of the message.
 */
enum http_verdict http_parse_chunks(struct http_chunks *chunks, const char *bytes, size_t len,
                                    size_t *used, const char **data, size_t *data_len,
                                    const char **rule);

#endif
