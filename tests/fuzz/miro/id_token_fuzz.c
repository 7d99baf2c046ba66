/*
 * Any bytes as an idToken; and, so that the guards behind the signature are reached, any header and
 * payload under a good signature. Input: one byte for the way; then the token, or header, line
 * break, payload.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "miro/id_token.h"

#define SECRET "client-secret-of-a-test-app-00001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char empty[] = "", client[] = "3074457363680401096", issuer[] = "miro";
static unsigned char secret[] = SECRET;
static struct settings_miro app = {
    .name = empty,
    .client_id = client,
    .client_secrets = {.items = {{secret, sizeof(secret) - 1}}, .count = 1},
    .id_token_leeway = 60,
    .issuer = issuer,
};
static struct settings settings = {.miro = &app, .miro_count = 1};

static void put_signed(const char *header, size_t header_len, const char *payload,
                       size_t payload_len, struct buf *out)
{
    unsigned char mac[DIGEST_LEN];
    digest_base64url(header, header_len, out);
    buf_putc(out, '.');
    digest_base64url(payload, payload_len, out);
    digest_hmac_sha256(SECRET, strlen(SECRET), &(struct span){out->data, out->len}, 1, mac);
    buf_putc(out, '.');
    digest_base64url(mac, sizeof(mac), out);
}

static void check(const char *token, size_t len, bool may_be_valid)
{
    const int64_t now = INT64_C(1700000000) * TIME_SECOND;
    struct id_token out;
    const char *why;
    enum id_token_verdict verdict = id_token_verify(&settings, token, len, now, &out, &why);
    if ((verdict == ID_TOKEN_VALID) != (why == NULL))
        die("fuzz: a guard's name exactly if it refused");
    if (verdict != ID_TOKEN_INVALID && !may_be_valid)
        die("fuzz: a token that nobody signed");
    if (verdict == ID_TOKEN_VALID &&
        (out.app != &app || !*out.user || !*out.team || out.expires_at <= now))
        die("fuzz: a valid token without what makes it one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    if (data[0] % 2 == 0) {
        check(text, len, false);
        return 0;
    }
    struct buf token = {0};
    const char *line = memchr(text, '\n', len);
    size_t header_len = line ? (size_t)(line - text) : 0;
    if (line) {
        put_signed(text, header_len, line + 1, len - header_len - 1, &token);
        check(token.data, token.len, true);
    }
    buf_free(&token);
    return 0;
}
