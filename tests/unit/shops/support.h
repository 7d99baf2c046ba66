/*
 * What the tests of this room share: sources with secrets, deliveries from header texts, and facts
 * as one line of text, so that a case is a row of a table.
 */
#ifndef UNIT_SHOPS_SUPPORT_H
#define UNIT_SHOPS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shops/shop.h"

/* 2026-11-23T10:00:00Z, on which all samples were received. */
#define RECEIVED (INT64_C(1795428000) * TIME_SECOND)

/* A source with up to two secrets; release with source_free(). */
static inline struct settings_source source_make(enum provider provider, const char *secret,
                                                 const char *other)
{
    struct settings_source source = {
        .name = xstrdup("shop"),
        .provider = provider,
        .secret_encoding = ENCODING_AUTO,
        .live = true,
        .replay_window = 300,
    };
    const char *secrets[] = {secret, other};
    for (size_t i = 0; i < 2 && secrets[i]; i++)
        source.webhook_secrets.items[source.webhook_secrets.count++] = (struct secret){
            .bytes = (unsigned char *)xstrdup(secrets[i]), .len = strlen(secrets[i])};
    return source;
}

static inline void source_free(struct settings_source *source)
{
    for (size_t i = 0; i < source->webhook_secrets.count; i++)
        free(source->webhook_secrets.items[i].bytes);
    for (size_t i = 0; i < source->api_keys.count; i++)
        free(source->api_keys.items[i].bytes);
    free(source->api_url);
    free(source->name);
}

/* Reads "Name: value\r\n" lines (as shop_sign() writes them) into `headers`. */
static inline size_t headers_of(const char *text, struct http_header headers[LIMIT_HTTP_HEADERS])
{
    size_t count = 0;
    while (*text) {
        size_t line = strcspn(text, "\r\n"), name = strcspn(text, ":");
        assert_true(name < line && count < LIMIT_HTTP_HEADERS);
        const char *value = text + name + 1;
        value += strspn(value, " ");
        headers[count++] = (struct http_header){text, name, value, line - (size_t)(value - text)};
        text += line + strspn(text + line, "\r\n");
    }
    return count;
}

static inline enum shop_verdict verify_bytes(const struct settings_source *source,
                                             const char *header_lines, const char *body, size_t len,
                                             int64_t now, struct shop_receipt *receipt)
{
    struct http_header headers[LIMIT_HTTP_HEADERS];
    /* Exact copies, so that a sanitizer sees any byte read beyond. */
    char *exact = xmemdup(body, len ? len : 1);
    struct shop_delivery delivery = {
        .headers = headers,
        .header_count = headers_of(header_lines, headers),
        .body = exact,
        .len = len,
        .now = now,
    };
    enum shop_verdict verdict = shop_verify(source, &delivery, receipt);
    free(exact);
    return verdict;
}

static inline enum shop_verdict verify_text(const struct settings_source *source,
                                            const char *header_lines, const char *body)
{
    struct shop_receipt receipt;
    return verify_bytes(source, header_lines, body, strlen(body), RECEIVED, &receipt);
}

static inline void put_time(struct buf *out, const char *name, int64_t time)
{
    char text[TIME_TEXT] = "-";
    if (time != TIME_NONE)
        clock_format(time, text);
    buf_printf(out, " %s=%s", name, text);
}

static inline void put_refund_lines(struct buf *out, bool known,
                                    const struct fact_refund_line *lines, size_t count)
{
    buf_puts(out, known ? "{" : "{?");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s*%lld", i ? "," : "", lines[i].line_id, (long long)lines[i].quantity);
    buf_puts(out, "}");
}

static inline void put_snapshot(struct buf *out, const struct fact_snapshot *snapshot)
{
    static const char *const names[] = {"pending", "paid", "cancelled", "refunded"};
    static const char *const addresses[] = {"absent", "erased", "real"};
    buf_printf(out, " %s", names[snapshot->status]);
    put_time(out, "at", snapshot->time);
    if (snapshot->time_flagged)
        put_time(out, "claimed", snapshot->time_claimed);
    put_time(out, "paid", snapshot->paid_at);
    if (snapshot->from_api)
        put_time(out, "read", snapshot->read_at);
    buf_printf(out, " total=%lld address=%s", (long long)snapshot->total,
               snapshot->address ? snapshot->address : addresses[snapshot->address_state]);
    if (snapshot->reference)
        buf_printf(out, " reference=%s", snapshot->reference);
    buf_puts(out, snapshot->lines_known ? " lines:" : " lines?");
    for (size_t i = 0; i < snapshot->line_count; i++) {
        const struct fact_line *line = &snapshot->lines[i];
        buf_printf(out, " %s(%s%s%s/%s/%s)*%lld-%lld", line->id,
                   line->product ? line->product : "-", line->product2 ? "|" : "",
                   line->product2 ? line->product2 : "", line->variant ? line->variant : "-",
                   line->sku ? line->sku : "-", (long long)line->quantity,
                   (long long)line->refunded_quantity);
    }
    buf_puts(out, snapshot->disputed ? " disputed" : "");
    buf_puts(out, snapshot->lists_refunds ? " listed:" : "");
    for (size_t i = 0; i < snapshot->refund_count; i++) {
        const struct fact_listed_refund *refund = &snapshot->refunds[i];
        buf_printf(out, " %s=%lld", refund->id, (long long)refund->amount);
        put_refund_lines(out, refund->lines_known, refund->lines, refund->line_count);
    }
}

