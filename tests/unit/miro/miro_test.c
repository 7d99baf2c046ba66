/*
 * The calls to Miro, over real sockets: a server of our own on loopback notes what it was asked
 * and answers what a case says.
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
#include "net/http_server.h"

#define TOKENS                                                                         \
    "{\"user_id\":\"1\",\"team_id\":2,\"access_token\":\"a\",\"refresh_token\":\"r\"," \
    "\"expires_in\":3599}"

static struct {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    struct settings_miro app;
    /* What to answer, and what was asked. */
    int status;
    const char *headers, *answer;
    const char *secret, *otherwise; /* answered 401 to a form without this secret */
    struct buf asked;
    int asked_times;
    /* What came back. */
    int results;
    enum miro_outcome outcome;
    enum miro_refusal refusal;
    int told_status;
    struct buf told;
    int64_t retry_after_us;
} world;

static void handle(struct http_request *request, void *arg)
{
    size_t len;
    const char *body = http_body(request, &len);
    char *authorization = http_header_text(request, "Authorization");
    char *type = http_header_text(request, "Content-Type");
    char *accept = http_header_text(request, "Accept");
    bool refused = world.secret && (!body || !strstr(body, world.secret));
    (void)arg;
    world.asked_times++;
    buf_reset(&world.asked);
    buf_printf(&world.asked, "%s %s|%s|%s|%s|%.*s", http_method(request), http_path(request),
               accept ? accept : "-", type ? type : "-", authorization ? authorization : "-",
               (int)len, body ? body : "");
    free(accept);
    free(type);
    free(authorization);
    if (refused)
        http_respond(request, 401, NULL, world.otherwise, strlen(world.otherwise));
    else
        http_respond(request, world.status, world.headers, world.answer, strlen(world.answer));
}

static void done(const struct miro_result *result, void *arg)
{
    assert_ptr_equal(arg, &world);
    world.results++;
    world.outcome = result->outcome;
    world.refusal = result->refusal;
    world.told_status = result->status;
    world.retry_after_us = result->retry_after_us;
    buf_reset(&world.told);
    buf_puts(&world.told, result->error);
    if (result->tokens)
        buf_printf(&world.told, "%s %s %s %s", result->tokens->user, result->tokens->team,
                   result->tokens->access, result->tokens->refresh);
    if (result->profile)
        buf_printf(&world.told, "%s %s", result->profile->user,
                   result->profile->address ? result->profile->address : "-");
}

static void wait_for_result(void)
{
    int64_t deadline = clock_monotonic() + 20 * TIME_SECOND;
    int before = world.results;
    while (world.results == before && clock_monotonic() < deadline)
        loop_turn(world.loop, 100);
    assert_int_equal(world.results, before + 1);
}

static void answer_with(int status, const char *headers, const char *body)
{
    world.status = status;
    world.headers = headers;
    world.answer = body;
}

static int open_world(void **state)
{
    const struct http_server_options options = {
        .listen = "127.0.0.1:0", .max_body = 4096, .max_connections = 16, .handler = handle};
    static const char text[] = "client secret & more";
    struct buf error = {0};
    (void)state;
    world.loop = loop_new();
    world.server = http_server_new(world.loop, &options, &error);
    assert_non_null(world.server);
    world.client = http_client_new(world.loop, "purchase-sync-test");
    world.app.name = xstrdup("");
    world.app.client_id = xstrdup("307");
    world.app.client_secrets.items[0] =
        (struct secret){.bytes = (unsigned char *)xstrdup(text), .len = strlen(text)};
    world.app.client_secrets.count = 1;
    world.app.authorize_url = xstrdup("https://miro.example.test/oauth/authorize");
    world.app.completed_url = xstrdup("https://miro.example.test/done/?x=1");
    unsigned port = http_server_port(world.server);
    world.app.api_url = xasprintf("http://127.0.0.1:%u", port);
    world.app.profile_url = xasprintf("http://127.0.0.1:%u/v1/users/me", port);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    http_client_free(world.client);
    http_server_free(world.server);
    loop_free(world.loop);
    free(world.app.name);
    free(world.app.client_id);
    free(world.app.client_secrets.items[0].bytes);
    free(world.app.authorize_url);
    free(world.app.completed_url);
    free(world.app.api_url);
    free(world.app.profile_url);
    buf_free(&world.asked);
    buf_free(&world.told);
    return 0;
}

static void addresses_are_encoded(void **state)
{
    struct buf url = {0};
    (void)state;
    miro_authorize_url(&world.app, "http://127.0.0.1:8080/oauth/callback?a=b", "s t&u", &url);
    assert_string_equal(url.data, "https://miro.example.test/oauth/authorize?response_type=code&"
                                  "client_id=307&redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Foauth"
                                  "%2Fcallback%3Fa%3Db&state=s%20t%26u");
    buf_reset(&url);
    miro_completed_url(&world.app, "30744573", &url);
    assert_string_equal(url.data,
                        "https://miro.example.test/done/?x=1&client_id=307&team_id=30744573");
    buf_free(&url);
}

