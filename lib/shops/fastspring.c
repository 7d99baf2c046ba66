/*
 * FastSpring's deliveries: several events in one body, of which any may be about any order.
 *
 *     { "events": [ { "id", "type", "live", "created": ms, "data": { ... } }, ... ] }
 *
 * X-FS-Signature is the base64 of the HMAC-SHA256 over the body. FastSpring leaves it out where no
 * secret is set; here a delivery without it is refused. A retry keeps the events' ids and may
 * gather them otherwise, so the key of a delivery is the digest of its body.
 *
 * `live`: each event says whether it is of a real order or of a test one, and both kinds may come
 * in one body. live = true takes the first, live = false the second, and the others are passed
 * over; a body that holds no other kind is set aside.
 */
#include <string.h>

#include "shops/evidence.h"
#include "shops/fastspring.h"
#include "shops/json.h"
#include "shops/signature.h"

typedef void reader(const struct json_object *data, const struct fastspring_origin *origin,
                    struct facts *facts);

static void read_completed(const struct json_object *data, const struct fastspring_origin *origin,
                           struct facts *facts)
{
    fastspring_read_order(data, ORDER_PAID, origin, facts);
}

static void read_pending(const struct json_object *data, const struct fastspring_origin *origin,
                         struct facts *facts)
{
    fastspring_read_order(data, ORDER_PENDING, origin, facts);
}

static void read_canceled(const struct json_object *data, const struct fastspring_origin *origin,
                          struct facts *facts)
{
    fastspring_read_order(data, ORDER_CANCELLED, origin, facts);
}

/* What an event is about. A subscription's state stands in the object, whatever the event. */
static const struct {
    const char *type;
    reader *read;
} events[] = {
    {"order.completed", read_completed},
    {"order.payment.pending", read_pending},
    {"order.approval.pending", read_pending},
    {"order.canceled", read_canceled},
    {"order.failed", read_canceled},
    {"return.created", fastspring_read_return},
    {"chargeback.created", fastspring_read_chargeback},
    {"subscription.activated", fastspring_read_subscription},
    {"subscription.updated", fastspring_read_subscription},
    {"subscription.canceled", fastspring_read_subscription},
    {"subscription.uncanceled", fastspring_read_subscription},
    {"subscription.deactivated", fastspring_read_subscription},
    {"subscription.paused", fastspring_read_subscription},
    {"subscription.resumed", fastspring_read_subscription},
    {"subscription.trial.reminder", fastspring_read_subscription},
    {"subscription.payment.reminder", fastspring_read_subscription},
    {"subscription.payment.overdue", fastspring_read_subscription},
    {"subscription.charge.completed", fastspring_read_charge},
    {"subscription.charge.failed", fastspring_read_failed_charge},
};

static reader *reader_of(const char *type)
{
    for (size_t i = 0; type && i < sizeof(events) / sizeof(events[0]); i++)
        if (strcmp(events[i].type, type) == 0)
            return events[i].read;
    return NULL;
}

bool fastspring_is_mode(const struct settings_source *source, const struct json_object *holder)
{
    struct json_object *live = shop_json_member(holder, "live");
    return !json_object_is_type(live, json_type_boolean) ||
           json_object_get_boolean(live) == source->live;
}

void fastspring_read_event(const struct settings_source *source, const struct json_object *event,
                           int64_t received_at, struct facts *facts, struct fastspring_tally *tally)
{
    const struct json_object *data = shop_json_object(event, "data");
    reader *read = reader_of(shop_json_text(event, "type"));
    struct fastspring_origin origin = {.received_at = received_at, .event_at = received_at};
    if (!read)
        return;
    if (!data) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data` of an event is not an object");
        return;
    }
    if (!fastspring_is_mode(source, event) || !fastspring_is_mode(source, data)) {
        tally->other_mode++;
        return;
    }
    tally->read++;
    if (fastspring_take_time(facts, event, "created", received_at, &origin.event_at))
        return;
    origin.event_at = evidence_time(origin.event_at, received_at);
    read(data, &origin, facts);
}

static void read_events(const struct settings_source *source, struct json_object *list,
                        int64_t received_at, struct facts *facts)
{
    struct fastspring_tally tally = {0};
    for (size_t i = 0; i < json_object_array_length(list) && facts->set_aside == SET_ASIDE_NONE;
         i++)
        fastspring_read_event(source, json_object_array_get_idx(list, i), received_at, facts,
                              &tally);
    if (facts->set_aside != SET_ASIDE_NONE || tally.read > 0)
        return;
    if (tally.other_mode > 0)
        facts_set_aside(facts, SET_ASIDE_WRONG_MODE,
                        source->live ? "its events are of test orders, and this source has "
                                       "live = true"
                                     : "its events are of live orders, and this source has "
                                       "live = false");
    else
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER,
                        "none of its events is about an order, a subscription or a return");
}

static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    struct json_object *root = shop_json_read_object(body, len, facts);
    if (!root)
        return;
    struct json_object *list = shop_json_array(root, "events");
    if (list)
        read_events(source, list, received_at, facts);
    else
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`events` is not a list");
    json_object_put(root);
}

static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    (void)id;
    (void)now;
    signature_sign_body(source, body, len, headers);
}

const struct shop_adapter shop_fastspring = {
    .provider = PROVIDER_FASTSPRING,
    .verify = signature_verify_body,
    .read = read_delivery,
    .can_ask = fastspring_can_ask,
    .fetch = fastspring_fetch,
    .read_answer = fastspring_read_answer,
    .sign = sign,
    .list = fastspring_list,
    .read_listing = fastspring_read_listing,
};
