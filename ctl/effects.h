/*
 * How many of each key orders gain and lose.
 */
#ifndef CTL_EFFECTS_H
#define CTL_EFFECTS_H

#include <stdbool.h>

#include "page.h"

struct effects;

struct effects *effects_new(void);
void effects_free(struct effects *effects);
/* A contribution of this key that differs: neither gained nor lost is a change too. */
void effects_add(struct effects *effects, const char *key, bool gained, bool lost);
void effects_clear(struct effects *effects);
void effects_join(struct effects *effects, const struct effects *more);
void effects_tell(const struct effects *effects, struct page *page);

#endif
