/*
 * One adapter a shop, behind one small interface. An adapter does no I/O: it verifies bytes, reads
 * facts from bytes, says what to fetch, and reads what was fetched. Where providers differ in
 * header names alone, those are rows of a table in signature.c.
 *
 * Only signed bytes decide: topics and delivery ids outside the signature are for the log.
 */
#ifndef SHOPS_SHOP_H
#define SHOPS_SHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/facts.h"
#include "base/settings.h"
#include "net/http_parse.h"

enum shop_verdict {
    SHOP_VALID,
    SHOP_PING,              /* WooCommerce's unsigned `webhook_id=N`: 200, nothing stored */
    SHOP_SIGNATURE_INVALID, /* missing, malformed, duplicated, or wrong */
    SHOP_TIMESTAMP_OUTSIDE, /* signed well, but outside the replay window */
};

struct shop_delivery {
    const struct http_header *headers;
    size_t header_count;
    const char *path_secret; /* the path's last segment, for gumroad; or NULL */
    const char *body;
    size_t len;
    int64_t now;
};

struct shop_receipt {
    unsigned char key[DIGEST_LEN]; /* delivery.delivery_key */
    char topic[65]; /* from the unsigned header, cleaned to printable ASCII; for the log */
};

/* One call to the shop's API, against source->api_url. Strings are owned. */
struct shop_fetch {
    enum fact_need_kind kind;
    char *order_id;
    char *object;     /* of the need, or NULL */
    char *target;     /* "/wp-json/wc/v3/orders/12" */
    char *basic_auth; /* or NULL */
    char *header;     /* one "Name: value", or NULL */
    char *header2;    /* another, or NULL */
    char *body;       /* JSON to POST; NULL: a GET */
};
void shop_fetch_free(struct shop_fetch *fetch);

struct shop_answer {
    int status;
    const char *content_type;
    int64_t date;        /* the answer's Date, else the time it was read */
    int64_t received_at; /* by our clock, beyond which no time of the shop's counts; 0: `date` */
    const char *body;
    size_t len;
    const char *link; /* the Link header, or NULL */
};

enum shop_answer_verdict {
    SHOP_ANSWER_READ,   /* facts were added */
    SHOP_ANSWER_LATER,  /* 429, 5xx, HTML from a firewall: try again */
    SHOP_ANSWER_REFUSED /* key refused, no such route, not what was asked for: a person must look */
};

/* Verifies raw bytes, constant-time, every secret tried. Fills `receipt` only with SHOP_VALID. */
enum shop_verdict shop_verify(const struct settings_source *source,
                              const struct shop_delivery *delivery, struct shop_receipt *receipt)
    __attribute__((warn_unused_result));

/* Reads the facts of a verified body. Never fails: what it cannot use is set aside in `out` with a
 * reason. */
void shop_read(const struct settings_source *source, const char *body, size_t len,
               int64_t received_at, struct facts *out);

/* Whether the source has what its provider needs to be asked: api_url and a key. */
bool shop_has_api(const struct settings_source *source);
/* The call that answers a need of an order. -1: this provider has no such call, or the ids are none
 * of its. */
int shop_fetch_for(const struct settings_source *source, const char *order_id,
                   const struct fact_need *need, struct shop_fetch *out)
    __attribute__((warn_unused_result));
/* The same for an order as it is now: a re-read. */
int shop_fetch_order(const struct settings_source *source, const char *order_id,
                     struct shop_fetch *out) __attribute__((warn_unused_result));
/* Reads an answer into `out`; `detail` gets a sentence for the operator unless it was read. */
enum shop_answer_verdict shop_read_answer(const struct settings_source *source,
                                          const struct shop_fetch *fetch,
                                          const struct shop_answer *answer, struct facts *out,
                                          struct buf *detail) __attribute__((warn_unused_result));

/*
 * Listing: page after page of what changed at a shop, or of every order. Where a walk stands is a
 * cursor, an opaque text of at most LIMIT_LIST_CURSOR bytes that holds all there is to know: a walk
 * goes on from it after a crash, on another host too. Orders that change while a walk goes on may
 * come twice, and are never missed.
 */
struct shop_walk {
    bool whole;    /* every order, from the objects themselves, however old; else what changed */
    int64_t since; /* changed at or after this time; TIME_NONE with `whole` */
    int64_t began; /* when the run began, by our clock */
};

