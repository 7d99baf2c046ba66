/*
 * A vault for a fuzz target: its key is made anew in each run, so that no corpus holds anything of
 * it, and what is signed or sealed with it comes from the target itself.
 */
#ifndef FUZZ_KEYRING_H
#define FUZZ_KEYRING_H

#include "base/digest.h"
#include "base/mem.h"
#include "vault/vault.h"

static inline struct vault *keyring_new(void)
{
    struct secret_list lines = {0};
    struct buf error = {0}, line = {0};
    unsigned char key[DIGEST_LEN];
    struct vault *vault;

    digest_random(key, sizeof(key));
    buf_puts(&line, "k1:");
    digest_base64(key, sizeof(key), &line);
    lines.items[0].len = line.len;
    lines.items[0].bytes = (unsigned char *)buf_take(&line);
    lines.count = 1;
    vault = vault_new(&lines, &error);
    secret_list_free(&lines);
    if (vault == NULL)
        die("fuzz: %s", error.data);
    return vault;
}

#endif
