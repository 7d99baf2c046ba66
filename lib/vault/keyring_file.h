/*
 * The keyring's file, changed by `purchasectl keys`. A change is a new file beside the old one,
 * synced, with its owner and mode, that takes its name: whoever reads it at that moment has the old
 * one or the new one. Two changes at once take turns.
 */
#ifndef VAULT_KEYRING_FILE_H
#define VAULT_KEYRING_FILE_H

#include "base/buf.h"

/* Appends a fresh random key: it opens, and does not seal yet. 0, or -1 with a sentence. */
int keyring_file_append(const char *path, const char *kid, struct buf *error)
    __attribute__((warn_unused_result));
/* Makes the key of that kid the first, which seals. */
int keyring_file_promote(const char *path, const char *kid, struct buf *error)
    __attribute__((warn_unused_result));

#endif
