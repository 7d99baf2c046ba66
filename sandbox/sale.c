#include "sale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sale_read.h"

static const char *const state_names[] = {"unpaid", "paid", "voided", "deleted"};
static const char *const refund_names[] = {"pending", "done", "failed", "reversed"};
static const char *const dispute_names[] = {"inquiry", "open", "won", "lost"};
static const char *const term_names[] = {"trial",  "active",    "past_due",
                                         "paused", "cancelled", "expired"};
/* Releases the texts of the items. */
void sale_items_free(struct sale_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i].product);
        free(items[i].variant);
        free(items[i].sku);
        free(items[i].name);
    }
    free(items);
}

void sale_free(struct sale *sale)
{
    if (sale == NULL)
        return;
    sale_items_free(sale->items, sale->item_count);
    for (size_t i = 0; i < sale->refund_count; i++) {
        free(sale->refunds[i].quantities);
        free(sale->refunds[i].reason);
    }
    free(sale->payments);
    free(sale->refunds);
    free(sale->disputes);
    free(sale->email);
    free(sale->name);
    free(sale->reference);
    free(sale->link);
    free(sale);
}

/* NULL stays NULL. */
static char *copy_text(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

/* A copy of an array, or NULL for none. */
static void *copy_array(const void *items, size_t count, size_t size)
{
    return count == 0 ? NULL : xmemdup(items, count * size);
}

/* Nothing is shared with the original. */
struct sale *sale_copy(const struct sale *sale)
{
    struct sale *copy = xmemdup(sale, sizeof(*sale));
    copy->email = copy_text(sale->email);
    copy->name = copy_text(sale->name);
    copy->reference = copy_text(sale->reference);
    copy->link = copy_text(sale->link);
    copy->items = copy_array(sale->items, sale->item_count, sizeof(*sale->items));
    for (size_t i = 0; copy->items != NULL && i < copy->item_count; i++) {
        copy->items[i].product = copy_text(sale->items[i].product);
        copy->items[i].variant = copy_text(sale->items[i].variant);
        copy->items[i].sku = copy_text(sale->items[i].sku);
        copy->items[i].name = copy_text(sale->items[i].name);
    }
    copy->payments = copy_array(sale->payments, sale->payment_count, sizeof(*sale->payments));
    copy->disputes = copy_array(sale->disputes, sale->dispute_count, sizeof(*sale->disputes));
    copy->refunds = copy_array(sale->refunds, sale->refund_count, sizeof(*sale->refunds));
    for (size_t i = 0; copy->refunds != NULL && i < copy->refund_count; i++) {
        const struct sale_refund *refund = &sale->refunds[i];
        copy->refunds[i].reason = copy_text(refund->reason);
        copy->refunds[i].quantities =
            refund->quantities == NULL
                ? NULL
                : copy_array(refund->quantities, refund->count, sizeof(*refund->quantities));
    }
    return copy;
}

int64_t sale_item_cents(const struct sale *sale, bool recurring)
{
    int64_t cents = 0;
    for (size_t i = 0; i < sale->item_count; i++)
        if (sale->items[i].recurring == recurring)
            cents += sale->items[i].cents * sale->items[i].quantity;
    return cents;
}

int64_t sale_total(const struct sale *sale)
{
    return sale_item_cents(sale, true) + sale_item_cents(sale, false);
}

int64_t sale_paid(const struct sale *sale, size_t payment)
{
    if (payment >= sale->payment_count || sale->payments[payment].paid == TIME_NONE)
        return 0;
    return sale->payments[payment].cents;
}

int64_t sale_given_back(const struct sale *sale, size_t payment)
{
    int64_t cents = 0;
    for (size_t i = 0; i < sale->refund_count; i++)
        if (sale->refunds[i].payment == payment && sale->refunds[i].state == SALE_REFUND_DONE)
            cents += sale->refunds[i].cents;
    return cents;
}

int64_t sale_refunded(const struct sale *sale)
{
    int64_t cents = 0;
    for (size_t i = 0; i < sale->payment_count; i++)
        cents += sale_given_back(sale, i);
    return cents;
}

bool sale_has_term(const struct sale *sale)
{
    return sale->term.id != 0;
}

const struct sale_payment *sale_last_payment(const struct sale *sale)
{
    return sale->payment_count == 0 ? NULL : &sale->payments[sale->payment_count - 1];
}

int64_t sale_part(struct sale *sale)
{
    sale->parts++;
    if (sale->parts >= SALE_PARTS)
        die("sale %lld has too many parts", (long long)sale->number);
    return sale->number * SALE_PARTS + sale->parts;
}

/* Every change is later than the one before, whatever the clock did. */
static void touch(struct sale *sale, int64_t now)
{
    sale->updated = now > sale->updated ? now : sale->updated + 1;
}

/* Says why not. */
static bool cannot(const char **error, const char *sentence)
{
    *error = sentence;
    return false;
}

/* A payment of the period that runs, or of what is bought once. */
static struct sale_payment *add_payment(struct sale *sale, int64_t cents, int64_t now, bool paid)
{
    bool term = sale_has_term(sale);
    sale->payments =
        xreallocarray(sale->payments, sale->payment_count + 1, sizeof(*sale->payments));
    struct sale_payment *payment = &sale->payments[sale->payment_count++];
    *payment = (struct sale_payment){
        .id = sale_part(sale),
        .cents = cents,
        .created = now,
        .paid = paid ? now : TIME_NONE,
        .period_start = term ? sale->term.period_start : TIME_NONE,
        .period_end = term ? sale->term.period_end : TIME_NONE,
    };
    return payment;
}

/* Begins the subscription's first period at the moment of the payment. */
static void begin_term(struct sale *sale, int64_t now)
{
    struct sale_term *term = &sale->term;
    int64_t length =
        term->trial_end == TIME_NONE ? term->days * TIME_DAY : term->trial_end - sale->created;
    term->state = term->trial_end == TIME_NONE ? SALE_ACTIVE : SALE_TRIAL;
    term->period_start = now;
    term->period_end = now + length;
    if (term->trial_end != TIME_NONE)
        term->trial_end = term->period_end;
}

bool sale_pay(struct sale *sale, int64_t now, const char **error)
{
    if (sale->state != SALE_UNPAID)
        return cannot(error, "the sale is not waiting for a payment");
    touch(sale, now);
    sale->state = SALE_PAID;
    if (sale_has_term(sale))
        begin_term(sale, sale->updated);
    bool trial = sale_has_term(sale) && sale->term.state == SALE_TRIAL;
    int64_t cents = trial ? sale_item_cents(sale, false) : sale_total(sale);
    if (sale_has_term(sale) || cents > 0)
        add_payment(sale, cents, sale->updated, true);
    return true;
}

bool sale_void(struct sale *sale, int64_t now, const char **error)
{
    if (sale->state != SALE_UNPAID)
        return cannot(error, "only a sale that is unpaid can be voided");
    touch(sale, now);
    sale->state = SALE_VOIDED;
    return true;
}

/* Counts what a refund gave back of each item, or takes it off again. */
static void count_items(struct sale *sale, const struct sale_refund *refund, int sign)
{
    for (size_t i = 0; refund->quantities != NULL && i < refund->count && i < sale->item_count; i++)
        sale->items[i].refunded += sign * refund->quantities[i];
    /* Items may have changed since. */
    for (size_t i = 0; i < sale->item_count; i++)
        if (sale->items[i].refunded < 0)
            sale->items[i].refunded = 0;
}

long sale_give_back(struct sale *sale, struct json_object *input, int64_t now, const char **error)
{
    struct sale_refund refund = {0};
    if (sale->state != SALE_PAID || sale->payment_count == 0) {
        *error = "nothing was paid that could be given back";
        return -1;
    }
    if (!sale_read_refund(sale, input, &refund, error)) {
        free(refund.quantities);
        return -1;
    }
    const char *reason = tree_get_text(input, "reason");
    touch(sale, now);
    refund.id = sale_part(sale);
    refund.created = sale->updated;
    refund.updated = sale->updated;
    refund.reason = xstrdup(reason == NULL ? "" : reason);
    refund.state = tree_get_bool(input, "pending", false) ? SALE_REFUND_PENDING : SALE_REFUND_DONE;
    sale->refunds = xreallocarray(sale->refunds, sale->refund_count + 1, sizeof(*sale->refunds));
    sale->refunds[sale->refund_count++] = refund;
    if (refund.state == SALE_REFUND_DONE)
        count_items(sale, &refund, 1);
    return (long)sale->refund_count - 1;
}

bool sale_refund_approve(struct sale *sale, size_t refund, int64_t now, const char **error)
{
    if (refund >= sale->refund_count || sale->refunds[refund].state != SALE_REFUND_PENDING)
        return cannot(error, "refund: expected one that is pending");
    touch(sale, now);
    sale->refunds[refund].state = SALE_REFUND_DONE;
    sale->refunds[refund].updated = sale->updated;
    count_items(sale, &sale->refunds[refund], 1);
    return true;
}

bool sale_refund_fail(struct sale *sale, size_t refund, int64_t now, const char **error)
{
    if (refund >= sale->refund_count || sale->refunds[refund].state > SALE_REFUND_DONE)
        return cannot(error, "refund: expected one that is pending or done");
    struct sale_refund *failed = &sale->refunds[refund];
    touch(sale, now);
    if (failed->state == SALE_REFUND_DONE)
        count_items(sale, failed, -1);
    failed->state = failed->state == SALE_REFUND_DONE ? SALE_REFUND_REVERSED : SALE_REFUND_FAILED;
    failed->updated = sale->updated;
    return true;
}

long sale_dispute_open(struct sale *sale, struct json_object *input, int64_t now,
                       const char **error)
{
    size_t payment;
    if (!sale_read_payment(sale, input, &payment, error))
        return -1;
    touch(sale, now);
    sale->disputes =
        xreallocarray(sale->disputes, sale->dispute_count + 1, sizeof(*sale->disputes));
    sale->disputes[sale->dispute_count] = (struct sale_dispute){
        .id = sale_part(sale),
        .cents = sale->payments[payment].cents,
        .payment = payment,
        .inquiry = tree_get_bool(input, "inquiry", false),
        .created = sale->updated,
        .updated = sale->updated,
        .state = tree_get_bool(input, "inquiry", false) ? SALE_DISPUTE_INQUIRY : SALE_DISPUTE_OPEN,
    };
    return (long)sale->dispute_count++;
}

/* Moves a dispute that is not closed yet. */
static bool move_dispute(struct sale *sale, size_t dispute, enum sale_dispute_state state,
                         int64_t now, const char **error)
{
    if (dispute >= sale->dispute_count || sale->disputes[dispute].state > SALE_DISPUTE_OPEN)
        return cannot(error, "dispute: expected one that is not closed");
    touch(sale, now);
    sale->disputes[dispute].state = state;
    sale->disputes[dispute].updated = sale->updated;
    return true;
}

bool sale_dispute_close(struct sale *sale, size_t dispute, bool won, int64_t now,
                        const char **error)
{
    return move_dispute(sale, dispute, won ? SALE_DISPUTE_WON : SALE_DISPUTE_LOST, now, error);
}

bool sale_dispute_escalate(struct sale *sale, size_t dispute, int64_t now, const char **error)
{
    if (!move_dispute(sale, dispute, SALE_DISPUTE_OPEN, now, error))
        return false;
    sale->disputes[dispute].inquiry = false;
    return true;
}

/* Whether the sale has a subscription that goes on. */
static bool goes_on(const struct sale *sale, const char **error)
{
    if (!sale_has_term(sale) || sale->state != SALE_PAID)
        return cannot(error, "the sale has begun no subscription");
    if (sale->term.state == SALE_EXPIRED)
        return cannot(error, "the subscription has ended");
    return true;
}

/* The next period follows the last one without a gap, and nothing of it was given back yet. */
static void next_period(struct sale *sale)
{
    for (size_t i = 0; i < sale->item_count; i++)
        if (sale->items[i].recurring)
            sale->items[i].refunded = 0;
    sale->term.period_start = sale->term.period_end;
    sale->term.period_end += sale->term.days * TIME_DAY;
}

bool sale_renew(struct sale *sale, int64_t now, const char **error)
{
    struct sale_term *term = &sale->term;
    if (!goes_on(sale, error))
        return false;
    if (term->state == SALE_PAUSED || term->state == SALE_CANCELLED)
        return cannot(error, "the subscription does not renew: resume it first");
    touch(sale, now);
    if (term->state == SALE_PAST_DUE) {
        sale->payments[sale->payment_count - 1].paid = sale->updated;
    } else {
        next_period(sale);
        add_payment(sale, sale_item_cents(sale, true), sale->updated, true);
    }
    term->state = SALE_ACTIVE;
    term->unpaid_since = TIME_NONE;
    return true;
}

bool sale_fall_due(struct sale *sale, int64_t now, const char **error)
{
    struct sale_term *term = &sale->term;
    if (!goes_on(sale, error))
        return false;
    if (term->state != SALE_ACTIVE && term->state != SALE_TRIAL)
        return cannot(error, "only an active subscription falls due");
    touch(sale, now);
    /* As if the next period began now: nobody waits for a month. */
    term->period_end = sale->updated;
    next_period(sale);
    add_payment(sale, sale_item_cents(sale, true), sale->updated, false);
    term->state = SALE_PAST_DUE;
    term->unpaid_since = sale->updated;
    return true;
}

bool sale_pause(struct sale *sale, int64_t now, const char **error)
{
    if (!goes_on(sale, error))
        return false;
    if (sale->term.state != SALE_ACTIVE && sale->term.state != SALE_PAST_DUE)
        return cannot(error, "only an active subscription can be paused");
    touch(sale, now);
    sale->term.state = SALE_PAUSED;
    sale->term.paused = sale->updated;
    return true;
}

bool sale_resume(struct sale *sale, int64_t now, const char **error)
{
    struct sale_term *term = &sale->term;
    if (!goes_on(sale, error))
        return false;
    if (term->state != SALE_PAUSED && term->state != SALE_CANCELLED)
        return cannot(error, "the subscription is neither paused nor cancelled");
    touch(sale, now);
    term->state =
        term->trial_end != TIME_NONE && term->trial_end > sale->updated ? SALE_TRIAL : SALE_ACTIVE;
    term->paused = TIME_NONE;
    term->cancelled = TIME_NONE;
    term->cancel_at_period_end = false;
    return true;
}

bool sale_cancel(struct sale *sale, int64_t now, const char **error)
{
    if (!goes_on(sale, error))
        return false;
    if (sale->term.state != SALE_ACTIVE && sale->term.state != SALE_TRIAL)
        return cannot(error, "only an active subscription can be cancelled for the period's end");
    touch(sale, now);
    sale->term.state = SALE_CANCELLED;
    sale->term.cancelled = sale->updated;
    sale->term.cancel_at_period_end = true;
    return true;
}

bool sale_expire(struct sale *sale, int64_t now, const char **error)
{
    if (!goes_on(sale, error))
        return false;
    touch(sale, now);
    if (sale->term.cancelled == TIME_NONE)
        sale->term.cancelled = sale->updated;
    sale->term.state = SALE_EXPIRED;
    sale->term.ended = sale->updated;
    return true;
}

bool sale_change(struct sale *sale, struct json_object *input, int64_t now, const char **error)
{
    if (!goes_on(sale, error) || !sale_read_change(sale, input, error))
        return false;
    touch(sale, now);
    return true;
}

void sale_set_email(struct sale *sale, const char *email, int64_t now)
{
    free(sale->email);
    sale->email = xstrdup(email == NULL ? "" : email);
    touch(sale, now);
}

void sale_delete(struct sale *sale, int64_t now)
{
    sale->state = SALE_DELETED;
    touch(sale, now);
}

/* The items, with what is needed to refund them. */
static struct json_object *items_tree(const struct sale *sale)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sale->item_count; i++) {
        const struct sale_item *item = &sale->items[i];
        struct json_object *tree = tree_object();
        tree_number(tree, "item", item->id);
        tree_text(tree, "product", item->product);
        tree_text(tree, "variant", item->variant);
        tree_text(tree, "sku", item->sku);
        tree_text(tree, "name", item->name);
        tree_number(tree, "quantity", item->quantity);
        tree_number(tree, "cents", item->cents);
        tree_number(tree, "refunded", item->refunded);
        tree_bool(tree, "recurring", item->recurring);
        tree_add(list, tree);
    }
    return list;
}

