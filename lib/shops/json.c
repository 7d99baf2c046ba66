#include "shops/json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

/* How much the text may hold at most: a value takes a hundred bytes and more once it is parsed, an
 * object eight times as much. What stands in texts counts too. */
static size_t weight_of(const char *bytes, size_t len)
{
    size_t weight = 0;
    for (size_t i = 0; i < len; i++)
        weight += bytes[i] == '{' ? 8 : bytes[i] == ',' || bytes[i] == '[';
    return weight;
}

/* Reads the whole input or nothing: what follows the first value would be read by somebody else. */
struct json_object *shop_json_read(const char *bytes, size_t len, const char **why)
{
    if (len == 0 || len > INT_MAX || memchr(bytes, '\0', len) || !text_is_utf8(bytes, len)) {
        *why = len == 0                ? "it is empty"
               : len > INT_MAX         ? "it is too long"
               : memchr(bytes, 0, len) ? "it holds a NUL byte"
                                       : "it is not UTF-8";
        return NULL;
    }
    if (weight_of(bytes, len) > LIMIT_JSON_WEIGHT) {
        *why = "it holds too many values";
        return NULL;
    }
    mem_watch();
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    if (!tokener)
        die("json: no memory for a parser");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *root = json_tokener_parse_ex(tokener, bytes, (int)len);
    mem_check("json-c");
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_success && json_tokener_get_parse_end(tokener) != len)
        error = json_tokener_error_parse_unexpected;
    json_tokener_free(tokener);
    if (error == json_tokener_success && root)
        return root;
    json_object_put(root);
    *why = error == json_tokener_error_depth ? "it is nested too deeply"
           : error == json_tokener_continue  ? "it is cut short"
                                             : "it is not JSON";
    return NULL;
}

/* A delivery that is no object can be of no use, whatever the provider. */
struct json_object *shop_json_read_object(const char *bytes, size_t len, struct facts *facts)
{
    const char *why;
    struct json_object *root = shop_json_read(bytes, len, &why);
    if (!root) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "the body cannot be read: %s", why);
        return NULL;
    }
    if (json_object_is_type(root, json_type_object))
        return root;
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "the body is JSON, but not an object");
    json_object_put(root);
    return NULL;
}

/* Asking what is no object for a member is no error: it has none. */
struct json_object *shop_json_member(const struct json_object *holder, const char *key)
{
    struct json_object *member = NULL;
    if (json_object_is_type(holder, json_type_object))
        json_object_object_get_ex(holder, key, &member);
    return member;
}

bool shop_json_has(const struct json_object *holder, const char *key)
{
    return json_object_is_type(holder, json_type_object) &&
           json_object_object_get_ex(holder, key, NULL);
}

static struct json_object *typed(const struct json_object *holder, const char *key,
                                 enum json_type type)
{
    struct json_object *member = shop_json_member(holder, key);
    return member && json_object_is_type(member, type) ? member : NULL;
}

struct json_object *shop_json_array(const struct json_object *holder, const char *key)
{
    return typed(holder, key, json_type_array);
}

struct json_object *shop_json_object(const struct json_object *holder, const char *key)
{
    return typed(holder, key, json_type_object);
}

/* json-c counts a string's bytes; C would stop at a NUL that the shop sees beyond. */
static bool holds_nul(struct json_object *string)
{
    return strlen(json_object_get_string(string)) != (size_t)json_object_get_string_len(string);
}

const char *shop_json_text(const struct json_object *holder, const char *key)
{
    struct json_object *member = typed(holder, key, json_type_string);
    return member && !holds_nul(member) ? json_object_get_string(member) : NULL;
}

bool shop_json_is_only_id(const struct json_object *holder)
{
    return json_object_object_length(holder) == 1 && shop_json_has(holder, "id");
}

