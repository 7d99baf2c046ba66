#include "net/http_rules.h"

#include "base/mem.h"

const struct http_rule http_rules[RULE_COUNT] = {
    [RULE_METHOD] = {"method", 400},
    [RULE_TARGET] = {"target", 400},
    [RULE_TARGET_FORM] = {"target-form", 400},
    [RULE_VERSION_SYNTAX] = {"version-syntax", 400},
    [RULE_VERSION] = {"version", 505},
    [RULE_BARE_LF] = {"bare-lf", 400},
    [RULE_BARE_CR] = {"bare-cr", 400},
    [RULE_BLANK_LINES] = {"blank-lines", 400},
    [RULE_HEADER_NAME] = {"header-name", 400},
    [RULE_BLANK_BEFORE_COLON] = {"blank-before-colon", 400},
    [RULE_HEADER_VALUE] = {"header-value", 400},
    [RULE_FOLDED] = {"folded", 400},
    [RULE_HEAD_TOO_LARGE] = {"head-too-large", 431},
    [RULE_TOO_MANY_HEADERS] = {"too-many-headers", 431},
    [RULE_HOST_MISSING] = {"host-missing", 400},
    [RULE_HOST_REPEATED] = {"host-repeated", 400},
    [RULE_HOST_SYNTAX] = {"host-syntax", 400},
    [RULE_LENGTH_REPEATED] = {"length-repeated", 400},
    [RULE_LENGTH_SYNTAX] = {"length-syntax", 400},
    [RULE_LENGTH_WITH_CODING] = {"length-with-coding", 400},
    [RULE_CODING_REPEATED] = {"coding-repeated", 400},
    [RULE_CODING_NOT_CHUNKED] = {"coding-not-chunked", 400},
    [RULE_CODING_UNSUPPORTED] = {"coding-unsupported", 501},
    [RULE_CODING_IN_1_0] = {"coding-in-1.0", 400},
    [RULE_EXPECTATION] = {"expectation", 417},
    [RULE_CHUNK_SIZE] = {"chunk-size", 400},
    [RULE_CHUNK_EXTENSION] = {"chunk-extension", 400},
    [RULE_CHUNK_LINE_TOO_LONG] = {"chunk-line-too-long", 400},
    [RULE_CHUNK_END] = {"chunk-end", 400},
    [RULE_TRAILER] = {"trailer", 400},
    [RULE_TRAILERS_TOO_LARGE] = {"trailers-too-large", 431},
    [RULE_BODY_TOO_LARGE] = {"body-too-large", 413},
    [RULE_REQUEST_DEADLINE] = {"request-deadline", 408},
    [RULE_HOST_ELSEWHERE] = {"host-elsewhere", 421},
    [RULE_ORIGIN_ELSEWHERE] = {"origin-elsewhere", 403},
    [RULE_TOO_MANY_CONNECTIONS] = {"too-many-connections", 503},
    [RULE_TOO_MANY_OF_ADDRESS] = {"too-many-of-address", 503},
    [RULE_MEMORY] = {"memory", 503},
    [RULE_TLS_HANDSHAKE] = {"tls-handshake", 0},
};

int http_rule_status(const char *rule)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (http_rules[i].name == rule) {
            return http_rules[i].status;
        }
    }
    die("http_rule_status: no rule is named %s", rule);
}
