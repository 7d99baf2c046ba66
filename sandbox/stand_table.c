#include "stand.h"

/* Each provider that has a stand. */
static const struct stand *const stands[] = {
    &stand_stripe,  &stand_paddle,     &stand_shopify,  &stand_lemonsqueezy,
    &stand_gumroad, &stand_fastspring, &stand_standard,
};

const struct stand *stand_of(enum provider provider)
{
    for (size_t i = 0; i < sizeof(stands) / sizeof(stands[0]); i++)
        if (stands[i]->provider == provider)
            return stands[i];
    return NULL;
}
