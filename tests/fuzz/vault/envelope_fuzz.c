/*
 * Any bytes as an envelope and as a signature. The keyring's keys are made anew in each run, so
 * nothing that the fuzzer makes may open or verify; what we seal ourselves always opens.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vault/vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

/* Random keys: no corpus can hold an envelope of them. */
static struct vault *make_vault(void)
{
    struct secret_list lines = {0};
    struct buf error = {0};
    for (int i = 0; i < 2; i++) {
        unsigned char key[DIGEST_LEN];
        struct buf line = {0};
        digest_random(key, sizeof(key));
        buf_printf(&line, "k%d:", i + 1);
        digest_base64(key, sizeof(key), &line);
        size_t len = line.len;
        lines.items[lines.count++] = (struct secret){(unsigned char *)buf_take(&line), len};
    }
    struct vault *vault = vault_new(&lines, &error);
    promise(vault != NULL);
    secret_list_free(&lines);
    return vault;
}

static void check_keyring_line(const uint8_t *data, size_t size)
{
    struct secret_list lines = {0};
    struct buf error = {0};
    lines.items[lines.count++] = (struct secret){xmemdup(data, size), size};
    struct vault *vault = vault_new(&lines, &error);
    promise((vault == NULL) == (error.len > 0));
    vault_free(vault);
    secret_list_free(&lines);
    buf_free(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vault *vault;
    if (vault == NULL)
        vault = make_vault();
    struct span input = {data, size}, context = SPAN_TEXT("row");
    struct buf out = {0}, sealed = {0};
    promise(vault_open(vault, VAULT_BODY, context, input, &out) == -1 && out.len == 0);
    free(vault_envelope_kid(input));
    promise(!vault_verify(vault, VAULT_MAC_STATE, context, (const char *)data, size));
    vault_seal(vault, VAULT_BODY, context, input, &sealed);
    promise(vault_open(vault, VAULT_BODY, context, (struct span){sealed.data, sealed.len}, &out) ==
            0);
    promise(digest_equal(out.data, out.len, data, size));
    check_keyring_line(data, size);
    buf_free(&out);
    buf_free(&sealed);
    return 0;
}
