#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/settings_table.h"

/* What callers hold is the first member. */
struct counted_settings {
    struct settings settings;
    atomic_size_t references;
};

/* A section as the file has it: where it stands, and on which line each row of the table was. */
struct seen_section {
    const struct section *section;
    char *name; /* "" for [name] */
    size_t index;
    int line;
    int *key_lines; /* by row of the table; 0: not given */
};

struct loader {
    struct settings *settings;
    struct setting_source source;
    struct buf *errors;
    size_t faults;
    struct seen_section *seen;
    size_t seen_count;
    bool skipping; /* in a section that is unknown or given twice: its keys say nothing */
    int line_count;
};

/* Where the rows of a section's instance are; miro and source are found again each time. */
static void *place_base(struct settings *settings, enum section_place place, size_t index)
{
    switch (place) {
    case PLACE_SERVER:
        return &settings->server;
    case PLACE_DATABASE:
        return &settings->database;
    case PLACE_SETTINGS:
        return settings;
    case PLACE_MIRO:
        return &settings->miro[index];
    case PLACE_SOURCE:
        return &settings->sources[index];
    case PLACE_MAIL:
        return &settings->mail;
    }
    die("no such section place: %d", (int)place);
}

static void clear_section(struct settings *settings, const struct section *section, size_t index)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        if (strcmp(settings_table[i].section, section->name) == 0)
            setting_clear(&settings_table[i], place_base(settings, section->place, index));
    }
}

static size_t instance_count(const struct settings *settings, enum section_place place)
{
    if (place == PLACE_MIRO)
        return settings->miro_count;
    return place == PLACE_SOURCE ? settings->source_count : 1;
}

static void settings_free(struct settings *settings)
{
    for (size_t i = 0; i < settings_section_count; i++) {
        size_t count = instance_count(settings, settings_sections[i].place);
        for (size_t index = 0; index < count; index++)
            clear_section(settings, &settings_sections[i], index);
    }
    for (size_t i = 0; i < settings->miro_count; i++)
        free(settings->miro[i].name);
    for (size_t i = 0; i < settings->source_count; i++)
        free(settings->sources[i].name);
    free(settings->miro);
    free(settings->sources);
    free(settings->path);
    free(settings);
}

struct settings *settings_ref(struct settings *settings)
{
    atomic_fetch_add(&((struct counted_settings *)settings)->references, 1);
    return settings;
}

void settings_unref(struct settings *settings)
{
    if (settings == NULL)
        return;
    if (atomic_fetch_sub(&((struct counted_settings *)settings)->references, 1) == 1)
        settings_free(settings);
}

/* One fault, told as "FILE:LINE: [section instance] key: ...", up to a limit of them. */
static void __attribute__((format(printf, 5, 6)))
add_fault(struct loader *loader, int line, const struct seen_section *seen, const char *key,
          const char *format, ...)
{
    if (loader->faults++ >= LIMIT_CONFIG_FAULTS)
        return;
    buf_printf(loader->errors, "%s:%d: ", loader->source.config_path, line);
    if (seen != NULL)
        buf_printf(loader->errors, "[%s%s%s]%s%s: ", seen->section->name,
                   seen->name[0] != '\0' ? " " : "", seen->name, key != NULL ? " " : "",
                   key != NULL ? key : "");
    va_list args;
    va_start(args, format);
    buf_vprintf(loader->errors, format, args);
    va_end(args);
    buf_putc(loader->errors, '\n');
}

/* "...; expected ..." for a value of the row. */
static void add_value_fault(struct loader *loader, int line, const struct seen_section *seen,
                            const struct setting *setting, const char *what)
{
    struct buf expected = {0};
    setting_put_expected(setting, &expected);
    add_fault(loader, line, seen, setting->key, "%s; expected %s", what, expected.data);
    buf_free(&expected);
}

static const struct setting *find_setting(const char *section, const char *key)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        if (strcmp(settings_table[i].section, section) == 0 &&
            strcmp(settings_table[i].key, key) == 0)
            return &settings_table[i];
    }
    return NULL;
}

/* The line of a key in a section, or 0. */
static int key_line(const struct seen_section *seen, const char *key)
{
    const struct setting *setting = find_setting(seen->section->name, key);
    if (setting == NULL)
        die("the table has no row [%s] %s", seen->section->name, key);
    return seen->key_lines[setting - settings_table];
}

