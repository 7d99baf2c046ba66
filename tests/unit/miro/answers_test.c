/*
 * What Miro's answers mean, by table: tokens, profiles, and refusals in either envelope.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "miro/miro.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW (INT64_C(1795428000) * TIME_SECOND)

static const char *const outcomes[] = {"ok", "later", "refused", "absent", "strange"};

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

/* "ok user team access refresh scope seconds", or the outcome and its sentence. */
static char *tokens_text(int status, const char *body)
{
    struct miro_tokens tokens = {0};
    struct buf error = {0}, out = {0};
    char *exact = xmemdup(body, strlen(body) + 1);
    enum miro_outcome outcome = miro_read_tokens(status, exact, strlen(body), NOW, &tokens, &error);
    free(exact);
    buf_printf(&out, "%s", outcomes[outcome]);
    if (outcome == MIRO_OK) {
        buf_printf(&out, " %s %s %s %s %s ", or_dash(tokens.user), or_dash(tokens.team),
                   tokens.access, or_dash(tokens.refresh), or_dash(tokens.scope));
        if (tokens.expires_at == TIME_NONE)
            buf_puts(&out, "never");
        else
            buf_put_int(&out, (tokens.expires_at - NOW) / TIME_SECOND);
    } else {
        buf_printf(&out, ": %s", or_dash(error.data));
        assert_null(tokens.access);
    }
    miro_tokens_free(&tokens);
    buf_free(&error);
    return buf_take(&out);
}

static char *profile_text(int status, const char *body)
{
    struct miro_profile profile = {0};
    struct buf error = {0}, out = {0};
    char *exact = xmemdup(body, strlen(body) + 1);
    enum miro_outcome outcome = miro_read_profile(status, exact, strlen(body), &profile, &error);
    free(exact);
    buf_printf(&out, "%s", outcomes[outcome]);
    if (outcome == MIRO_OK)
        buf_printf(&out, " %s %s %s", profile.user, or_dash(profile.address),
                   or_dash(profile.state));
    else
        buf_printf(&out, ": %s", or_dash(error.data));
    miro_profile_free(&profile);
    buf_free(&error);
    return buf_take(&out);
}

struct answer_case {
    const char *what;
    int status;
    const char *body, *expected;
};

static void check(char *(*read)(int, const char *), const struct answer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = read(cases[i].status, cases[i].body);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

#define IDS "\"user_id\":\"9876543210123456789\",\"team_id\":\"1234567890987654321\","
#define WHO "ok 9876543210123456789 1234567890987654321 "

static void tokens_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"an exchange", 200,
         "{" IDS "\"refresh_token\":\"r_-1\",\"access_token\":\"a_-1\",\"expires_in\":3599,"
         "\"scope\":\"boards:write boards:read\",\"token_type\":\"bearer\"}",
         WHO "a_-1 r_-1 boards:write boards:read 3599"},
        {"a refresh: a numeric team, no user", 200,
         "{\"token_type\":\"bearer\",\"team_id\":3074457358607431473,\"access_token\":\"a\","
         "\"refresh_token\":\"r\",\"scope\":\"boards:read\",\"expires_in\":3599}",
         "ok - 3074457358607431473 a r boards:read 3599"},
        {"ids as numbers, beyond 2^53", 200,
         "{\"user_id\":9007199254740993,\"team_id\":9223372036854775807,\"access_token\":\"a\"}",
         "ok 9007199254740993 9223372036854775807 a - - never"},
        {"no expiry told", 200, "{" IDS "\"access_token\":\"a\"}", WHO "a - - never"},
        {"expires_in 0", 200, "{" IDS "\"access_token\":\"a\",\"expires_in\":0}",
         WHO "a - - never"},
        {"expires_in below 0", 200, "{" IDS "\"access_token\":\"a\",\"expires_in\":-1}",
         WHO "a - - never"},
        {"expires_in as text", 200, "{" IDS "\"access_token\":\"a\",\"expires_in\":\"60\"}",
         WHO "a - - 60"},
        {"expires_in beyond all time", 200,
         "{" IDS "\"access_token\":\"a\",\"expires_in\":9223372036854775807}", WHO "a - - never"},
        {"refresh_token null", 200,
         "{" IDS "\"access_token\":\"a\",\"refresh_token\":null,\"scope\":null}",
         WHO "a - - never"},
        {"refresh_token empty", 200, "{" IDS "\"access_token\":\"a\",\"refresh_token\":\"\"}",
         WHO "a - - never"},
        {"Bearer in capitals", 200, "{" IDS "\"access_token\":\"a\",\"token_type\":\"Bearer\"}",
         WHO "a - - never"},
    };
    (void)state;
    check(tokens_text, cases, COUNT(cases));
}

#define UNUSABLE "strange: Miro's answer holds no usable access_token"
#define ODD_ID "strange: Miro's answer holds a user_id or team_id that cannot be one"

