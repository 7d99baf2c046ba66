/*
 * What a call is bounded by once curl has it: where a name leads, and where an answer sends on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_call.h"
#include "served.h"

/* Makes a call to `name`, which the resolver is told to lead to `address`, with the server's port;
 * what the client would be told of it. */
static enum http_failure call_by_name(unsigned port, const char *name, const char *address)
{
    struct buf origin = {0}, leads = {0};
    buf_printf(&origin, "http://%s:%u", name, port);
    buf_printf(&leads, "%s:%u:%s", name, port, address);
    struct http_call wanted = {.method = "GET", .origin = origin.data, .target = "/"};
    struct call *call = call_new(&wanted, "purchase-sync-test/1");
    struct curl_slist *names = curl_slist_append(NULL, leads.data);
    assert_null(call->broken);
    assert_int_equal(curl_easy_setopt(call->easy, CURLOPT_RESOLVE, names), CURLE_OK);

    struct http_answer answer;
    call_answer(call, curl_easy_perform(call->easy), &answer);
    if (answer.failure == HTTP_REFUSED_CALL) {
        assert_non_null(strstr(answer.error, "not public"));
    }
    enum http_failure failure = answer.failure;
    call_free(call);
    curl_slist_free_all(names);
    buf_free(&origin);
    buf_free(&leads);
    return failure;
}

/* A shop's name is public property: whoever answers for it today may lead it to our own network. */
static void a_name_that_leads_home_is_refused(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "127.0.0.1",         "127.8.9.1",        "[::1]",      "0.0.0.0",
        "10.0.0.1",          "192.168.1.1",      "172.16.0.1", "100.64.0.1",
        "169.254.169.254",   "[fe80::1]",        "[fd00::1]",  "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "224.0.0.1",
    };
    struct served served;
    serve(&served, (struct http_server_options){0});
    unsigned port = http_server_port(served.server);
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        enum http_failure failure = call_by_name(port, "shop.example", addresses[i]);
        if (failure != HTTP_REFUSED_CALL) {
            fail_msg("%s: %d", addresses[i], failure);
        }
    }
    loop_turn(served.loop, 0);
    assert_int_equal(http_server_connections(served.server), 0);
    serve_end(&served);
}

/* The scheme, the way and what is followed are the call's, whatever the environment says. */
static void the_bounds_are_set_on_every_call(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } environment[] = {{"http_proxy", "http://127.0.0.1:1"},
                       {"https_proxy", "http://127.0.0.1:1"},
                       {"ALL_PROXY", "socks5h://127.0.0.1:1"}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(setenv(environment[i].name, environment[i].value, 1), 0);
    }
    struct http_call wanted = {.method = "GET", .origin = "http://127.0.0.1:1", .target = "/"};
    struct call *call = call_new(&wanted, "purchase-sync-test/1");
    static const char *const others[] = {"file:///etc/hostname", "ftp://127.0.0.1/",
                                         "dict://127.0.0.1:1/", "gopher://127.0.0.1:1/",
                                         "smb://127.0.0.1/"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(curl_easy_setopt(call->easy, CURLOPT_URL, others[i]), CURLE_OK);
        assert_int_equal(curl_easy_perform(call->easy), CURLE_UNSUPPORTED_PROTOCOL);
    }
    call_free(call);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(unsetenv(environment[i].name), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_leads_home_is_refused),
        cmocka_unit_test(the_bounds_are_set_on_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
