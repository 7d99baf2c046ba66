#include "gumroad_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define SELLER "SELLER1=="

/* The item that renews. */
static const struct sale_item *recurring_item(const struct sale *sale)
{
    for (size_t i = 0; i < sale->item_count; i++)
        if (sale->items[i].recurring)
            return &sale->items[i];
    return &sale->items[0];
}

/* Things that were bought once. */
static size_t single_count(const struct sale *sale)
{
    size_t count = 0;
    for (size_t i = 0; i < sale->item_count; i++)
        count += !sale->items[i].recurring || !sale_has_term(sale);
    return count;
}

size_t gumroad_count(const struct sale *sale)
{
    if (sale->state == SALE_UNPAID || sale->state == SALE_VOIDED)
        return 0;
    size_t count = single_count(sale);
    if (!sale_has_term(sale))
        return count;
    count += 1;
    for (size_t i = 1; i < sale->payment_count; i++)
        count += sale->payments[i].paid != TIME_NONE;
    return count;
}

/* Things bought once come first, then the subscription's first purchase, then its renewals. */
struct gumroad_sale gumroad_at(const struct sale *sale, size_t at)
{
    size_t first = sale->payment_count > 0 ? 0 : GUMROAD_NO_PAYMENT;
    for (size_t i = 0; i < sale->item_count; i++)
        if ((!sale->items[i].recurring || !sale_has_term(sale)) && at-- == 0)
            return (struct gumroad_sale){
                sale, &sale->items[i], first, sale->items[i].id, sale->created, false};
    const struct sale_item *item = recurring_item(sale);
    if (at == 0)
        return (struct gumroad_sale){sale, item, 0, sale->payments[0].id, sale->created, false};
    for (size_t i = 1;; i++)
        if (sale->payments[i].paid != TIME_NONE && --at == 0)
            return (struct gumroad_sale){
                sale, item, i, sale->payments[i].id, sale->payments[i].paid, true};
}

char *gumroad_sale_id(int64_t part)
{
    return xasprintf("S%lld==", (long long)part);
}

char *gumroad_subscription_id(int64_t part)
{
    return xasprintf("U%lld==", (long long)part);
}

int64_t gumroad_part(const char *id, char letter)
{
    int64_t part;
    size_t len = strlen(id);
    bool good = len > 3 && id[0] == letter && strcmp(id + len - 2, "==") == 0 &&
                text_to_int(id + 1, len - 3, &part) == 0;
    return good ? part : -1;
}

/* Cents of this one. */
static int64_t price_of(const struct gumroad_sale *one)
{
    if (one->payment == GUMROAD_NO_PAYMENT)
        return 0;
    if (one->item->recurring && sale_has_term(one->sale))
        return one->payment == 0 && one->sale->term.trial_end != TIME_NONE
                   ? 0
                   : sale_item_cents(one->sale, true);
    return one->item->cents * one->item->quantity;
}

/* 0: nothing was given back, 1: some of it, 2: all. */
static int given_back(const struct gumroad_sale *one)
{
    const struct sale *sale = one->sale;
    if (one->payment == GUMROAD_NO_PAYMENT)
        return 0;
    int64_t back = sale_given_back(sale, one->payment);
    if (back == 0)
        return 0;
    bool single = !one->item->recurring || !sale_has_term(sale);
    if (back >= sale->payments[one->payment].cents ||
        (single && one->item->refunded >= one->item->quantity))
        return 2;
    return !single || one->item->refunded > 0 || sale->item_count == 1 ? 1 : 0;
}

/* What the bank says: an inquiry is none of the seller's. */
static void find_dispute(const struct gumroad_sale *one, bool *disputed, bool *won)
{
    *disputed = *won = false;
    for (size_t i = 0; i < one->sale->dispute_count; i++) {
        const struct sale_dispute *dispute = &one->sale->disputes[i];
        if (dispute->payment != one->payment || dispute->inquiry)
            continue;
        *disputed = true;
        *won = dispute->state == SALE_DISPUTE_WON;
    }
}

/* Whole seconds, as the server writes them. */
static void put_time(struct json_object *tree, const char *key, int64_t time)
{
    tree_time(tree, key, time == TIME_NONE ? time : (time / TIME_SECOND) * TIME_SECOND);
}

