#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "route.h"
#include "template.h"

/*
 * The demo's own page and its files. Nothing comes from anywhere else, and the browser is told so.
 */

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
};

/* The media type of a file of ours. */
static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].suffix, dot) == 0)
            return types[i].type;
    die("the page's file %s has no known type", name);
}

/* The page may talk to us and to the front's API, and to nobody else. data: is the masks of the
 * stylesheet. */
static void reply_file(struct visit *visit, const struct embedded_file *file)
{
    struct buf headers = {0};
    buf_printf(&headers,
               "Content-Type: %s\r\nCache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
               "Referrer-Policy: no-referrer\r\n"
               "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
               "img-src 'self' data:; connect-src 'self' %s; base-uri 'none'; form-action 'none'; "
               "frame-ancestors 'none'\r\n",
               type_of(file->name), visit->sandbox->settings->server.public_url);
    http_respond(visit->request, 200, headers.data, file->bytes, file->len);
    buf_free(&headers);
}

/* The front allows one origin, so a visitor by another of our names is sent to that one. */
static void index_get(struct visit *visit)
{
    char *host = http_header_text(visit->request, "Host");
    if (host != NULL && strcmp(host, visit->sandbox->host) != 0) {
        struct buf url = {0};
        buf_printf(&url, "%s/", visit->sandbox->origin);
        reply_redirect(visit, url.data);
        buf_free(&url);
    } else {
        reply_file(visit, template_file("index.html"));
    }
    free(host);
}

/* The other files; those in HTML are templates, and are not to be had as they lie. */
static void file_get(struct visit *visit)
{
    const char *name = visit->captures[0];
    if (strcmp(name, "favicon.ico") == 0)
        name = "favicon.svg";
    const struct embedded_file *file = template_file(name);
    if (file == NULL || strstr(name, ".html") != NULL)
        http_respond_problem(visit->request, 404, "not_found", NULL, "There is nothing here.");
    else
        reply_file(visit, file);
}

const struct route page_routes[] = {
    {"GET", "/", ROUTE_OPEN, index_get},
    {"GET", "/*", ROUTE_OPEN, file_get},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
