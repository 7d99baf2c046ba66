/*
 * Whether Stripe still sends us what happens: the endpoints at our address, and what they are sent.
 */
#include <string.h>

#include "base/mem.h"
#include "shops/answer.h"
#include "shops/json.h"
#include "shops/stripe.h"

/* Without these something that is bought or lost is not heard of. Of several that tell the same,
 * one is enough. */
static const char *const needed[][3] = {
    {"checkout.session.completed"},
    {"checkout.session.async_payment_succeeded"},
    {"checkout.session.async_payment_failed"},
    {"customer.subscription.created"},
    {"customer.subscription.updated"},
    {"customer.subscription.deleted"},
    {"invoice.paid", "invoice.payment_succeeded"},
    {"charge.refunded", "refund.created"},
    {"refund.failed", "refund.updated", "charge.refund.updated"},
    {"charge.dispute.created"},
    {"charge.dispute.closed"},
};
#define NEEDED (sizeof(needed) / sizeof(needed[0]))

int stripe_webhook(const struct settings_source *source, struct shop_fetch *out)
{
    return stripe_call(source, xstrdup("/v1/webhook_endpoints?limit=100"), out);
}

/* Whether an endpoint is sent an event of the type. */
static bool is_sent(const struct json_object *endpoint, const char *type)
{
    struct json_object *events = shop_json_array(endpoint, "enabled_events");
    for (size_t i = 0; events && i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        const char *name =
            json_object_is_type(event, json_type_string) ? json_object_get_string(event) : "";
        if (strcmp(name, "*") == 0 || strcmp(name, type) == 0)
            return true;
    }
    return false;
}

static void note_sent(const struct json_object *endpoint, bool sent[NEEDED])
{
    for (size_t i = 0; i < NEEDED; i++)
        for (size_t j = 0; j < 3 && needed[i][j]; j++)
            sent[i] = sent[i] || is_sent(endpoint, needed[i][j]);
}

static bool is_ours(const struct json_object *endpoint, const struct settings_source *source,
                    const char *address)
{
    const char *url = shop_json_text(endpoint, "url");
    const struct json_object *livemode = shop_json_member(endpoint, "livemode");
    bool other = json_object_is_type(livemode, json_type_boolean) &&
                 json_object_get_boolean(livemode) != source->live;
    return url && !other && strcmp(url, address) == 0;
}

static bool is_enabled(const struct json_object *endpoint)
{
    const char *status = shop_json_text(endpoint, "status");
    return status && strcmp(status, "enabled") == 0;
}

/* Names what none of the endpoints is sent. */
static enum shop_webhook judge(const bool sent[NEEDED], struct buf *detail)
{
    size_t missing = 0;
    for (size_t i = 0; i < NEEDED; i++) {
        if (sent[i])
            continue;
        buf_puts(detail, missing++ == 0 ? "Stripe's webhook endpoint is not sent " : ", ");
        buf_puts(detail, needed[i][0]);
    }
    return missing == 0 ? SHOP_WEBHOOK_ENABLED : SHOP_WEBHOOK_DISABLED;
}

enum shop_answer_verdict stripe_read_webhook(const struct settings_source *source,
                                             const char *address, const struct shop_answer *answer,
                                             enum shop_webhook *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct json_object *root;
    struct json_object *endpoints =
        stripe_open_list(answer, "webhook endpoints", &root, &verdict, detail);
    bool found = false, enabled = false, sent[NEEDED] = {false};
    if (!endpoints)
        return verdict;
    for (size_t i = 0; i < json_object_array_length(endpoints); i++) {
        const struct json_object *endpoint = json_object_array_get_idx(endpoints, i);
        if (!is_ours(endpoint, source, address))
            continue;
        found = true;
        if (is_enabled(endpoint)) {
            enabled = true;
            note_sent(endpoint, sent);
        }
    }
    if (enabled) {
        *out = judge(sent, detail);
    } else {
        *out = found ? SHOP_WEBHOOK_DISABLED : SHOP_WEBHOOK_MISSING;
        buf_puts(detail, found ? "Stripe's webhook endpoint is disabled: enable it again"
                               : "no webhook endpoint of Stripe, of this mode, points at us");
    }
    json_object_put(root);
    return SHOP_ANSWER_READ;
}
