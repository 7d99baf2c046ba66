#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "news.h"
#include "route.h"
#include "stand.h"

/*
 * The knobs of the stands: what buyers, banks and staff do at a shop that is no WooCommerce, and
 * the deliveries that follow. The input's `source` names the shop, whatever the provider.
 */

/* The shop, or NULL after answering. */
static struct stand_shop *stand_named(struct visit *visit)
{
    struct stand_shop *shop = sandbox_stand(visit->sandbox, tree_get_text(visit->input, "source"));
    if (shop == NULL)
        reply_bad(visit, "source: expected a configured source whose provider has a stand here");
    return shop;
}

/* The sale that the path names, or NULL after answering. */
static struct sale *sale_named(struct visit *visit)
{
    int64_t id;
    struct sale *sale = NULL;
    visit->stand = stand_named(visit);
    if (visit->stand == NULL)
        return NULL;
    if (text_to_int(visit->captures[0], strlen(visit->captures[0]), &id) == 0)
        sale = stand_find(visit->stand, id);
    if (sale != NULL && sale->state != SALE_DELETED)
        return sale;
    http_respond_problem(visit->request, 404, "not_found", NULL, "The shop has no such sale.");
    return NULL;
}

/* When it happens: `at`, if it is not before what happened last; else now. */
static int64_t moment(struct visit *visit, const struct sale *sale)
{
    const char *at = tree_get_text(visit->input, "at");
    int64_t then, now = clock_now();
    if (at == NULL || clock_parse(at, strlen(at), &then) != 0 || then > now || then < sale->updated)
        return now;
    return then;
}

/* Tells the front, then the caller. */
static void changed(struct visit *visit, struct sale *sale, int64_t before, enum sale_event event,
                    size_t part)
{
    stand_moved(visit->stand, sale, before);
    visit->sandbox->silent = tree_get_bool(visit->input, "silent", false);
    visit->stand->stand->tell(visit->sandbox, visit->stand, sale, event, part);
    visit->sandbox->silent = false;
    news_tell(visit->sandbox->news);
    reply_json(visit, sale_summary(visit->stand->source, sale));
}

