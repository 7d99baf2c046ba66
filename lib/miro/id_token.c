#include "miro/id_token.h"

#include <jwt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"
#include "miro/json.h"

/* No date of a token lies beyond: the year 5138. Keeps sums of times far from their type's end. */
#define DATE_MOST 1e11
#define LEEWAY_MOST 180

/* The three parts of header "." payload "." signature, still encoded. */
struct parts {
    struct span part[3];
};

/* Splits at exactly two full stops; each part must be canonical base64url when decoded. */
static int split(const char *token, size_t len, struct parts *out)
{
    const char *at = token, *end = token + len;
    for (int i = 0; i < 3; i++) {
        const char *stop = memchr(at, '.', (size_t)(end - at));
        if (!stop != (i == 2))
            return -1;
        stop = stop ? stop : end;
        out->part[i] = (struct span){at, (size_t)(stop - at)};
        if (stop == at)
            return -1;
        at = stop + 1;
    }
    return 0;
}

/* A part's JSON object; NULL if the part is anything else. */
static struct json_object *open_part(const struct span *part)
{
    struct buf bytes = {0};
    struct json_object *root = NULL;
    if (digest_unbase64url(part->bytes, part->len, &bytes) == 0)
        root = miro_json_object(bytes.data, bytes.len);
    buf_free(&bytes);
    return root;
}

/* The header says what we already know, or the token is refused: it chooses nothing. */
static const char *check_header(const struct span *part)
{
    struct json_object *header = open_part(part);
    const char *alg = header ? miro_json_text(header, "alg") : NULL;
    const char *typ = header ? miro_json_text(header, "typ") : NULL;
    const char *fault = NULL;
    if (!header)
        fault = "header";
    else if (!alg || strcmp(alg, "HS256") != 0)
        fault = "alg";
    else if (json_object_object_get_ex(header, "crit", NULL))
        fault = "crit";
    else if (json_object_object_get_ex(header, "typ", NULL) &&
             (!typ || !text_equal_nocase(typ, "JWT")))
        fault = "typ";
    json_object_put(header);
    return fault;
}

/* The app that the token claims to be for. Nothing is believed yet: this only picks the key. */
static const struct settings_miro *find_app(const struct settings *settings,
                                            const struct span *payload)
{
    struct json_object *claims = open_part(payload);
    char subject[LIMIT_MIRO_ID + 1];
    const struct settings_miro *app = NULL;
    if (claims && miro_json_id(claims, "sub", subject) == 0)
        app = settings_miro_by_client(settings, subject);
    json_object_put(claims);
    return app;
}

/* The signed claims under one secret, or NULL. libjwt verifies nothing with an empty key, and takes
 * the algorithm from the token: both are held against here. */
static struct json_object *claims_under(const char *token, const struct secret *secret)
{
    struct json_object *claims = NULL;
    jwt_t *jwt = NULL;
    if (secret->len == 0 || secret->len > LIMIT_SECRET_FILE_BYTES)
        return NULL;
    mem_watch();
    int refused = jwt_decode(&jwt, token, secret->bytes, (int)secret->len);
    mem_check("libjwt");
    if (refused != 0)
        return NULL;
    if (jwt_get_alg(jwt) == JWT_ALG_HS256) {
        mem_watch();
        char *json = jwt_get_grants_json(jwt, NULL);
        mem_check("libjwt");
        if (json)
            claims = miro_json_object(json, strlen(json));
        free(json);
    }
    jwt_free(jwt);
    return claims;
}

/* Tries every secret, whichever fits, so that the time tells nothing about their order. */
static struct json_object *verified_claims(const struct settings_miro *app, const char *token,
                                           size_t len)
{
    char *text = xstrndup(token, len);
    struct json_object *verified = NULL;
    for (size_t i = 0; i < app->client_secrets.count; i++) {
        struct json_object *claims = claims_under(text, &app->client_secrets.items[i]);
        if (verified)
            json_object_put(claims);
        else
            verified = claims;
    }
    explicit_bzero(text, len);
    free(text);
    return verified;
}

/* A NumericDate, with or without a fraction: 0; 1 if it is absent, -1 if it is none. */
static int take_date(const struct json_object *claims, const char *key, int64_t *seconds)
{
    struct json_object *member;
    if (!json_object_object_get_ex(claims, key, &member))
        return 1;
    if (!json_object_is_type(member, json_type_int) &&
        !json_object_is_type(member, json_type_double))
        return -1;
    double value = json_object_get_double(member);
    if (!isfinite(value) || value < 0 || value > DATE_MOST)
        return -1;
    *seconds = (int64_t)value;
    return 0;
}

