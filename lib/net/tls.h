/*
 * TLS for the server's connections, over OpenSSL: 1.2 with forward secrecy and authenticated
 * encryption, or 1.3; HTTP/1.1 alone by ALPN; no renegotiation, no compression. Nothing is resumed
 * (no tickets, no session cache): whatever opens a ticket would open what it protects, fronts that
 * share a port would need to share it, and connections are kept open anyway.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/secret.h"

/* A certificate with its chain, and its key. Connections keep the one that they began with. */
struct tls_identity;

/* From PEM: the certificate, then those that lead to its authority; the key without a passphrase.
 * NULL with a sentence in `error` if one cannot be read or they do not belong together. */
struct tls_identity *tls_identity_new(const struct secret *certificate, const struct secret *key,
                                      struct buf *error) __attribute__((warn_unused_result));
void tls_identity_free(struct tls_identity *identity);

struct tls;

/* The server's side, over a non-blocking socket, which stays the caller's. */
struct tls *tls_new(const struct tls_identity *identity, int fd);
void tls_free(struct tls *tls); /* says goodbye first, if it can at once */
/*
 * As recv() and send() on the socket, the handshake included: the count; 0 at the client's end; -1
 * with errno EAGAIN, or EPROTO once the connection is of no more use. A read takes no more than one
 * record, and leaves nothing behind in it if there is room for 16 KiB.
 */
ssize_t tls_read(struct tls *tls, void *bytes, size_t len);
ssize_t tls_write(struct tls *tls, const void *bytes, size_t len);
/* The last read could not go on because the socket takes no more bytes. */
bool tls_wants_write(const struct tls *tls);
bool tls_established(const struct tls *tls); /* the handshake is done */
void tls_end(struct tls *tls);               /* nothing more will be written */

#endif
