#include "stand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "delivery.h"
#include "disturb.h"
#include "route.h"

struct stand_shop *stand_shop_new(const struct stand *stand, const char *source, const char *home)
{
    struct stand_shop *shop = xcalloc(1, sizeof(*shop));
    shop->stand = stand;
    shop->source = xstrdup(source);
    shop->home = xstrdup(home);
    shop->began = clock_now();
    return shop;
}

void stand_shop_free(struct stand_shop *shop)
{
    if (shop == NULL)
        return;
    for (size_t i = 0; i < shop->count; i++)
        sale_free(shop->sales[i]);
    for (size_t i = 0; i < shop->event_count; i++)
        free(shop->events[i].body);
    roster_free(&shop->created);
    roster_free(&shop->updated);
    roster_free(&shop->payments);
    roster_free(&shop->refunds);
    roster_free(&shop->disputes);
    roster_free(&shop->event_times);
    sale_free(shop->disguise);
    free(shop->sales);
    free(shop->events);
    free(shop->source);
    free(shop->home);
    free(shop);
}

struct stand_shop *sandbox_stand(struct sandbox *sandbox, const char *source)
{
    for (size_t i = 0; source != NULL && i < sandbox->stand_count; i++)
        if (strcmp(sandbox->stands[i]->source, source) == 0)
            return sandbox->stands[i];
    return NULL;
}

const struct settings_source *stand_source(const struct sandbox *sandbox,
                                           const struct stand_shop *shop)
{
    return settings_source(sandbox->settings, shop->source, strlen(shop->source));
}

int64_t stand_next_number(const struct stand_shop *shop)
{
    return SALE_FIRST + (int64_t)shop->count;
}

/* Lists the parts that are new. */
static void list_parts(struct stand_shop *shop, struct sale *sale)
{
    for (size_t *i = &sale->listed_payments; *i < sale->payment_count; ++*i)
        if (*i > 0)
            roster_add(&shop->payments, sale->payments[*i].created, sale->payments[*i].id, sale);
    for (size_t *i = &sale->listed_refunds; *i < sale->refund_count; ++*i)
        roster_add(&shop->refunds, sale->refunds[*i].created, sale->refunds[*i].id, sale);
    for (size_t *i = &sale->listed_disputes; *i < sale->dispute_count; ++*i)
        roster_add(&shop->disputes, sale->disputes[*i].created, sale->disputes[*i].id, sale);
}

bool stand_add(struct stand_shop *shop, struct sale *sale)
{
    if (shop->count >= SANDBOX_ORDERS)
        return false;
    if (shop->count == shop->room) {
        shop->room = shop->room == 0 ? 64 : shop->room * 2;
        shop->sales = xreallocarray(shop->sales, shop->room, sizeof(*shop->sales));
    }
    shop->sales[shop->count++] = sale;
    roster_add(&shop->created, sale->created, sale->number, sale);
    roster_add(&shop->updated, sale->updated, sale->number, sale);
    roster_add(&shop->payments, sale->created, sale->number * SALE_PARTS, sale);
    list_parts(shop, sale);
    return true;
}

struct sale *stand_find(const struct stand_shop *shop, int64_t number)
{
    if (number < SALE_FIRST || number >= SALE_FIRST + (int64_t)shop->count)
        return NULL;
    return shop->sales[number - SALE_FIRST];
}

struct sale *stand_find_part(const struct stand_shop *shop, int64_t part)
{
    return stand_find(shop, part / SALE_PARTS);
}

void stand_moved(struct stand_shop *shop, struct sale *sale, int64_t before)
{
    shop->deleted += sale->state == SALE_DELETED;
    roster_remove(&shop->updated, before, sale->number);
    roster_add(&shop->updated, sale->updated, sale->number, sale);
    list_parts(shop, sale);
}

/* A copy of which nothing is left since `now`. */
static struct sale *disguise(const struct sale *sale, int64_t now)
{
    struct sale *copy = sale_copy(sale);
    struct json_object *input = tree_object();
    tree_bool(input, "all", true);
    for (size_t i = 0; i < copy->payment_count; i++) {
        const char *error = NULL;
        tree_number(input, "payment", (int64_t)i);
        /* What was given back before cannot be given back again. */
        if (sale_paid(copy, i) > sale_given_back(copy, i) &&
            sale_give_back(copy, input, now, &error) < 0)
            die("sale %lld cannot be given back: %s", (long long)sale->number, error);
    }
    if (copy->updated < now)
        copy->updated = now;
    json_object_put(input);
    return copy;
}

const struct sale *stand_told(const struct sandbox *sandbox, struct stand_shop *shop,
                              const struct sale *sale)
{
    if (sale == NULL || sale->state == SALE_DELETED || sandbox->faults.api_mode == API_GONE)
        return NULL;
    if (sandbox->faults.api_mode != API_REFUNDED)
        return sale;
    struct sale *copy = disguise(sale, sandbox->faults.api_mode_since);
    sale_free(shop->disguise);
    shop->disguise = copy;
    return copy;
}

int64_t stand_next_event(const struct stand_shop *shop)
{
    return (int64_t)shop->event_count + 1;
}

/* Keeps an event for the API that lists them; of the oldest only that they happened. */
static void keep_event(struct stand_shop *shop, const struct sale *sale,
                       const struct stand_letter *letter)
{
    if (shop->event_count == shop->event_room) {
        shop->event_room = shop->event_room == 0 ? 64 : shop->event_room * 2;
        shop->events = xreallocarray(shop->events, shop->event_room, sizeof(*shop->events));
    }
    shop->events[shop->event_count] = (struct stand_event){
        .number = stand_next_event(shop),
        .type = letter->topic,
        .created = sale->updated,
        .sale = sale->number,
        .body = xstrndup(letter->body, letter->len),
    };
    shop->event_count++;
    roster_add(&shop->event_times, sale->updated, (int64_t)shop->event_count,
               (void *)(uintptr_t)shop->event_count);
    if (shop->event_count > SANDBOX_EVENT_BODIES)
        xfree(shop->events[shop->event_count - SANDBOX_EVENT_BODIES - 1].body);
}

