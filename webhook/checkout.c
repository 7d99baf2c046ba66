#include "checkout.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "bearer.h"
#include "body.h"
#include "store/reference.h"

#define PLACEHOLDER "{reference}"

/* Whether a rule sells what is asked for, by whichever of its selectors the plugin calls it. */
static bool rule_sells(const struct catalogue_rule *rule, const char *source, const char *product)
{
    const char *const selectors[] = {rule->product, rule->variant, rule->sku};

    if (rule->ignored || strcmp(rule->source, source) != 0)
        return false;
    for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
        if (selectors[i] != NULL && strcmp(selectors[i], product) == 0)
            return true;
    }
    return false;
}

/* The rule that sells it, one with an address before one without; NULL if none does. */
static const struct catalogue_rule *find_rule(const struct catalogue *catalogue, const char *source,
                                              const char *product)
{
    const struct catalogue_rule *found = NULL;

    for (size_t i = 0; i < catalogue->rule_count; i++) {
        const struct catalogue_rule *rule = &catalogue->rules[i];

        if (!rule_sells(rule, source, product))
            continue;
        if (rule->checkout_url != NULL)
            return rule;
        found = found != NULL ? found : rule;
    }
    return found;
}

/* Appends the address with each placeholder replaced. A reference needs no escaping in a URL. */
static void put_url(struct buf *out, const char *url, const char *reference)
{
    const char *place;

    while ((place = strstr(url, PLACEHOLDER)) != NULL) {
        buf_append(out, url, (size_t)(place - url));
        buf_puts(out, reference);
        url = place + strlen(PLACEHOLDER);
    }
    buf_puts(out, url);
}

/* Signs and answers. */
static void checkout_answer(struct front *front, struct http_request *request,
                            const struct id_token *token, const struct catalogue_rule *rule,
                            const char *product)
{
    struct buf reference = {0}, url = {0}, body = {0};
    int64_t expires_at = clock_now() + LIMIT_REFERENCE_S * TIME_SECOND;

    if (reference_write(front->engine->vault, token->user, token->team, rule->source, product,
                        expires_at, &reference) != 0) {
        log_error("checkout", "reference_too_long", LOG_S("request", http_request_id(request)),
                  LOG_S("remedy", "give the keyring's first key a shorter id"));
        front_problem(front, request, 500, "reference_too_long", NULL,
                      "No reference of 200 characters can be made: see the server's log.");
        goto out;
    }
    if (rule->checkout_url != NULL)
        put_url(&url, rule->checkout_url, reference.data);
    buf_puts(&body, "{\"reference\":");
    buf_json_text(&body, reference.data);
    buf_puts(&body, ",\"url\":");
    buf_json_text(&body, url.data);
    buf_putc(&body, '}');
    log_info("checkout", "reference_made", LOG_S("request", http_request_id(request)),
             LOG_S("user", token->user), LOG_S("source", rule->source), LOG_S("product", product));
    front_answer(front, request, 200, "Content-Type: application/json\r\n", body.data, body.len);
out:
    buf_free(&reference);
    buf_free(&url);
    buf_free(&body);
}

/* Finds what is to be bought, or says what is unknown of it. */
static void checkout_begin(struct front *front, struct http_request *request,
                           const struct id_token *token, const char *source, const char *product)
{
    const struct catalogue *catalogue = known_keys_catalogue(front->keys);
    const struct catalogue_rule *rule;

    if (settings_source(front->settings, source, strlen(source)) == NULL) {
        front_problem(front, request, 404, "unknown_source", NULL,
                      "No source of this name is configured.");
        return;
    }
    if (front->engine == NULL || catalogue == NULL) {
        front_unavailable(front, request);
        return;
    }
    rule = find_rule(catalogue, source, product);
    if (rule == NULL)
        front_problem(front, request, 404, "unknown_product", NULL,
                      "No rule of the catalogue grants anything for this product of this source.");
    else
        checkout_answer(front, request, token, rule, product);
}

void checkout_post(struct front *front, struct http_request *request,
                   const struct route_parts *parts)
{
    struct json_object *object;
    struct id_token token;
    const char *source, *product;

    (void)parts;
    if (bearer_authenticate(front, request, &token) != 0)
        return;
    object = body_object(front, request);
    if (object == NULL)
        return;
    source = body_text(front, request, object, "source", LIMIT_NAME);
    product = source == NULL ? NULL : body_text(front, request, object, "product", LIMIT_SELECTOR);
    if (product != NULL)
        checkout_begin(front, request, &token, source, product);
    json_object_put(object);
}
