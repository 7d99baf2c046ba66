#include "front.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "checks.h"
#include "cors.h"
#include "deliveries.h"
#include "drain.h"
#include "install.h"
#include "net/handed.h"
#include "routes.h"

/* The servers' own refusals are counted, and logged by the rule that was broken. */
static void front_refused(int status, const char *rule, const struct address *peer, void *arg)
{
    struct front *front = arg;
    char text[ADDRESS_TEXT];
    int64_t unsaid;
    metrics_refused(front->metrics, status);
    if (!gate_may_log(front->gate, &unsaid))
        return;
    address_format(peer, text);
    log_info("http", "refused", LOG_I("status", status), LOG_S("rule", rule), LOG_S("peer", text),
             LOG_I("unsaid", unsaid));
}

/* Asked by the public listener at accept. */
static size_t front_connections_of(const struct address *peer, void *arg)
{
    const struct front *front = arg;
    return gate_connections_of(front->gate, peer);
}

const char *front_internal_listen(const struct front *front)
{
    return front->internal_listen ? front->internal_listen
                                  : front->settings->server.internal_listen;
}

bool front_listens_elsewhere(const struct front *front)
{
    const char *colon = strrchr(front->settings->server.listen, ':');
    return front->handed && colon &&
           strtoul(colon + 1, NULL, 10) != http_server_port(front->public_server);
}

int front_identity(const struct settings *settings, struct tls_identity **out, struct buf *error)
{
    const struct settings_server *server = &settings->server;
    if (server->tls_key.len == 0) {
        *out = NULL;
        return 0;
    }
    buf_printf(error, "%s: [server] ", settings->path);
    *out = tls_identity_new(&server->tls_certificate, &server->tls_key, error);
    if (*out)
        buf_reset(error);
    return *out ? 0 : -1;
}

/* Begins listening on both addresses; the internal one first, so that a probe sees the start. */
static int front_listen(struct front *front, struct buf *error)
{
    const struct settings_server *server = &front->settings->server;
    struct http_server_options internal = {
        .listen = front_internal_listen(front),
        .check_host = true,
        .max_body = 0,
        .max_connections = 64,
        .handler = routes_internal,
        .refused = front_refused,
        .arg = front,
    };
    struct http_server_options public = {
        .listen = server->listen,
        .reuse_port = front->internal_listen != NULL,
        .max_body = (uint64_t)server->max_body,
        .max_connections = (size_t)server->max_connections,
        .request_us = server->request_timeout * TIME_SECOND,
        .idle_us = server->idle_timeout * TIME_SECOND,
        .most_of = front_connections_of,
        .handler = routes_public,
        .refused = front_refused,
        .arg = front,
    };
    public.handed = handed_socket("public", error);
    if (public.handed < 0)
        return -1;
    front->handed = public.handed > 0;
    front->internal_server = http_server_new(front->loop, &internal, error);
    if (!front->internal_server || front_identity(front->settings, &public.tls, error) != 0)
        return -1;
    front->public_server = http_server_new(front->loop, &public, error);
    return front->public_server ? 0 : -1;
}

static void front_spooled(void *arg)
{
    spool_complete(arg);
}

/* Opens the spool, on its own thread: one that cannot be used stops nobody from starting. */
static void front_spool(struct front *front)
{
    const struct settings_server *server = &front->settings->server;
    front->spool = spool_new(server->state_dir, server->spool_max);
    front->spool_watch =
        loop_watch_new(front->loop, spool_fd(front->spool), front_spooled, front->spool);
}

