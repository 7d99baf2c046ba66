#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/network.h"

static struct address parsed(const char *text)
{
    struct address address;
    if (address_parse(text, strlen(text), &address) != 0)
        fail_msg("%s is not read as an address", text);
    return address;
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normal; /* NULL: no address */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::", "::"},
        {"", NULL},
        {"192.0.2.01", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"3221225985", NULL},
        {"0x7f.1", NULL},
        {" 192.0.2.1", NULL},
        {"192.0.2.1:80", NULL},
        {"[::1]", NULL},
        {"fe80::1%eth0", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"localhost", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address;
        char text[ADDRESS_TEXT];
        int result = address_parse(rows[i].text, strlen(rows[i].text), &address);
        if (result != (rows[i].normal ? 0 : -1))
            fail_msg("%s: %d", rows[i].text, result);
        if (!rows[i].normal)
            continue;
        address_format(&address, text);
        assert_string_equal(text, rows[i].normal);
    }
    struct address address;
    assert_int_equal(address_parse("192.0.2.1\0x", 11, &address), -1);
}

static void sockets(void **state)
{
    (void)state;
    const union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } v4 = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)}},
      mapped = {.v6 = {.sin6_family = AF_INET6,
                       .sin6_addr.s6_addr = {[10] = 0xff, 0xff, 192, 0, 2, 1}}},
      local = {.any = {.sa_family = AF_UNIX}};
    struct address from, wanted = parsed("192.0.2.1");
    address_of_socket(&v4.any, &from);
    assert_memory_equal(&from, &wanted, sizeof(from));
    address_of_socket(&mapped.any, &from);
    assert_memory_equal(&from, &wanted, sizeof(from));
    address_of_socket(&local.any, &from);
    wanted = parsed("::");
    assert_memory_equal(&from, &wanted, sizeof(from));
}

static void holders(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:db8:1:2:ffff::", "2001:db8:1:2::"},
        {"2001:db8:1:3::", "2001:db8:1:3::"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address = parsed(rows[i][0]), holder = address_holder(&address);
        char text[ADDRESS_TEXT];
        address_format(&holder, text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *network, *inside, *outside; /* neither: refused */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
        {"0.0.0.0/0", "203.0.113.9", "2001:db8::1"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "::a00:1"},
        {"::1", "::1", "::2"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
        {"::/0", "2001:db8::1", "203.0.113.9"},
        {"192.0.2.1/24", NULL, NULL},
        {"192.0.2.0/33", NULL, NULL},
        {"192.0.2.0/", NULL, NULL},
        {"192.0.2.0/-1", NULL, NULL},
        {"192.0.2.0/24/8", NULL, NULL},
        {"2001:db8::/129", NULL, NULL},
        {"2001:db8::1/64", NULL, NULL},
        {"/8", NULL, NULL},
        {"proxy.example.com", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct network network;
        const char *fault = NULL;
        int result = network_parse(rows[i].network, &network, &fault);
        if (result != (rows[i].inside ? 0 : -1))
            fail_msg("%s: %d", rows[i].network, result);
        if (!rows[i].inside) {
            assert_non_null(fault);
            continue;
        }
        struct address inside = parsed(rows[i].inside), outside = parsed(rows[i].outside);
        if (!network_holds(&network, &inside) || network_holds(&network, &outside))
            fail_msg("%s holds the wrong addresses", rows[i].network);
        struct network_list list = {&network, 1}, none = {0};
        assert_true(networks_hold(&list, &inside));
        assert_false(networks_hold(&list, &outside));
        assert_false(networks_hold(&none, &inside));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(sockets),
        cmocka_unit_test(holders),
        cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
