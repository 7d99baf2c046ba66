#include "stripe_query.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

static const struct {
    const char *path;
    unsigned expand;
} expands[] = {
    {"line_items", EXPAND_LINE_ITEMS},
    {"payment_intent", EXPAND_INTENT},
    {"payment_intent.latest_charge", EXPAND_INTENT | EXPAND_CHARGE},
    {"payment_intent.latest_charge.refunds", EXPAND_INTENT | EXPAND_CHARGE | EXPAND_REFUNDS},
    {"latest_charge", EXPAND_CHARGE},
    {"latest_charge.refunds", EXPAND_CHARGE | EXPAND_REFUNDS},
    {"refunds", EXPAND_REFUNDS},
    {"latest_invoice", EXPAND_INVOICE},
    {"latest_invoice.payments", EXPAND_INVOICE | EXPAND_PAYMENTS},
    {"payments", EXPAND_PAYMENTS},
    {"invoice", EXPAND_INVOICE},
    {"customer", EXPAND_CUSTOMER},
};

void stripe_each(const struct visit *visit, const char *name,
                 void (*call)(const char *value, void *arg), void *arg)
{
    size_t name_len = strlen(name);
    for (const char *at = http_query(visit->request); *at != '\0';) {
        size_t len = strcspn(at, "&");
        char *pair = xstrndup(at, len);
        at += len + (at[len] == '&');
        long decoded = text_url_decode(pair, len);
        if (decoded >= 0)
            pair[decoded] = '\0';
        char *equals = decoded < 0 ? NULL : strchr(pair, '=');
        if (equals != NULL && strncmp(pair, name, name_len) == 0 && pair[name_len] == '[')
            call(equals + 1, arg);
        free(pair);
    }
}

/* One value of expand[]. */
struct expanding {
    bool list;
    unsigned expand;
};

static void take_expand(const char *value, void *arg)
{
    struct expanding *expanding = arg;
    if (expanding->list && strncmp(value, "data.", 5) == 0)
        value += 5;
    else if (expanding->list)
        return;
    for (size_t i = 0; i < sizeof(expands) / sizeof(expands[0]); i++)
        if (strcmp(expands[i].path, value) == 0)
            expanding->expand |= expands[i].expand;
}

unsigned stripe_expand(const struct visit *visit, bool list)
{
    struct expanding expanding = {.list = list};
    stripe_each(visit, "expand", take_expand, &expanding);
    return expanding.expand;
}

void stripe_missing(struct visit *visit, const char *id)
{
    struct buf message = {0};
    buf_printf(&message, "No such object: '%s'", id);
    visit->stand->stand->fail(visit, 404, NULL, message.data);
    buf_free(&message);
}

bool stripe_is_old(const struct visit *visit)
{
    char *version = http_header_text(visit->request, "Stripe-Version");
    bool old = version == NULL ? visit->stand->old_shape : strcmp(version, STRIPE_VERSION) < 0;
    free(version);
    return old;
}

bool stripe_view(struct visit *visit, const char *id, const char *prefix, unsigned expand,
                 struct stripe_view *view, int64_t *part)
{
    if (id == NULL)
        return false;
    *part = stripe_part(id, prefix);
    const struct sale *sale =
        stand_told(visit->sandbox, visit->stand, stand_find_part(visit->stand, *part));
    *view = (struct stripe_view){
        .shop = visit->stand, .sale = sale, .expand = expand, .old = stripe_is_old(visit)};
    if (*part != 0 && sale != NULL)
        return true;
    stripe_missing(visit, id);
    return false;
}

size_t stripe_payment_of(const struct sale *sale, int64_t part)
{
    size_t at = 0;
    while (at < sale->payment_count && sale->payments[at].id != part)
        at++;
    return at;
}

size_t stripe_limit(const struct visit *visit)
{
    return (size_t)stand_query_number(visit, "limit", 10, 1, 100);
}

/* Whole seconds of a parameter, or -1. */
static int64_t seconds_of(const struct visit *visit, const char *name)
{
    return stand_query_number(visit, name, -1, 0, INT64_C(253402300799));
}

void stripe_created(const struct visit *visit, int64_t *from, int64_t *before)
{
    int64_t gte = seconds_of(visit, "created[gte]"), gt = seconds_of(visit, "created[gt]");
    int64_t lte = seconds_of(visit, "created[lte]"), lt = seconds_of(visit, "created[lt]");
    gte = gt >= 0 && gt + 1 > gte ? gt + 1 : gte;
    lt = lte >= 0 && (lt < 0 || lte + 1 < lt) ? lte + 1 : lt;
    *from = gte < 0 ? TIME_NONE : gte * TIME_SECOND;
    *before = lt < 0 ? TIME_NONE : lt * TIME_SECOND;
}

void stripe_reply_list(struct visit *visit, struct json_object *data, bool has_more)
{
    const char *path = strstr(http_path(visit->request), "/v1/");
    stand_reply(visit, 200, NULL, stripe_list_tree(data, has_more, path == NULL ? "/v1" : path));
}