/* POST sales {source, email, items, ...}. */
static void create(struct visit *visit)
{
    const char *error = NULL;
    struct stand_shop *shop = stand_named(visit);
    const struct settings_source *source = shop == NULL ? NULL : stand_source(visit->sandbox, shop);
    if (shop == NULL)
        return;
    if (source == NULL) {
        reply_bad(visit, "source: the configuration has it no more");
        return;
    }
    bool live = tree_get_bool(visit->input, "live", source->live);
    struct sale *sale = sale_read(visit->input, stand_next_number(shop), live, clock_now(), &error);
    if (sale != NULL && !stand_add(shop, sale)) {
        sale_free(sale);
        error = "the shop is full";
    }
    if (error != NULL) {
        reply_bad(visit, error);
        return;
    }
    visit->stand = shop;
    /* Without an error there is a sale. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    changed(visit, sale, sale->updated,
            sale->state == SALE_UNPAID ? SALE_EVENT_CREATED : SALE_EVENT_PAID, 0);
}

/* Knobs that only move the sale on: each is what happens, and what is told then. */
static const struct move {
    const char *name;
    bool (*move)(struct sale *sale, int64_t now, const char **error);
    enum sale_event event;
} moves[] = {
    {"pay", sale_pay, SALE_EVENT_PAID},
    {"fail", sale_void, SALE_EVENT_PAYMENT_FAILED},
    {"renew", sale_renew, SALE_EVENT_RENEWED},
    {"past-due", sale_fall_due, SALE_EVENT_PAST_DUE},
    {"pause", sale_pause, SALE_EVENT_TERM_PAUSED},
    {"resume", sale_resume, SALE_EVENT_TERM_RESUMED},
    {"cancel", sale_cancel, SALE_EVENT_TERM_CANCELLED},
    {"expire", sale_expire, SALE_EVENT_TERM_EXPIRED},
};

/* One of the table. */
static void move(struct visit *visit, const struct move *row)
{
    const char *error = NULL;
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    bool made_up = row->event == SALE_EVENT_RENEWED && sale->term.state == SALE_PAST_DUE;
    if (row->move(sale, moment(visit, sale), &error))
        changed(visit, sale, before, made_up ? SALE_EVENT_RECOVERED : row->event, 0);
    else
        reply_bad(visit, error);
}

/* The place of the refund or dispute that `key` names by its id; the last without one. */
static size_t refund_named(const struct visit *visit, const struct sale *sale)
{
    int64_t id = tree_get_number(visit->input, "refund", 0);
    size_t at = sale->refund_count - 1;
    for (size_t i = 0; i < sale->refund_count; i++)
        if (sale->refunds[i].id == id)
            at = i;
    return at;
}

static size_t dispute_named(const struct visit *visit, const struct sale *sale)
{
    int64_t id = tree_get_number(visit->input, "dispute", 0);
    size_t at = sale->dispute_count - 1;
    for (size_t i = 0; i < sale->dispute_count; i++)
        if (sale->disputes[i].id == id)
            at = i;
    return at;
}

/* POST sales/ID/refund {all} or {amount} or {items}[, pending, payment, reason]. */
static void refund(struct visit *visit)
{
    const char *error = NULL;
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    long at = sale_give_back(sale, visit->input, moment(visit, sale), &error);
    if (at < 0)
        reply_bad(visit, error);
    else
        changed(visit, sale, before,
                sale->refunds[at].state == SALE_REFUND_PENDING ? SALE_EVENT_REFUND_ASKED
                                                               : SALE_EVENT_REFUNDED,
                (size_t)at);
}

/* POST sales/ID/refund-approve [{refund}]. */
static void refund_approve(struct visit *visit)
{
    const char *error = NULL;
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    size_t at = refund_named(visit, sale);
    if (sale_refund_approve(sale, at, moment(visit, sale), &error))
        changed(visit, sale, before, SALE_EVENT_REFUNDED, at);
    else
        reply_bad(visit, error);
}

/* POST sales/ID/refund-fail [{refund}]. */
static void refund_fail(struct visit *visit)
{
    const char *error = NULL;
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    size_t at = refund_named(visit, sale);
    if (sale_refund_fail(sale, at, moment(visit, sale), &error))
        changed(visit, sale, before, SALE_EVENT_REFUND_FAILED, at);
    else
        reply_bad(visit, error);
}

/* POST sales/ID/dispute [{inquiry, payment}], or {escalate: true} of an inquiry. */
static void dispute(struct visit *visit)
{
    const char *error = NULL;
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated, now = moment(visit, sale);
    long at;
    if (tree_get_bool(visit->input, "escalate", false)) {
        at = (long)dispute_named(visit, sale);
        if (!sale_dispute_escalate(sale, (size_t)at, now, &error))
            at = -1;
    } else {
        at = sale_dispute_open(sale, visit->input, now, &error);
    }
    if (at < 0)
        reply_bad(visit, error);
    else
        changed(visit, sale, before, SALE_EVENT_DISPUTED, (size_t)at);
}

/* POST sales/ID/dispute-close {won[, dispute]}. */
static void dispute_close(struct visit *visit)
{
    const char *error = NULL;
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    size_t at = dispute_named(visit, sale);
    bool won = tree_get_bool(visit->input, "won", false);
    if (sale_dispute_close(sale, at, won, moment(visit, sale), &error))
        changed(visit, sale, before, won ? SALE_EVENT_DISPUTE_WON : SALE_EVENT_DISPUTE_LOST, at);
    else
        reply_bad(visit, error);
}

/* POST sales/ID/change {items} or {quantity}. */
static void change(struct visit *visit)
{
    const char *error = NULL;
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    if (sale_change(sale, visit->input, moment(visit, sale), &error))
        changed(visit, sale, before, SALE_EVENT_TERM_CHANGED, 0);
    else
        reply_bad(visit, error);
}

/* POST sales/ID/email {email}. */
static void address(struct visit *visit)
{
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    sale_set_email(sale, tree_get_text(visit->input, "email"), moment(visit, sale));
    changed(visit, sale, before, SALE_EVENT_ADDRESS_CHANGED, 0);
}

/* POST sales/ID/delete. */
static void erase(struct visit *visit)
{
    struct sale *sale = sale_named(visit);
    if (sale == NULL)
        return;
    int64_t before = sale->updated;
    sale_delete(sale, moment(visit, sale));
    changed(visit, sale, before, SALE_EVENT_DELETED, 0);
}

/* POST sales/ID/WHAT: one of the table. */
static void turn(struct visit *visit)
{
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        if (strcmp(moves[i].name, visit->captures[1]) != 0)
            continue;
        move(visit, &moves[i]);
        return;
    }
    http_respond_problem(visit->request, 404, "not_found", NULL, "There is no such knob.");
}

