#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "net/http_forwarded.h"

static struct network proxies[3];
static const struct network_list trusted = {proxies, 3};

static int set_up(void **state)
{
    static const char *const networks[] = {"127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *fault;
        assert_int_equal(network_parse(networks[i], &proxies[i], &fault), 0);
    }
    return 0;
}

static void expect(const char *peer_text, const char *const *lines, size_t count,
                   const char *wanted)
{
    struct http_header headers[LIMIT_HTTP_HEADERS];
    struct address peer, client;
    char text[ADDRESS_TEXT];
    assert_int_equal(address_parse(peer_text, strlen(peer_text), &peer), 0);
    for (size_t i = 0; i < count; i++) {
        headers[i] =
            (struct http_header){.name = i % 2 == 0 ? "X-Forwarded-For" : "x-forwarded-FOR",
                                 .name_len = 15,
                                 .value = lines[i],
                                 .value_len = strlen(lines[i])};
    }
    client = http_forwarded_client(headers, count, &peer, &trusted);
    address_format(&client, text);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s from %s: %s, not %s", count > 0 ? lines[0] : "", peer_text, text, wanted);
}

static void one_line(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *line, *client;
    } rows[] = {
        /* nobody whom we trust says it */
        {"203.0.113.9", "198.51.100.1", "203.0.113.9"},
        {"203.0.113.9", "127.0.0.1", "203.0.113.9"},
        /* our proxy says it */
        {"127.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"127.0.0.1", " \t198.51.100.1 ", "198.51.100.1"},
        {"127.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
        {"127.0.0.1", "2001:db8::7", "2001:db8::7"},
        {"127.0.0.1", "[2001:db8::7]", "2001:db8::7"},
        {"127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"},
        {"127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"},
        {"::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"},
        /* what the client wrote before is not believed */
        {"127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"},
        {"127.0.0.1", "127.0.0.1,198.51.100.1", "198.51.100.1"},
        {"127.0.0.1", "10.0.0.1, 1.2.3.4,198.51.100.1", "198.51.100.1"},
        /* through several of ours */
        {"127.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.7, 2001:db8:1::5", "198.51.100.1"},
        {"127.0.0.1", "10.0.0.8,10.0.0.7", "10.0.0.8"},
        /* no address: the proxy that said so is all that is known */
        {"127.0.0.1", "", "127.0.0.1"},
        {"127.0.0.1", "198.51.100.1,", "127.0.0.1"},
        {"127.0.0.1", "198.51.100.1,unknown", "127.0.0.1"},
        {"127.0.0.1", "198.51.100.1, 10.0.0.7, _hidden, 10.0.0.9", "10.0.0.9"},
        {"127.0.0.1", "[198.51.100.1]", "127.0.0.1"},
        {"127.0.0.1", "[2001:db8::7", "127.0.0.1"},
        {"127.0.0.1", "[2001:db8::7]x", "127.0.0.1"},
        {"127.0.0.1", "2001:db8::7]", "127.0.0.1"},
        {"127.0.0.1", "198.51.100.1 10.0.0.1", "127.0.0.1"},
        {"127.0.0.1", "\"198.51.100.1\"", "127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(rows[i].peer, &rows[i].line, 1, rows[i].client);
}

static void several_lines(void **state)
{
    (void)state;
    static const char *const appended[] = {"1.2.3.4", "198.51.100.1", "10.0.0.7, 10.0.0.8"};
    expect("127.0.0.1", appended, 3, "198.51.100.1");
    expect("127.0.0.1", appended, 2, "198.51.100.1");
    expect("127.0.0.1", appended, 1, "1.2.3.4");
    expect("127.0.0.1", appended, 0, "127.0.0.1");
}

/* A chain without end costs no more than a long one. */
static void hops(void **state)
{
    (void)state;
    char line[(LIMIT_FORWARDED_HOPS + 1) * 10 + 16] = "198.51.100.1";
    const char *lines[] = {line};
    for (int i = 1; i < LIMIT_FORWARDED_HOPS; i++)
        strcat(line, ",10.0.0.7");
    expect("127.0.0.1", lines, 1, "198.51.100.1");
    strcat(line, ",10.0.0.9");
    expect("127.0.0.1", lines, 1, "10.0.0.7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),
        cmocka_unit_test(several_lines),
        cmocka_unit_test(hops),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
