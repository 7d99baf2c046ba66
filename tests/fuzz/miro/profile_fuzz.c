/*
 * Any answer to a profile call: an id, perhaps an address, or a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "miro/miro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 401, 404, 429, 500};
    struct miro_profile profile = {0};
    struct buf error = {0};
    if (size == 0)
        return 0;
    enum miro_outcome outcome = miro_read_profile(statuses[data[0] % 6], (const char *)data + 1,
                                                  size - 1, &profile, &error);
    if ((outcome == MIRO_OK) != (*profile.user != '\0') || (outcome == MIRO_OK) != (error.len == 0))
        die("fuzz: profile and sentence do not fit the outcome");
    if (profile.address && strlen(profile.address) > LIMIT_ADDRESS)
        die("fuzz: an address beyond its limit");
    if (strlen(profile.user) > LIMIT_MIRO_ID || strlen(profile.state) >= sizeof(profile.state))
        die("fuzz: a text that does not end");
    miro_profile_free(&profile);
    buf_free(&error);
    return 0;
}
