/*
 * Which idTokens are believed. The forger below knows the secret and nothing of libjwt, so what it
 * makes is what an independent signer would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "miro/id_token.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CLIENT "3074457363680401096"
#define SECRET "client-secret-of-a-test-app-00001"
#define OLD_SECRET "client-secret-of-a-test-app-00000"
#define OTHER_CLIENT "3074457363680401097"
#define OTHER_SECRET "client-secret-of-another-app-0001"
#define ISSUED 1700000000
#define NOW (ISSUED * TIME_SECOND)

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define WHO "\"team\":\"3074457362577833142\",\"user\":\"3074457353169356300\""
#define DATES "\"exp\":1700003600,\"iat\":1700000000"
#define PAYLOAD "{\"sub\":\"" CLIENT "\",\"iss\":\"miro\"," WHO "," DATES "}"

static char empty[] = "", client[] = CLIENT, other_client[] = OTHER_CLIENT, issuer[] = "miro";
static unsigned char secret[] = SECRET, old_secret[] = OLD_SECRET, other_secret[] = OTHER_SECRET;
static struct settings_miro apps[] = {
    {.name = empty,
     .client_id = client,
     .client_secrets = {.items = {{secret, sizeof(secret) - 1},
                                  {old_secret, sizeof(old_secret) - 1}},
                        .count = 2},
     .id_token_leeway = 60,
     .issuer = issuer},
    {.name = other_client,
     .client_id = other_client,
     .client_secrets = {.items = {{other_secret, sizeof(other_secret) - 1}}, .count = 1},
     .id_token_leeway = 60,
     .issuer = issuer},
};
static struct settings settings = {.miro = apps, .miro_count = 2};

/* header "." payload "." HMAC, each part base64url. */
static void forge(const char *header, const char *payload, const char *key, struct buf *out)
{
    unsigned char mac[DIGEST_LEN];
    buf_reset(out);
    digest_base64url(header, strlen(header), out);
    buf_putc(out, '.');
    digest_base64url(payload, strlen(payload), out);
    digest_hmac_sha256(key, strlen(key), &(struct span){out->data, out->len}, 1, mac);
    buf_putc(out, '.');
    digest_base64url(mac, sizeof(mac), out);
}

static enum id_token_verdict verify(const char *token, size_t len, int64_t now,
                                    struct id_token *out, const char **why)
{
    /* An exact copy, so that a sanitizer sees any byte read beyond. */
    char *exact = xmemdup(token, len ? len : 1);
    enum id_token_verdict verdict = id_token_verify(&settings, exact, len, now, out, why);
    free(exact);
    return verdict;
}

/* Expects the guard's name, or NULL for a valid token. */
static void expect(const char *what, const char *token, size_t len, int64_t now, const char *guard)
{
    struct id_token out;
    const char *why = NULL;
    enum id_token_verdict verdict = verify(token, len, now, &out, &why);
    if ((why == NULL) != (guard == NULL) || (why && strcmp(why, guard) != 0))
        print_error("case: %s: %s\n", what, why ? why : "valid");
    assert_int_equal(verdict, guard == NULL                    ? ID_TOKEN_VALID
                              : strcmp(guard, "exp_past") == 0 ? ID_TOKEN_EXPIRED
                                                               : ID_TOKEN_INVALID);
    if (guard)
        assert_string_equal(why, guard);
}

/* Signed by another implementation (Python's hmac over the same texts). */
static void independent_token_is_believed(void **state)
{
    static const char token[] =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIzMDc0NDU3MzYzNjgwNDAxMDk2IiwiaXNzIjoibWly"
        "byIsInRlYW0iOiIzMDc0NDU3MzYyNTc3ODMzMTQyIiwidXNlciI6IjMwNzQ0NTczNTMxNjkzNTYzMDAiLCJleHAiOj"
        "E3MDAwMDM2MDAsImlhdCI6MTcwMDAwMDAwMH0.Zbk-8VqkXeiEFc7KYQSsGYHhq8YTZWhQn246QV8hxsU";
    struct id_token out;
    const char *why;
    (void)state;
    assert_int_equal(verify(token, strlen(token), NOW, &out, &why), ID_TOKEN_VALID);
    assert_ptr_equal(out.app, &apps[0]);
    assert_string_equal(out.user, "3074457353169356300");
    assert_string_equal(out.team, "3074457362577833142");
    assert_int_equal(out.expires_at, (ISSUED + 3600 + 60) * TIME_SECOND);
}

