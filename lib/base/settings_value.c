/*
 * Values of the settings table: text to typed value, by the type of the row.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/network.h"
#include "base/secret.h"
#include "base/settings_table.h"
#include "base/settings_url.h"
#include "base/text.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

/* Reads `value` into the row's place. -1 with what is wrong, and the place as it was. */
typedef int set_function(const struct setting *setting, void *base, const char *value,
                         const struct setting_source *source, struct buf *fault);
typedef void clear_function(void *place);

static void *place_of(const struct setting *setting, void *base)
{
    return (char *)base + setting->offset;
}

static void clear_text(void *place)
{
    char **text = place;
    xfree(*text);
}

static void clear_list(void *place)
{
    char ***list = place;
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++)
        free((*list)[i]);
    xfree(*list);
}

static void clear_secrets(void *place)
{
    secret_list_free(place);
}

static int refuse(struct buf *fault, const char *what)
{
    buf_puts(fault, what);
    return -1;
}

/* The new string becomes the place's own. */
static int put_text(const struct setting *setting, void *base, char *text)
{
    char **place = place_of(setting, base);
    free(*place);
    *place = text;
    return 0;
}

static int set_text(const struct setting *setting, void *base, const char *value,
                    const struct setting_source *source, struct buf *fault)
{
    (void)source;
    size_t len = strlen(value);
    if (len < (size_t)setting->min)
        return refuse(fault, "is too short");
    if (len > (size_t)setting->max)
        return refuse(fault, "is too long");
    return put_text(setting, base, xstrdup(value));
}

static int set_id(const struct setting *setting, void *base, const char *value,
                  const struct setting_source *source, struct buf *fault)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (value[strspn(value, allowed)] != '\0')
        return refuse(fault, "holds a character that it cannot");
    return set_text(setting, base, value, source, fault);
}

static int set_listen(const struct setting *setting, void *base, const char *value,
                      const struct setting_source *source, struct buf *fault)
{
    (void)source;
    const char *what = listen_fault(value);
    return what != NULL ? refuse(fault, what) : put_text(setting, base, xstrdup(value));
}

/* The value is never repeated in the fault: a URL with credentials in it would show them. */
static int set_url(const struct setting *setting, void *base, const char *value,
                   const struct setting_source *source, struct buf *fault)
{
    (void)source;
    static const enum url_form forms[] = {
        [SETTING_ORIGIN] = URL_ORIGIN,
        [SETTING_PREFIX] = URL_PREFIX,
        [SETTING_PAGE] = URL_PAGE,
        [SETTING_SMTP] = URL_SMTP,
    };
    const char *what;
    char *url = url_normalise(value, forms[setting->type], &what);
    return url == NULL ? refuse(fault, what) : put_text(setting, base, url);
}

static int set_address(const struct setting *setting, void *base, const char *value,
                       const struct setting_source *source, struct buf *fault)
{
    (void)source;
    char *normalised;
    if (text_normalise_address(value, strlen(value), &normalised) != 0)
        return refuse(fault, "is not an e-mail address");
    free(normalised);
    return put_text(setting, base, xstrdup(value));
}

static int set_path(const struct setting *setting, void *base, const char *value,
                    const struct setting_source *source, struct buf *fault)
{
    (void)source;
    if (value[0] != '/')
        return refuse(fault, "is not absolute");
    if (strlen(value) > LIMIT_CONFIG_URL)
        return refuse(fault, "is too long");
    return put_text(setting, base, xstrdup(value));
}

static int set_file(const struct setting *setting, void *base, const char *value,
                    const struct setting_source *source, struct buf *fault)
{
    const char *slash = strrchr(source->config_path, '/');
    if (value[0] == '\0' || strlen(value) > LIMIT_CONFIG_URL)
        return refuse(fault, value[0] == '\0' ? "is empty" : "is too long");
    if (value[0] == '/' || slash == NULL)
        return put_text(setting, base, xstrdup(value));
    return put_text(
        setting, base,
        xasprintf("%.*s/%s", (int)(slash - source->config_path), source->config_path, value));
}

/* The next word of a list, cut out of `*rest`, or NULL. */
static char *next_word(const char **rest)
{
    static const char blanks[] = " \t";
    const char *word = *rest + strspn(*rest, blanks);
    size_t len = strcspn(word, blanks);
    *rest = word + len;
    return len > 0 ? xstrndup(word, len) : NULL;
}

/* One word of a list in its normal form, or NULL with what is wrong. */
static char *list_item(const struct setting *setting, const char *word, const char **what)
{
    if (setting->type == SETTING_ORIGINS)
        return url_normalise(word, URL_ORIGIN, what);
    *what = "one of its words is too long";
    if (setting->type == SETTING_WORDS)
        return strlen(word) <= LIMIT_CONFIG_TEXT ? xstrdup(word) : NULL;
    *what = "one of its hosts is not understood";
    return host_is_valid(word) ? xstrdup(word) : NULL;
}

