/*
 * What the verbs of `keys` share.
 */
#ifndef CTL_KEYS_H
#define CTL_KEYS_H

#include "ctl.h"

/* Fails, and says which program has to load the key, unless all that are alive hold it; --force
 * skips the question. */
enum exit_code keys_held_check(struct ctl *ctl, struct vault_key_name key)
    __attribute__((warn_unused_result));

#endif
