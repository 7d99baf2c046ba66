#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/settings.h"

/* Seven lines that are enough. */
#define LEAST                                                                                    \
    "[database]\nsocket = /run/db.sock\n[keys]\nkeyring_file = keyring\n[miro]\nclient_id = 1\n" \
    "client_secret_file = miro.secret\n"
#define SOURCE_LINES "[source a]\nprovider = stripe\nwebhook_secret_file = a.secret\n"

static struct settings *parse(const char *text, struct buf *errors)
{
    return settings_parse("x.conf", text, strlen(text), errors);
}

/* What the file does not say. */
static void test_defaults(void **state)
{
    (void)state;
    struct buf errors = {0};
    struct settings *settings = parse(LEAST SOURCE_LINES, &errors);
    assert_non_null(settings);
    assert_int_equal(errors.len, 0);
    assert_string_equal(settings->path, "x.conf");
    assert_string_equal(settings->server.listen, "127.0.0.1:8080");
    assert_string_equal(settings->server.internal_listen, "127.0.0.1:8081");
    assert_string_equal(settings->server.public_url, "http://127.0.0.1:8080");
    assert_null(settings->server.allowed_origins[0]);
    assert_string_equal(settings->server.state_dir, "/var/lib/purchase-sync");
    assert_int_equal(settings->server.max_body, 2 << 20);
    assert_true(settings->server.answer_cache);
    assert_int_equal(settings->server.stale_answers, 3600);
    assert_int_equal(settings->server.trusted_proxies.count, 0);
    assert_int_equal(settings->server.unlimited_addresses.count, 2);
    assert_int_equal(settings->server.requests_per_user, 20);
    assert_string_equal(settings->database.socket, "/run/db.sock");
    assert_null(settings->database.hosts);
    assert_int_equal(settings->database.port, 3306);
    assert_null(settings->database.tls_ca);
    assert_string_equal(settings->database.user, "purchase_sync");
    assert_string_equal(settings->database.name, "purchase_sync");
    assert_int_equal(settings->database.password.count, 0);
    assert_int_equal(settings->database.connections, 4);
    assert_string_equal(settings->keyring_path, "keyring");
    assert_int_equal(settings->miro_count, 1);
    assert_string_equal(settings->miro[0].name, "");
    assert_string_equal(settings->miro[0].authorize_url, "https://miro.com/oauth/authorize");
    assert_string_equal(settings->miro[0].api_url, "https://api.miro.com");
    assert_string_equal(settings->miro[0].profile_url, "https://api.miro.com/v1/users/me");
    assert_string_equal(settings->miro[0].completed_url, "https://miro.com/app-install-completed/");
    assert_int_equal(settings->miro[0].id_token_leeway, 60);
    assert_string_equal(settings->miro[0].issuer, "miro");
    assert_int_equal(settings->sources[0].secret_encoding, ENCODING_AUTO);
    assert_true(settings->sources[0].live);
    assert_int_equal(settings->sources[0].replay_window, 300);
    assert_null(settings->sources[0].api_url);
    assert_null(settings->mail.smtp_url);
    settings_unref(settings);
}

