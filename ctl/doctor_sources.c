/*
 * doctor, the shops: what each source's settings allow, what it sent, and what could not be used.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "doctor.h"
#include "queries.h"
#include "shops/shop.h"

#define OLD_DELIVERY (7 * TIME_DAY)
#define OLD_RESYNC (2 * TIME_DAY)
#define PENDING_OLD (5 * TIME_MINUTE)

/* What a set-aside reason asks of the operator. */
static const struct {
    const char *reason, *remedy;
} remedies[] = {
    {"malformed", "look at one with purchasectl deliveries show"},
    {"source_misconfigured", "give the shop's webhook an owner who may read orders, then replay"},
    {"wrong_mode", "test events at a live source, or the reverse: see `live` in the configuration"},
    {"not_an_order", "nothing to do, or subscribe the webhook to order topics alone"},
    {"needs_api_key", "set api_url and api_key_file, then purchasectl deliveries replay"},
    {"fetch_failed", "see why with purchasectl deliveries show, then replay"},
    {"retries_exhausted", "see why with purchasectl deliveries show, then replay"},
};

/* What is lost without an API key, by provider. */
static const char *loss_without_api(enum provider provider)
{
    switch (provider) {
    case PROVIDER_WOOCOMMERCE:
        return "which lines a partial refund gave back, and trashed orders, cannot be seen";
    case PROVIDER_GUMROAD:
        return "nothing can be believed: its pings are not signed";
    case PROVIDER_STRIPE:
        return "what was bought cannot be seen: line items are not in its webhooks";
    case PROVIDER_PADDLE:
        return "buyers' addresses cannot be seen: they are not in its webhooks";
    default:
        return "orders whose webhooks were lost cannot be read again";
    }
}

/* Whether this build can serve the source, and how well. */
static void settings_note(struct doctor *doctor, const struct settings_source *source,
                          const char *about)
{
    const char *provider = provider_name(source->provider);

    if (shop_adapter_of(source->provider) == NULL) {
        doctor_note(doctor, FINDING_ERROR, about, "take the section out, or update",
                    "this build has no adapter for %s: every delivery is refused", provider);
        return;
    }
    if (source->webhook_secrets.count == 0)
        doctor_note(doctor, FINDING_ERROR, about, "set webhook_secret_file",
                    "no webhook secret: no delivery can be verified");
    else
        doctor_note(doctor, FINDING_OK, about, NULL, "%s, %zu webhook secret%s, %s", provider,
                    source->webhook_secrets.count, source->webhook_secrets.count == 1 ? "" : "s",
                    source->live ? "live" : "live = false: test events and samples");
    if (source->provider != PROVIDER_STANDARD && source->provider != PROVIDER_SHOPIFY &&
        !shop_has_api(source))
        doctor_note(doctor, FINDING_WARN, about,
                    "set api_url and api_key_file (a read-only key is enough)", "no API: %s",
                    loss_without_api(source->provider));
}

/* When the shop was last heard of. */
static void delivery_note(struct doctor *doctor, uint32_t source_id, const char *about)
{
    char time[TIME_TEXT];
    struct db_rows *rows;

    if (query_last_delivery(doctor->ctl->db, source_id, &rows) != DB_OK)
        return;
    if (!db_rows_next(rows)) {
        doctor_note(doctor, FINDING_WARN, about,
                    "register POST /webhooks/NAME at the shop, and send it a test",
                    "no delivery ever came");
    } else {
        int64_t last = db_int(rows, 0);

        clock_format(last - last % TIME_SECOND, time);
        if (doctor->ctl->now - last > OLD_DELIVERY)
            doctor_note(doctor, FINDING_WARN, about,
                        "see whether the webhook is still enabled: shops switch off what failed",
                        "the last delivery came %s", time);
        else
            doctor_note(doctor, FINDING_OK, about, NULL, "the last delivery came %s", time);
    }
    db_rows_free(rows);
}

