#include "entitlement/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"

/* Whether a holding counts at a time. */
enum phase { PHASE_ACTIVE, PHASE_GRACE, PHASE_OVER };

static enum phase holding_phase(const struct holding *holding, int64_t now)
{
    if (holding->ends_at == TIME_NONE || now < holding->ends_at)
        return PHASE_ACTIVE;
    if (holding->grace_until != TIME_NONE && now < holding->grace_until)
        return PHASE_GRACE;
    return PHASE_OVER;
}

static bool holding_is_live(const struct holding *holding, int64_t now)
{
    return holding->state == CONTRIBUTION_ACTIVE && holding_phase(holding, now) != PHASE_OVER;
}

/* The later of two ends, where TIME_NONE is never. */
static int64_t later_end(int64_t a, int64_t b)
{
    if (a == TIME_NONE || b == TIME_NONE)
        return TIME_NONE;
    return a > b ? a : b;
}

/* Starts an entitlement with the first live holding of its key. */
static struct entitlement entitlement_of(const struct holding *holding, int64_t now)
{
    bool active = holding_phase(holding, now) == PHASE_ACTIVE;
    return (struct entitlement){
        .key = holding->key,
        .status = active ? ENTITLEMENT_ACTIVE : ENTITLEMENT_GRACE,
        .quantity = holding->quantity,
        .expires_at = active ? holding->ends_at : holding->grace_until,
    };
}

/* Adds another live holding of the same key. Quantities sum; the end is the latest among those that
 * give the status, so one active holding makes the ends of those in grace count for nothing. */
static void entitlement_add(struct entitlement *into, const struct holding *holding, int64_t now)
{
    struct entitlement other = entitlement_of(holding, now);
    if (__builtin_add_overflow(into->quantity, other.quantity, &into->quantity))
        into->quantity = INT64_MAX;
    if (other.status == into->status) {
        into->expires_at = later_end(into->expires_at, other.expires_at);
    } else if (other.status == ENTITLEMENT_ACTIVE) {
        into->status = other.status;
        into->expires_at = other.expires_at;
    }
}

/* A user who took every token back must be told so before anything else about the identity. */
static enum identity_state standing_identity(const struct standing *standing)
{
    if (standing->refused_tokens > 0 && standing->valid_tokens == 0)
        return IDENTITY_REAUTHORIZE;
    if (standing->has_address)
        return IDENTITY_LINKED;
    return standing->valid_tokens > 0 ? IDENTITY_NO_EMAIL : IDENTITY_NOT_INSTALLED;
}

/* Brings `changes_at` forward to when this live holding next changes what it gives. */
static void note_change(const struct holding *holding, int64_t now, int64_t *changes_at)
{
    int64_t next =
        holding_phase(holding, now) == PHASE_ACTIVE ? holding->ends_at : holding->grace_until;
    if (next != TIME_NONE && (*changes_at == TIME_NONE || next < *changes_at))
        *changes_at = next;
}

/* For qsort, over pointers to holdings. */
static int compare_holdings(const void *left, const void *right)
{
    const struct holding *const *a = left, *const *b = right;
    return strcmp((*a)->key, (*b)->key);
}

void answer_aggregate(const struct standing *standing, int64_t now, struct answer *out)
{
    *out = (struct answer){.identity = standing_identity(standing), .changes_at = TIME_NONE};
    if (standing->holding_count == 0)
        return;
    const struct holding **live = xcalloc(standing->holding_count, sizeof *live);
    size_t count = 0;
    for (size_t i = 0; i < standing->holding_count; i++) {
        const struct holding *holding = &standing->holdings[i];
        if (!holding_is_live(holding, now))
            continue;
        live[count++] = holding;
        note_change(holding, now, &out->changes_at);
    }
    if (count > 0) {
        qsort(live, count, sizeof *live, compare_holdings);
        out->entitlements = xcalloc(count, sizeof *out->entitlements);
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(live[i]->key, live[i - 1]->key) == 0)
            entitlement_add(&out->entitlements[out->count - 1], live[i], now);
        else
            out->entitlements[out->count++] = entitlement_of(live[i], now);
    }
    free(live);
}

void answer_free(struct answer *answer)
{
    free(answer->entitlements);
    *answer = (struct answer){.changes_at = TIME_NONE};
}

static void put_string(struct buf *out, const char *text)
{
    buf_json_string(out, text, strlen(text));
}

/* A time as RFC 3339, or null. */
static void put_time(struct buf *out, int64_t time)
{
    char text[TIME_TEXT];
    if (time == TIME_NONE) {
        buf_puts(out, "null");
        return;
    }
    clock_format(time, text);
    put_string(out, text);
}

static void put_entitlement(struct buf *out, const struct entitlement *entitlement)
{
    buf_puts(out, "{\"key\":");
    put_string(out, entitlement->key);
    buf_puts(out, entitlement->status == ENTITLEMENT_ACTIVE ? ",\"status\":\"active\""
                                                            : ",\"status\":\"grace\"");
    buf_puts(out, ",\"quantity\":");
    buf_put_int(out, entitlement->quantity);
    buf_puts(out, ",\"expires_at\":");
    put_time(out, entitlement->expires_at);
    buf_putc(out, '}');
}

