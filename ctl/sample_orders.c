/* Shops that send the whole order again whenever it changes: WooCommerce, Shopify, and standard. */
#include "sample_shops.h"

#define WOOCOMMERCE(status, paid, refunds)                                                       \
    "{\"id\":<order>,\"parent_id\":0,\"number\":\"<order>\",\"status\":\"" status "\","          \
    "\"currency\":\"USD\",\"total\":\"49.00\",\"customer_id\":0,"                                \
    "\"date_created_gmt\":\"<second>\",\"date_modified_gmt\":\"<second>\","                      \
    "\"date_paid_gmt\":" paid ",\"billing\":{\"email\":\"<address>\"},\"meta_data\":[],"         \
    "\"line_items\":[{\"id\":1,\"name\":\"Sample\",\"product_id\":<product>,\"variation_id\":0," \
    "\"sku\":\"\",\"quantity\":1,\"total\":\"49.00\"}],\"refunds\":[" refunds "]}"

static const struct sample_event woocommerce[] = {
    {"paid", "order.updated", WOOCOMMERCE("processing", "\"<second>\"", "")},
    {"pending", "order.updated", WOOCOMMERCE("pending", "null", "")},
    {"cancelled", "order.updated", WOOCOMMERCE("cancelled", "null", "")},
    {"refunded", "order.updated",
     WOOCOMMERCE("refunded", "\"<second>\"",
                 "{\"id\":<order>1,\"reason\":\"sample\",\"total\":\"-49.00\"}")},
};

const struct sample_shop sample_woocommerce = {
    SAMPLE_EVENTS(woocommerce),
    .topic_header = "X-WC-Webhook-Topic",
    .order_letters = SAMPLE_DIGITS,
    .product_letters = SAMPLE_DIGITS,
    .spelled = true,
};

/* The order is marked as a test: a source with live = false takes no other. */
#define SHOPIFY(status, cancelled, left, refunds)                                               \
    "{\"id\":<order>,\"name\":\"#<order>\",\"email\":\"<address>\",\"test\":true,"              \
    "\"financial_status\":\"" status "\",\"cancelled_at\":" cancelled ","                       \
    "\"created_at\":\"<second>Z\",\"processed_at\":\"<second>Z\",\"updated_at\":\"<second>Z\"," \
    "\"total_price\":\"49.00\",\"note_attributes\":[],\"line_items\":[{"                        \
    "\"id\":<order>1,\"title\":\"Sample\",\"product_id\":<product>,\"variant_id\":null,"        \
    "\"sku\":null,\"quantity\":1,\"current_quantity\":" left "}],\"refunds\":[" refunds "]}"

#define SHOPIFY_REFUND                                                                      \
    "{\"id\":<order>2,\"created_at\":\"<second>Z\",\"transactions\":[{\"kind\":\"refund\"," \
    "\"status\":\"success\",\"amount\":\"49.00\"}],"                                        \
    "\"refund_line_items\":[{\"id\":<order>3,\"line_item_id\":<order>1,\"quantity\":1}]}"

#define SHOPIFY_DISPUTE                                                                   \
    "{\"id\":<order>4,\"order_id\":<order>,\"type\":\"chargeback\",\"amount\":\"49.00\"," \
    "\"currency\":\"USD\",\"reason\":\"fraudulent\",\"network_reason_code\":\"4837\","    \
    "\"status\":\"needs_response\",\"evidence_due_by\":null,\"evidence_sent_on\":null,"   \
    "\"finalized_on\":null,\"initiated_at\":\"<second>Z\"}"

static const struct sample_event shopify[] = {
    {"paid", "orders/updated", SHOPIFY("paid", "null", "1", "")},
    {"pending", "orders/updated", SHOPIFY("pending", "null", "1", "")},
    {"cancelled", "orders/updated", SHOPIFY("voided", "\"<second>Z\"", "1", "")},
    {"refunded", "orders/updated", SHOPIFY("refunded", "null", "0", SHOPIFY_REFUND)},
    {"disputed", "disputes/create", SHOPIFY_DISPUTE},
};

const struct sample_shop sample_shopify = {
    SAMPLE_EVENTS(shopify),
    .topic_header = "X-Shopify-Topic",
    .order_letters = SAMPLE_DIGITS,
    .product_letters = SAMPLE_DIGITS,
    .spelled = true,
};

#define STANDARD(status, paid)                                                     \
    "{\"type\":\"<type>\",\"timestamp\":\"<time>\",\"data\":{\"id\":\"<order>\","  \
    "\"status\":\"" status "\",\"email\":\"<address>\",\"updated_at\":\"<time>\"," \
    "\"paid_at\":" paid ",\"lines\":[{\"id\":\"1\",\"product\":\"<product>\","     \
    "\"variant\":null,\"sku\":null,\"quantity\":1,\"refunded_quantity\":0}],\"metadata\":{}}}"

static const struct sample_event standard[] = {
    {"paid", "order.updated", STANDARD("paid", "\"<time>\"")},
    {"pending", "order.updated", STANDARD("pending", "null")},
    {"cancelled", "order.updated", STANDARD("cancelled", "null")},
    {"refunded", "order.updated", STANDARD("refunded", "\"<time>\"")},
    {"disputed", "order.updated", STANDARD("disputed", "\"<time>\"")},
};

const struct sample_shop sample_standard = {SAMPLE_EVENTS(standard), .spelled = true};
