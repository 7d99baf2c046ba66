/* Shops of payments, whose events speak of a payment and leave the rest to their API: Stripe does
 * not say what was bought, Paddle not by whom. */
#include "sample_shops.h"

#define STRIPE(object)                                                                   \
    "{\"id\":\"evt_<nonce>\",\"object\":\"event\",\"api_version\":\"2025-03-31.basil\"," \
    "\"created\":<seconds>,\"data\":{\"object\":" object "},\"livemode\":false,"         \
    "\"pending_webhooks\":1,\"request\":{\"id\":null,\"idempotency_key\":null},"         \
    "\"type\":\"<type>\"}"

#define STRIPE_SESSION(status, payment_status, payment)                                          \
    STRIPE("{\"id\":\"cs_test_<key>\",\"object\":\"checkout.session\",\"amount_subtotal\":4900," \
           "\"amount_total\":4900,\"client_reference_id\":null,\"created\":<seconds>,"           \
           "\"currency\":\"usd\",\"customer\":null,\"customer_details\":{\"address\":null,"      \
           "\"email\":\"<address>\",\"name\":\"Sample\",\"phone\":null,\"tax_exempt\":\"none\"," \
           "\"tax_ids\":[]},\"customer_email\":null,\"invoice\":null,\"livemode\":false,"        \
           "\"metadata\":{},\"mode\":\"payment\",\"payment_intent\":" payment ","                \
           "\"payment_link\":null,\"payment_status\":\"" payment_status "\","                    \
           "\"status\":\"" status "\",\"subscription\":null,\"url\":null}")

#define STRIPE_PAYMENT "\"pi_<key>\""

#define STRIPE_CHARGE                                                                        \
    STRIPE("{\"id\":\"ch_<key>\",\"object\":\"charge\",\"amount\":4900,"                     \
           "\"amount_captured\":4900,\"amount_refunded\":4900,\"billing_details\":{"         \
           "\"address\":null,\"email\":\"<address>\",\"name\":\"Sample\",\"phone\":null},"   \
           "\"captured\":true,\"created\":<seconds>,\"currency\":\"usd\",\"customer\":null," \
           "\"disputed\":false,\"livemode\":false,\"metadata\":{},\"paid\":true,"            \
           "\"payment_intent\":" STRIPE_PAYMENT ",\"receipt_email\":null,\"refunded\":true," \
           "\"status\":\"succeeded\"}")

#define STRIPE_REFUND                                                                            \
    STRIPE("{\"id\":\"re_<key>\",\"object\":\"refund\",\"amount\":4900,\"charge\":\"ch_<key>\"," \
           "\"created\":<seconds>,\"currency\":\"usd\",\"metadata\":{},"                         \
           "\"payment_intent\":" STRIPE_PAYMENT ",\"reason\":\"requested_by_customer\","         \
           "\"receipt_number\":null,\"status\":\"succeeded\"}")

#define STRIPE_DISPUTE(status)                                                             \
    STRIPE("{\"id\":\"dp_<key>\",\"object\":\"dispute\",\"amount\":4900,"                  \
           "\"balance_transactions\":[],\"charge\":\"ch_<key>\",\"created\":<seconds>,"    \
           "\"currency\":\"usd\",\"is_charge_refundable\":false,\"livemode\":false,"       \
           "\"metadata\":{},\"payment_intent\":" STRIPE_PAYMENT ",\"reason\":\"general\"," \
           "\"status\":\"" status "\"}")

static const struct sample_event stripe[] = {
    {"paid", "checkout.session.completed", STRIPE_SESSION("complete", "paid", STRIPE_PAYMENT)},
    {"pending", "checkout.session.completed", STRIPE_SESSION("complete", "unpaid", STRIPE_PAYMENT)},
    {"cancelled", "checkout.session.expired", STRIPE_SESSION("expired", "unpaid", "null")},
    {"refunded", "charge.refunded", STRIPE_CHARGE},
    {"disputed", "charge.dispute.created", STRIPE_DISPUTE("needs_response")},
    {NULL, "checkout.session.async_payment_succeeded",
     STRIPE_SESSION("complete", "paid", STRIPE_PAYMENT)},
    {NULL, "checkout.session.async_payment_failed",
     STRIPE_SESSION("complete", "unpaid", STRIPE_PAYMENT)},
    {NULL, "refund.created", STRIPE_REFUND},
    {NULL, "charge.dispute.closed", STRIPE_DISPUTE("won")},
};