#define FORM "POST /v1/oauth/token|application/json|application/x-www-form-urlencoded|-|"
#define CLIENT "&client_id=307&client_secret=client%20secret%20%26%20more"

static void exchange_is_a_form(void **state)
{
    (void)state;
    answer_with(200, "Content-Type: application/json\r\n", TOKENS);
    assert_true(miro_exchange(world.client, &world.app, "c+d_1", "http://x.test/cb", done, &world));
    wait_for_result();
    assert_string_equal(world.asked.data, FORM "grant_type=authorization_code&code=c%2Bd_1&"
                                               "redirect_uri=http%3A%2F%2Fx.test%2Fcb" CLIENT);
    assert_int_equal(world.outcome, MIRO_OK);
    assert_string_equal(world.told.data, "1 2 a r");
}

static void refresh_is_a_form(void **state)
{
    (void)state;
    answer_with(200, NULL, "{\"team_id\":2,\"access_token\":\"b\",\"refresh_token\":\"s\"}");
    assert_true(miro_refresh(world.client, &world.app, "r/1", done, &world));
    wait_for_result();
    assert_string_equal(world.asked.data,
                        FORM "grant_type=refresh_token&refresh_token=r%2F1" CLIENT);
    assert_int_equal(world.outcome, MIRO_OK);
    assert_string_equal(world.told.data, " 2 b s");
}

/* What an exchange does not prove, nobody else will. */
static void exchange_must_name_its_user(void **state)
{
    (void)state;
    answer_with(200, NULL, "{\"team_id\":2,\"access_token\":\"a\"}");
    assert_true(miro_exchange(world.client, &world.app, "c", "http://x.test/cb", done, &world));
    wait_for_result();
    assert_int_equal(world.outcome, MIRO_STRANGE);
    assert_string_equal(world.told.data, "Miro's answer to the exchange names no user or no team");
}

static void profile_carries_the_token(void **state)
{
    (void)state;
    answer_with(200, NULL, "{\"id\":\"1\",\"email\":\"Zoe@example.test\"}");
    assert_true(miro_profile(world.client, &world.app, "a_1", done, &world));
    wait_for_result();
    assert_string_equal(world.asked.data, "GET /v1/users/me|application/json|-|Bearer a_1|");
    assert_int_equal(world.outcome, MIRO_OK);
    assert_string_equal(world.told.data, "1 zoe@example.test");
    answer_with(404, NULL, "");
    assert_true(miro_profile(world.client, &world.app, "a_1", done, &world));
    wait_for_result();
    assert_int_equal(world.outcome, MIRO_ABSENT);
}

static void refusals_come_back(void **state)
{
    (void)state;
    answer_with(401, NULL, "{\"code\":\"oauthError\",\"message\":\"Invalid authorization code\"}");
    assert_true(miro_exchange(world.client, &world.app, "c", "http://x.test/cb", done, &world));
    wait_for_result();
    assert_int_equal(world.outcome, MIRO_REFUSED);
    assert_string_equal(world.told.data, "Miro answered 401 oauthError Invalid authorization code");
    answer_with(429, "Retry-After: 7\r\n", "{\"code\":\"tooManyRequests\"}");
    assert_true(miro_profile(world.client, &world.app, "a", done, &world));
    wait_for_result();
    assert_int_equal(world.outcome, MIRO_LATER);
    assert_true(world.retry_after_us > 5 * TIME_SECOND && world.retry_after_us <= 7 * TIME_SECOND);
}

/* A token that would break out of its header is never sent. */
static void token_with_line_break_stays_here(void **state)
{
    (void)state;
    buf_reset(&world.asked);
    answer_with(200, NULL, "{\"id\":\"1\"}");
    assert_true(miro_profile(world.client, &world.app, "a\r\nX-Other: 1", done, &world));
    wait_for_result();
    assert_int_equal(world.outcome, MIRO_STRANGE);
    assert_int_equal(world.asked.len, 0);
    assert_null(strstr(world.told.data, "X-Other"));
}

#define BAD_CLIENT "{\"code\":\"oauthError\",\"message\":\"Invalid client credentials\"}"
#define BAD_TOKEN "{\"code\":\"oauthError\",\"message\":\"Invalid refresh token\"}"
#define BAD_CODE "{\"code\":\"oauthError\",\"message\":\"Invalid authorization code\"}"
#define UNSAID "{\"code\":\"oauthError\",\"message\":\"Unauthorized\"}"

/* One form, by which secret it is accepted, what is said to the others and to it; how often Miro is
 * asked, and what comes of it. */
