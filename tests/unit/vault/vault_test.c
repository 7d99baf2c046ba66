#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "vault/vault.h"

#define KID_1 "k1"
#define KID_2 "2026.11-b_2"
#define LINE_1 KID_1 ":AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define LINE_2 KID_2 ":ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define LINE_1_OTHER_KEY KID_1 ":QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="

static const char address[] = "zoe@example.test";

static struct secret_list keyring(const char *first, const char *second)
{
    struct secret_list list = {0};
    list.items[list.count++] = (struct secret){(unsigned char *)xstrdup(first), strlen(first)};
    if (second != NULL)
        list.items[list.count++] =
            (struct secret){(unsigned char *)xstrdup(second), strlen(second)};
    return list;
}

static struct vault *make_vault(const char *first, const char *second)
{
    struct secret_list lines = keyring(first, second);
    struct buf error = {0};
    struct vault *vault = vault_new(&lines, &error);
    assert_non_null(vault);
    assert_int_equal(error.len, 0);
    secret_list_free(&lines);
    return vault;
}

static struct buf seal(const struct vault *vault, enum vault_purpose purpose, const char *context,
                       const char *plain)
{
    struct buf sealed = {0};
    vault_seal(vault, purpose, SPAN_TEXT(context), SPAN_TEXT(plain), &sealed);
    return sealed;
}

static void opens(const struct vault *vault, enum vault_purpose purpose, const char *context,
                  const struct buf *sealed, const char *plain)
{
    struct buf out = {0};
    buf_puts(&out, "before ");
    assert_int_equal(vault_open(vault, purpose, SPAN_TEXT(context),
                                (struct span){sealed->data, sealed->len}, &out),
                     0);
    assert_int_equal(out.len, 7 + strlen(plain));
    assert_string_equal(out.data + 7, plain);
    buf_wipe(&out);
}

/* Refused, and what was in the buffer is all that is. */
static void does_not_open(const struct vault *vault, enum vault_purpose purpose,
                          const char *context, struct span sealed)
{
    struct buf out = {0};
    buf_puts(&out, "before");
    assert_int_equal(vault_open(vault, purpose, SPAN_TEXT(context), sealed, &out), -1);
    assert_string_equal(out.data, "before");
    assert_int_equal(out.len, 6);
    buf_free(&out);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const plains[] = {"", "x", "{\"id\":12}"};
    struct vault *vault = make_vault(LINE_1, NULL);
    for (int purpose = 0; purpose < VAULT_PURPOSES; purpose++) {
        for (size_t i = 0; i < sizeof(plains) / sizeof(plains[0]); i++) {
            struct buf sealed = seal(vault, (enum vault_purpose)purpose, "row|1", plains[i]);
            assert_int_equal(sealed.len, 2 + strlen(KID_1) + 12 + strlen(plains[i]) + 16);
            opens(vault, (enum vault_purpose)purpose, "row|1", &sealed, plains[i]);
            buf_free(&sealed);
        }
    }
    vault_free(vault);
}

static void test_large_body_and_no_context(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_1, NULL);
    struct buf plain = {0}, sealed = {0}, out = {0};
    for (int i = 0; i < 300000; i++)
        buf_putc(&plain, (char)i);
    vault_seal(vault, VAULT_BODY, (struct span){NULL, 0}, (struct span){plain.data, plain.len},
               &sealed);
    assert_int_equal(vault_open(vault, VAULT_BODY, (struct span){NULL, 0},
                                (struct span){sealed.data, sealed.len}, &out),
                     0);
    assert_int_equal(out.len, plain.len);
    assert_memory_equal(out.data, plain.data, plain.len);
    buf_free(&plain);
    buf_free(&sealed);
    buf_free(&out);
    vault_free(vault);
}

static void test_two_envelopes_of_one_text_differ(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_1, NULL);
    struct buf a = seal(vault, VAULT_ADDRESS, "row", address);
    struct buf b = seal(vault, VAULT_ADDRESS, "row", address);
    assert_memory_not_equal(a.data + 4, b.data + 4, a.len - 4);
    assert_null(memmem(a.data, a.len, "zoe", 3));
    buf_free(&a);
    buf_free(&b);
    vault_free(vault);
}

