/*
 * What evidence tells about whose it is: the shop, the order beyond its number, and ways to pay
 * that are not paid yet.
 */
#include "support.h"

#define ORDER(status, rest)                                                               \
    "{\"id\":12,\"status\":\"" status "\",\"date_modified_gmt\":\"2026-11-23T09:59:58\"," \
    "\"line_items\":[{\"id\":1,\"product_id\":10,\"variation_id\":0,\"sku\":\"A\","       \
    "\"quantity\":1}]" rest "}"
#define SELF(href) ",\"_links\":{\"self\":[{\"href\":\"" href "\"}]}"

static void check_text(const char *what, const char *found, const char *expected)
{
    bool same = found && expected ? strcmp(found, expected) == 0 : found == expected;
    if (!same)
        fail_msg("%s: %s, not %s", what, found ? found : "none", expected ? expected : "none");
}

static void read_one(struct settings_source *source, const char *body, struct facts *facts)
{
    *facts = (struct facts){0};
    shop_read(source, body, strlen(body), RECEIVED, facts);
    assert_int_equal(facts->set_aside, SET_ASIDE_NONE);
    assert_int_equal(facts->order_count, 1);
}

static void woocommerce_sites(void **state)
{
    static const struct {
        const char *href, *site;
    } cases[] = {
        {"https:\\/\\/shop.example.com\\/wp-json\\/wc\\/v3\\/orders\\/12", "shop.example.com"},
        {"http://127.0.0.1:18080/wp-json/wc/v3/orders/12", "127.0.0.1:18080"},
        {"https://127.0.0.1:18080/wp-json/wc/v3/orders/12", "127.0.0.1:18080"},
        {"HTTPS://Shop.Example.COM:443/wp-json/wc/v3/orders/12", "shop.example.com"},
        {"https://www.shop.example.com/wp-json/wc/v3/orders/12", "shop.example.com"},
        {"https://shop.example.com./wp-json/wc/v3/orders/12", "shop.example.com"},
        {"http://shop.example.com:80/wp-json/wc/v3/orders/12", "shop.example.com"},
        {"http://shop.example.com:443/wp-json/wc/v3/orders/12", "shop.example.com:443"},
        {"https://[::1]:8443/wp-json/wc/v3/orders/12", "[::1]:8443"},
        {"https://example.com/shop/wp-json/wc/v3/orders/12", "example.com/shop"},
        {"https://example.com/Shop/api/wc/v3/orders/12", "example.com/Shop"},
        {"https://example.com/index.php/wp-json/wc/v3/orders/12", "example.com"},
        {"https://example.com/shop/index.php?rest_route=/wc/v3/orders/12", "example.com/shop"},
        {"https://example.com/?rest_route=/wc/v3/orders/12", "example.com"},
        {"https://example.com", "example.com"},
        {"https://example.com/a b/wp-json/wc/v3/orders/12", "example.com"},
        {"https://u:p@example.com/wp-json/wc/v3/orders/12", NULL},
        {"https:///wp-json/wc/v3/orders/12", NULL},
        {"ftp://example.com/wp-json/wc/v3/orders/12", NULL},
        {"shop.example.com/wp-json/wc/v3/orders/12", NULL},
        {"", NULL},
    };
    (void)state;
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct facts facts;
        char *body = xasprintf(ORDER("processing", SELF("%s")), cases[i].href);
        read_one(&source, body, &facts);
        check_text(cases[i].href, facts.orders[0].identity, cases[i].site);
        facts_free(&facts);
        free(body);
    }
    source_free(&source);
}

