#include "net/http_parse.h"

#include <string.h>

#include "net/http_chars.h"
#include "net/http_rules.h"

#define METHOD_MAX 16
#define LENGTH_DIGITS 18 /* the most that cannot overflow 63 bits */
#define NO_RULE RULE_COUNT

/* What the framing headers said so far, for the rules that need the whole head. */
struct framing {
    unsigned hosts, lengths, codings, expectations;
    struct http_header coding;
    bool close, keep;
};

/* A control byte is named by what it is, anything else by the place where it stood. */
static enum http_rule_id rule_at(const char *line, size_t len, size_t at, enum http_rule_id place)
{
    return at < len && line[at] == '\r' ? RULE_BARE_CR : place;
}

/* "HTTP/1.0" and "HTTP/1.1" to the letter; another well-formed version is refused as such. */
static enum http_rule_id read_version(const char *text, size_t len, int *minor)
{
    static const char shape[] = "HTTP/";
    if (len != 8 || memcmp(text, shape, 5) != 0 || text[5] < '0' || text[5] > '9' ||
        text[6] != '.' || text[7] < '0' || text[7] > '9') {
        const char *cr = memchr(text, '\r', len);
        return cr != NULL ? RULE_BARE_CR : RULE_VERSION_SYNTAX;
    }
    if (text[5] != '1' || text[7] > '1') {
        return RULE_VERSION;
    }
    *minor = text[7] - '0';
    return NO_RULE;
}

/* Origin form, and "*" for OPTIONS. CONNECT is for proxies: what follows it is no HTTP to those who
 * take it. */
static bool form_is_ours(const struct http_head *head)
{
    bool seven = head->method_len == 7;
    if (head->target[0] == '/') {
        return !seven || memcmp(head->method, "CONNECT", 7) != 0;
    }
    return seven && memcmp(head->method, "OPTIONS", 7) == 0 && head->target_len == 1 &&
           head->target[0] == '*';
}

/* The version is judged before the form of the target, so that HTTP/2's preface is told 505. */
static enum http_rule_id read_request_line(const char *line, size_t len, struct http_head *out)
{
    out->method = line;
    out->method_len = http_span(line, len, HTTP_TCHAR);
    if (out->method_len == 0 || out->method_len > METHOD_MAX || out->method_len == len ||
        line[out->method_len] != ' ') {
        return rule_at(line, len, out->method_len, RULE_METHOD);
    }
    size_t at = out->method_len + 1;
    out->target = line + at;
    out->target_len = http_span(out->target, len - at, HTTP_TARGET);
    at += out->target_len;
    if (out->target_len == 0 || (at < len && line[at] != ' ')) {
        return rule_at(line, len, at, RULE_TARGET);
    }
    if (at == len) {
        return RULE_VERSION_SYNTAX;
    }
    enum http_rule_id rule = read_version(line + at + 1, len - at - 1, &out->minor);
    if (rule != NO_RULE) {
        return rule;
    }
    return form_is_ours(out) ? NO_RULE : RULE_TARGET_FORM;
}

/* name ":" OWS value OWS; the same for headers and trailers. */
static enum http_rule_id read_field(const char *line, size_t len, struct http_header *out)
{
    if (line[0] == ' ' || line[0] == '\t') {
        return RULE_FOLDED;
    }
    size_t name = http_span(line, len, HTTP_TCHAR);
    if (name == 0 || name == len || line[name] != ':') {
        bool blank = name > 0 && name < len && (line[name] == ' ' || line[name] == '\t');
        return blank ? RULE_BLANK_BEFORE_COLON : rule_at(line, len, name, RULE_HEADER_NAME);
    }
    size_t at = name + 1;
    size_t end = at + http_span(line + at, len - at, HTTP_VALUE);
    if (end != len) {
        return rule_at(line, len, end, RULE_HEADER_VALUE);
    }
    while (at < end && (line[at] == ' ' || line[at] == '\t')) {
        at++;
    }
    while (end > at && (line[end - 1] == ' ' || line[end - 1] == '\t')) {
        end--;
    }
    *out = (struct http_header){line, name, line + at, end - at};
    return NO_RULE;
}

/* ":" and a port of at most five digits, or nothing at all. */
static bool port_is_valid(const char *text, size_t len)
{
    if (len == 0) {
        return true;
    }
    unsigned port = 0;
    if (text[0] != ':' || len > 6) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535;
}

/*
 * Host = (name / IPv4 / "[" IPv6 "]") [":" port]. Sub-delimiters and percent escapes, which the
 * grammar of URIs would allow, are what two readers disagree about (a "," joins two hosts).
 */
bool http_host_is_valid(const char *text, size_t len)
{
    size_t at = 0;
    if (len > 0 && text[0] == '[') {
        at = 1;
        while (at < len &&
               ((text[at] >= '0' && text[at] <= '9') || text[at] == ':' || text[at] == '.' ||
                ((text[at] | 0x20) >= 'a' && (text[at] | 0x20) <= 'f'))) {
            at++;
        }
        if (at < 3 || at == len || text[at] != ']') {
            return false;
        }
        at++;
    } else {
        at = http_span(text, len, HTTP_HOST);
    }
    return at > 0 && port_is_valid(text + at, len - at);
}

