#include "base/digest.h"

#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/mem.h"

/* Fetched once: a fetch takes locks and a lookup, and these run on every request. */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MAC *hmac;
static pthread_key_t hmac_context; /* each thread's, as long as it lives */

static void free_hmac_context(void *context)
{
    EVP_MAC_CTX_free(context);
}

static void fetch_algorithms(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (sha256 == NULL || hmac == NULL)
        die("OpenSSL has no SHA-256 or no HMAC");
    if (pthread_key_create(&hmac_context, free_hmac_context) != 0)
        die("no room for a thread's HMAC");
}

static void need_algorithms(void)
{
    if (pthread_once(&fetch_once, fetch_algorithms) != 0)
        die("OpenSSL cannot be set up");
}

/* Dies with what OpenSSL was asked for; it is never a matter of the input. */
static void need(int result, const char *what)
{
    if (result != 1)
        die("OpenSSL failed: %s", what);
}

static EVP_MD_CTX *sha256_begin(void)
{
    need_algorithms();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL)
        die("out of memory (SHA-256)");
    need(EVP_DigestInit_ex2(context, sha256, NULL), "EVP_DigestInit_ex2");
    return context;
}

static void sha256_end(EVP_MD_CTX *context, unsigned char out[DIGEST_LEN])
{
    unsigned int len = 0;
    need(EVP_DigestFinal_ex(context, out, &len) == 1 && len == DIGEST_LEN, "EVP_DigestFinal_ex");
    EVP_MD_CTX_free(context);
}

void digest_sha256(const void *bytes, size_t len, unsigned char out[DIGEST_LEN])
{
    EVP_MD_CTX *context = sha256_begin();
    need(EVP_DigestUpdate(context, bytes, len), "EVP_DigestUpdate");
    sha256_end(context, out);
}

/* A length is eight bytes, big end first, on every machine: these digests are stored. */
void digest_sha256_parts(const struct span *parts, size_t count, unsigned char out[DIGEST_LEN])
{
    EVP_MD_CTX *context = sha256_begin();
    for (size_t i = 0; i < count; i++) {
        unsigned char len[8];
        for (size_t byte = 0; byte < sizeof(len); byte++)
            len[byte] = (unsigned char)((uint64_t)parts[i].len >> (56 - 8 * byte));
        need(EVP_DigestUpdate(context, len, sizeof(len)), "EVP_DigestUpdate");
        need(EVP_DigestUpdate(context, parts[i].bytes, parts[i].len), "EVP_DigestUpdate");
    }
    sha256_end(context, out);
}

/* Kept, because a new one looks its digest up by name, under locks, and takes a dozen pieces of
 * memory. Every use sets it to another key. */
static EVP_MAC_CTX *thread_hmac(void)
{
    char name[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    need_algorithms();
    EVP_MAC_CTX *context = pthread_getspecific(hmac_context);
    if (context != NULL)
        return context;
    context = EVP_MAC_CTX_new(hmac);
    if (context == NULL || pthread_setspecific(hmac_context, context) != 0)
        die("out of memory (HMAC)");
    need(EVP_MAC_CTX_set_params(context, params), "EVP_MAC_CTX_set_params");
    return context;
}

/* OpenSSL takes a NULL key for "the key of before", so an empty key still needs an address. */
void digest_hmac_sha256(const void *key, size_t key_len, const struct span *parts, size_t count,
                        unsigned char out[DIGEST_LEN])
{
    size_t len = 0;
    EVP_MAC_CTX *context = thread_hmac();
    need(EVP_MAC_init(context, key_len > 0 ? key : "", key_len, NULL), "EVP_MAC_init");
    for (size_t i = 0; i < count; i++)
        need(EVP_MAC_update(context, parts[i].bytes, parts[i].len), "EVP_MAC_update");
    need(EVP_MAC_final(context, out, &len, DIGEST_LEN) == 1 && len == DIGEST_LEN, "EVP_MAC_final");
}

/* RFC 5869, written over HMAC: one block of output is one step. */
void digest_hkdf(const void *key, size_t key_len, const char *info, unsigned char out[DIGEST_LEN])
{
    static const unsigned char no_salt[DIGEST_LEN];
    static const unsigned char first_block = 1;
    unsigned char extracted[DIGEST_LEN];
    digest_hmac_sha256(no_salt, sizeof(no_salt), &(struct span){key, key_len}, 1, extracted);
    struct span expand[] = {SPAN_TEXT(info), {&first_block, 1}};
    digest_hmac_sha256(extracted, sizeof(extracted), expand, 2, out);
    explicit_bzero(extracted, sizeof(extracted));
}

void digest_random(void *out, size_t len)
{
    if (len > INT_MAX)
        die("%zu random bytes", len);
    need(RAND_bytes(out, (int)len), "RAND_bytes");
}

bool digest_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || CRYPTO_memcmp(a, b, a_len) == 0);
}

