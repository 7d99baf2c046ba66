#include "bearer.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"

#define REALM "WWW-Authenticate: Bearer realm=\"purchase-sync\""

/* What each kind of refusal says: a plugin fetches a new token on expired, and gives up on invalid.
 */
static const struct refusal {
    enum check_outcome outcome;
    const char *code, *headers, *detail;
} missing = {CHECK_TOKEN_MISSING, "token_missing", REALM "\r\n",
             "Send `Authorization: Bearer` with the token of miro.board.getIdToken()."},
  invalid = {CHECK_TOKEN_INVALID, "token_invalid", REALM ", error=\"invalid_token\"\r\n",
             "The token was not issued by Miro for an app that is configured here."},
  expired = {CHECK_TOKEN_EXPIRED, "token_expired",
             REALM ", error=\"invalid_token\", error_description=\"expired\"\r\n",
             "The token's time is over: call miro.board.getIdToken() again."};

/* Counts, logs (the guard's name, never the token) and answers. */
static void bearer_refuse(struct front *front, struct http_request *request,
                          const struct refusal *refusal, const char *why)
{
    char client[ADDRESS_TEXT];
    if (!gate_admit(front, request)) {
        metrics_check(front->metrics, CHECK_RATE_LIMITED);
        return;
    }
    metrics_check(front->metrics, refusal->outcome);
    gate_client_text(front->gate, request, client);
    log_info("check", "refused", LOG_S("request", http_request_id(request)),
             LOG_S("code", refusal->code), LOG_S("why", why), LOG_S("client", client));
    front_problem(front, request, 401, refusal->code, refusal->headers, refusal->detail);
}

/* The token after the scheme's name; NULL if the scheme is another or nothing follows. */
static const char *bearer_token(const struct http_header *header, size_t *len)
{
    static const char scheme[] = "Bearer ";
    const size_t skip = sizeof(scheme) - 1;
    size_t blanks = 0;
    if (header->value_len <= skip || strncasecmp(header->value, scheme, skip) != 0)
        return NULL;
    while (skip + blanks < header->value_len && header->value[skip + blanks] == ' ')
        blanks++;
    *len = header->value_len - skip - blanks;
    return *len > 0 ? header->value + skip + blanks : NULL;
}

/* Finds the token, and whether it is good; 0, or -1 after it answered. */
static int bearer_verify(struct front *front, struct http_request *request, struct id_token *out)
{
    size_t header_count, found, len = 0;
    const struct http_header *headers = http_headers(request, &header_count);
    const struct http_header *header = http_find(headers, header_count, "Authorization", &found);
    unsigned char digest[DIGEST_LEN];
    int64_t now = clock_now();
    const char *why = "";

    if (found > 1) {
        bearer_refuse(front, request, &invalid, "repeated");
        return -1;
    }
    const char *token = header ? bearer_token(header, &len) : NULL;
    if (!token) {
        bearer_refuse(front, request, &missing, header ? "scheme" : "absent");
        return -1;
    }
    digest_sha256(token, len, digest);
    if (token_memory_find(front->tokens, digest, now, out)) {
        metrics_token(front->metrics, TOKEN_REMEMBERED);
        return 0;
    }
    switch (id_token_verify(front->settings, token, len, now, out, &why)) {
    case ID_TOKEN_VALID:
        token_memory_keep(front->tokens, digest, now, out);
        metrics_token(front->metrics, TOKEN_VERIFIED);
        return 0;
    case ID_TOKEN_EXPIRED:
        bearer_refuse(front, request, &expired, why);
        return -1;
    case ID_TOKEN_INVALID:
        break;
    }
    bearer_refuse(front, request, &invalid, why);
    return -1;
}

int bearer_authenticate(struct front *front, struct http_request *request, struct id_token *out)
{
    if (bearer_verify(front, request, out) != 0)
        return -1;
    if (gate_admit_user(front, request, out->user))
        return 0;
    metrics_check(front->metrics, CHECK_RATE_LIMITED);
    return -1;
}