static enum http_rule_id read_length(const struct http_header *header, struct http_head *out,
                                     struct framing *framing)
{
    if (framing->lengths++ > 0) {
        return RULE_LENGTH_REPEATED;
    }
    uint64_t length = 0;
    for (size_t i = 0; i < header->value_len; i++) {
        char c = header->value[i];
        if (c < '0' || c > '9' || i == LENGTH_DIGITS) {
            return RULE_LENGTH_SYNTAX;
        }
        length = length * 10 + (uint64_t)(c - '0');
    }
    if (header->value_len == 0) {
        return RULE_LENGTH_SYNTAX;
    }
    out->has_length = true;
    out->length = length;
    return NO_RULE;
}

/* Only "close" and "keep-alive" concern us; what else is listed there is ignored, as it may be. */
static void read_connection(const struct http_header *header, struct framing *framing)
{
    const char *at = header->value;
    const char *end = at + header->value_len;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        const char *last = stop;
        while (at < stop && (*at == ' ' || *at == '\t')) {
            at++;
        }
        while (last > at && (last[-1] == ' ' || last[-1] == '\t')) {
            last--;
        }
        framing->close = framing->close || http_equal(at, (size_t)(last - at), "close");
        framing->keep = framing->keep || http_equal(at, (size_t)(last - at), "keep-alive");
        at = stop + 1;
    }
}

/* Takes note of the headers that decide where the message ends and what becomes of its connection.
 */
static enum http_rule_id weigh(const struct http_header *header, struct http_head *out,
                               struct framing *framing)
{
    switch (header->name_len) {
    case 4:
        if (http_equal(header->name, 4, "host")) {
            if (framing->hosts++ > 0) {
                return RULE_HOST_REPEATED;
            }
            return http_host_is_valid(header->value, header->value_len) ? NO_RULE
                                                                        : RULE_HOST_SYNTAX;
        }
        break;
    case 6:
        if (http_equal(header->name, 6, "expect") && out->minor > 0) {
            if (framing->expectations++ > 0 ||
                !http_equal(header->value, header->value_len, "100-continue")) {
                return RULE_EXPECTATION;
            }
            out->expect_continue = true;
        }
        break;
    case 10:
        if (http_equal(header->name, 10, "connection")) {
            read_connection(header, framing);
        }
        break;
    case 14:
        if (http_equal(header->name, 14, "content-length")) {
            return read_length(header, out, framing);
        }
        break;
    case 17:
        if (http_equal(header->name, 17, "transfer-encoding")) {
            if (framing->codings++ > 0) {
                return RULE_CODING_REPEATED;
            }
            framing->coding = *header;
        }
        break;
    default:
        break;
    }
    return NO_RULE;
}

/*
 * RFC 9112 6.3: where chunked is not the last coding the end cannot be known, which is 400; where
 * it is, a coding before it that we do not have is 501.
 */
static enum http_rule_id judge_coding(const struct http_header *coding)
{
    if (http_equal(coding->value, coding->value_len, "chunked")) {
        return NO_RULE;
    }
    static const char last[] = "chunked";
    const size_t last_len = sizeof(last) - 1;
    if (coding->value_len <= last_len) {
        return RULE_CODING_NOT_CHUNKED;
    }
    const char *tail = coding->value + coding->value_len - last_len;
    if (!http_equal(tail, last_len, last) || strchr(", \t", tail[-1]) == NULL) {
        return RULE_CODING_NOT_CHUNKED;
    }
    const char *first = coding->value; /* empty elements of the list are no codings */
    while (strchr(", \t", *first) != NULL) {
        first++;
    }
    return http_equal(first, last_len, last) ? RULE_CODING_NOT_CHUNKED : RULE_CODING_UNSUPPORTED;
}

/* The rules that hold over the whole head. */
static enum http_rule_id judge(struct http_head *out, const struct framing *framing)
{
    if (framing->hosts == 0 && out->minor > 0) {
        return RULE_HOST_MISSING;
    }
    if (framing->codings > 0) {
        if (framing->lengths > 0) {
            return RULE_LENGTH_WITH_CODING;
        }
        if (out->minor == 0) {
            return RULE_CODING_IN_1_0;
        }
        enum http_rule_id rule = judge_coding(&framing->coding);
        if (rule != NO_RULE) {
            return rule;
        }
        out->chunked = true;
    }
    out->keep_alive = !framing->close && (out->minor > 0 || framing->keep);
    return NO_RULE;
}

/*
 * The line that starts at `at`: HTTP_DONE with its length without CRLF. Nothing beyond
 * LIMIT_HTTP_HEAD is looked at, so a longer head is refused however it is cut into reads.
 */
