#include "sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "sample_shops.h"

#define NUMBER_DIGITS 17 /* of an id: room for a digit behind it */

static const struct sample_shop *const shops[PROVIDER_COUNT] = {
    [PROVIDER_WOOCOMMERCE] = &sample_woocommerce,
    [PROVIDER_SHOPIFY] = &sample_shopify,
    [PROVIDER_STRIPE] = &sample_stripe,
    [PROVIDER_PADDLE] = &sample_paddle,
    [PROVIDER_LEMONSQUEEZY] = &sample_lemonsqueezy,
    [PROVIDER_GUMROAD] = &sample_gumroad,
    [PROVIDER_FASTSPRING] = &sample_fastspring,
    [PROVIDER_STANDARD] = &sample_standard,
};

/* Whether an event before this one has the same type: only the first of them goes by it. */
static bool has_namesake(const struct sample_shop *shop, size_t event)
{
    for (size_t i = 0; i < event; i++) {
        if (strcmp(shop->events[i].type, shop->events[event].type) == 0)
            return true;
    }
    return false;
}

void sample_events(enum provider provider, struct buf *out)
{
    const struct sample_shop *shop = shops[provider];

    for (size_t i = 0; i < shop->event_count; i++) {
        if (shop->events[i].word != NULL)
            buf_printf(out, "%s%s", out->len == 0 ? "" : ", ", shop->events[i].word);
    }
    for (size_t i = 0; i < shop->event_count; i++) {
        if (!has_namesake(shop, i))
            buf_printf(out, ", %s", shop->events[i].type);
    }
}

/* The event of a word, or NULL. */
static const struct sample_event *event_of_word(const struct sample_shop *shop, const char *word)
{
    for (size_t i = 0; i < shop->event_count; i++) {
        if (shop->events[i].word != NULL && strcmp(shop->events[i].word, word) == 0)
            return &shop->events[i];
    }
    return NULL;
}

const struct sample_event *sample_event(enum provider provider, const char *name)
{
    static const char *const spellings[] = {"order.", "orders/"};
    const struct sample_shop *shop = shops[provider];
    const struct sample_event *found = event_of_word(shop, name);

    for (size_t i = 0; found == NULL && i < shop->event_count; i++) {
        if (strcmp(shop->events[i].type, name) == 0)
            found = &shop->events[i];
    }
    for (size_t i = 0; shop->spelled && found == NULL && i < 2; i++) {
        if (strncmp(name, spellings[i], strlen(spellings[i])) == 0)
            found = event_of_word(shop, name + strlen(spellings[i]));
    }
    return found;
}

bool sample_tells_product(const struct sample_event *event)
{
    return strstr(event->body, "<product>") != NULL || strstr(event->body, "<price>") != NULL;
}

bool sample_tells_address(const struct sample_event *event)
{
    return strstr(event->body, "<address>") != NULL;
}

/* Whether an id has these letters and no others; a number stands in JSON as one. */
static bool id_fits(const char *id, const char *letters)
{
    size_t len = strlen(id);

    if (len == 0 || len > LIMIT_ORDER_ID)
        return false;
    if (letters == NULL)
        return true;
    if (strcmp(letters, SAMPLE_DIGITS) == 0 && (len > NUMBER_DIGITS || id[0] == '0'))
        return false;
    return strspn(id, letters) == len;
}

/* The id without the first of the prefixes that it begins with. */
static const char *prefix_cut(const char *id, const char *const *prefixes)
{
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(id, *prefixes, strlen(*prefixes)) == 0)
            return id + strlen(*prefixes);
    }
    return id;
}

bool sample_order_fits(enum provider provider, const char *id)
{
    const struct sample_shop *shop = shops[provider];
    const char *key = prefix_cut(id, shop->order_prefixes);

    /* Other ids are made of the key, with a prefix of their own. */
    return id_fits(id, shop->order_letters) && *key != '\0' &&
           (shop->order_prefixes[0] == NULL || strlen(key) <= LIMIT_ORDER_ID / 2);
}