bool shop_json_is_type(const char *content_type)
{
    static const char prefix[] = "application/", json[] = "json", suffix[] = "+json";
    const size_t prefix_len = sizeof(prefix) - 1, suffix_len = sizeof(suffix) - 1;
    size_t len = content_type ? strcspn(content_type, "; \t") : 0;
    if (len <= prefix_len || strncasecmp(content_type, prefix, prefix_len) != 0)
        return false;
    const char *name = content_type + prefix_len;
    len -= prefix_len;
    return (len == sizeof(json) - 1 && strncasecmp(name, json, len) == 0) ||
           (len > suffix_len && strncasecmp(name + len - suffix_len, suffix, suffix_len) == 0);
}

bool shop_json_is_zero_date(const char *text)
{
    /* The second is how PHP writes the first once it has reckoned with it. */
    return strncmp(text, "0000-00-00", 10) == 0 || strncmp(text, "-0001-11-30", 11) == 0;
}

static int malformed(struct facts *facts, const char *key, const char *what)
{
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`%s` %s", key, what);
    return -1;
}

/* Control bytes have no place in an id or a selector, and would only confuse whoever reads it. */
static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

/* Whether a whole number can be an id. json-c gives the greatest value for any that is greater
 * still, so the greatest itself may be another number cut down. */
static bool is_id_number(struct json_object *number)
{
    int64_t value = json_object_get_int64(number);
    return value >= 0 && json_object_get_uint64(number) != UINT64_MAX;
}

/* What makes the member no id, or NULL with a new string in *id. */
static const char *read_id(const struct json_object *holder, const char *key, size_t limit,
                           char **id)
{
    struct json_object *member = shop_json_member(holder, key);
    if (!member)
        return "is missing";
    if (json_object_is_type(member, json_type_int) && !is_id_number(member))
        return "is a number beyond any id";
    if (!json_object_is_type(member, json_type_int) &&
        !json_object_is_type(member, json_type_string))
        return "is neither a whole number nor a string";
    const char *text = json_object_get_string(member);
    if (json_object_is_type(member, json_type_string) && (holds_nul(member) || !is_printable(text)))
        return "holds control characters";
    if (!*text || strlen(text) > limit)
        return *text ? "is too long for an id" : "is empty";
    *id = xstrdup(text);
    return NULL;
}

int shop_take_id(struct facts *facts, const struct json_object *holder, const char *key,
                 size_t limit, char **id)
{
    const char *fault = read_id(holder, key, limit, id);
    return fault ? malformed(facts, key, fault) : 0;
}

int shop_take_optional_id(struct facts *facts, const struct json_object *holder, const char *key,
                          size_t limit, char **id)
{
    struct json_object *member = shop_json_member(holder, key);
    bool none = !member ||
                (json_object_is_type(member, json_type_string) &&
                 json_object_get_string_len(member) == 0) ||
                (json_object_is_type(member, json_type_int) && json_object_get_int64(member) == 0);
    *id = NULL;
    return none ? 0 : shop_take_id(facts, holder, key, limit, id);
}

char *shop_json_id(const struct json_object *holder, const char *key, size_t limit)
{
    char *id = NULL;
    (void)read_id(holder, key, limit, &id);
    return id;
}

char *shop_json_optional_id(const struct json_object *holder, const char *key, size_t limit)
{
    struct json_object *member = shop_json_member(holder, key);
    if (json_object_is_type(member, json_type_int) && json_object_get_int64(member) == 0)
        return NULL;
    return shop_json_id(holder, key, limit);
}

/* What makes the member no quantity, or NULL with it in *quantity. Where pieces may be broken, a
 * whole one is "2.00". */