static void test_values(void **state)
{
    (void)state;
    struct buf errors = {0};
    struct settings *settings =
        parse("[server]\nlisten = [::1]:0\npublic_url = https://Sync.example.com:443/\n"
              "allowed_origins = https://a.example  http://b.example:8080/ ; two\n"
              "max_body = 512 KiB\nanswer_cache = false\nstale_answers = 0\n"
              "trusted_proxies = 10.0.0.0/8  2001:db8::1\nunlimited_addresses =\n"
              "requests_per_address = 0\n"
              "[database]\nhost = db1 fd00::2\nport = 3307\ntls_ca = ca.pem\nconnections = 8\n"
              "[keys]\nkeyring_file = /run/keyring\n"
              "[miro]\nclient_id = 1\nclient_secret_file = m\nid_token_leeway = 0\n"
              "[miro second]\nclient_id = 2\nclient_secret_file = m\napi_url = http://[::1]:9/x/\n"
              "completed_url = http://127.0.0.1:9/done?x=1\n"
              "[source a]\nprovider = standard\nwebhook_secret_file = a\nsecret_encoding = raw\n"
              "live = false\nidentity = acct_1\town\nunpaid_methods =\n"
              "[source B.2_c-d]\nprovider = gumroad\nwebhook_secret_file = b\n"
              "api_url = https://api.gumroad.com/v2\napi_key_file = k\n"
              "[mail]\nsmtp_url = smtp://127.0.0.1:25\nfrom = Licences@example.com\n",
              &errors);
    assert_non_null(settings);
    assert_string_equal(settings->server.listen, "[::1]:0");
    assert_string_equal(settings->server.public_url, "https://sync.example.com");
    assert_string_equal(settings->server.allowed_origins[0], "https://a.example");
    assert_string_equal(settings->server.allowed_origins[1], "http://b.example:8080");
    assert_null(settings->server.allowed_origins[2]);
    assert_int_equal(settings->server.max_body, 512 << 10);
    assert_false(settings->server.answer_cache);
    assert_int_equal(settings->server.stale_answers, 0);
    assert_int_equal(settings->server.trusted_proxies.count, 2);
    assert_int_equal(settings->server.trusted_proxies.items[0].bits, 96 + 8);
    assert_int_equal(settings->server.unlimited_addresses.count, 0);
    assert_int_equal(settings->server.requests_per_address, 0);
    assert_string_equal(settings->database.hosts[1], "fd00::2");
    assert_null(settings->database.hosts[2]);
    assert_string_equal(settings->database.tls_ca, "ca.pem");
    assert_string_equal(settings->keyring_path, "/run/keyring");
    assert_int_equal(settings->miro_count, 2);
    assert_string_equal(settings_miro_by_client(settings, "2")->name, "second");
    assert_string_equal(settings_miro_by_name(settings, "")->client_id, "1");
    assert_string_equal(settings_miro_by_name(settings, "second")->api_url, "http://[::1]:9/x");
    assert_string_equal(settings->miro[1].completed_url, "http://127.0.0.1:9/done?x=1");
    assert_null(settings_miro_by_client(settings, "3"));
    assert_null(settings_miro_by_name(settings, "third"));
    assert_int_equal(settings_source(settings, "a/", 1)->secret_encoding, ENCODING_RAW);
    assert_false(settings_source(settings, "a", 1)->live);
    assert_string_equal(settings_source(settings, "a", 1)->identity[1], "own");
    assert_null(settings_source(settings, "a", 1)->identity[2]);
    assert_null(settings_source(settings, "a", 1)->unpaid_methods[0]);
    assert_null(settings_source(settings, "B.2_c-d", 7)->identity);
    assert_string_equal(settings_source(settings, "B.2_c-d", 7)->unpaid_methods[0], "cod");
    assert_null(settings_source(settings, "B.2_c-d", 7)->unpaid_methods[1]);
    assert_string_equal(settings_source(settings, "B.2_c-d", 7)->api_url,
                        "https://api.gumroad.com/v2");
    assert_null(settings_source(settings, "b.2_c-d", 7));
    assert_null(settings_source(settings, "", 0));
    assert_string_equal(settings->mail.from, "Licences@example.com");
    settings_unref(settings);
}

