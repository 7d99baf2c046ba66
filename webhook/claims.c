#include "claims.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "bearer.h"
#include "body.h"
#include "net/mail.h"
#include "store/claims.h"

#define CLAIM_MAGIC 0x636c6169
#define JSON "Content-Type: application/json\r\n"
#define CODE_TEXT 16 /* eight digits with blanks or dashes between them */

/* A claim or a code on its way to the database; its client may leave, which changes nothing. */
struct claim {
    uint32_t magic;
    struct front *front;
    struct http_request *request;
    char *address; /* normalised */
    char code[CLAIM_CODE];
    struct claim_ask ask;
    struct claim_confirm confirm;
};

static void claim_free(struct claim *claim)
{
    claim->magic = 0;
    claim_ask_free(&claim->ask);
    explicit_bzero(claim->code, sizeof(claim->code));
    free(claim->address);
    free(claim);
}

static struct claim *claim_new(struct front *front, struct http_request *request)
{
    struct claim *claim = xcalloc(1, sizeof(*claim));

    claim->magic = CLAIM_MAGIC;
    claim->front = front;
    claim->request = request;
    return claim;
}

/* The address as it was typed, trimmed, and as it is matched; -1 with the request answered. */
static int read_address(struct front *front, struct http_request *request,
                        struct json_object *object, char **typed, char **normalised)
{
    const char *text = body_text(front, request, object, "email", LIMIT_ADDRESS + 2);
    size_t len;

    if (text == NULL)
        return -1;
    text += strspn(text, " ");
    for (len = strlen(text); len > 0 && text[len - 1] == ' ';)
        len--;
    *typed = xstrndup(text, len);
    if (mail_can_go_to(*typed) && text_normalise_address(*typed, len, normalised) == 0)
        return 0;
    xfree(*typed);
    front_problem(front, request, 400, "email_invalid", NULL,
                  "That is no e-mail address to which a code could be mailed.");
    return -1;
}

/* Who asks, beyond our proxies. One on this machine that was not said to be a proxy may speak for
 * everybody: it is not counted as one host. */
static const char *counted_peer(const struct front *front, const struct http_request *request,
                                char text[ADDRESS_TEXT])
{
    struct address client = gate_client(front->gate, request);

    address_format(&client, text);
    if (gate_is_unlimited(front->gate, &client) || strncmp(text, "127.", 4) == 0 ||
        strcmp(text, "::1") == 0)
        return NULL;
    return text;
}

static void claim_kept(void *operation, enum db_result result)
{
    struct claim *claim = OWNER_OF(operation, struct claim, ask);
    struct front *front = claim->front;

    if (claim->magic != CLAIM_MAGIC)
        die("claims: a stray operation");
    log_info("claims", result == DB_OK ? "asked" : "not_kept",
             LOG_S("request", http_request_id(claim->request)), LOG_S("user", claim->ask.user));
    if (result == DB_OK)
        front_answer(front, claim->request, 202, JSON, "{\"status\":\"accepted\"}", 21);
    else
        front_unavailable(front, claim->request);
    claim_free(claim);
}

void claims_post(struct front *front, struct http_request *request, const struct route_parts *parts)
{
    char *typed = NULL, *normalised = NULL, peer[ADDRESS_TEXT];
    struct json_object *object;
    struct id_token token;

    (void)parts;
    if (bearer_authenticate(front, request, &token) != 0)
        return;
    object = body_object(front, request);
    if (object == NULL)
        return;
    if (read_address(front, request, object, &typed, &normalised) != 0)
        goto out;
    if (front->engine == NULL) {
        front_unavailable(front, request);
        goto out;
    }
    struct claim *claim = claim_new(front, request);
    claim_ask_make(front->engine->vault, token.user, token.team, typed, normalised,
                   counted_peer(front, request, peer), clock_now(), &claim->ask);
    if (!front_submit(front, &claim_ask_batch, &claim->ask, claim_kept))
        claim_kept(&claim->ask, DB_GONE);
out:
    free(typed);
    free(normalised);
    json_object_put(object);
}

