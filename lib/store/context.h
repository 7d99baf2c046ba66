/*
 * What the batches of this room need beside their operations: the context given to batch_new().
 * Both outlive the executor.
 */
#ifndef STORE_CONTEXT_H
#define STORE_CONTEXT_H

#include "store/source.h"
#include "vault/vault.h"

struct store_context {
    const struct vault *vault;
    const struct source_map *sources;
};

#endif