static void strange_tokens_are_refused(void **state)
{
    static const struct answer_case cases[] = {
        {"no JSON", 200, "access_token=a",
         "strange: Miro's answer to the token call is no JSON object"},
        {"nothing", 200, "", "strange: Miro's answer to the token call is no JSON object"},
        {"a list", 200, "[]", "strange: Miro's answer to the token call is no JSON object"},
        {"two objects", 200, "{} {}", "strange: Miro's answer to the token call is no JSON object"},
        {"no access_token", 200, "{" IDS "\"expires_in\":1}", UNUSABLE},
        {"access_token empty", 200, "{" IDS "\"access_token\":\"\"}", UNUSABLE},
        {"access_token with a line break", 200, "{" IDS "\"access_token\":\"a\\r\\nX: y\"}",
         UNUSABLE},
        {"access_token a number", 200, "{" IDS "\"access_token\":1}", UNUSABLE},
        {"refresh_token a number", 200, "{" IDS "\"access_token\":\"a\",\"refresh_token\":1}",
         "strange: Miro's answer holds a refresh_token that cannot be one"},
        {"a user with a fraction", 200, "{\"user_id\":1.5,\"access_token\":\"a\"}", ODD_ID},
        {"a team that is a list", 200, "{\"team_id\":[1],\"access_token\":\"a\"}", ODD_ID},
        {"a user with letters it cannot have", 200, "{\"user_id\":\"1;2\",\"access_token\":\"a\"}",
         ODD_ID},
        {"another type", 200, "{" IDS "\"access_token\":\"a\",\"token_type\":\"mac\"}",
         "strange: Miro's token is of a type other than bearer"},
        {"an expiry that is none", 200, "{" IDS "\"access_token\":\"a\",\"expires_in\":\"soon\"}",
         "strange: Miro's answer holds an expires_in that is no number"},
        {"an expiry with a fraction", 200, "{" IDS "\"access_token\":\"a\",\"expires_in\":1.5}",
         "strange: Miro's answer holds an expires_in that is no number"},
        {"a redirect", 302, "", "strange: Miro answered 302"},
        {"no such address", 404, "{}", "strange: Miro answered 404"},
    };
    (void)state;
    check(tokens_text, cases, COUNT(cases));
}

static void refusals_are_told_without_secrets(void **state)
{
    static const struct answer_case cases[] = {
        {"Miro's envelope", 401,
         "{\"status\":401,\"code\":\"oauthError\",\"message\":\"Redirect URI mismatch.\","
         "\"type\":\"error\"}",
         "refused: Miro answered 401 oauthError Redirect URI mismatch."},
        {"RFC 6749", 400,
         "{\"error\":\"invalid_grant\",\"error_description\":\"The code is used\"}",
         "refused: Miro answered 400 invalid_grant The code is used"},
        {"forbidden", 403, "{}", "refused: Miro answered 403"},
        {"HTML", 403, "<html>", "refused: Miro answered 403"},
        {"a token and an address in it", 400,
         "{\"message\":\"token eyJtaXJvLm9yaWdpbiI6ImV1MDEifQ_abc of zoe@example.test\\u0007x is "
         "bad\"}",
         "refused: Miro answered 400 token ... of ... is bad"},
        {"too many", 429, "{\"status\":429,\"code\":\"tooManyRequests\"}",
         "later: Miro answered 429 tooManyRequests"},
        {"broken", 500, "", "later: Miro answered 500"},
        {"away", 503, "oops", "later: Miro answered 503"},
    };
    (void)state;
    check(tokens_text, cases, COUNT(cases));
}

/* A profile that is not to be had says nothing against the token; only 401 does. */
static void a_profile_that_is_not_to_be_had_refuses_no_token(void **state)
{
    static const struct answer_case cases[] = {
        {"the token is dead", 401, "{\"code\":\"tokenNotProvided\"}",
         "refused: Miro answered 401 tokenNotProvided"},
        {"the scope is lacking", 403, "{\"code\":\"forbiddenAccess\"}",
         "absent: Miro answered 403 forbiddenAccess"},
        {"no such endpoint any more", 400, "{}", "absent: Miro answered 400"},
    };
    (void)state;
    check(profile_text, cases, COUNT(cases));
}

