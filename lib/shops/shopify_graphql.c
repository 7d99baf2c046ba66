#include <string.h>

#include "base/mem.h"
#include "shops/answer.h"
#include "shops/json.h"
#include "shops/shopify.h"

/*
 * GraphQL itself: the call, and the errors that stand in an answer beside its data, or in place of
 * them, with status 200.
 */

int shopify_post(const struct settings_source *source, struct buf *body, struct shop_fetch *out)
{
    if (shopify_call(source, out)) {
        buf_free(body);
        return -1;
    }
    out->target = xstrdup(SHOPIFY_API "graphql.json");
    out->body = buf_take(body);
    return 0;
}

struct json_object *shopify_open_graph(const struct shop_answer *answer,
                                       enum shop_answer_verdict *verdict, struct buf *detail)
{
    struct json_object *root = shopify_open(answer, verdict, detail);
    if (root && answer->status == 404) {
        json_object_put(root);
        *verdict = answer_refuse(detail, "the shop has no such address: check that api_url is "
                                         "https://NAME.myshopify.com");
        return NULL;
    }
    return root;
}

/* The field that an error is about: the last name of its path. "" if there is none to show. */
static const char *field_of(const struct json_object *error)
{
    struct json_object *path = shop_json_array(error, "path");
    const char *field = "";
    for (size_t i = 0; path && i < json_object_array_length(path); i++) {
        struct json_object *part = json_object_array_get_idx(path, i);
        if (json_object_is_type(part, json_type_string))
            field = json_object_get_string(part);
    }
    size_t len = strlen(field);
    return len <= 40 && strspn(field, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == len
               ? field
               : "";
}

/* What an app may be denied, and whether its orders can do without. */
static const struct {
    const char *field, *advice;
    bool spare;
} denials[] = {
    {"email", NULL, true},
    {"customer", NULL, true},
    {"defaultEmailAddress", NULL, true},
    {"emailAddress", NULL, true},
    {"disputes", NULL, true},
    {"orders", "give it the scope read_orders, and access to protected customer data", false},
    {"product", "give it the scope read_products, without which no rule finds its product", false},
    {"variant", "give it the scope read_products, without which no rule finds its product", false},
};

static enum shop_answer_verdict read_denial(const char *field, struct buf *detail)
{
    const char *advice = "give it the scope that this takes";
    for (size_t i = 0; i < sizeof(denials) / sizeof(denials[0]); i++)
        if (strcmp(denials[i].field, field) == 0) {
            if (denials[i].spare)
                return SHOP_ANSWER_READ;
            advice = denials[i].advice;
        }
    buf_printf(detail, "Shopify denies the app access to `%s`: %s", *field ? field : "orders",
               advice);
    return SHOP_ANSWER_REFUSED;
}

/* The word by which Shopify tells errors apart, fit to be shown. */
static const char *code_of(const struct json_object *error)
{
    const char *code = shop_json_text(shop_json_object(error, "extensions"), "code");
    return code && strlen(code) <= 40 &&
                   strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") ==
                       strlen(code)
               ? code
               : "an error without a code";
}

/* What one error means. SHOP_ANSWER_READ: the rest of the answer counts. `*dear`: the query cost
 * more than a single one may. */
static enum shop_answer_verdict read_error(const struct json_object *error, bool *dear,
                                           struct buf *detail)
{
    static const char *const passing[] = {"THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"};
    const char *code = code_of(error);
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
        if (strcmp(code, passing[i]) == 0) {
            buf_printf(detail, "Shopify answered %s", code);
            return SHOP_ANSWER_LATER;
        }
    if (strcmp(code, "ACCESS_DENIED") == 0)
        return read_denial(field_of(error), detail);
    *dear = strcmp(code, "MAX_COST_EXCEEDED") == 0;
    buf_printf(detail, "Shopify does not answer the query: %s", code);
    return SHOP_ANSWER_REFUSED;
}

/* The first error that matters decides. */
enum shop_answer_verdict shopify_read_errors(const struct json_object *root, bool *dear,
                                             struct buf *detail)
{
    struct json_object *errors = shop_json_array(root, "errors");
    enum shop_answer_verdict verdict = SHOP_ANSWER_READ;
    *dear = false;
    if (!errors && shop_json_has(root, "errors"))
        return answer_refuse(detail, "Shopify does not answer the query: check that api_url is "
                                     "https://NAME.myshopify.com");
    for (size_t i = 0;
         errors && verdict == SHOP_ANSWER_READ && i < json_object_array_length(errors); i++)
        verdict = read_error(json_object_array_get_idx(errors, i), dear, detail);
    return verdict;
}