/* The subscription, or null. */
static struct json_object *term_tree(const struct sale_term *term)
{
    if (term->id == 0)
        return NULL;
    struct json_object *tree = tree_object();
    tree_number(tree, "id", term->id);
    tree_text(tree, "state", term_names[term->state]);
    tree_time(tree, "period_start", term->period_start);
    tree_time(tree, "period_end", term->period_end);
    tree_time(tree, "trial_end", term->trial_end);
    tree_time(tree, "ended", term->ended);
    return tree;
}

/* Refunds and disputes: id and state. */
static void put_money_back(struct json_object *tree, const struct sale *sale)
{
    struct json_object *refunds = tree_array(), *disputes = tree_array();
    for (size_t i = 0; i < sale->refund_count; i++) {
        struct json_object *refund = tree_object();
        tree_number(refund, "id", sale->refunds[i].id);
        tree_number(refund, "cents", sale->refunds[i].cents);
        tree_text(refund, "state", refund_names[sale->refunds[i].state]);
        tree_add(refunds, refund);
    }
    for (size_t i = 0; i < sale->dispute_count; i++) {
        struct json_object *dispute = tree_object();
        tree_number(dispute, "id", sale->disputes[i].id);
        tree_text(dispute, "state", dispute_names[sale->disputes[i].state]);
        tree_add(disputes, dispute);
    }
    tree_put(tree, "refunds", refunds);
    tree_put(tree, "disputes", disputes);
}

struct json_object *sale_summary(const char *source, const struct sale *sale)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "id", sale->number);
    tree_text(tree, "source", source);
    tree_text(tree, "status", state_names[sale->state]);
    tree_text(tree, "email", sale->email);
    tree_text(tree, "reference", sale->reference);
    tree_number(tree, "cents", sale_total(sale));
    tree_number(tree, "refunded", sale_refunded(sale));
    tree_number(tree, "payments", (int64_t)sale->payment_count);
    tree_time(tree, "created", sale->created);
    tree_time(tree, "updated", sale->updated);
    tree_put(tree, "items", items_tree(sale));
    put_money_back(tree, sale);
    tree_put(tree, "subscription", term_tree(&sale->term));
    return tree;
}
