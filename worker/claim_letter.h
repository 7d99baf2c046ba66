/*
 * The mail that takes a code to an address: what it says, as bytes for the mail server.
 */
#ifndef WORKER_CLAIM_LETTER_H
#define WORKER_CLAIM_LETTER_H

#include <stdint.h>

#include "base/buf.h"
#include "entitlement/catalogue.h"
#include "store/claims.h"

/* Appends the whole message, text and HTML. `catalogue` names what the address holds. */
void claim_letter_write(const struct claim_mail *mail, const char *from,
                        const struct catalogue *catalogue, int64_t now, struct buf *out);

#endif