static const char *identity_name(enum identity_state state)
{
    static const char *const names[] = {
        [IDENTITY_REAUTHORIZE] = "reauthorize",
        [IDENTITY_LINKED] = "linked",
        [IDENTITY_NO_EMAIL] = "no_email",
        [IDENTITY_NOT_INSTALLED] = "not_installed",
    };
    return names[state];
}

/* All that the version is a digest of, as a whole object. */
static void put_content(struct buf *out, const struct standing *standing,
                        const struct answer *answer)
{
    buf_puts(out, "{\"user\":");
    put_string(out, standing->user);
    buf_puts(out, ",\"team\":");
    put_string(out, standing->team);
    buf_puts(out, ",\"entitlements\":[");
    for (size_t i = 0; i < answer->count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_entitlement(out, &answer->entitlements[i]);
    }
    buf_puts(out, "],\"identity\":{\"state\":\"");
    buf_puts(out, identity_name(answer->identity));
    buf_putc(out, '"');
    if (standing->moved_at != 0) {
        buf_puts(out, ",\"address_moved_at\":");
        put_time(out, standing->moved_at);
    }
    buf_puts(out, "}}");
}

void answer_write(const struct standing *standing, const struct answer *answer,
                  int64_t stale_seconds, struct buf *out, char version[ANSWER_VERSION])
{
    unsigned char digest[DIGEST_LEN];
    size_t start = out->len;
    put_content(out, standing, answer);
    digest_sha256(out->data + start, out->len - start, digest);
    out->len--; /* the object goes on */
    buf_puts(out, ",\"version\":\"");
    size_t at = out->len;
    digest_hex(digest, (ANSWER_VERSION - 1) / 2, out);
    memcpy(version, out->data + at, ANSWER_VERSION - 1);
    version[ANSWER_VERSION - 1] = '\0';
    buf_putc(out, '"');
    if (stale_seconds >= 0) {
        buf_puts(out, ",\"stale_seconds\":");
        buf_put_int(out, stale_seconds);
    }
    buf_putc(out, '}');
}

const char *reason_name(enum reason reason)
{
    static const char *const names[] = {
        [REASON_ACTIVE] = "active",
        [REASON_GRACE] = "grace",
        [REASON_PENDING] = "pending",
        [REASON_DISPUTED] = "disputed",
        [REASON_EXPIRED] = "expired",
        [REASON_REFUNDED] = "refunded",
        [REASON_CANCELLED] = "cancelled",
        [REASON_SEAT_LIMIT] = "seat_limit",
        [REASON_NEVER_BOUGHT] = "never_bought",
        [REASON_UNKNOWN_KEY] = "unknown_key",
    };
    if ((size_t)reason >= sizeof names / sizeof *names)
        die("reason %d is none", (int)reason);
    return names[reason];
}

/* Why a holding that is not live is not; an active one is over. */
static enum reason holding_reason(const struct holding *holding)
{
    switch (holding->state) {
    case CONTRIBUTION_ACTIVE:
        return REASON_EXPIRED;
    case CONTRIBUTION_PENDING:
        return REASON_PENDING;
    case CONTRIBUTION_REFUNDED:
        return REASON_REFUNDED;
    case CONTRIBUTION_DISPUTED:
        return REASON_DISPUTED;
    case CONTRIBUTION_CANCELLED:
        return REASON_CANCELLED;
    }
    return REASON_NEVER_BOUGHT;
}

/* When a holding that is over last gave anything. */
static int64_t holding_last(const struct holding *holding)
{
    return holding->grace_until > holding->ends_at ? holding->grace_until : holding->ends_at;
}

enum reason answer_reason(const struct standing *standing, const char *key, bool key_known,
                          int64_t now, int64_t *expires_at)
{
    struct entitlement live = {0};
    int64_t ended_at = TIME_NONE;
    enum reason reason = key_known ? REASON_NEVER_BOUGHT : REASON_UNKNOWN_KEY;
    for (size_t i = 0; i < standing->holding_count; i++) {
        const struct holding *holding = &standing->holdings[i];
        if (strcmp(holding->key, key) != 0)
            continue;
        if (holding_is_live(holding, now)) {
            if (live.key)
                entitlement_add(&live, holding, now);
            else
                live = entitlement_of(holding, now);
            continue;
        }
        enum reason why = holding_reason(holding);
        if (why == REASON_EXPIRED && holding_last(holding) > ended_at)
            ended_at = holding_last(holding);
        if (why < reason) /* the enum's order is the order of precedence */
            reason = why;
    }
    if (live.key) {
        *expires_at = live.expires_at;
        return live.status == ENTITLEMENT_ACTIVE ? REASON_ACTIVE : REASON_GRACE;
    }
    *expires_at = reason == REASON_EXPIRED ? ended_at : TIME_NONE;
    return reason;
}

void answer_write_key(const char *key, enum reason reason, int64_t expires_at, struct buf *out)
{
    bool entitled = reason == REASON_ACTIVE || reason == REASON_GRACE;
    buf_puts(out, "{\"key\":");
    put_string(out, key);
    buf_puts(out, entitled ? ",\"entitled\":true" : ",\"entitled\":false");
    buf_puts(out, ",\"reason\":\"");
    buf_puts(out, reason_name(reason));
    buf_puts(out, "\",\"expires_at\":");
    put_time(out, expires_at);
    buf_putc(out, '}');
}
