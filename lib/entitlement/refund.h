/*
 * What stands of an order's refunds, weighed against the snapshot that tells its lines. The
 * evidence of one refund (the snapshot's list, facts told by themselves, details) comes together by
 * its id.
 */
#ifndef ENTITLEMENT_REFUND_H
#define ENTITLEMENT_REFUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entitlement/order.h"

enum refund_weight {
    REFUND_WITHIN,    /* the snapshot's own figures include it */
    REFUND_AFTER,     /* newer than the snapshot: comes on top of its figures */
    REFUND_WITHDRAWN, /* the snapshot lists it, and it failed since: goes out of its figures */
};

struct refund_entry {
    const char *id; /* borrowed from the known order, as the lines' ids are */
    enum refund_weight weight;
    int64_t amount;
    const struct fact_refund_line *lines; /* as far as anybody told them */
    size_t line_count;
};

struct refund_ledger {
    struct refund_entry *entries; /* one a refund that counts, sorted by id */
    size_t count;
    struct fact_refund_line *lines; /* the entries' lines lie here */
    bool wants_lines;               /* a listed refund stands whose lines nobody told */
    bool
        torn; /* a refund of the snapshot's very second is missing from its list: either is first */
};

/*
 * `basis` is one of the order's snapshots. A subscription's is of one payment (NULL: not told):
 * what was given back of another does not touch what that one pays for, and stays out. The ledger
 * depends on the set of evidence alone.
 */
void refund_ledger_settle(const struct known_order *order, const struct fact_snapshot *basis,
                          const char *payment, struct refund_ledger *out);
void refund_ledger_free(struct refund_ledger *ledger); /* the contents */

/* A cumulative figure, and what the entries say about the same thing, apart by their weight. */
struct refund_tally {
    int64_t within, after, withdrawn;
};
void refund_tally_add(struct refund_tally *tally, enum refund_weight weight, int64_t count);
/* All that was given back, when the snapshot states `stated` (negative: nothing) by itself. */
int64_t refund_tally_total(const struct refund_tally *tally, int64_t stated);

#endif
