#include "store/sealed_context.h"

void body_context(uint32_t source_id, const unsigned char delivery_key[DIGEST_LEN], struct buf *out)
{
    buf_printf(out, "delivery.body|%u|", source_id);
    digest_hex(delivery_key, DIGEST_LEN, out);
}

void address_context(const unsigned char index[DIGEST_LEN], struct buf *out)
{
    buf_puts(out, "address.sealed|");
    digest_hex(index, DIGEST_LEN, out);
}

void token_context(const char *column, const char *client_id, const char *user, const char *team,
                   struct buf *out)
{
    buf_printf(out, "token.%s|%s|%s|%s", column, client_id, user, team);
}

void staged_context(const unsigned char run_id[RESYNC_ID_LEN], const char *order_id, uint64_t seq,
                    struct buf *out)
{
    buf_puts(out, "resync_staged|");
    digest_hex(run_id, RESYNC_ID_LEN, out);
    buf_printf(out, "|%s|%llu", order_id, (unsigned long long)seq);
}
