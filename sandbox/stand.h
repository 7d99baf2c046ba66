/*
 * A stand: a stand-in shop of one source whose provider is not WooCommerce. What is sold and what
 * becomes of it is the same for all (sale.h); a provider adds how its API and its webhooks tell it.
 *
 * One file or a few for each provider, behind one struct stand. Its API lies at the shop's home,
 * ORIGIN/shops/NAME, which is the source's api_url: the patterns of its routes begin after that.
 */
#ifndef SANDBOX_STAND_H
#define SANDBOX_STAND_H

#include "base/settings.h"
#include "reply.h"
#include "roster.h"
#include "sale.h"
#include "sandbox.h"

struct route;

/* One event that a shop told of, for providers whose API lists them. */
struct stand_event {
    int64_t number;   /* from 1, in the order in which they happened */
    const char *type; /* the provider's own word: a literal */
    int64_t created;
    int64_t sale;   /* its number */
    char *body;     /* as it was delivered; NULL: too long ago to be kept */
    bool processed; /* where the provider keeps such a mark */
};

struct stand_shop {
    const struct stand *stand;
    char *source;        /* the section's name */
    char *home;          /* "http://127.0.0.1:8090/shops/NAME" */
    int64_t began;       /* when it was opened */
    struct sale **sales; /* by number: SALE_FIRST is the first */
    size_t count, room;
    struct roster created;                        /* the same by time of creation */
    struct roster updated;                        /* the same by the time of the last change */
    struct stand_event *events;                   /* oldest first */
    size_t event_count, event_room, event_bodies; /* bodies kept: those of the last ones */
    /* Parts by their own time and id; each item is its sale. A payment here is a bill: the first
     * one is there as soon as the sale is, under SALE_PARTS * number; the others under their ids.
     */
    struct roster payments, refunds, disputes;
    struct roster
        event_times;       /* the events by time; each item is the event's number, as a pointer */
    size_t deleted;        /* sales */
    bool paged;            /* the call under way told a page of a list */
    bool webhook_disabled; /* the shop gave its webhook up */
    bool webhook_missing;  /* somebody deleted it */
    bool old_shape;        /* Stripe: as before 2025-03-31.basil */
    bool hide_addresses;   /* Shopify: its API and webhooks tell no e-mail address */
    bool svix;             /* standard: the headers' names are svix-... */
    bool polar;            /* standard: Polar's events instead of the project's own shape */
    bool expanded;         /* FastSpring: objects stand in the places of their ids */
    int64_t bucket_size; /* of calls or points that a limited API grants; 0: as the provider does */
    int64_t bucket_used, bucket_at; /* so much of it, at that monotonic time */
    struct sale *disguise;          /* what stand_told() told last, if it lied */
};

/* A provider. */
struct stand {
    enum provider provider;
    /* Of its API: {"GET", "/v1/orders/" "*", ROUTE_OPEN, handler}, ended by a NULL method. The
     * handler finds the shop in visit->stand; faults and the key were looked at before. */
    const struct route *routes;
    /* Whether the visit shows the source's key; else answers as the provider does. */
    bool (*authenticate)(struct visit *visit);
    /* Answers with an error in the provider's shape: 401, 404, 429, 500... `headers` are whole
     * lines or NULL. */
    void (*fail)(struct visit *visit, int status, const char *headers, const char *message);
    /* Tells the front what happened: builds the provider's deliveries, and sends each with
     * stand_send(). `part` is the place of the refund or dispute that it is about. */
    void (*tell)(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                 enum sale_event event, size_t part);
    /* What the front answered to a delivery, `sent`; or NULL: it is all the same to the provider.
     */
    void (*answered)(struct stand_shop *shop, const struct buf *sent, int status,
                     const char *answer);
};
extern const struct stand stand_stripe, stand_paddle, stand_shopify, stand_lemonsqueezy,
    stand_gumroad, stand_fastspring, stand_standard;

/* From the table in stand_table.c, where each provider is a row. NULL: the provider has none
 * (WooCommerce has a shop of its own, woo_shop.h). */
const struct stand *stand_of(enum provider provider);

struct stand_shop *stand_shop_new(const struct stand *stand, const char *source, const char *home);
void stand_shop_free(struct stand_shop *shop);
/* The shop of a source, or NULL. */
struct stand_shop *sandbox_stand(struct sandbox *sandbox, const char *source);
/* The source as it is configured now, or NULL after a reload that took it away. */
const struct settings_source *stand_source(const struct sandbox *sandbox,
                                           const struct stand_shop *shop);

