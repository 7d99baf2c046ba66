/*
 * The pure halves of miro.h: an answer's bytes to a result. No sentence made here holds a token or
 * an address.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "miro/json.h"
#include "miro/miro.h"

/* A longer word may be a token. */
#define WORD_MOST 24
#define MESSAGE_MOST 160

static void free_wiped(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    xfree(*text);
}

void miro_tokens_free(struct miro_tokens *tokens)
{
    free_wiped(&tokens->access);
    free_wiped(&tokens->refresh);
    xfree(tokens->scope);
    explicit_bzero(tokens, sizeof(*tokens));
}

void miro_profile_free(struct miro_profile *profile)
{
    free_wiped(&profile->address);
    explicit_bzero(profile, sizeof(*profile));
}

/* Appends what a stranger said, word by word, without those that could be a token or an address. */
static void append_plain(struct buf *out, const char *text)
{
    size_t start = out->len;
    while (*text && out->len - start < MESSAGE_MOST) {
        size_t len = strcspn(text, " \t\r\n");
        bool plain = len > 0 && len <= WORD_MOST && !memchr(text, '@', len);
        for (size_t i = 0; plain && i < len; i++)
            plain = text[i] > 0x20 && text[i] < 0x7f;
        if (len > 0) {
            buf_putc(out, ' ');
            buf_append(out, plain ? text : "...", plain ? len : 3);
        }
        text += len + (text[len] != '\0');
    }
}

/* Miro's own envelope has code and message, RFC 6749's error and error_description. */
static void describe_refusal(int status, const char *body, size_t len, struct buf *error)
{
    static const char *const keys[] = {"code", "error", "message", "error_description"};
    struct json_object *root = miro_json_object(body, len);
    buf_printf(error, "Miro answered %d", status);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *text = miro_json_text(root, keys[i]);
        if (text)
            append_plain(error, text);
    }
    json_object_put(root);
}

static enum miro_outcome strange(struct buf *error, const char *sentence)
{
    buf_puts(error, sentence);
    return MIRO_STRANGE;
}

/* What a status alone decides. */
static enum miro_outcome outcome_of(int status)
{
    if (status == 200)
        return MIRO_OK;
    if (status == 400 || status == 401 || status == 403)
        return MIRO_REFUSED;
    if (status == 404)
        return MIRO_ABSENT;
    return status == 408 || status == 429 || status >= 500 ? MIRO_LATER : MIRO_STRANGE;
}

/* A token is opaque, but it goes into a header: visible ASCII only. */
static bool is_token(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return false;
    return len > 0 && len <= LIMIT_MIRO_TOKEN;
}

/* Absent, 0 and below all say that the token does not expire. */
static int read_expiry(const struct json_object *root, int64_t now, int64_t *expires_at)
{
    struct json_object *member = miro_json_member(root, "expires_in");
    const char *text = miro_json_text(root, "expires_in");
    int64_t seconds = 0;
    if (text && text_to_int(text, strlen(text), &seconds))
        return -1;
    if (member && !text && !json_object_is_type(member, json_type_int))
        return -1;
    if (member && !text)
        seconds = json_object_get_int64(member);
    if (seconds <= 0 || seconds > LIMIT_MIRO_EXPIRY_S)
        *expires_at = TIME_NONE;
    else
        *expires_at = now + seconds * TIME_SECOND;
    return 0;
}

/* Ids may be absent (a refresh repeats no user), but not unreadable. */
static int read_id(const struct json_object *root, const char *key, char out[LIMIT_MIRO_ID + 1])
{
    out[0] = '\0';
    return miro_json_member(root, key) ? miro_json_id(root, key, out) : 0;
}

static const char *take_tokens(const struct json_object *root, int64_t now,
                               struct miro_tokens *tokens)
{
    const char *type = miro_json_text(root, "token_type");
    const char *access = miro_json_text(root, "access_token");
    const char *refresh = miro_json_text(root, "refresh_token");
    const char *scope = miro_json_text(root, "scope");
    if (type && !text_equal_nocase(type, "bearer"))
        return "Miro's token is of a type other than bearer";
    if (!access || !is_token(access))
        return "Miro's answer holds no usable access_token";
    if (miro_json_member(root, "refresh_token") && (!refresh || (*refresh && !is_token(refresh))))
        return "Miro's answer holds a refresh_token that cannot be one";
    if (read_id(root, "user_id", tokens->user) || read_id(root, "team_id", tokens->team))
        return "Miro's answer holds a user_id or team_id that cannot be one";
    if (read_expiry(root, now, &tokens->expires_at))
        return "Miro's answer holds an expires_in that is no number";
    tokens->access = xstrdup(access);
    tokens->refresh = refresh && *refresh ? xstrdup(refresh) : NULL;
    tokens->scope = scope && strlen(scope) <= LIMIT_MIRO_SCOPE ? xstrdup(scope) : NULL;
    return NULL;
}

