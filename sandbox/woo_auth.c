#include "woo_auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"
#include "woo_shop.h"

/*
 * signature = base64(HMAC-SHA256(consumer_secret "&", base))
 * base      = method "&" encode(url) "&" encode(parameters)
 * url       = "http://" host path
 * parameters = encoded "name=value" pairs of the query but oauth_signature, sorted, joined by "&"
 */

#define PARAMETERS_MOST 64
#define TIMESTAMP_WINDOW_S 900

static const char cannot[] = "woocommerce_rest_cannot_view";
static const char refused[] = "woocommerce_rest_authentication_error";

/* The nonces of the last quarter of an hour, as digests, in a ring. */
static unsigned char nonces[SANDBOX_NONCES][DIGEST_LEN];
static size_t nonce_next;

/* Splits the source's "ck_...:cs_..."; false if the shop has no key. */
static bool keys_of(const struct visit *visit, char **key, char **secret)
{
    const struct settings_source *source =
        settings_source(visit->sandbox->settings, visit->shop->source, strlen(visit->shop->source));
    if (source == NULL || source->api_keys.count == 0)
        return false;
    const char *text = (const char *)source->api_keys.items[0].bytes;
    const char *colon = strchr(text, ':');
    if (colon == NULL)
        return false;
    *key = xstrndup(text, (size_t)(colon - text));
    *secret = xstrdup(colon + 1);
    return true;
}

/* Constant-time, and false where there is nothing. */
static bool same(const char *given, const char *expected)
{
    return given != NULL && digest_equal(given, strlen(given), expected, strlen(expected));
}

/* "user:password" of an Authorization: Basic header; a new string or NULL. */
static char *basic_of(const struct http_request *request)
{
    char *header = http_header_text(request, "Authorization");
    struct buf plain = {0};
    char *text = NULL;
    if (header != NULL && strncasecmp(header, "Basic ", 6) == 0 &&
        digest_unbase64(header + 6, strlen(header + 6), true, &plain) == 0)
        text = buf_take(&plain);
    buf_free(&plain);
    free(header);
    return text;
}

/* One encoded "name=value" of the query. */
static char *parameter(const char *text, size_t len)
{
    struct buf out = {0};
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - text);
    char *name = xstrndup(text, name_len);
    char *value = equals == NULL ? xstrdup("") : xstrndup(equals + 1, len - name_len - 1);
    long decoded_name = text_url_decode(name, name_len);
    long decoded_value = text_url_decode(value, strlen(value));
    char *pair = NULL;
    if (decoded_name >= 0 && decoded_value >= 0) {
        buf_url_encode(&out, name, (size_t)decoded_name);
        buf_putc(&out, '=');
        buf_url_encode(&out, value, (size_t)decoded_value);
        pair = buf_take(&out);
    }
    free(name);
    free(value);
    buf_free(&out);
    return pair;
}

/* strcmp for qsort over strings. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether two encoded pairs have one name. */
static bool same_name(const char *one, const char *two)
{
    size_t len = strcspn(one, "=");
    return strcspn(two, "=") == len && memcmp(one, two, len) == 0;
}

/* Adds a pair. PHP keeps the last value of a name, and real clients do send names twice. */
static void add_pair(char **pairs, size_t *count, char *pair)
{
    for (size_t i = 0; i < *count; i++) {
        if (!same_name(pairs[i], pair))
            continue;
        free(pairs[i]);
        pairs[i] = pair;
        return;
    }
    pairs[(*count)++] = pair;
}

/* The sorted parameters, joined. */
static void join_parameters(const char *query, struct buf *out)
{
    char *pairs[PARAMETERS_MOST] = {NULL};
    size_t count = 0;
    while (*query != '\0' && count < PARAMETERS_MOST) {
        size_t len = strcspn(query, "&");
        char *pair = len == 0 ? NULL : parameter(query, len);
        if (pair != NULL && same_name(pair, "oauth_signature="))
            xfree(pair);
        if (pair != NULL)
            add_pair(pairs, &count, pair);
        query += len + (query[len] == '&');
    }
    qsort(pairs, count, sizeof(pairs[0]), by_text);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_putc(out, '&');
        buf_puts(out, pairs[i]);
        free(pairs[i]);
    }
}

/* The base string of RFC 5849. */
static void base_string(const struct visit *visit, struct buf *out)
{
    struct buf url = {0};
    struct buf parameters = {0};
    char *host = http_header_text(visit->request, "Host");
    buf_printf(&url, "http://%s%s", host == NULL ? "" : host, http_path(visit->request));
    join_parameters(http_query(visit->request), &parameters);
    buf_printf(out, "%s&", http_method(visit->request));
    buf_url_encode(out, url.data, url.len);
    buf_putc(out, '&');
    buf_url_encode(out, parameters.data == NULL ? "" : parameters.data, parameters.len);
    free(host);
    buf_free(&url);
    buf_free(&parameters);
}

