#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "stripe_json.h"
#include "stripe_rest.h"

/* Stripe's error envelope. */
static void fail(struct visit *visit, int status, const char *headers, const char *message)
{
    struct json_object *tree = tree_object(), *error = tree_object();
    tree_text(error, "type",
              status >= 500   ? "api_error"
              : status == 429 ? "rate_limit_error"
                              : "invalid_request_error");
    if (status == 404)
        tree_text(error, "code", "resource_missing");
    if (status == 429)
        tree_text(error, "code", "rate_limit");
    tree_text(error, "message", message);
    tree_put(tree, "error", error);
    stand_reply(visit, status, headers, tree);
}

/* The secret key, as a bearer or as the user of Basic. */
static bool authenticate(struct visit *visit)
{
    if (stand_has_bearer(visit))
        return true;
    fail(visit, 401, NULL, "Invalid API Key provided.");
    return false;
}

/* An event about an object, which it takes. */
struct news_of {
    struct sandbox *sandbox;
    struct stand_shop *shop;
    const struct sale *sale;
    struct stripe_view view;
};

static void send(const struct news_of *news, const char *type, struct json_object *object)
{
    struct json_object *tree = tree_object(), *data = tree_object(), *request = tree_object();
    char id[STRIPE_ID];
    stripe_id("evt_", stand_next_event(news->shop), id);
    tree_text(tree, "id", id);
    tree_text(tree, "object", "event");
    tree_text(tree, "api_version", news->shop->old_shape ? STRIPE_OLD_VERSION : STRIPE_VERSION);
    stand_put_seconds(tree, "created", news->sale->updated);
    tree_put(data, "object", object);
    tree_put(tree, "data", data);
    tree_bool(tree, "livemode", news->sale->live);
    tree_number(tree, "pending_webhooks", 1);
    tree_put(request, "id", NULL);
    tree_put(request, "idempotency_key", NULL);
    tree_put(tree, "request", request);
    tree_text(tree, "type", type);
    stand_send_tree(news->sandbox, news->shop, news->sale, type, id, NULL, tree);
}

/* The session, and with it the subscription that it begins. */
static void send_session(const struct news_of *news, const char *type)
{
    send(news, type, stripe_session_tree(&news->view));
}

static void send_subscription(const struct news_of *news, const char *type)
{
    if (sale_has_term(news->sale))
        send(news, type, stripe_subscription_tree(&news->view));
}

/* The last invoice of the subscription, and since basil which payment paid it. */
static void send_invoice(const struct news_of *news, const char *type)
{
    size_t last = news->sale->payment_count - 1;
    if (!sale_has_term(news->sale) || news->sale->payment_count == 0)
        return;
    send(news, type, stripe_invoice_tree(&news->view, last));
    if (strcmp(type, "invoice.paid") == 0 && stripe_is_charged(news->sale, last) &&
        !news->shop->old_shape)
        send(news, "invoice_payment.paid", stripe_invoice_payment_tree(&news->view, last));
}

/* The first payment: at the checkout, or later where it took its time. */
static void send_paid(const struct news_of *news)
{
    const struct sale *sale = news->sale;
    bool late = sale->updated > sale->created;
    send_session(news,
                 late ? "checkout.session.async_payment_succeeded" : "checkout.session.completed");
    send_subscription(news,
                      late ? "customer.subscription.updated" : "customer.subscription.created");
    send_invoice(news, "invoice.paid");
}

static void send_created(const struct news_of *news)
{
    send_session(news, "checkout.session.completed");
    send_subscription(news, "customer.subscription.created");
}

static void send_failed(const struct news_of *news)
{
    send_session(news, "checkout.session.async_payment_failed");
    send_subscription(news, "customer.subscription.updated");
}

/* A refund that was made at once is created; one that was waiting is updated. */
static void send_refunded(const struct news_of *news, const struct sale_refund *refund)
{
    bool waited = refund->updated > refund->created;
    send(news, "charge.refunded", stripe_charge_tree(&news->view, refund->payment));
    send(news, waited ? "refund.updated" : "refund.created",
         stripe_refund_tree(&news->view, refund));
}

/* A chargeback takes the money when it is opened, and a won one brings it back. */
static void send_dispute(const struct news_of *news, enum sale_event event,
                         const struct sale_dispute *dispute)
{
    bool first = dispute->updated == dispute->created;
    const char *type = event != SALE_EVENT_DISPUTED ? "charge.dispute.closed"
                       : first                      ? "charge.dispute.created"
                                                    : "charge.dispute.updated";
    send(news, type, stripe_dispute_tree(&news->view, dispute));
    if (event == SALE_EVENT_DISPUTE_WON && !dispute->inquiry)
        send(news, "charge.dispute.funds_reinstated", stripe_dispute_tree(&news->view, dispute));
}

/* Every event of a sale in Stripe's words. Nothing is ever deleted. */
static void tell(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part)
{
    const struct news_of news = {
        sandbox, shop, sale, {.shop = shop, .sale = sale, .old = shop->old_shape}};
    switch (event) {
    case SALE_EVENT_CREATED:
        send_created(&news);
        break;
    case SALE_EVENT_PAID:
        send_paid(&news);
        break;
    case SALE_EVENT_PAYMENT_FAILED:
        send_failed(&news);
        break;
    case SALE_EVENT_REFUND_ASKED:
        send(&news, "refund.created", stripe_refund_tree(&news.view, &sale->refunds[part]));
        break;
    case SALE_EVENT_REFUNDED:
        send_refunded(&news, &sale->refunds[part]);
        break;
    case SALE_EVENT_REFUND_FAILED:
        send(&news, "refund.failed", stripe_refund_tree(&news.view, &sale->refunds[part]));
        break;
    case SALE_EVENT_DISPUTED:
    case SALE_EVENT_DISPUTE_WON:
    case SALE_EVENT_DISPUTE_LOST:
        send_dispute(&news, event, &sale->disputes[part]);
        break;
    case SALE_EVENT_RENEWED:
    case SALE_EVENT_RECOVERED:
        send_subscription(&news, "customer.subscription.updated");
        send_invoice(&news, "invoice.paid");
        break;
    case SALE_EVENT_PAST_DUE:
        send_invoice(&news, "invoice.payment_failed");
        send_subscription(&news, "customer.subscription.updated");
        break;
    case SALE_EVENT_TERM_EXPIRED:
        send_subscription(&news, "customer.subscription.deleted");
        break;
    case SALE_EVENT_TERM_PAUSED:
    case SALE_EVENT_TERM_RESUMED:
    case SALE_EVENT_TERM_CANCELLED:
    case SALE_EVENT_TERM_CHANGED:
        send_subscription(&news, "customer.subscription.updated");
        break;
    case SALE_EVENT_ADDRESS_CHANGED:
        send(&news, "customer.updated", stripe_customer_tree(&news.view));
        break;
    case SALE_EVENT_DELETED:
    case SALE_EVENTS:
        break;
    }
}

const struct stand stand_stripe = {
    .provider = PROVIDER_STRIPE,
    .routes = stripe_routes,
    .authenticate = authenticate,
    .fail = fail,
    .tell = tell,
};