static void test_moved_envelopes(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_1, NULL);
    struct buf sealed = seal(vault, VAULT_TOKEN, "token.access|app|user|team", "secret");
    struct span span = {sealed.data, sealed.len};
    does_not_open(vault, VAULT_TOKEN, "token.access|app|user|other", span);
    does_not_open(vault, VAULT_TOKEN, "token.access|app|user|tea", span);
    does_not_open(vault, VAULT_TOKEN, "", span);
    for (int purpose = 0; purpose < VAULT_PURPOSES; purpose++) {
        if (purpose != VAULT_TOKEN)
            does_not_open(vault, (enum vault_purpose)purpose, "token.access|app|user|team", span);
    }
    buf_free(&sealed);
    vault_free(vault);
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_1, LINE_2);
    struct buf sealed = seal(vault, VAULT_ADDRESS, "row", address);
    for (size_t i = 0; i < sealed.len * 8; i++) {
        sealed.data[i / 8] = (char)(sealed.data[i / 8] ^ (1 << i % 8));
        does_not_open(vault, VAULT_ADDRESS, "row", (struct span){sealed.data, sealed.len});
        sealed.data[i / 8] = (char)(sealed.data[i / 8] ^ (1 << i % 8));
    }
    opens(vault, VAULT_ADDRESS, "row", &sealed, address);
    buf_free(&sealed);
    vault_free(vault);
}

static void test_every_truncation(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_1, NULL);
    struct buf sealed = seal(vault, VAULT_ADDRESS, "row", address);
    for (size_t len = 0; len < sealed.len; len++) {
        /* In memory of exactly that size, so that a sanitizer sees any read behind it. */
        char *cut = xmemdup(sealed.data, len);
        does_not_open(vault, VAULT_ADDRESS, "row", (struct span){cut, len});
        free(cut);
        char *front_cut = xmemdup(sealed.data + sealed.len - len, len);
        does_not_open(vault, VAULT_ADDRESS, "row", (struct span){front_cut, len});
        free(front_cut);
    }
    does_not_open(vault, VAULT_ADDRESS, "row", (struct span){NULL, 0});
    buf_putc(&sealed, '\0');
    does_not_open(vault, VAULT_ADDRESS, "row", (struct span){sealed.data, sealed.len});
    buf_free(&sealed);
    vault_free(vault);
}

static void test_rotation_of_seals(void **state)
{
    (void)state;
    struct vault *before = make_vault(LINE_1, NULL);
    struct vault *made = make_vault(LINE_1, LINE_2);
    struct vault *promoted = make_vault(LINE_2, LINE_1);
    struct vault *after = make_vault(LINE_2, NULL);
    assert_string_equal(vault_active_kid(made), KID_1);
    assert_string_equal(vault_active_kid(promoted), KID_2);
    struct buf old = seal(before, VAULT_ADDRESS, "row", address);
    struct buf new = seal(promoted, VAULT_ADDRESS, "row", address);
    opens(made, VAULT_ADDRESS, "row", &old, address);
    opens(made, VAULT_ADDRESS, "row", &new, address);
    opens(promoted, VAULT_ADDRESS, "row", &old, address);
    opens(after, VAULT_ADDRESS, "row", &new, address);
    does_not_open(after, VAULT_ADDRESS, "row", (struct span){old.data, old.len});
    does_not_open(before, VAULT_ADDRESS, "row", (struct span){new.data, new.len});
    char *kid = vault_envelope_kid((struct span){new.data, new.len});
    assert_string_equal(kid, KID_2);
    free(kid);
    new.data[0] = 2;
    assert_null(vault_envelope_kid((struct span){new.data, new.len}));
    buf_free(&old);
    buf_free(&new);
    vault_free(before);
    vault_free(made);
    vault_free(promoted);
    vault_free(after);
}

/* The kid in the head is known to the ring, and the key behind it is another one. */
static void test_wrong_key_of_the_right_name(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_1, NULL), *other = make_vault(LINE_1_OTHER_KEY, NULL);
    struct buf sealed = seal(vault, VAULT_ADDRESS, "row", address);
    does_not_open(other, VAULT_ADDRESS, "row", (struct span){sealed.data, sealed.len});
    buf_free(&sealed);
    vault_free(vault);
    vault_free(other);
}