/* Whether the signature fits the request. */
static bool signature_fits(const struct visit *visit, const char *secret)
{
    struct buf base = {0};
    struct buf key = {0};
    struct buf expected = {0};
    unsigned char mac[DIGEST_LEN];
    char *method = visit_query(visit, "oauth_signature_method");
    char *given = visit_query(visit, "oauth_signature");
    base_string(visit, &base);
    buf_printf(&key, "%s&", secret);
    digest_hmac_sha256(key.data, key.len, &(struct span){base.data, base.len}, 1, mac);
    digest_base64(mac, sizeof(mac), &expected);
    bool fits = same(method, "HMAC-SHA256") && same(given, expected.data);
    free(method);
    free(given);
    buf_free(&base);
    buf_wipe(&key);
    buf_wipe(&expected);
    return fits;
}

/* A nonce counts once a key; a timestamp for a quarter of an hour. */
static const char *replay_fault(const struct visit *visit)
{
    unsigned char digest[DIGEST_LEN];
    int64_t at = 0;
    char *timestamp = visit_query(visit, "oauth_timestamp");
    char *nonce = visit_query(visit, "oauth_nonce");
    const char *fault = NULL;
    int64_t now = clock_now() / TIME_SECOND;
    if (timestamp == NULL || text_to_int(timestamp, strlen(timestamp), &at) != 0 ||
        at < now - TIMESTAMP_WINDOW_S || at > now + TIMESTAMP_WINDOW_S)
        fault = "Invalid timestamp.";
    else if (nonce == NULL || nonce[0] == '\0')
        fault = "Invalid nonce - nonce has already been used.";
    if (fault == NULL) {
        struct span parts[] = {SPAN_TEXT(timestamp), SPAN_TEXT(nonce)};
        digest_sha256_parts(parts, 2, digest);
        for (size_t i = 0; i < SANDBOX_NONCES && fault == NULL; i++)
            if (memcmp(nonces[i], digest, DIGEST_LEN) == 0)
                fault = "Invalid nonce - nonce has already been used.";
        memcpy(nonces[nonce_next++ % SANDBOX_NONCES], digest, DIGEST_LEN);
    }
    free(timestamp);
    free(nonce);
    return fault;
}

/* OAuth 1.0a: NULL, or what is wrong. */
static const char *oauth_fault(const struct visit *visit, const char *key, const char *secret)
{
    char *given = visit_query(visit, "oauth_consumer_key");
    bool known = same(given, key);
    free(given);
    if (!known)
        return "Consumer key is invalid.";
    if (!signature_fits(visit, secret))
        return "Invalid signature - provided signature does not match.";
    return replay_fault(visit);
}

/* Basic or the query's own key and secret: NULL, or what is wrong. */
static const char *plain_fault(const char *given, const char *key, const char *secret)
{
    const char *colon = strchr(given, ':');
    if (colon == NULL || !digest_equal(given, (size_t)(colon - given), key, strlen(key)))
        return "Consumer key is invalid.";
    return same(colon + 1, secret) ? NULL : "Consumer secret is invalid.";
}

/* "key:secret" from the header or the query; a new string or NULL. */
static char *plain_of(const struct visit *visit)
{
    char *basic = basic_of(visit->request);
    if (basic != NULL)
        return basic;
    char *key = visit_query(visit, "consumer_key");
    char *secret = visit_query(visit, "consumer_secret");
    char *text = key != NULL && secret != NULL ? xasprintf("%s:%s", key, secret) : NULL;
    free(key);
    free(secret);
    return text;
}

/* Basic is taken over plain http too, as behind a proxy that ends TLS. */
bool woo_authenticate(struct visit *visit)
{
    char *key = NULL;
    char *secret = NULL;
    char *given = plain_of(visit);
    char *oauth = visit_query(visit, "oauth_signature");
    const char *fault = NULL;
    bool known = keys_of(visit, &key, &secret);
    bool anonymous = !known || (given == NULL && oauth == NULL);
    if (!anonymous)
        fault = given != NULL ? plain_fault(given, key, secret) : oauth_fault(visit, key, secret);
    if (anonymous)
        reply_woo_error(visit, 401, cannot, "Sorry, you cannot list resources.");
    else if (fault != NULL)
        reply_woo_error(visit, 401, refused, fault);
    free(key);
    free(secret);
    free(given);
    free(oauth);
    return !anonymous && fault == NULL;
}
