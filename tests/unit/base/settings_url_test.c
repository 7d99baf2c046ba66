#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/settings_url.h"

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        enum url_form form;
        const char *text, *normalised; /* NULL: refused */
    } rows[] = {
        {URL_ORIGIN, "https://plugin.example.com", "https://plugin.example.com"},
        {URL_ORIGIN, "HTTPS://Plugin.Example.COM/", "https://plugin.example.com"},
        {URL_ORIGIN, "https://plugin.example.com:443", "https://plugin.example.com"},
        {URL_ORIGIN, "https://plugin.example.com:80", "https://plugin.example.com:80"},
        {URL_ORIGIN, "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
        {URL_ORIGIN, "http://[::1]:8080/", "http://[::1]:8080"},
        {URL_ORIGIN, "http://localhost:80", "http://localhost"},
        {URL_ORIGIN, "https://plugin.example.com//", NULL},
        {URL_ORIGIN, "https://plugin.example.com/a", NULL},
        {URL_ORIGIN, "https://plugin.example.com?a", NULL},
        {URL_ORIGIN, "*", NULL},
        {URL_ORIGIN, "null", NULL},
        {URL_ORIGIN, "plugin.example.com", NULL},
        {URL_ORIGIN, "ftp://plugin.example.com", NULL},
        {URL_ORIGIN, "https://", NULL},
        {URL_ORIGIN, "https://user@plugin.example.com", NULL},
        {URL_ORIGIN, "https://plugin.example.com:", NULL},
        {URL_ORIGIN, "https://plugin.example.com:0", NULL},
        {URL_ORIGIN, "https://plugin.example.com:65536", NULL},
        {URL_ORIGIN, "https://plugin.example.com:+1", NULL},
        {URL_ORIGIN, "https://plugin..example.com", NULL},
        {URL_ORIGIN, "https://.example.com", NULL},
        {URL_ORIGIN, "https://exa mple.com", NULL},
        {URL_ORIGIN, "https://ex\xc3\xa4mple.com", NULL},
        {URL_ORIGIN, "http://[::1", NULL},
        {URL_ORIGIN, "http://[::g]", NULL},
        {URL_ORIGIN, "http://[127.0.0.1]", NULL},
        {URL_PREFIX, "https://shop.example.com/wp/", "https://shop.example.com/wp"},
        {URL_PREFIX, "https://shop.example.com/Wp//", "https://shop.example.com/Wp/"},
        {URL_PREFIX, "https://shop.example.com:443/", "https://shop.example.com:443"},
        {URL_PREFIX, "https://shop.example.com/?a=b", NULL},
        {URL_PREFIX, "https://shop.example.com/#a", NULL},
        {URL_PREFIX, "https://key:secret@shop.example.com/", NULL},
        {URL_PAGE, "https://miro.com/app-install-completed/",
         "https://miro.com/app-install-completed/"},
        {URL_PAGE, "https://miro.com?a=/b/", "https://miro.com?a=/b/"},
        {URL_PAGE, "https://miro.com/a?b=c@d", "https://miro.com/a?b=c@d"},
        {URL_PAGE, "https://miro.com/a#b", NULL},
        {URL_PAGE, "https://miro.com/\"a", NULL},
        {URL_SMTP, "smtp://127.0.0.1:25", "smtp://127.0.0.1:25"},
        {URL_SMTP, "smtps://mail.example.com", "smtps://mail.example.com"},
        {URL_SMTP, "http://mail.example.com", NULL},
        {URL_SMTP, "smtp://mail.example.com/x", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *fault = NULL;
        char *url = url_normalise(rows[i].text, rows[i].form, &fault);
        if (rows[i].normalised == NULL) {
            assert_null(url);
            assert_non_null(fault);
        } else {
            assert_non_null(url);
            assert_string_equal(url, rows[i].normalised);
        }
        free(url);
    }
}

static void test_listeners(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:8080", "[::1]:8080", "localhost:0", "0.0.0.0:1"};
    static const char *const bad[] = {
        "",          ":8080",         "127.0.0.1",       "127.0.0.1:",  "::1:8080",
        "[::1]8080", "a b:1",         "127.0.0.1:65536", "host:http",   "host:1:2",
        "[::1]",     "http://host:1", "host:-1",         "host:0000001"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_null(listen_fault(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(listen_fault(bad[i]));
}

static void test_hosts(void **state)
{
    (void)state;
    assert_true(host_is_valid("db-1.example.com"));
    assert_true(host_is_valid("10.0.0.1"));
    assert_true(host_is_valid("fd00::1"));
    assert_false(host_is_valid(""));
    assert_false(host_is_valid("db:3306"));
    assert_false(host_is_valid("-db"));
    assert_false(host_is_valid("db/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
