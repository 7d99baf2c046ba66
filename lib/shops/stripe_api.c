#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/evidence.h"
#include "shops/json.h"
#include "shops/stripe.h"

/* The shape of what is asked for; deliveries come in the shape that their endpoint is set to. */
#define VERSION "2025-03-31.basil"
#define EXPAND "expand%5B%5D="

#define NOT_TAKEN "Stripe does not take the call (400)"
#define ADDRESS_ADVICE "check that api_url is https://api.stripe.com"

/* An answer that was read as JSON, on its way to facts. */
struct reading {
    const struct json_object *root;
    const struct shop_fetch *call;
    const char *id; /* of what was asked for */
    struct stripe_evidence evidence;
    struct facts *facts;
    struct buf *detail;
};

/* Whether the answer is the object that was asked for. */
static bool is_asked(const struct reading *reading, const char *kind)
{
    const char *told = shop_json_text(reading->root, "object");
    const char *id = shop_json_text(reading->root, "id");
    return told && id && strcmp(told, kind) == 0 && strcmp(id, reading->id) == 0;
}

/* The elements of a list object, or NULL with the sentence written. */
static struct json_object *elements_of(const struct json_object *root, struct buf *detail)
{
    const char *told = shop_json_text(root, "object");
    struct json_object *data = shop_json_array(root, "data");
    if (data && told && strcmp(told, "list") == 0)
        return data;
    buf_puts(detail, "Stripe answered with something that is no list");
    return NULL;
}

static struct json_object *elements(const struct reading *reading)
{
    return elements_of(reading->root, reading->detail);
}

static struct fact_order *asked_order(const struct reading *reading)
{
    return facts_add_order(reading->facts, reading->call->order_id,
                           strlen(reading->call->order_id));
}