static void test_index_key(void **state)
{
    (void)state;
    struct vault *maker = make_vault(LINE_1, NULL);
    struct vault *host = make_vault(LINE_2, LINE_1);
    struct vault *stranger = make_vault(LINE_1_OTHER_KEY, LINE_2);
    struct buf sealed = {0}, again = {0};
    unsigned char a[DIGEST_LEN], b[DIGEST_LEN];
    assert_false(vault_has_index_key(maker));
    vault_index_key_make(maker, &sealed);
    assert_true(vault_has_index_key(maker));
    assert_int_equal(vault_index_key_load(host, (struct span){sealed.data, sealed.len}), 0);
    assert_int_equal(vault_index_key_load(stranger, (struct span){sealed.data, sealed.len}), -1);
    assert_false(vault_has_index_key(stranger));
    vault_index(maker, address, a);
    vault_index(host, address, b);
    assert_memory_equal(a, b, DIGEST_LEN);
    vault_index(host, "zoe@example.tesT", b);
    assert_memory_not_equal(a, b, DIGEST_LEN);

    /* Sealed again under another key it is the same key, and no index changes. */
    assert_int_equal(vault_reseal(host, VAULT_INDEX_KEY, VAULT_INDEX_KEY_CONTEXT,
                                  (struct span){sealed.data, sealed.len}, &again),
                     0);
    char *kid = vault_envelope_kid((struct span){again.data, again.len});
    assert_string_equal(kid, KID_2);
    free(kid);
    assert_int_equal(vault_index_key_load(stranger, (struct span){again.data, again.len}), 0);
    vault_index(stranger, address, b);
    assert_memory_equal(a, b, DIGEST_LEN);
    buf_free(&sealed);
    buf_free(&again);
    vault_free(maker);
    vault_free(host);
    vault_free(stranger);
}

/* An envelope that opens but does not hold a key of the right length is no index key. */
static void test_index_key_of_a_wrong_length(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_1, NULL);
    struct buf sealed = seal(vault, VAULT_INDEX_KEY, "index key", "short");
    assert_int_equal(vault_index_key_load(vault, (struct span){sealed.data, sealed.len}), -1);
    assert_false(vault_has_index_key(vault));
    buf_free(&sealed);
    vault_free(vault);
}

/* What is resealed opens as before, under the first key; what does not open is left alone. */
static void test_resealing(void **state)
{
    (void)state;
    struct vault *before = make_vault(LINE_1, NULL), *both = make_vault(LINE_2, LINE_1);
    struct vault *after = make_vault(LINE_2, NULL);
    struct buf sealed = seal(before, VAULT_ADDRESS, "row", address), again = {0};
    struct span old = {sealed.data, sealed.len};
    assert_int_equal(vault_reseal(after, VAULT_ADDRESS, SPAN_TEXT("row"), old, &again), -1);
    assert_int_equal(vault_reseal(both, VAULT_TOKEN, SPAN_TEXT("row"), old, &again), -1);
    assert_int_equal(vault_reseal(both, VAULT_ADDRESS, SPAN_TEXT("other"), old, &again), -1);
    assert_int_equal(again.len, 0);
    assert_int_equal(vault_reseal(both, VAULT_ADDRESS, SPAN_TEXT("row"), old, &again), 0);
    opens(after, VAULT_ADDRESS, "row", &again, address);
    buf_free(&sealed);
    buf_free(&again);
    vault_free(before);
    vault_free(both);
    vault_free(after);
}

/* Two keys of one name have two marks, the same key has one on every host. */
static void test_marks(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_2, LINE_1), *same = make_vault(LINE_1, NULL);
    struct vault *other = make_vault(LINE_1_OTHER_KEY, NULL);
    struct vault_key_name found;
    assert_int_equal(vault_key_count(vault), 2);
    assert_string_equal(vault_key_name(vault, 0).kid, KID_2);
    assert_int_equal(vault_find_kid(vault, KID_1, &found), 0);
    assert_memory_equal(found.mark, vault_key_name(same, 0).mark, VAULT_MARK_LEN);
    assert_memory_not_equal(found.mark, vault_key_name(other, 0).mark, VAULT_MARK_LEN);
    assert_memory_not_equal(found.mark, vault_key_name(vault, 0).mark, VAULT_MARK_LEN);
    assert_int_equal(vault_find_kid(same, KID_2, &found), -1);
    vault_free(vault);
    vault_free(same);
    vault_free(other);
}

