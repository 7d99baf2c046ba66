#include "query.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* Decodes both halves of "name=value"; false on a bad escape. */
static bool query_split(const char *pair, size_t len, char **name, char **value)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_len = equals ? (size_t)(equals - pair) : len;
    *name = xstrndup(pair, name_len);
    *value = equals ? xstrndup(equals + 1, len - name_len - 1) : xstrdup("");
    long name_end = text_url_decode(*name, name_len);
    long value_end = text_url_decode(*value, strlen(*value));
    if (name_end < 0 || value_end < 0) {
        xfree(*name);
        xfree(*value);
        return false;
    }
    (*name)[name_end] = '\0';
    (*value)[value_end] = '\0';
    return true;
}

int query_once(const char *query, const char *name, size_t most, char **value)
{
    char *found = NULL;
    size_t len;
    for (const char *at = query; *at != '\0'; at += len + (at[len] == '&')) {
        char *this_name, *this_value;
        len = strcspn(at, "&");
        if (!query_split(at, len, &this_name, &this_value))
            goto refused;
        bool named = strcmp(this_name, name) == 0;
        free(this_name);
        if (!named) {
            free(this_value);
            continue;
        }
        if (found || strlen(this_value) > most) {
            free(this_value);
            goto refused;
        }
        found = this_value;
    }
    *value = found;
    return 0;
refused:
    free(found);
    return -1;
}