void stand_send(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                const struct stand_letter *letter)
{
    struct parcel parcel = {.source = shop->source,
                            .topic = letter->topic,
                            .order = sale->number,
                            .event_id = letter->event_id,
                            .headers = letter->headers,
                            .form = letter->form,
                            .body = letter->body,
                            .len = letter->len};
    if (!letter->uncounted)
        keep_event(shop, sale, letter);
    if (sandbox->silent || shop->webhook_disabled || shop->webhook_missing)
        return;
    if (!delivery_send(sandbox, &parcel))
        log_warn("sandbox", "source_gone", LOG_S("source", shop->source));
}

void stand_send_tree(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                     const char *topic, const char *event_id, const char *headers,
                     struct json_object *body)
{
    struct buf text = {0};
    tree_write(body, &text);
    struct stand_letter letter = {.topic = topic,
                                  .event_id = event_id,
                                  .headers = headers,
                                  .body = text.data,
                                  .len = text.len};
    stand_send(sandbox, shop, sale, &letter);
    buf_wipe(&text);
    json_object_put(body);
}

void stand_reply(struct visit *visit, int status, const char *headers, struct json_object *tree)
{
    struct buf head = {0}, body = {0};
    buf_puts(&head, "Content-Type: application/json\r\nCache-Control: no-store\r\n");
    if (headers != NULL)
        buf_puts(&head, headers);
    tree_write(tree, &body);
    http_respond(visit->request, status, head.data, body.data, body.len);
    buf_free(&head);
    buf_wipe(&body);
    json_object_put(tree);
}

/* Whether a text is the first line of the source's key file. */
static bool is_key(const struct visit *visit, const char *text, size_t len)
{
    const struct settings_source *source = stand_source(visit->sandbox, visit->stand);
    if (source == NULL || source->api_keys.count == 0)
        return false;
    const struct secret *key = &source->api_keys.items[0];
    return digest_equal(text, len, key->bytes, key->len);
}

/* "user:password" of a Basic header is the key, or the key with an empty password. */
static bool is_basic_key(const struct visit *visit, const char *coded)
{
    struct buf plain = {0};
    bool good = false;
    if (digest_unbase64(coded, strlen(coded), true, &plain) == 0 && plain.len > 0)
        good = is_key(visit, plain.data, plain.len) ||
               (plain.data[plain.len - 1] == ':' && is_key(visit, plain.data, plain.len - 1));
    buf_wipe(&plain);
    return good;
}

/* One Authorization header of either kind. */
static bool is_authorized(const struct visit *visit, bool bearer)
{
    char *header = http_header_text(visit->request, "Authorization");
    bool good = false;
    if (bearer && header != NULL && strncasecmp(header, "Bearer ", 7) == 0)
        good = is_key(visit, header + 7, strlen(header + 7));
    else if (header != NULL && strncasecmp(header, "Basic ", 6) == 0)
        good = is_basic_key(visit, header + 6);
    free(header);
    return good;
}

bool stand_has_bearer(const struct visit *visit)
{
    return is_authorized(visit, true);
}

bool stand_has_basic(const struct visit *visit)
{
    return is_authorized(visit, false);
}

bool stand_has_header(const struct visit *visit, const char *name)
{
    char *header = http_header_text(visit->request, name);
    bool good = header != NULL && is_key(visit, header, strlen(header));
    free(header);
    return good;
}

int64_t stand_query_number(const struct visit *visit, const char *name, int64_t fallback,
                           int64_t least, int64_t most)
{
    char *text = visit_query(visit, name);
    int64_t number = fallback;
    if (text == NULL || text_to_int(text, strlen(text), &number) != 0 || number < least ||
        number > most)
        number = fallback;
    free(text);
    return number;
}

int64_t stand_query_time(const struct visit *visit, const char *name)
{
    char *text = visit_query(visit, name);
    int64_t time = TIME_NONE;
    if (text == NULL || clock_parse(text, strlen(text), &time) != 0)
        time = TIME_NONE;
    free(text);
    return time;
}

void stand_webhook_url(const struct sandbox *sandbox, const struct stand_shop *shop,
                       struct buf *out)
{
    buf_printf(out, "%s/webhooks/", sandbox->settings->server.public_url);
    buf_url_encode(out, shop->source, strlen(shop->source));
}

void stand_put_money(struct json_object *tree, const char *key, int64_t cents)
{
    char text[32];
    int64_t size = cents < 0 ? -cents : cents;
    snprintf(text, sizeof(text), "%s%lld.%02lld", cents < 0 ? "-" : "", (long long)(size / 100),
             (long long)(size % 100));
    tree_text(tree, key, text);
}

void stand_put_seconds(struct json_object *tree, const char *key, int64_t time)
{
    if (time == TIME_NONE)
        tree_put(tree, key, NULL);
    else
        tree_number(tree, key, time / TIME_SECOND);
}

void stand_visit(struct visit *visit, const char *path)
{
    const struct stand *stand = visit->stand->stand;
    bool other = false;
    if (disturb_call(visit) || !stand->authenticate(visit))
        return;
    const struct route *route = route_find(visit, stand->routes, path, &other);
    visit->stand->paged = false;
    if (route != NULL)
        route->handle(visit);
    else
        stand->fail(visit, other ? 405 : 404, NULL, "Unrecognized request URL.");
    if (visit->stand->paged)
        disturb_page(visit);
}