/* What the buyer chose: {"Tier": "Pro"}. */
static void put_variants(struct json_object *tree, const struct sale_item *item)
{
    struct json_object *variants = tree_object();
    if (item->variant != NULL)
        tree_text(variants, "Tier", item->variant);
    tree_bool(tree, "product_has_variants", item->variant != NULL);
    tree_put(tree, "variants", variants);
}

/* What a sale says of its subscription. */
static void put_term(struct json_object *tree, const struct sale *sale)
{
    const struct sale_term *term = &sale->term;
    char *id = gumroad_subscription_id(term->id);
    bool trial = term->trial_end != TIME_NONE;
    tree_text(tree, "subscription_id", id);
    tree_text(tree, "subscription_duration", "monthly");
    tree_bool(tree, "cancelled", term->state == SALE_CANCELLED || term->state == SALE_EXPIRED);
    tree_bool(tree, "ended", term->state == SALE_EXPIRED);
    tree_bool(tree, "dead", term->state == SALE_EXPIRED);
    put_time(tree, "free_trial_ends_on", term->trial_end);
    tree_bool(tree, "free_trial_ended", trial && term->state != SALE_TRIAL);
    free(id);
}

static void put_money(struct json_object *tree, const struct gumroad_sale *one)
{
    int back = given_back(one);
    bool disputed, won;
    find_dispute(one, &disputed, &won);
    tree_number(tree, "price", price_of(one));
    tree_number(tree, "gumroad_fee", price_of(one) / 10);
    tree_text(tree, "currency_symbol", "$");
    tree_bool(tree, "refunded", back == 2);
    tree_bool(tree, "partially_refunded", back == 1);
    tree_bool(tree, "chargedback", disputed && !won);
    tree_bool(tree, "disputed", disputed);
    tree_bool(tree, "dispute_won", won);
}

struct json_object *gumroad_sale_tree(const struct gumroad_sale *one)
{
    struct json_object *tree = tree_object();
    const struct sale *sale = one->sale;
    char *id = gumroad_sale_id(one->id);
    tree_text(tree, "id", id);
    tree_text(tree, "email", sale->email);
    tree_text(tree, "purchase_email", sale->email);
    tree_text(tree, "full_name", sale->name);
    tree_text(tree, "seller_id", SELLER);
    put_time(tree, "created_at", one->created);
    put_time(tree, "timestamp", one->created);
    tree_text(tree, "product_id", one->item->product);
    tree_text(tree, "product_permalink", one->item->sku);
    tree_text(tree, "product_name", one->item->name);
    put_variants(tree, one->item);
    tree_number(tree, "quantity", one->item->quantity);
    tree_number(tree, "order_id", sale->number);
    put_money(tree, one);
    if (sale_has_term(sale) && one->item->recurring)
        put_term(tree, sale);
    tree_bool(tree, "recurring_charge", one->renewal);
    tree_bool(tree, "is_gift_sender_purchase", false);
    tree_bool(tree, "is_gift_receiver_purchase", sale->gift);
    if (!sale->live)
        tree_bool(tree, "test", true);
    free(id);
    return tree;
}

/* A subscription that nobody paid for has failed; one that its buyer ended was cancelled. There is
 * no pause. */
static const char *status_of(const struct sale_term *term)
{
    if (term->state == SALE_CANCELLED)
        return "pending_cancellation";
    if (term->state == SALE_EXPIRED)
        return term->unpaid_since != TIME_NONE ? "failed_payment" : "cancelled";
    return "alive";
}

/* Ids of all its purchases, oldest first. */
static struct json_object *purchases_tree(const struct sale *sale)
{
    struct json_object *list = tree_array();
    for (size_t i = single_count(sale); i < gumroad_count(sale); i++) {
        char *id = gumroad_sale_id(gumroad_at(sale, i).id);
        tree_add(list, json_object_new_string(id));
        free(id);
    }
    return list;
}

