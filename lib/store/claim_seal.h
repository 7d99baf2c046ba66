/*
 * What of a claim waits sealed for its mail: the code, a blank, the address. Private to this room.
 */
#ifndef STORE_CLAIM_SEAL_H
#define STORE_CLAIM_SEAL_H

#include "store/claims.h"

void claim_seal(const struct vault *vault, const unsigned char id[CLAIM_ID], const char *code,
                const char *address, struct buf *out);
/* Fills in the code and the address. -1: it does not open, or is not what claim_seal() writes. */
int claim_unseal(const struct vault *vault, struct span sealed, struct claim_mail *mail)
    __attribute__((warn_unused_result));

#endif