/* All words or none: the place changes only when every one was good. */
static int set_list(const struct setting *setting, void *base, const char *value,
                    const struct setting_source *source, struct buf *fault)
{
    (void)source;
    char **list = xcalloc(LIMIT_CONFIG_LIST + 1, sizeof(*list));
    size_t count = 0;
    const char *what = NULL;
    char *word;
    while (what == NULL && (word = next_word(&value)) != NULL) {
        if (count == LIMIT_CONFIG_LIST)
            what = "has too many words";
        else if ((list[count] = list_item(setting, word, &what)) != NULL) {
            what = NULL;
            count++;
        }
        free(word);
    }
    if (what == NULL && (int64_t)count < setting->min)
        what = "is empty";
    if (what != NULL) {
        clear_list(&list);
        return refuse(fault, what);
    }
    clear_list(place_of(setting, base));
    *(char ***)place_of(setting, base) = list;
    return 0;
}

static void clear_networks(void *place)
{
    struct network_list *list = place;
    free(list->items);
    *list = (struct network_list){0};
}

static int set_networks(const struct setting *setting, void *base, const char *value,
                        const struct setting_source *source, struct buf *fault)
{
    (void)source;
    struct network_list list = {.items = xcalloc(LIMIT_CONFIG_LIST, sizeof(*list.items))};
    const char *what = NULL;
    char *word;
    while (what == NULL && (word = next_word(&value)) != NULL) {
        if (list.count == LIMIT_CONFIG_LIST)
            what = "has too many words";
        else if (network_parse(word, &list.items[list.count], &what) == 0)
            list.count++;
        free(word);
    }
    if (what != NULL) {
        clear_networks(&list);
        return refuse(fault, what);
    }
    clear_networks(place_of(setting, base));
    *(struct network_list *)place_of(setting, base) = list;
    return 0;
}

static int put_number(const struct setting *setting, void *base, int64_t number, struct buf *fault)
{
    if (number < setting->min || number > setting->max)
        return refuse(fault, number < setting->min ? "is too small" : "is too large");
    *(int64_t *)place_of(setting, base) = number;
    return 0;
}

static int set_number(const struct setting *setting, void *base, const char *value,
                      const struct setting_source *source, struct buf *fault)
{
    (void)source;
    int64_t number;
    if (text_to_int(value, strlen(value), &number) != 0)
        return refuse(fault, "is not a whole number");
    return put_number(setting, base, number, fault);
}

/* digits ( blanks? ("KiB" | "MiB") )? */
static int set_bytes(const struct setting *setting, void *base, const char *value,
                     const struct setting_source *source, struct buf *fault)
{
    (void)source;
    size_t digits = strspn(value, "0123456789");
    const char *unit = value + digits + strspn(value + digits, " \t");
    int64_t number, factor = 1;
    if (strcmp(unit, "KiB") == 0)
        factor = KIB;
    else if (strcmp(unit, "MiB") == 0)
        factor = MIB;
    else if (*unit != '\0')
        return refuse(fault, "its unit is not understood");
    if (text_to_int(value, digits, &number) != 0)
        return refuse(fault, "is not a number of bytes");
    if (__builtin_mul_overflow(number, factor, &number))
        return refuse(fault, "is too large");
    return put_number(setting, base, number, fault);
}

static int set_bool(const struct setting *setting, void *base, const char *value,
                    const struct setting_source *source, struct buf *fault)
{
    (void)source;
    bool is_true = strcmp(value, "true") == 0;
    if (!is_true && strcmp(value, "false") != 0)
        return refuse(fault, "is neither");
    *(bool *)place_of(setting, base) = is_true;
    return 0;
}

static int set_choice(const struct setting *setting, void *base, const char *value,
                      const struct setting_source *source, struct buf *fault)
{
    (void)source;
    for (unsigned int i = 0; setting->choices[i] != NULL; i++) {
        if (strcmp(setting->choices[i], value) == 0) {
            memcpy(place_of(setting, base), &i, sizeof(i));
            return 0;
        }
    }
    return refuse(fault, "is none of them");
}

static void clear_contents(void *place)
{
    secret_free(place);
}

static int set_contents(const struct setting *setting, void *base, const char *value,
                        const struct setting_source *source, struct buf *fault)
{
    struct secret contents = {0};
    if (value[0] == '\0')
        return refuse(fault, "names no file");
    char *path = secret_path(value, source->config_path);
    int result = source->read_files
                     ? secret_load(path, setting->type == SETTING_PRIVATE, &contents, fault)
                     : 0;
    free(path);
    if (result != 0)
        return -1;
    clear_contents(place_of(setting, base));
    *(struct secret *)place_of(setting, base) = contents;
    return 0;
}

