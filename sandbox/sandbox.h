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
#define SANDBOX_DELIVERIES_OPEN 8   /* deliveries under way at a time */
#define SANDBOX_ORDERS 20000        /* orders of one shop */
#define SANDBOX_PEOPLE 1000         /* Miro users */
#define SANDBOX_GRANTS 20000        /* token pairs */
#define SANDBOX_CODES 1000          /* authorization codes not yet used */
#define SANDBOX_NONCES 4096         /* OAuth 1.0a nonces remembered */
#define SANDBOX_WAITERS 64          /* pages waiting for news */
#define SANDBOX_REDIRECTS 16        /* redirect URIs registered for the apps */
#define SANDBOX_BODY (1 << 20)      /* a request body */
#define SANDBOX_SHOWN_DELIVERIES 60 /* deliveries and orders told to the page */
#define SANDBOX_WAIT_S 25           /* the longest wait for news */

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

#endif
