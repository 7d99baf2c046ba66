/*
 * Signatures are lists with a time (signature_timed.c), keyed with the whole text of the secret,
 * `whsec_` included. `live = true` takes events with `livemode: true` alone, `live = false` those
 * of test mode and of sandboxes.
 */
#include "shops/stripe.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/json.h"
#include "shops/signature.h"

static enum shop_verdict verify(const struct settings_source *source,
                                const struct shop_delivery *delivery, struct shop_receipt *receipt)
{
    enum shop_verdict verdict = signature_verify_timed(source, delivery);
    if (verdict == SHOP_VALID)
        signature_receipt_event(delivery, "id", "type", receipt);
    return verdict;
}

/* Which events are read, and as what. A type that ends in a full stop stands for all that begin so:
 * of these, the object tells everything and the event's name nothing. */
static const struct {
    const char *type, *object;
    void (*read)(const struct json_object *, const struct stripe_evidence *, struct facts *);
} readers[] = {
    {"checkout.session.", "checkout.session", stripe_read_session},
    {"customer.subscription.", "subscription", stripe_read_subscription},
    {"invoice.paid", "invoice", stripe_read_invoice},
    {"invoice.payment_succeeded", "invoice", stripe_read_invoice},
    {"invoice.payment_failed", "invoice", stripe_read_invoice},
    {"invoice_payment.paid", "invoice_payment", stripe_read_invoice_payment},
    {"charge.refunded", "charge", stripe_read_charge},
    {"charge.refund.updated", "refund", stripe_read_refund},
    {"refund.", "refund", stripe_read_refund},
    {"charge.dispute.", "dispute", stripe_read_dispute},
};

static bool fits(const char *pattern, const char *type)
{
    size_t len = strlen(pattern);
    return pattern[len - 1] == '.' ? strncmp(pattern, type, len) == 0 : strcmp(pattern, type) == 0;
}

/* Whether a text may be shown as it is. */
static bool is_plain(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= 64 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* Reads the object of an event by what the event's type promises. */
static void read_object(const struct json_object *object, const struct stripe_evidence *evidence,
                        struct facts *facts)
{
    const char *kind = shop_json_text(object, "object");
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (!fits(readers[i].type, evidence->event))
            continue;
        if (kind && strcmp(kind, readers[i].object) == 0)
            readers[i].read(object, evidence, facts);
        else
            facts_set_aside(facts, SET_ASIDE_MALFORMED, "`data.object` is no %s",
                            readers[i].object);
        return;
    }
    facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER, "the event says nothing about an order: %s",
                    is_plain(evidence->event) ? evidence->event : "its type is no plain text");
}

/* "2024-06-20", and since 2024-09-30 with the name of the release. */
static bool is_known_version(const char *version)
{
    static const char *const releases[] = {"", ".acacia", ".basil", ".clover", ".dahlia"};
    size_t digits = strspn(version, "0123456789-");
    for (size_t i = 0; digits == strlen("2025-03-31") && i < sizeof(releases) / sizeof(releases[0]);
         i++)
        if (strcmp(version + digits, releases[i]) == 0)
            return true;
    return false;
}

/* Objects are read by their shape, so an unknown version is no fault; but somebody should look at
 * what it changed. One line in the life of the process says so. */
static void note_version(const struct settings_source *source, const struct json_object *root)
{
    static atomic_flag noted = ATOMIC_FLAG_INIT;
    const char *version = shop_json_text(root, "api_version");
    if (version && !is_known_version(version) && !atomic_flag_test_and_set(&noted))
        log_warn("stripe", "unknown_api_version", LOG_S("source", source->name),
                 LOG_S("version", is_plain(version) ? version : "?"));
}

/* Which account it is of: a connected one is named, the endpoint's own is not. */
static void note_account(const struct json_object *root, struct facts *facts)
{
    const char *account = shop_json_text(root, "account");
    facts_set_identity(facts, account ? account : STRIPE_OWN_ACCOUNT);
    if (account && is_plain(account) && facts->set_aside == SET_ASIDE_NONE)
        facts->detail = xasprintf("of the connected account %s", account);
}

/* Test events and live ones never mix. */
static int check_mode(const struct settings_source *source, const struct json_object *root,
                      struct facts *facts)
{
    const struct json_object *livemode = shop_json_member(root, "livemode");
    if (!json_object_is_type(livemode, json_type_boolean)) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "`livemode` is missing");
        return -1;
    }
    if (json_object_get_boolean(livemode) == source->live)
        return 0;
    facts_set_aside(facts, SET_ASIDE_WRONG_MODE,
                    source->live ? "it is a test event, and this source has live = true"
                                 : "it is a live event, and this source has live = false");
    return -1;
}

void stripe_read_event(const struct settings_source *source, const struct json_object *root,
                       int64_t received_at, struct facts *facts)
{
    struct stripe_evidence evidence = {.event = shop_json_text(root, "type"),
                                       .received_at = received_at};
    const struct json_object *object = shop_json_object(shop_json_object(root, "data"), "object");
    if (check_mode(source, root, facts) ||
        stripe_take_seconds(facts, root, "created", &evidence.time))
        return;
    if (!evidence.event || evidence.time == TIME_NONE || !object) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "the event has no `type`, `created` and `data.object`");
        return;
    }
    note_version(source, root);
    read_object(object, &evidence, facts);
    note_account(root, facts);
}

static void read_delivery(const struct settings_source *source, const char *body, size_t len,
                          int64_t received_at, struct facts *facts)
{
    struct json_object *root = shop_json_read_object(body, len, facts);
    if (!root)
        return;
    const char *kind = shop_json_text(root, "object");
    if (kind && strcmp(kind, "event") == 0)
        stripe_read_event(source, root, received_at, facts);
    else
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER,
                        "the body is no event of Stripe with its object in it");
    json_object_put(root);
}

static void sign(const struct settings_source *source, const char *id, int64_t now,
                 const char *body, size_t len, struct buf *headers)
{
    (void)id;
    signature_sign_timed(source, now, body, len, headers);
}

const struct shop_adapter shop_stripe = {
    .provider = PROVIDER_STRIPE,
    .verify = verify,
    .read = read_delivery,
    .can_ask = stripe_can_ask,
    .fetch = stripe_fetch,
    .read_answer = stripe_read_answer,
    .sign = sign,
    .list = stripe_list_page,
    .read_listing = stripe_read_page,
    .webhook = stripe_webhook,
    .read_webhook = stripe_read_webhook,
};
