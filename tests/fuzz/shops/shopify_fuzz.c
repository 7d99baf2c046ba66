/*
 * Any bytes as a delivery of shopify: one order that the rooms behind can rely on, or a reason.
 */
#include "invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_delivery(PROVIDER_SHOPIFY, true, data, size);
    read_delivery(PROVIDER_SHOPIFY, false, data, size);
    return 0;
}