static void minted_tokens_are_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(apps); i++) {
        struct buf token = {0};
        struct id_token out;
        const char *why;
        id_token_mint(&apps[i], "1", "2", NOW, NOW + TIME_HOUR, &token);
        assert_int_equal(verify(token.data, token.len, NOW, &out, &why), ID_TOKEN_VALID);
        assert_ptr_equal(out.app, &apps[i]);
        assert_string_equal(out.user, "1");
        assert_string_equal(out.team, "2");
        buf_free(&token);
    }
}

static void secrets_rotate(void **state)
{
    struct buf token = {0};
    (void)state;
    forge(HEADER, PAYLOAD, SECRET, &token);
    expect("the first secret", token.data, token.len, NOW, NULL);
    forge(HEADER, PAYLOAD, OLD_SECRET, &token);
    expect("the second secret", token.data, token.len, NOW, NULL);
    forge(HEADER, PAYLOAD, OTHER_SECRET, &token);
    expect("another app's secret", token.data, token.len, NOW, "signature");
    forge(HEADER, PAYLOAD, "", &token);
    expect("no secret", token.data, token.len, NOW, "signature");
    /* An app whose secret is empty believes nobody. */
    secret[0] ^= 1;
    apps[0].client_secrets.items[1].len = 0;
    forge(HEADER, PAYLOAD, OLD_SECRET, &token);
    expect("an empty secret", token.data, token.len, NOW, "signature");
    apps[0].client_secrets.items[1].len = sizeof(old_secret) - 1;
    secret[0] ^= 1;
    buf_free(&token);
}

struct token_case {
    const char *what, *header, *payload;
    int64_t now;
    const char *guard;
};

static void check(const struct token_case *cases, size_t count)
{
    struct buf token = {0};
    for (size_t i = 0; i < count; i++) {
        forge(cases[i].header, cases[i].payload, SECRET, &token);
        expect(cases[i].what, token.data, token.len, cases[i].now * TIME_SECOND, cases[i].guard);
    }
    buf_free(&token);
}