static void *seen_base(struct loader *loader, const struct seen_section *seen)
{
    return place_base(loader->settings, seen->section->place, seen->index);
}

/* Defaults are read like the file's own values; one that its row refuses is a broken table. */
static void set_defaults(struct loader *loader, const struct section *section, size_t index)
{
    struct buf fault = {0};
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->fallback == NULL || strcmp(setting->section, section->name) != 0)
            continue;
        if (setting_set(setting, place_base(loader->settings, section->place, index),
                        setting->fallback, &loader->source, &fault) != 0)
            die("the default of [%s] %s %s", setting->section, setting->key, fault.data);
    }
    buf_free(&fault);
}

/* A new element for [miro ...] or [source ...]; the others are in the settings from the start. */
static size_t add_instance(struct settings *settings, enum section_place place, const char *name)
{
    if (place == PLACE_MIRO) {
        settings->miro =
            xreallocarray(settings->miro, settings->miro_count + 1, sizeof(*settings->miro));
        settings->miro[settings->miro_count] = (struct settings_miro){.name = xstrdup(name)};
        return settings->miro_count++;
    }
    if (place == PLACE_SOURCE) {
        settings->sources = xreallocarray(settings->sources, settings->source_count + 1,
                                          sizeof(*settings->sources));
        settings->sources[settings->source_count] = (struct settings_source){.name = xstrdup(name)};
        return settings->source_count++;
    }
    return 0;
}

static const struct section *find_section(const char *name)
{
    for (size_t i = 0; i < settings_section_count; i++) {
        if (strcmp(settings_sections[i].name, name) == 0)
            return &settings_sections[i];
    }
    return NULL;
}

static const struct seen_section *find_seen(const struct loader *loader, const char *section,
                                            const char *name)
{
    for (size_t i = 0; i < loader->seen_count; i++) {
        if (strcmp(loader->seen[i].section->name, section) == 0 &&
            strcmp(loader->seen[i].name, name) == 0)
            return &loader->seen[i];
    }
    return NULL;
}

/* What is wrong with the section's name or instance, or NULL. */
static const char *section_fault(const struct loader *loader, const struct section *section,
                                 const char *name)
{
    bool named = name[0] != '\0';
    if (section->naming == SECTION_ALONE && named)
        return "takes no name; expected the section without one";
    if (section->naming == SECTION_NAMED && !named)
        return "needs a name; expected [source NAME]";
    if (strlen(name) > LIMIT_NAME)
        return "its name is too long; expected at most 64 characters";
    if (named && name[strspn(name, ".")] == '\0')
        return "its name is made of dots only; expected a name that can be part of a URL's path";
    if (section->place == PLACE_SOURCE && loader->settings->source_count == LIMIT_SOURCES)
        return "is one source too many; expected at most 64";
    if (section->place == PLACE_MIRO && loader->settings->miro_count == LIMIT_MIRO_APPS)
        return "is one app too many; expected at most 16";
    return NULL;
}

static void on_section(void *context, int line, const char *name, const char *instance)
{
    struct loader *loader = context;
    const struct section *section = find_section(name);
    loader->skipping = true;
    if (section == NULL) {
        add_fault(loader, line, NULL, NULL,
                  "[%s]: unknown section; expected server, database, keys, miro, source or mail",
                  name);
        return;
    }
    const struct seen_section *before = find_seen(loader, name, instance);
    const char *fault = section_fault(loader, section, instance);
    if (before != NULL || fault != NULL) {
        struct seen_section shown = {.section = section, .name = xstrdup(instance)};
        if (before != NULL)
            add_fault(loader, line, &shown, NULL,
                      "given twice, first on line %d; expected all its keys in one place",
                      before->line);
        else
            add_fault(loader, line, &shown, NULL, "%s", fault);
        free(shown.name);
        return;
    }
    loader->skipping = false;
    loader->seen = xreallocarray(loader->seen, loader->seen_count + 1, sizeof(*loader->seen));
    loader->seen[loader->seen_count++] = (struct seen_section){
        .section = section,
        .name = xstrdup(instance),
        .index = add_instance(loader->settings, section->place, instance),
        .line = line,
        .key_lines = xcalloc(settings_table_count, sizeof(int)),
    };
    if (section->naming != SECTION_ALONE)
        set_defaults(loader, section, loader->seen[loader->seen_count - 1].index);
}

