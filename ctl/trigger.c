/*
 * trigger SOURCE EVENT: a sample order, signed as the shop signs, to the running front. Never for a
 * source with live = true: a sample is no purchase. What the worker will lack is told beforehand,
 * by the same reading that the worker does.
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
#include "store/orders.h"
#include "verbs.h"

#define ADDRESS_DEFAULT "buyer@example.test"
#define HEADERS_MOST 8
#define ALL_TOLD "nothing that the worker needs"

/* A sample on its way. */
struct trigger {
    struct ctl *ctl;
    const struct settings_source *source;
    const char *word; /* the event as it was named, in the words of all shops where it has one */
    struct sample sample;
    char *order, *product, *nonce; /* owned; product may be NULL */
    struct person person;
    struct buf body, headers;
    struct asked answer;
};

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

/* The event that was named, or EXIT_USAGE after having said which there are. */
static enum exit_code event_choose(struct trigger *trigger)
{
    enum provider provider = trigger->source->provider;
    const char *name = trigger->ctl->arguments[1];
    struct buf events = {0};

    trigger->sample.event = sample_event(provider, name);
    if (trigger->sample.event != NULL) {
        trigger->word = trigger->sample.event->word != NULL ? trigger->sample.event->word : name;
        return EXIT_DONE;
    }
    sample_events(provider, &events);
    ctl_fail(EXIT_USAGE, "%s has no event \"%s\": it has %s", provider_name(provider), name,
             events.data);
    buf_free(&events);
    return EXIT_USAGE;
}

/* Order and product: as told, else a new order, and the catalogue's first product where the event
 * tells one. */
static enum exit_code ids_choose(struct trigger *trigger)
{
    struct ctl *ctl = trigger->ctl;
    enum provider provider = trigger->source->provider;
    const char *order = options_value(ctl->options, "--order");
    const char *product = options_value(ctl->options, "--product");
    bool tells = sample_tells_product(trigger->sample.event);

    trigger->order = order != NULL ? xstrdup(order) : xasprintf("%" PRId64, ctl->now / 1000);
    if (!sample_order_fits(provider, trigger->order))
        return ctl_fail(EXIT_USAGE, "--order %s: no id that %s gives", trigger->order,
                        provider_name(provider));
    if (product != NULL)
        trigger->product = xstrdup(product);
    else if (tells)
        trigger->product = product_default(ctl, trigger->source->name);
    if (tells && trigger->product == NULL)
        return ctl_fail(EXIT_FAILED,
                        "the catalogue has no product of %s: name one with --product ID",
                        trigger->source->name);
    if (trigger->product != NULL && !sample_product_fits(provider, trigger->product))
        return ctl_fail(EXIT_USAGE, "--product %s: no id that %s gives", trigger->product,
                        provider_name(provider));
    return EXIT_DONE;
}

/* The buyer's address: as told, from standard input, or a sample's. */
static enum exit_code address_choose(struct trigger *trigger)
{
    const char *told = options_value(trigger->ctl->options, "--email");

    return person_read_address(trigger->ctl, told == NULL ? ADDRESS_DEFAULT : told,
                               &trigger->person);
}

/* Something by which the shop would tell two events apart. */
static char *nonce_new(void)
{
    unsigned char random[12];
    struct buf hex = {0};

    digest_random(random, sizeof(random));
    digest_hex(random, sizeof(random), &hex);
    return buf_take(&hex);
}

/* Makes body and headers of what was chosen, signed. */
static void sample_make(struct trigger *trigger)
{
    enum provider provider = trigger->source->provider;
    char *id;

    trigger->nonce = nonce_new();
    trigger->sample.order = trigger->order;
    trigger->sample.product = trigger->product;
    trigger->sample.address = trigger->person.address;
    trigger->sample.nonce = trigger->nonce;
    trigger->sample.now = trigger->ctl->now;
    sample_write(provider, &trigger->sample, &trigger->body, &trigger->headers);
    id = xasprintf("msg_%s", trigger->nonce);
    shop_sign(trigger->source, id, clock_now(), trigger->body.data, trigger->body.len,
              &trigger->headers);
    free(id);
}

/* The front's own listener as an origin: the wildcard address is asked on loopback. One that speaks
 * TLS is asked by the name that its certificate is for. */