/* --- confirming ---------------------------------------------------------------------------- */

/* The answers, which say nothing of whether the address is known. */
static void confirm_answer(struct claim *claim)
{
    struct front *front = claim->front;
    struct buf headers = {0};
    int64_t seconds;

    switch (claim->confirm.verdict) {
    case CLAIM_CONFIRMED:
        front_answer(front, claim->request, 200, JSON, "{\"status\":\"confirmed\"}", 22);
        break;
    case CLAIM_CODE_INVALID:
        front_problem(front, claim->request, 422, "code_invalid", NULL,
                      "The code is wrong, over fifteen minutes old, or for another address.");
        break;
    case CLAIM_EXHAUSTED:
        seconds = (claim->confirm.again_at - clock_now()) / TIME_SECOND + 1;
        buf_printf(&headers, "Retry-After: %lld\r\n", (long long)(seconds > 0 ? seconds : 1));
        front_problem(front, claim->request, 429, "too_many_tries", headers.data,
                      "Too many wrong codes: ask for a new one.");
        break;
    }
    buf_free(&headers);
}

static void claim_confirmed(void *operation, enum db_result result)
{
    static const char *const events[] = {[CLAIM_CONFIRMED] = "confirmed",
                                         [CLAIM_CODE_INVALID] = "code_invalid",
                                         [CLAIM_EXHAUSTED] = "too_many_tries"};
    struct claim *claim = OWNER_OF(operation, struct claim, confirm);

    if (claim->magic != CLAIM_MAGIC)
        die("claims: a stray operation");
    log_info("claims", result == DB_OK ? events[claim->confirm.verdict] : "not_confirmed",
             LOG_S("request", http_request_id(claim->request)), LOG_S("user", claim->confirm.user));
    if (result == DB_OK)
        confirm_answer(claim);
    else
        front_unavailable(claim->front, claim->request);
    claim_free(claim);
}

/* Eight digits, however people group them; false if it is anything else. */
static bool read_code(const char *text, char code[CLAIM_CODE])
{
    size_t digits = 0;

    for (; *text != '\0'; text++) {
        if (*text == ' ' || *text == '-')
            continue;
        if (*text < '0' || *text > '9' || digits == CLAIM_CODE - 1)
            return false;
        code[digits++] = *text;
    }
    code[digits] = '\0';
    return digits == CLAIM_CODE - 1;
}

/* Hands a code to the database; one that cannot be a code is no try. */
static void confirm_begin(struct claim *claim, const char *user, const char *code)
{
    struct front *front = claim->front;

    memcpy(claim->confirm.user, user, sizeof(claim->confirm.user));
    claim->confirm.address = claim->address;
    claim->confirm.code = claim->code;
    claim->confirm.now = clock_now();
    claim->confirm.verdict = CLAIM_CODE_INVALID;
    if (!read_code(code, claim->code))
        claim_confirmed(&claim->confirm, DB_OK);
    else if (!front_submit(front, &claim_confirm_batch, &claim->confirm, claim_confirmed))
        claim_confirmed(&claim->confirm, DB_GONE);
}

void claims_confirm_post(struct front *front, struct http_request *request,
                         const struct route_parts *parts)
{
    char *typed = NULL, *normalised = NULL;
    struct json_object *object;
    struct id_token token;
    const char *code;

    (void)parts;
    if (bearer_authenticate(front, request, &token) != 0)
        return;
    object = body_object(front, request);
    if (object == NULL)
        return;
    code = body_text(front, request, object, "code", CODE_TEXT);
    if (code != NULL && read_address(front, request, object, &typed, &normalised) == 0) {
        struct claim *claim = claim_new(front, request);
        claim->address = normalised;
        confirm_begin(claim, token.user, code);
    }
    free(typed);
    json_object_put(object);
}
