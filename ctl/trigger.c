/*
 * trigger SOURCE EVENT: a sample order, signed as the shop signs, to the running front. Never for a
 * source with live = true: a sample is no purchase.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "page.h"
#include "person.h"
#include "sample.h"
#include "shops/shop.h"
#include "verbs.h"

#define ADDRESS_DEFAULT "buyer@example.test"
#define HEADERS_MOST 8

/* The source, if samples may be sent to it; else NULL after having said why not. */
static const struct settings_source *source_find(const struct ctl *ctl, const char *name)
{
    const struct settings_source *source = settings_source(ctl->settings, name, strlen(name));

    if (source == NULL) {
        ctl_fail(EXIT_FAILED, "the configuration has no [source %s]", name);
        return NULL;
    }
    if (source->live) {
        ctl_fail(EXIT_FAILED,
                 "%s has live = true: a sample would be taken for a purchase, so none is sent",
                 name);
        return NULL;
    }
    if (!sample_exists(source->provider)) {
        ctl_fail(EXIT_FAILED, "there is no sample for %s", provider_name(source->provider));
        return NULL;
    }
    return source;
}

/* The first product that the catalogue in force knows for the source; a new string, or NULL. */
static char *product_default(struct ctl *ctl, const char *source)
{
    struct catalogue *catalogue = ctl_catalogue(ctl);
    char *product = NULL;

    for (size_t i = 0; catalogue != NULL && product == NULL && i < catalogue->rule_count; i++) {
        const struct catalogue_rule *rule = &catalogue->rules[i];

        if (strcmp(rule->source, source) == 0 && rule->product != NULL && !rule->ignored)
            product = xstrdup(rule->product);
    }
    catalogue_free(catalogue);
    return product;
}

/* Whether an id is one that the provider could have given. */
static bool id_fits(enum provider provider, const char *id)
{
    size_t len = strlen(id);

    if (len == 0 || len > LIMIT_ORDER_ID)
        return false;
    return !sample_wants_numbers(provider) ||
           (len <= 17 && strspn(id, "0123456789") == len && id[0] != '0');
}

/* Fills order and product: as told, else a new order, and the catalogue's first product. */
static enum exit_code ids_choose(struct ctl *ctl, const struct settings_source *source,
                                 char **order, char **product)
{
    const char *order_told = options_value(ctl->options, "--order");
    const char *product_told = options_value(ctl->options, "--product");

    *order = order_told != NULL ? xstrdup(order_told) : xasprintf("%" PRId64, ctl->now / 1000);
    *product = product_told != NULL ? xstrdup(product_told) : product_default(ctl, source->name);
    if (*product == NULL)
        return ctl_fail(EXIT_FAILED,
                        "the catalogue has no product of %s: name one with --product ID",
                        source->name);
    if (!id_fits(source->provider, *order))
        return ctl_fail(EXIT_USAGE, "--order %s: no id that %s gives", *order,
                        provider_name(source->provider));
    if (!id_fits(source->provider, *product))
        return ctl_fail(EXIT_USAGE, "--product %s: no id that %s gives", *product,
                        provider_name(source->provider));
    return EXIT_DONE;
}

/* The front's own listener as an origin: the wildcard address is asked on loopback. */
static char *front_origin(const struct settings *settings)
{
    const char *listen = settings->server.listen, *port = strrchr(listen, ':');

    if (strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "*:", 2) == 0 || listen == port)
        return xasprintf("http://127.0.0.1%s", port);
    if (strncmp(listen, "[::]:", 5) == 0)
        return xasprintf("http://[::1]%s", port);
    return xasprintf("http://%s", listen);
}

/* Cuts "A: b\r\nC: d\r\n" into the client's list; the text is borrowed and changed. */
static void headers_cut(struct buf *text, const char *list[HEADERS_MOST + 1])
{
    size_t count = 0;

    for (char *line = text->data; line != NULL && *line != '\0' && count < HEADERS_MOST;) {
        char *end = strstr(line, "\r\n");

        list[count++] = line;
        if (end == NULL)
            break;
        *end = '\0';
        line = end + 2;
    }
    list[count] = NULL;
}

/* Signs and sends the body, and waits for the front's answer. */
static void delivery_send(struct ctl *ctl, const struct settings_source *source,
                          const struct buf *body, struct buf *headers, struct asked *answer)
{
    const char *list[HEADERS_MOST + 1];
    unsigned char random[12];
    struct buf id = {0};
    char *origin = front_origin(ctl->settings);
    char *target = xasprintf("/webhooks/%s", source->name);

    digest_random(random, sizeof(random));
    buf_puts(&id, "msg_");
    digest_hex(random, sizeof(random), &id);
    buf_puts(headers, "Content-Type: application/json\r\n");
    shop_sign(source, id.data, clock_now(), body->data, body->len, headers);
    headers_cut(headers, list);
    ask_all(&(struct http_call){.method = "POST",
                                .origin = origin,
                                .target = target,
                                .headers = list,
                                .body = body->data,
                                .body_len = body->len},
            answer, 1);
    if (answer->failure != HTTP_ANSWERED)
        ctl_fail(EXIT_FAILED, "%s does not answer: %s; is purchase-webhook running?", origin,
                 answer->error);
    buf_free(&id);
    free(origin);
    free(target);
}

/* What was sent, and what the front said. */
static enum exit_code answer_tell(const struct ctl *ctl, const struct settings_source *source,
                                  const struct sample *sample, const struct asked *answer)
{
    struct page *page;

    if (answer->failure != HTTP_ANSWERED)
        return EXIT_FAILED;
    page = page_new();
    page_text(page, "source", "source", source->name);
    page_text(page, "event", "event", sample->event);
    page_text(page, "order", "order", sample->order);
    page_text(page, "product", "product", sample->product);
    page_int(page, "status", "answer", answer->status);
    page_text(page, "body", "", answer->body.data == NULL ? "" : answer->body.data);
    page_print(page, ctl->json);
    page_free(page);
    return answer->status == 200 ? EXIT_DONE
                                 : ctl_fail(EXIT_FAILED, "the front refused the sample");
}

/* The buyer's address: as told, from standard input, or a sample's. */
static enum exit_code address_choose(struct ctl *ctl, struct person *person)
{
    const char *told = options_value(ctl->options, "--email");

    return person_read_address(ctl, told == NULL ? ADDRESS_DEFAULT : told, person);
}

enum exit_code trigger_run(struct ctl *ctl)
{
    const struct settings_source *source = source_find(ctl, ctl->arguments[0]);
    struct person person;
    struct sample sample = {.now = ctl->now};
    struct buf body = {0}, headers = {0};
    struct asked answer = {0};
    char *order = NULL, *product = NULL;
    enum exit_code code;

    if (source == NULL)
        return EXIT_FAILED;
    sample.event = sample_event(source->provider, ctl->arguments[1]);
    if (sample.event == NULL)
        return ctl_fail(EXIT_USAGE, "%s has no event \"%s\": it has %s",
                        provider_name(source->provider), ctl->arguments[1],
                        sample_events(source->provider));
    code = address_choose(ctl, &person);
    if (code == EXIT_DONE)
        code = ids_choose(ctl, source, &order, &product);
    if (code == EXIT_DONE) {
        sample.order = order;
        sample.product = product;
        sample.address = person.address;
        sample_write(source->provider, &sample, &body, &headers);
        delivery_send(ctl, source, &body, &headers, &answer);
        code = answer_tell(ctl, source, &sample, &answer);
    }
    free(order);
    free(product);
    buf_wipe(&body);
    buf_free(&headers);
    buf_free(&answer.body);
    person_free(&person);
    return code;
}
