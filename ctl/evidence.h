/*
 * One order with all that is known of it: its facts, what the merge makes of them, and which
 * deliveries told them.
 */
#ifndef CTL_EVIDENCE_H
#define CTL_EVIDENCE_H

#include "ctl.h"
#include "entitlement/order.h"
#include "store/inbox.h"

/* Where a snapshot came from. */
struct origin {
    unsigned char digest[DIGEST_LEN];
    uint64_t delivery_id; /* 0: no delivery, the shop's API */
    int64_t recorded_at;
    char reference_state[16]; /* absent, valid, invalid */
};

struct evidence {
    uint32_t source_id;
    const char *source; /* name; "" if neither configuration nor database knows it */
    struct known_order known;
    struct merged_order merged;
    struct origin *origins;
    size_t origin_count;
};

/* *found is false, and nothing needs freeing, if nothing is known of such an order. */
enum exit_code evidence_load(struct ctl *ctl, uint32_t source_id, const char *order_id,
                             struct evidence *out, bool *found) __attribute__((warn_unused_result));
void evidence_free(struct evidence *evidence);
/* Of a snapshot of this order, or NULL. */
const struct origin *evidence_origin(const struct evidence *evidence,
                                     const struct known_snapshot *snapshot);
/* The sentence that says what could not be looked at, or NULL if nothing is missing. */
const char *evidence_gap(const struct ctl *ctl, const struct evidence *evidence);

/* The refunds that name a line, or, with NULL, all that count: "13, 14". Empty if there is none. */
void evidence_refund_ids(const struct evidence *evidence, const char *line_id, struct buf *out);

/* For people: who the order belongs to. Opens the address for support; `out` is to be wiped. */
enum exit_code evidence_owner(struct ctl *ctl, const struct evidence *evidence, struct buf *out)
    __attribute__((warn_unused_result));

/* An address from its row: the text, "(erased)", or "(sealed with a key that is not in the
 * keyring)". */
void address_open(const struct ctl *ctl, const char *index, const char *sealed, size_t len,
                  struct buf *out);

/* Whether a delivery's body was opened: an empty one is told apart from one that no key opens. */
bool body_is_open(struct ctl *ctl, const struct inbox_row *row, const struct buf *body);

const char *order_status_text(enum order_status status);
const char *dispute_state_text(enum dispute_state state);
const char *refund_state_text(enum refund_state state);

#endif
