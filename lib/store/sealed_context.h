/*
 * What ties an envelope to its row: the associated data of everything that this room seals. A
 * change of any of these texts is a change of what is stored.
 */
#ifndef STORE_SEALED_CONTEXT_H
#define STORE_SEALED_CONTEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "store/resync.h"

/* Each appends. A delivery's body: known before the row has an id. */
void body_context(uint32_t source_id, const unsigned char delivery_key[DIGEST_LEN],
                  struct buf *out);
void address_context(const unsigned char index[DIGEST_LEN], struct buf *out);
/* `column` is "access" or "refresh". */
void token_context(const char *column, const char *client_id, const char *user, const char *team,
                   struct buf *out);
void staged_context(const unsigned char run_id[RESYNC_ID_LEN], const char *order_id, uint64_t seq,
                    struct buf *out);

#endif
