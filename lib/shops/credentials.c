#include "shops/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

/* A key becomes part of a header: a line break in it would begin another one. */
static bool is_header_text(const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if ((unsigned char)text->data[i] < 0x20 || text->data[i] == 0x7f)
            return false;
    return text->len > 0 && text->len <= LIMIT_SHOP_CREDENTIALS;
}

char *credentials_basic(const struct settings_source *source)
{
    const struct secret_list *keys = &source->api_keys;
    struct buf out = {0};
    if (keys->count == 0)
        return NULL;
    buf_append(&out, keys->items[0].bytes, keys->items[0].len);
    if (out.len > 0 && !memchr(out.data, ':', out.len) && keys->count >= 2) {
        buf_putc(&out, ':');
        buf_append(&out, keys->items[1].bytes, keys->items[1].len);
    }
    const char *colon = out.len > 0 ? memchr(out.data, ':', out.len) : NULL;
    if (!colon || colon == out.data || colon == out.data + out.len - 1 || !is_header_text(&out)) {
        buf_wipe(&out);
        return NULL;
    }
    return buf_take(&out);
}

char *credentials_bearer(const struct settings_source *source)
{
    const struct secret_list *keys = &source->api_keys;
    struct buf key = {0}, out = {0};
    if (keys->count > 0)
        buf_append(&key, keys->items[0].bytes, keys->items[0].len);
    if (is_header_text(&key))
        buf_printf(&out, "Authorization: Bearer %s", key.data);
    buf_wipe(&key);
    return out.len > 0 ? buf_take(&out) : NULL;
}

static bool has(char *credentials)
{
    if (!credentials)
        return false;
    explicit_bzero(credentials, strlen(credentials));
    free(credentials);
    return true;
}

bool credentials_has_basic(const struct settings_source *source)
{
    return has(credentials_basic(source));
}

bool credentials_has_bearer(const struct settings_source *source)
{
    return has(credentials_bearer(source));
}