const struct sample_shop sample_stripe = {
    SAMPLE_EVENTS(stripe),
    .order_letters = SAMPLE_ALL_LETTERS "_",
    .order_prefixes = {"cs_test_", "pi_"},
};

#define PADDLE(data)                                                                      \
    "{\"event_id\":\"evt_<nonce>\",\"event_type\":\"<type>\",\"occurred_at\":\"<time>\"," \
    "\"notification_id\":\"ntf_<nonce>\",\"data\":" data "}"

#define PADDLE_TOTALS                                                                              \
    "{\"subtotal\":\"4900\",\"discount\":\"0\",\"tax\":\"0\",\"total\":\"4900\",\"credit\":\"0\"," \
    "\"balance\":\"0\",\"grand_total\":\"4900\",\"fee\":null,\"earnings\":null,"                   \
    "\"currency_code\":\"USD\"}"

#define PADDLE_TRANSACTION(status, payments)                                                  \
    PADDLE("{\"id\":\"txn_<key>\",\"status\":\"" status "\",\"customer_id\":\"ctm_<key>\","   \
           "\"address_id\":null,\"business_id\":null,\"custom_data\":null,"                   \
           "\"currency_code\":\"USD\",\"origin\":\"web\",\"subscription_id\":null,"           \
           "\"collection_mode\":\"automatic\",\"items\":[{\"price\":{\"id\":\"<price>\","     \
           "\"product_id\":\"<good>\",\"name\":\"Sample\",\"billing_cycle\":null,"            \
           "\"unit_price\":{\"amount\":\"4900\",\"currency_code\":\"USD\"}},\"quantity\":1,"  \
           "\"proration\":null}],\"details\":{\"totals\":" PADDLE_TOTALS ",\"line_items\":[{" \
           "\"id\":\"txnitm_<key>\",\"price_id\":\"<price>\",\"quantity\":1,"                 \
           "\"product\":{\"id\":\"<good>\",\"name\":\"Sample\"},\"tax_rate\":\"0\"}]},"       \
           "\"payments\":[" payments "],\"created_at\":\"<time>\",\"updated_at\":\"<time>\"," \
           "\"billed_at\":\"<time>\"}")

#define PADDLE_CAPTURED                                                                           \
    "{\"amount\":\"4900\",\"status\":\"captured\",\"error_code\":null,\"created_at\":\"<time>\"," \
    "\"captured_at\":\"<time>\"}"

#define PADDLE_ADJUSTMENT(action, status)                                                      \
    PADDLE("{\"id\":\"adj_<key>\",\"action\":\"" action "\",\"transaction_id\":\"txn_<key>\"," \
           "\"subscription_id\":null,\"customer_id\":\"ctm_<key>\",\"reason\":\"sample\","     \
           "\"currency_code\":\"USD\",\"status\":\"" status "\",\"items\":[{"                  \
           "\"id\":\"adjitm_<key>\",\"item_id\":\"txnitm_<key>\",\"type\":\"full\","           \
           "\"amount\":\"4900\",\"proration\":null}],\"totals\":{\"subtotal\":\"4900\","       \
           "\"tax\":\"0\",\"total\":\"4900\",\"currency_code\":\"USD\"},"                      \
           "\"created_at\":\"<time>\",\"updated_at\":\"<time>\"}")

/* A refund is approved after it was made, a chargeback when it is made. */
static const struct sample_event paddle[] = {
    {"paid", "transaction.completed", PADDLE_TRANSACTION("completed", PADDLE_CAPTURED)},
    {"pending", "transaction.billed", PADDLE_TRANSACTION("billed", "")},
    {"cancelled", "transaction.canceled", PADDLE_TRANSACTION("canceled", "")},
    {"refunded", "adjustment.updated", PADDLE_ADJUSTMENT("refund", "approved")},
    {"disputed", "adjustment.created", PADDLE_ADJUSTMENT("chargeback", "approved")},
    {NULL, "transaction.paid", PADDLE_TRANSACTION("paid", PADDLE_CAPTURED)},
};

const struct sample_shop sample_paddle = {
    SAMPLE_EVENTS(paddle),
    .order_letters = SAMPLE_LETTERS "_",
    .product_letters = SAMPLE_ALL_LETTERS "_",
    .order_prefixes = {"txn_"},
};
