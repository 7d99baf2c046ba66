#include "base/facts.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

const char *set_aside_name(enum set_aside reason)
{
    static const char *const names[] = {
        [SET_ASIDE_NONE] = "none",
        [SET_ASIDE_MALFORMED] = "malformed",
        [SET_ASIDE_SOURCE_MISCONFIGURED] = "source_misconfigured",
        [SET_ASIDE_WRONG_MODE] = "wrong_mode",
        [SET_ASIDE_NOT_AN_ORDER] = "not_an_order",
        [SET_ASIDE_NEEDS_API_KEY] = "needs_api_key",
        [SET_ASIDE_FETCH_FAILED] = "fetch_failed",
        [SET_ASIDE_RETRIES_EXHAUSTED] = "retries_exhausted",
    };
    return names[reason];
}

/* Addresses do not stay in memory that is given back. */
static void free_wiped(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void free_refund_lines(struct fact_refund_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(lines[i].line_id);
    free(lines);
}

void fact_snapshot_free(struct fact_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    for (size_t i = 0; i < snapshot->line_count; i++) {
        free(snapshot->lines[i].id);
        free(snapshot->lines[i].product);
        free(snapshot->lines[i].product2);
        free(snapshot->lines[i].variant);
        free(snapshot->lines[i].sku);
    }
    for (size_t i = 0; i < snapshot->refund_count; i++) {
        free(snapshot->refunds[i].id);
        free_refund_lines(snapshot->refunds[i].lines, snapshot->refunds[i].line_count);
    }
    free(snapshot->lines);
    free(snapshot->refunds);
    free_wiped(snapshot->address);
    free(snapshot->reference);
    free(snapshot->payment);
    free(snapshot);
}

static void free_order(struct fact_order *order)
{
    fact_snapshot_free(order->snapshot);
    for (size_t i = 0; i < order->refund_count; i++) {
        free(order->refunds[i].id);
        free(order->refunds[i].payment);
        free_refund_lines(order->refunds[i].lines, order->refunds[i].line_count);
    }
    for (size_t i = 0; i < order->dispute_count; i++)
        free(order->disputes[i].id);
    for (size_t i = 0; i < order->alias_count; i++)
        free(order->aliases[i]);
    for (size_t i = 0; i < order->need_count; i++)
        free(order->needs[i].object);
    free(order->aliases);
    free(order->needs);
    free(order->subscription);
    free(order->refunds);
    free(order->disputes);
    free(order->identity);
    free(order->key);
    free(order->id);
}

void facts_free(struct facts *facts)
{
    for (size_t i = 0; i < facts->order_count; i++)
        free_order(&facts->orders[i]);
    free(facts->orders);
    free(facts->detail);
    *facts = (struct facts){0};
}

/*
 * Room for one more, zeroed. The room is the next power of two above the count, asked for each
 * time: no capacity has to be kept, and an array that came with exactly `count` elements may grow
 * too.
 */
static void *grow(void *array, size_t count, size_t size)
{
    size_t room = 1;
    while (room <= count)
        room *= 2;
    array = xreallocarray(array, room, size);
    memset((char *)array + count * size, 0, size);
    return array;
}

struct fact_order *facts_add_order(struct facts *facts, const char *id, size_t id_len)
{
    facts->orders = grow(facts->orders, facts->order_count, sizeof(*facts->orders));
    struct fact_order *order = &facts->orders[facts->order_count++];
    order->id = xstrndup(id, id_len);
    return order;
}

struct fact_snapshot *fact_order_snapshot(struct fact_order *order)
{
    if (order->snapshot == NULL) {
        order->snapshot = xcalloc(1, sizeof(*order->snapshot));
        order->snapshot->time = TIME_NONE;
        order->snapshot->paid_at = TIME_NONE;
        order->snapshot->total = -1;
        order->snapshot->refunded_total = -1;
    }
    return order->snapshot;
}

struct fact_line *fact_add_line(struct fact_snapshot *snapshot)
{
    snapshot->lines = grow(snapshot->lines, snapshot->line_count, sizeof(*snapshot->lines));
    return &snapshot->lines[snapshot->line_count++];
}

struct fact_listed_refund *fact_add_listed_refund(struct fact_snapshot *snapshot)
{
    snapshot->refunds = grow(snapshot->refunds, snapshot->refund_count, sizeof(*snapshot->refunds));
    return &snapshot->refunds[snapshot->refund_count++];
}

struct fact_refund *fact_add_refund(struct fact_order *order)
{
    order->refunds = grow(order->refunds, order->refund_count, sizeof(*order->refunds));
    return &order->refunds[order->refund_count++];
}

const char *fact_need_name(enum fact_need_kind kind)
{
    static const char *const names[] = {
        [NEED_ORDER] = "order",     [NEED_REFUNDS] = "refunds", [NEED_LINES] = "lines",
        [NEED_ADDRESS] = "address", [NEED_OWNER] = "owner",
    };
    return names[kind];
}

struct fact_subscription *fact_order_subscription(struct fact_order *order)
{
    if (order->subscription == NULL) {
        order->subscription = xcalloc(1, sizeof(*order->subscription));
        order->subscription->time = TIME_NONE;
        order->subscription->paid_until = order->subscription->unpaid_since = TIME_NONE;
    }
    return order->subscription;
}

void fact_add_alias(struct fact_order *order, const char *alias)
{
    for (size_t i = 0; i < order->alias_count; i++) {
        if (strcmp(order->aliases[i], alias) == 0)
            return;
    }
    if (strcmp(order->id, alias) == 0)
        return;
    order->aliases = grow(order->aliases, order->alias_count, sizeof(*order->aliases));
    order->aliases[order->alias_count++] = xstrdup(alias);
}

void facts_set_identity(struct facts *facts, const char *identity)
{
    if (identity == NULL || identity[0] == '\0' || strlen(identity) > LIMIT_IDENTITY)
        return;
    for (size_t i = 0; i < facts->order_count; i++) {
        if (facts->orders[i].identity == NULL)
            facts->orders[i].identity = xstrdup(identity);
    }
}

void fact_add_need(struct fact_order *order, enum fact_need_kind kind, const char *object,
                   bool essential)
{
    struct fact_need *need;

    for (size_t i = 0; i < order->need_count; i++) {
        need = &order->needs[i];
        if (need->kind == kind && (need->object == NULL) == (object == NULL) &&
            (object == NULL || strcmp(need->object, object) == 0)) {
            need->essential |= essential;
            return;
        }
    }
    order->needs = grow(order->needs, order->need_count, sizeof(*order->needs));
    need = &order->needs[order->need_count++];
    need->kind = kind;
    need->object = object == NULL ? NULL : xstrdup(object);
    need->essential = essential;
}

struct fact_dispute *fact_add_dispute(struct fact_order *order)
{
    order->disputes = grow(order->disputes, order->dispute_count, sizeof(*order->disputes));
    return &order->disputes[order->dispute_count++];
}

struct fact_refund_line *fact_add_refund_line(struct fact_refund_line **lines, size_t *count)
{
    *lines = grow(*lines, *count, sizeof(**lines));
    return &(*lines)[(*count)++];
}

/* The last reason given is the one that stays. */
void facts_set_aside(struct facts *facts, enum set_aside reason, const char *format, ...)
{
    struct buf detail = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&detail, format, args);
    va_end(args);
    free(facts->detail);
    facts->set_aside = reason;
    facts->detail = buf_take(&detail);
}