/* "unknown key; expected one of ..." with the section's own keys. */
static void add_unknown_key(struct loader *loader, int line, const struct seen_section *seen,
                            const char *key)
{
    struct buf keys = {0};
    for (size_t i = 0; i < settings_table_count; i++) {
        if (strcmp(settings_table[i].section, seen->section->name) == 0)
            buf_printf(&keys, "%s%s", keys.len > 0 ? ", " : "", settings_table[i].key);
    }
    add_fault(loader, line, seen, key, "unknown key; expected one of %s", keys.data);
    buf_free(&keys);
}

static void on_pair(void *context, int line, const char *key, const char *value)
{
    struct loader *loader = context;
    if (loader->skipping)
        return;
    if (loader->seen_count == 0) {
        add_fault(loader, line, NULL, NULL, "%s: stands before any section; expected [name] first",
                  key);
        return;
    }
    const struct seen_section *seen = &loader->seen[loader->seen_count - 1];
    const struct setting *setting = find_setting(seen->section->name, key);
    if (setting == NULL) {
        add_unknown_key(loader, line, seen, key);
        return;
    }
    int *first = &seen->key_lines[setting - settings_table];
    if (*first != 0) {
        add_fault(loader, line, seen, key, "given twice, first on line %d; expected it once",
                  *first);
        return;
    }
    *first = line;
    struct buf fault = {0};
    if (setting_set(setting, seen_base(loader, seen), value, &loader->source, &fault) != 0)
        add_value_fault(loader, line, seen, setting, fault.data);
    buf_free(&fault);
}

static void on_fault(void *context, int line, const char *what)
{
    struct loader *loader = context;
    const struct seen_section *seen =
        loader->seen_count > 0 && !loader->skipping ? &loader->seen[loader->seen_count - 1] : NULL;
    add_fault(loader, line, seen, NULL, "%s", what);
}

/* Needed keys of the sections that are there, and needed sections that are not. */
static void check_needed(struct loader *loader)
{
    for (size_t i = 0; i < loader->seen_count; i++) {
        const struct seen_section *seen = &loader->seen[i];
        for (size_t row = 0; row < settings_table_count; row++) {
            const struct setting *setting = &settings_table[row];
            if (setting->needed && seen->key_lines[row] == 0 &&
                strcmp(setting->section, seen->section->name) == 0)
                add_value_fault(loader, seen->line, seen, setting, "is missing");
        }
    }
    for (size_t i = 0; i < settings_section_count; i++) {
        const struct section *section = &settings_sections[i];
        if (section->needed && find_seen(loader, section->name, "") == NULL)
            add_fault(loader, loader->line_count, NULL, NULL,
                      "[%s]: is missing; expected this section", section->name);
    }
}

static void check_database(struct loader *loader)
{
    const struct seen_section *seen = find_seen(loader, "database", "");
    if (seen == NULL)
        return;
    int socket_line = key_line(seen, "socket"), host_line = key_line(seen, "host");
    if (socket_line == 0 && host_line == 0)
        add_fault(loader, seen->line, seen, "socket",
                  "neither a socket nor a host is given; expected one of them");
    if (socket_line != 0 && host_line != 0)
        add_fault(loader, host_line, seen, "host",
                  "given beside socket (line %d); expected one of them", socket_line);
}

/* The internal listener shows what the public must not see. */
static void check_listeners(struct loader *loader)
{
    const struct settings_server *server = &loader->settings->server;
    const struct seen_section *seen = find_seen(loader, "server", "");
    const char *port = strrchr(server->listen, ':');
    if (seen != NULL && strcmp(port, ":0") != 0 &&
        strcmp(server->listen, server->internal_listen) == 0)
        add_fault(loader, seen->line, seen, "internal_listen",
                  "is the public listener; expected an address or port of its own");
}

/* Half of what TLS needs must not come to mean none, nor may links lead around it. */
static void check_tls(struct loader *loader)
{
    static const char *const keys[] = {"tls_certificate_file", "tls_key_file"};
    const struct seen_section *seen = find_seen(loader, "server", "");
    if (seen == NULL)
        return;
    const int lines[] = {key_line(seen, keys[0]), key_line(seen, keys[1])};
    for (size_t i = 0; i < 2; i++) {
        if (lines[i] == 0 && lines[1 - i] != 0)
            add_fault(loader, lines[1 - i], seen, keys[i],
                      "is missing beside %s; expected both or neither", keys[1 - i]);
    }
    if (lines[0] != 0 && strncmp(loader->settings->server.public_url, "https:", 6) != 0)
        add_fault(loader, lines[0], seen, "public_url",
                  "is not https, and the listener speaks TLS alone; expected `https://...`");
}

