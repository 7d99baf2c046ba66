#include "vault/vault.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "vault/envelope.h"

/* A change of any of these is a change of every key: they are part of what is stored. */
static const char *const purpose_names[VAULT_PURPOSES] = {
    [VAULT_BODY] = "purchase-sync seal body v1",
    [VAULT_ADDRESS] = "purchase-sync seal address v1",
    [VAULT_TOKEN] = "purchase-sync seal token v1",
    [VAULT_INDEX_KEY] = "purchase-sync seal index key v1",
    [VAULT_FACTS] = "purchase-sync seal facts v1",
    [VAULT_SPOOL] = "purchase-sync seal spool v1",
};
static const char *const mac_names[VAULT_MACS] = {
    [VAULT_MAC_STATE] = "purchase-sync mac state v1",
    [VAULT_MAC_REFERENCE] = "purchase-sync mac reference v1",
    [VAULT_MAC_CLAIM] = "purchase-sync mac claim v1",
};
static const char mark_name[] = "purchase-sync key mark v1";

/* What one line of the keyring became; the line's own key is not kept. */
struct vault_key {
    char kid[ENVELOPE_KID_MAX + 1];
    unsigned char mark[DIGEST_LEN]; /* its first VAULT_MARK_LEN bytes are shown */
    unsigned char seal[VAULT_PURPOSES][ENVELOPE_KEY_LEN];
    unsigned char mac[VAULT_MACS][DIGEST_LEN];
};

struct vault {
    struct vault_key keys[LIMIT_KEYRING_KEYS]; /* the first is the active one */
    size_t key_count;
    unsigned char index_key[DIGEST_LEN];
    bool has_index_key;
};

static const struct vault_key *find_key(const struct vault *vault, const char *kid, size_t len)
{
    for (size_t i = 0; i < vault->key_count; i++) {
        if (strlen(vault->keys[i].kid) == len && memcmp(vault->keys[i].kid, kid, len) == 0)
            return &vault->keys[i];
    }
    return NULL;
}

static void derive_keys(const struct buf *key, struct vault_key *out)
{
    for (size_t i = 0; i < VAULT_PURPOSES; i++)
        digest_hkdf(key->data, key->len, purpose_names[i], out->seal[i]);
    for (size_t i = 0; i < VAULT_MACS; i++)
        digest_hkdf(key->data, key->len, mac_names[i], out->mac[i]);
    digest_hkdf(key->data, key->len, mark_name, out->mark);
}

/* One line `kid:base64(32 bytes)`. The messages show the kid, once it is one, and no more. */
static int add_key(struct vault *vault, const struct secret *line, struct buf *error)
{
    size_t number = vault->key_count + 1;
    const char *text = (const char *)line->bytes;
    const char *colon = memchr(text, ':', line->len);
    if (colon == NULL || !envelope_kid_is_valid(text, (size_t)(colon - text))) {
        buf_printf(error,
                   "key %zu of the keyring has no key id; expected kid:base64, the kid 1 to %d "
                   "letters, digits, '.', '_' and '-'",
                   number, ENVELOPE_KID_MAX);
        return -1;
    }
    size_t kid_len = (size_t)(colon - text);
    if (find_key(vault, text, kid_len) != NULL) {
        buf_printf(error, "key %zu of the keyring has the id of another, %.*s; expected its own",
                   number, (int)kid_len, text);
        return -1;
    }
    struct buf key = {0};
    int result = digest_unbase64(colon + 1, line->len - kid_len - 1, false, &key);
    if (result != 0 || key.len != ENVELOPE_KEY_LEN) {
        buf_printf(error, "key %zu of the keyring (%.*s) is not base64 of %d bytes", number,
                   (int)kid_len, text, ENVELOPE_KEY_LEN);
        result = -1;
    } else {
        struct vault_key *added = &vault->keys[vault->key_count++];
        memcpy(added->kid, text, kid_len);
        derive_keys(&key, added);
    }
    buf_wipe(&key);
    return result;
}

struct vault *vault_new(const struct secret_list *keyring, struct buf *error)
{
    if (keyring->count == 0) {
        buf_puts(error, "the keyring holds no key; expected lines kid:base64(32 bytes)");
        return NULL;
    }
    struct vault *vault = xcalloc(1, sizeof(*vault));
    for (size_t i = 0; i < keyring->count; i++) {
        if (add_key(vault, &keyring->items[i], error) != 0) {
            vault_free(vault);
            return NULL;
        }
    }
    return vault;
}

void vault_free(struct vault *vault)
{
    if (vault == NULL)
        return;
    explicit_bzero(vault, sizeof(*vault));
    free(vault);
}

