/*
 * The rules that a request can break, by the names that answers, logs and docs/http-rules.md use.
 */
#ifndef NET_HTTP_RULES_H
#define NET_HTTP_RULES_H

#include <stddef.h>

enum http_rule_id {
    RULE_METHOD,
    RULE_TARGET,
    RULE_TARGET_FORM,
    RULE_VERSION_SYNTAX,
    RULE_VERSION,
    RULE_BARE_LF,
    RULE_BARE_CR,
    RULE_BLANK_LINES,
    RULE_HEADER_NAME,
    RULE_BLANK_BEFORE_COLON,
    RULE_HEADER_VALUE,
    RULE_FOLDED,
    RULE_HEAD_TOO_LARGE,
    RULE_TOO_MANY_HEADERS,
    RULE_HOST_MISSING,
    RULE_HOST_REPEATED,
    RULE_HOST_SYNTAX,
    RULE_LENGTH_REPEATED,
    RULE_LENGTH_SYNTAX,
    RULE_LENGTH_WITH_CODING,
    RULE_CODING_REPEATED,
    RULE_CODING_NOT_CHUNKED,
    RULE_CODING_UNSUPPORTED,
    RULE_CODING_IN_1_0,
    RULE_EXPECTATION,
    RULE_CHUNK_SIZE,
    RULE_CHUNK_EXTENSION,
    RULE_CHUNK_LINE_TOO_LONG,
    RULE_CHUNK_END,
    RULE_TRAILER,
    RULE_TRAILERS_TOO_LARGE,
    RULE_BODY_TOO_LARGE,
    RULE_REQUEST_DEADLINE,
    RULE_HOST_ELSEWHERE,
    RULE_ORIGIN_ELSEWHERE,
    RULE_TOO_MANY_CONNECTIONS,
    RULE_TOO_MANY_OF_ADDRESS,
    RULE_MEMORY,
    RULE_TLS_HANDSHAKE,
    RULE_COUNT
};

struct http_rule {
    const char *name;
    int status; /* what a client that breaks it is answered; 0: closed without an answer */
};

extern const struct http_rule http_rules[RULE_COUNT];

/* The status of a rule told by its name, which is one of the table's own strings. */
int http_rule_status(const char *rule);

#endif