/* One page, read. */
struct shop_listing {
    struct facts facts; /* orders may carry needs; one order may come several times */
    char *next;         /* the cursor of the next page, owned; NULL: that was the last */
    int64_t pause_us;   /* to leave the shop alone before the next call: its own limits say so */
    size_t unusable;    /* entries that tell nothing usable: left out, the rest counts */
    char *why;          /* of the first of those, for the operator; owned, or NULL */
};
void shop_listing_free(struct shop_listing *listing); /* the contents */

/* Whether the provider has a list to walk (and the source a key). */
bool shop_can_list(const struct settings_source *source);
/* Whether its lists know no time of change, so that every walk is a whole one. */
bool shop_lists_all(const struct settings_source *source);
/* The call of the page at `cursor`; "" is the first. -1: the provider has none, or that is no
 * cursor of its. */
int shop_list_for(const struct settings_source *source, const struct shop_walk *walk,
                  const char *cursor, struct shop_fetch *out) __attribute__((warn_unused_result));
/* Reads its answer. With SHOP_ANSWER_LATER `out->pause_us` may say how long to wait. */
enum shop_answer_verdict shop_read_listing(const struct settings_source *source,
                                           const struct shop_walk *walk, const char *cursor,
                                           const struct shop_answer *answer,
                                           struct shop_listing *out, struct buf *detail)
    __attribute__((warn_unused_result));

/* Whether the shop still sends us what happens. */
enum shop_webhook {
    SHOP_WEBHOOK_ENABLED,
    SHOP_WEBHOOK_DISABLED, /* it is there, and the shop has given it up or paused it */
    SHOP_WEBHOOK_MISSING,  /* none points at our address */
};
/* The call that asks for the shop's webhooks. -1: the provider's API does not tell. */
int shop_webhook_for(const struct settings_source *source, struct shop_fetch *out)
    __attribute__((warn_unused_result));
/* `address` is where the webhook must point: public_url/webhooks/NAME (for gumroad, which adds the
 * secret, the beginning of it). `detail` gets a sentence unless it is enabled. */
enum shop_answer_verdict shop_read_webhook(const struct settings_source *source,
                                           const char *address, const struct shop_answer *answer,
                                           enum shop_webhook *out, struct buf *detail)
    __attribute__((warn_unused_result));

/* Signs a body as the shop would, appending whole header lines "Name: value\r\n": for the sandbox,
 * `trigger` and the tests. `id` is the event id where the scheme signs one. */
void shop_sign(const struct settings_source *source, const char *id, int64_t now, const char *body,
               size_t len, struct buf *headers);

/* The adapters themselves; each is one file. */
struct shop_adapter {
    enum provider provider;
    enum shop_verdict (*verify)(const struct settings_source *, const struct shop_delivery *,
                                struct shop_receipt *);
    void (*read)(const struct settings_source *, const char *body, size_t len, int64_t received_at,
                 struct facts *);
    /* Whether the source's keys are of the form that the API wants; NULL: any key is. */
    bool (*can_ask)(const struct settings_source *);
    /* Fills target and credentials; what the call is for is shop.c's to write down. */
    int (*fetch)(const struct settings_source *, const char *order_id, const struct fact_need *,
                 struct shop_fetch *);
    enum shop_answer_verdict (*read_answer)(const struct settings_source *,
                                            const struct shop_fetch *, const struct shop_answer *,
                                            struct facts *, struct buf *detail);
    void (*sign)(const struct settings_source *, const char *id, int64_t now, const char *body,
                 size_t len, struct buf *headers);
    bool lists_all;
    /* The four of listing; NULL where the provider's API cannot. */
    int (*list)(const struct settings_source *, const struct shop_walk *, const char *cursor,
                struct shop_fetch *);
    enum shop_answer_verdict (*read_listing)(const struct settings_source *,
                                             const struct shop_walk *, const char *cursor,
                                             const struct shop_answer *, struct shop_listing *,
                                             struct buf *detail);
    int (*webhook)(const struct settings_source *, struct shop_fetch *);
    enum shop_answer_verdict (*read_webhook)(const struct settings_source *, const char *address,
                                             const struct shop_answer *, enum shop_webhook *,
                                             struct buf *detail);
};
extern const struct shop_adapter shop_woocommerce, shop_shopify, shop_standard, shop_stripe,
    shop_paddle, shop_lemonsqueezy, shop_gumroad, shop_fastspring;

/* NULL: this build has no adapter for the provider, and every delivery of it is refused. */
const struct shop_adapter *shop_adapter_of(enum provider provider);

#endif
