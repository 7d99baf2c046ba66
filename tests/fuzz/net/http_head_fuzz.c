/*
 * The head parser over any bytes: it reads nothing beyond them, what it tells lies within them and
 * keeps to the grammar, and every prefix is told HTTP_MORE or what the whole is told.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_chars.h"
#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool within(const char *at, size_t len, const char *bytes, size_t used)
{
    return at >= bytes && at + len <= bytes + used;
}

static void check_head(const struct http_head *head, const char *bytes, size_t used)
{
    require(used <= LIMIT_HTTP_HEAD && used >= 2 && memcmp(bytes + used - 2, "\r\n", 2) == 0);
    require(within(head->method, head->method_len, bytes, used));
    require(head->method_len >= 1 && head->method_len <= 16);
    require(within(head->target, head->target_len, bytes, used) && head->target_len >= 1);
    require(http_span(head->target, head->target_len, HTTP_TARGET) == head->target_len);
    require(head->header_count <= LIMIT_HTTP_HEADERS);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        require(within(header->name, header->name_len, bytes, used) && header->name_len > 0);
        require(within(header->value, header->value_len, bytes, used));
        require(http_span(header->name, header->name_len, HTTP_TCHAR) == header->name_len);
        require(http_span(header->value, header->value_len, HTTP_VALUE) == header->value_len);
    }
    size_t hosts = 0, lengths = 0, codings = 0;
    http_find(head->headers, head->header_count, "Host", &hosts);
    http_find(head->headers, head->header_count, "Content-Length", &lengths);
    http_find(head->headers, head->header_count, "Transfer-Encoding", &codings);
    require(hosts == 1 || (hosts == 0 && head->minor == 0));
    require(lengths == (head->has_length ? 1 : 0) && codings == (head->chunked ? 1 : 0));
    require(!(head->has_length && head->chunked));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head, again;
    const char *rule = NULL, *part_rule = NULL;
    int status = 0, part_status = 0;
    size_t used = 0, part_used = 0;
    char *bytes = malloc(size + 1);
    require(bytes != NULL);
    memcpy(bytes, data, size);
    char *exact = realloc(bytes, size > 0 ? size : 1);
    require(exact != NULL);
    enum http_verdict whole = http_parse_head(exact, size, &head, &used, &rule, &status);
    if (whole == HTTP_DONE) {
        check_head(&head, exact, used);
    }
    require(whole != HTTP_REFUSED || (rule != NULL && status >= 400));
    for (size_t cut = 0; cut < size; cut += 1 + size / 32) {
        enum http_verdict part =
            http_parse_head(exact, cut, &again, &part_used, &part_rule, &part_status);
        require(part == HTTP_MORE || part == whole);
        require(part != HTTP_DONE || part_used == used);
        require(part != HTTP_REFUSED || (part_rule == rule && part_status == status));
        require(part != HTTP_MORE || whole != HTTP_DONE || cut < used);
    }
    free(exact);
    return 0;
}