/* When everything that the shop knows was last read, and what was wrong with the shop then. */
static void resync_note(struct doctor *doctor, uint32_t source_id, const char *about)
{
    char time[TIME_TEXT];
    struct db_rows *rows;
    int64_t last = TIME_NONE;
    size_t len;

    if (query_resync(doctor->ctl->db, source_id, &rows) != DB_OK)
        return;
    if (db_rows_next(rows)) {
        last = db_time_of(rows, 0);
        if (!db_is_null(rows, 1))
            doctor_note(doctor, FINDING_ERROR, about,
                        "mend it at the shop, then run purchase-worker resync",
                        "the last resync: %s", db_bytes(rows, 1, &len));
    }
    db_rows_free(rows);
    if (last == TIME_NONE) {
        doctor_note(doctor, FINDING_WARN, about, "run purchase-worker resync, from a timer",
                    "no resync ever succeeded: orders whose webhooks were lost are not known");
        return;
    }
    clock_format(last - last % TIME_SECOND, time);
    if (doctor->ctl->now - last > OLD_RESYNC)
        doctor_note(doctor, FINDING_WARN, about, "does the timer of purchase-worker resync run?",
                    "the last resync succeeded %s", time);
    else
        doctor_note(doctor, FINDING_OK, about, NULL, "the last resync succeeded %s", time);
}

/* What the worker could not use, by reason: never lost, but somebody must look. */
static void set_aside_note(struct doctor *doctor)
{
    struct db_rows *rows;

    if (query_set_aside(doctor->ctl->db, &rows) != DB_OK)
        return;
    while (db_rows_next(rows)) {
        const char *name = source_map_name(doctor->ctl->sources, (uint32_t)db_int(rows, 0));
        const char *reason, *remedy = NULL;
        char about[LIMIT_NAME + 16];
        size_t len;

        reason = db_bytes(rows, 1, &len);
        for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
            if (strcmp(remedies[i].reason, reason) == 0)
                remedy = remedies[i].remedy;
        }
        snprintf(about, sizeof(about), "source %s", name == NULL ? "?" : name);
        doctor_note(doctor, FINDING_WARN, about, remedy, "%" PRId64 " set aside as %s",
                    db_int(rows, 2), reason);
    }
    db_rows_free(rows);
}

/* Deliveries that wait for long mean that no worker runs. */
static void pending_note(struct doctor *doctor)
{
    struct db_rows *rows;

    if (query_pending(doctor->ctl->db, &rows) != DB_OK)
        return;
    if (db_rows_next(rows)) {
        int64_t count = db_int(rows, 0), oldest = db_time_of(rows, 1);

        if (count > 0 && doctor->ctl->now - oldest > PENDING_OLD)
            doctor_note(doctor, FINDING_WARN, "inbox", "is purchase-worker running?",
                        "%" PRId64 " deliveries wait, the oldest for %" PRId64 " minutes", count,
                        (doctor->ctl->now - oldest) / TIME_MINUTE);
        else
            doctor_note(doctor, FINDING_OK, "inbox", NULL, "%" PRId64 " deliveries wait", count);
    }
    db_rows_free(rows);
}

void doctor_sources(struct doctor *doctor)
{
    const struct settings *settings = doctor->ctl->settings;

    for (size_t i = 0; i < settings->source_count; i++) {
        const struct settings_source *source = &settings->sources[i];
        char about[LIMIT_NAME + 16];

        snprintf(about, sizeof(about), "source %s", source->name);
        settings_note(doctor, source, about);
        if (doctor->stored)
            delivery_note(doctor, source_map_id(doctor->ctl->sources, source->name), about);
        if (doctor->stored && shop_can_list(source))
            resync_note(doctor, source_map_id(doctor->ctl->sources, source->name), about);
    }
    if (doctor->stored) {
        set_aside_note(doctor);
        pending_note(doctor);
    }
}
