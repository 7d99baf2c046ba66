#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/stripe.h"

/* The end of the year 9999, beyond which no time can be written. */
#define LAST_SECOND INT64_C(253402300799)

/* Millionths in the smallest unit of a currency with two decimals, as most have. */
#define HUNDREDTH 10000

/*
 * The currencies whose smallest unit in the API is another. The Icelandic króna and the Ugandan
 * shilling have no decimals either, but the API keeps writing them with two.
 */
static const struct {
    const char *currency;
    int64_t micros;
} units[] = {
    {"bif", 1000000}, {"clp", 1000000}, {"djf", 1000000}, {"gnf", 1000000}, {"jpy", 1000000},
    {"kmf", 1000000}, {"krw", 1000000}, {"mga", 1000000}, {"pyg", 1000000}, {"rwf", 1000000},
    {"vnd", 1000000}, {"vuv", 1000000}, {"xaf", 1000000}, {"xof", 1000000}, {"xpf", 1000000},
    {"bhd", 1000},    {"jod", 1000},    {"kwd", 1000},    {"omr", 1000},    {"tnd", 1000},
};

static int64_t unit_of(const char *currency)
{
    for (size_t i = 0; currency && i < sizeof(units) / sizeof(units[0]); i++)
        if (text_equal_nocase(units[i].currency, currency))
            return units[i].micros;
    return HUNDREDTH;
}

static int malformed(struct facts *facts, const char *key, const char *what)
{
    facts_set_aside(facts, SET_ASIDE_MALFORMED, "`%s` %s", key, what);
    return -1;
}

/* A whole number from 0 to `most`; `absent` if it is not told. */
static int take_count(struct facts *facts, const struct json_object *holder, const char *key,
                      int64_t most, int64_t absent, int64_t *out)
{
    struct json_object *member = shop_json_member(holder, key);
    if (!member) {
        *out = absent;
        return 0;
    }
    if (!json_object_is_type(member, json_type_int))
        return malformed(facts, key, "is not a whole number");
    int64_t value = json_object_get_int64(member);
    if (value < 0 || value > most)
        return malformed(facts, key, "is out of range");
    *out = value;
    return 0;
}

int stripe_take_seconds(struct facts *facts, const struct json_object *holder, const char *key,
                        int64_t *time)
{
    int64_t seconds;
    if (take_count(facts, holder, key, LAST_SECOND, -1, &seconds))
        return -1;
    *time = seconds < 0 ? TIME_NONE : seconds * TIME_SECOND;
    return 0;
}

int stripe_take_amount(struct facts *facts, const struct json_object *holder, const char *key,
                       int64_t absent, int64_t *amount)
{
    int64_t unit = unit_of(shop_json_text(holder, "currency")), count;
    if (take_count(facts, holder, key, LIMIT_AMOUNT / unit, -1, &count))
        return -1;
    *amount = count < 0 ? absent : count * unit;
    return 0;
}

int stripe_take_link(struct facts *facts, const struct json_object *holder, const char *key,
                     char **id)
{
    const struct json_object *expanded = shop_json_object(holder, key);
    return expanded ? shop_take_id(facts, expanded, "id", LIMIT_ORDER_ID, id)
                    : shop_take_optional_id(facts, holder, key, LIMIT_ORDER_ID, id);
}

int stripe_add_alias(struct facts *facts, struct fact_order *order,
                     const struct json_object *holder, const char *key)
{
    char *id;
    if (stripe_take_link(facts, holder, key, &id))
        return -1;
    if (id)
        fact_add_alias(order, id);
    free(id);
    return 0;
}

bool stripe_is_true(const struct json_object *holder, const char *key)
{
    struct json_object *member = shop_json_member(holder, key);
    return json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
}

struct json_object *stripe_list(const struct json_object *holder, const char *key)
{
    return shop_json_array(shop_json_object(holder, key), "data");
}

bool stripe_has_more(const struct json_object *holder, const char *key)
{
    return stripe_is_true(shop_json_object(holder, key), "has_more");
}

struct fact_snapshot *stripe_add_snapshot(struct fact_order *order,
                                          const struct stripe_evidence *evidence)
{
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    evidence_set_time(snapshot, evidence->time, evidence->received_at);
    snapshot->from_api = !evidence->event;
    snapshot->read_at = evidence->event ? 0 : evidence->received_at;
    return snapshot;
}

struct fact_subscription *stripe_add_term(struct fact_order *order,
                                          const struct stripe_evidence *evidence)
{
    struct fact_subscription *term = fact_order_subscription(order);
    term->time = evidence_time(evidence->time, evidence->received_at);
    term->from_api = !evidence->event;
    term->read_at = evidence->event ? 0 : evidence->received_at;
    return term;
}
