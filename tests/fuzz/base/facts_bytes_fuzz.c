/*
 * Staged facts. Whatever is read must be written again as the same bytes: one order has one
 * writing, and nothing of it is lost.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/facts_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct facts facts = {0};
    struct buf again = {0};
    if (fact_order_read(data, size, &facts) == 0) {
        fact_order_write(&facts.orders[0], &again);
        if (facts.order_count != 1 || again.len != size || memcmp(again.data, data, size) != 0)
            abort();
    } else if (facts.order_count != 0) {
        abort();
    }
    buf_wipe(&again);
    facts_free(&facts);
    return 0;
}
