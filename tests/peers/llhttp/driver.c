/*
 * Tells what our parser reads in a stream of requests, for comparison with another parser.
 *
 * In: streams, each a length of four bytes, most significant first, and its bytes. Out: a line
 * each,
 *
 *     all|closed|more|refused RULE HEX,HEX,...
 *
 * `all`: the stream is whole requests. `closed`: something follows a request that ends its
 * connection. `more`: it ends within a request. RULE is `-` unless refused. One HEX a request whose
 * head was read: its method, target, minor version, headers, body, and whether it is whole, as
 * compare.mjs puts them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "net/http_parse.h"

#define STREAM_MAX (1u << 20)

struct stream {
    const char *bytes;
    size_t len, at;
    const char *rule;
    struct buf requests; /* as hex, separated by commas */
};

static void put_head(const struct http_head *head, struct buf *out)
{
    buf_append(out, head->method, head->method_len);
    buf_putc(out, ' ');
    buf_append(out, head->target, head->target_len);
    buf_printf(out, " %d\n", head->minor);
    for (size_t i = 0; i < head->header_count; i++) {
        buf_append(out, head->headers[i].name, head->headers[i].name_len);
        buf_puts(out, ": ");
        buf_append(out, head->headers[i].value, head->headers[i].value_len);
        buf_putc(out, '\n');
    }
    buf_putc(out, '\n');
}

static enum http_verdict read_chunked(struct stream *stream, struct buf *body)
{
    struct http_chunks chunks = {0};
    enum http_verdict verdict = HTTP_MORE;
    while (verdict == HTTP_MORE && stream->at < stream->len) {
        size_t used, data_len;
        const char *data;
        verdict = http_parse_chunks(&chunks, stream->bytes + stream->at, stream->len - stream->at,
                                    &used, &data, &data_len, &stream->rule);
        if (verdict != HTTP_REFUSED) {
            buf_append(body, data, data_len);
        }
        stream->at += used;
    }
    return verdict;
}

static enum http_verdict read_body(struct stream *stream, const struct http_head *head,
                                   struct buf *body)
{
    if (head->chunked) {
        return read_chunked(stream, body);
    }
    size_t rest = stream->len - stream->at;
    size_t take = head->length < rest ? (size_t)head->length : rest;
    buf_append(body, stream->bytes + stream->at, take);
    stream->at += take;
    return take == head->length ? HTTP_DONE : HTTP_MORE;
}

/* One request; its text is added as soon as its head is read. */
static enum http_verdict read_request(struct stream *stream, bool *keep_alive)
{
    struct http_head head;
    struct buf text = {0}, body = {0};
    size_t used = 0;
    int status;
    enum http_verdict verdict = http_parse_head(
        stream->bytes + stream->at, stream->len - stream->at, &head, &used, &stream->rule, &status);
    if (verdict != HTTP_DONE) {
        return verdict;
    }
    stream->at += used;
    put_head(&head, &text);
    verdict = read_body(stream, &head, &body);
    buf_append(&text, body.data != NULL ? body.data : "", body.len);
    buf_puts(&text, verdict == HTTP_DONE ? "\nwhole" : "\npart");
    if (stream->requests.len > 0) {
        buf_putc(&stream->requests, ',');
    }
    digest_hex(text.data, text.len, &stream->requests);
    *keep_alive = head.keep_alive;
    buf_free(&text);
    buf_free(&body);
    return verdict;
}

/* An empty line behind the last request, or its beginning, is no part of another one. */
static bool is_used_up(const struct stream *stream)
{
    size_t rest = stream->len - stream->at;
    const char *at = stream->bytes + stream->at;
    return rest == 0 || (rest <= 2 && at[0] == '\r' && (rest == 1 || at[1] == '\n'));
}

static void tell(const char *bytes, size_t len)
{
    struct stream stream = {.bytes = bytes, .len = len, .rule = "-"};
    const char *verdict = "all";
    bool keep_alive = true;
    while (!is_used_up(&stream)) {
        if (!keep_alive) {
            verdict = "closed";
            break;
        }
        enum http_verdict got = read_request(&stream, &keep_alive);
        if (got != HTTP_DONE) {
            verdict = got == HTTP_MORE ? "more" : "refused";
            break;
        }
    }
    printf("%s %s %s\n", verdict, stream.rule, stream.requests.len > 0 ? stream.requests.data : "");
    buf_free(&stream.requests);
}

int main(void)
{
    unsigned char prefix[4];
    while (fread(prefix, 1, sizeof(prefix), stdin) == sizeof(prefix)) {
        size_t len = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 |
                     (size_t)prefix[3];
        if (len > STREAM_MAX) {
            fprintf(stderr, "http_driver: a stream of %zu bytes is too long\n", len);
            return 1;
        }
        char *bytes = xmalloc(len + 1);
        if (fread(bytes, 1, len, stdin) != len) {
            fprintf(stderr, "http_driver: the input ends within a stream\n");
            free(bytes);
            return 1;
        }
        tell(bytes, len);
        free(bytes);
    }
    return 0;
}
