#include "vault/envelope.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/mem.h"

/* Fetched once; every operation has a context of its own. */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *aes_256_gcm;

static void fetch_cipher(void)
{
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (aes_256_gcm == NULL)
        die("OpenSSL has no AES-256-GCM");
}

static EVP_CIPHER_CTX *new_context(void)
{
    if (pthread_once(&fetch_once, fetch_cipher) != 0)
        die("OpenSSL cannot be set up");
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL)
        die("out of memory (AES-256-GCM)");
    return context;
}

bool envelope_kid_is_valid(const char *kid, size_t len)
{
    if (len == 0 || len > ENVELOPE_KID_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = kid[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* Every length is checked before it is subtracted from anything. */
int envelope_parse(struct span sealed, struct envelope *out)
{
    const unsigned char *bytes = sealed.bytes;
    if (sealed.len < 2 || bytes[0] != ENVELOPE_VERSION)
        return -1;
    size_t kid_len = bytes[1];
    size_t head_len = 2 + kid_len + ENVELOPE_NONCE_LEN;
    if (sealed.len < head_len + ENVELOPE_TAG_LEN ||
        !envelope_kid_is_valid((const char *)bytes + 2, kid_len))
        return -1;
    size_t ciphertext_len = sealed.len - head_len - ENVELOPE_TAG_LEN;
    if (ciphertext_len > INT_MAX)
        return -1;
    *out = (struct envelope){
        .head = {bytes, head_len},
        .kid = {bytes + 2, kid_len},
        .nonce = {bytes + 2 + kid_len, ENVELOPE_NONCE_LEN},
        .ciphertext = {bytes + head_len, ciphertext_len},
        .tag = {bytes + head_len + ciphertext_len, ENVELOPE_TAG_LEN},
    };
    return 0;
}

static void need(int result, const char *what)
{
    if (result != 1)
        die("OpenSSL failed: %s", what);
}

/* One part of the associated data, or the text: none is no call, which OpenSSL reads differently.
 */
static void encrypt_part(EVP_CIPHER_CTX *context, unsigned char *to, struct span part)
{
    int len = 0;
    if (part.len > INT_MAX)
        die("%zu bytes cannot be sealed", part.len);
    if (part.len == 0)
        return;
    need(EVP_EncryptUpdate(context, to, &len, part.bytes, (int)part.len), "EVP_EncryptUpdate");
    if ((size_t)len != part.len)
        die("OpenSSL sealed %d bytes of %zu", len, part.len);
}

/* The head is written first, where it stays: the buffer has room for all before anything points at
 * it. */
void envelope_seal(const unsigned char key[ENVELOPE_KEY_LEN], const char *kid, struct span context,
                   struct span plain, struct buf *out)
{
    unsigned char nonce[ENVELOPE_NONCE_LEN], tag[ENVELOPE_TAG_LEN];
    unsigned char rest[ENVELOPE_TAG_LEN]; /* GCM writes nothing at the end, and needs a place */
    size_t start = out->len, kid_len = strlen(kid);
    int len = 0;
    if (!envelope_kid_is_valid(kid, kid_len) || plain.len > INT_MAX)
        die("a key id of %zu bytes, or a text of %zu, cannot be sealed", kid_len, plain.len);
    buf_reserve(out, 2 + kid_len + sizeof(nonce) + plain.len + sizeof(tag));
    digest_random(nonce, sizeof(nonce));
    buf_putc(out, ENVELOPE_VERSION);
    buf_putc(out, (char)kid_len);
    buf_puts(out, kid);
    buf_append(out, nonce, sizeof(nonce));

    EVP_CIPHER_CTX *cipher = new_context();
    need(EVP_EncryptInit_ex2(cipher, aes_256_gcm, key, nonce, NULL), "EVP_EncryptInit_ex2");
    encrypt_part(cipher, NULL, (struct span){out->data + start, out->len - start});
    encrypt_part(cipher, NULL, context);
    encrypt_part(cipher, (unsigned char *)out->data + out->len, plain);
    need(EVP_EncryptFinal_ex(cipher, rest, &len) == 1 && len == 0, "EVP_EncryptFinal_ex");
    need(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag),
         "EVP_CTRL_AEAD_GET_TAG");
    EVP_CIPHER_CTX_free(cipher);
    out->len += plain.len;
    buf_append(out, tag, sizeof(tag));
}

/* False if OpenSSL refuses; an empty part is no call. */
static bool decrypt_part(EVP_CIPHER_CTX *context, unsigned char *to, struct span part)
{
    int len = 0;
    if (part.len > INT_MAX)
        return false;
    return part.len == 0 || (EVP_DecryptUpdate(context, to, &len, part.bytes, (int)part.len) == 1 &&
                             (size_t)len == part.len);
}

/* Decrypts to `to`, which is worth nothing unless this is true. */
static bool decrypt(EVP_CIPHER_CTX *cipher, const unsigned char *key,
                    const struct envelope *envelope, struct span context, unsigned char *to)
{
    unsigned char tag[ENVELOPE_TAG_LEN], rest[ENVELOPE_TAG_LEN];
    int len = 0;
    memcpy(tag, envelope->tag.bytes, sizeof(tag));
    return EVP_DecryptInit_ex2(cipher, aes_256_gcm, key, envelope->nonce.bytes, NULL) == 1 &&
           decrypt_part(cipher, NULL, envelope->head) && decrypt_part(cipher, NULL, context) &&
           decrypt_part(cipher, to, envelope->ciphertext) &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
           EVP_DecryptFinal_ex(cipher, rest, &len) == 1 && len == 0;
}

/* What was decrypted before the tag was found wrong is overwritten, and OpenSSL's queue of errors
 * is emptied, for TLS on the same thread would take them for its own. */
int envelope_open(const unsigned char key[ENVELOPE_KEY_LEN], const struct envelope *envelope,
                  struct span context, struct buf *out)
{
    size_t plain_len = envelope->ciphertext.len;
    buf_reserve(out, plain_len);
    unsigned char *to = (unsigned char *)out->data + out->len;
    mem_watch(); /* it would look like the wrong key */
    EVP_CIPHER_CTX *cipher = new_context();
    bool opened = decrypt(cipher, key, envelope, context, to);
    mem_check("OpenSSL");
    EVP_CIPHER_CTX_free(cipher);
    if (!opened) {
        explicit_bzero(to, plain_len);
        out->data[out->len] = '\0';
        ERR_clear_error();
        return -1;
    }
    out->len += plain_len;
    out->data[out->len] = '\0';
    return 0;
}
