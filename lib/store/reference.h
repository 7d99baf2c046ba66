/*
 * Buyer references: what an order may carry so that no e-mail is needed. Signed, bound to a Miro
 * user, a team, a source and a product, good for a day; at most LIMIT_REFERENCE characters of
 * [A-Za-z0-9_-].
 */
#ifndef STORE_REFERENCE_H
#define STORE_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/facts.h"
#include "base/limits.h"
#include "vault/vault.h"

struct reference {
    char user[LIMIT_MIRO_ID + 1];
    char team[LIMIT_MIRO_ID + 1];
    int64_t expires_at;
    unsigned char source[8], product[8]; /* the heads of their digests */
};

/* Appends one. -1: the ids or the keyring's kid are too long for the 200 characters. */
int reference_write(const struct vault *vault, const char *user, const char *team,
                    const char *source, const char *product, int64_t expires_at, struct buf *out)
    __attribute__((warn_unused_result));
/* Whether `text` is one of ours. Constant-time in the signature. */
bool reference_read(const struct vault *vault, const char *text, struct reference *out)
    __attribute__((warn_unused_result));
/* Whether it is good for this order: made for its source and for a product on it, and not expired
 * when the order was paid or, unpaid, last changed. Words that tell a reference and not the order's
 * lines (Stripe's session, Lemon Squeezy's order) are not judged by the product: whether they fit
 * must not depend on what else is known by then. */
bool reference_fits(const struct reference *reference, const char *source,
                    const struct fact_snapshot *order) __attribute__((warn_unused_result));

#endif
