/*
 * Buyer references: no bytes of a stranger's are one; any payload under our own signature is read
 * within its limits or refused; and what we write comes back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../keyring.h"
#include "base/clock.h"
#include "store/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

/* What anybody may write into an order. */
static void check_stranger(const struct vault *vault, const char *text)
{
    struct reference found;

    promise(!reference_read(vault, text, &found));
}

/* Our signature over any payload, as a release that writes it otherwise would leave it. */
static void check_signed(const struct vault *vault, const uint8_t *data, size_t size)
{
    struct buf bytes = {0}, text = {0};
    struct reference found;

    buf_append(&bytes, data, size);
    vault_sign(vault, VAULT_MAC_REFERENCE, (struct span){data, size}, &bytes);
    digest_base64url(bytes.data, bytes.len, &text);
    if (reference_read(vault, text.data, &found)) {
        promise(text.len <= LIMIT_REFERENCE);
        promise(found.user[0] != '\0' && strlen(found.user) <= LIMIT_MIRO_ID);
        promise(found.team[0] != '\0' && strlen(found.team) <= LIMIT_MIRO_ID);
    }
    buf_free(&bytes);
    buf_free(&text);
}

/* Four words of the input as user, team, source and product. */
static void check_ours(const struct vault *vault, char *words)
{
    char *rest = words, *part[4];
    struct buf text = {0};
    struct reference found;
    struct fact_line line = {0};
    struct fact_snapshot order = {.lines = &line, .line_count = 1, .lines_known = true};

    for (size_t i = 0; i < 4; i++) {
        part[i] = strsep(&rest, "\n");
        if (part[i] == NULL)
            return;
    }
    order.time = order.paid_at = INT64_C(1795428000) * TIME_SECOND;
    if (reference_write(vault, part[0], part[1], part[2], part[3], order.time, &text) == 0 &&
        part[0][0] != '\0' && part[1][0] != '\0') {
        line.product = part[3];
        promise(reference_read(vault, text.data, &found));
        promise(strcmp(found.user, part[0]) == 0 && strcmp(found.team, part[1]) == 0);
        promise(reference_fits(&found, part[2], &order));
        order.paid_at += TIME_SECOND;
        promise(!reference_fits(&found, part[2], &order));
    }
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vault *vault;
    char *text = xstrndup((const char *)data, size);

    if (vault == NULL)
        vault = keyring_new();
    check_stranger(vault, text);
    check_signed(vault, data, size);
    check_ours(vault, text);
    free(text);
    return 0;
}
