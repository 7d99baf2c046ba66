/*
 * The digests of a snapshot and of a subscription's state. Their bytes are stored, and compared
 * with those of hosts that run the release before this one: a change of what it covers is a change
 * of the version it begins with.
 */
#include <stdlib.h>
#include <string.h>

#include "base/facts.h"
#include "base/mem.h"

#define DIGEST_VERSION "snapshot 1"
#define SUBSCRIPTION_VERSION "subscription 1"

/* Eight bytes, big end first. */
static void put_number(struct buf *out, int64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_putc(out, (char)(unsigned char)((uint64_t)value >> shift));
}

/* Told or not, then length and bytes: "" and "not told" differ, and no two lists of texts meet. */
static void put_text(struct buf *out, const char *text)
{
    buf_putc(out, text != NULL ? '\1' : '\0');
    if (text == NULL)
        return;
    put_number(out, (int64_t)strlen(text));
    buf_puts(out, text);
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_LEN);
}

/* Puts one digest for each element, sorted, so that a shop may list them in any order. */
static void put_set(struct buf *out, const void *elements, size_t count, size_t size,
                    void (*put_element)(struct buf *, const void *))
{
    unsigned char(*digests)[DIGEST_LEN] = xcalloc(count, DIGEST_LEN);
    struct buf element = {0};
    for (size_t i = 0; i < count; i++) {
        buf_reset(&element);
        put_element(&element, (const char *)elements + i * size);
        digest_sha256(element.data, element.len, digests[i]);
    }
    qsort(digests, count, DIGEST_LEN, compare_digests);
    put_number(out, (int64_t)count);
    buf_append(out, digests, count * DIGEST_LEN);
    buf_free(&element);
    free(digests);
}

static void put_line(struct buf *out, const void *element)
{
    const struct fact_line *line = element;
    put_text(out, line->id);
    put_text(out, line->product);
    if (line->product2) /* only where there is one: digests of the shops without it stay */
        put_text(out, line->product2);
    put_text(out, line->variant);
    put_text(out, line->sku);
    put_number(out, line->quantity);
    put_number(out, line->refunded_quantity);
}

static void put_refund_line(struct buf *out, const void *element)
{
    const struct fact_refund_line *line = element;
    put_text(out, line->line_id);
    put_number(out, line->quantity);
}

static void put_refund(struct buf *out, const void *element)
{
    const struct fact_listed_refund *refund = element;
    put_text(out, refund->id);
    put_number(out, refund->amount);
    put_number(out, refund->lines_known);
    put_set(out, refund->lines, refund->line_count, sizeof(*refund->lines), put_refund_line);
}

/* A time that was cut depends on when the delivery came in; what the shop said does not. */
static int64_t claimed_time(const struct fact_snapshot *snapshot)
{
    return snapshot->time_flagged ? snapshot->time_claimed : snapshot->time;
}

void fact_snapshot_digest(const struct fact_snapshot *snapshot, const unsigned char *address_index,
                          unsigned char out[DIGEST_LEN])
{
    struct buf all = {0};
    put_text(&all, DIGEST_VERSION);
    put_number(&all, claimed_time(snapshot));
    put_number(&all, snapshot->time_flagged);
    put_number(&all, snapshot->from_api);
    put_number(&all, snapshot->status);
    if (snapshot->disputed) /* only where it is: digests of the shops without it stay */
        put_text(&all, "disputed");
    put_number(&all, snapshot->lines_known);
    put_number(&all, snapshot->paid_at);
    put_number(&all, snapshot->total);
    put_number(&all, snapshot->refunded_total);
    if (snapshot->payment != NULL) /* as above */
        put_text(&all, snapshot->payment);
    put_number(&all, snapshot->address_state);
    buf_putc(&all, address_index != NULL ? '\1' : '\0');
    if (address_index != NULL)
        buf_append(&all, address_index, DIGEST_LEN);
    put_text(&all, snapshot->reference);
    put_set(&all, snapshot->lines, snapshot->line_count, sizeof(*snapshot->lines), put_line);
    put_number(&all, snapshot->lists_refunds);
    put_set(&all, snapshot->refunds, snapshot->refund_count, sizeof(*snapshot->refunds),
            put_refund);
    digest_sha256(all.data, all.len, out);
    buf_free(&all);
}

void fact_subscription_digest(const struct fact_subscription *subscription,
                              unsigned char out[DIGEST_LEN])
{
    struct buf all = {0};
    put_text(&all, SUBSCRIPTION_VERSION);
    put_number(&all, subscription->time);
    put_number(&all, subscription->from_api);
    put_number(&all, subscription->state);
    put_number(&all, subscription->paid_until);
    put_number(&all, subscription->unpaid_since);
    digest_sha256(all.data, all.len, out);
    buf_free(&all);
}
