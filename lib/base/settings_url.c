#include "base/settings_url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#define PORT_MOST 65535

struct scheme {
    const char *name; /* with what follows it */
    const char *own_port;
    bool mail;
};

static const struct scheme schemes[] = {
    {"http://", "80", false},
    {"https://", "443", false},
    {"smtp://", "25", true},
    {"smtps://", "465", true},
};

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Labels of letters, digits, '-' and '_' with single dots between them. */
static bool is_host_name(const char *host, size_t len)
{
    if (len == 0 || len > LIMIT_CONFIG_TEXT || host[0] == '.' || host[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (host[i] == '.' && (i + 1 == len || host[i + 1] == '.'))
            return false;
        if (!is_alphanumeric(host[i]) && host[i] != '.' && host[i] != '-' && host[i] != '_')
            return false;
    }
    return true;
}

static bool is_ipv6(const char *host, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len == 0 || len >= sizeof(text))
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

bool host_is_valid(const char *host)
{
    size_t len = strlen(host);
    return is_host_name(host, len) || is_ipv6(host, len);
}

/* The length of the host that `text` begins with, its brackets counted, or 0. */
static size_t host_length(const char *text, size_t len)
{
    if (len > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', len);
        if (close == NULL || !is_ipv6(text + 1, (size_t)(close - text) - 1))
            return 0;
        return (size_t)(close - text) + 1;
    }
    const char *colon = len > 0 ? memchr(text, ':', len) : NULL;
    size_t host_len = colon != NULL ? (size_t)(colon - text) : len;
    return is_host_name(text, host_len) ? host_len : 0;
}

static bool is_port(const char *text, size_t len, int64_t least)
{
    int64_t port;
    return len <= 5 && text_to_int(text, len, &port) == 0 && port >= least && port <= PORT_MOST;
}

const char *listen_fault(const char *text)
{
    size_t len = strlen(text);
    size_t host_len = host_length(text, len);
    if (host_len == 0)
        return "its host is not understood";
    if (text[host_len] != ':')
        return "has no port";
    if (!is_port(text + host_len + 1, len - host_len - 1, 0))
        return "its port is not understood";
    return NULL;
}

static const struct scheme *find_scheme(const char *text, bool mail)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (schemes[i].mail == mail &&
            strncasecmp(text, schemes[i].name, strlen(schemes[i].name)) == 0)
            return &schemes[i];
    }
    return NULL;
}

/* Only what RFC 3986 lets a URL hold: a blank or a quote would be read differently by each reader.
 */
static bool has_url_bytes_only(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text >= 0x7f || strchr("\"<>\\^`{|}", *text) != NULL)
            return false;
    }
    return true;
}

/* What may follow host and port, for each form. */
static const char *rest_fault(const char *rest, enum url_form form)
{
    if (strchr(rest, '#') != NULL)
        return "has a fragment";
    if (form != URL_PAGE && strchr(rest, '?') != NULL)
        return "has a query";
    if ((form == URL_ORIGIN || form == URL_SMTP) && rest[0] != '\0' && strcmp(rest, "/") != 0)
        return "has a path";
    return NULL;
}

/* authority = host (":" port)?; fills in their lengths. */
static const char *authority_fault(const char *text, size_t len, size_t *host_len)
{
    if (len > 0 && memchr(text, '@', len) != NULL)
        return "holds credentials";
    *host_len = host_length(text, len);
    if (*host_len == 0)
        return "its host is not understood";
    if (*host_len < len &&
        (text[*host_len] != ':' || !is_port(text + *host_len + 1, len - *host_len - 1, 1)))
        return "its port is not understood";
    return NULL;
}

static void put_lower(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_putc(out, text_lower(text[i]));
}

char *url_normalise(const char *text, enum url_form form, const char **fault)
{
    const struct scheme *scheme = find_scheme(text, form == URL_SMTP);
    size_t host_len = 0;
    *fault = NULL;
    if (strlen(text) > LIMIT_CONFIG_URL)
        *fault = "is too long";
    else if (!has_url_bytes_only(text))
        *fault = "holds characters that a URL cannot";
    else if (scheme == NULL)
        *fault = "its scheme is not understood";
    if (*fault != NULL)
        return NULL;
    const char *authority = text + strlen(scheme->name);
    size_t authority_len = strcspn(authority, "/?#");
    const char *rest = authority + authority_len;
    *fault = authority_fault(authority, authority_len, &host_len);
    if (*fault == NULL)
        *fault = rest_fault(rest, form);
    if (*fault != NULL)
        return NULL;

    struct buf url = {0};
    const char *port = authority + host_len + (host_len < authority_len ? 1 : 0);
    size_t port_len = (size_t)(rest - port);
    buf_puts(&url, scheme->name);
    put_lower(&url, authority, host_len);
    bool own_port =
        port_len == strlen(scheme->own_port) && memcmp(port, scheme->own_port, port_len) == 0;
    if (port_len > 0 && !(own_port && form == URL_ORIGIN))
        buf_printf(&url, ":%.*s", (int)port_len, port);
    size_t rest_len = strlen(rest);
    if (form != URL_PAGE && rest_len > 0 && rest[rest_len - 1] == '/')
        rest_len--;
    buf_append(&url, rest, rest_len);
    return buf_take(&url);
}
