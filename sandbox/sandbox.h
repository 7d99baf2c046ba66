/*
 * What the stand-ins share: the configuration they pose for, the loop, and each of the nouns below.
 * There is one sandbox in the program; everything it knows is in memory and gone with it.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/buf.h"
#include "base/settings.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/loop.h"

#define SANDBOX_DELIVERIES 500      /* entries kept in the log of deliveries */
#define SANDBOX_HELD 100000         /* deliveries held */
#define SANDBOX_DELIVERIES_OPEN 8   /* deliveries under way at a time */
#define SANDBOX_ORDERS 200000       /* orders or sales of one shop */
#define SANDBOX_EVENT_BODIES 50000  /* bodies of events kept for the APIs that list them, a shop */
#define SANDBOX_WAITING 1000        /* deliveries waiting before POST .../many pauses */
#define SANDBOX_REORDER 10000       /* the widest window in which deliveries are shuffled */
#define SANDBOX_PEOPLE 1000         /* Miro users */
#define SANDBOX_GRANTS 20000        /* token pairs */
#define SANDBOX_CODES 1000          /* authorization codes not yet used */
#define SANDBOX_NONCES 4096         /* OAuth 1.0a nonces remembered */
#define SANDBOX_WAITERS 64          /* pages waiting for news */
#define SANDBOX_REDIRECTS 16        /* redirect URIs registered for the apps */
#define SANDBOX_BODY (1 << 20)      /* a request body */
#define SANDBOX_SHOWN_DELIVERIES 60 /* deliveries and orders told to the page */
#define SANDBOX_WAIT_S 25           /* the longest wait for news */

/* What the shops' APIs say, of whatever is asked. */
enum api_mode {
    API_TRUTH,
    API_EMPTY,    /* every list is empty */
    API_HTML,     /* 200 and a page */
    API_REFUNDED, /* everything was given back whole, just now */
    API_GONE,     /* 404 */
};

/* What a seed decides, each for itself. */
enum chance {
    CHANCE_LOSE,
    CHANCE_DUPLICATE,
    CHANCE_TAMPER,
    CHANCE_DELAY,
    CHANCE_BUSY,
    CHANCE_ERROR,
    CHANCE_ORDER,
    CHANCE_WRITE
};

/* Misbehaviour on order: each number is how many of the next ones are hit. */
struct faults {
    int64_t drop;      /* deliveries that are never sent, and that the shop believes sent */
    int64_t duplicate; /* deliveries sent twice */
    int64_t delay;     /* deliveries held back for delay_ms */
    int64_t delay_ms;
    int64_t corrupt;     /* deliveries whose body is changed after signing */
    int64_t cannot_view; /* deliveries whose body is WooCommerce's signed error, not the order */
    int64_t miro_calls;  /* calls of Miro's API answered with miro_status */
    int64_t miro_status;
    int64_t shop_calls; /* calls of a shop's REST API answered with shop_status */
    int64_t shop_status;
    /* Of a hundred, which ones the seed decides: the same seed, the same ones. */
    int64_t seed;
    int64_t lose_percent;      /* deliveries never sent, as with `drop` */
    int64_t duplicate_percent; /* sent twice */
    int64_t tamper_percent;    /* changed after signing */
    int64_t delay_percent;     /* held back for delay_ms */
    int64_t busy_percent;      /* API calls answered 429 with Retry-After */
    int64_t error_percent;     /* API calls answered 500 */
    int64_t retry_after_ms;    /* what Retry-After says: decimal seconds unless whole */
    int64_t reorder;           /* deliveries start shuffled among so many; 0: in their order */
    int64_t page_under_writes; /* sales changed after each page of a list */
    int64_t writes;            /* such changes so far */
    int64_t calls;             /* API calls that these were asked about so far */
    bool hold;                 /* deliveries are signed and kept, not sent */
    enum api_mode api_mode;
    int64_t api_mode_since; /* when it was set */
};

/* How Miro behaves where its documentation leaves room, or where a test wants it otherwise. */
struct miro_manners {
    int64_t token_seconds;    /* life of an access token */
    int64_t id_token_seconds; /* life of an idToken */
    int64_t code_seconds;     /* life of an authorization code */
    int64_t rate_limit;       /* credits a minute, of a user and app */
    int64_t expires_in;       /* told in token answers instead of the truth; -2: the truth */
    bool team_as_number;      /* team_id is a JSON number at the exchange too */
    bool no_refresh_token;    /* token answers carry none */
    char *profile_as;         /* profiles are told as this user's; NULL: as the token's */
    char *redirect_uris[SANDBOX_REDIRECTS]; /* besides {public_url}/oauth/callback */
    size_t redirect_count;
};

struct people;
struct grants;
struct deliveries;
struct news;
struct woo_shop;
struct stand_shop;
struct many;

struct sandbox {
    struct settings *settings;
    struct loop *loop;
    struct http_client *client;
    struct http_server *server;
    char *host;   /* "127.0.0.1:8090" */
    char *origin; /* "http://127.0.0.1:8090" */
    struct people *people;
    struct grants *grants;
    struct deliveries *deliveries;
    struct news *news;
    struct woo_shop *shops[LIMIT_SOURCES];
    size_t shop_count;
    struct stand_shop *stands[LIMIT_SOURCES]; /* of the other providers */
    size_t stand_count;
    bool silent;       /* sales are made, and nobody is told */
    struct many *many; /* sales still to be made by POST .../many */
    struct faults faults;
    struct miro_manners manners;
    bool draining;
    struct loop_timer *patience; /* ends the drain */
    struct loop_timer *quiet;    /* looks whether it has ended by itself */
};

/* The shop of a WooCommerce source, or NULL; without a name the first. */
struct woo_shop *sandbox_shop(struct sandbox *sandbox, const char *name);
/* Takes one from a count of faults; false if none is left. */
bool fault_take(int64_t *count);
/* Whether the seed strikes the `nth` of a kind, of a hundred so many. */
bool fault_strikes(const struct faults *faults, enum chance chance, int64_t nth, int64_t percent);
/* A number below `below`, by the seed. */
uint64_t fault_draw(const struct faults *faults, enum chance chance, int64_t nth, uint64_t below);

#endif
