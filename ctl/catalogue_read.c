#include "catalogue_read.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cell.h"
#include "json_names.h"

#define DURATION_MOST 36500
#define GRACE_MOST 3650
#define NAME_MOST 255
#define URL_MOST 2048
#define FAULTS_MOST 50 /* a file of another kind is not told of line by line */

struct reading {
    const char *file;
    const struct settings *settings;
    struct catalogue *catalogue;
    struct json_object *entitlements; /* the declared keys */
    struct buf *errors;
    size_t faults;
};

/* What a rule may name, by provider. */
static const struct {
    bool variant, sku;
} selectors[PROVIDER_COUNT] = {
    [PROVIDER_WOOCOMMERCE] = {true, true},   [PROVIDER_SHOPIFY] = {true, true},
    [PROVIDER_STRIPE] = {false, true},       [PROVIDER_PADDLE] = {false, false},
    [PROVIDER_LEMONSQUEEZY] = {true, false}, [PROVIDER_GUMROAD] = {true, false},
    [PROVIDER_FASTSPRING] = {false, true},   [PROVIDER_STANDARD] = {true, true},
};

/* One more fault, at its path. The file's own words in it cannot steer a terminal. */
static void __attribute__((format(printf, 3, 4)))
fault(struct reading *reading, const char *path, const char *format, ...)
{
    struct buf line = {0};
    va_list args;

    if (++reading->faults > FAULTS_MOST)
        return;
    buf_printf(&line, "%s: %s: ", reading->file, path);
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    text_escape(line.data, line.len, reading->errors);
    buf_putc(reading->errors, '\n');
    buf_free(&line);
}

/* 1 to LIMIT_ENTITLEMENT_KEY of [A-Za-z0-9._-]. */
static bool key_is_good(const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool good = (key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z') ||
                    (key[i] >= '0' && key[i] <= '9') || strchr("._-", key[i]) != NULL;

        if (!good || key[i] == '\0')
            return false;
    }
    return len >= 1 && len <= LIMIT_ENTITLEMENT_KEY;
}

/* A text of 1 to `most` bytes without controls, or NULL with a fault. */
static const char *text_read(struct reading *reading, const char *path, struct json_object *value,
                             size_t most)
{
    const char *text = json_object_get_string(value);
    size_t len = (size_t)json_object_get_string_len(value);

    if (!json_object_is_type(value, json_type_string)) {
        fault(reading, path, "%s, expected a text in quotes",
              json_type_to_name(json_object_get_type(value)));
        return NULL;
    }
    if (len < 1 || len > most) {
        fault(reading, path, "%zu bytes, expected 1 to %zu", len, most);
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            fault(reading, path, "a control character, expected printable text");
            return NULL;
        }
    }
    return text;
}

/* A whole number within its range, or 0 with a fault. */
static int64_t days_read(struct reading *reading, const char *path, struct json_object *value,
                         int64_t most)
{
    int64_t days = json_object_get_int64(value);

    if (json_object_is_type(value, json_type_int) && days >= 1 && days <= most)
        return days;
    fault(reading, path, "%s, expected a whole number of days from 1 to %" PRId64,
          json_object_to_json_string(value), most);
    return 0;
}

/* One declared key. */
static void entitlement_read(struct reading *reading, const char *key, struct json_object *value)
{
    char *path = xasprintf("entitlements.%.80s", key);
    const char *name = NULL;

    if (!key_is_good(key, strlen(key)))
        fault(reading, path, "not a key, expected 1 to %d of A-Z a-z 0-9 . _ -",
              LIMIT_ENTITLEMENT_KEY);
    if (!json_object_is_type(value, json_type_object)) {
        fault(reading, path, "%s, expected an object such as {\"name\": \"Icon pack\"}",
              json_type_to_name(json_object_get_type(value)));
        value = NULL;
    }
    if (value != NULL) {
        json_object_object_foreach(value, member, inner)
        {
            char *inner_path = xasprintf("%s.%.80s", path, member);

            if (strcmp(member, "name") == 0)
                name = text_read(reading, inner_path, inner, NAME_MOST);
            else
                fault(reading, inner_path, "unknown member, expected name");
            free(inner_path);
        }
    }
    if (key_is_good(key, strlen(key)))
        catalogue_add_entitlement(reading->catalogue, key, name);
    free(path);
}

/* The section's name, or NULL with a fault that names those there are. */
static const struct settings_source *source_read(struct reading *reading, const char *path,
                                                 struct json_object *value)
{
    const char *name = value == NULL ? NULL : text_read(reading, path, value, LIMIT_NAME);
    const struct settings_source *source =
        name == NULL ? NULL : settings_source(reading->settings, name, strlen(name));
    struct buf names = {0};

    if (value == NULL)
        fault(reading, path, "missing, expected the name of a [source ...] section");
    if (name == NULL || source != NULL)
        return source;
    for (size_t i = 0; i < reading->settings->source_count; i++)
        buf_printf(&names, "%s%s", i == 0 ? "" : ", ", reading->settings->sources[i].name);
    fault(reading, path, "no source \"%s\" is configured, expected one of: %s", name,
          names.len == 0 ? "(the configuration has none)" : names.data);
    buf_free(&names);
    return NULL;
}