bool sample_product_fits(enum provider provider, const char *id)
{
    return id_fits(id, shops[provider]->product_letters);
}

/* Room for an id with a prefix before it, a time, a number. */
#define VALUE_SIZE (LIMIT_ORDER_ID + 8)

/* What the names in <> stand for, beside what the sample itself holds. */
struct values {
    char price[VALUE_SIZE], good[VALUE_SIZE];
    char time[TIME_TEXT], second[TIME_TEXT], seconds[VALUE_SIZE], milliseconds[VALUE_SIZE];
};

static void values_fill(const struct sample *sample, struct values *out)
{
    static const char *const prefixes[] = {"pri_", "pro_", NULL};
    const char *product = sample->product == NULL ? "" : sample->product;
    const char *bare = prefix_cut(product, prefixes);
    bool is_price = strncmp(product, prefixes[0], strlen(prefixes[0])) == 0;

    snprintf(out->price, sizeof(out->price), "%s%s", prefixes[0], bare);
    snprintf(out->good, sizeof(out->good), "%s%s", is_price ? prefixes[1] : "",
             is_price ? bare : product);
    clock_format(sample->now, out->time);
    clock_format(sample->now - sample->now % TIME_SECOND, out->second);
    out->second[strcspn(out->second, "Z")] = '\0';
    snprintf(out->seconds, sizeof(out->seconds), "%" PRId64, sample->now / TIME_SECOND);
    snprintf(out->milliseconds, sizeof(out->milliseconds), "%" PRId64,
             sample->now / (TIME_SECOND / 1000));
}

/* What a name stands for. */
static const char *value_of(const struct sample_shop *shop, const struct sample *sample,
                            const struct values *values, const char *name, size_t len)
{
    const struct {
        const char *name, *text;
    } texts[] = {
        {"order", sample->order},     {"key", prefix_cut(sample->order, shop->order_prefixes)},
        {"product", sample->product}, {"price", values->price},
        {"good", values->good},       {"address", sample->address},
        {"nonce", sample->nonce},     {"type", sample->event->type},
        {"time", values->time},       {"second", values->second},
        {"seconds", values->seconds}, {"milliseconds", values->milliseconds},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strlen(texts[i].name) == len && memcmp(texts[i].name, name, len) == 0)
            return texts[i].text;
    }
    die("sample: <%.*s> stands for nothing", (int)len, name);
}

/* A value within quotes that the body has, or within a form. */
static void put_value(const struct sample_shop *shop, const char *value, struct buf *out)
{
    struct buf quoted = {0};

    if (shop->form) {
        buf_url_encode(out, value, strlen(value));
        return;
    }
    buf_json_string(&quoted, value, strlen(value));
    buf_append(out, quoted.data + 1, quoted.len - 2);
    buf_wipe(&quoted);
}

/* The event's body with every name in <> replaced. */
static void body_write(const struct sample_shop *shop, const struct sample *sample, struct buf *out)
{
    const char *at = sample->event->body, *open;
    struct values values;

    values_fill(sample, &values);
    while ((open = strchr(at, '<')) != NULL) {
        size_t len = strcspn(open + 1, ">");

        buf_append(out, at, (size_t)(open - at));
        put_value(shop, value_of(shop, sample, &values, open + 1, len), out);
        at = open + 1 + len + 1;
    }
    buf_puts(out, at);
}

void sample_write(enum provider provider, const struct sample *sample, struct buf *body,
                  struct buf *headers)
{
    const struct sample_shop *shop = shops[provider];

    body_write(shop, sample, body);
    buf_printf(headers, "Content-Type: application/%s\r\n",
               shop->form ? "x-www-form-urlencoded" : "json");
    if (shop->topic_header != NULL)
        buf_printf(headers, "%s: %s\r\n", shop->topic_header, sample->event->type);
}