int front_start(struct front *front, struct loop *loop, struct settings *settings,
                const char *internal_listen, struct buf *error)
{
    memset(front, 0, sizeof(*front));
    front->internal_listen = internal_listen;
    front->loop = loop;
    front->settings = settings_ref(settings);
    front->metrics = metrics_new();
    metrics_sources(front->metrics, settings);
    front->gate = gate_new(settings);
    front->client = http_client_new(loop, "purchase-sync/" PURCHASE_SYNC_VERSION);
    front->keys = known_keys_new(front);
    front->probe = probe_new(front);
    front->key_words = key_words_new(front);
    front->subjects = subjects_new();
    front->answers = answer_cache_new(front->subjects, front->metrics);
    front->follower = follower_new(front);
    front->tokens = token_memory_new();
    front->waits = waits_new(loop, front->subjects);
    front->readings = readings_new(loop);
    LIST_INIT(&front->installs);
    front->deliveries = deliveries_new(loop);
    front->outage = outage_new(front);
    front->drain = drain_new(front);
    front_spool(front);
    front->sealer = vault_new(&settings->keyring_lines, error);
    return front->sealer ? front_listen(front, error) : -1;
}

/* What only a new start can change: said, because it would be missed otherwise. */
static void front_note_fixed(const struct settings *before, const struct settings *after)
{
    const struct settings_server *old = &before->server, *now = &after->server;
    if (strcmp(old->listen, now->listen) != 0 ||
        strcmp(old->internal_listen, now->internal_listen) != 0)
        log_warn("webhook", "restart_needed", LOG_S("key", "listen, internal_listen"),
                 LOG_S("why", "the listening addresses change at the next start only"));
    if (strcmp(old->state_dir, now->state_dir) != 0)
        log_warn("webhook", "restart_needed", LOG_S("key", "state_dir"),
                 LOG_S("why", "the spool moves at the next start only"));
    if (old->max_body != now->max_body || old->max_connections != now->max_connections ||
        old->request_timeout != now->request_timeout || old->idle_timeout != now->idle_timeout)
        log_warn("webhook", "restart_needed",
                 LOG_S("key", "max_body, max_connections, request_timeout, idle_timeout"),
                 LOG_S("why", "the listener's own limits change at the next start only"));
}

/* Connections that are open keep the certificate that they began with. A listener that spoke TLS
 * goes on doing so until the next start: nobody's connection turns plain by a reload. */
static void front_renew(struct front *front, const struct settings *settings)
{
    struct tls_identity *identity = NULL;
    struct buf error = {0};
    if (front_identity(settings, &identity, &error) != 0)
        log_error("webhook", "certificate_kept", LOG_S("why", error.data));
    else if (identity)
        http_server_renew(front->public_server, identity);
    else if (front->settings->server.tls_key.len > 0)
        log_warn("webhook", "restart_needed", LOG_S("key", "tls_certificate_file, tls_key_file"),
                 LOG_S("why", "the listener goes on with TLS until the next start"));
    buf_free(&error);
}

static bool secret_stays(const struct secret *secret, const struct settings_miro *now)
{
    for (size_t i = 0; now && i < now->client_secrets.count; i++) {
        const struct secret *one = &now->client_secrets.items[i];
        if (digest_equal(one->bytes, one->len, secret->bytes, secret->len))
            return true;
    }
    return false;
}

/* Whether an idToken may have been verified under a secret, or for an app, that is no more. */
static bool front_trusts_less(const struct settings *before, const struct settings *after)
{
    for (size_t i = 0; i < before->miro_count; i++) {
        const struct settings_miro *app = &before->miro[i];
        const struct settings_miro *now = settings_miro_by_client(after, app->client_id);
        for (size_t j = 0; j < app->client_secrets.count; j++) {
            if (!secret_stays(&app->client_secrets.items[j], now))
                return true;
        }
    }
    return false;
}

/* Seals what is spooled from now on with the keyring in force; what it opens now is tried again. */
static void front_adopt_keyring(struct front *front)
{
    struct buf error = {0};
    struct vault *sealer = vault_new(&front->settings->keyring_lines, &error);
    if (!sealer)
        die("front: the keyring of an engine that opened: %s", error.data);
    vault_free(front->sealer);
    front->sealer = sealer;
    spool_retry_apart(front->spool);
}