/* product, variant, sku: at least one, and none that the provider does not have. */
static void selectors_read(struct reading *reading, const char *path, struct json_object *product,
                           const struct settings_source *source, struct catalogue_rule *rule)
{
    const struct {
        const char *name;
        char **into;
        bool known;
    } names[] = {
        {"product", &rule->product, true},
        {"variant", &rule->variant, source == NULL || selectors[source->provider].variant},
        {"sku", &rule->sku, source == NULL || selectors[source->provider].sku},
    };
    bool any = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct json_object *value;
        char *inner_path;
        const char *text;

        if (!json_object_object_get_ex(product, names[i].name, &value))
            continue;
        any = true;
        inner_path = xasprintf("%s.%s", path, names[i].name);
        if (!names[i].known)
            fault(reading, inner_path, "%s orders have none, so the rule would match nothing",
                  provider_name(source->provider));
        text = text_read(reading, inner_path, value, LIMIT_SELECTOR);
        if (text != NULL)
            *names[i].into = xstrdup(text);
        free(inner_path);
    }
    if (!any)
        fault(reading, path, "selects nothing, expected product, variant or sku");
}

/* One key of a rule: declared, and named once. */
static void grant_read(struct reading *reading, const char *path, struct json_object *value,
                       struct catalogue_rule *rule)
{
    const char *key = text_read(reading, path, value, LIMIT_ENTITLEMENT_KEY);

    if (key == NULL)
        return;
    for (size_t i = 0; i < rule->key_count; i++) {
        if (strcmp(rule->keys[i], key) == 0) {
            fault(reading, path, "\"%s\" stands twice, expected each key once", key);
            return;
        }
    }
    if (!json_object_object_get_ex(reading->entitlements, key, NULL))
        fault(reading, path, "\"%s\" is not declared, expected a key of entitlements", key);
    else
        catalogue_rule_add_key(rule, key);
}

static void grants_read(struct reading *reading, const char *path, struct json_object *grants,
                        struct catalogue_rule *rule)
{
    size_t count = 0;

    if (!json_object_is_type(grants, json_type_array)) {
        fault(reading, path, "%s, expected a list of keys",
              json_type_to_name(json_object_get_type(grants)));
        return;
    }
    count = json_object_array_length(grants);
    if (count == 0)
        fault(reading, path, "empty, expected at least one key, or \"ignore\": true instead");
    for (size_t i = 0; i < count; i++) {
        char *inner_path = xasprintf("%s[%zu]", path, i);

        grant_read(reading, inner_path, json_object_array_get_idx(grants, i), rule);
        free(inner_path);
    }
}

/* Where a buyer pays; {reference} in it is replaced. */
static void checkout_url_read(struct reading *reading, const char *path, struct json_object *value,
                              struct catalogue_rule *rule)
{
    const char *url = text_read(reading, path, value, URL_MOST);

    if (url == NULL)
        return;
    if ((strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) ||
        strchr(url, ' ') != NULL)
        fault(reading, path, "\"%s\", expected an https:// address without blanks", url);
    else
        rule->checkout_url = xstrdup(url);
}

/* What the rule does: grants, or ignores; one of the two. */
static void effect_read(struct reading *reading, const char *path, struct json_object *product,
                        struct catalogue_rule *rule)
{
    struct json_object *grants = NULL, *ignore = NULL;
    bool granting = json_object_object_get_ex(product, "grants", &grants);
    char *inner_path = xasprintf("%s.grants", path);

    if (granting)
        grants_read(reading, inner_path, grants, rule);
    free(inner_path);
    if (json_object_object_get_ex(product, "ignore", &ignore)) {
        rule->ignored = json_object_get_boolean(ignore);
        if (!json_object_is_type(ignore, json_type_boolean)) {
            inner_path = xasprintf("%s.ignore", path);
            fault(reading, inner_path, "%s, expected true or false",
                  json_type_to_name(json_object_get_type(ignore)));
            free(inner_path);
        }
    }
    if (rule->ignored && granting)
        fault(reading, path, "both ignores and grants, expected one of the two");
    if (!rule->ignored && !granting)
        fault(reading, path, "grants nothing, expected grants, or \"ignore\": true");
}

/* The members that stand alone, and a fault for each that nobody knows. */
static void members_read(struct reading *reading, const char *path, struct json_object *product,
                         struct catalogue_rule *rule)
{
    static const char *const known[] = {"source", "product", "variant", "sku", "grants", "ignore"};

    json_object_object_foreach(product, member, value)
    {
        char *inner_path = xasprintf("%s.%.80s", path, member);
        bool elsewhere = false;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            elsewhere = elsewhere || strcmp(member, known[i]) == 0;
        if (strcmp(member, "duration_days") == 0)
            rule->duration_days = days_read(reading, inner_path, value, DURATION_MOST);
        else if (strcmp(member, "grace_days") == 0)
            rule->grace_days = days_read(reading, inner_path, value, GRACE_MOST);
        else if (strcmp(member, "checkout_url") == 0)
            checkout_url_read(reading, inner_path, value, rule);
        else if (!elsewhere)
            fault(reading, inner_path,
                  "unknown member, expected source, product, variant, sku, grants, ignore, "
                  "duration_days, grace_days or checkout_url");
        free(inner_path);
    }
}

