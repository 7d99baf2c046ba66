#include "store/reference.h"

#include <endian.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

/*
 * base64url( payload | signature ), where
 *   payload = version(1) | expires, seconds(8 BE) | source(8) | product(8) | user length(1) | user
 * | team length(1) | team and the signature is vault_sign()'s text over the payload.
 */
#define REFERENCE_VERSION 1
#define REFERENCE_FIXED (1 + 8 + 8 + 8)

static void digest_head(const char *text, unsigned char out[8])
{
    unsigned char digest[DIGEST_LEN];

    digest_sha256(text, strlen(text), digest);
    memcpy(out, digest, 8);
}

int reference_write(const struct vault *vault, const char *user, const char *team,
                    const char *source, const char *product, int64_t expires_at, struct buf *out)
{
    struct buf payload = {0}, signature = {0}, text = {0};
    uint64_t seconds = htobe64((uint64_t)(expires_at / TIME_SECOND));
    unsigned char head[8];
    int result = -1;

    if (strlen(user) > LIMIT_MIRO_ID || strlen(team) > LIMIT_MIRO_ID)
        return -1;
    buf_putc(&payload, REFERENCE_VERSION);
    buf_append(&payload, &seconds, sizeof(seconds));
    digest_head(source, head);
    buf_append(&payload, head, sizeof(head));
    digest_head(product, head);
    buf_append(&payload, head, sizeof(head));
    buf_putc(&payload, (char)strlen(user));
    buf_puts(&payload, user);
    buf_putc(&payload, (char)strlen(team));
    buf_puts(&payload, team);
    vault_sign(vault, VAULT_MAC_REFERENCE, (struct span){payload.data, payload.len}, &signature);
    buf_append(&payload, signature.data, signature.len);
    digest_base64url(payload.data, payload.len, &text);
    if (text.len <= LIMIT_REFERENCE) {
        buf_append(out, text.data, text.len);
        result = 0;
    }
    buf_free(&payload);
    buf_free(&signature);
    buf_free(&text);
    return result;
}

/* Reads a length and that many bytes as text; -1 if they are not there. */
static int read_text(const struct buf *bytes, size_t *at, char out[LIMIT_MIRO_ID + 1])
{
    size_t len;

    if (*at >= bytes->len)
        return -1;
    len = (unsigned char)bytes->data[*at];
    if (len == 0 || len > LIMIT_MIRO_ID || len > bytes->len - *at - 1 ||
        memchr(bytes->data + *at + 1, '\0', len) != NULL)
        return -1;
    memcpy(out, bytes->data + *at + 1, len);
    out[len] = '\0';
    *at += 1 + len;
    return 0;
}

bool reference_read(const struct vault *vault, const char *text, struct reference *out)
{
    struct buf bytes = {0};
    uint64_t seconds;
    size_t at = REFERENCE_FIXED;
    bool valid = false;

    if (strlen(text) > LIMIT_REFERENCE || digest_unbase64url(text, strlen(text), &bytes) != 0 ||
        bytes.len < REFERENCE_FIXED || bytes.data[0] != REFERENCE_VERSION)
        goto done;
    memcpy(&seconds, bytes.data + 1, sizeof(seconds));
    memcpy(out->source, bytes.data + 9, sizeof(out->source));
    memcpy(out->product, bytes.data + 17, sizeof(out->product));
    if (read_text(&bytes, &at, out->user) != 0 || read_text(&bytes, &at, out->team) != 0)
        goto done;
    seconds = be64toh(seconds);
    if (seconds > INT64_MAX / TIME_SECOND)
        goto done;
    out->expires_at = (int64_t)seconds * TIME_SECOND;
    valid = vault_verify(vault, VAULT_MAC_REFERENCE, (struct span){bytes.data, at}, bytes.data + at,
                         bytes.len - at);
done:
    buf_free(&bytes);
    return valid;
}

bool reference_fits(const struct reference *reference, const char *source,
                    const struct fact_snapshot *order)
{
    unsigned char head[8];
    int64_t placed = order->paid_at != TIME_NONE ? order->paid_at : order->time;

    digest_head(source, head);
    if (!digest_equal(head, sizeof(head), reference->source, sizeof(reference->source)) ||
        placed > reference->expires_at)
        return false;
    if (!order->lines_known)
        return true;
    for (size_t i = 0; i < order->line_count; i++) {
        const struct fact_line *line = &order->lines[i];
        const char *const selectors[] = {line->product, line->product2, line->variant, line->sku};

        for (size_t s = 0; s < sizeof(selectors) / sizeof(selectors[0]); s++) {
            if (selectors[s] == NULL)
                continue;
            digest_head(selectors[s], head);
            if (digest_equal(head, sizeof(head), reference->product, sizeof(reference->product)))
                return true;
        }
    }
    return false;
}