static char *front_origin(const struct settings *settings)
{
    const char *listen = settings->server.listen, *port = strrchr(listen, ':');

    if (settings->server.tls_key.len > 0)
        return xstrdup(settings->server.public_url);
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

/* Where the front takes the source's deliveries; of gumroad the secret stands in it. */
static void target_write(const struct settings_source *source, struct buf *out)
{
    const struct secret *secret = &source->webhook_secrets.items[0];

    buf_puts(out, "/webhooks/");
    buf_url_encode(out, source->name, strlen(source->name));
    if (source->provider != PROVIDER_GUMROAD)
        return;
    buf_putc(out, '/');
    buf_url_encode(out, (const char *)secret->bytes, secret->len);
}

/* Sends the sample, and waits for the front's answer. */
static enum exit_code delivery_send(struct trigger *trigger)
{
    const char *list[HEADERS_MOST + 1];
    struct buf target = {0};
    char *origin = front_origin(trigger->ctl->settings);
    enum exit_code code = EXIT_DONE;

    target_write(trigger->source, &target);
    headers_cut(&trigger->headers, list);
    ask_all(&(struct http_call){.method = "POST",
                                .origin = origin,
                                .target = target.data,
                                .headers = list,
                                .body = trigger->body.data,
                                .body_len = trigger->body.len},
            &trigger->answer, 1);
    if (trigger->answer.failure != HTTP_ANSWERED)
        code = ctl_fail(EXIT_FAILED, "%s does not answer: %s; is purchase-webhook running?", origin,
                        trigger->answer.error);
    buf_wipe(&target);
    free(origin);
    return code;
}

static const struct table_column note_columns[] = {
    {"need", NULL}, {"essential", NULL}, {"note", "note"}, {NULL, NULL}};

/* A note; `need` may be NULL. */
static void note_add(struct table *notes, const struct fact_need *need, const char *text)
{
    table_text(notes, need == NULL ? NULL : fact_need_name(need->kind));
    table_bool(notes, need != NULL && need->essential);
    table_text(notes, text);
}

/* Whether there is a call of the shop's API that answers the need. */
static bool can_ask(const struct settings_source *source, const char *order_id,
                    const struct fact_need *need)
{
    struct shop_fetch fetch = {0};

    if (!shop_has_api(source) || shop_fetch_for(source, order_id, need, &fetch))
        return false;
    shop_fetch_free(&fetch);
    return true;
}

/* What becomes of the delivery because of what it does not tell. What is not essential is told only
 * where asking may fail. */
static void note_need(const struct trigger *trigger, const struct fact_order *order,
                      const struct fact_need *need, struct table *notes)
{
    const struct settings_source *source = trigger->source;
    const char *name = fact_need_name(need->kind);
    char *text = NULL;

    if (can_ask(source, order->id, need))
        text = xasprintf("the worker will ask the shop for the %s: "
                         "if the shop does not know it, the delivery is set aside",
                         name);
    else if (need->essential && shop_has_api(source))
        text = xasprintf("this does not tell the %s, and the shop has no call for it: "
                         "the delivery is set aside",
                         name);
    else if (need->essential)
        text = xasprintf("the worker would have to ask the shop for the %s: without an API key "
                         "(api_url, api_key_file) the delivery is set aside",
                         name);
    if (text != NULL)
        note_add(notes, need, text);
    free(text);
}

/* What the worker will lack, and will do about it. */
static enum exit_code needs_note(const struct trigger *trigger, const struct facts *facts,
                                 struct table *notes)
{
    uint32_t source_id = ctl_source(trigger->ctl, trigger->source->name);

    if (source_id == 0)
        return EXIT_FAILED;
    for (size_t o = 0; o < facts->order_count; o++) {
        const struct fact_order *order = &facts->orders[o];

        for (size_t n = 0; n < order->need_count; n++) {
            bool met;

            if (orders_need_met(trigger->ctl->db, source_id, order, &order->needs[n], &met) !=
                DB_OK)
                return ctl_database_failed(trigger->ctl, "looking for what is known of the order");
            if (!met)
                note_need(trigger, order, &order->needs[n], notes);
        }
    }
    return EXIT_DONE;
}

/* What the sample does not tell, read as the worker will read it. */
static enum exit_code notes_fill(const struct trigger *trigger, struct table *notes)
{
    const struct sample_event *event = trigger->sample.event;
    const struct options *options = trigger->ctl->options;
    struct facts facts = {0};
    enum exit_code code;

    if (options_value(options, "--product") != NULL && !sample_tells_product(event))
        note_add(notes, NULL, "this event does not tell what was bought: --product is not in it");
    if (options_value(options, "--email") != NULL && !sample_tells_address(event))
        note_add(notes, NULL, "this event does not tell the buyer's address: --email is not in it");
    shop_read(trigger->source, trigger->body.data, trigger->body.len, trigger->ctl->now, &facts);
    code = needs_note(trigger, &facts, notes);
    if (facts.set_aside != SET_ASIDE_NONE) {
        char *text =
            xasprintf("the worker will set it aside as %s%s%s", set_aside_name(facts.set_aside),
                      facts.detail == NULL ? "" : ": ", facts.detail == NULL ? "" : facts.detail);

        note_add(notes, NULL, text);
        free(text);
    }
    facts_free(&facts);
    return code;
}

/* Sends the sample, and tells what was sent, what the front said, and what the worker will say. */
static enum exit_code sample_send(struct trigger *trigger)
{
    struct page *page = page_new();
    const struct asked *answer = &trigger->answer;
    bool tells = sample_tells_product(trigger->sample.event);
    enum exit_code code;

    page_text(page, "source", "source", trigger->source->name);
    page_text(page, "event", "event", trigger->word);
    page_text(page, "type", "sent as", trigger->sample.event->type);
    page_text(page, "order", "order", trigger->order);
    page_text(page, "product", "product", tells ? trigger->product : NULL);
    code = notes_fill(trigger,
                      page_table(page, "notes", "what it does not tell", ALL_TOLD, note_columns));
    if (code == EXIT_DONE)
        code = delivery_send(trigger);
    if (code == EXIT_DONE) {
        page_int(page, "status", "answer", answer->status);
        page_text(page, "body", "", answer->body.data == NULL ? "" : answer->body.data);
        page_print(page, trigger->ctl->json);
        if (answer->status != 200)
            code = ctl_fail(EXIT_FAILED, "the front refused the sample");
    }
    page_free(page);
    return code;
}

enum exit_code trigger_run(struct ctl *ctl)
{
    struct trigger trigger = {.ctl = ctl, .source = source_find(ctl, ctl->arguments[0])};
    enum exit_code code;

    if (trigger.source == NULL)
        return EXIT_FAILED;
    code = event_choose(&trigger);
    if (code == EXIT_DONE)
        code = address_choose(&trigger);
    if (code == EXIT_DONE)
        code = ids_choose(&trigger);
    if (code == EXIT_DONE) {
        sample_make(&trigger);
        code = sample_send(&trigger);
    }
    free(trigger.order);
    free(trigger.product);
    free(trigger.nonce);
    buf_wipe(&trigger.body);
    buf_free(&trigger.headers);
    buf_free(&trigger.answer.body);
    person_free(&trigger.person);
    return code;
}