/* What is no link, or longer than is kept, tells nothing; the order counts all the same. */
static void links_that_tell_nothing(void **state)
{
    static const char *const bodies[] = {
        ORDER("processing", ""),
        ORDER("processing", ",\"_links\":null"),
        ORDER("processing", ",\"_links\":[]"),
        ORDER("processing", ",\"_links\":{\"self\":{\"href\":\"https://a.test/\"}}"),
        ORDER("processing", ",\"_links\":{\"self\":[]}"),
        ORDER("processing", ",\"_links\":{\"self\":[7]}"),
        ORDER("processing", ",\"_links\":{\"self\":[{\"href\":7}]}"),
    };
    (void)state;
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s", NULL);
    struct facts facts;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        read_one(&source, bodies[i], &facts);
        check_text(bodies[i], facts.orders[0].identity, NULL);
        facts_free(&facts);
    }
    char long_path[400];
    memset(long_path, 'a', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    char *body = xasprintf(ORDER("processing", SELF("https://a.test/%s/wp-json/wc/v3/orders/12")),
                           long_path);
    read_one(&source, body, &facts);
    check_text("a long path", facts.orders[0].identity, NULL);
    facts_free(&facts);
    free(body);
    source_free(&source);
}

static void order_keys(void **state)
{
    (void)state;
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s", NULL);
    struct facts facts;
    read_one(&source, ORDER("processing", ",\"order_key\":\"wc_order_1\""), &facts);
    check_text("a key", facts.orders[0].key, "wc_order_1");
    facts_free(&facts);
    read_one(&source, ORDER("processing", ",\"order_key\":\"\""), &facts);
    check_text("an empty key", facts.orders[0].key, NULL);
    facts_free(&facts);
    source_free(&source);
}

static void unpaid_methods(void **state)
{
    static char cod[] = "cod", cheque[] = "cheque";
    static const struct {
        const char *body;
        enum order_status status;
    } cases[] = {
        {ORDER("processing", ",\"payment_method\":\"cod\""), ORDER_PENDING},
        {ORDER("processing", ",\"payment_method\":\"cheque\""), ORDER_PENDING},
        {ORDER("processing", ",\"payment_method\":\"COD\""), ORDER_PAID},
        {ORDER("processing", ",\"payment_method\":\"bacs\""), ORDER_PAID},
        {ORDER("processing", ",\"payment_method\":null"), ORDER_PAID},
        {ORDER("processing", ""), ORDER_PAID},
        {ORDER("completed", ",\"payment_method\":\"cod\""), ORDER_PAID},
        {ORDER("on-hold", ",\"payment_method\":\"cod\""), ORDER_PENDING},
        {ORDER("refunded", ",\"payment_method\":\"cod\""), ORDER_REFUNDED},
        {ORDER("cancelled", ",\"payment_method\":\"cod\""), ORDER_CANCELLED},
    };
    (void)state;
    char *methods[] = {cod, cheque, NULL};
    struct settings_source source = source_make(PROVIDER_WOOCOMMERCE, "s", NULL);
    source.unpaid_methods = methods;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct facts facts;
        read_one(&source, cases[i].body, &facts);
        if (facts.orders[0].snapshot->status != cases[i].status)
            fail_msg("%s: status %d", cases[i].body, (int)facts.orders[0].snapshot->status);
        facts_free(&facts);
    }
    source_free(&source);
}

#define SHOPIFY(rest)                                                                  \
    "{\"id\":7,\"financial_status\":\"paid\",\"updated_at\":\"2026-11-23T09:59:58Z\"," \
    "\"line_items\":[{\"id\":1,\"product_id\":10,\"quantity\":1}]" rest "}"

static void shopify_shops(void **state)
{
    static const struct {
        const char *body, *host;
    } cases[] = {
        {SHOPIFY(",\"order_status_url\":\"https://Zoe.myshopify.com/5483/orders/1ab/"
                 "authenticate?key=x\""),
         "5483"},
        {SHOPIFY(",\"order_status_url\":\"https://checkout.example.com/5483/orders/2cd\""), "5483"},
        {SHOPIFY(",\"order_status_url\":\"https://Zoe.myshopify.com/orders/1ab\""),
         "zoe.myshopify.com"},
        {SHOPIFY(",\"order_status_url\":\"https://checkout.example.com/orders/1ab\""), NULL},
        {SHOPIFY(",\"order_status_url\":null"), NULL},
        {SHOPIFY(",\"order_status_url\":\"x\""), NULL},
        {SHOPIFY(""), NULL},
    };
    (void)state;
    struct settings_source source = source_make(PROVIDER_SHOPIFY, "s", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct facts facts;
        read_one(&source, cases[i].body, &facts);
        check_text(cases[i].body, facts.orders[0].identity, cases[i].host);
        facts_free(&facts);
    }
    source_free(&source);
}

