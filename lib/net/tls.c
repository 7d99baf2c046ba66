#include "net/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/mem.h"

#define SECURITY_LEVEL 2 /* 112 bits: RSA from 2048, no SHA-1 */

struct tls_identity {
    SSL_CTX *context;
};

struct tls {
    SSL *ssl;
    bool broken; /* OpenSSL must not be asked again */
    bool ended;  /* our close_notify is sent, or cannot be */
    bool wants_write;
};

/* A key with a passphrase is refused, not asked about on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static BIO *bio_over(const struct secret *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->bytes, (int)pem->len);
    if (bio == NULL) {
        die("tls: OpenSSL has no memory");
    }
    return bio;
}

static int refuse(struct buf *error, const char *sentence)
{
    ERR_clear_error();
    buf_puts(error, sentence);
    return -1;
}

/* What the context already refuses of a certificate (a short key, SHA-1) is told in its words. */
static int refuse_why(struct buf *error, const char *sentence)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    buf_printf(error, "%s (%s)", sentence, reason != NULL ? reason : "unknown");
    ERR_clear_error();
    return -1;
}

static int take_certificate(SSL_CTX *context, BIO *bio, struct buf *error)
{
    X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    if (certificate == NULL) {
        return refuse(error, "tls_certificate_file holds no certificate in PEM form");
    }
    int taken = SSL_CTX_use_certificate(context, certificate);
    X509_free(certificate);
    return taken == 1 ? 0 : refuse_why(error, "tls_certificate_file holds no usable certificate");
}

/* The certificates behind the first, up to the file's end. */
static int take_chain(SSL_CTX *context, BIO *bio, struct buf *error)
{
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return refuse_why(error, "tls_certificate_file holds an unusable certificate");
        }
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return at_end ? 0 : refuse(error, "tls_certificate_file holds a damaged certificate");
}

static int take_key(SSL_CTX *context, BIO *bio, struct buf *error)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (key == NULL) {
        return refuse(error, "tls_key_file holds no private key in PEM form without a passphrase");
    }
    bool taken = SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key);
    if (!taken || SSL_CTX_check_private_key(context) != 1) {
        return refuse(error, "tls_key_file is not the key of the first certificate in "
                             "tls_certificate_file");
    }
    return 0;
}

/* Who offers protocols without HTTP/1.1 among them would speak another to us. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned int in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A client that ends without close_notify cut nothing: HTTP tells a message's length itself. */
static SSL_CTX *context_new(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, 0) != 1 ||
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1) {
        die("tls: OpenSSL refuses a context");
    }
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return context;
}

struct tls_identity *tls_identity_new(const struct secret *certificate, const struct secret *key,
                                      struct buf *error)
{
    struct tls_identity *identity = xcalloc(1, sizeof(*identity));
    BIO *certificates = bio_over(certificate), *keys = bio_over(key);
    identity->context = context_new();
    if (take_certificate(identity->context, certificates, error) != 0 ||
        take_chain(identity->context, certificates, error) != 0 ||
        take_key(identity->context, keys, error) != 0) {
        tls_identity_free(identity);
        identity = NULL;
    }
    BIO_free(certificates);
    BIO_free(keys);
    return identity;
}

void tls_identity_free(struct tls_identity *identity)
{
    if (identity == NULL) {
        return;
    }
    SSL_CTX_free(identity->context);
    free(identity);
}

struct tls *tls_new(const struct tls_identity *identity, int fd)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));
    tls->ssl = SSL_new(identity->context);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1) {
        die("tls: OpenSSL has no memory");
    }
    SSL_set_accept_state(tls->ssl);
    return tls;
}

bool tls_wants_write(const struct tls *tls)
{
    return tls->wants_write;
}

bool tls_established(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl);
}

void tls_end(struct tls *tls)
{
    if (!tls->ended && !tls->broken && tls_established(tls)) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
    tls->ended = true;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    tls_end(tls);
    SSL_free(tls->ssl);
    free(tls);
}

static ssize_t broken(struct tls *tls)
{
    tls->broken = true;
    errno = EPROTO;
    return -1;
}

/* What recv() or send() would have said of an operation that did not succeed. */
static ssize_t failed(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_WRITE:
        tls->wants_write = true;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_READ:
        errno = EAGAIN;
        return -1;
    default:
        ERR_clear_error();
        return broken(tls);
    }
}

static int at_most_int(size_t len)
{
    return len < INT_MAX ? (int)len : INT_MAX;
}

ssize_t tls_read(struct tls *tls, void *bytes, size_t len)
{
    if (tls->broken) {
        return broken(tls);
    }
    ERR_clear_error();
    tls->wants_write = false;
    int n = SSL_read(tls->ssl, bytes, at_most_int(len));
    return n > 0 ? n : failed(tls, n);
}

/* Answers follow requests, so the handshake is done, and a write never waits for a read. */
ssize_t tls_write(struct tls *tls, const void *bytes, size_t len)
{
    if (tls->broken || tls->ended || !tls_established(tls)) {
        return broken(tls);
    }
    ERR_clear_error();
    int n = SSL_write(tls->ssl, bytes, at_most_int(len));
    if (n > 0) {
        return n;
    }
    bool waits = SSL_get_error(tls->ssl, n) == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    if (!waits) {
        return broken(tls);
    }
    errno = EAGAIN;
    return -1;
}