/* Each is put behind LEAST, so its first line is line 8; the fault is told exactly. */
static const struct {
    const char *text, *fault;
} faults[] = {
    {SOURCE_LINES "identity =\n",
     "x.conf:11: [source a] identity: is empty; expected words with blanks between them\n"},
    {"[nonsense]\nx = y\n",
     "x.conf:8: [nonsense]: unknown section; expected server, database, keys, miro, source or "
     "mail\n"},
    {"[keys]\n", "x.conf:8: [keys]: given twice, first on line 3; expected all its keys in one "
                 "place\n"},
    {"[miro]\n", "x.conf:8: [miro]: given twice, first on line 5; expected all its keys in one "
                 "place\n"},
    {SOURCE_LINES "[source a]\n",
     "x.conf:11: [source a]: given twice, first on line 8; expected all its keys in one place\n"},
    {"[server x]\n", "x.conf:8: [server x]: takes no name; expected the section without one\n"},
    {"[source]\n", "x.conf:8: [source]: needs a name; expected [source NAME]\n"},
    {"[source ..]\n", "x.conf:8: [source ..]: its name is made of dots only; expected a name that "
                      "can be part of a URL's path\n"},
    {"what\n", "x.conf:8: [miro]: neither a section nor a key; expected `key = value`\n"},
    {"[server\n",
     "x.conf:8: [miro]: a section that does not end; expected [name] or [name instance]\n"},
    {"[mail]\nsmtp = x\n",
     "x.conf:9: [mail] smtp: unknown key; expected one of smtp_url, from, starttls, tls_ca, credentials_file\n"
     "x.conf:8: [mail] smtp_url: is missing; expected `smtp://host:port` or `smtps://host:port`\n"
     "x.conf:8: [mail] from: is missing; expected an e-mail address\n"},
    {"client_id = 2\n",
     "x.conf:8: [miro] client_id: given twice, first on line 6; expected it once\n"},
    {"[server]\nlisten = 8080\n", "x.conf:9: [server] listen: has no port; expected `host:port`\n"},
    {"[server]\nlisten =\n",
     "x.conf:9: [server] listen: its host is not understood; expected `host:port`\n"},
    {"[server]\nlisten = 127.0.0.1:8081\n",
     "x.conf:8: [server] internal_listen: is the public listener; expected an address or port of "
     "its own\n"},
    {"[server]\npublic_url = https://a.example/b\n",
     "x.conf:9: [server] public_url: has a path; expected an origin: `https://host` or "
     "`https://host:port`\n"},
    {"[server]\nallowed_origins = https://a.example *\n",
     "x.conf:9: [server] allowed_origins: its scheme is not understood; expected origins with "
     "blanks between them\n"},
    {"[server]\nstate_dir = state\n",
     "x.conf:9: [server] state_dir: is not absolute; expected an absolute path\n"},
    {"[server]\nmax_body = 2 MB\n",
     "x.conf:9: [server] max_body: its unit is not understood; expected bytes, from 1024 to "
     "16777216, or so many `KiB` or `MiB`\n"},
    {"[server]\nmax_body = 17 MiB\n",
     "x.conf:9: [server] max_body: is too large; expected bytes, from 1024 to 16777216, or so many "
     "`KiB` or `MiB`\n"},
    {"[server]\ntrusted_proxies = 10.0.0.1/8\n",
     "x.conf:9: [server] trusted_proxies: one of its networks has bits set beyond its prefix; "
     "expected addresses and networks (`192.0.2.1`, `10.0.0.0/8`) with blanks between them\n"},
    {"[server]\nunlimited_addresses = proxy.example.com\n",
     "x.conf:9: [server] unlimited_addresses: one of its addresses is not understood; expected "
     "addresses and networks (`192.0.2.1`, `10.0.0.0/8`) with blanks between them\n"},
    {"[server]\nanswer_cache = yes\n",
     "x.conf:9: [server] answer_cache: is neither; expected `true` or `false`\n"},
    {"id_token_leeway = 181\n",
     "x.conf:8: [miro] id_token_leeway: is too large; expected a whole number from 0 to 180\n"},
    {"id_token_leeway = -1\n", "x.conf:8: [miro] id_token_leeway: is not a whole number; expected "
                               "a whole number from 0 to 180\n"},
    {"api_url = https://u:p@api.miro.com\n",
     "x.conf:8: [miro] api_url: holds credentials; expected an http or https URL without query or "
     "credentials\n"},
    {"[miro b]\nclient_id = 1\nclient_secret_file = m\n",
     "x.conf:9: [miro b] client_id: is that of the app on line 5; expected one app for each id\n"},
    {"[miro b]\nclient_id = 1/2\nclient_secret_file =\n",
     "x.conf:9: [miro b] client_id: holds a character that it cannot; expected 1 to 32 letters, "
     "digits, `.`, `_` and `-`\n"
     "x.conf:10: [miro b] client_secret_file: names no file; expected a secret file of at most 8 "
     "lines that others cannot read\n"},
    {"[source a]\nprovider = ebay\nwebhook_secret_file = x\n",
     "x.conf:9: [source a] provider: is none of them; expected one of `woocommerce`, `shopify`, "
     "`stripe`, `paddle`, `lemonsqueezy`, `gumroad`, `fastspring`, `standard`\n"},
    {"[source a]\nlive = TRUE\n",
     "x.conf:9: [source a] live: is neither; expected `true` or `false`\n"
     "x.conf:8: [source a] provider: is missing; expected one of `woocommerce`, `shopify`, "
     "`stripe`, `paddle`, `lemonsqueezy`, `gumroad`, `fastspring`, `standard`\n"
     "x.conf:8: [source a] webhook_secret_file: is missing; expected a secret file of at most 8 "
     "lines that others cannot read\n"},
    {"[source a]\nprovider = gumroad\nwebhook_secret_file = x\n",
     "x.conf:8: [source a] api_url: is missing, and gumroad tells nothing without it; expected an "
     "http or https URL without query or credentials\n"
     "x.conf:8: [source a] api_key_file: is missing, and gumroad tells nothing without it; "
     "expected a secret file of at most 8 lines that others cannot read\n"},
    {"[mail]\nsmtp_url = smtp://mail\nfrom = nobody\n",
     "x.conf:10: [mail] from: is not an e-mail address; expected an e-mail address\n"},
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct buf text = {0}, errors = {0};
        buf_printf(&text, "%s%s", LEAST, faults[i].text);
        assert_null(parse(text.data, &errors));
        assert_string_equal(errors.data, faults[i].fault);
        buf_free(&text);
        buf_free(&errors);
    }
}

