/*
 * What a delivery is while it lies in the spool: sealed with all that its row says, so that a row
 * that was changed, or moved, does not open.
 */
#ifndef WEBHOOK_SPOOLED_H
#define WEBHOOK_SPOOLED_H

#include "spool/spool.h"
#include "vault/vault.h"

/* Fills `sealed`, once all else of the row is set. */
void spooled_seal(const struct vault *vault, struct spool_row *row, const char *body, size_t len);
/* Appends the body; -1: it was not sealed so, or with a key that the keyring does not have. */
int spooled_open(const struct vault *vault, const struct spool_row *row, struct buf *body)
    __attribute__((warn_unused_result));

#endif