enum miro_outcome miro_read_tokens(int status, const char *body, size_t len, int64_t now,
                                   struct miro_tokens *out, struct buf *error)
{
    enum miro_outcome outcome = outcome_of(status);
    if (outcome != MIRO_OK) {
        describe_refusal(status, body, len, error);
        /* Here no address but a wrong one is absent. */
        return outcome == MIRO_ABSENT ? MIRO_STRANGE : outcome;
    }
    struct json_object *root = miro_json_object(body, len);
    struct miro_tokens tokens = {0};
    const char *fault = root ? take_tokens(root, now, &tokens)
                             : "Miro's answer to the token call is no JSON object";
    json_object_put(root);
    if (fault)
        return strange(error, fault);
    *out = tokens;
    return MIRO_OK;
}

enum miro_outcome miro_read_profile(int status, const char *body, size_t len,
                                    struct miro_profile *out, struct buf *error)
{
    enum miro_outcome outcome = outcome_of(status);
    /* Only 401 says that the token is refused: 400 and 403 say that this profile is not for it, as
     * Miro may for any token without the scope. A token is not to be called dead for that. */
    if (outcome == MIRO_REFUSED && status != 401)
        outcome = MIRO_ABSENT;
    if (outcome != MIRO_OK) {
        describe_refusal(status, body, len, error);
        return outcome;
    }
    struct json_object *root = miro_json_object(body, len);
    struct miro_profile profile = {0};
    if (!root || miro_json_id(root, "id", profile.user)) {
        json_object_put(root);
        return strange(error, "Miro's profile is no JSON object with a usable id");
    }
    const char *email = miro_json_text(root, "email");
    const char *state = miro_json_text(root, "state");
    if (email && text_normalise_address(email, strlen(email), &profile.address))
        profile.address = NULL;
    /* A state that is none of the known kind of word must not read as "not told". */
    if (state && *state) {
        bool plain = strlen(state) < sizeof(profile.state) &&
                     strspn(state, "abcdefghijklmnopqrstuvwxyz_") == strlen(state);
        snprintf(profile.state, sizeof(profile.state), "%s", plain ? state : "unknown");
    }
    json_object_put(root);
    *out = profile;
    return MIRO_OK;
}

/* Only Miro's own words, in its envelope, say that a token is dead: a proxy's page does not. */
enum miro_outcome miro_read_check(int status, const char *body, size_t len, struct buf *error)
{
    enum miro_outcome outcome = outcome_of(status);
    if (outcome == MIRO_OK)
        return outcome;
    describe_refusal(status, body, len, error);
    if (outcome != MIRO_REFUSED)
        return outcome == MIRO_ABSENT ? MIRO_STRANGE : outcome;
    struct json_object *root = miro_json_object(body, len);
    bool said = miro_json_text(root, "code") || miro_json_text(root, "error");
    json_object_put(root);
    return said && status != 403 ? MIRO_REFUSED : MIRO_STRANGE;
}

/* A word that a refusal holds, in any case, and what it is about. */
struct telling {
    const char *word;
    enum miro_refusal refusal;
};

/* RFC 6749's codes are exact. */
static const struct telling telling_codes[] = {
    {"invalid_grant", MIRO_REFUSES_TOKEN},        {"invalid_client", MIRO_REFUSES_CLIENT},
    {"unauthorized_client", MIRO_REFUSES_CLIENT}, {"unsupported_grant_type", MIRO_REFUSES_CLIENT},
    {"invalid_request", MIRO_REFUSES_CLIENT},     {"invalid_scope", MIRO_REFUSES_CLIENT},
};

/* Miro's envelope has one code for all and tells in words: the first row that is found counts, so
 * that what names the client never reads as said of a token. */
static const struct telling telling_words[] = {
    {"client", MIRO_REFUSES_CLIENT},
    {"secret", MIRO_REFUSES_CLIENT},
    {"credential", MIRO_REFUSES_CLIENT},
    {"redirect", MIRO_REFUSES_CLIENT},
    {"grant_type", MIRO_REFUSES_CLIENT},
    {"token", MIRO_REFUSES_TOKEN},
    {"authorization code", MIRO_REFUSES_TOKEN},
};

enum miro_refusal miro_read_refusal(const char *body, size_t len)
{
    static const char *const sentences[] = {"message", "error_description"};
    struct json_object *root = miro_json_object(body, len);
    enum miro_refusal refusal = MIRO_REFUSES_UNSAID;
    const char *code = miro_json_text(root, "error");
    for (size_t i = 0; code && i < sizeof(telling_codes) / sizeof(telling_codes[0]); i++)
        if (strcmp(code, telling_codes[i].word) == 0)
            refusal = telling_codes[i].refusal;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        const char *text = miro_json_text(root, sentences[i]);
        size_t rows = sizeof(telling_words) / sizeof(telling_words[0]);
        for (size_t row = 0; text && refusal == MIRO_REFUSES_UNSAID && row < rows; row++)
            if (strcasestr(text, telling_words[row].word))
                refusal = telling_words[row].refusal;
    }
    json_object_put(root);
    return refusal;
}