static void check_sources(struct loader *loader)
{
    static const char *const needed[] = {"api_url", "api_key_file"};
    for (size_t i = 0; i < loader->seen_count; i++) {
        const struct seen_section *seen = &loader->seen[i];
        if (seen->section->place != PLACE_SOURCE || key_line(seen, "provider") == 0 ||
            loader->settings->sources[seen->index].provider != PROVIDER_GUMROAD)
            continue;
        for (size_t key = 0; key < sizeof(needed) / sizeof(needed[0]); key++) {
            if (key_line(seen, needed[key]) == 0)
                add_value_fault(loader, seen->line, seen, find_setting("source", needed[key]),
                                "is missing, and gumroad tells nothing without it");
        }
    }
}

/* Every key that a secret may be read as. */
struct effective_keys {
    struct span keys[3];
    size_t count;
    struct buf spelled;
};

/* Its own bytes; of `standard` also what follows the prefix, and what that spells in base64. */
static void effective_keys_of(const struct settings_source *source, const struct secret *secret,
                              struct effective_keys *out)
{
    static const char prefix[] = "whsec_";
    size_t prefix_len = sizeof(prefix) - 1, len = secret->len;
    const char *text = (const char *)secret->bytes;
    *out = (struct effective_keys){.keys = {{text, len}}, .count = 1};
    if (source->provider != PROVIDER_STANDARD)
        return;
    if (len > prefix_len && memcmp(text, prefix, prefix_len) == 0) {
        text += prefix_len;
        len -= prefix_len;
        out->keys[out->count++] = (struct span){text, len};
    }
    if (digest_unbase64(text, len, true, &out->spelled) == 0 && out->spelled.len > 0)
        out->keys[out->count++] = (struct span){out->spelled.data, out->spelled.len};
}

static bool keys_meet(const struct effective_keys *a, const struct effective_keys *b)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = 0; j < b->count; j++) {
            if (digest_equal(a->keys[i].bytes, a->keys[i].len, b->keys[j].bytes, b->keys[j].len))
                return true;
        }
    }
    return false;
}

/* Any key of one source is any key of the other. */
static bool secrets_meet(const struct settings_source *a, const struct settings_source *b)
{
    struct effective_keys left, right;
    bool meet = false;
    for (size_t i = 0; i < a->webhook_secrets.count && !meet; i++) {
        effective_keys_of(a, &a->webhook_secrets.items[i], &left);
        for (size_t j = 0; j < b->webhook_secrets.count && !meet; j++) {
            effective_keys_of(b, &b->webhook_secrets.items[j], &right);
            meet = keys_meet(&left, &right);
            buf_wipe(&right.spelled);
        }
        buf_wipe(&left.spelled);
    }
    return meet;
}

/* With a shared secret one shop's deliveries would count as another's. */
static void check_shared_secrets(struct loader *loader, const struct seen_section *later,
                                 const struct seen_section *earlier)
{
    const struct settings_source *sources = loader->settings->sources;
    if (secrets_meet(&sources[later->index], &sources[earlier->index]))
        add_fault(loader, key_line(later, "webhook_secret_file"), later, "webhook_secret_file",
                  "shares a secret with [source %s]; expected one of its own", earlier->name);
}

/* An idToken's `sub` picks the app, so no two may have one id. */
static void check_client_ids(struct loader *loader, const struct seen_section *later,
                             const struct seen_section *earlier)
{
    const char *a = loader->settings->miro[later->index].client_id;
    const char *b = loader->settings->miro[earlier->index].client_id;
    if (a != NULL && b != NULL && strcmp(a, b) == 0)
        add_fault(loader, key_line(later, "client_id"), later, "client_id",
                  "is that of the app on line %d; expected one app for each id", earlier->line);
}