struct secret_case {
    const char *what;
    bool exchange;
    const char *right, *otherwise;
    int status;
    const char *answer;
    int asked;
    enum miro_outcome outcome;
    enum miro_refusal refusal;
};

static void each_secret_is_tried_while_the_client_is_refused(void **state)
{
    static const struct secret_case cases[] = {
        {"the first", false, "=one", BAD_CLIENT, 200, TOKENS, 1, MIRO_OK, 0},
        {"the last", false, "=three", BAD_CLIENT, 200, TOKENS, 3, MIRO_OK, 0},
        {"the last, of an exchange", true, "=three", BAD_CLIENT, 200, TOKENS, 3, MIRO_OK, 0},
        {"the last, without a word", false, "=three", UNSAID, 200, TOKENS, 3, MIRO_OK, 0},
        {"a code is not tried again without a word", true, "=three", UNSAID, 200, TOKENS, 1,
         MIRO_REFUSED, MIRO_REFUSES_UNSAID},
        {"none", false, "=four", BAD_CLIENT, 200, TOKENS, 3, MIRO_REFUSED, MIRO_REFUSES_CLIENT},
        {"the token is dead", false, "=two", BAD_CLIENT, 401, BAD_TOKEN, 2, MIRO_REFUSED,
         MIRO_REFUSES_TOKEN},
        {"the code is dead", true, "=two", BAD_CLIENT, 401, BAD_CODE, 2, MIRO_REFUSED,
         MIRO_REFUSES_TOKEN},
        {"one of them was right, and nothing is said", false, "=one", BAD_CLIENT, 401, UNSAID, 3,
         MIRO_REFUSED, MIRO_REFUSES_UNSAID},
        {"away", false, "=two", BAD_CLIENT, 503, "", 2, MIRO_LATER, 0},
    };
    struct secret_list kept = world.app.client_secrets;
    (void)state;
    world.app.client_secrets =
        (struct secret_list){.items = {{.bytes = (unsigned char *)xstrdup("one"), .len = 3},
                                       {.bytes = (unsigned char *)xstrdup("two"), .len = 3},
                                       {.bytes = (unsigned char *)xstrdup("three"), .len = 5}},
                             .count = 3};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct secret_case *item = &cases[i];
        world.secret = item->right;
        world.otherwise = item->otherwise;
        world.asked_times = 0;
        answer_with(item->status, NULL, item->answer);
        assert_true(item->exchange ? miro_exchange(world.client, &world.app, "c", "http://x.test/",
                                                   done, &world)
                                   : miro_refresh(world.client, &world.app, "r", done, &world));
        wait_for_result();
        if (world.asked_times != item->asked || world.outcome != item->outcome)
            print_error("case: %s\n", item->what);
        assert_int_equal(world.asked_times, item->asked);
        assert_int_equal(world.outcome, item->outcome);
        if (item->outcome == MIRO_REFUSED)
            assert_int_equal(world.refusal, item->refusal);
    }
    world.secret = NULL;
    for (size_t i = 0; i < 3; i++)
        free(world.app.client_secrets.items[i].bytes);
    world.app.client_secrets = kept;
}

static void a_check_needs_no_secret(void **state)
{
    (void)state;
    answer_with(200, NULL, "{\"type\":\"oAuthToken\"}");
    assert_true(miro_check(world.client, &world.app, "a_1", done, &world));
    wait_for_result();
    assert_string_equal(world.asked.data, "GET /v1/oauth-token|application/json|-|Bearer a_1|");
    assert_int_equal(world.outcome, MIRO_OK);
    assert_int_equal(world.told_status, 200);
    answer_with(401, NULL, "{\"code\":\"tokenNotProvided\"}");
    assert_true(miro_check(world.client, &world.app, "a_1", done, &world));
    wait_for_result();
    assert_int_equal(world.outcome, MIRO_REFUSED);
}

static void nobody_there_is_later(void **state)
{
    char *api_url = world.app.api_url;
    (void)state;
    world.app.api_url = xstrdup("http://127.0.0.1:1");
    assert_true(miro_refresh(world.client, &world.app, "r", done, &world));
    wait_for_result();
    assert_int_equal(world.outcome, MIRO_LATER);
    assert_int_equal(world.retry_after_us, -1);
    free(world.app.api_url);
    world.app.api_url = api_url;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_encoded),
        cmocka_unit_test(exchange_is_a_form),
        cmocka_unit_test(refresh_is_a_form),
        cmocka_unit_test(exchange_must_name_its_user),
        cmocka_unit_test(profile_carries_the_token),
        cmocka_unit_test(refusals_come_back),
        cmocka_unit_test(token_with_line_break_stays_here),
        cmocka_unit_test(each_secret_is_tried_while_the_client_is_refused),
        cmocka_unit_test(a_check_needs_no_secret),
        cmocka_unit_test(nobody_there_is_later),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