static void test_signatures(void **state)
{
    (void)state;
    struct vault *vault = make_vault(LINE_2, LINE_1), *later = make_vault(LINE_1, LINE_2);
    struct vault *without = make_vault(LINE_1, NULL);
    struct buf signature = {0};
    struct span message = SPAN_TEXT("user|team");
    vault_sign(vault, VAULT_MAC_STATE, message, &signature);
    assert_int_equal(signature.len, strlen(KID_2) + 1 + 43);
    assert_int_equal(strncmp(signature.data, KID_2 ".", strlen(KID_2) + 1), 0);
    assert_true(vault_verify(vault, VAULT_MAC_STATE, message, signature.data, signature.len));
    assert_true(vault_verify(later, VAULT_MAC_STATE, message, signature.data, signature.len));
    assert_false(vault_verify(without, VAULT_MAC_STATE, message, signature.data, signature.len));
    assert_false(vault_verify(vault, VAULT_MAC_REFERENCE, message, signature.data, signature.len));
    assert_false(vault_verify(vault, VAULT_MAC_STATE, SPAN_TEXT("user|tean"), signature.data,
                              signature.len));
    for (size_t len = 0; len < signature.len; len++)
        assert_false(vault_verify(vault, VAULT_MAC_STATE, message, signature.data, len));
    for (size_t i = 0; i < signature.len; i++) {
        signature.data[i] = (char)(signature.data[i] ^ 1);
        assert_false(vault_verify(vault, VAULT_MAC_STATE, message, signature.data, signature.len));
        signature.data[i] = (char)(signature.data[i] ^ 1);
    }
    buf_putc(&signature, 'A');
    assert_false(vault_verify(vault, VAULT_MAC_STATE, message, signature.data, signature.len));
    assert_false(vault_verify(vault, VAULT_MAC_STATE, message, NULL, 0));
    assert_false(vault_verify(vault, VAULT_MAC_STATE, message, ".", 1));
    buf_free(&signature);
    vault_free(vault);
    vault_free(later);
    vault_free(without);
}

static void test_keyrings(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *part;
    } rows[] = {
        {"nothing", NULL, "key 1 of the keyring has no key id"},
        {":AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", NULL, "no key id"},
        {"a b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", NULL, "no key id"},
        {"abcdefghijklmnopqrstuvwxyz1234567:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", NULL,
         "no key id"},
        {"k:", NULL, "(k) is not base64 of 32 bytes"},
        {"k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", NULL, "(k) is not base64 of 32 bytes"},
        {"k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ==", NULL, "is not base64 of 32 bytes"},
        {"k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", NULL, "is not base64 of 32 bytes"},
        {"k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= ", NULL, "is not base64 of 32 bytes"},
        {LINE_1, LINE_1_OTHER_KEY, "key 2 of the keyring has the id of another, k1"},
        {LINE_1, "x", "key 2 of the keyring has no key id"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secret_list lines = keyring(rows[i].first, rows[i].second);
        struct buf error = {0};
        assert_null(vault_new(&lines, &error));
        assert_non_null(strstr(error.data, rows[i].part));
        assert_null(strstr(error.data, "AAECAw"));
        buf_free(&error);
        secret_list_free(&lines);
    }
    struct secret_list none = {0};
    struct buf error = {0};
    assert_null(vault_new(&none, &error));
    assert_non_null(strstr(error.data, "holds no key"));
    buf_free(&error);
}

/* Made with this program's first release: what is sealed today must open for ever. */
static void test_a_stored_envelope_still_opens(void **state)
{
    (void)state;
    static const char stored[] = "AQJrMW/eWQtISVWmxy0hcnCE1/Yzd42uVvrNIIG4x5fnhl3/n0nexeTGCJA9+Ob5";
    static const char signature[] = "k1.j9BGMRhR7ZHiV8thzG5nQ2r3730yWrIt5huNl3ORkQI";
    struct vault *vault = make_vault(LINE_1, NULL);
    struct buf sealed = {0};
    assert_int_equal(digest_unbase64(stored, strlen(stored), false, &sealed), 0);
    opens(vault, VAULT_ADDRESS, "row", &sealed, address);
    assert_true(
        vault_verify(vault, VAULT_MAC_REFERENCE, SPAN_TEXT("m"), signature, strlen(signature)));
    buf_free(&sealed);
    vault_free(vault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_large_body_and_no_context),
        cmocka_unit_test(test_two_envelopes_of_one_text_differ),
        cmocka_unit_test(test_moved_envelopes),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_rotation_of_seals),
        cmocka_unit_test(test_wrong_key_of_the_right_name),
        cmocka_unit_test(test_index_key),
        cmocka_unit_test(test_index_key_of_a_wrong_length),
        cmocka_unit_test(test_resealing),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_keyrings),
        cmocka_unit_test(test_a_stored_envelope_still_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
