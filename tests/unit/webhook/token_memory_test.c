/* Remembered idTokens: until they expire, and no more than there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "token_memory.h"

static void name(unsigned char out[DIGEST_LEN], int number)
{
    digest_sha256(&number, sizeof(number), out);
}

static void keep(struct token_memory *memory, int number, int64_t now, int64_t expires_at)
{
    unsigned char digest[DIGEST_LEN];
    struct id_token token = {.expires_at = expires_at};

    name(digest, number);
    snprintf(token.user, sizeof(token.user), "%d", number);
    token_memory_keep(memory, digest, now, &token);
}

static bool knows(const struct token_memory *memory, int number, int64_t now)
{
    unsigned char digest[DIGEST_LEN];
    struct id_token token;
    char user[16];

    name(digest, number);
    if (!token_memory_find(memory, digest, now, &token))
        return false;
    snprintf(user, sizeof(user), "%d", number);
    assert_string_equal(token.user, user);
    return true;
}

static void test_until_it_expires(void **state)
{
    struct token_memory *memory = token_memory_new();

    (void)state;
    assert_false(knows(memory, 1, 100));
    keep(memory, 1, 100, 200);
    assert_true(knows(memory, 1, 100));
    assert_true(knows(memory, 1, 199));
    assert_false(knows(memory, 1, 200));
    assert_false(knows(memory, 1, 99)); /* the clock was set back: `nbf` may be ahead again */
    assert_false(knows(memory, 2, 150));
    token_memory_clear(memory);
    assert_false(knows(memory, 1, 150));
    token_memory_free(memory);
}

static void test_bounded(void **state)
{
    struct token_memory *memory = token_memory_new();
    int known = 0;

    (void)state;
    for (int i = 0; i < 3 * LIMIT_TOKENS_REMEMBERED; i++) {
        keep(memory, i, 100, 1000 + i);
        assert_true(knows(memory, i, 100));
    }
    for (int i = 0; i < 3 * LIMIT_TOKENS_REMEMBERED; i++)
        known += knows(memory, i, 100);
    assert_true(known <= LIMIT_TOKENS_REMEMBERED);
    assert_true(known > LIMIT_TOKENS_REMEMBERED / 2);
    token_memory_free(memory);
}

/* What has expired makes room before what has not. */
static void test_expired_go_first(void **state)
{
    struct token_memory *memory = token_memory_new();
    int known = 0;

    (void)state;
    for (int i = 0; i < LIMIT_TOKENS_REMEMBERED / 4; i++)
        keep(memory, i, 100, 5000);
    for (int i = 0; i < 2 * LIMIT_TOKENS_REMEMBERED; i++)
        keep(memory, LIMIT_TOKENS_REMEMBERED + i, 100 + i / 100, 101 + i / 100);
    for (int i = 0; i < LIMIT_TOKENS_REMEMBERED / 4; i++)
        known += knows(memory, i, 2000);
    assert_true(known > LIMIT_TOKENS_REMEMBERED / 4 * 9 / 10);
    token_memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until_it_expires),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_expired_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