static void is_refused(const char *text, const char *fault)
{
    struct buf errors = {0};
    assert_null(parse(text, &errors));
    assert_string_equal(errors.data, fault);
    buf_free(&errors);
}

static void test_faults_of_the_whole_file(void **state)
{
    (void)state;
    is_refused("", "x.conf:0: [database]: is missing; expected this section\n"
                   "x.conf:0: [keys]: is missing; expected this section\n"
                   "x.conf:0: [miro]: is missing; expected this section\n");
    is_refused("a = b\n" LEAST, "x.conf:1: a: stands before any section; expected [name] first\n");
    is_refused("[database]\n[keys]\n[miro b]\n",
               "x.conf:2: [keys] keyring_file: is missing; expected a secret file of at most 32 "
               "lines that others cannot read\n"
               "x.conf:3: [miro b] client_id: is missing; expected 1 to 32 letters, digits, `.`, "
               "`_` and `-`\n"
               "x.conf:3: [miro b] client_secret_file: is missing; expected a secret file of at "
               "most 8 lines that others cannot read\n"
               "x.conf:3: [miro]: is missing; expected this section\n"
               "x.conf:1: [database] socket: neither a socket nor a host is given; expected one of "
               "them\n");
    is_refused("[keys]\nkeyring_file = k\n[miro]\nclient_id = 1\nclient_secret_file = m\n"
               "[database]\nsocket = /s\nhost = db\n",
               "x.conf:8: [database] host: given beside socket (line 7); expected one of them\n");
}

/* What a section that is refused holds is neither taken nor complained of. */
static void test_keys_of_refused_sections(void **state)
{
    (void)state;
    is_refused(LEAST "[keys]\nkeyring_file = other\nnonsense = 1\n",
               "x.conf:8: [keys]: given twice, first on line 3; expected all its keys in one "
               "place\n");
}

static void test_faults_are_bounded(void **state)
{
    (void)state;
    struct buf text = {0}, errors = {0};
    for (int i = 0; i < LIMIT_CONFIG_FAULTS + 50; i++)
        buf_puts(&text, "x\n");
    buf_puts(&text, LEAST);
    assert_null(parse(text.data, &errors));
    assert_non_null(strstr(errors.data, "x.conf: 50 more faults\n"));
    assert_null(strstr(errors.data, "x.conf:101:"));
    buf_free(&text);
    buf_free(&errors);
}

static void test_too_many_sections(void **state)
{
    (void)state;
    struct buf text = {0}, errors = {0};
    buf_puts(&text, LEAST);
    for (int i = 0; i < LIMIT_SOURCES; i++)
        buf_printf(&text, "[source s%d]\nprovider = stripe\nwebhook_secret_file = %d\n", i, i);
    struct settings *settings = parse(text.data, &errors);
    assert_non_null(settings);
    assert_int_equal(settings->source_count, LIMIT_SOURCES);
    assert_non_null(settings_source(settings, "s63", 3));
    settings_unref(settings);
    buf_puts(&text, "[source more]\n");
    assert_null(parse(text.data, &errors));
    assert_non_null(strstr(errors.data, "one source too many"));
    buf_free(&text);
    buf_free(&errors);
}

static void test_references(void **state)
{
    (void)state;
    struct buf errors = {0};
    struct settings *settings = parse(LEAST, &errors);
    struct settings *second = settings_ref(settings);
    settings_unref(settings);
    assert_string_equal(second->keyring_path, "keyring");
    settings_unref(second);
    settings_unref(NULL);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(provider_name(PROVIDER_WOOCOMMERCE), "woocommerce");
    assert_string_equal(provider_name(PROVIDER_STANDARD), "standard");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_faults_of_the_whole_file),
        cmocka_unit_test(test_keys_of_refused_sections),
        cmocka_unit_test(test_faults_are_bounded),
        cmocka_unit_test(test_too_many_sections),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