/* Whoever the owner turned out to be: what was asked about is another name of it. */
static enum shop_answer_verdict name_owner(const struct reading *reading)
{
    if (reading->facts->order_count > 0) {
        fact_add_alias(&reading->facts->orders[0], reading->call->order_id);
        fact_add_alias(&reading->facts->orders[0], reading->id);
    }
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict another(const struct reading *reading)
{
    return answer_refuse(reading->detail, "Stripe answered with another object than was asked for");
}

static enum shop_answer_verdict answer_session(const struct reading *reading)
{
    if (!is_asked(reading, "checkout.session"))
        return another(reading);
    stripe_read_session(reading->root, &reading->evidence, reading->facts);
    return name_owner(reading);
}

static enum shop_answer_verdict answer_subscription(const struct reading *reading)
{
    if (!is_asked(reading, "subscription"))
        return another(reading);
    stripe_read_subscription(reading->root, &reading->evidence, reading->facts);
    return SHOP_ANSWER_READ;
}

/* A snapshot that decides nothing but what it tells. */
static struct fact_snapshot *add_bare_snapshot(const struct reading *reading)
{
    struct fact_snapshot *snapshot = fact_order_snapshot(asked_order(reading));
    snapshot->time = STRIPE_BEFORE_ALL;
    snapshot->from_api = true;
    snapshot->read_at = reading->evidence.received_at;
    return snapshot;
}

/* The lines of a session or subscription: at most a hundred, which is all that either may have. */
static enum shop_answer_verdict answer_lines(const struct reading *reading)
{
    struct json_object *items = elements(reading);
    if (!items)
        return SHOP_ANSWER_REFUSED;
    struct fact_snapshot *snapshot = add_bare_snapshot(reading);
    for (size_t i = 0; i < json_object_array_length(items); i++)
        if (stripe_add_line(reading->facts, snapshot, json_object_array_get_idx(items, i)))
            return SHOP_ANSWER_READ;
    if (snapshot->line_count == 0 && json_object_array_length(items) > 0)
        facts_set_aside(reading->facts, SET_ASIDE_MALFORMED,
                        "none of the lines has an id and a whole quantity");
    snapshot->lines_known = true;
    /* What lies beyond is told as lacking, though no call brings it. */
    if (stripe_is_true(reading->root, "has_more") && snapshot->line_count > 0)
        fact_add_need(&reading->facts->orders[0], NEED_LINES,
                      snapshot->lines[snapshot->line_count - 1].id, true);
    return SHOP_ANSWER_READ;
}

/* A customer that was deleted, or has no address, tells nothing. */
static enum shop_answer_verdict answer_customer(const struct reading *reading)
{
    if (!is_asked(reading, "customer"))
        return another(reading);
    const char *email = shop_json_text(reading->root, "email");
    if (email)
        evidence_set_address(add_bare_snapshot(reading), email);
    else
        asked_order(reading);
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict answer_refunds(const struct reading *reading)
{
    struct json_object *refunds = elements(reading);
    if (!refunds)
        return SHOP_ANSWER_REFUSED;
    struct fact_order *order = asked_order(reading);
    for (size_t i = 0; i < json_object_array_length(refunds); i++)
        if (stripe_add_refund(reading->facts, order, json_object_array_get_idx(refunds, i),
                              &reading->evidence))
            break;
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict answer_disputes(const struct reading *reading)
{
    struct json_object *disputes = elements(reading);
    if (!disputes)
        return SHOP_ANSWER_REFUSED;
    struct fact_order *order = asked_order(reading);
    for (size_t i = 0; i < json_object_array_length(disputes); i++)
        if (stripe_add_dispute(reading->facts, order, json_object_array_get_idx(disputes, i),
                               &reading->evidence))
            break;
    return SHOP_ANSWER_READ;
}

/* Whether a session of the list is the one of the payment that was asked about. */
static bool is_paid_by(const struct json_object *session, const char *payment_intent)
{
    const char *told = shop_json_text(session, "payment_intent");
    return told && strcmp(told, payment_intent) == 0;
}

/* The session that a payment belongs to. A subscription's payments belong to none, but to an
 * invoice. */
static enum shop_answer_verdict answer_session_of(const struct reading *reading)
{
    struct json_object *sessions = elements(reading);
    if (!sessions)
        return SHOP_ANSWER_REFUSED;
    if (json_object_array_length(sessions) == 0) {
        char *object = xasprintf(STRIPE_INVOICE_OF "%s", reading->id);
        fact_add_need(asked_order(reading), NEED_OWNER, object, false);
        free(object);
        return SHOP_ANSWER_READ;
    }
    const struct json_object *session = json_object_array_get_idx(sessions, 0);
    if (!is_paid_by(session, reading->id))
        return another(reading);
    stripe_read_session(session, &reading->evidence, reading->facts);
    return name_owner(reading);
}

/* An invoice's subscription is the owner; an invoice without one is no order of ours. */
static enum shop_answer_verdict read_owning_invoice(const struct reading *reading,
                                                    const struct json_object *invoice)
{
    char *subscription;
    if (stripe_take_invoice_subscription(reading->facts, invoice, &subscription))
        return SHOP_ANSWER_READ;
    if (!subscription) {
        asked_order(reading);
        return SHOP_ANSWER_READ;
    }
    stripe_add_invoice(reading->facts, subscription, invoice, &reading->evidence);
    if (reading->facts->order_count > 0)
        fact_add_need(&reading->facts->orders[0], NEED_ORDER, subscription, false);
    free(subscription);
    return name_owner(reading);
}

static enum shop_answer_verdict answer_invoice_of(const struct reading *reading)
{
    struct json_object *payments = elements(reading);
    if (!payments)
        return SHOP_ANSWER_REFUSED;
    if (json_object_array_length(payments) == 0) {
        asked_order(reading); /* neither by a session nor by an invoice: no order of ours */
        return SHOP_ANSWER_READ;
    }
    const struct json_object *payment = json_object_array_get_idx(payments, 0);
    const struct json_object *invoice = shop_json_object(payment, "invoice");
    if (!invoice || !is_paid_by(shop_json_object(payment, "payment"), reading->id))
        return another(reading);
    return read_owning_invoice(reading, invoice);
}

static enum shop_answer_verdict answer_invoice(const struct reading *reading)
{
    return is_asked(reading, "invoice") ? read_owning_invoice(reading, reading->root)
                                        : another(reading);
}

/* A charge belongs to its payment, which is asked about next. */
static enum shop_answer_verdict answer_charge(const struct reading *reading)
{
    char *payment_intent;
    if (!is_asked(reading, "charge"))
        return another(reading);
    if (stripe_take_link(reading->facts, reading->root, "payment_intent", &payment_intent))
        return SHOP_ANSWER_READ;
    if (!payment_intent) {
        asked_order(reading);
        return SHOP_ANSWER_READ;
    }
    struct fact_order *order =
        facts_add_order(reading->facts, payment_intent, strlen(payment_intent));
    fact_add_need(order, NEED_OWNER, payment_intent, false);
    free(payment_intent);
    return name_owner(reading);
}

/* Every call: what is asked for by which id, where, and what the answer is read as. */
static const struct call {
    enum fact_need_kind kind;
    const char *prefix; /* of the need's object, else of the order's id */
    const char *before, *after;
    enum shop_answer_verdict (*read)(const struct reading *);
} calls[] = {
    {NEED_ORDER, "cs_", "/v1/checkout/sessions/",
     "?" EXPAND "line_items&" EXPAND "payment_intent.latest_charge.refunds", answer_session},
    {NEED_ORDER, "sub_", "/v1/subscriptions/", "?" EXPAND "latest_invoice.payments",
     answer_subscription},
    {NEED_ORDER, "ch_", "/v1/disputes?charge=", "&limit=100", answer_disputes},
    {NEED_ORDER, "py_", "/v1/disputes?charge=", "&limit=100", answer_disputes},
    {NEED_LINES, "cs_", "/v1/checkout/sessions/", "/line_items?limit=100", answer_lines},
    {NEED_LINES, "sub_", "/v1/subscription_items?subscription=", "&limit=100", answer_lines},
    {NEED_ADDRESS, "cus_", "/v1/customers/", "", answer_customer},
    {NEED_REFUNDS, "pi_", "/v1/refunds?payment_intent=", "&limit=100", answer_refunds},
    {NEED_REFUNDS, "ch_", "/v1/refunds?charge=", "&limit=100", answer_refunds},
    {NEED_REFUNDS, "py_", "/v1/refunds?charge=", "&limit=100", answer_refunds},
    {NEED_OWNER, "pi_", "/v1/checkout/sessions?payment_intent=", "&limit=1", answer_session_of},
    {NEED_OWNER, STRIPE_INVOICE_OF "pi_",
     "/v1/invoice_payments?payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=",
     "&limit=1&" EXPAND "data.invoice", answer_invoice_of},
    {NEED_OWNER, "in_", "/v1/invoices/", "", answer_invoice},
    {NEED_OWNER, "ch_", "/v1/charges/", "", answer_charge},
    {NEED_OWNER, "py_", "/v1/charges/", "", answer_charge},
};

/* An id becomes part of a path or query, so nothing but word characters may stand in it. */
static bool is_word(const char *id)
{
    size_t len = strlen(id);
    return len > 0 && len <= LIMIT_ORDER_ID &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

/* The call for a need, with the id that it asks by; NULL: there is none. */
static const struct call *find_call(enum fact_need_kind kind, const char *order_id,
                                    const char *object, const char **id)
{
    const char *asked = object ? object : order_id;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].kind != kind || strncmp(asked, calls[i].prefix, strlen(calls[i].prefix)) != 0)
            continue;
        const char *colon = strchr(calls[i].prefix, ':');
        *id = colon ? asked + (colon - calls[i].prefix) + 1 : asked;
        return is_word(*id) ? &calls[i] : NULL;
    }
    return NULL;
}

bool stripe_can_ask(const struct settings_source *source)
{
    return credentials_has_bearer(source);
}

int stripe_call(const struct settings_source *source, char *target, struct shop_fetch *out)
{
    char *key = credentials_bearer(source);
    if (!key) {
        free(target);
        return -1;
    }
    *out = (struct shop_fetch){
        .target = target, .header = key, .header2 = xstrdup("Stripe-Version: " VERSION)};
    return 0;
}

int stripe_fetch(const struct settings_source *source, const char *order_id,
                 const struct fact_need *need, struct shop_fetch *out)
{
    const char *id;
    const struct call *call = find_call(need->kind, order_id, need->object, &id);
    return call ? stripe_call(source, xasprintf("%s%s%s", call->before, id, call->after), out) : -1;
}

/* Answers of the other mode would mix what events keep apart. */
static bool is_other_mode(const struct settings_source *source, const struct json_object *root)
{
    const struct json_object *livemode = shop_json_member(root, "livemode");
    return json_object_is_type(livemode, json_type_boolean) &&
           json_object_get_boolean(livemode) != source->live;
}

/* What an answer that is JSON comes to. */
static enum shop_answer_verdict read_json(const struct settings_source *source,
                                          const struct call *call, int status,
                                          const struct reading *reading)
{
    /* Nothing that is asked for is ever deleted at Stripe: what it does not know is not its own. */
    if (status == 404)
        return answer_refuse(reading->detail,
                             "Stripe does not know it: check that api_key_file holds a key of the "
                             "account and mode that the events come from");
    if (is_other_mode(source, reading->root))
        return answer_refuse(reading->detail,
                             "the key in api_key_file is of another mode than `live` says");
    return call->read(reading);
}

enum shop_answer_verdict stripe_read_answer(const struct settings_source *source,
                                            const struct shop_fetch *fetch,
                                            const struct shop_answer *answer, struct facts *facts,
                                            struct buf *detail)
{
    static const struct answer_advice advice = {
        .key = "check that api_key_file holds a secret key, or a restricted one that may read "
               "checkout sessions, subscriptions, invoices, customers, charges and disputes",
        .address = ADDRESS_ADVICE,
    };
    const char *id;
    const struct call *call = find_call(fetch->kind, fetch->order_id, fetch->object, &id);
    if (!call)
        return answer_refuse(detail, "there is no such call of Stripe's API");
    if (answer->status == 400)
        return answer_refuse(detail, NOT_TAKEN);
    enum shop_answer_verdict verdict;
    struct json_object *root = answer_open(answer, &advice, &verdict, detail);
    if (!root)
        return verdict;
    int64_t date = answer_date(answer);
    struct reading reading = {root, fetch, id, {NULL, date, date}, facts, detail};
    verdict = read_json(source, call, answer->status, &reading);
    json_object_put(root);
    return verdict;
}

struct json_object *stripe_open_list(const struct shop_answer *answer, const char *may_read,
                                     struct json_object **root, enum shop_answer_verdict *verdict,
                                     struct buf *detail)
{
    char *key = xasprintf("check that api_key_file holds a secret key, or a restricted one that "
                          "may read %s",
                          may_read);
    const struct answer_advice advice = {.key = key, .address = ADDRESS_ADVICE};
    struct json_object *data = NULL;
    *verdict = SHOP_ANSWER_REFUSED;
    *root = NULL;
    if (answer->status == 400)
        buf_puts(detail, NOT_TAKEN);
    else
        *root = answer_open(answer, &advice, verdict, detail);
    free(key);
    if (!*root)
        return NULL;
    *verdict = SHOP_ANSWER_REFUSED;
    if (answer->status == 404)
        buf_puts(detail, "Stripe has no such list (404)");
    else
        data = elements_of(*root, detail);
    if (!data) {
        json_object_put(*root);
        *root = NULL;
    }
    return data;
}
