#include "shops/paddle.h"

#include <string.h>

#include "base/clock.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/signature.h"

static enum shop_verdict verify(const struct settings_source *source,
                                const struct shop_delivery *delivery, struct shop_receipt *receipt)
{
    enum shop_verdict verdict = signature_verify_timed(source, delivery);
    if (verdict == SHOP_VALID)
        signature_receipt_event(delivery, "event_id", "event_type", receipt);
    return verdict;
}

static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    (void)id;
    signature_sign_timed(source, now, body, len, headers);
}

int paddle_take_time(struct facts *facts, const struct json_object *data,
                     const struct paddle_evidence *evidence, int64_t *time)
{
    int64_t created, updated;
    if (shop_take_time(facts, data, "created_at", &created) ||
        shop_take_time(facts, data, "updated_at", &updated))
        return -1;
    int64_t told = updated >= PADDLE_FIRST_TIME ? updated : created;
    *time = told >= PADDLE_FIRST_TIME ? told : evidence->time;
    return 0;
}

/* What an event is about, by what stands before the full stop of its type. */
static const struct {
    const char *prefix;
    void (*read)(const struct json_object *, const struct paddle_evidence *, struct facts *);
} kinds[] = {
    {"transaction.", paddle_read_transaction},
    {"subscription.", paddle_read_subscription},
    {"adjustment.", paddle_read_adjustment},
};

static void read_event(const struct json_object *data, const struct paddle_evidence *evidence,
                       struct facts *facts)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(evidence->event, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            kinds[i].read(data, evidence, facts);
            return;
        }
    facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER,
                    "`event_type` is of no transaction, subscription or adjustment");
}

static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    (void)source;
    struct json_object *root = shop_json_read_object(body, len, facts);
    if (!root)
        return;
    struct paddle_evidence evidence = {.event = shop_json_text(root, "event_type"),
                                       .received_at = received_at};
    const struct json_object *data = shop_json_object(root, "data");
    if (!evidence.event)
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`event_type` is missing");
    else if (!data)
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data` is not an object");
    else if (shop_take_time(facts, root, "occurred_at", &evidence.time) == 0) {
        if (evidence.time == TIME_NONE)
            evidence.time = received_at;
        read_event(data, &evidence, facts);
    }
    json_object_put(root);
}

const struct shop_adapter shop_paddle = {
    .provider = PROVIDER_PADDLE,
    .verify = verify,
    .read = read_delivery,
    .can_ask = credentials_has_bearer,
    .fetch = paddle_fetch,
    .read_answer = paddle_read_answer,
    .sign = sign,
    .list = paddle_list_page,
    .read_listing = paddle_read_page,
    .webhook = paddle_webhook,
    .read_webhook = paddle_read_webhook,
};
