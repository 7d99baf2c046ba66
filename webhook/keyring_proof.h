/*
 * Whether the keyring is the one that this host served with before, where no database can tell:
 * something sealed with it lies beside the spool. A front that spooled with another keyring would
 * acknowledge deliveries that nobody can open.
 */
#ifndef WEBHOOK_KEYRING_PROOF_H
#define WEBHOOK_KEYRING_PROOF_H

#include "base/settings.h"
#include "vault/vault.h"

/* 0 if it is, or if nothing was served from here yet; else -1 with a sentence in `why`. */
int keyring_proof_check(const struct settings *settings, struct buf *why)
    __attribute__((warn_unused_result));
/* Notes a keyring that the database has shown to be the right one. Blocks. */
void keyring_proof_write(const struct settings *settings, const struct vault *vault);

#endif
