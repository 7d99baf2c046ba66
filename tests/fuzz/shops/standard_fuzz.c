/*
 * Any bytes as a delivery of standard: one order that the rooms behind can rely on, or a reason.
 */
#include "invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_delivery(PROVIDER_STANDARD, true, data, size);
    return 0;
}
