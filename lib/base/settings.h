/*
 * The configuration: what the INI file says, checked, with every secret file read. One typed table
 * in settings.c drives load, check, --help and docs/configuration.md.
 *
 * A load either gives a whole new `struct settings` or a list of errors (file, line, key, what was
 * expected); a reload that fails changes nothing. Settings are counted references, because a
 * request under way may still hold the old ones.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/network.h"
#include "base/secret.h"

enum provider {
    PROVIDER_WOOCOMMERCE,
    PROVIDER_SHOPIFY,
    PROVIDER_STRIPE,
    PROVIDER_PADDLE,
    PROVIDER_LEMONSQUEEZY,
    PROVIDER_GUMROAD,
    PROVIDER_FASTSPRING,
    PROVIDER_STANDARD,
    PROVIDER_COUNT
};
const char *provider_name(enum provider provider);

enum secret_encoding { ENCODING_AUTO, ENCODING_BASE64, ENCODING_RAW };

struct settings_server {
    char *listen;           /* host:port */
    char *internal_listen;  /* host:port */
    char *public_url;       /* origin, no trailing slash */
    char **allowed_origins; /* NULL-terminated */
    char *state_dir;
    int64_t spool_max;                      /* bytes of deliveries that a front keeps there */
    struct secret tls_certificate, tls_key; /* PEM; both or neither */
    int64_t max_body;                       /* bytes of a delivery */
    bool answer_cache;
    int64_t stale_answers; /* seconds for which a kept answer serves while the database is away */
    struct network_list trusted_proxies;
    struct network_list unlimited_addresses;
    int64_t max_connections;
    int64_t connections_per_address;            /* 0: any */
    int64_t request_timeout, idle_timeout;      /* seconds */
    int64_t requests_per_address;               /* a second; 0: any */
    int64_t requests_per_user;                  /* a second; 0: any */
    int64_t installs_per_address, installs_all; /* a minute; 0: any */
};

struct settings_database {
    char *socket; /* NULL: TCP */
    char **hosts; /* NULL-terminated; tried in turn */
    int64_t port;
    char *tls_ca;
    char *user;
    char *name;
    struct secret_list password; /* at most one; empty: none */
    int64_t connections;         /* of the batch executor */
};

struct settings_miro {
    char *name; /* "" for [miro] */
    char *client_id;
    struct secret_list client_secrets;
    char *authorize_url, *api_url, *profile_url, *completed_url;
    int64_t id_token_leeway; /* seconds */
    char *issuer;            /* "miro" */
};

struct settings_source {
    char *name;
    enum provider provider;
    struct secret_list webhook_secrets;
    enum secret_encoding secret_encoding;
    char *api_url;               /* NULL: no API */
    struct secret_list api_keys; /* empty: none; WooCommerce: "ck_...:cs_..." in one line */
    bool live;
    int64_t replay_window; /* seconds, where the scheme signs a timestamp */
    char **identity;       /* NULL-terminated: what its evidence may be of; NULL: learned */
    char **unpaid_methods; /* NULL-terminated: ways to pay that are paid once it is completed */
};

enum starttls { STARTTLS_OPPORTUNISTIC, STARTTLS_REQUIRED, STARTTLS_NEVER };

struct settings_mail {
    char *smtp_url, *from; /* NULL: no mail */
    enum starttls starttls;
    char *tls_ca;                   /* NULL: the system's authorities */
    struct secret_list credentials; /* at most one, "user:password"; empty: none */
};

struct settings {
    char *path;
    struct settings_server server;
    struct settings_database database;
    char *keyring_path; /* resolved */
    struct secret_list keyring_lines;
    struct settings_miro *miro;
    size_t miro_count;
    struct settings_source *sources;
    size_t source_count;
    struct settings_mail mail;
};

/* NULL with one line for each fault in `errors`: "FILE:LINE: [section] key: what, expected what".
 */
struct settings *settings_load(const char *path, struct buf *errors)
    __attribute__((warn_unused_result));
/* The same over bytes, reading no secret file: for the fuzzer and for tests of the grammar. */
struct settings *settings_parse(const char *path, const char *text, size_t len, struct buf *errors);
struct settings *settings_ref(struct settings *settings);
void settings_unref(struct settings *settings);

const struct settings_source *settings_source(const struct settings *settings, const char *name,
                                              size_t len);
const struct settings_miro *settings_miro_by_client(const struct settings *settings,
                                                    const char *client_id);
const struct settings_miro *settings_miro_by_name(const struct settings *settings,
                                                  const char *name);

/* The reference, as docs/configuration.md carries it; a test compares the two. */
void settings_document(struct buf *out);

#endif
