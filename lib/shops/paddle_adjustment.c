/*
 * Adjustments: what is done to a transaction after it was paid.
 *
 *     refund                    counts once it is approved; rejected or reversed, it never was
 *     chargeback                takes access until a chargeback_reverse (or `reversed`) wins it
 *     chargeback_warning        an inquiry: takes nothing
 *     credit                    settles what is owed for a change of plan: gives nothing back
 *
 * A reversal is an adjustment of its own that names the transaction and not what it reverses, so a
 * dispute is one for each transaction and kind.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/paddle.h"

/* An item of type `full` gives back all that there was of its line, without saying how many. */
#define ALL_OF_LINE LIMIT_QUANTITY

enum effect { EFFECT_NONE, EFFECT_REFUND, EFFECT_CHARGEBACK, EFFECT_WARNING };

static const struct {
    const char *name;
    enum effect effect;
    bool reverses;
} actions[] = {
    {"refund", EFFECT_REFUND, false},
    {"chargeback", EFFECT_CHARGEBACK, false},
    {"chargeback_reverse", EFFECT_CHARGEBACK, true},
    {"chargeback_warning", EFFECT_WARNING, false},
    {"chargeback_warning_reverse", EFFECT_WARNING, true},
    {"credit", EFFECT_NONE, false},
    {"credit_reverse", EFFECT_NONE, true},
};

enum standing { STANDING_PENDING, STANDING_APPROVED, STANDING_REJECTED, STANDING_REVERSED };

static const char *const standings[] = {
    [STANDING_PENDING] = "pending_approval",
    [STANDING_APPROVED] = "approved",
    [STANDING_REJECTED] = "rejected",
    [STANDING_REVERSED] = "reversed",
};

/* What an adjustment is, before anything is made of it. */
struct adjustment {
    enum effect effect;
    bool reverses;
    enum standing standing;
    int64_t time;
};

static int read_head(struct facts *facts, const struct json_object *data,
                     const struct paddle_evidence *evidence, struct adjustment *out)
{
    const char *action = shop_json_text(data, "action"), *status = shop_json_text(data, "status");
    size_t a = 0, s = 0;
    const size_t action_count = sizeof(actions) / sizeof(actions[0]);
    const size_t standing_count = sizeof(standings) / sizeof(standings[0]);
    while (a < action_count && (!action || strcmp(actions[a].name, action) != 0))
        a++;
    while (s < standing_count && (!status || strcmp(standings[s], status) != 0))
        s++;
    if (a == action_count || s == standing_count) {
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "`%s` of the adjustment is none that this version knows",
                        a == action_count ? "action" : "status");
        return -1;
    }
    out->effect = actions[a].effect;
    out->reverses = actions[a].reverses;
    out->standing = (enum standing)s;
    if (paddle_take_time(facts, data, evidence, &out->time))
        return -1;
    out->time = evidence_time(out->time, evidence->received_at);
    return 0;
}

static int take_amount(struct facts *facts, const struct json_object *data, int64_t *amount)
{
    const struct json_object *totals = shop_json_object(data, "totals");
    const char *currency = shop_json_text(totals, "currency_code");
    if (!currency)
        currency = shop_json_text(data, "currency_code");
    return shop_take_minor(facts, totals, "total", currency, 0, amount);
}

/* The id of the snapshot's line that an item gives back: where lines have their prices' ids, the
 * transaction that was read along knows which price the item was of. */
static int take_line_id(struct facts *facts, const struct json_object *item,
                        const struct json_object *transaction, char **line_id)
{
    if (shop_take_id(facts, item, "item_id", LIMIT_ORDER_ID, line_id))
        return -1;
    struct json_object *lines =
        shop_json_array(shop_json_object(transaction, "details"), "line_items");
    for (size_t i = 0; lines && i < json_object_array_length(lines); i++) {
        const struct json_object *line = json_object_array_get_idx(lines, i);
        const char *id = shop_json_text(line, "id"), *price = shop_json_text(line, "price_id");
        if (!id || !price || strcmp(id, *line_id) != 0 || strlen(price) > LIMIT_ORDER_ID)
            continue;
        free(*line_id);
        *line_id = xstrdup(price);
        break;
    }
    return 0;
}

/* Lines that went back whole. What is partial, prorated or tax takes money from a line, and none of
 * its quantity. `transaction`: the one whose prices name the lines, or NULL. */
static int read_lines(struct facts *facts, const struct json_object *data,
                      const struct json_object *transaction, struct fact_refund_line **lines,
                      size_t *count, bool *known)
{
    struct json_object *items = shop_json_array(data, "items");
    *known = items != NULL;
    for (size_t i = 0; items && i < json_object_array_length(items); i++) {
        const struct json_object *item = json_object_array_get_idx(items, i);
        const char *type = shop_json_text(item, "type");
        char *line_id;
        if (!type || strcmp(type, "full") != 0)
            continue;
        if (take_line_id(facts, item, transaction, &line_id))
            return -1;
        bool told = false;
        for (size_t j = 0; j < *count; j++)
            told = told || strcmp((*lines)[j].line_id, line_id) == 0;
        if (told)
            free(line_id);
        else if (evidence_add_refund_line(facts, lines, count, line_id, ALL_OF_LINE))
            return -1;
    }
    return 0;
}