/* Whoever marks a token for a fault of ours locks its user out. */
static void a_refusal_is_about_what_it_names(void **state)
{
    static const struct {
        const char *body;
        enum miro_refusal expected;
    } cases[] = {
        {"{\"error\":\"invalid_grant\"}", MIRO_REFUSES_TOKEN},
        {"{\"error\":\"invalid_grant\",\"error_description\":\"client\"}", MIRO_REFUSES_TOKEN},
        {"{\"error\":\"invalid_client\"}", MIRO_REFUSES_CLIENT},
        {"{\"error\":\"invalid_client\",\"error_description\":\"token\"}", MIRO_REFUSES_CLIENT},
        {"{\"error\":\"unauthorized_client\"}", MIRO_REFUSES_CLIENT},
        {"{\"error\":\"invalid_request\"}", MIRO_REFUSES_CLIENT},
        {"{\"error\":\"unsupported_grant_type\"}", MIRO_REFUSES_CLIENT},
        {"{\"error\":\"denied\",\"error_description\":\"The token is revoked\"}",
         MIRO_REFUSES_TOKEN},
        {"{\"code\":\"oauthError\",\"message\":\"Invalid refresh token\"}", MIRO_REFUSES_TOKEN},
        {"{\"code\":\"oauthError\",\"message\":\"REFRESH_TOKEN is expired\"}", MIRO_REFUSES_TOKEN},
        {"{\"code\":\"oauthError\",\"message\":\"Invalid authorization code\"}",
         MIRO_REFUSES_TOKEN},
        {"{\"code\":\"oauthError\",\"message\":\"Invalid client credentials\"}",
         MIRO_REFUSES_CLIENT},
        {"{\"code\":\"oauthError\",\"message\":\"The token's Client Secret is wrong\"}",
         MIRO_REFUSES_CLIENT},
        {"{\"code\":\"oauthError\",\"message\":\"Redirect URI mismatch.\"}", MIRO_REFUSES_CLIENT},
        {"{\"code\":\"tokenNotProvided\"}", MIRO_REFUSES_UNSAID},
        {"{\"code\":\"oauthError\",\"message\":\"Unauthorized\"}", MIRO_REFUSES_UNSAID},
        {"{\"message\":7}", MIRO_REFUSES_UNSAID},
        {"{}", MIRO_REFUSES_UNSAID},
        {"<p>Your token is invalid</p>", MIRO_REFUSES_UNSAID},
        {"", MIRO_REFUSES_UNSAID},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (miro_read_refusal(cases[i].body, strlen(cases[i].body)) != cases[i].expected)
            print_error("case: %s\n", cases[i].body);
        assert_int_equal(miro_read_refusal(cases[i].body, strlen(cases[i].body)),
                         cases[i].expected);
    }
}

static char *check_text(int status, const char *body)
{
    struct buf error = {0};
    enum miro_outcome outcome = miro_read_check(status, body, strlen(body), &error);
    char *text = xasprintf("%s: %s", outcomes[outcome], or_dash(error.data));
    buf_free(&error);
    return text;
}

static void only_miro_says_that_a_token_is_dead(void **state)
{
    static const struct answer_case cases[] = {
        {"it lives", 200, "{\"type\":\"oAuthToken\"}", "ok: -"},
        {"dead, as documented", 400, "{\"code\":\"invalidParameters\"}",
         "refused: Miro answered 400 invalidParameters"},
        {"dead, as elsewhere", 401, "{\"code\":\"tokenNotProvided\"}",
         "refused: Miro answered 401 tokenNotProvided"},
        {"a proxy", 401, "<html>", "strange: Miro answered 401"},
        {"forbidden", 403, "{\"code\":\"forbiddenAccess\"}",
         "strange: Miro answered 403 forbiddenAccess"},
        {"no such endpoint", 404, "{\"code\":\"notFound\"}", "strange: Miro answered 404 notFound"},
        {"too many", 429, "{}", "later: Miro answered 429"},
        {"away", 503, "", "later: Miro answered 503"},
    };
    (void)state;
    check(check_text, cases, COUNT(cases));
}

#define NO_PROFILE "strange: Miro's profile is no JSON object with a usable id"

static void profiles_are_read(void **state)
{
    static const struct answer_case cases[] = {
        {"whole", 200,
         "{\"type\":\"user\",\"id\":\"5298357290348572584\",\"name\":\"Zoe\","
         "\"email\":\" Zoe+1@Example.Test \",\"state\":\"registered\"}",
         "ok 5298357290348572584 zoe+1@example.test registered"},
        {"id a number", 200, "{\"id\":5298357290348572584}", "ok 5298357290348572584 - -"},
        {"no e-mail", 200, "{\"id\":\"1\",\"email\":null}", "ok 1 - -"},
        {"no address", 200, "{\"id\":\"1\",\"email\":\"zoe\"}", "ok 1 - -"},
        {"another state", 200, "{\"id\":\"1\",\"state\":\"not_registered\"}",
         "ok 1 - not_registered"},
        {"a state nobody knows is not silence", 200, "{\"id\":\"1\",\"state\":\"No Such\"}",
         "ok 1 - unknown"},
        {"a state without end", 200,
         "{\"id\":\"1\",\"state\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
         "ok 1 - unknown"},
        {"no id", 200, "{\"email\":\"a@b.test\"}", NO_PROFILE},
        {"id with a fraction", 200, "{\"id\":1.0}", NO_PROFILE},
        {"no JSON", 200, "hello", NO_PROFILE},
        {"not there", 404, "{\"code\":\"notFound\"}", "absent: Miro answered 404 notFound"},
    };
    (void)state;
    check(profile_text, cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_read),
        cmocka_unit_test(strange_tokens_are_refused),
        cmocka_unit_test(refusals_are_told_without_secrets),
        cmocka_unit_test(a_profile_that_is_not_to_be_had_refuses_no_token),
        cmocka_unit_test(a_refusal_is_about_what_it_names),
        cmocka_unit_test(only_miro_says_that_a_token_is_dead),
        cmocka_unit_test(profiles_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
