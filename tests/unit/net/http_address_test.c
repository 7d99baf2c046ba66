/*
 * Which addresses a call by name may end at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/http_address.h"

static bool is_public(const char *text)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {0};
    if (strchr(text, ':') != NULL) {
        at.v6.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &at.v6.sin6_addr), 1);
        return http_address_is_public(&at.any, sizeof(at.v6));
    }
    at.v4.sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, text, &at.v4.sin_addr), 1);
    return http_address_is_public(&at.any, sizeof(at.v4));
}

static const char *const ours[] = {
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
};

static const char *const theirs[] = {
    "1.1.1.1",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255",   "100.128.0.0",
    "126.255.255.255", "128.0.0.1",       "169.253.255.255", "169.255.0.0",      "172.15.255.255",
    "172.32.0.0",      "192.0.1.1",       "192.167.255.255", "192.169.0.0",      "198.17.255.255",
    "198.20.0.0",      "223.255.255.255", "::ffff:1.1.1.1",  "64:ff9b::8.8.8.8", "2606:4700::1111",
    "2a00:1450::1",    "2002:101:101::1", "2001:4860::1",
};

static void addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (is_public(ours[i])) {
            fail_msg("%s was taken for public", ours[i]);
        }
    }
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
        if (!is_public(theirs[i])) {
            fail_msg("%s was taken for private", theirs[i]);
        }
    }
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(http_address_is_public(&local, sizeof(local)));
    struct sockaddr cut = {.sa_family = AF_INET6};
    assert_false(http_address_is_public(&cut, sizeof(cut)));
}

static bool literal(const char *host)
{
    return http_host_is_literal(host, strlen(host));
}

/* Other spellings of addresses, which resolvers accept, are names: they are checked once resolved.
 */
static void literals(void **state)
{
    (void)state;
    assert_true(literal("127.0.0.1"));
    assert_true(literal("[::1]"));
    assert_true(literal("localhost"));
    assert_true(literal("LocalHost"));
    assert_false(literal("::1"));
    assert_false(literal("[127.0.0.1]"));
    assert_false(literal("2130706433"));
    assert_false(literal("0x7f.1"));
    assert_false(literal("127.1"));
    assert_false(literal("localhost.example"));
    assert_false(literal("shop.example"));
    assert_false(literal(""));
    assert_false(literal("[]"));
    assert_false(literal("1234567890123456789012345678901234567890123456789012345678901234567890"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