/* One rule. */
static void product_read(struct reading *reading, size_t index, struct json_object *product)
{
    char *path = xasprintf("products[%zu]", index);
    const struct settings_source *source;
    struct json_object *name = NULL;
    struct catalogue_rule *rule;
    char *inner_path;

    if (!json_object_is_type(product, json_type_object)) {
        fault(reading, path, "%s, expected an object",
              json_type_to_name(json_object_get_type(product)));
        free(path);
        return;
    }
    inner_path = xasprintf("%s.source", path);
    json_object_object_get_ex(product, "source", &name);
    source = source_read(reading, inner_path, name);
    free(inner_path);
    rule = catalogue_add_rule(reading->catalogue, source == NULL ? "" : source->name);
    selectors_read(reading, path, product, source, rule);
    effect_read(reading, path, product, rule);
    members_read(reading, path, product, rule);
    free(path);
}

/* The two lists, and nothing beside them. */
static void root_read(struct reading *reading, struct json_object *root)
{
    struct json_object *products = NULL;

    if (!json_object_is_type(root, json_type_object)) {
        fault(reading, "(whole file)", "%s, expected an object with entitlements and products",
              json_type_to_name(json_object_get_type(root)));
        return;
    }
    json_object_object_foreach(root, member, value)
    {
        (void)value;
        if (strcmp(member, "entitlements") != 0 && strcmp(member, "products") != 0)
            fault(reading, member, "unknown member, expected entitlements or products");
    }
    if (!json_object_object_get_ex(root, "entitlements", &reading->entitlements) ||
        !json_object_is_type(reading->entitlements, json_type_object)) {
        fault(reading, "entitlements",
              "missing or no object, expected {KEY: {\"name\": TEXT}, ...}");
        reading->entitlements = NULL;
    } else {
        json_object_object_foreach(reading->entitlements, key, entitlement)
        {
            entitlement_read(reading, key, entitlement);
        }
    }
    if (!json_object_object_get_ex(root, "products", &products) ||
        !json_object_is_type(products, json_type_array)) {
        fault(reading, "products", "missing or no list, expected [{\"source\": ...}, ...]");
        return;
    }
    for (size_t i = 0; i < json_object_array_length(products); i++)
        product_read(reading, i, json_object_array_get_idx(products, i));
}

/* The line of a byte, for a fault of the grammar itself. */
static size_t line_of(const char *text, size_t at)
{
    size_t line = 1;

    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

/* The whole text as JSON, strictly; `null` is JSON too, and is no object. -1: with a fault. */
static int text_parse(const char *file, const char *text, size_t len, struct json_object **out,
                      struct buf *errors)
{
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    struct json_object *root;
    enum json_tokener_error error;
    int result = -1;

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* With the NUL behind the text, the parser knows that it is whole; a NUL inside is refused. */
    root = json_tokener_parse_ex(tokener, text, (int)len + 1);
    error = json_tokener_get_error(tokener);
    if (error != json_tokener_success) {
        size_t at = json_tokener_get_parse_end(tokener);

        buf_printf(errors, "%s:%zu: %s, expected JSON\n", file, line_of(text, at < len ? at : len),
                   error == json_tokener_continue ? "the file ends too early"
                                                  : json_tokener_error_desc(error));
    } else if (json_tokener_get_parse_end(tokener) < len) {
        buf_printf(errors, "%s:%zu: a NUL byte, expected JSON\n", file,
                   line_of(text, json_tokener_get_parse_end(tokener)));
    } else {
        *out = root;
        root = NULL;
        result = 0;
    }
    json_object_put(root);
    json_tokener_free(tokener);
    return result;
}

struct catalogue *catalogue_read(const char *file, const char *text, size_t len,
                                 const struct settings *settings, struct buf *errors)
{
    struct reading reading = {.file = file, .settings = settings, .errors = errors};
    struct json_object *root;

    if (len > LIMIT_CATALOGUE_BYTES) {
        buf_printf(errors, "%s: %zu bytes, expected at most %d\n", file, len,
                   LIMIT_CATALOGUE_BYTES);
        return NULL;
    }
    if (text_parse(file, text, len, &root, errors) != 0)
        return NULL;
    reading.catalogue = catalogue_new(0);
    reading.faults = json_names_check(file, text, len, errors);
    root_read(&reading, root);
    json_object_put(root);
    if (reading.faults > FAULTS_MOST)
        buf_printf(errors, "%s: and %zu faults more\n", file, reading.faults - FAULTS_MOST);
    if (reading.faults > 0) {
        catalogue_free(reading.catalogue);
        return NULL;
    }
    catalogue_seal(reading.catalogue);
    return reading.catalogue;
}
