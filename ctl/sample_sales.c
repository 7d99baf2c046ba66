/* Shops that sell in their own name: Lemon Squeezy and FastSpring, whose events tell a sale whole,
 * and Gumroad, whose pings are no more than a hint to read it. */
#include "sample_shops.h"

#define LEMONSQUEEZY(status, refunded, amount, refunded_at)                                   \
    "{\"meta\":{\"event_name\":\"<type>\",\"test_mode\":true},\"data\":{\"type\":\"orders\"," \
    "\"id\":\"<order>\",\"attributes\":{\"store_id\":1,\"customer_id\":1,"                    \
    "\"identifier\":\"<nonce>\",\"order_number\":<order>,\"user_name\":\"Sample\","           \
    "\"user_email\":\"<address>\",\"currency\":\"USD\",\"subtotal\":4900,\"tax\":0,"          \
    "\"total\":4900,\"status\":\"" status "\",\"refunded\":" refunded ","                     \
    "\"refunded_amount\":" amount ",\"refunded_at\":" refunded_at ",\"first_order_item\":{"   \
    "\"id\":<order>,\"order_id\":<order>,\"product_id\":<product>,\"variant_id\":null,"       \
    "\"product_name\":\"Sample\",\"variant_name\":\"Default\",\"price\":4900,\"quantity\":1," \
    "\"test_mode\":true},\"created_at\":\"<second>.000000Z\","                                \
    "\"updated_at\":\"<second>.000000Z\",\"test_mode\":true}}}"

static const struct sample_event lemonsqueezy[] = {
    {"paid", "order_created", LEMONSQUEEZY("paid", "false", "0", "null")},
    {"pending", "order_created", LEMONSQUEEZY("pending", "false", "0", "null")},
    {"refunded", "order_refunded",
     LEMONSQUEEZY("refunded", "true", "4900", "\"<second>.000000Z\"")},
};

const struct sample_shop sample_lemonsqueezy = {
    SAMPLE_EVENTS(lemonsqueezy),
    .topic_header = "X-Event-Name",
    .order_letters = SAMPLE_DIGITS,
    .product_letters = SAMPLE_DIGITS,
};

/* A seller's purchase of their own product, which is what Gumroad calls a test. */
#define GUMROAD(refunded, disputed, won)                                                \
    "seller_id=SAMPLE%3D%3D&product_id=<product>&product_name=Sample&permalink=sample&" \
    "short_product_id=sample&email=<address>&price=4900&gumroad_fee=490&currency=usd&"  \
    "quantity=1&order_number=1&sale_id=<order>&sale_timestamp=<second>Z&test=true&"     \
    "is_gift_receiver_purchase=false&refunded=" refunded "&resource_name=<type>&"       \
    "disputed=" disputed "&dispute_won=" won

static const struct sample_event gumroad[] = {
    {"paid", "sale", GUMROAD("false", "false", "false")},
    {"refunded", "refund", GUMROAD("true", "false", "false")},
    {"disputed", "dispute", GUMROAD("false", "true", "false")},
    {NULL, "dispute_won", GUMROAD("false", "true", "true")},
};

const struct sample_shop sample_gumroad = {
    SAMPLE_EVENTS(gumroad),
    .order_letters = SAMPLE_ALL_LETTERS "-_=",
    .form = true,
};

#define FASTSPRING(data)                                                                     \
    "{\"events\":[{\"id\":\"<nonce>\",\"processed\":false,\"created\":<milliseconds>,"       \
    "\"type\":\"<type>\",\"live\":false,\"data\":{\"live\":false,\"currency\":\"USD\"," data \
    "}}]}"

#define FASTSPRING_ITEMS                                                                        \
    "\"items\":[{\"product\":\"<product>\",\"quantity\":1,\"display\":\"Sample\",\"sku\":null," \
    "\"subtotal\":49.0}]"

#define FASTSPRING_ORDER(completed)                                                            \
    FASTSPRING("\"order\":\"<order>\",\"id\":\"<order>\",\"reference\":\"SAMPLE-<order>\","    \
               "\"completed\":" completed ",\"changed\":<milliseconds>,\"total\":49.0,"        \
               "\"tax\":0.0,\"subtotal\":49.0,\"account\":\"A<order>\","                       \
               "\"customer\":{\"first\":\"Sample\",\"email\":\"<address>\"},"                  \
               "\"recipients\":[{\"recipient\":{\"first\":\"Sample\",\"email\":\"<address>\"," \
               "\"account\":\"A<order>\"}}],\"tags\":{}," FASTSPRING_ITEMS)

#define FASTSPRING_RETURN                                                                  \
    FASTSPRING("\"return\":\"R<order>\",\"id\":\"R<order>\",\"completed\":true,"           \
               "\"changed\":<milliseconds>,\"account\":\"A<order>\",\"totalReturn\":49.0," \
               "\"subtotal\":49.0,\"original\":{\"order\":\"<order>\",\"id\":\"<order>\"," \
               "\"account\":\"A<order>\",\"total\":49.0},\"reason\":\"sample\"," FASTSPRING_ITEMS)

#define FASTSPRING_CHARGEBACK                                                               \
    FASTSPRING("\"order\":\"<order>\",\"processorCaseId\":\"D<order>\",\"status\":\"NEW\"," \
               "\"amount\":49.0")

static const struct sample_event fastspring[] = {
    {"paid", "order.completed", FASTSPRING_ORDER("true")},
    {"pending", "order.payment.pending", FASTSPRING_ORDER("false")},
    {"cancelled", "order.canceled", FASTSPRING_ORDER("false")},
    {"refunded", "return.created", FASTSPRING_RETURN},
    {"disputed", "chargeback.created", FASTSPRING_CHARGEBACK},
    {NULL, "order.failed", FASTSPRING_ORDER("false")},
};

const struct sample_shop sample_fastspring = {
    SAMPLE_EVENTS(fastspring),
    .order_letters = SAMPLE_ALL_LETTERS "-_",
};