void digest_hex(const void *bytes, size_t len, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[from[i] >> 4], digits[from[i] & 15]};
        buf_append(out, pair, sizeof(pair));
    }
}

static const char standard_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Three bytes make four characters; what is left over makes one more than it has bytes. */
static void encode(const unsigned char *bytes, size_t len, const char *alphabet, bool padded,
                   struct buf *out)
{
    for (size_t at = 0; at < len; at += 3) {
        size_t take = len - at < 3 ? len - at : 3;
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++)
            group = group << 8 | (i < take ? bytes[at + i] : 0);
        char text[4];
        for (size_t i = 0; i < 4; i++) {
            text[i] = '=';
            if (i <= take)
                text[i] = alphabet[group >> (18 - 6 * i) & 63];
        }
        buf_append(out, text, padded ? 4 : take + 1);
    }
}

void digest_base64(const void *bytes, size_t len, struct buf *out)
{
    encode(bytes, len, standard_alphabet, true, out);
}

void digest_base64url(const void *bytes, size_t len, struct buf *out)
{
    encode(bytes, len, url_alphabet, false, out);
}

/* Puts the buffer back to `len` bytes; half a decoded secret is a secret. */
static void take_back(struct buf *out, size_t len)
{
    if (out->data == NULL)
        return;
    explicit_bzero(out->data + len, out->len - len);
    out->len = len;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int digest_unhex(const char *text, size_t len, struct buf *out)
{
    size_t before = out->len;
    if (len % 2 != 0)
        return -1;
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0) {
            take_back(out, before);
            return -1;
        }
        buf_putc(out, (char)(high * 16 + low));
    }
    return 0;
}

/* The value of a character, by arithmetic: a table looked up by secret characters leaves traces. */
static int symbol_value(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

/* `len` counts no padding. Bits that belong to no byte must be zero: one text for one value. */
static int decode(const char *text, size_t len, const char *alphabet, struct buf *out)
{
    size_t before = out->len;
    uint32_t group = 0;
    unsigned int bits = 0;
    if (len % 4 == 1)
        return -1;
    for (size_t i = 0; i < len; i++) {
        int value = symbol_value(text[i], alphabet);
        if (value < 0)
            goto bad;
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_putc(out, (char)(unsigned char)(group >> bits & 0xff));
            group &= (1U << bits) - 1;
        }
    }
    if (group == 0)
        return 0;
bad:
    take_back(out, before);
    return -1;
}

int digest_unbase64(const char *text, size_t len, bool lax_padding, struct buf *out)
{
    size_t plain = len;
    while (plain > 0 && len - plain < 2 && text[plain - 1] == '=')
        plain--;
    bool padded = len % 4 == 0 && (plain == len || plain + (4 - plain % 4) % 4 == len);
    bool bare = lax_padding && plain == len;
    return padded || bare ? decode(text, plain, standard_alphabet, out) : -1;
}

int digest_unbase64url(const char *text, size_t len, struct buf *out)
{
    return decode(text, len, url_alphabet, out);
}