static bool needs_order(const struct fact_order *order)
{
    for (size_t i = 0; i < order->need_count; i++)
        if (order->needs[i].kind == NEED_ORDER && !order->needs[i].object)
            return true;
    return false;
}

static inline void put_subscription(struct buf *out, const struct fact_subscription *term)
{
    static const char *const names[] = {"trial",  "active",    "past_due",
                                        "paused", "cancelled", "expired"};
    buf_printf(out, " term:%s", names[term->state]);
    put_time(out, "at", term->time);
    if (term->from_api)
        put_time(out, "read", term->read_at);
    put_time(out, "until", term->paid_until);
    if (term->unpaid_since != TIME_NONE)
        put_time(out, "since", term->unpaid_since);
}

/* Other names of the order, and what is to be asked by an id of its own; `!`: essential. */
static inline void put_links(struct buf *out, const struct fact_order *order)
{
    for (size_t i = 0; i < order->alias_count; i++)
        buf_printf(out, " alias:%s", order->aliases[i]);
    for (size_t i = 0; i < order->need_count; i++)
        if (order->needs[i].object)
            buf_printf(out, " need:%s(%s)%s", fact_need_name(order->needs[i].kind),
                       order->needs[i].object, order->needs[i].essential ? "!" : "");
}

static inline void put_order(struct buf *out, const struct fact_order *order)
{
    static const char *const refunds[] = {"pending", "done", "failed"};
    static const char *const disputes[] = {[DISPUTE_NONE] = "none",
                                           [DISPUTE_INQUIRY] = "inquiry",
                                           [DISPUTE_OPEN] = "open",
                                           [DISPUTE_WON] = "won",
                                           [DISPUTE_LOST] = "lost"};
    buf_printf(out, "[%s%s", order->id, needs_order(order) ? " hint" : "");
    if (order->snapshot)
        put_snapshot(out, order->snapshot);
    for (size_t i = 0; i < order->refund_count; i++) {
        const struct fact_refund *refund = &order->refunds[i];
        buf_printf(out, " refund:%s %s=%lld%s", refunds[refund->state], refund->id,
                   (long long)refund->amount, refund->detail_only ? " detail" : "");
        put_refund_lines(out, refund->lines_known, refund->lines, refund->line_count);
        put_time(out, "at", refund->time);
    }
    for (size_t i = 0; i < order->dispute_count; i++) {
        buf_printf(out, " dispute:%s %s", disputes[order->disputes[i].state],
                   order->disputes[i].id);
        put_time(out, "at", order->disputes[i].time);
    }
    if (order->subscription)
        put_subscription(out, order->subscription);
    put_links(out, order);
    buf_puts(out, "]");
}

/* "malformed: sentence", or each order as "[id status at=.. ..]". A new string. */
static inline char *facts_text(const struct facts *facts)
{
    struct buf out = {0};
    if (facts->set_aside != SET_ASIDE_NONE)
        buf_printf(&out, "%s: %s", set_aside_name(facts->set_aside),
                   facts->detail ? facts->detail : "");
    for (size_t i = 0; i < facts->order_count; i++)
        put_order(&out, &facts->orders[i]);
    return buf_take(&out);
}

static inline char *read_bytes(const struct settings_source *source, const char *body, size_t len)
{
    struct facts facts = {0};
    char *exact = xmemdup(body, len ? len : 1);
    shop_read(source, exact, len, RECEIVED, &facts);
    free(exact);
    char *text = facts_text(&facts);
    facts_free(&facts);
    return text;
}

struct reading_case {
    const char *what, *body, *expected;
};

/* Runs a table; says which row differed. */
static inline void check_readings(const struct settings_source *source,
                                  const struct reading_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = read_bytes(source, cases[i].body, strlen(cases[i].body));
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