/* GET sales[?source=NAME]: the sales of one stand or all. */
static void list(struct visit *visit)
{
    struct json_object *tree = tree_object(), *sales = tree_array();
    char *source = visit_query(visit, "source");
    for (size_t s = 0; s < visit->sandbox->stand_count; s++) {
        const struct stand_shop *shop = visit->sandbox->stands[s];
        if (source != NULL && strcmp(source, shop->source) != 0)
            continue;
        for (size_t i = 0; i < shop->count; i++)
            tree_add(sales, sale_summary(shop->source, shop->sales[i]));
    }
    free(source);
    tree_put(tree, "sales", sales);
    reply_json(visit, tree);
}

/* Manners of some providers alone, by the names that the knob has for them. */
static const struct manner {
    const char *name;
    size_t offset;
} manners[] = {
    {"old_shape", offsetof(struct stand_shop, old_shape)},
    {"hide_addresses", offsetof(struct stand_shop, hide_addresses)},
    {"svix", offsetof(struct stand_shop, svix)},
    {"polar", offsetof(struct stand_shop, polar)},
    {"expanded", offsetof(struct stand_shop, expanded)},
};

/* POST stand {source[, webhook: "enabled"|"disabled"|"missing", old_shape]}. */
static void stand_post(struct visit *visit)
{
    struct stand_shop *shop = stand_named(visit);
    const char *webhook = tree_get_text(visit->input, "webhook");
    if (shop == NULL)
        return;
    if (webhook != NULL && strcmp(webhook, "enabled") != 0 && strcmp(webhook, "disabled") != 0 &&
        strcmp(webhook, "missing") != 0) {
        reply_bad(visit, "webhook: expected enabled, disabled or missing");
        return;
    }
    if (webhook != NULL) {
        shop->webhook_disabled = strcmp(webhook, "disabled") == 0;
        shop->webhook_missing = strcmp(webhook, "missing") == 0;
    }
    shop->bucket_size = tree_get_number(visit->input, "bucket", shop->bucket_size);
    struct json_object *tree = tree_object();
    tree_text(tree, "webhook",
              shop->webhook_missing    ? "missing"
              : shop->webhook_disabled ? "disabled"
                                       : "enabled");
    tree_number(tree, "bucket", shop->bucket_size);
    for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
        bool *manner = (bool *)(void *)((char *)shop + manners[i].offset);
        *manner = tree_get_bool(visit->input, manners[i].name, *manner);
        tree_bool(tree, manners[i].name, *manner);
    }
    reply_json(visit, tree);
}

const struct route sale_knob_routes[] = {
    {"GET", "/sandbox/api/sales", ROUTE_OPEN, list},
    {"POST", "/sandbox/api/sales", ROUTE_KNOB, create},
    {"POST", "/sandbox/api/sales/*/refund", ROUTE_KNOB, refund},
    {"POST", "/sandbox/api/sales/*/refund-approve", ROUTE_KNOB, refund_approve},
    {"POST", "/sandbox/api/sales/*/refund-fail", ROUTE_KNOB, refund_fail},
    {"POST", "/sandbox/api/sales/*/dispute", ROUTE_KNOB, dispute},
    {"POST", "/sandbox/api/sales/*/dispute-close", ROUTE_KNOB, dispute_close},
    {"POST", "/sandbox/api/sales/*/change", ROUTE_KNOB, change},
    {"POST", "/sandbox/api/sales/*/email", ROUTE_KNOB, address},
    {"POST", "/sandbox/api/sales/*/delete", ROUTE_KNOB, erase},
    {"POST", "/sandbox/api/sales/*/*", ROUTE_KNOB, turn},
    {"POST", "/sandbox/api/stand", ROUTE_KNOB, stand_post},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