static enum http_verdict next_line(const char *bytes, size_t len, size_t at, size_t *line_len,
                                   enum http_rule_id *rule)
{
    size_t seen = len < LIMIT_HTTP_HEAD ? len : LIMIT_HTTP_HEAD;
    const char *end = at < seen ? memchr(bytes + at, '\n', seen - at) : NULL;
    if (end == NULL) {
        *rule = RULE_HEAD_TOO_LARGE;
        return len < LIMIT_HTTP_HEAD ? HTTP_MORE : HTTP_REFUSED;
    }
    size_t whole = (size_t)(end - bytes) - at;
    if (whole == 0 || end[-1] != '\r') {
        *rule = RULE_BARE_LF;
        return HTTP_REFUSED;
    }
    *line_len = whole - 1;
    return HTTP_DONE;
}

/* A leading CRLF is skipped once; what cannot begin a method is refused without its line's end. */
static enum http_verdict read_start(const char *bytes, size_t len, size_t *at,
                                    enum http_rule_id *rule)
{
    *at = 0;
    if (len > 0 && bytes[0] == '\r') {
        if (len == 1) {
            return HTTP_MORE;
        }
        if (bytes[1] != '\n') {
            *rule = RULE_BARE_CR;
            return HTTP_REFUSED;
        }
        *at = 2;
    }
    if (*at == len) {
        return HTTP_MORE;
    }
    if (bytes[*at] == '\r' || bytes[*at] == '\n') {
        *rule = *at == 0 ? RULE_BARE_LF : RULE_BLANK_LINES;
        return HTTP_REFUSED;
    }
    size_t rest = len - *at;
    size_t method =
        http_span(bytes + *at, rest < METHOD_MAX + 1 ? rest : METHOD_MAX + 1, HTTP_TCHAR);
    if (method > METHOD_MAX || method == 0) {
        *rule = RULE_METHOD;
        return HTTP_REFUSED;
    }
    return HTTP_DONE;
}

/* One line of the head after its first: empty ends the head, which is then judged as a whole. */
static enum http_verdict read_header_line(const char *line, size_t len, struct http_head *out,
                                          struct framing *framing, enum http_rule_id *rule)
{
    if (len == 0) {
        *rule = judge(out, framing);
        return *rule == NO_RULE ? HTTP_DONE : HTTP_REFUSED;
    }
    if (out->header_count == LIMIT_HTTP_HEADERS) {
        *rule = RULE_TOO_MANY_HEADERS;
        return HTTP_REFUSED;
    }
    struct http_header *header = &out->headers[out->header_count];
    *rule = read_field(line, len, header);
    if (*rule == NO_RULE) {
        out->header_count++;
        *rule = weigh(header, out, framing);
    }
    return *rule == NO_RULE ? HTTP_MORE : HTTP_REFUSED;
}

/* Line by line; a line is judged as soon as it is whole, so that every prefix of an input is either
 * told HTTP_MORE or already what the whole is told. */
static enum http_verdict read_head(const char *bytes, size_t len, struct http_head *out,
                                   size_t *used, enum http_rule_id *rule)
{
    struct framing framing = {0};
    size_t at, line_len;
    enum http_verdict verdict = read_start(bytes, len, &at, rule);
    if (verdict != HTTP_DONE) {
        return verdict;
    }
    verdict = next_line(bytes, len, at, &line_len, rule);
    if (verdict != HTTP_DONE) {
        return verdict;
    }
    *rule = read_request_line(bytes + at, line_len, out);
    if (*rule != NO_RULE) {
        return HTTP_REFUSED;
    }
    do {
        at += line_len + 2;
        verdict = next_line(bytes, len, at, &line_len, rule);
        if (verdict != HTTP_DONE) {
            return verdict;
        }
        verdict = read_header_line(bytes + at, line_len, out, &framing, rule);
    } while (verdict == HTTP_MORE);
    *used = at + line_len + 2;
    return verdict;
}

enum http_verdict http_parse_head(const char *bytes, size_t len, struct http_head *out,
                                  size_t *used, const char **rule, int *status)
{
    enum http_rule_id broken = NO_RULE;
    /* Not the headers: they count up to header_count, and clearing 2 kB a request would show. */
    out->header_count = 0;
    out->minor = 0;
    out->chunked = out->has_length = out->keep_alive = out->expect_continue = false;
    out->length = 0;
    enum http_verdict verdict = read_head(bytes, len, out, used, &broken);
    if (verdict == HTTP_REFUSED) {
        *rule = http_rules[broken].name;
        *status = http_rules[broken].status;
    }
    return verdict;
}

const struct http_header *http_find(const struct http_header *headers, size_t header_count,
                                    const char *name, size_t *count)
{
    const struct http_header *found = NULL;
    size_t len = strlen(name), seen = 0;
    for (size_t i = 0; i < header_count; i++) {
        if (headers[i].name_len == len && strncasecmp(headers[i].name, name, len) == 0) {
            found = found == NULL ? &headers[i] : found;
            seen++;
        }
    }
    if (count != NULL) {
        *count = seen;
    }
    return found;
}
