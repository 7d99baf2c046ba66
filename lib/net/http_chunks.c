/*
 *   chunked  = *( size [ext] CRLF data CRLF ) 1*"0" [ext] CRLF *( trailer CRLF ) CRLF
 *   size     = 1*8HEXDIG
 *   ext      = *( ";" token [ "=" ( token / quoted-string ) ] )      no blanks, and none of it used
 *   trailer  = a header line; read, checked and dropped
 */
#include <string.h>

#include "net/http_chars.h"
#include "net/http_parse.h"
#include "net/http_rules.h"

#define SIZE_DIGITS 8
#define NO_RULE RULE_COUNT

enum chunk_state {
    CHUNK_SIZE = 0,
    CHUNK_EXT_NAME_FIRST,
    CHUNK_EXT_NAME,
    CHUNK_EXT_VALUE_FIRST,
    CHUNK_EXT_VALUE,
    CHUNK_EXT_QUOTED,
    CHUNK_EXT_ESCAPED,
    CHUNK_EXT_QUOTED_END,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_FIRST,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_FINISHED
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What may follow a whole element of the size line: another extension, or the line's end. */
static enum http_rule_id size_line_goes_on(struct http_chunks *chunks, char c)
{
    if (c == ';') {
        chunks->state = CHUNK_EXT_NAME_FIRST;
    } else if (c == '\r') {
        chunks->state = CHUNK_SIZE_LF;
    } else {
        return c == '\n' ? RULE_BARE_LF : RULE_CHUNK_EXTENSION;
    }
    return NO_RULE;
}

static enum http_rule_id size_byte(struct http_chunks *chunks, char c)
{
    int digit = hex_digit(c);
    if (digit >= 0 && chunks->line <= SIZE_DIGITS) {
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        return NO_RULE;
    }
    bool whole = chunks->line > 1;
    if (!whole || (c != ';' && c != '\r' && c != '\n')) {
        return RULE_CHUNK_SIZE;
    }
    return size_line_goes_on(chunks, c);
}

/* An extension is a token, "=", and a token or a quoted string: nothing that could end the line. */
static enum http_rule_id extension_byte(struct http_chunks *chunks, char c)
{
    switch (chunks->state) {
    case CHUNK_EXT_NAME_FIRST:
        chunks->state = CHUNK_EXT_NAME;
        return http_is(c, HTTP_TCHAR) ? NO_RULE : RULE_CHUNK_EXTENSION;
    case CHUNK_EXT_NAME:
        if (c == '=') {
            chunks->state = CHUNK_EXT_VALUE_FIRST;
            return NO_RULE;
        }
        return http_is(c, HTTP_TCHAR) ? NO_RULE : size_line_goes_on(chunks, c);
    case CHUNK_EXT_VALUE_FIRST:
        chunks->state = c == '"' ? CHUNK_EXT_QUOTED : CHUNK_EXT_VALUE;
        return c == '"' || http_is(c, HTTP_TCHAR) ? NO_RULE : RULE_CHUNK_EXTENSION;
    case CHUNK_EXT_VALUE:
        return http_is(c, HTTP_TCHAR) ? NO_RULE : size_line_goes_on(chunks, c);
    case CHUNK_EXT_QUOTED:
        if (c == '"' || c == '\\') {
            chunks->state = c == '"' ? CHUNK_EXT_QUOTED_END : CHUNK_EXT_ESCAPED;
            return NO_RULE;
        }
        return http_is(c, HTTP_QDTEXT) ? NO_RULE : RULE_CHUNK_EXTENSION;
    case CHUNK_EXT_ESCAPED:
        chunks->state = CHUNK_EXT_QUOTED;
        return http_is(c, HTTP_VALUE) ? NO_RULE : RULE_CHUNK_EXTENSION;
    default: /* CHUNK_EXT_QUOTED_END */
        return size_line_goes_on(chunks, c);
    }
}

static enum http_rule_id size_line_byte(struct http_chunks *chunks, char c)
{
    if (++chunks->line > LIMIT_HTTP_CHUNK_LINE) {
        return RULE_CHUNK_LINE_TOO_LONG;
    }
    if (chunks->state == CHUNK_SIZE) {
        return size_byte(chunks, c);
    }
    if (chunks->state != CHUNK_SIZE_LF) {
        return extension_byte(chunks, c);
    }
    chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_FIRST;
    chunks->line = 0;
    return c == '\n' ? NO_RULE : RULE_BARE_CR;
}

/* Trailers are held to the grammar of header lines, for a lenient reading of them would decide
 * where the next request begins. */
static enum http_rule_id trailer_byte(struct http_chunks *chunks, char c)
{
    if (++chunks->line > LIMIT_HTTP_TRAILERS) {
        return RULE_TRAILERS_TOO_LARGE;
    }
    switch (chunks->state) {
    case CHUNK_TRAILER_FIRST:
        chunks->state = c == '\r' ? CHUNK_END_LF : CHUNK_TRAILER_NAME;
        return c == '\r' || http_is(c, HTTP_TCHAR) ? NO_RULE
               : c == '\n'                         ? RULE_BARE_LF
                                                   : RULE_TRAILER;
    case CHUNK_TRAILER_NAME:
        if (c == ':') {
            chunks->state = CHUNK_TRAILER_VALUE;
            return NO_RULE;
        }
        return http_is(c, HTTP_TCHAR) ? NO_RULE : RULE_TRAILER;
    case CHUNK_TRAILER_VALUE:
        if (c == '\r') {
            chunks->state = CHUNK_TRAILER_LF;
            return NO_RULE;
        }
        return http_is(c, HTTP_VALUE) ? NO_RULE : c == '\n' ? RULE_BARE_LF : RULE_TRAILER;
    case CHUNK_TRAILER_LF:
        chunks->state = CHUNK_TRAILER_FIRST;
        return c == '\n' ? NO_RULE : RULE_BARE_CR;
    default: /* CHUNK_END_LF */
        chunks->state = CHUNK_FINISHED;
        return c == '\n' ? NO_RULE : RULE_BARE_CR;
    }
}

static enum http_rule_id chunk_end_byte(struct http_chunks *chunks, char c)
{
    if (chunks->state == CHUNK_DATA_CR) {
        chunks->state = CHUNK_DATA_LF;
        return c == '\r' ? NO_RULE : RULE_CHUNK_END;
    }
    chunks->state = CHUNK_SIZE;
    return c == '\n' ? NO_RULE : RULE_CHUNK_END;
}

static enum http_rule_id framing_byte(struct http_chunks *chunks, char c)
{
    if (chunks->state <= CHUNK_SIZE_LF) {
        return size_line_byte(chunks, c);
    }
    return chunks->state <= CHUNK_DATA_LF ? chunk_end_byte(chunks, c) : trailer_byte(chunks, c);
}

enum http_verdict http_parse_chunks(struct http_chunks *chunks, const char *bytes, size_t len,
                                    size_t *used, const char **data, size_t *data_len,
                                    const char **rule)
{
    size_t at = 0;
    *data = bytes;
    *data_len = 0;
    while (at < len && chunks->state != CHUNK_FINISHED && chunks->state != CHUNK_DATA) {
        enum http_rule_id broken = framing_byte(chunks, bytes[at]);
        if (broken != NO_RULE) {
            *rule = http_rules[broken].name;
            *used = at;
            return HTTP_REFUSED;
        }
        at++;
    }
    if (chunks->state == CHUNK_DATA && at < len) {
        size_t rest = len - at;
        *data = bytes + at;
        *data_len = chunks->left < rest ? (size_t)chunks->left : rest;
        chunks->left -= *data_len;
        at += *data_len;
        if (chunks->left == 0) {
            chunks->state = CHUNK_DATA_CR;
        }
    }
    *used = at;
    return chunks->state == CHUNK_FINISHED ? HTTP_DONE : HTTP_MORE;
}
