/*
 * The facts of one order as bytes, so that they can be staged and read back by another process, or
 * by another release: everything but its needs, which are for the moment in which they arise.
 *
 * The bytes hold the buyer's address in clear: whoever keeps them seals them, and wipes them.
 */
#ifndef BASE_FACTS_BYTES_H
#define BASE_FACTS_BYTES_H

#include <stddef.h>

#include "base/buf.h"
#include "base/facts.h"

/* Appends the order. One order has one writing: equal bytes are equal facts. */
void fact_order_write(const struct fact_order *order, struct buf *out);

/*
 * Adds the one order that the bytes are, whole, to `out`; -1, and nothing is added, if they are
 * cut, go on, are of a version that is not known here, or hold a text, a list or a state beyond
 * what facts.h and limits.h allow. What numbers and times say is the merge's to weigh.
 */
int fact_order_read(const void *bytes, size_t len, struct facts *out)
    __attribute__((warn_unused_result));

#endif
