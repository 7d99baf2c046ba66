/*
 * Any bytes make a catalogue and a set of facts. Whatever they say, merging and projecting is
 * defined, and comes to the same thing when the facts are shuffled and some of them are doubled.
 */
#include <stddef.h>
#include <stdint.h>

#include "../../unit/entitlement/known.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    uint64_t random = size;
    for (size_t i = 0; i < size; i++)
        random = random * 31 + data[i];
    struct known_order order;
    struct catalogue *catalogue = catalogue_from_bytes(&bytes);
    known_from_bytes(&bytes, &order);
    char *expected = outcome(&order, catalogue);
    for (int turn = 0; turn < 3; turn++) {
        struct known_order other = known_reordered(&order, &random);
        char *found = outcome(&other, catalogue);
        if (strcmp(expected, found) != 0)
            die("the order of the facts matters:\n%s\n\nbut\n%s", expected, found);
        free(found);
        reordered_free(&other);
    }
    free(expected);
    known_order_free(&order);
    catalogue_free(catalogue);
    return 0;
}