/* Every two sections of a kind, once. */
static void check_pairs(struct loader *loader)
{
    for (size_t i = 0; i < loader->seen_count; i++) {
        const struct seen_section *later = &loader->seen[i];
        for (size_t j = 0; j < i; j++) {
            const struct seen_section *earlier = &loader->seen[j];
            if (later->section->place != earlier->section->place)
                continue;
            if (later->section->place == PLACE_SOURCE)
                check_shared_secrets(loader, later, earlier);
            else if (later->section->place == PLACE_MIRO)
                check_client_ids(loader, later, earlier);
        }
    }
}

static void free_seen(struct loader *loader)
{
    for (size_t i = 0; i < loader->seen_count; i++) {
        free(loader->seen[i].name);
        free(loader->seen[i].key_lines);
    }
    free(loader->seen);
}

/* Reads all of it, whatever is wrong, so that one look at the messages mends everything. */
static struct settings *load(const char *path, const char *text, size_t len, bool read_files,
                             struct buf *errors)
{
    struct counted_settings *counted = xcalloc(1, sizeof(*counted));
    struct loader loader = {
        .settings = &counted->settings,
        .source = {.config_path = path, .read_files = read_files},
        .errors = errors,
    };
    const struct ini_handler handler = {on_section, on_pair, on_fault, &loader};
    atomic_init(&counted->references, 1);
    counted->settings.path = xstrdup(path);
    for (size_t i = 0; i < settings_section_count; i++) {
        if (settings_sections[i].naming == SECTION_ALONE)
            set_defaults(&loader, &settings_sections[i], 0);
    }
    loader.line_count = ini_read(text, len, &handler);
    check_needed(&loader);
    check_database(&loader);
    check_listeners(&loader);
    check_tls(&loader);
    check_sources(&loader);
    check_pairs(&loader);
    free_seen(&loader);
    if (loader.faults == 0)
        return &counted->settings;
    if (loader.faults > LIMIT_CONFIG_FAULTS)
        buf_printf(errors, "%s: %zu more faults\n", path, loader.faults - LIMIT_CONFIG_FAULTS);
    settings_unref(&counted->settings);
    return NULL;
}

struct settings *settings_parse(const char *path, const char *text, size_t len, struct buf *errors)
{
    return load(path, text, len, false, errors);
}

/* The whole file, or -1 with the fault of the file itself. */
static int read_file(const char *path, struct buf *text, struct buf *errors)
{
    int result = -1;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        buf_printf(errors, "%s: cannot be opened: %s; expected a configuration file\n", path,
                   strerror(errno));
        return -1;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        buf_printf(errors, "%s: is not a regular file; expected a configuration file\n", path);
        goto out;
    }
    buf_reserve(text, LIMIT_CONFIG_BYTES + 1);
    for (;;) {
        ssize_t got = read(fd, text->data + text->len, LIMIT_CONFIG_BYTES + 1 - text->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            buf_printf(errors, "%s: cannot be read: %s; expected a configuration file\n", path,
                       strerror(errno));
            goto out;
        }
        if (got == 0)
            break;
        text->len += (size_t)got;
        if (text->len > LIMIT_CONFIG_BYTES) {
            buf_printf(errors, "%s: is too large; expected at most %d bytes\n", path,
                       LIMIT_CONFIG_BYTES);
            goto out;
        }
    }
    result = 0;
out:
    close(fd);
    return result;
}

struct settings *settings_load(const char *path, struct buf *errors)
{
    struct buf text = {0};
    struct settings *settings = NULL;
    if (read_file(path, &text, errors) == 0)
        settings = load(path, text.data, text.len, true, errors);
    buf_free(&text);
    return settings;
}

const struct settings_source *settings_source(const struct settings *settings, const char *name,
                                              size_t len)
{
    for (size_t i = 0; i < settings->source_count; i++) {
        const char *own = settings->sources[i].name;
        if (strlen(own) == len && memcmp(own, name, len) == 0)
            return &settings->sources[i];
    }
    return NULL;
}

const struct settings_miro *settings_miro_by_client(const struct settings *settings,
                                                    const char *client_id)
{
    for (size_t i = 0; i < settings->miro_count; i++) {
        if (strcmp(settings->miro[i].client_id, client_id) == 0)
            return &settings->miro[i];
    }
    return NULL;
}

const struct settings_miro *settings_miro_by_name(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->miro_count; i++) {
        if (strcmp(settings->miro[i].name, name) == 0)
            return &settings->miro[i];
    }
    return NULL;
}
