#include "spooled.h"

/* A source's name and the digits hold no '|', so that no two rows have one context. */
static void spooled_context(const struct spool_row *row, struct buf *out)
{
    buf_printf(out, "spool.body|%s|", row->source);
    digest_hex(row->key, sizeof(row->key), out);
    buf_printf(out, "|%lld|%s", (long long)row->received_at, row->topic);
}

void spooled_seal(const struct vault *vault, struct spool_row *row, const char *body, size_t len)
{
    struct buf context = {0};

    spooled_context(row, &context);
    vault_seal(vault, VAULT_SPOOL, (struct span){context.data, context.len},
               (struct span){body, len}, &row->sealed);
    buf_free(&context);
}

int spooled_open(const struct vault *vault, const struct spool_row *row, struct buf *body)
{
    struct buf context = {0};
    int result;

    spooled_context(row, &context);
    result = vault_open(vault, VAULT_SPOOL, (struct span){context.data, context.len},
                        (struct span){row->sealed.data, row->sealed.len}, body);
    buf_free(&context);
    return result;
}