/* The file's own faults are told in full: which file, and what to do about it. */
static int set_secrets(const struct setting *setting, void *base, const char *value,
                       const struct setting_source *source, struct buf *fault)
{
    struct secret_list list = {0};
    if (value[0] == '\0')
        return refuse(fault, "names no file");
    char *path = secret_path(value, source->config_path);
    if (source->read_files && secret_list_load(path, &list, fault) != 0) {
        free(path);
        return -1;
    }
    if ((int64_t)list.count > setting->max) {
        buf_printf(fault, "%s has %zu lines", path, list.count);
        secret_list_free(&list);
        free(path);
        return -1;
    }
    secret_list_free(place_of(setting, base));
    *(struct secret_list *)place_of(setting, base) = list;
    if (setting->path_offset != 0) {
        char **kept = (char **)(void *)((char *)base + setting->path_offset);
        free(*kept);
        *kept = path;
        path = NULL;
    }
    free(path);
    return 0;
}

static const struct {
    set_function *set;
    clear_function *clear;
    const char *expected; /* %min and %max stand for the row's */
} types[] = {
    [SETTING_TEXT] = {set_text, clear_text, "%min to %max bytes of text"},
    [SETTING_ID] = {set_id, clear_text, "%min to %max letters, digits, `.`, `_` and `-`"},
    [SETTING_LISTEN] = {set_listen, clear_text, "`host:port`"},
    [SETTING_ORIGIN] = {set_url, clear_text, "an origin: `https://host` or `https://host:port`"},
    [SETTING_ORIGINS] = {set_list, clear_list, "origins with blanks between them"},
    [SETTING_PREFIX] = {set_url, clear_text, "an http or https URL without query or credentials"},
    [SETTING_PAGE] = {set_url, clear_text, "an http or https URL without credentials"},
    [SETTING_SMTP] = {set_url, clear_text, "`smtp://host:port` or `smtps://host:port`"},
    [SETTING_ADDRESS] = {set_address, clear_text, "an e-mail address"},
    [SETTING_PATH] = {set_path, clear_text, "an absolute path"},
    [SETTING_FILE] = {set_file, clear_text, "the path of a file"},
    [SETTING_HOSTS] = {set_list, clear_list, "hosts with blanks between them"},
    [SETTING_WORDS] = {set_list, clear_list, "words with blanks between them"},
    [SETTING_NETWORKS] = {set_networks, clear_networks,
                          "addresses and networks (`192.0.2.1`, `10.0.0.0/8`) with blanks between "
                          "them"},
    [SETTING_NUMBER] = {set_number, NULL, "a whole number from %min to %max"},
    [SETTING_BYTES] = {set_bytes, NULL, "bytes, from %min to %max, or so many `KiB` or `MiB`"},
    [SETTING_BOOL] = {set_bool, NULL, "`true` or `false`"},
    [SETTING_CHOICE] = {set_choice, NULL, "one of"},
    [SETTING_CONTENTS] = {set_contents, clear_contents, "a file in PEM form"},
    [SETTING_PRIVATE] = {set_contents, clear_contents,
                         "a file in PEM form that others cannot read"},
    [SETTING_SECRETS] = {set_secrets, clear_secrets,
                         "a secret file of at most %max lines that others cannot read"},
};

/* Puts `text` with %min and %max filled in. */
static void put_filled(const struct setting *setting, const char *text, struct buf *out)
{
    while (*text != '\0') {
        if (strncmp(text, "%min", 4) == 0 || strncmp(text, "%max", 4) == 0) {
            buf_put_int(out, text[2] == 'i' ? setting->min : setting->max);
            text += 4;
        } else {
            buf_putc(out, *text++);
        }
    }
}

void setting_put_expected(const struct setting *setting, struct buf *out)
{
    if (setting->type == SETTING_SECRETS && setting->max == 1) {
        buf_puts(out, "a secret file of one line that others cannot read");
        return;
    }
    put_filled(setting, types[setting->type].expected, out);
    if (setting->type != SETTING_CHOICE)
        return;
    for (size_t i = 0; setting->choices[i] != NULL; i++)
        buf_printf(out, "%s `%s`", i > 0 ? "," : "", setting->choices[i]);
}

int setting_set(const struct setting *setting, void *base, const char *value,
                const struct setting_source *source, struct buf *fault)
{
    return types[setting->type].set(setting, base, value, source, fault);
}

void setting_clear(const struct setting *setting, void *base)
{
    if (types[setting->type].clear != NULL)
        types[setting->type].clear(place_of(setting, base));
    if (setting->path_offset != 0)
        clear_text((char *)base + setting->path_offset);
}