static const char *read_quantity(struct json_object *member, int64_t *quantity)
{
    enum json_type type = json_object_get_type(member);
    int64_t value;
    if (type == json_type_int) {
        value = json_object_get_int64(member);
    } else {
        if (type != json_type_double && (type != json_type_string || holds_nul(member)))
            return "is not a whole number";
        const char *text = json_object_get_string(member);
        size_t whole = strcspn(text, "."), zeros = text[whole] ? strspn(text + whole + 1, "0") : 0;
        if (text_to_int(text, whole, &value) ||
            (text[whole] && (zeros == 0 || text[whole + 1 + zeros])))
            return "is not a whole number";
    }
    if (value > LIMIT_QUANTITY || value < -LIMIT_QUANTITY)
        return "is beyond any quantity";
    *quantity = value;
    return NULL;
}

int shop_take_quantity(struct facts *facts, const struct json_object *holder, const char *key,
                       int64_t absent, int64_t *quantity)
{
    struct json_object *member = shop_json_member(holder, key);
    *quantity = absent;
    const char *fault = member ? read_quantity(member, quantity) : NULL;
    return fault ? malformed(facts, key, fault) : 0;
}

int64_t shop_json_count(const struct json_object *holder, const char *key, int64_t absent)
{
    struct json_object *member = shop_json_member(holder, key);
    int64_t value;
    if (!member)
        return absent;
    return read_quantity(member, &value) || value < 0 ? -1 : value;
}

int64_t shop_json_amount(const struct json_object *holder, const char *key, int64_t absent)
{
    struct json_object *member = shop_json_member(holder, key);
    enum json_type type = json_object_get_type(member);
    int64_t value;
    if (type != json_type_int && type != json_type_double &&
        (type != json_type_string || holds_nul(member)))
        return absent;
    /* Of a number json-c keeps the text as it was sent: no amount passes through a double. */
    const char *text = json_object_get_string(member);
    if (text_to_micros(text, strlen(text), &value) || value > LIMIT_AMOUNT || value < -LIMIT_AMOUNT)
        return absent;
    return value < 0 ? -value : value;
}

/* Millionths in one smallest unit. ISO 4217 lists which currencies are not divided by a hundred. */
static int64_t micros_per_minor(const char *currency)
{
    static const char whole[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
    static const char thousandths[] = "BHD IQD JOD KWD LYD OMR TND";
    if (!currency || strlen(currency) != 3 || strchr(currency, ' '))
        return 10000;
    return strstr(whole, currency) ? 1000000 : strstr(thousandths, currency) ? 1000 : 10000;
}

int shop_take_minor(struct facts *facts, const struct json_object *holder, const char *key,
                    const char *currency, int64_t absent, int64_t *amount)
{
    struct json_object *member = shop_json_member(holder, key);
    if (!member) {
        *amount = absent;
        return 0;
    }
    if (!json_object_is_type(member, json_type_int) &&
        !json_object_is_type(member, json_type_string))
        return malformed(facts, key, "is not an amount in the smallest unit");
    const char *text = json_object_get_string(member);
    size_t len = json_object_is_type(member, json_type_string)
                     ? (size_t)json_object_get_string_len(member)
                     : strlen(text);
    size_t sign = len > 0 && *text == '-' ? 1 : 0;
    int64_t value, unit = micros_per_minor(currency);
    if (text_to_int(text + sign, len - sign, &value))
        return malformed(facts, key, "is not an amount in the smallest unit");
    if (value > LIMIT_AMOUNT / unit)
        return malformed(facts, key, "is beyond any amount");
    *amount = value * unit;
    return 0;
}

int shop_take_time(struct facts *facts, const struct json_object *holder, const char *key,
                   int64_t *time)
{
    struct json_object *member = shop_json_member(holder, key);
    int64_t value = TIME_NONE;
    if (member && !json_object_is_type(member, json_type_string))
        return malformed(facts, key, "is not a time");
    size_t len = member ? (size_t)json_object_get_string_len(member) : 0;
    if (len > 0 && shop_json_is_zero_date(json_object_get_string(member)))
        len = 0;
    if (len > 0 && clock_parse(json_object_get_string(member), len, &value))
        return malformed(facts, key, "is not a time");
    *time = value;
    return 0;
}