struct json_object *gumroad_subscriber_tree(const struct sale *sale)
{
    struct json_object *tree = tree_object();
    const struct sale_term *term = &sale->term;
    const struct sale_item *item = recurring_item(sale);
    bool over = term->state == SALE_EXPIRED;
    bool failed = over && term->unpaid_since != TIME_NONE;
    char *id = gumroad_subscription_id(term->id);
    tree_text(tree, "id", id);
    tree_text(tree, "product_id", item->product);
    tree_text(tree, "product_name", item->name);
    tree_text(tree, "user_id", NULL);
    tree_text(tree, "user_email", sale->email);
    tree_text(tree, "email", sale->email);
    tree_put(tree, "purchase_ids", purchases_tree(sale));
    put_time(tree, "created_at", sale->created);
    put_time(tree, "user_requested_cancellation_at", term->cancelled);
    put_time(tree, "cancelled_at",
             term->state == SALE_CANCELLED ? term->period_end
             : over && !failed             ? term->ended
                                           : TIME_NONE);
    put_time(tree, "failed_at", failed ? term->ended : TIME_NONE);
    put_time(tree, "ended_at", TIME_NONE);
    put_time(tree, "free_trial_ends_at", term->trial_end);
    tree_text(tree, "recurrence", "monthly");
    tree_text(tree, "status", status_of(term));
    free(id);
    return tree;
}

/* name=value, both encoded. */
static void put_pair(struct buf *out, const char *name, const char *value)
{
    if (out->len > 0)
        buf_putc(out, '&');
    buf_url_encode(out, name, strlen(name));
    buf_putc(out, '=');
    buf_url_encode(out, value == NULL ? "" : value, value == NULL ? 0 : strlen(value));
}

static void put_number(struct buf *out, const char *name, int64_t value)
{
    char *text = xasprintf("%lld", (long long)value);
    put_pair(out, name, text);
    free(text);
}

static void put_moment(struct buf *out, const char *name, int64_t time)
{
    char text[TIME_TEXT];
    clock_format((time / TIME_SECOND) * TIME_SECOND, text);
    put_pair(out, name, text);
}

/* The product as pings name it, by id and by address. */
static void put_product(struct buf *out, const struct sale_item *item)
{
    char *address =
        xasprintf("https://seller.gumroad.com/l/%s", item->sku == NULL ? item->product : item->sku);
    put_pair(out, "seller_id", SELLER);
    put_pair(out, "product_id", item->product);
    put_pair(out, "product_name", item->name);
    put_pair(out, "permalink", item->sku);
    put_pair(out, "product_permalink", address);
    put_pair(out, "short_product_id", item->sku);
    free(address);
}

static void put_flag(struct buf *out, const char *name, bool value)
{
    put_pair(out, name, value ? "true" : "false");
}

void gumroad_sale_form(const struct gumroad_sale *one, const char *resource, struct buf *out)
{
    const struct sale *sale = one->sale;
    char *id = gumroad_sale_id(one->id);
    bool disputed, won;
    find_dispute(one, &disputed, &won);
    put_product(out, one->item);
    put_pair(out, "email", sale->email);
    put_number(out, "price", price_of(one));
    put_pair(out, "currency", "usd");
    put_number(out, "quantity", one->item->quantity);
    put_number(out, "order_number", sale->number);
    put_pair(out, "sale_id", id);
    put_moment(out, "sale_timestamp", one->created);
    if (sale_has_term(sale) && one->item->recurring) {
        char *subscription = gumroad_subscription_id(sale->term.id);
        put_pair(out, "subscription_id", subscription);
        put_flag(out, "is_recurring_charge", one->renewal);
        free(subscription);
    }
    if (one->item->variant != NULL)
        put_pair(out, "variants[Tier]", one->item->variant);
    if (sale->reference != NULL)
        put_pair(out, "url_params[miro_reference]", sale->reference);
    if (!sale->live)
        put_flag(out, "test", true);
    put_flag(out, "is_gift_receiver_purchase", sale->gift);
    put_flag(out, "refunded", given_back(one) == 2);
    put_pair(out, "resource_name", resource);
    put_flag(out, "disputed", disputed);
    put_flag(out, "dispute_won", won);
    free(id);
}

void gumroad_subscription_form(const struct sale *sale, const char *resource, struct buf *out)
{
    const struct sale_item *item = recurring_item(sale);
    char *id = gumroad_subscription_id(sale->term.id);
    put_pair(out, "subscription_id", id);
    put_pair(out, "product_id", item->product);
    put_pair(out, "product_name", item->name);
    put_pair(out, "user_email", sale->email);
    put_moment(out, "created_at", sale->created);
    put_moment(out, "event_at", sale->updated);
    put_pair(out, "recurrence", "monthly");
    put_pair(out, "resource_name", resource);
    free(id);
}