static const char *check_dates(const struct json_object *claims, int64_t leeway, int64_t now,
                               int64_t *expires)
{
    int64_t date;
    int told = take_date(claims, "exp", expires);
    if (told != 0)
        return told > 0 ? "exp_missing" : "exp";
    told = take_date(claims, "iat", &date);
    if (told < 0 || (told == 0 && date > now + leeway))
        return told < 0 ? "iat" : "iat_ahead";
    told = take_date(claims, "nbf", &date);
    if (told < 0 || (told == 0 && date > now + leeway))
        return told < 0 ? "nbf" : "nbf_ahead";
    return NULL;
}

/* The guards over claims that are signed. `out` may be half filled when one refuses. */
static const char *check_claims(const struct settings_miro *app, const struct json_object *claims,
                                int64_t leeway, int64_t now, struct id_token *out)
{
    const char *issuer = miro_json_text(claims, "iss");
    char subject[LIMIT_MIRO_ID + 1];
    int64_t expires;
    if (!issuer || strcmp(issuer, app->issuer) != 0)
        return "iss";
    if (miro_json_id(claims, "sub", subject) || strcmp(subject, app->client_id) != 0)
        return "sub";
    if (miro_json_id(claims, "user", out->user))
        return "user";
    if (miro_json_id(claims, "team", out->team))
        return "team";
    const char *fault = check_dates(claims, leeway, now, &expires);
    if (fault)
        return fault;
    out->app = app;
    out->expires_at = (expires + leeway) * TIME_SECOND;
    return NULL;
}

/* The guards that come before the signature: they cost no key and choose no algorithm. */
static const char *check_form(const struct settings *settings, const char *token, size_t len,
                              const struct settings_miro **app)
{
    struct parts parts;
    struct buf signature = {0};
    if (len == 0 || len > LIMIT_ID_TOKEN)
        return "length";
    if (split(token, len, &parts))
        return "form";
    const char *fault = check_header(&parts.part[0]);
    if (fault)
        return fault;
    int told = digest_unbase64url(parts.part[2].bytes, parts.part[2].len, &signature);
    bool whole = told == 0 && signature.len == DIGEST_LEN;
    buf_free(&signature);
    if (!whole)
        return "signature";
    *app = find_app(settings, &parts.part[1]);
    return *app ? NULL : "sub";
}

enum id_token_verdict id_token_verify(const struct settings *settings, const char *token,
                                      size_t len, int64_t now, struct id_token *out,
                                      const char **why)
{
    const struct settings_miro *app = NULL;
    struct id_token found;
    *why = check_form(settings, token, len, &app);
    if (*why)
        return ID_TOKEN_INVALID;
    int64_t leeway = app->id_token_leeway > LEEWAY_MOST ? LEEWAY_MOST : app->id_token_leeway;
    struct json_object *claims = verified_claims(app, token, len);
    if (!claims) {
        *why = "signature";
        return ID_TOKEN_INVALID;
    }
    *why = check_claims(app, claims, leeway, now / TIME_SECOND, &found);
    json_object_put(claims);
    if (*why)
        return ID_TOKEN_INVALID;
    if (found.expires_at <= now) {
        *why = "exp_past";
        return ID_TOKEN_EXPIRED;
    }
    *out = found;
    return ID_TOKEN_VALID;
}

void id_token_mint(const struct settings_miro *app, const char *user, const char *team,
                   int64_t issued_at, int64_t expires_at, struct buf *out)
{
    const struct secret *secret = &app->client_secrets.items[0];
    jwt_t *jwt = NULL;
    if (app->client_secrets.count == 0 || secret->len == 0 || secret->len > LIMIT_SECRET_FILE_BYTES)
        die("id_token: app %s has no secret to mint with", app->name);
    if (jwt_new(&jwt) != 0 ||
        jwt_set_alg(jwt, JWT_ALG_HS256, secret->bytes, (int)secret->len) != 0 ||
        jwt_add_grant(jwt, "iss", app->issuer) != 0 ||
        jwt_add_grant(jwt, "sub", app->client_id) != 0 || jwt_add_grant(jwt, "user", user) != 0 ||
        jwt_add_grant(jwt, "team", team) != 0 ||
        jwt_add_grant_int(jwt, "iat", issued_at / TIME_SECOND) != 0 ||
        jwt_add_grant_int(jwt, "exp", expires_at / TIME_SECOND) != 0)
        die("id_token: libjwt cannot make a token");
    char *text = jwt_encode_str(jwt);
    if (!text)
        die("id_token: libjwt cannot sign");
    buf_puts(out, text);
    free(text);
    jwt_free(jwt);
}