const char *vault_active_kid(const struct vault *vault)
{
    return vault->keys[0].kid;
}

size_t vault_key_count(const struct vault *vault)
{
    return vault->key_count;
}

struct vault_key_name vault_key_name(const struct vault *vault, size_t number)
{
    return (struct vault_key_name){vault->keys[number].kid, vault->keys[number].mark};
}

int vault_find_kid(const struct vault *vault, const char *kid, struct vault_key_name *out)
{
    const struct vault_key *key = find_key(vault, kid, strlen(kid));

    if (key == NULL)
        return -1;
    *out = (struct vault_key_name){key->kid, key->mark};
    return 0;
}

void vault_seal(const struct vault *vault, enum vault_purpose purpose, struct span context,
                struct span plain, struct buf *out)
{
    const struct vault_key *key = &vault->keys[0];
    envelope_seal(key->seal[purpose], key->kid, context, plain, out);
}

int vault_open(const struct vault *vault, enum vault_purpose purpose, struct span context,
               struct span sealed, struct buf *out)
{
    struct envelope envelope;
    if (envelope_parse(sealed, &envelope) != 0)
        return -1;
    const struct vault_key *key = find_key(vault, envelope.kid.bytes, envelope.kid.len);
    return key != NULL ? envelope_open(key->seal[purpose], &envelope, context, out) : -1;
}

int vault_reseal(const struct vault *vault, enum vault_purpose purpose, struct span context,
                 struct span sealed, struct buf *out)
{
    struct buf plain = {0};
    int result = vault_open(vault, purpose, context, sealed, &plain);

    if (result == 0)
        vault_seal(vault, purpose, context, (struct span){plain.data, plain.len}, out);
    buf_wipe(&plain);
    return result;
}

char *vault_envelope_kid(struct span sealed)
{
    struct envelope envelope;
    if (envelope_parse(sealed, &envelope) != 0)
        return NULL;
    return xstrndup(envelope.kid.bytes, envelope.kid.len);
}

void vault_index_key_make(struct vault *vault, struct buf *sealed)
{
    digest_random(vault->index_key, sizeof(vault->index_key));
    vault->has_index_key = true;
    vault_seal(vault, VAULT_INDEX_KEY, VAULT_INDEX_KEY_CONTEXT,
               (struct span){vault->index_key, sizeof(vault->index_key)}, sealed);
}

int vault_index_key_load(struct vault *vault, struct span sealed)
{
    struct buf key = {0};
    int result = vault_open(vault, VAULT_INDEX_KEY, VAULT_INDEX_KEY_CONTEXT, sealed, &key);
    if (result == 0 && key.len == sizeof(vault->index_key)) {
        memcpy(vault->index_key, key.data, key.len);
        vault->has_index_key = true;
    } else {
        result = -1;
    }
    buf_wipe(&key);
    return result;
}

bool vault_has_index_key(const struct vault *vault)
{
    return vault->has_index_key;
}

void vault_index(const struct vault *vault, const char *normalised_address,
                 unsigned char out[DIGEST_LEN])
{
    if (!vault->has_index_key)
        die("an address was looked up before the index key was loaded");
    digest_hmac_sha256(vault->index_key, sizeof(vault->index_key),
                       &(struct span){normalised_address, strlen(normalised_address)}, 1, out);
}

void vault_sign(const struct vault *vault, enum vault_mac purpose, struct span message,
                struct buf *out)
{
    const struct vault_key *key = &vault->keys[0];
    unsigned char mac[DIGEST_LEN];
    digest_hmac_sha256(key->mac[purpose], DIGEST_LEN, &message, 1, mac);
    buf_puts(out, key->kid);
    buf_putc(out, '.');
    digest_base64url(mac, sizeof(mac), out);
}

/* The last dot divides, because a kid may hold some and base64url never does. */
bool vault_verify(const struct vault *vault, enum vault_mac purpose, struct span message,
                  const char *signature, size_t len)
{
    const char *dot = len > 0 ? memrchr(signature, '.', len) : NULL;
    if (dot == NULL)
        return false;
    size_t kid_len = (size_t)(dot - signature);
    const struct vault_key *key = find_key(vault, signature, kid_len);
    struct buf claimed = {0};
    if (key == NULL || digest_unbase64url(dot + 1, len - kid_len - 1, &claimed) != 0) {
        buf_free(&claimed);
        return false;
    }
    unsigned char mac[DIGEST_LEN];
    digest_hmac_sha256(key->mac[purpose], DIGEST_LEN, &message, 1, mac);
    bool equal = digest_equal(mac, sizeof(mac), claimed.data, claimed.len);
    explicit_bzero(mac, sizeof(mac));
    buf_free(&claimed);
    return equal;
}
