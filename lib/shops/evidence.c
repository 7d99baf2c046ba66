#include "shops/evidence.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "shops/json.h"

/* How far a shop's clock may be ahead of ours before we stop believing it. */
#define SKEW_ALLOWED (5 * TIME_MINUTE)

int64_t evidence_time(int64_t told, int64_t received_at)
{
    int64_t latest = received_at + SKEW_ALLOWED;
    return told > latest ? latest : told;
}

void evidence_set_time(struct fact_snapshot *snapshot, int64_t told, int64_t received_at)
{
    snapshot->time = evidence_time(told, received_at);
    snapshot->time_flagged = snapshot->time != told;
    snapshot->time_claimed = told;
}

/* An http or https URL up to its host; *port is what a URL of that scheme need not name. */
static const char *after_scheme(const char *url, const char **port)
{
    static const struct {
        const char *scheme, *port;
    } schemes[] = {{"https://", ":443"}, {"http://", ":80"}};
    for (size_t i = 0; url && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i].scheme);
        *port = schemes[i].port;
        if (strncasecmp(url, schemes[i].scheme, len) == 0)
            return url + len;
    }
    return NULL;
}

char *evidence_host(const char *url, const char **rest)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ".-_:[]";
    const char *port, *host = after_scheme(url, &port);
    size_t len = host ? strspn(host, letters) : 0;
    if (len == 0 || len > LIMIT_IDENTITY || (host[len] && !strchr("/?#", host[len])))
        return NULL;
    *rest = host + len;
    if (len > strlen(port) && strncmp(*rest - strlen(port), port, strlen(port)) == 0)
        len -= strlen(port);
    char *out = xstrndup(host, len);
    for (char *c = out; *c; c++)
        *c = text_lower(*c);
    return out;
}

void evidence_free_line(struct fact_line *line)
{
    free(line->id);
    free(line->product);
    free(line->product2);
    free(line->variant);
    free(line->sku);
}

int evidence_add_line(struct facts *facts, struct fact_snapshot *snapshot, struct fact_line *line)
{
    const char *fault = NULL;
    if (!line->id || line->quantity < 0 || line->refunded_quantity < 0) {
        evidence_free_line(line);
        return 0;
    }
    if (snapshot->line_count >= LIMIT_ORDER_LINES)
        fault = "the order has too many lines";
    for (size_t i = 0; i < snapshot->line_count && !fault; i++)
        if (strcmp(snapshot->lines[i].id, line->id) == 0)
            fault = "two lines of the order have one id";
    if (fault) {
        evidence_free_line(line);
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "%s", fault);
        return -1;
    }
    *fact_add_line(snapshot) = *line;
    return 0;
}

int evidence_check_lines(struct facts *facts, const struct fact_snapshot *snapshot, size_t told)
{
    if (snapshot->status != ORDER_PAID || snapshot->line_count > 0 || told == 0)
        return 0;
    facts_set_aside(facts, SET_ASIDE_MALFORMED,
                    "the order is paid, but none of its lines has an id and a whole quantity");
    return -1;
}

struct fact_listed_refund *evidence_add_listed_refund(struct facts *facts,
                                                      struct fact_snapshot *snapshot, char *id)
{
    const char *fault =
        snapshot->refund_count >= LIMIT_ORDER_REFUNDS ? "the order has too many refunds" : NULL;
    for (size_t i = 0; i < snapshot->refund_count && !fault; i++)
        if (strcmp(snapshot->refunds[i].id, id) == 0)
            fault = "two refunds of the order have one id";
    if (fault) {
        free(id);
        facts_set_aside(facts, SET_ASIDE_MALFORMED, "%s", fault);
        return NULL;
    }
    struct fact_listed_refund *refund = fact_add_listed_refund(snapshot);
    refund->id = id;
    return refund;
}

int evidence_add_refund_line(struct facts *facts, struct fact_refund_line **lines, size_t *count,
                             char *line_id, int64_t quantity)
{
    struct fact_refund_line *line = NULL;
    for (size_t i = 0; i < *count && !line; i++)
        if (strcmp((*lines)[i].line_id, line_id) == 0)
            line = &(*lines)[i];
    int64_t before = line ? line->quantity : 0;
    if (quantity < 0 || before + quantity > LIMIT_QUANTITY || *count >= LIMIT_ORDER_LINES) {
        free(line_id);
        facts_set_aside(facts, SET_ASIDE_MALFORMED,
                        "a refund has too many lines, or gives back an impossible quantity");
        return -1;
    }
    if (line) {
        free(line_id);
    } else {
        line = fact_add_refund_line(lines, count);
        line->line_id = line_id;
    }
    line->quantity = before + quantity;
    return 0;
}

/* RFC 2606 keeps `.invalid` for addresses that are none: shops' privacy tools use it to blank. */
static bool is_blanked(const char *address)
{
    static const char *const reserved = "invalid";
    const char *domain = strrchr(address, '@') + 1;
    const char *dot = strrchr(domain, '.');
    return strcmp(dot ? dot + 1 : domain, reserved) == 0;
}

void evidence_set_address(struct fact_snapshot *snapshot, const char *text)
{
    char *address;
    snapshot->address_state = ADDRESS_ABSENT;
    if (!text || text_normalise_address(text, strlen(text), &address))
        return;
    if (is_blanked(address)) {
        snapshot->address_state = ADDRESS_ERASED;
        explicit_bzero(address, strlen(address));
        free(address);
        return;
    }
    snapshot->address_state = ADDRESS_REAL;
    snapshot->address = address;
}

void evidence_set_reference(struct fact_snapshot *snapshot, struct json_object *value)
{
    if (!value || snapshot->reference)
        return;
    size_t len = json_object_is_type(value, json_type_string)
                     ? (size_t)json_object_get_string_len(value)
                     : 0;
    const char *text = len > 0 ? json_object_get_string(value) : "";
    bool usable = len > 0 && len <= LIMIT_REFERENCE && strlen(text) == len;
    /* What cannot be a reference is kept as one that none can be, so that it is recorded. */
    snapshot->reference = xstrdup(usable ? text : "?");
}

void evidence_find_reference(struct fact_snapshot *snapshot, struct json_object *list,
                             const char *name_key, const char *text_key)
{
    size_t count = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *element = json_object_array_get_idx(list, i);
        const char *name = shop_json_text(element, name_key);
        if (name && strcmp(name, "miro_reference") == 0)
            evidence_set_reference(snapshot, shop_json_member(element, text_key));
    }
}
