#include "etag.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

/* Header names compare without case, over bytes that are not NUL-terminated. */
static bool etag_is_header(const struct http_header *header)
{
    static const char name[] = "If-None-Match";
    return header->name_len == sizeof(name) - 1 &&
           strncasecmp(header->name, name, sizeof(name) - 1) == 0;
}

char *etag_asked(const struct http_request *request)
{
    size_t count;
    const struct http_header *headers = http_headers(request, &count);
    struct buf joined = {0};
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (!etag_is_header(&headers[i]))
            continue;
        if (any)
            buf_puts(&joined, ", ");
        buf_append(&joined, headers[i].value, headers[i].value_len);
        any = true;
    }
    return any ? buf_take(&joined) : NULL;
}

/* list = "*" | tag *( "," tag ); tag = [ "W/" ] DQUOTE *etagc DQUOTE. What is none matches nothing.
 */
bool etag_matches(const char *asked, const char *version)
{
    size_t len = strlen(version);
    const char *at = asked + strspn(asked, " \t,");
    if (at[0] == '*' && at[1 + strspn(at + 1, " \t")] == '\0')
        return true;
    while (*at != '\0') {
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (!end)
            return false;
        if ((size_t)(end - at - 1) == len && memcmp(at + 1, version, len) == 0)
            return true;
        at = end + 1;
        at += strspn(at, " \t,");
    }
    return false;
}
