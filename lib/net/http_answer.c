/*
 * Answers. They are written behind one another into the connection's `out`, and leave together.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_internal.h"

struct status_title {
    int status;
    const char *title;
};

static const struct status_title titles[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

/* The codes of answers that the server gives by itself. */
static const struct status_title refusal_codes[] = {
    {400, "bad_request"},           {403, "origin_elsewhere"},     {408, "request_timeout"},
    {413, "body_too_large"},        {417, "expectation_failed"},   {421, "misdirected_request"},
    {431, "headers_too_large"},     {501, "coding_not_supported"}, {503, "overloaded"},
    {505, "version_not_supported"},
};

static const char *look_up(const struct status_title *table, size_t count, int status,
                           const char *otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].status == status) {
            return table[i].title;
        }
    }
    return otherwise;
}

const char *answer_title(int status)
{
    return look_up(titles, sizeof(titles) / sizeof(titles[0]), status, "Unknown");
}

/* The Date line, written out once a second. */
static const char *date_line(struct http_server *server)
{
    int64_t second = clock_now() / TIME_SECOND;
    if (second != server->date_second) {
        char text[TIME_TEXT];
        clock_format_http(second * TIME_SECOND, text);
        server->date_second = second;
        snprintf(server->date_line, sizeof(server->date_line), "Date: %.29s\r\n", text);
    }
    return server->date_line;
}

/* What stands above the caller's own lines. */
struct answer_head {
    int status;
    const char *id;
    const char *connection; /* a whole line, or "" */
    bool tells_length;
    size_t len;
};

static struct buf *room_for_answer(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    if (connection->out.cap == 0) {
        connection->out = server->spare;
        server->spare = (struct buf){0};
    }
    return &connection->out;
}

static void put_head(struct http_server *server, struct buf *out, const struct answer_head *head)
{
    buf_append(out, "HTTP/1.1 ", 9);
    buf_put_int(out, head->status);
    buf_putc(out, ' ');
    buf_puts(out, answer_title(head->status));
    buf_append(out, "\r\n", 2);
    buf_puts(out, date_line(server));
    buf_append(out, "X-Request-Id: ", 14);
    buf_append(out, head->id, HTTP_ID_TEXT - 1);
    buf_append(out, "\r\n", 2);
    if (head->tells_length) {
        buf_append(out, "Content-Length: ", 16);
        buf_put_int(out, (int64_t)head->len);
        buf_append(out, "\r\n", 2);
    }
    buf_puts(out, head->connection);
}

/* Lines that the caller assembled end in CRLF and hold no blank line, or the answer would split. */
static void check_lines(const char *headers)
{
    size_t len = strlen(headers);
    bool whole = len == 0 || (len >= 2 && memcmp(headers + len - 2, "\r\n", 2) == 0);
    if (!whole || strncmp(headers, "\r\n", 2) == 0 || strstr(headers, "\r\n\r\n") != NULL) {
        die("http_respond: header lines are not whole lines");
    }
}

/* A connection is kept if the client wants it and we are not on our way out. */
static const char *connection_line(const struct http_request *request, bool keep_alive)
{
    if (!keep_alive) {
        return "Connection: close\r\n";
    }
    return request->minor == 0 ? "Connection: keep-alive\r\n" : "";
}

void http_respond(struct http_request *request, int status, const char *headers, const void *body,
                  size_t len)
{
    if (request->magic != HTTP_REQUEST_MAGIC || !request->handed_over) {
        die("http_respond: not a request that waits for an answer");
    }
    if (request->leaving) {
        return; /* its client has left; it is freed when http_on_gone's callback returns */
    }
    struct http_connection *connection = request->connection;
    struct http_server *server = connection->server;
    bool keep_alive = request->keep_alive && !server->draining;
    bool has_body = status != 204 && status != 304;
    struct buf *out = room_for_answer(connection);
    struct answer_head head = {.status = status,
                               .id = request->id,
                               .connection = connection_line(request, keep_alive),
                               .tells_length = has_body,
                               .len = len};
    put_head(server, out, &head);
    if (headers != NULL) {
        check_lines(headers);
        buf_puts(out, headers);
    }
    buf_append(out, "\r\n", 2);
    if (has_body && len > 0 && strcmp(request->method, "HEAD") != 0) {
        buf_append(out, body, len);
    }
    connection->request = NULL;
    request_free(request);
    connection_answered(connection, keep_alive);
}

static void put_problem(struct buf *out, int status, const char *code, const char *detail)
{
    buf_puts(out, "{\"type\":\"about:blank\",\"title\":");
    buf_json_text(out, answer_title(status));
    buf_puts(out, ",\"status\":");
    buf_put_int(out, status);
    buf_puts(out, ",\"code\":");
    buf_json_text(out, code);
    if (detail != NULL) {
        buf_puts(out, ",\"detail\":");
        buf_json_text(out, detail);
    }
    buf_puts(out, "}\n");
}

void http_respond_problem(struct http_request *request, int status, const char *code,
                          const char *headers, const char *detail)
{
    struct buf lines = {0}, body = {0};
    buf_puts(&lines, "Content-Type: application/problem+json\r\n");
    if (headers != NULL) {
        buf_puts(&lines, headers);
    }
    put_problem(&body, status, code, detail);
    http_respond(request, status, lines.data, body.data, body.len);
    buf_free(&lines);
    buf_free(&body);
}

void answer_continue(struct http_connection *connection)
{
    buf_puts(room_for_answer(connection), "HTTP/1.1 100 Continue\r\n\r\n");
}

/* The detail is the name of the rule, which docs/http-rules.md explains. */
void answer_refusal(struct http_connection *connection, enum http_rule_id rule)
{
    struct http_server *server = connection->server;
    const struct http_request *request = connection->request;
    int status = http_rules[rule].status;
    char id[HTTP_ID_TEXT];
    struct buf body = {0};
    server_next_id(server, id);
    put_problem(
        &body, status,
        look_up(refusal_codes, sizeof(refusal_codes) / sizeof(refusal_codes[0]), status, "refused"),
        http_rules[rule].name);
    struct buf *out = room_for_answer(connection);
    struct answer_head head = {.status = status,
                               .id = request != NULL ? request->id : id,
                               .connection = "Connection: close\r\n",
                               .tells_length = true,
                               .len = body.len};
    put_head(server, out, &head);
    if (status == 503) {
        buf_puts(out, "Retry-After: 1\r\n");
    }
    buf_puts(out, "Content-Type: application/problem+json\r\n\r\n");
    if (request == NULL || strcmp(request->method, "HEAD") != 0) {
        buf_append(out, body.data, body.len);
    }
    buf_free(&body);
}