void front_adopt(struct front *front, struct engine *engine)
{
    struct engine *old = front->engine;
    engine_run(engine, front->loop);
    front_note_fixed(front->settings, engine->settings);
    front_renew(front, engine->settings);
    front->engine = engine;
    if (front_trusts_less(front->settings, engine->settings))
        waits_end(front->waits);       /* whoever waits has to show a token again */
    token_memory_clear(front->tokens); /* before the settings that its tokens' apps are of go */
    answer_cache_clear(front->answers);
    follower_adopt(front->follower);
    gate_adopt(front->gate, engine->settings);
    settings_unref(front->settings);
    front->settings = settings_ref(engine->settings);
    metrics_sources(front->metrics, front->settings);
    spool_limit(front->spool, front->settings->server.spool_max);
    front_adopt_keyring(front);
    drain_wake(front->drain);
    if (old)
        engine_retire(old, front->loop);
    known_keys_look(front->keys);
    probe_look(front->probe);
}

void front_drain(struct front *front)
{
    front->draining = true;
    http_server_drain(front->public_server);
    waits_close(front->waits);
    key_words_leave(front->key_words);
}

/* Of a database that is away nobody waits for an answer: what it had in hand is in the spool. */
bool front_idle(const struct front *front)
{
    const struct engine *engine = front->engine;
    return http_server_connections(front->public_server) == 0 && front->install_count == 0 &&
           (outage_on(front->outage) ||
            (batch_pending(engine->batch) == 0 && batch_pending(engine->feed) == 0 &&
             batch_pending(engine->drain) == 0));
}

/* The callbacks of the database, the spool and Miro still answer requests, so the servers go last;
 * what the database did not store is spooled, so the spool goes after it. */
void front_stop(struct front *front)
{
    struct engine *engine = front->engine;
    if (engine && outage_on(front->outage))
        engine_abandon(engine);
    front->engine = NULL;
    engine_free(engine);
    spool_free(front->spool);
    if (front->spool_watch)
        loop_watch_free(front->spool_watch);
    http_client_free(front->client);
    installs_stop(front);
    http_server_free(front->public_server);
    http_server_free(front->internal_server);
    deliveries_free(front->deliveries);
    drain_free(front->drain);
    outage_free(front->outage);
    vault_free(front->sealer);
    waits_free(front->waits);
    readings_free(front->readings);
    follower_free(front->follower);
    answer_cache_free(front->answers);
    subjects_free(front->subjects);
    token_memory_free(front->tokens);
    key_words_free(front->key_words);
    probe_free(front->probe);
    known_keys_free(front->keys);
    gate_free(front->gate);
    metrics_free(front->metrics);
    settings_unref(front->settings);
}

bool front_submit(struct front *front, const struct batch_kind *kind, void *operation,
                  batch_done *done)
{
    return front->engine && batch_submit(front->engine->batch, kind, operation, done);
}

void front_headers(const struct front *front, const struct http_request *request,
                   struct buf *headers)
{
    buf_puts(headers, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    if (cors_applies(http_path(request)))
        cors_headers(front->settings, request, headers);
}

void front_answer(const struct front *front, struct http_request *request, int status,
                  const char *headers, const void *body, size_t len)
{
    struct buf lines = {0};
    front_headers(front, request, &lines);
    if (headers)
        buf_puts(&lines, headers);
    http_respond(request, status, lines.data, body, len);
    buf_free(&lines);
}

void front_problem(const struct front *front, struct http_request *request, int status,
                   const char *code, const char *headers, const char *detail)
{
    struct buf lines = {0};
    front_headers(front, request, &lines);
    if (headers)
        buf_puts(&lines, headers);
    http_respond_problem(request, status, code, lines.data, detail);
    buf_free(&lines);
}

void front_unavailable(const struct front *front, struct http_request *request)
{
    front_problem(front, request, 503, "unavailable", "Retry-After: 2\r\n",
                  "The database does not answer just now: ask again.");
}