/* A new sale; false if the shop is full, and then it is still the caller's. Nobody is told. */
bool stand_add(struct stand_shop *shop, struct sale *sale);
int64_t stand_next_number(const struct stand_shop *shop);
/* By number; deleted ones too. NULL: there is none. */
struct sale *stand_find(const struct stand_shop *shop, int64_t number);
/* By a part's id. */
struct sale *stand_find_part(const struct stand_shop *shop, int64_t part);
/* After sale->updated was changed from `before`, or it was deleted: keeps the shop's lists in
 * order. */
void stand_moved(struct stand_shop *shop, struct sale *sale, int64_t before);

/*
 * The sale as the API tells it: itself; under api_mode "refunded" a copy that was given back whole
 * just now, good until the next call; under "gone", or if it was deleted, NULL. For each sale that
 * an API call tells, be it one or a list.
 */
const struct sale *stand_told(const struct sandbox *sandbox, struct stand_shop *shop,
                              const struct sale *sale);

/* Which sales a list is about. Times are open where they are TIME_NONE. */
struct stand_query {
    int64_t updated_from, updated_before; /* from <= updated < before */
    int64_t created_from, created_before;
    bool by_updated; /* else by creation */
    bool descending;
    int64_t after;  /* begin behind the sale of this number, as it lies now; 0: at the start */
    int64_t before; /* the other way round: those that end before it */
    size_t offset, limit; /* of what fits */
    bool count;           /* `total` is wanted, which may cost a look at every sale */
    bool (*fits)(const struct sale *sale, const void *arg); /* or NULL: all do */
    const void *arg;
};
struct stand_page {
    const struct sale **sales; /* to be told by stand_told(); free() the array */
    size_t count;
    size_t total; /* that fit, wherever the page begins in them; if it was wanted */
    bool has_more;
};
/* Deleted sales are left out; under api_mode "empty" there are none, and under "refunded" every
 * sale counts as just updated. After the answer sales change, if page_under_writes says so. */
void stand_list(const struct sandbox *sandbox, struct stand_shop *shop,
                const struct stand_query *query, struct stand_page *out);

/* The number that the next event has, for ids that the body carries. */
int64_t stand_next_event(const struct stand_shop *shop);
/* A delivery, made of `body`, signed as the provider signs, and kept as an event. */
struct stand_letter {
    const char *topic;    /* the provider's word for what happened: a literal */
    const char *event_id; /* what the scheme signs or the provider's headers name; or NULL */
    const char *headers;  /* further whole header lines, or NULL */
    const char *body;
    size_t len;
    bool form;      /* application/x-www-form-urlencoded; else JSON */
    bool uncounted; /* no event of its own in the API's list of events */
};
void stand_send(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                const struct stand_letter *letter);
/* The same of a tree, which it takes. */
void stand_send_tree(struct sandbox *sandbox, struct stand_shop *shop, const struct sale *sale,
                     const char *topic, const char *event_id, const char *headers,
                     struct json_object *body);

/* Answers a call of the API; takes the tree. */
void stand_reply(struct visit *visit, int status, const char *headers, struct json_object *tree);
/* "Authorization: Bearer KEY", or the key as the user of HTTP Basic, held against api_key_file. */
bool stand_has_bearer(const struct visit *visit);
bool stand_has_basic(const struct visit *visit); /* USER:PASSWORD of api_key_file */
bool stand_has_header(const struct visit *visit,
                      const char *name); /* the key as a header's value */
/* Parameters of the query: a number from `least` to `most`, else the fallback; a time. */
int64_t stand_query_number(const struct visit *visit, const char *name, int64_t fallback,
                           int64_t least, int64_t most);
int64_t stand_query_time(const struct visit *visit, const char *name); /* RFC 3339; or TIME_NONE */
/* Where the front expects the source's deliveries: public_url/webhooks/NAME, appended. */
void stand_webhook_url(const struct sandbox *sandbox, const struct stand_shop *shop,
                       struct buf *out);

/* Writes amounts and times as most do. */
void stand_put_money(struct json_object *tree, const char *key, int64_t cents);  /* "49.00" */
void stand_put_seconds(struct json_object *tree, const char *key, int64_t time); /* or null */

/* Answers a call under /shops/NAME/ of a stand; `path` is what follows the home. */
void stand_visit(struct visit *visit, const char *path);

#endif
