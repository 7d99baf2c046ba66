#include "store/claim_seal.h"

#include <string.h>

static void seal_context(const unsigned char id[CLAIM_ID], struct buf *out)
{
    buf_puts(out, "claim.sealed|");
    digest_hex(id, CLAIM_ID, out);
}

void claim_seal(const struct vault *vault, const unsigned char id[CLAIM_ID], const char *code,
                const char *address, struct buf *out)
{
    struct buf context = {0}, plain = {0};

    seal_context(id, &context);
    buf_printf(&plain, "%s %s", code, address);
    vault_seal(vault, VAULT_ADDRESS, (struct span){context.data, context.len},
               (struct span){plain.data, plain.len}, out);
    buf_free(&context);
    buf_wipe(&plain);
}

int claim_unseal(const struct vault *vault, struct span sealed, struct claim_mail *mail)
{
    struct buf context = {0}, plain = {0};
    int result = -1;

    seal_context(mail->id, &context);
    if (vault_open(vault, VAULT_ADDRESS, (struct span){context.data, context.len}, sealed,
                   &plain) == 0 &&
        plain.len > CLAIM_CODE && plain.len - CLAIM_CODE <= LIMIT_ADDRESS) {
        memcpy(mail->code, plain.data, CLAIM_CODE - 1);
        mail->code[CLAIM_CODE - 1] = '\0';
        memcpy(mail->address, plain.data + CLAIM_CODE, plain.len - CLAIM_CODE + 1);
        result = 0;
    }
    buf_free(&context);
    buf_wipe(&plain);
    return result;
}
