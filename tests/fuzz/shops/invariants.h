/*
 * What must hold of facts, whatever bytes they were read from: the rooms behind rely on it, and
 * the tables have their keys and widths by it.
 */
#ifndef FUZZ_SHOPS_INVARIANTS_H
#define FUZZ_SHOPS_INVARIANTS_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/shop.h"

/* 2026-11-23T10:00:00Z */
#define RECEIVED (INT64_C(1795428000) * TIME_SECOND)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(int holds, const char *what)
{
    if (!holds)
        die("fuzz: does not hold: %s", what);
}

static inline void check_text(const char *text, size_t limit, int may_be_absent)
{
    must(text || may_be_absent, "an id is there");
    must(!text || (*text && strlen(text) <= limit), "a text is neither empty nor too long");
}

static inline void check_refund_lines(const struct fact_refund_line *lines, size_t count)
{
    must(count <= LIMIT_ORDER_LINES, "lines of a refund are bounded");
    for (size_t i = 0; i < count; i++) {
        check_text(lines[i].line_id, LIMIT_ORDER_ID, 0);
        must(lines[i].quantity >= 0 && lines[i].quantity <= LIMIT_QUANTITY,
             "a quantity given back");
        for (size_t j = 0; j < i; j++)
            must(strcmp(lines[i].line_id, lines[j].line_id) != 0, "a line is named once");
    }
}

static inline void check_snapshot(const struct fact_snapshot *snapshot)
{
    unsigned char index[DIGEST_LEN] = {0}, digest[DIGEST_LEN];
    must(snapshot->time <= RECEIVED + 5 * TIME_MINUTE, "no time is beyond receipt");
    must(snapshot->time != TIME_NONE, "a snapshot has a time");
    must((snapshot->address_state == ADDRESS_REAL) == (snapshot->address != NULL),
         "an address is there exactly if it is real");
    must(!snapshot->address || strlen(snapshot->address) <= LIMIT_ADDRESS, "an address is bounded");
    must(!snapshot->reference || strlen(snapshot->reference) <= LIMIT_REFERENCE,
         "a reference is bounded");
    must(snapshot->total >= -1 && snapshot->total <= LIMIT_AMOUNT, "a total");
    must(snapshot->line_count <= LIMIT_ORDER_LINES, "lines are bounded");
    for (size_t i = 0; i < snapshot->line_count; i++) {
        const struct fact_line *line = &snapshot->lines[i];
        check_text(line->id, LIMIT_ORDER_ID, 0);
        check_text(line->product, LIMIT_SELECTOR, 1);
        check_text(line->variant, LIMIT_SELECTOR, 1);
        check_text(line->sku, LIMIT_SELECTOR, 1);
        must(line->quantity >= 0 && line->refunded_quantity >= 0, "quantities");
        for (size_t j = 0; j < i; j++)
            must(strcmp(line->id, snapshot->lines[j].id) != 0, "a line's id stands once");
    }
    for (size_t i = 0; i < snapshot->refund_count; i++) {
        const struct fact_listed_refund *refund = &snapshot->refunds[i];
        check_text(refund->id, LIMIT_ORDER_ID, 0);
        must(refund->amount >= 0 && refund->amount <= LIMIT_AMOUNT, "an amount");
        check_refund_lines(refund->lines, refund->line_count);
        for (size_t j = 0; j < i; j++)
            must(strcmp(refund->id, snapshot->refunds[j].id) != 0, "a refund's id stands once");
    }
    fact_snapshot_digest(snapshot, snapshot->address ? index : NULL, digest);
}

static inline void check_order(const struct fact_order *order)
{
    check_text(order->id, LIMIT_ORDER_ID, 0);
    if (order->snapshot)
        check_snapshot(order->snapshot);
    for (size_t i = 0; i < order->refund_count; i++) {
        const struct fact_refund *refund = &order->refunds[i];
        check_text(refund->id, LIMIT_ORDER_ID, 0);
        must(refund->amount >= 0 && refund->amount <= LIMIT_AMOUNT, "an amount");
        must(refund->time != TIME_NONE && refund->time <= RECEIVED + 5 * TIME_MINUTE,
             "a refund's time");
        check_refund_lines(refund->lines, refund->line_count);
        for (size_t j = 0; j < i; j++)
            must(strcmp(refund->id, order->refunds[j].id) != 0, "a refund's id stands once");
    }
    for (size_t i = 0; i < order->dispute_count; i++) {
        check_text(order->disputes[i].id, LIMIT_ORDER_ID, 0);
        must(order->disputes[i].time != TIME_NONE &&
                 order->disputes[i].time <= RECEIVED + 3 * TIME_DAY,
             "a dispute's time, which may be the end of a day");
    }
}

static inline void check_facts(const struct facts *facts)
{
    must(facts->set_aside == SET_ASIDE_NONE || facts->order_count == 0,
         "what is set aside says nothing of an order");
    must(facts->set_aside == SET_ASIDE_NONE || facts->detail, "a reason has its sentence");
    must(!facts->detail || strlen(facts->detail) <= 255, "a sentence fits its column");
    for (size_t i = 0; i < facts->order_count; i++)
        check_order(&facts->orders[i]);
}

/* Reads the bytes as a delivery of the provider; twice, for the same must come of it. */
static inline void read_delivery(enum provider provider, bool live, const uint8_t *data,
                                 size_t size)
{
    static char name[] = "shop";
    struct settings_source source = {.name = name, .provider = provider, .live = live};
    struct facts first = {0}, second = {0};
    shop_read(&source, (const char *)data, size, RECEIVED, &first);
    shop_read(&source, (const char *)data, size, RECEIVED, &second);
    check_facts(&first);
    must(first.set_aside == second.set_aside && first.order_count == second.order_count,
         "reading is a function of the bytes");
    must(first.set_aside != SET_ASIDE_NONE || first.order_count == 1, "one order, or a reason");
    facts_free(&first);
    facts_free(&second);
}

#endif