static void add_refund(struct facts *facts, struct fact_order *order, const char *transaction,
                       const struct json_object *data, const struct adjustment *adjustment)
{
    static const enum refund_state states[] = {
        [STANDING_PENDING] = REFUND_PENDING,
        [STANDING_APPROVED] = REFUND_DONE,
        [STANDING_REJECTED] = REFUND_FAILED,
        [STANDING_REVERSED] = REFUND_FAILED,
    };
    struct fact_refund *refund = fact_add_refund(order);
    refund->time = adjustment->time;
    refund->state = states[adjustment->standing];
    refund->payment = xstrdup(transaction);
    if (shop_take_id(facts, data, "id", LIMIT_ORDER_ID, &refund->id) ||
        take_amount(facts, data, &refund->amount) ||
        read_lines(facts, data, NULL, &refund->lines, &refund->line_count, &refund->lines_known))
        return;
}

/* A reversal that counts wins the dispute, as does a chargeback that is itself reversed; one that
 * does not count (yet, or any more) says nothing. */
static enum dispute_state state_of(const struct adjustment *adjustment)
{
    if (adjustment->reverses)
        return adjustment->standing == STANDING_APPROVED ? DISPUTE_WON : DISPUTE_NONE;
    if (adjustment->standing == STANDING_PENDING)
        return DISPUTE_INQUIRY;
    if (adjustment->standing != STANDING_APPROVED)
        return DISPUTE_WON;
    return adjustment->effect == EFFECT_CHARGEBACK ? DISPUTE_OPEN : DISPUTE_INQUIRY;
}

/* Adds a dispute, or the later word on one that stands in the same list. */
static void add_dispute(struct fact_order *order, const char *transaction,
                        const struct adjustment *adjustment)
{
    enum dispute_state state = state_of(adjustment);
    char *id = xasprintf(
        "%s:%s", adjustment->effect == EFFECT_CHARGEBACK ? "chargeback" : "warning", transaction);
    struct fact_dispute *same = NULL;
    for (size_t i = 0; i < order->dispute_count && !same; i++)
        if (strcmp(order->disputes[i].id, id) == 0)
            same = &order->disputes[i];
    if (!same) {
        *fact_add_dispute(order) =
            (struct fact_dispute){.id = id, .time = adjustment->time, .state = state};
        return;
    }
    free(id);
    if (adjustment->time > same->time || (adjustment->time == same->time && state > same->state)) {
        same->time = adjustment->time;
        same->state = state;
    }
}

static bool tells_nothing(const struct adjustment *adjustment)
{
    return adjustment->effect == EFFECT_NONE ||
           (adjustment->effect != EFFECT_REFUND && state_of(adjustment) == DISPUTE_NONE);
}

void paddle_read_adjustment(const struct json_object *data, const struct paddle_evidence *evidence,
                            struct facts *facts)
{
    struct adjustment adjustment;
    char *transaction = NULL, *subscription = NULL;
    if (read_head(facts, data, evidence, &adjustment))
        return;
    if (tells_nothing(&adjustment)) {
        facts_set_aside(facts, SET_ASIDE_NOT_AN_ORDER,
                        "the adjustment neither gives money back nor disputes a payment");
        return;
    }
    if (shop_take_id(facts, data, "transaction_id", PADDLE_TRANSACTION_ID, &transaction) == 0 &&
        shop_take_optional_id(facts, data, "subscription_id", LIMIT_ORDER_ID, &subscription) == 0) {
        struct fact_order *order = facts_add_order(facts, transaction, strlen(transaction));
        /* Whether the transaction pays for the subscription or is a charge of its own, it says
         * itself; mostly that is known by now. */
        if (subscription && adjustment.standing != STANDING_PENDING)
            fact_add_need(order, NEED_OWNER, transaction, false);
        if (adjustment.effect != EFFECT_REFUND)
            add_dispute(order, transaction, &adjustment);
        else
            add_refund(facts, order, transaction, data, &adjustment);
    }
    free(subscription);
    free(transaction);
}

/* One of the adjustments that a transaction was read with. */
static int add_adjustment(struct facts *facts, struct fact_order *order, const char *transaction_id,
                          const struct json_object *transaction, const struct json_object *data,
                          const struct paddle_evidence *evidence, bool by_price)
{
    struct adjustment adjustment;
    char *id;
    if (read_head(facts, data, evidence, &adjustment))
        return -1;
    if (tells_nothing(&adjustment))
        return 0;
    if (adjustment.effect != EFFECT_REFUND) {
        add_dispute(order, transaction_id, &adjustment);
        return 0;
    }
    if (adjustment.standing != STANDING_APPROVED)
        return 0;
    if (shop_take_id(facts, data, "id", LIMIT_ORDER_ID, &id))
        return -1;
    struct fact_listed_refund *refund =
        evidence_add_listed_refund(facts, fact_order_snapshot(order), id);
    return !refund || take_amount(facts, data, &refund->amount)
               ? -1
               : read_lines(facts, data, by_price ? transaction : NULL, &refund->lines,
                            &refund->line_count, &refund->lines_known);
}

int paddle_add_adjustments(struct facts *facts, struct fact_order *order,
                           const struct json_object *data, const struct paddle_evidence *evidence,
                           bool by_price)
{
    struct json_object *adjustments = shop_json_array(data, "adjustments");
    char *id;
    if (!adjustments)
        return 0;
    if (shop_take_id(facts, data, "id", PADDLE_TRANSACTION_ID, &id))
        return -1;
    int bad = 0;
    for (size_t i = 0; i < json_object_array_length(adjustments) && !bad; i++)
        bad = add_adjustment(facts, order, id, data, json_object_array_get_idx(adjustments, i),
                             evidence, by_price);
    fact_order_snapshot(order)->lists_refunds = true;
    free(id);
    return bad;
}
