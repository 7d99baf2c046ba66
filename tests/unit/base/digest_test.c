#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"

static void is_hex(const unsigned char *bytes, size_t len, const char *hex)
{
    struct buf text = {0};
    digest_hex(bytes, len, &text);
    assert_string_equal(text.data, hex);
    buf_free(&text);
}

static void test_sha256(void **state)
{
    (void)state;
    unsigned char out[DIGEST_LEN];
    digest_sha256("abc", 3, out);
    is_hex(out, sizeof(out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(NULL, 0, out);
    is_hex(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_parts_do_not_collide(void **state)
{
    (void)state;
    unsigned char a[DIGEST_LEN], b[DIGEST_LEN], c[DIGEST_LEN];
    digest_sha256_parts((struct span[]){{"ab", 2}, {"c", 1}}, 2, a);
    digest_sha256_parts((struct span[]){{"a", 1}, {"bc", 2}}, 2, b);
    digest_sha256_parts((struct span[]){{"abc", 3}}, 1, c);
    assert_memory_not_equal(a, b, DIGEST_LEN);
    assert_memory_not_equal(a, c, DIGEST_LEN);
    digest_sha256("\0\0\0\0\0\0\0\3abc", 11, a);
    assert_memory_equal(a, c, DIGEST_LEN);
}

/* RFC 4231, cases 1, 2 and 6. */
static void test_hmac(void **state)
{
    (void)state;
    unsigned char key[131], out[DIGEST_LEN];
    memset(key, 0x0b, 20);
    digest_hmac_sha256(key, 20, (struct span[]){{"Hi", 2}, {"", 0}, {" There", 6}}, 3, out);
    is_hex(out, sizeof(out), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    digest_hmac_sha256("Jefe", 4, &SPAN_TEXT("what do ya want for nothing?"), 1, out);
    is_hex(out, sizeof(out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    digest_hmac_sha256(key, sizeof(key),
                       &SPAN_TEXT("Test Using Larger Than Block-Size Key - Hash Key First"), 1,
                       out);
    is_hex(out, sizeof(out), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    digest_hmac_sha256(NULL, 0, NULL, 0, out);
    is_hex(out, sizeof(out), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869, case 3: no salt; its info is empty, and its first 32 bytes are ours. */
static void test_hkdf(void **state)
{
    (void)state;
    unsigned char key[22], out[DIGEST_LEN], other[DIGEST_LEN];
    memset(key, 0x0b, sizeof(key));
    digest_hkdf(key, sizeof(key), "", out);
    is_hex(out, sizeof(out), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    digest_hkdf(key, sizeof(key), "purpose", other);
    assert_memory_not_equal(out, other, DIGEST_LEN);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(digest_equal("abc", 3, "abc", 3));
    assert_false(digest_equal("abc", 3, "abd", 3));
    assert_false(digest_equal("abc", 3, "ab", 2));
    assert_true(digest_equal(NULL, 0, NULL, 0));
}

static void test_random_differs(void **state)
{
    (void)state;
    unsigned char a[DIGEST_LEN], b[DIGEST_LEN];
    digest_random(a, sizeof(a));
    digest_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* RFC 4648, and the letters in which the two alphabets differ. */
static void test_encodings(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *base64, *base64url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+", "-__-"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = {0}, bytes = {0};
        size_t len = strlen(rows[i].bytes);
        buf_puts(&text, "");
        digest_base64(rows[i].bytes, len, &text);
        assert_string_equal(text.data, rows[i].base64);
        assert_int_equal(digest_unbase64(text.data, text.len, false, &bytes), 0);
        buf_reset(&text);
        digest_base64url(rows[i].bytes, len, &text);
        assert_string_equal(text.data, rows[i].base64url);
        assert_int_equal(digest_unbase64url(text.data, text.len, &bytes), 0);
        assert_int_equal(bytes.len, 2 * len);
        if (len > 0) {
            assert_memory_equal(bytes.data, rows[i].bytes, len);
            assert_memory_equal(bytes.data + len, rows[i].bytes, len);
        }
        buf_free(&text);
        buf_free(&bytes);
    }
}

static void test_decoders_are_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int strict, lax, url;
    } rows[] = {
        {"Zg==", 0, 0, -1},       {"Zg", -1, 0, 0},         {"Zg=", -1, -1, -1},
        {"Z", -1, -1, -1},        {"Zh==", -1, -1, -1},     {"Zm9=", -1, -1, -1},
        {"Zg===", -1, -1, -1},    {"====", -1, -1, -1},     {"=", -1, -1, -1},
        {"Zm9v=", -1, -1, -1},    {"Zm9v====", -1, -1, -1}, {"Zm 9v", -1, -1, -1},
        {"Zm9v\n", -1, -1, -1},   {"+//+", 0, 0, -1},       {"-__-", -1, -1, 0},
        {"Zg==Zg==", -1, -1, -1}, {"Zm9vY", -1, -1, -1},    {"Z\xc3\xa9v", -1, -1, -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = {0};
        size_t len = strlen(rows[i].text);
        buf_puts(&out, "kept");
        assert_int_equal(digest_unbase64(rows[i].text, len, false, &out), rows[i].strict);
        out.len = rows[i].strict == 0 ? 4 : out.len;
        assert_int_equal(out.len, 4);
        assert_int_equal(digest_unbase64(rows[i].text, len, true, &out), rows[i].lax);
        out.len = rows[i].lax == 0 ? 4 : out.len;
        assert_int_equal(out.len, 4);
        assert_int_equal(digest_unbase64url(rows[i].text, len, &out), rows[i].url);
        if (rows[i].url != 0)
            assert_int_equal(out.len, 4);
        buf_free(&out);
    }
}

static void test_hex(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_int_equal(digest_unhex("00fFaB", 6, &out), 0);
    assert_memory_equal(out.data, "\x00\xff\xab", 3);
    assert_int_equal(digest_unhex("0", 1, &out), -1);
    assert_int_equal(digest_unhex("00g0", 4, &out), -1);
    assert_int_equal(out.len, 3);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),    cmocka_unit_test(test_parts_do_not_collide),
        cmocka_unit_test(test_hmac),      cmocka_unit_test(test_hkdf),
        cmocka_unit_test(test_equal),     cmocka_unit_test(test_random_differs),
        cmocka_unit_test(test_encodings), cmocka_unit_test(test_decoders_are_strict),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
