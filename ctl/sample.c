#include "sample.h"

#include <string.h>

#include "base/clock.h"

#define PRICE "49.00"

/* What an event means in each shop's own words; NULL: this shop has no such event. */
static const struct {
    const char *event;
    const char *woocommerce, *shopify, *standard;
} events[] = {
    {"pending", "pending", "pending", "pending"},
    {"paid", "processing", "paid", "paid"},
    {"cancelled", "cancelled", "voided", "cancelled"},
    {"refunded", "refunded", "refunded", "refunded"},
    {"disputed", NULL, NULL, "disputed"},
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

/* The shop's word for an event, or NULL. */
static const char *status_word(enum provider provider, size_t event)
{
    switch (provider) {
    case PROVIDER_WOOCOMMERCE:
        return events[event].woocommerce;
    case PROVIDER_SHOPIFY:
        return events[event].shopify;
    case PROVIDER_STANDARD:
        return events[event].standard;
    default:
        return NULL;
    }
}

bool sample_exists(enum provider provider)
{
    return status_word(provider, 0) != NULL;
}

const char *sample_events(enum provider provider)
{
    return provider == PROVIDER_STANDARD ? "pending, paid, cancelled, refunded, disputed"
                                         : "pending, paid, cancelled, refunded";
}

const char *sample_event(enum provider provider, const char *name)
{
    if (strncmp(name, "order.", 6) == 0)
        name += 6;
    else if (strncmp(name, "orders/", 7) == 0)
        name += 7;
    for (size_t i = 0; i < EVENTS; i++) {
        if (strcmp(events[i].event, name) == 0 && status_word(provider, i) != NULL)
            return events[i].event;
    }
    return NULL;
}

bool sample_wants_numbers(enum provider provider)
{
    return provider == PROVIDER_WOOCOMMERCE || provider == PROVIDER_SHOPIFY;
}

/* The shop's word for the sample's event. */
static const char *sample_status(enum provider provider, const struct sample *sample)
{
    for (size_t i = 0; i < EVENTS; i++) {
        if (strcmp(events[i].event, sample->event) == 0)
            return status_word(provider, i);
    }
    return "";
}

/* Whether money had come in by the time of the event. */
static bool sample_was_paid(const struct sample *sample)
{
    return strcmp(sample->event, "pending") != 0 && strcmp(sample->event, "cancelled") != 0;
}

static void put_text(struct buf *out, const char *text)
{
    buf_json_string(out, text, strlen(text));
}

/* WooCommerce's REST v3 order; its times have whole seconds and no zone. */
static void woocommerce_write(const struct sample *sample, struct buf *out)
{
    char now[TIME_TEXT];

    clock_format(sample->now - sample->now % TIME_SECOND, now);
    now[strcspn(now, "Z")] = '\0';
    buf_printf(out,
               "{\"id\":%s,\"parent_id\":0,\"number\":\"%s\",\"status\":\"%s\","
               "\"currency\":\"USD\",\"total\":\"" PRICE "\",\"customer_id\":0,"
               "\"date_created_gmt\":\"%s\",\"date_modified_gmt\":\"%s\",\"date_paid_gmt\":",
               sample->order, sample->order, sample_status(PROVIDER_WOOCOMMERCE, sample), now, now);
    buf_json_text(out, sample_was_paid(sample) ? now : NULL);
    buf_puts(out, ",\"billing\":{\"email\":");
    put_text(out, sample->address);
    buf_printf(out,
               "},\"meta_data\":[],\"line_items\":[{\"id\":1,\"name\":\"Sample\","
               "\"product_id\":%s,\"variation_id\":0,\"sku\":\"\",\"quantity\":1,"
               "\"total\":\"" PRICE "\"}],\"refunds\":[",
               sample->product);
    if (strcmp(sample->event, "refunded") == 0)
        buf_printf(out, "{\"id\":%s1,\"reason\":\"sample\",\"total\":\"-" PRICE "\"}",
                   sample->order);
    buf_puts(out, "]}");
}

/* Shopify's order, marked as a test: a source with live = false takes no other. */
static void shopify_write(const struct sample *sample, struct buf *out)
{
    bool refunded = strcmp(sample->event, "refunded") == 0;
    char now[TIME_TEXT];

    clock_format(sample->now - sample->now % TIME_SECOND, now);
    buf_printf(out, "{\"id\":%s,\"name\":\"#%s\",\"email\":", sample->order, sample->order);
    put_text(out, sample->address);
    buf_printf(out, ",\"test\":true,\"financial_status\":\"%s\",\"cancelled_at\":",
               sample_status(PROVIDER_SHOPIFY, sample));
    buf_json_text(out, strcmp(sample->event, "cancelled") == 0 ? now : NULL);
    buf_printf(out,
               ",\"created_at\":\"%s\",\"processed_at\":\"%s\",\"updated_at\":\"%s\","
               "\"total_price\":\"" PRICE "\",\"note_attributes\":[],\"line_items\":[{"
               "\"id\":%s1,\"title\":\"Sample\",\"product_id\":%s,\"variant_id\":null,"
               "\"sku\":null,\"quantity\":1,\"current_quantity\":%d}],\"refunds\":[",
               now, now, now, sample->order, sample->product, refunded ? 0 : 1);
    if (refunded)
        buf_printf(out,
                   "{\"id\":%s2,\"created_at\":\"%s\",\"transactions\":[{\"kind\":\"refund\","
                   "\"status\":\"success\",\"amount\":\"" PRICE "\"}],"
                   "\"refund_line_items\":[{\"id\":%s3,\"line_item_id\":%s1,\"quantity\":1}]}",
                   sample->order, now, sample->order, sample->order);
    buf_puts(out, "]}");
}

/* This project's own order. */
static void standard_write(const struct sample *sample, struct buf *out)
{
    char now[TIME_TEXT];

    clock_format(sample->now, now);
    buf_printf(out, "{\"type\":\"order.updated\",\"timestamp\":\"%s\",\"data\":{\"id\":", now);
    put_text(out, sample->order);
    buf_printf(out, ",\"status\":\"%s\",\"email\":", sample_status(PROVIDER_STANDARD, sample));
    put_text(out, sample->address);
    buf_printf(out, ",\"updated_at\":\"%s\",\"paid_at\":", now);
    buf_json_text(out, sample_was_paid(sample) ? now : NULL);
    buf_puts(out, ",\"lines\":[{\"id\":\"1\",\"product\":");
    put_text(out, sample->product);
    buf_puts(out, ",\"variant\":null,\"sku\":null,\"quantity\":1,\"refunded_quantity\":0}],"
                  "\"metadata\":{}}}");
}

void sample_write(enum provider provider, const struct sample *sample, struct buf *body,
                  struct buf *headers)
{
    switch (provider) {
    case PROVIDER_WOOCOMMERCE:
        woocommerce_write(sample, body);
        buf_puts(headers, "X-WC-Webhook-Topic: order.updated\r\n");
        break;
    case PROVIDER_SHOPIFY:
        shopify_write(sample, body);
        buf_puts(headers, "X-Shopify-Topic: orders/updated\r\n");
        break;
    case PROVIDER_STANDARD:
        standard_write(sample, body);
        break;
    default:
        break;
    }
}
