/*
 * Any bytes as a delivery of woocommerce: one order that the rooms behind can rely on, or a reason.
 */
#include "invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_delivery(PROVIDER_WOOCOMMERCE, true, data, size);
    return 0;
}
