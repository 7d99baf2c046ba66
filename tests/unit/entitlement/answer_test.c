#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "entitlement/answer.h"
#include "known.h"

#define NOW AT(1000)
#define NEVER TIME_NONE
#define A CONTRIBUTION_ACTIVE

enum { MOST_HOLDINGS = 40 };

static struct holding holding(const char *key, enum contribution_state state, int64_t quantity,
                              int64_t ends_at, int64_t grace_until)
{
    struct holding one = {
        .state = state, .quantity = quantity, .ends_at = ends_at, .grace_until = grace_until};
    snprintf(one.key, sizeof one.key, "%s", key);
    return one;
}

static void test_identity(void **state)
{
    (void)state;
    static const struct {
        size_t valid, refused;
        bool address;
        enum identity_state expected;
    } cases[] = {
        {0, 0, false, IDENTITY_NOT_INSTALLED}, {1, 0, false, IDENTITY_NO_EMAIL},
        {1, 0, true, IDENTITY_LINKED},         {0, 0, true, IDENTITY_LINKED},
        {0, 1, true, IDENTITY_REAUTHORIZE},    {0, 2, false, IDENTITY_REAUTHORIZE},
        {1, 1, true, IDENTITY_LINKED},         {1, 1, false, IDENTITY_NO_EMAIL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct standing standing = {.valid_tokens = cases[i].valid,
                                    .refused_tokens = cases[i].refused,
                                    .has_address = cases[i].address};
        struct answer answer;
        answer_aggregate(&standing, NOW, &answer);
        assert_int_equal(answer.identity, cases[i].expected);
        assert_int_equal(answer.count, 0);
        assert_true(answer.changes_at == NEVER);
        answer_free(&answer);
    }
}

/* Up to three holdings of one key, and what they come to. */
static void test_aggregate_of_one_key(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct {
            enum contribution_state state;
            int64_t quantity, ends_at, grace_until;
        } holdings[3]; /* quantity 0: no more */
        int status;    /* -1: not live */
        int64_t quantity, expires_at, changes_at;
    } cases[] = {
        {"one", {{A, 2, NEVER, NEVER}}, ENTITLEMENT_ACTIVE, 2, NEVER, NEVER},
        {"ends", {{A, 1, AT(1001), NEVER}}, ENTITLEMENT_ACTIVE, 1, AT(1001), AT(1001)},
        {"ends now", {{A, 1, AT(1000), NEVER}}, -1, 0, 0, NEVER},
        {"in grace", {{A, 1, AT(1000), AT(1002)}}, ENTITLEMENT_GRACE, 1, AT(1002), AT(1002)},
        {"grace ends now", {{A, 1, AT(900), AT(1000)}}, -1, 0, 0, NEVER},
        {"grace to come", {{A, 1, AT(1001), AT(1005)}}, ENTITLEMENT_ACTIVE, 1, AT(1001), AT(1001)},
        {"pending", {{CONTRIBUTION_PENDING, 1, NEVER, NEVER}}, -1, 0, 0, NEVER},
        {"refunded", {{CONTRIBUTION_REFUNDED, 1, AT(1001), NEVER}}, -1, 0, 0, NEVER},
        {"disputed", {{CONTRIBUTION_DISPUTED, 1, NEVER, NEVER}}, -1, 0, 0, NEVER},
        {"cancelled", {{CONTRIBUTION_CANCELLED, 1, NEVER, NEVER}}, -1, 0, 0, NEVER},
        {"another order keeps it",
         {{CONTRIBUTION_REFUNDED, 5, NEVER, NEVER}, {A, 1, NEVER, NEVER}},
         ENTITLEMENT_ACTIVE,
         1,
         NEVER,
         NEVER},
        {"quantities sum, the latest end counts",
         {{A, 1, AT(1005), NEVER}, {A, 2, AT(1009), NEVER}, {A, 4, AT(1007), NEVER}},
         ENTITLEMENT_ACTIVE,
         7,
         AT(1009),
         AT(1005)},
        {"never is the latest",
         {{A, 1, AT(1005), NEVER}, {A, 2, NEVER, NEVER}, {A, 4, AT(1007), NEVER}},
         ENTITLEMENT_ACTIVE,
         7,
         NEVER,
         AT(1005)},
        {"active beats grace, and its end counts",
         {{A, 1, AT(900), AT(2000)}, {A, 2, AT(1005), NEVER}},
         ENTITLEMENT_ACTIVE,
         3,
         AT(1005),
         AT(1005)},
        {"active first, then grace",
         {{A, 2, AT(1005), NEVER}, {A, 1, AT(900), AT(1003)}},
         ENTITLEMENT_ACTIVE,
         3,
         AT(1005),
         AT(1003)},
        {"the latest grace",
         {{A, 1, AT(900), AT(1003)}, {A, 1, AT(900), AT(1009)}},
         ENTITLEMENT_GRACE,
         2,
         AT(1009),
         AT(1003)},
        {"absurd quantities",
         {{A, INT64_MAX, NEVER, NEVER}, {A, 1, NEVER, NEVER}},
         ENTITLEMENT_ACTIVE,
         INT64_MAX,
         NEVER,
         NEVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct holding holdings[3];
        size_t count = 0;
        for (; count < 3 && cases[i].holdings[count].quantity; count++)
            holdings[count] =
                holding("k", cases[i].holdings[count].state, cases[i].holdings[count].quantity,
                        cases[i].holdings[count].ends_at, cases[i].holdings[count].grace_until);
        struct standing standing = {.holdings = holdings, .holding_count = count};
        struct answer answer;
        answer_aggregate(&standing, NOW, &answer);
        if (answer.changes_at != cases[i].changes_at || answer.count != (cases[i].status >= 0))
            print_error("%s\n", cases[i].what);
        assert_true(answer.changes_at == cases[i].changes_at);
        assert_int_equal(answer.count, cases[i].status >= 0);
        if (answer.count > 0) {
            assert_int_equal(answer.entitlements[0].status, cases[i].status);
            assert_true(answer.entitlements[0].quantity == cases[i].quantity);
            assert_true(answer.entitlements[0].expires_at == cases[i].expires_at);
        }
        answer_free(&answer);
    }
}

/* What one key comes to, by asking the definition of every part of the answer in turn. */
static bool naive(const struct standing *standing, const char *key, int64_t now,
                  struct entitlement *out)
{
    bool active = false, never = false;
    int64_t quantity = 0, ends = NEVER, grace = NEVER;
    size_t live = 0;
    for (size_t i = 0; i < standing->holding_count; i++) {
        const struct holding *one = &standing->holdings[i];
        if (strcmp(one->key, key) != 0 || one->state != CONTRIBUTION_ACTIVE)
            continue;
        bool runs = one->ends_at == NEVER || one->ends_at > now;
        bool graced = !runs && one->grace_until != NEVER && one->grace_until > now;
        if (!runs && !graced)
            continue;
        live++;
        quantity += one->quantity;
        active = active || runs;
        never = never || (runs && one->ends_at == NEVER);
        if (runs && one->ends_at > ends)
            ends = one->ends_at;
        if (graced && one->grace_until > grace)
            grace = one->grace_until;
    }
    *out = (struct entitlement){.key = key,
                                .status = active ? ENTITLEMENT_ACTIVE : ENTITLEMENT_GRACE,
                                .quantity = quantity,
                                .expires_at = !active ? grace
                                              : never ? NEVER
                                                      : ends};
    return live > 0;
}

static void random_standing(struct standing *standing, uint64_t *random)
{
    static const char *const keys[] = {"a", "b", "b-", "icons", "icons-pro"};
    standing->holding_count = random_next(random) % MOST_HOLDINGS;
    for (size_t i = 0; i < standing->holding_count; i++) {
        int64_t ends = random_next(random) % 3 ? AT(998 + random_next(random) % 5) : NEVER;
        int64_t grace =
            ends != NEVER && random_next(random) % 2 ? ends + AT(random_next(random) % 4) : NEVER;
        standing->holdings[i] =
            holding(keys[random_next(random) % 5],
                    (enum contribution_state)(random_next(random) % 2 ? CONTRIBUTION_ACTIVE
                                                                      : random_next(random) % 5),
                    1 + (int64_t)(random_next(random) % 3), ends, grace);
    }
}

/* The answer as text, for comparing two of them. */
static char *answer_text(const struct standing *standing, int64_t now)
{
    struct buf out = {0};
    char version[ANSWER_VERSION];
    struct answer answer;
    answer_aggregate(standing, now, &answer);
    answer_write(standing, &answer, -1, &out, version);
    answer_free(&answer);
    return buf_take(&out);
}

/* An answer holds until changes_at, and is another one then (unless something else made up for what
 * ended, which is why it may be early and must not be late). */
static void check_changes_at(const struct standing *standing, int64_t changes_at)
{
    char *now = answer_text(standing, NOW);
    int64_t last = changes_at == NEVER ? AT(2000) : changes_at - 1;
    char *later = answer_text(standing, last);
    assert_string_equal(now, later);
    free(now);
    free(later);
}

static void test_aggregate_agrees_with_the_definition(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", "b-", "icons", "icons-pro"};
    uint64_t random = 5;
    struct holding holdings[MOST_HOLDINGS];
    struct standing standing = {.holdings = holdings};
    for (int turn = 0; turn < 5000; turn++) {
        random_standing(&standing, &random);
        struct answer answer;
        answer_aggregate(&standing, NOW, &answer);
        size_t live = 0;
        for (size_t k = 0; k < 5; k++) {
            struct entitlement expected;
            int64_t expires_at;
            bool is_live = naive(&standing, keys[k], NOW, &expected);
            enum reason reason = answer_reason(&standing, keys[k], true, NOW, &expires_at);
            assert_true(is_live == (reason == REASON_ACTIVE || reason == REASON_GRACE));
            if (!is_live)
                continue;
            const struct entitlement *found = &answer.entitlements[live++];
            assert_true(live <= answer.count);
            assert_string_equal(found->key, keys[k]);
            assert_int_equal(found->status, expected.status);
            assert_int_equal(found->quantity, expected.quantity);
            assert_true(found->expires_at == expected.expires_at);
            assert_true(expires_at == expected.expires_at);
            assert_int_equal(reason == REASON_ACTIVE, expected.status == ENTITLEMENT_ACTIVE);
        }
        assert_int_equal(answer.count, live);
        check_changes_at(&standing, answer.changes_at);
        answer_free(&answer);
    }
}

/* Checks a body against its content, and its version against the content's digest. */
static void check_body(const struct standing *standing, int64_t stale_seconds, const char *content,
                       const char *tail)
{
    struct buf body = {0}, expected = {0}, hex = {0};
    char version[ANSWER_VERSION];
    unsigned char digest[DIGEST_LEN];
    struct answer answer;
    answer_aggregate(standing, NOW, &answer);
    buf_puts(&body, "before ");
    answer_write(standing, &answer, stale_seconds, &body, version);
    digest_sha256(content, strlen(content), digest);
    digest_hex(digest, 16, &hex);
    assert_string_equal(version, hex.data);
    buf_printf(&expected, "before %.*s,\"version\":\"%s\"%s}", (int)strlen(content) - 1, content,
               hex.data, tail);
    assert_string_equal(body.data, expected.data);
    answer_free(&answer);
    buf_free(&body);
    buf_free(&expected);
    buf_free(&hex);
}

static void test_body(void **state)
{
    (void)state;
    struct holding holdings[] = {
        holding("icons-pro", CONTRIBUTION_ACTIVE, 1, NEVER, NEVER),
        holding("extra-boards", CONTRIBUTION_ACTIVE, 3, INT64_C(1795341600) * TIME_SECOND, NEVER),
        holding("old", CONTRIBUTION_ACTIVE, 3, AT(900), AT(1100)),
        holding("gone", CONTRIBUTION_REFUNDED, 3, NEVER, NEVER),
    };
    struct standing standing = {.user = "3458764514838398337",
                                .team = "3458764514838398336",
                                .holdings = holdings,
                                .holding_count = 4,
                                .has_address = true,
                                .valid_tokens = 1};
    static const char content[] =
        "{\"user\":\"3458764514838398337\",\"team\":\"3458764514838398336\",\"entitlements\":["
        "{\"key\":\"extra-boards\",\"status\":\"active\",\"quantity\":3,\"expires_at\":"
        "\"2026-11-22T10:00:00Z\"},"
        "{\"key\":\"icons-pro\",\"status\":\"active\",\"quantity\":1,\"expires_at\":null},"
        "{\"key\":\"old\",\"status\":\"grace\",\"quantity\":3,\"expires_at\":"
        "\"1970-01-01T00:18:20Z\"}],"
        "\"identity\":{\"state\":\"linked\"}}";
    check_body(&standing, -1, content, "");
    check_body(&standing, 0, content, ",\"stale_seconds\":0");
    check_body(&standing, 17, content, ",\"stale_seconds\":17");
}

static void test_empty_body(void **state)
{
    (void)state;
    struct standing standing = {.user = "1", .team = ""};
    check_body(&standing, -1,
               "{\"user\":\"1\",\"team\":\"\",\"entitlements\":[],"
               "\"identity\":{\"state\":\"not_installed\"}}",
               "");
    standing.valid_tokens = 1;
    check_body(&standing, -1,
               "{\"user\":\"1\",\"team\":\"\",\"entitlements\":[],"
               "\"identity\":{\"state\":\"no_email\"}}",
               "");
    standing.valid_tokens = 0;
    standing.refused_tokens = 1;
    check_body(&standing, -1,
               "{\"user\":\"1\",\"team\":\"\",\"entitlements\":[],"
               "\"identity\":{\"state\":\"reauthorize\"}}",
               "");
}

/* Whatever a catalogue calls a key, the body stays JSON. */
static void test_body_escapes(void **state)
{
    (void)state;
    struct holding holdings[] = {holding("a\"b\\", CONTRIBUTION_ACTIVE, 1, NEVER, NEVER)};
    struct standing standing = {.user = "1", .holdings = holdings, .holding_count = 1};
    check_body(&standing, -1,
               "{\"user\":\"1\",\"team\":\"\",\"entitlements\":[{\"key\":\"a\\\"b\\\\\",\"status\":"
               "\"active\",\"quantity\":1,\"expires_at\":null}],"
               "\"identity\":{\"state\":\"not_installed\"}}",
               "");
}

static void test_reason(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool known;
        struct {
            enum contribution_state state;
            int64_t ends_at, grace_until;
        } holdings[3];
        size_t count;
        enum reason reason;
        int64_t expires_at;
    } cases[] = {
        {"nothing", true, {{0}}, 0, REASON_NEVER_BOUGHT, NEVER},
        {"no such key", false, {{0}}, 0, REASON_UNKNOWN_KEY, NEVER},
        {"live though the catalogue dropped it",
         false,
         {{A, NEVER, NEVER}},
         1,
         REASON_ACTIVE,
         NEVER},
        {"live", true, {{A, AT(1001), NEVER}}, 1, REASON_ACTIVE, AT(1001)},
        {"grace", true, {{A, AT(999), AT(1005)}}, 1, REASON_GRACE, AT(1005)},
        {"expired", true, {{A, AT(999), NEVER}, {A, AT(900), AT(950)}}, 2, REASON_EXPIRED, AT(999)},
        {"expired grace", true, {{A, AT(900), AT(950)}}, 1, REASON_EXPIRED, AT(950)},
        {"live beats all",
         true,
         {{CONTRIBUTION_PENDING, NEVER, NEVER}, {A, AT(1001), NEVER}},
         2,
         REASON_ACTIVE,
         AT(1001)},
        {"pending first",
         true,
         {{CONTRIBUTION_DISPUTED, NEVER, NEVER},
          {CONTRIBUTION_PENDING, NEVER, NEVER},
          {A, AT(1), NEVER}},
         3,
         REASON_PENDING,
         NEVER},
        {"then disputed",
         true,
         {{A, AT(1), NEVER}, {CONTRIBUTION_DISPUTED, NEVER, NEVER}},
         2,
         REASON_DISPUTED,
         NEVER},
        {"then expired",
         true,
         {{CONTRIBUTION_REFUNDED, NEVER, NEVER}, {A, AT(1), NEVER}},
         2,
         REASON_EXPIRED,
         AT(1)},
        {"then refunded",
         true,
         {{CONTRIBUTION_CANCELLED, NEVER, NEVER}, {CONTRIBUTION_REFUNDED, NEVER, NEVER}},
         2,
         REASON_REFUNDED,
         NEVER},
        {"then cancelled",
         true,
         {{CONTRIBUTION_CANCELLED, NEVER, NEVER}},
         1,
         REASON_CANCELLED,
         NEVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct holding holdings[4];
        size_t count = cases[i].count;
        for (size_t h = 0; h < count; h++)
            holdings[h] = holding("k", cases[i].holdings[h].state, 1, cases[i].holdings[h].ends_at,
                                  cases[i].holdings[h].grace_until);
        holdings[count] = holding("other", CONTRIBUTION_ACTIVE, 1, NEVER, NEVER);
        struct standing standing = {.holdings = holdings, .holding_count = count + 1};
        int64_t expires_at = 1;
        enum reason reason = answer_reason(&standing, "k", cases[i].known, NOW, &expires_at);
        if (reason != cases[i].reason)
            print_error("%s\n", cases[i].what);
        assert_int_equal(reason, cases[i].reason);
        assert_true(expires_at == cases[i].expires_at);
    }
}

static void test_key_body(void **state)
{
    (void)state;
    static const struct {
        enum reason reason;
        int64_t expires_at;
        const char *expected;
    } cases[] = {
        {REASON_ACTIVE, NEVER, "true,\"reason\":\"active\",\"expires_at\":null}"},
        {REASON_GRACE, AT(1), "true,\"reason\":\"grace\",\"expires_at\":\"1970-01-01T00:00:01Z\"}"},
        {REASON_NEVER_BOUGHT, NEVER, "false,\"reason\":\"never_bought\",\"expires_at\":null}"},
        {REASON_PENDING, NEVER, "false,\"reason\":\"pending\",\"expires_at\":null}"},
        {REASON_REFUNDED, NEVER, "false,\"reason\":\"refunded\",\"expires_at\":null}"},
        {REASON_DISPUTED, NEVER, "false,\"reason\":\"disputed\",\"expires_at\":null}"},
        {REASON_EXPIRED, AT(1),
         "false,\"reason\":\"expired\",\"expires_at\":\"1970-01-01T00:00:01Z\"}"},
        {REASON_CANCELLED, NEVER, "false,\"reason\":\"cancelled\",\"expires_at\":null}"},
        {REASON_SEAT_LIMIT, NEVER, "false,\"reason\":\"seat_limit\",\"expires_at\":null}"},
        {REASON_UNKNOWN_KEY, NEVER, "false,\"reason\":\"unknown_key\",\"expires_at\":null}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf body = {0}, expected = {0};
        answer_write_key("icons-pro", cases[i].reason, cases[i].expires_at, &body);
        buf_printf(&expected, "{\"key\":\"icons-pro\",\"entitled\":%s", cases[i].expected);
        assert_string_equal(body.data, expected.data);
        buf_free(&body);
        buf_free(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_aggregate_of_one_key),
        cmocka_unit_test(test_aggregate_agrees_with_the_definition),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_empty_body),
        cmocka_unit_test(test_body_escapes),
        cmocka_unit_test(test_reason),
        cmocka_unit_test(test_key_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