#define STRIPE(rest)                                                                           \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"customer.subscription.updated\","       \
    "\"created\":1795427998,\"livemode\":true" rest ",\"data\":{\"object\":{\"id\":\"sub_1\"," \
    "\"object\":\"subscription\",\"status\":\"active\"}}}"

static void stripe_accounts(void **state)
{
    static const struct {
        const char *body, *account;
    } cases[] = {
        {STRIPE(""), "own"},
        {STRIPE(",\"account\":null"), "own"},
        {STRIPE(",\"account\":\"acct_1\""), "acct_1"},
    };
    (void)state;
    struct settings_source source = source_make(PROVIDER_STRIPE, "s", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct facts facts;
        read_one(&source, cases[i].body, &facts);
        check_text(cases[i].body, facts.orders[0].identity, cases[i].account);
        facts_free(&facts);
    }
    source_free(&source);
}

#define EVENT(type, object)                                                                \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"" type "\",\"created\":1795427998," \
    "\"livemode\":true,\"data\":{\"object\":{" object "}}}"
#define INVOICE(rest)                                                   \
    EVENT("invoice.paid",                                               \
          "\"id\":\"in_1\",\"object\":\"invoice\",\"status\":\"paid\"," \
          "\"subscription\":\"sub_1\",\"amount_paid\":900,\"currency\":\"eur\"" rest)
#define PAYMENT(id) "{\"payment\":{\"type\":\"payment_intent\",\"payment_intent\":\"" id "\"}}"
#define PAYMENTS(list) ",\"payments\":{\"object\":\"list\",\"has_more\":false,\"data\":[" list "]}"

static void stripe_payments(void **state)
{
    static const struct {
        const char *body, *paid, *refunded;
    } cases[] = {
        {INVOICE(",\"payment_intent\":\"pi_1\",\"charge\":\"ch_1\""), "pi_1", NULL},
        {INVOICE(",\"charge\":\"ch_1\""), NULL, NULL},
        {INVOICE(""), NULL, NULL},
        {INVOICE(PAYMENTS(PAYMENT("pi_1"))), "pi_1", NULL},
        {INVOICE(PAYMENTS(PAYMENT("pi_1") "," PAYMENT("pi_2"))), NULL, NULL},
        {EVENT("refund.created", "\"id\":\"re_1\",\"object\":\"refund\",\"status\":\"succeeded\","
                                 "\"amount\":900,\"currency\":\"eur\",\"charge\":\"ch_1\","
                                 "\"payment_intent\":\"pi_1\""),
         NULL, "pi_1"},
        {EVENT("charge.refunded", "\"id\":\"ch_1\",\"object\":\"charge\",\"refunded\":true,"
                                  "\"amount\":900,\"amount_refunded\":900,\"currency\":\"eur\","
                                  "\"payment_intent\":\"pi_1\""),
         NULL, "pi_1"},
        {EVENT("charge.refunded", "\"id\":\"ch_1\",\"object\":\"charge\",\"refunded\":true,"
                                  "\"amount\":900,\"amount_refunded\":900,\"currency\":\"eur\""),
         NULL, NULL},
    };
    (void)state;
    struct settings_source source = source_make(PROVIDER_STRIPE, "s", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct facts facts;
        read_one(&source, cases[i].body, &facts);
        const struct fact_order *order = &facts.orders[0];
        check_text(cases[i].body, order->snapshot ? order->snapshot->payment : NULL, cases[i].paid);
        check_text(cases[i].body, order->refund_count ? order->refunds[0].payment : NULL,
                   cases[i].refunded);
        facts_free(&facts);
    }
    source_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(woocommerce_sites), cmocka_unit_test(links_that_tell_nothing),
        cmocka_unit_test(order_keys),        cmocka_unit_test(unpaid_methods),
        cmocka_unit_test(shopify_shops),     cmocka_unit_test(stripe_accounts),
        cmocka_unit_test(stripe_payments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
