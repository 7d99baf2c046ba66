#include "net/http_forwarded.h"

#include <string.h>

#include "base/limits.h"
#include "net/http_chars.h"

static const char header_name[] = "x-forwarded-for";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The part before a port: within brackets, or up to the only colon. False if it has no such form.
 */
static bool cut_port(const char **at, size_t *len)
{
    const char *end;
    if (*len > 0 && (*at)[0] == '[') {
        end = memchr(*at, ']', *len);
        if (end == NULL || (end + 1 < *at + *len && end[1] != ':'))
            return false;
        *at += 1;
        *len = (size_t)(end - *at);
        return memchr(*at, ':', *len) != NULL;
    }
    end = memchr(*at, ':', *len);
    if (end != NULL && memchr(end + 1, ':', *len - (size_t)(end + 1 - *at)) == NULL)
        *len = (size_t)(end - *at);
    return true;
}

static int parse_element(const char *at, size_t len, struct address *out)
{
    while (len > 0 && is_blank(at[0])) {
        at++;
        len--;
    }
    while (len > 0 && is_blank(at[len - 1]))
        len--;
    return cut_port(&at, &len) ? address_parse(at, len, out) : -1;
}

/* The elements of one line, from its right; false once the walk has ended. */
static bool walk_line(const struct http_header *header, const struct network_list *trusted,
                      struct address *at, unsigned *hops)
{
    const char *line = header->value;
    size_t end = header->value_len;
    for (;;) {
        size_t start = end;
        while (start > 0 && line[start - 1] != ',')
            start--;
        if (!networks_hold(trusted, at) || ++*hops > LIMIT_FORWARDED_HOPS ||
            parse_element(line + start, end - start, at) != 0)
            return false;
        if (start == 0)
            return true;
        end = start - 1;
    }
}

struct address http_forwarded_client(const struct http_header *headers, size_t header_count,
                                     const struct address *peer, const struct network_list *trusted)
{
    struct address at = *peer;
    unsigned hops = 0;
    for (size_t i = header_count; i > 0; i--) {
        const struct http_header *header = &headers[i - 1];
        if (http_equal(header->name, header->name_len, header_name) &&
            !walk_line(header, trusted, &at, &hops))
            break;
    }
    return at;
}