static void headers_choose_nothing(void **state)
{
    static const struct token_case cases[] = {
        {"no typ", "{\"alg\":\"HS256\"}", PAYLOAD, ISSUED, NULL},
        {"alg none", "{\"alg\":\"none\",\"typ\":\"JWT\"}", PAYLOAD, ISSUED, "alg"},
        {"alg None", "{\"alg\":\"NoNe\"}", PAYLOAD, ISSUED, "alg"},
        {"alg RS256", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", PAYLOAD, ISSUED, "alg"},
        {"alg HS512", "{\"alg\":\"HS512\",\"typ\":\"JWT\"}", PAYLOAD, ISSUED, "alg"},
        {"alg in small letters", "{\"alg\":\"hs256\"}", PAYLOAD, ISSUED, "alg"},
        {"no alg", "{\"typ\":\"JWT\"}", PAYLOAD, ISSUED, "alg"},
        {"alg a list", "{\"alg\":[\"HS256\"]}", PAYLOAD, ISSUED, "alg"},
        {"alg given twice", "{\"alg\":\"none\",\"alg\":\"HS256\"}", PAYLOAD, ISSUED, NULL},
        {"alg given twice, none last", "{\"alg\":\"HS256\",\"alg\":\"none\"}", PAYLOAD, ISSUED,
         "alg"},
        {"alg with a NUL", "{\"alg\":\"HS256\\u0000\"}", PAYLOAD, ISSUED, "alg"},
        {"crit", "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", PAYLOAD, ISSUED, "crit"},
        {"crit null", "{\"alg\":\"HS256\",\"crit\":null}", PAYLOAD, ISSUED, "crit"},
        {"another typ", "{\"alg\":\"HS256\",\"typ\":\"JOSE\"}", PAYLOAD, ISSUED, "typ"},
        {"typ null", "{\"alg\":\"HS256\",\"typ\":null}", PAYLOAD, ISSUED, "typ"},
        {"a header that is no object", "[]", PAYLOAD, ISSUED, "header"},
        {"a header that is no JSON", "HS256", PAYLOAD, ISSUED, "header"},
    };
    (void)state;
    check(cases, COUNT(cases));
}

/* A payload with the usual names but other dates. */
#define DATED(dates) "{\"sub\":\"" CLIENT "\",\"iss\":\"miro\"," WHO dates "}"

static void dates_are_held(void **state)
{
    static const struct token_case cases[] = {
        {"just inside", HEADER, DATED(",\"exp\":1700000000"), ISSUED + 59, NULL},
        {"beyond the leeway", HEADER, DATED(",\"exp\":1700000000"), ISSUED + 60, "exp_past"},
        {"long past", HEADER, DATED(",\"exp\":1600000000"), ISSUED, "exp_past"},
        {"at 0", HEADER, DATED(",\"exp\":0"), ISSUED, "exp_past"},
        {"missing", HEADER, DATED(""), ISSUED, "exp_missing"},
        {"null", HEADER, DATED(",\"exp\":null"), ISSUED, "exp"},
        {"text", HEADER, DATED(",\"exp\":\"1700003600\""), ISSUED, "exp"},
        {"below 0", HEADER, DATED(",\"exp\":-1"), ISSUED, "exp"},
        {"endless", HEADER, DATED(",\"exp\":9223372036854775807"), ISSUED, "exp"},
        {"a fraction", HEADER, DATED(",\"exp\":1700003600.5"), ISSUED, NULL},
        {"iat just ahead", HEADER, DATED(",\"exp\":1700003600,\"iat\":1700000060"), ISSUED, NULL},
        {"iat ahead", HEADER, DATED(",\"exp\":1700003600,\"iat\":1700000061"), ISSUED, "iat_ahead"},
        {"iat text", HEADER, DATED(",\"exp\":1700003600,\"iat\":\"now\""), ISSUED, "iat"},
        {"nbf ahead", HEADER, DATED(",\"exp\":1700003600,\"nbf\":1700000061"), ISSUED, "nbf_ahead"},
        {"nbf past", HEADER, DATED(",\"exp\":1700003600,\"nbf\":1600000000"), ISSUED, NULL},
        {"nbf a list", HEADER, DATED(",\"exp\":1700003600,\"nbf\":[]"), ISSUED, "nbf"},
    };
    (void)state;
    check(cases, COUNT(cases));
    /* Expired is said only of what is signed. */
    struct buf token = {0};
    forge(HEADER, DATED(",\"exp\":1600000000"), OTHER_SECRET, &token);
    expect("expired and forged", token.data, token.len, NOW, "signature");
    /* Whatever the configuration says, the leeway ends at three minutes. */
    apps[0].id_token_leeway = 86400;
    forge(HEADER, DATED(",\"exp\":1700000000"), SECRET, &token);
    expect("a huge leeway", token.data, token.len, (ISSUED + 180) * TIME_SECOND, "exp_past");
    apps[0].id_token_leeway = 60;
    buf_free(&token);
}

static void names_are_held(void **state)
{
#define NAMED(sub, iss, who) "{\"sub\":" sub ",\"iss\":" iss "," who "," DATES "}"
#define SUB "\"" CLIENT "\""
    static const struct token_case cases[] = {
        {"sub a number", HEADER, NAMED(CLIENT, "\"miro\"", WHO), ISSUED, NULL},
        {"another iss", HEADER, NAMED(SUB, "\"Miro\"", WHO), ISSUED, "iss"},
        {"iss null", HEADER, NAMED(SUB, "null", WHO), ISSUED, "iss"},
        {"unknown sub", HEADER, NAMED("\"1\"", "\"miro\"", WHO), ISSUED, "sub"},
        {"sub null", HEADER, NAMED("null", "\"miro\"", WHO), ISSUED, "sub"},
        {"sub of the other app, our secret", HEADER, NAMED("\"" OTHER_CLIENT "\"", "\"miro\"", WHO),
         ISSUED, "signature"},
        {"no user", HEADER, NAMED(SUB, "\"miro\"", "\"team\":\"1\""), ISSUED, "user"},
        {"no team", HEADER, NAMED(SUB, "\"miro\"", "\"user\":\"1\""), ISSUED, "team"},
        {"user empty", HEADER, NAMED(SUB, "\"miro\"", "\"team\":1,\"user\":\"\""), ISSUED, "user"},
        {"user a fraction", HEADER, NAMED(SUB, "\"miro\"", "\"team\":1,\"user\":1.0"), ISSUED,
         "user"},
        {"user in powers", HEADER, NAMED(SUB, "\"miro\"", "\"team\":1,\"user\":1e3"), ISSUED,
         "user"},
        {"user below 0", HEADER, NAMED(SUB, "\"miro\"", "\"team\":1,\"user\":-1"), ISSUED, "user"},
        {"user true", HEADER, NAMED(SUB, "\"miro\"", "\"team\":1,\"user\":true"), ISSUED, "user"},
        {"user with a blank", HEADER, NAMED(SUB, "\"miro\"", "\"team\":1,\"user\":\"1 2\""), ISSUED,
         "user"},
        {"user too long", HEADER,
         NAMED(SUB, "\"miro\"", "\"team\":1,\"user\":\"123456789012345678901234567890123\""),
         ISSUED, "user"},
        {"team a list", HEADER, NAMED(SUB, "\"miro\"", "\"team\":[1],\"user\":1"), ISSUED, "team"},
        {"a payload that is no object", HEADER, "[]", ISSUED, "sub"},
        {"a payload that is no JSON", HEADER, "sub", ISSUED, "sub"},
    };
    (void)state;
    check(cases, COUNT(cases));
}

static void numbers_keep_their_last_digit(void **state)
{
    struct buf token = {0};
    struct id_token out;
    const char *why;
    (void)state;
    forge(HEADER,
          "{\"sub\":" CLIENT ",\"iss\":\"miro\",\"team\":9007199254740993,"
          "\"user\":9223372036854775807," DATES "}",
          SECRET, &token);
    assert_int_equal(verify(token.data, token.len, NOW, &out, &why), ID_TOKEN_VALID);
    assert_string_equal(out.team, "9007199254740993");
    assert_string_equal(out.user, "9223372036854775807");
    buf_free(&token);
}

static void forms_are_held(void **state)
{
    static const char hs512[] =
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIzMDc0NDU3MzYzNjgwNDAxMDk2IiwiaXN"
        "zIjoibWlybyIsInRlYW0iOiIzMDc0NDU3MzYyNTc3ODMzMTQyIiwidXNlciI6IjMwNzQ0NTczNTMxNjk"
        "zNTYzMDAiLCJleHAiOjE3MDAwMDM2MDAsImlhdCI6MTcwMDAwMDAwMH0.yEysJbmlwCecDfzfTR2jzzL"
        "zNh-Pj_SbCGejU4oUBGhlurqP7OBxT7-NpNBC2YR748QgGZafP2kKKHL9jGtRhw";
    static const char *const forms[] = {".", "..", "a.b", "a.b.c.d", ".b.c", "a..c", "a.b."};
    struct buf token = {0}, large = {0};
    (void)state;
    expect("nothing", "", 0, NOW, "length");
    for (size_t i = 0; i < COUNT(forms); i++)
        expect(forms[i], forms[i], strlen(forms[i]), NOW, "form");
    expect("HS512 under the right secret", hs512, strlen(hs512), NOW, "alg");
    forge(HEADER, PAYLOAD, SECRET, &token);
    char last = token.data[token.len - 1];
    for (char c = 'A'; c <= 'Z'; c++) {
        token.data[token.len - 1] = c;
        expect("another last letter", token.data, token.len, NOW, c == last ? NULL : "signature");
    }
    token.data[token.len - 1] = last;
    expect("cut short", token.data, token.len - 1, NOW, "signature");
    buf_putc(&token, '=');
    expect("padded", token.data, token.len, NOW, "signature");
    token.data[token.len - 1] = '\0';
    expect("a NUL behind", token.data, token.len, NOW, "signature");
    token.data[token.len - 1] = '.';
    expect("a fourth part", token.data, token.len, NOW, "form");
    /* 10 kB, signed by the right secret. */
    buf_puts(&large, "{\"sub\":\"" CLIENT "\",\"iss\":\"miro\"," WHO "," DATES ",\"x\":\"");
    for (int i = 0; i < 10000; i++)
        buf_putc(&large, 'x');
    buf_puts(&large, "\"}");
    forge(HEADER, large.data, SECRET, &token);
    expect("10 kB", token.data, token.len, NOW, "length");
    buf_free(&large);
    buf_free(&token);
}

/* No byte of a signed token may change. */
static void every_bit_is_signed(void **state)
{
    struct buf token = {0};
    struct id_token out;
    const char *why;
    (void)state;
    forge(HEADER, PAYLOAD, SECRET, &token);
    for (size_t bit = 0; bit < 8 * token.len; bit++) {
        token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(verify(token.data, token.len, NOW, &out, &why), ID_TOKEN_INVALID);
        token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
    }
    buf_free(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(independent_token_is_believed),
        cmocka_unit_test(minted_tokens_are_believed),
        cmocka_unit_test(secrets_rotate),
        cmocka_unit_test(headers_choose_nothing),
        cmocka_unit_test(dates_are_held),
        cmocka_unit_test(names_are_held),
        cmocka_unit_test(numbers_keep_their_last_digit),
        cmocka_unit_test(forms_are_held),
        cmocka_unit_test(every_bit_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
