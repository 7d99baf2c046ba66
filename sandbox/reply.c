#include "reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define JSON_HEADERS "Content-Type: application/json\r\nCache-Control: no-store\r\n"

/* Only a form says that it is one; a JSON body is never read as parameters. */
static bool is_form(const struct http_request *request)
{
    char *type = http_header_text(request, "Content-Type");
    bool form = type != NULL && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
    free(type);
    return form;
}

/* Miro accepts its OAuth parameters in either place. */
char *visit_param(const struct visit *visit, const char *name)
{
    size_t len = 0;
    const char *body = http_body(visit->request, &len);
    char *value = NULL;
    if (len > 0 && is_form(visit->request))
        value = text_query_value(body, len, name);
    return value != NULL ? value : visit_query(visit, name);
}

/* From the query alone. */
char *visit_query(const struct visit *visit, const char *name)
{
    const char *query = http_query(visit->request);
    return text_query_value(query, strlen(query), name);
}

/* Writes and releases the tree. */
static void respond(struct visit *visit, int status, const char *headers, struct json_object *value)
{
    struct buf body = {0};
    tree_write(value, &body);
    http_respond(visit->request, status, headers, body.data, body.len);
    buf_free(&body);
    json_object_put(value);
}

/* For the knobs. */
void reply_json(struct visit *visit, struct json_object *value)
{
    respond(visit, 200, JSON_HEADERS, value);
}

/* For the REST API of a shop, byte for byte as WordPress would encode it. */
void reply_php(struct visit *visit, int status, const char *headers, struct json_object *value)
{
    struct buf head = {0};
    struct buf body = {0};
    buf_puts(&head, "Content-Type: application/json; charset=UTF-8\r\n"
                    "X-Robots-Tag: noindex\r\nX-Content-Type-Options: nosniff\r\n"
                    "Access-Control-Expose-Headers: X-WP-Total, X-WP-TotalPages, Link\r\n"
                    "Expires: Wed, 11 Jan 1984 05:00:00 GMT\r\n"
                    "Cache-Control: no-cache, must-revalidate, max-age=0, no-store, private\r\n");
    if (headers != NULL)
        buf_puts(&head, headers);
    tree_write_php(value, &body);
    http_respond(visit->request, status, head.data, body.data, body.len);
    buf_free(&head);
    buf_free(&body);
    json_object_put(value);
}

/* What was expected, in a sentence. */
void reply_bad(struct visit *visit, const char *detail)
{
    http_respond_problem(visit->request, 400, "bad_request", NULL, detail);
}

/* Not RFC 6749's shape: Miro has its own. */
void reply_miro_error(struct visit *visit, int status, const char *code, const char *message)
{
    struct json_object *error = tree_object();
    tree_number(error, "status", status);
    tree_text(error, "code", code);
    tree_text(error, "message", message);
    tree_text(error, "type", "error");
    respond(visit, status, JSON_HEADERS, error);
}

/* WordPress's WP_Error as its REST server shows it. */
void reply_woo_error(struct visit *visit, int status, const char *code, const char *message)
{
    struct json_object *error = tree_object();
    struct json_object *data = tree_object();
    tree_text(error, "code", code);
    tree_text(error, "message", message);
    tree_number(data, "status", status);
    tree_put(error, "data", data);
    reply_php(visit, status, NULL, error);
}

/* The caller built the URL from registered parts; CR and LF cannot be in it. */
void reply_redirect(struct visit *visit, const char *url)
{
    struct buf headers = {0};
    buf_printf(&headers,
               "Location: %s\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n", url);
    http_respond(visit->request, 302, headers.data, NULL, 0);
    buf_free(&headers);
}

/* A status says it all. */
void reply_empty(struct visit *visit, int status)
{
    http_respond(visit->request, status, NULL, NULL, 0);
}
