/*
 * Whether Paddle still sends us what happens: the notification destinations at our address, and
 * what they are sent.
 */
#include <string.h>

#include "base/mem.h"
#include "shops/answer.h"
#include "shops/json.h"
#include "shops/paddle.h"

/* Without these something that is bought or lost is not heard of. */
static const char *const needed[] = {
    "transaction.completed", "subscription.created", "subscription.updated",
    "subscription.past_due", "subscription.paused",  "subscription.resumed",
    "subscription.canceled", "adjustment.created",   "adjustment.updated",
};
#define NEEDED (sizeof(needed) / sizeof(needed[0]))

int paddle_webhook(const struct settings_source *source, struct shop_fetch *out)
{
    return paddle_call(source, xstrdup("/notification-settings?per_page=200"), out);
}

/* Whether a destination is sent events of the type. */
static bool is_sent(const struct json_object *setting, const char *type)
{
    struct json_object *events = shop_json_array(setting, "subscribed_events");
    for (size_t i = 0; events && i < json_object_array_length(events); i++) {
        const char *name = shop_json_text(json_object_array_get_idx(events, i), "name");
        if (name && strcmp(name, type) == 0)
            return true;
    }
    return false;
}

/* A destination that is sent simulated events alone is none. */
static bool is_ours(const struct json_object *setting, const char *address)
{
    const char *destination = shop_json_text(setting, "destination");
    const char *traffic = shop_json_text(setting, "traffic_source");
    return destination && strcmp(destination, address) == 0 &&
           (!traffic || strcmp(traffic, "simulation") != 0);
}

static bool is_active(const struct json_object *setting)
{
    struct json_object *active = shop_json_member(setting, "active");
    return json_object_is_type(active, json_type_boolean) && json_object_get_boolean(active);
}

/* Names what none of the destinations is sent. */
static enum shop_webhook judge(const bool sent[NEEDED], struct buf *detail)
{
    size_t missing = 0;
    for (size_t i = 0; i < NEEDED; i++) {
        if (sent[i])
            continue;
        buf_puts(detail, missing++ == 0 ? "Paddle's notification destination is not sent " : ", ");
        buf_puts(detail, needed[i]);
    }
    return missing == 0 ? SHOP_WEBHOOK_ENABLED : SHOP_WEBHOOK_DISABLED;
}

enum shop_answer_verdict paddle_read_webhook(const struct settings_source *source,
                                             const char *address, const struct shop_answer *answer,
                                             enum shop_webhook *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct json_object *root;
    struct json_object *settings =
        paddle_open_list(answer, "notification settings", &root, &verdict, detail);
    bool found = false, active = false, sent[NEEDED] = {false};
    (void)source;
    if (!settings)
        return verdict;
    for (size_t i = 0; i < json_object_array_length(settings); i++) {
        const struct json_object *setting = json_object_array_get_idx(settings, i);
        if (!is_ours(setting, address))
            continue;
        found = true;
        active = active || is_active(setting);
        for (size_t j = 0; is_active(setting) && j < NEEDED; j++)
            sent[j] = sent[j] || is_sent(setting, needed[j]);
    }
    if (active) {
        *out = judge(sent, detail);
    } else {
        *out = found ? SHOP_WEBHOOK_DISABLED : SHOP_WEBHOOK_MISSING;
        buf_puts(detail, found ? "Paddle's notification destination is not active: activate it"
                               : "no notification destination of Paddle points at us");
    }
    json_object_put(root);
    return SHOP_ANSWER_READ;
}
